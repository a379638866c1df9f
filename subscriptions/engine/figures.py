"""What the live layer has done so far, in plain numbers."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

LAG_BUCKETS_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass(slots=True)
class Figures:
    """Counters; they only grow.

    Attributes:
        ticks: Looks into the log.
        moments: Ticks that took a snapshot to run something on it.
        statements: SQL statements of runs.
        runs: Live queries that were run, by way: `batch`, `alone`, `loaders`.
        failures: Live queries that failed, and are over.
        late: Runs that left their tick.
        messages: States handed to sockets.
        unchanged: Runs that found the answer that had been told.
        sign_ins: Viewers that were looked up again because of a change.
        outages: Ticks that found the database away.
        lags: From the earliest change of a tick to the delivery of what it changed, by bucket; the last is beyond.
        lag_s: The sum of them.
    """

    ticks: int = 0
    moments: int = 0
    statements: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    failures: int = 0
    late: int = 0
    messages: int = 0
    unchanged: int = 0
    sign_ins: int = 0
    outages: int = 0
    lags: list[int] = field(default_factory=lambda: [0] * (len(LAG_BUCKETS_S) + 1))
    lag_s: float = 0.0

    @property
    def executions(self) -> int:
        """All runs of live queries."""
        return self.runs.total()

    def lag(self, seconds: float) -> None:
        """Count one delivery."""
        self.lags[bisect_left(LAG_BUCKETS_S, seconds)] += 1
        self.lag_s += seconds
