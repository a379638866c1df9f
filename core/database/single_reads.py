"""Reads of one statement in one round trip. A statement outside of a transaction has a snapshot of its own.

A request leaves no state on a connection. The connection has the role of requests for its whole life. The tenant is
set inside the statement and for it alone, after the same snapshot has confirmed the viewer of the sign-in.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import Any, Final, NamedTuple, Self

import asyncpg

from core.database.byte_meter import find_meter
from core.database.connection_errors import translate_connection_errors
from core.database.measured_pool import MeasuredPool
from core.errors import AnswerTooLargeError, StatementTimeoutError
from core.fair_queue import IS_LONG
from core.limits import ANSWER_BYTES_MAX, POOL_ACQUIRE_TIMEOUT_S, STATEMENT_TIMEOUT_MS
from core.settings import Settings
from core.share_load import ShareLoad

_SESSION_SETTINGS: Final = (
    'SET ROLE "{role}";'
    "SET default_transaction_read_only = on;"
    "SET app.agent_offline_after_ms = {offline_after_ms};"
    f"SET statement_timeout = {STATEMENT_TIMEOUT_MS};"
    "SET jit = off"
)

_SESSION_GUARD: Final = """
SELECT k.known, r.* FROM (
    SELECT CASE WHEN current_user = '{role}' AND app.is_still({subject}, {tenant_id}, {role_id}, {rights})
           THEN set_config('app.tenant_id', {tenant_id}, true) IS NOT NULL ELSE FALSE END AS known OFFSET 0
) k LEFT JOIN LATERAL (SELECT * FROM ("""
_BEHIND: Final = ") s WHERE k.known OFFSET 0) r ON TRUE"
"""A lateral subquery runs after the rows that it refers to, and OFFSET keeps a subquery separate. So nothing is
read before the tenant is set, and nothing for a viewer who is no longer valid."""

_NOT_ANSWERED: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""After these errors the read is repeated in a snapshot, which reports the cause."""


class SignInFacts(NamedTuple):
    """The stored result of a sign-in. A read is valid only while it is unchanged."""

    subject: str
    tenant_id: str
    role_id: str
    rights: str


Connect = Callable[..., Coroutine[Any, Any, asyncpg.Connection]]
"""Opens a connection for a pool, which passes arguments that do not matter."""

Row = Mapping[str, Any]
"""The result of a statement, by column."""


class PooledSessionError(Exception):
    """A proxy shares the server's connections among clients, so no connection can keep a role."""


class SingleReads:
    """A pool of connections that keep the role of requests, opened on demand."""

    def __init__(self, pool: MeasuredPool, role: str) -> None:
        self.pool = pool
        self._role = role
        self._is_supported = True

    @classmethod
    async def open(
        cls, connect: "Connect", settings: Settings, size: int, load: ShareLoad | None = None
    ) -> Self:
        """Create a pool of at most `size` connections, without a connection yet. `load` bounds long statements."""

        async def prepare(connection: asyncpg.Connection) -> None:
            await _require_dedicated_session(connection)
            offline_after_ms = settings.agent_offline_after * 1000
            await connection.execute(
                _SESSION_SETTINGS.format(role=settings.request_role, offline_after_ms=offline_after_ms)
            )

        pool = MeasuredPool(
            min_size=0,
            max_size=size,
            load=load,
            connect=connect,
            init=prepare,
        )
        await pool
        return cls(pool, settings.request_role)

    async def fetch(self, facts: SignInFacts, sql: str, arguments: Sequence[object]) -> Row | None:
        """The row of a statement with at most one row, nulls without a row; None if the read needs a snapshot.

        The result is also None if `facts` are no longer valid.

        Raises:
            StatementTimeoutError: It took longer than `STATEMENT_TIMEOUT_MS`.
            AnswerTooLargeError: The row has more than `ANSWER_BYTES_MAX`.
            UnavailableError: There is no connection within `POOL_ACQUIRE_TIMEOUT_S`, or no reply in time.
        """
        if not self._is_supported:
            return None
        began, meter = monotonic(), None
        guarded_sql = f"{_build_session_guard(self._role, len(arguments))}{sql}{_BEHIND}"
        try:
            async with self.pool.acquire_for(
                facts.tenant_id, timeout=self._acquire_timeout_s(facts.tenant_id)
            ) as connection:
                meter = find_meter(connection)
                meter.start(ANSWER_BYTES_MAX)
                (record,) = await connection.fetch(guarded_sql, *arguments, *facts)
        except asyncpg.QueryCanceledError as error:
            raise StatementTimeoutError from error
        except PooledSessionError:
            self._is_supported = False
            return None
        except TimeoutError:
            with translate_connection_errors():
                raise
        except _NOT_ANSWERED as error:
            if meter is not None and meter.is_exceeded:
                raise AnswerTooLargeError from error
            if monotonic() - began < STATEMENT_TIMEOUT_MS / 1000:
                return None
            with translate_connection_errors():  # another attempt would double the caller's wait
                raise
        (_, known), *columns = record.items()
        return dict(columns) if known else None

    def _acquire_timeout_s(self, share: str) -> float | None:
        """How long to wait for a connection. To set a timer takes longer than to acquire an idle connection."""
        is_idle = self.pool.slots.may_take(share, is_long=IS_LONG.get()) and self.pool.get_idle_size()
        return None if is_idle else POOL_ACQUIRE_TIMEOUT_S


@dataclass(slots=True)
class SingleRead:
    """One viewer's read of one statement; it counts statements and rows as a snapshot does."""

    reads: SingleReads
    facts: SignInFacts
    statements: int = 0
    rows: int = 0

    async def fetch(self, sql: str, arguments: Sequence[object]) -> Row | None:
        """The statement's row; None if the read needs a snapshot, after a sign-in.

        Raises:
            StatementTimeoutError: As for `SingleReads.fetch`.
            UnavailableError: As for `SingleReads.fetch`.
        """
        self.statements += 1
        row = await self.reads.fetch(self.facts, sql, arguments)
        self.rows += row is not None and any(value is not None for value in row.values())
        return row


@lru_cache(100)
def _build_session_guard(role: str, bound: int) -> str:
    """The SQL before a statement with this many bound values; the facts are bound after them."""
    facts = {name: f"${bound + number}::text" for number, name in enumerate(SignInFacts._fields, 1)}
    return _SESSION_GUARD.format(role=role, **facts)


async def _require_dedicated_session(connection: asyncpg.Connection) -> None:
    """Check that no proxy is in between. PostgreSQL sends each session its process id; a proxy sends an invented one.

    Raises:
        SharedOutError: There is a proxy, and other sessions would get a connection with the role set.
    """
    if await connection.fetchval("SELECT pg_backend_pid()") != connection.get_server_pid():
        raise PooledSessionError
