"""The one identity provider whose user tokens are taken, as the settings or the demo give it."""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from core.errors import StartupError
from core.jwk import ALGORITHMS
from core.settings import Settings

SERVER_ISSUER: Final = "msp-graphql"
"""The `iss` of the tokens that this server signs itself; no identity provider may bear it."""


@dataclass(frozen=True, slots=True)
class IssuerConfig:
    """Whose tokens are taken and what their claims must say.

    Attributes:
        issuer: the exact `iss`.
        jwks_url: where the keys are; https, or http to this machine itself.
        audiences: any one must be among `aud`; empty: `aud` is not looked at.
        authorized_parties: any one must be `azp`; empty: `azp` is not looked at.
        algorithms: a subset of RS256 and ES256.
    """

    issuer: str
    jwks_url: str
    audiences: tuple[str, ...] = ()
    authorized_parties: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ALGORITHMS

    @classmethod
    def from_settings(cls, settings: Settings) -> "IssuerConfig":
        """The configured issuer.

        Raises:
            StartupError: if none is configured, or one that cannot be taken; the message says what to set.
        """
        if not settings.oidc_issuer:
            raise StartupError("No identity provider is configured: set OIDC_ISSUER, or start with --demo.")
        if settings.oidc_issuer == SERVER_ISSUER:
            raise StartupError(f"OIDC_ISSUER must not be {SERVER_ISSUER!r}: the server's own tokens bear it.")
        return cls(
            issuer=settings.oidc_issuer,
            jwks_url=_jwks_url(settings),
            audiences=settings.oidc_audiences,
            authorized_parties=settings.oidc_authorized_parties,
            algorithms=_algorithms(settings),
        )


def _algorithms(settings: Settings) -> tuple[str, ...]:
    algorithms = settings.oidc_algorithms
    if not algorithms or not set(algorithms) <= set(ALGORITHMS):
        raise StartupError(f"OIDC_ALGORITHMS must be a list of some of {', '.join(ALGORITHMS)}.")
    return algorithms


def _jwks_url(settings: Settings) -> str:
    url = settings.oidc_jwks_url or f"{(settings.oidc_issuer or '').rstrip('/')}/.well-known/jwks.json"
    try:
        parts = urlsplit(url)
        acceptable = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts))
        acceptable = acceptable and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        acceptable = False
    if not acceptable:
        raise StartupError(
            "The identity provider's keys need an https address (http to this machine alone): "
            "set OIDC_JWKS_URL, or an https OIDC_ISSUER."
        )
    return url


def _is_loopback(parts: SplitResult) -> bool:
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
