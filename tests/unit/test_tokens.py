"""Tokens at the door: real keys, real signatures, a key set over real HTTP."""

import dataclasses
import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import limits
from core.clock import NEVER, now_ms
from core.errors import UnauthenticatedError
from core.issuer import SERVER_ISSUER, IssuerConfig
from core.signing import PLATFORM_SUBJECT, PLATFORM_TYPE, SigningKey, issue_platform_token
from core.tokens import TokenVerifier
from core.viewer import ViewerKind
from tests.issuers import (
    ISSUER,
    KeyServer,
    claims,
    compact,
    ec_key,
    key_server,
    public_jwk,
    rsa_key,
    signature_of,
    user_token,
)

RSA, EC = rsa_key("a"), ec_key("a")
USUAL = {"alg": "ES256", "typ": "JWT", "kid": "k1"}


@pytest.fixture(scope="module")
async def issuer_keys() -> AsyncIterator[KeyServer]:
    async with key_server(public_jwk(RSA, "k1"), public_jwk(EC, "k1")) as running:
        yield running


@pytest.fixture(scope="module")
def server_key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.create(tmp_path_factory.mktemp("keys") / "key.pem")


@pytest.fixture(scope="module")
def config(issuer_keys: KeyServer) -> IssuerConfig:
    return IssuerConfig(ISSUER, issuer_keys.url)


@pytest.fixture(scope="module")
async def verifier(config: IssuerConfig, server_key: SigningKey) -> AsyncIterator[TokenVerifier]:
    running = TokenVerifier(config, server_key)
    yield running
    await running.close()


async def refused(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        await verifier.verify(token)
    assert caught.value.__cause__ is None
    for part in token.split("."):
        assert len(part) < 8 or part not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("key", [RSA, EC])
async def test_a_user(verifier: TokenVerifier, key: Any) -> None:
    exp = now_ms() // 1000 + 60
    identity = await verifier.verify(user_token(key, exp=exp, sub="user_2abc"))
    assert (identity.kind, identity.subject, identity.expires_at) == (
        ViewerKind.USER,
        "user_2abc",
        exp * 1000,
    )


async def test_the_platform(verifier: TokenVerifier, server_key: SigningKey) -> None:
    identity = await verifier.verify(issue_platform_token(server_key, 60))
    assert (identity.kind, identity.subject) == (ViewerKind.PLATFORM, PLATFORM_SUBJECT)
    assert 55_000 < identity.expires_at - now_ms() <= 60_000


# Signatures and algorithms


@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
async def test_no_signature(verifier: TokenVerifier, alg: str) -> None:
    header = USUAL | {"alg": alg}
    await refused(verifier, compact(header, claims(), lambda _: b""))
    await refused(verifier, compact(header, claims(), lambda _: b"x"))


@pytest.mark.parametrize("form", ["PEM", "DER", "modulus"])
async def test_the_public_key_as_a_shared_secret(verifier: TokenVerifier, form: str) -> None:
    public = RSA.public_key()
    secret = {
        "PEM": public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "DER": public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "modulus": public_jwk(RSA)["n"].encode(),
    }[form]
    token = compact(USUAL | {"alg": "HS256"}, claims(), lambda m: hmac.digest(secret, m, hashlib.sha256))
    assert "`alg` is none" in await refused(verifier, token)


async def test_a_key_verifies_its_own_algorithm_alone(verifier: TokenVerifier) -> None:
    crossed = compact(USUAL | {"alg": "RS256"}, claims(), signature_of(EC))
    assert "signature" in await refused(verifier, crossed)
    crossed = compact(USUAL | {"alg": "ES256"}, claims(), signature_of(RSA))
    assert "signature" in await refused(verifier, crossed)


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256", "ES384", "EdDSA", "HS512", "RSA-OAEP", "dir"])
async def test_other_algorithms(verifier: TokenVerifier, alg: str) -> None:
    assert "`alg` is none" in await refused(
        verifier, compact(USUAL | {"alg": alg}, claims(), signature_of(RSA))
    )


async def test_an_algorithm_that_the_settings_leave_out(config: IssuerConfig) -> None:
    verifier = TokenVerifier(dataclasses.replace(config, algorithms=("RS256",)), None)
    assert await verifier.verify(user_token(RSA))
    assert "`alg` is none" in await refused(verifier, user_token(EC))


async def test_another_key_of_the_same_name(verifier: TokenVerifier) -> None:
    assert "signature" in await refused(verifier, user_token(ec_key("evil")))
    assert "signature" in await refused(verifier, user_token(rsa_key("evil")))


async def test_a_changed_payload_or_signature(verifier: TokenVerifier) -> None:
    head, _, signature = user_token(EC).split(".")
    other = user_token(EC, sub="someone_else").split(".")[1]
    assert "signature" in await refused(verifier, f"{head}.{other}.{signature}")
    assert "signature" in await refused(verifier, f"{head}.{other}.AAAA")
    zero = compact(USUAL, claims(), lambda _: bytes(64))
    assert "signature" in await refused(verifier, zero)


async def test_keys_that_the_token_brings_along_are_ignored(verifier: TokenVerifier) -> None:
    evil = ec_key("evil")
    async with key_server(public_jwk(evil, "k1"), public_jwk(evil, "evil")) as elsewhere:
        for brought in (
            {"jwk": public_jwk(evil, "k1")},
            {"jku": elsewhere.url},
            {"x5u": elsewhere.url},
            {"x5c": ["MIIB"]},
        ):
            assert "signature" in await refused(verifier, user_token(evil, header=USUAL | brought))
            await refused(verifier, user_token(evil, header=USUAL | brought | {"kid": "evil"}))
            assert await verifier.verify(user_token(EC, header=USUAL | brought))
        assert elsewhere.hits == 0


async def test_an_unknown_key(verifier: TokenVerifier, issuer_keys: KeyServer) -> None:
    await verifier.verify(user_token(EC))
    before = issuer_keys.hits
    assert "`kid`" in await refused(verifier, user_token(EC, "k2"))
    assert issuer_keys.hits == before


@pytest.mark.parametrize("kid", [7, ["k1"], {"k1": 1}, True])
async def test_a_name_that_is_no_text(verifier: TokenVerifier, kid: Any) -> None:
    assert "`kid`" in await refused(verifier, user_token(EC, header=USUAL | {"kid": kid}))


async def test_critical_extensions(verifier: TokenVerifier) -> None:
    for crit in (["b64"], [], None, "exp"):
        assert "`crit`" in await refused(
            verifier, user_token(EC, header=USUAL | {"crit": crit, "b64": False})
        )


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/okta-internal-at+jwt"]
)
async def test_types_of_access_tokens(verifier: TokenVerifier, typ: Any) -> None:
    assert await verifier.verify(user_token(EC, header=USUAL | {"typ": typ}))


