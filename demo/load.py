"""Loads the demo: one transaction, one COPY for each table. Rows are generated while they are sent."""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import asyncpg

from core.clock import now_ms
from core.errors import StartupError
from demo.agents import agents
from demo.billing import (
    integration_pricing_tiers,
    tenant_bill_line_items,
    tenant_billing_adjustments,
    tenant_bills,
)
from demo.catalog import integrations
from demo.credentials import issued_credentials, legacy_agents, site_enrollment_rules
from demo.entities import entities, entity_relationships, global_entities
from demo.health import health_checks
from demo.identities import roles, users
from demo.jobs import events_log, job_attempts, job_progress, scheduled_jobs
from demo.logs import agent_api_logs, api_logs, audit_log
from demo.marker import mark_demo, require_demo_or_empty
from demo.seeded_random import SECOND
from demo.sites import sites
from demo.sizes import PLANS, DemoSize, SizePlan
from demo.sources import data_source_to_site, data_sources
from demo.tenants import make_world, tenants
from demo.world import DemoTable, DemoWorld, Row
from services.catalog.update import update_catalog
from services.import_lock import TRY_BACKGROUND

TABLES: Final = (
    tenants,
    integrations,
    roles,
    users,
    sites,
    data_sources,
    data_source_to_site,
    agents,
    agent_api_logs,
    entities,
    global_entities,
    entity_relationships,
    scheduled_jobs,
    events_log,
    health_checks,
    api_logs,
    audit_log,
    integration_pricing_tiers,
    tenant_bills,
    tenant_bill_line_items,
    tenant_billing_adjustments,
    issued_credentials,
    site_enrollment_rules,
    legacy_agents,
    job_attempts,
    job_progress,
)
"""All tables, each after the tables that it refers to."""

SEED: Final = 20_260_101
_LOCK: Final = 7_130_264_001
"""The advisory lock of loading a demo. No other part of the product uses this number."""
AS_PLATFORM: Final = "SELECT set_config('app.platform', 'on', true)"
"""Lifts the policies for this transaction, for a database in which they also apply to the tables' owner."""
_STEP: Final = 2_000
"""The number of rows between two reports of progress."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with the current table, the rows sent so far, and the expected total (exact at the end)."""


def make_demo(
    size: DemoSize | SizePlan = DemoSize.SMALL, *, seed: int = SEED, now: int | None = None
) -> DemoWorld:
    """The demo of that size and seed; `now` is in ms since the epoch, by default the current second."""
    loaded_at = now_ms() // SECOND * SECOND if now is None else now
    return make_world(PLANS[size] if isinstance(size, DemoSize) else size, seed, loaded_at)


async def load_demo(
    connection: asyncpg.Connection,
    size: DemoSize | SizePlan,
    progress: Progress | None = None,
    *,
    seed: int = SEED,
    now: int | None = None,
) -> bool:
    """Load the demo. Returns False, without any effect, if a demo of any size is there already.

    It loads all or nothing. Of two concurrent calls one loads. The other waits for it and returns False. The
    connection is the owner's and has asyncpg's own codecs, which take json as text.

    Raises:
        StartupError: The database has rows that are not a demo's, or an import is running.
    """
    async with connection.transaction(isolation="read_committed"):
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(AS_PLATFORM)
        if await require_demo_or_empty(connection):
            return False
        if not await connection.fetchval(f"SELECT {TRY_BACKGROUND}"):
            raise StartupError("An import into this database is running: load the demo after it.")
        await _fill_tables(connection, make_demo(size, seed=seed, now=now), progress or _ignore_progress)
        await update_catalog(connection)
        await mark_demo(connection)
    await connection.execute("ANALYZE " + ", ".join(f"public.{table.name}" for table in TABLES))
    return True


async def _fill_tables(connection: asyncpg.Connection, demo: DemoWorld, progress: Progress) -> None:
    sent = 0
    for table in TABLES:
        rows = _CountedRows(table, demo, sent, progress)
        await _copy_rows(connection, table, rows)
        sent = rows.sent
    progress("done", sent, sent)


async def _copy_rows(connection: asyncpg.Connection, table: DemoTable, rows: "_CountedRows") -> None:
    """Copy the rows to their table. A staging table is used where COPY would fail.

    It fails where policies apply to the owner, and where rows of the catalog are there already.
    """
    if table is integrations or await connection.fetchval(
        "SELECT row_security_active($1)", f"public.{table.name}"
    ):
        await _insert_rows(connection, table, rows)
        return
    await connection.copy_records_to_table(
        table.name, schema_name="public", records=rows, columns=table.columns
    )


async def _insert_rows(connection: asyncpg.Connection, table: DemoTable, rows: "_CountedRows") -> None:
    columns, target = ", ".join(table.columns), f"public.{table.name}"
    # Names of tables and columns cannot be parameters. These are our own constants.
    await connection.execute(f"CREATE TEMP TABLE staged AS SELECT {columns} FROM {target} WITH NO DATA")  # noqa: S608
    await connection.copy_records_to_table("staged", records=rows, columns=table.columns)
    await connection.execute(
        f"INSERT INTO {target} ({columns}) SELECT * FROM staged ON CONFLICT (id) DO NOTHING; "  # noqa: S608
        "DROP TABLE staged"
    )


class _CountedRows:
    """Iterates a table's rows and reports their number; `sent` counts the rows of all tables so far."""

    def __init__(self, table: DemoTable, demo: DemoWorld, sent: int, progress: Progress) -> None:
        self._table, self._demo, self._progress = table, demo, progress
        self.sent = sent

    def __iter__(self) -> Iterator[Row]:
        expected = self._demo.plan.row_count
        for row in self._table.rows(self._demo):
            if self.sent % _STEP == 0:
                self._progress(self._table.name, min(self.sent, expected), expected)
            self.sent += 1
            yield row


def _ignore_progress(table: str, sent: int, expected: int) -> None:
    del table, sent, expected
