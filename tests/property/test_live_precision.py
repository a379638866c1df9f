"""Precision of the live layer: writes that no open live query can see cause no run, and few runs are unnecessary.

Live queries of every kind on every table are open, and generated ones. Some writes are known not to affect a
query, without the layer's own records: rows of another tenant, columns that a query does not name, rows
outside of all keys and pages. A run caused by one of them is a failure. At last come writes of all kinds.
Their runs without a new result are counted, reported, and compared with a bound.

`LIVE_PRECISION_SECONDS=600` writes for so long, `LIVE_PRECISION_SEED=...` draws other queries and writes.
"""

import asyncio
import os
import random as random_
from collections.abc import AsyncIterator, Iterator
from random import Random
from time import monotonic
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.auth.viewer import ViewerKind
from schema.table import Column, Scope, Table
from schema.tables import TABLES
from tests.conftest import ReportLine
from tests.live.counted_writes import (
    delete_copies,
    insert_copies,
    list_plain_columns,
    list_writable_columns,
    update_column,
)
from tests.live.declared_queries import (
    QueryScope,
    choose_query_scope,
    remove_parent_rows,
    tables_read_by_computed_columns,
)
from tests.live.live_engine import open_live_engine
from tests.live.random_writers import RandomWriters
from tests.live.run_watcher import RunWatcher
from tests.property.viewer_cases import create_viewer_cases

pytestmark = pytest.mark.newest

SECONDS: Final = float(os.environ.get("LIVE_PRECISION_SECONDS", "16"))
"""For each version of PostgreSQL, shared by the four tests."""

SEED: Final = os.environ.get("LIVE_PRECISION_SEED") or str(random_.SystemRandom().randrange(10**6))
GENERATED: Final = 60
COLUMNS: Final = 4
"""The number of random columns in a query that does not use all columns of its table."""

ROWS_LOGGED_SINGLY: Final = 200
"""The log records a statement on more than 300 rows coarsely. Then it may affect everyone in the tenant."""

