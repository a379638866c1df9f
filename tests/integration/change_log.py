"""Helpers for tests of the change log: connections, countable writes, and the rows of changes."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg

from subscriptions.change_log.change import Change

INSERT_API_LOG = "INSERT INTO api_logs (id, url, method, expires_at) VALUES ($1, '', 'GET', 1)"
"""One row of a table without tenants and references."""

BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""Begins the transaction of a reader with one snapshot."""


@asynccontextmanager
async def open_connection(dsn: str, *, statement_cache_size: int = 100) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(dsn, statement_cache_size=statement_cache_size)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def row_ids(change: Change) -> list[str]:
    """The ids of the rows of a change that is not coarse, in order."""
    assert change.rows is not None
    return sorted(row.id for row in change.rows)


def count_rows(changes: Iterable[Change]) -> Counter[str]:
    """How often each row occurs in the changes."""
    return Counter(row for change in changes for row in row_ids(change))


async def truncate_log(connection: asyncpg.Connection) -> int:
    """Empty every part of the log without open transactions; returns how many.

    It takes two calls: see `live.keep`.
    """
    emptied = 0
    for _ in range(2):
        emptied += await connection.fetchval("SELECT live.keep(0)")
    return emptied
