"""What one tick has to run."""

from collections import deque
from dataclasses import dataclass, field, replace

from subscriptions.changes.moment import Moment
from subscriptions.engine.clock import Clock
from subscriptions.engine.group import Group
from subscriptions.engine.history import Hold
from subscriptions.engine.outcomes import Failure
from subscriptions.engine.runs import Batch


@dataclass(slots=True, eq=False)
class Work:
    """What one tick has to run, and what came of it.

    Attributes:
        moment: What its snapshot sees.
        clock: The clock that its answers went by; None where none was needed.
        time: What they are true of, in milliseconds since the epoch.
        hold: What happens from that moment on.
        queue: What is still to be run.
        landed: Groups with answers that were not told yet, and before which tick those came who may be told.
        failed: Groups that failed, and are to be ended.
        lanes: How many connections are at it.
        exported: The name under which they join its moment.
        lost: Whether its moment was lost before all had been run: nothing that landed is told, as it is to agree
            with what is run at a later one.
    """

    moment: Moment
    clock: Clock | None
    time: int
    hold: Hold
    queue: deque[Batch] = field(default_factory=deque)
    landed: list[tuple[Group, int]] = field(default_factory=list)
    failed: list[tuple[Group, Failure]] = field(default_factory=list)
    lanes: int = 0
    exported: str | None = None
    lost: bool = False

    def lose(self) -> None:
        """Run nothing more of it."""
        self.lost = True
        self.queue.clear()

    def apart(self) -> "Work":
        """The same moment for a run that has left its tick: what comes of it is told by itself."""
        return replace(self, queue=deque(), landed=[], failed=[], lost=False)
