"""Operations on agents over GraphQL: issue enrollment tokens; enroll and check in agents for the platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import structlog

from core.case_conversion import to_camel_case
from core.clock import now_ms
from core.errors import BadUserInputError, ConflictError, NotFoundError, UnauthenticatedError
from core.ids import generate_id
from core.limits import ENROLLMENT_LIFETIME_MAX_S
from models.enums import CredentialKind
from services.agents.check_in import CheckInRefusal, WrittenCheckIn, write_check_ins
from services.agents.enrollment import enroll_device
from services.agents.request_fields import parse_check_in, parse_device
from services.writes.audit import get_actor
from services.writes.issued_credentials import Credential, record_credential
from services.writes.validation_errors import build_field_error, require_storable_texts
from services.writes.write_context import WriteContext

_log = structlog.get_logger(__name__)

_SELECT_SITE: Final = """
SELECT s.status = 'active' AS is_active FROM public.sites s
WHERE s.tenant_id = $1 AND s.id = $2 AND s.deleted_at IS NULL
"""

_LOCK_AGENT: Final = "SELECT FROM public.agents WHERE id = $1 AND tenant_id = $2 FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class IssuedEnrollment:
    """A token with which agents enroll at a site until `expires_at`, in ms since the epoch; `id` is its `jti`."""

    id: str
    token: str
    site_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class RegisteredAgent:
    """An enrolled agent, and the token with which it checks in."""

    device_id: str
    guid: str
    token: str


async def create_enrollment_token(writing: WriteContext, site_id: str, lifetime_s: int) -> IssuedEnrollment:
    """Issue a token with which agents enroll at a site.

    Raises:
        ForbiddenError: The viewer may not write agents, or the server has no key.
        BadUserInputError: The lifetime is too short or too long.
        NotFoundError: The tenant has no such site.
        ConflictError: The site is not active.
    """
    writing.require_right("Agents.Write", "Creating enrollment tokens")
    if not 0 < lifetime_s <= ENROLLMENT_LIFETIME_MAX_S:
        raise build_field_error("expires_in_seconds", f"must be between 1 and {ENROLLMENT_LIFETIME_MAX_S}")
    require_storable_texts(site_id=site_id)
    site = await writing.fetch_row(_SELECT_SITE, writing.require_tenant(), site_id)
    if site is None:
        raise NotFoundError(f"No such site: {site_id!r}")
    if not site["is_active"]:
        raise ConflictError("The site must be active, so that agents can enroll there")
    expires_at = now_ms() // 1000 * 1000 + lifetime_s * 1000
    credential = Credential(generate_id(), CredentialKind.ENROLLMENT, expires_at, site_id=site_id)
    token = writing.tokens.issue_enrollment_token(
        site_id, writing.require_tenant(), lifetime_s, credential.id
    )
    await record_credential(writing.transaction, writing.require_tenant(), get_actor(writing), credential)
    _log.info("enrollment issued", site_id=site_id, user_id=writing.viewer.user_id, lifetime_s=lifetime_s)
    return IssuedEnrollment(credential.id, token, site_id, expires_at)


async def register_agent(writing: WriteContext, given: Mapping[str, Any]) -> RegisteredAgent:
    """Enroll a device for the platform, as the agents' API does for an agent.

    Raises:
        ForbiddenError: The viewer is not the platform.
        BadUserInputError: Something is missing or malformed.
        NotFoundError: The tenant has no such site.
        ConflictError: Site or tenant is not active, the device is enrolled at another site, or a person must
            approve the new enrollment.
    """
    writing.require_platform("Registering agents")
    with _GraphQLFieldNames():
        site_id, device = parse_device(given)
    if await writing.fetch_row(_SELECT_SITE, writing.require_tenant(), site_id) is None:
        raise NotFoundError(f"No such site: {site_id!r}")
    try:
        done = await enroll_device(
            writing.transaction, writing.require_tenant(), site_id, device, get_actor(writing)
        )
    except UnauthenticatedError as error:  # here an agent's token would be invalid; the platform's is valid
        raise ConflictError(error.message) from None
    token = writing.tokens.issue_agent_token(done.agent_id, site_id, writing.require_tenant(), done.token_id)
    return RegisteredAgent(done.agent_id, done.guid, token)


async def check_in_agent(writing: WriteContext, agent_id: str, given: Mapping[str, Any]) -> str:
    """Check an agent in for the platform; returns the agent's id.

    Raises:
        ForbiddenError: The viewer is not the platform.
        BadUserInputError: Something is malformed.
        NotFoundError: The tenant has no such agent.
        ConflictError: Site or tenant is not active, or another transaction has locked the agent's row.
    """
    writing.require_platform("Checking agents in")
    require_storable_texts(agent_id=agent_id)
    with _GraphQLFieldNames():
        check_in = parse_check_in(given, agent_id, writing.require_tenant(), is_complete=False)
    await writing.fetch_rows(
        _LOCK_AGENT, agent_id, writing.require_tenant()
    )  # waits longer than the check-ins do
    try:
        answers = await write_check_ins(writing.transaction.connection, [check_in])
    except asyncpg.LockNotAvailableError as error:
        raise ConflictError("Another transaction is changing the agent; try again") from error
    match answers[agent_id]:
        case WrittenCheckIn():
            return agent_id
        case CheckInRefusal.GONE:
            raise NotFoundError(f"No such agent: {agent_id!r}")
        case _:
            raise ConflictError("The agent's site is archived, or its tenant is not active")


class _GraphQLFieldNames:
    """A context manager that renames the fields of an error to their GraphQL names."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """Rename the fields of an error."""
        if isinstance(error, BadUserInputError):
            error.fields = {to_camel_case(name): problem for name, problem in error.fields.items()}
            said = "; ".join(f"`{name}` {problem}" for name, problem in error.fields.items())
            error.message = f"Invalid input: {said}"
            error.args = (error.message,)
