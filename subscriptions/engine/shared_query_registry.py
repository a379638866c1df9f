"""The registry of shared queries. Each open live query runs once for all its subscribers. The registry does no I/O.

`query_states.py` owns the state of each query, and draws the states and one refresh cycle. The registry has the rest:
the queries by their keys, their subscribers, their read sets and their answers.

**Replay.** A change does not mark a running query. The replay buffer records all changes since the run's snapshot
instead, and `complete` matches them against the read set that the run returns. The old read set would be wrong here:
it may lack rows that the new answer has. An example: `q` lists the agents of site 1. Its run on snapshot 8 finds
agent `a`, which has just moved there. A commit after snapshot 8 renames `a`. The old read set has no `a`. Only the
new one matches the commit, so `q` runs once more.

**New subscribers.** A subscription of cycle 7 gets no answer that was read before cycle 7 ended. So a client that
writes and then subscribes finds its write in the first message.

    cycle 7                cycle 8
    |----------------------|----- poll, match -----|--- run ---|-- send --|
        ^ client subscribes                        ^ `take_new_subscribers`
        `since_cycle` = 7                          CLEAN: the present answer is sent, as of cycle 8
                                                   else:  the run sends the answer
                                                          (CLEAN without text becomes DIRTY)

**Time.** A query is time-dependent while its read set uses `agents.is_online`. Time alone may change its answer, so
the clock runs while there is such a query. `complete` counts its answer as outdated if the clock has advanced since
the run (`same_clock`).
"""

from collections.abc import Container, Iterator, Sequence

from subscriptions.change_log.change import Change
from subscriptions.clock.expiry_queue import IS_ONLINE
from subscriptions.engine.live_query import LiveQuery, LiveQueryKey
from subscriptions.engine.query_states import QueryRun, QueryState, QueryStates
from subscriptions.engine.result_cache import ResultCache
from subscriptions.engine.run_outcome import RunOutcome
from subscriptions.engine.shared_query import SharedQuery, Subscription
from subscriptions.invalidation.matcher import ChangeMatcher


