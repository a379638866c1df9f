"""Live queries, beside a bare websocket that broadcasts the same bytes: `python -m benchmarks.live`.

(a) one write, 1,000 and 10,000 subscribers of one query; (b) 10,000 distinct live queries, writes that touch one
each, and one that touches all; (c) writes to a column that nobody selected; (d) nothing happens; and the memory of a
subscribed socket. The tax on writers is in `benchmarks.live_tax`.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import asyncpg
import httpx
import psutil

from api.demo_issuer import DemoIssuer
from benchmarks import servers
from benchmarks.reads import RESULTS, prepare
from benchmarks.sockets import Counted, Socket, opened, signed_in, subscribe
from core.embedded import EmbeddedPostgres

_ONE_QUERY: Final = 'subscription { role(id: "bench") { id name description } }'
_AGENT: Final = "subscription ($id: ID!) { agent(id: $id) { hostname version site { name } } }"
_USERS_EACH: Final = 250
_SOCKETS_OF_QUERIES: Final = 200
_COUNTED: Final = ("runs", "messages", "ticks")


@dataclass
class Bench:
    """A server of ours with a database, and who may ask it."""

    dsn: str
    port: int
    bare_port: int
    issuer: DemoIssuer
    connection: asyncpg.Connection
    ours: psutil.Process
    bare: psutil.Process
    tenant: str

    async def counters(self) -> dict[str, float]:
        """What the server has counted so far."""
        async with httpx.AsyncClient() as http:
            page = (await http.get(f"http://127.0.0.1:{self.port}/metrics")).text
        return {name: _summed(page, f"msp_live_{name}_total") for name in _COUNTED}

    def tokens(self, users: Sequence[str]) -> list[str]:
        """A token for each user."""
        return [self.issuer.issue(user) for user in users]


def _summed(page: str, metric: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{metric}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def users_of(connection: asyncpg.Connection, tenant: str, count: int) -> list[str]:
    """Administrators of a tenant, made for this: a viewer may have only so many sockets."""
    role = await connection.fetchval(
        """SELECT id FROM roles WHERE rights ? 'Global.Admin' AND deleted_at IS NULL
           AND (tenant_id = $1 OR tenant_id IS NULL) LIMIT 1""",
        tenant,
    )
    ids = [f"bench-{tenant}-{number}" for number in range(count)]
    await connection.execute(
        """INSERT INTO users (id, tenant_id, role_id, email, name, status)
           SELECT id, $2, $3, id || '@bench.example', 'Bench', 'active' FROM unnest($1::text[]) AS id
           ON CONFLICT (id) DO NOTHING""",
        ids,
        tenant,
        role,
    )
    return ids


async def one_query(bench: Bench, count: int, writes: int) -> dict[str, Any]:
    """(a): every socket follows the same query; a write changes its answer."""
    counted = Counted()
    users = await users_of(bench.connection, bench.tenant, _USERS_EACH)
    before = bench.ours.memory_info().rss
    sockets = await opened(bench.port, "/graphql", count, counted)
    await signed_in(sockets, bench.tokens(users), counted)
    counted.begin(keeping=True)
    for socket in sockets:
        subscribe(socket, "1", _ONE_QUERY)
    await counted.reach(count)
    memory = (bench.ours.memory_info().rss - before) / count
    text = counted.kept[-1].decode()
    ours = await _told_of_writes(bench, counted, count, writes)
    idle = await _idle(bench) if count >= 10_000 else None
    for socket in sockets:
        socket.close()
    bare = await _broadcast(bench, count, text, writes)
    return {
        "subscribers": count,
        "bytes": len(text),
        "memory_each": round(memory),
        **ours,
        **bare,
        "idle": idle,
    }


async def _told_of_writes(bench: Bench, counted: Counted, count: int, writes: int) -> dict[str, Any]:
    before, cpu, last = await bench.counters(), _cpu(bench.ours), []
    for number in range(writes):
        counted.begin()
        sql = "UPDATE roles SET description = $1 WHERE id = 'bench'"
        await bench.connection.execute(sql, f"{number:05} {time.time()}")
        written = time.perf_counter()
        await counted.reach(count)
        last.append(counted.arrivals[-1] - written)
    spent, after = _cpu(bench.ours) - cpu, await bench.counters()
    return {
        "runs_per_write": (after["runs"] - before["runs"]) / writes,
        "to_last_ms": round(median(last) * 1000, 1),
        "cpu_us_per_message": round(spent / writes / count * 1e6, 1),
    }


async def _broadcast(bench: Bench, count: int, text: str, writes: int) -> dict[str, Any]:
    """The same bytes from the bare server."""
    counted = Counted()
    sockets = await opened(bench.bare_port, "/", count, counted)
    cpu, last = _cpu(bench.bare), []
    async with httpx.AsyncClient(timeout=60) as http:
        for _ in range(writes):
            counted.begin()
            asked = time.perf_counter()
            await http.post(f"http://127.0.0.1:{bench.bare_port}/broadcast", content=text)
            await counted.reach(count)
            last.append(counted.arrivals[-1] - asked)
    spent = _cpu(bench.bare) - cpu
    for socket in sockets:
        socket.close()
    return {
        "bare_to_last_ms": round(median(last) * 1000, 1),
        "bare_cpu_us_per_message": round(spent / writes / count * 1e6, 1),
    }


async def _idle(bench: Bench, seconds: float = 10.0) -> dict[str, float]:
    """(d): transactions a second that PostgreSQL sees, and the server's CPU, while nothing happens."""
    sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    await asyncio.sleep(3)
    before, cpu = await bench.connection.fetchval(sql), _cpu(bench.ours)
    await asyncio.sleep(seconds)
    spent = _cpu(bench.ours) - cpu
    await asyncio.sleep(2)  # its statistics come up to a second late
    seen = await bench.connection.fetchval(sql) - before
    return {"statements_s": round(seen / (seconds + 2), 1), "cpu_share": round(spent / seconds, 3)}


