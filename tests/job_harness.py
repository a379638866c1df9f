"""Background jobs on a real database: actions of the tests, runners, and rows of jobs."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import asyncpg
import orjson

from core.database.database import Database
from core.settings import Settings
from services.activation import set_active
from services.jobs.actions import Action, index_actions
from services.jobs.context import JobContext
from services.jobs.job_queue import JobQueue
from services.jobs.runner import JobRunner
from tests.sample_rows import insert_tenant_rows
from tests.waiting import poll_until

Run = Callable[[JobContext], Awaitable[None]]

DONE = "CREATE TABLE IF NOT EXISTS app.done (job text, at bigint DEFAULT app.now_ms())"
"""A table without a key: it shows each completion, also a second one."""


@dataclass
class JobHarness:
    """A database with tenants, and what runs their jobs.

    Attributes:
        owner: The connection of the tables' owner.
        tenants: The ids of the rows of each tenant, by table.
    """

    database: Database
    owner: asyncpg.Connection
    tenants: Sequence[dict[str, str]]

    async def reset(self) -> None:
        """Delete the jobs of former tests, and undo what they changed."""
        kept = [rows["scheduled_jobs"] for rows in self.tenants]
        await self.owner.execute("DELETE FROM scheduled_jobs WHERE id <> ALL ($1)", kept)
        await self.owner.execute(
            "DELETE FROM app.job_queue; DELETE FROM app.job_tenants; DELETE FROM app.done;"
            "UPDATE tenants SET status = 'active'; UPDATE app.installation SET jobs_per_tenant = 5"
        )
        await set_active(self.owner, active=True)

    async def add_jobs(self, action: str, count: int = 1, tenant: int = 0, **values: Any) -> list[str]:
        """Jobs of a tenant in the queue; `values` are columns of scheduled_jobs, and `is_sync`."""
        rows = self.tenants[tenant]
        is_sync = values.pop("is_sync", False)
        columns = {"tenant_id": rows["tenants"], "action": action, "created_by": "test", **values}
        columns["payload"] = orjson.dumps(values.get("payload", {})).decode()
        names, places = ", ".join(columns), ", ".join(f"${number}" for number in range(2, len(columns) + 2))
        async with self.owner.transaction():
            await self.owner.execute("SELECT set_config('app.tenant_id', $1, true)", rows["tenants"])
            ids = [
                row["id"]
                for row in await self.owner.fetch(
                    f"INSERT INTO scheduled_jobs ({names}) SELECT {places} FROM generate_series(1, $1) RETURNING id",
                    count,
                    *columns.values(),
                )
            ]
            await self.owner.execute(
                "SELECT app.queue_jobs($1, $2, $3)", ids, [is_sync] * count, [None] * count
            )
        return ids

    @asynccontextmanager
    async def run(
        self, workers: int = 4, *, grace_s: float = 5.0, is_sync: bool = False, **actions: Run
    ) -> AsyncIterator[JobRunner]:
        """A runner of these actions."""
        known = index_actions(*(Action(name, run, is_sync=is_sync) for name, run in actions.items()))
        settings = Settings(job_workers=workers)
        deadline = -math.inf
        async with JobRunner.open(self.database, settings, known, find_deadline=lambda: deadline) as runner:
            try:
                yield runner
            finally:
                deadline = monotonic() + grace_s

    def open_queue(self, worker: str, *actions: str) -> JobQueue:
        """The queue of a worker that only claims."""
        return JobQueue(self.database, worker, actions)

    async def read_job(self, job: str) -> dict[str, Any]:
        """The row of a job."""
        row = await self.owner.fetchrow("SELECT * FROM scheduled_jobs WHERE id = $1", job)
        assert row is not None
        return dict(row)

    async def list_outcomes(self, job: str) -> list[str]:
        """The outcomes of the ended attempts of a job."""
        query = "SELECT outcome FROM job_attempts WHERE job_id = $1 ORDER BY id"
        return [row["outcome"] for row in await self.owner.fetch(query, job)]

    async def find_block(self, job: str) -> str | None:
        """Why a job does not run."""
        query = "SELECT app.job_blocked_by(id, tenant_id, status) FROM scheduled_jobs WHERE id = $1"
        found: str | None = await self.owner.fetchval(query, job)
        return found

    async def wait_for_status(self, job: str, *statuses: str) -> dict[str, Any]:
        """Wait until a job has one of these statuses; returns its row."""

        async def has_status() -> bool:
            return (await self.read_job(job))["status"] in statuses

        await poll_until(has_status)
        return await self.read_job(job)

    async def expire_leases(self) -> None:
        """Let all leases expire now."""
        await self.owner.execute("UPDATE app.job_queue SET lease_until = 0 WHERE token IS NOT NULL")

    async def make_due(self) -> None:
        """Let all waiting jobs be due now."""
        await self.owner.execute("UPDATE app.job_queue SET due_at = 0, is_ready = true WHERE token IS NULL")


class Gate:
    """An action that waits until the test lets it go on.

    Attributes:
        running: The jobs that wait in it.
        most: The most jobs that waited at once.
    """

    def __init__(self) -> None:
        self.running: list[str] = []
        self.most = 0
        self.opened = asyncio.Event()

    async def run(self, context: JobContext) -> None:
        """Wait for the test."""
        self.running.append(context.job.id)
        self.most = max(self.most, len(self.running))
        try:
            await self.opened.wait()
            context.checkpoint()
        finally:
            self.running.remove(context.job.id)


@asynccontextmanager
async def open_job_harness(dsn: str, tenants: int = 2) -> AsyncIterator[JobHarness]:
    """Jobs over the migrated, empty database at `dsn`."""
    database = await Database.connect(dsn, Settings())
    owner = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    try:
        await owner.execute(DONE)
        if database.role_mode.value == "role":
            await owner.execute("GRANT ALL ON app.done TO msp_request")
        rows = [await insert_tenant_rows(owner, f"tenant{number}") for number in range(tenants)]
        yield JobHarness(database, owner, rows)
    finally:
        await owner.close()
        await database.close()
