"""What a fleet has seen: check-ins that were acknowledged, how long that took, and what went wrong."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

_STEP: Final = math.log(1.02)


class Latencies:
    """Times in classes 2 % wide, of which each takes one number: a fleet may beat for days."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.largest_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._counts[math.ceil(math.log(max(seconds, 1e-6)) / _STEP)] += 1
        self.largest_s = max(self.largest_s, seconds)

    def add_all(self, others: "Latencies") -> None:
        """Count what others have counted."""
        self._counts.update(others._counts)  # noqa: SLF001 - of its own kind
        self.largest_s = max(self.largest_s, others.largest_s)

    def at(self, share: float) -> float:
        """The seconds below which that share of all lies, 2 % too high at most; 0 where there are none."""
        wanted, seen = share * self._counts.total(), 0
        for place in sorted(self._counts):
            seen += self._counts[place]
            if seen >= wanted:
                return min(math.exp(place * _STEP), self.largest_s)
        return 0.0


@dataclass(slots=True)
class Tally:
    """Counts of one run.

    Attributes:
        agents: Agents that beat.
        away: Those that are silent at the moment, on purpose.
        acknowledged: Check-ins that were answered with 200.
        failures: Those that were not, by status or by what became of the connection.
        latencies: Of those that were acknowledged, from the beat on: waiting for a free connection counts.
        behind_s: How late the latest beat was handed out: beyond some hundredths the simulator itself is too slow.
        began_s: When the first beat could be, by the event loop's clock.
        ended_s: When the last one was; None while it runs.
    """

    agents: int = 0
    away: int = 0
    acknowledged: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)
    behind_s: float = 0.0
    began_s: float = 0.0
    ended_s: float | None = None

    def elapsed_s(self, now_s: float) -> float:
        """For how long it has been running, or ran."""
        return (now_s if self.ended_s is None else self.ended_s) - self.began_s
