"""Background jobs in server processes: inside a server, and by `server.py work` without one."""

import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.e2e.job_stopping_server import ACTION as STUBBORN
from tests.e2e.job_stopping_server import STOPPING
from tests.e2e.servers import Server, run_command, start_server
from tests.job_harness import JobHarness, open_job_harness
from tests.waiting import block_until

pytestmark = pytest.mark.newest


@pytest_asyncio.fixture(loop_scope="session")
async def jobs(database_url: str) -> AsyncIterator[JobHarness]:
    """Jobs in a database of the test's own, with two tenants."""
    async with open_job_harness(database_url) as opened:
        yield opened


ACTION = "usage.report"
SLOW = {"pauseMs": 10_000}


async def test_server_runs_jobs_and_counts_them(jobs: JobHarness, database_url: str) -> None:
    with start_server(
        DATABASE_URL=database_url, OIDC_ISSUER="https://issuer.example", OIDC_ANY_CLIENT="1"
    ) as server:
        (job,) = await jobs.add_jobs(ACTION)
        await jobs.wait_for_status(job, "completed")
        async with httpx.AsyncClient() as client:
            metrics = (await client.get(f"{server.url}/metrics")).text
        server.stop(signal.SIGTERM)
    assert f'msp_job_attempts_total{{action="{ACTION}",outcome="completed"}} 1.0' in metrics
    assert "msp_jobs_running_here" in metrics


async def test_server_without_workers_runs_none(jobs: JobHarness, database_url: str) -> None:
    settings: dict[str, Any] = {
        "OIDC_ISSUER": "https://issuer.example",
        "OIDC_ANY_CLIENT": "1",
        "JOB_WORKERS": "0",
    }
    (job,) = await jobs.add_jobs(ACTION)
    with start_server(DATABASE_URL=database_url, **settings) as server:
        async with httpx.AsyncClient() as client:
            metrics = (await client.get(f"{server.url}/metrics")).text
        server.stop()
    assert "msp_job_attempts" not in metrics
    assert (await jobs.read_job(job))["status"] == "pending"


async def test_worker_process_runs_jobs_and_gives_the_running_one_back(
    jobs: JobHarness, database_url: str
) -> None:
    with start_server("work", DATABASE_URL=database_url) as worker:
        (quick,) = await jobs.add_jobs(ACTION)
        await jobs.wait_for_status(quick, "completed")
        (slow,) = await jobs.add_jobs(ACTION, payload=SLOW)
        await jobs.wait_for_status(slow, "running")
        worker.stop(signal.SIGINT)  # without a grace
    assert (await jobs.read_job(slow))["status"] == "pending"
    assert await jobs.list_outcomes(slow) == ["released"]


@pytest.mark.parametrize("command", [(), ("work",), ("--workers", 2)], ids=["server", "work", "workers"])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
async def test_second_signal_ends_the_grace_of_running_jobs(
    jobs: JobHarness, database_url: str, command: tuple[object, ...], second: signal.Signals
) -> None:
    settings = {"SHUTDOWN_GRACE": "600", "JOB_GRACE": "600"}
    with _start_stubborn(*command, DATABASE_URL=database_url, **settings) as server:
        (job,) = await jobs.add_jobs(STUBBORN)
        await jobs.wait_for_status(job, "running")
        server.process.send_signal(signal.SIGTERM)
        block_until(lambda: STOPPING in server.lines)
        if "work" not in command:
            block_until(lambda: not _accepts(server))
        server.stop(second)
        assert server.process.returncode == 0, server.log.read_text()
    await _check_given_back(jobs, job)


@pytest.mark.parametrize(("grace", "job_grace"), [("0.5", "600"), ("600", "0.5")])
async def test_jobs_have_the_shorter_of_both_graces(
    jobs: JobHarness, database_url: str, grace: str, job_grace: str
) -> None:
    settings = {"SHUTDOWN_GRACE": grace, "JOB_GRACE": job_grace}
    with _start_stubborn(DATABASE_URL=database_url, **settings) as server:
        (job,) = await jobs.add_jobs(STUBBORN)
        await jobs.wait_for_status(job, "running")
        server.stop(signal.SIGTERM)
    await _check_given_back(jobs, job)


def _start_stubborn(*command: object, **settings: Any) -> AbstractContextManager[Server]:
    """A server or a worker whose jobs do not end by themselves."""
    issuer: dict[str, Any] = {"OIDC_ISSUER": "https://issuer.example", "OIDC_ANY_CLIENT": "1"}
    program = ("-m", "tests.e2e.job_stopping_server")
    return start_server(*command, program=program, **issuer, **settings)


def _accepts(server: Server) -> bool:
    address = httpx.URL(server.url)
    with socket.socket() as probe:
        return probe.connect_ex((address.host, address.port)) == 0


async def _check_given_back(jobs: JobHarness, job: str) -> None:
    """Check that the job waits for another worker."""
    assert (await jobs.read_job(job))["status"] == "pending"
    assert await jobs.list_outcomes(job) == ["released"]


async def test_job_of_a_killed_worker_runs_in_another_process(jobs: JobHarness, database_url: str) -> None:
    with start_server("work", DATABASE_URL=database_url) as doomed:
        (job,) = await jobs.add_jobs(ACTION, payload=SLOW)
        await jobs.wait_for_status(job, "running")
        doomed.process.kill()
        doomed.process.wait()
    await jobs.owner.execute("UPDATE scheduled_jobs SET payload = '{}' WHERE id = $1", job)
    await jobs.expire_leases()
    with start_server("work", DATABASE_URL=database_url) as worker:
        await jobs.wait_for_status(job, "completed")
        worker.stop()
    assert await jobs.list_outcomes(job) == ["lost", "completed"]


async def test_jobs_command_lists_jobs_and_why_they_wait(jobs: JobHarness, database_url: str) -> None:
    (later,) = await jobs.add_jobs(ACTION, scheduled_at=4_102_444_800_000)
    tenant = jobs.tenants[0]["tenants"]
    listed = run_command("jobs", "--tenant", tenant, "--status", "pending", DATABASE_URL=database_url)
    first, *_ = listed.stdout.splitlines()
    assert first == f"{later}  {tenant}  2100-01-01T00:00:00Z  {ACTION}  PENDING  0/5  blocked by DUE_LATER"
    assert "blocked by IMPORTED" in listed.stdout
    assert jobs.tenants[1]["tenants"] not in listed.stdout
    failed = run_command("jobs", "--status", "failed", DATABASE_URL=database_url)
    assert (failed.returncode, failed.stdout) == (0, "")
