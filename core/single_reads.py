"""Reads of one statement, in one round trip: a statement outside of a transaction sees one moment by itself.

Nothing of a request is left on a connection. It is under the role of requests as long as it lives; the tenant is set
inside of the statement and for it alone, once the same snapshot has shown the viewer to be who a sign-in found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

import asyncpg

from core.errors import StatementTimeoutError
from core.limits import POOL_WAIT_S, STATEMENT_TIMEOUT_MS
from core.outages import outages_told
from core.settings import Settings

_SESSION: Final = (
    'SET ROLE "{role}";'
    "SET default_transaction_read_only = on;"
    "SET app.agent_offline_after_ms = {offline_after_ms};"
    f"SET statement_timeout = {STATEMENT_TIMEOUT_MS};"
    "SET jit = off"
)

_GATE: Final = """
SELECT k.known, r.* FROM (
    SELECT CASE WHEN current_user = '{role}' AND app.is_still({subject}, {tenant_id}, {role_id}, {rights})
           THEN set_config('app.tenant_id', {tenant_id}, true) IS NOT NULL ELSE FALSE END AS known OFFSET 0
) k LEFT JOIN LATERAL (SELECT * FROM ("""
_BEHIND: Final = ") s WHERE k.known OFFSET 0) r ON TRUE"
"""What is lateral comes after what it refers to, and what OFFSET fences in stays a subquery of its own: nothing
is read before the tenant is set, and nothing for a viewer who is no longer known."""

_NOT_ANSWERED: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""A snapshot is asked the same then: it tells what is wrong."""


class Facts(NamedTuple):
    """What a sign-in found, as it is stored; a read is good only while it is still so."""

    subject: str
    tenant_id: str
    role_id: str
    rights: str


Row = Mapping[str, Any]
"""What a statement answers, by its columns."""


class SharedOutError(Exception):
    """The connection leads through a proxy that shares out the server's own: none can be kept under a role."""


class SingleReads:
    """A pool of connections that are kept under the role of requests, opened as they are needed."""

    def __init__(self, pool: asyncpg.Pool, role: str) -> None:
        self.pool = pool
        self._role = role
        self._possible = True

    @classmethod
    async def open(cls, dsn: str, settings: Settings) -> Self:
        """A pool without a connection yet."""

        async def prepare(connection: asyncpg.Connection) -> None:
            await _require_own_server(connection)
            offline_after_ms = settings.agent_offline_after * 1000
            await connection.execute(
                _SESSION.format(role=settings.request_role, offline_after_ms=offline_after_ms)
            )

        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=settings.pool_size,
            statement_cache_size=settings.statement_cache_size,
            timeout=POOL_WAIT_S,
            init=prepare,
            reset=_leave_as_it_is,
        )
        return cls(pool, settings.request_role)

    async def fetch(self, facts: Facts, sql: str, arguments: Sequence[object]) -> Row | None:
        """The row of a statement that answers at most one, nulls without one; None where a snapshot must be asked.

        That is also where `facts` do not hold any more.

        Raises:
            StatementTimeoutError: It took longer than `STATEMENT_TIMEOUT_MS`.
            UnavailableError: There is no connection within `POOL_WAIT_S`.
        """
        if not self._possible:
            return None
        gated = f"{_gate(self._role, len(arguments))}{sql}{_BEHIND}"
        try:
            async with self.pool.acquire(timeout=self._patience()) as connection:
                (record,) = await connection.fetch(gated, *arguments, *facts)
        except asyncpg.QueryCanceledError as error:
            raise StatementTimeoutError from error
        except SharedOutError:
            self._possible = False
            return None
        except TimeoutError:
            with outages_told():
                raise
        except _NOT_ANSWERED:
            return None
        (_, known), *columns = record.items()
        return dict(columns) if known else None

    def _patience(self) -> float | None:
        """How long a connection may be waited for; a timer takes longer than to take one that is there."""
        return None if self.pool.get_idle_size() else POOL_WAIT_S


@dataclass(slots=True)
class SingleRead:
    """One viewer's read of one statement; it counts as a snapshot does."""

    reads: SingleReads
    facts: Facts
    statements: int = 0
    rows: int = 0

    async def fetch(self, sql: str, arguments: Sequence[object]) -> Row | None:
        """The statement's row; None where it must be asked in a snapshot, after a sign-in.

        Raises:
            StatementTimeoutError: As `SingleReads.fetch`.
            UnavailableError: As `SingleReads.fetch`.
        """
        self.statements += 1
        row = await self.reads.fetch(self.facts, sql, arguments)
        self.rows += row is not None and any(value is not None for value in row.values())
        return row


@lru_cache(100)
def _gate(role: str, bound: int) -> str:
    """What stands ahead of a statement to which so many values are bound; the facts are bound behind them."""
    facts = {name: f"${bound + place}::text" for place, name in enumerate(Facts._fields, 1)}
    return _GATE.format(role=role, **facts)


async def _require_own_server(connection: asyncpg.Connection) -> None:
    """PostgreSQL tells each of its sessions the number of its process; a proxy tells one that it made up.

    Raises:
        SharedOutError: There is a proxy, and a role that is kept would come to other sessions.
    """
    if await connection.fetchval("SELECT pg_backend_pid()") != connection.get_server_pid():
        raise SharedOutError


async def _leave_as_it_is(_connection: Any) -> None:
    """Nothing outlives a statement but what every connection is prepared with."""
