"""Token verification: real keys, real signatures, a key set over real HTTP."""

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
from core.auth.issuer import SERVER_ISSUER, IssuerConfig
from core.auth.signing import PLATFORM_SUBJECT, PLATFORM_TYPE, SigningKey, issue_platform_token
from core.auth.tokens import TokenVerifier
from core.auth.viewer import ViewerKind
from core.clock import NEVER, now_ms
from core.errors import UnauthenticatedError
from tests.issuers import (
    ISSUER,
    KeyServer,
    build_claims,
    build_compact_jws,
    build_public_jwk,
    issue_user_token,
    make_ec_key,
    make_rsa_key,
    make_signer,
    start_key_server,
)

RSA, EC = make_rsa_key("a"), make_ec_key("a")
USUAL = {"alg": "ES256", "typ": "JWT", "kid": "k1"}


@pytest.fixture(scope="module")
async def jwks_server() -> AsyncIterator[KeyServer]:
    async with start_key_server(build_public_jwk(RSA, "k1"), build_public_jwk(EC, "k1")) as running:
        yield running


@pytest.fixture(scope="module")
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    return SigningKey.create(tmp_path_factory.mktemp("keys") / "key.pem")


@pytest.fixture(scope="module")
def issuer_config(jwks_server: KeyServer) -> IssuerConfig:
    return IssuerConfig(ISSUER, jwks_server.url)


@pytest.fixture(scope="module")
async def token_verifier(
    issuer_config: IssuerConfig, signing_key: SigningKey
) -> AsyncIterator[TokenVerifier]:
    running = TokenVerifier(issuer_config, signing_key)
    yield running
    await running.close()


