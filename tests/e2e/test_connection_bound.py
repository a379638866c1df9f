"""The number of connections to PostgreSQL under load, against `DATABASE_CONNECTIONS`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import pytest

from core.limits import DATABASE_CONNECTIONS_MIN
from tests.clusters import ThrowawayCluster
from tests.e2e.every_call import Targets, call_everything, open_client
from tests.e2e.servers import start_server, temporary_data_dir
from tests.websocket_client import connect_websocket

pytestmark = pytest.mark.newest

WORKERS: Final = 2
LIVE: Final = "subscription { sites(first: 5) { nodes { name agents(first: 3) { nodes { hostname } } } } }"


class ConnectionCount:
    """The most connections to a database that were open at once."""

    def __init__(self) -> None:
        self.most = 0

    async def watch(self, dsn: str, name: str) -> None:
        """Count until cancelled."""
        connection = await asyncpg.connect(dsn)
        try:
            while True:
                count = await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity, pg_sleep(0.01) WHERE datname = $1", name
                )
                self.most = max(self.most, count)
        finally:
            connection.terminate()


@asynccontextmanager
async def count_connections(cluster: ThrowawayCluster, name: str) -> AsyncIterator[ConnectionCount]:
    """Count the connections to a database during the block."""
    count = ConnectionCount()
    watching = asyncio.create_task(count.watch(cluster.build_dsn("postgres", "postgres"), name))
    try:
        yield count
    finally:
        watching.cancel()


async def test_connections_under_load_stay_within_the_bound(cluster: ThrowawayCluster) -> None:
    name = await cluster.create_database()
    environment = {
        "DATABASE_URL": cluster.build_dsn(name),
        "DATABASE_CONNECTIONS": str(WORKERS * DATABASE_CONNECTIONS_MIN),
        "AGENT_CALLS_PER_MINUTE": "60000",  # any worker may get all check-ins of the one agent
    }
    with (
        temporary_data_dir() as path,
        start_server("--demo", "--data-dir", path, "--workers", WORKERS, lines=5, **environment) as server,
    ):
        async with (
            open_client(server) as client,
            connect_websocket(server.url) as socket,
            count_connections(cluster, name) as count,
        ):
            await socket.init(server.tokens[0][1])
            await socket.subscribe(LIVE)
            targets = await Targets.create(client)
            for _ in range(2):
                answered = await call_everything(client, targets)
                assert {status for _, status, _ in answered} == {200}
            assert 5 < count.most <= WORKERS * DATABASE_CONNECTIONS_MIN
        server.stop()
    await cluster.drop_database(name)
