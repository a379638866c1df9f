from tortoise import BaseDBAsyncClient

from migrations.steps import script

RUN_IN_TRANSACTION = True


async def upgrade(db: BaseDBAsyncClient) -> str:
    return """
        CREATE TABLE IF NOT EXISTS "job_attempts" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "number" INT NOT NULL,
    "started_at" BIGINT NOT NULL,
    "ended_at" BIGINT NOT NULL,
    "outcome" TEXT COLLATE "C" NOT NULL,
    "error" TEXT COLLATE "C",
    "worker" TEXT COLLATE "C" NOT NULL,
    "created_at" BIGINT NOT NULL,
    "job_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "job_attempts"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "job_attempts"."number" IS 'The job''s number of attempts when it ran.';
COMMENT ON COLUMN "job_attempts"."started_at" IS 'When it began.';
COMMENT ON COLUMN "job_attempts"."ended_at" IS 'When it ended, or when its end was noticed.';
COMMENT ON COLUMN "job_attempts"."outcome" IS 'How it ended.';
COMMENT ON COLUMN "job_attempts"."error" IS 'Why it failed.';
COMMENT ON COLUMN "job_attempts"."worker" IS 'The worker that ran it.';
COMMENT ON COLUMN "job_attempts"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "job_attempts"."job_id" IS 'The job.';
COMMENT ON COLUMN "job_attempts"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "job_attempts" IS 'One attempt of a background job that has ended.';
        CREATE TABLE IF NOT EXISTS "job_progress" (
    "id" TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    "done" INT NOT NULL,
    "total" INT,
    "unit" TEXT COLLATE "C",
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    "job_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL
);
COMMENT ON COLUMN "job_progress"."id" IS 'Opaque key; a new one is a UUIDv7.';
COMMENT ON COLUMN "job_progress"."done" IS 'How much is done.';
COMMENT ON COLUMN "job_progress"."total" IS 'How much there is, if it is known.';
COMMENT ON COLUMN "job_progress"."unit" IS 'What is counted.';
COMMENT ON COLUMN "job_progress"."created_at" IS 'When the row was made.';
COMMENT ON COLUMN "job_progress"."updated_at" IS 'When a person or a job last changed the row.';
COMMENT ON COLUMN "job_progress"."job_id" IS 'The job; it has one row at most.';
COMMENT ON COLUMN "job_progress"."tenant_id" IS 'The tenant to which the row belongs, for ever.';
COMMENT ON TABLE "job_progress" IS 'How far a background job is.';
        ALTER TABLE "scheduled_jobs" ALTER COLUMN "integration_id" DROP NOT NULL;
        ALTER TABLE "scheduled_jobs" ALTER COLUMN "attempts_max" SET DEFAULT 5;
""" + script("27_jobs.up")


async def downgrade(db: BaseDBAsyncClient) -> str:
    return f"""
        {script("27_jobs.down")}
        ALTER TABLE "scheduled_jobs" ALTER COLUMN "integration_id" SET NOT NULL;
        ALTER TABLE "scheduled_jobs" ALTER COLUMN "attempts_max" SET DEFAULT 3;
        DROP TABLE "job_attempts";
        DROP TABLE "job_progress";"""


