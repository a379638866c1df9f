"""Divides the dirty queries of a refresh cycle into slices, so that no tenant delays another. No I/O.

    dirty queries     of B, C, D: a few ms each      of A: 100 queries of 0.12 s
    cycle 8           | small slice: B, C, D | send |
                      | large slice: A ...................................................... | send |
    cycle 9                                 | small slice: C | send |
    cycle 10                                        | large slice: E ......... | send |       A waits for its slice

The queries of a tenant run in one slice, on one snapshot, and their answers are sent together. A tenant whose queries
take little time shares the small slice, which the cycle waits for. Any other tenant gets a slice of its own. The next
cycles do not wait for it, and leave the tenant out until it ends.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from core.fair_queue import SERVER
from core.limits import LIVE_SMALL_SLICE_S, VIEWERS_CACHED_MAX
from core.lru_cache import LruCache
from subscriptions.engine.query_runner import QueryBatch, build_batches
from subscriptions.engine.shared_query import SharedQuery

_FIRST_RUN_S: Final = 0.002
"""The expected time of a batch that has never run. Most take 1 to 3 ms."""


@dataclass(slots=True, eq=False)
class CycleSlice:
    """The batches of one tenant, or of all tenants with little work.

    Attributes:
        share: The tenant's share, by `core.fair_queue`; the server's for the small slice.
        quick: Its batches.
        slow: Its queries that were slow in the last run, each in a batch.
    """

    share: str
    quick: list[QueryBatch]
    slow: list[QueryBatch]

    @property
    def shares(self) -> set[str]:
        """The shares of all its queries."""
        if not self.is_small:
            return {self.share}
        return {shared.share for batch in self.quick for shared in batch.shared_queries}

    @property
    def is_small(self) -> bool:
        """Whether the cycle waits for it."""
        return self.share == SERVER


class TenantSlices:
    """The division, and what it remembers of the tenants.

    Attributes:
        busy: The shares with a large slice that runs.
    """

    def __init__(self) -> None:
        self.busy: set[str] = set()
        self._first_runs_s: LruCache[str, float] = LruCache(VIEWERS_CACHED_MAX)

    def note_first_run(self, share: str, seconds: float) -> None:
        """Remember how long a batch took that had never run. A tenant's next ones are expected to take as long."""
        known = self._first_runs_s.get(share) or 0.0
        self._first_runs_s.put(share, max(seconds, known / 2))

    def divide(self, ready: Iterable[SharedQuery]) -> list[CycleSlice]:
        """The slices of these queries, of tenants that are not busy. The small one comes last."""
        by_share: dict[str, list[SharedQuery]] = {}
        for shared in ready:
            by_share.setdefault(shared.share, []).append(shared)
        small: list[SharedQuery] = []
        slices = []
        for share, queries in by_share.items():
            cycle_slice = _build_slice(share, queries)
            if cycle_slice.slow or self._expect_s(cycle_slice) > LIVE_SMALL_SLICE_S:
                slices.append(cycle_slice)
            else:
                small.extend(queries)
        if small:
            slices.append(CycleSlice(SERVER, build_batches(small), []))
        return slices

    def _expect_s(self, cycle_slice: CycleSlice) -> float:
        first_s = self._first_runs_s.get(cycle_slice.share) or _FIRST_RUN_S
        return sum(first_s if batch.seconds is None else batch.seconds for batch in cycle_slice.quick)


def _build_slice(share: str, queries: Iterable[SharedQuery]) -> CycleSlice:
    quick = [shared for shared in queries if not shared.is_slow]
    slow = [QueryBatch((shared,), shared.seconds) for shared in queries if shared.is_slow]
    return CycleSlice(share, build_batches(quick), slow)
