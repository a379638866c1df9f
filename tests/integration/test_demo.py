"""The demo in a database, and its loading."""

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

from commands.demo_data import require_demo_database
from core.errors import StartupError
from core.settings import Settings
from demo import DemoSize, load_demo, load_demo_viewers
from demo.load import TABLES
from demo.tenants import tenant_id
from models import enums
from schema.tables import SIDE_TABLES
from services.catalog.entries import CATALOG
from services.catalog.update import update_catalog
from services.imports.import_tables import IMPORT_TABLES
from services.migrations import downgrade, migrate
from tests.clusters import ThrowawayCluster

pytestmark = pytest.mark.newest

NOW = 1_790_000_000_000
NAMES = [table.name for table in TABLES]
SIDE = (
    "app.unclaimed_users, app.imported_deletions, app.shipped_integrations, app.demo_marker, app.clerk_users, "
    "app.shipped_roles, app.job_queue, app.job_tenants, app.job_calls"
)

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
    ("job_attempts", "outcome"): enums.JobOutcome,
    ("issued_credentials", "kind"): enums.CredentialKind,
    ("issued_credentials", "issuer_type"): enums.AuditActor,
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
"""Tables in which live rows have a deleted parent, by the reference to it."""


@pytest_asyncio.fixture
async def demo_connection(demo_database_url: str) -> AsyncIterator[asyncpg.Connection]:
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


async def hash_tables(connection: asyncpg.Connection) -> dict[str, str]:
    """A hash of each table's rows."""
    hash_of = "SELECT md5(string_agg(md5(t::text), '' ORDER BY t.id)) FROM {} t"
    return {name: await connection.fetchval(hash_of.format(name)) for name in NAMES}


async def count_rows(connection: asyncpg.Connection) -> dict[str, int]:
    return {name: await connection.fetchval(f"SELECT count(*) FROM {name}") for name in NAMES}


async def test_small_demo_has_documented_row_counts(demo_connection: asyncpg.Connection) -> None:
    live = {
        name: await demo_connection.fetchval(f"SELECT count(*) FROM {name} WHERE deleted_at IS NULL")
        for name in ("tenants", "sites", "agents", "entities")
    }
    assert live == {"tenants": 5, "sites": 150, "agents": 1_800, "entities": 9_000}


async def test_demo_fills_all_tables(demo_connection: asyncpg.Connection) -> None:
    in_database = await demo_connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    assert sorted(NAMES) == sorted({row["relname"] for row in in_database} - {"aerich"})
    assert [*IMPORT_TABLES, *(table.name for table in SIDE_TABLES)] == NAMES
    assert all((await count_rows(demo_connection)).values())


async def test_demo_has_null_and_value_in_every_nullable_column(demo_connection: asyncpg.Connection) -> None:
    for row in await demo_connection.fetch(COLUMNS, NAMES):
        if not row["whole"] and (row["table"], row["column"]) != ("integrations", "icon_url"):  # each has one
            column = row["column"]
            count = f"SELECT count(*) AS all, count({column}) AS values FROM {row['table']}"
            found = await demo_connection.fetchrow(count)
            assert found is not None
            assert 0 < found["values"] < found["all"], f"{row['table']}.{column}"


async def test_demo_tables_declare_every_column(demo_connection: asyncpg.Connection) -> None:
    columns = {(row["table"], row["column"]) for row in await demo_connection.fetch(COLUMNS, NAMES)}
    assert columns == {(table.name, column) for table in TABLES for column in table.columns}


async def test_demo_stores_json_as_objects(demo_connection: asyncpg.Connection) -> None:
    for row in await demo_connection.fetch(COLUMNS, NAMES):
        if row["type"] == "jsonb":
            types = f"SELECT DISTINCT jsonb_typeof({row['column']}) FROM {row['table']}"
            found = {kind for (kind,) in await demo_connection.fetch(types)} - {None}
            assert found == {"object"}, f"{row['table']}.{row['column']}"


@pytest.mark.parametrize(
    ("place", "enum"),
    ENUMS.items(),
    ids=lambda value: "-".join(value[:2]) if isinstance(value, tuple) else "",
)
async def test_demo_has_every_enum_value(
    demo_connection: asyncpg.Connection, place: tuple[str, str], enum: type[StrEnum]
) -> None:
    table, column = place
    found = await demo_connection.fetch(f"SELECT DISTINCT {column} FROM {table}")
    assert {value for (value,) in found} == set(enum)


