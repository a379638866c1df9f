"""The clock of live answers: it produces the changes that time alone makes, in the form of logged changes.

An agent is online while its last check-in is recent. Nothing is written when the agent goes offline. So the clock
finds agents at the time when they go offline. Conversely, a check-in comes every minute, and mostly changes nothing
about being online. The clock represents both by the *virtual* column `agents.is_online`. This column is in no table
and in no log.

Time advances in steps only. All live answers show `OnlineClock.time`. Their snapshots get it as the setting
`app.clock_ms`, so two answers never differ by the milliseconds between two statements.

A last check-in may lie in the future, if a clock has jumped. It counts once it is at most
`CLOCK_SKEW_MAX_MS` ahead of `OnlineClock.time`. Then the agent comes online.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Self

from core.database.database import Connection
from core.limits import CLOCK_BACK_MAX_MS, CLOCK_SKEW_MAX_MS, CLOCK_STEP_MS
from schema.agents import AGENTS
from subscriptions.change_log.change import Change, ChangedRow, ChangeKind
from subscriptions.clock.expiry_queue import (
    DERIVED,
    LAST,
    ExpiryQueue,
    build_expiry_change,
    build_time_change,
    find_earliest_ahead,
    load_arrived,
    load_expired,
)


def add_derived_columns(change: Change, since_ms: int, now_ms: int, offline_after_ms: int) -> Change:
    """Add `is_online` to the columns of a change, if the change may have changed it.

    It cannot have if the agent was online before and after the change, for all times from `since_ms` to `now_ms`. The
    same holds if it was offline throughout.
    """
    if change.table != AGENTS.name or change.kind is not ChangeKind.UPDATE:
        return change
    if change.rows is None:
        moved = change.columns is not None and LAST in change.columns
        return replace(change, columns=(change.columns or frozenset()) | DERIVED) if moved else change
    rows = tuple(_add_derived_column(row, since_ms, now_ms, offline_after_ms) for row in change.rows)
    return change if all(map(_is_same, rows, change.rows)) else replace(change, rows=rows)


def _is_same(one: object, other: object) -> bool:
    return one is other


def _add_derived_column(row: ChangedRow, since: int, now: int, offline_after_ms: int) -> ChangedRow:
    if LAST not in row.columns or row.before is None or row.after is None:
        return row
    online, offline = now - offline_after_ms, since - offline_after_ms
    checkins = [-1 if at is None else at for at in (row.before[LAST], row.after[LAST])]
    if min(checkins) >= online and max(checkins) <= since + CLOCK_SKEW_MAX_MS:
        return row
    if all(at < offline or at > now + CLOCK_SKEW_MAX_MS for at in checkins):
        return row
    return replace(row, columns=row.columns | DERIVED)


@dataclass(slots=True)
class OnlineClock:
    """The time of all live answers.

    Attributes:
        offline_after_ms: How long an agent counts as online after its last check-in, in milliseconds.
        time: The time that live answers show, by the database's clock, in milliseconds since the epoch.
        due: When the next agent may go offline or come online. It is later than `time`. None if no such time is
            known.
    """

    offline_after_ms: int
    time: int
    due: int | None
    _expiry_queue: ExpiryQueue
    _ahead: int | None = None
    _needs_reload: bool = False
    _step_limit: int = 0

    @classmethod
    async def open(cls, connection: Connection, now_ms: int, offline_after_ms: int) -> Self:
        """Open a clock that starts now."""
        queue = await ExpiryQueue.load(connection, now_ms, offline_after_ms)
        future = await find_earliest_ahead(connection, now_ms)
        return cls(
            offline_after_ms, now_ms, _compute_next_expiry(queue, future, offline_after_ms), queue, future
        )

    @property
    def next_due_ms(self) -> int | None:
        """When time alone requires a cycle, in milliseconds since the epoch. None if it does not."""
        return None if self.due is None else max(self.due, self._step_limit + CLOCK_STEP_MS)

    async def advance(
        self, connection: Connection, now_ms: int, changes: Iterable[Change]
    ) -> tuple[Change, ...]:
        """Advance to `now_ms`, or to the last time before the next expiry. Returns the changes, with those of time.

        Args:
            connection: In the snapshot of the changes, not limited by row-level security.
            now_ms: The database's time, in milliseconds since the epoch.
            changes: The changes since the last call. If they are unknown, open a new clock instead.
        """
        if now_ms < self.time - CLOCK_BACK_MAX_MS:
            return *changes, await self._set_back(connection, now_ms)
        changes, since, time = tuple(changes), self.time, self._limit_step(now_ms)
        # These check-ins may make `due` earlier. So they are read before `due` is compared with `time`.
        self._note_check_ins(changes)
        written = tuple(add_derived_columns(change, since, time, self.offline_after_ms) for change in changes)
        if self.due is not None and self.due <= time:
            written += await self._find_expired(connection, since, time)
            self._step_limit = time
        self.time = time
        return written

    async def _find_expired(self, connection: Connection, since: int, time: int) -> tuple[Change, ...]:
        """The agents that went offline between the two times, from the queue, or from the table if it lacks some."""
        # In terms of check-ins: an agent goes offline in this step if its last check-in lies between these
        # two times.
        edges = since - self.offline_after_ms, time - self.offline_after_ms
        found = None if self._needs_reload else await self._expiry_queue.take_expired(connection, *edges)
        if found is None:
            change = await load_expired(connection, since, time, self.offline_after_ms)
        else:
            change = build_expiry_change(time, found)
        if self._needs_reload or (self._ahead is not None and self._ahead <= time + CLOCK_SKEW_MAX_MS):
            change += await load_arrived(connection, since, time)
            self._ahead = await find_earliest_ahead(connection, time)
        if found is None or self._expiry_queue.is_empty:
            await self._reload_queue(connection, time)
        self.due = self._find_next_expiry()
        return change

    async def _reload_queue(self, connection: Connection, now_ms: int) -> None:
        self._expiry_queue = await ExpiryQueue.load(connection, now_ms, self.offline_after_ms)
        self._ahead = await find_earliest_ahead(connection, now_ms)
        self._needs_reload = False

    def _find_next_expiry(self) -> int | None:
        return _compute_next_expiry(self._expiry_queue, self._ahead, self.offline_after_ms)

    async def _set_back(self, connection: Connection, now_ms: int) -> Change:
        """Start anew because the database's clock was set back. Any agent may have come online by that."""
        self.time, self._step_limit = now_ms, now_ms
        await self._reload_queue(connection, now_ms)
        self.due = self._find_next_expiry()
        return build_time_change(now_ms, None, None)

    def _limit_step(self, now_ms: int) -> int:
        """The time to advance to: never back, and not to the next expiry before the present step is over."""
        if self.next_due_ms is not None and self.due is not None and now_ms < self.next_due_ms:
            now_ms = min(now_ms, self.due - 1)
        return max(self.time, now_ms)

    def _note_check_ins(self, changes: Iterable[Change]) -> None:
        """Move `due` forward if one of these check-ins expires earlier than the known ones."""
        for change in changes:
            if change.table != AGENTS.name:
                continue
            for due in self._iter_expiries(change):
                if self.due is None or due < self.due:
                    self.due = due

    def _iter_expiries(self, change: Change) -> Iterator[int]:
        """The times at which the agents of a change go offline or come online, if these may be earlier than `due`."""
        if change.rows is None:
            self._needs_reload |= change.kind is not ChangeKind.TRUNCATE and LAST in (
                change.columns or (LAST,)
            )
            if self._needs_reload:
                yield self.time + 1
        for row in change.rows or ():
            at = row.after[LAST] if row.after is not None and LAST in row.columns else None
            due = 0 if at is None else at + self.offline_after_ms + 1
            if at is not None and due > self.time and self._expiry_queue.note_check_in(row.id, at):
                yield due
            if at is not None and at > self.time + CLOCK_SKEW_MAX_MS:
                self._ahead = at if self._ahead is None else min(at, self._ahead)
                yield at - CLOCK_SKEW_MAX_MS


def _compute_next_expiry(queue: ExpiryQueue, future: int | None, offline_after_ms: int) -> int | None:
    """When the next agent goes offline, or comes online by a check-in in the future. None if none is known."""
    first = queue.first_check_in
    offline = [] if first is None else [first + offline_after_ms + 1]
    online = [] if future is None else [future - CLOCK_SKEW_MAX_MS]
    return min(offline + online, default=None)
