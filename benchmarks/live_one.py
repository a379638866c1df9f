"""Case (a): many sockets subscribe to one query. Also (d), an idle server, and the memory of a socket."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, Final

import httpx

from benchmarks.live_servers import ROLE, LiveServers, ServerProcess, read_counters
from benchmarks.websocket_clients import FrameCounter, open_sockets, send_subscribe

_QUERY: Final = f'subscription {{ role(id: "{ROLE}") {{ id name description }} }}'
_MESSAGES: Final = 100_000
"""The least number of messages of each server: its CPU time has steps of 10 ms."""

Write = Callable[[int], Awaitable[Any]]


async def measure_one_query(stage: LiveServers, count: int, writes: int) -> dict[str, Any]:
    """Both servers send the same bytes to `count` sockets, several times."""
    writes = max(writes, _MESSAGES // count)
    with stage.start_ours() as ours:
        seen, text = await _measure_ours(stage, ours, count, writes)
    with stage.start_bare() as bare:
        floor = await _measure_bare(bare, count, writes, text)
    ratio = round(seen["cpu_us_per_message"] / floor["cpu_us_per_message"], 2)
    return {"subscribers": count, "bytes": len(text), "cpu_ratio": ratio, "ours": seen, "bare": floor}


async def _measure_ours(
    stage: LiveServers, ours: ServerProcess, count: int, writes: int
) -> tuple[dict[str, Any], str]:
    counted, before, began = FrameCounter(), ours.memory_bytes, time.perf_counter()
    sockets = await stage.open_sockets(ours, stage.tenant, count, counted)
    open_s = time.perf_counter() - began
    counted.begin(keeping=True)
    for socket in sockets:
        send_subscribe(socket, "1", _QUERY)
    await counted.wait_for_frames(count)
    delivery_s = time.perf_counter() - began
    memory = (ours.memory_bytes - before) // count
    text = counted.payloads[-1].decode()

    async def write(number: int) -> None:
        sql = "UPDATE roles SET description = $1 WHERE id = $2"
        await stage.connection.execute(sql, f"{number:05} {time.time():020.6f}", ROLE)

    runs = (await read_counters(ours))["runs"]
    delivery = await _measure_delivery(ours, counted, count, writes, write)
    runs = ((await read_counters(ours))["runs"] - runs) / writes
    idle = await measure_idle(stage, ours)
    for socket in sockets:
        socket.close()
    times = {"open_s": round(open_s, 1), "all_told_s": round(delivery_s, 1)}
    return {"runs_per_write": runs, **delivery, "memory_each": memory, **times, "idle": idle}, text


async def _measure_bare(bare: ServerProcess, count: int, writes: int, text: str) -> dict[str, Any]:
    counted, before = FrameCounter(), bare.memory_bytes
    sockets = await open_sockets(bare.port, "/", count, counted)
    memory = (bare.memory_bytes - before) // count
    async with httpx.AsyncClient(timeout=60) as http:

        async def write(_: int) -> None:
            await http.post(f"http://127.0.0.1:{bare.port}/broadcast", content=text)

        delivery = await _measure_delivery(bare, counted, count, writes, write)
    for socket in sockets:
        socket.close()
    return {**delivery, "memory_each": memory}


async def _measure_delivery(
    served: ServerProcess, counted: FrameCounter, count: int, writes: int, write: Write
) -> dict[str, float]:
    """Writes one after another, each sent to all sockets before the next.

    Latency is from the write's start to the last one.
    """
    last, cpu = [], served.cpu_s
    for number in range(writes):
        counted.begin()
        began = time.perf_counter()
        await asyncio.gather(write(number), counted.wait_for_frames(count))
        last.append(counted.arrivals[-1] - began)
    each = (served.cpu_s - cpu) / writes / count
    return {"to_last_ms": round(median(last) * 1000, 1), "cpu_us_per_message": round(each * 1e6, 1)}


async def measure_idle(stage: LiveServers, ours: ServerProcess, seconds: float = 10.0) -> dict[str, float]:
    """(d): on an idle server, transactions a second in PostgreSQL, polls of the log, and CPU."""
    await asyncio.sleep(12)  # statistics of connections that became idle arrive up to ten seconds later
    before, cpu, polls = await stage.count_transactions(), ours.cpu_s, (await read_counters(ours))["polls"]
    await asyncio.sleep(seconds)
    spent, polls = ours.cpu_s - cpu, (await read_counters(ours))["polls"] - polls
    await asyncio.sleep(2)  # statistics arrive up to a second late
    seen = await stage.count_transactions() - before
    return {
        "statements_s": round(seen / (seconds + 2), 1),
        "polls_s": round(polls / seconds, 1),
        "cpu_share": round(spent / seconds, 3),
    }
