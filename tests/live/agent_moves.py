"""Live queries of an agent and its site, and writes that rename and move agents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from tests.live.live_engine import LiveEngine

SITE: Final = "subscription ($id: ID!) { site(id: $id) { name agents(first: 1) { totalCount } } }"


AGENT: Final = "subscription ($id: ID!) { agent(id: $id) { hostname } }"


RENAME: Final = "UPDATE agents SET hostname = $2 WHERE id = $1"


MOVED: Final = "UPDATE agents SET deleted_at = 1 WHERE id = $1"


@asynccontextmanager
async def lock_table(dsn: str, table: str) -> AsyncIterator[asyncpg.Connection]:
    """Lock a table: meanwhile any read of it waits."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


async def fetch_agent_by_site(live_engine: LiveEngine) -> dict[str, str]:
    """Sites that have agents, each with one of them."""
    rows = await live_engine.owner.fetch(
        "SELECT site_id, min(id) AS agent FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL "
        "AND site_id IN (SELECT id FROM sites WHERE deleted_at IS NULL) GROUP BY site_id ORDER BY site_id",
        live_engine.tenant_id,
    )
    return {row["site_id"]: row["agent"] for row in rows}
