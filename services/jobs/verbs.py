"""What people do with jobs: create, run now, retry and cancel them. Each takes the right `Jobs.Write`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from core.clock import now_ms
from core.errors import BadUserInputError, ConflictError, require_within_limit
from core.limits import TIME_MAX_MS, WRITE_ROWS_MAX
from models.enums import JobStatus
from services.configs.validation import find_config_problems
from services.jobs.actions import ACTIONS, Action
from services.jobs.enqueue import queue_jobs
from services.writes.audit import audit_viewer_write
from services.writes.field_kinds import JsonKind, ReferenceKind
from services.writes.record import Row, Values, WritableTable, WriteVerb
from services.writes.validation_errors import ValidationErrors, require_storable_texts
from services.writes.write_context import WriteContext
from services.writes.write_sql import insert_row, lock_rows, update_columns

JOBS: Final = WritableTable(
    "scheduled_jobs", "scheduled job", "Jobs", (),
    verbs=frozenset(),
    extra={
        "integration_id": "text",
        "data_source_id": "text",
        "action": "text",
        "payload": "jsonb",
        "priority": "integer",
        "status": "text",
        "attempts": "integer",
        "attempts_max": "integer",
        "next_retry_at": "bigint",
        "scheduled_at": "bigint",
        "started_at": "bigint",
        "error": "text",
        "created_by": "text",
    },
)  # fmt: skip
"""The columns of a job as the audit log shows it."""

_SET_TENANT: Final = "SELECT set_config('app.tenant_id', $1, true)"
_LOCK_QUEUED: Final = "SELECT app.lock_queued_jobs($1::text[])"
_CANCEL: Final = "SELECT app.cancel_jobs($1::text[]) AS id"
_FORGET_CALLS: Final = "SELECT app.forget_open_calls($1::text[])"
_SOURCE: Final = """
SELECT integration_id FROM public.data_sources
WHERE id = $1 AND tenant_id = $2 AND deleted_at IS NULL FOR KEY SHARE
"""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as a person gives it."""

    action: str
    payload: Any = field(default_factory=dict)
    data_source_id: str | None = None
    priority: int | None = None
    scheduled_at: int | None = None


async def create_jobs(writing: WriteContext, jobs: Sequence[NewJob]) -> list[str]:
    """Create and enqueue jobs: all or none; returns their ids.

    Raises:
        ForbiddenError: The viewer may not write jobs, or a data source that a job processes.
        BadUserInputError: An action is not public, or a value is invalid.
        LimitExceededError: There are too many.
    """
    await _begin(writing, len(jobs))
    rows = [
        await insert_row(
            writing, JOBS, await _read_values(writing, job, f"[{index}]" if len(jobs) > 1 else "")
        )
        for index, job in enumerate(jobs)
    ]
    await queue_jobs(writing.transaction, [(row["id"], row["action"]) for row in rows])
    await audit_viewer_write(writing, JOBS, WriteVerb.CREATE, [(None, row) for row in rows])
    return [row["id"] for row in rows]


async def run_jobs_now(writing: WriteContext, ids: Sequence[str]) -> list[str]:
    """Let pending jobs be due now, imported ones included; returns the ids.

    Raises:
        ForbiddenError: The viewer may not write jobs.
        NotFoundError: The tenant has no such job.
        ConflictError: A job is not pending, or this server does not know its action.
    """
    rows = await _lock_jobs(writing, ids, {JobStatus.PENDING})
    _require_known_actions(rows)
    await _change_jobs(writing, rows, {"next_retry_at": None, "scheduled_at": now_ms()})
    await queue_jobs(writing.transaction, [(row["id"], row["action"]) for row in rows])
    return [row["id"] for row in rows]


async def retry_jobs(writing: WriteContext, ids: Sequence[str]) -> list[str]:
    """Let failed jobs run again, with all their attempts; returns the ids.

    Calls whose outcome is unknown may be made again: the person has decided so.

    Raises:
        ForbiddenError: The viewer may not write jobs.
        NotFoundError: The tenant has no such job.
        ConflictError: A job has not failed, or this server does not know its action.
    """
    rows = await _lock_jobs(writing, ids, {JobStatus.FAILED})
    _require_known_actions(rows)
    values: Values = {"status": JobStatus.PENDING.value, "attempts": 0, "next_retry_at": None}
    await _change_jobs(writing, rows, {**values, "scheduled_at": now_ms()})
    await writing.fetch_rows(_FORGET_CALLS, [row["id"] for row in rows])
    await queue_jobs(writing.transaction, [(row["id"], row["action"]) for row in rows])
    return [row["id"] for row in rows]


