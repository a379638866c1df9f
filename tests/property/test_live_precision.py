"""Precision of the live layer: what no open live query can see causes no run at all, and few runs are in vain.

Live queries of every kind on every table are open, and generated ones. Then come writes of which it is known, without
asking the layer, whom they cannot concern: rows of a tenant that nobody looks at, columns that a query does not name,
rows outside of all keys and pages. A run by one of them is a failure. At last come writes of all kinds; of the runs
that they cause those that found nothing new are counted, reported, and held against a bound.

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
import pytest_asyncio

from core.viewer import ViewerKind
from schema.table import Column, Scope, Table
from schema.tables import TABLES
from tests.conftest import Seen
from tests.live.declared import Outlook, apart, looked_into, outlook
from tests.live.effects import all_columns, delete, insert, plain_columns, update
from tests.live.engine import engine
from tests.live.watched import Watched
from tests.live.writers import Writers
from tests.property.people import people

SECONDS: Final = float(os.environ.get("LIVE_PRECISION_SECONDS", "24"))
"""For each version of PostgreSQL, shared by the four tests."""

SEED: Final = os.environ.get("LIVE_PRECISION_SEED") or str(random_.SystemRandom().randrange(10**6))
GENERATED: Final = 60
COLUMNS: Final = 4
"""Drawn for each query that is not to use all columns of its table."""

ROWS_TOLD: Final = 200
"""A statement on more than 300 rows is told coarsely, and then it may well concern everybody in the tenant."""

A_YEAR_S: Final = 31_536_000
"""For so long agents stay online here: else the clock would cause runs that nobody wrote for."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seated(demo_database: str) -> AsyncIterator[Watched]:
    """The engine, with nobody there yet."""
    connection = await asyncpg.connect(demo_database)
    try:
        everybody = [person for person in await people(connection) if person.who.kind]
    finally:
        await connection.close()
    async with engine(demo_database, agent_offline_after=A_YEAR_S) as demo:
        yield Watched(demo, Random(SEED), everybody)  # noqa: S311 - tests are to be repeatable


@pytest_asyncio.fixture(loop_scope="session")
async def watched(seated: Watched, seen: Seen) -> AsyncIterator[Watched]:
    """The same, left as it was found, with a word on what was seen."""
    yield seated
    seen(f"LIVE_PRECISION_SEED={SEED}: {len(seated.open)} live queries, {dict(seated.tally)}")
    seated.demo.live.groups.validate()
    await seated.close()


@pytest_asyncio.fixture(loop_scope="session")
async def looks(seated: Watched) -> list[Outlook]:
    """What is looked at in each table that has, or can be given, enough rows to look away from some."""
    owner, tenant = seated.demo.owner, seated.demo.tenant_id
    found = []
    for table in TABLES:
        look = await outlook(owner, table, tenant)
        if look is None and table.scope is Scope.TENANT:
            for id_ in (await _ids(seated, table, "tenant_id = $1", tenant))[:1]:
                await insert(owner, table, id_, 20, "z")  # behind which copies by a turn's mark are not
            look = await outlook(owner, table, tenant)
        found.append(look)
    return apart([look for look in found if look])


def _turns() -> Iterator[str]:
    """A mark for each round, while there is time."""
    until, number = monotonic() + SECONDS / 4, 0
    while monotonic() < until:
        number += 1
        yield f"r{number}"


async def test_rows_of_other_tenants_cause_no_run(watched: Watched, looks: list[Outlook]) -> None:
    users = [person for person in watched.everybody if person.who.kind is ViewerKind.USER]
    await watched.open_declared(looks)
    await watched.open_generated(users, GENERATED, f"{SEED}/others")
    await watched.caused()
    known = [person.tenant_id for person in users]
    stranger = await watched.demo.write("SELECT min(id) FROM tenants WHERE id <> ALL ($1)", known)
    owned = [table for table in TABLES if table.scope in (Scope.TENANT, Scope.TENANT_OR_GLOBAL)]
    for mark in _turns():
        table = watched.random.choice(owned)
        if ids := await _ids(watched, table, "tenant_id = $1", stranger):
            await _write_anything(watched, table, ids, mark)
    assert {"update", "update all", "insert", "insert many", "delete"} <= set(watched.tally)
    assert watched.tally.total() > SECONDS


async def _ids(watched: Watched, table: Table, where: str, *values: Any) -> list[str]:
    found = await watched.demo.write(f"SELECT array_agg(id) FROM {table.name} WHERE {where}", *values)  # noqa: S608
    return found or []


