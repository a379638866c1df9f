"""Bounds how many long statements of one share run at once, over several pools.

A statement that computes for long takes a core of PostgreSQL. Ten of them take all cores, and then another tenant's
small statement waits for a core, although it has a connection. So while others send requests, a share has only a
few connections for long statements. Small ones are not bounded, so they do not wait for the tenant's long ones:

    tenant A alone, 20 long requests    AAAAAAAA..    its share of the connections, by `core.fair_queue`
    B sends a request                   AAAAAAAAB.    those of A end one after the other
    A has two                           AA......B.    until B has sent nothing for a while
    A sends small requests              AAaaa...B.

Whether a statement is small is estimated before it runs. To measure would not do: where cores are scarce, each
statement takes long.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from time import monotonic

from core.limits import OTHERS_RECENT_S, SHARES_REMEMBERED_MAX


class ShareActivity:
    """When each share used the database last, in all pools of a server."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    def note(self, share: str) -> None:
        """Note that a share uses the database now."""
        self._seen[share] = self._clock()
        self._seen.move_to_end(share)
        if len(self._seen) > SHARES_REMEMBERED_MAX:
            self._seen.popitem(last=False)

    def has_others(self, share: str) -> bool:
        """Whether another share has used it recently."""
        latest = next((name for name in reversed(self._seen) if name != share), None)
        return latest is not None and self._clock() - self._seen[latest] < OTHERS_RECENT_S


class ShareLoad:
    """The connections of each share for long statements in some pools, and their bound.

    Attributes:
        activity: When each share used the database last, in these pools and in others.
    """

    def __init__(self, activity: ShareActivity, long_slots: int) -> None:
        """Bounds each share to `long_slots` connections for long statements while others are active."""
        self.activity = activity
        self._long_slots = long_slots
        self._long: Counter[str] = Counter()
        self._grants: deque[Callable[[], None]] = deque()

    def join(self, grant: Callable[[], None]) -> None:
        """Add a pool. `grant` gives its waiting callers what they may take now."""
        self._grants.append(grant)

    def may_start(self, share: str) -> bool:
        """Whether a share may run another long statement."""
        return self._long[share] < self._long_slots or not self.activity.has_others(share)

    def count_available(self, share: str) -> float:
        """How many more long statements a share may run; infinitely many if no other share is active."""
        if not self.activity.has_others(share):
            return float("inf")
        return max(0, self._long_slots - self._long[share])

    def start(self, share: str) -> None:
        """Count a long statement that begins."""
        self._long[share] += 1

    def end(self, share: str) -> None:
        """Count a long statement that has ended. Callers in another pool may have waited for that, and take turns."""
        self._long[share] -= 1
        if not self._long[share]:
            del self._long[share]
        self._grants.rotate(1)
        for grant in self._grants:
            grant()
