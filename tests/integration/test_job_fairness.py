"""Claims from a long queue: fair among tenants, and as cheap as from a short one."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from tests.job_harness import JobHarness, open_job_harness

pytestmark = pytest.mark.newest

MANY: Final = 100_000


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def jobs(shared_database_url: str) -> AsyncIterator[JobHarness]:
    """A tenant with many due jobs, and another."""
    async with open_job_harness(shared_database_url) as opened:
        await opened.owner.execute(
            "ALTER TABLE scheduled_jobs DISABLE TRIGGER USER"
        )  # nobody follows the log
        await opened.add_jobs("noop", MANY)
        await opened.owner.execute("ALTER TABLE scheduled_jobs ENABLE TRIGGER USER")
        yield opened


async def count_rows_read(jobs: JobHarness) -> int:
    """The rows of the queue and of the jobs that one claim of four reads, by scans of any kind."""
    count = """SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::integer FROM pg_stat_xact_user_tables
        WHERE relname IN ('job_queue', 'scheduled_jobs')"""
    transaction = jobs.owner.transaction()
    await transaction.start()
    before = await jobs.owner.fetchval(count)
    await jobs.owner.fetchval("SELECT app.claim_jobs('w', 4, 15000, ARRAY['noop'], 3)")
    after = await jobs.owner.fetchval(count)
    await transaction.rollback()
    return int(after - before)


async def test_tenant_with_many_due_jobs_delays_another_by_one_claim(jobs: JobHarness) -> None:
    queue = jobs.open_queue("w", "noop")
    assert len((await queue.claim(1)).jobs) == 1
    (one,) = await jobs.add_jobs("noop", tenant=1)
    assert [job.id for job in (await queue.claim(1)).jobs] == [one]


async def test_claim_reads_few_rows_of_a_long_queue(jobs: JobHarness) -> None:
    assert await count_rows_read(jobs) < 200


async def test_finished_jobs_cost_the_claim_nothing(jobs: JobHarness) -> None:
    await jobs.owner.execute("DELETE FROM app.job_queue")
    await jobs.add_jobs("noop", 4)
    assert await jobs.owner.fetchval("SELECT count(*) FROM scheduled_jobs") > MANY
    assert await count_rows_read(jobs) < 100
