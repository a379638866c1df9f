"""PostgreSQL as requests see it: a pool, and snapshots of one moment under the role of requests.

A snapshot begins in one round trip and ends in one; asyncpg's own transactions and its pool's reset each add more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Self

import asyncpg

from core.errors import StartupError, StatementTimeoutError
from core.limits import LOCK_WAIT_MS, POOL_WAIT_S, STATEMENT_TIMEOUT_MS
from core.outages import outages_told
from core.request_role import AnyConnection, RoleMode, request_role_mode
from core.settings import Settings
from core.single_reads import SingleReads

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

_ACT_FOR: Final = """
SELECT set_config('role', $1, true), set_config('app.platform', $2, true), set_config('app.tenant_id', $3, true),
       set_config('app.clock_ms', $4, true)
"""

Acting = Callable[[bool], tuple[str, str]]
"""The role and `app.platform` under which a request runs, or (given true) one of the platform."""

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
            StatementTimeoutError: The statement took longer than `STATEMENT_TIMEOUT_MS`.
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
                raise StatementTimeoutError from error
        self.rows += len(records)
        return records

    async def end(self) -> None:
        """Take no more statements and wait for the one that runs, so that the connection is free.

        An operation that fails early leaves data loaders behind which nobody waits for.
        """
        self._ended = True  # ahead of its turn: those that wait for theirs must not take it
        async with self._turn:
            pass


class SharedSnapshot(Snapshot):
    """A moment that several connections may share, at which the tenants take turns; whoever holds it closes it.

    It begins as the tables' owner; `act_for` takes on what a request of that tenant would be.
    """

    def __init__(
        self, connection: Connection, acting: "Acting", give_back: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(connection)
        self._acting = acting
        self._give_back = give_back
        self._acts_for: tuple[str, ...] = ()

    async def export(self) -> str:
        """A name under which other connections may begin at this moment, while this one is open."""
        return str((await self.fetch("SELECT pg_export_snapshot()", ()))[0][0])

    async def act_for(self, tenant_id: str | None, *, platform: bool, clock_ms: int) -> None:
        """Put what follows under row-level security for this tenant, or under none for the platform.

        Args:
            tenant_id: The tenant; None for a platform that names none.
            platform: Whether the platform is asking.
            clock_ms: The time that answers are true of, in milliseconds since the epoch.
        """
        acts_for = (*self._acting(platform), tenant_id or "", str(clock_ms))
        if self._acts_for != acts_for:
            await self.fetch(_ACT_FOR, acts_for)
            self._acts_for = acts_for

    async def close(self) -> None:
        """End it, and give the connection back."""
        await self.end()
        try:
            with suppress(*LOST, asyncpg.PostgresError, OSError):
                await self.connection.execute("ROLLBACK")
        finally:
            await self._give_back()


class Database:
    """The pool of connections that requests share.

    Attributes:
        pool: Of connections for transactions, as the tables' owner.
        single_reads: Where reads of one statement may go instead; None where they may not.
    """

    def __init__(self, pool: asyncpg.Pool, settings: Settings) -> None:
        self.pool = pool
        self.single_reads: SingleReads | None = None
        self._dsn = ""
        self._settings = settings
        self._forced = False
        self._role = settings.request_role
        begin = f"{_BEGIN}SET LOCAL app.agent_offline_after_ms = {settings.agent_offline_after * 1000};"
        self._as_viewer = f'{begin}SET LOCAL ROLE "{settings.request_role}"'
        self._as_platform = self._begin = begin

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
        database._dsn = dsn
        async with database.statement() as connection:
            if await request_role_mode(connection, settings.request_role) is RoleMode.FORCED:
                database._take_on_forced_policies()
            elif settings.statement_cache_size:  # without, a statement takes two round trips
                database.single_reads = await SingleReads.open(dsn, settings)
        return database

    def _take_on_forced_policies(self) -> None:
        self._forced = True
        self._as_viewer = self._begin
        self._as_platform = f"{self._begin}SELECT set_config('app.platform', 'on', true)"

    async def close(self) -> None:
        """Close every connection; those in use are waited for."""
        for pool in self.pools:
            await pool.close()

    def terminate(self) -> None:
        """Close every connection at once, those in use among them."""
        for pool in self.pools:
            pool.terminate()

    @property
    def pools(self) -> list[asyncpg.Pool]:
        """All there are."""
        return [self.pool, self.single_reads.pool] if self.single_reads else [self.pool]

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

    async def apart(self, connections: int) -> "Database":
        """The same database through connections of their own, which neither wait for requests nor keep them waiting.

        Raises:
            StartupError: As `connect`.
        """
        return await Database.connect(self._dsn, self._settings.model_copy(update={"pool_size": connections}))

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Connection]:
        """A connection, as the tables' owner, for one statement that is true of a moment of its own.

        Without a statement cache we are behind a transaction pooler, and the driver sends a statement in two parts:
        only a transaction has both reach the same server.

        Raises:
            UnavailableError: There is no connection within `POOL_WAIT_S`, or it is lost.
        """
        with outages_told():
            async with self.pool.acquire(timeout=POOL_WAIT_S) as connection:
                if self._settings.statement_cache_size:
                    yield connection
                else:
                    async with connection.transaction():
                        yield connection

    async def shared_snapshot(self, exported: str | None = None) -> SharedSnapshot:
        """Begin a moment that is to be shared, or join one under the name that its `export` gave.

        Args:
            exported: That name; None for a moment of its own.

        Raises:
            UnavailableError: There is no connection within `POOL_WAIT_S`, or it is lost.
        """
        joining = f"SET TRANSACTION SNAPSHOT '{exported}';" if exported else ""
        with outages_told():
            connection = await self.pool.acquire(timeout=POOL_WAIT_S)
            snapshot = SharedSnapshot(connection, self._acting, lambda: self.pool.release(connection))
            try:
                async with asyncio.timeout(POOL_WAIT_S):  # a pooler may have no server for it
                    await connection.execute(f"{self._begin}{joining}")
            except BaseException:
                await snapshot.close()
                raise
        return snapshot

    def _acting(self, platform: bool) -> tuple[str, str]:  # noqa: FBT001 - the type of what takes it has one
        if self._forced:
            return "none", "on" if platform else ""
        return "none" if platform else self._role, ""

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
