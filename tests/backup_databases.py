"""Databases for backups: an empty one, and the contents of two to be compared."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from core.database.request_role import RoleMode, find_role_mode
from core.settings import Settings
from demo import DemoSize, load_demo
from services.backup import backup as backup_module
from services.migrations import migrate
from tests.clusters import ThrowawayCluster, start_throwaway_cluster
from tests.role_modes import OWNERS, RESTRICTED_OWNER

SETTINGS: Final = Settings()


@pytest.fixture(scope="module")
def old_cluster() -> Iterator[ThrowawayCluster]:
    with start_throwaway_cluster(15) as started:
        yield started


@pytest.fixture(scope="module")
def new_cluster() -> Iterator[ThrowawayCluster]:
    with start_throwaway_cluster(18) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(RoleMode))
async def mode(
    request: pytest.FixtureRequest, old_cluster: ThrowawayCluster, new_cluster: ThrowawayCluster
) -> RoleMode:
    """The mode of row-level security; the roles of owners exist."""
    for cluster in (old_cluster, new_cluster):
        administrator = await asyncpg.connect(cluster.build_dsn("postgres", "postgres"))
        if not await administrator.fetchval(
            "SELECT count(*) FROM pg_roles WHERE rolname = $1", RESTRICTED_OWNER
        ):
            await administrator.execute(f"CREATE ROLE {RESTRICTED_OWNER} LOGIN CREATEDB")
        await administrator.close()
    return RoleMode(request.param)


async def create_empty_database(cluster: ThrowawayCluster, mode: RoleMode) -> str:
    """An empty database of an owner for that mode; returns its DSN."""
    name, owner = f"copy_{uuid.uuid4().hex}", OWNERS[mode]
    connection = await asyncpg.connect(cluster.build_dsn("postgres", owner))
    await connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
    await connection.close()
    return cluster.build_dsn(name, owner)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def source(old_cluster: ThrowawayCluster, mode: RoleMode) -> AsyncIterator[str]:
    """A database of PostgreSQL 15 with the demo's rows, in that mode."""
    dsn = await create_empty_database(old_cluster, mode)
    await migrate(dsn, SETTINGS)
    connection = await asyncpg.connect(dsn)
    await load_demo(connection, DemoSize.SMALL)
    assert await find_role_mode(connection, SETTINGS.request_role) is mode
    await connection.close()
    yield dsn


async def fetch_contents(dsn: str) -> dict[str, str]:
    """A hash of the rows of each table that a backup has."""
    connection = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    try:
        tables = [row[0] for row in await connection.fetch(backup_module._TABLES)]
        return {
            table: await connection.fetchval(
                "SELECT count(*) || ' ' || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) "
                f"FROM {table} t"
            )
            for table in tables
            if table not in ("app.installation", "live.floor", "live.shape")
        }
    finally:
        await connection.close()
