"""PostgreSQL for requests: a connection pool, and read-only snapshots under the role of requests.

A snapshot begins in one round trip and ends in one. asyncpg's own transactions and the reset of its pool each add
more.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, Final, Self

import asyncpg

from core.database.byte_meter import find_meter
from core.database.connecting import REFUSE_STANDBY, connect, refuse_standby
from core.database.connection_budget import count_long_connections, size_request_pools
from core.database.connection_errors import translate_connection_errors
from core.database.measured_pool import MeasuredPool
from core.database.poolers import is_pooled, require_prepared_statements
from core.database.request_role import AnyConnection, RoleMode, detect_role_mode
from core.database.single_reads import SingleReads
from core.database.watchdog import ConnectionWatchdog
from core.errors import AnswerTooLargeError, StartupError, StatementTimeoutError, UnavailableError
from core.fair_queue import SERVER
from core.limits import ANSWER_BYTES_MAX, LOCK_TIMEOUT_MS, POOL_ACQUIRE_TIMEOUT_S, STATEMENT_TIMEOUT_MS
from core.settings import Settings
from core.share_load import ShareActivity, ShareLoad

Connection = AnyConnection
Record = asyncpg.Record

_BEGIN: Final = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
    f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS};"
    "SET LOCAL jit = off;"
)

_BEGIN_WRITE: Final = (
    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
    f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS};"
    f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};"
    "SET LOCAL jit = off;"
)

_SET_TENANT: Final = """
SELECT set_config('role', $1, true), set_config('app.platform', $2, true), set_config('app.tenant_id', $3, true),
       set_config('app.clock_ms', $4, true)
"""

RequestIdentity = Callable[[bool], tuple[str, str]]
"""Returns the role and `app.platform` under which a request runs; given true, those of a request of the platform."""

CONNECTION_LOST_ERRORS: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The errors of a connection that is lost, and its transaction with it. The error before them is the one to report.
"""


class ReadTransaction:
    """One connection in one read-only transaction. All reads through it see the same state of the database.

    Attributes:
        bytes_max: The most bytes that PostgreSQL may send in all. The connection is cut beyond it.
        connection: The connection, for the statement that signs the viewer in.
        statements: How many statements were sent.
        rows: How many rows came back.
    """

    bytes_max: ClassVar[float] = ANSWER_BYTES_MAX

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._meter = find_meter(connection)
        self._meter.start(self.bytes_max)
        self.statements = 0
        self.rows = 0
        self._lock = asyncio.Lock()
        self._is_ended = False
        self._failure: Exception | None = None

    async def fetch(self, sql: str, arguments: Sequence[object]) -> list[Record]:
        """The rows of one statement.

        Concurrent callers wait for each other, because a connection runs one statement at a time. PostgreSQL refuses
        every statement after a failed one, so they raise the error of the failed one.

        Raises:
            StatementTimeoutError: The statement took longer than `STATEMENT_TIMEOUT_MS`.
            AnswerTooLargeError: PostgreSQL has sent too many bytes. All later statements fail in the same way.
            UnavailableError: The connection is lost.
        """
        async with self._lock:
            if self._is_ended:
                raise asyncpg.InterfaceError("the snapshot has ended")
            self.statements += 1
            try:
                with translate_connection_errors():
                    records = await self.connection.fetch(sql, *arguments)
            except asyncpg.InFailedSQLTransactionError:
                if self._failure is None:
                    raise
                raise self._failure from None
            except asyncpg.QueryCanceledError as error:
                self._failure = StatementTimeoutError()
                raise self._failure from error
            except UnavailableError as error:
                if self._meter.is_exceeded:
                    raise AnswerTooLargeError from error
                raise
            except asyncpg.PostgresError as error:
                self._failure = error
                raise
        self.rows += len(records)
        return records

    async def end(self) -> None:
        """Accept no more statements and wait for the running one, so that the connection is free.

        An operation that fails early leaves data loaders behind, and no caller awaits them.
        """
        self._is_ended = True  # before the lock: callers that wait for it must fail
        async with self._lock:
            self._meter.stop()


