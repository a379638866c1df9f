"""Which keys of a key set are taken."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jose.backends.base import Key

from core.auth.jwk import ALGORITHMS, KeyName, parse_public_keys
from tests.issuers import build_public_jwk, make_ec_key, make_rsa_key, make_signer

RSA = build_public_jwk(make_rsa_key("a"), "r")
EC = build_public_jwk(make_ec_key("a"), "e")


def parse_keys(*keys: Any, algorithms: tuple[str, ...] = ALGORITHMS) -> dict[KeyName, Key]:
    return parse_public_keys(json.dumps({"keys": keys}).encode(), algorithms)


def test_public_keys_verify_signatures_of_their_private_keys() -> None:
    keys = parse_keys(RSA, EC)
    assert set(keys) == {("r", "RS256"), ("e", "ES256")}
    assert keys["r", "RS256"].verify(b"message", make_signer(make_rsa_key("a"))(b"message"))
    assert keys["e", "ES256"].verify(b"message", make_signer(make_ec_key("a"))(b"message"))
    assert not keys["e", "ES256"].verify(b"message", make_signer(make_ec_key("b"))(b"message"))


def test_public_keys_of_disallowed_algorithms_are_ignored() -> None:
    assert set(parse_keys(RSA, EC, algorithms=("ES256",))) == {("e", "ES256")}


@pytest.mark.parametrize(
    "more", [{"alg": "RS256"}, {"use": "sig"}, {"key_ops": ["verify"]}, {"x5c": ["x"], "x5t": 1}]
)
def test_public_keys_with_matching_or_foreign_members_are_accepted(more: dict[str, Any]) -> None:
    assert set(parse_keys(RSA | more)) == {("r", "RS256")}


@pytest.mark.parametrize(
    "more",
    [
        {"alg": "RS512"},
        {"alg": "HS256"},
        {"alg": "ES256"},
        {"alg": None},
        {"use": "enc"},
        {"use": None},
        {"key_ops": ["encrypt"]},
        {"key_ops": "verify"},
        {"key_ops": None},
        {"kid": 7},
        {"kid": ["r"]},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"kty": ["RSA"]},
        {"kty": None},
        {"d": "AQAB"},
        {"n": "!!!"},
        {"n": ""},
        {"n": None},
        {"n": 65537},
        {"n": "\u0430" * 344},
        {"n": RSA["n"] * 4},
        {"n": RSA["n"] * 9},
        {"e": "AA"},
        {"e": "Ag"},
        {"e": None},
    ],
)
def test_public_keys_rsa_key_with_unusable_member_is_ignored(more: dict[str, Any]) -> None:
    assert parse_keys(RSA | more) == {}


@pytest.mark.parametrize(
    "more",
    [
        {"crv": "P-384"},
        {"crv": None},
        {"alg": "ES384"},
        {"x": EC["y"]},
        {"x": "AA"},
        {"y": None},
        {"d": "AQ"},
    ],
)
def test_public_keys_ec_key_with_unusable_member_is_ignored(more: dict[str, Any]) -> None:
    assert parse_keys(EC | more) == {}


def test_public_keys_small_rsa_keys_and_other_curves_are_ignored() -> None:
    small, other = (
        build_public_jwk(make_rsa_key("small", 1024), "s"),
        build_public_jwk(make_ec_key("o", ec.SECP384R1), "o"),
    )
    assert parse_keys(small, other) == {}


@pytest.mark.parametrize("missing", ["n", "e", "kty"])
def test_public_keys_key_without_required_member_is_ignored(missing: str) -> None:
    assert parse_keys({name: value for name, value in RSA.items() if name != missing}) == {}


def test_public_keys_malformed_entries_are_ignored() -> None:
    assert set(parse_keys(None, 1, "x", [], {}, EC)) == {("e", "ES256")}


def test_public_keys_of_equal_name_first_wins() -> None:
    keys = parse_keys(EC, build_public_jwk(make_ec_key("b"), "e"))
    assert keys["e", "ES256"].verify(b"m", make_signer(make_ec_key("a"))(b"m"))


@pytest.mark.parametrize(
    "document", [b"", b"{", b"[]", b"{}", b'{"keys": {}}', b'{"keys": null}', b"\xff", b"[" * 5000, b"<html>"]
)
def test_public_keys_malformed_document_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_public_keys(document, ALGORITHMS)
