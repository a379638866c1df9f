"""Case (a): many sockets follow one query; with it (d), that nothing happens, and the memory of a socket."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, Final

import httpx

from benchmarks.live_stage import ROLE, Served, Stage, counters
from benchmarks.sockets import Counted, opened, subscribe

_QUERY: Final = f'subscription {{ role(id: "{ROLE}") {{ id name description }} }}'
_MESSAGES: Final = 100_000
"""So many at least are sent by each server: its CPU is known in steps of 10 ms."""

Write = Callable[[int], Awaitable[Any]]


async def one_query(stage: Stage, count: int, writes: int) -> dict[str, Any]:
    """Both servers tell `count` sockets the same bytes, several times."""
    writes = max(writes, _MESSAGES // count)
    with stage.ours() as ours:
        seen, text = await _ours(stage, ours, count, writes)
    with stage.bare() as bare:
        floor = await _bare(bare, count, writes, text)
    ratio = round(seen["cpu_us_per_message"] / floor["cpu_us_per_message"], 2)
    return {"subscribers": count, "bytes": len(text), "cpu_ratio": ratio, "ours": seen, "bare": floor}


async def _ours(stage: Stage, ours: Served, count: int, writes: int) -> tuple[dict[str, Any], str]:
    counted, before, began = Counted(), ours.memory, time.perf_counter()
    sockets = await stage.followed_by(ours, stage.tenant, count, counted)
    open_s = time.perf_counter() - began
    counted.begin(keeping=True)
    for socket in sockets:
        subscribe(socket, "1", _QUERY)
    await counted.reach(count)
    told_s = time.perf_counter() - began
    memory = (ours.memory - before) // count
    text = counted.kept[-1].decode()

    async def write(number: int) -> None:
        sql = "UPDATE roles SET description = $1 WHERE id = $2"
        await stage.connection.execute(sql, f"{number:05} {time.time():020.6f}", ROLE)

    runs = (await counters(ours))["runs"]
    told = await _told(ours, counted, count, writes, write)
    runs = ((await counters(ours))["runs"] - runs) / writes
    idle = await idling(stage, ours)
    for socket in sockets:
        socket.close()
    times = {"open_s": round(open_s, 1), "all_told_s": round(told_s, 1)}
    return {"runs_per_write": runs, **told, "memory_each": memory, **times, "idle": idle}, text


async def _bare(bare: Served, count: int, writes: int, text: str) -> dict[str, Any]:
    counted, before = Counted(), bare.memory
    sockets = await opened(bare.port, "/", count, counted)
    memory = (bare.memory - before) // count
    async with httpx.AsyncClient(timeout=60) as http:

        async def write(_: int) -> None:
            await http.post(f"http://127.0.0.1:{bare.port}/broadcast", content=text)

        told = await _told(bare, counted, count, writes, write)
    for socket in sockets:
        socket.close()
    return {**told, "memory_each": memory}


async def _told(served: Served, counted: Counted, count: int, writes: int, write: Write) -> dict[str, float]:
    """Writes one after another, each told to everybody before the next; to the last socket from the write's begin."""
    last, cpu = [], served.cpu_s
    for number in range(writes):
        counted.begin()
        began = time.perf_counter()
        await asyncio.gather(write(number), counted.reach(count))
        last.append(counted.arrivals[-1] - began)
    each = (served.cpu_s - cpu) / writes / count
    return {"to_last_ms": round(median(last) * 1000, 1), "cpu_us_per_message": round(each * 1e6, 1)}


async def idling(stage: Stage, ours: Served, seconds: float = 10.0) -> dict[str, float]:
    """(d): while nothing happens, transactions a second that PostgreSQL sees, looks into the log, and CPU."""
    await asyncio.sleep(12)  # what connections did before they fell idle is counted up to ten seconds later
    before, cpu, ticks = await stage.transactions(), ours.cpu_s, (await counters(ours))["ticks"]
    await asyncio.sleep(seconds)
    spent, ticks = ours.cpu_s - cpu, (await counters(ours))["ticks"] - ticks
    await asyncio.sleep(2)  # its statistics come up to a second late
    seen = await stage.transactions() - before
    return {
        "statements_s": round(seen / (seconds + 2), 1),
        "looks_s": round(ticks / seconds, 1),
        "cpu_share": round(spent / seconds, 3),
    }