class SharedReadTransaction(ReadTransaction):
    """A snapshot that several connections may share, used for one tenant after another. Its opener closes it.

    It begins as the tables' owner, without a limit in bytes. `set_tenant` sets the role and tenant of a request.
    """

    bytes_max: ClassVar[float] = math.inf

    def __init__(
        self,
        connection: Connection,
        identity_sql: "RequestIdentity",
        release_connection: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(connection)
        self._identity_sql = identity_sql
        self._release_connection = release_connection
        self._current_tenant: tuple[str, ...] = ()

    def allow_bytes(self, allowed: int) -> None:
        """Let PostgreSQL send so many bytes for the following statements."""
        self._meter.start(allowed)

    async def export_snapshot(self) -> str:
        """Export the snapshot; returns the name by which other connections may join it while this one is open."""
        return str((await self.fetch("SELECT pg_export_snapshot()", ()))[0][0])

    async def set_tenant(self, tenant_id: str | None, *, platform: bool, clock_ms: int) -> None:
        """Apply row-level security of this tenant to the following statements, or none for the platform.

        Args:
            tenant_id: The tenant; None for the platform without a tenant.
            platform: Whether the request is the platform's.
            clock_ms: The time for which results are computed, in milliseconds since the epoch.
        """
        current_tenant = (*self._identity_sql(platform), tenant_id or "", str(clock_ms))
        if self._current_tenant != current_tenant:
            await self.fetch(_SET_TENANT, current_tenant)
            self._current_tenant = current_tenant

    async def close(self) -> None:
        """End the transaction and return the connection to the pool."""
        await self.end()
        try:
            with suppress(*CONNECTION_LOST_ERRORS, asyncpg.PostgresError, OSError):
                await self.connection.execute("ROLLBACK")
        finally:
            await self._release_connection()


class Database:
    """The pool of connections that requests share.

    Attributes:
        pool: Connections for transactions, as the tables' owner.
        single_reads: The pool for reads of one statement; None if they are not possible.
        role_mode: How row-level security is applied to requests.
        watchdog: Throws connections away that do not answer.
    """

    pool: MeasuredPool

    def __init__(self, dsn: str, settings: Settings, load: ShareLoad) -> None:
        self.single_reads: SingleReads | None = None
        self.role_mode = RoleMode.ROLE
        self.watchdog = ConnectionWatchdog()
        self._watching = asyncio.get_running_loop().create_task(self.watchdog.run())
        self._separate: list[Database] = []
        self._dsn = dsn
        self._settings = settings
        self._uses_forced_policies = False
        self._load = load
        self._standby_check = ""
        self._role = settings.request_role
        begin = f"{_BEGIN}SET LOCAL app.agent_offline_after_ms = {settings.agent_offline_after * 1000};"
        self._viewer_identity_sql = f'{begin}SET LOCAL ROLE "{settings.request_role}"'
        self._platform_identity_sql = self._begin = begin

    @classmethod
    async def connect(cls, dsn: str, settings: Settings) -> Self:
        """Open the pools and determine how requests assume their role.

        Raises:
            StartupError: The database cannot be reached or refuses the connection. Or there is a pooler in between
                that needs other settings.
        """
        sizes = size_request_pools(settings)
        load = ShareLoad(ShareActivity(), count_long_connections(settings))
        database = await cls._open_pool(dsn, settings, sizes.transactions, load)
        # Without the cache, a single read takes two round trips.
        if database.role_mode is RoleMode.ROLE and settings.statement_cache_size:
            database.single_reads = await SingleReads.open(
                database.open_connection, settings, sizes.single_reads, load
            )
        return database

    @classmethod
    async def _open_pool(
        cls, dsn: str, settings: Settings, size: int, load: ShareLoad, reserved: int = 0
    ) -> Self:
        database = cls(dsn, settings, load)
        try:
            database.pool = pool = MeasuredPool(
                min_size=1,
                max_size=size,
                reserved=reserved,
                load=load,
                connect=database.open_connection,
            )
            await pool
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            database._watching.cancel()
            raise StartupError(f"The database is unreachable: {error}") from error
        try:
            await database._detect_session()
        except UnavailableError as error:
            database.terminate()
            raise StartupError(error.message) from error
        except BaseException:
            database.terminate()
            raise
        return database

    async def open_connection(self, *_arguments: Any, **_options: Any) -> asyncpg.Connection:
        """Open a connection for a pool, to the primary and under the watchdog. The pool's arguments do not matter."""
        connection = await connect(self._dsn, statement_cache_size=self._settings.statement_cache_size)
        self.watchdog.watch(connection)
        return connection

    async def _detect_session(self) -> None:
        """Detect the mode of row-level security, and a pooler.

        A pooler may exchange the server behind a connection, so that each transaction checks for a standby.
        """
        async with self.open_statement_connection() as connection:
            pooled = await is_pooled(connection)
        if pooled and self._settings.statement_cache_size:
            await require_prepared_statements(self._dsn)
        if pooled:
            self._standby_check = REFUSE_STANDBY
        async with self.open_statement_connection() as connection:
            self.role_mode = await detect_role_mode(connection, self._role)
        if self.role_mode is RoleMode.FORCED:
            self._adopt_forced_policies()

    def _adopt_forced_policies(self) -> None:
        self._uses_forced_policies = True
        self._viewer_identity_sql = self._begin
        self._platform_identity_sql = f"{self._begin}SELECT set_config('app.platform', 'on', true)"

    async def close(self) -> None:
        """Close every connection, after the work that uses it has finished."""
        self._watching.cancel()
        for pool in self.pools:
            await pool.close()

    def terminate(self) -> None:
        """Close every connection at once, including those in use."""
        self._watching.cancel()
        for pool in self.pools:
            pool.terminate()

    @property
    def pools(self) -> list[MeasuredPool]:
        """All pools of this database."""
        return [self.pool, self.single_reads.pool] if self.single_reads else [self.pool]

    @property
    def deadlines_expired(self) -> int:
        """How many connections were thrown away because they did not answer, those of separate pools included."""
        return self.watchdog.expired + sum(each.deadlines_expired for each in self._separate)

    def note_activity(self, shares: Iterable[str]) -> None:
        """Note shares whose work runs on the server's own connections, so that long statements leave cores free."""
        for share in shares:
            self._load.activity.note(share)

    @asynccontextmanager
    async def read_transaction(
        self, *, platform: bool = False, share: str = SERVER
    ) -> AsyncIterator[ReadTransaction]:
        """Begin a snapshot on a connection of the pool. Row-level security applies unless `platform` is set.

        `share` is whose work it is, by `core.fair_queue`.

        Raises:
            UnavailableError: There is no connection within `POOL_ACQUIRE_TIMEOUT_S`, or it is lost.
        """
        with translate_connection_errors():
            async with self.pool.acquire_for(share) as connection:
                snapshot = ReadTransaction(connection)
                try:
                    await self.begin_on(
                        connection, self._platform_identity_sql if platform else self._viewer_identity_sql
                    )
                    yield snapshot
                finally:
                    await snapshot.end()
                    with suppress(*CONNECTION_LOST_ERRORS):
                        await connection.execute("ROLLBACK")

    def begin_on(self, connection: Connection, sql: str) -> Coroutine[Any, Any, object]:
        """Begin a transaction by this SQL.

        Raises:
            StandbyError: A pooler has exchanged the server for a standby.
        """
        if self._standby_check:
            return refuse_standby(connection, f"{sql};{self._standby_check}")
        return connection.execute(sql)

    def begin_write_sql(self, *, platform: bool) -> str:
        """The SQL that begins a transaction that writes (see `core.database.transactions`)."""
        begin = self._platform_identity_sql if platform else self._viewer_identity_sql
        return _BEGIN_WRITE + begin.removeprefix(_BEGIN)

    async def open_separate_pool(self, connections: int, reserved: int = 0) -> "Database":
        """Open the same database through a separate pool. Its users and requests do not wait for each other.

        `reserved` connections of it are for the server's own work alone. Long statements are bounded there as in
        the pools of requests, and counted separately.

        Raises:
            StartupError: As for `connect`.
        """
        load = ShareLoad(self._load.activity, count_long_connections(self._settings))
        separate = await self._open_pool(self._dsn, self._settings, connections, load, reserved)
        self._separate.append(separate)
        return separate

    @asynccontextmanager
    async def open_statement_connection(self) -> AsyncIterator[Connection]:
        """A connection, as the tables' owner, for one statement with a snapshot of its own.

        Without a statement cache there is a transaction pooler in between, and the driver sends a statement in two
        parts. Both reach the same server only in a transaction.

        Raises:
            UnavailableError: There is no connection within `POOL_ACQUIRE_TIMEOUT_S`, or it is lost.
        """
        with translate_connection_errors():
            async with self.pool.acquire(timeout=POOL_ACQUIRE_TIMEOUT_S) as connection:
                if self._settings.statement_cache_size:
                    yield connection
                else:
                    async with connection.transaction():
                        yield connection

    async def open_shared_read_transaction(
        self, exported: str | None = None, share: str = SERVER
    ) -> SharedReadTransaction:
        """Begin a snapshot that can be shared, or join one by the name that its `export` returned.

        Args:
            exported: That name; None for a new snapshot.
            share: Whose work it is, by `core.fair_queue`.

        Raises:
            UnavailableError: There is no connection within `POOL_ACQUIRE_TIMEOUT_S`, or it is lost.
        """
        join_sql = f"SET TRANSACTION SNAPSHOT '{exported}';" if exported else ""
        with translate_connection_errors():
            connection = await self.pool.take(share, POOL_ACQUIRE_TIMEOUT_S, is_long=share != SERVER)
            snapshot = SharedReadTransaction(
                connection, self._choose_identity_sql, lambda: self.pool.release(connection)
            )
            try:
                async with asyncio.timeout(POOL_ACQUIRE_TIMEOUT_S):  # a pooler may have no free server
                    await self.begin_on(connection, f"{self._begin}{join_sql}")
            except BaseException:
                await snapshot.close()
                raise
        return snapshot

    def _choose_identity_sql(self, platform: bool) -> tuple[str, str]:  # noqa: FBT001 - required by `RequestIdentity`
        if self._uses_forced_policies:
            return "none", "on" if platform else ""
        return "none" if platform else self._role, ""

    async def check_request_role(self) -> None:
        """Check that row-level security applies to requests.

        Raises:
            StartupError: It does not apply, so a missing filter would show another tenant's rows.
        """
        async with self.read_transaction() as snapshot:
            records = await snapshot.fetch("SELECT row_security_active('public.sites') AS active", ())
        if not records[0]["active"]:
            raise StartupError(
                f"Row-level security does not apply to the role {self._role}: the server does not start"
            )
