"""Whose check-ins run out next: the agents that go offline unless they check in.

No index is kept for it, as each check-in would have to write it: the table is read, and the next `TURNS_KNOWN` to run
out are remembered. Hardly any of them does, as the others check in before; so what is remembered lasts until the
earliest of them is due, which is some minutes while all is well.
"""

from collections.abc import Sequence
from typing import Any, Final, Self

from core.database import Connection, Record
from core.limits import TURNED_ROWS_MAX, TURNS_KNOWN
from schema.agents import AGENTS
from schema.table import Kind
from subscriptions.changes.change import Change, ChangedRow, ChangeKind

IS_ONLINE: Final = "is_online"
LAST: Final = "last_checkin_at"
DERIVED: Final = frozenset({IS_ONLINE})
_COLUMNS: Final = ", ".join(
    f'"{c.name}"' for c in AGENTS.columns.values() if c.options.stored and c.kind is not Kind.JSON
)

_BETWEEN: Final = f"{LAST} >= $1 AND {LAST} < $2"
_TURNED: Final = f"SELECT {_COLUMNS} FROM agents WHERE {_BETWEEN} LIMIT $3"  # noqa: S608 - declared names
_OF: Final = f"SELECT {_COLUMNS} FROM agents WHERE id = ANY ($1) AND {LAST} >= $2"  # noqa: S608 - as above
_WHOSE: Final = f"SELECT DISTINCT tenant_id FROM agents WHERE {_BETWEEN}"  # noqa: S608 - as above
_NEXT: Final = f"SELECT id, {LAST} FROM agents WHERE {LAST} >= $1 ORDER BY {LAST} LIMIT $2"  # noqa: S608 - as above


async def turned(
    connection: Connection, since_ms: int, now_ms: int, offline_after_ms: int
) -> tuple[Change, ...]:
    """The agents that were online at one time and no longer are at a later one, as the connection sees them.

    Args:
        connection: To the database, past the policies: the agents are all tenants'.
        since_ms: The earlier time, in milliseconds since the epoch.
        now_ms: The later one.
        offline_after_ms: For how long after its last check-in an agent counts as online.

    Returns:
        At most one change; a coarse one, of whole tenants, where they are many.
    """
    between = since_ms - offline_after_ms, now_ms - offline_after_ms
    found = await connection.fetch(_TURNED, *between, TURNED_ROWS_MAX + 1)
    if len(found) > TURNED_ROWS_MAX:
        whose = frozenset(record["tenant_id"] for record in await connection.fetch(_WHOSE, *between))
        return (turn(now_ms, None, whose),)
    return told(now_ms, found)


def told(now_ms: int, found: Sequence[Record]) -> tuple[Change, ...]:
    """The change that time has made of these agents, if they are any; a coarse one where they are many."""
    if len(found) > TURNED_ROWS_MAX:
        return (turn(now_ms, None, frozenset(record["tenant_id"] for record in found)),)
    return (turn(now_ms, tuple(map(_turned, found)), None),) if found else ()


def _turned(record: Record) -> ChangedRow:
    values: dict[str, Any] = dict(record)
    return ChangedRow(values["id"], values, values, DERIVED)


def turn(at: int, rows: tuple[ChangedRow, ...] | None, tenants: frozenset[str | None] | None) -> Change:
    """The change that time makes of agents: of these, or of all of these tenants, or of anybody's."""
    return Change(AGENTS.name, ChangeKind.UPDATE, 0, 0, at, rows, tenants, None if rows else DERIVED)


class Turns:
    """The agents that run out next, by their last check-ins, as far as they are known.

    Attributes:
        beyond: Check-ins from this time on, in ms since the epoch, are not known; None where all are.
    """

    def __init__(self, soon: dict[str, int], beyond: int | None) -> None:
        self._soon = soon
        self.beyond = beyond

    @classmethod
    async def look(cls, connection: Connection, now_ms: int, offline_after_ms: int) -> Self:
        """Look for those who are online now and run out next."""
        found = await connection.fetch(_NEXT, now_ms - offline_after_ms, TURNS_KNOWN + 1)
        beyond: int | None = found[-1][LAST] if len(found) > TURNS_KNOWN else None
        return cls({row["id"]: row[LAST] for row in found if row[LAST] != beyond}, beyond)

    @property
    def first(self) -> int | None:
        """The earliest last check-in of those who run out next; None where nobody is online."""
        return min(self._soon.values(), default=self.beyond)

    @property
    def is_empty(self) -> bool:
        """Whether nobody is known who runs out, though there may be somebody."""
        return not self._soon and self.beyond is not None

    def heed(self, agent_id: str, at: int) -> bool:
        """Note a check-in that has not run out; whether it may run out before others that are known.

        Of several the earliest stays: they are heard of in no order, and who runs out is looked at before it is told.
        """
        if self.beyond is not None and at >= self.beyond:
            return False
        self._soon[agent_id] = min(at, self._soon.get(agent_id, at))
        if len(self._soon) > 2 * TURNS_KNOWN:
            self._forget_later_ones()
        return True

    async def take(self, connection: Connection, since: int, before: int) -> list[Record] | None:
        """The agents whose last check-in is between the two times, the later one excluded.

        Those whose check-ins were known to be from before then are read: some have checked in again.

        Returns:
            Their rows; None if not all of them are known.
        """
        if self.beyond is not None and self.beyond < before:
            return None
        due = [agent_id for agent_id, at in self._soon.items() if at < before]
        for agent_id in due:
            del self._soon[agent_id]
        found = await connection.fetch(_OF, due, since) if due else []
        for row in found:
            if row[LAST] >= before:
                self.heed(row["id"], row[LAST])
        return [row for row in found if row[LAST] < before]

    def _forget_later_ones(self) -> None:
        self.beyond = sorted(self._soon.values())[TURNS_KNOWN]
        self._soon = {agent_id: at for agent_id, at in self._soon.items() if at < self.beyond}