async def test_demo_has_few_deleted_rows_in_each_deletable_table(demo_connection: asyncpg.Connection) -> None:
    deletable = {
        row["table"] for row in await demo_connection.fetch(COLUMNS, NAMES) if row["column"] == "deleted_at"
    }
    assert len(deletable) == 12
    for name in deletable:
        share = f"SELECT count(*) FILTER (WHERE deleted_at IS NOT NULL) / count(*)::float FROM {name}"
        assert 0 < await demo_connection.fetchval(share) < 0.3, name


@pytest.mark.parametrize("table", DELETED_PARENTS)
async def test_demo_has_live_rows_of_deleted_parents(demo_connection: asyncpg.Connection, table: str) -> None:
    column, parents = DELETED_PARENTS[table]
    orphans = await demo_connection.fetchval(
        f"SELECT count(*) FROM {table} c JOIN {parents} p ON p.id = c.{column} "
        "WHERE c.deleted_at IS NULL AND p.deleted_at IS NOT NULL"
    )
    assert orphans > 0


async def test_demo_bills_equal_the_sum_of_their_lines(demo_connection: asyncpg.Connection) -> None:
    bills = await demo_connection.fetch(
        "SELECT b.total, array_agg(l.total) AS lines, array_agg(l.units * l.unit_cost) AS products "
        "FROM tenant_bills b JOIN tenant_bill_line_items l ON l.bill_id = b.id GROUP BY b.id"
    )
    assert len(bills) == await demo_connection.fetchval("SELECT count(*) FROM tenant_bills")
    for bill in bills:
        assert isinstance(bill["total"], Decimal)
        assert bill["total"] == sum(bill["lines"])
        assert bill["lines"] == bill["products"]


async def test_demo_suspended_tenant_has_no_demo_viewer(demo_connection: asyncpg.Connection) -> None:
    suspended = await demo_connection.fetch("SELECT name FROM tenants WHERE status = 'suspended'")
    viewers = await load_demo_viewers(demo_connection)
    tenants = await demo_connection.fetch(
        "SELECT t.name FROM tenants t JOIN users u ON u.tenant_id = t.id WHERE u.id = ANY ($1)",
        [viewer.user_id for viewer in viewers],
    )
    assert len(suspended) == 1
    assert {row["name"] for row in tenants}.isdisjoint({row["name"] for row in suspended})


async def test_demo_failed_jobs_have_errors_and_pending_jobs_have_retries(
    demo_connection: asyncpg.Connection,
) -> None:
    assert await demo_connection.fetchval(
        "SELECT bool_and(error IS NOT NULL AND attempts = attempts_max) FROM scheduled_jobs WHERE status = 'failed'"
    )
    waiting = "SELECT count(*) FROM scheduled_jobs WHERE status = 'pending' AND next_retry_at > scheduled_at"
    assert await demo_connection.fetchval(waiting + " AND error IS NOT NULL") > 0


async def test_demo_unhealthy_checks_have_error_messages(demo_connection: asyncpg.Connection) -> None:
    assert await demo_connection.fetchval(
        "SELECT bool_and((status = 'healthy') = (error_message IS NULL)) FROM health_checks"
    )


async def test_demo_has_rows_for_every_view(demo_connection: asyncpg.Connection) -> None:
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
    assert await demo_connection.fetchval(parents) > 0
    counts = await demo_connection.fetchrow(companies)
    assert counts is not None
    assert min(counts) > 0
    assert await demo_connection.fetchval(sophos) > 0


async def test_demo_configs_have_sealed_secrets_only(demo_connection: asyncpg.Connection) -> None:
    sensitive = {
        entry.id: [
            name for name, schema in entry.config_schema["properties"].items() if schema.get("sensitive")
        ]
        for entry in CATALOG
        if entry.config_schema
    }
    for row in await demo_connection.fetch("SELECT integration_id, config FROM data_sources"):
        config = json.loads(row["config"])
        for name in sensitive.get(row["integration_id"], ()):
            assert config.get(name, "enc:v1:").startswith("enc:v1:")