@pytest.mark.parametrize(
    "typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", PLATFORM_TYPE, "JWE", "", 1, None, "JWT\n"]
)
async def test_types_of_other_tokens(verifier: TokenVerifier, typ: Any) -> None:
    assert "`typ`" in await refused(verifier, user_token(EC, header=USUAL | {"typ": typ}))


# Claims


@pytest.mark.parametrize("name", ["exp", "iat", "iss", "sub"])
async def test_a_required_claim_that_is_missing(verifier: TokenVerifier, name: str) -> None:
    assert f"`{name}`" in await refused(verifier, user_token(EC, **{name: None}))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["9999999999", True, [], {}, -1, 1e300, 2**64, "", "2030-01-01"])
async def test_a_time_that_is_none(verifier: TokenVerifier, name: str, value: Any) -> None:
    assert f"`{name}`" in await refused(verifier, user_token(EC, **{name: value}))


async def test_a_missing_or_null_not_before(verifier: TokenVerifier) -> None:
    assert await verifier.verify(user_token(EC))
    null = compact(USUAL, claims() | {"nbf": None}, signature_of(EC))
    assert "`nbf`" in await refused(verifier, null)


async def test_fractions_of_seconds(verifier: TokenVerifier) -> None:
    now = now_ms() / 1000
    identity = await verifier.verify(user_token(EC, exp=now + 30.5, iat=now, nbf=now))
    assert abs(identity.expires_at - (now + 30.5) * 1000) <= 1


