"""The work of one refresh cycle, or of one slice of it (see `tenant_slices.py`)."""

from collections import deque
from dataclasses import dataclass, field

from core.fair_queue import SERVER
from subscriptions.change_log.replay_buffer import Recording
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.clock.online_clock import OnlineClock
from subscriptions.engine.query_runner import QueryBatch
from subscriptions.engine.run_outcome import RunFailure
from subscriptions.engine.shared_query import SharedQuery


@dataclass(slots=True, eq=False)
class RefreshCycle:
    """The batches of one slice of a refresh cycle, and their results.

    Attributes:
        number: The cycle's number.
        snapshot: The cycle's snapshot.
        clock: The clock that the answers use. None if none was needed.
        time: The time that the answers show, in milliseconds since the epoch.
        recording: A recording of the changes after the snapshot.
        share: Whose work it is, by `core.fair_queue`: a tenant's, or the server's for several tenants.
        changed_at: When the earliest change was made that its answers show, in milliseconds since the epoch. None if
            there is none.
        queue: The batches that have not started.
        completed: Shared queries with unsent answers. The number is a cycle: only subscribers from before it get the
            answer.
        failed: Shared queries that failed and have to end.
        workers: How many connections work on it.
        snapshot_id: The name by which other connections import the snapshot. None if it was not exported.
        is_lost: Whether the snapshot was lost before every batch had run. Then no answer is sent, because it has to
            agree with answers that will come from a later snapshot.
    """

    number: int
    snapshot: Snapshot
    clock: OnlineClock | None
    time: int
    recording: Recording
    share: str = SERVER
    changed_at: int | None = None
    queue: deque[QueryBatch] = field(default_factory=deque, init=False)
    completed: list[tuple[SharedQuery, int]] = field(default_factory=list, init=False)
    failed: list[tuple[SharedQuery, RunFailure]] = field(default_factory=list, init=False)
    workers: int = field(default=0, init=False)
    snapshot_id: str | None = field(default=None, init=False)
    is_lost: bool = field(default=False, init=False)

    def mark_lost(self) -> None:
        """Give the cycle up: start no further batch, and send no answer."""
        self.is_lost = True
        self.queue.clear()

    def detach(self) -> "RefreshCycle":
        """The same snapshot for a run that has left its cycle. Its answers are sent separately."""
        return RefreshCycle(
            self.number, self.snapshot, self.clock, self.time, self.recording, self.share, self.changed_at
        )
