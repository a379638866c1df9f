"""The fixtures of `benchmarks.live`: a fresh server of ours, a bare one, and their counters and costs."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import psutil

from api.demo_issuer import DemoIssuer
from benchmarks import servers
from benchmarks.websocket_clients import FrameCounter, WebSocketConnection, open_sockets

ROLE: Final = "bench"
"""The row that the one query of case (a) reads."""

_COUNTED: Final = ("runs", "messages", "polls", "unchanged")


@dataclass(frozen=True)
class ServerProcess:
    """A server process."""

    port: int
    process: psutil.Process

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU that it has used, in steps of 10 ms."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    @property
    def memory_bytes(self) -> int:
        """Bytes in memory (RSS)."""
        return int(self.process.memory_info().rss)


@dataclass(frozen=True)
class LiveServers:
    """A database with the medium demo data, and a connection to it that bypasses the policies."""

    dsn: str
    data_dir: Path
    connection: asyncpg.Connection
    tenant: str

    @contextmanager
    def start_ours(self, **settings: str) -> Iterator[ServerProcess]:
        """A fresh server of ours, so that no case affects the memory of the next."""
        port = servers.find_free_port()
        command, environment, cwd = servers.our_command(self.dsn, self.data_dir, port)
        with servers.run_process(command, port, {**environment, **settings}, cwd) as pid:
            yield ServerProcess(port, psutil.Process(pid))

    @contextmanager
    def start_bare(self) -> Iterator[ServerProcess]:
        """A fresh bare server."""
        port = servers.find_free_port()
        command = [sys.executable, "-m", "benchmarks.bare_websocket", str(port)]
        with servers.run_process(command, port, {}, servers.ROOT) as pid:
            yield ServerProcess(port, psutil.Process(pid))

    async def open_sockets(
        self, served: ServerProcess, tenant: str, count: int, counted: FrameCounter
    ) -> list[WebSocketConnection]:
        """A number of acknowledged sockets of a tenant's administrators, fifty for each."""
        users = await create_administrators(self.connection, tenant, 1 + count // 50)
        issuer = DemoIssuer.load(self.data_dir)
        return await open_sockets(
            served.port, "/graphql", count, counted, [issuer.issue(user) for user in users]
        )

    async def count_transactions(self) -> int:
        """The number of transactions in the database, including those of autovacuum."""
        sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        count: int = await self.connection.fetchval(sql)
        return count


_ADMINISTRATORS: Final = """
    INSERT INTO users (id, tenant_id, role_id, email, name, status)
    SELECT id, $2, (SELECT r.id FROM roles r WHERE r.rights ? 'Global.Admin' AND r.deleted_at IS NULL
                    AND (r.tenant_id = $2 OR r.tenant_id IS NULL) LIMIT 1), id || '@bench.example', 'Bench', 'active'
    FROM unnest($1::text[]) AS id
    ON CONFLICT (id) DO NOTHING
"""


async def create_administrators(connection: asyncpg.Connection, tenant: str, count: int) -> list[str]:
    """New users of a tenant: the number of sockets of a viewer is limited."""
    ids = [f"bench-{tenant}-{number}" for number in range(count)]
    await connection.execute(_ADMINISTRATORS, ids, tenant)
    return ids


async def read_counters(served: ServerProcess) -> dict[str, float]:
    """The present counters of one of our servers (`api.observability.live_metrics`).

    Raises:
        SystemExit: It has no such metric.
    """
    return await sum_metrics(served.port, {name: f"msp_live_{name}_total" for name in _COUNTED})


async def sum_metrics(port: int, metrics: Mapping[str, str]) -> dict[str, float]:
    """The sums of metrics over their labels, by name, from the server on that port.

    Raises:
        SystemExit: It has no such metric.
    """
    async with httpx.AsyncClient() as http:
        page = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    return {name: _sum_metric(page, metric) for name, metric in metrics.items()}


def _sum_metric(page: str, metric: str) -> float:
    found = re.findall(rf"^{metric}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE)
    if not found:
        raise SystemExit(f"/metrics has no {metric}")
    return sum(map(float, found))


def describe_machine() -> dict[str, object]:
    """The machine on which the figures were measured."""
    return {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}