async def verify_refused(token_verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(UnauthenticatedError) as caught:
        await token_verifier.verify(token)
    assert caught.value.__cause__ is None
    for segment in token.split("."):
        assert len(segment) < 8 or segment not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("key", [RSA, EC])
async def test_verify_user_token_gives_its_identity(token_verifier: TokenVerifier, key: Any) -> None:
    exp = now_ms() // 1000 + 60
    identity = await token_verifier.verify(issue_user_token(key, exp=exp, sub="user_2abc"))
    assert (identity.kind, identity.subject, identity.expires_at) == (
        ViewerKind.USER,
        "user_2abc",
        exp * 1000,
    )


async def test_verify_platform_token_gives_its_identity(
    token_verifier: TokenVerifier, signing_key: SigningKey
) -> None:
    identity = await token_verifier.verify(issue_platform_token(signing_key, 60))
    assert (identity.kind, identity.subject) == (ViewerKind.PLATFORM, PLATFORM_SUBJECT)
    assert 55_000 < identity.expires_at - now_ms() <= 60_000


# Signatures and algorithms


@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
async def test_verify_token_without_signature_is_refused(token_verifier: TokenVerifier, alg: str) -> None:
    header = USUAL | {"alg": alg}
    await verify_refused(token_verifier, build_compact_jws(header, build_claims(), lambda _: b""))
    await verify_refused(token_verifier, build_compact_jws(header, build_claims(), lambda _: b"x"))


@pytest.mark.parametrize("form", ["PEM", "DER", "modulus"])
async def test_verify_token_with_public_key_as_secret_is_refused(
    token_verifier: TokenVerifier, form: str
) -> None:
    public = RSA.public_key()
    secret = {
        "PEM": public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "DER": public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "modulus": build_public_jwk(RSA)["n"].encode(),
    }[form]
    token = build_compact_jws(
        USUAL | {"alg": "HS256"}, build_claims(), lambda m: hmac.digest(secret, m, hashlib.sha256)
    )
    assert "`alg` must be one of" in await verify_refused(token_verifier, token)


async def test_verify_token_with_key_of_another_algorithm_is_refused(token_verifier: TokenVerifier) -> None:
    crossed = build_compact_jws(USUAL | {"alg": "RS256"}, build_claims(), make_signer(EC))
    assert "signature" in await verify_refused(token_verifier, crossed)
    crossed = build_compact_jws(USUAL | {"alg": "ES256"}, build_claims(), make_signer(RSA))
    assert "signature" in await verify_refused(token_verifier, crossed)


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256", "ES384", "EdDSA", "HS512", "RSA-OAEP", "dir"])
async def test_verify_token_unsupported_algorithm_is_refused(token_verifier: TokenVerifier, alg: str) -> None:
    assert "`alg` must be one of" in await verify_refused(
        token_verifier, build_compact_jws(USUAL | {"alg": alg}, build_claims(), make_signer(RSA))
    )


async def test_verify_token_algorithm_missing_in_settings_is_refused(issuer_config: IssuerConfig) -> None:
    token_verifier = TokenVerifier(dataclasses.replace(issuer_config, algorithms=("RS256",)), None)
    assert await token_verifier.verify(issue_user_token(RSA))
    assert "`alg` must be one of" in await verify_refused(token_verifier, issue_user_token(EC))


async def test_verify_token_by_another_key_of_same_name_is_refused(token_verifier: TokenVerifier) -> None:
    assert "signature" in await verify_refused(token_verifier, issue_user_token(make_ec_key("evil")))
    assert "signature" in await verify_refused(token_verifier, issue_user_token(make_rsa_key("evil")))


async def test_verify_token_altered_is_refused(token_verifier: TokenVerifier) -> None:
    head, _, signature = issue_user_token(EC).split(".")
    other = issue_user_token(EC, sub="someone_else").split(".")[1]
    assert "signature" in await verify_refused(token_verifier, f"{head}.{other}.{signature}")
    assert "signature" in await verify_refused(token_verifier, f"{head}.{other}.AAAA")
    zero = build_compact_jws(USUAL, build_claims(), lambda _: bytes(64))
    assert "signature" in await verify_refused(token_verifier, zero)


async def test_verify_token_keys_in_its_header_are_ignored(token_verifier: TokenVerifier) -> None:
    evil = make_ec_key("evil")
    async with start_key_server(build_public_jwk(evil, "k1"), build_public_jwk(evil, "evil")) as elsewhere:
        for brought in (
            {"jwk": build_public_jwk(evil, "k1")},
            {"jku": elsewhere.url},
            {"x5u": elsewhere.url},
            {"x5c": ["MIIB"]},
        ):
            assert "signature" in await verify_refused(
                token_verifier, issue_user_token(evil, header=USUAL | brought)
            )
            await verify_refused(
                token_verifier, issue_user_token(evil, header=USUAL | brought | {"kid": "evil"})
            )
            assert await token_verifier.verify(issue_user_token(EC, header=USUAL | brought))
        assert elsewhere.request_count == 0


async def test_verify_token_unknown_key_is_refused_without_fetch(
    token_verifier: TokenVerifier, jwks_server: KeyServer
) -> None:
    await token_verifier.verify(issue_user_token(EC))
    before = jwks_server.request_count
    assert "`kid`" in await verify_refused(token_verifier, issue_user_token(EC, "k2"))
    assert jwks_server.request_count == before


@pytest.mark.parametrize("kid", [7, ["k1"], {"k1": 1}, True])
async def test_verify_token_key_name_that_is_no_text_is_refused(
    token_verifier: TokenVerifier, kid: Any
) -> None:
    assert "`kid`" in await verify_refused(token_verifier, issue_user_token(EC, header=USUAL | {"kid": kid}))


async def test_verify_token_critical_extensions_are_refused(token_verifier: TokenVerifier) -> None:
    for crit in (["b64"], [], None, "exp"):
        assert "`crit`" in await verify_refused(
            token_verifier, issue_user_token(EC, header=USUAL | {"crit": crit, "b64": False})
        )


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/okta-internal-at+jwt"]
)
async def test_verify_token_access_token_type_is_accepted(token_verifier: TokenVerifier, typ: Any) -> None:
    assert await token_verifier.verify(issue_user_token(EC, header=USUAL | {"typ": typ}))


