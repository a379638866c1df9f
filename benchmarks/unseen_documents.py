"""Documents that our server has not cached: the latency of each, and the memory that very many of them leave."""

import asyncio
import time
from collections.abc import Iterator
from statistics import median, quantiles
from typing import Any, Final

import psutil

from benchmarks import http_load
from benchmarks.read_cases import CASES, ReadCase

_COLD: Final = 200
"""The number of documents of each case."""

_STEPS: Final = 10
"""The first of so many parts of all documents fills the cache. The rest should add no memory."""


def make_unseen_document(case: ReadCase, number: int) -> str:
    """The case's document with one more field, under an alias that no other number has."""
    return case.our_query.replace("{ id ", f"{{ id n{number}: id ", 1)


async def measure_cold_documents(
    target: http_load.HttpTarget, variables: dict[str, str]
) -> list[dict[str, Any]]:
    """The latency of a new document and of a cached one for each case, in ms; one at a time."""
    seen = []
    for case in CASES:
        first = [
            await _time_request(target, make_unseen_document(case, number), variables)
            for number in range(_COLD)
        ]
        again = [await _time_request(target, make_unseen_document(case, 0), variables) for _ in range(_COLD)]
        seen.append(
            {
                "case": case.name,
                "cold_ms": round(median(first), 2),
                "cold_99_ms": round(quantiles(first, n=100)[-1], 2),
                "warm_ms": round(median(again), 2),
            }
        )
    return seen


async def _time_request(target: http_load.HttpTarget, query: str, variables: dict[str, str]) -> float:
    prepared = target.with_query(query, variables)
    began = time.perf_counter()
    await http_load.fetch_once(prepared)
    return (time.perf_counter() - began) * 1000


async def measure_memory(
    target: http_load.HttpTarget, variables: dict[str, str], pid: int, documents: int
) -> dict[str, Any]:
    """The server's resident memory in MiB after each part of so many distinct documents."""
    server, sizes, part = psutil.Process(pid), [], documents // _STEPS
    for place in range(_STEPS):
        queue = iter(range(place * part, (place + 1) * part))
        await asyncio.gather(*(_send_documents(target, queue, variables) for _ in range(4)))
        sizes.append(round(server.memory_info().rss / (1 << 20), 1))
    return {"documents": documents, "resident_mib": sizes}


def format_lines(documents: dict[str, Any]) -> Iterator[str]:
    """The results as printable lines."""
    for case in documents["cold"]:
        cold, worst, warm = case["cold_ms"], case["cold_99_ms"], case["warm_ms"]
        yield f"{case['case']}\n   never seen {cold} ms (99 %: {worst}), seen {warm} ms"
    sizes = documents["memory"]["resident_mib"]
    yield (
        f"{documents['memory']['documents']:,} distinct documents\n"
        f"   {sizes[0]} MiB after the first tenth, {sizes[-1]} after all"
    )


async def _send_documents(
    target: http_load.HttpTarget, numbers: Iterator[int], variables: dict[str, str]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1 << 20)
    for number in numbers:
        query = f"query D{number}($site: ID!) {{ site(id: $site) {{ id n{number}: name }} }}"
        await http_load.send_request(reader, writer, target.with_query(query, variables).to_bytes())
    writer.close()
