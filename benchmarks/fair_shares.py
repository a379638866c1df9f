"""One tenant attacks with everything at once: the latency of another tenant's small work, with and without it.

    .venv/bin/python -m benchmarks.fair_shares [SECONDS]

The attack is a process of its own (`fair_attack.py`). The other tenant sends a small read and a mutation ten times a
second each, and waits for the live message of each mutation. The floor is the same read and write by asyncpg, without
our server, at the same time: what PostgreSQL and the machine take. In the last phase the attack's statements run
without our server, as many at once as its pools would allow, and only the floor is measured.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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
from core.limits import DOCUMENT_CPU_SHARE

_DATA_DIR: Final = Path(".data/bench")
_SECONDS: Final = 20.0
_PAUSE_S: Final = 0.1
_SETTLE_S: Final = 3.0
_ROWS: Final = 20
"""Rows that the mutations change in turn, so that they do not wait for one another."""

_TECHNICIANS: Final = 4
_UNBOUND: Final = 16
"""The statements of one tenant that the two pools of requests would run at once."""

_SMALL_READ: Final = "query ($id: ID!) { agent(id: $id) { hostname } }"
_SMALL_LIVE: Final = "subscription ($ids: [ID!]!) { agents(where: {id: {in: $ids}}) { nodes { hostname } } }"
_MUTATION: Final = (
    "mutation ($id: ID!, $name: String!) { updateAgent(id: $id, input: {hostname: $name}) { id } }"
)
_AGENTS: Final = "SELECT id FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2"
_FLOOR_READ: Final = "SELECT hostname FROM agents WHERE id = $1"
_FLOOR_WRITE: Final = "UPDATE agents SET hostname = $2 WHERE id = $1"
_HEAVY_SQL: Final = """
SELECT id FROM entities
WHERE tenant_id = $1 AND (strpos(app.fold(external_id), $2) > 0 OR strpos(app.fold(entity_type), $2) > 0)
ORDER BY id LIMIT 500
"""
_TECHNICIAN_ROLE: Final = """
INSERT INTO roles (id, tenant_id, name, description, rights)
VALUES ($1, $2, 'Bench technician', '', '{"Agents.Read": true, "Entities.Read": true, "Sites.Read": true}')
ON CONFLICT (id) DO NOTHING
"""


class Latencies:
    """The latencies of some kinds of work in seconds, and how many of them failed."""

    def __init__(self) -> None:
        self.by_kind: dict[str, list[float]] = {}
        self.errors = 0

    async def time(self, kind: str, work: Awaitable[bool]) -> None:
        """Time work; it returns whether it succeeded."""
        began = time.perf_counter()
        self.errors += not await work
        self.add(kind, time.perf_counter() - began)

    def add(self, kind: str, seconds: float) -> None:
        """Add one latency."""
        self.by_kind.setdefault(kind, []).append(seconds)

    def report(self) -> dict[str, Any]:
        """The percentiles of each kind in ms."""
        kinds = {kind: _percentiles(values) for kind, values in sorted(self.by_kind.items())}
        return {**kinds, "errors": self.errors}


class Victim:
    """The other tenant, over HTTP and a socket."""

    def __init__(self, port: int, token: str, agents: list[str]) -> None:
        self.latencies = Latencies()
        self.lost: dict[str, float] = {}
        """When the mutations were sent whose live message has not arrived."""
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=30
        )
        self._agents = itertools.cycle(agents)
        self._names = itertools.count()

    def receive(self, payload: bytes) -> None:
        """Note the arrival of a live message."""
        now = time.perf_counter()
        for node in json.loads(payload)["payload"]["data"]["agents"]["nodes"]:
            sent = self.lost.pop(node["hostname"], None)
            if sent is not None:
                self.latencies.add("live message", now - sent)

    async def read(self) -> None:
        """One small read."""
        await self.latencies.time("read", self._execute(_SMALL_READ, id=next(self._agents)))

    async def write(self) -> None:
        """One mutation; the live message counts from its start."""
        name = f"fair-{next(self._names)}"
        self.lost[name] = time.perf_counter()
        await self.latencies.time("mutation", self._execute(_MUTATION, id=next(self._agents), name=name))

    async def _execute(self, query: str, **variables: Any) -> bool:
        response = await self._http.post("/graphql", json={"query": query, "variables": variables})
        return "errors" not in response.json()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()


class Floor:
    """The same read and write, sent to PostgreSQL by asyncpg on a connection each."""

    def __init__(self, reads: asyncpg.Connection, writes: asyncpg.Connection, agents: list[str]) -> None:
        self.latencies = Latencies()
        self._reads, self._writes = reads, writes
        self._agents = itertools.cycle(agents)
        self._names = itertools.count()

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str, agents: list[str]) -> AsyncIterator["Floor"]:
        """Open the two connections."""
        reads, writes = [await asyncpg.connect(dsn) for _ in range(2)]
        try:
            yield cls(reads, writes, agents)
        finally:
            await reads.close()
            await writes.close()

    async def read(self) -> None:
        """One row by its id."""
        await self.latencies.time("floor read", self._fetch(self._reads, _FLOOR_READ))

    async def write(self) -> None:
        """One row written and committed, with the triggers of the change log."""
        work = self._fetch(self._writes, _FLOOR_WRITE, f"floor-{next(self._names)}")
        await self.latencies.time("floor write", work)

    async def _fetch(self, connection: asyncpg.Connection, sql: str, *values: str) -> bool:
        await connection.fetch(sql, next(self._agents), *values)
        return True


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return {
        "count": len(values),
        "p50": round(cuts[49] * 1000, 1),
        "p99": round(cuts[98] * 1000, 1),
        "max": round(max(values) * 1000, 1),
    }


async def _repeat(seconds: float, work: Callable[[], Any], lag_s: float, *, alone: bool) -> None:
    """Start work every `_PAUSE_S`, `alone` only after the last one has ended, and wait for all of it."""
    await asyncio.sleep(lag_s)
    until, tasks = time.perf_counter() + seconds, []
    while time.perf_counter() < until:
        tasks.append(asyncio.create_task(work()))
        if alone:
            await tasks[-1]
        await asyncio.sleep(_PAUSE_S)
    await asyncio.gather(*tasks)


async def _measure(seconds: float, floor: Floor, victim: Victim | None = None) -> dict[str, Any]:
    """Measure both for so many seconds. Their work begins at different times, so that it does not meet itself."""
    floor.latencies = Latencies()
    work = [_repeat(seconds, floor.read, 0.05, alone=True), _repeat(seconds, floor.write, 0.075, alone=True)]
    if victim is None:
        await asyncio.gather(*work)
        return floor.latencies.report()
    victim.latencies, victim.lost = Latencies(), {}
    await asyncio.gather(
        *work,
        _repeat(seconds, victim.read, 0, alone=False),
        _repeat(seconds, victim.write, 0.025, alone=False),
    )
    await asyncio.sleep(1)
    lost = {"lost live messages": len(victim.lost)}
    return {**victim.latencies.report(), **lost, "floor": floor.latencies.report()}


@asynccontextmanager
async def _attack(
    served: ServerProcess, dsn: str, tenant: str, tokens: list[str]
) -> AsyncIterator[dict[str, Any]]:
    """Attack while the block runs. Afterwards the mapping says how the attacker's requests were answered."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.fair_attack", str(served.port), dsn, tenant, *tokens,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    counts: dict[str, Any] = {}
    try:
        await asyncio.sleep(_SETTLE_S)
        yield counts
    finally:
        output, _ = await process.communicate(b"")  # ends its standard input
        counts.update(json.loads(output or b"{}"))


