"""The runner of background jobs: it claims jobs that are due, runs their actions, and renews their leases.

    wake-up ──> claim as many as are free ──> a task for each ──> its result ──> claim again
    every 3 s   one statement renews the leases of all running jobs
    every 5 s   a claim without a wake-up, which also ends the attempts of dead workers

At the end, running jobs have a grace to reach a checkpoint. Then they are canceled, and each is given back.
A wake-up comes from the change log (`commands/` connects it), from the end of a job, or from the next due time.
"""

import asyncio
import math
import os
import random
import socket
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final, Self

import structlog

from core.database.database import Database
from core.database.transactions import ignore_commit
from core.errors import UnavailableError
from core.ids import generate_id
from core.limits import (
    JOB_CLAIM_RETRY_S,
    JOB_CLOSE_S,
    JOB_PAUSE_S,
    JOB_POLL_S,
    JOB_PROGRESS_S,
    JOB_RENEW_S,
)
from core.settings import Settings
from models.enums import JobOutcome
from services.jobs.actions import ACTIONS, Actions
from services.jobs.attempt import run_attempt
from services.jobs.context import JobContext
from services.jobs.job_queue import ClaimedJob, JobQueue, Lease
from services.jobs.result_writer import ResultWriter

_TICK_S: Final = 0.02
_log: Final = structlog.get_logger("jobs")


