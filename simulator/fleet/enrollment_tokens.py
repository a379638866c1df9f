"""Enrollment tokens for a fleet: the given ones, or new ones that the platform creates at sites of a demo."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.auth.jwt import parse_token
from core.errors import StartupError, UnauthenticatedError
from core.limits import ENROLLMENTS_BURST, PAGE_MAX
from simulator.fleet.http_connection import CallFailedError, HttpConnection
from simulator.fleet.server_address import ServerAddress

_LIFETIME_S: Final = 3_600

_AGENTS_A_SITE: Final = 20
"""As in the field. If a fleet is larger than this allows, each site gets more."""

_TENANTS: Final = """
query ($first: Int!) {
  tenants(first: $first, where: {status: {eq: ACTIVE}}, orderBy: [{field: ID}]) { nodes { id } }
}
"""

_SITES: Final = """
query ($first: Int!) {
  sites(first: $first, where: {status: {eq: ACTIVE}}, orderBy: [{field: ID}]) { nodes { id } }
}
"""

_MAKE: Final = """
mutation ($site: ID!, $seconds: Int!) {
  createEnrollmentToken(siteId: $site, expiresInSeconds: $seconds) { token }
}
"""


@dataclass(frozen=True, slots=True)
class SiteToken:
    """An enrollment token and its site."""

    site_id: str
    token: str


def read_tokens(tokens: Sequence[str]) -> list[SiteToken]:
    """Parse tokens from the command line, with the sites that they name.

    Raises:
        StartupError: One is not a token.
    """
    try:
        return [SiteToken(str(parse_token(token).claims["sub"]), token) for token in tokens]
    except (UnauthenticatedError, KeyError):
        raise StartupError(
            "--enrollment-token must be a token that the mutation createEnrollmentToken returns."
        ) from None


async def create_tokens(origin: ServerAddress, platform: str, agents: int) -> list[SiteToken]:
    """Create tokens with a platform token, enough for this many agents, at active sites of all active tenants.

    Raises:
        StartupError: The server cannot be reached, refuses, or has no active site.
    """
    api = _GraphQLClient(origin, platform)
    try:
        sites = await _load_sites(api, math.ceil(agents / _AGENTS_A_SITE))
        if not sites:
            raise StartupError("The server has no active site for the enrollment of agents.")
        count = max(len(sites), math.ceil(agents / ENROLLMENTS_BURST))
        return [await _create_token(api, *sites[at % len(sites)]) for at in range(count)]
    finally:
        api.close()


async def _load_sites(api: "_GraphQLClient", wanted: int) -> list[tuple[str, str]]:
    """Up to this many sites, each with its tenant's id and its own."""
    tenants = (await api.query(_TENANTS, {"first": min(wanted, PAGE_MAX)}))["tenants"]["nodes"]
    first = min(math.ceil(wanted / max(1, len(tenants))), PAGE_MAX)
    return [
        (tenant["id"], site["id"])
        for tenant in tenants
        for site in (await api.query(_SITES, {"first": first}, tenant["id"]))["sites"]["nodes"]
    ][:wanted]


async def _create_token(api: "_GraphQLClient", tenant: str, site: str) -> SiteToken:
    answer = await api.query(_MAKE, {"site": site, "seconds": _LIFETIME_S}, tenant)
    return SiteToken(site, answer["createEnrollmentToken"]["token"])


class _GraphQLClient:
    """GraphQL requests to the server as the platform."""

    def __init__(self, origin: ServerAddress, token: str) -> None:
        self._origin = origin
        self._token = token
        self._line = HttpConnection(origin)

    async def query(self, query: str, variables: dict[str, Any], tenant: str | None = None) -> Any:
        """Send a query; returns the `data` of a response without errors."""
        body, headers = {"query": query, "variables": variables}, {"X-Tenant-Id": tenant} if tenant else {}
        try:
            answer = await self._line.send_request(
                self._origin.build_post("/graphql", self._token, body, headers)
            )
        except CallFailedError as error:
            raise StartupError(
                f"The server at {self._origin.url} does not respond: {error.reason}."
            ) from error
        try:
            error_message = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            error_message = {}
        if answer.status != 200 or "errors" in error_message or error_message.get("data") is None:
            message = next(
                (error["message"] for error in error_message.get("errors", ())), f"status {answer.status}"
            )
            raise StartupError(f"The server does not create enrollment tokens: {message}")
        return error_message["data"]

    def close(self) -> None:
        """Close the connection."""
        self._line.close()
