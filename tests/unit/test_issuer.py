"""Which identity providers the settings may name."""

from typing import Any

import pytest

from core.auth.issuer import SERVER_ISSUER, IssuerConfig
from core.errors import StartupError
from core.settings import Settings


def build_config(**settings: Any) -> IssuerConfig:
    return IssuerConfig.from_settings(Settings(**{"oidc_audiences": ("us",)} | settings))


@pytest.mark.parametrize("given", [{"oidc_authorized_parties": ("a",)}, {"oidc_any_client": True}])
def test_issuer_config_with_one_check_of_clients_or_none_on_purpose_is_accepted(given: Any) -> None:
    assert build_config(oidc_issuer="https://a.example", oidc_audiences=(), **given).audiences == ()


def test_issuer_config_for_any_client_by_omission_is_refused() -> None:
    with pytest.raises(StartupError, match=r"OIDC_AUDIENCES.*OIDC_AUTHORIZED_PARTIES.*OIDC_ANY_CLIENT=true"):
        build_config(oidc_issuer="https://a.example", oidc_audiences=())


def test_issuer_config_without_jwks_url_leaves_it_to_discovery() -> None:
    assert build_config(oidc_issuer="https://a.example/x/").jwks_url is None
    elsewhere = build_config(oidc_issuer="https://a.example/", oidc_jwks_url="https://b.example/keys")
    assert (elsewhere.issuer, elsewhere.jwks_url) == ("https://a.example/", "https://b.example/keys")


def test_issuer_config_takes_checks_from_settings() -> None:
    made = build_config(
        oidc_issuer="https://a.example",
        oidc_audiences=("x",),
        oidc_authorized_parties=("y",),
        oidc_algorithms=("ES256",),
    )
    assert (made.audiences, made.authorized_parties, made.algorithms) == (("x",), ("y",), ("ES256",))


@pytest.mark.parametrize("issuer", [None, ""])
def test_issuer_config_without_issuer_names_what_to_set(issuer: Any) -> None:
    with pytest.raises(StartupError, match=r"OIDC_ISSUER.*--demo"):
        build_config(oidc_issuer=issuer)


def test_issuer_config_with_the_servers_own_name_is_refused() -> None:
    with pytest.raises(StartupError, match=SERVER_ISSUER):
        build_config(oidc_issuer=SERVER_ISSUER, oidc_jwks_url="https://a.example/keys")


@pytest.mark.parametrize("algorithms", [(), ("HS256",), ("RS256", "none"), ("rs256",)])
def test_issuer_config_unsupported_algorithm_is_refused(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(StartupError, match="OIDC_ALGORITHMS"):
        build_config(oidc_issuer="https://a.example", oidc_algorithms=algorithms)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9", "[::1]:9"])
def test_issuer_config_http_jwks_url_on_loopback_is_accepted(host: str) -> None:
    assert (
        build_config(oidc_issuer="x", oidc_jwks_url=f"http://{host}/keys").jwks_url == f"http://{host}/keys"
    )


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
def test_issuer_config_unsafe_jwks_url_is_refused(url: str) -> None:
    with pytest.raises(StartupError, match="OIDC_JWKS_URL"):
        build_config(oidc_issuer="https://a.example", oidc_jwks_url=url)


def test_issuer_config_issuer_that_is_no_url_needs_jwks_url() -> None:
    with pytest.raises(StartupError, match="OIDC_JWKS_URL"):
        build_config(oidc_issuer="accounts.example")
