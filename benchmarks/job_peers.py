"""No-op jobs in another queue: `PYTHON benchmarks/job_peers.py procrastinate|pgqueuer DSN JOBS CONCURRENCY`.

It runs in an environment that has the other queue, and imports nothing of ours. It prints jobs a second.
"""

import asyncio
import sys
import time
from typing import Any


async def run_procrastinate(dsn: str, count: int, concurrency: int) -> float:
    """Procrastinate, with the jobs that it has finished kept."""
    import procrastinate  # type: ignore[import-not-found, unused-ignore]

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn, max_size=20))

    async def do_nothing() -> None:
        """A job without work."""

    task = app.task(name="noop")(do_nothing)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        for first in range(0, count, 1_000):
            await task.batch_defer_async(*({} for _ in range(min(1_000, count - first))))
        began = time.monotonic()
        await app.run_worker_async(concurrency=concurrency, wait=False, install_signal_handlers=False)
        return count / (time.monotonic() - began)


async def run_pgqueuer(dsn: str, count: int, concurrency: int) -> float:
    """pgqueuer, in batches of the concurrency."""
    import asyncpg
    from pgqueuer import AsyncpgPoolDriver, PgQueuer  # type: ignore[import-not-found, unused-ignore]
    from pgqueuer.types import QueueExecutionMode  # type: ignore[import-not-found, unused-ignore]

    async with asyncpg.create_pool(dsn, min_size=2, max_size=20) as pool:
        queuer = PgQueuer(AsyncpgPoolDriver(pool))
        await queuer.qm.queries.install()

        async def do_nothing(_job: Any) -> None:
            """A job without work."""

        queuer.entrypoint("noop")(do_nothing)
        for first in range(0, count, 1_000):
            size = min(1_000, count - first)
            await queuer.qm.queries.enqueue(["noop"] * size, [None] * size, [0] * size)
        began = time.monotonic()
        await queuer.qm.run(batch_size=concurrency, mode=QueueExecutionMode.drain)
        return count / (time.monotonic() - began)


if __name__ == "__main__":
    peer, dsn_, count_, concurrency_ = sys.argv[1:]
    run = {"procrastinate": run_procrastinate, "pgqueuer": run_pgqueuer}[peer]
    print(asyncio.run(run(dsn_, int(count_), int(concurrency_))))
