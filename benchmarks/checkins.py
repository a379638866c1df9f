"""Check-ins through real HTTP: `python -m benchmarks.checkins`.

First to saturation, in turns: a route of the same server that verifies the token and does nothing; check-ins; and
the same batched statements straight into PostgreSQL. Then for two minutes 60,000 agents that beat once a minute, with
1,000 subscribers of `agentCheckins` on their sites and 1,000 live queries that do not ask for check-in times.

Server, database and clients are processes on this machine. The server is ours as it is (`benchmarks.nothing` adds the
route), the database the embedded one with the medium demo data, durable commits and all.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import asyncpg
import psutil
import uvloop

from api.serving import allow_many_files
from benchmarks import servers
from benchmarks.beating import Load, Saturation, bare, warmed
from benchmarks.endurance import endured
from benchmarks.fleets import Known, known_fleet
from benchmarks.reads import RESULTS, prepare
from benchmarks.usage import Usage
from core.embedded import EmbeddedPostgres
from simulator.command import keep_what_stands

_LIMITS: Final = {"AGENT_CALLS_PER_MINUTE": "100000"}
"""To saturation each agent beats more often than it may; there is one of them for 60,000 all the same."""


async def _saturation(
    load: Load, usage: Usage, connection: asyncpg.Connection, options: argparse.Namespace
) -> Any:
    """The median of each case over short rounds: other work on the machine comes and goes, and meets all alike."""
    seen: dict[str, list[Saturation]] = {"nothing": [], "check_ins": []}
    rows: list[float] = []
    for _ in range(options.rounds):
        for name, runs in seen.items():
            runs.append(await load.run(name, options.seconds, usage))
            print(f"   {name:10} {runs[-1]}", flush=True)
        rows.append(await bare(connection, load.fleet, options.batch, options.seconds))
        print(f"   {'bare':10} {rows[-1]:,.0f} rows/s", flush=True)
    told = {name: _median(runs) for name, runs in seen.items()}
    ratios = [
        ours.rate / nothing.rate for ours, nothing in zip(seen["check_ins"], seen["nothing"], strict=True)
    ]
    of_nothing = {"median": median(ratios), "least": min(ratios), "most": max(ratios)}
    return {
        "connections": options.connections,
        **told,
        "of_nothing": {name: round(ratio, 2) for name, ratio in of_nothing.items()},
        "bare_rows_s": round(median(rows)),
        "batch": options.batch,
    }


def _median(runs: list[Saturation]) -> dict[str, float]:
    names = Saturation._fields
    return {name: round(median(getattr(run, name) for run in runs), 2) for name in names}


async def _with_server(dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    port = servers.free_port()
    command = [sys.executable, "-m", "benchmarks.nothing", "--demo", "--port", str(port)]
    command += ["--data-dir", str(options.data_dir)]
    connection = await asyncpg.connect(dsn)
    with ExitStack() as running:
        pid = running.enter_context(
            servers.process(command, port, {"DATABASE_URL": dsn, **_LIMITS}, servers.ROOT)
        )
        fleet: Known = await known_fleet(connection, options.data_dir, port, options.agents)
        usage = Usage(psutil.Process(pid), options.data_dir)
        load = Load(fleet, options.connections)
        keep_what_stands()
        results: dict[str, Any] = {"first": await warmed(load, usage), "saturation": None, "endurance": None}
        print(f"   first check-ins: {results['first']}", flush=True)
        if options.rounds:
            results["saturation"] = await _saturation(load, usage, connection, options)
            print(json.dumps(results["saturation"], indent=2), flush=True)
        if options.endure:
            results["endurance"] = await endured(fleet, connection, usage, options.endure, options.followers)
            print(json.dumps(results["endurance"], indent=2), flush=True)
    return results


def main() -> None:
    """Run everything, and write what was seen to `benchmarks/results/checkins.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=60_000)
    parser.add_argument("--connections", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--endure", type=float, default=120.0)
    parser.add_argument("--followers", type=int, default=1_000)
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench-checkins"))
    options = parser.parse_args()
    allow_many_files()
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        asyncio.run(prepare(postgres.dsn))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            results = runner.run(_with_server(postgres.dsn, options))
    finally:
        postgres.stop()
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    report = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, **results}
    (RESULTS / "checkins.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
