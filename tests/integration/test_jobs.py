"""The runner of background jobs on real PostgreSQL: claims, leases, retries, caps, fairness."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.clock import now_ms
from core.database.transactions import begin_write
from core.errors import ProductError
from core.limits import JOB_LOST_MAX
from core.settings import Settings
from demo.running_jobs import enqueue_demo_jobs
from models.enums import JobOutcome
from services.activation import set_active
from services.import_lock import BACKGROUND_LOCK
from services.jobs.context import JobContext
from services.jobs.enqueue import JobRequest, enqueue_job
from services.jobs.job_errors import (
    JobCredentialsError,
    JobError,
    JobOutcomeUnknownError,
    JobRateLimitedError,
    JobVendorDownError,
    LeaseLostError,
)
from services.jobs.job_queue import Lease
from services.jobs.retries import draw_backoff_ms
from services.jobs.runner import JobRunner
from tests.job_harness import Gate, JobHarness, open_job_harness
from tests.waiting import HANG_S, poll_until, wait_until

pytestmark = pytest.mark.role_modes

HOUR = 3_600_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_jobs(shared_database_url: str) -> AsyncIterator[JobHarness]:
    """Jobs in a database that the tests of this module share, with two tenants."""
    async with open_job_harness(shared_database_url) as opened:
        yield opened


@pytest_asyncio.fixture
async def jobs(shared_jobs: JobHarness) -> JobHarness:
    """The same without jobs of other tests."""
    await shared_jobs.reset()
    return shared_jobs


async def do_nothing(_context: JobContext) -> None:
    """A job without work."""


async def insert_done(context: JobContext) -> None:
    """Complete the job together with a row."""
    async with context.final_transaction() as transaction:
        await transaction.fetch("INSERT INTO app.done (job) VALUES ($1)", (context.job.id,))


def failing(error: Exception) -> Any:
    """An action that fails in this way."""

    async def fail(_context: JobContext) -> None:
        raise error

    return fail


async def test_job_that_is_due_runs_and_completes(jobs: JobHarness) -> None:
    (job,) = await jobs.add_jobs("noop", payload={"full": True})
    async with jobs.run(noop=do_nothing) as runner:
        row = await jobs.wait_for_status(job, "completed")
        await wait_until(lambda: runner.outcomes["noop", JobOutcome.COMPLETED] == 1)
    assert (row["attempts"], row["error"], row["next_retry_at"]) == (1, None, None)
    assert row["started_at"] is not None
    assert await jobs.list_outcomes(job) == ["completed"]
    assert await jobs.owner.fetchval("SELECT count(*) FROM app.job_queue") == 0


async def test_job_of_unknown_action_waits_for_a_server_that_knows_it(jobs: JobHarness) -> None:
    (unknown,), (known,) = await jobs.add_jobs("newer"), await jobs.add_jobs("noop")
    async with jobs.run(noop=do_nothing):
        await jobs.wait_for_status(known, "completed")
    assert (await jobs.read_job(unknown))["status"] == "pending"


async def test_job_due_later_starts_when_it_is_due(jobs: JobHarness) -> None:
    (later,) = await jobs.add_jobs("noop", scheduled_at=now_ms() + HOUR)
    (soon,) = await jobs.add_jobs("noop", scheduled_at=now_ms() + 300)
    async with jobs.run(noop=do_nothing):
        row = await jobs.wait_for_status(soon, "completed")
    assert row["started_at"] >= row["scheduled_at"]
    assert (await jobs.read_job(later))["status"] == "pending"
    assert await jobs.find_block(later) == "due_later"


async def test_claim_takes_higher_priority_first_and_none_twice(jobs: JobHarness) -> None:
    (low,) = await jobs.add_jobs("noop", priority=-1)
    (middle,) = await jobs.add_jobs("noop")
    (high,) = await jobs.add_jobs("noop", priority=5)
    queue = jobs.open_queue("w", "noop")
    claimed = [job.id for _ in range(4) for job in (await queue.claim(1)).jobs]
    assert claimed == [high, middle, low]


async def test_claims_of_many_workers_are_disjoint(jobs: JobHarness) -> None:
    ids = {job for tenant in range(2) for job in await jobs.add_jobs("noop", 5, tenant)}
    queues = [jobs.open_queue(f"w{number}", "noop") for number in range(4)]
    claims = await asyncio.gather(*(queue.claim(2) for queue in queues for _ in range(5)))
    rest = [await queues[0].claim(10)]
    claimed = [job.id for claim in (*claims, *rest) for job in claim.jobs]
    assert sorted(claimed) == sorted(ids)


async def test_final_transaction_commits_work_and_completion_together(jobs: JobHarness) -> None:
    (job,) = await jobs.add_jobs("insert")
    async with jobs.run(insert=insert_done):
        await jobs.wait_for_status(job, "completed")
    assert [row["job"] for row in await jobs.owner.fetch("SELECT job FROM app.done")] == [job]
    assert await jobs.list_outcomes(job) == ["completed"]


async def test_transaction_of_a_job_sees_only_its_tenant(jobs: JobHarness) -> None:
    seen: list[Any] = []

    async def read(context: JobContext) -> None:
        async with context.transaction() as transaction:
            seen.extend(row["id"] for row in await transaction.fetch("SELECT id FROM tenants", ()))

    (job,) = await jobs.add_jobs("read", tenant=1)
    async with jobs.run(read=read):
        await jobs.wait_for_status(job, "completed")
    assert seen == [jobs.tenants[1]["tenants"]]


class TestLeases:
    async def test_lost_job_runs_again_with_a_new_token(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("noop")
        dead = jobs.open_queue("dead", "noop")
        (before,) = (await dead.claim(1)).jobs
        await jobs.expire_leases()
        claim = await jobs.open_queue("next", "noop").claim(1)
        assert claim.lost == 1
        assert [each.id for each in claim.jobs] == [job]
        assert claim.jobs[0].token > before.token
        assert claim.jobs[0].attempts == 1
        assert await jobs.list_outcomes(job) == ["lost"]

    async def test_runner_takes_over_the_job_of_a_dead_worker(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("insert")
        await jobs.open_queue("dead", "insert").claim(1)
        async with jobs.run(insert=insert_done):
            await jobs.expire_leases()
            await jobs.wait_for_status(job, "completed")
        assert await jobs.list_outcomes(job) == ["lost", "completed"]

    async def test_stalled_worker_writes_nothing_after_its_lease(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("insert")
        (stalled,) = (await jobs.open_queue("stalled", "insert").claim(1)).jobs
        await jobs.expire_leases()
        async with jobs.run(insert=insert_done):
            await jobs.wait_for_status(job, "completed")
        lease = Lease(stalled)
        with pytest.raises(LeaseLostError):
            await insert_done(JobContext(jobs.database, lease, lambda: False))
        assert lease.is_lost
        assert await jobs.owner.fetchval("SELECT count(*) FROM app.done") == 1

    async def test_lease_is_not_reaped_during_a_transaction_of_its_job(self, jobs: JobHarness) -> None:
        await jobs.add_jobs("insert")
        queue = jobs.open_queue("w", "insert")
        (job,) = (await queue.claim(1)).jobs
        context = JobContext(jobs.database, Lease(job), lambda: False)
        async with context.transaction():
            await jobs.expire_leases()
            assert (await jobs.open_queue("other", "insert").claim(1)).lost == 0
            assert await queue.renew([job.token]) == {job.token: False}
        assert (await jobs.open_queue("other", "insert").claim(1)).lost == 0

    async def test_worker_that_stalls_within_a_transaction_loses_its_lease(
        self, jobs: JobHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.jobs.context.JOB_LEASE_MS", 100)
        (job,) = await jobs.add_jobs("insert")
        (claimed,) = (await jobs.open_queue("stalled", "insert").claim(1)).jobs
        other = jobs.open_queue("other", "insert")

        async def is_lost() -> bool:
            return (await other.claim(1)).lost == 1

        async def stall() -> None:
            async with JobContext(jobs.database, Lease(claimed), lambda: False).final_transaction():
                await jobs.expire_leases()
                await poll_until(is_lost)

        with pytest.raises((asyncpg.PostgresError, ProductError)):
            await stall()
        assert await jobs.list_outcomes(job) == ["lost"]

    async def test_renewal_of_a_lost_lease_is_refused(self, jobs: JobHarness) -> None:
        await jobs.add_jobs("noop")
        queue = jobs.open_queue("w", "noop")
        (job,) = (await queue.claim(1)).jobs
        await jobs.expire_leases()
        await jobs.open_queue("other", "noop").claim(1)
        assert await queue.renew([job.token]) == {}

    async def test_job_that_loses_its_worker_too_often_fails(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("noop")
        queue = jobs.open_queue("w", "noop")
        for _ in range(JOB_LOST_MAX):
            assert len((await queue.claim(1)).jobs) == 1
            await jobs.expire_leases()
        assert (await queue.claim(1)).jobs == []
        row = await jobs.read_job(job)
        assert (row["status"], row["error"]) == ("failed", "The worker was lost")
        assert await jobs.list_outcomes(job) == ["lost"] * JOB_LOST_MAX

    async def test_job_that_fails_by_hand_while_it_runs_stays_failed(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("gate")
        gate = Gate()
        async with jobs.run(gate=gate.run):
            await wait_until(lambda: bool(gate.running))
            await jobs.owner.execute("UPDATE scheduled_jobs SET status = 'failed' WHERE id = $1", job)
            gate.opened.set()
            await poll_until(lambda: jobs.owner.fetchval("SELECT count(*) = 0 FROM app.job_queue"))
        assert (await jobs.read_job(job))["status"] == "failed"


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "outcome", "status", "attempts"),
        [
            (JobVendorDownError("503"), "vendor_down", "pending", 1),
            (JobRateLimitedError("429", 60), "rate_limited", "pending", 0),
            (JobCredentialsError("401"), "credentials", "failed", 1),
            (JobOutcomeUnknownError("who knows"), "outcome_unknown", "failed", 1),
            (ZeroDivisionError(), "fault", "pending", 1),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
    )
    async def test_error_of_each_class_decides_about_the_retry(
        self,
        jobs: JobHarness,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
        outcome: str,
        status: str,
        attempts: int,
    ) -> None:
        for limit in ("JOB_BACKOFF_S", "JOB_BACKOFF_MAX_S"):  # no second attempt within this test
            monkeypatch.setattr(f"services.jobs.retries.{limit}", 1e8)
        (job,) = await jobs.add_jobs("fail")
        async with jobs.run(fail=failing(error)):
            await poll_until(lambda: jobs.list_outcomes(job))
        row = await jobs.read_job(job)
        assert await jobs.list_outcomes(job) == [outcome]
        assert (row["status"], row["attempts"]) == (status, attempts)
        assert (row["next_retry_at"] is None) == (status == "failed")
        expected = str(error) if isinstance(error, JobError) else r"Internal error; errorId \w{32}"
        assert re.fullmatch(expected, row["error"])

    async def test_vendor_that_stays_down_fails_the_job_after_its_attempts(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("fail", attempts_max=2)
        async with jobs.run(fail=failing(JobVendorDownError("503"))) as runner:
            await poll_until(lambda: jobs.list_outcomes(job))
            await jobs.make_due()
            runner.wake()
            row = await jobs.wait_for_status(job, "failed")
        assert (row["attempts"], row["error"]) == (2, "503")

    async def test_vendor_asks_for_a_pause_and_it_is_kept(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("fail")
        async with jobs.run(fail=failing(JobRateLimitedError("429", 3600))):
            await poll_until(lambda: jobs.list_outcomes(job))
        ended_at = await jobs.owner.fetchval("SELECT ended_at FROM job_attempts WHERE job_id = $1", job)
        assert (await jobs.read_job(job))["next_retry_at"] - ended_at == HOUR

    async def test_refused_credentials_mark_the_data_source_and_its_health(self, jobs: JobHarness) -> None:
        source = jobs.tenants[0]["data_sources"]
        await jobs.owner.execute("UPDATE data_sources SET status = 'active'")
        (job,) = await jobs.add_jobs("fail", data_source_id=source)
        async with jobs.run(fail=failing(JobCredentialsError("401"))):
            await jobs.wait_for_status(job, "failed")
        status = await jobs.owner.fetchval("SELECT status FROM data_sources WHERE id = $1", source)
        health = await jobs.owner.fetchval("SELECT status FROM health_checks WHERE resource_id = $1", source)
        audited = await jobs.owner.fetchval(
            "SELECT actor_type FROM audit_log WHERE record_id = $1 AND table_name = 'data_sources'", source
        )
        assert (status, health, audited) == ("error", "down", "system")

    def test_backoff_is_random_and_bounded(self) -> None:
        drawn = [draw_backoff_ms(attempts) for attempts in (1, 2, 50) for _ in range(200)]
        assert max(drawn[:200]) <= 10_000
        assert max(drawn[200:400]) <= 20_000
        assert 10_000 < max(drawn[400:]) <= HOUR


class TestCallsOnce:
    async def test_recorded_result_is_returned_instead_of_a_second_call(self, jobs: JobHarness) -> None:
        calls: list[str] = []

        async def create() -> dict[str, Any]:
            calls.append("made")
            return {"ticket": 7}

        results: list[Any] = []

        async def create_ticket(context: JobContext) -> None:
            results.append(await context.call_once("create ticket", create))
            if len(results) == 1:
                raise JobVendorDownError("the next page")

        (job,) = await jobs.add_jobs("ticket")
        async with jobs.run(ticket=create_ticket) as runner:
            await poll_until(lambda: jobs.list_outcomes(job))
            await jobs.make_due()
            runner.wake()
            await jobs.wait_for_status(job, "completed")
        assert (calls, results) == (["made"], [{"ticket": 7}] * 2)

    async def test_worker_lost_within_the_call_fails_the_job_as_unknown(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("ticket")
        queue = jobs.open_queue("dead", "ticket")
        (claimed,) = (await queue.claim(1)).jobs
        context = JobContext(jobs.database, Lease(claimed), lambda: False)
        calling = asyncio.Event()

        async def hang() -> None:
            calling.set()
            await asyncio.Event().wait()

        hanging = asyncio.create_task(context.call_once("create ticket", hang))
        await calling.wait()
        hanging.cancel()
        await asyncio.wait([hanging])
        await jobs.expire_leases()
        await queue.claim(1)
        assert (await jobs.read_job(job))["status"] == "failed"
        assert await jobs.list_outcomes(job) == ["outcome_unknown"]

    async def test_call_that_the_vendor_refuses_may_be_made_again(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("ticket")
        (claimed,) = (await jobs.open_queue("w", "ticket").claim(1)).jobs
        context = JobContext(jobs.database, Lease(claimed), lambda: False)

        async def refuse() -> None:
            raise JobVendorDownError("503")

        for _ in range(2):
            with pytest.raises(JobVendorDownError):
                await context.call_once("create ticket", refuse)

        async def break_off() -> None:
            raise ConnectionResetError

        with pytest.raises(JobOutcomeUnknownError):
            await context.call_once("create ticket", break_off)
        with pytest.raises(JobOutcomeUnknownError):
            await context.call_once("create ticket", refuse)
        assert job == claimed.id


class TestCaps:
    async def test_tenant_runs_no_more_than_its_cap_and_says_why(self, jobs: JobHarness) -> None:
        ids = await jobs.add_jobs("gate", 7)
        (other,) = await jobs.add_jobs("gate", tenant=1)
        gate = Gate()
        async with jobs.run(20, gate=gate.run) as runner:
            await wait_until(lambda: other in gate.running and len(gate.running) == 6)
            blocks = [await jobs.find_block(job) for job in ids if job not in gate.running]
            assert blocks == ["tenant_cap"] * 2
            gate.opened.set()
            for job in (*ids, other):
                await jobs.wait_for_status(job, "completed")
            assert runner.outcomes["gate", JobOutcome.COMPLETED] >= 7
        assert gate.most == 6

    async def test_cap_of_the_database_is_the_operators(self, jobs: JobHarness) -> None:
        await jobs.owner.execute("UPDATE app.installation SET jobs_per_tenant = 2")
        await jobs.add_jobs("noop", 5)
        assert len((await jobs.open_queue("w", "noop").claim(10)).jobs) == 2

    async def test_data_source_has_one_sync_at_a_time(self, jobs: JobHarness) -> None:
        source = jobs.tenants[0]["data_sources"]
        syncs = await jobs.add_jobs("sync", 3, data_source_id=source, is_sync=True)
        (ticket,) = await jobs.add_jobs("ticket", data_source_id=source)
        queue = jobs.open_queue("w", "sync", "ticket")
        claimed = {job.id for job in (*(await queue.claim(10)).jobs, *(await queue.claim(10)).jobs)}
        assert ticket in claimed
        assert len(claimed & set(syncs)) == 1
        (blocked, _) = [job for job in syncs if job not in claimed]
        assert await jobs.find_block(blocked) == "data_source_busy"

    async def test_account_runs_no_more_than_its_vendor_allows(self, jobs: JobHarness) -> None:
        ids = [job for tenant in range(2) for job in await jobs.add_jobs("noop", 3, tenant)]
        await jobs.owner.execute("UPDATE app.job_queue SET account = 'acme', account_max = 2")
        claimed = {job.id for job in (await jobs.open_queue("w", "noop").claim(10)).jobs}
        assert len(claimed) == 2
        assert {await jobs.find_block(job) for job in ids if job not in claimed} == {"vendor_budget"}

    async def test_claims_serve_the_tenant_first_that_was_served_longest_ago(self, jobs: JobHarness) -> None:
        many = await jobs.add_jobs("noop", 50, scheduled_at=1)
        (one,) = await jobs.add_jobs("noop", tenant=1)
        queue = jobs.open_queue("w", "noop")
        first, second = [(await queue.claim(1)).jobs[0].id for _ in range(2)]
        assert first in many
        assert second == one

    async def test_jobs_of_an_inactive_tenant_wait(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("noop")
        await jobs.owner.execute("UPDATE tenants SET status = 'suspended'")
        assert (await jobs.open_queue("w", "noop").claim(1)).jobs == []
        assert await jobs.find_block(job) == "tenant_inactive"


class TestStopping:
    async def test_runner_that_stops_gives_back_at_a_checkpoint(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("page")
        started = asyncio.Event()

        async def read_pages(context: JobContext) -> None:
            started.set()
            while True:
                context.checkpoint()
                await asyncio.sleep(0.01)

        async with jobs.run(page=read_pages, grace_s=60):
            await started.wait()
        row = await jobs.read_job(job)
        assert (row["status"], row["attempts"]) == ("pending", 0)
        assert await jobs.list_outcomes(job) == ["released"]
        assert len((await jobs.open_queue("next", "page").claim(1)).jobs) == 1

    async def test_job_without_a_checkpoint_is_canceled_after_the_grace(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("gate")
        gate = Gate()
        async with jobs.run(gate=gate.run, grace_s=0):
            await wait_until(lambda: bool(gate.running))
        assert (await jobs.read_job(job))["status"] == "pending"
        assert await jobs.list_outcomes(job) == ["released"]

    async def test_runner_whose_close_is_canceled_gives_jobs_back(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("gate")
        gate, closing = Gate(), asyncio.Event()

        async def run_until_closed() -> None:
            async with jobs.run(gate=gate.run, grace_s=600):
                await wait_until(lambda: bool(gate.running))
                closing.set()

        running = asyncio.create_task(run_until_closed())
        await closing.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, HANG_S)
        assert (await jobs.read_job(job))["status"] == "pending"
        assert await jobs.list_outcomes(job) == ["released"]

    async def test_canceled_job_stops_at_its_next_transaction(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("page")
        started = asyncio.Event()

        async def read_pages(context: JobContext) -> None:
            while True:
                async with context.transaction():
                    started.set()
                await asyncio.sleep(0.01)

        async with jobs.run(page=read_pages):
            await started.wait()
            await jobs.owner.execute("UPDATE app.job_queue SET is_canceled = true")
            row = await jobs.wait_for_status(job, "failed")
        assert row["error"] == "Canceled"
        assert await jobs.list_outcomes(job) == ["canceled"]

    async def test_paused_copy_runs_nothing(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("noop")
        await set_active(jobs.owner, active=False)
        assert (await jobs.open_queue("w", "noop").claim(1)).state == "paused"
        assert await jobs.find_block(job) == "paused"

    async def test_import_excludes_claims_and_results_until_its_end(
        self, jobs: JobHarness, shared_database_url: str
    ) -> None:
        (job,), (waiting,) = await jobs.add_jobs("gate"), await jobs.add_jobs("noop")
        gate = Gate()
        async with jobs.run(1, gate=gate.run, noop=do_nothing):
            await wait_until(lambda: gate.running == [job])
            importing = await asyncpg.connect(shared_database_url)
            await importing.execute(f"SELECT pg_advisory_lock({BACKGROUND_LOCK})")
            assert (await jobs.open_queue("w", "noop").claim(1)).state == "import"
            gate.opened.set()
            await wait_until(lambda: not gate.running)
            assert (await jobs.read_job(job))["status"] == "running"
            await importing.close()
            await jobs.wait_for_status(job, "completed")
            await jobs.wait_for_status(waiting, "completed")


class TestProgress:
    async def test_progress_is_written_without_a_change_of_the_job(self, jobs: JobHarness) -> None:
        (job,) = await jobs.add_jobs("gate")
        gate = Gate()

        async def report(context: JobContext) -> None:
            context.report_progress(12, 40, "devices")
            await gate.run(context)

        async with jobs.run(gate=report):
            written = "SELECT count(*) FROM job_progress WHERE job_id = $1"
            await poll_until(lambda: jobs.owner.fetchval(written, job))
            row = await jobs.read_job(job)
            gate.opened.set()
            await jobs.wait_for_status(job, "completed")
        progress = await jobs.owner.fetchrow("SELECT * FROM job_progress WHERE job_id = $1", job)
        assert progress is not None
        assert [progress[name] for name in ("done", "total", "unit")] == [12, 40, "devices"]
        assert row["updated_at"] == row["started_at"]

    async def test_last_progress_is_written_before_the_job_ends(self, jobs: JobHarness) -> None:
        async def report(context: JobContext) -> None:
            context.report_progress(1, 2)
            context.report_progress(2, 2)

        (job,) = await jobs.add_jobs("report")
        async with jobs.run(report=report):
            await jobs.wait_for_status(job, "completed")
        assert await jobs.owner.fetchval("SELECT done FROM job_progress WHERE job_id = $1", job) == 2


async def test_imported_job_is_listed_as_imported_and_never_claimed(jobs: JobHarness) -> None:
    job = jobs.tenants[0]["scheduled_jobs"]  # a row that no code of the runner has made
    assert await jobs.find_block(job) == "imported"
    assert (await jobs.open_queue("w", "sync.sites").claim(1)).jobs == []


async def test_enqueuing_with_the_key_of_a_waiting_job_pulls_it_forward(jobs: JobHarness) -> None:
    tenant = jobs.tenants[0]["tenants"]
    later = JobRequest("usage.report", "schedule", scheduled_at=now_ms() + HOUR, dedupe_key="report")

    async def enqueue(request: JobRequest) -> str:
        async with begin_write(jobs.database) as transaction:
            await transaction.fetch("SELECT set_config('app.tenant_id', $1, true)", (tenant,))
            return await enqueue_job(transaction, tenant, request)

    first = await enqueue(later)
    assert await enqueue(later) == first
    assert (await jobs.open_queue("w", "usage.report").claim(1)).jobs == []
    assert (
        await asyncio.gather(*(enqueue(replace(later, scheduled_at=None)) for _ in range(4))) == [first] * 4
    )
    assert (await jobs.read_job(first))["scheduled_at"] <= now_ms()
    claim = await jobs.open_queue("w", "usage.report").claim(5)
    assert [job.id for job in claim.jobs] == [first]
    assert await enqueue(later) != first  # the claim has freed the key


async def test_jobs_of_the_demo_run(jobs: JobHarness) -> None:
    await enqueue_demo_jobs(jobs.owner)
    await jobs.make_due()
    async with JobRunner.open(jobs.database, Settings()):
        ended = "SELECT count(*) = 12 FROM scheduled_jobs WHERE created_by = 'demo' AND status = 'completed'"
        await poll_until(lambda: jobs.owner.fetchval(ended))
    progress = await jobs.owner.fetch("SELECT done, total, unit FROM job_progress p WHERE unit = 'sites'")
    assert {tuple(row) for row in progress} == {(1, 1, "sites")}


async def test_deleted_job_is_gone_from_the_queue(jobs: JobHarness) -> None:
    (job,) = await jobs.add_jobs("insert")
    (claimed,) = (await jobs.open_queue("w", "insert").claim(1)).jobs
    await jobs.owner.execute("DELETE FROM scheduled_jobs WHERE id = $1", job)
    with pytest.raises(LeaseLostError):
        await insert_done(JobContext(jobs.database, Lease(claimed), lambda: False))
