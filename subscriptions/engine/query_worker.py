"""The workers of a cycle and their runs: one connection each, and one batch of queries at a time."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from core.database.database import SharedReadTransaction
from subscriptions.engine.query_runner import QueryBatch


@dataclass(slots=True, eq=False)
class QueryWorker:
    """One worker with its connection.

    Attributes:
        snapshot: The transaction in which its batches run. None if it has to import the cycle's snapshot first.
        started_at: When its present run began, by the event loop's clock.
        detached_share: The share of its batch if it has left its cycle. Then it ends after its present run.
        has_joined: Set once it has the snapshot, or has ended. The exporting connection may close then.
        batch: The batch that it runs, or has to run first.
    """

    snapshot: SharedReadTransaction | None
    started_at: float
    detached_share: str | None = None
    has_joined: asyncio.Event = field(default_factory=asyncio.Event)
    batch: QueryBatch | None = None

    @property
    def is_detached(self) -> bool:
        """Whether it has left its cycle."""
        return self.detached_share is not None


@dataclass(frozen=True, slots=True, eq=False)
class BatchRun:
    """The run of one batch. It implements `QueryRun`.

    Attributes:
        cycle: The number of the cycle on whose snapshot it runs.
        batch: The batch.
        worker: The worker that runs it.
        task: The worker's task.
    """

    cycle: int
    batch: QueryBatch
    worker: QueryWorker
    task: "asyncio.Task[Any] | None"

    def cancel_if_abandoned(self) -> None:
        """Cancel a run that has left its cycle, once no query of its batch has a subscriber."""
        is_present = self.worker.is_detached and self.worker.batch is self.batch
        if is_present and self.task and not any(shared.subscriptions for shared in self.batch.shared_queries):
            self.task.cancel()
