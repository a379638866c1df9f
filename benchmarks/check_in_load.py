"""Agents that check in as fast as the server answers, and the statements of check-ins without HTTP."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import asyncpg

from benchmarks.agent_fleet import AgentFleet
from benchmarks.resource_usage import ResourceUsage
from services.agents.check_in import write_check_ins
from simulator.fleet.http_connection import HttpConnection
from simulator.fleet.statistics import Latencies


class LoadResult(NamedTuple):
    """One run: responses a second, latency, and CPU time of each in µs for server, PostgreSQL and this client."""

    rate: float
    p50_ms: float
    p99_ms: float
    server_us: float
    postgres_us: float
    client_us: float


class HeartbeatLoad:
    """A closed loop over a number of connections. Each sends one request at a time, for one agent after another."""

    def __init__(self, fleet: AgentFleet, connections: int) -> None:
        self.fleet = fleet
        self._lines = [HttpConnection(fleet.origin) for _ in range(connections)]
        count = len(self._lines)
        self._turns = {
            name: [cycle(requests[at::count]) for at in range(count)]
            for name, requests in (("nothing", fleet.noop_requests), ("check_ins", fleet.heartbeat_requests))
        }

    async def run(self, name: str, seconds: float, usage: ResourceUsage) -> LoadResult:
        """Send requests for so many seconds. A response other than 200 ends the benchmark."""
        latencies, before = Latencies(), usage.sample()
        turns = self._turns[name]
        until = time.perf_counter() + seconds
        counts = await asyncio.gather(
            *(
                _send_requests(line, turn, until, latencies)
                for line, turn in zip(self._lines, turns, strict=True)
            )
        )
        after, count = usage.sample(), sum(counts)
        return LoadResult(
            count / (after.at - before.at),
            latencies.compute_percentile(0.5) * 1000,
            latencies.compute_percentile(0.99) * 1000,
            (after.server_s - before.server_s) / count * 1e6,
            (after.postgres_s - before.postgres_s) / count * 1e6,
            (after.client_s - before.client_s) / count * 1e6,
        )

    async def check_in_once(self) -> None:
        """Let every agent check in once."""
        beats, count = self.fleet.heartbeat_requests, len(self._lines)
        await asyncio.gather(*(_send_all(line, beats[at::count]) for at, line in enumerate(self._lines)))


async def warm_up(load: HeartbeatLoad, usage: ResourceUsage) -> dict[str, float]:
    """Let every agent check in once, so that the server caches its token; returns the cost of each check-in."""
    before, count = usage.sample(), len(load.fleet.heartbeat_requests)
    await load.check_in_once()
    after = usage.sample()
    return {
        "agents": count,
        "rate": round(count / (after.at - before.at)),
        "server_us": round((after.server_s - before.server_s) / count * 1e6),
        "postgres_us": round((after.postgres_s - before.postgres_s) / count * 1e6),
    }


async def measure_bare_statement(
    connection: asyncpg.Connection, fleet: AgentFleet, batch: int, seconds: float
) -> float:
    """Run the same statement directly in PostgreSQL over one connection, one by one; returns rows a second."""
    agents, count, began = cycle(fleet.agents), 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        count += len(await write_check_ins(connection, list(islice(agents, batch))))
    return count / spent


async def _send_requests(
    line: HttpConnection, requests: Iterator[bytes], until: float, latencies: Latencies
) -> int:
    count = 0
    while (began := time.perf_counter()) < until:
        await _send_request(line, next(requests))
        latencies.add(time.perf_counter() - began)
        count += 1
    return count


async def _send_all(line: HttpConnection, requests: Sequence[bytes]) -> None:
    for request in requests:
        await _send_request(line, request)


async def _send_request(line: HttpConnection, request: bytes) -> None:
    answer = await line.send_request(request)
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {answer.body[:500]!r}")