@pytest.mark.parametrize(
    ("name", "good", "bad", "says"),
    [
        ("exp", -limits.TOKEN_LEEWAY_S + 1, -limits.TOKEN_LEEWAY_S, "expired"),
        ("iat", limits.TOKEN_LEEWAY_S, limits.TOKEN_LEEWAY_S + 1, "`iat`"),
        ("nbf", limits.TOKEN_LEEWAY_S, limits.TOKEN_LEEWAY_S + 1, "`nbf`"),
    ],
)
async def test_clocks_may_differ_by_the_leeway_and_no_more(
    config: IssuerConfig, name: str, good: int, bad: int, says: str
) -> None:
    now_s = 2_000_000_000
    verifier = TokenVerifier(config, None, clock=lambda: now_s * 1000)
    base: dict[str, Any] = {"iat": now_s, "exp": now_s + 60}
    assert await verifier.verify(user_token(EC, **base | {name: now_s + good}))
    assert says in await refused(verifier, user_token(EC, **base | {name: now_s + bad}))


@pytest.mark.parametrize(
    "issuer", ["https://issuer.example/", "https://evil.example", "", [ISSUER], {"a": 1}, 1]
)
async def test_another_issuer(verifier: TokenVerifier, issuer: Any) -> None:
    assert "`iss`" in await refused(verifier, user_token(EC, iss=issuer))


@pytest.mark.parametrize(
    "subject", ["", "a\0b", "a\nb", "\x7f", "\u202e", "x" * 256, 1, ["user_1"], {}, True]
)
async def test_a_subject_that_is_no_id(verifier: TokenVerifier, subject: Any) -> None:
    assert "`sub`" in await refused(verifier, user_token(EC, sub=subject))


@pytest.mark.parametrize("subject", ["x" * 255, "auth0|1", "Ünïcødé", "with space"])
async def test_a_subject_that_is_one(verifier: TokenVerifier, subject: Any) -> None:
    assert (await verifier.verify(user_token(EC, sub=subject))).subject == subject


async def test_text_that_is_no_unicode(verifier: TokenVerifier) -> None:
    for payload in (rb'{"sub": "\ud800"}', b'{"sub": "\xff"}'):
        assert "payload" in await refused(verifier, compact(USUAL, payload, signature_of(EC)))


ANY_AUDIENCE: list[Any] = [None, "", "other", ["other"], [], {}, 1, ["other", 1, {}], "api"]


@pytest.mark.parametrize("audience", ANY_AUDIENCE)
@pytest.mark.parametrize("name", ["aud", "azp"])
async def test_nothing_is_checked_where_nothing_is_configured(
    verifier: TokenVerifier, name: str, audience: Any
) -> None:
    assert await verifier.verify(user_token(EC, **{name: audience}))


@pytest.mark.parametrize(
    "audience", [one for one in ANY_AUDIENCE if one != "api"] + ["API", "ap", "api2", ["ap", "i"]]
)
async def test_an_audience_that_is_none_of_ours(config: IssuerConfig, audience: Any) -> None:
    verifier = TokenVerifier(dataclasses.replace(config, audiences=("api", "app")), None)
    assert "`aud`" in await refused(verifier, user_token(EC, aud=audience, azp="api"))


@pytest.mark.parametrize("audience", ["api", "app", ["api"], ["other", "app"]])
async def test_an_audience_that_is_ours(config: IssuerConfig, audience: Any) -> None:
    verifier = TokenVerifier(dataclasses.replace(config, audiences=("api", "app")), None)
    assert await verifier.verify(user_token(EC, aud=audience))


@pytest.mark.parametrize("party", [None, "", "https://evil.example", ["https://app.example"], 1])
async def test_an_authorised_party_that_is_none(config: IssuerConfig, party: Any) -> None:
    verifier = TokenVerifier(dataclasses.replace(config, authorized_parties=("https://app.example",)), None)
    assert "`azp`" in await refused(verifier, user_token(EC, azp=party, aud="https://app.example"))


async def test_both_are_checked_where_both_are_configured(config: IssuerConfig) -> None:
    both = dataclasses.replace(config, audiences=("api",), authorized_parties=("app",))
    verifier = TokenVerifier(both, None)
    assert await verifier.verify(user_token(EC, aud="api", azp="app"))
    assert "`azp`" in await refused(verifier, user_token(EC, aud="api"))
    assert "`aud`" in await refused(verifier, user_token(EC, azp="app"))


# The platform's tokens


PLATFORM_CLAIMS = {"iss": SERVER_ISSUER, "sub": PLATFORM_SUBJECT}


async def test_a_users_token_never_becomes_the_platforms(
    verifier: TokenVerifier, server_key: SigningKey
) -> None:
    header = {"alg": "ES256", "typ": PLATFORM_TYPE, "kid": server_key.kid}
    for given_header in (header, USUAL, USUAL | {"typ": PLATFORM_TYPE}):
        await refused(verifier, compact(given_header, claims(**PLATFORM_CLAIMS), signature_of(EC)))
    wishful = user_token(EC, sub="platform", typ=PLATFORM_TYPE, kind="platform", role="platform", admin=True)
    assert (await verifier.verify(wishful)).kind is ViewerKind.USER


