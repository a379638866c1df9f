"""Live queries, compared to a bare WebSocket that broadcasts the same bytes: `make bench-live`.

(a) one write, 1,000 and 10,000 subscribers of one query; (b) 10,000 distinct live queries, writes that change
one each, and one that changes all; (c) writes to a column that no query selects; (d) an idle server; and the
memory of a subscribed socket. The cost for writers, (e), is in `benchmarks.live_tax`.
"""

import argparse
import asyncio
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.live_many import measure_many_queries
from benchmarks.live_one import measure_one_query
from benchmarks.live_servers import ROLE, LiveServers, describe_machine
from benchmarks.live_table import format_live_table
from benchmarks.reads import RESULTS, prepare_database
from core.database.embedded.embedded_postgres import EmbeddedPostgres


async def measure_cases(dsn: str, options: argparse.Namespace) -> dict[str, Any]:
    """Every case, one after another."""
    tenant, _site, _user = await prepare_database(dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        """INSERT INTO roles (id, tenant_id, name, description) VALUES ($1, $2, 'Bench', '')
           ON CONFLICT (id) DO UPDATE SET tenant_id = excluded.tenant_id""",
        ROLE,
        tenant,
    )
    stage = LiveServers(dsn, options.data_dir, connection, tenant)
    try:
        one = []
        for count in options.subscribers:
            one.append(await measure_one_query(stage, count, options.writes))
            print(json.dumps(one[-1]), flush=True)
        many = await measure_many_queries(stage, options.queries, options.writes * 10)
    finally:
        await connection.close()
    return {"one_query": one, "many_queries": many}


def main() -> None:
    """Run everything, and write the results to `benchmarks/results/live.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--writes", type=int, default=30)
    parser.add_argument("--data-dir", type=Path, default=Path(".data/bench"))
    parser.add_argument("--results", type=Path, default=RESULTS / "live.json")
    options = parser.parse_args()
    of = {**describe_machine(), "machine": platform.machine(), "python": platform.python_version()}
    postgres = EmbeddedPostgres.start(options.data_dir)
    try:
        results = asyncio.run(measure_cases(postgres.dsn, options))
    finally:
        postgres.stop()
    report = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "machine": of, **results}
    options.results.parent.mkdir(exist_ok=True)
    options.results.write_text(json.dumps(report, indent=2) + "\n")
    print(format_live_table(report))


if __name__ == "__main__":
    main()
