"""The cost of a check-in in PostgreSQL, by the index on check-in times and by the fill factor of pages.

`python -m benchmarks.check_in_rows` runs the server's own statement (`services.agents.check_in`) over one
connection to the embedded PostgreSQL. It waits for the disk at each commit, and all triggers of the change
log are enabled. Agents check in round after round. Each round has an order of its own, as in a fleet with
jitter.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import asyncpg

from benchmarks.reads import RESULTS
from core.database.embedded.embedded_postgres import EmbeddedPostgres
from core.settings import Settings
from services.agents.check_in import CheckIn, write_check_ins
from services.migrations import migrate
from subscriptions.change_log.retention import truncate_expired

INDEXES: Final = {
    "B-tree": "CREATE INDEX agents_by_last_checkin ON agents (last_checkin_at)",
    "BRIN": "CREATE INDEX agents_by_last_checkin ON agents USING brin (last_checkin_at)",
    "BRIN, wide": "CREATE INDEX agents_by_last_checkin ON agents USING brin (last_checkin_at) "
    "WITH (pages_per_range = 131072)",
    "none": "SELECT",
}
FILLFACTORS: Final = (100, 85, 70)
BATCHES: Final = (20, 500)

_FILL_SQL: Final = """
    INSERT INTO tenants (id, name) VALUES ('t', 'T');
    INSERT INTO sites (id, tenant_id, name, slug)
    SELECT 's' || n, 't', 'Site ' || n, 's' || n FROM generate_series(1, 600) n;
    INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version, ip_address, mac_address, ext_address,
                        registered_at, last_checkin_at)
    SELECT 't', 's' || 1 + n % 600, encode(sha256(n::text::bytea), 'hex'), 'desktop-' || n, 'windows', '1.2.3',
           '10.0.0.' || n % 256, '00:00:00:00:00:' || n % 90 + 10, '203.0.113.' || n % 256, app.now_ms(), app.now_ms()
    FROM generate_series(1, {agents}) n;
    INSERT INTO health_checks (tenant_id, resource_type, resource_id) SELECT 't', 'agent', id FROM agents;
"""
_STATISTICS_SQL: Final = """
    SELECT n_tup_upd AS updated, n_tup_hot_upd AS hot, pg_relation_size('agents') AS heap,
           pg_indexes_size('agents') AS indexes, pg_current_wal_insert_lsn() - '0/0' AS wal
    FROM pg_stat_user_tables WHERE relname = 'agents'
"""


async def create_table(connection: asyncpg.Connection, index: str, fillfactor: int) -> None:
    """Rewrite the table with this index and this fill factor."""
    await connection.execute("DROP INDEX IF EXISTS agents_by_last_checkin")
    await connection.execute(INDEXES[index])
    await connection.execute(f"ALTER TABLE agents SET (fillfactor = {fillfactor})")
    await connection.execute("VACUUM FULL agents")
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")


async def measure_check_ins(
    connection: asyncpg.Connection, beats: list[CheckIn], batch: int, seconds: float
) -> dict[str, float]:
    """Check in for a fixed time; returns the cost of each check-in."""
    before = await _read_statistics(connection)
    began, written, statements = perf_counter(), 0, 0
    while perf_counter() - began < seconds:
        for first in range(0, len(beats), batch):
            written += len(await write_check_ins(connection, beats[first : first + batch]))
            statements += 1
            if perf_counter() - began >= seconds:
                break
        random.shuffle(beats)
    took = perf_counter() - began
    await connection.execute("SELECT pg_stat_force_next_flush()")
    after = await _read_statistics(connection)
    return {
        "per_second": round(written / took),
        "statement_ms": round(took / statements * 1000, 2),
        "hot": round((after["hot"] - before["hot"]) / (after["updated"] - before["updated"]), 3),
        "wal_bytes": round(float(after["wal"] - before["wal"]) / written),
        "heap_mib": round(after["heap"] / 2**20, 1),
        "indexes_mib": round(after["indexes"] / 2**20, 1),
    }


async def _read_statistics(connection: asyncpg.Connection) -> asyncpg.Record:
    seen = await connection.fetchrow(_STATISTICS_SQL)
    assert seen is not None  # noqa: S101 - the table is there
    return seen


async def measure_variants(dsn: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Run all variants in turns."""
    await migrate(dsn, Settings())
    connection = await asyncpg.connect(dsn)
    await connection.execute(_FILL_SQL.format(agents=options.agents))
    beats = [
        CheckIn(row["id"], "t", row["hostname"], "1.2.3", row["ip_address"], row["ext_address"])
        for row in await connection.fetch("SELECT id, hostname, ip_address, ext_address FROM agents")
    ]
    results = []
    for batch in BATCHES:
        for index in INDEXES:
            for fillfactor in FILLFACTORS:
                await create_table(connection, index, fillfactor)
                random.shuffle(beats)
                seen = await measure_check_ins(connection, beats, batch, options.seconds)
                results.append({"batch": batch, "index": index, "fillfactor": fillfactor, **seen})
                print(_format_line(results[-1]), flush=True)
                await truncate_expired(connection)
    await connection.close()
    return results


def _format_line(result: dict[str, Any]) -> str:
    return (
        f"{result['batch']:>4} a statement, {result['index']:>10}, {result['fillfactor']:>3} %: "
        f"{result['per_second']:>6,} check-ins/s, {result['statement_ms']:>6} ms a statement, "
        f"HOT {result['hot']:.1%}, {result['wal_bytes']:>5} B of WAL, "
        f"heap {result['heap_mib']} MiB, indexes {result['indexes_mib']} MiB"
    )


def main() -> None:
    """Measure, and store the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=60_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each variant")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="msp-bench-", dir="/tmp") as home:
        postgres = EmbeddedPostgres.start(Path(home) / "data")
        try:
            results = asyncio.run(measure_variants(postgres.dsn, options))
        finally:
            postgres.stop()
    about = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "agents": options.agents,
        "seconds": options.seconds,
    }
    path = RESULTS / "check_in_rows.json"
    path.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
