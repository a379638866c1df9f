"""No acknowledged check-in is lost: kill -9 of the server and of PostgreSQL under load, an unavailable database."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.auth.signing import SigningKey
from tests.clusters import ThrowawayCluster, start_throwaway_cluster
from tests.e2e.check_in_load import (
    AGENTS,
    FILL_AGENTS,
    CheckInLoad,
    assert_nothing_lost,
    execute_sql,
    read_versions,
    start_load,
)
from tests.e2e.servers import Server, start_server
from tests.waiting import wait_until


@dataclass
class AgentBackend:
    """A durable database, and everything that a server needs to serve its agents."""

    cluster: ThrowawayCluster
    dsn: str
    key: Path

    @contextmanager
    def start_server(self) -> Iterator[Server]:
        """A server over it."""
        environment: dict[str, Any] = {
            "DATABASE_URL": self.dsn,
            "SIGNING_KEY": self.key.read_text(),
            "OIDC_ISSUER": "https://issuer.example",
            "OIDC_AUDIENCES": "msp",
            "AGENT_CALLS_PER_MINUTE": "1000000",
        }
        with start_server(**environment) as server:
            yield server


@pytest.fixture
def agent_backend(tmp_path: Path) -> Iterator[AgentBackend]:
    with start_throwaway_cluster(18, synchronous_commit="on") as cluster:
        key = tmp_path / "key.pem"
        SigningKey.create(key)
        name = asyncio.run(cluster.create_database())
        made = AgentBackend(cluster, cluster.build_dsn(name), key)
        with made.start_server():
            asyncio.run(execute_sql(made.dsn, FILL_AGENTS))
        yield made


def test_check_ins_when_server_is_killed_are_not_lost(agent_backend: AgentBackend) -> None:
    async def killed(server: Server, before: CheckInLoad | None) -> CheckInLoad:
        async with start_load(server.url, agent_backend.key, before) as made:
            await asyncio.sleep(2)
            assert made.statuses[200] > 100
            assert set(made.statuses) == {200}
            server.stop(signal.SIGKILL)
            await asyncio.sleep(0.2)
        assert_nothing_lost(made, await read_versions(agent_backend.dsn))
        return made

    made: CheckInLoad | None = None
    for _ in range(3):
        with agent_backend.start_server() as server:
            made = asyncio.run(killed(server, made))
    assert made is not None
    assert len(made.acknowledged) == AGENTS


def test_check_ins_when_postgresql_is_killed_are_not_lost(agent_backend: AgentBackend) -> None:
    async def crashed(server: Server) -> None:
        async with start_load(server.url, agent_backend.key) as made:
            for _ in range(3):
                await asyncio.sleep(1.5)
                before = Counter(made.acknowledged)
                await asyncio.to_thread(agent_backend.cluster.crash)
                found = await read_versions(agent_backend.dsn)
                assert all(found[agent] >= number for agent, number in before.items())
            await wait_until(lambda: all(made.acknowledged[one] > before[one] for one in before))
        assert set(made.statuses) == {200, 503}
        assert made.without_retry_after == 0
        assert_nothing_lost(made, await read_versions(agent_backend.dsn))

    with agent_backend.start_server() as server:
        asyncio.run(crashed(server))


def test_check_ins_without_database_are_503_in_bounded_memory(agent_backend: AgentBackend) -> None:
    async def gone(server: Server) -> None:
        process = psutil.Process(server.process.pid)
        async with start_load(server.url, agent_backend.key) as made:
            await asyncio.sleep(2)
            before = process.memory_info().rss
            await asyncio.to_thread(agent_backend.cluster.stop)
            await asyncio.sleep(0.5)
            made.statuses.clear()
            await wait_until(lambda: made.statuses.total() > 1_000)
            assert set(made.statuses) == {503}
            assert made.without_retry_after == 0
            assert process.memory_info().rss - before < 32 << 20
            await asyncio.to_thread(agent_backend.cluster.restart)
            made.statuses.clear()
            await wait_until(lambda: made.statuses[200] > 500)
        assert_nothing_lost(made, await read_versions(agent_backend.dsn))

    with agent_backend.start_server() as server:
        asyncio.run(gone(server))


def test_check_ins_while_database_hangs_are_503_meanwhile(agent_backend: AgentBackend) -> None:
    """PostgreSQL stops in the middle of its work, as on an overloaded machine, and continues later."""

    async def hung(server: Server) -> None:
        async with start_load(server.url, agent_backend.key) as made:
            await asyncio.sleep(2)
            made.statuses.clear()
            halted = _list_processes(agent_backend.cluster)
            for process in halted:
                process.suspend()
            try:
                await wait_until(lambda: made.statuses[503] > AGENTS)
            finally:
                for process in halted:
                    process.resume()
            made.statuses.clear()
            await wait_until(lambda: made.statuses[200] > 500)
        assert_nothing_lost(made, await read_versions(agent_backend.dsn))

    with agent_backend.start_server() as server:
        asyncio.run(hung(server))


def _list_processes(cluster: ThrowawayCluster) -> list[psutil.Process]:
    """PostgreSQL's processes, the postmaster first."""
    first = psutil.Process(cluster._server.process.pid)
    return [first, *first.children(recursive=True)]
