"""The changes of the last ticks, kept while somebody reads at an older moment: what they missed is replayed; pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.limits import LIVE_REPLAYED_ROWS_MAX
from subscriptions.changes.change import Change


@dataclass(slots=True, eq=False)
class Hold:
    """Begun before something is read, asked for what was missed when it has been read, and released.

    Attributes:
        changes: What the ticks saw since; more than was missed, never less.
        lost: Whether they were too many to keep, or are not known: anything may have changed.
    """

    history: "History"
    changes: list[Change] = field(default_factory=list)
    lost: bool = False
    _rows: int = 0

    def missed(self) -> list[Change] | None:
        """What happened since it began, as far as the ticks have come; None where anything may have."""
        return None if self.lost else self.changes

    def add(self, changes: Iterable[Change], rows: int) -> None:
        """Keep what a tick saw."""
        self._rows += rows
        if self._rows > LIVE_REPLAYED_ROWS_MAX:
            self.lose()
        elif not self.lost:
            self.changes.extend(changes)

    def lose(self) -> None:
        """Know no longer what happened."""
        self.lost = True
        self.changes.clear()

    def release(self) -> None:
        """Keep nothing more."""
        self.history.forget(self)


class History:
    """Who reads at older moments."""

    def __init__(self) -> None:
        self._holds: set[Hold] = set()

    def __len__(self) -> int:
        return len(self._holds)

    def hold(self) -> Hold:
        """Keep what happens from now on."""
        hold = Hold(self)
        self._holds.add(hold)
        return hold

    def add(self, changes: tuple[Change, ...] | None) -> None:
        """What a tick saw; None where anything may have happened."""
        if changes is None:
            for hold in self._holds:
                hold.lose()
        elif changes and self._holds:
            rows = sum(len(change.rows or ()) + 1 for change in changes)
            for hold in self._holds:
                hold.add(changes, rows)

    def forget(self, hold: Hold) -> None:
        """Keep nothing more for one of them."""
        self._holds.discard(hold)
