"""What people and the platform do about agents over GraphQL: let them enrol, and for them enrol and check in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import structlog

from core.clock import now_ms
from core.errors import BadUserInputError, ConflictError, NotFoundError, UnauthenticatedError
from core.limits import ENROLLMENT_LIFETIME_MAX_S
from models.enums import AuditActor
from services.agents.beats import Refusal, Written, write_beats
from services.agents.enrollment import enrol
from services.agents.told import beat_of, device_of
from services.writes.complaints import graphql_name, refuse, require_storable
from services.writes.writing import Writing

_log = structlog.get_logger(__name__)

_SITE: Final = """
SELECT s.status = 'active' AS is_active FROM public.sites s
WHERE s.tenant_id = $1 AND s.id = $2 AND s.deleted_at IS NULL
"""

_LOCK: Final = "SELECT FROM public.agents WHERE id = $1 AND tenant_id = $2 FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class IssuedEnrollment:
    """A token with which agents enrol at a site until `expires_at`, in ms since the epoch."""

    token: str
    site_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class RegisteredAgent:
    """An agent that has enrolled, and the token that it is to check in with."""

    device_id: str
    guid: str
    token: str


async def create_enrollment_token(writing: Writing, site_id: str, lifetime_s: int) -> IssuedEnrollment:
    """Issue a token with which agents enrol at a site.

    Raises:
        ForbiddenError: The viewer may not write agents, or the server has no key.
        BadUserInputError: The time is too short or too long.
        NotFoundError: The tenant has no such site.
        ConflictError: The site is not active.
    """
    writing.require("Agents.Write", "Letting agents enrol")
    if not 0 < lifetime_s <= ENROLLMENT_LIFETIME_MAX_S:
        raise refuse("expires_in_seconds", f"must be between 1 and {ENROLLMENT_LIFETIME_MAX_S}")
    require_storable(site_id=site_id)
    site = await writing.row(_SITE, writing.tenant(), site_id)
    if site is None:
        raise NotFoundError(f"There is no such site: {site_id!r}")
    if not site["is_active"]:
        raise ConflictError("The site is not active, so that no agent could enrol there")
    token = writing.tokens.issue_enrollment(site_id, writing.tenant(), lifetime_s)
    _log.info("enrollment issued", site_id=site_id, user_id=writing.viewer.user_id, lifetime_s=lifetime_s)
    return IssuedEnrollment(token, site_id, now_ms() // 1000 * 1000 + lifetime_s * 1000)


async def register_agent(writing: Writing, given: Mapping[str, Any]) -> RegisteredAgent:
    """Enrol a device for the platform, as the agents' API does for an agent.

    Raises:
        ForbiddenError: It is not the platform.
        BadUserInputError: Something is missing or malformed.
        NotFoundError: The tenant has no such site.
        ConflictError: Site or tenant are not active, or the device is enrolled at another site.
    """
    writing.require_platform("Registering agents")
    with _Names():
        site_id, device = device_of(given)
    if await writing.row(_SITE, writing.tenant(), site_id) is None:
        raise NotFoundError(f"There is no such site: {site_id!r}")
    try:
        agent_id = await enrol(writing.transaction, writing.tenant(), site_id, device, AuditActor.PLATFORM)
    except UnauthenticatedError as error:  # an agent's token would be dead; the platform's is not
        raise ConflictError(error.message) from None
    return RegisteredAgent(agent_id, device.guid, writing.tokens.issue(agent_id, site_id, writing.tenant()))


async def check_in_agent(writing: Writing, agent_id: str, given: Mapping[str, Any]) -> str:
    """Check an agent in for the platform; returns its id.

    Raises:
        ForbiddenError: It is not the platform.
        BadUserInputError: Something is malformed.
        NotFoundError: The tenant has no such agent.
        ConflictError: Site or tenant are shut, or somebody holds the agent's row.
    """
    writing.require_platform("Checking agents in")
    require_storable(agent_id=agent_id)
    with _Names():
        beat = beat_of(given, agent_id, writing.tenant(), whole=False)
    await writing.rows(_LOCK, agent_id, writing.tenant())  # with more patience than that of check-ins
    try:
        answers = await write_beats(writing.transaction.connection, [beat])
    except asyncpg.LockNotAvailableError as error:
        raise ConflictError("Somebody else is changing the agent; try again") from error
    match answers[agent_id]:
        case Written():
            return agent_id
        case Refusal.GONE:
            raise NotFoundError(f"There is no such agent: {agent_id!r}")
        case _:
            raise ConflictError("The agent's site is archived, or its tenant is not active")


class _Names:
    """Tells of bad fields by the names that GraphQL's clients know."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """Rename the fields of an error."""
        if isinstance(error, BadUserInputError):
            error.fields = {graphql_name(name): problem for name, problem in error.fields.items()}
            said = "; ".join(f"`{name}` {problem}" for name, problem in error.fields.items())
            error.message = f"The input is not good: {said}"
            error.args = (error.message,)
