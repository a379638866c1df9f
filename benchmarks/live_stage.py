"""What the cases of `benchmarks.live` stand on: a fresh server of ours, a bare one, their counters and costs."""

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
from benchmarks.sockets import Counted, Socket, opened

ROLE: Final = "bench"
"""The row that the one query of case (a) reads."""

_COUNTED: Final = ("runs", "messages", "ticks", "unchanged")


@dataclass(frozen=True)
class Served:
    """A server process."""

    port: int
    process: psutil.Process

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU that it has taken, in steps of 10 ms."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    @property
    def memory(self) -> int:
        """Bytes in memory (RSS)."""
        return int(self.process.memory_info().rss)


@dataclass(frozen=True)
class Stage:
    """A database with the medium demo data and, past the policies, a connection to it."""

    dsn: str
    data_dir: Path
    connection: asyncpg.Connection
    tenant: str

    @contextmanager
    def ours(self) -> Iterator[Served]:
        """A fresh server of ours: what one case leaves in memory is not the next one's."""
        port = servers.free_port()
        command, environment, cwd = servers.ours(self.dsn, self.data_dir, port)
        with servers.process(command, port, environment, cwd) as pid:
            yield Served(port, psutil.Process(pid))

    @contextmanager
    def bare(self) -> Iterator[Served]:
        """A fresh bare server."""
        port = servers.free_port()
        command = [sys.executable, "-m", "benchmarks.bare_socket", str(port)]
        with servers.process(command, port, {}, servers.ROOT) as pid:
            yield Served(port, psutil.Process(pid))

    async def followed_by(self, served: Served, tenant: str, count: int, counted: Counted) -> list[Socket]:
        """So many acknowledged sockets of administrators of a tenant, fifty for each."""
        users = await administrators(self.connection, tenant, 1 + count // 50)
        issuer = DemoIssuer.load(self.data_dir)
        return await opened(served.port, "/graphql", count, counted, [issuer.issue(user) for user in users])

    async def transactions(self) -> int:
        """How many transactions the database has seen, those of autovacuum among them."""
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


async def administrators(connection: asyncpg.Connection, tenant: str, count: int) -> list[str]:
    """Users of a tenant, made for this: a viewer may have only so many sockets."""
    ids = [f"bench-{tenant}-{number}" for number in range(count)]
    await connection.execute(_ADMINISTRATORS, ids, tenant)
    return ids


async def counters(served: Served) -> dict[str, float]:
    """What a server of ours has counted so far (`api.live_metrics`).

    Raises:
        SystemExit: It has no such metric.
    """
    return await sums(served.port, {name: f"msp_live_{name}_total" for name in _COUNTED})


async def sums(port: int, metrics: Mapping[str, str]) -> dict[str, float]:
    """By name, the sums of metrics over their labels, as the server on that port tells them.

    Raises:
        SystemExit: It has no such metric.
    """
    async with httpx.AsyncClient() as http:
        page = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    return {name: _summed(page, metric) for name, metric in metrics.items()}


def _summed(page: str, metric: str) -> float:
    found = re.findall(rf"^{metric}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE)
    if not found:
        raise SystemExit(f"/metrics has no {metric}")
    return sum(map(float, found))


def machine() -> dict[str, object]:
    """What the figures were seen on."""
    return {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}
