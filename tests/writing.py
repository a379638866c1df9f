"""A tenant's own transactions, as a mutation or a worker has them: under the role of requests, in one tenant."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from core.database import Database
from core.settings import Settings
from core.transactions import Transaction, writing
from tests.rows import write_tenant


@dataclass(frozen=True)
class Desk:
    """A database with two tenants, `mine` and `theirs`, a row of each in every table (table to id).

    Attributes:
        owner: the connection of the tables' owner, which sees and may do everything.
    """

    database: Database
    owner: asyncpg.Connection
    mine: dict[str, str]
    theirs: dict[str, str]
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def tenant_id(self) -> str:
        """The tenant that is mine."""
        return self.mine["tenants"]

    @asynccontextmanager
    async def transaction(self, tenant_id: str | None = None) -> AsyncIterator[Transaction]:
        """A transaction in my tenant, or in that one, committed at the end."""
        async with writing(self.database) as transaction:
            await transaction.fetch(
                "SELECT set_config('app.tenant_id', $1, true)", (tenant_id or self.tenant_id,)
            )
            yield transaction

    async def value(self, statement: str, *values: object) -> Any:
        """The first value that a statement of the owner's returns."""
        async with self._turn:
            return await self.owner.fetchval(statement, *values)

    async def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """All rows that a statement of the owner's returns."""
        async with self._turn:
            return [dict(row) for row in await self.owner.fetch(statement, *values)]


@asynccontextmanager
async def desk(dsn: str) -> AsyncIterator[Desk]:
    """A desk over the migrated, empty database at `dsn`."""
    database = await Database.connect(dsn, Settings())
    owner = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    try:
        yield Desk(database, owner, await write_tenant(owner, "mine"), await write_tenant(owner, "theirs"))
    finally:
        await owner.close()
        await database.close()
