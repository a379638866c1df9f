"""The end of a batch's run: each query takes its outcome, with the changes during the run replayed."""

from collections.abc import Sequence
from typing import Final

import structlog

from core.errors import InternalError
from subscriptions.clock.cycle_clock import CycleClock
from subscriptions.engine.query_runner import QueryBatch
from subscriptions.engine.refresh_cycle import RefreshCycle
from subscriptions.engine.run_outcome import RunFailure, RunOutcome
from subscriptions.engine.shared_query_registry import SharedQueryRegistry
from subscriptions.engine.stats import EngineStats

_log: Final = structlog.get_logger(__name__)


class BatchCompletion:
    """Completes the queries of batches, and counts their runs."""

    def __init__(self, registry: SharedQueryRegistry, clock: CycleClock, stats: EngineStats) -> None:
        self._registry = registry
        self._clock = clock
        self._stats = stats

    def complete(
        self, cycle: RefreshCycle, batch: QueryBatch, outcomes: Sequence[RunOutcome | RunFailure]
    ) -> None:
        """Give each outcome to its query. A failed query is listed in the cycle."""
        missed = cycle.recording.take_missed()
        same_clock = self._clock.has_sent_since(cycle.clock, cycle.time)
        strategy = _name_strategy(batch)
        for group, outcome in zip(batch.shared_queries, outcomes, strict=True):
            self._stats.runs[strategy] += 1
            if isinstance(outcome, RunFailure):
                cycle.failed.append((group, outcome))
                continue
            known = group.result.digest if group.result else None
            try:
                before = self._registry.complete(group, outcome, missed, same_clock=same_clock)
            except Exception:  # noqa: BLE001 - without its read set it would become outdated unnoticed
                cycle.failed.append((group, _build_internal_failure()))
                continue
            group.runs_unbatched = False
            self._stats.unchanged += known == outcome.result.digest
            cycle.completed.append((group, before))


def _name_strategy(batch: QueryBatch) -> str:
    if batch.shared_queries[0].query.planned.plan is None:
        return "loaders"
    return "batch" if len(batch.shared_queries) > 1 else "alone"


def _build_internal_failure() -> RunFailure:
    error = InternalError()
    _log.exception("live query cannot be refreshed", error_id=error.error_id)
    return RunFailure([{"message": error.message, "extensions": error.extensions()}])
