"""Events: what streams tell, out of logged changes; and which of them a subscriber asked for. Pure."""

from asyncio import Future
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from subscriptions.changes.change import Change, ChangedRow, ChangeKind

CHECKINS: Final = "agentCheckins"
HEALTH: Final = "healthCheckChanges"

_STREAM_OF: Final = {"agents": (CHECKINS, "last_checkin_at"), "health_checks": (HEALTH, "status")}
"""The tables that streams tell of: the stream, and the column whose change is an event."""

Place = tuple[str, str | None, str, str | None]
"""Where an event is looked for: its stream, its tenant, and by what."""


class Position(NamedTuple):
    """Where an event stands among those of one delta: the change's number, and the row's place in the change."""

    number: int
    row: int


@dataclass(slots=True, eq=False)
class Event:
    """One event.

    Attributes:
        stream: The root field of its stream.
        tenant_id: Whose it is.
        xid: The transaction that made it.
        position: Its place among the events of one delta.
        values: What clients see, by GraphQL's names; enums as the database has them.
        site: The site of a health check's resource, while it is looked up and from then on.
    """

    stream: str
    tenant_id: str | None
    xid: int
    position: Position
    values: Mapping[str, Any]
    site: "Future[str | None] | None" = field(default=None)

    def places(self) -> Iterator[Place]:
        """Where those who asked for it are found."""
        yield self.stream, self.tenant_id, "all", None
        if self.stream == CHECKINS:
            yield self.stream, self.tenant_id, "site", self.values["siteId"]
            yield self.stream, self.tenant_id, "agent", self.values["agentId"]


class Gap(NamedTuple):
    """Events that a change does not tell one by one: of which stream, and whose; None: anybody's."""

    stream: str
    tenants: frozenset[str | None] | None


def events_of(changes: Iterable[Change]) -> Iterator[Event]:
    """The events of all streams that changes tell."""
    for change in changes:
        if change.table not in _STREAM_OF or change.rows is None:
            continue
        make = _checkin if change.table == "agents" else _health
        for number, row in enumerate(change.rows):
            values = make(row)
            if values is not None and row.after is not None:
                stream = _STREAM_OF[change.table][0]
                place = Position(change.number, number)
                yield Event(stream, row.after["tenant_id"], change.xid, place, values)


def gaps_of(changes: Iterable[Change]) -> Iterator[Gap]:
    """The events that changes do not tell, as they are of too many rows at once."""
    for change in changes:
        if change.table not in _STREAM_OF or change.rows is not None:
            continue
        stream, column = _STREAM_OF[change.table]
        touched = change.columns is None or column in change.columns
        inserts = stream == HEALTH and change.kind is ChangeKind.INSERT
        if inserts or (change.kind is ChangeKind.UPDATE and touched):
            yield Gap(stream, change.tenants)


def _checkin(row: ChangedRow) -> Mapping[str, Any] | None:
    """A check-in, which moves the time of an agent that is there; one that is moved back or by a restore is none."""
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


def _health(row: ChangedRow) -> Mapping[str, Any] | None:
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
class Wanted:
    """Which events of a stream a subscriber asked for; None where they did not say.

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
    def of(cls, stream: str, tenant_id: str, arguments: Mapping[str, Any]) -> Self:
        """What a stream's coerced arguments ask for."""
        agents = arguments.get("agentIds")
        return cls(
            stream,
            tenant_id,
            arguments.get("siteId"),
            None if agents is None else frozenset(agents),
            arguments.get("resourceType"),
            arguments.get("status"),
        )

    def places(self) -> list[Place]:
        """Where its events are found: in each of these, and in no two of them."""
        if self.agent_ids is not None:
            return [(self.stream, self.tenant_id, "agent", agent) for agent in self.agent_ids]
        if self.stream == CHECKINS and self.site_id is not None:
            return [(self.stream, self.tenant_id, "site", self.site_id)]
        return [(self.stream, self.tenant_id, "all", None)]

    @property
    def looks_up_sites(self) -> bool:
        """Whether the site of an event is to be looked up."""
        return self.stream == HEALTH and self.site_id is not None

    def has(self, event: Event) -> bool:
        """Whether it asks for an event, as far as the event tells by itself."""
        if (event.stream, event.tenant_id) != (self.stream, self.tenant_id):
            return False
        values = event.values
        if self.stream == CHECKINS:
            of_agent = self.agent_ids is None or values["agentId"] in self.agent_ids
            return of_agent and self.site_id in (None, values["siteId"])
        of_kind = self.resource_type in (None, values["resourceType"])
        return of_kind and self.status in (None, values["status"])

    def misses(self, gap: Gap) -> bool:
        """Whether some of its events may be among those that cannot be told."""
        return gap.stream == self.stream and (gap.tenants is None or self.tenant_id in gap.tenants)
