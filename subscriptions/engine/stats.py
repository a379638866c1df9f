"""Statistics of the live layer, as plain counters."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

LAG_BUCKETS_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(slots=True)
class EngineStats:
    """Counters. Their values never decrease.

    Attributes:
        cycles: Refresh cycles, each of which polls the change log.
        snapshots: Cycles that took a snapshot to run queries on it.
        statements: SQL statements of runs.
        runs: Runs of live queries, by the way they ran: `batch`, `alone`, `loaders`.
        failures: Live queries that failed and ended.
        detached_runs: Runs that left their cycle because they took too long.
        messages: Answers handed to sockets.
        unchanged: Runs that found the same answer as before.
        sign_ins: Viewers that were signed in again because of a change.
        outages: Cycles that found the database unavailable.
        lags: Deliveries by delay, in the buckets of `LAG_BUCKETS_S`. The delay runs from the cycle's earliest change
            to the
            delivery. The last bucket holds all longer delays.
        lag_s: The sum of all delays, in seconds.
    """

    cycles: int = field(default=0, init=False)
    snapshots: int = field(default=0, init=False)
    statements: int = field(default=0, init=False)
    runs: Counter[str] = field(default_factory=Counter, init=False)
    failures: int = field(default=0, init=False)
    detached_runs: int = field(default=0, init=False)
    messages: int = field(default=0, init=False)
    unchanged: int = field(default=0, init=False)
    sign_ins: int = field(default=0, init=False)
    outages: int = field(default=0, init=False)
    lags: list[int] = field(default_factory=lambda: [0] * (len(LAG_BUCKETS_S) + 1), init=False)
    lag_s: float = field(default=0.0, init=False)

    @property
    def total_runs(self) -> int:
        """The number of all runs of live queries."""
        return self.runs.total()

    def record_lag(self, seconds: float) -> None:
        """Count one delivery with its delay in seconds."""
        self.lags[bisect_left(LAG_BUCKETS_S, seconds)] += 1
        self.lag_s += seconds