async def cancel_jobs(writing: WriteContext, ids: Sequence[str]) -> list[str]:
    """Cancel jobs: pending ones at once, running ones at their next checkpoint; returns the ids.

    Raises:
        ForbiddenError: The viewer may not write jobs.
        NotFoundError: The tenant has no such job.
        ConflictError: A job has ended.
    """
    rows = await _lock_jobs(writing, ids, {JobStatus.PENDING, JobStatus.RUNNING})
    running = {row["id"] for row in await writing.fetch_rows(_CANCEL, [row["id"] for row in rows])}
    waiting = [row for row in rows if row["id"] not in running]
    values: Values = {"status": JobStatus.FAILED.value, "next_retry_at": None, "error": "Canceled"}
    await _change_jobs(writing, waiting, values)
    stopping = [row for row in rows if row["id"] in running]
    await _change_jobs(writing, stopping, {"error": "Canceled; it stops at its next checkpoint"})
    return [row["id"] for row in rows]


async def _begin(writing: WriteContext, count: int) -> None:
    writing.require_right("Jobs.Write", "Writing jobs")
    require_within_limit("writtenRows", WRITE_ROWS_MAX, count, "rows to write")
    await writing.fetch_rows(_SET_TENANT, writing.require_tenant())


async def _lock_jobs(writing: WriteContext, ids: Sequence[str], allowed: set[JobStatus]) -> list[Row]:
    """Lock jobs in the order of the runner, and require that they have one of these statuses."""
    await _begin(writing, len(ids))
    require_storable_texts(**{f"ids[{index}]": each for index, each in enumerate(ids)})
    await writing.fetch_rows(_LOCK_QUEUED, list(ids))
    rows = await lock_rows(writing, JOBS, ids, WriteVerb.UPDATE)
    for row in rows:
        if row["status"] not in allowed:
            wanted = " or ".join(sorted(status.name for status in allowed))
            raise ConflictError(f"The job {row['id']!r} is {row['status'].upper()}; it must be {wanted}")
    return rows


def _require_known_actions(rows: Sequence[Row]) -> None:
    for row in rows:
        if row["action"] not in ACTIONS:
            raise ConflictError(f"No job can run: this server has no action {row['action']!r}")


async def _change_jobs(writing: WriteContext, rows: Sequence[Row], values: Values) -> None:
    if rows:
        after = await update_columns(writing, JOBS, [row["id"] for row in rows], values)
        await audit_viewer_write(writing, JOBS, WriteVerb.UPDATE, list(zip(rows, after, strict=True)))


async def _read_values(writing: WriteContext, job: NewJob, where: str) -> Values:
    """The values of a new job; `where` leads to it in the names of bad fields."""
    errors = ValidationErrors()
    action = ACTIONS.get(job.action)
    if action is None or action.payload_schema is None:
        public = ", ".join(sorted(each.name for each in ACTIONS.values() if each.payload_schema is not None))
        errors.add("action", f"must be one of: {public}")
    values: Values = {
        "action": job.action,
        "priority": job.priority,
        "created_by": writing.actor_id or "platform",
        "scheduled_at": now_ms() if job.scheduled_at is None else job.scheduled_at,
        "integration_id": None,
        "data_source_id": None,
    }
    if not 0 <= values["scheduled_at"] <= TIME_MAX_MS:
        errors.add("scheduled_at", "must be between 1970 and the end of the year 9999")
    with errors.collect("payload"):
        values["payload"] = JsonKind().parse(job.payload)
    if action is not None and isinstance(job.payload, dict):
        _check_payload(action, job.payload, errors)
    if job.data_source_id is not None:
        values |= await _read_source(writing, job.data_source_id, errors)
    if where:
        errors.fields = {f"inputs{where}.{name}": problem for name, problem in errors.fields.items()}
    errors.raise_errors()
    return values


def _check_payload(action: Action, payload: Mapping[str, Any], errors: ValidationErrors) -> None:
    for path, problem in find_config_problems(payload, dict(action.payload_schema or {})).items():
        errors.fields.setdefault("payload" + path.removeprefix("config"), problem)


async def _read_source(writing: WriteContext, source_id: str, errors: ValidationErrors) -> Values:
    writing.require_right("DataSources.Write", "Creating a job of a data source")
    row = None
    try:
        found = ReferenceKind("data_sources").parse(source_id)
        row = await writing.fetch_row(_SOURCE, found, writing.require_tenant())
    except (ValueError, BadUserInputError):
        pass
    if row is None:
        errors.add("data_source_id", "must be the id of an existing row")
        return {}
    return {"data_source_id": source_id, "integration_id": row["integration_id"]}
