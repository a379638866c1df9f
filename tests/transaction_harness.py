"""A tenant's own transactions, like those of a mutation or a worker: under the role of requests, in one tenant."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from core.database.database import Database
from core.database.transactions import WriteTransaction, begin_write
from core.settings import Settings
from tests.sample_rows import insert_tenant_rows


@dataclass(frozen=True)
class TransactionHarness:
    """A database with two tenants, `mine` and `theirs`, each with a row in every table (table to id).

    Attributes:
        owner: The connection of the tables' owner, which sees and may do everything.
    """

    database: Database
    owner: asyncpg.Connection
    mine: dict[str, str]
    theirs: dict[str, str]
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def tenant_id(self) -> str:
        """The tenant that is mine."""
        return self.mine["tenants"]

    @asynccontextmanager
    async def transaction(self, tenant_id: str | None = None) -> AsyncIterator[WriteTransaction]:
        """A transaction in my tenant, or in the given one, committed at the end."""
        async with begin_write(self.database) as transaction:
            await transaction.fetch(
                "SELECT set_config('app.tenant_id', $1, true)", (tenant_id or self.tenant_id,)
            )
            yield transaction

    async def fetch_value(self, statement: str, *values: object) -> Any:
        """The first value that a statement of the owner's returns."""
        async with self._lock:
            return await self.owner.fetchval(statement, *values)

    async def fetch_rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """All rows that a statement of the owner's returns."""
        async with self._lock:
            return [dict(row) for row in await self.owner.fetch(statement, *values)]


@asynccontextmanager
async def count_rows_read(transaction: WriteTransaction, *tables: str) -> AsyncIterator[list[int]]:
    """How many rows of each table the statements of the block read, by scans of any kind. Filled at its end.

    PostgreSQL may count what earlier transactions of the session have read, too: it reports once a second.
    """
    read: list[int] = []
    before = await _fetch_rows_read(transaction, tables)
    yield read
    after = await _fetch_rows_read(transaction, tables)
    read += [after[table] - before[table] for table in tables]


async def _fetch_rows_read(transaction: WriteTransaction, tables: Sequence[str]) -> dict[str, int]:
    rows = await transaction.fetch(
        "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) AS n FROM pg_stat_xact_user_tables "
        "WHERE relname = ANY($1::text[])",
        (list(tables),),
    )
    return {row["relname"]: row["n"] for row in rows}


@asynccontextmanager
async def open_transaction_harness(dsn: str) -> AsyncIterator[TransactionHarness]:
    """A desk over the migrated, empty database at `dsn`."""
    database = await Database.connect(dsn, Settings())
    owner = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    try:
        yield TransactionHarness(
            database,
            owner,
            await insert_tenant_rows(owner, "mine"),
            await insert_tenant_rows(owner, "theirs"),
        )
    finally:
        await owner.close()
        await database.close()
