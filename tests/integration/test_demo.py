"""The demo as it stands in a database, and how it gets there."""
# ruff: noqa: S608 - names of tables and columns cannot be parameters; these are our own constants

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from enum import StrEnum

import asyncpg
import pytest
import pytest_asyncio

from core.settings import Settings
from models import enums
from services.demo import DemoSize, demo_viewers, load_demo
from services.demo.catalogue import CATALOGUE
from services.demo.load import TABLES
from services.migrations import migrate
from tests.clusters import ThrowawayCluster

NOW = 1_790_000_000_000
NAMES = [table.name for table in TABLES]

ENUMS = {
    ("tenants", "status"): enums.TenantStatus,
    ("users", "status"): enums.UserStatus,
    ("sites", "status"): enums.SiteStatus,
    ("data_sources", "status"): enums.DataSourceStatus,
    ("scheduled_jobs", "status"): enums.JobStatus,
    ("events_log", "status"): enums.EventStatus,
    ("health_checks", "status"): enums.HealthStatus,
    ("health_checks", "resource_type"): enums.HealthResourceType,
    ("audit_log", "actor_type"): enums.AuditActor,
    ("audit_log", "action"): enums.AuditAction,
    ("tenant_bills", "status"): enums.BillStatus,
    ("tenant_billing_adjustments", "type"): enums.AdjustmentType,
}

COLUMNS = """
    SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, NULL) AS type, a.attnotnull AS whole
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relname = ANY ($1::text[]) AND c.relnamespace = 'public'::regnamespace
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
"""
"""The columns of some tables that can be written to."""

DELETED_PARENTS = {
    "sites": ("tenant_id", "tenants"),
    "data_sources": ("site_id", "sites"),
    "data_source_to_site": ("site_id", "sites"),
    "agents": ("site_id", "sites"),
    "entities": ("data_source_id", "data_sources"),
    "entity_relationships": ("parent_entity_id", "entities"),
}
"""Tables in which live rows have a deleted parent, by the column that leads there."""


