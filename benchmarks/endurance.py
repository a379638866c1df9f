"""Minutes of a fleet that beats as fleets do, with people who follow it."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import asyncpg
import httpx

from benchmarks.fleets import Known
from benchmarks.live import users_of
from benchmarks.machine import Probe
from benchmarks.servers import ROOT
from benchmarks.usage import Usage, Used
from simulator.fleet import Fleet
from simulator.plan import Plan
from simulator.tally import Latencies, Tally

_INTERVAL_S: Final = 60.0
_SETTLE_S: Final = 15.0
"""From the first beat on until the clock runs."""

_PART_S: Final = 10.0
"""CPU and memory are told for each of these."""

_COUNTED: Final = ("runs", "statements", "messages", "moments", "ticks", "unchanged")


async def endured(
    fleet: Known, connection: asyncpg.Connection, usage: Usage, seconds: float, followers: int
) -> dict[str, Any]:
    """All agents beat once a minute for so long, with so many streams and as many live queries open."""
    wanted = await _wanted(fleet, connection, followers)
    followed = {site for _, site in wanted["streams"]}
    share = sum(site in followed for site in fleet.sites) / len(fleet.sites)
    beating = Fleet(fleet.beats, fleet.origin, Plan(len(fleet.beats), _INTERVAL_S))
    tally = beating.tally
    async with _following(wanted) as child:
        run = asyncio.create_task(beating.run())
        await asyncio.sleep(_SETTLE_S)
        await _report(child)
        tally.latencies, before, counted = Latencies(), tally.acknowledged, await _counters(fleet)
        parts, machine = await _watched(tally, usage, seconds)
        after, acknowledged = await _counters(fleet), tally.acknowledged - before
        told = await _report(child)
        answers = told.pop("answers")
        run.cancel()
        await asyncio.wait([run])
    at = tally.latencies.at
    return {
        "seconds": seconds,
        "agents": tally.agents,
        "acknowledged": acknowledged,
        "failures": dict(tally.failures),
        "ms": {f"p{share:g}": round(at(share / 100) * 1000, 1) for share in (50, 90, 99, 99.9, 100)},
        "machine_ms": machine,
        "live": {name: after[name] - counted[name] for name in _COUNTED},
        "streams": {"open": len(wanted["streams"]), "events_due": round(acknowledged * share), **told},
        "queries": {"open": len(wanted["queries"]), "answers": answers},
        "parts": parts,
    }


async def _watched(
    tally: Tally, usage: Usage, seconds: float
) -> tuple[list[dict[str, float]], dict[str, float]]:
    """What is used in each part of the time, and what the machine does meanwhile."""
    parts, whole = [], tally.latencies
    with Probe(usage.data_dir) as probe:
        for _ in range(round(seconds / _PART_S)):
            before, tally.latencies = usage.now(), Latencies()
            await asyncio.sleep(_PART_S)
            parts.append({**_part(before, usage.now()), "p99_ms": round(tally.latencies.at(0.99) * 1000, 1)})
            whole.add_all(tally.latencies)
        tally.latencies = whole
        return parts, probe.report()


def _part(one: Used, other: Used) -> dict[str, float]:
    seconds = other.at - one.at
    return {
        "server_cpu": round((other.server_s - one.server_s) / seconds, 3),
        "postgres_cpu": round((other.postgres_s - one.postgres_s) / seconds, 3),
        "client_cpu": round((other.client_s - one.client_s) / seconds, 3),
        "server_mib": round(other.server_mib, 1),
        "postgres_mib": round(other.postgres_mib, 1),
    }


async def _wanted(fleet: Known, connection: asyncpg.Connection, count: int) -> dict[str, Any]:
    """Streams on sites, and queries of half as many agents and sites, each by an administrator of the tenant."""
    dice = Random(7)  # noqa: S311 - a sample
    tenants = {site: beat.tenant_id for beat, site in zip(fleet.agents, fleet.sites, strict=True)}
    sites = dice.sample(sorted(tenants), min(count, len(tenants)))
    agents = [(beat.tenant_id, 0, beat.agent_id) for beat in dice.sample(fleet.agents, count // 2)]
    queries = sorted([*agents, *((tenants[site], 1, site) for site in sites[: count - len(agents)])])
    tokens = {tenant: await _token(fleet, connection, tenant) for tenant in sorted({*tenants.values()})}
    streams = [(tokens[tenants[site]][at % _USERS], site) for at, site in enumerate(sites)]
    return {
        "port": fleet.origin.port,
        "streams": streams,
        "queries": [(tokens[tenant][0], question, row) for tenant, question, row in queries],
    }


_USERS: Final = 4
"""Administrators of each tenant: one may have a hundred sockets."""


async def _token(fleet: Known, connection: asyncpg.Connection, tenant: str) -> list[str]:
    return [fleet.issuer.issue(user) for user in await users_of(connection, tenant, _USERS)]


@asynccontextmanager
async def _following(wanted: dict[str, Any]) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.followers", cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=1 << 20
    )
    try:
        print(f"   followers: {await _told(child, json.dumps(wanted))}", flush=True)
        yield child
    finally:
        child.kill()
        await child.wait()


async def _report(child: Process) -> dict[str, Any]:
    return await _told(child, "report")


async def _told(child: Process, line: str) -> dict[str, Any]:
    assert child.stdin is not None  # noqa: S101 - piped
    assert child.stdout is not None  # noqa: S101 - piped
    child.stdin.write(f"{line}\n".encode())
    await child.stdin.drain()
    told: dict[str, Any] = json.loads(await child.stdout.readline())
    return told


async def _counters(fleet: Known) -> dict[str, float]:
    """What the live layer has counted so far."""
    async with httpx.AsyncClient() as http:
        page = (await http.get(f"http://127.0.0.1:{fleet.origin.port}/metrics")).text
    return {name: _summed(page, f"msp_live_{name}_total") for name in _COUNTED}


def _summed(page: str, metric: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{metric}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE))
