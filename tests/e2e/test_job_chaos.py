"""Workers that are killed, and workers that are stopped past their leases: no job is lost, none completes twice."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Final

import pytest
import pytest_asyncio

from tests.conftest import ReportLine
from tests.e2e.servers import Server, start_server
from tests.job_harness import JobHarness, open_job_harness
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest

TENANTS: Final = 20
ROUNDS: Final = 2
JOBS: Final = {"pages": 50, "sync": 25, "flaky": 50, "noop": 375}
"""Jobs of each action and tenant: 10,000 in all."""

PAGES: Final = "CREATE TABLE app.pages (id bigint GENERATED ALWAYS AS IDENTITY, job text, token bigint)"
OVER_CAP: Final = """
SELECT count(*) FROM (
    SELECT FROM app.job_queue WHERE token IS NOT NULL GROUP BY tenant_id HAVING count(*) > 5
) tenants
"""
LATE_PAGES: Final = """
SELECT count(*) FROM (
    SELECT token < lag(token) OVER (PARTITION BY job ORDER BY id) AS is_late FROM app.pages
) pages WHERE is_late
"""
"""Pages that a worker wrote after another one had written with a newer token."""
LEASES: Final = "SELECT count(*) FROM app.job_queue WHERE worker = $1"
LEFT: Final = "SELECT count(*) FROM app.job_queue"


@pytest_asyncio.fixture(loop_scope="session")
async def jobs(database_url: str) -> AsyncIterator[JobHarness]:
    """Jobs in a database of the test's own, with many tenants."""
    async with open_job_harness(database_url, TENANTS) as opened:
        await opened.owner.execute(PAGES)
        await opened.owner.execute("GRANT ALL ON app.pages TO msp_request")
        yield opened


class Chaos:
    """The workers, and how they are disturbed."""

    def __init__(self, jobs: JobHarness, dsn: str, stack: ExitStack) -> None:
        self._jobs = jobs
        self._dsn = dsn
        self._stack = stack
        self.workers = [self._start() for _ in range(3)]

    def _start(self) -> Server:
        program = ("-m", "tests.e2e.job_chaos_worker")
        return self._stack.enter_context(
            start_server("work", program=program, DATABASE_URL=self._dsn, JOB_WORKERS="8")
        )

    async def replace_killed(self, number: int) -> None:
        """Kill a worker while it runs jobs, and start another."""
        await self._wait_until_busy(self.workers[number])
        self.workers[number].process.kill()
        self.workers[number].process.wait()
        self.workers[number] = self._start()

    async def stop_past_lease(self, number: int) -> None:
        """Stop a worker until others have all its jobs, and let it go on."""
        worker = self.workers[number]
        await self._wait_until_busy(worker)
        worker.process.send_signal(signal.SIGSTOP)
        await self.wait_until_none(LEASES, self._name(worker))
        worker.process.send_signal(signal.SIGCONT)

    async def _wait_until_busy(self, worker: Server) -> None:
        left = await self._count(LEFT)
        while left and not await self._count(LEASES, self._name(worker)):
            await asyncio.sleep(0.01)
            left = await self._count(LEFT)

    async def wait_until_none(self, query: str, *arguments: object) -> None:
        """Wait until a count is 0, as long as jobs end meanwhile. No tenant ever runs too many."""
        async with asyncio.timeout(HANG_S) as limit:
            ended = 0
            while await self._count(query, *arguments):
                assert await self._count(OVER_CAP) == 0
                now = await self._count("SELECT count(*) FROM job_attempts")
                if now > ended:
                    ended = now
                    limit.reschedule(asyncio.get_running_loop().time() + HANG_S)
                await asyncio.sleep(0.05)

    async def _count(self, query: str, *arguments: object) -> int:
        return int(await self._jobs.owner.fetchval(query, *arguments))

    @staticmethod
    def _name(worker: Server) -> str:
        return worker.lines[0].removeprefix("Running jobs as ")


async def test_jobs_survive_killed_and_stalled_workers(
    jobs: JobHarness, database_url: str, report_line: ReportLine
) -> None:
    final = 0
    for tenant in range(TENANTS):
        source = jobs.tenants[tenant]["data_sources"]
        for action, count in JOBS.items():
            given = {"data_source_id": source, "is_sync": True} if action == "sync" else {}
            await jobs.add_jobs(action, count, tenant, attempts_max=1_000, **given)
            final += count if action != "noop" else 0
    with ExitStack() as stack:
        chaos = Chaos(jobs, database_url, stack)
        for number in range(ROUNDS):
            await chaos.stop_past_lease(number % 3)
            await chaos.replace_killed((number + 1) % 3)
        await chaos.wait_until_none(LEFT)
        for worker in chaos.workers:
            worker.stop(signal.SIGTERM)

    statuses = await jobs.owner.fetch(
        "SELECT status, count(*) FROM scheduled_jobs WHERE created_by = 'test' GROUP BY status"
    )
    assert [tuple(row) for row in statuses] == [("completed", TENANTS * sum(JOBS.values()))]
    done = await jobs.owner.fetchrow("SELECT count(*) AS rows, count(DISTINCT job) AS jobs FROM app.done")
    assert done is not None
    assert (done["rows"], done["jobs"]) == (final, final)
    assert await jobs.owner.fetchval(LATE_PAGES) == 0
    rows = await jobs.owner.fetch(
        "SELECT outcome, count(*) AS attempts FROM job_attempts WHERE worker <> 'worker-1' GROUP BY 1"
    )
    outcomes = {row["outcome"]: row["attempts"] for row in rows}
    report_line(f"attempts: {outcomes}")
    assert outcomes["completed"] == TENANTS * sum(JOBS.values())
    assert outcomes["lost"] > 0
