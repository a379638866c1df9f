"""Reads, beside the floor and PostGraphile: `python -m benchmarks.reads`.

The three servers run side by side over one embedded PostgreSQL with the medium demo data; each question is put to
them in turns, so that a machine whose speed drifts treats all alike. The answers are compared before anything is
timed.
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
from benchmarks import distinct, load, plot, servers
from benchmarks.cases import CASES, Case
from core.embedded import EmbeddedPostgres
from core.settings import Settings
from services.demo import DemoSize, load_demo
from services.migrations import migrate

_CONNECTIONS: Final = 4
RESULTS: Final = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Asking:
    """Who asks, about what, where."""

    tenant: str
    site: str
    token: str
    ports: dict[str, int]

    def targets(self, number: int, case: Case) -> dict[str, load.Target]:
        """The case as each server is asked."""
        json_type = ("Content-Type", "application/json")
        peer = load.Target(self.ports["peer"], "/graphql", (json_type, ("x-tenant", self.tenant)), b"")
        return {
            "floor": load.Target(
                self.ports["floor"], f"/{number}", (("x-tenant", self.tenant), ("x-site", self.site)), b"{}"
            ),
            "ours": self.ours.asking(case.ours, self.variables),
            "PostGraphile": peer.asking(case.peer, self.variables),
        }

    @property
    def ours(self) -> load.Target:
        """Our server, not yet asked anything."""
        headers = (("Content-Type", "application/json"), ("Authorization", f"Bearer {self.token}"))
        return load.Target(self.ports["ours"], "/graphql", headers, b"")

    @property
    def variables(self) -> dict[str, str]:
        """Those that documents may use."""
        return {"tenant": self.tenant, "site": self.site}


async def prepare(dsn: str) -> tuple[str, str, str]:
    """Migrate and fill the database; gives the largest tenant that a demo viewer can see, a site and its user."""
    await migrate(dsn, Settings())
    connection = await asyncpg.connect(dsn)
    try:
        await load_demo(connection, DemoSize.MEDIUM)
        await connection.execute("VACUUM (ANALYZE) sites, agents, health_checks")  # as autovacuum does later
        row = await connection.fetchrow(_LARGEST)
        assert row is not None  # noqa: S101 - the demo has its people
        return row["tenant_id"], row["site_id"], row["user_id"]
    finally:
        await connection.close()


_LARGEST: Final = """
    SELECT s.tenant_id, s.id AS site_id, u.id AS user_id
    FROM sites s JOIN users u USING (tenant_id) JOIN roles r ON r.id = u.role_id JOIN tenants t ON t.id = s.tenant_id
    WHERE r.rights ? 'Global.Admin' AND u.status = 'active' AND t.status = 'active' AND t.deleted_at IS NULL
      AND r.deleted_at IS NULL AND u.deleted_at IS NULL AND s.deleted_at IS NULL
    ORDER BY (SELECT count(*) FROM sites x WHERE x.tenant_id = s.tenant_id) DESC,
             (SELECT count(*) FROM agents a WHERE a.site_id = s.id) DESC LIMIT 1
"""


async def check(case: Case, targets: dict[str, load.Target]) -> int:
    """Make sure that all three answer the same; gives the bytes of our answer."""
    floor, ours, peer = [await load.once(target) for target in targets.values()]
    wanted = json.loads(floor)
    for name, got in (
        ("ours", case.of_ours(json.loads(ours)["data"])),
        ("PostGraphile", case.of_peer(json.loads(peer)["data"])),
    ):
        if got != wanted:
            raise SystemExit(
                f"{case.name}: {name} answers otherwise than the floor:\n{got!s:.300}\n{wanted!s:.300}"
            )
    return len(ours)


async def measure(
    targets: dict[str, load.Target], rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """The median rate and latency of each server, asked in turns."""
    runs: dict[str, list[load.Run]] = {name: [] for name in targets}
    for target in targets.values():
        await load.run(target, seconds, _CONNECTIONS)
    for _ in range(rounds):
        for name, target in targets.items():
            runs[name].append(await load.run(target, seconds, _CONNECTIONS))
    return {
        name: {
            "rate": round(median(run.rate for run in seen), 1),
            "latency_ms": round(median(run.latency_ms for run in seen), 2),
        }
        for name, seen in runs.items()
    }


async def compare(asking: Asking, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Every case, checked and measured."""
    results = []
    for number, case in enumerate(CASES):
        targets = asking.targets(number, case)
        size = await check(case, targets)
        seen = await measure(targets, rounds, seconds)
        results.append({"case": case.name, "bytes": size, **seen})
        print(_line(case.name, seen), flush=True)
    return results


async def distinct_documents(asking: Asking, pid: int, documents: int) -> dict[str, Any]:
    """What documents take that our server, of this process number, has never seen."""
    seen = {
        "cold": await distinct.cold(asking.ours, asking.variables),
        "memory": await distinct.memory(asking.ours, asking.variables, pid, documents),
    }
    print(*distinct.lines(seen), sep="\n", flush=True)
    return seen


def _line(name: str, seen: dict[str, dict[str, float]]) -> str:
    ours, floor, peer = (seen[server]["rate"] for server in ("ours", "floor", "PostGraphile"))
    latency = seen["ours"]["latency_ms"]
    return (
        f"{name}\n   ours {ours:.0f}/s ({latency} ms), floor {floor:.0f}/s, PostGraphile {peer:.0f}/s"
        f"\n   {ours / floor:.2f} of the floor, {ours / peer:.2f} times PostGraphile"
    )


def main() -> None:
    """Run everything, and write what was seen to `benchmarks/results/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--documents", type=int, default=100_000, help="distinct ones, for memory")
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench"))
    options = parser.parse_args()
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        results = _with_servers(postgres.dsn, options)
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
    (RESULTS / "reads.svg").write_text(plot.bars(report))


def _with_servers(dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    tenant, site, user = asyncio.run(prepare(dsn))
    ports = {name: servers.free_port() for name in ("floor", "ours", "peer")}
    pids: dict[str, int] = {}
    with ExitStack() as running:
        for name, started in (
            ("floor", servers.floor(dsn, ports["floor"])),
            ("ours", servers.ours(dsn, options.data_dir, ports["ours"])),
            ("peer", servers.peer(dsn, ports["peer"])),
        ):
            command, environment, cwd = started
            pids[name] = running.enter_context(servers.process(command, ports[name], environment, cwd))
        asking = Asking(tenant, site, DemoIssuer.load(options.data_dir).issue(user), ports)
        return {
            "cases": asyncio.run(compare(asking, options.rounds, options.seconds)),
            "documents": asyncio.run(distinct_documents(asking, pids["ours"], options.documents)),
        }


if __name__ == "__main__":
    main()
