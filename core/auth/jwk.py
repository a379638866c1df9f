"""Public keys from a JSON Web Key Set (RFC 7517): which are accepted, and what they may verify."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwk
from jose.backends.base import Key

from core import limits
from core.base64url import decode_base64url

ALGORITHMS: Final = ("RS256", "ES256")
"""Every algorithm that a user's token may be signed with."""

KeyName = tuple[str | None, str]
"""A key's `kid` (None if the issuer gives none) and the one algorithm that it verifies."""

_NUMBER: Final = re.compile(r"[A-Za-z0-9_-]{1,2048}", re.ASCII)
_ALGORITHM_OF_TYPE: Final = {"RSA": "RS256", "EC": "ES256"}
_MALFORMED: Final = (ValueError, TypeError, KeyError, OverflowError, UnsupportedAlgorithm)


def parse_public_keys(document: bytes, algorithms: Collection[str]) -> dict[KeyName, Key]:
    """The usable signing keys of a key set, each built once and bound to one algorithm.

    An unacceptable key (too small, for encryption, of another kind, malformed) is left out. The first of two keys
    with the same name is used.

    Raises:
        ValueError: The document is not a key set at all.
    """
    parsed = orjson.loads(document)
    members = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(members, list):
        raise ValueError("not a JSON Web Key Set")  # noqa: TRY004 - malformed input, as for errors of orjson
    keys: dict[KeyName, Key] = {}
    for name, key in _iter_usable_keys(members, algorithms):
        keys.setdefault(name, key)
    return keys


def _iter_usable_keys(members: list[Any], algorithms: Collection[str]) -> Iterator[tuple[KeyName, Key]]:
    for member in members:
        algorithm = _choose_algorithm(member) if isinstance(member, dict) else None
        if algorithm is None or algorithm not in algorithms:
            continue
        try:
            key = _build_key(member, algorithm)
        except _MALFORMED:
            continue
        yield (member.get("kid"), algorithm), key


def _choose_algorithm(member: Mapping[str, Any]) -> str | None:
    """The algorithm that a key may verify, from its own type; None if it is no accepted signature algorithm.

    A set that publishes a private key (`d`) has disclosed it: every reader of the set can sign with it.
    """
    kty, kid = member.get("kty"), member.get("kid")
    algorithm = _ALGORITHM_OF_TYPE.get(kty) if isinstance(kty, str) else None
    operations = member.get("key_ops", ["verify"])
    for_signatures = (
        member.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )
    is_same_algorithm = member.get("alg", algorithm) == algorithm and isinstance(kid, str | None)
    return algorithm if for_signatures and is_same_algorithm and "d" not in member else None


def _build_key(member: Mapping[str, Any], algorithm: str) -> Key:
    public = _build_rsa_key(member) if algorithm == "RS256" else _build_p256_key(member)
    return jwk.construct(public, algorithm)  # type: ignore[arg-type]  # the stubs lack cryptography keys


def _build_rsa_key(member: Mapping[str, Any]) -> rsa.RSAPublicKey:
    modulus = _decode_integer(member["n"])
    if not limits.RSA_BITS_MIN <= modulus.bit_length() <= limits.RSA_BITS_MAX:
        raise ValueError("an RSA key of an unsupported size")
    return rsa.RSAPublicNumbers(_decode_integer(member["e"]), modulus).public_key()


def _build_p256_key(member: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    if member["crv"] != "P-256":
        raise ValueError("an unsupported curve")
    return ec.EllipticCurvePublicNumbers(
        _decode_integer(member["x"]), _decode_integer(member["y"]), ec.SECP256R1()
    ).public_key()


def _decode_integer(text: object) -> int:
    """Decode an integer from base64url without padding (RFC 7518, Base64urlUInt)."""
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise ValueError("not a base64url number")
    return int.from_bytes(decode_base64url(text), "big")
