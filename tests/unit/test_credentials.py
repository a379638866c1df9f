"""The Authorization header and X-Tenant-Id."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from api.credentials import parse_bearer_token, read_credentials
from core.errors import UnauthenticatedError


def build_headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.lower().encode(), value.encode("latin-1")) for name, value in pairs])


def test_read_credentials_without_authorization_is_none() -> None:
    assert read_credentials(build_headers(("Accept", "x"))) is None


@pytest.mark.parametrize(
    "value", ["Bearer a.b-c_d.e", "bearer a.b-c_d.e", "BEARER   a.b-c_d.e", " Bearer a.b-c_d.e "]
)
def test_read_credentials_of_bearer_header_gives_its_token(value: Any) -> None:
    shown = read_credentials(build_headers(("AUTHORIZATION", value)))
    assert shown is not None
    assert (shown.token, shown.tenant_id) == ("a.b-c_d.e", None)


def test_read_credentials_with_tenant_header_gives_both() -> None:
    shown = read_credentials(build_headers(("Authorization", "Bearer abc"), ("x-tenant-id", "t1")))
    assert shown is not None
    assert (shown.token, shown.tenant_id) == ("abc", "t1")


def test_read_credentials_with_empty_tenant_is_not_none() -> None:
    shown = read_credentials(build_headers(("Authorization", "Bearer abc"), ("X-Tenant-Id", "")))
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
def test_read_credentials_of_other_value_is_refused_and_not_repeated(value: Any) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        read_credentials(build_headers(("Authorization", value)))
    assert caught.value.message == "The header Authorization must be `Bearer <token>` with exactly one token."


@pytest.mark.parametrize("name", ["Authorization", "X-Tenant-Id"])
def test_read_credentials_of_repeated_header_is_refused(name: str) -> None:
    token = ("Authorization", "Bearer abc")
    twice = [token, token] if name == "Authorization" else [token, (name, "t1"), (name, "t1")]
    with pytest.raises(UnauthenticatedError, match=name):
        read_credentials(build_headers(*twice))


def test_read_credentials_of_tenant_without_token_is_refused() -> None:
    with pytest.raises(UnauthenticatedError, match="X-Tenant-Id"):
        read_credentials(build_headers(("X-Tenant-Id", "t1")))


def test_credentials_repr_has_no_token() -> None:
    shown = read_credentials(build_headers(("Authorization", "Bearer secret")))
    assert "secret" not in repr(shown)


@given(st.text())
def test_parse_bearer_token_of_any_text_gives_a_token_or_refuses(value: Any) -> None:
    try:
        token = parse_bearer_token(value)
    except UnauthenticatedError:
        return
    assert token in value
    assert token.isascii()
