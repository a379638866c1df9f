"""No acknowledged check-in is lost: kill -9 of the server and of PostgreSQL under load, a database that is gone."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

import asyncpg
import psutil
import pytest

from core.agent_tokens import AgentTokens
from core.signing import SigningKey
from tests.clusters import ThrowawayCluster, throwaway_cluster
from tests.e2e.lean_http import LeanClient
from tests.e2e.servers import Server, running
from tests.live.engine import eventually

AGENTS: Final = 60
_FILL: Final = """
    INSERT INTO tenants (id, name) VALUES ('t', 'T');
    INSERT INTO sites (id, tenant_id, name, slug) VALUES ('s', 't', 'S', 's');
    INSERT INTO agents (id, tenant_id, site_id, guid, hostname, platform, version)
    SELECT 'a' || n, 't', 's', 'g' || n, 'h' || n, 'windows', '0' FROM generate_series(1, 60) n;
"""


@dataclass
class Ground:
    """A database that keeps what it has committed, and what a server needs to serve its agents."""

    cluster: ThrowawayCluster
    dsn: str
    key: Path

    @contextmanager
    def server(self) -> Iterator[Server]:
        """A server over it."""
        environment = {
            "DATABASE_URL": self.dsn,
            "SIGNING_KEY": self.key.read_text(),
            "OIDC_ISSUER": "https://issuer.example",
            "AGENT_CALLS_PER_MINUTE": "1000000",
        }
        with running(**environment) as server:
            yield server


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with throwaway_cluster(18, synchronous_commit="on") as cluster:
        key = tmp_path / "key.pem"
        SigningKey.create(key)
        name = asyncio.run(cluster.create())
        made = Ground(cluster, cluster.dsn(name), key)
        with made.server():
            asyncio.run(_execute(made.dsn, _FILL))
        yield made


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(statement)
    await connection.close()


@dataclass
class Load:
    """Agents that check in as fast as they can; each check-in's version is a number of its own.

    Attributes:
        acknowledged: by agent, the number that was acknowledged last.
        sent: by agent, the number that was sent last.
        statuses: how often each status was answered; 0 is no answer.
        longest_s: how long the longest answer took.
    """

    url: str
    tokens: AgentTokens
    acknowledged: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    longest_s: float = 0.0
    without_retry_after: int = 0
    is_over: bool = False

    async def agent(self, name: str) -> None:
        """One of them, until it is over."""
        client = LeanClient(self.url)
        token = self.tokens.issue(name, "s", "t")
        headers = {"Authorization": f"Bearer {token}", "X-Site-ID": "s", "X-Device-ID": name}
        while not self.is_over:
            self.sent[name] += 1
            number, began = self.sent[name], monotonic()
            body = {"hostname": name, "version": str(number)}
            try:
                answer = await client.post("/v1.0/heartbeat", body, headers)
            except (OSError, EOFError):
                self.statuses[0] += 1
                await asyncio.sleep(0.02)
                continue
            self.longest_s = max(self.longest_s, monotonic() - began)
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
async def load(url: str, key: Path, like: Load | None = None) -> AsyncIterator[Load]:
    """All agents at work, going on from another load's numbers."""
    made = Load(url, AgentTokens(SigningKey.create(key)))
    if like:
        made.sent, made.acknowledged = like.sent, like.acknowledged
    tasks = [asyncio.create_task(made.agent(f"a{n}")) for n in range(1, AGENTS + 1)]
    try:
        yield made
    finally:
        made.is_over = True
        await asyncio.gather(*tasks)


async def _found(dsn: str) -> dict[str, int]:
    """By agent, the number of the check-in that stands in the table."""
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT id, version, last_checkin_at FROM agents")
    await connection.close()
    assert all((row["version"] == "0") is (row["last_checkin_at"] is None) for row in rows)
    return {row["id"]: int(row["version"]) for row in rows}


def _nothing_lost(made: Load, found: dict[str, int]) -> None:
    for agent, number in made.acknowledged.items():
        assert number <= found[agent] <= made.sent[agent], (agent, number, found[agent], made.sent[agent])


def test_the_server_is_killed_under_load(ground: Ground) -> None:
    async def killed(server: Server, before: Load | None) -> Load:
        async with load(server.url, ground.key, before) as made:
            await asyncio.sleep(2)
            assert made.statuses[200] > 100
            assert set(made.statuses) == {200}
            server.end(signal.SIGKILL)
            await asyncio.sleep(0.2)
        _nothing_lost(made, await _found(ground.dsn))
        return made

    made: Load | None = None
    for _ in range(3):
        with ground.server() as server:
            made = asyncio.run(killed(server, made))
    assert made is not None
    assert len(made.acknowledged) == AGENTS


def test_postgresql_is_killed_under_load(ground: Ground) -> None:
    async def crashed(server: Server) -> None:
        async with load(server.url, ground.key) as made:
            for _ in range(3):
                await asyncio.sleep(1.5)
                before = Counter(made.acknowledged)
                await asyncio.to_thread(ground.cluster.crash)
                found = await _found(ground.dsn)
                assert all(found[agent] >= number for agent, number in before.items())
            await eventually(lambda: all(made.acknowledged[one] > before[one] for one in before), 30)
        assert set(made.statuses) == {200, 503}
        assert made.without_retry_after == 0
        _nothing_lost(made, await _found(ground.dsn))

    with ground.server() as server:
        asyncio.run(crashed(server))


def test_a_database_that_is_gone_costs_no_memory_and_no_time(ground: Ground) -> None:
    async def gone(server: Server) -> None:
        process = psutil.Process(server.process.pid)
        async with load(server.url, ground.key) as made:
            await asyncio.sleep(2)
            before = process.memory_info().rss
            await asyncio.to_thread(ground.cluster.stop)
            await asyncio.sleep(0.5)
            made.statuses.clear()
            made.longest_s = 0.0
            await asyncio.sleep(4)
            assert set(made.statuses) == {503}
            assert made.statuses[503] > 1_000
            assert made.without_retry_after == 0
            assert made.longest_s < 2
            assert process.memory_info().rss - before < 32 << 20
            await asyncio.to_thread(ground.cluster.restart)
            made.statuses.clear()
            await eventually(lambda: made.statuses[200] > 500, 30)
        _nothing_lost(made, await _found(ground.dsn))

    with ground.server() as server:
        asyncio.run(gone(server))


def test_a_database_that_hangs_holds_nobody_for_long(ground: Ground) -> None:
    """PostgreSQL stops in the middle of its work, as a machine does that is overloaded, and goes on later."""

    async def hung(server: Server) -> None:
        async with load(server.url, ground.key) as made:
            await asyncio.sleep(2)
            made.statuses.clear()
            made.longest_s = 0.0
            halted = _processes_of(ground.cluster)
            for process in halted:
                process.suspend()
            try:
                await asyncio.sleep(9)
                assert made.statuses[503] > AGENTS
                assert made.longest_s < 8
            finally:
                for process in halted:
                    process.resume()
            made.statuses.clear()
            await eventually(lambda: made.statuses[200] > 500, 30)
        _nothing_lost(made, await _found(ground.dsn))

    with ground.server() as server:
        asyncio.run(hung(server))


def _processes_of(cluster: ThrowawayCluster) -> list[psutil.Process]:
    """PostgreSQL's processes, the first of them the one that starts others."""
    first = psutil.Process(cluster._server.process.pid)
    return [first, *first.children(recursive=True)]
