"""Connects the runner of background jobs to the change log: in a server, or in a process that does nothing else."""

import asyncio
import signal
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Final

from api.shutdown import Shutdown
from commands.async_runner import print_lines, run_to_end, run_until_shutdown
from core.database.database import Database
from core.errors import StartupError
from core.settings import Settings
from core.signals import handle_signals
from services.jobs.actions import ACTIONS, Actions
from services.jobs.runner import JobRunner
from services.startup import close_database, locate_database, open_database
from subscriptions.change_log.change import ChangedRow, Delta
from subscriptions.engine.change_follower import ChangeFollower
from subscriptions.live_layer import LiveLayer

_JOBS: Final = "scheduled_jobs"


@asynccontextmanager
async def run_jobs_in_server(
    database: Database, settings: Settings, live: LiveLayer, shutdown: Shutdown, actions: Actions = ACTIONS
) -> AsyncIterator[JobRunner | None]:
    """Run jobs in a server during the block; None if this server runs none."""
    if not settings.job_workers:
        yield None
        return
    async with JobRunner.open(
        database,
        settings,
        actions,
        live.wake,
        lambda: shutdown.is_requested,
        lambda: shutdown.find_job_deadline(settings.job_grace),
    ) as runner:
        stop_following = live.feed.follow(build_waker(runner))
        try:
            yield runner
        finally:
            stop_following()


def build_waker(runner: JobRunner) -> Callable[[Delta], None]:
    """The callback that wakes the runner if a change lets a job start."""

    def wake_if_concerned(delta: Delta) -> None:
        if not delta.is_complete or _concerns_jobs(delta, has_waiting=runner.has_waiting):
            runner.wake()

    return wake_if_concerned


def _concerns_jobs(delta: Delta, *, has_waiting: bool) -> bool:
    return any(
        change.table == _JOBS
        and (change.rows is None or any(_lets_start(row, has_waiting=has_waiting) for row in change.rows))
        for change in delta.changes
    )


def _lets_start(row: ChangedRow, *, has_waiting: bool) -> bool:
    """Whether a job waits now. Or one has ended, which may free a cap for those that wait."""
    if row.after is not None and row.after["status"] == "pending":
        return True
    return has_waiting and row.before is not None and row.before["status"] == "running"


def run_worker(settings: Settings, _arguments: Namespace) -> None:
    """Run background jobs until a signal, and serve nothing."""
    if not settings.job_workers:
        raise StartupError("JOB_WORKERS: must be 1 or more for a process that only runs jobs.")
    with locate_database(settings) as dsn:
        run_to_end(run_jobs_until_signal(settings, dsn))


async def run_jobs_until_signal(settings: Settings, dsn: str, actions: Actions = ACTIONS) -> None:
    """Run background jobs until a signal. Running ones have `JOB_GRACE` then, until SIGINT or a second signal."""
    shutdown = Shutdown()
    await run_until_shutdown(_run_jobs(settings, dsn, actions, shutdown), shutdown)


async def _run_jobs(settings: Settings, dsn: str, actions: Actions, shutdown: Shutdown) -> None:
    database = await open_database(dsn, settings)
    follower = ChangeFollower(database, pooled=not settings.statement_cache_size)
    try:
        async with JobRunner.open(
            database,
            settings,
            actions,
            follower.wake,
            lambda: shutdown.is_requested,
            lambda: shutdown.find_job_deadline(settings.job_grace),
        ) as runner:
            following = asyncio.create_task(follower.run(build_waker(runner)))
            print_lines(f"Running jobs as {runner.worker}")
            await _wait_for_signal(shutdown)
        following.cancel()
        await asyncio.wait([following])
    finally:
        await close_database(database)


async def _wait_for_signal(shutdown: Shutdown) -> None:
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        shutdown.request(urgent=number == signal.SIGINT)
        loop.call_soon_threadsafe(stopped.set)

    with handle_signals(stop):
        await stopped.wait()
