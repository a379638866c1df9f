"""The Authorization header and X-Tenant-Id."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from api.bearer import bearer_token, credentials
from core.errors import UnauthenticatedError


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.lower().encode(), value.encode("latin-1")) for name, value in pairs])


def test_nobody() -> None:
    assert credentials(headers(("Accept", "x"))) is None


@pytest.mark.parametrize(
    "value", ["Bearer a.b-c_d.e", "bearer a.b-c_d.e", "BEARER   a.b-c_d.e", " Bearer a.b-c_d.e "]
)
def test_a_token(value: Any) -> None:
    shown = credentials(headers(("AUTHORIZATION", value)))
    assert shown is not None
    assert (shown.token, shown.tenant_id) == ("a.b-c_d.e", None)


def test_a_tenant_with_it() -> None:
    shown = credentials(headers(("Authorization", "Bearer abc"), ("x-tenant-id", "t1")))
    assert shown is not None
    assert (shown.token, shown.tenant_id) == ("abc", "t1")


def test_an_empty_tenant_is_not_none() -> None:
    shown = credentials(headers(("Authorization", "Bearer abc"), ("X-Tenant-Id", "")))
    assert shown is not None
    assert shown.tenant_id == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "abc",
        "Basic YTpi",
        "Bearer a b",
        "Bearer a, Bearer b",
        "Bearer a,b",
        "Bearer\tabc",
        "Bearerabc",
        "Bearer: abc",
        'Bearer "abc"',
        "Bearer abc\n",
        "Bearer \xe9",
        "Bearer =a",
        "Token abc",
        "Bearer Bearer abc",
    ],
)
def test_anything_else_is_refused_and_not_repeated(value: Any) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        credentials(headers(("Authorization", value)))
    assert caught.value.message == "The Authorization header must be `Bearer` and one token."


@pytest.mark.parametrize("name", ["Authorization", "X-Tenant-Id"])
def test_a_header_that_stands_twice_is_refused(name: str) -> None:
    token = ("Authorization", "Bearer abc")
    twice = [token, token] if name == "Authorization" else [token, (name, "t1"), (name, "t1")]
    with pytest.raises(UnauthenticatedError, match=name):
        credentials(headers(*twice))


def test_a_tenant_without_a_token_is_refused() -> None:
    with pytest.raises(UnauthenticatedError, match="X-Tenant-Id"):
        credentials(headers(("X-Tenant-Id", "t1")))


def test_a_token_is_not_shown() -> None:
    shown = credentials(headers(("Authorization", "Bearer secret")))
    assert "secret" not in repr(shown)


@given(st.text())
def test_no_value_makes_anything_but_a_token_or_a_refusal(value: Any) -> None:
    try:
        token = bearer_token(value)
    except UnauthenticatedError:
        return
    assert token in value
    assert token.isascii()
