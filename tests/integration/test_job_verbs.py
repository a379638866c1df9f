"""createScheduledJob, runJobNow, retryJob, cancelJob and their bulk forms: rights, tenants, audit, what runs then."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from core.clock import now_ms
from core.database.database import Database
from core.settings import Settings
from models.enums import JobOutcome
from schema.mutation import MUTATIONS
from services.jobs.actions import Action, index_actions
from services.jobs.context import JobContext
from services.jobs.job_errors import JobOutcomeUnknownError
from services.jobs.job_queue import JobQueue, JobResult, Lease
from services.jobs.runner import JobRunner
from tests.graphql_harness import GraphqlResponse
from tests.mutation_harness import ABSENT_ID, MutationCall, MutationHarness, all_rights_except
from tests.waiting import poll_until

pytestmark = [pytest.mark.newest, pytest.mark.role_modes]

ACTION: Final = "usage.report"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def queue(shared_database_url: str) -> AsyncIterator[JobQueue]:
    """The queue of a worker in the database of the harness."""
    database = await Database.connect(shared_database_url, Settings())
    yield JobQueue(database, "worker", [ACTION])
    await database.close()


@pytest_asyncio.fixture
async def desk(mutation_harness: MutationHarness) -> MutationHarness:
    """Two new tenants that write, and no queued jobs of others."""
    await mutation_harness.connection.execute("DELETE FROM app.job_queue")
    return mutation_harness


async def call(
    desk: MutationHarness, name: str, user: str | None = None, **arguments: Any
) -> GraphqlResponse:
    """Call a verb as my administrator, or as another user."""
    return await desk.execute(MutationCall(MUTATIONS[name], arguments), user)


async def create(desk: MutationHarness, **values: Any) -> str:
    """Create a job; returns its id."""
    answer = await call(desk, "createScheduledJob", input={"action": ACTION, **values})
    assert not answer.errors
    return str(answer.data["done"]["id"])


async def add_failed_job(desk: MutationHarness) -> str:
    """A job of mine that has failed."""
    job = await create(desk)
    await desk.connection.execute("DELETE FROM app.job_queue WHERE job_id = $1", job)
    await desk.update_row("scheduled_jobs", job, status="failed", attempts=5, error="401")
    return job


async def claim(queue: JobQueue) -> list[str]:
    """The ids of the jobs that a worker gets now."""
    return [job.id for job in (await queue.claim(10)).jobs]


async def test_create_scheduled_job_is_audited_and_claimed(desk: MutationHarness, queue: JobQueue) -> None:
    source = desk.mine.ids["data_sources"]
    job = await create(desk, payload={"pauseMs": 5}, priority=3, dataSourceId=source)
    row = await desk.read_row("scheduled_jobs", job)
    assert (row["status"], row["attempts_max"], row["created_by"]) == (
        "pending",
        5,
        desk.mine.administrator_id,
    )
    assert (row["integration_id"], row["data_source_id"]) == (desk.mine.ids["integrations"], source)
    (audited,) = await desk.read_audit_log("scheduled_jobs", job)
    assert (audited["action"], audited["user_id"]) == ("create", desk.mine.administrator_id)
    assert audited["changes"]["action"] == [None, ACTION]
    assert await claim(queue) == [job]


async def test_create_scheduled_job_for_later_waits(desk: MutationHarness, queue: JobQueue) -> None:
    job = await create(desk, scheduledAt=now_ms() + 3_600_000)
    assert await claim(queue) == []
    await call(desk, "runJobNow", id=job)
    assert await claim(queue) == [job]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"action": "sync.sites"}, "action"),
        ({"payload": {"pauseMs": "long"}}, "payload.pauseMs"),
        ({"payload": {"other": 1}}, "payload.other"),
        ({"payload": []}, "payload"),
        ({"scheduledAt": -1}, "scheduledAt"),
        ({"dataSourceId": ABSENT_ID}, "dataSourceId"),
        ({"dataSourceId": ""}, "dataSourceId"),
    ],
)
async def test_create_scheduled_job_with_invalid_value_names_the_field(
    desk: MutationHarness, values: dict[str, Any], field: str
) -> None:
    answer = await call(desk, "createScheduledJob", input={"action": ACTION, **values})
    (error,) = answer.errors
    assert (error["extensions"]["code"], list(error["extensions"]["fields"])) == (
        "BAD_USER_INPUT",
        [f"input.{field}"],
    )
    many = await call(desk, "createScheduledJobs", inputs=[{"action": ACTION}, {"action": ACTION, **values}])
    assert list(many.errors[0]["extensions"]["fields"]) == [f"inputs[1].{field}"]
    assert await desk.connection.fetchval("SELECT count(*) FROM app.job_queue") == 0


async def test_create_scheduled_job_of_foreign_data_source_is_refused(desk: MutationHarness) -> None:
    theirs = desk.theirs.ids["data_sources"]
    answer = await call(desk, "createScheduledJob", input={"action": ACTION, "dataSourceId": theirs})
    assert answer.codes == ["BAD_USER_INPUT"]


async def test_create_scheduled_job_of_data_source_takes_its_right(desk: MutationHarness) -> None:
    user = await desk.add_user({"Jobs.Write", "Jobs.Read"})
    given = {"action": ACTION, "dataSourceId": desk.mine.ids["data_sources"]}
    answer = await call(desk, "createScheduledJob", user, input=given)
    assert (answer.codes, answer.errors[0]["extensions"]["right"]) == (["FORBIDDEN"], "DataSources.Write")
    assert not (await call(desk, "createScheduledJob", user, input={"action": ACTION})).errors


async def test_verbs_in_bulk_write_all_or_none(desk: MutationHarness, queue: JobQueue) -> None:
    many = await call(desk, "createScheduledJobs", inputs=[{"action": ACTION}] * 3)
    ids = [row["id"] for row in many.data["done"]]
    failed = await add_failed_job(desk)
    assert (await call(desk, "cancelJobs", ids=[*ids, failed])).codes == ["CONFLICT"]
    assert sorted(await claim(queue)) == sorted(ids)
    assert not (await call(desk, "retryJobs", ids=[failed])).errors
    assert not (await call(desk, "runJobsNow", ids=[failed])).errors
    assert not (await call(desk, "cancelJobs", ids=[*ids, failed])).errors


@pytest.mark.parametrize("verb", ["runJobNow", "retryJob", "cancelJob"])
async def test_verb_on_missing_or_foreign_job_is_not_found(desk: MutationHarness, verb: str) -> None:
    for job in (ABSENT_ID, desk.theirs.ids["scheduled_jobs"]):
        assert (await call(desk, verb, id=job)).codes == ["NOT_FOUND"]


@pytest.mark.parametrize("verb", ["runJobNow", "retryJob", "cancelJob"])
async def test_verb_without_the_right_is_forbidden(desk: MutationHarness, verb: str) -> None:
    user = await desk.add_user(all_rights_except("Jobs.Write"))
    answer = await call(desk, verb, user, id=desk.mine.ids["scheduled_jobs"])
    assert (answer.codes, answer.errors[0]["extensions"]["right"]) == (["FORBIDDEN"], "Jobs.Write")


async def test_run_job_now_starts_an_imported_job(desk: MutationHarness, queue: JobQueue) -> None:
    job = desk.mine.ids["scheduled_jobs"]
    await desk.update_row("scheduled_jobs", job, action=ACTION)
    assert await claim(queue) == []
    assert not (await call(desk, "runJobNow", id=job)).errors
    assert await claim(queue) == [job]
    assert (await call(desk, "runJobNow", id=job)).codes == ["CONFLICT"], "it is running"


async def test_run_job_now_of_an_unknown_action_is_refused(desk: MutationHarness) -> None:
    answer = await call(desk, "runJobNow", id=desk.mine.ids["scheduled_jobs"])
    assert answer.codes == ["CONFLICT"]
    assert "sync.sites" in answer.errors[0]["message"]


async def test_retry_job_gives_all_attempts_back(desk: MutationHarness, queue: JobQueue) -> None:
    job = await add_failed_job(desk)
    assert (await call(desk, "runJobNow", id=job)).codes == ["CONFLICT"]
    assert not (await call(desk, "retryJob", id=job)).errors
    row = await desk.read_row("scheduled_jobs", job)
    assert (row["status"], row["attempts"], row["error"]) == ("pending", 0, "401")
    assert (await desk.read_audit_log("scheduled_jobs", job))[-1]["changes"]["status"] == [
        "failed",
        "pending",
    ]
    assert await claim(queue) == [job]


async def test_retry_job_lets_a_call_with_unknown_outcome_be_made_again(
    desk: MutationHarness, queue: JobQueue
) -> None:
    async def break_off() -> None:
        raise ConnectionResetError

    async def answer_ticket() -> int:
        return 7

    job = await create(desk)
    (claimed,) = (await queue.claim(1)).jobs
    context = JobContext(queue.database, Lease(claimed), lambda: False)
    with pytest.raises(JobOutcomeUnknownError):
        await context.call_once("create ticket", break_off)
    await queue.finish([JobResult(claimed, JobOutcome.OUTCOME_UNKNOWN, "unknown")])
    await call(desk, "retryJob", id=job)
    (again,) = (await queue.claim(1)).jobs
    context = JobContext(queue.database, Lease(again), lambda: False)
    assert await context.call_once("create ticket", answer_ticket) == 7


async def test_cancel_job_that_waits_fails_it_at_once(desk: MutationHarness, queue: JobQueue) -> None:
    job = await create(desk)
    assert not (await call(desk, "cancelJob", id=job)).errors
    row = await desk.read_row("scheduled_jobs", job)
    assert (row["status"], row["error"]) == ("failed", "Canceled")
    assert await claim(queue) == []
    assert (await call(desk, "cancelJob", id=job)).codes == ["CONFLICT"]


async def test_cancel_job_that_runs_stops_it_at_a_checkpoint(desk: MutationHarness, queue: JobQueue) -> None:
    started = asyncio.Event()

    async def read_pages(context: JobContext) -> None:
        while True:
            async with context.transaction():
                started.set()
            await asyncio.sleep(0.01)

    job = await create(desk)
    actions = index_actions(Action(ACTION, read_pages))
    async with JobRunner.open(queue.database, Settings(), actions):
        await started.wait()
        assert not (await call(desk, "cancelJob", id=job)).errors

        async def has_stopped() -> bool:
            return bool((await desk.read_row("scheduled_jobs", job))["status"] == "failed")

        await poll_until(has_stopped)
    outcomes = await desk.connection.fetch("SELECT outcome FROM job_attempts WHERE job_id = $1", job)
    assert [row["outcome"] for row in outcomes] == ["canceled"]
