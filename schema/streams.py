"""Streams report what happened, one message per snapshot, in addition to the live queries, which show what is.

Their events come from the change log (`subscriptions.event_streams`) and are not rows. Each event has fields for the
rows that it is about.
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
from schema.connections import argument, build_output_field
from schema.core import Site
from schema.enums import HealthResourceType, HealthStatus
from schema.monitoring import HEALTH_CHECKS, HealthCheck
from schema.scalars import Timestamp
from schema.table import Table, list_of, nullable

_CURSOR: Final = (
    "The position of the stream after these events. A later subscription with the same arguments resumes "
    "here if `since` is this cursor."
)


@strawberry.type(description="One check-in of an agent.")
class AgentCheckin:
    agent_id: ID = strawberry.field(description="The agent that checked in.")
    site_id: ID = strawberry.field(description="The site of its device at that time.")
    checked_in_at: Timestamp = strawberry.field(description="The time of the check-in.")
    previous_checkin_at: Timestamp | None = strawberry.field(
        description="The time of the previous check-in; null if there was none."
    )
    agent: Agent | None = strawberry.field(
        description="The agent as it is when the message is sent; null if it was deleted since."
    )
    site: Site | None = strawberry.field(
        description="The site of `siteId` as it is when the message is sent; null if it was deleted since."
    )


@strawberry.type(description="A new health check, or one whose status changed.")
class HealthCheckChange:
    health_check_id: ID = strawberry.field(description="The health check.")
    resource_type: HealthResourceType = strawberry.field(description="The kind of the resource.")
    resource_id: ID = strawberry.field(description="The id of the checked resource.")
    status: HealthStatus = strawberry.field(description="The health after the check.")
    previous_status: HealthStatus | None = strawberry.field(
        description="The health before the check; null for a new health check."
    )
    failure_count: int = strawberry.field(
        description="The number of consecutive failures at that time; 0 for a healthy resource."
    )
    last_check_at: Timestamp = strawberry.field(description="The time of the check.")
    health_check: HealthCheck | None = strawberry.field(
        description="The health check as it is when the message is sent; null if it no longer exists."
    )


@dataclass(frozen=True, slots=True)
class StreamType:
    """The declaration of a stream for clients.

    Attributes:
        field: Its root field.
        event: The type of an event.
        messages: The name of the type of a message.
        table: The table of the reported changes; the stream requires the right to read it.
        about: The field's description in the schema.
        about_message: A message's description in the schema.
        arguments: The arguments that narrow the stream.
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
            "A stream of the check-ins of agents. It has each check-in once, in the order in which they "
            "become visible.",
            "The check-ins of one snapshot.",
            (
                ("site_id", ID | None, "Returns only check-ins of agents of this site."),
                ("agent_ids", nullable(list_of(ID)), "Returns only check-ins of these agents."),
            ),
        ),
        StreamType(
            "healthCheckChanges", HealthCheckChange, "HealthCheckChanges", HEALTH_CHECKS,
            "A stream of new health checks and of changes of their status. It has each change once, in the "
            "order in which they become visible. It leaves out reports that change no status.",
            "The changes of health of one snapshot.",
            (
                (
                    "site_id", ID | None,
                    "Returns only changes of resources that belong to this site when the message is sent: "
                    "the site, its agents and its data sources.",
                ),
                ("resource_type", HealthResourceType | None, "Returns only changes of resources of this kind."),
                ("status", HealthStatus | None, "Returns only changes to this status."),
            ),
        ),
    )
}  # fmt: skip
"""The streams by their root field."""

_SINCE: Final = (
    "The cursor of a message. The stream begins after the events of that message, instead of now. The error "
    "CURSOR_EXPIRED means that the following events are no longer stored. Then read the rows again and "
    "subscribe without a cursor."
)


def _build_message(stream: StreamType) -> type:
    fields = [
        build_output_field("cursor", str, _CURSOR),
        build_output_field(
            "events", list_of(stream.event),
            "The events. The list is empty in the first message, and in messages that only renew the cursor.",
        ),
    ]  # fmt: skip
    return create_type(stream.messages, fields, description=stream.about_message)


def _build_arguments(stream: StreamType) -> list[StrawberryArgument]:
    narrowing = [argument(name, annotation, about) for name, annotation, about in stream.arguments]
    return [*narrowing, argument("since", str | None, _SINCE)]


def build_stream_fields() -> list[StrawberryField]:
    """The root fields of the streams."""
    return [
        build_output_field(stream.field, _build_message(stream), stream.about, _build_arguments(stream))
        for stream in STREAMS.values()
    ]
