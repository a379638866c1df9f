"""Slots that callers share fairly: connections of a pool, workers, turns of a lock.

Each caller belongs to a share, mostly its tenant. Time counts by itself, because a slot is taken as long as its work
lasts. An example with ten slots:

    tenant A alone, 20 requests    AAAAAAAA..        A takes eight, and two stay free for others
    B sends a request              AAAAAAAAB.        it does not wait
    B sends six more               AAAABBBBB. etc.   slots that A frees go to B, until both hold as many

While nobody waits, a slot costs one look into a dictionary.
"""

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress
from typing import Final

SERVER: Final = ":server"
"""The share of the server's own work. It is small, and takes any free slot."""

PLATFORM: Final = ":platform"
"""The share of the platform, in all tenants."""

STRANGERS: Final = ":strangers"
"""The share of all users who have not signed in on this server yet, or may not."""

_LEFT_FREE: Final = 4
"""A share that holds this many slots must leave one more free, and another for each further four.

So a share alone takes about four fifths of the slots, and the rest is for others. Two busy shares leave one free.
"""


class FairQueue:
    """A number of slots. Who holds fewer of them comes first, and equal shares take turns.

    A share without a slot takes any free one. A share that holds some must leave others free (`_LEFT_FREE`). No
    waiting caller could take a slot at the moment, so a new caller overtakes nobody that could.

    Attributes:
        waiting: How many callers wait.
    """

    def __init__(self, slots: int, reserved: int = 0) -> None:
        """Has `slots` of which `reserved` are for the server's own work alone."""
        self.waiting = 0
        self._free = slots
        self._reserved = reserved
        self._in_use: dict[str, int] = {}
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def in_use(self, share: str) -> int:
        """How many slots a share holds."""
        return self._in_use.get(share, 0)

    def may_take(self, share: str) -> bool:
        """Whether a caller of this share would get a slot at once."""
        if share == SERVER:
            return self._free > 0
        return self._free - self._reserved > _must_leave(self._in_use.get(share, 0))

    def available(self, share: str) -> int:
        """How many slots a share could take at once."""
        if share == SERVER:
            return self._free
        count, in_use = 0, self.in_use(share)
        while self._free - self._reserved - count > _must_leave(in_use + count):
            count += 1
        return count

    def move(self, giver: str, taker: str) -> None:
        """Count a slot that one share holds as another's."""
        self._in_use[taker] = self._in_use.get(taker, 0) + 1
        self._take_from(giver)

    def try_acquire(self, share: str) -> bool:
        """Take a slot if there is one for this share now; `release` gives it back."""
        if not self.may_take(share):
            return False
        self._free -= 1
        self._in_use[share] = self._in_use.get(share, 0) + 1
        return True

    async def acquire(self, share: str) -> None:
        """Take a slot, and wait for it if there is none; `release` gives it back."""
        if self.try_acquire(share):
            return
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(share, deque()).append(turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(share)
            else:
                self._forget(share, turn)
            raise

    def release(self, share: str) -> None:
        """Give a slot back. The callers that wait get what they may take now."""
        self._free += 1
        self._take_from(share)
        while self._queues and self._grant_next():
            pass

    def _take_from(self, share: str) -> None:
        in_use = self._in_use[share] - 1
        if in_use:
            self._in_use[share] = in_use
        else:
            del self._in_use[share]

    def _grant_next(self) -> bool:
        ready = [share for share in self._queues if self.may_take(share)]
        if not ready:
            return False
        share = min(ready, key=self._rank)  # of equal ones the first, which was served longest ago
        turns = self._queues[share]
        turn = turns.popleft()
        self.waiting -= 1
        if turns:
            self._queues.move_to_end(share)
        else:
            del self._queues[share]
        if not turn.cancelled():  # its task may not have run since then
            self.try_acquire(share)
            turn.set_result(None)
        return True

    def _rank(self, share: str) -> int:
        return -1 if share == SERVER else self.in_use(share)

    def _forget(self, share: str, turn: "asyncio.Future[None]") -> None:
        turns = self._queues.get(share)
        with suppress(ValueError):
            if turns is not None:
                turns.remove(turn)
                self.waiting -= 1
                if not turns:
                    del self._queues[share]


def _must_leave(in_use: int) -> int:
    """How many slots a share with this many must leave free when it takes another."""
    return (in_use + _LEFT_FREE - 1) // _LEFT_FREE
