"""`createEnrollmentToken`, and the platform's forms of the agents' own calls: `registerAgent`, `agentCheckin`."""

from typing import Any, Final

import strawberry
from strawberry.scalars import ID

from core.limits import AGENT_TEXT_MAX_CHARS, AGENT_WORD_MAX_CHARS, ENROLLMENT_LIFETIME_MAX_S
from schema.agents import AGENTS
from schema.connections import argument
from schema.mutation_field import Arguments, MutationField
from schema.scalars import Timestamp
from services.agents.mutations import (
    IssuedEnrollment,
    RegisteredAgent,
    check_in_agent,
    create_enrollment_token,
    register_agent,
)
from services.writes.write_context import WriteContext

_LONG: Final = f"at most {AGENT_TEXT_MAX_CHARS} characters"
_SHORT: Final = f"at most {AGENT_WORD_MAX_CHARS} characters"


def _declare_optional(about: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=about)


@strawberry.input(description="The data of a device that enrolls.")
class RegisterAgentInput:
    site_id: ID = strawberry.field(description="The site of the device. It must be active.")
    hostname: str = strawberry.field(description=f"The host name: {_LONG}.")
    platform: str = strawberry.field(description=f"The operating system: {_SHORT}.")
    version: str = strawberry.field(description=f"The version of the agent: {_SHORT}.")
    guid: str | None = _declare_optional(
        "The unique identifier of the device. If omitted, it is derived from the MAC address and the site, "
        "or from the host name and the site."
    )
    mac: str | None = _declare_optional("The MAC address.")
    serial: str | None = _declare_optional("The serial number. It is not stored.")
    ip_address: str | None = _declare_optional("The IP address in the local network.")
    ext_address: str | None = _declare_optional("The public IP address.")


@strawberry.input(description="The data of a check-in. An omitted field keeps its value.")
class AgentCheckinInput:
    hostname: str | None = _declare_optional(f"The host name of the device: {_LONG}.")
    version: str | None = _declare_optional(f"The version of the agent: {_SHORT}.")
    ip_address: str | None = _declare_optional("The IP address in the local network.")
    ext_address: str | None = _declare_optional("The public IP address.")
    mac_address: str | None = _declare_optional("The MAC address.")


@strawberry.type(description="A token with which agents enroll.")
class EnrollmentTokenPayload:
    id: ID = strawberry.field(description="The id of the IssuedCredential. `revokeCredential` takes it.")
    token: str = strawberry.field(description="The token. It is shown once and is valid until `expiresAt`.")
    site_id: ID = strawberry.field(description="The site at which agents enroll.")
    expires_at: Timestamp = strawberry.field(description="The expiry time.")


@strawberry.type(description="An enrolled agent.")
class RegisterAgentPayload:
    device_id: ID = strawberry.field(description="The id of the Agent.")
    guid: str = strawberry.field(description="The identifier of the device, unique within the tenant.")
    token: str = strawberry.field(description="The bearer token of the agent for its check-ins.")


async def _create_token(writing: WriteContext, given: Arguments) -> IssuedEnrollment:
    return await create_enrollment_token(writing, given["site_id"], given["expires_in_seconds"])


async def _register_agent(writing: WriteContext, given: Arguments) -> RegisteredAgent:
    return await register_agent(writing, given["input"])


async def _check_in_agent(writing: WriteContext, given: Arguments) -> list[str]:
    return [await check_in_agent(writing, given["id"], given.get("input") or {})]


AGENT_MUTATIONS: Final = (
    MutationField(
        name="createEnrollmentToken",
        about=(
            "Creates a token with which agents enroll at a Site by `POST /v1.0/register`. Requires the right "
            "`Agents.Write`."
        ),
        arguments=[
            argument("site_id", ID, "The id of the Site. It must be active."),
            argument(
                "expires_in_seconds",
                int,
                f"The lifetime of the token in seconds, at most {ENROLLMENT_LIFETIME_MAX_S} (30 days).",
            ),
        ],
        run=_create_token,
        payload=EnrollmentTokenPayload,
    ),
    MutationField(
        name="registerAgent",
        about=(
            "Enrolls a device, as its agent does by `POST /v1.0/register`. A device that enrolled before "
            "keeps its Agent. Only the platform may use it."
        ),
        arguments=[argument("input", RegisterAgentInput, "The data of the device.")],
        run=_register_agent,
        payload=RegisterAgentPayload,
    ),
    MutationField(
        name="agentCheckin",
        about=(
            "Records a check-in of an Agent, as the agent does by `POST /v1.0/heartbeat`. Only the platform "
            "may use it."
        ),
        arguments=[
            argument("id", ID, "The id of the Agent."),
            argument("input", AgentCheckinInput | None, "The data of the check-in."),
        ],
        run=_check_in_agent,
        table=AGENTS,
    ),
)
