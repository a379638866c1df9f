"""The fields of jobs in live queries: progress, attempts, and why a job waits."""

from typing import Final

import pytest

from tests.live.live_engine import LiveEngine

pytestmark = pytest.mark.newest

LIST: Final = "subscription {{ scheduledJobs(first: 20) {{ nodes {{ id status {} }} }} }}"
ONE: Final = """subscription ($id: ID!) { scheduledJob(id: $id) {
    status blockedBy progress { done total unit } attemptHistory { nodes { number outcome error } } } }"""
NEW_JOB: Final = """
INSERT INTO scheduled_jobs (tenant_id, action, created_by, scheduled_at)
VALUES ($1, 'usage.report', 'test', 4102444800000) RETURNING id
"""
QUEUE: Final = (
    "SELECT set_config('app.tenant_id', $1, true), app.queue_jobs(ARRAY[$2], ARRAY[false], ARRAY[NULL])"
)
REPORT: Final = """
INSERT INTO job_progress (tenant_id, job_id, done, total, unit) VALUES ($1, $2, 1, 2, 'sites')
ON CONFLICT (job_id, tenant_id) DO UPDATE SET done = job_progress.done + 1
"""


async def test_live_query_shows_block_progress_and_attempts_of_a_job(live_engine: LiveEngine) -> None:
    tenant = live_engine.tenant_id
    job = await live_engine.execute_sql(NEW_JOB, tenant)
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(ONE, id=job).wait_for_states(1)
    assert subscriber.data["scheduledJob"] == {
        "status": "PENDING",
        "blockedBy": "IMPORTED",
        "progress": None,
        "attemptHistory": {"nodes": []},
    }
    await live_engine.execute_sql(QUEUE, tenant, job)
    await live_engine.execute_sql("UPDATE scheduled_jobs SET priority = 1 WHERE id = $1", job)
    await live_engine.execute_sql(
        "UPDATE scheduled_jobs SET attempts = 1, scheduled_at = 1 WHERE id = $1", job
    )
    await live_engine.execute_sql(REPORT, tenant, job)
    attempt = """INSERT INTO job_attempts (tenant_id, job_id, number, started_at, ended_at, outcome, error, worker)
        VALUES ($1, $2, 1, 1, 2, 'vendor_down', '503', 'w')"""
    await live_engine.execute_sql(attempt, tenant, job)
    await live_engine.wait_until_settled()
    shown = subscriber.data["scheduledJob"]
    assert shown["blockedBy"] == "DUE_LATER"
    assert shown["progress"] == {"done": 1, "total": 2, "unit": "sites"}
    assert shown["attemptHistory"]["nodes"] == [{"number": 1, "outcome": "VENDOR_DOWN", "error": "503"}]


async def test_progress_runs_only_the_queries_that_select_it(live_engine: LiveEngine) -> None:
    tenant = live_engine.tenant_id
    job = await live_engine.execute_sql(
        "SELECT id FROM scheduled_jobs WHERE tenant_id = $1 ORDER BY scheduled_at DESC, id DESC LIMIT 1",
        tenant,
    )
    connection = await live_engine.connect()
    quiet = await connection.subscribe(LIST.format("")).wait_for_states(1)
    busy = await connection.subscribe(LIST.format("progress { done }")).wait_for_states(1)
    await live_engine.wait_until_settled()
    runs = live_engine.run_count
    for _ in range(3):
        await live_engine.execute_sql(REPORT, tenant, job)
        await live_engine.wait_until_settled()
    assert (len(quiet.texts), len(busy.texts)) == (1, 4)
    assert live_engine.run_count == runs + 3
