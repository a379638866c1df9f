"""The counts of a fleet: acknowledged check-ins, their latencies, and the failures."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

_STEP: Final = math.log(1.02)


class Latencies:
    """A histogram of times with classes 2 % wide. Each class takes one number, because a fleet may run for days."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.largest_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one time."""
        self._counts[math.ceil(math.log(max(seconds, 1e-6)) / _STEP)] += 1
        self.largest_s = max(self.largest_s, seconds)

    def add_all(self, others: "Latencies") -> None:
        """Add the counts of another histogram."""
        self._counts.update(others._counts)  # noqa: SLF001 - an instance of the same class
        self.largest_s = max(self.largest_s, others.largest_s)

    def compute_percentile(self, share: float) -> float:
        """The time in seconds below which that share of all times lies, 2 % too high at most; 0 if there are none."""
        wanted, seen = share * self._counts.total(), 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return min(math.exp(bucket * _STEP), self.largest_s)
        return 0.0


@dataclass(slots=True)
class FleetStatistics:
    """Counts of one run.

    Attributes:
        agents: Agents that check in.
        away: Agents that are silent at present, on purpose.
        acknowledged: Check-ins with the response 200.
        failures: The other check-ins, by status or by the failure of the connection.
        latencies: The times of acknowledged check-ins from their start, including the wait for a free
            connection.
        behind_s: The largest delay of a check-in's start. Beyond some hundredths the simulator itself is too
            slow.
        began_s: The earliest time of the first check-in, by the event loop's clock.
        ended_s: The time of the last one; None while the fleet runs.
    """

    agents: int = 0
    away: int = 0
    acknowledged: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)
    behind_s: float = 0.0
    began_s: float = 0.0
    ended_s: float | None = None

    def measure_elapsed_s(self, now_s: float) -> float:
        """How long the run has lasted, or did last."""
        return (now_s if self.ended_s is None else self.ended_s) - self.began_s
