"""The change poller. A *refresh cycle* polls the change log, runs the matching queries and sends answers.

A cycle that finds changes, with commits A to D of some writers:

    commits       A        B                            C                          D
    ------------------------------------------------------------------------------------------> time
    cycle 8         | 1 poll |  2 snapshot  | 3 viewers | 4 run          | 5 send | 6 rest |  cycle 9
                    |        |  and poll    | streams   |                |        |        |  1 poll ...
    sees            A         A, B                                                           A, B, C, D
    worker 1                                            | q1, q2 | q3    |
    worker 2 (slow)                                     | q4 .................................. | send q4

1. **Poll.** One statement reads the changes since the last snapshot (`_poll_change_log`). The read sets of `q1` and
   `q2` match A: they become dirty (`invalidator.py`). If nothing is dirty and no viewer has changed, the cycle
   publishes the changes to the streams, sends present answers to new subscribers, and rests. Most cycles end here.
2. **Snapshot.** A transaction takes the snapshot of the cycle (`_refresh`). The log is polled again, up to exactly
   this snapshot (`_advance_to`). It finds B, which matches `q3` and `q4`. The clock advances to the database's time.
3. **Viewers, then streams.** Viewers with changed rows sign in again on the snapshot. Only then the changes of both
   polls are published to the streams, so a viewer without the right gets no event.
4. **Run.** Workers run all dirty queries, each on this snapshot (`worker_pool.py`). C is not in it. The slow `q4`
   leaves the cycle and continues on the same snapshot.
5. **Send.** The answers of `q1` to `q3` are sent without a pause between them, as all show one snapshot
   (`result_sender.py`). If the cycle loses its snapshot, it sends none of them: the queries are dirty again, and
   cycle 9 runs them.
6. **Rest.** The timer waits 5 to 50 ms, or until a commit of this server wakes it (`poll_timer.py`).

Cycle 9 finds C and D while `q4` still runs. They are recorded for `q4` (`replay_buffer.py`) and matched against its
new read set when it returns. If one matches, the answer is sent and `q4` is dirty again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from core.database.connection_errors import translate_connection_errors
from core.database.database import Database, SharedReadTransaction
from core.errors import UnavailableError
from core.limits import LIVE_STATEMENT_TIMEOUT_S
from subscriptions.change_log.change import Delta
from subscriptions.change_log.change_log import ChangeLog
from subscriptions.clock.cycle_clock import CycleClock
from subscriptions.engine.invalidator import Invalidator
from subscriptions.engine.live_state import LiveState
from subscriptions.engine.poll_timer import PollTimer
from subscriptions.engine.slice_runner import SliceRunner
from subscriptions.engine.stats import EngineStats

_log: Final = structlog.get_logger(__name__)


class ChangePoller:
    """The refresh cycles of one server, one after another."""

    def __init__(
        self,
        database: Database,
        log: ChangeLog,
        state: LiveState,
        clock: CycleClock,
        timer: PollTimer,
        stats: EngineStats,
    ) -> None:
        self._database = database
        self._log = log
        self._state = state
        self._registry = state.registry
        self._clock = clock
        self._timer = timer
        self._stats = stats
        self._invalidator = Invalidator(state)
        self._slices = SliceRunner(database, state, clock, timer, stats, self._invalidator)

    async def run(self) -> None:
        """Run cycles until cancelled. After a failure, the next cycle continues from the last good snapshot."""
        try:
            while True:
                await self._poll_step()
        finally:
            await self._slices.close()

    async def _poll_step(self) -> None:
        try:
            busy = await self.run_cycle()
        except UnavailableError:
            self._stats.outages += 1
            await self._timer.back_off()
        except Exception:  # noqa: BLE001 - logged; no change is lost, no subscription ends
            _log.exception("refresh cycle failed")
            await self._timer.back_off()
        else:
            await self._timer.wait(busy=busy, empty=self._state.is_idle, until=self._clock.seconds_until_due)

    async def run_cycle(self) -> bool:
        """Run one cycle. Returns whether it found anything.

        Raises:
            UnavailableError: The database is unavailable.
        """
        cycle = self._registry.begin_cycle()
        self._stats.cycles += 1
        if not self._clock.set_needed(
            needed=self._registry.has_time_dependent
        ):  # a new clock opens in a snapshot: skip the poll
            changed = await self._poll_change_log()
            # A quiet cycle ends with this poll. `take_new_subscribers` may still mark a query as dirty if its
            # answer was evicted.
            if self._has_no_work():
                self._state.feed.publish()
                self._advance_barrier(cycle)
                self._slices.send_present_answers()
                if not self._slices.has_work:
                    return changed
        await self._refresh(cycle)
        return True

    def _has_no_work(self) -> bool:
        """Whether there is no query to run, no viewer to sign in again, and no change by time alone."""
        return self._clock.seconds_until_due > 0 and not (
            self._state.viewers.has_dirty or self._slices.has_work
        )

    async def _poll_change_log(self) -> bool:
        """Poll the change log by one statement. Returns whether anything was written."""
        async with _statement_timeout(), self._database.open_statement_connection() as connection:
            if self._state.is_idle:
                snapshot = await self._log.take_snapshot(connection)
                if not snapshot.timeline:  # as below: a mutation's token names the timeline
                    await self._log.begin_timeline(connection)
                    snapshot = await self._log.take_snapshot(connection)
                if self._state.is_idle:  # checked again: a new viewer may have read older rows
                    self._invalidator.apply(Delta(snapshot, (), is_complete=True), ())
                    return False
            delta = await self._log.read_since(connection, self._state.feed.snapshot)
            if not delta.snapshot.timeline:  # PostgreSQL has crashed, and may assign ids again
                await self._log.begin_timeline(connection)
                delta = await self._log.read_since(connection, self._state.feed.snapshot)
            changes = await self._clock.apply_at_rest(connection, delta)
        self._invalidator.apply(delta, changes)
        return bool(delta.changes)

    async def _refresh(self, cycle: int) -> None:
        """Take a snapshot, poll up to it, run the dirty queries on it, and send all answers."""
        async with _statement_timeout():
            snapshot = await self._database.open_shared_read_transaction()
        try:
            async with _statement_timeout():
                await self._advance_to(snapshot)
        except BaseException:
            await snapshot.close()
            raise
        self._advance_barrier(cycle)
        await self._slices.run(snapshot)

    def _advance_barrier(self, cycle: int) -> None:
        """Record that everything up to the cycle's snapshot was matched, and published to the streams."""
        self._registry.matched = cycle
        self._state.write_barrier.advance(self._state.feed.snapshot)

    async def _advance_to(self, snapshot: SharedReadTransaction) -> None:
        """Poll up to a snapshot, advance the clock, and sign in viewers again if their rows have changed."""
        delta = await self._log.read_since(snapshot.connection, self._state.feed.snapshot)
        changes = await self._clock.advance(
            snapshot.connection, delta, needed=self._registry.has_time_dependent
        )
        self._invalidator.apply(delta, changes)
        if self._state.viewers.has_dirty:
            self._stats.sign_ins += await self._state.viewers.refresh_dirty(snapshot, self._clock.time)
        # The streams get the changes after changed viewers have signed in: some may have lost rights.
        self._state.feed.publish()


@asynccontextmanager
async def _statement_timeout() -> AsyncIterator[None]:
    """Limit a poll or sign-in to `LIVE_STATEMENT_TIMEOUT_S`. Both take milliseconds.

    Without a reply the connection is lost.

    Raises:
        UnavailableError: There was no reply in time, or the connection is lost.
    """
    with translate_connection_errors():
        async with asyncio.timeout(LIVE_STATEMENT_TIMEOUT_S):
            yield
