"""The one accepted identity provider of user tokens, from the settings or the demo."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from core.auth.jwk import ALGORITHMS
from core.errors import StartupError
from core.loopback import is_loopback
from core.settings import Settings

SERVER_ISSUER: Final = "msp-graphql"
"""The `iss` of the tokens that this server signs itself. No identity provider may use it."""


@dataclass(frozen=True, slots=True)
class IssuerConfig:
    """The accepted issuer of tokens, and the values that their claims must have.

    Attributes:
        issuer: The exact `iss`.
        jwks_url: The URL of the keys: https, or http to this machine itself; None to discover it from the issuer.
        audiences: One of them must be in `aud`; if empty, `aud` is not checked.
        authorized_parties: One of them must be `azp`; if empty, `azp` is not checked.
        algorithms: A subset of RS256 and ES256.
    """

    issuer: str
    jwks_url: str | None
    audiences: tuple[str, ...] = ()
    authorized_parties: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ALGORITHMS

    @classmethod
    def from_settings(cls, settings: Settings) -> "IssuerConfig":
        """The configured issuer.

        Raises:
            StartupError: None is configured, or one that cannot be used; the message names the settings to
                change.
        """
        if not settings.oidc_issuer:
            raise StartupError("No identity provider is configured: set OIDC_ISSUER, or start with --demo.")
        if settings.oidc_issuer == SERVER_ISSUER:
            raise StartupError(f"OIDC_ISSUER must not be {SERVER_ISSUER!r}: the server's own tokens use it.")
        _require_clients(settings)
        return cls(
            issuer=settings.oidc_issuer,
            jwks_url=_resolve_jwks_url(settings),
            audiences=settings.oidc_audiences,
            authorized_parties=settings.oidc_authorized_parties,
            algorithms=_parse_algorithms(settings),
        )


def _parse_algorithms(settings: Settings) -> tuple[str, ...]:
    algorithms = settings.oidc_algorithms
    if not algorithms or not set(algorithms) <= set(ALGORITHMS):
        raise StartupError(f"OIDC_ALGORITHMS must be a list of algorithms from {', '.join(ALGORITHMS)}.")
    return algorithms


def _require_clients(settings: Settings) -> None:
    if not (settings.oidc_audiences or settings.oidc_authorized_parties or settings.oidc_any_client):
        raise StartupError(
            "Tokens of any client of the identity provider would be accepted: set OIDC_AUDIENCES or "
            "OIDC_AUTHORIZED_PARTIES, or OIDC_ANY_CLIENT=true if that is intended."
        )


def _resolve_jwks_url(settings: Settings) -> str | None:
    """The URL of the keys from the settings; None where the issuer's own description of itself is read."""
    if not is_acceptable_url(settings.oidc_jwks_url or settings.oidc_issuer or ""):
        raise StartupError(
            "The keys of the identity provider require an https URL (http is allowed only for this machine): "
            "set OIDC_JWKS_URL, or an OIDC_ISSUER with https."
        )
    return settings.oidc_jwks_url


def is_acceptable_url(url: str) -> bool:
    """Whether keys may be fetched from a URL: by https, or by http from this machine itself."""
    try:
        split_url = urlsplit(url)
        secure = split_url.scheme == "https" or (
            split_url.scheme == "http" and is_loopback(split_url.hostname or "")
        )
        return secure and bool(split_url.hostname) and split_url.username is None and split_url.port != 0
    except ValueError:
        return False
