"""Failover to a synchronous standby under load: nothing acknowledged is lost, and the server is not restarted."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest

from core.auth.signing import SigningKey, issue_platform_token
from core.settings import Settings
from services.migrations import migrate
from tests.clusters import DEBIAN_15, Standby, ThrowawayCluster, start_standby, start_throwaway_cluster
from tests.e2e.check_in_load import (
    AGENTS,
    FILL_AGENTS,
    CheckInLoad,
    assert_nothing_lost,
    execute_sql,
    read_versions,
    start_load,
)
from tests.e2e.servers import start_server
from tests.waiting import wait_until
from tests.websocket_client import WebSocketClient, connect_websocket

pytestmark = pytest.mark.skipif(not DEBIAN_15.exists(), reason="PostgreSQL 15 is not installed")

LIVE: Final = "subscription { agents(first: 100) { totalCount nodes { id version } } }"
TENANT: Final = {"X-Tenant-Id": "t"}


@pytest.fixture
def primary() -> Iterator[ThrowawayCluster]:
    with start_throwaway_cluster(15, synchronous_commit="on") as started:
        yield started


class LiveVersions:
    """A live query of all agents' versions, on one socket."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.messages = 0

    async def follow(self, socket: WebSocketClient) -> None:
        """Receive states until cancelled. Any other message is an error."""
        while True:
            message = await socket.receive()
            assert message["type"] == "next", message
            assert "errors" not in message["payload"], message
            nodes = message["payload"]["data"]["agents"]["nodes"]
            self.versions = {node["id"]: int(node["version"]) for node in nodes}
            self.messages += 1


async def set_synchronous(primary: ThrowawayCluster) -> None:
    """Let each commit wait for the standby."""
    connection = await asyncpg.connect(primary.build_dsn("postgres", "postgres"))
    await connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await connection.execute("SELECT pg_reload_conf()")
    query = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync') FROM pg_sleep(0.05)"
    while not await connection.fetchval(query):
        pass
    await connection.close()


async def fail_over(primary: ThrowawayCluster, standby: Standby, load: CheckInLoad) -> None:
    """Kill the primary under load, promote the standby, and wait until each agent was acknowledged again."""
    await wait_until(lambda: len(load.acknowledged) == AGENTS)
    await asyncio.sleep(1)
    await asyncio.to_thread(primary.kill)
    await asyncio.sleep(1)
    await standby.promote()
    before = dict(load.acknowledged)
    await wait_until(lambda: all(load.acknowledged[agent] > number for agent, number in before.items()))


async def test_failover_under_load_loses_nothing_and_live_queries_go_on(
    primary: ThrowawayCluster, tmp_path: Path
) -> None:
    name = await primary.create_database()
    await migrate(primary.build_dsn(name), Settings())
    await execute_sql(primary.build_dsn(name), FILL_AGENTS)
    key = SigningKey.create(tmp_path / "key.pem")
    with start_standby(primary) as standby:
        await set_synchronous(primary)
        hosts = f"{primary.socket_dir},{standby.socket_dir}"
        environment: dict[str, Any] = {
            "DATABASE_URL": f"postgresql://msp@/{name}?host={hosts}&port=5432",
            "SIGNING_KEY": (tmp_path / "key.pem").read_text(),
            "OIDC_ISSUER": "https://issuer.example",
            "OIDC_ANY_CLIENT": "true",
            "AGENT_CALLS_PER_MINUTE": "1000000",
        }
        token, live = issue_platform_token(key), LiveVersions()
        with start_server(**environment) as server:
            async with connect_websocket(server.url) as socket:
                await socket.init(token, **TENANT)
                await socket.subscribe(LIVE)
                following = asyncio.create_task(live.follow(socket))
                async with start_load(server.url, tmp_path / "key.pem") as load:
                    await fail_over(primary, standby, load)
                    await asyncio.sleep(1)
                found = await read_versions(standby.build_dsn(name))
                assert_nothing_lost(load, found)
                await wait_until(lambda: live.versions == found or following.done())
                following.cancel()
                assert (await asyncio.gather(following, return_exceptions=True))[
                    0
                ].__class__ is asyncio.CancelledError
            assert set(load.statuses) <= {200, 503}
            async with httpx.AsyncClient() as client:
                ready = await client.get(f"{server.url}/readyz")
            assert (ready.status_code, ready.json()["active"]) == (200, True)
            assert server.process.poll() is None
            server.stop()
