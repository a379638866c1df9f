"""Check-ins over real HTTP: `python -m benchmarks.checkins`.

The first part measures saturation of three cases in turns. A route of the same server verifies the token and
does nothing. Then come check-ins, and the same batched statements directly in PostgreSQL. In the second part
60,000 agents check in once a minute for two minutes. There are 1,000 subscribers of `agentCheckins` on their
sites, and 1,000 live queries that do not select check-in times.

Server, database and clients are processes on this machine. The server is unchanged (`benchmarks.noop_route` adds
the route). The database is the embedded one with the medium demo data and durable commits.
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

from api.server import raise_file_limit
from benchmarks import servers
from benchmarks.agent_fleet import AgentFleet, load_agent_fleet
from benchmarks.check_in_load import HeartbeatLoad, LoadResult, measure_bare_statement, warm_up
from benchmarks.endurance import run_endurance
from benchmarks.live_servers import sum_metrics
from benchmarks.reads import RESULTS, prepare_database
from benchmarks.resource_usage import ResourceUsage
from core.database.embedded.embedded_postgres import EmbeddedPostgres
from core.gc_tuning import freeze_long_lived_objects

_LIMITS: Final = {"AGENT_CALLS_PER_MINUTE": "100000"}
"""Raises the rate limit, since each agent checks in more often than usual at saturation.

It stands for 60,000 agents.
"""

_BATCHES: Final = {name: f"msp_check_ins_{name}_total" for name in ("written", "statements")}


async def _measure_saturation(
    load: HeartbeatLoad, usage: ResourceUsage, connection: asyncpg.Connection, options: argparse.Namespace
) -> Any:
    """The median of each case over short rounds, so that other work on the machine affects all cases alike."""
    seen: dict[str, list[LoadResult]] = {"nothing": [], "check_ins": []}
    port, rows = load.fleet.origin.port, list[float]()
    before = await sum_metrics(port, _BATCHES)
    for _ in range(options.rounds):
        for name, runs in seen.items():
            runs.append(await load.run(name, options.seconds, usage))
            print(f"   {name:10} {runs[-1]}", flush=True)
        after = await sum_metrics(port, _BATCHES)
        batch = round((after["written"] - before["written"]) / (after["statements"] - before["statements"]))
        rows.append(await measure_bare_statement(connection, load.fleet, batch, options.seconds))
        print(f"   {'bare':10} {rows[-1]:,.0f} rows/s, {batch} at once", flush=True)
    summary = {name: _median_run(runs) for name, runs in seen.items()}
    ratios = [
        ours.rate / nothing.rate for ours, nothing in zip(seen["check_ins"], seen["nothing"], strict=True)
    ]
    of_nothing = {"median": median(ratios), "least": min(ratios), "most": max(ratios)}
    return {
        "connections": options.connections,
        **summary,
        "of_nothing": {name: round(ratio, 2) for name, ratio in of_nothing.items()},
        "bare_rows_s": round(median(rows)),
        "batch": batch,
    }


def _median_run(runs: list[LoadResult]) -> dict[str, float]:
    names = LoadResult._fields
    return {name: round(median(getattr(run, name) for run in runs), 2) for name in names}


async def _run_with_server(dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    port = servers.find_free_port()
    command = [sys.executable, "-m", "benchmarks.noop_route", "--demo", "--port", str(port)]
    command += ["--data-dir", str(options.data_dir)]
    connection = await asyncpg.connect(dsn)
    with ExitStack() as running:
        pid = running.enter_context(
            servers.run_process(command, port, {"DATABASE_URL": dsn, **_LIMITS}, servers.ROOT)
        )
        fleet: AgentFleet = await load_agent_fleet(connection, options.data_dir, port, options.agents)
        usage = ResourceUsage(psutil.Process(pid), options.data_dir)
        load = HeartbeatLoad(fleet, options.connections)
        freeze_long_lived_objects()
        results: dict[str, Any] = {"first": await warm_up(load, usage), "saturation": None, "endurance": None}
        print(f"   first check-ins: {results['first']}", flush=True)
        if options.rounds:
            results["saturation"] = await _measure_saturation(load, usage, connection, options)
            print(json.dumps(results["saturation"], indent=2), flush=True)
        if options.endure:
            results["endurance"] = await run_endurance(
                fleet, connection, usage, options.endure, options.followers
            )
            print(json.dumps(results["endurance"], indent=2), flush=True)
    return results


def main() -> None:
    """Run everything, and write the results to `benchmarks/results/checkins.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=60_000)
    parser.add_argument("--connections", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--endure", type=float, default=120.0)
    parser.add_argument("--followers", type=int, default=1_000)
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench-checkins"))
    options = parser.parse_args()
    raise_file_limit()
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        asyncio.run(prepare_database(postgres.dsn))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            results = runner.run(_run_with_server(postgres.dsn, options))
    finally:
        postgres.stop()
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    report = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, **results}
    (RESULTS / "checkins.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
