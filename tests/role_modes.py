"""Databases of the two role modes: with a role for requests, or with an owner that is subject to the policies.

A test with the marker `role_modes` runs in both modes, in the second one on the newest PostgreSQL alone.
"""

import asyncpg

from core.database.request_role import RoleMode, detect_role_mode
from core.settings import Settings
from services.migrations import migrate
from tests.clusters import ROLE, ThrowawayCluster

RESTRICTED_OWNER = "msp_lonely"
"""A role that may neither create the request role nor become it."""

OWNERS = {RoleMode.ROLE: ROLE, RoleMode.FORCED: RESTRICTED_OWNER}


async def create_database_of_restricted_owner(cluster: ThrowawayCluster) -> str:
    """Create a migrated database of the restricted owner; returns its name."""
    connection = await asyncpg.connect(cluster.build_dsn("postgres"))
    try:
        if not await connection.fetchval(
            "SELECT count(*) FROM pg_roles WHERE rolname = $1", RESTRICTED_OWNER
        ):
            await connection.execute(f"CREATE ROLE {RESTRICTED_OWNER} LOGIN CREATEDB")
    finally:
        await connection.close()
    name = await cluster.create_database(role=RESTRICTED_OWNER)
    await migrate(cluster.build_dsn(name, RESTRICTED_OWNER), Settings())
    return name


async def check_is_forced(dsn: str) -> None:
    """Fail if the owner of the database at `dsn` is not subject to the policies."""
    connection = await asyncpg.connect(dsn)
    try:
        assert await detect_role_mode(connection, Settings().request_role) is RoleMode.FORCED
        assert await connection.fetchval("SELECT count(*) FROM sites") == 0
    finally:
        await connection.close()
