"""The clock of live answers: what changes with time alone, told as changes like any other.

An agent is online while its last check-in is recent. That it no longer is writes nothing, so that it is looked for
when it is due; and a check-in, which comes every minute, changes nothing while the agent stays online. Both are told
as changes of the *virtual* column `agents.is_online`, which no table has and no log knows.

The time stands still between the steps of the clock: all live answers are true of `Clock.time`, which their snapshots
are given as `app.clock_ms`, so that two of them never differ by the milliseconds between two statements.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Self

from core.database import Connection
from core.limits import CLOCK_BACK_MAX_MS, CLOCK_STEP_MS
from schema.agents import AGENTS
from subscriptions.changes.change import Change, ChangedRow, ChangeKind
from subscriptions.engine.turns import DERIVED, LAST, Turns, told, turn, turned


def with_derived(change: Change, since_ms: int, now_ms: int, offline_after_ms: int) -> Change:
    """The change, and `is_online` among its columns where it may have changed that, too.

    It has not where the agent was online before and after it, throughout from `since_ms` to `now_ms`, or offline.
    """
    if change.table != AGENTS.name or change.kind is not ChangeKind.UPDATE:
        return change
    if change.rows is None:
        moved = change.columns is not None and LAST in change.columns
        return replace(change, columns=(change.columns or frozenset()) | DERIVED) if moved else change
    online, offline = now_ms - offline_after_ms, since_ms - offline_after_ms
    rows = tuple(_with_derived(row, online, offline) for row in change.rows)
    return change if all(map(_is, rows, change.rows)) else replace(change, rows=rows)


def _is(one: object, other: object) -> bool:
    return one is other


def _with_derived(row: ChangedRow, online: int, offline: int) -> ChangedRow:
    if LAST not in row.columns or row.before is None or row.after is None:
        return row
    checkins = [-1 if at is None else at for at in (row.before[LAST], row.after[LAST])]
    if min(checkins) >= online or max(checkins) < offline:
        return row
    return replace(row, columns=row.columns | DERIVED)


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
    _turns: Turns
    _unknown: bool = False
    _stepped: int = 0

    @classmethod
    async def open(cls, connection: Connection, now_ms: int, offline_after_ms: int) -> Self:
        """A clock that goes from now on."""
        turns = await Turns.look(connection, now_ms, offline_after_ms)
        clock = cls(offline_after_ms, now_ms, None, turns)
        clock.due = clock._next()
        return clock

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
        heard = tuple(with_derived(change, since, time, self.offline_after_ms) for change in changes)
        if self.due is not None and self.due <= time:
            heard += await self._turn(connection, since, time)
            self._stepped = time
        self.time = time
        return heard

    async def _turn(self, connection: Connection, since: int, time: int) -> tuple[Change, ...]:
        """Who went offline between the two times; what is not known of those who run out is looked for."""
        edges = since - self.offline_after_ms, time - self.offline_after_ms
        found = None if self._unknown else await self._turns.take(connection, *edges)
        if found is None:
            change = await turned(connection, since, time, self.offline_after_ms)
        else:
            change = told(time, found)
        if found is None or self._turns.is_empty:
            await self._look(connection, time)
        self.due = self._next()
        return change

    async def _look(self, connection: Connection, now_ms: int) -> None:
        self._turns = await Turns.look(connection, now_ms, self.offline_after_ms)
        self._unknown = False

    def _next(self) -> int | None:
        first = self._turns.first
        return None if first is None else first + self.offline_after_ms + 1

    async def _set_back(self, connection: Connection, now_ms: int) -> Change:
        """Begin anew where the database's clock was set back: any agent may have come online by that."""
        self.time, self._stepped = now_ms, now_ms
        await self._look(connection, now_ms)
        self.due = self._next()
        return turn(now_ms, None, None)

    def _reachable(self, now_ms: int) -> int:
        """The time to go on to: not back, and no further than to the next turn while a step is not over."""
        if self.wanted is not None and self.due is not None and now_ms < self.wanted:
            now_ms = min(now_ms, self.due - 1)
        return max(self.time, now_ms)

    def _heed(self, changes: Iterable[Change]) -> None:
        """Look at what was written for check-ins that run out sooner than was known."""
        for change in changes:
            if change.table != AGENTS.name:
                continue
            for due in self._turns_of(change):
                if self.due is None or due < self.due:
                    self.due = due

    def _turns_of(self, change: Change) -> Iterator[int]:
        """When agents turn whose check-ins have been written, if that may be sooner than was known."""
        if change.rows is None:
            self._unknown |= change.kind is not ChangeKind.TRUNCATE and LAST in (change.columns or (LAST,))
            if self._unknown:
                yield self.time + 1
        for row in change.rows or ():
            at = row.after[LAST] if row.after is not None and LAST in row.columns else None
            due = 0 if at is None else at + self.offline_after_ms + 1
            if at is not None and due > self.time and self._turns.heed(row.id, at):
                yield due