ONE_YEAR_S: Final = 31_536_000
"""Agents stay online for that long here: otherwise the clock would cause runs without a write."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def empty_watcher(writable_demo_database_url: str) -> AsyncIterator[RunWatcher]:
    """The engine, without open queries."""
    connection = await asyncpg.connect(writable_demo_database_url)
    try:
        everybody = [person for person in await create_viewer_cases(connection) if person.principal.kind]
    finally:
        await connection.close()
    async with open_live_engine(writable_demo_database_url, agent_offline_after=ONE_YEAR_S) as demo:
        yield RunWatcher(demo, Random(SEED), everybody)  # noqa: S311 - tests are to be repeatable


@pytest_asyncio.fixture(loop_scope="session")
async def watcher(empty_watcher: RunWatcher, report_line: ReportLine) -> AsyncIterator[RunWatcher]:
    """The same, with all queries closed afterwards and a report of its figures."""
    yield empty_watcher
    report_line(
        f"LIVE_PRECISION_SEED={SEED}: {len(empty_watcher.open_queries)} live queries, {dict(empty_watcher.counts)}"
    )
    empty_watcher.engine.live.registry.validate()
    await empty_watcher.close()


@pytest_asyncio.fixture(loop_scope="session")
async def query_scopes(empty_watcher: RunWatcher) -> list[QueryScope]:
    """The queried rows in each table that has, or can get, enough rows to leave some out."""
    owner, tenant = empty_watcher.engine.owner, empty_watcher.engine.tenant_id
    found = []
    for table in TABLES:
        look = await choose_query_scope(owner, table, tenant)
        if look is None and table.scope is Scope.TENANT:
            for id_ in (await _select_ids(empty_watcher, table, "tenant_id = $1", tenant))[:1]:
                await insert_copies(
                    owner, table, id_, 20, "z"
                )  # behind which copies by a turn's mark are not
            look = await choose_query_scope(owner, table, tenant)
        found.append(look)
    return remove_parent_rows([look for look in found if look])


def _iter_rounds() -> Iterator[str]:
    """A mark for each round, while there is time."""
    until, number = monotonic() + SECONDS / 4, 0
    while monotonic() < until:
        number += 1
        yield f"r{number}"


async def test_write_of_other_tenants_rows_causes_no_run(
    watcher: RunWatcher, query_scopes: list[QueryScope]
) -> None:
    users = [person for person in watcher.people if person.principal.kind is ViewerKind.USER]
    await watcher.open_declared(query_scopes)
    await watcher.open_generated(users, GENERATED, f"{SEED}/others")
    await watcher.take_runs()
    known = [person.tenant_id for person in users]
    stranger = await watcher.engine.execute_sql("SELECT min(id) FROM tenants WHERE id <> ALL ($1)", known)
    owned = [table for table in TABLES if table.scope in (Scope.TENANT, Scope.TENANT_OR_GLOBAL)]
    for mark in _iter_rounds():
        table = watcher.random.choice(owned)
        if ids := await _select_ids(watcher, table, "tenant_id = $1", stranger):
            await _write_anything(watcher, table, ids, mark)
    assert {"update", "update all", "insert", "insert many", "delete"} <= set(watcher.counts)
    assert watcher.counts.total() > SECONDS


async def _select_ids(watched: RunWatcher, table: Table, where: str, *values: Any) -> list[str]:
    found = await watched.engine.execute_sql(f"SELECT array_agg(id) FROM {table.name} WHERE {where}", *values)
    return found or []


async def _write_anything(watched: RunWatcher, table: Table, ids: list[str], mark: str) -> None:
    """Update a column of some or all of these rows, copy one of them, and delete the copies."""
    owner, random = watched.engine.owner, watched.random
    column, one = random.choice(list_writable_columns(table)), random.choice(ids)
    named = f"another tenant's {table.name}.{column.name}"
    await watched.expect_no_runs(f"update: {named}", await update_column(owner, table, column, [one], random))
    await watched.expect_no_runs(
        f"update all: {named}", await update_column(owner, table, column, ids, random)
    )
    await watched.expect_no_runs(f"insert: {named}", await insert_copies(owner, table, one, 1, mark))
    await watched.expect_no_runs(
        f"insert many: {named}", await insert_copies(owner, table, one, 400, f"{mark}m")
    )
    await watched.expect_no_runs(f"delete: {named}", await delete_copies(owner, table, mark))


async def test_write_of_unselected_columns_causes_no_run(
    watcher: RunWatcher, query_scopes: list[QueryScope]
) -> None:
    for _ in range(2):
        await watcher.open_declared(query_scopes, COLUMNS)
    await watcher.open_generated(watcher.people, GENERATED, f"{SEED}/columns")
    await watcher.take_runs()
    written = [(look, column) for look in query_scopes for column in list_plain_columns(look.table)]
    for _ in _iter_rounds():
        look, column = watcher.random.choice(written)
        ids = watcher.random.choice((look.ids[:1], look.ids, look.rows[:ROWS_LOGGED_SINGLY], look.rows))
        await _write_unnamed(watcher, look.table, column, ids)
    assert watcher.counts["update"] > SECONDS / 4
    assert watcher.counts["runs"] > 0  # of queries that had named the column
    assert watcher.counts["spared"] > 20 * watcher.counts["update"]


async def _write_unnamed(watched: RunWatcher, table: Table, column: Column, ids: list[str]) -> None:
    """Update a column of queried rows. Queries that do not name it must not run."""
    rows = await update_column(watched.engine.owner, table, column, ids, watched.random)
    unnamed = {held.shared_query for held in watched.open_queries if not held.may_use(table, column)}
    await watched.expect_no_runs(f"update: {table.name}.{column.name} of {len(ids)} rows", rows, unnamed)
    watched.counts["spared"] += len(unnamed)


async def test_write_of_rows_outside_all_keys_and_pages_causes_no_run(
    watcher: RunWatcher, query_scopes: list[QueryScope]
) -> None:
    await watcher.open_declared(query_scopes)
    await watcher.take_runs()
    assert len(query_scopes) > 9
    written: set[str] = set()
    for mark in _iter_rounds():
        look = watcher.random.choice(
            [look for look in query_scopes if look.table.name not in tables_read_by_computed_columns()]
        )
        await _write_outside(watcher, look, mark)
        written.add(look.table.name)
    assert {"update", "update some", "insert", "delete"} <= set(watcher.counts)
    assert watcher.counts.total() > SECONDS / 4


async def _write_outside(watched: RunWatcher, scope: QueryScope, mark: str) -> None:
    owner, random, table = watched.engine.owner, watched.random, scope.table
    one = random.choice(scope.outside)
    some = random.sample(scope.outside, min(len(scope.outside), ROWS_LOGGED_SINGLY))
    if columns := list_plain_columns(table):
        column = random.choice(columns)
        named = f"{table.name}.{column.name}"
        await watched.expect_no_runs(
            f"update: {named} of {one}", await update_column(owner, table, column, [one], random)
        )
        await watched.expect_no_runs(
            f"update some: {named}", await update_column(owner, table, column, some, random)
        )
    await watched.expect_no_runs(f"insert: {table.name}", await insert_copies(owner, table, one, 5, mark))
    await watched.expect_no_runs(f"delete: {table.name}", await delete_copies(owner, table, mark))


async def test_runs_after_random_writes_are_rarely_unchanged(
    watcher: RunWatcher, query_scopes: list[QueryScope], writable_demo_database_url: str
) -> None:
    await watcher.open_declared(query_scopes, COLUMNS)
    await watcher.open_generated(watcher.people, GENERATED, f"{SEED}/all")
    await watcher.take_runs()
    figures, groups = watcher.engine.live.stats, len(watcher.engine.live.registry)
    runs, unchanged = figures.total_runs, figures.unchanged
    tenants = sorted({person.tenant_id for person in watcher.people})
    writers = RandomWriters(writable_demo_database_url, watcher.random, tenants)
    await asyncio.gather(_stop_writers_in_time(writers), writers.write(2, 0.02))
    await watcher.take_runs()
    changes = writers.change_counts.total()
    runs, unchanged = figures.total_runs - runs, figures.unchanged - unchanged
    watcher.counts.update({"changes": changes, "runs": runs, "runs in vain": unchanged})
    assert changes > SECONDS / 4
    assert runs > unchanged  # some answers did change
    assert runs < 0.1 * changes * groups
    assert unchanged < 0.05 * changes * groups


async def _stop_writers_in_time(writers: RandomWriters) -> None:
    await asyncio.sleep(SECONDS / 4)
    writers.is_stopping = True
