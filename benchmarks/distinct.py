"""Documents that our server has never seen: how long each takes, and what very many of them leave in memory."""

import asyncio
import time
from collections.abc import Iterator
from statistics import median, quantiles
from typing import Any, Final

import psutil

from benchmarks import load
from benchmarks.cases import CASES, Case

_COLD: Final = 200
"""Documents of each case."""

_PARTS: Final = 10
"""The first of so many parts of all documents fills what the server keeps of them; the rest should add nothing."""


def unseen(case: Case, number: int) -> str:
    """The case's document with one more field, under an alias that no other number has."""
    return case.ours.replace("{ id ", f"{{ id n{number}: id ", 1)


async def cold(target: load.Target, variables: dict[str, str]) -> list[dict[str, Any]]:
    """For each case, how long a document takes that was never seen, beside one that was, in ms; one at a time."""
    seen = []
    for case in CASES:
        first = [await _timed(target, unseen(case, number), variables) for number in range(_COLD)]
        again = [await _timed(target, unseen(case, 0), variables) for _ in range(_COLD)]
        seen.append(
            {
                "case": case.name,
                "cold_ms": round(median(first), 2),
                "cold_99_ms": round(quantiles(first, n=100)[-1], 2),
                "warm_ms": round(median(again), 2),
            }
        )
    return seen


async def _timed(target: load.Target, query: str, variables: dict[str, str]) -> float:
    asked = target.asking(query, variables)
    began = time.perf_counter()
    await load.once(asked)
    return (time.perf_counter() - began) * 1000


async def memory(target: load.Target, variables: dict[str, str], pid: int, documents: int) -> dict[str, Any]:
    """The server's resident memory in MiB after each part of so many distinct documents."""
    server, sizes, part = psutil.Process(pid), [], documents // _PARTS
    for place in range(_PARTS):
        queue = iter(range(place * part, (place + 1) * part))
        await asyncio.gather(*(_ask(target, queue, variables) for _ in range(4)))
        sizes.append(round(server.memory_info().rss / (1 << 20), 1))
    return {"documents": documents, "resident_mib": sizes}


def lines(documents: dict[str, Any]) -> Iterator[str]:
    """What was seen, to be printed."""
    for case in documents["cold"]:
        cold, worst, warm = case["cold_ms"], case["cold_99_ms"], case["warm_ms"]
        yield f"{case['case']}\n   never seen {cold} ms (99 %: {worst}), seen {warm} ms"
    sizes = documents["memory"]["resident_mib"]
    yield (
        f"{documents['memory']['documents']:,} distinct documents\n"
        f"   {sizes[0]} MiB after the first tenth, {sizes[-1]} after all"
    )


async def _ask(target: load.Target, numbers: Iterator[int], variables: dict[str, str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
    for number in numbers:
        query = f"query D{number}($site: ID!) {{ site(id: $site) {{ id n{number}: name }} }}"
        await load.exchange(reader, writer, target.asking(query, variables).raw())
    writer.close()
