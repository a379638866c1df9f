"""Events: made from logged changes, and selected by the arguments of a subscription. No I/O."""

from asyncio import Future
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from subscriptions.change_log.change import Change, ChangedRow, ChangeKind

CHECKINS: Final = "agentCheckins"
HEALTH: Final = "healthCheckChanges"

_STREAM_OF_TABLE: Final = {"agents": (CHECKINS, "last_checkin_at"), "health_checks": (HEALTH, "status")}
"""The tables that have events: the stream, and the column whose change is an event."""

RoutingKey = tuple[str, str | None, str, str | None]
"""A key of the index of streams: the stream, its tenant, the kind of key, and its value."""


class Position(NamedTuple):
    """The position of an event in a delta: the change's number, and the row's index in the change."""

    number: int
    row: int


@dataclass(slots=True, eq=False)
class StreamEvent:
    """One event.

    Attributes:
        stream: The root field of its stream.
        tenant_id: The tenant of its row.
        xid: The transaction that made it.
        position: Its position among the events of one delta.
        values: The fields for clients, by their GraphQL names. Enums have the database's values.
        site: The site of a health check's resource. None until a stream reads it.
    """

    stream: str
    tenant_id: str | None
    xid: int
    position: Position
    values: Mapping[str, Any]
    site: "Future[str | None] | None" = field(default=None)

    def list_routing_keys(self) -> Iterator[RoutingKey]:
        """The index keys under which streams may select this event."""
        yield self.stream, self.tenant_id, "all", None
        if self.stream == CHECKINS:
            yield self.stream, self.tenant_id, "site", self.values["siteId"]
            yield self.stream, self.tenant_id, "agent", self.values["agentId"]


class Gap(NamedTuple):
    """Events that a coarse change does not list: their stream and their tenants. None means any tenant."""

    stream: str
    tenants: frozenset[str | None] | None


def extract_events(changes: Iterable[Change]) -> Iterator[StreamEvent]:
    """The events of all streams in these changes."""
    for change in changes:
        if change.table not in _STREAM_OF_TABLE or change.rows is None:
            continue
        build = _read_check_in if change.table == "agents" else _read_health_change
        for number, row in enumerate(change.rows):
            values = build(row)
            if values is not None and row.after is not None:
                stream = _STREAM_OF_TABLE[change.table][0]
                index = Position(change.origin.sequence, number)
                yield StreamEvent(stream, row.after["tenant_id"], change.origin.xid, index, values)


def extract_gaps(changes: Iterable[Change]) -> Iterator[Gap]:
    """The events that coarse changes do not list, because too many rows changed at once."""
    for change in changes:
        if change.table not in _STREAM_OF_TABLE or change.rows is not None:
            continue
        stream, column = _STREAM_OF_TABLE[change.table]
        touched = change.columns is None or column in change.columns
        inserts = stream == HEALTH and change.kind is ChangeKind.INSERT
        if inserts or (change.kind is ChangeKind.UPDATE and touched):
            yield Gap(stream, change.tenants)


def _read_check_in(row: ChangedRow) -> Mapping[str, Any] | None:
    """The event of a check-in.

    It moves the time of an existing agent forward. Anything else, such as a restore, is no event.
    """
    before, after = row.before, row.after
    if before is None or after is None or "last_checkin_at" not in row.columns:
        return None
    previous, now = before["last_checkin_at"], after["last_checkin_at"]
    if now is None or (previous is not None and now <= previous) or after["deleted_at"] is not None:
        return None
    return {
        "agentId": row.id,
        "siteId": after["site_id"],
        "checkedInAt": now,
        "previousCheckinAt": previous,
    }


def _read_health_change(row: ChangedRow) -> Mapping[str, Any] | None:
    after = row.after
    if after is None or (row.before is not None and "status" not in row.columns):
        return None
    return {
        "healthCheckId": row.id,
        "resourceType": after["resource_type"],
        "resourceId": after["resource_id"],
        "status": after["status"],
        "previousStatus": row.before["status"] if row.before else None,
        "failureCount": after["failure_count"],
        "lastCheckAt": after["last_check_at"],
    }


@dataclass(frozen=True, slots=True)
class EventFilter:
    """The events that a subscription selects. An attribute is None if its argument is missing.

    Attributes:
        stream: The stream's root field.
        tenant_id: The viewer's tenant.
        site_id: The site.
        agent_ids: The agents.
        resource_type: The kind of resource, as the database has it.
        status: The status, as the database has it.
    """

    stream: str
    tenant_id: str
    site_id: str | None = None
    agent_ids: frozenset[str] | None = None
    resource_type: str | None = None
    status: str | None = None

    @classmethod
    def from_arguments(cls, stream: str, tenant_id: str, arguments: Mapping[str, Any]) -> Self:
        """Read the coerced arguments of a stream."""
        agents = arguments.get("agentIds")
        return cls(
            stream,
            tenant_id,
            arguments.get("siteId"),
            None if agents is None else frozenset(agents),
            arguments.get("resourceType"),
            arguments.get("status"),
        )

    def list_routing_keys(self) -> list[RoutingKey]:
        """The index keys of its events. Each event has exactly one of them."""
        if self.agent_ids is not None:
            return [(self.stream, self.tenant_id, "agent", agent) for agent in self.agent_ids]
        if self.stream == CHECKINS and self.site_id is not None:
            return [(self.stream, self.tenant_id, "site", self.site_id)]
        return [(self.stream, self.tenant_id, "all", None)]

    @property
    def needs_sites(self) -> bool:
        """Whether the site of each event has to be read."""
        return self.stream == HEALTH and self.site_id is not None

    def matches(self, event: StreamEvent) -> bool:
        """Whether it selects an event, as far as the event's own values decide."""
        if (event.stream, event.tenant_id) != (self.stream, self.tenant_id):
            return False
        values = event.values
        if self.stream == CHECKINS:
            of_agent = self.agent_ids is None or values["agentId"] in self.agent_ids
            return of_agent and self.site_id in (None, values["siteId"])
        of_kind = self.resource_type in (None, values["resourceType"])
        return of_kind and self.status in (None, values["status"])

    def is_affected_by(self, gap: Gap) -> bool:
        """Whether a gap may contain some of its events."""
        return gap.stream == self.stream and (gap.tenants is None or self.tenant_id in gap.tenants)
