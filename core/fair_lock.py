"""A lock for work on the event loop. Shares acquire it in turn, and pauses leave time for everything else.

    A: a1 a2 a3 ─┐
    B: b1 ───────┼─ a1 · pause · b1 · pause · a2 · pause · a3
    C: ──────────┘

After long work the next turn waits longer than the work took. A request of another kind needs several iterations of
the event loop. Without the pause each of its iterations would wait for a piece of work.
"""

import asyncio
from collections import Counter

from core.fair_queue import FairQueue
from core.limits import DOCUMENT_PAUSE_FROM_S, DOCUMENT_PAUSES, DOCUMENTS_WAITING_MAX


class FairLock:
    """The lock: round-robin between shares, and first come, first served for each of them."""

    def __init__(self) -> None:
        self._slots = FairQueue(1)
        self._waiting: Counter[str] = Counter()
        """By caller. A share may have many callers."""

    def __len__(self) -> int:
        return self._slots.waiting

    def is_full(self, caller: str) -> bool:
        """Whether the caller has the most waiting turns that it may have."""
        return self._waiting[caller] >= DOCUMENTS_WAITING_MAX

    async def acquire(self, share: str, caller: str) -> None:
        """Wait for a turn of the share; `release` ends it."""
        if self._slots.try_acquire(share):
            return
        self._waiting[caller] += 1
        try:
            await self._slots.acquire(share)
        finally:
            self._waiting[caller] -= 1
            if not self._waiting[caller]:
                del self._waiting[caller]

    def release(self, share: str, took_s: float) -> None:
        """End a turn with work of this many seconds."""
        loop = asyncio.get_running_loop()
        if pause_s := pause_after(took_s):
            loop.call_later(pause_s, self._slots.release, share)
        elif self._slots.waiting:
            loop.call_soon(self._slots.release, share)
        else:
            self._slots.release(share)


def pause_after(took_s: float) -> float:
    """How long to leave the event loop to other work, in seconds, after work that took so long by the clock.

    Where cores are scarce, work takes longer by the clock than in CPU time, and so does the other work.
    """
    return DOCUMENT_PAUSES * took_s if took_s >= DOCUMENT_PAUSE_FROM_S else 0
