"""The result sender: it hands the answers of a cycle to the subscribers, without a pause between them."""

from collections.abc import Sequence

from core.clock import now_ms
from subscriptions.engine.live_state import LiveState
from subscriptions.engine.query_states import QueryState
from subscriptions.engine.refresh_cycle import RefreshCycle
from subscriptions.engine.shared_query import SharedQuery
from subscriptions.engine.stats import EngineStats


class ResultSender:
    """Sends the answers of cycles, and of runs that have left their cycle."""

    def __init__(self, state: LiveState, stats: EngineStats) -> None:
        self._registry = state.registry
        self._feed = state.feed
        self._write_barrier = state.write_barrier
        self._tokens = state.snapshot_tokens
        self._stats = stats

    def send_results(self, cycle: RefreshCycle, new_subscribers: Sequence[SharedQuery] = ()) -> None:
        """Send all answers of a slice without a pause. If it was lost, send none and mark the queries as dirty.

        Args:
            cycle: The cycle's slice, or a run that has left it.
            new_subscribers: The clean queries with new subscribers for the present answer.
        """
        completed, cycle.completed = cycle.completed, []
        failed, cycle.failed = cycle.failed, []
        if cycle.is_lost:
            for shared in (*new_subscribers, *(shared for shared, _ in completed)):
                self._registry.mark_dirty(shared)
            completed, new_subscribers = [], ()
        sent = 0
        for shared, before in completed:
            if self._registry.get_state(shared) is not QueryState.CLOSED:
                # A clean query's answer also holds for the latest snapshot: later changes did not match. An
                # outdated answer holds for the run's snapshot only.
                snapshot = self._feed.snapshot if self._registry.is_clean(shared) else cycle.snapshot
                sent += shared.send_result(self._tokens.seal(snapshot), before)
                self._registry.evict(shared)
        for shared, failure in failed:
            self._stats.failures += 1
            for subscription in list(shared.subscriptions):
                subscription.cancel()
                subscription.subscriber.send_error(failure.errors)
        self.send_present_answers(new_subscribers)
        self._stats.messages += sent
        if sent and cycle.changed_at is not None:
            self._stats.record_lag(max(0, now_ms() - cycle.changed_at) / 1000)

    def send_present_answers(self, new_subscribers: Sequence[SharedQuery]) -> None:
        """Send the present answers to new subscribers, as this cycle has confirmed them, and release barriers."""
        for shared in new_subscribers:
            if self._registry.is_clean(shared) and shared.result and shared.result.body is not None:
                token = self._tokens.seal(self._feed.snapshot)
                self._stats.messages += shared.send_result(token, self._registry.cycle)
                self._registry.evict(shared)
        self._write_barrier.release_reached()
