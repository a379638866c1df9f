"""PostgreSQL as requests see it: a pool, and snapshots of one moment under the role of requests.

A snapshot begins in one round trip and ends in one; asyncpg's own transactions and its pool's reset each add more.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Self

import asyncpg

from core.errors import QueryTooComplexError, StartupError
from core.limits import LOCK_WAIT_MS, POOL_WAIT_S, STATEMENT_TIMEOUT_MS
from core.outages import outages_told
from core.request_role import AnyConnection, RoleMode, request_role_mode
from core.settings import Settings

Connection = AnyConnection
Record = asyncpg.Record

_BEGIN: Final = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
    f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS};"
    "SET LOCAL jit = off;"
)

_BEGIN_WRITING: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS};"
    f"SET LOCAL lock_timeout = {LOCK_WAIT_MS};"
    "SET LOCAL jit = off;"
)

LOST: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a connection says that was lost, and the transaction with it; the error before it is the one to tell."""


class Snapshot:
    """One connection in one read-only transaction: everything read through it is true of one moment.

    Attributes:
        connection: The connection, for the statement that signs the viewer in.
        statements: How many statements were sent.
        rows: How many rows came back.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.statements = 0
        self.rows = 0
        self._turn = asyncio.Lock()
        self._ended = False

    async def fetch(self, sql: str, arguments: Sequence[object]) -> list[Record]:
        """The rows of one statement; concurrent callers take turns, as a connection takes one at a time.

        Raises:
            QueryTooComplexError: The statement took longer than `STATEMENT_TIMEOUT_MS`.
            UnavailableError: The connection is lost.
        """
        async with self._turn:
            if self._ended:
                raise asyncpg.InterfaceError("the snapshot has ended")
            self.statements += 1
            try:
                with outages_told():
                    records = await self.connection.fetch(sql, *arguments)
            except asyncpg.QueryCanceledError as error:
                raise QueryTooComplexError(
                    f"A statement of this operation took longer than {STATEMENT_TIMEOUT_MS} ms"
                ) from error
        self.rows += len(records)
        return records

    async def end(self) -> None:
        """Take no more statements and wait for the one that runs, so that the connection is free.

        An operation that fails early leaves data loaders behind which nobody waits for.
        """
        self._ended = True  # ahead of its turn: those that wait for theirs must not take it
        async with self._turn:
            pass


class Database:
    """The pool of connections that requests share."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self.pool = pool
        self._role = settings.request_role
        self._as_viewer = f'{_BEGIN}SET LOCAL ROLE "{settings.request_role}"'
        self._as_platform = _BEGIN

    @classmethod
    async def connect(cls, dsn: str, settings: Settings) -> Self:
        """Open the pool and learn how the role of requests is to be taken on.

        Raises:
            StartupError: The database cannot be reached or refuses the connection.
        """
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=settings.pool_size,
                statement_cache_size=settings.statement_cache_size,
                reset=_leave_as_it_is,
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise StartupError(f"The database cannot be reached: {error}") from error
        database = cls(pool, settings)
        async with pool.acquire() as connection:
            if await request_role_mode(connection, settings.request_role) is RoleMode.FORCED:
                database._take_on_forced_policies()
        return database

    def _take_on_forced_policies(self) -> None:
        self._as_viewer = _BEGIN
        self._as_platform = f"{_BEGIN}SELECT set_config('app.platform', 'on', true)"

    async def close(self) -> None:
        """Close every connection; those in use are waited for."""
        await self.pool.close()

    @asynccontextmanager
    async def snapshot(self, *, platform: bool = False) -> AsyncIterator[Snapshot]:
        """Take a connection and a moment; row-level security holds unless `platform` is asking.

        Raises:
            UnavailableError: There is no connection within `POOL_WAIT_S`, or it is lost.
        """
        with outages_told():
            async with self.pool.acquire(timeout=POOL_WAIT_S) as connection:
                snapshot = Snapshot(connection)
                try:
                    await connection.execute(self._as_platform if platform else self._as_viewer)
                    yield snapshot
                finally:
                    await snapshot.end()
                    with suppress(*LOST):
                        await connection.execute("ROLLBACK")

    def beginning(self, *, platform: bool) -> str:
        """How a transaction that writes begins (see `core.transactions`)."""
        begin = self._as_platform if platform else self._as_viewer
        return _BEGIN_WRITING + begin.removeprefix(_BEGIN)

    async def check_request_role(self) -> None:
        """Make sure that row-level security stands between requests and the rows.

        Raises:
            StartupError: It does not, so that a forgotten filter would show a neighbour's rows.
        """
        async with self.snapshot() as snapshot:
            records = await snapshot.fetch("SELECT row_security_active('public.sites') AS active", ())
        if not records[0]["active"]:
            raise StartupError(
                f"Row-level security does not hold for the role {self._role}: refusing to serve"
            )


async def _leave_as_it_is(_connection: Any) -> None:
    """Nothing outlives a snapshot's ROLLBACK, so there is nothing to reset."""
