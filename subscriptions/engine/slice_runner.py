"""Runs the slices of refresh cycles (`tenant_slices.py`). Only the small one has to end before the next cycle.

All slices of a cycle show its snapshot. The last slice uses the cycle's own connection. Each other slice imports the
snapshot on a connection of its tenant's share. The recording of each slice begins with the snapshot, so that it
misses no change however long it takes.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from core.database.database import Database, SharedReadTransaction
from core.errors import UnavailableError
from core.limits import LIVE_SMALL_SLICE_S
from subscriptions.change_log.replay_buffer import ReplayBuffer
from subscriptions.clock.cycle_clock import CycleClock
from subscriptions.engine.invalidator import Invalidator
from subscriptions.engine.live_state import LiveState
from subscriptions.engine.poll_timer import PollTimer
from subscriptions.engine.refresh_cycle import RefreshCycle
from subscriptions.engine.result_sender import ResultSender
from subscriptions.engine.shared_query import SharedQuery
from subscriptions.engine.stats import EngineStats
from subscriptions.engine.tenant_slices import CycleSlice, TenantSlices
from subscriptions.engine.worker_pool import WorkerPool

_Started = tuple[CycleSlice, RefreshCycle]

_log: Final = structlog.get_logger(__name__)


class SliceRunner:
    """The slices that run at present, and the start of new ones."""

    def __init__(
        self,
        database: Database,
        state: LiveState,
        clock: CycleClock,
        timer: PollTimer,
        stats: EngineStats,
        invalidator: Invalidator,
    ) -> None:
        self._database = database
        self._registry = state.registry
        self._feed = state.feed
        self._replay_buffer: ReplayBuffer = state.replay_buffer
        self._clock = clock
        self._timer = timer
        self._stats = stats
        self._invalidator = invalidator
        self._sender = ResultSender(state, stats)
        self._slices = TenantSlices()
        self._workers = WorkerPool(database, state.registry, clock, self._sender, timer, stats, self._slices)
        self._tasks: dict[CycleSlice, asyncio.Task[None]] = {}
        self._awaited: asyncio.Task[None] | None = None
        self._changed_at: dict[str, int] = {}
        """When the earliest change was made that a share's dirty queries do not show yet."""

    @property
    def has_work(self) -> bool:
        """Whether any query can run now."""
        return self._workers.has_work

    def send_present_answers(self) -> None:
        """Send the present answers of clean queries to new subscribers, after a cycle without a run."""
        self._sender.send_present_answers(self._registry.take_new_subscribers(self._slices.busy))

    async def run(self, snapshot: SharedReadTransaction) -> None:
        """Run the dirty queries in slices on a snapshot, and send the answers, to new subscribers as well.

        The small slice is waited for, and a single large one for a short time.

        Raises:
            UnavailableError: The database is unavailable.
        """
        self._stats.snapshots += 1
        self._note_changes()
        new_subscribers: Sequence[SharedQuery] = self._registry.take_new_subscribers(self._slices.busy)
        started = [(cycle_slice, self._begin(cycle_slice)) for cycle_slice in self._workers.choose_slices()]
        new_subscribers = self._send_to_others(started, new_subscribers)
        try:
            await self._start_on_imports(started[:-1], snapshot, new_subscribers)
        except BaseException:
            for cycle_slice, cycle in started:
                if cycle_slice not in self._tasks:
                    self._skip(cycle_slice, cycle, new_subscribers)
            await snapshot.close()
            raise
        if not started:
            await snapshot.close()
            return
        cycle_slice, cycle = started[-1]
        if not cycle_slice.is_small:
            self._database.pool.reassign(snapshot.connection, cycle_slice.share)
        task = self._start(cycle_slice, cycle, snapshot, new_subscribers)
        await self._wait(cycle_slice, task)

    async def close(self) -> None:
        """Cancel all slices and runs."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._workers.close()

    def _note_changes(self) -> None:
        """Note when the changes were made that the dirty queries will show."""
        at, self._invalidator.changed_at = self._invalidator.changed_at, None
        known, self._changed_at = self._changed_at, {}
        for share in self._registry.list_dirty_shares():
            times = [time for time in (known.get(share), at) if time is not None]
            if times:
                self._changed_at[share] = min(times)

    def _begin(self, cycle_slice: CycleSlice) -> RefreshCycle:
        """The slice's cycle, with its recording. It has to begin before the next poll."""
        if cycle_slice.is_small:
            self._database.note_activity(cycle_slice.shares)
        else:
            self._slices.busy.add(cycle_slice.share)
        times = [
            time for share in cycle_slice.shares if (time := self._changed_at.pop(share, None)) is not None
        ]
        return RefreshCycle(
            self._registry.cycle,
            self._feed.snapshot,
            self._clock.clock,
            self._clock.time,
            self._replay_buffer.start_recording(),
            cycle_slice.share,
            min(times, default=None),
        )

    def _send_to_others(
        self, started: Sequence[_Started], new_subscribers: Sequence[SharedQuery]
    ) -> Sequence[SharedQuery]:
        """Send the present answers to new subscribers, except to those of tenants with a slice. Returns the rest.

        They get the present answers together with the slice's.
        """
        shares = {share for cycle_slice, _ in started for share in cycle_slice.shares}
        self._sender.send_present_answers([s for s in new_subscribers if s.share not in shares])
        return [shared for shared in new_subscribers if shared.share in shares]

    async def _start_on_imports(
        self,
        started: Sequence[_Started],
        snapshot: SharedReadTransaction,
        new_subscribers: Sequence[SharedQuery],
    ) -> None:
        exported = await snapshot.export_snapshot() if started else ""
        for cycle_slice, cycle in started:
            # A slice before may have taken the last connection. Then the queries stay dirty.
            if self._database.pool.slots.may_take(cycle_slice.share, is_long=True):
                own = await self._database.open_shared_read_transaction(exported, cycle_slice.share)
                self._start(cycle_slice, cycle, own, new_subscribers)
            else:
                self._skip(cycle_slice, cycle, new_subscribers)

    def _skip(
        self, cycle_slice: CycleSlice, cycle: RefreshCycle, new_subscribers: Sequence[SharedQuery]
    ) -> None:
        """Leave the queries of a slice dirty. They run in a later cycle."""
        cycle.mark_lost()
        self._end(
            cycle_slice, cycle, [shared for shared in new_subscribers if shared.share in cycle_slice.shares]
        )

    def _start(
        self,
        cycle_slice: CycleSlice,
        cycle: RefreshCycle,
        snapshot: SharedReadTransaction,
        new_subscribers: Sequence[SharedQuery],
    ) -> asyncio.Task[None]:
        """Start the task of a slice. It closes the snapshot."""
        present = [shared for shared in new_subscribers if shared.share in cycle_slice.shares]
        task = self._tasks[cycle_slice] = asyncio.create_task(
            self._run_slice(cycle_slice, cycle, snapshot, present)
        )
        task.add_done_callback(lambda task: self._finish(cycle_slice, task))
        return task

    async def _run_slice(
        self,
        cycle_slice: CycleSlice,
        cycle: RefreshCycle,
        snapshot: SharedReadTransaction,
        new_subscribers: Sequence[SharedQuery],
    ) -> None:
        try:
            await self._workers.run_cycle(cycle, cycle_slice.quick, cycle_slice.slow, snapshot)
        except BaseException:
            # The runs that have returned are not sent: `send_results` marks their queries as dirty.
            cycle.mark_lost()
            raise
        finally:
            self._end(cycle_slice, cycle, new_subscribers)

    def _end(
        self, cycle_slice: CycleSlice, cycle: RefreshCycle, new_subscribers: Sequence[SharedQuery] = ()
    ) -> None:
        """Send the answers of a slice. Its tenant's other dirty queries may run."""
        # Workers that left the cycle still need the recording. The last one of them releases it.
        if not cycle.workers:
            cycle.recording.stop()
        self._slices.busy.discard(cycle_slice.share)
        self._sender.send_results(cycle, new_subscribers)
        if cycle.is_lost and cycle.changed_at is not None:
            earlier = self._invalidator.changed_at
            self._invalidator.changed_at = min(cycle.changed_at, earlier or cycle.changed_at)

    async def _wait(self, cycle_slice: CycleSlice, task: asyncio.Task[None]) -> None:
        """Wait for the last slice of a cycle: for a small one to its end, for a large one briefly.

        Raises:
            UnavailableError: The database is unavailable.
        """
        self._awaited = task
        try:
            await asyncio.wait((task,), timeout=None if cycle_slice.is_small else LIVE_SMALL_SLICE_S)
            if task.done():
                task.result()
        finally:
            self._awaited = None

    def _finish(self, cycle_slice: CycleSlice, task: asyncio.Task[None]) -> None:
        """Forget a slice that has ended. What is dirty by now runs at once."""
        del self._tasks[cycle_slice]
        if self.has_work:
            self._timer.wake()
        error = None if task.cancelled() else task.exception()
        if task is self._awaited:  # `_wait` raises the error
            return
        if isinstance(error, UnavailableError):
            self._stats.outages += 1
        elif error is not None:
            _log.error("refresh cycle failed", exc_info=error)
