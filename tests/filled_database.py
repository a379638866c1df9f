"""A database with a row of two tenants in each table, as both modes of row-level security need it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
import pytest_asyncio

from core.database.request_role import RoleMode
from tests.clusters import ThrowawayCluster
from tests.role_modes import OWNERS, RESTRICTED_OWNER, create_database_of_restricted_owner
from tests.sample_rows import insert_row, insert_tenant_rows


@dataclass(frozen=True)
class FilledDatabase:
    """A database with the rows of two tenants and a global role, committed."""

    dsn: str
    mode: RoleMode
    mine: dict[str, str]
    theirs: dict[str, str]
    global_role: str


@asynccontextmanager
async def connect_as_owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def fill_database(dsn: str, mode: RoleMode) -> FilledDatabase:
    async with connect_as_owner(dsn) as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.platform', 'on', true)")
        mine, theirs = (
            await insert_tenant_rows(connection, "mine"),
            await insert_tenant_rows(connection, "theirs"),
        )
        role = await insert_row(connection, "roles", {"name": "Admin", "description": "All"})
        return FilledDatabase(dsn, mode, mine, theirs, role)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(RoleMode))
async def filled_database(
    request: pytest.FixtureRequest, cluster: ThrowawayCluster, migrated_template: str
) -> AsyncIterator[FilledDatabase]:
    if request.param is RoleMode.ROLE:
        name = await cluster.create_database(migrated_template)
        dsn = cluster.build_dsn(name)
    else:
        name = await create_database_of_restricted_owner(cluster)
        dsn = cluster.build_dsn(name, RESTRICTED_OWNER)
    yield await fill_database(dsn, request.param)
    async with connect_as_owner(cluster.build_dsn("postgres", OWNERS[request.param])) as connection:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
