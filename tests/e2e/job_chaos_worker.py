"""`server.py work` with short leases and the actions of tests/e2e/test_job_chaos.py."""

import asyncio
import random
import sys
from functools import partial

import server
from commands import job_workers
from services.jobs import context, job_queue, retries, runner
from services.jobs.actions import Action, index_actions
from services.jobs.context import JobContext
from services.jobs.job_errors import JobVendorDownError

_SHORT = (
    (job_queue, "JOB_LEASE_MS", 2_000),
    (context, "JOB_LEASE_MS", 2_000),
    (job_queue, "JOB_LOST_MAX", 1_000_000),  # no job is poison here
    (runner, "JOB_RENEW_S", 0.3),
    (runner, "JOB_POLL_S", 0.5),
    (retries, "JOB_BACKOFF_S", 0.05),
)


async def write_pages(job: JobContext) -> None:
    """Write three pages, each with the token, and the completion with the last writes."""
    for _ in range(3):
        job.checkpoint()
        async with job.transaction() as transaction:
            await transaction.fetch(
                "INSERT INTO app.pages (job, token) VALUES ($1, $2)", (job.job.id, job.job.token)
            )
        await asyncio.sleep(random.uniform(0, 0.01))  # noqa: S311 - spreads the pages
    await complete(job)


async def complete(job: JobContext) -> None:
    """Complete the job together with a row."""
    async with job.final_transaction() as transaction:
        await transaction.fetch("INSERT INTO app.done (job) VALUES ($1)", (job.job.id,))


async def fail_at_times(job: JobContext) -> None:
    """Complete the job, or fail like a vendor that is down."""
    if random.random() < 0.3:  # noqa: S311 - any failures
        raise JobVendorDownError("503")
    await complete(job)


async def do_nothing(job: JobContext) -> None:
    """A job without work."""
    job.report_progress(1, 1)


ACTIONS = index_actions(
    Action("pages", write_pages),
    Action("sync", complete, is_sync=True),
    Action("flaky", fail_at_times),
    Action("noop", do_nothing),
)

if __name__ == "__main__":
    for module, name, value in _SHORT:
        setattr(module, name, value)
    run = partial(job_workers.run_jobs_until_signal, actions=ACTIONS)
    setattr(job_workers, "run_jobs_until_signal", run)  # noqa: B010 - mypy then sees that this is intended
    sys.exit(server.main())
