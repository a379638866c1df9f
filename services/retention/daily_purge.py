"""The daily deletion, by one of the servers: purged data sources, expired call logs, ended credentials.

One statement on one row takes the day, so that only one server works on it. Rows are deleted in batches. Each
batch has a transaction and a connection of its own. If that server dies, its progress stops and another
server takes over.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import structlog

from core.database.database import Connection, Database
from core.database.watchdog import extend_deadline
from core.limits import (
    CREDENTIAL_KEPT_MS,
    DAILY_PURGE_BATCH_ROWS,
    DAILY_PURGE_FIRST_POLL_S,
    DAILY_PURGE_LEASE_MS,
    DAILY_PURGE_LOCK_TIMEOUT_MS,
    DAILY_PURGE_POLL_S,
    DAILY_PURGE_STATEMENT_MS,
    DATABASE_WATCH_S,
    POOL_ACQUIRE_TIMEOUT_S,
)
from services.import_lock import TRY_BACKGROUND
from services.retention.log_retention import DELETE_AUDIT_ROWS, LogRetention
from services.retention.purge_batch import PurgedSource, load_purgeable_sources, purge_batch

_log = structlog.get_logger(__name__)
_KEEP_ALL: Final = LogRetention()

# The day is the calendar day in UTC, by the database's clock.
_CLAIM_DAY: Final = f"""
INSERT INTO app.chores AS c (name, taken_at, seen_at) VALUES ('clean_up', app.now_ms(), app.now_ms())
ON CONFLICT (name) DO UPDATE
SET taken_at = app.next_updated_at(c.taken_at), seen_at = excluded.seen_at, finished_at = NULL
WHERE c.taken_at / 86400000 < excluded.taken_at / 86400000
   OR c.taken_at > excluded.taken_at + 86400000
   OR (c.finished_at IS NULL AND c.seen_at < excluded.seen_at - {DAILY_PURGE_LEASE_MS})
RETURNING c.taken_at
"""  # noqa: S608 - our own number

_BATCH_SETTINGS: Final = (
    f"SET LOCAL lock_timeout = {DAILY_PURGE_LOCK_TIMEOUT_MS};"
    f"SET LOCAL statement_timeout = {DAILY_PURGE_STATEMENT_MS};"
    "SELECT set_config('app.platform', 'on', true)"
)

_RENEW_LEASE: Final = """
UPDATE app.chores SET seen_at = app.now_ms() WHERE name = 'clean_up' AND taken_at = $1 RETURNING true
"""

_FINISH_DAY: Final = (
    "UPDATE app.chores SET finished_at = app.now_ms() WHERE name = 'clean_up' AND taken_at = $1"
)

_DELETE_EXPIRED: Final = """
WITH gone AS (
    DELETE FROM public.api_logs
    WHERE id IN (SELECT id FROM public.api_logs WHERE expires_at <= app.now_ms() ORDER BY expires_at LIMIT $1)
    RETURNING 1
)
SELECT count(*) FROM gone
"""

# An agent token from before these rows is valid only while the agent has no row, so the newest row stays.
# A row of such a token does not count. Otherwise a revoked token without a row would be valid.
_ENDED: Final = f"""
WITH gone AS (
    DELETE FROM public.issued_credentials
    WHERE id IN (
        SELECT c.id FROM public.issued_credentials c
        WHERE c.expires_at <= app.now_ms() - {CREDENTIAL_KEPT_MS}
           OR (c.kind = 'agent' AND c.revoked_at <= app.now_ms() - {CREDENTIAL_KEPT_MS} AND EXISTS (
               SELECT FROM public.issued_credentials newer
               WHERE newer.agent_id = c.agent_id AND newer.tenant_id = c.tenant_id AND newer.id > c.id
                 AND NOT newer.binding ? 'unrecorded'
           ))
        LIMIT $1
    )
    RETURNING 1
)
SELECT count(*) FROM gone
"""  # noqa: S608 - our own number

_COUNT_SKIPPED: Final = (
    asyncpg.ForeignKeyViolationError,  # a new row refers to it
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
)
"""Errors that defer the purge of one data source to another day, and do not affect the others."""


class _LeaseLostError(Exception):
    """Another server has taken over the clean-up that this one began."""


class _ImportRunningError(Exception):
    """An import is running, and its rows must not be deleted. A later attempt goes on."""


@dataclass(slots=True)
class PurgeResult:
    """The result of a clean-up: the number of deleted rows.

    Attributes:
        sources: Data sources.
        rows: Rows that belonged to them.
        skipped: Data sources that could not be purged; the next day's clean-up tries again.
        logs: Logged calls to vendors' APIs.
        credentials: Issued credentials that ended long ago.
        retained: Rows of other logs that are older than their retention, by table.
    """

    sources: int = 0
    rows: int = 0
    skipped: int = 0
    logs: int = 0
    credentials: int = 0
    retained: dict[str, int] = field(default_factory=dict)


async def purge_daily(database: Database, retention: LogRetention = _KEEP_ALL) -> None:
    """Check at intervals whether the day's clean-up is due, and do it. Runs until cancelled; errors are logged."""
    pause_s = DAILY_PURGE_FIRST_POLL_S
    while True:
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the servers
        pause_s = DAILY_PURGE_POLL_S
        try:
            result = await purge_expired(database, retention)
            if result is not None:
                _log.info(
                    "daily purge finished",
                    sources=result.sources,
                    rows=result.rows,
                    logs=result.logs,
                    credentials=result.credentials,
                    **result.retained,
                )
        except Exception:  # noqa: BLE001 - the server goes on, and the next attempt may succeed
            _log.exception("daily purge failed")


