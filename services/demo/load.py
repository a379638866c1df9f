"""Loading the demo: one transaction, one COPY a table, rows made as they are sent."""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import asyncpg

from core.clock import now_ms
from services.demo.agents import agents
from services.demo.billing import (
    integration_pricing_tiers,
    tenant_bill_line_items,
    tenant_billing_adjustments,
    tenant_bills,
)
from services.demo.catalogue import integrations
from services.demo.dice import SECOND
from services.demo.entities import entities, entity_relationships, global_entities
from services.demo.health import health_checks
from services.demo.identities import roles, users
from services.demo.jobs import events_log, scheduled_jobs
from services.demo.logs import agent_api_logs, api_logs, audit_log
from services.demo.sites import sites
from services.demo.sizes import PLANS, DemoSize, Plan
from services.demo.sources import data_source_to_site, data_sources
from services.demo.tenants import cast, tenant_id, tenants
from services.demo.world import Demo, Row, Table

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
)
"""All tables, each after those that it refers to."""

SEED: Final = 20_260_101
_LOCK: Final = 7_130_264_001
"""The advisory lock under which a demo is loaded; no other part of the product takes this number."""
AS_PLATFORM: Final = "SELECT set_config('app.platform', 'on', true)"
"""For the transaction at hand: lifts the policies where the tables' owner is under them as well."""
_STEP: Final = 2_000
"""Rows between two reports of progress."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told the table at hand, the rows sent so far, and about how many there will be (exact at the end)."""


def make_demo(size: DemoSize | Plan = DemoSize.SMALL, *, seed: int = SEED, now: int | None = None) -> Demo:
    """The demo of that size and seed; `now` is in ms since the epoch, the current second unless given."""
    moment = now_ms() // SECOND * SECOND if now is None else now
    return cast(PLANS[size] if isinstance(size, DemoSize) else size, seed, moment)


async def load_demo(
    connection: asyncpg.Connection,
    size: DemoSize | Plan,
    progress: Progress | None = None,
    *,
    seed: int = SEED,
    now: int | None = None,
) -> bool:
    """Loads the demo unless one is there already, whatever its size: False then, and nothing is done.

    All or nothing. Of two at once one loads, the other waits for it and gets False. The connection is the
    owner's and has asyncpg's own codecs, which take json as text.
    """
    async with connection.transaction(isolation="read_committed"):
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(AS_PLATFORM)
        if await connection.fetchval("SELECT true FROM public.tenants WHERE id = $1", tenant_id(0)):
            return False
        await _fill(connection, make_demo(size, seed=seed, now=now), progress or _silent)
    await connection.execute("ANALYZE " + ", ".join(f"public.{table.name}" for table in TABLES))
    return True


async def _fill(connection: asyncpg.Connection, demo: Demo, progress: Progress) -> None:
    sent = 0
    for table in TABLES:
        rows = _Counted(table, demo, sent, progress)
        await _send(connection, table, rows)
        sent = rows.sent
    progress("done", sent, sent)


async def _send(connection: asyncpg.Connection, table: Table, rows: "_Counted") -> None:
    """Copies the rows to their table; where policies bind the owner COPY refuses, and they take a detour."""
    if await connection.fetchval("SELECT row_security_active($1)", f"public.{table.name}"):
        await _send_by_insert(connection, table, rows)
        return
    await connection.copy_records_to_table(
        table.name, schema_name="public", records=rows, columns=table.columns
    )


async def _send_by_insert(connection: asyncpg.Connection, table: Table, rows: "_Counted") -> None:
    columns, target = ", ".join(table.columns), f"public.{table.name}"
    # Names of tables and columns can't be parameters; these are our own constants.
    await connection.execute(f"CREATE TEMP TABLE staged AS SELECT {columns} FROM {target} WITH NO DATA")  # noqa: S608
    await connection.copy_records_to_table("staged", records=rows, columns=table.columns)
    await connection.execute(f"INSERT INTO {target} ({columns}) SELECT * FROM staged; DROP TABLE staged")  # noqa: S608


class _Counted:
    """A table's rows on their way, reporting how many have gone; `sent` counts all tables' so far."""

    def __init__(self, table: Table, demo: Demo, sent: int, progress: Progress) -> None:
        self._table, self._demo, self._progress = table, demo, progress
        self.sent = sent

    def __iter__(self) -> Iterator[Row]:
        expected = self._demo.plan.rows
        for row in self._table.rows(self._demo):
            if self.sent % _STEP == 0:
                self._progress(self._table.name, min(self.sent, expected), expected)
            self.sent += 1
            yield row


def _silent(table: str, sent: int, expected: int) -> None:
    del table, sent, expected
