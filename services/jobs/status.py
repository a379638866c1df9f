"""The state of the queue of jobs, read at intervals for the metrics."""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from core.database.database import Database
from core.error_text import format_error_line
from core.limits import STATUS_INTERVAL_S

_log: Final = structlog.get_logger("jobs")

_READ: Final = """
SELECT count(*) FILTER (WHERE token IS NULL) AS pending, count(*) FILTER (WHERE token IS NOT NULL) AS running,
       greatest(0, app.now_ms() - min(due_at) FILTER (WHERE token IS NULL)) AS overdue_ms
FROM app.job_queue
"""


@dataclass(slots=True)
class QueueStatus:
    """The queue at the last read; None before the first one.

    Attributes:
        pending: Jobs that wait, imported ones excluded.
        running: Jobs that run, on all servers.
        overdue_s: For how long the oldest waiting job has been due, in seconds; 0 if none is.
    """

    pending: int | None = None
    running: int | None = None
    overdue_s: float = 0.0

    async def read(self, database: Database) -> None:
        """Read the state now.

        Raises:
            UnavailableError: The database is unavailable.
        """
        async with database.open_statement_connection() as connection:
            row = await connection.fetchrow(_READ)
        assert row is not None  # noqa: S101 - an aggregate has one row
        self.pending, self.running = row["pending"], row["running"]
        self.overdue_s = (row["overdue_ms"] or 0) / 1000


async def watch_queue(database: Database, status: QueueStatus) -> None:
    """Read the state at intervals, until canceled. An error is logged, and the former state stays."""
    while True:
        try:
            await status.read(database)
        except Exception as error:  # noqa: BLE001 - the next attempt may succeed
            _log.warning("queue status not read", error=format_error_line(error))
        await asyncio.sleep(STATUS_INTERVAL_S)
