"""What is thrown away once a day, by whichever server takes it: purged data sources, and expired logs of calls.

The day is taken by one statement on one row, so that no number of servers does it twice. Rows go in lots, each in a
transaction of its own on a connection of its own. A server that dies in the middle falls silent, and another goes on.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
import structlog

from core.database import Connection, Database
from core.limits import (
    CLEAN_UP_FIRST_LOOK_S,
    CLEAN_UP_LOCK_WAIT_MS,
    CLEAN_UP_LOOK_S,
    CLEAN_UP_ROWS,
    CLEAN_UP_SILENCE_MS,
    POOL_WAIT_S,
)
from services.purge import Source, doomed_sources, purged_lot

_log = structlog.get_logger(__name__)

# The day is the calendar's, in UTC, by the database's clock.
_TAKE: Final = f"""
INSERT INTO app.chores AS c (name, taken_at, seen_at) VALUES ('clean_up', app.now_ms(), app.now_ms())
ON CONFLICT (name) DO UPDATE
SET taken_at = greatest(excluded.taken_at, c.taken_at + 1), seen_at = excluded.seen_at, finished_at = NULL
WHERE c.taken_at / 86400000 < excluded.taken_at / 86400000
   OR (c.finished_at IS NULL AND c.seen_at < excluded.seen_at - {CLEAN_UP_SILENCE_MS})
RETURNING c.taken_at
"""  # noqa: S608 - our own number

_GO_ON: Final = """
UPDATE app.chores SET seen_at = app.now_ms() WHERE name = 'clean_up' AND taken_at = $1 RETURNING true
"""

_FINISH: Final = "UPDATE app.chores SET finished_at = app.now_ms() WHERE name = 'clean_up' AND taken_at = $1"

_EXPIRED: Final = """
WITH gone AS (
    DELETE FROM public.api_logs
    WHERE id IN (SELECT id FROM public.api_logs WHERE expires_at <= app.now_ms() ORDER BY expires_at LIMIT $1)
    RETURNING 1
)
SELECT count(*) FROM gone
"""

_PASSED_OVER: Final = (
    asyncpg.ForeignKeyViolationError,  # something new hangs on it
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
)
"""What keeps one data source from being purged today, and none of the others."""


class _TakenOverError(Exception):
    """Another server has gone on with what we began."""


@dataclass(slots=True)
class CleanedUp:
    """What a clean-up has thrown away.

    Attributes:
        sources: data sources.
        rows: what hung on them.
        passed_over: data sources that could not be purged; it is tried again tomorrow.
        logs: calls to vendors' APIs.
    """

    sources: int = 0
    rows: int = 0
    passed_over: int = 0
    logs: int = 0


async def clean_up_daily(database: Database) -> None:
    """Look now and then whether the day's clean-up is still to be done, until cancelled; what fails is logged."""
    pause_s = CLEAN_UP_FIRST_LOOK_S
    while True:
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the servers
        pause_s = CLEAN_UP_LOOK_S
        try:
            done = await clean_up(database)
            if done is not None:
                _log.info("cleaned up", sources=done.sources, rows=done.rows, logs=done.logs)
        except Exception:  # noqa: BLE001 - the server serves on, and the next look may succeed
            _log.exception("the clean-up broke off")


async def clean_up(database: Database) -> CleanedUp | None:
    """Do the day's clean-up, unless somebody has; None where they have, or have gone on with ours."""
    async with _lot(database) as connection:
        taken = await connection.fetchval(_TAKE)
    if taken is None:
        return None
    try:
        return await _Day(database, taken).clean_up()
    except _TakenOverError:
        return None


@asynccontextmanager
async def _lot(database: Database, taken: int | None = None) -> AsyncIterator[Connection]:
    """A transaction for one lot, as the platform; tells the others that we are at it, where we are."""
    async with database.pool.acquire(timeout=POOL_WAIT_S) as connection, connection.transaction():
        await connection.execute(
            f"SET LOCAL lock_timeout = {CLEAN_UP_LOCK_WAIT_MS}; SELECT set_config('app.platform', 'on', true)"
        )
        if taken is not None and not await connection.fetchval(_GO_ON, taken):
            raise _TakenOverError
        yield connection


class _Day:
    """One day's clean-up, which we have taken."""

    def __init__(self, database: Database, taken: int) -> None:
        self._database = database
        self._taken = taken
        self._done = CleanedUp()

    async def clean_up(self) -> CleanedUp:
        await self._purge()
        await self._expire()
        async with _lot(self._database) as connection:
            await connection.execute(_FINISH, self._taken)
        return self._done

    async def _purge(self) -> None:
        last = ""
        while sources := await self._doomed(last):
            for source in sources:
                await self._purge_one(source)
            last = sources[-1].id

    async def _doomed(self, last: str) -> list[Source]:
        async with _lot(self._database, self._taken) as connection:
            return await doomed_sources(connection, last)

    async def _purge_one(self, source: Source) -> None:
        try:
            step: int | None = 0
            while step is not None:
                async with _lot(self._database, self._taken) as connection:
                    lot = await purged_lot(connection, source, step)
                step = lot.next_step
                self._done.rows += lot.rows
                self._done.sources += lot.sources
        except _PASSED_OVER as error:
            self._done.passed_over += 1
            _log.warning("data source not purged", data_source=source.id, reason=type(error).__name__)

    async def _expire(self) -> None:
        rows = CLEAN_UP_ROWS
        while rows == CLEAN_UP_ROWS:
            async with _lot(self._database, self._taken) as connection:
                rows = await connection.fetchval(_EXPIRED, CLEAN_UP_ROWS)
            self._done.logs += rows