class SharedQueryRegistry:
    """All shared queries.

    Attributes:
        matched: The number of the latest cycle that has matched its changes.
        matcher: The index of all read sets.
    """

    def __init__(self, matcher: "ChangeMatcher[SharedQuery]") -> None:
        self.matched = 0
        self.matcher = matcher
        self._states = QueryStates()
        self._results = ResultCache()
        self._by_key: dict[LiveQueryKey, SharedQuery] = {}
        self._joined: dict[SharedQuery, None] = {}
        """The queries that subscribers have joined since the latest `take_new_subscribers`."""
        self._time_dependent: set[SharedQuery] = set()

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[SharedQuery]:
        return iter(self._by_key.values())

    @property
    def subscriptions(self) -> int:
        """The number of open subscriptions."""
        return sum(len(shared.subscriptions) for shared in self)

    @property
    def has_time_dependent(self) -> bool:
        """Whether any answer changes with time alone."""
        return bool(self._time_dependent)

    @property
    def cycle(self) -> int:
        """The number of the latest cycle that has begun."""
        return self._states.cycle

    def begin_cycle(self) -> int:
        """Begin a cycle. Returns its number."""
        self._states.cycle += 1
        return self._states.cycle

    def add_subscription(
        self, subscription: Subscription, query: LiveQuery, *, since_cycle: int | None = None
    ) -> None:
        """Move a subscription from its shared query, if any, to the one of `query`.

        Args:
            subscription: A new one, or one with a changed viewer.
            query: The live query.
            since_cycle: The cycle in which the subscription counts as begun. None means the current cycle.
        """
        shared = self._by_key.get(query.key)
        if shared is not None and subscription.shared_query is shared:
            return
        self._detach(subscription)
        subscription.since_cycle = self.cycle if since_cycle is None else since_cycle
        if shared is None:
            shared = self._by_key[query.key] = SharedQuery(query, subscription.since_cycle)
            self._states.add(shared)
        shared.add_subscription(subscription)
        self._joined[shared] = None

    def remove_subscription(self, subscription: Subscription) -> None:
        """End a subscription. A shared query without subscribers is closed, and its answer and read set removed."""
        self._detach(subscription)
        subscription.last_sent_digest = b""

    def get_state(self, shared: SharedQuery) -> QueryState:
        """The present state of a shared query."""
        return self._states.get_state(shared)

    def is_clean(self, shared: SharedQuery) -> bool:
        """Whether the latest answer of a shared query is current, as far as the change log was matched."""
        return self._states.is_clean(shared)

    def mark_dirty(self, shared: SharedQuery) -> None:
        """Mark a shared query: its answer may have changed. A running query is left to the replay."""
        self._states.mark_dirty(shared)

    def mark_all_dirty(self) -> None:
        """Mark all shared queries: anything may have changed."""
        self._states.mark_all_dirty()

    def mark_touched(self, changes: Sequence[Change]) -> bool:
        """Mark the shared queries with read sets that the changes match. Returns whether there are any."""
        touched = self.matcher.find_touched(changes)
        for shared in touched:
            self._states.mark_dirty(shared)
        return bool(touched)

    def list_runnable(self, busy: Container[str] = ()) -> list[SharedQuery]:
        """The dirty queries that this cycle may run, of shares that are not `busy`. See `QueryStates`."""
        return self._states.list_runnable(busy)

    def list_dirty_shares(self) -> list[str]:
        """The shares with dirty queries."""
        return self._states.list_dirty_shares()

    def mark_running(self, shared: SharedQuery, run: QueryRun) -> None:
        """Mark a dirty query: it runs on the snapshot of this cycle."""
        self._states.mark_running(shared, run)

    def mark_failed(self, shared: SharedQuery) -> None:
        """Mark a running query as dirty again: its run had no result."""
        self._states.mark_failed(shared)

    def take_new_subscribers(self, busy: Container[str] = ()) -> list[SharedQuery]:
        """The clean queries with new subscribers for the present answer. Call it after the cycle has matched.

        Those of `busy` shares wait: their slice may have answers that were not sent yet.

        The run sends the answer to a new subscriber of a query that is dirty or running. A query without a kept
        answer runs again.
        """
        cycle, joined = self.cycle, self._joined
        # A subscriber of the present cycle waits for the next one.
        self._joined = {
            shared: None
            for shared in joined
            if shared.share in busy or any(s.since_cycle >= cycle for s in shared.behind)
        }
        present = [
            shared
            for shared in joined
            if shared.share not in busy
            and self._states.is_clean(shared)
            and any(s.since_cycle < cycle for s in shared.behind)
        ]
        for shared in present:
            if shared.result is None or shared.result.body is None:
                self.mark_dirty(shared)
        return [shared for shared in present if self._states.is_clean(shared)]

    def complete(
        self,
        shared: SharedQuery,
        outcome: RunOutcome,
        missed: Sequence[Change] | None,
        *,
        same_clock: bool = True,
    ) -> int:
        """Store the result of a run. Returns a cycle: only subscribers from before it may get the answer.

        Args:
            shared: A running query. If it is closed by now, nothing is stored and 0 is returned.
            outcome: The answer and its read set.
            missed: The changes since the run's snapshot. None if anything may have changed.
            same_clock: Whether `missed` includes everything that time alone has changed since then.
        """
        if self._states.get_state(shared) is QueryState.CLOSED:
            return 0
        run_cycle = self._states.run_of(shared).cycle
        self._index_dependencies(shared, outcome)
        self._results.store(shared, outcome.result)
        lost = missed is None or (shared in self._time_dependent and not same_clock)
        # The answer shows the run's snapshot and is already outdated. Subscribers that began during the run
        # must not get it. An answer that no later change touches is current: it holds up to the latest
        # matched cycle.
        if lost or self._is_touched(shared, missed or ()):
            self._states.mark_outdated(shared)
            return run_cycle
        self._states.mark_clean(shared)
        return max(run_cycle, self.matched)

    def get_sent_cycle(self, subscription: Subscription) -> int:
        """The latest cycle for which a subscription has the current answer. 0 if there is none."""
        shared = subscription.shared_query
        if shared is None or not shared.has_current_answer(subscription):
            return 0
        cycle = max(shared.sent_cycle, self.matched if self._states.is_clean(shared) else 0)
        return cycle if subscription.since_cycle < cycle else 0

    def evict(self, shared: SharedQuery) -> None:
        """Evict the text of a sent answer if all kept texts exceed their limit. Its digest stays."""
        self._results.evict(shared)

    def validate(self) -> None:
        """Check what no class holds by itself. Tests call it.

        Raises:
            AssertionError: It does not hold.
        """
        for shared in self:
            if self._states.get_state(shared) is QueryState.CLOSED or not shared.subscriptions:
                raise AssertionError("a closed query is registered")
            if any(s.shared_query is not shared for s in shared.subscriptions):
                raise AssertionError("a subscriber belongs to another query")
            if not all(shared.has_current_answer(s) or s in shared.behind for s in shared.subscriptions):
                raise AssertionError("a subscriber without the current answer gets none")
        if len(self._states) != len(self) or not {*self._joined, *self._time_dependent} <= {*self}:
            raise AssertionError("a removed query is known somewhere")
        self._results.validate(self)
        self.matcher.validate()

    def _index_dependencies(self, shared: SharedQuery, outcome: RunOutcome) -> None:
        if outcome.dependencies is None:
            return
        shared.facts, shared.dependencies = outcome.facts, outcome.dependencies
        self.matcher.set_dependencies(shared, shared.dependencies)
        if any(IS_ONLINE in dependency.uses for dependency in shared.dependencies):
            self._time_dependent.add(shared)
        else:
            self._time_dependent.discard(shared)

    @staticmethod
    def _is_touched(shared: SharedQuery, missed: Sequence[Change]) -> bool:
        if not missed:
            return False
        # A matcher with this one read set replays the changes. The shared matcher would return other queries,
        # too.
        matcher: ChangeMatcher[SharedQuery] = ChangeMatcher()
        matcher.set_dependencies(shared, shared.dependencies)
        return bool(matcher.find_touched(missed))

    def _detach(self, subscription: Subscription) -> None:
        shared = subscription.shared_query
        if shared is None:
            return
        shared.remove_subscription(subscription)
        if not shared.subscriptions:
            self._close(shared)

    def _close(self, shared: SharedQuery) -> None:
        del self._by_key[shared.query.key]
        self._joined.pop(shared, None)
        self._time_dependent.discard(shared)
        self._results.remove(shared)
        self.matcher.remove(shared)
        self._states.close(shared)