@pytest.mark.parametrize(
    "typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", PLATFORM_TYPE, "JWE", "", 1, None, "JWT\n"]
)
async def test_verify_token_other_type_is_refused(token_verifier: TokenVerifier, typ: Any) -> None:
    assert "`typ`" in await verify_refused(token_verifier, issue_user_token(EC, header=USUAL | {"typ": typ}))


# Claims


@pytest.mark.parametrize("name", ["exp", "iat", "iss", "sub"])
async def test_verify_token_without_required_claim_is_refused(
    token_verifier: TokenVerifier, name: str
) -> None:
    assert f"`{name}`" in await verify_refused(token_verifier, issue_user_token(EC, **{name: None}))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["9999999999", True, [], {}, -1, 1e300, 2**64, "", "2030-01-01"])
async def test_verify_token_invalid_time_is_refused(
    token_verifier: TokenVerifier, name: str, value: Any
) -> None:
    assert f"`{name}`" in await verify_refused(token_verifier, issue_user_token(EC, **{name: value}))


async def test_verify_token_not_before_may_be_missing_but_not_null(token_verifier: TokenVerifier) -> None:
    assert await token_verifier.verify(issue_user_token(EC))
    null = build_compact_jws(USUAL, build_claims() | {"nbf": None}, make_signer(EC))
    assert "`nbf`" in await verify_refused(token_verifier, null)


async def test_verify_token_fractional_seconds_are_accepted(token_verifier: TokenVerifier) -> None:
    now = now_ms() / 1000
    identity = await token_verifier.verify(issue_user_token(EC, exp=now + 30.5, iat=now, nbf=now))
    assert abs(identity.expires_at - (now + 30.5) * 1000) <= 1


@pytest.mark.parametrize(
    ("name", "good", "bad", "says"),
    [
        ("exp", -limits.TOKEN_LEEWAY_S + 1, -limits.TOKEN_LEEWAY_S, "expired"),
        ("iat", limits.TOKEN_LEEWAY_S, limits.TOKEN_LEEWAY_S + 1, "`iat`"),
        ("nbf", limits.TOKEN_LEEWAY_S, limits.TOKEN_LEEWAY_S + 1, "`nbf`"),
    ],
)
async def test_verify_token_time_within_leeway_is_accepted_and_beyond_refused(
    issuer_config: IssuerConfig, name: str, good: int, bad: int, says: str
) -> None:
    now_s = 2_000_000_000
    token_verifier = TokenVerifier(issuer_config, None, clock=lambda: now_s * 1000)
    base: dict[str, Any] = {"iat": now_s, "exp": now_s + 60}
    assert await token_verifier.verify(issue_user_token(EC, **base | {name: now_s + good}))
    assert says in await verify_refused(token_verifier, issue_user_token(EC, **base | {name: now_s + bad}))


@pytest.mark.parametrize(
    "issuer", ["https://issuer.example/", "https://evil.example", "", [ISSUER], {"a": 1}, 1]
)
async def test_verify_token_other_issuer_is_refused(token_verifier: TokenVerifier, issuer: Any) -> None:
    assert "`iss`" in await verify_refused(token_verifier, issue_user_token(EC, iss=issuer))


@pytest.mark.parametrize(
    "subject", ["", "a\0b", "a\nb", "\x7f", "\u202e", "x" * 256, 1, ["user_1"], {}, True]
)
async def test_verify_token_invalid_subject_is_refused(token_verifier: TokenVerifier, subject: Any) -> None:
    assert "`sub`" in await verify_refused(token_verifier, issue_user_token(EC, sub=subject))


@pytest.mark.parametrize("subject", ["x" * 255, "auth0|1", "Ünïcødé", "with space"])
async def test_verify_token_valid_subject_is_accepted(token_verifier: TokenVerifier, subject: Any) -> None:
    assert (await token_verifier.verify(issue_user_token(EC, sub=subject))).subject == subject


