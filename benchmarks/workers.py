"""Answers a second of one worker and of two, with the CPU of the server, PostgreSQL and the load generator.

On a machine with few cores the three compete, so the CPU for each answer says more than the rate. The second part
measures what a live layer in each worker costs: the same subscriptions and changes with one worker and with two.

    python -m benchmarks.workers [--seconds 8] [--workers 1,2]
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import psutil

from api.demo_issuer import DemoIssuer
from benchmarks import servers
from benchmarks.http_load import HttpTarget, run_load
from benchmarks.resource_usage import find_postmaster
from benchmarks.websocket_clients import FrameCounter, open_sockets
from commands.async_runner import run_to_end
from core.database.embedded.embedded_postgres import EmbeddedPostgres
from core.settings import Settings
from demo import DemoSize, load_demo, load_demo_viewers
from services.migrations import migrate

_CONNECTIONS: Final = 32
_SOCKETS: Final = 40
_WRITES: Final = 100
_QUERY: Final = "{ sites(first: 20) { nodes { id name agents(first: 5) { nodes { id hostname } } } } }"
_LIVE: Final = "subscription { agents(first: 20, orderBy: [{field: HOSTNAME}]) { nodes { id hostname } } }"
_WRITE: Final = "UPDATE agents SET hostname = hostname || '' , updated_at = updated_at + 1 WHERE id = $1"


class _Usage:
    """The CPU seconds so far of the server with its workers, of PostgreSQL, and of this process."""

    def __init__(self, server_pid: int, postmaster_pid: int) -> None:
        self._server, self._postmaster = psutil.Process(server_pid), psutil.Process(postmaster_pid)

    def read(self) -> tuple[float, float, float]:
        return (
            _tree_cpu_s(self._server),
            _tree_cpu_s(self._postmaster),
            sum(psutil.Process().cpu_times()[:2]),
        )

    def memory_mib(self) -> float:
        """Memory of the server that it shares with no other process."""
        processes = [self._server, *self._server.children()]
        return float(sum(one.memory_full_info().uss for one in processes) / (1 << 20))


def _tree_cpu_s(root: psutil.Process) -> float:
    times = [one.cpu_times() for one in (root, *root.children())]
    ended = root.cpu_times()
    return sum(one.user + one.system for one in times) + ended.children_user + ended.children_system


@contextmanager
def _start(dsn: str, data_dir: Path, workers: int) -> Iterator[tuple[int, int]]:
    """A server with so many workers; yields its port and process id when all workers are ready."""
    port = servers.find_free_port()
    command, environment, cwd = servers.our_command(dsn, data_dir, port)
    with servers.run_process([*command, "--workers", str(workers)], port, environment, cwd) as pid:
        deadline = time.monotonic() + 120
        while workers > 1 and _count_up(port) < workers:
            if time.monotonic() > deadline:
                raise SystemExit("The workers do not start")
            time.sleep(0.2)
        yield port, pid


def _count_up(port: int) -> int:
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    except httpx.HTTPError:
        return 0
    return sum(line.startswith("msp_worker_up{") and line.endswith(" 1") for line in text.splitlines())


async def _measure_reads(port: int, usage: _Usage, token: str, seconds: float) -> str:
    headers = (("Content-Type", "application/json"), ("Authorization", f"Bearer {token}"))
    target = HttpTarget(port, "/graphql", headers, json.dumps({"query": _QUERY}).encode())
    await run_load(target, 2, _CONNECTIONS)
    before, began = usage.read(), time.perf_counter()
    result = await run_load(target, seconds, _CONNECTIONS)
    lasted = time.perf_counter() - began
    server, postgres, client = (after - then for after, then in zip(usage.read(), before, strict=True))
    answers = result.rate * lasted
    return (
        f"{result.rate:7.0f} answers/s, median {result.latency_ms:6.1f} ms; CPU: "
        f"server {server / lasted:4.2f}, PostgreSQL {postgres / lasted:4.2f}, load {client / lasted:4.2f} cores; "
        f"an answer {server / answers * 1e3:5.2f} + {postgres / answers * 1e3:5.2f} ms; "
        f"{usage.memory_mib():4.0f} MiB"
    )


async def _measure_live(dsn: str, port: int, usage: _Usage, tokens: Sequence[str]) -> str:
    counted = FrameCounter()
    sockets = await open_sockets(port, "/graphql", _SOCKETS, counted, tokens)
    for socket in sockets:
        socket.send({"id": "1", "type": "subscribe", "payload": {"query": _LIVE}})
    await asyncio.sleep(3)
    idle, began = usage.read(), time.perf_counter()
    await asyncio.sleep(4)
    lasted = time.perf_counter() - began
    busy = usage.read()
    connection = await asyncpg.connect(dsn)
    agent = await connection.fetchval("SELECT id FROM agents ORDER BY hostname LIMIT 1")
    await connection.execute("SELECT set_config('app.platform', 'on', false)")
    for _ in range(_WRITES):
        await connection.execute(_WRITE, agent)
        await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    done = usage.read()
    await connection.close()
    for socket in sockets:
        socket.close()
    return (
        f"idle: server {(busy[0] - idle[0]) / lasted:5.3f}, PostgreSQL {(busy[1] - idle[1]) / lasted:5.3f} cores; "
        f"a write: server {(done[0] - busy[0]) / _WRITES * 1e3:5.2f} ms, "
        f"PostgreSQL {(done[1] - busy[1]) / _WRITES * 1e3:5.2f} ms"
    )


async def _load_demo(dsn: str) -> list[str]:
    await migrate(dsn, Settings())
    connection = await asyncpg.connect(dsn)
    try:
        await load_demo(connection, DemoSize.SMALL)
        await connection.execute("ANALYZE")
        return [viewer.user_id for viewer in await load_demo_viewers(connection)]
    finally:
        await connection.close()


async def _run(dsn: str, data_dir: Path, users: Sequence[str], counts: Sequence[int], seconds: float) -> None:
    issuer = DemoIssuer.load(data_dir)
    tokens = [issuer.issue(user) for user in users[:1]]
    postmaster = find_postmaster(data_dir)
    for workers in counts:
        with _start(dsn, data_dir, workers) as (port, pid):
            usage = _Usage(pid, postmaster)
            sys.stdout.write(
                f"{workers} workers, reads: {await _measure_reads(port, usage, tokens[0], seconds)}\n"
            )
            sys.stdout.write(f"{workers} workers, live:  {await _measure_live(dsn, port, usage, tokens)}\n")
            sys.stdout.flush()


def main() -> None:
    """Run the benchmark, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--workers", default="1,2")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        data_dir = Path(home) / ".data"
        DemoIssuer.load(data_dir)
        postgres = EmbeddedPostgres.start(data_dir)
        try:
            users = run_to_end(_load_demo(postgres.dsn))
            counts = [int(count) for count in arguments.workers.split(",")]
            run_to_end(_run(postgres.dsn, data_dir, users, counts, arguments.seconds))
        finally:
            postgres.stop()


if __name__ == "__main__":
    main()
