"""Cases (b), (c) and (d): each live query reads another agent."""

import asyncio
import time
from statistics import quantiles
from typing import Any, Final

import asyncpg

from benchmarks.live_one import measure_idle
from benchmarks.live_servers import LiveServers, ServerProcess, read_counters
from benchmarks.websocket_clients import FrameCounter, WebSocketConnection, send_subscribe

_AGENT: Final = "subscription ($id: ID!) { agent(id: $id) { hostname version site { name } } }"
_QUERIES_PER_SOCKET: Final = 50
"""The number of live queries on one socket."""

_WRITERS: Final = 8

Agents = dict[str, list[str]]
"""Ids of agents by their tenant."""


async def measure_many_queries(stage: LiveServers, count: int, writes: int) -> dict[str, Any]:
    """All cases, with one server."""
    counted, by_tenant = FrameCounter(), await _choose_agents(stage.connection, count)
    agents = [agent for ids in by_tenant.values() for agent in ids]
    with stage.start_ours() as ours:
        began = time.perf_counter()
        sockets = [
            s
            for tenant, ids in by_tenant.items()
            for s in await _subscribe_to_agents(stage, ours, tenant, ids, counted)
        ]
        open_s = time.perf_counter() - began
        idle = await measure_idle(stage, ours)
        one = await _measure_single_writes(stage, ours, agents, counted, writes)
        everything = [await _measure_write_to_all(stage, ours, agents, counted) for _ in range(5)]
        nothing = await _measure_unselected_writes(stage, ours, agents)
        for socket in sockets:
            socket.close()
    everything.sort(key=lambda seen: seen["to_last_s"])
    return {
        "queries": len(agents),
        "sockets": len(sockets),
        "open_s": round(open_s, 1),
        "one": one,
        "all": everything[2],
        "unselected": nothing,
        "idle": idle,
    }


async def _choose_agents(connection: asyncpg.Connection, count: int) -> Agents:
    rows = await connection.fetch(
        """SELECT a.tenant_id, a.id FROM agents a JOIN tenants t ON t.id = a.tenant_id
           WHERE a.deleted_at IS NULL AND t.deleted_at IS NULL AND t.status = 'active'
           ORDER BY a.tenant_id, a.id LIMIT $1""",
        count,
    )
    found: Agents = {}
    for row in rows:
        found.setdefault(row["tenant_id"], []).append(row["id"])
    return found


async def _subscribe_to_agents(
    stage: LiveServers, ours: ServerProcess, tenant: str, agents: list[str], counted: FrameCounter
) -> list[WebSocketConnection]:
    parts = [
        agents[start : start + _QUERIES_PER_SOCKET] for start in range(0, len(agents), _QUERIES_PER_SOCKET)
    ]
    sockets = await stage.open_sockets(ours, tenant, len(parts), counted)
    counted.begin()
    for socket, part in zip(sockets, parts, strict=True):
        for number, agent in enumerate(part):
            send_subscribe(socket, str(number), _AGENT, {"id": agent})
    await counted.wait_for_frames(len(agents))
    return sockets


async def _measure_single_writes(
    stage: LiveServers, ours: ServerProcess, agents: list[str], counted: FrameCounter, writes: int
) -> dict[str, Any]:
    """Writes that change one query each, one after another."""
    before, delays = await read_counters(ours), []
    for number in range(writes):
        counted.begin()
        sql, agent = "UPDATE agents SET version = $1 WHERE id = $2", agents[number * 7 % len(agents)]
        await stage.connection.execute(sql, f"v{time.time_ns()}", agent)
        written = time.perf_counter()
        await counted.wait_for_frames(1)
        delays.append((counted.arrivals[0] - written) * 1000)
        await asyncio.sleep(0.02)
    runs = (await read_counters(ours))["runs"] - before["runs"]
    cuts = quantiles(delays, n=100)
    return {"runs_per_write": runs / writes, "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}


async def _measure_write_to_all(
    stage: LiveServers, ours: ServerProcess, agents: list[str], counted: FrameCounter
) -> dict[str, Any]:
    """One write that changes all queries."""
    before, cpu = await read_counters(ours), ours.cpu_s
    counted.begin()
    sql = "UPDATE agents SET version = $1 WHERE id = ANY($2)"
    await stage.connection.execute(sql, f"all {time.time_ns()}", agents)
    written = time.perf_counter()
    await counted.wait_for_frames(len(agents))
    last = counted.arrivals[-1] - written
    runs = (await read_counters(ours))["runs"] - before["runs"]
    return {"to_last_s": round(last, 2), "runs": runs, "cpu_s": round(ours.cpu_s - cpu, 2)}


async def _measure_unselected_writes(
    stage: LiveServers, ours: ServerProcess, agents: list[str], rate: int = 1_000, seconds: float = 10.0
) -> dict[str, Any]:
    """(c): check-ins, one statement each, of agents with check-in times that no query selects."""
    before, cpu, began = await read_counters(ours), ours.cpu_s, time.perf_counter()
    pool = await asyncpg.create_pool(stage.dsn, min_size=_WRITERS, max_size=_WRITERS)
    sql = "UPDATE agents SET last_checkin_at = last_checkin_at + 1 WHERE id = $1"

    async def writer(number: int) -> int:
        done = 0
        while (now := time.perf_counter() - began) < seconds:
            if done < now * rate / _WRITERS:
                await pool.execute(sql, agents[(number + _WRITERS * done) % len(agents)])
                done += 1
            else:
                await asyncio.sleep(0.001)
        return done

    done = sum(await asyncio.gather(*map(writer, range(_WRITERS))))
    await pool.close()
    share = (ours.cpu_s - cpu) / seconds
    await asyncio.sleep(0.5)
    runs = (await read_counters(ours))["runs"] - before["runs"]
    return {"writes_s": round(done / seconds), "runs": runs, "cpu_share": round(share, 2)}
