"""The time that live answers show. It advances only while an open live query depends on it."""

from typing import Final

from core.clock import now_ms
from core.database.database import Connection
from subscriptions.change_log.change import Change, Delta
from subscriptions.clock.online_clock import OnlineClock

_DATABASE_NOW: Final = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

_NEVER_S: Final = float("inf")


class CycleClock:
    """The clock of the refresh cycles.

    Attributes:
        clock: Produces the changes that time alone makes. None while no answer depends on time.
        time: The time that the answers of the latest snapshot show, in milliseconds since the epoch.
    """

    def __init__(self, offline_after_ms: int) -> None:
        self.clock: OnlineClock | None = None
        self.time = now_ms()
        self._offline_after_ms = offline_after_ms
        self._ahead_ms = 0

    def set_needed(self, *, needed: bool) -> bool:
        """Drop the clock if it is not needed. Returns whether a clock is needed and not open yet."""
        if not needed:
            self.clock = None
        return needed and self.clock is None

    @property
    def seconds_until_due(self) -> float:
        """Seconds until time alone changes an answer."""
        wanted = self.clock.next_due_ms if self.clock else None
        return _NEVER_S if wanted is None else (wanted - now_ms() - self._ahead_ms) / 1000

    async def apply_at_rest(self, connection: Connection, delta: Delta) -> tuple[Change, ...]:
        """A delta's changes and their effect on computed columns, at the same time as before."""
        if self.clock is None or not delta.is_complete:
            return delta.changes
        return await self.clock.advance(connection, self.clock.time, delta.changes)

    async def advance(self, connection: Connection, delta: Delta, *, needed: bool) -> tuple[Change, ...]:
        """Advance to the database's time. Returns the delta's changes, with those of time if they are needed.

        Args:
            connection: In the snapshot that ends the delta.
            delta: The changes since the last call of this method or of `apply_at_rest`.
            needed: Whether any answer depends on time.
        """
        now: int = await connection.fetchval(_DATABASE_NOW)
        self._ahead_ms = now - now_ms()
        if not needed:
            self.time = now
            return delta.changes
        if self.clock is None or not delta.is_complete:
            self.clock = await OnlineClock.open(connection, self.time, self._offline_after_ms)
        changes = await self.clock.advance(connection, now, delta.changes)
        self.time = self.clock.time
        return changes

    def has_sent_since(self, clock: OnlineClock | None, time: int) -> bool:
        """Whether an answer of this clock and this time misses no change that time alone has made."""
        return clock is self.clock and (clock is not None or time == self.time)