async def test_verify_token_payload_that_is_no_unicode_is_refused(token_verifier: TokenVerifier) -> None:
    for payload in (rb'{"sub": "\ud800"}', b'{"sub": "\xff"}'):
        assert "payload" in await verify_refused(
            token_verifier, build_compact_jws(USUAL, payload, make_signer(EC))
        )


ANY_AUDIENCE: list[Any] = [None, "", "other", ["other"], [], {}, 1, ["other", 1, {}], "api"]


@pytest.mark.parametrize("audience", ANY_AUDIENCE)
@pytest.mark.parametrize("name", ["aud", "azp"])
async def test_verify_token_audience_not_configured_is_not_checked(
    token_verifier: TokenVerifier, name: str, audience: Any
) -> None:
    assert await token_verifier.verify(issue_user_token(EC, **{name: audience}))


@pytest.mark.parametrize(
    "audience", [one for one in ANY_AUDIENCE if one != "api"] + ["API", "ap", "api2", ["ap", "i"]]
)
async def test_verify_token_other_audience_is_refused(issuer_config: IssuerConfig, audience: Any) -> None:
    token_verifier = TokenVerifier(dataclasses.replace(issuer_config, audiences=("api", "app")), None)
    assert "`aud`" in await verify_refused(token_verifier, issue_user_token(EC, aud=audience, azp="api"))


@pytest.mark.parametrize("audience", ["api", "app", ["api"], ["other", "app"]])
async def test_verify_token_configured_audience_is_accepted(
    issuer_config: IssuerConfig, audience: Any
) -> None:
    token_verifier = TokenVerifier(dataclasses.replace(issuer_config, audiences=("api", "app")), None)
    assert await token_verifier.verify(issue_user_token(EC, aud=audience))


@pytest.mark.parametrize("party", [None, "", "https://evil.example", ["https://app.example"], 1])
async def test_verify_token_other_authorized_party_is_refused(
    issuer_config: IssuerConfig, party: Any
) -> None:
    token_verifier = TokenVerifier(
        dataclasses.replace(issuer_config, authorized_parties=("https://app.example",)), None
    )
    assert "`azp`" in await verify_refused(
        token_verifier, issue_user_token(EC, azp=party, aud="https://app.example")
    )


async def test_verify_token_audience_and_party_are_both_checked(issuer_config: IssuerConfig) -> None:
    both = dataclasses.replace(issuer_config, audiences=("api",), authorized_parties=("app",))
    token_verifier = TokenVerifier(both, None)
    assert await token_verifier.verify(issue_user_token(EC, aud="api", azp="app"))
    assert "`azp`" in await verify_refused(token_verifier, issue_user_token(EC, aud="api"))
    assert "`aud`" in await verify_refused(token_verifier, issue_user_token(EC, azp="app"))


# The platform's tokens


PLATFORM_CLAIMS = {"iss": SERVER_ISSUER, "sub": PLATFORM_SUBJECT}


async def test_verify_token_of_user_never_becomes_platform(
    token_verifier: TokenVerifier, signing_key: SigningKey
) -> None:
    header = {"alg": "ES256", "typ": PLATFORM_TYPE, "kid": signing_key.kid}
    for given_header in (header, USUAL, USUAL | {"typ": PLATFORM_TYPE}):
        await verify_refused(
            token_verifier, build_compact_jws(given_header, build_claims(**PLATFORM_CLAIMS), make_signer(EC))
        )
    wishful = issue_user_token(
        EC, sub="platform", typ=PLATFORM_TYPE, kind="platform", role="platform", admin=True
    )
    assert (await token_verifier.verify(wishful)).kind is ViewerKind.USER


async def test_verify_platform_token_by_issuer_key_of_same_name_is_refused(
    issuer_config: IssuerConfig, signing_key: SigningKey
) -> None:
    async with start_key_server(build_public_jwk(EC, signing_key.kid)) as issuer:
        token_verifier = TokenVerifier(dataclasses.replace(issuer_config, jwks_url=issuer.url), signing_key)
        header = {"alg": "ES256", "typ": PLATFORM_TYPE, "kid": signing_key.kid}
        forged = build_compact_jws(header, build_claims(**PLATFORM_CLAIMS), make_signer(EC))
        assert "signature" in await verify_refused(token_verifier, forged)
        assert issuer.request_count == 0


