"""Signed tokens in their compact form: read strictly, verified with one key, their claims checked.

Nothing here raises anything but `UnauthenticatedError`, whatever bytes came in, and no message repeats
a part of the token.
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
from core.base64url import decoded
from core.clock import NEVER
from core.errors import UnauthenticatedError

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_LATEST_S: Final = NEVER // 1000


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token that is well formed; what it says of itself only chooses the key that it must hold against."""

    token: str = field(repr=False)
    algorithm: str
    kid: str | None
    type: str
    claims: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a verified token's claims must say; an empty tuple leaves that claim unchecked."""

    issuer: str
    audiences: tuple[str, ...] = ()
    authorized_parties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """A verified token's subject and its end, in ms since the epoch; its e-mail address, if that is verified."""

    subject: str
    expires_at: int
    email: str | None = None


def parse(token: str) -> Unverified:
    """Takes a compact JWS apart without believing it.

    `jku`, `x5u`, `jwk` and `x5c` are not so much as read; `crit` (RFC 7515, 4.1.11) names extensions
    that must be understood, and we understand none.

    Raises:
        UnauthenticatedError: if it is too long, not a JWS of JSON objects, or has a `crit` header.
    """
    if len(token) > limits.TOKEN_MAX_BYTES:
        raise UnauthenticatedError(f"The token has more than {limits.TOKEN_MAX_BYTES} bytes.")
    if not _COMPACT.fullmatch(token):
        raise UnauthenticatedError("The token is not a signed JSON Web Token in compact form.")
    header, claims, _ = token.split(".")
    return _read(token, _object(header, "header"), _object(claims, "payload"))


def _read(token: str, header: Mapping[str, Any], claims: dict[str, Any]) -> Unverified:
    algorithm, kid, token_type = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if "crit" in header:
        raise UnauthenticatedError("The token has a `crit` header; no extension is supported.")
    if not isinstance(algorithm, str) or not isinstance(kid, str | None) or not isinstance(token_type, str):
        raise UnauthenticatedError("The token's header needs `alg`, and `kid` and `typ` if given, as text.")
    return Unverified(token, algorithm, kid, token_type, claims)


def _object(segment: str, what: str) -> dict[str, Any]:
    try:
        parsed = orjson.loads(decoded(segment))
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise UnauthenticatedError(f"The token's {what} is not a JSON object.")
    return parsed


def verified_claims(token: Unverified, key: Key, algorithm: str) -> dict[str, Any]:
    """The claims, once the signature holds against exactly this key with exactly this algorithm.

    Raises:
        UnauthenticatedError: if it does not.
    """
    try:
        jws.verify(token.token, key, algorithms=[algorithm])
    except (JOSEError, ValueError, TypeError, RecursionError):
        raise UnauthenticatedError("The token's signature does not hold.") from None
    return token.claims


def accept(claims: Mapping[str, Any], expected: Expected, now_ms: int) -> Accepted:
    """Checks `iss`, `exp`, `iat`, `nbf`, `aud`, `azp` and `sub` of verified claims.

    Raises:
        UnauthenticatedError: saying which claim is missing, of the wrong type, or not acceptable.
    """
    if claims.get("iss") != expected.issuer:
        raise UnauthenticatedError("The token's `iss` is not the one that is accepted here.")
    expires_at = _check_times(claims, now_ms)
    _check_parties(claims, expected)
    return Accepted(_subject(claims), expires_at, _email(claims))


def _check_times(claims: Mapping[str, Any], now_ms: int) -> int:
    """The end of the token in ms; times of tokens are in seconds, with fractions allowed."""
    leeway = limits.TOKEN_LEEWAY_S * 1000
    expires_at, issued_at = _time(claims, "exp"), _time(claims, "iat")
    if now_ms >= expires_at + leeway:
        raise UnauthenticatedError("The token has expired.")
    if now_ms < issued_at - leeway:
        raise UnauthenticatedError("The token's `iat` is in the future.")
    if "nbf" in claims and now_ms < _time(claims, "nbf") - leeway:
        raise UnauthenticatedError("The token is not valid yet (`nbf`).")
    return expires_at


def _time(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST_S:
        raise UnauthenticatedError(f"The token needs `{name}` as seconds since the epoch.")
    return int(value * 1000)


def _check_parties(claims: Mapping[str, Any], expected: Expected) -> None:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if expected.audiences and not any(one in expected.audiences for one in named):
        raise UnauthenticatedError("The token's `aud` is none of the accepted audiences.")
    if expected.authorized_parties and claims.get("azp") not in expected.authorized_parties:
        raise UnauthenticatedError("The token's `azp` is none of the authorised parties.")


def _subject(claims: Mapping[str, Any]) -> str:
    """Printable text alone: PostgreSQL takes no NUL, and an id with control characters is nobody's."""
    subject = claims.get("sub")
    if isinstance(subject, str) and subject.isprintable() and 0 < len(subject) <= limits.SUBJECT_MAX_CHARS:
        return subject
    raise UnauthenticatedError(
        f"The token needs `sub` as 1 to {limits.SUBJECT_MAX_CHARS} printable characters."
    )


def _email(claims: Mapping[str, Any]) -> str | None:
    """The e-mail address, where the issuer says that it belongs to the subject (OpenID Connect Core, section 5.1)."""
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return None
    return email if email.isprintable() and 0 < len(email) <= limits.EMAIL_MAX_CHARS else None
