"""A moment: which transactions one snapshot of PostgreSQL sees; pure.

Transaction ids only grow within an *era*: the life of a cluster between two recoveries. After a crash, a
failover or a restore an id may be given a second time, so a moment remembers its era.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

_TEXT: Final = re.compile(
    r"(\d{1,20}):(\d{1,20}):((?:\d{1,20}(?:,\d{1,20})*)?)(?:@([0-9A-Za-z.-]{1,100}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a snapshot sees.

    Attributes:
        xmin: The lowest transaction id that was still running; all below are over.
        xmax: One past the highest transaction id that was over; none from here on is seen.
        running: The ids between the two that were running.
        era: Within which life of which cluster the ids are meant; empty where that is not known.
    """

    xmin: int
    xmax: int
    running: frozenset[int] = frozenset()
    era: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `pg_snapshot`'s text, such as `10:20:10,14`, with the era behind an `@` if there is one.

        Raises:
            ValueError: `text` is no such thing.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError(f"Not a moment: {text!r:.60}")
        xmin, xmax, ids, era = match.groups()
        running = frozenset(map(int, ids.split(","))) if ids else frozenset[int]()
        return cls._checked(int(xmin), int(xmax), running, era or "")

    @classmethod
    def _checked(cls, xmin: int, xmax: int, running: frozenset[int], era: str) -> Self:
        if not 0 < xmin <= xmax or any(not xmin <= xid < xmax for xid in running):
            raise ValueError(f"Not a moment: from {xmin} to {xmax}, running {sorted(running)}"[:100])
        return cls(xmin, xmax, running, era)

    def sees(self, xid: int) -> bool:
        """Whether what the transaction wrote, if it committed, is seen."""
        return xid < self.xmax and xid not in self.running

    def covers(self, other: "Moment") -> bool:
        """Whether this moment sees every transaction that `other` sees; no two eras cover each other."""
        if self.era and other.era and self.era != other.era:
            return False
        if other.xmax - self.xmax > len(other.running):
            return False
        between = range(self.xmax, other.xmax)
        return not any(map(other.sees, self.running)) and other.running.issuperset(between)

    @property
    def snapshot(self) -> str:
        """The moment as PostgreSQL's `pg_snapshot` has it, without the era."""
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, sorted(self.running)))}"

    def __str__(self) -> str:
        return f"{self.snapshot}@{self.era}" if self.era else self.snapshot
