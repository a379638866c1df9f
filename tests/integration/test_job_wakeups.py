"""How jobs that others enqueue reach a runner: by the change log, in a server and in a process without one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import pytest_asyncio

from api.shutdown import Shutdown
from commands.job_workers import build_waker, run_jobs_in_server
from commands.serve import open_live_layer
from core.settings import Settings
from models.enums import JobOutcome
from services.jobs.actions import Action, index_actions
from services.jobs.context import JobContext
from services.jobs.job_queue import JobResult
from services.jobs.runner import JobRunner
from subscriptions.engine.change_follower import ChangeFollower
from tests.job_harness import JobHarness, open_job_harness
from tests.sealed_tokens import SEALER
from tests.waiting import wait_until

pytestmark = pytest.mark.newest

Run = Callable[[JobHarness], AbstractAsyncContextManager[JobRunner]]


async def do_nothing(_context: JobContext) -> None:
    """A job without work."""


@pytest_asyncio.fixture(loop_scope="session")
async def jobs(database_url: str) -> AsyncIterator[JobHarness]:
    """Jobs in a database of the test's own, with two tenants."""
    async with open_job_harness(database_url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_slow_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a wake-up lets a runner claim again."""
    monkeypatch.setattr("services.jobs.runner.JOB_POLL_S", 3_600.0)


@asynccontextmanager
async def run_in_server(jobs: JobHarness) -> AsyncIterator[JobRunner]:
    """A runner that the live layer of a server wakes."""
    actions = index_actions(Action("noop", do_nothing))
    async with (
        open_live_layer(jobs.database, Settings(), SEALER) as live,
        run_jobs_in_server(jobs.database, Settings(job_workers=8), live, Shutdown(), actions) as runner,
    ):
        assert runner is not None
        yield runner


@asynccontextmanager
async def run_without_server(jobs: JobHarness) -> AsyncIterator[JobRunner]:
    """A runner that a follower of the change log wakes."""
    actions = index_actions(Action("noop", do_nothing))
    follower = ChangeFollower(jobs.database, pooled=False)
    async with JobRunner.open(jobs.database, Settings(job_workers=8), actions, follower.wake) as runner:
        following = asyncio.create_task(follower.run(build_waker(runner)))
        yield runner
    following.cancel()
    await asyncio.wait([following])


@pytest.mark.parametrize("run", [run_in_server, run_without_server])
async def test_runner_wakes_for_jobs_of_another_process(jobs: JobHarness, run: Run) -> None:
    async with run(jobs):
        for _ in range(3):
            (job,) = await jobs.add_jobs("noop")
            await jobs.wait_for_status(job, "completed")


@pytest.mark.parametrize("run", [run_in_server, run_without_server])
async def test_runner_wakes_when_another_process_frees_a_cap(jobs: JobHarness, run: Run) -> None:
    other = jobs.open_queue("other", "elsewhere")
    await jobs.add_jobs("elsewhere", 5)
    claimed = (await other.claim(5)).jobs
    (job,) = await jobs.add_jobs("noop")
    async with run(jobs) as runner:
        await wait_until(lambda: runner.has_waiting)
        assert await jobs.find_block(job) == "tenant_cap"
        await other.finish([JobResult(claimed[0], JobOutcome.COMPLETED)])
        await jobs.wait_for_status(job, "completed")
