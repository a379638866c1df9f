"""The expiry queue: the agents that go offline next unless they check in.

An index on the expiry would cost a write at each check-in. So the table is read instead, and the next
`EXPIRIES_CACHED_MAX` agents to expire are kept in memory. Nearly all of them check in before they expire. So the
queue lasts until its earliest entry is due. That takes some minutes while the agents check in regularly.
"""

from collections.abc import Sequence
from typing import Any, Final, Self

from core.database.database import Connection, Record
from core.limits import CLOCK_SKEW_MAX_MS, EXPIRED_ROWS_MAX, EXPIRIES_CACHED_MAX
from schema.agents import AGENTS
from schema.table import Kind
from subscriptions.change_log.change import Change, ChangedRow, ChangeKind, ChangeOrigin

IS_ONLINE: Final = "is_online"
LAST: Final = "last_checkin_at"
DERIVED: Final = frozenset({IS_ONLINE})
_COLUMNS: Final = ", ".join(
    f'"{c.name}"' for c in AGENTS.columns.values() if c.options.stored and c.kind is not Kind.JSON
)

_EXPIRED_BETWEEN: Final = f"{LAST} >= $1 AND {LAST} < $2"
_EXPIRED_ROWS: Final = f"SELECT {_COLUMNS} FROM agents WHERE {_EXPIRED_BETWEEN} LIMIT $3"  # noqa: S608 - declared names
_OF_AGENTS: Final = f"SELECT {_COLUMNS} FROM agents WHERE id = ANY ($1) AND {LAST} >= $2"  # noqa: S608 - as above
_TENANTS_OF: Final = f"SELECT DISTINCT tenant_id FROM agents WHERE {_EXPIRED_BETWEEN}"  # noqa: S608 - as above
_ARRIVED: Final = f"SELECT {_COLUMNS} FROM agents WHERE {LAST} > $1 AND {LAST} <= $2 LIMIT $3"  # noqa: S608 - as above
_ARRIVED_WHOSE: Final = f"SELECT DISTINCT tenant_id FROM agents WHERE {LAST} > $1 AND {LAST} <= $2"  # noqa: S608 - as above
_AHEAD: Final = f"SELECT min({LAST}) FROM agents WHERE {LAST} > $1"  # noqa: S608 - as above
_NEXT_TO_EXPIRE: Final = f"SELECT id, {LAST} FROM agents WHERE {LAST} >= $1 ORDER BY {LAST} LIMIT $2"  # noqa: S608 - as above


async def load_expired(
    connection: Connection, since_ms: int, now_ms: int, offline_after_ms: int
) -> tuple[Change, ...]:
    """The agents that were online at one time and are offline at a later time, as the connection sees them.

    Args:
        connection: To the database, not limited by row-level security: the agents are those of all tenants.
        since_ms: The earlier time, in milliseconds since the epoch.
        now_ms: The later time.
        offline_after_ms: How long an agent counts as online after its last check-in, in milliseconds.

    Returns:
        At most one change. It is coarse if there are many agents: it then names whole tenants.
    """
    between = since_ms - offline_after_ms, now_ms - offline_after_ms
    found = await connection.fetch(_EXPIRED_ROWS, *between, EXPIRED_ROWS_MAX + 1)
    if len(found) > EXPIRED_ROWS_MAX:
        tenants = frozenset(record["tenant_id"] for record in await connection.fetch(_TENANTS_OF, *between))
        return (build_time_change(now_ms, None, tenants),)
    return build_expiry_change(now_ms, found)


async def load_arrived(connection: Connection, since_ms: int, now_ms: int) -> tuple[Change, ...]:
    """Like `load_expired`, for last check-ins that were in the future at the earlier time and no longer are."""
    between = since_ms + CLOCK_SKEW_MAX_MS, now_ms + CLOCK_SKEW_MAX_MS
    found = await connection.fetch(_ARRIVED, *between, EXPIRED_ROWS_MAX + 1)
    if len(found) > EXPIRED_ROWS_MAX:
        whose = frozenset(record["tenant_id"] for record in await connection.fetch(_ARRIVED_WHOSE, *between))
        return (build_time_change(now_ms, None, whose),)
    return build_expiry_change(now_ms, found)


