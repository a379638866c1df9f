"""Reads, compared to the baseline and PostGraphile: `python -m benchmarks.reads`.

The three servers run at the same time over one embedded PostgreSQL with the medium demo data. They get each
query in turns, so that a machine with changing speed affects all alike. The responses are compared before
anything is timed.
"""

import argparse
import asyncio
import json
import os
import platform
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import asyncpg

from api.demo_issuer import DemoIssuer
from benchmarks import http_load, plot, servers, unseen_documents
from benchmarks.read_cases import CASES, ReadCase
from core.database.embedded.embedded_postgres import EmbeddedPostgres
from core.settings import Settings
from demo import DemoSize, load_demo
from services.migrations import migrate

_CONNECTIONS: Final = 4
RESULTS: Final = Path(__file__).with_name("results")


@dataclass(frozen=True)
class ReadBenchmark:
    """The viewer, tenant, site and servers of the requests."""

    tenant: str
    site: str
    token: str
    ports: dict[str, int]

    def build_targets(self, number: int, case: ReadCase) -> dict[str, http_load.HttpTarget]:
        """The case's request to each server."""
        json_type = ("Content-Type", "application/json")
        peer = http_load.HttpTarget(
            self.ports["peer"], "/graphql", (json_type, ("x-tenant", self.tenant)), b""
        )
        return {
            "floor": http_load.HttpTarget(
                self.ports["floor"], f"/{number}", (("x-tenant", self.tenant), ("x-site", self.site)), b"{}"
            ),
            "ours": self.our_target.with_query(case.our_query, self.variables),
            "PostGraphile": peer.with_query(case.peer_query, self.variables),
        }

    @property
    def our_target(self) -> http_load.HttpTarget:
        """Our server, without a query."""
        headers = (("Content-Type", "application/json"), ("Authorization", f"Bearer {self.token}"))
        return http_load.HttpTarget(self.ports["ours"], "/graphql", headers, b"")

    @property
    def variables(self) -> dict[str, str]:
        """The variables that documents may use."""
        return {"tenant": self.tenant, "site": self.site}


async def prepare_database(dsn: str) -> tuple[str, str, str]:
    """Migrate and fill the database; returns the largest tenant that a demo viewer can see, a site and its user."""
    await migrate(dsn, Settings())
    connection = await asyncpg.connect(dsn)
    try:
        await load_demo(connection, DemoSize.MEDIUM)
        await connection.execute("VACUUM (ANALYZE) sites, agents, health_checks")  # as autovacuum does later
        row = await connection.fetchrow(_LARGEST_TENANT_SQL)
        assert row is not None  # noqa: S101 - the demo has its people
        return row["tenant_id"], row["site_id"], row["user_id"]
    finally:
        await connection.close()


_LARGEST_TENANT_SQL: Final = """
    SELECT s.tenant_id, s.id AS site_id, u.id AS user_id
    FROM sites s JOIN users u USING (tenant_id) JOIN roles r ON r.id = u.role_id JOIN tenants t ON t.id = s.tenant_id
    WHERE r.rights ? 'Global.Admin' AND u.status = 'active' AND t.status = 'active' AND t.deleted_at IS NULL
      AND r.deleted_at IS NULL AND u.deleted_at IS NULL AND s.deleted_at IS NULL
    ORDER BY (SELECT count(*) FROM sites x WHERE x.tenant_id = s.tenant_id) DESC,
             (SELECT count(*) FROM agents a WHERE a.site_id = s.id) DESC LIMIT 1
"""


async def check_equal_answers(case: ReadCase, targets: dict[str, http_load.HttpTarget]) -> int:
    """Require that all three responses are equal; returns the size of ours in bytes."""
    floor, ours, peer = [await http_load.fetch_once(target) for target in targets.values()]
    wanted = json.loads(floor)
    for name, got in (
        ("ours", case.normalize_ours(json.loads(ours)["data"])),
        ("PostGraphile", case.normalize_peer(json.loads(peer)["data"])),
    ):
        if got != wanted:
            raise SystemExit(
                f"{case.name}: {name} answers otherwise than the floor:\n{got!s:.300}\n{wanted!s:.300}"
            )
    return len(ours)