async def purge_expired(database: Database, retention: LogRetention = _KEEP_ALL) -> PurgeResult | None:
    """Do the day's clean-up. Returns None if it is done, if another server does it, or during an import."""
    try:
        async with _begin_batch(database) as connection:
            claimed_at = await connection.fetchval(_CLAIM_DAY)
        return None if claimed_at is None else await _DailyPurge(database, claimed_at, retention).purge()
    except (_LeaseLostError, _ImportRunningError):
        return None


@asynccontextmanager
async def _begin_batch(database: Database, claimed_at: int | None = None) -> AsyncIterator[Connection]:
    """A transaction for one batch, as the platform.

    It records progress, which shows the other servers that this one works.
    """
    async with database.pool.acquire(timeout=POOL_ACQUIRE_TIMEOUT_S) as connection:
        with extend_deadline(connection, DAILY_PURGE_STATEMENT_MS / 1000 + DATABASE_WATCH_S):
            async with connection.transaction():
                await connection.execute(_BATCH_SETTINGS)
                if not await connection.fetchval(f"SELECT {TRY_BACKGROUND}"):
                    raise _ImportRunningError
                if claimed_at is not None and not await connection.fetchval(_RENEW_LEASE, claimed_at):
                    raise _LeaseLostError
                yield connection


class _DailyPurge:
    """One day's clean-up, taken by this server."""

    def __init__(self, database: Database, claimed_at: int, retention: LogRetention = _KEEP_ALL) -> None:
        self._retention = retention
        self._database = database
        self._claimed_at = claimed_at
        self._result = PurgeResult()

    async def purge(self) -> PurgeResult:
        await self._purge_sources()
        self._result.logs = await self._delete_in_lots(_DELETE_EXPIRED)
        self._result.credentials = await self._delete_in_lots(_ENDED)
        await self._purge_logs()
        async with _begin_batch(self._database) as connection:
            await connection.execute(_FINISH_DAY, self._claimed_at)
        return self._result

    async def _purge_sources(self) -> None:
        last = ""
        while sources := await self._load_expired_sources(last):
            for source in sources:
                await self._purge_source(source)
            last = sources[-1].id

    async def _load_expired_sources(self, last: str) -> list[PurgedSource]:
        async with _begin_batch(self._database, self._claimed_at) as connection:
            return await load_purgeable_sources(connection, last)

    async def _purge_source(self, source: PurgedSource) -> None:
        try:
            step: int | None = 0
            while step is not None:
                async with _begin_batch(self._database, self._claimed_at) as connection:
                    batch = await purge_batch(connection, source, step)
                step = batch.next_step
                self._result.rows += batch.rows
                self._result.sources += batch.sources
        except _COUNT_SKIPPED as error:
            self._result.skipped += 1
            _log.warning("data source not purged", data_source=source.id, reason=type(error).__name__)

    async def _purge_logs(self) -> None:
        for purge in self._retention.purges():
            if rows := await self._delete_in_lots(purge.sql, purge.age_ms):
                self._result.retained[purge.table] = rows
        async with _begin_batch(self._database, self._claimed_at) as connection:
            await self._retention.apply_audit_years(connection)
        if self._retention.audit_log_years is not None and (
            rows := await self._delete_in_lots(DELETE_AUDIT_ROWS)
        ):
            self._result.retained["audit_log"] = rows

    async def _delete_in_lots(self, sql: str, *arguments: int) -> int:
        rows, deleted = DAILY_PURGE_BATCH_ROWS, 0
        while rows == DAILY_PURGE_BATCH_ROWS:
            async with _begin_batch(self._database, self._claimed_at) as connection:
                rows = await connection.fetchval(sql, DAILY_PURGE_BATCH_ROWS, *arguments)
            deleted += rows
        return deleted
