"""Lanes: the connections on which a tick's runs go side by side, all at its moment; and how a slow one leaves them.

A run that takes longer than `LIVE_RUN_S` no longer keeps its tick: it goes on at its own moment, on its own
connection, while the next ticks begin. Only so many may; beyond them it is cancelled, to wait among the slow ones.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from core.database import Database, SharedSnapshot
from core.errors import InternalError, UnavailableError
from core.limits import LIVE_ALONE_MAX, LIVE_LANES, LIVE_RUN_S, LIVE_SLOW_RUNS
from subscriptions.engine.figures import Figures
from subscriptions.engine.group import Group
from subscriptions.engine.groups import Groups
from subscriptions.engine.outcomes import Failure, Outcome
from subscriptions.engine.runs import Batch, batches, run
from subscriptions.engine.timing import Timing
from subscriptions.engine.work import Work

_log: Final = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Lane:
    """One connection at work.

    Attributes:
        snapshot: Where its runs go; None where it has to join the tick's moment first.
        joined: Whether it has, so that the moment's first connection may end it.
        since: When its run began, by the loop's clock.
        left: Whether it has left its tick, and ends with its run.
    """

    snapshot: SharedSnapshot | None
    since: float
    left: bool = False
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    batch: Batch | None = None


class Lanes:
    """Runs the work of ticks."""

    def __init__(
        self,
        database: Database,
        groups: Groups,
        timing: Timing,
        figures: Figures,
        tell: Callable[[Work], None],
        ring: Callable[[], None],
    ) -> None:
        """`tell` is called where runs land that have left their tick, `ring` where a tick may run more."""
        self._timing = timing
        self._ring = ring
        self._database = database
        self._groups = groups
        self._figures = figures
        self._tell = tell
        groups.abandoned = self._abandon
        self._slow = 0
        self._tasks: dict[asyncio.Task[None], _Lane] = {}

    def choose(self, ready: Iterable[Group]) -> tuple[list[Batch], list[Batch]]:
        """What of the dirty groups can be run now: the quick ones together, and as many slow ones as may be."""
        quick: list[Group] = []
        slow: list[Group] = []
        free = LIVE_SLOW_RUNS - self._slow
        for group in ready:
            if not group.slow:
                quick.append(group)
            elif len(slow) < free:
                slow.append(group)
        return batches(quick), [Batch((group,), group.seconds) for group in slow]

    async def work(
        self, work: Work, quick: Sequence[Batch], slow: Sequence[Batch], snapshot: SharedSnapshot
    ) -> None:
        """Run what was chosen, as far as it is done in time, on a snapshot that is closed for the caller.

        Raises:
            UnavailableError: The database is away.
        """
        work.queue.extend(quick)
        if not quick and not slow:
            await snapshot.close()
            return
        if len(quick) <= LIVE_ALONE_MAX and not slow:
            await self._watch([self._start(work, snapshot=snapshot)])
            return
        try:
            work.exported = await snapshot.export()
            apart = [self._start(work, batch=batch) for batch in slow]
            await self._watch([self._start(work) for _ in quick[:LIVE_LANES]])
            await asyncio.gather(*(self._tasks[task].joined.wait() for task in apart if task in self._tasks))
        finally:
            await snapshot.close()

    async def close(self) -> None:
        """Stop whatever runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(
        self, work: Work, *, snapshot: SharedSnapshot | None = None, batch: Batch | None = None
    ) -> asyncio.Task[None]:
        """Start a lane for a tick's queue, or for one slow batch."""
        lane = _Lane(snapshot, asyncio.get_running_loop().time(), batch=batch)
        work.lanes += 1
        if batch is not None:
            self._leave(lane)
        task = asyncio.create_task(self._drive(lane, work))
        self._tasks[task] = lane
        task.add_done_callback(lambda _: self._end(task, work))
        return task

    def _leave(self, lane: _Lane) -> None:
        lane.left = True
        self._slow += 1

    def _end(self, task: "asyncio.Task[None]", work: Work) -> None:
        lane = self._tasks.pop(task)
        lane.joined.set()
        self._slow -= lane.left
        work.lanes -= 1
        if not work.lanes:
            work.hold.release()
        if lane.left or task.cancelled():
            self._ring()
        error = None if task.cancelled() else task.exception()
        if lane.left and error:
            _log.warning("a slow live query was interrupted", error=str(error))

    async def _watch(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        """Wait for lanes; those that take too long are let go."""
        waiting = {task: self._tasks[task] for task in tasks}
        loop = asyncio.get_running_loop()
        while waiting:
            first = min(lane.since for lane in waiting.values()) + LIVE_RUN_S
            await asyncio.wait(
                waiting, timeout=max(first - loop.time(), 0.001), return_when=asyncio.FIRST_COMPLETED
            )
            for task, lane in list(waiting.items()):
                if task.done() or loop.time() - lane.since >= LIVE_RUN_S:
                    del waiting[task]
                    self._let_go(task, lane)
        for task in tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    def _let_go(self, task: "asyncio.Task[None]", lane: _Lane) -> None:
        if task.done():
            return
        self._figures.late += 1
        if lane.batch is not None and self._slow < LIVE_SLOW_RUNS:
            self._leave(lane)
        else:
            task.cancel()

    def _abandon(self, group: Group) -> None:
        """Spare PostgreSQL a run that has left its tick, where nobody waits for it any more."""
        for task, lane in self._tasks.items():
            if (
                lane.left
                and lane.batch
                and group in lane.batch.groups
                and all(g.over for g in lane.batch.groups)
            ):
                task.cancel()

    async def _drive(self, lane: _Lane, work: Work) -> None:
        """Run the lane's batch, or one after another of the queue until there are no more."""
        alone = lane.batch
        try:
            while batch := alone or (work.queue.popleft() if work.queue and not lane.left else None):
                alone = None
                await self._run(lane, work, batch)
        finally:
            if lane.snapshot is not None:
                await lane.snapshot.close()

    async def _run(self, lane: _Lane, work: Work, batch: Batch) -> None:
        if lane.snapshot is None:
            lane.snapshot = await self._database.shared_snapshot(work.exported)
        lane.joined.set()
        lane.since = asyncio.get_running_loop().time()
        batch = Batch([group for group in batch.groups if group.dirty and not group.over], batch.seconds)
        if not batch.groups:
            return
        lane.batch = batch
        for group in batch.groups:
            self._groups.depart(group)
        try:
            outcomes = await self._outcomes(lane, work, batch)
        except BaseException as error:  # noqa: BLE001 - raised again, unless it is that of several groups
            await self._failed(lane, work, batch, error)
            return
        finally:
            lane.batch = None
        if lane.left:
            work = work.apart()
        self._land(work, batch, outcomes)
        if lane.left:
            self._tell(work)

    async def _outcomes(self, lane: _Lane, work: Work, batch: Batch) -> list[Outcome | Failure]:
        assert lane.snapshot is not None  # noqa: S101 - the lane has joined
        before = lane.snapshot.statements
        outcomes = await run(lane.snapshot, batch, work.time)
        self._figures.statements += lane.snapshot.statements - before
        if any(isinstance(outcome, Failure) for outcome in outcomes):
            await self._part(lane, work)
        return outcomes

    async def _part(self, lane: _Lane, work: Work) -> None:
        """Leave a snapshot in which a statement has failed; the next run joins the moment anew, if that can be."""
        if work.exported is None and work.queue:
            work.lose()
        snapshot, lane.snapshot = lane.snapshot, None
        if snapshot is not None:
            await snapshot.close()

    async def _failed(self, lane: _Lane, work: Work, batch: Batch, error: BaseException) -> None:
        """A statement came to nothing: each group is run alone to find whose fault it was, unless it was nobody's.

        That is done in the next tick, with all that this one was to run: the answers of a tick are told together.
        """
        taken = asyncio.get_running_loop().time() - lane.since
        for group in batch.groups:
            self._groups.give_up(group)
            if isinstance(error, asyncio.CancelledError):
                group.seconds = (
                    2 * taken / len(batch.groups)
                )  # at least; twice that is found out in a few steps
            elif not isinstance(error, UnavailableError):
                group.alone = True
        if isinstance(error, UnavailableError | asyncio.CancelledError) or not isinstance(error, Exception):
            raise error
        _log.warning("live queries failed together, and are run one by one", error=str(error))
        if not lane.left:
            work.lose()
        await self._part(lane, work)

    def _land(self, work: Work, batch: Batch, outcomes: Sequence[Outcome | Failure]) -> None:
        missed = work.hold.missed()
        same_clock = self._timing.has_told(work.clock, work.time)
        way = _way(batch)
        for group, outcome in zip(batch.groups, outcomes, strict=True):
            self._figures.runs[way] += 1
            if isinstance(outcome, Failure):
                work.failed.append((group, outcome))
                continue
            known = group.answer.digest if group.answer else None
            try:
                before = self._groups.land(group, outcome, missed, same_clock=same_clock)
            except Exception:  # noqa: BLE001 - its read set cannot be kept: it would go stale unseen
                work.failed.append((group, _internal()))
                continue
            group.alone = False
            self._figures.unchanged += known == outcome.answer.digest
            work.landed.append((group, before))


def _way(batch: Batch) -> str:
    if batch.groups[0].question.plan is None:
        return "loaders"
    return "batch" if len(batch.groups) > 1 else "alone"


def _internal() -> Failure:
    error = InternalError()
    _log.exception("a live query cannot be kept", error_id=error.error_id)
    return Failure([{"message": error.message, "extensions": error.extensions()}])
