"""The poll timer: it ends its pause at once when it is woken. Else the pause grows while nothing happens."""

import asyncio
from typing import Final

from core.limits import LIVE_POLL_EMPTY_S, LIVE_POLL_MAX_S, LIVE_POLL_MIN_S, LIVE_RETRY_MAX_S

_POOLER_POLL_S: Final = 3
"""Behind a transaction pooler a poll needs two more statements, which begin and end a transaction."""


class PollTimer:
    """Waits between two refresh cycles."""

    def __init__(self, *, pooled: bool) -> None:
        self._most = LIVE_POLL_MAX_S * (_POOLER_POLL_S if pooled else 1)
        self._wake_event = asyncio.Event()
        self._pause = LIVE_POLL_MIN_S
        self._failures = 0
        self._last = 0.0

    def wake(self) -> None:
        """Wake the timer: the next cycle is due."""
        self._wake_event.set()

    async def wait(self, *, busy: bool, empty: bool, until: float) -> None:
        """Wait for the next cycle.

        Args:
            busy: Whether the last cycle found anything.
            empty: Whether there is no viewer, no live query, no running sign-in and no follower of the log.
            until: Seconds until time alone changes an answer.
        """
        self._failures = 0
        self._pause = LIVE_POLL_MIN_S if busy else min(2 * self._pause, self._most)
        if empty:
            self._pause = LIVE_POLL_EMPTY_S
        await self._coalesce_writes()
        await self._wait_for_wake(min(self._pause, until))

    async def back_off(self) -> None:
        """Wait before the next try, after a failure. The pause doubles up to `LIVE_RETRY_MAX_S`."""
        self._failures += 1
        await asyncio.sleep(min(0.05 * 2**self._failures, LIVE_RETRY_MAX_S))

    async def _coalesce_writes(self) -> None:
        """Keep at least `LIVE_POLL_MIN_S` between cycles: all commits of that interval then cost one cycle."""
        loop = asyncio.get_running_loop()
        ahead = self._last + LIVE_POLL_MIN_S - loop.time()
        if ahead > 0:
            await asyncio.sleep(ahead)

    async def _wait_for_wake(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if not self._wake_event.is_set() and seconds > 0:
            timer = loop.call_later(seconds, self._wake_event.set)
            await self._wake_event.wait()
            timer.cancel()
        self._wake_event.clear()
        self._last = loop.time()
