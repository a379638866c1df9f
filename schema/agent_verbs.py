"""`createEnrollmentToken`, and what the agents' own API does for the platform: `registerAgent`, `agentCheckin`."""

from typing import Any, Final

import strawberry
from strawberry.scalars import ID

from core.limits import AGENT_TEXT_MAX_CHARS, AGENT_WORD_MAX_CHARS, ENROLLMENT_LIFETIME_MAX_S
from schema.agents import AGENTS
from schema.connections import argument
from schema.mutation_field import Arguments, MutationField
from schema.scalars import Timestamp
from services.agents.verbs import (
    IssuedEnrollment,
    RegisteredAgent,
    check_in_agent,
    create_enrollment_token,
    register_agent,
)
from services.writes.writing import Writing

_LONG: Final = f"{AGENT_TEXT_MAX_CHARS} characters at most"
_SHORT: Final = f"{AGENT_WORD_MAX_CHARS} characters at most"


def _optional(about: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=about)


@strawberry.input(description="What a device tells when it enrols.")
class RegisterAgentInput:
    site_id: ID = strawberry.field(description="The site where it is; it must be active.")
    hostname: str = strawberry.field(description=f"Its host name, {_LONG}.")
    platform: str = strawberry.field(description=f"Its operating system, {_SHORT}.")
    version: str = strawberry.field(description=f"The agent's version, {_SHORT}.")
    guid: str | None = _optional(
        "What tells it from others; made of MAC and site, or of host name and site, if left out."
    )
    mac: str | None = _optional("Its hardware address.")
    serial: str | None = _optional("Its serial number, which is not kept.")
    ip_address: str | None = _optional("Its address in the local network.")
    ext_address: str | None = _optional("The address that it is seen under from outside.")


@strawberry.input(description="What an agent tells when it checks in; what is left out stays what it was.")
class AgentCheckinInput:
    hostname: str | None = _optional(f"The device's host name, {_LONG}.")
    version: str | None = _optional(f"The agent's version, {_SHORT}.")
    ip_address: str | None = _optional("Its address in the local network.")
    ext_address: str | None = _optional("The address that it is seen under from outside.")
    mac_address: str | None = _optional("Its hardware address.")


@strawberry.type(description="A token with which agents enrol.")
class EnrollmentTokenPayload:
    token: str = strawberry.field(
        description="The token; it is shown once, and can be used until it expires."
    )
    site_id: ID = strawberry.field(description="The site that agents enrol at.")
    expires_at: Timestamp = strawberry.field(description="When it expires.")


@strawberry.type(description="An agent that has enrolled.")
class RegisterAgentPayload:
    device_id: ID = strawberry.field(description="The Agent's id.")
    guid: str = strawberry.field(description="What tells the device from others; unique in the tenant.")
    token: str = strawberry.field(description="What the agent proves itself by when it checks in.")


async def _token(writing: Writing, given: Arguments) -> IssuedEnrollment:
    return await create_enrollment_token(writing, given["site_id"], given["expires_in_seconds"])


async def _register(writing: Writing, given: Arguments) -> RegisteredAgent:
    return await register_agent(writing, given["input"])


async def _check_in(writing: Writing, given: Arguments) -> list[str]:
    return [await check_in_agent(writing, given["id"], given.get("input") or {})]


AGENT_VERBS: Final = (
    MutationField(
        name="createEnrollmentToken",
        about="Make a token with which agents enrol at a Site, by `POST /v1.0/register`. "
        "Takes the right `Agents.Write`.",
        arguments=[
            argument("site_id", ID, "The site; it must be active."),
            argument(
                "expires_in_seconds",
                int,
                f"For how long it can be used, {ENROLLMENT_LIFETIME_MAX_S} (30 days) at most.",
            ),
        ],
        run=_token,
        payload=EnrollmentTokenPayload,
    ),
    MutationField(
        name="registerAgent",
        about="Enrol a device, as its agent does by `POST /v1.0/register`: one that has enrolled before is the same "
        "Agent still. For the platform alone.",
        arguments=[argument("input", RegisterAgentInput, "The device.")],
        run=_register,
        payload=RegisterAgentPayload,
    ),
    MutationField(
        name="agentCheckin",
        about="Check an Agent in, as it does by `POST /v1.0/heartbeat`. For the platform alone.",
        arguments=[
            argument("id", ID, "Which Agent."),
            argument("input", AgentCheckinInput | None, "What it tells of itself."),
        ],
        run=_check_in,
        table=AGENTS,
    ),
)
