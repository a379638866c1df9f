"""No-op background jobs, beside procrastinate and pgqueuer: `python -m benchmarks.jobs --peers PYTHON`.

PYTHON is the interpreter of an environment with `procrastinate`, `pgqueuer[asyncpg]` and `psycopg[binary,pool]`.
All jobs are enqueued first. Then one process runs them, with as many at once as given. Ours are jobs of 50 tenants,
with the triggers of the change log and the policies in force. Each queue has a database of its own in one cluster.
"""

import argparse
import asyncio
import json
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg

from core.database.database import Database
from core.database.embedded.embedded_postgres import EmbeddedPostgres
from core.settings import Settings
from services.jobs.actions import Action, index_actions
from services.jobs.context import JobContext
from services.jobs.runner import JobRunner
from services.migrations import migrate

RESULTS: Final = Path(__file__).with_name("results")
PEERS: Final = ("procrastinate", "pgqueuer")
_TENANTS: Final = 50
_ENQUEUE: Final = """
WITH made AS (
    INSERT INTO public.scheduled_jobs (tenant_id, action, created_by)
    SELECT 'tenant' || number % $2::integer, 'noop', 'benchmark' FROM generate_series(1, $1::integer) number
    RETURNING id, tenant_id, action, scheduled_at
)
INSERT INTO app.job_queue (job_id, tenant_id, action, due_at, is_ready)
SELECT id, tenant_id, action, scheduled_at, true FROM made
"""


async def _do_nothing(_context: JobContext) -> None:
    """A job without work."""


async def measure_ours(dsn: str, count: int, concurrency: int) -> float:
    """The rate of our runner, in jobs a second."""
    await migrate(dsn, Settings())
    owner = await asyncpg.connect(dsn)
    tenants = "INSERT INTO tenants (id, name) SELECT 'tenant' || n, 'T' FROM generate_series(0, $1 - 1) n"
    await owner.execute(tenants, _TENANTS)
    await owner.execute(_ENQUEUE, count, _TENANTS)
    settings = Settings(job_workers=concurrency)
    database = await Database.connect(dsn, settings)
    began = time.monotonic()
    async with JobRunner.open(database, settings, index_actions(Action("noop", _do_nothing))):
        while await owner.fetchval("SELECT EXISTS (SELECT FROM app.job_queue)"):  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.02)
        rate = count / (time.monotonic() - began)
    await database.close()
    await owner.close()
    return rate


def measure_peer(python: str, peer: str, dsn: str, count: int, concurrency: int) -> float:
    """The rate of another queue, in jobs a second."""
    command = [python, str(Path(__file__).with_name("job_peers.py")), peer, dsn, str(count), str(concurrency)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


async def _create_database(postgres: EmbeddedPostgres, name: str) -> str:
    connection = await asyncpg.connect(postgres.dsn)
    await connection.execute(f"CREATE DATABASE {name}")
    base = str(await connection.fetchval("SELECT current_database()"))
    await connection.close()
    return postgres.dsn.replace(f"/{base}?", f"/{name}?", 1)


def run_rounds(postgres: EmbeddedPostgres, options: argparse.Namespace) -> dict[str, list[float]]:
    """The rates of each queue, a round after the other."""
    rates: dict[str, list[float]] = {"ours": [], **{peer: [] for peer in PEERS if options.peers}}
    for turn in range(options.rounds):
        for queue in rates:
            dsn = asyncio.run(_create_database(postgres, f"{queue}_{turn}"))
            if queue == "ours":
                rate = asyncio.run(measure_ours(dsn, options.jobs, options.concurrency))
            else:
                rate = measure_peer(options.peers, queue, dsn, options.jobs, options.concurrency)
            rates[queue].append(rate)
            print(f"{queue}: {rate:,.0f} jobs a second")
    return rates


def main() -> None:
    """Measure, print, and write `results/jobs.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=3_000)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", metavar="PYTHON", help="the interpreter that has the other queues")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        postgres = EmbeddedPostgres.start(Path(folder) / "data")
        try:
            rates = run_rounds(postgres, options)
        finally:
            postgres.stop()
    medians = {queue: round(median(found)) for queue, found in rates.items()}
    ratios = {peer: round(medians["ours"] / medians[peer], 2) for peer in medians if peer != "ours"}
    figures = {"jobs": options.jobs, "concurrency": options.concurrency, "rounds": options.rounds}
    text = json.dumps({**figures, "jobs_a_second": medians, "ours_to": ratios}, indent=2)
    (RESULTS / "jobs.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
