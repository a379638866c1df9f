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
from contextvars import ContextVar
from math import inf
from typing import Final

from core.share_load import ShareLoad

SERVER: Final = ":server"
"""The share of the server's own work. It is small, and takes any free slot."""

PLATFORM: Final = ":platform"
"""The share of the platform, in all tenants."""

STRANGERS: Final = ":strangers"
"""The share of all users who have not signed in on this server yet, or may not."""

IS_LONG: Final[ContextVar[bool]] = ContextVar("is_long", default=False)
"""Whether the running request has long statements, by its estimated cost (`core.share_load`)."""

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

    def __init__(self, slots: int, reserved: int = 0, load: ShareLoad | None = None) -> None:
        """Has `slots` of which `reserved` are for the server's own work alone. `load` bounds long statements."""
        self._load = load
        if load is not None:
            load.join(self._grant_all)
        self.waiting = 0
        self._free = slots
        self._reserved = reserved
        self._in_use: dict[str, int] = {}
        self._queues: OrderedDict[tuple[str, bool], deque[asyncio.Future[None]]] = OrderedDict()
        """Waiting callers, by share and by whether their work is long."""

    def count_in_use(self, share: str) -> int:
        """How many slots a share holds."""
        return self._in_use.get(share, 0)

    def may_take(self, share: str, *, is_long: bool = False) -> bool:
        """Whether a caller of this share would get a slot at once."""
        if share == SERVER:
            return self._free > 0
        if self._free - self._reserved <= _must_leave(self._in_use.get(share, 0)):
            return False
        return not is_long or self._load is None or self._load.may_start(share)

    def count_available(self, share: str) -> int:
        """How many slots a share could take at once for long work."""
        if share == SERVER:
            return self._free
        count, in_use = 0, self.count_in_use(share)
        bound = self._load.count_available(share) if self._load else inf
        while count < bound and self._free - self._reserved - count > _must_leave(in_use + count):
            count += 1
        return count

    def move(self, giver: str, taker: str) -> None:
        """Count a slot that one share holds for short work as another's for long work."""
        self._give_to(taker, is_long=True)
        self._take_from(giver, is_long=False)

    def try_acquire(self, share: str, *, is_long: bool = False) -> bool:
        """Take a slot if there is one for this share now; `release` gives it back."""
        if not self.may_take(share, is_long=is_long):
            return False
        self._free -= 1
        self._give_to(share, is_long=is_long)
        return True

    async def acquire(self, share: str, *, is_long: bool = False) -> None:
        """Take a slot, and wait for it if there is none; `release` gives it back."""
        if self.try_acquire(share, is_long=is_long):
            return
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault((share, is_long), deque()).append(turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(share, is_long=is_long)
            else:
                self._forget((share, is_long), turn)
            raise

    def release(self, share: str, *, is_long: bool = False) -> None:
        """Give a slot back. The callers that wait get what they may take now."""
        self._free += 1
        self._take_from(share, is_long=is_long)
        self._grant_all()

    def _grant_all(self) -> None:
        while self._queues and self._grant_next():
            pass

    def _give_to(self, share: str, *, is_long: bool) -> None:
        self._in_use[share] = self._in_use.get(share, 0) + 1
        if self._load is None or share == SERVER:
            return
        self._load.activity.note(share)
        if is_long:
            self._load.start(share)

    def _take_from(self, share: str, *, is_long: bool) -> None:
        in_use = self._in_use[share] - 1
        if in_use:
            self._in_use[share] = in_use
        else:
            del self._in_use[share]
        if is_long and self._load is not None and share != SERVER:
            self._load.end(share)

    def _grant_next(self) -> bool:
        ready = [key for key in self._queues if self.may_take(key[0], is_long=key[1])]
        if not ready:
            return False
        key = min(ready, key=self._rank)  # of equal ones the first, which was served longest ago
        turns = self._queues[key]
        turn = turns.popleft()
        self.waiting -= 1
        if turns:
            self._queues.move_to_end(key)
        else:
            del self._queues[key]
        if not turn.cancelled():  # its task may not have run since then
            self.try_acquire(key[0], is_long=key[1])
            turn.set_result(None)
        return True

    def _rank(self, key: tuple[str, bool]) -> int:
        return -1 if key[0] == SERVER else self.count_in_use(key[0])

    def _forget(self, key: tuple[str, bool], turn: "asyncio.Future[None]") -> None:
        turns = self._queues.get(key)
        with suppress(ValueError):
            if turns is not None:
                turns.remove(turn)
                self.waiting -= 1
                if not turns:
                    del self._queues[key]


def _must_leave(in_use: int) -> int:
    """How many slots a share with this many must leave free when it takes another."""
    return (in_use + _LEFT_FREE - 1) // _LEFT_FREE
