"""The worker pool: the connections that run the batches of a cycle in parallel, all on the cycle's snapshot.

    cycle     | choose | workers run batches from the queue     | send | rest | next cycle ...
    worker 1           | batch | batch | batch |
    worker 2           | batch | batch ........|                              0.2 s are not over: the cycle waits
    worker 3           | batch ..................................|            over `LIVE_RUN_S`: it leaves the cycle
    slow worker        | a batch that was slow before .....................|  has left the cycle from the start

The cycle waits at most `LIVE_RUN_S` for each run. What happens to a longer run:

- If fewer than `LIVE_SLOW_RUNS` workers of the tenant have left, the worker leaves the cycle. It keeps its connection
  and the older snapshot, and sends its answer by itself. The next cycles begin meanwhile.
- Otherwise the run is cancelled, and its queries count as slower than before. So a large batch is split next time. A
  slow query alone waits for a slow worker.

An example: cycle 8 has 60 dirty queries, and they form seven batches. `q1` took 3 s in its last run.

    time after the snapshot      0 ms      2 ms      40 ms       200 ms                        3 s
    -------------------------------------------------------------------------------------------> time
    cycle's connection     (1)   | export ............... | close
    slow worker            (2)   | import | q1 ............................................... | send q1
    worker 1               (3)   | import | batch 1 | batch 4 | batch 6 |
    worker 2                     | import | batch 2 | batch 5 |
    worker 3               (4)   | import | batch 3 (with q9) ...........|...... leaves ....... | send batch 3
    cycle 8                (5)                                           | send all others | cycle 9 begins

1. The cycle's connection exports the snapshot (`export_snapshot`). PostgreSQL allows an import only while the
   exporting transaction is open. So it is closed after each slow worker has imported it or has ended (`has_joined`),
   and after the cycle has stopped waiting for the others.
2. `q1` was slow (`SharedQuery.is_slow`), so it gets a worker that has left the cycle from the start.
3. Up to `LIVE_WORKERS` workers take batches from `cycle.queue` until it is empty. Batches that are known to be quick
   come first (`build_batches`).
4. The run of batch 3 exceeds `LIVE_RUN_S`, because `q9` became slow. Its worker leaves the cycle (`_detach_worker`).
   The limit applies to one run, not to a worker's whole time: `started_at` is set for each batch.
5. The cycle sends what has returned. Worker 3 sends batch 3 when it returns, with the changes of cycle 9 and later
   replayed (`BatchCompletion`). The expected time of each query in batch 3 has grown. So the next cycles split the
   batch, until `q9` is alone and gets a slow worker like `q1`.

If there are at most `LIVE_DETACHED_RUNS_MAX` quick batches and no slow one, one worker runs them on the cycle's own
connection, and nothing is exported. A failed statement makes a snapshot unusable. If it was exported, the worker
imports it again for the next batch. Else the cycle is lost while batches are left (`_close_snapshot`).

All this holds for one slice of a cycle (`tenant_slices.py`): a large tenant has a queue, workers and slow workers of
its own. The connections are shared by `core.fair_queue`, so no tenant takes the last ones.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

import structlog

from core.database.database import Database, SharedReadTransaction
from core.error_text import format_error_line
from core.errors import UnavailableError
from core.limits import LIVE_DETACHED_RUNS_MAX, LIVE_RUN_S, LIVE_SLOW_RUNS, LIVE_WORKERS
from subscriptions.clock.cycle_clock import CycleClock
from subscriptions.engine.batch_completion import BatchCompletion
from subscriptions.engine.poll_timer import PollTimer
from subscriptions.engine.query_runner import QueryBatch, run_batch
from subscriptions.engine.query_states import QueryState
from subscriptions.engine.query_worker import BatchRun, QueryWorker
from subscriptions.engine.refresh_cycle import RefreshCycle
from subscriptions.engine.result_sender import ResultSender
from subscriptions.engine.run_outcome import RunFailure, RunOutcome
from subscriptions.engine.shared_query import SharedQuery
from subscriptions.engine.shared_query_registry import SharedQueryRegistry
from subscriptions.engine.stats import EngineStats
from subscriptions.engine.tenant_slices import CycleSlice, TenantSlices

_log: Final = structlog.get_logger(__name__)


class WorkerPool:
    """Runs the batches of the cycles."""

    def __init__(
        self,
        database: Database,
        registry: SharedQueryRegistry,
        clock: CycleClock,
        sender: ResultSender,
        timer: PollTimer,
        stats: EngineStats,
        slices: TenantSlices,
    ) -> None:
        self._completion = BatchCompletion(registry, clock, stats)
        self._sender = sender
        self._timer = timer
        self._database = database
        self._registry = registry
        self._stats = stats
        self._slow_runs: Counter[str] = Counter()
        self._slots = database.pool.slots
        self._slices = slices
        self._tasks: dict[asyncio.Task[None], QueryWorker] = {}

    @property
    def has_work(self) -> bool:
        """Whether `choose_slices` would return any."""
        ready = self._registry.list_runnable(self._slices.busy)
        return any(map(self._is_free_for, ready)) or bool(ready and self.choose_slices())

    def _is_free_for(self, shared: SharedQuery) -> bool:
        is_slow_free = not shared.is_slow or self._slow_runs[shared.share] < LIVE_SLOW_RUNS
        return is_slow_free and self._slots.may_take(shared.share, is_long=True)

    def choose_slices(self) -> list[CycleSlice]:
        """The slices that can run now: quick queries of tenants that are not busy, and slow ones for free workers.

        A tenant that holds its share of the connections waits. The small slice comes last.
        """
        slices = self._slices.divide(self._registry.list_runnable(self._slices.busy))
        for cycle_slice in slices:
            del cycle_slice.slow[max(0, LIVE_SLOW_RUNS - self._slow_runs[cycle_slice.share]) :]
        return [
            cycle_slice
            for cycle_slice in slices
            if cycle_slice.is_small
            or (
                (cycle_slice.quick or cycle_slice.slow)
                and self._slots.may_take(cycle_slice.share, is_long=True)
            )
        ]

    async def run_cycle(
        self,
        cycle: RefreshCycle,
        quick: Sequence[QueryBatch],
        slow: Sequence[QueryBatch],
        snapshot: SharedReadTransaction,
    ) -> None:
        """Run the batches of a slice on a snapshot, and close it. Runs over `LIVE_RUN_S` are not waited for.

        Raises:
            UnavailableError: The database is unavailable.
        """
        cycle.queue.extend(quick)
        cycle.workers += 1  # the recording must not stop before the last worker has started
        try:
            await self._run_queue(cycle, quick, slow, snapshot)
        finally:
            cycle.workers -= 1

    async def _run_queue(
        self,
        cycle: RefreshCycle,
        quick: Sequence[QueryBatch],
        slow: Sequence[QueryBatch],
        snapshot: SharedReadTransaction,
    ) -> None:
        if not quick and not slow:
            await snapshot.close()
            return
        if len(quick) <= LIVE_DETACHED_RUNS_MAX and not slow:
            await self._await_workers([self._start_worker(cycle, snapshot=snapshot)])
            return
        try:
            # PostgreSQL allows an import only while the exporting transaction is open. So the snapshot stays
            # open until the quick workers are done, and until each slow worker has imported it or has ended.
            cycle.snapshot_id = await snapshot.export_snapshot()
            available = self._slots.count_available(cycle.share)
            detached = [self._start_worker(cycle, batch=batch) for batch in slow[:available]]
            workers = min(LIVE_WORKERS, len(quick), available - len(detached))
            await self._await_workers([self._start_worker(cycle) for _ in range(workers)])
            await self._await_imports(detached)
        except BaseException:
            await snapshot.close()
            raise
        if cycle.queue and not workers:  # all other connections are in use
            await self._await_workers([self._start_worker(cycle, snapshot=snapshot)])
        else:
            await snapshot.close()

    async def close(self) -> None:
        """Cancel all runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start_worker(
        self,
        cycle: RefreshCycle,
        *,
        snapshot: SharedReadTransaction | None = None,
        batch: QueryBatch | None = None,
    ) -> asyncio.Task[None]:
        """Start a worker for the cycle's queue, or for one slow batch."""
        worker = QueryWorker(snapshot, asyncio.get_running_loop().time(), batch=batch)
        cycle.workers += 1
        if batch is not None:
            self._release_worker(worker, batch)
        task = asyncio.create_task(self._drive_worker(worker, cycle))
        self._tasks[task] = worker
        task.add_done_callback(lambda _: self._finish_worker(task, cycle))
        return task

    def _release_worker(self, worker: QueryWorker, batch: QueryBatch) -> None:
        worker.detached_share = batch.shared_queries[0].share
        self._slow_runs[worker.detached_share] += 1

    def _finish_worker(self, task: "asyncio.Task[None]", cycle: RefreshCycle) -> None:
        worker = self._tasks.pop(task)
        worker.has_joined.set()
        # The recording of later changes is needed as long as any worker of this cycle may return an answer.
        if worker.detached_share is not None:
            self._slow_runs[worker.detached_share] -= 1
            self._slow_runs += Counter()  # drops zeros
        cycle.workers -= 1
        if not cycle.workers:
            cycle.recording.stop()
        if worker.is_detached or task.cancelled():
            self._timer.wake()
        error = None if task.cancelled() else task.exception()
        if worker.is_detached and error:
            _log.warning("slow live query cancelled", error=format_error_line(error))

    async def _await_imports(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        """Wait until slow workers have the snapshot. One that does not get a connection soon is cancelled."""
        joining = [self._tasks[task].has_joined.wait() for task in tasks if task in self._tasks]
        try:
            async with asyncio.timeout(LIVE_RUN_S):
                await asyncio.gather(*joining)
        except TimeoutError:
            for task in tasks:
                if task in self._tasks and not self._tasks[task].has_joined.is_set():
                    task.cancel()

    async def _await_workers(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        """Wait for the workers of the queue, but for no run longer than `LIVE_RUN_S`."""
        waiting = {task: self._tasks[task] for task in tasks}
        loop = asyncio.get_running_loop()
        while waiting:
            # `since` moves forward with each batch of a worker. So the limit applies to one run, not to a
            # worker's whole time.
            first = min(worker.started_at for worker in waiting.values()) + LIVE_RUN_S
            await asyncio.wait(
                waiting, timeout=max(first - loop.time(), 0.001), return_when=asyncio.FIRST_COMPLETED
            )
            for task, worker in list(waiting.items()):
                if task.done() or loop.time() - worker.started_at >= LIVE_RUN_S:
                    del waiting[task]
                    self._detach_worker(task, worker)
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    def _detach_worker(self, task: "asyncio.Task[None]", worker: QueryWorker) -> None:
        if task.done():
            return
        # A worker without a batch waits for a connection or for the snapshot. There is no run to keep, so it
        # is cancelled. The queries in the queue are still dirty, and the next cycle runs them.
        self._stats.detached_runs += 1
        batch = worker.batch
        if batch is not None and self._slow_runs[batch.shared_queries[0].share] < LIVE_SLOW_RUNS:
            self._release_worker(worker, batch)
        else:
            task.cancel()

    async def _drive_worker(self, worker: QueryWorker, cycle: RefreshCycle) -> None:
        """Run the worker's own batch, or batches of the queue until it is empty or the worker has left."""
        single_batch = worker.batch
        try:
            while batch := single_batch or (
                cycle.queue.popleft() if cycle.queue and not worker.is_detached else None
            ):
                single_batch = None
                await self._run_batch(worker, cycle, batch)
        finally:
            if worker.snapshot is not None:
                await worker.snapshot.close()

    async def _run_batch(self, worker: QueryWorker, cycle: RefreshCycle, batch: QueryBatch) -> None:
        if worker.snapshot is None:
            worker.snapshot = await self._database.open_shared_read_transaction(
                cycle.snapshot_id, cycle.share
            )
        worker.has_joined.set()
        worker.started_at = asyncio.get_running_loop().time()
        # While the batch was queued, subscribers may have left. The queries without any are not run.
        batch = QueryBatch(
            [g for g in batch.shared_queries if self._registry.get_state(g) is QueryState.DIRTY],
            batch.seconds,
        )
        if not batch.shared_queries:
            return
        worker.batch = batch
        is_first = batch.seconds is None
        run = BatchRun(cycle.number, batch, worker, asyncio.current_task())
        for group in batch.shared_queries:
            self._registry.mark_running(group, run)
        try:
            outcomes = await self._collect_outcomes(worker, cycle, batch)
        except BaseException as error:  # noqa: BLE001 - raised again, unless a batch of several queries failed
            await self._handle_failure(worker, cycle, batch, error)
            return
        finally:
            worker.batch = None
            if is_first:
                taken = asyncio.get_running_loop().time() - worker.started_at
                self._slices.note_first_run(batch.shared_queries[0].share, taken)
        if worker.is_detached:
            # `left` may have been set during the run. A worker that has left sends its answer by itself.
            cycle = cycle.detach()
        self._completion.complete(cycle, batch, outcomes)
        if worker.is_detached:
            self._sender.send_results(cycle)

    async def _collect_outcomes(
        self, worker: QueryWorker, cycle: RefreshCycle, batch: QueryBatch
    ) -> list[RunOutcome | RunFailure]:
        assert worker.snapshot is not None  # noqa: S101 - the worker has imported it
        before = worker.snapshot.statements
        outcomes = await run_batch(worker.snapshot, batch, cycle.time)
        self._stats.statements += worker.snapshot.statements - before
        if any(isinstance(outcome, RunFailure) for outcome in outcomes):
            await self._close_snapshot(worker, cycle)
        return outcomes

    async def _close_snapshot(self, worker: QueryWorker, cycle: RefreshCycle) -> None:
        """Close a snapshot after a failed statement. The next run imports the snapshot again if it was exported."""
        # PostgreSQL accepts no more statements in this transaction. Without an export, its snapshot cannot be
        # had again.
        if cycle.snapshot_id is None and cycle.queue:
            cycle.mark_lost()
        snapshot, worker.snapshot = worker.snapshot, None
        if snapshot is not None:
            await snapshot.close()

    async def _handle_failure(
        self, worker: QueryWorker, cycle: RefreshCycle, batch: QueryBatch, error: BaseException
    ) -> None:
        """Handle a failed batch: mark its queries as dirty, and run each alone, to find the one that fails.

        They run in the next cycle, together with all other queries of this one: the answers of a cycle are sent
        together. A run that was cancelled or that found the database unavailable failed by no query, so nothing runs
        alone then.
        """
        taken = asyncio.get_running_loop().time() - worker.started_at
        for group in batch.shared_queries:
            self._registry.mark_failed(group)
            if isinstance(error, asyncio.CancelledError):
                group.seconds = (
                    2 * taken / len(batch.shared_queries)
                )  # a lower bound of the real time, doubled: a few tries find it
            elif not isinstance(error, UnavailableError):
                group.runs_unbatched = True
        if isinstance(error, UnavailableError | asyncio.CancelledError) or not isinstance(error, Exception):
            raise error
        _log.warning("live query batch failed; retrying one by one", error=format_error_line(error))
        if not worker.is_detached:
            cycle.mark_lost()
        await self._close_snapshot(worker, cycle)
