"""Public keys from a JSON Web Key Set (RFC 7517): which are taken, and what they may verify."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwk
from jose.backends.base import Key

from core import limits
from core.base64url import decoded

ALGORITHMS: Final = ("RS256", "ES256")
"""Every algorithm that a user's token may be signed with."""

KeyName = tuple[str | None, str]
"""A key's `kid` (None where the issuer gives none) and the one algorithm that it verifies."""

_NUMBER: Final = re.compile(r"[A-Za-z0-9_-]{1,2048}", re.ASCII)
_ALGORITHM_OF_TYPE: Final = {"RSA": "RS256", "EC": "ES256"}
_MALFORMED: Final = (ValueError, TypeError, KeyError, OverflowError, UnsupportedAlgorithm)


def public_keys(document: bytes, algorithms: Collection[str]) -> dict[KeyName, Key]:
    """The usable signing keys of a key set, each built once and bound to one algorithm.

    A key that we do not take (too small, for encryption, of another kind, malformed) is left out; of two
    with the same name the first counts.

    Raises:
        ValueError: if the document is not a key set at all.
    """
    parsed = orjson.loads(document)
    members = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(members, list):
        raise ValueError("not a JSON Web Key Set")  # noqa: TRY004 - malformed input, like what orjson raises
    keys: dict[KeyName, Key] = {}
    for name, key in _usable(members, algorithms):
        keys.setdefault(name, key)
    return keys


def _usable(members: list[Any], algorithms: Collection[str]) -> Iterator[tuple[KeyName, Key]]:
    for member in members:
        algorithm = _algorithm(member) if isinstance(member, dict) else None
        if algorithm is None or algorithm not in algorithms:
            continue
        try:
            key = _built(member, algorithm)
        except _MALFORMED:
            continue
        yield (member.get("kid"), algorithm), key


def _algorithm(member: Mapping[str, Any]) -> str | None:
    """What a key may verify, from its own type; None if that is not signatures of a kind we take.

    A set that publishes a private key (`d`) has given it away: whoever read it can sign.
    """
    kty, kid = member.get("kty"), member.get("kid")
    algorithm = _ALGORITHM_OF_TYPE.get(kty) if isinstance(kty, str) else None
    operations = member.get("key_ops", ["verify"])
    for_signatures = (
        member.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )
    named_alike = member.get("alg", algorithm) == algorithm and isinstance(kid, str | None)
    return algorithm if for_signatures and named_alike and "d" not in member else None


def _built(member: Mapping[str, Any], algorithm: str) -> Key:
    public = _rsa(member) if algorithm == "RS256" else _p256(member)
    return jwk.construct(public, algorithm)  # type: ignore[arg-type]  # the stubs know no cryptography keys


def _rsa(member: Mapping[str, Any]) -> rsa.RSAPublicKey:
    modulus = _number(member["n"])
    if not limits.RSA_BITS_MIN <= modulus.bit_length() <= limits.RSA_BITS_MAX:
        raise ValueError("an RSA key of a size that is not taken")
    return rsa.RSAPublicNumbers(_number(member["e"]), modulus).public_key()


def _p256(member: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    if member["crv"] != "P-256":
        raise ValueError("a curve that is not taken")
    return ec.EllipticCurvePublicNumbers(
        _number(member["x"]), _number(member["y"]), ec.SECP256R1()
    ).public_key()


def _number(text: object) -> int:
    """Base64url without padding (RFC 7518, Base64urlUInt) as an integer."""
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise ValueError("not a base64url number")
    return int.from_bytes(decoded(text), "big")
