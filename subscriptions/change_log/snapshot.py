"""A snapshot of PostgreSQL: the set of transactions that it sees. No I/O.

Transaction ids only grow within an *era*: the life of a cluster between two recoveries. A crash, a failover or a
restore may assign an id a second time. So a snapshot records its era.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

_TEXT: Final = re.compile(
    r"(\d{1,20}):(\d{1,20}):((?:\d{1,20}(?:,\d{1,20})*)?)(?:@([0-9A-Za-z.-]{1,100}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The transactions that a snapshot sees.

    Attributes:
        xmin: The lowest transaction id that was still running. All lower transactions are over.
        xmax: One past the highest transaction id that was over. No transaction from here on is visible.
        running: The ids between these two that were running.
        timeline: The life of the cluster to which the ids belong. Empty if it is unknown.
    """

    xmin: int
    xmax: int
    running: frozenset[int] = frozenset()
    timeline: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text of a `pg_snapshot`, such as `10:20:10,14`. An `@` and the era may follow.

        Raises:
            ValueError: `text` is not such a snapshot.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"Invalid snapshot: {text!r:.60}")
        xmin, xmax, ids, timeline = match.groups()
        running = frozenset(map(int, ids.split(","))) if ids else frozenset[int]()
        return cls._checked(int(xmin), int(xmax), running, timeline or "")

    @classmethod
    def _checked(cls, xmin: int, xmax: int, running: frozenset[int], timeline: str) -> Self:
        if not 0 < xmin <= xmax or any(not xmin <= xid < xmax for xid in running):
            raise ValueError(f"Invalid snapshot: from {xmin} to {xmax}, running {sorted(running)}"[:100])
        return cls(xmin, xmax, running, timeline)

    def is_visible(self, xid: int) -> bool:
        """Whether the writes of the transaction are visible, if it committed."""
        return xid < self.xmax and xid not in self.running

    def is_of_timeline(self, timeline: str) -> bool:
        """Whether ids of a timeline count here. They do if either timeline is unknown."""
        return not (self.timeline and timeline) or self.timeline == timeline

    def includes(self, other: "Snapshot") -> bool:
        """Whether every transaction that `other` sees is visible here. It is not if the eras differ."""
        if not self.is_of_timeline(other.timeline):
            return False
        if other.xmax - self.xmax > len(other.running):
            return False
        # The ids from our `xmax` up to the other's are invisible here. So each of them must be invisible
        # there, too.
        between = range(self.xmax, other.xmax)
        return not any(map(other.is_visible, self.running)) and other.running.issuperset(between)

    @property
    def pg_snapshot(self) -> str:
        """The text of PostgreSQL's `pg_snapshot`, without the era."""
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.running)))}"

    def __str__(self) -> str:
        return f"{self.pg_snapshot}@{self.timeline}" if self.timeline else self.pg_snapshot


@dataclass(frozen=True, slots=True)
class CycleSnapshot:
    """The snapshot of a refresh cycle that has matched its changes.

    Attributes:
        number: The cycle's number.
        snapshot: The snapshot.
    """

    number: int
    snapshot: Snapshot
