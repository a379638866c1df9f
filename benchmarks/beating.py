"""Agents that beat as fast as the server answers, and the statements that their check-ins come to, alone."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple

import asyncpg

from benchmarks.fleets import Known
from benchmarks.usage import Usage
from services.agents.beats import write_beats
from simulator.line import Line
from simulator.tally import Latencies


class Saturation(NamedTuple):
    """One run: answers a second, their latency, and CPU for each answer in µs: server, PostgreSQL, this client."""

    rate: float
    p50_ms: float
    p99_ms: float
    server_us: float
    postgres_us: float
    client_us: float


class Load:
    """A closed loop: so many connections, on each of them one request at a time, of one agent after another."""

    def __init__(self, fleet: Known, connections: int) -> None:
        self.fleet = fleet
        self._lines = [Line(fleet.origin) for _ in range(connections)]
        count = len(self._lines)
        self._turns = {
            name: [cycle(requests[at::count]) for at in range(count)]
            for name, requests in (("nothing", fleet.nothings), ("check_ins", fleet.beats))
        }

    async def run(self, name: str, seconds: float, usage: Usage) -> Saturation:
        """Ask for so many seconds; one answer that is not 200 ends the benchmark."""
        latencies, before = Latencies(), usage.now()
        turns = self._turns[name]
        until = time.perf_counter() + seconds
        counts = await asyncio.gather(
            *(_ask(line, turn, until, latencies) for line, turn in zip(self._lines, turns, strict=True))
        )
        after, count = usage.now(), sum(counts)
        return Saturation(
            count / (after.at - before.at),
            latencies.at(0.5) * 1000,
            latencies.at(0.99) * 1000,
            (after.server_s - before.server_s) / count * 1e6,
            (after.postgres_s - before.postgres_s) / count * 1e6,
            (after.client_s - before.client_s) / count * 1e6,
        )

    async def once(self) -> None:
        """Let every agent check in once."""
        beats, count = self.fleet.beats, len(self._lines)
        await asyncio.gather(*(_all(line, beats[at::count]) for at, line in enumerate(self._lines)))


async def warmed(load: Load, usage: Usage) -> dict[str, float]:
    """Let every agent check in once, after which the server knows its token; what that took for each."""
    before, count = usage.now(), len(load.fleet.beats)
    await load.once()
    after = usage.now()
    return {
        "agents": count,
        "rate": round(count / (after.at - before.at)),
        "server_us": round((after.server_s - before.server_s) / count * 1e6),
        "postgres_us": round((after.postgres_s - before.postgres_s) / count * 1e6),
    }


async def bare(connection: asyncpg.Connection, fleet: Known, batch: int, seconds: float) -> float:
    """The same statement straight into PostgreSQL, over one connection, one after another; rows a second."""
    agents, count, began = cycle(fleet.agents), 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        count += len(await write_beats(connection, list(islice(agents, batch))))
    return count / spent


async def _ask(line: Line, requests: Iterator[bytes], until: float, latencies: Latencies) -> int:
    count = 0
    while (began := time.perf_counter()) < until:
        await _answered(line, next(requests))
        latencies.add(time.perf_counter() - began)
        count += 1
    return count


async def _all(line: Line, requests: Sequence[bytes]) -> None:
    for request in requests:
        await _answered(line, request)


async def _answered(line: Line, request: bytes) -> None:
    answer = await line.ask(request)
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {answer.body[:500]!r}")