@asynccontextmanager
async def _attack_directly(dsn: str, tenant: str) -> AsyncIterator[None]:
    """Run the attack's statements on connections of their own, without our server."""

    async def send(connection: asyncpg.Connection) -> None:
        while True:
            await connection.fetch(_HEAVY_SQL, tenant, "zzzzzz")

    connections = [await asyncpg.connect(dsn) for _ in range(_UNBOUND)]
    tasks = [asyncio.create_task(send(connection)) for connection in connections]
    try:
        await asyncio.sleep(1)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in connections:
            connection.terminate()


async def _create_technicians(connection: asyncpg.Connection, tenant: str) -> list[str]:
    """Users of the attacking tenant with a role of their own, which only reads."""
    role = f"bench-technician-{tenant}"
    users = await create_administrators(connection, tenant, _TECHNICIANS)
    await connection.execute(_TECHNICIAN_ROLE, role, tenant)
    await connection.execute("UPDATE users SET role_id = $1 WHERE id = ANY($2::text[])", role, users)
    return users


async def run(fixtures: LiveServers, seconds: float) -> dict[str, Any]:
    """Measure without the attack, with it, without it again, and the floor below the same statements."""
    connection = fixtures.connection
    other = await connection.fetchval(
        "SELECT tenant_id FROM agents WHERE tenant_id <> $1 AND deleted_at IS NULL "
        "GROUP BY tenant_id HAVING count(*) > $2 ORDER BY count(*) LIMIT 1",
        fixtures.tenant,
        2 * _ROWS,
    )
    agents = [row["id"] for row in await connection.fetch(_AGENTS, other, 2 * _ROWS)]
    issuer = DemoIssuer.load(fixtures.data_dir)
    attackers = [issuer.issue(user) for user in await _create_technicians(connection, fixtures.tenant)]
    (token,) = (issuer.issue(user) for user in await create_administrators(connection, other, 1))
    result: dict[str, Any] = dict(describe_machine())
    async with Floor.open(fixtures.dsn, agents[_ROWS:]) as floor:
        with fixtures.start_ours(DOCUMENT_CPU_SHARE=str(DOCUMENT_CPU_SHARE)) as served:
            victim = Victim(served.port, token, agents[:_ROWS])
            (socket,) = await open_sockets(
                served.port, "/graphql", 1, FrameCounter(on_payload=victim.receive), [token]
            )
            send_subscribe(socket, "1", _SMALL_LIVE, {"ids": agents[:_ROWS]})
            await _measure(2, floor, victim)
            result["without"] = await _measure(seconds, floor, victim)
            async with _attack(served, fixtures.dsn, fixtures.tenant, attackers) as counts:
                result["under attack"] = await _measure(seconds, floor, victim)
            result["attack"] = counts
            result["after"] = await _measure(seconds / 4, floor, victim)
            socket.close()
            await victim.close()
        async with _attack_directly(fixtures.dsn, fixtures.tenant):
            result["the statements without our server"] = await _measure(seconds / 2, floor)
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
