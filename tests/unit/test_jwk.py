"""Which keys of a key set are taken."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jose.backends.base import Key

from core.jwk import ALGORITHMS, KeyName, public_keys
from tests.issuers import ec_key, public_jwk, rsa_key, signature_of

RSA = public_jwk(rsa_key("a"), "r")
EC = public_jwk(ec_key("a"), "e")


def taken(*keys: Any, algorithms: tuple[str, ...] = ALGORITHMS) -> dict[KeyName, Key]:
    return public_keys(json.dumps({"keys": keys}).encode(), algorithms)


def test_a_key_verifies_what_its_private_half_signed() -> None:
    keys = taken(RSA, EC)
    assert set(keys) == {("r", "RS256"), ("e", "ES256")}
    assert keys["r", "RS256"].verify(b"message", signature_of(rsa_key("a"))(b"message"))
    assert keys["e", "ES256"].verify(b"message", signature_of(ec_key("a"))(b"message"))
    assert not keys["e", "ES256"].verify(b"message", signature_of(ec_key("b"))(b"message"))


def test_keys_of_algorithms_that_are_not_allowed_are_left_out() -> None:
    assert set(taken(RSA, EC, algorithms=("ES256",))) == {("e", "ES256")}


@pytest.mark.parametrize(
    "more", [{"alg": "RS256"}, {"use": "sig"}, {"key_ops": ["verify"]}, {"x5c": ["x"], "x5t": 1}]
)
def test_matching_or_foreign_members_do_no_harm(more: dict[str, Any]) -> None:
    assert set(taken(RSA | more)) == {("r", "RS256")}


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
def test_an_rsa_key_is_left_out_for(more: dict[str, Any]) -> None:
    assert taken(RSA | more) == {}


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
def test_an_ec_key_is_left_out_for(more: dict[str, Any]) -> None:
    assert taken(EC | more) == {}


def test_small_rsa_keys_and_other_curves_are_left_out() -> None:
    small, other = public_jwk(rsa_key("small", 1024), "s"), public_jwk(ec_key("o", ec.SECP384R1), "o")
    assert taken(small, other) == {}


@pytest.mark.parametrize("missing", ["n", "e", "kty"])
def test_a_key_with_a_member_missing_is_left_out(missing: str) -> None:
    assert taken({name: value for name, value in RSA.items() if name != missing}) == {}


def test_what_is_no_key_at_all_is_left_out_and_the_others_stay() -> None:
    assert set(taken(None, 1, "x", [], {}, EC)) == {("e", "ES256")}


def test_of_two_keys_of_one_name_the_first_counts() -> None:
    keys = taken(EC, public_jwk(ec_key("b"), "e"))
    assert keys["e", "ES256"].verify(b"m", signature_of(ec_key("a"))(b"m"))


@pytest.mark.parametrize(
    "document", [b"", b"{", b"[]", b"{}", b'{"keys": {}}', b'{"keys": null}', b"\xff", b"[" * 5000, b"<html>"]
)
def test_what_is_no_key_set_is_an_error(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        public_keys(document, ALGORITHMS)
