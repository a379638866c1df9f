"""Detects connection poolers, such as PgBouncer, and what a session behind one can do.

A pooler in transaction mode gives each transaction of a client any of its connections to PostgreSQL:

    client A   | prepare s |                  | execute s: another server, which does not know s
    client B               | BEGIN ... (gets A's server)
"""

import asyncio
import secrets
from typing import Final

import asyncpg

from core.database.connecting import open_connection
from core.database.request_role import AnyConnection
from core.errors import StartupError
from core.limits import POOLER_PROBE_S

_ROUNDS: Final = 3
"""Attempts. Some poolers use their connections in turn, so that one attempt proves nothing."""

_STATEMENT_LOST: Final = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)

PREPARED_STATEMENTS_LOST: Final = (
    "DATABASE_URL leads to a pooler in transaction mode that does not keep prepared statements. Set "
    "STATEMENT_CACHE_SIZE=0, and set DATABASE_DIRECT_URL to the database itself. With PgBouncer 1.21 or later you "
    "may set its max_prepared_statements=200 instead of STATEMENT_CACHE_SIZE."
)

NO_SESSION: Final = (
    "Migrations need a session of their own, and a pooler in transaction mode gives them none. Set "
    "DATABASE_DIRECT_URL to the database itself. Set STATEMENT_CACHE_SIZE=0 for DATABASE_URL, unless the pooler "
    "keeps prepared statements, as PgBouncer 1.21 with max_prepared_statements=200 does."
)


async def is_pooled(connection: AnyConnection) -> bool:
    """Whether there is a pooler. PostgreSQL sends each session its process id, and a pooler sends an invented one."""
    async with connection.transaction():
        return bool(await connection.fetchval("SELECT pg_backend_pid()") != connection.get_server_pid())


async def require_session(dsn: str) -> None:
    """Check that a connection keeps its session.

    Raises:
        StartupError: There is a pooler in transaction mode. The message names the settings.
    """
    async with open_connection(dsn, statement_cache_size=0) as first:
        if await is_pooled(first):
            async with open_connection(dsn, statement_cache_size=0) as second:
                if await _shares_sessions(first, second):
                    raise StartupError(NO_SESSION)


async def require_prepared_statements(dsn: str) -> None:
    """Check that statements that one transaction prepares can be used in the next, past any pooler.

    Raises:
        StartupError: They cannot. The message names the settings.
    """
    async with (
        open_connection(dsn, statement_cache_size=0) as first,
        open_connection(dsn, statement_cache_size=0) as second,
    ):
        if not await _keeps_statements(first, second):
            raise StartupError(PREPARED_STATEMENTS_LOST)


async def _shares_sessions(first: AnyConnection, second: AnyConnection) -> bool:
    """Whether two clients get each other's server, so that no client has a session."""
    for _ in range(_ROUNDS):
        async with first.transaction():
            before = await first.fetchval("SELECT pg_backend_pid()")
        async with second.transaction():
            if await second.fetchval("SELECT pg_backend_pid()") == before:
                return True
        async with first.transaction():
            if await first.fetchval("SELECT pg_backend_pid()") != before:
                return True
    return False


async def _keeps_statements(first: AnyConnection, second: AnyConnection) -> bool:
    """Whether a prepared statement is known on a second checkout, and is unknown to another client."""
    name = f"msp_probe_{secrets.token_hex(4)}"
    try:
        # asyncpg's bare prepare() keeps a pooler's server until the next statement, and a transaction releases it.
        async with first.transaction():
            statement = await first.prepare("SELECT 1", name=name)
        async with second.transaction():
            await second.prepare("SELECT 2", name=name)
        for _ in range(_ROUNDS):
            if await statement.fetchval() != 1 or not await _runs_on_other_server(statement, second):
                return False
    except _STATEMENT_LOST:
        return False
    return True


async def _runs_on_other_server(
    statement: "asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]", second: AnyConnection
) -> bool:
    """Run the statement while another client holds a server. It waits if the pooler has only one."""
    async with second.transaction():
        await second.execute("SELECT 1")
        running = asyncio.ensure_future(statement.fetchval())
        await asyncio.wait([running], timeout=POOLER_PROBE_S)
    return bool(await running == 1)