async def test_demo_viewers_are_active_users_with_expected_roles(demo_connection: asyncpg.Connection) -> None:
    viewers = await load_demo_viewers(demo_connection)
    rows = [
        row
        for viewer in viewers
        for row in await demo_connection.fetch(
            "SELECT u.status, u.deleted_at, t.status AS tenant, r.name AS role, r.rights, u.tenant_id "
            "FROM users u JOIN roles r ON r.id = u.role_id JOIN tenants t ON t.id = u.tenant_id WHERE u.id = $1",
            viewer.user_id,
        )
    ]
    assert [row["role"] for row in rows] == ["Administrator", "Read-only technician", "Administrator"]
    assert all(
        (row["status"], row["deleted_at"], row["tenant"]) == ("active", None, "active") for row in rows
    )
    assert rows[0]["tenant_id"] == rows[1]["tenant_id"] != rows[2]["tenant_id"]
    assert json.loads(rows[0]["rights"]) == {"Global.Admin": True}
    assert all(right.endswith(".Read") for right in json.loads(rows[1]["rights"]))
    assert [viewer.label for viewer in viewers][1].endswith(", read-only technician of Northlight IT")


async def test_demo_viewers_without_demo_are_empty(owner: asyncpg.Connection) -> None:
    assert await load_demo_viewers(owner) == []


async def test_load_demo_again_with_other_size_changes_nothing(owner: asyncpg.Connection) -> None:
    assert await load_demo(owner, DemoSize.SMALL, now=NOW)
    before = await hash_tables(owner)
    assert not await load_demo(owner, DemoSize.SMALL, seed=7)
    assert not await load_demo(owner, DemoSize.MEDIUM)
    assert await hash_tables(owner) == before


async def test_load_demo_with_same_seed_and_time_loads_equal_rows(owner: asyncpg.Connection) -> None:
    await load_demo(owner, DemoSize.SMALL, now=NOW)
    first = await hash_tables(owner)
    await owner.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_not_emptied")
    await owner.execute(f"TRUNCATE {', '.join(NAMES)}, {SIDE}")
    await load_demo(owner, DemoSize.SMALL, now=NOW)
    assert await hash_tables(owner) == first


async def test_load_demo_twice_concurrently_loads_once(owner: asyncpg.Connection, database_url: str) -> None:
    other = await asyncpg.connect(database_url)
    try:
        loaded = await asyncio.gather(load_demo(owner, DemoSize.SMALL), load_demo(other, DemoSize.SMALL))
        assert sorted(loaded) == [False, True]
        assert (await count_rows(other))["tenants"] == 6
    finally:
        await other.close()


async def test_load_demo_that_fails_leaves_no_rows(owner: asyncpg.Connection) -> None:
    class StoppedError(Exception):
        pass

    def stop(table: str, sent: int, expected: int) -> None:
        del sent, expected
        if table == "entities":
            raise StoppedError

    with pytest.raises(StoppedError):
        await load_demo(owner, DemoSize.SMALL, stop)
    assert not any((await count_rows(owner)).values())
    assert await load_demo(owner, DemoSize.SMALL)


async def test_load_demo_reports_progress_up_to_row_count(owner: asyncpg.Connection) -> None:
    reports: list[tuple[str, int, int]] = []
    await load_demo(owner, DemoSize.SMALL, lambda *report: reports.append(report))
    done = [sent for _, sent, _ in reports]
    assert done == sorted(done)
    assert all(sent <= expected for _, sent, expected in reports)
    assert reports[-1] == ("done", sum((await count_rows(owner)).values()), reports[-1][1])
    assert abs(reports[0][2] - reports[-1][2]) < 0.1 * reports[-1][2]


async def test_load_demo_analyzes_every_table(owner: asyncpg.Connection) -> None:
    await load_demo(owner, DemoSize.SMALL)
    known = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relname = ANY ($1) AND reltuples > 0", NAMES
    )
    assert {row["relname"] for row in known} == set(NAMES)