async def test_an_issuer_that_publishes_a_key_under_the_servers_name(
    config: IssuerConfig, server_key: SigningKey
) -> None:
    async with key_server(public_jwk(EC, server_key.kid)) as issuer:
        verifier = TokenVerifier(dataclasses.replace(config, jwks_url=issuer.url), server_key)
        header = {"alg": "ES256", "typ": PLATFORM_TYPE, "kid": server_key.kid}
        forged = compact(header, claims(**PLATFORM_CLAIMS), signature_of(EC))
        assert "signature" in await refused(verifier, forged)
        assert issuer.hits == 0


@pytest.mark.parametrize("typ", ["JWT", "agent+jwt", "enrolment+jwt", "at+jwt", ""])
async def test_another_token_of_the_servers_key(
    verifier: TokenVerifier, server_key: SigningKey, typ: Any
) -> None:
    assert "platform token" in await refused(verifier, server_key.sign(PLATFORM_CLAIMS, typ, 60))


async def test_a_platform_token_for_somebody(verifier: TokenVerifier, server_key: SigningKey) -> None:
    token = server_key.sign({"iss": SERVER_ISSUER, "sub": "user_1"}, PLATFORM_TYPE, 60)
    assert "platform token" in await refused(verifier, token)


async def test_the_servers_key_signs_no_users(verifier: TokenVerifier, server_key: SigningKey) -> None:
    await refused(verifier, server_key.sign({"iss": ISSUER, "sub": "user_1"}, "JWT", 60))


async def test_a_platform_token_that_has_expired(verifier: TokenVerifier, server_key: SigningKey) -> None:
    assert "expired" in await refused(verifier, issue_platform_token(server_key, -limits.TOKEN_LEEWAY_S - 1))


async def test_a_platform_token_of_another_server(verifier: TokenVerifier, tmp_path: Path) -> None:
    other = SigningKey.create(tmp_path / "other.pem")
    assert "platform token" in await refused(verifier, issue_platform_token(other))


async def test_without_a_server_key_no_platform(config: IssuerConfig, server_key: SigningKey) -> None:
    assert "signing key" in await refused(TokenVerifier(config, None), issue_platform_token(server_key))


# Remembered tokens


async def test_a_remembered_token_is_verified_once_and_never_beyond_its_end(config: IssuerConfig) -> None:
    now = [2_000_000_000_000]
    verifier = TokenVerifier(config, None, clock=lambda: now[0])
    short = user_token(EC, iat=2_000_000_000, exp=2_000_000_005)
    first = await verifier.verify(short)
    assert await verifier.verify(short) is first
    now[0] += 5_000
    again = await verifier.verify(short)
    assert again is not first
    now[0] += limits.TOKEN_LEEWAY_S * 1000
    await refused(verifier, short)


async def test_a_remembered_token_is_forgotten_after_a_while(config: IssuerConfig) -> None:
    now = [2_000_000_000_000]
    verifier = TokenVerifier(config, None, clock=lambda: now[0])
    token = user_token(EC, iat=2_000_000_000, exp=2_000_009_999)
    first = await verifier.verify(token)
    now[0] += limits.TOKEN_MEMO_S * 1000 - 1
    assert await verifier.verify(token) is first
    now[0] += 1
    assert await verifier.verify(token) is not first


async def test_the_least_recently_used_is_forgotten_first(
    config: IssuerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOKEN_MEMO_MAX", 2)
    verifier = TokenVerifier(config, None)
    tokens = [user_token(EC, sub=f"user_{number}") for number in range(3)]
    first, second = [await verifier.verify(token) for token in tokens[:2]]
    assert await verifier.verify(tokens[0]) is first
    await verifier.verify(tokens[2])
    assert await verifier.verify(tokens[0]) is first
    assert await verifier.verify(tokens[1]) is not second
    assert len(verifier._memo._entries) == 2


async def test_a_token_that_differs_in_a_bit_of_its_signature_is_another(verifier: TokenVerifier) -> None:
    head, payload, signature = user_token(EC).split(".")
    await verifier.verify(f"{head}.{payload}.{signature}")
    flipped = ("B" if signature[0] != "B" else "C") + signature[1:]
    assert "signature" in await refused(verifier, f"{head}.{payload}.{flipped}")


# Anything at all


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "a.b.c.d.e",
        "e30.e30.",
        "e30..e30",
        " e30.e30.e30",
        "e30.e30.e30\n",
        "\u0430.b.c",
        "é.é.é",
        "\ud800.a.b",
        "\0.\0.\0",
        "bnVsbA.e30.e30",
        "W10.e30.e30",
        "e30=.e30.e30",
        "Bearer e30.e30.e30",
    ],
)
async def test_garbage(verifier: TokenVerifier, token: str) -> None:
    await refused(verifier, token)


