"""The states of all shared queries, with one owner: `QueryStates`. No other class stores or changes a state. No I/O.

The states of one shared query, from the first subscriber to the last:

    first subscriber (1)
            |
            v      its run starts (2)
        +-------+ -----------------> +---------+
        | DIRTY |                    | RUNNING |
        +-------+ <----------------- +---------+
            ^      run failed (3)         |
            |      or is outdated (4)     | answer is current (5)
            |                             v
            |                         +-------+
            +------------------------ | CLEAN |
                 change matches (6)   +-------+

    any state -- the last subscriber leaves (7) --> CLOSED

1. `add`. The query may run in a later cycle only (`list_runnable`): its subscriber may have written something that
   the snapshot of the present cycle does not show.
2. `mark_running`: a worker runs the query on the snapshot of the present cycle.
3. `mark_failed`: the batch failed, was cancelled after `LIVE_RUN_S`, or lost the database. The query runs again.
4. `mark_outdated`: a change after the run's snapshot matches the new read set, or such changes are unknown. The
   answer is stored and sent, and the query runs once more.
5. `mark_clean`: no later change matches. The answer is current up to the latest matched cycle.
6. `mark_dirty`: a change matches the read set, or the changes are unknown. The same holds if the answer's text was
   evicted and a new subscriber needs it, and for answers that must not be sent because their cycle was lost.
7. `close`. A run without any subscriber left may be cancelled (`QueryRun`). A query that failed for good stays
   RUNNING until the cycle has sent the error, which ends its subscribers.

`mark_dirty` ignores a query that is RUNNING. The replay buffer records the changes since the run's snapshot instead,
and the end of the run decides between (4) and (5). So all changes during a run cause one more run at most.

**One refresh cycle.** The queries `q1` to `q5` have subscribers, and writers commit A to C:

    commits     A           B                        C
    ------------------------------------------------------------------------------------------> time
    cycle 8      | poll: A  | snapshot, poll: B |  workers run q1, q2, q3      | send | rest |  cycle 9: polls C
    q1  CLEAN    | DIRTY    |                   | RUNNING       | CLEAN        | sent |         A matches
    q2  CLEAN    |          | DIRTY             |     RUNNING           | CLEAN| sent |         B matches
    q3  DIRTY    |          |                   | RUNNING  | CLEAN             | sent |         new in cycle 7
    q4  RUNNING ...................................... | CLEAN, sent by itself ............    slow run of cycle 5
    q5  CLEAN ............................................................................     nothing matches: no run

C is not in the snapshot. Cycle 9 marks the queries that C matches, as they are CLEAN by then. If `q4` had still been
RUNNING in cycle 9, its recording would have got C. `change_poller.py` describes the steps of a cycle.
"""

from collections.abc import Container
from enum import Enum
from typing import Protocol

from subscriptions.engine.shared_query import SharedQuery


class QueryState(Enum):
    """The state of one shared query."""

    DIRTY = "dirty"
    """It has to run: it has no answer, or the answer may be outdated."""

    RUNNING = "running"
    """A worker runs it on the snapshot of a cycle, or has found a failure that was not sent yet."""

    CLEAN = "clean"
    """Its answer is current, as far as the change log was matched."""

    CLOSED = "closed"
    """It has no subscriber left, and is in no collection any longer."""


class QueryRun(Protocol):
    """A run of one query or of several."""

    @property
    def cycle(self) -> int:
        """The cycle on whose snapshot it runs."""

    def cancel_if_abandoned(self) -> None:
        """One of its queries was closed. Without any subscriber left, nothing needs the run."""


class QueryStates:
    """The state of every shared query. A query is in exactly one collection, and that is its state.

    Attributes:
        cycle: The number of the latest cycle that has begun.
    """

    def __init__(self) -> None:
        self.cycle = 0
        self._dirty: dict[str, dict[SharedQuery, None]] = {}
        """By share, in the order in which they became dirty: the run queues."""
        self._running: dict[SharedQuery, QueryRun] = {}
        self._clean: dict[SharedQuery, None] = {}

    def __len__(self) -> int:
        """The number of queries that are not closed."""
        return sum(map(len, self._dirty.values())) + len(self._running) + len(self._clean)

    def get_state(self, shared: SharedQuery) -> QueryState:
        """The present state of a query."""
        if shared in self._clean:
            return QueryState.CLEAN
        if self._is_dirty(shared):
            return QueryState.DIRTY
        return QueryState.RUNNING if shared in self._running else QueryState.CLOSED

    def is_clean(self, shared: SharedQuery) -> bool:
        """Whether the latest answer of a query is current, as far as the change log was matched."""
        return shared in self._clean

    def list_runnable(self, busy: Container[str] = ()) -> list[SharedQuery]:
        """The dirty queries that the present cycle may run, of shares that are not `busy`.

        Of each share the one that became dirty first comes first.
        """
        return [
            shared
            for share, dirty in self._dirty.items()
            if share not in busy
            for shared in dirty
            if shared.since_cycle < self.cycle
        ]

    def list_dirty_shares(self) -> list[str]:
        """The shares with dirty queries."""
        return list(self._dirty)

    def run_of(self, shared: SharedQuery) -> QueryRun:
        """The run of a running query.

        Raises:
            KeyError: The query is not running.
        """
        return self._running[shared]

    def add(self, shared: SharedQuery) -> None:
        """Add a query that has never run."""
        self._put_dirty(shared)

    def mark_dirty(self, shared: SharedQuery) -> None:
        """A clean query has to run again. A query in any other state keeps it."""
        if shared in self._clean:
            del self._clean[shared]
            self._put_dirty(shared)

    def mark_all_dirty(self) -> None:
        """All clean queries have to run again."""
        for shared in self._clean:
            self._put_dirty(shared)
        self._clean.clear()

    def mark_running(self, shared: SharedQuery, run: QueryRun) -> None:
        """A worker runs a dirty query on the snapshot of the present cycle."""
        self._drop_dirty(shared)
        self._running[shared] = run

    def mark_clean(self, shared: SharedQuery) -> None:
        """The run has returned, and its answer is current."""
        del self._running[shared]
        self._clean[shared] = None

    def mark_outdated(self, shared: SharedQuery) -> None:
        """The run has returned, but its answer is outdated."""
        del self._running[shared]
        self._put_dirty(shared)

    def mark_failed(self, shared: SharedQuery) -> None:
        """The run had no result. A query that was closed meanwhile stays closed."""
        if self._running.pop(shared, None) is not None:
            self._put_dirty(shared)

    def close(self, shared: SharedQuery) -> None:
        """Remove a query that has no subscriber. Its run may be cancelled."""
        self._clean.pop(shared, None)
        if self._is_dirty(shared):
            self._drop_dirty(shared)
        run = self._running.pop(shared, None)
        if run is not None:
            run.cancel_if_abandoned()

    def _is_dirty(self, shared: SharedQuery) -> bool:
        return shared in self._dirty.get(shared.share, ())

    def _put_dirty(self, shared: SharedQuery) -> None:
        self._dirty.setdefault(shared.share, {})[shared] = None

    def _drop_dirty(self, shared: SharedQuery) -> None:
        dirty = self._dirty[shared.share]
        del dirty[shared]
        if not dirty:
            del self._dirty[shared.share]