async def test_load_demo_with_forced_policies_succeeds(
    cluster: ThrowawayCluster, empty_database_url: str
) -> None:
    """If the connecting role may not create the role of requests, row-level security is forced on it."""
    admin = await asyncpg.connect(empty_database_url)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f'CREATE ROLE confined LOGIN; GRANT CREATE ON DATABASE "{name}" TO confined')
    await admin.execute("GRANT CREATE ON SCHEMA public TO confined")
    await admin.close()
    dsn = cluster.build_dsn(name, "confined")
    await migrate(dsn, Settings(request_role="nobody_has_made_it"))
    confined = await asyncpg.connect(dsn)
    try:
        assert await confined.fetchval("SELECT row_security_active('public.sites')")
        assert await load_demo(confined, DemoSize.SMALL, now=NOW)
        assert not await load_demo(confined, DemoSize.SMALL, now=NOW)
        assert len(await load_demo_viewers(confined)) == 3
        assert await confined.fetchval("SELECT count(*) FROM sites") == 0
    finally:
        await confined.close()


def run_command_line(size: str, database_url: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    if database_url:
        environment["DATABASE_URL"] = database_url
    command = [sys.executable, "-m", "demo", "--size", size]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


async def test_demo_command_twice_loads_once(database_url: str) -> None:
    first, second = run_command_line("small", database_url), run_command_line("small", database_url)
    assert (first.returncode, first.stdout) == (0, "loaded\n")
    assert (second.returncode, second.stdout) == (0, "the demo data exists already: nothing was changed\n")


async def test_demo_command_without_migrated_database_prints_one_line_error(empty_database_url: str) -> None:
    unset, empty = run_command_line("small", None), run_command_line("small", empty_database_url)
    assert (unset.returncode, unset.stderr.count("\n")) == (1, 1)
    assert "DATABASE_URL" in unset.stderr
    assert empty.returncode == 1
    assert empty.stderr.splitlines()[-1].startswith("the database is not migrated")


async def test_load_demo_into_a_database_with_the_catalog_keeps_shipped_rows(
    owner: asyncpg.Connection,
) -> None:
    async with owner.transaction():
        await update_catalog(owner)
    before = await owner.fetch("SELECT * FROM integrations ORDER BY id")
    assert await load_demo(owner, DemoSize.SMALL)
    assert await owner.fetch("SELECT * FROM integrations ORDER BY id") == before


async def test_load_demo_into_a_real_database_is_refused(owner: asyncpg.Connection) -> None:
    await owner.execute("INSERT INTO roles (name, description, rights) VALUES ('Administrator', '', '{}')")
    before = await hash_tables(owner)
    with pytest.raises(StartupError, match=r"rows that are not a demo's \(in roles\)"):
        await load_demo(owner, DemoSize.SMALL)
    assert await hash_tables(owner) == before


async def test_load_demo_into_an_imported_demo_without_marker_is_refused(owner: asyncpg.Connection) -> None:
    await load_demo(owner, DemoSize.SMALL)
    await owner.execute("DELETE FROM app.demo_marker")
    with pytest.raises(StartupError, match="not a demo's"):
        await load_demo(owner, DemoSize.SMALL)


@pytest.mark.parametrize("tenant", [tenant_id(0), tenant_id(1)])
async def test_migration_marks_a_demo_by_its_first_tenant(database_url: str, tenant: str) -> None:
    await downgrade(database_url, 21)
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("INSERT INTO tenants (id, name, status) VALUES ($1, 'T', 'active')", tenant)
        await migrate(database_url, Settings())
        assert await owner.fetchval("SELECT count(*) FROM app.demo_marker") == (tenant == tenant_id(0))
    finally:
        await owner.close()


async def test_require_demo_database_before_the_migration_knows_an_older_demo(database_url: str) -> None:
    await downgrade(database_url, 21)
    await require_demo_database(database_url)
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute("INSERT INTO tenants (id, name, status) VALUES ('real', 'T', 'active')")
        with pytest.raises(StartupError, match="not a demo's"):
            await require_demo_database(database_url)
        await owner.execute("INSERT INTO tenants (id, name, status) VALUES ($1, 'T', 'active')", tenant_id(0))
        await require_demo_database(database_url)
    finally:
        await owner.close()


async def test_require_demo_database_without_our_schema_accepts_it(empty_database_url: str) -> None:
    await require_demo_database(empty_database_url)
