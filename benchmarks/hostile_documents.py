"""The latency of others while one anonymous socket sends hostile documents: `python -m benchmarks.hostile_documents`.

Starts the server of a checkout on loopback, over a database of its own. A client sends small requests, one
every 20 ms: first alone, then while a socket sends 40 different documents with the highest allowed cost. It
prints the percentiles of both, in milliseconds. `--server PATH` measures another checkout with the same load.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Final

import httpx

from benchmarks import servers
from tests import clusters
from tests.websocket_client import WebSocketClient, connect_websocket

DOCUMENTS: Final = 40
_PAUSE_S: Final = 0.02
_IDLE_S: Final = 5.0
_SMALL: Final = {"query": "{ viewer { kind } }"}
_REPEATED: Final = " viewer { user { id } }"
_FIELDS: Final = (100, 200, 300)
"""How often a document repeats its field: within an anonymous caller's tokens, beyond them, and as reported."""


def make_hostile_document(number: int, repeated: int) -> str:
    """The document of the report, each with another name."""
    return f"query Q{number} {{{_REPEATED * repeated}}}"


async def time_small_requests(url: str, seconds: float, stop: asyncio.Event) -> list[float]:
    """The milliseconds of each small request, until `stop` is set and at least for the given time."""
    took: list[float] = []
    began = time.perf_counter()
    async with httpx.AsyncClient(timeout=60) as client:
        while not stop.is_set() or time.perf_counter() - began < seconds:
            sent_began = time.perf_counter()
            (await client.post(f"{url}/graphql", json=_SMALL)).raise_for_status()
            took.append((time.perf_counter() - sent_began) * 1000)
            await asyncio.sleep(max(0.0, _PAUSE_S - (time.perf_counter() - sent_began)))
    return took


async def send_hostile_documents(url: str, repeated: int) -> Counter[str]:
    """Send all documents at once; returns the number of each response."""
    ends: Counter[str] = Counter()
    async with connect_websocket(url) as client:
        await client.init()
        for number in range(DOCUMENTS):
            await client.subscribe(make_hostile_document(number, repeated), str(number))
        while sum(ends.values()) < DOCUMENTS:
            ends.update(await _read_until_closed(client))
    return ends


async def _read_until_closed(client: WebSocketClient) -> list[str]:
    message = await client.receive(300)
    if message["type"] == "error":
        return [str(message["payload"][0]["extensions"]["code"])]
    return ["answered"] if message["type"] == "complete" else []


def format_row(name: str, took: Sequence[float]) -> str:
    """A line of the table."""
    cuts = quantiles(took, n=1000, method="inclusive")
    return f"{name:32} {len(took):6} {cuts[499]:8.1f} {cuts[949]:8.1f} {cuts[989]:8.1f} {max(took):8.1f}"


async def measure_documents(url: str, repeated: int) -> None:
    """Print the lines of one kind of document."""
    ended = asyncio.Event()
    ended.set()
    print(format_row("alone", await time_small_requests(url, _IDLE_S, ended)))
    ended.clear()
    measured = asyncio.create_task(time_small_requests(url, 1.0, ended))
    await asyncio.sleep(0.2)
    ends = await send_hostile_documents(url, repeated)
    ended.set()
    counts = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
    print(format_row(f"{DOCUMENTS} documents of {repeated} fields", await measured), "", counts)


def main() -> None:
    """Measure each kind of document on a server of its own, with full budgets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", type=Path, default=servers.ROOT, help="the checkout to measure")
    checkout = parser.parse_args().server
    print(f"{'':32} {'n':>6} {'p50':>8} {'p95':>8} {'p99':>8} {'max':>8}")
    with clusters.start_throwaway_cluster(max(clusters.VERSIONS)) as cluster:
        for repeated in _FIELDS:
            dsn = cluster.build_dsn(asyncio.run(cluster.create_database()))
            run_checkout(checkout, dsn, repeated)


def run_checkout(checkout: Path, dsn: str, repeated: int) -> None:
    """Start the server, measure, end it."""
    port = servers.find_free_port()
    with tempfile.TemporaryDirectory() as data_dir:
        command = [sys.executable, "server.py", "--demo", "--port", str(port), "--data-dir", data_dir]
        environment = {"DATABASE_URL": dsn, "PYTHONPATH": os.fspath(checkout)}
        with servers.run_process(command, port, environment, checkout):
            asyncio.run(measure_documents(f"http://127.0.0.1:{port}", repeated))


if __name__ == "__main__":
    main()
