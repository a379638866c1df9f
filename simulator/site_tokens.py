"""Enrolment tokens for a fleet: those that were given, or made by the platform at sites of a demo."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from core.errors import StartupError, UnauthenticatedError
from core.jwt import parse
from core.limits import ENROLLMENTS_AT_ONCE, PAGE_MAX
from simulator.line import CallFailedError, Line
from simulator.origin import Origin

_LIFETIME_S: Final = 3_600

_AGENTS_A_SITE: Final = 20
"""As in the field; a larger fleet than the sites have room for makes them larger."""

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
    """An enrolment token and the site that it is for."""

    site_id: str
    token: str


def given(tokens: Sequence[str]) -> list[SiteToken]:
    """Tokens from the command line, with the sites that they name.

    Raises:
        StartupError: One is no token.
    """
    try:
        return [SiteToken(str(parse(token).claims["sub"]), token) for token in tokens]
    except (UnauthenticatedError, KeyError):
        raise StartupError(
            "--enrollment-token takes what the mutation createEnrollmentToken answers."
        ) from None


async def made(origin: Origin, platform: str, agents: int) -> list[SiteToken]:
    """Tokens made with a platform token: enough for so many agents, spread over active sites of all active tenants.

    Raises:
        StartupError: The server cannot be reached, refuses, or has no active site.
    """
    api = _GraphQL(origin, platform)
    try:
        sites = await _sites(api, math.ceil(agents / _AGENTS_A_SITE))
        if not sites:
            raise StartupError("The server has no active site to enrol agents at.")
        count = max(len(sites), math.ceil(agents / ENROLLMENTS_AT_ONCE))
        return [await _made(api, *sites[at % len(sites)]) for at in range(count)]
    finally:
        api.close()


async def _sites(api: "_GraphQL", wanted: int) -> list[tuple[str, str]]:
    """Up to so many sites, each tenant's and its own id."""
    tenants = (await api.ask(_TENANTS, {"first": min(wanted, PAGE_MAX)}))["tenants"]["nodes"]
    first = min(math.ceil(wanted / max(1, len(tenants))), PAGE_MAX)
    return [
        (tenant["id"], site["id"])
        for tenant in tenants
        for site in (await api.ask(_SITES, {"first": first}, tenant["id"]))["sites"]["nodes"]
    ][:wanted]


async def _made(api: "_GraphQL", tenant: str, site: str) -> SiteToken:
    answer = await api.ask(_MAKE, {"site": site, "seconds": _LIFETIME_S}, tenant)
    return SiteToken(site, answer["createEnrollmentToken"]["token"])


class _GraphQL:
    """The server's GraphQL, asked as the platform."""

    def __init__(self, origin: Origin, token: str) -> None:
        self._origin = origin
        self._token = token
        self._line = Line(origin)

    async def ask(self, query: str, variables: dict[str, Any], tenant: str | None = None) -> Any:
        """The `data` of an answer without errors."""
        body, headers = {"query": query, "variables": variables}, {"X-Tenant-Id": tenant} if tenant else {}
        try:
            answer = await self._line.ask(self._origin.post("/graphql", self._token, body, headers))
        except CallFailedError as error:
            raise StartupError(f"The server does not answer: {error.reason}.") from error
        try:
            told = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            told = {}
        if answer.status != 200 or "errors" in told or told.get("data") is None:
            message = next((error["message"] for error in told.get("errors", ())), f"status {answer.status}")
            raise StartupError(f"The server makes no enrolment tokens: {message}")
        return told["data"]

    def close(self) -> None:
        """Hang up."""
        self._line.close()