@pytest.mark.parametrize("typ", ["JWT", "agent+jwt", "enrolment+jwt", "at+jwt", ""])
async def test_verify_platform_token_of_another_type_is_refused(
    token_verifier: TokenVerifier, signing_key: SigningKey, typ: Any
) -> None:
    assert "platform token" in await verify_refused(
        token_verifier, signing_key.sign(PLATFORM_CLAIMS, typ, 60)
    )


async def test_verify_platform_token_for_a_user_is_refused(
    token_verifier: TokenVerifier, signing_key: SigningKey
) -> None:
    token = signing_key.sign({"iss": SERVER_ISSUER, "sub": "user_1"}, PLATFORM_TYPE, 60)
    assert "platform token" in await verify_refused(token_verifier, token)


async def test_verify_user_token_by_server_key_is_refused(
    token_verifier: TokenVerifier, signing_key: SigningKey
) -> None:
    await verify_refused(token_verifier, signing_key.sign({"iss": ISSUER, "sub": "user_1"}, "JWT", 60))


async def test_verify_platform_token_expired_is_refused(
    token_verifier: TokenVerifier, signing_key: SigningKey
) -> None:
    assert "expired" in await verify_refused(
        token_verifier, issue_platform_token(signing_key, -limits.TOKEN_LEEWAY_S - 1)
    )


async def test_verify_platform_token_of_another_server_is_refused(
    token_verifier: TokenVerifier, tmp_path: Path
) -> None:
    other = SigningKey.create(tmp_path / "other.pem")
    assert "platform token" in await verify_refused(token_verifier, issue_platform_token(other))


async def test_verify_platform_token_without_server_key_is_refused(
    issuer_config: IssuerConfig, signing_key: SigningKey
) -> None:
    assert "signing key" in await verify_refused(
        TokenVerifier(issuer_config, None), issue_platform_token(signing_key)
    )


# Remembered tokens


async def test_token_cache_entry_does_not_outlive_its_token(issuer_config: IssuerConfig) -> None:
    now = [2_000_000_000_000]
    token_verifier = TokenVerifier(issuer_config, None, clock=lambda: now[0])
    short = issue_user_token(EC, iat=2_000_000_000, exp=2_000_000_005)
    first = await token_verifier.verify(short)
    assert await token_verifier.verify(short) is first
    now[0] += 5_000
    again = await token_verifier.verify(short)
    assert again is not first
    now[0] += limits.TOKEN_LEEWAY_S * 1000
    await verify_refused(token_verifier, short)


async def test_token_cache_entry_expires(issuer_config: IssuerConfig) -> None:
    now = [2_000_000_000_000]
    token_verifier = TokenVerifier(issuer_config, None, clock=lambda: now[0])
    token = issue_user_token(EC, iat=2_000_000_000, exp=2_000_009_999)
    first = await token_verifier.verify(token)
    now[0] += limits.TOKEN_CACHE_S * 1000 - 1
    assert await token_verifier.verify(token) is first
    now[0] += 1
    assert await token_verifier.verify(token) is not first


