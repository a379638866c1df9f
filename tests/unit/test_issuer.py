"""Which identity providers the settings may name."""

from typing import Any

import pytest

from core.errors import StartupError
from core.issuer import SERVER_ISSUER, IssuerConfig
from core.settings import Settings


def config(**settings: Any) -> IssuerConfig:
    return IssuerConfig.from_settings(Settings(**settings))


def test_the_key_set_is_where_the_issuer_is_unless_said_otherwise() -> None:
    assert config(oidc_issuer="https://a.example/x/").jwks_url == "https://a.example/x/.well-known/jwks.json"
    elsewhere = config(oidc_issuer="https://a.example/", oidc_jwks_url="https://b.example/keys")
    assert (elsewhere.issuer, elsewhere.jwks_url) == ("https://a.example/", "https://b.example/keys")


def test_what_is_checked_is_what_is_set() -> None:
    made = config(
        oidc_issuer="https://a.example",
        oidc_audiences=("x",),
        oidc_authorized_parties=("y",),
        oidc_algorithms=("ES256",),
    )
    assert (made.audiences, made.authorized_parties, made.algorithms) == (("x",), ("y",), ("ES256",))


@pytest.mark.parametrize("issuer", [None, ""])
def test_none_at_all_says_what_to_set(issuer: Any) -> None:
    with pytest.raises(StartupError, match=r"OIDC_ISSUER.*--demo"):
        config(oidc_issuer=issuer)


def test_the_servers_own_name_is_not_to_be_had() -> None:
    with pytest.raises(StartupError, match=SERVER_ISSUER):
        config(oidc_issuer=SERVER_ISSUER, oidc_jwks_url="https://a.example/keys")


@pytest.mark.parametrize("algorithms", [(), ("HS256",), ("RS256", "none"), ("rs256",)])
def test_other_algorithms_are_not_to_be_had(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(StartupError, match="OIDC_ALGORITHMS"):
        config(oidc_issuer="https://a.example", oidc_algorithms=algorithms)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9", "[::1]:9"])
def test_http_reaches_this_machine(host: str) -> None:
    assert config(oidc_issuer="x", oidc_jwks_url=f"http://{host}/keys").jwks_url == f"http://{host}/keys"


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/keys",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "ftp://a.example/",
        "https://",
        "https:///keys",
        "https://user:password@a.example/",
        "https://[::1/",
        "https://a.example:99999/",
        "a.example",
        "//a.example",
    ],
)
def test_other_addresses_do_not(url: str) -> None:
    with pytest.raises(StartupError, match="OIDC_JWKS_URL"):
        config(oidc_issuer="https://a.example", oidc_jwks_url=url)


def test_an_issuer_that_is_no_address_needs_one_for_its_keys() -> None:
    with pytest.raises(StartupError, match="OIDC_JWKS_URL"):
        config(oidc_issuer="accounts.example")
