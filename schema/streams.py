"""Streams: what happened, one message a moment, beside the live queries that tell what is.

Their events come out of the change log (`subscriptions.streams`) and are no rows; the rows that they are about hang
on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import strawberry
from strawberry.scalars import ID
from strawberry.tools import create_type
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from schema.agents import AGENTS, Agent
from schema.connections import argument, output_field
from schema.core import Site
from schema.enums import HealthResourceType, HealthStatus
from schema.monitoring import HEALTH_CHECKS, HealthCheck
from schema.scalars import Timestamp
from schema.table import Table, list_of, or_null

_CURSOR: Final = (
    "Where the stream stands behind these events: as `since` of a later subscription with the same arguments it goes "
    "on from here."
)


@strawberry.type(description="One check-in of an agent.")
class AgentCheckin:
    agent_id: ID = strawberry.field(description="The agent that checked in.")
    site_id: ID = strawberry.field(description="The site where its device was then.")
    checked_in_at: Timestamp = strawberry.field(description="When it checked in.")
    previous_checkin_at: Timestamp | None = strawberry.field(
        description="When it had checked in before; null if never."
    )
    agent: Agent | None = strawberry.field(
        description="The agent as it is when this is told; null if it was deleted since."
    )
    site: Site | None = strawberry.field(
        description="The site of `siteId` as it is when this is told; null if it was deleted since."
    )


@strawberry.type(description="A new health check, or one whose status changed.")
class HealthCheckChange:
    health_check_id: ID = strawberry.field(description="The health check.")
    resource_type: HealthResourceType = strawberry.field(description="What the resource is.")
    resource_id: ID = strawberry.field(description="The resource that it looks at.")
    status: HealthStatus = strawberry.field(description="How the resource was found.")
    previous_status: HealthStatus | None = strawberry.field(
        description="How it was found before; null for a new health check."
    )
    failure_count: int = strawberry.field(description="Failures in a row then; 0 while it is healthy.")
    last_check_at: Timestamp = strawberry.field(description="When it was looked at.")
    health_check: HealthCheck | None = strawberry.field(
        description="The health check as it is when this is told; null if it is no longer there."
    )


@dataclass(frozen=True, slots=True)
class StreamType:
    """A stream as a client sees it.

    Attributes:
        field: Its root field.
        event: The type of an event.
        messages: The name of the type of a message.
        table: The table whose changes it tells; reading that table is the right that it takes.
        about: What the schema tells of the field.
        about_message: What it tells of a message.
        arguments: What it can be narrowed by.
    """

    field: str
    event: Any
    messages: str
    table: Table
    about: str
    about_message: str
    arguments: tuple[tuple[str, Any, str], ...]


STREAMS: Final[Mapping[str, StreamType]] = {
    stream.field: stream
    for stream in (
        StreamType(
            "agentCheckins", AgentCheckin, "AgentCheckins", AGENTS,
            "Every check-in of agents, as it happens: each once, in the order in which they can be seen.",
            "The check-ins that were seen at once.",
            (
                ("site_id", ID | None, "Only agents of this site."),
                ("agent_ids", or_null(list_of(ID)), "Only these agents."),
            ),
        ),
        StreamType(
            "healthCheckChanges", HealthCheckChange, "HealthCheckChanges", HEALTH_CHECKS,
            "Every new health check and every change of a health check's status, as it happens: each once, in the "
            "order in which they can be seen. Reports that change no status are not told.",
            "The changes of health that were seen at once.",
            (
                (
                    "site_id", ID | None,
                    "Only resources of this site when this is told: itself, its agents and its data sources.",
                ),
                ("resource_type", HealthResourceType | None, "Only resources of this kind."),
                ("status", HealthStatus | None, "Only what was found to be so."),
            ),
        ),
    )
}  # fmt: skip
"""The streams by their root field."""

_SINCE: Final = (
    "Begin behind the events of the message with this cursor, instead of now. The error CURSOR_EXPIRED tells that "
    "what followed it is no longer kept: read the rows anew, and subscribe without it."
)


def _message(stream: StreamType) -> type:
    fields = [
        output_field("cursor", str, _CURSOR),
        output_field(
            "events", list_of(stream.event),
            "What happened; nothing in the first message, and in those that only renew the cursor after a while.",
        ),
    ]  # fmt: skip
    return create_type(stream.messages, fields, description=stream.about_message)


def _arguments(stream: StreamType) -> list[StrawberryArgument]:
    narrowing = [argument(name, annotation, about) for name, annotation, about in stream.arguments]
    return [*narrowing, argument("since", str | None, _SINCE)]


def stream_fields() -> list[StrawberryField]:
    """The root fields of the streams."""
    return [
        output_field(stream.field, _message(stream), stream.about, _arguments(stream))
        for stream in STREAMS.values()
    ]
