"""The jobs of a database for its operator, newest first, as text."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from core.database.request_role import AnyConnection
from models.enums import JobStatus

_LISTED_MAX: Final = 100
"""Rows that `server.py jobs` prints: some screens of a terminal. Filters find the others."""

_LIST: Final = """
SELECT j.id, j.tenant_id, j.action, j.status, j.attempts, j.attempts_max, j.error,
       coalesce(j.next_retry_at, j.scheduled_at) AS due_at,
       app.job_blocked_by(j.id, j.tenant_id, j.status) AS blocked_by, p.done, p.total, p.unit
FROM public.scheduled_jobs j
LEFT JOIN public.job_progress p ON p.job_id = j.id AND p.tenant_id = j.tenant_id
WHERE ($1::text IS NULL OR j.tenant_id = $1) AND ($2::text IS NULL OR j.status = $2)
ORDER BY j.scheduled_at DESC, j.id DESC LIMIT $3
"""


async def list_jobs(
    connection: AnyConnection, tenant_id: str | None, status: JobStatus | None
) -> Sequence[str]:
    """The newest jobs, one a line, with the reason why a pending job does not run.

    The connection is the owner's, and lifts the policies.
    """
    rows = await connection.fetch(_LIST, tenant_id, status and status.value, _LISTED_MAX)
    return [
        "  ".join(
            (
                row["id"],
                row["tenant_id"],
                _format_time(row["due_at"]),
                row["action"],
                row["status"].upper(),
                f"{row['attempts']}/{row['attempts_max']}",
                *_describe_state(row["blocked_by"], row["done"], row["total"], row["unit"], row["error"]),
            )
        )
        for row in rows
    ]


def _describe_state(
    blocked_by: str | None, done: int | None, total: int | None, unit: str | None, error: str | None
) -> list[str]:
    words = [f"blocked by {blocked_by.upper()}"] if blocked_by else []
    if done is not None:
        words.append(" ".join((f"{done} of {total}" if total is not None else str(done), unit or "")).strip())
    if error is not None:
        words.append(" ".join(error.split()))
    return words


def _format_time(moment: int) -> str:
    return datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
