"""Discovery of an issuer's key set (OpenID Connect Discovery 1.0, section 4)."""

from typing import Any

import orjson

from core.auth.issuer import is_acceptable_url


def build_discovery_url(issuer: str) -> str:
    """Where the issuer describes itself."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def build_usual_jwks_url(issuer: str) -> str:
    """Where the keys of an issuer usually are that does not describe itself."""
    return f"{issuer.rstrip('/')}/.well-known/jwks.json"


def parse_jwks_url(document: bytes, issuer: str) -> str:
    """The address of the key set in an issuer's description of itself.

    Raises:
        ValueError: The description is malformed or of another issuer, or the keys are at a less secure address.
    """
    description: Any = orjson.loads(document)
    if not isinstance(description, dict):
        raise ValueError("the description of the issuer is no object")  # noqa: TRY004 - malformed input
    named, url = description.get("issuer"), description.get("jwks_uri")
    if named != issuer:
        raise ValueError(f"the provider calls itself {named!r:.200}, and OIDC_ISSUER is {issuer!r}")
    if not isinstance(url, str) or not is_acceptable_url(url):
        raise ValueError("its `jwks_uri` is no https address")
    if issuer.startswith("https:") and not url.startswith("https:"):
        raise ValueError("its `jwks_uri` is no https address")
    return url
