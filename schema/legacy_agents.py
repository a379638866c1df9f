"""Imported agents that may check in without a token for a time: a table in addition to the 21."""

import strawberry
from strawberry.scalars import ID

from schema.scalars import Timestamp
from schema.table import Reference, Table, column


@strawberry.type(
    description="An imported agent that may check in by its ids alone, until a moment or until it has a token. "
    "Those with a null `tradedAt` are still to be updated."
)
class LegacyAgent:
    id: ID = column("The entry's id.")
    tenant_id: ID = column("The tenant of the agent.")
    agent_id: ID = column("The agent; it is listed once.")
    until: Timestamp = column("Until when it may check in without a token.")
    traded_at: Timestamp | None = column(
        "When it traded its ids for a token; null until then. Afterwards the ids alone are refused."
    )
    created_at: Timestamp = column("When the operator listed it.")
    updated_at: Timestamp = column("When the entry was last changed.")


LEGACY_AGENTS = Table(
    LegacyAgent, "legacy_agents", one="legacyAgent", many="legacyAgents", module="Agents",
    references=(
        Reference(
            "tenant_id", "tenants", one="tenant", many="legacyAgents",
            about_one="The tenant of the agent.",
            about_many="The imported agents of this tenant that may check in without a token for a time.",
        ),
        Reference(
            "agent_id", "agents", one="agent", only="legacy",
            about_one="The agent.",
            about_many="Whether and until when the agent may check in without a token; null if it may not.",
        ),
    ),
)  # fmt: skip
