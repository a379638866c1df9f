"""The state of the database's logs, for metrics: how large the change log is, and when the last clean-up ended."""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from core.database.connection_errors import translate_connection_errors
from core.database.database import Connection, Database
from core.error_text import format_error_line
from core.limits import POOL_ACQUIRE_TIMEOUT_S, STATUS_INTERVAL_S

_log: Final = structlog.get_logger(__name__)

_READ: Final = """
SELECT (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'live' AND c.relkind = 'r') AS log_bytes,
       (SELECT finished_at FROM app.chores WHERE name = 'clean_up') AS finished_at
"""


@dataclass(slots=True)
class RetentionStatus:
    """The state at the last read; None before the first one.

    Attributes:
        change_log_bytes: Bytes of the change log on disk, with its indexes.
        clean_up_finished_at: When the last daily clean-up ended, in ms since the epoch; None while one runs.
    """

    change_log_bytes: int | None = None
    clean_up_finished_at: int | None = None

    async def read(self, connection: Connection) -> None:
        """Read the state now."""
        row = await connection.fetchrow(_READ)
        assert row is not None  # noqa: S101 - it has no FROM
        self.change_log_bytes = row["log_bytes"]
        self.clean_up_finished_at = row["finished_at"] or self.clean_up_finished_at


async def watch_status(database: Database, status: RetentionStatus) -> None:
    """Read the state at intervals, until cancelled. An error is logged, and the former state stays."""
    while True:
        try:
            with translate_connection_errors():
                async with (
                    database.pool.acquire(timeout=POOL_ACQUIRE_TIMEOUT_S) as connection,
                    connection.transaction(),
                ):
                    await status.read(connection)
        except Exception as error:  # noqa: BLE001 - the next attempt may succeed
            _log.warning("retention status not read", error=format_error_line(error))
        await asyncio.sleep(STATUS_INTERVAL_S)