MODELS_STATE = (
    "eJztXW2T2zaS/ius+eLdKu2Uk8teNp6rq5o4zmayduyzx+et2mzREAlJzFCEApCjaPfy36"
    "8bAF8kQhKpITmgBlWpiocCKOgB0Oh+utH974slC2ksLq/nNEkvXnj/vkjIksI/tj+YeBdk"
    "tSof44OUTGPZkmAT+YhMRcpJgC+akVhQeBRSEfBolUYswbZvM+7J9h5L4D/qhfQ+CqjHZh"
    "7xRJTSS3xPyAJ4UZTMm3fJkujXjPopm9N0QTl0/Mc/4XGUhPQ3KvI/V3f+LKJxuPVLoxBf"
    "IJ/76WYln93IZ+HUD1icLZOy2WqTLlhStINh4lMYHuUkpWHllydZHGuI8kdqkPAg5RktRh"
    "eWD0I6I1mM+F381yxLAoTNCxinl1EoLhO69qPwv/XIKm19/6e3t/6HV7e+f2HAfEXgW707"
    "urkCxOAlEsVIwB8fP958d/91DXMcOjwKWILzGeHsAmC/q+8tgZJPL/Arbl/9/dZ7+fb16+"
    "vbV97PFy9/vrj4XTYnKVEd5BSUmM8zE+q39Le0hnvetBvk8wcl9OVKzfHUP78NxreLfF0+"
    "Ex5bJ14UwoqN0s0EUF4Qsbjy1BC8KPFggXopTUiS9oZ8ifSCiVT+uxna1eZWI/5pQVKJpB"
    "YHAYlj4UWpoPFsAFhXMUlnjC8bwlptbjWsNyms3xWOBJDzxEakdDkAnPeUCxxBMzQrra0G"
    "E6WCPLpAKOgxD4BltPJJGHIqREM4tzuchKg+v4ZYnXqoKEijVAnbhKZrxu8GwHZJgpbg7v"
    "SwGV1crgvCwzXhtIAZ1KwURS2gR/mMBHUNrXuUAceWKO/0sB3lHNwZZ0tvvYiCBaxlj1MS"
    "LKjwMjEAxpzOIxDunIY+Sesov4niOBIUvjAUNbRrfXfwjpTJYAfenxYUJYVHE87imIYPx/"
    "bbm7/e/HS7g2dMROrD9AV3UdIeUUPvMWCKw/bksGkIEqInaAPYGOkp63S740mAnqQq7Bpv"
    "QcyCu8uErf2laG2+SaxR0eVs7a2J8JYk7EAIG5HOVuFpSG93HDPSxAPtVyDVwOHfv7Bpvs"
    "hJModFrieiJ/xDGtOT8N/uaL3oqC5nwWbpn/T4J140Q7kCz3tCGAkjvyHjU2lrtZkBkILC"
    "VrGFRUpgkQygRCgWoymeW62tRvS2YGi8lGkFLV+zUxqzZC4mHtjzHgWzriecka+c3RnZMz"
    "W0OubfgwiM5snf6OZ7fH6T4EIITFyOZndvixedP/Dl08pgOVkXjPD2+gSwlFDCT96/+nD7"
    "/uYlCJNdWdLBJHzQr7FkCjqRJsfBrgjXPVDjBpiS4A7M0dDf2gn4CfuS7Twp2tY/Wn653H"
    "1CEjKXoOHvwFFXHR7Xq+g1m1/s84fojydHvSI+WUV+zOZNvSOJ4jGVxU0S7fdAhW+C+ghA"
    "jyoIMzhJ2vR0vpJR+UpoEq5YZJL3Ziqk0tzqQ1Yy+KgB4sLtwi4/zt7BemdN/U5lY6tRxB"
    "Pzh9vbd54a7wAownmQZgKQCg2n302S0jnldV16u9NwFuJDIFWDVhQoBakq1l1oe3WjBJYf"
    "5QmJjYr0Pr6z2sN2vjONgjuKXhA4ijiYsDyEf0dh7gxdcRZmQaoOL5QIigkdYjGvBPH32o"
    "RmV952D9uhx6Fugf3uw/UQ9PJy6Sv9sTmytT62Y1t4/Et03795Mwh5/6sP8p6gzlAH90eh"
    "fKM7nP12lx1swwj23/95cSSG4OqmWRSnUSIu8WtP4OnQHyVAS1uluXCGn5dRkV6BzgaWIa"
    "hrKbujHRDSP354+9O3+JalEL/G+OSn/71+//KH6/d/eHP99z9K8wWUeqXz//Ty9dtva1Ml"
    "2k+VOOepUueofTOVRkvq05isBA39pcHzuE+3MXS0mYH9ga09ZFIqkwFzwO4mKMOWFZa5F1"
    "WHc8ZhdQsBFmpTZWe3j83ngrJq0PhecwBZMtqCoXKOATVhNIRS4xxmT8Fh9lgOm6o/LHfY"
    "SFHen9dGkWkNyadqY5slBWqQkvqAs5BMBYqMmXQ6zkgU09BTURYYiTdI2NiQnrHBEQYdHc"
    "c88daS3Y6UUgICZghknZfMecnGAvzYvWSjlSxdeMxqR2YHuBcXgGwDvutD8/gEVBULu3yW"
    "+92VTTyVJ/ooGRiPDB2IOX8LW+H63c2VnBBJ6+pLDx5L4s3E0zE+8FdAPfrbKuIGhreP9z"
    "t/56j8nRmPGxIDuqXVSpLzcjovp41m/Y6TszhN1xGMOVMxJL05PMNMndCtaNadTjaDW1Cs"
    "UToctTpl4abhrs+b2my8F4ITl2XpLQAAOR3i4iynYgVvo34LXGt9rAc4gF/roRb6CAgvKA"
    "kpN0gAo1es0vpBDrEB5at2SoLeqgdvn9OrWLHtJsPUbSyzoo41mydFObzMqscBD9ketcMy"
    "obNB241TKdoTpmdDBqnCX3PG0IAb5pIpWoiivetmu6PVkWxbvpsl2XhTmpvJ7q7eCF2PNb"
    "b7kfimLIzS12z+Kkn55sJEO201mBxkn7Ap8k8t6Cfpe0SCCMkKFU94hZALD2+uIxukHJIk"
    "DPdSTO3f4WikUdFIsIzgTJQo1rB/lWRLjebuHGx3M3PiFLrrRX6NzXuTTSr/SnspxKTgkZ"
    "JILfQBzlMFXONgz2pzuxUW9K7hclbha0Nkw5HC0W+RtWm7g/VMnhxuGbmJsncQgx6/qEU4"
    "crW99ZhWwuqH2ezGdE2HBas5Z5NRqOqmlgBccFEhCgJQGgZduEqENzXNK61HHDj8ioDUzZ"
    "MuqB83AetlxjA1URJ6ZJZWY4i74qwebLo7+2eo0Muho6qGvC6lYnvWCyZyMaMCS3ZiHtQ5"
    "mntsBkspmQlqVvQMuFfa2o66zvuyrmvPlbQkPZJTVoWyneVq7z64DZd3B9PyUb/GnknpaT"
    "Mcn4GKwLAqxuo7kpIPLOMBvTAQXpVPJ4fYLslWCNmwYbzVdSJTL86V79tToOd7ZoFxJSyZ"
    "RfOMYwa2VIV9qiy4SKnjX9jenFq743c7gmxUBNnZ3zonQcAymXy3vJ8LeCY0wDBBHVQ4WC"
    "hRK2O57HLIWC6lzoeifS82Atru9/QEa0CGb6qYaLFJggVnCVhAgxjNUnQ1tZmLxiM2mT/Q"
    "FJN2g9qkrGFMkSwiOLvRoUGTgG9WuO4JJpoVNtjKLa9Fd3Ylesj4mnLV4/VPPFNjSngiL0"
    "NHNkwCrBRZqgCkunRsqxC7U+iLva8Zjsz45vnzr7/45psv//zV1189/+abL9oLLJVUvPw1"
    "QkeSX9XejTIt6eZm0/6Ewrh8TswmXOlqc6hknkq4uFna7TnhghQelaRzCYVdQuHzTihcMa"
    "CbcqL1LlZ7F/McLoXp5C6jPyQZly6nAQcd5fd0m+TEZbxesHjA+lDucrq7nD4W4Lvn7yui"
    "uIO5uNl+myUT8kD5fRz0+nn2lNMC9Cvjx5tYuyQrb5mctYNuFN1m0tCZ4qfMz1fUcZ/KrU"
    "yS7WF/T/XXE7W3CGmjHs7/MSr/h2MBhmIBnBXatxVaFYUNZUm9i9X6vGLTlcxNF3s82uM2"
    "RIfU0CtailCwDmHWO2PTGZtjAb57Y7MicTuYi+2QI0vm4+FS+jjs9YPLOnNzVJJ8vCblqy"
    "SNUuMFVP3J5JD5iA7eNGoch6ez/U90MYsJ6ODLFUk2oNxJX3EK/7q8vETHPtEyaYIhddtW"
    "I4wiuqcqoM4QkNfTlzjLdFSWqZrpPXdX9xR92uphtbL0SXNjkXihlzdswole+SJf+qJY8v"
    "JTWPT9q6ePExE5FO43qanmznYJcpgPOkThULn0F0QsGuK81d5qlK8xyGtRXG4laymZXwDE"
    "RMVUJ6x0/kfqzzWP0hRDBeakiyLax2/CwuHeph5JpfmI4yOl3Kku/eKYtCAML2F8SeLoXz"
    "RsMzOGXiOeIKnNAh6TXEaJBVlRFSkJ5gT8IgsmyrHGLnbMxY451t6x9k1FetUylTzFQRu4"
    "e23n/CP0bh9dnz/reD1W4llwymtdJZ24SjJ20/jOf3I2/pOnEKzXqSjvKXTvCfixOtZbzs"
    "KpdR7n7ti9Xe9pLLerWESri72er61Wk6NesI3PKx0aesRkTCQ6S9Qrqj4pjDVOAWOYMJgg"
    "WfZdVvJZg80oSVBd2WdPoGUHL3Uer1F5vKrLr43fy9jPalUXS4OghpWumYc0jpcv0Rfeki"
    "6nmAo9jgKa4DcN4vR6Crfw86OizDlaLhud0cZRyzYQno5adtSyo5a7SHGwiKChVu4aajSG"
    "PlYfpWgpyIRluWNXVYtcdAHq0WNzRThWA22HsKnTeCBGHbuA2bGdNpJuju08G7ZzS1Z0MB"
    "tlSKxFs9GFbDkOvUnsNpiB6nl49hPwgPPz+AQYNAu7qLV7GNuhgkbbDSYHCTVsKppXNPrA"
    "sKYtZofTG2G1guURqvrXXh70jTnvZQjhlMqSjeb0cQ9+maPNRkWbybXWKk58q4PVWtKn6g"
    "J+4WmOY+JpE7yo9z4QTdZbElcpWnrO3woYhghM6ylAZwsGX644C6iQOSzxmOuigHEDC2sT"
    "M2KQKkZestJ6xCGwOVsJ8npKS87Sikyheg2cQtvsdrWeuNEJKYtx98TScArqhC+zVBsOzz"
    "110Hc6DUdCPm+JJLo62AwvNlTEB8IKIGIi4m5uO7j0no5Hf6o8ejv2cTy0Y35FsGK/OL7R"
    "RtrL8Y1nwzeeL8/1YGlyHGx7qa2/xmxK4v2ZErY+nxwituaypd8ybULOOhUxe6m+5Vcs/I"
    "3eI1fFPdjpRt3TjEkKjZayGrexelGHr3bM17iYryeTIkFHg8FJoePCXTaELiB22RCGQNll"
    "Q7CaaXTZEOydIJcNYRwEkKPangTV5kJWXSWdhwL8OPf0D1Bv7kbt492ofRw66AdK4nTxck"
    "GDuwsDG1T9eHKIDFrIhn6ALRtSQdIdmODlG32ptnq3b0a4YS6a9Pk5+Tm5UXILtb4pEdT7"
    "DD9ecp+fJ97n7au1+ETf8JT/hF8QZjHIZzhP8JkMjvq8PYufsYTqz0mxoNU6ym9xFWNTcg"
    "kzGDIvIJwrqmmmthHSJ+IKn2xkQVa0dFaEp7ltJDF2TNT4mKh8+vdwUQfig2o9D4UJqZ35"
    "Xne51T0skrF38M7yfp0a5hDWOz2QQGnPndFx5U/Kx7tVx1wK4twYROjHHAKn1nbPMXDqxN"
    "q0FTn5fd1CyptPqu7RnpEozjhtGx1U62ZvfND3aqhYpxwEeCem254yylJNObGOcrXvcFg+"
    "MHBNGsYxY3ey4HuvFaqzAEO7Ti1SvdXbeuO4iu4MNljoaanSJ8L5jj4N4e3eI0QYfwBg2l"
    "cEFeeM+2AHCjAZmrq5dvvYnMau4PkVpGo1eIJEQ2gMTyG3BKgxVAIsDwq1aB0zbwNf7Jj5"
    "J8HMu7BNF7Y5FuC7Cdt8HOq4Su8bqOMd9n8/dVzhVhvXXsoJfBnpF5AEb0cV9ayvJAsYgO"
    "IQs3mmov9IHOs5xKSB7eIK+/62cyN4T9xilXXwTHgizuYTD+zBBdaz+rwAdFeCfH4EQlf+"
    "v5klkDe1+hypRfpgLXhYsYNU/KyOpRmmOz3sh1ZLBrzcBtbrPLofhB4EAUTnjBsC9o2oVp"
    "tbDemN5rNfeLD9Jx5fLkEq0CDjMnPBVhW8ARjvbLViHHV01dGI9TXnZFMD3NB1B/eho9Dw"
    "+06KQpM/AH0NW+H2RcSgeCHz9RpLuHU1S//45+ESD/A2P+Nxw81QbW43d5Pfv8cRg9weQq"
    "6wmPGmQiVvazOIKFBwoBnPfWeF7jYAnDHYCE2XZdHWZjhhTcosQZHSI1gyi+YZ5kRHPTgt"
    "LSf4S5pIBBS6gWq1a/2mhSDY6WEz7pUwJtCWMS/ECsy0QQQCTrGPgTLLpkRurc8Y2FykXL"
    "0PcsgqzKhSAOBZvtQx7gSmYUU5HIRLwtHB9lnQBJY4nIWfVSwK6Cuc2pCyIxI+GNYwMANN"
    "E5N5/WCstt+ZsyljsT2TtS2G2GyGNxeuvAQpmTIz0DRLPbGOUgzywkYdMJBv3752TLtj2p"
    "8M015jgB+dfHzHowB+1W0kqbNDPGS15aQhJemvVCc/hV4N+clPedEKWBwyoJMkVXYL5l6k"
    "olKwXVKGYCQt6xvloe86N27xzINHz5ZrxN3jiMaecA0Y0i4DgIoyyEeJYzhvYfPUWa+tDr"
    "tKPw2iJYkvv1P/twhdZVtF6npBLnsfDu9PH9+8en/zcjfiCHRVqWP7eIugpSJT72x1SOL3"
    "6r4N6C0sv2ePKC9Y3EUGSXNAV4FQlqSRgQhoiG/R2+aQuY84SAkwHGlTMENTdFfHVGa76R"
    "FkZ/I4k+d8TR537ddd++2jBJk8/IbQhV1EnIuIGwvwrkz00CJl9HfYb4TIaPiSUxkMQuIL"
    "Ewu422ZykP+Trf2gaN6Q+HuL1VPYHZW6SQDvLWupCMrvVTEVT739SjnywzxRoez3THiff0"
    "mjephbx692tOBh2aYBQ7dqhDpPum9e+qcEMfipjviBO7Z5h0M3bMuN8Dfd2ipBJmXZnDEZ"
    "RTCAgiS3DW9/Y3+n3yHEr7MwSq+DlPWmQF2IjUjpsr1NBYjnl/UJDlBLkU6qTDSDPvSnhs"
    "BFk1SptrY9PCMDwQzKESvxlNYTUR+Eg9y4m0ZFpZcGcRqV1iPOlFdew9O3RzX+IEvyiACL"
    "YjLob6uI0xMuTG93tJr3za/y6iH3xBzMIi5SPzupIk2tr/UMjV7bcuAoUfqrSXOPaQPaQ7"
    "rdcSx46lH3DGbD4267+WjOOz3sRznw1Hf7nBLR2PNb62Mz0p8Wm87XagNUVzEJ6BKzqHEK"
    "v0+cRIIfes0IBITwZB455W8g4k4V0qQJZ3Gs0lPLbHELIp+vSZSqcJzVirN7EvcmU0pQ1V"
    "c9dGp23mL9zBQeIRLHbC0FTz5VO/Mz5BQ0lvF7+9oshrYEfon78ALf+Z6d7/lp+J7zJKaN"
    "xEq1se1yRIvqnPqTzCT8wCEi2nTq10aQVtrajigO1SOpds1JfEV+EK6jdDEMtze033kwnY"
    "MJ6pXOIcVXFxFXKgK7SPMgfQlDxGbCkdsU6kpbm4GWcZiqVLXSKAoRkdzjDeOn4NI/lzXd"
    "vV8fZVwHM/FBv8aOeehFeB/HvnK0NUBeDqkD6K/z99iDfTeqyHHAq+pZA8RR+nUA+Ef9Gn"
    "vw7k68H8e8cupZFb/yI5tepyldrtILQ+RK5dPJoZgVrFdAVMMW0Sq6h7rgjD9nzmWWVTRt"
    "0rwoG8yRgWU8pb+LOxnXdbRsOTUJnn3Jxsv2VrsjUfDAAn0mPDVguXr11lHXU0AIcdKB1l"
    "434kFE85NIlO2OVuOb+9OmdN4FiHtK3YenoFjtNgoM5YAnyDetcycEPJJUX8LSbgLIjQCz"
    "LMWCSHV8D8RDVfocioWCI+1t2dISwLGwQ473ENV0MWl4Q/9k0dZmY137JTGj+CAArhm/M5"
    "1NRgTLxtZfaFBDVcoTx8v+QzB1zokylBNFlRVrpMqWTa1ftDDUM+STz+A6zThJzzMAvnu+"
    "E/ZYF3RnXuDwR/U6i2aitRA5jnEpQm1jfN5xNudUqF1Zp3yKjyfHOJ9VtWWjopszwutkjS"
    "GZ6NHGjs0ZFZsTwhCaczl5a6utZFyhS8wRD8jigPtgbFKWEkPekH24Fc1tDpsrcEtVSmGR"
    "3+sHHO9Ai+6F+sIsOg3ttbyp3QYv0TlvM1gKLtTtnKw0F+r2uKFuZ2slX8lUTLB4ZRVzWM"
    "ggQ5ZMnGM01hkYcc56dtbziKznboTLaK3q13ROgo0KKjJY1dWPJ4es6lg29FXgVTOz+jqp"
    "Rg4tyUZX/4xk2S+VjQNsv1glk8QkfQRmBu98SNeeeqQnD74qVAfsMs/mawy3G+xLnZk/Kj"
    "P/lDyXD8tuOZSYK9Nb4rLdWvAYF8mydO9m6UYtVbukvVWw1c9mXiCPOtDiIJchh8RQN8g6"
    "09aZtk/DtB32FteQGqgc7JVmETFTDBZZAXXa2bY2mljOtj0b23bo+xjjEyqdXMh4HKv2PZ"
    "OY18xZ+XxyyI7l0KJxRW18e+gJKkP5eTRfpOKqqlWrvaAz88VsSgBsXWZLJlmAbbDRrUwl"
    "tLt+vbNJR2WTnm1dG9xjrq5Nf7gOk/9TCaQ6nsYkiWXjEedI/D7GsmLTX2ggJTIWc6QkEY"
    "DYzxcf5OW795SEP2tR9bsFeRIdQ+AYgqfBELgaI33XGDnTxCQVo3Ut8zmoU9SQyUGp2F4n"
    "EXP2kwZnA3831MHj2LFbrnODPbvrWt9v14q8pQ+CucVd91VEVUm/SjQz3rZ6UbiUMIoUl8"
    "oCpBIIpDIrLMwOyqXFoTuCfX2HM3VHZeqSoIVtVja23yzDYiLMm1IZaP3CE5skuMS8MWKi"
    "/h3S+yjAvy4vBzDZVmQTM2JY30abrdJ6xEZbYR2jRIHlTkM5JRiwbYGBtuIR41Fqynq6J1"
    "S+2sNmbfV6yZK5BB4PHCW+8a9FNAeB7M0Z1XnYe0oYkWYGbuLANfyyy5Fb+B+Khr2se53c"
    "5wQLjNMcbg+1wC4Klx6VKNXkOc3Wb7XHcNbu85Zw/mBUNPpYqjke/pL81h7FvNdwSP75IU"
    "hGGsjuIrjrgCagM/icpnzTngyo9bVZwn5a7ILaY7bu0n5on4Rnp6vV4XKftiyOvsB8xHxG"
    "Q5NVKu+/znjWa3Kjc0wOU0NwsFQxuQfAlJHfiOl2B8tNM6w0gRcQYau/0Kn3nwlZtpBxCf"
    "oKNhpSErJWpKwRpyLGXX5+s9rq/DajRfpx/TZICQmW8aBxSvl6F5ulOBLcOGJPjViS2So0"
    "TmsZ/fkT7KgQPyDOlRFraY0sQ07+uJBaGyM7x+kdOwPgz6to/EilTId15Pecqh3MxHfwtg"
    "/Fy+yZiG6P1eNTUVc87HIWR3IcdSexLtZwwDmMHinZpEHQc5CJlC0pnyh9Mf8TzCdZk22i"
    "9kRaCq6YsTvhkVlqkFBdvM/5ehv5eqsWrbqm/cybZxGWXhSLCeyjopSAKves9P/+nAhPMP"
    "BZFikZMvBZxJmhjLkRybyp1UjepELeisDbyyQMMYUfFVee+lp8WIqJIdDty8uIErtnNyMG"
    "UdzTE/gCFLFbixnFMTofjPK9hxgGQQDP5YokG6OdZVzc9U62m7KIrmQk1aoGAfLuw/VA8M"
    "JJgfe6TkLZ2NdmsFGkqEE/BtxLmhI8B+sIG0Nyqs0fFJMzYLo/qUyAbKNFnkTUQrrI0O6u"
    "RziafTxIu+sRZ309Ag+/E0h2czebD0zUTuBwlAmECj4yVwbBflcnvyPbbeR8Hdl+NmT7ju"
    "A4Z8K9a2lzfDLMUtk6tveVrG+LyQnfZ+aEF4ZWk2NMsE+LDj7PGqfDkCwXXiWRsxPSJYYg"
    "w76BDUM9kqddxAR0uiyvOVzxIe9xTPC4bv2sVpzdk9jn9Ncs4tQwBd/HZF6bBGO/nTnBy/"
    "l9HS3FkxOYM0pAhill2yv3mSymmS9tdUclNxeewT/17+1Ac3379rWzgZ0N/CRt4Eq99qNy"
    "vtLWelsBx7qdxRoObZcj32ZzwNlhZ2OHCR1d8cBJyIM0LJqCDuXKcdgrAtcqM0tvDoNpVW"
    "6b/eaUWkzN8+EzPidJJFRs2R+Ip4cFCiPHe+Ie6oFRSPkflY8qEzrwDJ6HWWBKItjNO51h"
    "NSrD6mwDaLbW8qCBNH2FeigpYnWwhwqoRHExCNTOJe5c4o4OcHSAc4mP0SVeM1gfU23/Fq"
    "Zxv+ouP22gvvtTaNg4PF71eSY87CWtVNQHYZ1HzJD+rEF7p3uPSvdWM+fLTA0tBctuV6sT"
    "ZSBDIPM36fJo+vaAWsddKIrmKBsFEU0MK7sJtrqj9chqTElaob/UT0CIWSeE477UJP0YOi"
    "htezZzQk5maVsZUibOkgJ4sMxZeyqkvwEJtqmT5nvqo4c0iJYkvvxO/b83ZJ+3R7Wa/HBF"
    "usia8dPHN6/e37zcTffE9N21JmRH3tbm+DoJXW4cKvxEJ/gdXZKzKCFx9K9TdOLdrtZrxT"
    "qtmxq36O+8gplrj2al11iA7GaLuzKHjpJ4wpSE86Q7T/pYgB9zWv2S/3kdJfQmpcuLgyxR"
    "0WrSkC3yY+jhR9ClRap97CMDAaUl8gJv5MMv2ODt5lToCMFq7hFQE0UGEwoii0eG4n6dvd"
    "QxUKNioJ5ItTO5sgXZDGGsy91SB/N/MtjwOhf7tj6Ut38ce/0EWDFNcykY+jLW8eUAkzDp"
    "l0biY6vDaMC8leEzkSpqggIBf0ZRzASV+K5IUjPMY+KWToQXdz+Gxi9Z1kWuDzOOTyAUQa"
    "UDkijKhYkXqjJMjDvjbOniEWwwSQcy/qXe2lBfq7S1Wlm4zWl9lpTZ4Qaj+B8v5+qgyliH"
    "Pr/j6WngVIV3+2lEeeMr9vU+VoNaag94XCi/Ku59sDzjToqQuBsdjoc6G+C7v9Ex1XFBnU"
    "xCHmRk0UR0ciAeh72iI1ieO3gMp2VPiYKrZ2O3uL9Tb77VL7ZkCjo9WxvkkairHpYS4TDK"
    "6/CXTKQYd3RxkA3fbjppSIkjDKTo1jzbMKdhlE68kE5BUsEJEUYikNaqnLslu6dItm5FUe"
    "qzBJ5GSwMt3tVLHS0+Klpc4ldD/UBcW97hUFRbuRFudWtLBN0nebivyQYP+HxB4zoeoiik"
    "pJOa8o9l69EQkN9uZMXpZRYs+qIeOSWisf+mbGy1+fVpMURaODqbUXnfzUcKsyVrWO9sda"
    "jw9zBI5Vdg0rUgD7G+MhyW2KTsZFhVV6tB/ZikUVx4a3qF9FCRPYM+0EGJvQHTtulAqvWC"
    "Sdq6UmqvKKyHqdwHS9fuXAkujvBpxBG6q419Z/s9+3J6n3QtGMApoDwRYMdNBV5JmukCqS"
    "DWYzqUReEcEs4hMRbgXV09m8RNh7z541C0H4WkFmt8rHw+OUS+oqbdmGfNtZVZwXtOdGaS"
    "lMkJiEIqYx2LfFEmYvXEtzgm9XDByV3QnoG6k01/AZMa6dVi/Fi+JpPGqwzqvo/SIlFSSu"
    "5AX8pWj8C70iWJDP5UI5FVtLX61FZXhnGoHsd8vnnCNLn4zdXIJiDAdN4fjLsPiBii6PPZ"
    "5gHTcuYsMoChIO/5YvyKJiHi0n6dF9XeNOKYdl2AuuEZMrd3j/ljxd8+lEOYZlGcRom4xK"
    "9tLfLfcToDAQOKEKhBn4OMy4pqmCDzM/wA9OSg/LEgNhcZDV/mloPDqT3ZYOo+CspB7wVJ"
    "6IRw5goGK28Bs+AuQDvicuxIO+LyrIlLDmZ0Ux6t0nZUaiEqKSFDZxP+AoOzSZcan8dsSj"
    "AUcghd3FGYjsIcC/DdU5i4ETuYhPf6NZZMwdCC5/i8VES2VSzmNeWwPi8MPKb+ZHKIySRl"
    "m2NUZj6LdUi7JhmTVC7aZlSjQQXR+sbDmMb2i3Y/QDtrDgYL//vTl1989fVXf/mP//zqL9"
    "BEDrN48vUBOZ1rHvt5QZBKwujReLkg3AxtpYvNZ2JziJfkNz+myTzFrfHln/98ANDcNIdW"
    "u6a5/uhL9dlOLCZsqhYI6+ZniO4Xz583QBda7UVXfrZjmbMkpSb1ArkVM8KVLsNzVD2ifY"
    "RoasczIThMpHMu36KZqkdOLv37/wM4olgF"
)