async def find_earliest_ahead(connection: Connection, now_ms: int) -> int | None:
    """The earliest last check-in that is in the future, in ms since the epoch. None if there is none."""
    at: int | None = await connection.fetchval(_AHEAD, now_ms + CLOCK_SKEW_MAX_MS)
    return at


def build_expiry_change(now_ms: int, found: Sequence[Record]) -> tuple[Change, ...]:
    """The change that time has made of these agents, if there are any. It is coarse if there are many."""
    if len(found) > EXPIRED_ROWS_MAX:
        return (build_time_change(now_ms, None, frozenset(record["tenant_id"] for record in found)),)
    return (build_time_change(now_ms, tuple(map(_build_expired_row, found)), None),) if found else ()


def _build_expired_row(record: Record) -> ChangedRow:
    values: dict[str, Any] = dict(record)
    return ChangedRow(values["id"], values, values, DERIVED)


def build_time_change(
    at: int, rows: tuple[ChangedRow, ...] | None, tenants: frozenset[str | None] | None
) -> Change:
    """Make a change by time: of these rows, or of all agents of these tenants, or of any agent."""
    return Change(
        AGENTS.name, ChangeKind.UPDATE, ChangeOrigin(0, 0, at), rows, tenants, None if rows else DERIVED
    )


class ExpiryQueue:
    """The agents that expire next, with their last check-ins.

    Attributes:
        beyond: Check-ins from this time on are unknown, in ms since the epoch. None if all are known.
    """

    def __init__(self, soon: dict[str, int], beyond: int | None) -> None:
        self._heap = soon
        self.beyond = beyond

    @classmethod
    async def load(cls, connection: Connection, now_ms: int, offline_after_ms: int) -> Self:
        """Read the agents that are online now and expire next."""
        found = await connection.fetch(_NEXT_TO_EXPIRE, now_ms - offline_after_ms, EXPIRIES_CACHED_MAX + 1)
        beyond: int | None = found[-1][LAST] if len(found) > EXPIRIES_CACHED_MAX else None
        return cls({row["id"]: row[LAST] for row in found if row[LAST] != beyond}, beyond)

    @property
    def first_check_in(self) -> int | None:
        """The earliest last check-in of the agents that expire next. None if no agent is online."""
        return min(self._heap.values(), default=self.beyond)

    @property
    def is_empty(self) -> bool:
        """Whether the queue is used up while the table may have more agents that expire."""
        return not self._heap and self.beyond is not None

    def note_check_in(self, agent_id: str, at: int) -> bool:
        """Add a check-in that has not expired. Returns whether it may expire earlier than others in the queue.

        If an agent has several check-ins, the earliest is kept. They come in no order, and `take_expired` reads the
        row again.
        """
        if self.beyond is not None and at >= self.beyond:
            return False
        self._heap[agent_id] = min(at, self._heap.get(agent_id, at))
        if len(self._heap) > 2 * EXPIRIES_CACHED_MAX:
            self._evict_latest()
        return True

    async def take_expired(self, connection: Connection, since: int, before: int) -> list[Record] | None:
        """Take agents from the queue: those with a last check-in from `since` on and before `before`.

        Their rows are read, since some of the agents have checked in again.

        Returns:
            The rows. None if the queue does not have all of these agents.
        """
        if self.beyond is not None and self.beyond < before:
            return None
        due = [agent_id for agent_id, at in self._heap.items() if at < before]
        for agent_id in due:
            del self._heap[agent_id]
        found = await connection.fetch(_OF_AGENTS, due, since) if due else []
        for row in found:
            if row[LAST] >= before:
                self.note_check_in(row["id"], row[LAST])
        return [row for row in found if row[LAST] < before]

    def _evict_latest(self) -> None:
        self.beyond = sorted(self._heap.values())[EXPIRIES_CACHED_MAX]
        self._heap = {agent_id: at for agent_id, at in self._heap.items() if at < self.beyond}