async def test_token_cache_when_full_evicts_the_least_recently_used(
    issuer_config: IssuerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOKENS_CACHED_MAX", 2)
    token_verifier = TokenVerifier(issuer_config, None)
    tokens = [issue_user_token(EC, sub=f"user_{number}") for number in range(3)]
    first, second = [await token_verifier.verify(token) for token in tokens[:2]]
    assert await token_verifier.verify(tokens[0]) is first
    await token_verifier.verify(tokens[2])
    assert await token_verifier.verify(tokens[0]) is first
    assert await token_verifier.verify(tokens[1]) is not second
    assert len(token_verifier._cache._entries) == 2


async def test_token_cache_does_not_match_an_altered_signature(token_verifier: TokenVerifier) -> None:
    head, payload, signature = issue_user_token(EC).split(".")
    await token_verifier.verify(f"{head}.{payload}.{signature}")
    flipped = ("B" if signature[0] != "B" else "C") + signature[1:]
    assert "signature" in await verify_refused(token_verifier, f"{head}.{payload}.{flipped}")


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
async def test_verify_token_garbage_is_refused(token_verifier: TokenVerifier, token: str) -> None:
    await verify_refused(token_verifier, token)


@pytest.mark.parametrize("extra", ["=", "==", "\n", " ", "*", "+", "\0"])
async def test_verify_token_with_foreign_character_is_refused(
    token_verifier: TokenVerifier, extra: str
) -> None:
    good = issue_user_token(EC)
    assert await token_verifier.verify(good)
    for index in range(3):
        segments = good.split(".")
        segments[index] += extra
        assert "compact" in await verify_refused(token_verifier, ".".join(segments))


async def test_verify_token_at_size_limit_is_accepted_and_beyond_refused(
    token_verifier: TokenVerifier,
) -> None:
    def padded(length: int) -> str:
        return issue_user_token(EC, pad="x" * length)

    short = limits.TOKEN_MAX_BYTES - len(padded(0))
    fitting = max((padded(n) for n in range(short * 3 // 4 - 4, short * 3 // 4 + 1)), key=len)
    assert limits.TOKEN_MAX_BYTES - 4 < len(fitting) <= limits.TOKEN_MAX_BYTES
    assert await token_verifier.verify(fitting)
    assert "bytes" in await verify_refused(token_verifier, padded(short))
    assert "bytes" in await verify_refused(token_verifier, "x" * 50_000_000)


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
async def test_verify_token_deeply_nested_header_or_payload_is_refused(
    token_verifier: TokenVerifier, bracket: bytes
) -> None:
    for depth in (500, 1_000, 3_000):
        deep = bracket * (depth // len(bracket))
        closed = deep + b"1" + (b"]" if bracket == b"[" else b"}") * (len(deep) // len(bracket))
        for text in (deep, closed):
            await verify_refused(token_verifier, build_compact_jws(text, build_claims(), make_signer(EC)))
            await verify_refused(token_verifier, build_compact_jws(USUAL, text, make_signer(EC)))
            nested = b'{"alg":"ES256","kid":"k1","x":' + text + b"}"
            try:
                await token_verifier.verify(build_compact_jws(nested, build_claims(), make_signer(EC)))
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
async def test_verify_token_any_text_is_refused(token_verifier: TokenVerifier, token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await token_verifier.verify(token)


@ALIKE
@given(
    header=OBJECTS | JSON | st.binary(),
    payload=OBJECTS | JSON | st.binary(),
    signature=st.binary(max_size=80),
)
async def test_verify_token_forged_is_refused(
    token_verifier: TokenVerifier, header: Any, payload: Any, signature: bytes
) -> None:
    with pytest.raises(UnauthenticatedError):
        await token_verifier.verify(build_compact_jws(header, payload, lambda _: signature))


@ALIKE
@given(header=OBJECTS, payload=OBJECTS, signer=st.sampled_from(["issuer", "server"]))
async def test_verify_token_signed_with_any_claims_is_refused_or_consistent(
    token_verifier: TokenVerifier, signing_key: SigningKey, header: Any, payload: Any, signer: str
) -> None:
    by_server = signer == "server"
    sign = signing_key._private.sign if by_server else make_signer(EC)
    usual = {"alg": "ES256", "kid": signing_key.kid, "typ": PLATFORM_TYPE} if by_server else USUAL
    good = build_claims(**PLATFORM_CLAIMS) if by_server else build_claims()
    try:
        identity = await token_verifier.verify(build_compact_jws(usual | header, good | payload, sign))
    except UnauthenticatedError:
        return
    assert identity.kind is (ViewerKind.PLATFORM if by_server else ViewerKind.USER)
    assert identity.subject == (good | payload)["sub"]
    assert 0 <= identity.expires_at <= NEVER