class JobRunner:
    """The runner of one process.

    Attributes:
        worker: Its name, which no other process has or will have.
        outcomes: The number of ended attempts by action and outcome.
        seconds: The seconds of these attempts in all, by action.
        has_waiting: Whether due jobs were left by the last claim.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        actions: Actions = ACTIONS,
        on_commit: Callable[[], None] = ignore_commit,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """Runs nothing before `open`. From `is_stopping` on, no job is claimed, and running ones stop early."""
        self.worker = f"{socket.gethostname()}-{os.getpid()}-{generate_id()[-12:]}"
        self.outcomes: Counter[tuple[str, JobOutcome]] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.has_waiting = False
        self._database = database
        self._actions = actions
        self._on_commit = on_commit
        self._is_stopping = is_stopping
        self._is_closed = False
        self._workers = settings.job_workers
        self._queue = JobQueue(database, self.worker, actions)
        self._results = ResultWriter(self._queue, on_commit)
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._wake_event = asyncio.Event()
        self._run_event = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        settings: Settings,
        actions: Actions = ACTIONS,
        on_commit: Callable[[], None] = ignore_commit,
        is_stopping: Callable[[], bool] = lambda: False,
        find_deadline: Callable[[], float] = lambda: -math.inf,
    ) -> AsyncIterator[Self]:
        """A runner that runs during the block. At its end, running jobs have until `find_deadline` to stop.

        The deadline, on the monotonic clock, may change while they stop.
        """
        runner = cls(database, settings, actions, on_commit, is_stopping)
        tasks = [asyncio.create_task(work) for work in (runner._claim_forever(), runner._tend_leases())]
        try:
            yield runner
        finally:
            await runner._close(tasks, find_deadline)

    @property
    def running(self) -> int:
        """The number of jobs that run now."""
        return len(self._running)

    def wake(self) -> None:
        """Claim now: a job may be due, or a cap may be free."""
        self._wake_event.set()

    def is_stopping(self) -> bool:
        """Whether no more jobs are claimed."""
        return self._is_closed or self._is_stopping()

    async def _close(self, tasks: list[asyncio.Task[None]], find_deadline: Callable[[], float]) -> None:
        claiming, _ = tasks
        self._is_closed = True
        self.wake()
        try:
            await asyncio.wait([claiming], timeout=JOB_CLOSE_S)
            while self._running and (left_s := find_deadline() - monotonic()) > 0:
                await asyncio.wait([*self._running], timeout=min(left_s, _TICK_S))
        finally:
            try:
                await self._cancel(tasks)
            finally:
                await self._results.close()

    async def _cancel(self, tasks: list[asyncio.Task[None]]) -> None:
        for job in self._running:
            job.cancel()  # it is given back
        if self._running:
            await asyncio.wait([*self._running], timeout=JOB_CLOSE_S)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=JOB_CLOSE_S)

    async def _claim_forever(self) -> None:
        while not self._is_closed:
            self._wake_event.clear()
            try:
                pause_s = await self._claim_jobs()
            except UnavailableError:
                pause_s = JOB_PAUSE_S
            except Exception:  # noqa: BLE001 - logged; the next claim may succeed
                _log.exception("jobs not claimed")
                pause_s = JOB_POLL_S
            await self._wait_for_wake(pause_s)

    async def _wait_for_wake(self, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._wake_event.set)
        await self._wake_event.wait()
        timer.cancel()

    async def _claim_jobs(self) -> float:
        """Claim and start jobs. Returns the pause before the next claim, in seconds."""
        free = self._workers - len(self._running)
        if free <= 0 or self.is_stopping():
            return JOB_POLL_S
        claim = await self._queue.claim(free)
        if claim.state == "busy":
            return JOB_CLAIM_RETRY_S * random.uniform(0.5, 1.5)  # noqa: S311 - spreads the servers
        self.has_waiting = claim.has_waiting
        for job in claim.jobs:
            self._start_job(job)
        if claim.jobs:
            self._on_commit()
        if claim.lost:
            _log.warning("jobs of lost workers", count=claim.lost)
        return JOB_POLL_S if claim.next_s is None else min(max(claim.next_s, 0.0), JOB_POLL_S)

    def _start_job(self, job: ClaimedJob) -> None:
        lease = Lease(job)
        task = asyncio.create_task(self._run_job(lease))
        self._running[task] = lease
        self._run_event.set()
        task.add_done_callback(self._forget_job)

    def _forget_job(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("job not ended", exc_info=error)
        self.wake()

    async def _run_job(self, lease: Lease) -> None:
        began = monotonic()
        context = JobContext(self._database, lease, self.is_stopping, self._on_commit)
        result = await run_attempt(self._actions[lease.job.action], context, lease)
        self.seconds[lease.job.action] += monotonic() - began
        if result is not None and not lease.is_ended:
            await self._write_progress([lease])
            lease.is_ending = True
            if not await self._results.write(result):
                result = None
        if result is None:
            context.log.warning("lease of a job lost")
        self.outcomes[lease.job.action, result.outcome if result else JobOutcome.LOST] += 1

    async def _tend_leases(self) -> None:
        """Write progress, and renew leases, while jobs run."""
        renew_at = monotonic() + JOB_RENEW_S
        while True:
            if not self._running:
                self._run_event.clear()
                await self._run_event.wait()
            await asyncio.sleep(JOB_PROGRESS_S)
            await self._write_progress(list(self._running.values()))
            if monotonic() >= renew_at:
                renew_at = monotonic() + JOB_RENEW_S
                await self._renew_leases()

    async def _renew_leases(self) -> None:
        leases = {lease.job.token: (task, lease) for task, lease in self._running.items()}
        if not leases:
            return
        try:
            valid = await self._queue.renew(list(leases))
        except UnavailableError:
            return  # the next renewal, or the first write of the job, decides
        except Exception:  # noqa: BLE001 - as above, and logged
            _log.exception("leases not renewed")
            return
        for token, (task, lease) in leases.items():
            if token in valid:
                lease.is_canceled = lease.is_canceled or valid[token]
            elif not lease.is_ending and not task.done():
                lease.is_lost = True
                task.cancel()

    async def _write_progress(self, leases: list[Lease]) -> None:
        progress = {lease.job.token: lease.progress for lease in leases if lease.progress is not None}
        if not progress:
            return
        for lease in leases:
            lease.progress = None
        try:
            await self._queue.write_progress(progress)
        except UnavailableError:
            pass  # the next report replaces it
        except Exception:  # noqa: BLE001 - logged; progress is no reason to fail a job
            _log.exception("progress of jobs not written")
        else:
            self._on_commit()
