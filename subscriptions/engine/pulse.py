"""When to look into the log: at once when the bell rings, else after a pause that grows while nothing happens."""

import asyncio
from typing import Final

from core.limits import LIVE_POLL_EMPTY_S, LIVE_POLL_MAX_S, LIVE_POLL_MIN_S, LIVE_RETRY_MAX_S

_POOLED: Final = 3
"""Behind a transaction pooler a look takes two statements more, that begin and end a transaction."""


class Pulse:
    """Keeps the time between two ticks; nobody is woken in vain."""

    def __init__(self, *, pooled: bool) -> None:
        self._most = LIVE_POLL_MAX_S * (_POOLED if pooled else 1)
        self._bell = asyncio.Event()
        self._pause = LIVE_POLL_MIN_S
        self._failures = 0
        self._last = 0.0

    def ring(self) -> None:
        """Something has happened: the next tick is due."""
        self._bell.set()

    async def rest(self, *, busy: bool, empty: bool, until: float) -> None:
        """Wait for the next tick.

        Args:
            busy: Whether the last one found anything.
            empty: Whether nobody is there to be told.
            until: Seconds until time alone changes something.
        """
        self._failures = 0
        self._pause = LIVE_POLL_MIN_S if busy else min(2 * self._pause, self._most)
        if empty:
            self._pause = LIVE_POLL_EMPTY_S
        await self._breathe()
        await self._listen(min(self._pause, until))

    async def recover(self) -> None:
        """Wait until it is worth trying again."""
        self._failures += 1
        await asyncio.sleep(min(0.05 * 2**self._failures, LIVE_RETRY_MAX_S))

    async def _breathe(self) -> None:
        """A writer that never stops is followed in steps: what comes within one costs one tick."""
        loop = asyncio.get_running_loop()
        ahead = self._last + LIVE_POLL_MIN_S - loop.time()
        if ahead > 0:
            await asyncio.sleep(ahead)

    async def _listen(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if not self._bell.is_set() and seconds > 0:
            timer = loop.call_later(seconds, self._bell.set)
            await self._bell.wait()
            timer.cancel()
        self._bell.clear()
        self._last = loop.time()
