"""A fleet that checks in at its normal rate for minutes, with subscribers."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import asyncpg

from benchmarks.agent_fleet import AgentFleet
from benchmarks.live_servers import create_administrators, sum_metrics
from benchmarks.machine_latency import LatencyProbe
from benchmarks.resource_usage import ResourceUsage, UsageSample
from benchmarks.servers import ROOT
from simulator.fleet.fleet import SimulatedFleet
from simulator.fleet.fleet_plan import FleetPlan
from simulator.fleet.statistics import FleetStatistics, Latencies

_INTERVAL_S: Final = 60.0
_SETTLE_S: Final = 15.0
"""The time from the first check-in until the measurement starts."""

_INTERVAL_LENGTH_S: Final = 10.0
"""The interval for which CPU and memory are reported."""

_COUNTED: Final = {
    name: f"msp_live_{name}_total"
    for name in ("runs", "statements", "messages", "snapshots", "polls", "unchanged")
}


async def run_endurance(
    fleet: AgentFleet, connection: asyncpg.Connection, usage: ResourceUsage, seconds: float, followers: int
) -> dict[str, Any]:
    """All agents check in once a minute for a given time, with a number of open streams and as many live queries."""
    wanted = await _choose_subscriptions(fleet, connection, followers)
    followed = {site for _, site in wanted["streams"]}
    share = sum(site in followed for site in fleet.sites) / len(fleet.sites)
    beating = SimulatedFleet(
        fleet.heartbeat_requests, fleet.origin, FleetPlan(len(fleet.heartbeat_requests), _INTERVAL_S)
    )
    tally = beating.tally
    async with _run_subscribers(wanted) as child:
        run = asyncio.create_task(beating.run())
        await asyncio.sleep(_SETTLE_S)
        await _read_report(child)
        tally.latencies, before, counted = (
            Latencies(),
            tally.acknowledged,
            await sum_metrics(fleet.origin.port, _COUNTED),
        )
        parts, machine = await _measure_intervals(tally, usage, seconds)
        after, acknowledged = await sum_metrics(fleet.origin.port, _COUNTED), tally.acknowledged - before
        report = await _read_report(child)
        answers = report.pop("answers")
        run.cancel()
        await asyncio.wait([run])
    at = tally.latencies.compute_percentile
    return {
        "seconds": seconds,
        "agents": tally.agents,
        "acknowledged": acknowledged,
        "failures": dict(tally.failures),
        "ms": {f"p{share:g}": round(at(share / 100) * 1000, 1) for share in (50, 90, 99, 99.9, 100)},
        "machine_ms": machine,
        "live": {name: after[name] - counted[name] for name in _COUNTED},
        "streams": {"open": len(wanted["streams"]), "events_due": round(acknowledged * share), **report},
        "queries": {"open": len(wanted["queries"]), "answers": answers},
        "parts": parts,
    }


async def _measure_intervals(
    tally: FleetStatistics, usage: ResourceUsage, seconds: float
) -> tuple[list[dict[str, float]], dict[str, float]]:
    """The usage in each interval, and the load of the machine meanwhile."""
    parts, whole = [], tally.latencies
    with LatencyProbe(usage.data_dir) as probe:
        for _ in range(round(seconds / _INTERVAL_LENGTH_S)):
            before, tally.latencies = usage.sample(), Latencies()
            await asyncio.sleep(_INTERVAL_LENGTH_S)
            parts.append(
                {
                    **_usage_between(before, usage.sample()),
                    "p99_ms": round(tally.latencies.compute_percentile(0.99) * 1000, 1),
                }
            )
            whole.add_all(tally.latencies)
        tally.latencies = whole
        return parts, probe.report()


def _usage_between(one: UsageSample, other: UsageSample) -> dict[str, float]:
    seconds = other.at - one.at
    return {
        "server_cpu": round((other.server_s - one.server_s) / seconds, 3),
        "postgres_cpu": round((other.postgres_s - one.postgres_s) / seconds, 3),
        "client_cpu": round((other.client_s - one.client_s) / seconds, 3),
        "server_mib": round(other.server_mib, 1),
        "postgres_mib": round(other.postgres_mib, 1),
    }


async def _choose_subscriptions(
    fleet: AgentFleet, connection: asyncpg.Connection, count: int
) -> dict[str, Any]:
    """Streams on sites, and live queries of half as many agents and sites, each by an administrator of the tenant."""
    dice = Random(7)  # noqa: S311 - a sample
    tenants = {site: beat.tenant_id for beat, site in zip(fleet.agents, fleet.sites, strict=True)}
    sites = dice.sample(sorted(tenants), min(count, len(tenants)))
    agents = [(beat.tenant_id, 0, beat.agent_id) for beat in dice.sample(fleet.agents, count // 2)]
    queries = sorted([*agents, *((tenants[site], 1, site) for site in sites[: count - len(agents)])])
    tokens = {
        tenant: await _create_tokens(fleet, connection, tenant) for tenant in sorted({*tenants.values()})
    }
    streams = [(tokens[tenants[site]][at % _USERS], site) for at, site in enumerate(sites)]
    return {
        "port": fleet.origin.port,
        "streams": streams,
        "queries": [(tokens[tenant][0], question, row) for tenant, question, row in queries],
    }


_USERS: Final = 4
"""The administrators of each tenant: one may have a hundred sockets."""


async def _create_tokens(fleet: AgentFleet, connection: asyncpg.Connection, tenant: str) -> list[str]:
    return [fleet.issuer.issue(user) for user in await create_administrators(connection, tenant, _USERS)]


@asynccontextmanager
async def _run_subscribers(wanted: dict[str, Any]) -> AsyncIterator[Process]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.subscriber_process",
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
        limit=1 << 20,
    )
    try:
        print(f"   followers: {await _send_command(child, json.dumps(wanted))}", flush=True)
        yield child
    finally:
        child.kill()
        await child.wait()


async def _read_report(child: Process) -> dict[str, Any]:
    return await _send_command(child, "report")


async def _send_command(child: Process, line: str) -> dict[str, Any]:
    assert child.stdin is not None  # noqa: S101 - piped
    assert child.stdout is not None  # noqa: S101 - piped
    child.stdin.write(f"{line}\n".encode())
    await child.stdin.drain()
    report: dict[str, Any] = json.loads(await child.stdout.readline())
    return report
