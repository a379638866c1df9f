"""The mutations on background jobs: create, run now, retry and cancel, each with a bulk form."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import strawberry
from strawberry.scalars import ID, JSON

from core.limits import WRITE_ROWS_MAX
from schema.connections import argument
from schema.jobs import SCHEDULED_JOBS
from schema.mutation_field import Arguments, MutationField, row_id, row_ids
from schema.scalars import Timestamp
from services.jobs.actions import ACTIONS
from services.jobs.verbs import NewJob, cancel_jobs, create_jobs, retry_jobs, run_jobs_now
from services.writes.validation_errors import to_python_names
from services.writes.write_context import WriteContext

_RIGHT: Final = "Requires the right `Jobs.Write`."
_RIGHTS: Final = f"{_RIGHT} For a job of a data source, `DataSources.Write` as well."
_PUBLIC: Final = ", ".join(sorted(f"`{each.name}`" for each in ACTIONS.values() if each.payload_schema))


@strawberry.input(description="A new background job.")
class CreateScheduledJobInput:
    action: str = strawberry.field(description=f"The action, one of those that people may use: {_PUBLIC}.")
    payload: JSON | None = strawberry.field(
        default=strawberry.UNSET, description="The parameters of the action; empty if omitted."
    )
    data_source_id: ID | None = strawberry.field(
        default=strawberry.UNSET, description="The id of the data source that the job processes."
    )
    priority: int | None = strawberry.field(
        default=strawberry.UNSET, description="Higher values run first among the jobs of the tenant."
    )
    scheduled_at: Timestamp | None = strawberry.field(
        default=strawberry.UNSET, description="The time at which the job is due; now if omitted."
    )


def _read_job(given: Mapping[str, Any]) -> NewJob:
    """The job of an input; a null counts as an omitted value."""
    return NewJob(**{name: value for name, value in given.items() if value is not None})


async def _create(writing: WriteContext, given: Arguments) -> list[str]:
    return await create_jobs(writing, [_read_job(given["input"])])


async def _create_many(writing: WriteContext, given: Arguments) -> list[str]:
    return await create_jobs(writing, [_read_job(to_python_names(each)) for each in given["inputs"]])


Verb = Callable[[WriteContext, Sequence[str]], Awaitable[list[str]]]


def _build_verb(name: str, many: str, about: str, about_many: str, verb: Verb) -> tuple[MutationField, ...]:
    """A mutation on one job, and its bulk form."""

    async def run_one(writing: WriteContext, given: Arguments) -> list[str]:
        return await verb(writing, [given["id"]])

    async def run_many(writing: WriteContext, given: Arguments) -> list[str]:
        return await verb(writing, given["ids"])

    return (
        MutationField(
            name=name,
            about=f"{about} {_RIGHT}",
            arguments=[row_id(SCHEDULED_JOBS)],
            run=run_one,
            table=SCHEDULED_JOBS,
        ),
        MutationField(
            name=many,
            about=f"{about_many} {_RIGHT}",
            arguments=[row_ids(SCHEDULED_JOBS)],
            run=run_many,
            table=SCHEDULED_JOBS,
            many=True,
        ),
    )


JOB_VERBS: Final = (
    MutationField(
        name="createScheduledJob",
        about=f"Creates a new ScheduledJob. {_RIGHTS}",
        arguments=[argument("input", CreateScheduledJobInput, "The new job.")],
        run=_create,
        table=SCHEDULED_JOBS,
    ),
    MutationField(
        name="createScheduledJobs",
        about=f"Creates many `scheduledJobs`: all or none. {_RIGHTS}",
        arguments=[
            argument("inputs", list[CreateScheduledJobInput], f"The new jobs, at most {WRITE_ROWS_MAX}.")
        ],
        run=_create_many,
        table=SCHEDULED_JOBS,
        many=True,
    ),
    *_build_verb(
        "runJobNow",
        "runJobsNow",
        "Lets a pending ScheduledJob be due now. An imported job starts by this only.",
        "Lets many pending `scheduledJobs` be due now: all or none.",
        run_jobs_now,
    ),
    *_build_verb(
        "retryJob",
        "retryJobs",
        "Lets a failed ScheduledJob run again, with all its attempts.",
        "Lets many failed `scheduledJobs` run again: all or none.",
        retry_jobs,
    ),
    *_build_verb(
        "cancelJob",
        "cancelJobs",
        "Cancels a ScheduledJob: a pending one at once, a running one at its next checkpoint. Its status is FAILED "
        "then.",
        "Cancels many `scheduledJobs`: all or none.",
        cancel_jobs,
    ),
)
