"""The replay buffer: it keeps recent changes for reads that are still running on older snapshots. No I/O.

    read on snapshot S1   | begins ------------------------------ ends | `missed` gives A and B
    cycle 8 finds A       |         ^ recorded
    cycle 9 finds B       |                         ^ recorded

A run is outdated if A or B match its new read set. A viewer signs in again if they match the rows of the sign-in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.limits import LIVE_REPLAYED_ROWS_MAX
from subscriptions.change_log.change import Change


@dataclass(slots=True, eq=False)
class Recording:
    """A recording of changes. It begins before a read, gives the missed changes after the read, and is then released.

    Attributes:
        changes: The changes of all cycles since the recording began. It may have more than the read missed, never
            less.
        is_lost: Whether the changes are unknown, or were too many to keep. Then anything may have changed.
    """

    buffer: "ReplayBuffer"
    changes: list[Change] = field(default_factory=list)
    is_lost: bool = False
    _rows: int = 0

    def take_missed(self) -> list[Change] | None:
        """The changes since the recording began, up to the latest cycle. None if anything may have changed."""
        return None if self.is_lost else self.changes

    def add(self, changes: Iterable[Change], rows: int) -> None:
        """Record the changes of a cycle."""
        self._rows += rows
        if self._rows > LIVE_REPLAYED_ROWS_MAX:
            self.mark_lost()
        elif not self.is_lost:
            self.changes.extend(changes)

    def mark_lost(self) -> None:
        """Drop the changes: from now on anything may have changed."""
        self.is_lost = True
        self.changes.clear()

    def stop(self) -> None:
        """End the recording."""
        self.buffer.stop_recording(self)


class ReplayBuffer:
    """All running recordings."""

    def __init__(self) -> None:
        self._recordings: set[Recording] = set()

    def __len__(self) -> int:
        return len(self._recordings)

    def start_recording(self) -> Recording:
        """Begin a recording."""
        recording = Recording(self)
        self._recordings.add(recording)
        return recording

    def add(self, changes: tuple[Change, ...] | None) -> None:
        """Add a cycle's changes to every recording. None means that anything may have changed."""
        if changes is None:
            for recording in self._recordings:
                recording.mark_lost()
        elif changes and self._recordings:
            rows = sum(len(change.rows or ()) + 1 for change in changes)
            for recording in self._recordings:
                recording.add(changes, rows)

    def stop_recording(self, recording: Recording) -> None:
        """End one recording."""
        self._recordings.discard(recording)