@pytest.mark.parametrize("extra", ["=", "==", "\n", " ", "*", "+", "\0"])
async def test_a_good_token_with_a_foreign_character(verifier: TokenVerifier, extra: str) -> None:
    good = user_token(EC)
    assert await verifier.verify(good)
    for part in range(3):
        parts = good.split(".")
        parts[part] += extra
        assert "compact" in await refused(verifier, ".".join(parts))


async def test_a_token_of_the_largest_size_and_one_larger(verifier: TokenVerifier) -> None:
    def padded(length: int) -> str:
        return user_token(EC, pad="x" * length)

    short = limits.TOKEN_MAX_BYTES - len(padded(0))
    fitting = max((padded(n) for n in range(short * 3 // 4 - 4, short * 3 // 4 + 1)), key=len)
    assert limits.TOKEN_MAX_BYTES - 4 < len(fitting) <= limits.TOKEN_MAX_BYTES
    assert await verifier.verify(fitting)
    assert "bytes" in await refused(verifier, padded(short))
    assert "bytes" in await refused(verifier, "x" * 50_000_000)


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
async def test_a_deep_header_or_payload(verifier: TokenVerifier, bracket: bytes) -> None:
    for depth in (500, 1_000, 3_000):
        deep = bracket * (depth // len(bracket))
        closed = deep + b"1" + (b"]" if bracket == b"[" else b"}") * (len(deep) // len(bracket))
        for text in (deep, closed):
            await refused(verifier, compact(text, claims(), signature_of(EC)))
            await refused(verifier, compact(USUAL, text, signature_of(EC)))
            nested = b'{"alg":"ES256","kid":"k1","x":' + text + b"}"
            try:
                await verifier.verify(compact(nested, claims(), signature_of(EC)))
            except UnauthenticatedError:
                continue


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["alg", "kid", "typ", "crit", "jwk", "x5c", "iss", "sub", "exp", "iat", "nbf", "aud", "azp"]
)
WORDS = st.sampled_from(
    ["ES256", "RS256", "HS256", "none", "JWT", "k1", ISSUER, SERVER_ISSUER, PLATFORM_TYPE]
)
OBJECTS = st.dictionaries(NAMES, WORDS | JSON, max_size=5)
ALIKE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ALIKE
@given(token=st.text() | st.binary().map(lambda octets: octets.decode("latin-1")) | st.from_regex(r"[\w.-]+"))
async def test_no_text_makes_anything_but_a_refusal(verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(token)


@ALIKE
@given(
    header=OBJECTS | JSON | st.binary(),
    payload=OBJECTS | JSON | st.binary(),
    signature=st.binary(max_size=80),
)
async def test_no_forged_token_is_believed(
    verifier: TokenVerifier, header: Any, payload: Any, signature: bytes
) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(compact(header, payload, lambda _: signature))


@ALIKE
@given(header=OBJECTS, payload=OBJECTS, signer=st.sampled_from(["issuer", "server"]))
async def test_signed_tokens_of_any_claims_are_refused_or_make_sense(
    verifier: TokenVerifier, server_key: SigningKey, header: Any, payload: Any, signer: str
) -> None:
    by_server = signer == "server"
    sign = server_key._private.sign if by_server else signature_of(EC)
    usual = {"alg": "ES256", "kid": server_key.kid, "typ": PLATFORM_TYPE} if by_server else USUAL
    good = claims(**PLATFORM_CLAIMS) if by_server else claims()
    try:
        identity = await verifier.verify(compact(usual | header, good | payload, sign))
    except UnauthenticatedError:
        return
    assert identity.kind is (ViewerKind.PLATFORM if by_server else ViewerKind.USER)
    assert identity.subject == (good | payload)["sub"]
    assert 0 <= identity.expires_at <= NEVER