async def many_queries(bench: Bench, count: int, writes: int) -> dict[str, Any]:
    """(b) and (c): each live query reads another agent."""
    counted = Counted()
    agents = await _agents(bench.connection, count)
    sockets = await _followed(bench, agents, counted)
    one = await _one_each(bench, agents, counted, writes)
    everything = await _all_at_once(bench, [agent for _, agent in agents], counted)
    nothing = await _unselected(bench, [agent for _, agent in agents])
    for socket in sockets:
        socket.close()
    return {"queries": count, "one": one, "all": everything, "unselected": nothing}


async def _agents(connection: asyncpg.Connection, count: int) -> list[tuple[str, str]]:
    """Tenants and agents of theirs, by tenant."""
    rows = await connection.fetch(
        """SELECT a.tenant_id, a.id FROM agents a JOIN tenants t ON t.id = a.tenant_id
           WHERE a.deleted_at IS NULL AND t.deleted_at IS NULL AND t.status = 'active'
           ORDER BY a.tenant_id, a.id LIMIT $1""",
        count,
    )
    return [(row["tenant_id"], row["id"]) for row in rows]


async def _followed(bench: Bench, agents: list[tuple[str, str]], counted: Counted) -> list[Socket]:
    by_tenant: dict[str, list[str]] = {}
    for tenant, agent in agents:
        by_tenant.setdefault(tenant, []).append(agent)
    each = max(1, len(agents) // _SOCKETS_OF_QUERIES)
    sockets: list[Socket] = []
    began = time.perf_counter()
    for tenant, ids in by_tenant.items():
        parts = [ids[start : start + each] for start in range(0, len(ids), each)]
        users = await users_of(bench.connection, tenant, len(parts))
        some = await opened(bench.port, "/graphql", len(parts), counted)
        await signed_in(some, bench.tokens(users), counted)
        counted.begin()
        for socket, part in zip(some, parts, strict=True):
            for number, agent in enumerate(part):
                subscribe(socket, str(number), _AGENT, {"id": agent})
        await counted.reach(len(ids))
        sockets += some
    print(f"   {len(agents)} live queries open after {time.perf_counter() - began:.1f} s", flush=True)
    return sockets


async def _one_each(
    bench: Bench, agents: list[tuple[str, str]], counted: Counted, writes: int
) -> dict[str, Any]:
    before, delays = await bench.counters(), []
    for number in range(writes):
        counted.begin()
        agent = agents[number * 7 % len(agents)][1]
        await bench.connection.execute(
            "UPDATE agents SET version = $1 WHERE id = $2", f"v{time.time_ns()}", agent
        )
        written = time.perf_counter()
        await counted.reach(1)
        delays.append((counted.arrivals[0] - written) * 1000)
        await asyncio.sleep(0.02)
    after = await bench.counters()
    cuts = quantiles(delays, n=100)
    return {
        "runs_per_write": (after["runs"] - before["runs"]) / writes,
        "p50_ms": round(cuts[49], 1),
        "p99_ms": round(cuts[98], 1),
    }


async def _all_at_once(bench: Bench, agents: list[str], counted: Counted) -> dict[str, Any]:
    before, cpu = await bench.counters(), _cpu(bench.ours)
    counted.begin()
    sql = "UPDATE agents SET version = $1 WHERE id = ANY($2)"
    await bench.connection.execute(sql, f"all {time.time_ns()}", agents)
    written = time.perf_counter()
    await counted.reach(len(agents))
    last = counted.arrivals[-1] - written
    after = await bench.counters()
    return {
        "to_last_s": round(last, 2),
        "runs": after["runs"] - before["runs"],
        "server_cpu_s": round(_cpu(bench.ours) - cpu, 2),
    }


async def _unselected(
    bench: Bench, agents: list[str], rate: int = 1_000, seconds: float = 10.0
) -> dict[str, Any]:
    """(c): check-ins of agents whose check-in times nobody selected."""
    before, cpu, began = await bench.counters(), _cpu(bench.ours), time.perf_counter()
    pool = await asyncpg.create_pool(bench.dsn, min_size=8, max_size=8)
    sql = "UPDATE agents SET last_checkin_at = last_checkin_at + 1 WHERE id = $1"

    async def writer(number: int) -> int:
        done = 0
        while (now := time.perf_counter() - began) < seconds:
            if done < now * rate / 8:
                await pool.execute(sql, agents[(number + 8 * done) % len(agents)])
                done += 1
            else:
                await asyncio.sleep(0.001)
        return done

    done = sum(await asyncio.gather(*map(writer, range(8))))
    await asyncio.sleep(0.5)
    await pool.close()
    after = await bench.counters()
    return {
        "writes_s": round(done / seconds),
        "runs": after["runs"] - before["runs"],
        "cpu_share": round((_cpu(bench.ours) - cpu) / (time.perf_counter() - began), 2),
    }


async def measured(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Every case."""
    await bench.connection.execute(
        """INSERT INTO roles (id, tenant_id, name, description) VALUES ('bench', $1, 'Bench', '')
           ON CONFLICT (id) DO UPDATE SET tenant_id = excluded.tenant_id""",
        bench.tenant,
    )
    results: dict[str, Any] = {"one_query": []}
    for count in (1_000, options.subscribers):
        seen = await one_query(bench, count, options.writes)
        print(f"(a) {json.dumps(seen)}", flush=True)
        results["one_query"].append(seen)
    results["many_queries"] = await many_queries(bench, options.queries, options.writes * 10)
    print(f"(b), (c) {json.dumps(results['many_queries'])}", flush=True)
    return results


async def _with_servers(dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    tenant, _site, _user = await prepare(dsn)
    port, bare_port = servers.free_port(), servers.free_port()
    connection = await asyncpg.connect(dsn)
    with ExitStack() as running:
        running.enter_context(servers.process(*_in_order(servers.ours(dsn, options.data_dir, port), port)))
        floor = [sys.executable, "-m", "benchmarks.bare_socket", str(bare_port)]
        running.enter_context(servers.process(floor, bare_port, {}, servers.ROOT))
        issuer = DemoIssuer.load(options.data_dir)
        ours, bare = _listening(port), _listening(bare_port)
        return await measured(Bench(dsn, port, bare_port, issuer, connection, ours, bare, tenant), options)


def _in_order(started: Any, port: int) -> tuple[Any, int, Any, Path]:
    command, environment, cwd = started
    return command, port, environment, cwd


def _listening(port: int) -> psutil.Process:
    """The child of ours that listens on a port."""
    for child in psutil.Process().children(recursive=True):
        if any(c.laddr.port == port for c in child.net_connections("tcp") if c.status == psutil.CONN_LISTEN):
            return child
    raise SystemExit(f"nobody listens on port {port}")


def main() -> None:
    """Run everything, and write what was seen to `benchmarks/results/live.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--writes", type=int, default=10)
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench"))
    options = parser.parse_args()
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        results = asyncio.run(_with_servers(postgres.dsn, options))
    finally:
        postgres.stop()
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    report = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, **results}
    (RESULTS / "live.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
