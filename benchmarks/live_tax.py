"""The cost of the change log for writers: `python -m benchmarks.live_tax`.

It measures commits a second of single-row updates by PostgreSQL's own pgbench, over the embedded PostgreSQL
(which waits for the disk at each commit) with the medium demo data. There are three variants: without the
triggers of the change log, with them, and with them and a NOTIFY in each transaction. They run in turns, so
that a machine with changing speed affects all alike.

Meanwhile the log is kept small as each of our servers does it. Without a server the writers do it, at a
higher cost.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import asyncpg

from benchmarks.reads import RESULTS, prepare_database
from core.database.embedded.embedded_postgres import EmbeddedPostgres, find_wheel_binaries
from core.limits import LIVE_RETENTION_INTERVAL_S
from subscriptions.change_log.retention import truncate_expired

CASES: Final = {
    "agents": "last_checkin_at = last_checkin_at + 1, updated_at = updated_at + 1",
    "entities": "data_hash = md5(data_hash), updated_at = updated_at + 1",
    "sites": "name = md5(name)",
}
"""The updated tables: a check-in, a synchronized entity, and a small table with few indexes."""

WRITERS: Final = (1, 16)
TRIGGER_MODES: Final = ("without", "with", "with NOTIFY")

_SCRIPT: Final = r"""
\set place random(1, {rows})
UPDATE {table} SET {sets} WHERE id = (SELECT id FROM bench.{table} WHERE place = :place);
"""
_PREPARE: Final = """
    DROP SCHEMA IF EXISTS bench CASCADE;
    CREATE SCHEMA bench;
    CREATE FUNCTION bench.notify() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_notify('bench', txid_current()::text); RETURN NULL; END $$;
"""
_PREPARE_TABLE: Final = """
    CREATE TABLE bench.{table} AS SELECT row_number() OVER () AS place, id FROM {table};
    ALTER TABLE bench.{table} ADD PRIMARY KEY (place);
    CREATE TRIGGER bench_notify AFTER UPDATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION bench.notify();
"""
_SWITCH: Final = """
    ALTER TABLE {table} {live} TRIGGER live_update;
    ALTER TABLE {table} {notify} TRIGGER bench_notify;
"""
_SIZES: Final = """
    SELECT count(*), coalesce(sum(pg_column_size(c)), 0), (SELECT sum(pg_table_size(t) + pg_indexes_size(t))
        FROM unnest(ARRAY['live.change_0', 'live.change_1', 'live.change_2', 'live.change_3']::regclass[]) t)
    FROM live.change c
"""


async def prepare_writes(connection: asyncpg.Connection) -> dict[str, int]:
    """Create what the scripts need; returns the number of rows of each table."""
    await connection.execute(_PREPARE)
    for table in CASES:
        await connection.execute(_PREPARE_TABLE.format(table=table))
    await connection.execute("VACUUM ANALYZE")
    return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in CASES}  # noqa: S608


async def set_triggers(connection: asyncpg.Connection, table: str, mode: str) -> None:
    """Enable the triggers of one variant."""
    live = "DISABLE" if mode == "without" else "ENABLE ALWAYS"
    notify = "ENABLE" if mode == "with NOTIFY" else "DISABLE"
    await connection.execute(_SWITCH.format(table=table, live=live, notify=notify))


def measure_commit_rate(dsn: str, script: Path, writers: int, seconds: float) -> float:
    """One run of pgbench, with the statement prepared once on each connection."""
    program = find_wheel_binaries() / "pgbench"
    command: list[str | Path] = [
        program,
        "--no-vacuum",
        "--protocol=prepared",
        f"--client={writers}",
        f"--time={max(1, round(seconds))}",
    ]
    output = subprocess.run(
        [*command, f"--file={script}", dsn], check=True, capture_output=True, text=True, timeout=seconds + 60
    )
    found = re.search(r"tps = ([\d.]+)", output.stdout)
    if found is None:
        raise SystemExit(f"pgbench told no rate:\n{output.stdout}")
    return float(found[1])


async def measure_table(
    connection: asyncpg.Connection, dsn: str, table: str, rows: int, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """All variants of writing one table, by one writer and by many."""
    results = []
    with tempfile.TemporaryDirectory(prefix="msp-bench-") as home:
        script = Path(home) / "script.sql"
        script.write_text(_SCRIPT.format(table=table, sets=CASES[table], rows=rows))
        for writers in WRITERS:
            rates: dict[str, list[float]] = {way: [] for way in TRIGGER_MODES}
            for number in range(options.rounds + 1):
                for way in TRIGGER_MODES:
                    await set_triggers(connection, table, way)
                    seconds = options.seconds if number else 1
                    rate = await asyncio.to_thread(measure_commit_rate, dsn, script, writers, seconds)
                    if number:  # the first round warms up
                        rates[way].append(rate)
            results.append(_summarize(table, writers, rates))
            print(_format_line(results[-1]), flush=True)
    return results


def _summarize(table: str, writers: int, rates: dict[str, list[float]]) -> dict[str, Any]:
    """The medians. Those of the ratios are separate, since each ratio compares consecutive runs."""
    ratios = {
        way: round(median(rate / bare for rate, bare in zip(rates[way], rates["without"], strict=True)), 3)
        for way in TRIGGER_MODES[1:]
    }
    medians = {way: round(median(seen)) for way, seen in rates.items()}
    return {"table": table, "writers": writers, "commits_per_second": medians, "ratio": ratios}


def _format_line(result: dict[str, Any]) -> str:
    rates, ratios = result["commits_per_second"], result["ratio"]
    return (
        f"{result['table']}, {result['writers']} writers: {rates['without']}/s without, {rates['with']}/s with "
        f"({ratios['with']:.2f}), {rates['with NOTIFY']}/s with NOTIFY, too ({ratios['with NOTIFY']:.2f})"
    )


async def purge_log_repeatedly(dsn: str) -> None:
    """Keep the log small until cancelled."""
    connection = await asyncpg.connect(dsn)
    try:
        while True:
            await truncate_expired(connection)
            await asyncio.sleep(LIVE_RETENTION_INTERVAL_S)
    finally:
        await connection.close(timeout=5)


async def measure_all(dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run every case. The database is left as it was, except for the rows' values."""
    await prepare_database(dsn)
    connection = await asyncpg.connect(dsn)
    keeper = asyncio.create_task(purge_log_repeatedly(dsn))
    try:
        rows = await prepare_writes(connection)
        cases = [
            case
            for table in CASES
            for case in await measure_table(connection, dsn, table, rows[table], options)
        ]
        ((changes, payload, size),) = await connection.fetch(_SIZES)
        log = {"changes": changes, "bytes": int(payload), "bytes_on_disk": int(size)}
        return {"cases": cases, "log": log}
    finally:
        keeper.cancel()
        await asyncio.wait((keeper,))
        for table in CASES:
            await connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER live_update")
        await connection.execute("DROP SCHEMA IF EXISTS bench CASCADE")
        await connection.close()


def main() -> None:
    """Run everything, and write the results to `benchmarks/results/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench"))
    options = parser.parse_args()
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        seen = asyncio.run(measure_all(postgres.dsn, options))
    finally:
        postgres.stop()
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    report = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine, **seen}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "live_tax.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
