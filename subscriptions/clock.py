"""The clock of live answers: what changes with time alone, told as changes like any other.

An agent is online while its last check-in is recent. That it no longer is writes nothing, so that it is looked for
when it is due; and a check-in, which comes every minute, changes nothing while the agent stays online. Both are told
as changes of the *virtual* column `agents.is_online`, which no table has and no log knows.

The time stands still between the steps of the clock: all live answers are true of `Clock.time`, which their snapshots
are given as `app.clock_ms`, so that two of them never differ by the milliseconds between two statements.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from core.database import Connection, Record
from core.limits import CLOCK_BACK_MAX_MS, CLOCK_STEP_MS, TURNED_ROWS_MAX
from schema.agents import AGENTS
from schema.table import Kind
from subscriptions.changes import Change, ChangedRow, ChangeKind

IS_ONLINE: Final = "is_online"
_LAST: Final = "last_checkin_at"
_DERIVED: Final = frozenset({IS_ONLINE})
_COLUMNS: Final = ", ".join(
    f'"{c.name}"' for c in AGENTS.columns.values() if c.options.stored and c.kind is not Kind.JSON
)

_TURNED: Final = f"SELECT {_COLUMNS} FROM agents WHERE {_LAST} >= $1 AND {_LAST} < $2 LIMIT $3"  # noqa: S608 - declared names
_WHOSE: Final = f"SELECT DISTINCT tenant_id FROM agents WHERE {_LAST} >= $1 AND {_LAST} < $2"  # noqa: S608 - as above
_NEXT: Final = f"SELECT min({_LAST}) FROM agents WHERE {_LAST} >= $1"  # noqa: S608 - as above


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
        return (_change(now_ms, None, whose),)
    return (_change(now_ms, tuple(map(_turned, found)), None),) if found else ()


async def next_turn(connection: Connection, now_ms: int, offline_after_ms: int) -> int | None:
    """When the next agent that is online goes offline unless it checks in, in ms; None where none is online."""
    first: int | None = await connection.fetchval(_NEXT, now_ms - offline_after_ms)
    return None if first is None else first + offline_after_ms + 1


def with_derived(change: Change, since_ms: int, now_ms: int, offline_after_ms: int) -> Change:
    """The change, and `is_online` among its columns where it may have changed that, too.

    It has not where the agent was online before and after it, throughout from `since_ms` to `now_ms`, or offline.
    """
    if change.table != AGENTS.name or change.kind is not ChangeKind.UPDATE:
        return change
    if change.rows is None:
        moved = change.columns is not None and _LAST in change.columns
        return replace(change, columns=(change.columns or frozenset()) | _DERIVED) if moved else change
    online, offline = now_ms - offline_after_ms, since_ms - offline_after_ms
    rows = tuple(_with_derived(row, online, offline) for row in change.rows)
    return change if all(map(_is, rows, change.rows)) else replace(change, rows=rows)


def _is(one: object, other: object) -> bool:
    return one is other


def _with_derived(row: ChangedRow, online: int, offline: int) -> ChangedRow:
    if _LAST not in row.columns or row.before is None or row.after is None:
        return row
    checkins = [-1 if at is None else at for at in (row.before[_LAST], row.after[_LAST])]
    if min(checkins) >= online or max(checkins) < offline:
        return row
    return replace(row, columns=row.columns | _DERIVED)


def _turned(record: Record) -> ChangedRow:
    values: dict[str, Any] = dict(record)
    return ChangedRow(values["id"], values, values, _DERIVED)


def _change(at: int, rows: tuple[ChangedRow, ...] | None, tenants: frozenset[str | None] | None) -> Change:
    return Change(AGENTS.name, ChangeKind.UPDATE, 0, 0, at, rows, tenants, None if rows else _DERIVED)


@dataclass(slots=True)
class Clock:
    """The time of all live answers.

    Attributes:
        offline_after_ms: For how long after its last check-in an agent counts as online.
        time: The time that live answers are true of, in milliseconds since the epoch, by the database's clock.
        due: When the next agent goes offline, if it is known that one may; later than `time`.
    """

    offline_after_ms: int
    time: int
    due: int | None
    _stepped: int = 0

    @classmethod
    async def open(cls, connection: Connection, now_ms: int, offline_after_ms: int) -> Self:
        """A clock that goes from now on."""
        return cls(offline_after_ms, now_ms, await next_turn(connection, now_ms, offline_after_ms))

    @property
    def wanted(self) -> int | None:
        """When a tick is wanted though nobody writes, in milliseconds since the epoch; None: not at all."""
        return None if self.due is None else max(self.due, self._stepped + CLOCK_STEP_MS)

    async def advance(
        self, connection: Connection, now_ms: int, changes: Iterable[Change]
    ) -> tuple[Change, ...]:
        """Go on to `now_ms`, or as far as nothing turns; gives the changes of one delta, and what follows from time.

        Args:
            connection: In the snapshot that the changes come from, past the policies.
            now_ms: The database's time, in milliseconds since the epoch.
            changes: What was written since the last call; where that is not known, a new clock is to be opened.
        """
        if now_ms < self.time - CLOCK_BACK_MAX_MS:
            return *changes, await self._set_back(connection, now_ms)
        changes, since, time = tuple(changes), self.time, self._reachable(now_ms)
        self._heed(changes)
        told = tuple(with_derived(change, since, time, self.offline_after_ms) for change in changes)
        if self.due is not None and self.due <= time:
            told += await turned(connection, since, time, self.offline_after_ms)
            self.due = await next_turn(connection, time, self.offline_after_ms)
            self._stepped = time
        self.time = time
        return told

    async def _set_back(self, connection: Connection, now_ms: int) -> Change:
        """Begin anew where the database's clock was set back: any agent may have come online by that."""
        self.time, self._stepped = now_ms, now_ms
        self.due = await next_turn(connection, now_ms, self.offline_after_ms)
        return _change(now_ms, None, None)

    def _reachable(self, now_ms: int) -> int:
        """The time to go on to: not back, and no further than to the next turn while a step is not over."""
        if self.wanted is not None and self.due is not None and now_ms < self.wanted:
            now_ms = min(now_ms, self.due - 1)
        return max(self.time, now_ms)

    def _heed(self, changes: Iterable[Change]) -> None:
        """Look at what was written for check-ins that run out sooner than was known."""
        for change in changes:
            if change.table == AGENTS.name:
                for turn in self._turns(change):
                    if turn > self.time and (self.due is None or turn < self.due):
                        self.due = turn

    def _turns(self, change: Change) -> Iterable[int]:
        if change.rows is None:
            unknown = change.columns is None or _LAST in change.columns
            return (self.time + 1,) if unknown and change.kind is not ChangeKind.TRUNCATE else ()
        checkins = (row.after[_LAST] for row in change.rows if row.after is not None and _LAST in row.columns)
        return (at + self.offline_after_ms + 1 for at in checkins if at is not None)
