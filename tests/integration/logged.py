"""The change log as its tests use it: connections of a test's own, writes that can be counted, and what was told."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg

from subscriptions.changes.change import Change

INSERT_CALL = "INSERT INTO api_logs (id, url, method, expires_at) VALUES ($1, '', 'GET', 1)"
"""One row of a table without tenants and references."""

SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""How a reader begins that keeps to one moment."""


@asynccontextmanager
async def connected(dsn: str, *, statement_cache_size: int = 100) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(dsn, statement_cache_size=statement_cache_size)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def ids(change: Change) -> list[str]:
    """The ids of the rows of a change that is not coarse, in order."""
    assert change.rows is not None
    return sorted(row.id for row in change.rows)


def told(changes: Iterable[Change]) -> Counter[str]:
    """How often each row was told."""
    return Counter(row for change in changes for row in ids(change))


async def empty(connection: asyncpg.Connection) -> int:
    """Empties every part of the log in which all is over; answers how many. It takes two calls: see `live.keep`."""
    emptied = 0
    for _ in range(2):
        emptied += await connection.fetchval("SELECT live.keep(0)")
    return emptied