@pytest_asyncio.fixture
async def demo(demo_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection, the owner's, to a database with the small demo: to read."""
    connection = await asyncpg.connect(demo_database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection, the owner's, to a migrated and empty database of the test's own."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def digest(connection: asyncpg.Connection) -> dict[str, str]:
    """A hash of each table's rows."""
    hash_of = "SELECT md5(string_agg(md5(t::text), '' ORDER BY t.id)) FROM {} t"
    return {name: await connection.fetchval(hash_of.format(name)) for name in NAMES}


async def counts(connection: asyncpg.Connection) -> dict[str, int]:
    return {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in NAMES}


async def test_the_small_demo_has_what_it_promises(demo: asyncpg.Connection):
    live = {
        name: await demo.fetchval(f"SELECT count(*) FROM {name} WHERE deleted_at IS NULL")
        for name in ("tenants", "sites", "agents", "entities")
    }
    assert live == {"tenants": 5, "sites": 150, "agents": 1_800, "entities": 9_000}


async def test_all_21_tables_have_rows(demo: asyncpg.Connection):
    in_database = await demo.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    assert sorted(NAMES) == sorted({row["relname"] for row in in_database} - {"aerich"})
    assert len(NAMES) == 21
    assert all((await counts(demo)).values())


async def test_every_nullable_column_has_both_null_and_a_value(demo: asyncpg.Connection):
    for row in await demo.fetch(COLUMNS, NAMES):
        if not row["whole"]:
            column = row["column"]
            count = f"SELECT count(*) AS all, count({column}) AS values FROM {row['table']}"
            found = await demo.fetchrow(count)
            assert 0 < found["values"] < found["all"], f"{row['table']}.{column}"


async def test_every_column_is_loaded_by_name(demo: asyncpg.Connection):
    columns = {(row["table"], row["column"]) for row in await demo.fetch(COLUMNS, NAMES)}
    assert columns == {(table.name, column) for table in TABLES for column in table.columns}


async def test_json_is_stored_as_json_and_not_as_text(demo: asyncpg.Connection):
    for row in await demo.fetch(COLUMNS, NAMES):
        if row["type"] == "jsonb":
            types = f"SELECT DISTINCT jsonb_typeof({row['column']}) FROM {row['table']}"
            found = {kind for (kind,) in await demo.fetch(types)} - {None}
            assert found == {"object"}, f"{row['table']}.{row['column']}"


@pytest.mark.parametrize(
    ("place", "enum"),
    ENUMS.items(),
    ids=lambda value: "-".join(value[:2]) if isinstance(value, tuple) else "",
)
async def test_every_value_of_every_enum_occurs(
    demo: asyncpg.Connection, place: tuple[str, str], enum: type[StrEnum]
):
    table, column = place
    found = await demo.fetch(f"SELECT DISTINCT {column} FROM {table}")
    assert {value for (value,) in found} == set(enum)


async def test_a_few_rows_are_soft_deleted_in_each_table_that_has_that(demo: asyncpg.Connection):
    deletable = {row["table"] for row in await demo.fetch(COLUMNS, NAMES) if row["column"] == "deleted_at"}
    assert len(deletable) == 12
    for name in deletable:
        share = f"SELECT count(*) FILTER (WHERE deleted_at IS NOT NULL) / count(*)::float FROM {name}"
        assert 0 < await demo.fetchval(share) < 0.3, name


@pytest.mark.parametrize("table", DELETED_PARENTS)
async def test_live_rows_hang_on_deleted_parents(demo: asyncpg.Connection, table: str):
    column, parents = DELETED_PARENTS[table]
    orphans = await demo.fetchval(
        f"SELECT count(*) FROM {table} c JOIN {parents} p ON p.id = c.{column} "
        "WHERE c.deleted_at IS NULL AND p.deleted_at IS NOT NULL"
    )
    assert orphans > 0


async def test_bills_are_the_sum_of_their_lines(demo: asyncpg.Connection):
    bills = await demo.fetch(
        "SELECT b.total, array_agg(l.total) AS lines, array_agg(l.units * l.unit_cost) AS products "
        "FROM tenant_bills b JOIN tenant_bill_line_items l ON l.bill_id = b.id GROUP BY b.id"
    )
    assert len(bills) == await demo.fetchval("SELECT count(*) FROM tenant_bills")
    for bill in bills:
        assert isinstance(bill["total"], Decimal)
        assert bill["total"] == sum(bill["lines"])
        assert bill["lines"] == bill["products"]


async def test_the_suspended_tenant_is_none_of_the_first_two(demo: asyncpg.Connection):
    suspended = await demo.fetch("SELECT name FROM tenants WHERE status = 'suspended'")
    viewers = await demo_viewers(demo)
    tenants = await demo.fetch(
        "SELECT t.name FROM tenants t JOIN users u ON u.tenant_id = t.id WHERE u.id = ANY ($1)",
        [viewer.user_id for viewer in viewers],
    )
    assert len(suspended) == 1
    assert {row["name"] for row in tenants}.isdisjoint({row["name"] for row in suspended})


async def test_failed_jobs_say_why_and_others_wait_for_another_attempt(demo: asyncpg.Connection):
    assert await demo.fetchval(
        "SELECT bool_and(error IS NOT NULL AND attempts = attempts_max) FROM scheduled_jobs WHERE status = 'failed'"
    )
    waiting = "SELECT count(*) FROM scheduled_jobs WHERE status = 'pending' AND next_retry_at > scheduled_at"
    assert await demo.fetchval(waiting + " AND error IS NOT NULL") > 0


async def test_a_check_that_fails_says_why(demo: asyncpg.Connection):
    assert await demo.fetchval(
        "SELECT bool_and((status = 'healthy') = (error_message IS NULL)) FROM health_checks"
    )


async def test_every_view_has_something_to_show(demo: asyncpg.Connection):
    parents = """
        SELECT count(*) FROM sites s JOIN sites p ON p.tenant_id = s.tenant_id
            AND p.psa_integration_id = s.psa_integration_id AND p.psa_company_id = s.psa_parent_company_id
    """
    companies = """
        SELECT count(s.id) AS linked, count(*) FILTER (WHERE s.id IS NULL) AS others
        FROM entities e LEFT JOIN sites s ON s.tenant_id = e.tenant_id
            AND s.psa_integration_id = e.integration_id AND s.psa_company_id = e.external_id
        WHERE e.entity_type = 'companies'
    """
    sophos = """
        SELECT count(*) FROM data_sources
        WHERE integration_id = 'sophos-partner' AND site_id IS NOT NULL AND metadata ->> 'apiHost' <> ''
    """
    assert await demo.fetchval(parents) > 0
    assert min(await demo.fetchrow(companies)) > 0
    assert await demo.fetchval(sophos) > 0


async def test_no_secret_is_in_the_open(demo: asyncpg.Connection):
    sensitive = {
        entry.id: [
            name for name, schema in entry.config_schema["properties"].items() if schema.get("sensitive")
        ]
        for entry in CATALOGUE
        if entry.config_schema
    }
    for row in await demo.fetch("SELECT integration_id, config FROM data_sources"):
        config = json.loads(row["config"])
        for name in sensitive.get(row["integration_id"], ()):
            assert config.get(name, "enc:v1:").startswith("enc:v1:")


async def test_the_viewers_are_there_and_active(demo: asyncpg.Connection):
    viewers = await demo_viewers(demo)
    rows = [
        await demo.fetchrow(
            "SELECT u.status, u.deleted_at, t.status AS tenant, r.name AS role, r.rights, u.tenant_id "
            "FROM users u JOIN roles r ON r.id = u.role_id JOIN tenants t ON t.id = u.tenant_id WHERE u.id = $1",
            viewer.user_id,
        )
        for viewer in viewers
    ]
    assert [row["role"] for row in rows] == ["Administrator", "Read-only technician", "Administrator"]
    assert all(
        (row["status"], row["deleted_at"], row["tenant"]) == ("active", None, "active") for row in rows
    )
    assert rows[0]["tenant_id"] == rows[1]["tenant_id"] != rows[2]["tenant_id"]
    assert json.loads(rows[0]["rights"]) == {"Global.Admin": True}
    assert all(right.endswith(".Read") for right in json.loads(rows[1]["rights"]))
    assert [viewer.label for viewer in viewers][1].endswith(", read-only technician of Northlight IT")


async def test_without_a_demo_there_are_no_viewers(owner: asyncpg.Connection):
    assert await demo_viewers(owner) == []


async def test_a_demo_is_loaded_once_whatever_its_size(owner: asyncpg.Connection):
    assert await load_demo(owner, DemoSize.SMALL, now=NOW)
    before = await digest(owner)
    assert not await load_demo(owner, DemoSize.SMALL, seed=7)
    assert not await load_demo(owner, DemoSize.MEDIUM)
    assert await digest(owner) == before


async def test_the_same_seed_and_now_load_the_same_rows(owner: asyncpg.Connection):
    await load_demo(owner, DemoSize.SMALL, now=NOW)
    first = await digest(owner)
    await owner.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_not_emptied")
    await owner.execute(f"TRUNCATE {', '.join(NAMES)}")
    await load_demo(owner, DemoSize.SMALL, now=NOW)
    assert await digest(owner) == first


async def test_of_two_at_once_one_loads_and_the_other_waits(owner: asyncpg.Connection, database_url: str):
    other = await asyncpg.connect(database_url)
    try:
        loaded = await asyncio.gather(load_demo(owner, DemoSize.SMALL), load_demo(other, DemoSize.SMALL))
        assert sorted(loaded) == [False, True]
        assert (await counts(other))["tenants"] == 6
    finally:
        await other.close()


async def test_what_breaks_off_leaves_nothing(owner: asyncpg.Connection):
    class StoppedError(Exception):
        pass

    def stop(table: str, sent: int, expected: int) -> None:
        del sent, expected
        if table == "entities":
            raise StoppedError

    with pytest.raises(StoppedError):
        await load_demo(owner, DemoSize.SMALL, stop)
    assert not any((await counts(owner)).values())
    assert await load_demo(owner, DemoSize.SMALL)


async def test_progress_counts_up_to_the_rows_loaded(owner: asyncpg.Connection):
    reports: list[tuple[str, int, int]] = []
    await load_demo(owner, DemoSize.SMALL, lambda *report: reports.append(report))
    done = [sent for _, sent, _ in reports]
    assert done == sorted(done)
    assert all(sent <= expected for _, sent, expected in reports)
    assert reports[-1] == ("done", sum((await counts(owner)).values()), reports[-1][1])
    assert abs(reports[0][2] - reports[-1][2]) < 0.1 * reports[-1][2]


async def test_the_planner_knows_the_tables_afterwards(owner: asyncpg.Connection):
    await load_demo(owner, DemoSize.SMALL)
    known = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relname = ANY ($1) AND reltuples > 0", NAMES
    )
    assert {row["relname"] for row in known} == set(NAMES)


async def test_an_owner_who_is_under_the_policies_loads_it_too(
    cluster: ThrowawayCluster, empty_database_url: str
):
    """Where the connecting role may not create the role of requests, row-level security is forced on it."""
    admin = await asyncpg.connect(empty_database_url)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f'CREATE ROLE confined LOGIN; GRANT CREATE ON DATABASE "{name}" TO confined')
    await admin.execute("GRANT CREATE ON SCHEMA public TO confined")
    await admin.close()
    dsn = cluster.dsn(name, "confined")
    await migrate(dsn, Settings(request_role="nobody_has_made_it"))
    confined = await asyncpg.connect(dsn)
    try:
        assert await confined.fetchval("SELECT row_security_active('public.sites')")
        assert await load_demo(confined, DemoSize.SMALL, now=NOW)
        assert not await load_demo(confined, DemoSize.SMALL, now=NOW)
        assert len(await demo_viewers(confined)) == 3
        assert await confined.fetchval("SELECT count(*) FROM sites") == 0
    finally:
        await confined.close()


def run_command_line(size: str, database_url: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if database_url:
        environment["DATABASE_URL"] = database_url
    command = [sys.executable, "-m", "services.demo", "--size", size]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


async def test_the_command_line_loads_it_once(database_url: str):
    first, second = run_command_line("small", database_url), run_command_line("small", database_url)
    assert (first.returncode, first.stdout) == (0, "loaded\n")
    assert (second.returncode, second.stdout) == (0, "demo data is there already: nothing done\n")


async def test_the_command_line_says_in_one_line_what_is_missing(empty_database_url: str):
    unset, empty = run_command_line("small", None), run_command_line("small", empty_database_url)
    assert (unset.returncode, unset.stderr.count("\n")) == (1, 1)
    assert "DATABASE_URL" in unset.stderr
    assert empty.returncode == 1
    assert empty.stderr.splitlines()[-1].startswith("the database is not migrated")
