"""The queue of jobs in the database: claims, renewals, results and progress. Each is one statement for many jobs.

    waiting ──claim──> leased ──result──> ended, or waiting again
                         │
                         └──no renewal──> lost: the next claim of any server ends the attempt

A claim gives the job a new fencing token. Each write of the job requires this token, so that a worker that stalled
past its lease writes nothing. Times are those of the database's clock. See `docs/decisions/jobs.md`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

import orjson

from core.database.database import Database
from core.limits import JOB_LEASE_MS, JOB_LOST_MAX, LONG_TEXT_MAX_CHARS
from models.enums import JobOutcome

_CLAIM: Final = "SELECT app.claim_jobs($1, $2, $3, $4::text[], $5)"
_RENEW: Final = "SELECT lease, is_canceled FROM app.renew_leases($1::bigint[], $2)"
_FINISH: Final = "SELECT app.finish_job_batch($1::jsonb)"
_WRITE_PROGRESS: Final = (
    "SELECT app.write_job_progress($1::bigint[], $2::integer[], $3::integer[], $4::text[])"
)


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this worker runs, as it was when it was claimed. `attempts` includes this attempt."""

    id: str
    token: int
    tenant_id: str
    integration_id: str | None
    data_source_id: str | None
    action: str
    payload: Mapping[str, Any]
    attempts: int
    attempts_max: int
    scheduled_at: int
    created_by: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The result of a claim.

    Attributes:
        state: `claimed`, or why nothing was: `busy`, `import` or `paused`.
        jobs: The claimed jobs.
        next_s: Seconds until the next job is due, by the database's clock; None if none waits.
        has_waiting: Whether due jobs are left.
        lost: Attempts of dead workers that this claim has ended.
    """

    state: str
    jobs: Sequence[ClaimedJob] = ()
    next_s: float | None = None
    has_waiting: bool = False
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is."""

    done: int
    total: int | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class JobResult:
    """The end of an attempt.

    Attributes:
        job: The job.
        outcome: How the attempt ended.
        error: Why it failed, for the tenant.
        delay_ms: The pause before the next attempt; None if there is none.
        is_counted: Whether the attempt counts.
    """

    job: ClaimedJob
    outcome: JobOutcome
    error: str | None = None
    delay_ms: int | None = None
    is_counted: bool = True


@dataclass(slots=True)
class Lease:
    """What a worker knows of the lease of a running job.

    Attributes:
        job: The job.
        is_lost: The lease was found to be another's.
        is_canceled: A person has canceled the job.
        is_ending: The end of the attempt is being written, so that the lease may go.
        is_ended: The attempt has ended by a committed transaction of the job.
        progress: The progress that is not written yet.
    """

    job: ClaimedJob
    is_lost: bool = False
    is_canceled: bool = False
    is_ending: bool = False
    is_ended: bool = False
    progress: Progress | None = field(default=None)


class JobQueue:
    """The queue, for one worker.

    Attributes:
        database: The database.
    """

    def __init__(self, database: Database, worker: str, actions: Collection[str]) -> None:
        """Claims jobs of these actions in the name of `worker`."""
        self.database = database
        self._worker = worker
        self._actions = list(actions)

    async def claim(self, wanted: int) -> Claim:
        """Claim up to so many jobs.

        Raises:
            UnavailableError: The database is unavailable.
        """
        arguments = (self._worker, wanted, JOB_LEASE_MS, self._actions, JOB_LOST_MAX)
        async with self.database.open_statement_connection() as connection:
            found = orjson.loads(await connection.fetchval(_CLAIM, *arguments))
        if found["state"] != "claimed":
            return Claim(found["state"])
        return Claim(
            found["state"],
            [_parse_job(each) for each in found["jobs"]],
            None if found["next"] is None else (found["next"] - found["now"]) / 1000,
            found["waiting"],
            found["lost"],
        )

    async def renew(self, tokens: Sequence[int]) -> dict[int, bool]:
        """Renew leases. Returns those that are valid, with whether their job was canceled.

        Raises:
            UnavailableError: The database is unavailable.
        """
        async with self.database.open_statement_connection() as connection:
            return {
                row["lease"]: row["is_canceled"]
                for row in await connection.fetch(_RENEW, list(tokens), JOB_LEASE_MS)
            }

    async def write_progress(self, progress: Mapping[int, Progress]) -> None:
        """Write how far jobs are, by their tokens.

        Raises:
            UnavailableError: The database is unavailable.
        """
        rows = list(progress.values())
        async with self.database.open_statement_connection() as connection:
            await connection.execute(
                _WRITE_PROGRESS,
                list(progress),
                [row.done for row in rows],
                [row.total for row in rows],
                [row.unit for row in rows],
            )

    async def finish(self, results: Sequence[JobResult]) -> set[str] | None:
        """Write the ends of attempts. Returns the jobs whose leases were valid; None while an import runs.

        Raises:
            UnavailableError: The database is unavailable.
        """
        async with self.database.open_statement_connection() as connection:
            ended = await connection.fetchval(_FINISH, render_results(results))
        return None if ended is None else set(ended)


def render_results(results: Sequence[JobResult]) -> str:
    """The results as JSON, in the form of `app.finish_jobs`."""
    return orjson.dumps(
        [
            {
                "job": result.job.id,
                "token": result.job.token,
                "outcome": result.outcome.value,
                "error": None if result.error is None else _clean_text(result.error),
                "delay": result.delay_ms,
                "counted": result.is_counted,
            }
            for result in results
        ]
    ).decode()


def _clean_text(text: str) -> str:
    """The text without what PostgreSQL cannot store, and not too long."""
    return text.replace("\0", "").encode(errors="replace").decode()[:LONG_TEXT_MAX_CHARS]


def _parse_job(found: Mapping[str, Any]) -> ClaimedJob:
    return ClaimedJob(**{each.name: found[each.name] for each in fields(ClaimedJob)})
