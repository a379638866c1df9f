"""Signed tokens in their compact form: strict parsing, verification with one key, and the check of their claims.

The only exception of this module is `UnauthenticatedError`, whatever the input. No message repeats a part of the
token.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from jose import jws
from jose.backends.base import Key
from jose.exceptions import JOSEError

from core import limits
from core.base64url import decode_base64url
from core.clock import NEVER
from core.errors import AccessRefusal, UnauthenticatedError

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_LATEST_S: Final = NEVER // 1000


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A well-formed token. Its unverified content only selects the key that verifies it."""

    token: str = field(repr=False)
    algorithm: str
    kid: str | None
    type: str
    claims: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ExpectedClaims:
    """The values that a verified token's claims must have. An empty tuple leaves that claim unchecked."""

    issuer: str
    audiences: tuple[str, ...] = ()
    authorized_parties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedClaims:
    """A verified token's subject, its expiry in ms since the epoch, and its e-mail address if that is verified."""

    subject: str
    expires_at: int
    email: str | None = None


def parse_token(token: str) -> UnverifiedToken:
    """Parse a compact JWS without verifying it.

    `jku`, `x5u`, `jwk` and `x5c` are ignored. `crit` (RFC 7515, 4.1.11) names extensions that must be supported,
    and none is supported here.

    Raises:
        UnauthenticatedError: It is too long, not a JWS of JSON objects, or has a `crit` header.
    """
    if len(token) > limits.TOKEN_MAX_BYTES:
        raise UnauthenticatedError(f"The token must have at most {limits.TOKEN_MAX_BYTES} bytes.")
    if not _COMPACT.fullmatch(token):
        raise UnauthenticatedError("The token must be a signed JSON Web Token in compact form.")
    header, claims, _ = token.split(".")
    return _read_header(token, _parse_object(header, "header"), _parse_object(claims, "payload"))


def _read_header(token: str, header: Mapping[str, Any], claims: dict[str, Any]) -> UnverifiedToken:
    algorithm, kid, token_type = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if "crit" in header:
        raise UnauthenticatedError("The token must not have a `crit` header: no extension is supported.")
    if not isinstance(algorithm, str) or not isinstance(kid, str | None) or not isinstance(token_type, str):
        raise UnauthenticatedError(
            "The token's header must contain `alg` as a string; `kid` and `typ` must be strings if present."
        )
    return UnverifiedToken(token, algorithm, kid, token_type, claims)


def _parse_object(segment: str, name: str) -> dict[str, Any]:
    try:
        parsed = orjson.loads(decode_base64url(segment))
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise UnauthenticatedError(f"The token's {name} must be a JSON object.")
    return parsed


def verify_signature(token: UnverifiedToken, key: Key, algorithm: str) -> dict[str, Any]:
    """The claims, after the signature is verified with exactly this key and exactly this algorithm.

    Raises:
        UnauthenticatedError: The signature is invalid.
    """
    try:
        jws.verify(token.token, key, algorithms=[algorithm])
    except (JOSEError, ValueError, TypeError, RecursionError):
        raise UnauthenticatedError("The token's signature is invalid.") from None
    return token.claims


def check_claims(claims: Mapping[str, Any], expected: ExpectedClaims, now_ms: int) -> VerifiedClaims:
    """Check `iss`, `exp`, `iat`, `nbf`, `aud`, `azp` and `sub` of verified claims.

    Raises:
        UnauthenticatedError: A claim is missing, of the wrong type, or not acceptable; the message names it.
    """
    check_issuer(claims, expected.issuer)
    expires_at = _check_lifetime(claims, now_ms)
    _check_audience(claims, expected)
    return VerifiedClaims(_read_subject(claims), expires_at, _read_verified_email(claims))


def check_issuer(claims: Mapping[str, Any], issuer: str) -> None:
    """Check `iss`, exactly.

    Raises:
        UnauthenticatedError: It is missing or not this issuer.
    """
    if claims.get("iss") != issuer:
        raise UnauthenticatedError("The token's `iss` must be the accepted issuer.")


def _check_lifetime(claims: Mapping[str, Any], now_ms: int) -> int:
    """The token's expiry in ms. Times in tokens are in seconds, and may have fractions."""
    leeway = limits.TOKEN_LEEWAY_S * 1000
    expires_at, issued_at = _read_time(claims, "exp"), _read_time(claims, "iat")
    if now_ms >= expires_at + leeway:
        raise UnauthenticatedError("The token has expired.", AccessRefusal.EXPIRED)
    if now_ms < issued_at - leeway:
        raise UnauthenticatedError("The token's `iat` is in the future.")
    if "nbf" in claims and now_ms < _read_time(claims, "nbf") - leeway:
        raise UnauthenticatedError("The token is not valid yet (`nbf`).")
    return expires_at


def _read_time(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST_S:
        raise UnauthenticatedError(f"The token must contain `{name}` in seconds since the epoch.")
    return int(value * 1000)


def _check_audience(claims: Mapping[str, Any], expected: ExpectedClaims) -> None:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if expected.audiences and not any(one in expected.audiences for one in named):
        raise UnauthenticatedError("The token's `aud` must be one of the accepted audiences.")
    if expected.authorized_parties and claims.get("azp") not in expected.authorized_parties:
        raise UnauthenticatedError("The token's `azp` must be one of the authorized parties.")


def _read_subject(claims: Mapping[str, Any]) -> str:
    """The subject, which must be printable text. PostgreSQL refuses NUL, and no user's id has control characters."""
    subject = claims.get("sub")
    if isinstance(subject, str) and subject.isprintable() and 0 < len(subject) <= limits.SUBJECT_MAX_CHARS:
        return subject
    raise UnauthenticatedError(
        f"The token must contain `sub` with 1 to {limits.SUBJECT_MAX_CHARS} printable characters."
    )


def _read_verified_email(claims: Mapping[str, Any]) -> str | None:
    """The e-mail address, if the issuer has verified it for the subject (OpenID Connect Core, section 5.1)."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    return email if email.isprintable() and 0 < len(email) <= limits.EMAIL_MAX_CHARS else None
