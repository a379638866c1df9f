"""Cases (b), (c) and (d): each live query reads another agent."""

import asyncio
import time
from statistics import quantiles
from typing import Any, Final

import asyncpg

from benchmarks.live_one import idling
from benchmarks.live_stage import Served, Stage, counters
from benchmarks.sockets import Counted, Socket, subscribe

_AGENT: Final = "subscription ($id: ID!) { agent(id: $id) { hostname version site { name } } }"
_EACH: Final = 50
"""Live queries of one socket."""

_WRITERS: Final = 8

Agents = dict[str, list[str]]
"""Ids of agents by their tenant."""


async def many_queries(stage: Stage, count: int, writes: int) -> dict[str, Any]:
    """All cases, with one server."""
    counted, by_tenant = Counted(), await _agents(stage.connection, count)
    agents = [agent for ids in by_tenant.values() for agent in ids]
    with stage.ours() as ours:
        began = time.perf_counter()
        sockets = [
            s for tenant, ids in by_tenant.items() for s in await _follow(stage, ours, tenant, ids, counted)
        ]
        open_s = time.perf_counter() - began
        idle = await idling(stage, ours)
        one = await _one_each(stage, ours, agents, counted, writes)
        everything = [await _all_at_once(stage, ours, agents, counted) for _ in range(5)]
        nothing = await _unselected(stage, ours, agents)
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


async def _agents(connection: asyncpg.Connection, count: int) -> Agents:
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


async def _follow(
    stage: Stage, ours: Served, tenant: str, agents: list[str], counted: Counted
) -> list[Socket]:
    parts = [agents[start : start + _EACH] for start in range(0, len(agents), _EACH)]
    sockets = await stage.followed_by(ours, tenant, len(parts), counted)
    counted.begin()
    for socket, part in zip(sockets, parts, strict=True):
        for number, agent in enumerate(part):
            subscribe(socket, str(number), _AGENT, {"id": agent})
    await counted.reach(len(agents))
    return sockets


async def _one_each(
    stage: Stage, ours: Served, agents: list[str], counted: Counted, writes: int
) -> dict[str, Any]:
    """Writes that touch one query each, one after another."""
    before, delays = await counters(ours), []
    for number in range(writes):
        counted.begin()
        sql, agent = "UPDATE agents SET version = $1 WHERE id = $2", agents[number * 7 % len(agents)]
        await stage.connection.execute(sql, f"v{time.time_ns()}", agent)
        written = time.perf_counter()
        await counted.reach(1)
        delays.append((counted.arrivals[0] - written) * 1000)
        await asyncio.sleep(0.02)
    runs = (await counters(ours))["runs"] - before["runs"]
    cuts = quantiles(delays, n=100)
    return {"runs_per_write": runs / writes, "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}


async def _all_at_once(stage: Stage, ours: Served, agents: list[str], counted: Counted) -> dict[str, Any]:
    """One write that touches all."""
    before, cpu = await counters(ours), ours.cpu_s
    counted.begin()
    sql = "UPDATE agents SET version = $1 WHERE id = ANY($2)"
    await stage.connection.execute(sql, f"all {time.time_ns()}", agents)
    written = time.perf_counter()
    await counted.reach(len(agents))
    last = counted.arrivals[-1] - written
    runs = (await counters(ours))["runs"] - before["runs"]
    return {"to_last_s": round(last, 2), "runs": runs, "cpu_s": round(ours.cpu_s - cpu, 2)}


async def _unselected(
    stage: Stage, ours: Served, agents: list[str], rate: int = 1_000, seconds: float = 10.0
) -> dict[str, Any]:
    """(c): check-ins, one statement each, of agents whose check-in times nobody selected."""
    before, cpu, began = await counters(ours), ours.cpu_s, time.perf_counter()
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
    runs = (await counters(ours))["runs"] - before["runs"]
    return {"writes_s": round(done / seconds), "runs": runs, "cpu_share": round(share, 2)}