async def _write_anything(watched: Watched, table: Table, ids: list[str], mark: str) -> None:
    """Some column of some or all of these rows, copies of one of them, and that those go again."""
    owner, random = watched.demo.owner, watched.random
    column, one = random.choice(all_columns(table)), random.choice(ids)
    named = f"another tenant's {table.name}.{column.name}"
    await watched.expect_none(f"update: {named}", await update(owner, table, column, [one], random))
    await watched.expect_none(f"update all: {named}", await update(owner, table, column, ids, random))
    await watched.expect_none(f"insert: {named}", await insert(owner, table, one, 1, mark))
    await watched.expect_none(f"insert many: {named}", await insert(owner, table, one, 400, f"{mark}m"))
    await watched.expect_none(f"delete: {named}", await delete(owner, table, mark))


async def test_columns_that_are_not_named_cause_no_run(watched: Watched, looks: list[Outlook]) -> None:
    for _ in range(2):
        await watched.open_declared(looks, COLUMNS)
    await watched.open_generated(watched.everybody, GENERATED, f"{SEED}/columns")
    await watched.caused()
    written = [(look, column) for look in looks for column in plain_columns(look.table)]
    for _ in _turns():
        look, column = watched.random.choice(written)
        ids = watched.random.choice((look.ids[:1], look.ids, look.rows[:ROWS_TOLD], look.rows))
        await _write_unnamed(watched, look.table, column, ids)
    assert watched.tally["update"] > SECONDS / 4
    assert watched.tally["runs"] > 0  # of queries that had named the column
    assert watched.tally["spared"] > 20 * watched.tally["update"]


async def _write_unnamed(watched: Watched, table: Table, column: Column, ids: list[str]) -> None:
    """Write a column of rows that are looked at; who has not named it is not to be run."""
    rows = await update(watched.demo.owner, table, column, ids, watched.random)
    unnamed = {held.group for held in watched.open if not held.may_use(table, column)}
    await watched.expect_none(f"update: {table.name}.{column.name} of {len(ids)} rows", rows, unnamed)
    watched.tally["spared"] += len(unnamed)


async def test_rows_outside_of_all_keys_and_pages_cause_no_run(
    watched: Watched, looks: list[Outlook]
) -> None:
    await watched.open_declared(looks)
    await watched.caused()
    assert len(looks) > 9
    written: set[str] = set()
    for mark in _turns():
        look = watched.random.choice([look for look in looks if look.table.name not in looked_into()])
        await _write_outside(watched, look, mark)
        written.add(look.table.name)
    assert {"update", "update some", "insert", "delete"} <= set(watched.tally)
    assert watched.tally.total() > SECONDS / 4


async def _write_outside(watched: Watched, look: Outlook, mark: str) -> None:
    owner, random, table = watched.demo.owner, watched.random, look.table
    one = random.choice(look.outside)
    some = random.sample(look.outside, min(len(look.outside), ROWS_TOLD))
    if columns := plain_columns(table):
        column = random.choice(columns)
        named = f"{table.name}.{column.name}"
        await watched.expect_none(
            f"update: {named} of {one}", await update(owner, table, column, [one], random)
        )
        await watched.expect_none(f"update some: {named}", await update(owner, table, column, some, random))
    await watched.expect_none(f"insert: {table.name}", await insert(owner, table, one, 5, mark))
    await watched.expect_none(f"delete: {table.name}", await delete(owner, table, mark))


async def test_few_runs_find_nothing_new(watched: Watched, looks: list[Outlook], demo_database: str) -> None:
    await watched.open_declared(looks, COLUMNS)
    await watched.open_generated(watched.everybody, GENERATED, f"{SEED}/all")
    await watched.caused()
    figures, groups = watched.demo.live.figures, len(watched.demo.live.groups)
    runs, unchanged = figures.executions, figures.unchanged
    tenants = sorted({person.tenant_id for person in watched.everybody})
    writers = Writers(demo_database, watched.random, tenants)
    await asyncio.gather(_stopped_in_time(writers), writers.write(2, 0.02))
    await watched.caused()
    changes = writers.done.total()
    runs, unchanged = figures.executions - runs, figures.unchanged - unchanged
    watched.tally.update({"changes": changes, "runs": runs, "runs in vain": unchanged})
    assert changes > SECONDS / 4
    assert runs > unchanged  # some answers did change
    assert runs < 0.1 * changes * groups
    assert unchanged < 0.05 * changes * groups


async def _stopped_in_time(writers: Writers) -> None:
    await asyncio.sleep(SECONDS / 4)
    writers.stopping = True
