"""One tenant attacks with everything at once: the latency of another tenant's small work, with and without it.

    .venv/bin/python -m benchmarks.fair_shares [SECONDS]

The attack, all of one tenant: heavy queries of two root fields and of one, a hundred live queries on all agents of
the tenant, and a change of these agents every second. The other tenant sends a small read and a mutation ten times a
second each, and waits for the live message of each mutation. The results are printed.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import asyncpg
import httpx

from api.demo_issuer import DemoIssuer
from benchmarks.live_servers import LiveServers, ServerProcess, create_administrators, describe_machine
from benchmarks.reads import prepare_database
from benchmarks.websocket_clients import FrameCounter, open_sockets, send_subscribe
from core.database.embedded.embedded_postgres import EmbeddedPostgres

_DATA_DIR: Final = Path(".data/bench")
_SECONDS: Final = 20.0
_PAUSE_S: Final = 0.1
_HEAVY_CLIENTS: Final = 22
_LIVE_QUERIES: Final = 100

_HEAVY: Final = (
    '{ entities(first: 500, search: "%s") { nodes { id } } agents(first: 500, search: "%s") { nodes { id } } }',
    '{ entities(first: 500, search: "%s") { nodes { id } } }',
)
_HEAVY_LIVE: Final = 'subscription { agents(first: 1, search: "%s") { totalCount nodes { id } } }'
_SMALL_READ: Final = "query ($id: ID!) { agent(id: $id) { hostname } }"
_SMALL_LIVE: Final = "subscription ($id: ID!) { agent(id: $id) { hostname } }"
_MUTATION: Final = (
    "mutation ($id: ID!, $name: String!) { updateAgent(id: $id, input: {hostname: $name}) { id } }"
)


class Client:
    """One user of the server over HTTP."""

    def __init__(self, port: int, token: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )

    async def execute(self, query: str, **variables: Any) -> Any:
        """The response as a mapping."""
        return (await self._http.post("/graphql", json={"query": query, "variables": variables})).json()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()


class Victim:
    """The other tenant: its latencies in seconds, by kind of work."""

    def __init__(self, client: Client, agent: str) -> None:
        self.latencies: dict[str, list[float]] = {"read": [], "mutation": [], "live message": []}
        self.errors = 0
        self._client = client
        self._agent = agent
        self._names = itertools.count()
        self._sent: dict[str, float] = {}

    def receive(self, payload: bytes) -> None:
        """Note the arrival of a live message."""
        hostname = json.loads(payload)["payload"]["data"]["agent"]["hostname"]
        sent = self._sent.pop(hostname, None)
        if sent is not None:
            self.latencies["live message"].append(time.perf_counter() - sent)

    async def read(self) -> None:
        """One small read."""
        await self._time("read", _SMALL_READ, id=self._agent)

    async def write(self) -> None:
        """One mutation; the live message counts from its start."""
        name = f"fair-{next(self._names)}"
        self._sent[name] = time.perf_counter()
        await self._time("mutation", _MUTATION, id=self._agent, name=name)

    async def _time(self, kind: str, query: str, **variables: Any) -> None:
        began = time.perf_counter()
        answer = await self._client.execute(query, **variables)
        self.latencies[kind].append(time.perf_counter() - began)
        self.errors += "errors" in answer

    def report(self) -> dict[str, Any]:
        """The percentiles of each kind in ms."""
        return {
            **{kind: _percentiles(values) for kind, values in self.latencies.items()},
            "errors": self.errors,
            "lost live messages": len(self._sent),
        }

    def reset(self) -> None:
        """Drop all latencies."""
        for values in self.latencies.values():
            values.clear()
        self.errors = 0
        self._sent.clear()


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100)
    return {
        "count": len(values),
        "p50": round(cuts[49] * 1000, 1),
        "p99": round(cuts[98] * 1000, 1),
        "max": round(max(values) * 1000, 1),
    }


async def _repeat(seconds: float, work: Callable[[], Any]) -> None:
    """Start work every `_PAUSE_S`, whether or not the last one has ended, and wait for all of it."""
    until, tasks = time.perf_counter() + seconds, []
    while time.perf_counter() < until:
        tasks.append(asyncio.create_task(work()))
        await asyncio.sleep(_PAUSE_S)
    await asyncio.gather(*tasks)


async def _measure(victim: Victim, seconds: float) -> dict[str, Any]:
    victim.reset()
    await asyncio.gather(_repeat(seconds, victim.read), _repeat(seconds, victim.write))
    await asyncio.sleep(2)
    return victim.report()


@asynccontextmanager
async def _attack(
    fixtures: LiveServers, served: ServerProcess, tenant: str, token: str
) -> AsyncIterator[dict[str, int]]:
    """Attack while the block runs. The counts say how many requests were answered."""
    counts = {"answered": 0, "refused": 0}
    client, counter, numbers = Client(served.port, token), FrameCounter(), itertools.count()
    sockets = await open_sockets(served.port, "/graphql", 1, counter, [token])
    for number in range(_LIVE_QUERIES):
        send_subscribe(sockets[0], str(number), _HEAVY_LIVE % f"{number:03}")

    async def send_heavy(number: int) -> None:
        while True:
            word = f"{next(numbers):06}"
            query = _HEAVY[number % 2].replace("%s", word)
            with suppress(httpx.HTTPError):
                answer = await client.execute(query)
                counts["refused" if "errors" in answer else "answered"] += 1
                if "errors" in answer:
                    await asyncio.sleep(0.05)

    async def touch_agents() -> None:
        while True:
            await fixtures.connection.execute(
                "UPDATE agents SET hostname = left(hostname, 40) || 'x' WHERE id = "
                "(SELECT min(id) FROM agents WHERE tenant_id = $1)",
                tenant,
            )
            await asyncio.sleep(1)

    tasks = [asyncio.create_task(send_heavy(number)) for number in range(_HEAVY_CLIENTS)]
    tasks.append(asyncio.create_task(touch_agents()))
    try:
        await asyncio.sleep(3)
        yield counts
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for socket in sockets:
            socket.close()
        await client.close()


async def run(fixtures: LiveServers, seconds: float) -> dict[str, Any]:
    """Measure without the attack, with it, and without it again."""
    other = await fixtures.connection.fetchval(
        "SELECT tenant_id FROM agents WHERE tenant_id <> $1 AND deleted_at IS NULL LIMIT 1", fixtures.tenant
    )
    agent = await fixtures.connection.fetchval(
        "SELECT id FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1", other
    )
    issuer = DemoIssuer.load(fixtures.data_dir)
    (attacker,) = (
        issuer.issue(u) for u in await create_administrators(fixtures.connection, fixtures.tenant, 1)
    )
    (token,) = (issuer.issue(user) for user in await create_administrators(fixtures.connection, other, 1))
    with fixtures.start_ours() as served:
        victim = Victim(Client(served.port, token), agent)
        counter = FrameCounter(on_payload=victim.receive)
        (socket,) = await open_sockets(served.port, "/graphql", 1, counter, [token])
        send_subscribe(socket, "1", _SMALL_LIVE, {"id": agent})
        await _measure(victim, 2)
        result = {**describe_machine(), "without": await _measure(victim, seconds)}
        async with _attack(fixtures, served, fixtures.tenant, attacker) as counts:
            result["under attack"] = await _measure(victim, seconds)
        result["attack"] = counts
        result["after"] = await _measure(victim, seconds / 4)
        socket.close()
        return result


async def _measure_database(dsn: str, data_dir: Path, seconds: float) -> dict[str, Any]:
    tenant, _site, _user = await prepare_database(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        return await run(LiveServers(dsn, data_dir, connection, tenant), seconds)
    finally:
        await connection.close()


def main() -> None:
    """Run everything, and print the results."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else _SECONDS
    postgres = EmbeddedPostgres.start(_DATA_DIR)
    try:
        print(json.dumps(asyncio.run(_measure_database(postgres.dsn, _DATA_DIR, seconds)), indent=2))
    finally:
        postgres.stop()


if __name__ == "__main__":
    main()
