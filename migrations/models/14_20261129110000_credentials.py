from tortoise import BaseDBAsyncClient

from migrations.steps import script

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
CREATE TABLE IF NOT EXISTS "issued_credentials" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "kind" TEXT COLLATE "C" NOT NULL,
    "issuer_type" TEXT COLLATE "C" NOT NULL,
    "issued_by" TEXT COLLATE "C",
    "binding" JSONB NOT NULL,
    "expires_at" BIGINT NOT NULL,
    "first_used_at" BIGINT,
    "revoked_at" BIGINT,
    "revoked_by" TEXT COLLATE "C",
    "revoke_reason" TEXT COLLATE "C",
    "replacement_requested_at" BIGINT,
    "replacement_approved_at" BIGINT,
    "replacement_approved_by" TEXT COLLATE "C",
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "agent_id" TEXT COLLATE "C",
    "site_id" TEXT COLLATE "C",
    "tenant_id" TEXT COLLATE "C",
    "user_id" TEXT COLLATE "C"
);
COMMENT ON COLUMN "issued_credentials"."id" IS 'The token''s own id, its `jti`.';
COMMENT ON COLUMN "issued_credentials"."kind" IS 'What it is good for.';
COMMENT ON COLUMN "issued_credentials"."issuer_type" IS 'What kind of actor issued it.';
COMMENT ON COLUMN "issued_credentials"."issued_by" IS 'The user who issued it, if a user did.';
COMMENT ON COLUMN "issued_credentials"."binding" IS 'What else it was issued for; never a secret.';
COMMENT ON COLUMN "issued_credentials"."expires_at" IS 'When it expires.';
COMMENT ON COLUMN "issued_credentials"."first_used_at" IS 'When it was first used.';
COMMENT ON COLUMN "issued_credentials"."revoked_at" IS 'When it was revoked.';
COMMENT ON COLUMN "issued_credentials"."revoked_by" IS 'The user who revoked it, if a user did.';
COMMENT ON COLUMN "issued_credentials"."revoke_reason" IS 'Why it was revoked.';
COMMENT ON COLUMN "issued_credentials"."replacement_requested_at" IS 'When its agent last asked to enroll again and had to wait for approval.';
COMMENT ON COLUMN "issued_credentials"."replacement_approved_at" IS 'When a person allowed its agent to enroll again.';
COMMENT ON COLUMN "issued_credentials"."replacement_approved_by" IS 'The user who allowed it, if a user did.';
COMMENT ON COLUMN "issued_credentials"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "issued_credentials"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "issued_credentials"."agent_id" IS 'The agent that it identifies.';
COMMENT ON COLUMN "issued_credentials"."site_id" IS 'The site at which agents enroll with it.';
COMMENT ON COLUMN "issued_credentials"."tenant_id" IS 'Whose credential it is; absent for a platform token.';
COMMENT ON COLUMN "issued_credentials"."user_id" IS 'The pending user that it invites.';
COMMENT ON TABLE "issued_credentials" IS 'One token or code that the server has issued; its id is the token''s `jti`.';
CREATE TABLE IF NOT EXISTS "site_enrollment_rules" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "approval_required" BOOL NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "site_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "site_enrollment_rules"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "site_enrollment_rules"."approval_required" IS 'Whether each second enrollment of an agent needs a person''s approval.';
COMMENT ON COLUMN "site_enrollment_rules"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "site_enrollment_rules"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "site_enrollment_rules"."site_id" IS 'The site; it has one rule at most.';
COMMENT ON COLUMN "site_enrollment_rules"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "site_enrollment_rules" IS 'What one site demands before an agent may enroll again.';
""" + script("14_credentials.up")


async def downgrade(db: BaseDBAsyncClient) -> str:
    return f"""
        {script("14_credentials.down")}
        DROP TABLE "issued_credentials", "site_enrollment_rules";"""


MODELS_STATE = (
    "eJztXW2T27a1/iuc/eJ2RvU4aXrT2HfuzMaxm00d29e7vu5M3aEhEpKYpQiVAFdR2/z3ew"
    "4AvkiEJFJLckEtZjITLwVQ1APw4JznvP37YslCGvOnl3OaiIvn3r8vErKk8I/tDybeBVmt"
    "yst4QZBpLEcSHCIvkSkXKQnwRjMScwqXQsqDNFqJiCU49l2WenK8xxL4j3ohvYsC6rGZRz"
    "weCfoU7xOyAG4UJfPmU7Ik+mdGfcHmVCxoChP//g+4HCUh/ZXy/M/VrT+LaBxu/dIoxBvI"
    "677YrOS1K3ktnPoBi7NlUg5bbcSCJcU4eEy8Co9HUyJoWPnlSRbHGqL8knpIuCDSjBZPF5"
    "YXQjojWYz4Xfz3LEsChM0LWEqfRiF/mtC1H4X/o5+sMtb337678a9f3fj+hQHzFYFv9W7p"
    "5gUgBjeRKEYc/vj48eqHu29rmOOjw6WAJbieEa4uAPab+t4SKHn1Ar/i5tXfbryX7968ub"
    "x55X2+ePn54uI3OZwIoibIJSgxn2cm1G/or6KGez60G+TzCyX05U7N8dQ/vw3GN4t8Xz7h"
    "HlsnXhTCjo3EZgIoLwhfvPDUI3hR4sEG9QRNSCJ6Q75EesG4kP9uhnZ1uNWIf1oQIZHU4i"
    "Agccy9SHAazwaAdRUTMWPpsiGs1eFWw3olYP+u8EkAOY9vuKDLAeC8oynHJ2iGZmW01WCi"
    "VJBHFwgF/cwDYBmtfBKGKeW8IZzbE05CVJ9fQ+xO/agoSCOhhG1CxZqltwNguyRBS3B3Zt"
    "iMLm7XBUnDNUlpATOoWQJFLaBH0xkJ6hpa9ygDji1R3plhO8o5uLOULb31IgoWsJe9lJJg"
    "QbmX8QEwTuk8AuGe0tAnoo7yz1EcR5zCF4a8hnZt7g7ekTIZ7MD704KipPBokrI4puH9sf"
    "3+6i9Xb2928IwJFz4sX3AbJe0RNcweA6b42J58bBqChOgJ2gBeDHHKPt2eeBKgJ6kKu8Zb"
    "ELPg9mnC1v6StzbfJNao6KZs7a0J95Yk7EAIG5HOVuFpSG9PHDPSxAPtlyPVkMK/f2HTfJ"
    "OTZA6bXC9ET/iHNKYn4b890XrRUd3OnM3EH/TzT7xohnIFrveEMBJGfkPGpzLWajMDIAWF"
    "rWILc0FgkwygRCgWoymeW6OtRvSmYGg8wbSClu/ZKY1ZMucTD+x5j4JZ1xPOyFfObo3smX"
    "q0OuavQQRG8+SvdPMar18luBECE5ej2d2b4kbnD3x5tfKwKVkXjPD2/gSwlFDCTz68ur75"
    "cPUShMmuLOlgEa71bSxZgk6kyXGwK8J1D9T4AkxJcAvmaOhvvQn4Cfua7VwpxtY/Wn693L"
    "1CEjKXoOHvwKeuOjwuV9EbNr/Y5w/RH0+OekV8sor8mM2bekcSxWMqi5sk2u+BCt8E9RGA"
    "HlUQZnCStJnpfCWj8pXQJFyxyCTvzVRIZbjVh6xk8FEDxI3bhV1+nL2D/c6a+p3KwVajiC"
    "fmjzc37z31vAOgCOeByDggFRpOv6tE0DlN67r09qThLMT7QKoeWlGgFKQqX3eh7dWNEth+"
    "NE1IbFSk9/Gd1Rm2850iCm4pekHgKErBhE1D+HcU5s7QVcrCLBDq8EKJoJjQITbzihN/r0"
    "1oduVtz7AdenzULbDfX18OQS8vl77SH5sjW5tjO7aFx79E98PPPw9C3v/TB3lPUGeog/sT"
    "V77RHc5+e8oOtmEE799/vDjiQ3B10yyKRZTwp/i1J/B06I/ioKWtRC6c4edllIsXoLOBZQ"
    "jqmmC3tANC+qfrd2+/x7ssOf9njFfe/t/lh5c/Xn743c+Xf/u9NF9AqVc6/9uXb959X1sq"
    "3n6p+DkvlTpH7VspES2pT2Oy4jT0lwbP4z7dxjDRZgb2R7b2kEmpLAasAbudoAxbVljmXl"
    "SdNGUp7G7OwUJtquzszrH5XFBWDRrf6xRAlow2Z6icY0BNGA2h1DiH2WNwmD2Uw6bqD8sd"
    "NlKU9+e1UWRaQ/KpOthmSYEapKQ+4CwkU44iYyadjjMSxTT0VJQFRuINEjY2pGdscIRBR8"
    "dnnnhryW5HSikBATMEss5L5rxkYwF+7F6y0UqWLjxmtSOzA9yLBCDbgO/60Dy+AFXFwi6f"
    "5X53ZRNP5Yk+SgbGI0MHYs7fwqtw+f7qhVwQSevqpAePJfFm4ukYH/groB79dRWlBoa3j/"
    "s7f+eo/J1ZGjckBvRIq5Uk5+V0Xk4bzfodJ2dxmq4jeOZMxZD05vAMM3VCt6JZdybZDG5B"
    "sUZiOGp1ysJNw7c+H2qz8V4ITtyWpbcAAEzpEImzKeUruBv1W+Bam2M9wAH8Wg+10AdAeE"
    "FJSFODBDB6xSqj7+UQG1C+aqck6K364e1zehU7tt1imKaNZVXUsWbzoiiHl1n1OOAh26N2"
    "WCZ0Nmi7pVSK9oTp1ZBBqvDXnDE04IZJMkULkbd33WxPtDqSbct3syQbb0pzM9nl6o3Q9V"
    "hjux+Ib8rCSLxh81eJSDcXJtppa8DkIPuEQ5F/akE/Sd8jEkRIVqh4whcIOfcwcx3ZIOWQ"
    "JGG4l2Jqfw9HI42KRoJtBGeiRLGG/askW2o0d9dge5qZE6cwXW/ySxzem2xS9VfaSyEmBY"
    "+URGqjD3CeKuAaB3tWh9utsKB3DbezCl8bohqOFI5+i6pN2xOsZ/Lk45aRmyh7BzHo8Yta"
    "hCNXx1uPaSWsfpiX3Viu6bBgNddsMgpVPdQSgAsuKkRBAErDoBtXifCmpnll9IgDh18RkL"
    "p50QX14yZgvcwYliZKQo/MRDWGuCvO6t6mu7N/hgq9HDqqash0KRXbs14wnosZFViyE/Og"
    "ztHcYzNYScmMU7OiZ8C9MtZ21HXdl3Vde66UJemRnLIqlO0sd3v3wW24vTtYlo/6NvYsSk"
    "8vw/EVqAgMq2KsfiCCXLMsDeiFgfCqfDo5xHZJtoLLgQ3jrS4TWXpxrnzfngI9f2cWGFfC"
    "klk0z1KswCZU2KeqgouUOv6F482ltTu+tyPIRkWQnX3WOQkClsniu2V+LuCZ0ADDBHVQ4W"
    "ChRK2M5XLKIWO5lDrXxfhebAS03e/oCdaADN9UMdF8kwSLlCVgAQ1iNEvR1dRmLgaP2GS+"
    "pgKLdoPapKxhLJHMIzi70aFBkyDdrHDfEyw0y22wlVumRXeWEj1kfE256zH9E8/UmJI0kc"
    "nQkQ2LADtFtioAqS4d2yrE7hT6Yu9thiMzvnv27Nuvvvvu6z998+03z7777qv2AksVFS9/"
    "DdeR5C9q90aZlnST2bS/oDBunxOrCVem2hwqmZcSLjJLuz0nXJDCg5J0rqCwKyh83gWFKw"
    "Z0U060PsVq72Jew6UwnVwy+n2Kcel2GnDQ0fSObpOcuI3XCxYP2B/KJae75PSxAN89f18R"
    "xR2sxdX23SxZkHvK7+Og18+zx1wWoF8ZP97C2iVZecPkqh10o+gxk4bOFF8wP99Rx30qN7"
    "JItofzPTVfL9TeJqSNZjj/x6j8H44FGIoFcFZo31ZoVRQ2lCX1KVbr84pNVzJXLPZ4tMdt"
    "iA6poVe0FK5gHcKsd8amMzbHAnz3xmZF4nawFtshR5asx/2l9HHY6weXdebmqCT5eE3KV4"
    "mIhDEBVX8yOWQ+ooNXRI3j8HS1/4luZjEBHXy5IskGlDvpKxbwr6dPn6Jjn2iZNMGQum2r"
    "EZ4iuqMqoM4QkNfTlzjLdFSWqVrpPbmre5o+bc2wWln6pLmxiD/X2xtewone+Tzf+rzY8v"
    "JT2PT9q6cPExE5FO5XwtRzZ7sFOawHHaJxqNz6C8IXDXHeGm81ypcY5LUoklvJWkrm5wAx"
    "UTHVCSud/5H6c51GQmCowJx00UT7eCYsHO5t+pFUho84PlLKnerWL45JC8LwEpYuSRz9i4"
    "ZtVsYwa8QLJLVZwGOSyyi+ICuqIiXBnIBfZMFCOdbYxY652DHH2jvWvqlIr1qmkqc4aAN3"
    "r+2cf4TezYPr82cdr8dKPAtOea27pBPXScZuGt/5T87Gf/IYgvU6FeU9he49Aj9Wx3rLWT"
    "i1zuPcHbu36wON5evKF9HqYq/na2vU5KgXbOOnlQkNPWIyJhKdJeoWVZ8UxhoLwBgWDBZI"
    "tn2XnXzWYDNKElR39tkTaNnBTZ3Ha1Qer+r2a+P3Ms6zWtXF1iCoYYk185DG8fIt+txb0u"
    "UUS6HHUUAT/KZBnF6PIQs/PyrKmqPlttEVbRy1bAPh6ahlRy07armLEgeLCAZq5a6hRmOY"
    "Y/VRipaCLFiWO3ZVt8hFF6AePTZXJMVuoO0QNk0aD8SoYxcwO7bTRtLNsZ1nw3ZuyYoOVq"
    "MMibVoNbqQLcehN4ndBitQPQ/PfgHucX4eXwCDZmEXtXYHz3aoodH2gMlBQg2H8uYdja4Z"
    "9rTF6nD6RVitYHuEqv+1lwd9Y817GUI4pbJlo7l83L1v5mizUdFmcq+1ihPfmmC1lvSpuo"
    "Gfe5rjmHjaBC/6vQ9Ek/VWxFWKlp7rtwKGIQLTegnQ2YLBl6uUBZTLGpZ4zHXRwLiBhbWJ"
    "GTFIFSMvWRk94hDYnK0EeT2lJWdpRaVQvQdOoW12p1pP3OiClMVz98TSpBTUCV9WqTYcnn"
    "v6oO9MGo6EfNYSSXR1sBkmNlTEB8IKIGIh4m6yHVx5T8ejP1YevR37OB7aMU8RrNgvjm+0"
    "kfZyfOPZ8I3ny3PdW5ocB9teausvMZuSeH+lhK3PJ4eIrbkc6bcsm5CzTkXMntBZfsXG3+"
    "h35EWRBzvdqDzNmAgYtJTduI3dizq8tWO+xsV8PZoSCToaDE4KHRfuqiF0AbGrhjAEyq4a"
    "gtVMo6uGYO8CuWoI4yCAHNX2KKg2F7LqOuncF+CHydM/QL25jNqHy6h9GDroR0pisXi5oM"
    "HthYENqn48OUQGLeRAP8CRDakg6Q5MMPlGJ9VWc/tmJDWsRZM5n5PPyZWSW6j1TQmn3hf4"
    "8ZL7/DLxvmyn1uIVneEp/wm/IMxikM9wnuA1GRz1ZXsVv2AL1c9JsaHVPsqzuIpnU3IJKx"
    "gyLyBpqqimmXqNkD7hL/DKRjZkRUtnRVKR20YSY8dEjY+Jypd/Dxd1ID6oNvNQmJB6Mz/o"
    "KTd6hkUy9hbuWebXqcccwnqnBwoo7ckZHVf9pPx5t/qYS0GcG4MI/ZhD4NTe7jkGTp1Ym7"
    "YiJ8/XLaS8+aTqHu0ZieIspW2jg2rT7I0Peq0eFfuUgwDvxHTb00ZZqikn9lGuzh0Oy3sG"
    "rknDOGbsVjZ877VDdRZgaNepTaq3ZltvHFfRncELFnpaqvSJcP5Gn4bw9uwRIow/ADDtK4"
    "IqTVnqgx3IwWRo6ubanWNzGbuC51eQqt3gcRINoTE8htoSoMZQCbA8KNSmdcy8DXyxY+Yf"
    "BTPvwjZd2OZYgO8mbPNhqOMqvW+gjnfY//3UcYVbbdx7KSfwZaRfQBLMjir6Wb+QLGAAik"
    "PM5pmK/iNxrNcQiwa2iyvs+9vOjeA98RWr7IMn3ONxNp94YA8usJ/VlwWgu+LkywMQuvL/"
    "zSyBfKjV50gt0gd7wcOOHaTjZ/VZmmG6M8N+aLVkwOQ2sF7n0d0g9CAIIDpnqSFg34hqdb"
    "jVkF5pPvu5B6//xEuXS5AKNMhSWblgqwveAIx3tlqxFHV0NdGI9WWakk0NcMPUHdyHjkLD"
    "7zspCk3+APQ1bIXbFxGD/Lms12ts4dbVKv39H4dbPMDd/CyNG74M1eF2czd5/j0+McjtIe"
    "QKi1naVKjkY20GEQUKPmiW5r6zQncbAM4YbISm27IYazOcsCdllaBI6REsmUXzDGuiox4s"
    "SssJ/pImEgGFbqBe7Vq/aSEIdmbYjHsljAm0ZawLsQIzbRCBgEvsY6DMsimRW5szBjYXKV"
    "fvWj6yCjOqNAB4km91jDuBZVjRFA7CJUnRwfaF0wS2OJyFX1QsCugrKbWhZEfEfTCs4cEM"
    "NE1M5vWDsTp+Z82mjMX2LNa2GGKzGWYuvPASpGTKykDTTHh8HQkM8sJBHTCQ7969cUy7Y9"
    "ofDdNeY4AfnHx8n0YB/KqbSFJnh3jI6shJQ0rSX6lJvoBZDfnJT3nTCtgcMqCTJFV2C9ae"
    "C15p2C4pQzCSlvUX5b73Ojdu8cyDR8+Wa8S3xxGNPeEaMKRdBgAVZZCPEsdw3sLLU2e9ti"
    "bsKv00iJYkfvqD+r9F6CrbKlLpBbnsvT+8bz/+/OrD1cvdiCPQVaWO7WMWQUtFpj7Z6pDE"
    "1yrfBvQWlufZI8oLFndRQdIc0FUglCUiMhABDfEtZtscMvcRH1ICDEfaFMxQge7qmMpqNz"
    "2C7EweZ/Kcr8nj0n5d2m8fLcjk4TeELuwi4lxE3FiAd22ihxYpo89hv+I8o+HLlMpgEBJf"
    "mFjA3TGTg/yfHO0HxfCGxN877J7CbqnUTQK4b9lLhdP0TjVT8dTdXyhHfpgXKpTznnDvyy"
    "8iqoe5dXxrRwselm0aMHSrRqjziH3r0j8liMFPdcQP5NjmEw5l2JYvwl/1aKsEmZRlc8Zk"
    "FMEACpJ8bdL2Gfs78w4hfpmFkbgMBOtNgbrgGy7osr1NBYjnyfoEH1BLkU66TDSDPvSnhs"
    "BFk1SpjrY9PCMDwQzKESvxlNYTUR+Eg2TcTaOi00uDOI3K6BFXyivT8HT2qMYfZEkeEWBR"
    "TAb9dRWl9ISE6e2JVvO+eSqvfuSemINZlHLhZyd1pKnNtZ6h0XtbPjhKlP560txh2YD2kG"
    "5PHAue+ql7BrPhcbc9fDTnnX7sBznw1Hf7KSW8see3NsdmpD8tNp3v1QaormIS0CVWUUsp"
    "/D5+Egl+6DYjEBDck3XklL+B8FvVSJMmKYtjVZ5aVotbEHl9TSKhwnFWq5Tdkbg3mVKCqr"
    "7qvkuzcxfrV6bwCJE4ZmspePKl2lmfIZegsYzfO9dmMbQl8Evchxf4zvfsfM+Pw/ecFzFt"
    "JFaqg22XI1pU59SfZCbhBw4R0aZLvzaCtDLWdkTxUT0itGtO4svzg3AdicUw3N7QfufBdA"
    "7GqVc6hxRfXURcqQjsosyD9CUMEZsJR25TqCtjbQZaxmGqVtVKoyhERHKHGcaPwaV/Lnu6"
    "e78+yrgOVuJa38aOdehFeB/HvnK0NUBePlIH0F/m97EH+25UkeOAV9WzBoij9OsA8I/6Nv"
    "bg3Z14P4555dSzKn7lA5Oo12JW5PXJoTgVEAmNG296ePfQ41RmkaXRfCFAvqM8YZkomyho"
    "37vs7TnJE2kljVLpn2kqktX17V2Iistce+hAFGXPx9RlrvWH6zARPkog1fE0t3QsBo84Cu"
    "J1jInD019oICUylmugJOGA2OeLa3m8fqAk/KxF1W8WREI4JtcxuY+DyXVZRH1nEZ0p9VhJ"
    "vFhLxkadogauRqnYqBg6lmxE8I+5IPR13jvvJza9MNizW59PDtm1W134WuRerCKqkvbxB8"
    "1T2S9kzdLb5yrpXBmfIW6VBTYSnIky7gtWB+USXsdARdg3dV2/r+9wpu6oTF0StLDNysH2"
    "m2WYLsSwuHkIID/3+CYJnupSrvLfRT3XQYrtrsgmZsSwv402W2X0iI22wjpGiQLbnYZySW"
    "6TLlTRextoqzRiWHfZIHL2dJ+rzrBZW71csmQugccDR4lv/GsRzbGq4JxRHWndR0u63voo"
    "wjnbcxNFTd+fYIGlNIfbQy2wi9IkRyUKEYIuVyYaaN/+rc6wt3Hij0ZFo4+tmuPhL8mv7V"
    "HMZw2H5B/vg2SkgURf7JL18+4noDP4KRXppj0ZUJtrs4T9tNgFtcd43NJ+aA3q7tRR5FUp"
    "i6MvMAVJTyKrtidavzmLpohaXIEiPCd97VDZM7KhCVGMtZmZwrSUGoLYXnIQn1nuATDF3J"
    "tbFWxNsNw0w1wSOFoxvv65Dq6Xzb8nnq6xv4IXLe+1rrLAVSyFi8A3q63ObzNapB/Wb4OU"
    "kOoA0NS1UJ9isxRHgrvS5kCS2SoMUWsZ/fkTHlcNuJ2Gd1pcI82Qsz9nGJ8/JLiuLtx5Ae"
    "/qwtkgZjqsFbfnXO1gKX6Au10XNzvXg/X4UtRVD7vcxZF8jrqbWCdkHHAPo09KDmkQ9hxk"
    "XLAlTSdKY8z/BANK5l1Pyjp6WnLFjN1yj8yEQUR1cT/n7W3k7a3atCoH5ok3zyIsr8AXE3"
    "iPinQBVdJJWQD9uREeYeizTEQaMvQZmz43RDIfajWS2GsSfxt2miRhmFLOKX/hqa/N20/u"
    "SanoAd2+/IwosXt2NJZt6FoyBrIrXHUzozhG94NRvvcQxcAJ4LlckWRjNLTMfShrk2wnDR"
    "DdJ6rmrNYy319fDgQvnBSYTHcSysa5NoONIkU99EPAvaSC4DlYR9gYlFMdPoaWn3jySWVC"
    "VY/kMvAmQS2ki3oJLkHCEe3jQdolSJx1ggQefifQ7OZpNh+YqJ3A4YgHZUlI5sog2O/q5H"
    "dsu42kr2Pbz4Zt3xEcgzPuI5Y2xxfDLJWtY3tfyRo2WOnyQ2YueWEYNTnGBPu0mOCnWeOC"
    "GEVjZbk6IV1iEDK8N/DCUGyyrCrBLMnmcAHR+9zHMcHjyvvRdXxl6eIopYYleB2TeW0RjP"
    "N21gTT8/s6WoorJzBnlIAMU8q2V75nug+52toqSyU3F57wLusdv3v3xtnAzgZ+lDbwkKVJ"
    "h1RZ8VlfyI7EsH9RquOh3V2OhbPDnB12NsCPvWrmSOVKFwUzH8bM0i+HwbQqX5v95pTaTE"
    "1Da/BYnJMk4iq27HfE048lO1JGAfVQD4xCmv5e+agyrgPP4HqYBaYygt3c0xlWozKszjaA"
    "ZmsvDxpI01eoh5IiVgd7qIBK2RR3CKidS9y5xB0d4OgA5xIfo0u8ZrA+pNr+PSzjftVdft"
    "pAffenMLBxeLya84R7OEtaqagPwj6PmKEAWoPxTvcele6tVs6XtRpaCpbdqVaXykCGQPXK"
    "XbJl2eNB7ePe+r1qiGhi2NlNsNUTrUdWY1o0LZEGufwJCDHrhHDcV5ykH0MHpW3PZk6Ykp"
    "loK0PK0llSAA9WO0swQWLDJgYJtqmT5vngXQuHBtGSxE9/UP/vDdln7VGtlj9ckS7qZrz9"
    "+POrD1cvdws+MZ271oTsyMfaHF8nocuNQ4Uf7wS/o1tyFiUkjv51Wrv37anWa8VFt3d87v"
    "6avePOb49mZdZYgOzmFTdi6CgJR0k8DkrCedKdJ30swI+5sH7J/7yJEnol6PLiIEtUjJo0"
    "ZIv8GGb4EUxpUWwf58hAQGmJPMeMfPgFG8xuFlxHCFZrj4CayDNsaOmt0iionwmd3dQxUK"
    "NioB5JvzO5sznZDGGsy7elDub/ZvDC62rs2/pQPv5h7PUTYMVCzaVg6MtYx5sDTNykXxqJ"
    "j60JowFTNmJF8YkCFgUC/oyinQkq8V2RpGaYx8QtnQgvvv0YGr9kWRe1Psw4PoJQBFUOSK"
    "IoNyYmVGVYGneWsqWLR7DBJB3I+Jd6a0N9rTLWamXhJqf1WVJWhxuM4j//qqufOvb5HS9P"
    "A6cq3NsXUdF6/HiKfX2O1aCW2gMeF8qviu8+WJ5xJ21IXEaH46HOBvjuMzqmOi6ok0XIg4"
    "wsWohODsTjsFd0BFc8+N6nZU+FgqtnY7e4v1d3vtE3tmQJOj1bG9SRqKselhLh8JSX4S8Z"
    "Fxh3dHGQDd8eOmlIiSMMpJjWvNpwSsNITLyQTkFSwQkRRjyQ1qpcuyW7o0i2bkVR6rMErk"
    "ZLAy3e1U0dLT4qWlziV0P9QFxbPuFQVFv5Itzo0ZYIuk/ycF+TDR7w+YbGfTxEW0hJJzXl"
    "H8vRoyEgv9/IntPLLFj0RT2mlPDG/ptysNXm16fFEGXh6GxGZb6bjxRmS9awPtnqUOHX8J"
    "DKr8Cka0EeYn1VOCyxEexkWNVUq0H9mIgoLrw1vUJ6qM2eQR/ooMnegGXbdCDVesEkbV1p"
    "tle01sNS7oOVa3euBBdH+DjiCF1qY9/Vfh/OtTOkb1gef0lA04SDHTflmJI00y1SQazHdC"
    "iLwjkknENiLMCfV2O9sYubDnnzh6FoP3JJLdb4WHl9coh8RU27Mc+aayuzgvec6MokgskF"
    "iEIqYx2LelEmYvXEuzgm9XDDyV3QnoC6k01/AZMa6dXi+bF9TSaNVxnUfReJolCSILegL2"
    "WrB+Bd6ZJEBn+qkcgqxlp9aquUYXxUL8V6vnnBNLn5zd3IJiDAdN0fjLsPCB+i7fPZ1gHT"
    "cuYsKoChIO85MX5FkxBxab/Pi25vGnEsu85B3fAMldu7x/yh4m/vyyFMsygWUcKf4te2Fv"
    "nvUzoDAQOKEKhBX4IslR3VsEDmF/gB6MlB+WNBbC4yGr6sLQeHU3uywTR9FJSDfhckoRPC"
    "mcsZ7LwFrIJLgHbE5diRdsTlWROXKZjRTXm0ythRqYWopIQMnU34CwzOJt1qfB6zKcFQyC"
    "F0cUdhOgpzLMB3T2Hii9jBInzQt7FkCYYWPMfXpSKyrWIxL2kK+/PCwGPqTyaHmExSjjlG"
    "ZearWIe0a5IxEXLTNqMaDSqI1jfuxzS237T7AdrZc/Cw8L8/fP3VN99+8+c//tc3f4Yh8j"
    "GLK98ekNO55rGfFwSpxI0ejZcLkpqhrUyx+UxsDvGS/OrHNJkLfDW+/tOfDgCam+Ywatc0"
    "1x99rT7bicWEl6oFwnr4GaL71bNnDdCFUXvRlZ/tWOYsEdSkXiC3Yka4MmV4jqpHtI8QTe"
    "14JgSHcTFP5V00U/XAxaV/+38mcaLn"
)
