"""The time that live answers are true of: it goes while any of them depends on it, and else nobody asks for it."""

from typing import Final

from core.clock import now_ms
from core.database import Connection
from subscriptions.changes.change import Change, Delta
from subscriptions.engine.clock import Clock

_DATABASES_NOW: Final = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

_NEVER_S: Final = float("inf")


class Timing:
    """The clock of the ticks.

    Attributes:
        clock: What tells the changes that time alone makes; None while no answer goes by it.
        time: The time that the answers of the latest snapshot are true of, in milliseconds since the epoch.
    """

    def __init__(self, offline_after_ms: int) -> None:
        self.clock: Clock | None = None
        self.time = now_ms()
        self._offline_after_ms = offline_after_ms
        self._ahead_ms = 0

    def follow(self, *, needed: bool) -> bool:
        """Let the clock go no longer than it is needed; returns whether one has still to be opened."""
        if not needed:
            self.clock = None
        return needed and self.clock is None

    @property
    def due_s(self) -> float:
        """Seconds until time alone changes an answer."""
        wanted = self.clock.wanted if self.clock else None
        return _NEVER_S if wanted is None else (wanted - now_ms() - self._ahead_ms) / 1000

    async def stand(self, connection: Connection, delta: Delta) -> tuple[Change, ...]:
        """A delta's changes, and what follows from them while the time stands still."""
        if self.clock is None or not delta.complete:
            return delta.changes
        return await self.clock.advance(connection, self.clock.time, delta.changes)

    async def go_on(self, connection: Connection, delta: Delta, *, needed: bool) -> tuple[Change, ...]:
        """Go on to the database's time; gives a delta's changes, and those of time if they are needed.

        Args:
            connection: In the snapshot that the delta goes up to.
            delta: What was written since the last call, or `stand`.
            needed: Whether any answer goes by time.
        """
        now: int = await connection.fetchval(_DATABASES_NOW)
        self._ahead_ms = now - now_ms()
        if not needed:
            self.time = now
            return delta.changes
        if self.clock is None or not delta.complete:
            self.clock = await Clock.open(connection, self.time, self._offline_after_ms)
        changes = await self.clock.advance(connection, now, delta.changes)
        self.time = self.clock.time
        return changes

    def has_told(self, clock: Clock | None, time: int) -> bool:
        """Whether all that time has changed was told since an answer went by this clock and this time."""
        return clock is self.clock and (clock is not None or time == self.time)
