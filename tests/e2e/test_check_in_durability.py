"""No acknowledged check-in is lost: kill -9 of the server and of PostgreSQL under load, an unavailable database."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil
import pytest

from core.auth.agent_tokens import AgentTokens
from core.auth.signing import SigningKey
from tests.clusters import ThrowawayCluster, start_throwaway_cluster
from tests.e2e.keep_alive_client import KeepAliveClient
from tests.e2e.servers import Server, start_server
from tests.waiting import wait_until

AGENTS: Final = 60
_FILL: Final = """
    INSERT INTO tenants (id, name) VALUES ('t', 'T');
    INSERT INTO sites (id, tenant_id, name, slug) VALUES ('s', 't', 'S', 's');
    INSERT INTO agents (id, tenant_id, site_id, guid, hostname, platform, version)
    SELECT 'a' || n, 't', 's', 'g' || n, 'h' || n, 'windows', '0' FROM generate_series(1, 60) n;
"""


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
            asyncio.run(_execute(made.dsn, _FILL))
        yield made


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


@dataclass
class CheckInLoad:
    """Agents that check in as fast as they can. Each check-in has a version number of its own.

    Attributes:
        acknowledged: By agent, the last acknowledged number.
        sent: By agent, the last sent number.
        statuses: The number of responses by status; 0 is no response.
    """

    url: str
    tokens: AgentTokens
    acknowledged: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    is_over: bool = False

    async def run_agent(self, name: str) -> None:
        """Run one agent until the load ends."""
        client = KeepAliveClient(self.url)
        token = self.tokens.issue_agent_token(name, "s", "t")
        headers = {"Authorization": f"Bearer {token}", "X-Site-ID": "s", "X-Device-ID": name}
        while not self.is_over:
            self.sent[name] += 1
            number = self.sent[name]
            body = {"hostname": name, "version": str(number)}
            try:
                answer = await client.post("/v1.0/heartbeat", body, headers)
            except (OSError, EOFError):
                self.statuses[0] += 1
                await asyncio.sleep(0.02)
                continue
            self.statuses[answer.status] += 1
            if answer.status == 200:
                assert answer.body["data"]["guid"]
                self.acknowledged[name] = number
            else:
                assert answer.body["error"]["code"] == str(answer.status)
                self.without_retry_after += "retry-after" not in answer.headers
                await asyncio.sleep(0.02)
        client.close()


@asynccontextmanager
async def start_load(url: str, key: Path, previous: CheckInLoad | None = None) -> AsyncIterator[CheckInLoad]:
    """Run all agents, continuing another load's numbers."""
    made = CheckInLoad(url, AgentTokens(SigningKey.create(key)))
    if previous:
        made.sent, made.acknowledged = previous.sent, previous.acknowledged
    tasks = [asyncio.create_task(made.run_agent(f"a{n}")) for n in range(1, AGENTS + 1)]
    try:
        yield made
    finally:
        made.is_over = True
        await asyncio.gather(*tasks)


async def _read_versions(dsn: str) -> dict[str, int]:
    """By agent, the number of the check-in in the table."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT id, version, last_checkin_at FROM agents")
    await connection.close()
    assert all((row["version"] == "0") is (row["last_checkin_at"] is None) for row in rows)
    return {row["id"]: int(row["version"]) for row in rows}


def _assert_nothing_lost(made: CheckInLoad, found: dict[str, int]) -> None:
    for agent, number in made.acknowledged.items():
        assert number <= found[agent] <= made.sent[agent], (agent, number, found[agent], made.sent[agent])


def test_check_ins_when_server_is_killed_are_not_lost(agent_backend: AgentBackend) -> None:
    async def killed(server: Server, before: CheckInLoad | None) -> CheckInLoad:
        async with start_load(server.url, agent_backend.key, before) as made:
            await asyncio.sleep(2)
            assert made.statuses[200] > 100
            assert set(made.statuses) == {200}
            server.stop(signal.SIGKILL)
            await asyncio.sleep(0.2)
        _assert_nothing_lost(made, await _read_versions(agent_backend.dsn))
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
                found = await _read_versions(agent_backend.dsn)
                assert all(found[agent] >= number for agent, number in before.items())
            await wait_until(lambda: all(made.acknowledged[one] > before[one] for one in before))
        assert set(made.statuses) == {200, 503}
        assert made.without_retry_after == 0
        _assert_nothing_lost(made, await _read_versions(agent_backend.dsn))

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
        _assert_nothing_lost(made, await _read_versions(agent_backend.dsn))

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
        _assert_nothing_lost(made, await _read_versions(agent_backend.dsn))

    with agent_backend.start_server() as server:
        asyncio.run(hung(server))


def _list_processes(cluster: ThrowawayCluster) -> list[psutil.Process]:
    """PostgreSQL's processes, the postmaster first."""
    first = psutil.Process(cluster._server.process.pid)
    return [first, *first.children(recursive=True)]