async def measure_servers(
    targets: dict[str, http_load.HttpTarget], rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """The median rate and latency of each server, measured in turns."""
    runs: dict[str, list[http_load.LoadResult]] = {name: [] for name in targets}
    for target in targets.values():
        await http_load.run_load(target, seconds, _CONNECTIONS)
    for _ in range(rounds):
        for name, target in targets.items():
            runs[name].append(await http_load.run_load(target, seconds, _CONNECTIONS))
    return {
        name: {
            "rate": round(median(run.rate for run in seen), 1),
            "latency_ms": round(median(run.latency_ms for run in seen), 2),
        }
        for name, seen in runs.items()
    }


async def measure_cases(benchmark: ReadBenchmark, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Check and measure every case."""
    results = []
    for number, case in enumerate(CASES):
        targets = benchmark.build_targets(number, case)
        size = await check_equal_answers(case, targets)
        seen = await measure_servers(targets, rounds, seconds)
        results.append({"case": case.name, "bytes": size, **seen})
        print(_format_line(case.name, seen), flush=True)
    return results


async def measure_unseen_documents(benchmark: ReadBenchmark, pid: int, documents: int) -> dict[str, Any]:
    """The cost of documents that our server, of this process id, has not cached."""
    seen = {
        "cold": await unseen_documents.measure_cold_documents(benchmark.our_target, benchmark.variables),
        "memory": await unseen_documents.measure_memory(
            benchmark.our_target, benchmark.variables, pid, documents
        ),
    }
    print(*unseen_documents.format_lines(seen), sep="\n", flush=True)
    return seen


def _format_line(name: str, seen: dict[str, dict[str, float]]) -> str:
    ours, floor, peer = (seen[server]["rate"] for server in ("ours", "floor", "PostGraphile"))
    latency = seen["ours"]["latency_ms"]
    return (
        f"{name}\n   ours {ours:.0f}/s ({latency} ms), floor {floor:.0f}/s, PostGraphile {peer:.0f}/s"
        f"\n   {ours / floor:.2f} of the floor, {ours / peer:.2f} times PostGraphile"
    )


def main() -> None:
    """Run everything, and write the results to `benchmarks/results/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--documents", type=int, default=100_000, help="distinct ones, for memory")
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench"))
    options = parser.parse_args()
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        results = _run_with_servers(postgres.dsn, options)
    finally:
        postgres.stop()
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    report = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "connections": _CONNECTIONS,
        **results,
    }
    (RESULTS / "reads.json").write_text(json.dumps(report, indent=2) + "\n")
    (RESULTS / "reads.svg").write_text(plot.draw_bars(report))


def _run_with_servers(dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    tenant, site, user = asyncio.run(prepare_database(dsn))
    ports = {name: servers.find_free_port() for name in ("floor", "ours", "peer")}
    pids: dict[str, int] = {}
    with ExitStack() as running:
        for name, started in (
            ("floor", servers.floor_command(dsn, ports["floor"])),
            ("ours", servers.our_command(dsn, options.data_dir, ports["ours"])),
            ("peer", servers.peer_command(dsn, ports["peer"])),
        ):
            command, environment, cwd = started
            pids[name] = running.enter_context(servers.run_process(command, ports[name], environment, cwd))
        asking = ReadBenchmark(tenant, site, DemoIssuer.load(options.data_dir).issue(user), ports)
        return {
            "cases": asyncio.run(measure_cases(asking, options.rounds, options.seconds)),
            "documents": asyncio.run(measure_unseen_documents(asking, pids["ours"], options.documents)),
        }


if __name__ == "__main__":
    main()
