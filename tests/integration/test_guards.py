"""What the database refuses whoever writes: the tests work as the owner, to whom no policy applies."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.clock import NEVER, now_ms
from tests.rows import ROWS, TENANT_TABLES, row_of, write, write_tenant

REFERENCES: Final = (
    ("users", "role_id", "roles"),
    ("data_sources", "site_id", "sites"),
    ("data_source_to_site", "data_source_id", "data_sources"),
    ("data_source_to_site", "site_id", "sites"),
    ("agents", "site_id", "sites"),
    ("agent_api_logs", "site_id", "sites"),
    ("agent_api_logs", "agent_id", "agents"),
    ("entities", "data_source_id", "data_sources"),
    ("entities", "site_id", "sites"),
    ("entity_relationships", "parent_entity_id", "entities"),
    ("entity_relationships", "child_entity_id", "entities"),
    ("scheduled_jobs", "data_source_id", "data_sources"),
    ("events_log", "entity_id", "entities"),
    ("health_checks", "agent_id", "agents"),
    ("health_checks", "data_source_id", "data_sources"),
    ("health_checks", "site_id", "sites"),
    ("health_checks", "scheduled_job_id", "scheduled_jobs"),
    ("audit_log", "user_id", "users"),
    ("tenant_bill_line_items", "bill_id", "tenant_bills"),
    ("tenant_bill_line_items", "pricing_tier_id", "integration_pricing_tiers"),
    ("tenant_billing_adjustments", "created_by", "users"),
)
"""Every reference from a tenant's row to a tenant's row; the catalogue is held against it."""

CATALOGUE_OF_KEYS: Final = """
    SELECT c.relname AS child, p.relname AS parent, k.confdeltype::text AS on_delete,
           ARRAY(SELECT attname::text FROM unnest(k.conkey) WITH ORDINALITY u (n, place)
                 JOIN pg_attribute ON attrelid = k.conrelid AND attnum = n ORDER BY place) AS columns,
           ARRAY(SELECT attname::text FROM unnest(k.confkey) WITH ORDINALITY u (n, place)
                 JOIN pg_attribute ON attrelid = k.confrelid AND attnum = n ORDER BY place) AS targets
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
    WHERE k.contype = 'f'
"""


class Rows:
    """Two tenants, `mine` and `theirs`, with a row in each table; table to id."""

    def __init__(self, connection: asyncpg.Connection, mine: dict[str, str], theirs: dict[str, str]) -> None:
        self.connection = connection
        self.mine = mine
        self.theirs = theirs

    async def set(self, table: str, **values: Any) -> None:
        """Updates my row of a table."""
        places = ", ".join(f"{column} = ${number}" for number, column in enumerate(values, 2))
        statement = f"UPDATE {table} SET {places} WHERE id = $1"  # noqa: S608 - our own names
        done = await self.connection.execute(statement, self.mine[table], *values.values())
        assert done == "UPDATE 1"

    async def add(self, table: str, **values: Any) -> str:
        """Inserts a row of mine like the one that is there, but for these values."""
        return await write(self.connection, table, row_of(table, "mine", self.mine) | values)


@pytest_asyncio.fixture
async def rows(shared_database_url: str) -> AsyncIterator[Rows]:
    """The two tenants, in a transaction that is rolled back."""
    connection = await asyncpg.connect(shared_database_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        mine, theirs = await write_tenant(connection, "mine"), await write_tenant(connection, "theirs")
        yield Rows(connection, mine, theirs)
    finally:
        await transaction.rollback()
        await connection.close()


def _to(table: str, column: str, value: str) -> dict[str, str]:
    """The columns to set, so that `column` is `value`: a health check's are made of its resource."""
    if table == "health_checks":
        return {"resource_type": column.removesuffix("_id"), "resource_id": value}
    return {column: value}


def _other(table: str) -> dict[str, Any]:
    """What makes a second row of a table differ where it must."""
    others: dict[str, dict[str, Any]] = {
        "data_source_to_site": {"deleted_at": 1},
        "agents": {"guid": "cafe"},
        "entities": {"external_id": "18"},
        "entity_relationships": {"relationship_type": "owner"},
        "users": {"email": "bob@example.com"},
    }
    return others.get(table, {})


class TestReferences:
    @pytest.mark.parametrize(("table", "column", "parent"), REFERENCES)
    async def test_a_row_cannot_be_moved_to_a_neighbours(
        self, rows: Rows, table: str, column: str, parent: str
    ) -> None:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await rows.set(table, **_to(table, column, rows.theirs[parent]))

    @pytest.mark.parametrize(("table", "column", "parent"), REFERENCES)
    async def test_a_row_cannot_begin_at_a_neighbours(
        self, rows: Rows, table: str, column: str, parent: str
    ) -> None:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await rows.add(table, **_other(table), **_to(table, column, rows.theirs[parent]))

    @pytest.mark.parametrize(("table", "column", "parent"), REFERENCES)
    async def test_its_own_tenants_it_may_have(
        self, rows: Rows, table: str, column: str, parent: str
    ) -> None:
        await rows.set(table, **_to(table, column, rows.mine[parent]))

    async def test_the_list_above_is_the_catalogues(self, rows: Rows) -> None:
        keys = await rows.connection.fetch(CATALOGUE_OF_KEYS)
        guarded = {("users", "role_id", "roles")}
        for key in keys:
            if key["child"] in TENANT_TABLES and key["parent"] in TENANT_TABLES:
                if key["columns"] == ["role_id"]:
                    continue
                assert key["columns"][0] == "tenant_id", key
                assert key["targets"] == ["tenant_id", "id"], key
                guarded.add((key["child"], key["columns"][1], key["parent"]))
        assert guarded == set(REFERENCES)

    async def test_every_column_that_names_a_row_has_its_key(self, rows: Rows) -> None:
        keys = await rows.connection.fetch(CATALOGUE_OF_KEYS)
        keyed = {(key["child"], column) for key in keys for column in key["columns"]}
        named = await rows.connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name = ANY($1) AND column_name ~ '_id$'",
            list(ROWS),
        )
        not_ours = {"external_id", "psa_company_id", "psa_parent_company_id", "psa_site_id", "rmm_device_id"}
        untyped = {("health_checks", "resource_id"), ("audit_log", "actor_id"), ("audit_log", "record_id")}
        bare = {tuple(row) for row in named if row["column_name"] not in not_ours} - keyed - untyped
        assert bare == set()

    async def test_every_tenant_is_one_that_exists(self, rows: Rows) -> None:
        for table in TENANT_TABLES:
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                async with rows.connection.transaction():
                    await rows.add(table, **_other(table), tenant_id="nobody")

    async def test_only_health_checks_go_with_their_parents(self, rows: Rows) -> None:
        keys = await rows.connection.fetch(CATALOGUE_OF_KEYS)
        cascading = {key["columns"][-1] for key in keys if key["on_delete"] == "c"}
        assert cascading == {"agent_id", "data_source_id", "site_id", "scheduled_job_id", "integration_id"}
        assert {key["child"] for key in keys if key["on_delete"] == "c"} == {"health_checks"}
        assert {key["on_delete"] for key in keys} == {"c", "r"}

    async def test_a_health_check_goes_with_what_it_watches(self, rows: Rows) -> None:
        job = await rows.add("scheduled_jobs")
        await rows.set("health_checks", resource_type="scheduled_job", resource_id=job)
        await rows.connection.execute("DELETE FROM scheduled_jobs WHERE id = $1", job)
        left = await rows.connection.fetchval(
            "SELECT count(*) FROM health_checks WHERE id = $1", rows.mine["health_checks"]
        )
        assert left == 0

    async def test_a_health_check_of_an_integration(self, rows: Rows) -> None:
        await rows.set("health_checks", resource_type="integration", resource_id=rows.theirs["integrations"])
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await rows.set("health_checks", resource_id="no-such-integration")

    async def test_a_parent_in_use_stays(self, rows: Rows) -> None:
        for table in ("tenants", "roles", "users", "sites", "integrations", "data_sources", "entities"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                async with rows.connection.transaction():
                    await rows.connection.execute(f"DELETE FROM {table} WHERE id = $1", rows.mine[table])  # noqa: S608 - our own names

    async def test_an_invitation_taken_up_takes_its_references_along(self, rows: Rows) -> None:
        await rows.set("users", id="user_clerk_1")
        for table, column in (("audit_log", "user_id"), ("tenant_billing_adjustments", "created_by")):
            query = f"SELECT {column} FROM {table} WHERE id = $1"  # noqa: S608 - our own names
            assert await rows.connection.fetchval(query, rows.mine[table]) == "user_clerk_1"


class TestRoles:
    async def test_a_global_role_is_for_everybody(self, rows: Rows) -> None:
        role = await write(rows.connection, "roles", {"name": "Admin", "description": "All"})
        await rows.set("users", role_id=role)

    async def test_a_role_that_is_not_there(self, rows: Rows) -> None:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await rows.set("users", role_id="none")

    async def test_a_role_just_taken_cannot_be_deleted(self, database_url: str) -> None:
        """The trigger holds the role's row as a foreign key does; without the key's own hold, to see it."""
        first, second = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
        try:
            ids = await write_tenant(first, "mine")
            role = await write(first, "roles", {"name": "Admin", "description": "All"})
            await first.execute("ALTER TABLE users DROP CONSTRAINT users_role_id_fkey")
            await second.execute("SET lock_timeout = 50")
            async with first.transaction():
                await first.execute("UPDATE users SET role_id = $1 WHERE id = $2", role, ids["users"])
                with pytest.raises(asyncpg.LockNotAvailableError):
                    await second.execute("DELETE FROM roles WHERE id = $1", role)
        finally:
            await first.close()
            await second.close()


class TestTenants:
    @pytest.mark.parametrize("table", TENANT_TABLES)
    async def test_a_row_never_changes_its_tenant(self, rows: Rows, table: str) -> None:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await rows.set(table, tenant_id=rows.theirs["tenants"])
        assert refused.value.constraint_name == f"{table}_tenant_is_fixed"

    @pytest.mark.parametrize("table", TENANT_TABLES)
    async def test_naming_the_same_tenant_is_no_change(self, rows: Rows, table: str) -> None:
        await rows.set(table, tenant_id=rows.mine["tenants"])

    async def test_a_global_role_stays_global(self, rows: Rows) -> None:
        role = await write(rows.connection, "roles", {"name": "Admin", "description": "All"})
        with pytest.raises(asyncpg.CheckViolationError):
            await rows.connection.execute(
                "UPDATE roles SET tenant_id = $2 WHERE id = $1", role, rows.mine["tenants"]
            )

    async def test_no_table_with_a_tenant_is_left_out(self, rows: Rows) -> None:
        found = await rows.connection.fetch(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname ~ '_tenant_is_fixed$'"
        )
        assert {row[0] for row in found} == set(TENANT_TABLES)


UNIQUE: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("users", {"email": "aNN@MINE.example"}),
    ("users", {"email": "ann@mine.example", "status": "inactive"}),
    ("sites", {}),
    ("data_source_to_site", {}),
    ("agents", {"hostname": "another"}),
    ("entities", {"data_hash": "other"}),
    ("global_entities", {"data_hash": "other"}),
    ("entity_relationships", {}),
    ("health_checks", {"status": "down"}),
    ("tenant_bills", {"total": Decimal(7)}),
)
"""Table, and what the second row has otherwise."""

AMONG_THE_UNDELETED: Final = {"users", "sites", "data_source_to_site", "agents"}


class TestUniqueness:
    @pytest.mark.parametrize(("table", "values"), UNIQUE)
    async def test_there_is_no_second(self, rows: Rows, table: str, values: dict[str, Any]) -> None:
        with pytest.raises(asyncpg.UniqueViolationError):
            async with rows.connection.transaction():
                await rows.add(table, **values)
        if table in AMONG_THE_UNDELETED:
            await rows.set(table, deleted_at=1)
            await rows.add(table, **values)

    @pytest.mark.parametrize("table", ["entities", "global_entities", "entity_relationships"])
    async def test_a_deleted_one_counts_where_it_can_only_come_back(self, rows: Rows, table: str) -> None:
        await rows.set(table, deleted_at=1)
        with pytest.raises(asyncpg.UniqueViolationError):
            await rows.add(table)

    async def test_a_cancelled_bill_frees_its_period(self, rows: Rows) -> None:
        await rows.set("tenant_bills", status="cancelled")
        await rows.add("tenant_bills")

    async def test_an_email_is_compared_in_all_of_unicode(self, rows: Rows) -> None:
        await rows.set("users", email="ZOË@example.com")
        with pytest.raises(asyncpg.UniqueViolationError):
            await rows.add("users", email="zoë@example.com")

    @pytest.mark.parametrize(
        ("table", "keys"),
        [
            ("entities", "tenant_id, data_source_id, entity_type, external_id"),
            ("global_entities", "integration_id, entity_type, external_id"),
            ("entity_relationships", "parent_entity_id, child_entity_id, relationship_type"),
            ("health_checks", "tenant_id, resource_type, resource_id"),
        ],
    )
    async def test_an_upsert_finds_the_index(self, rows: Rows, table: str, keys: str) -> None:
        row = row_of(table, "mine", rows.mine)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        statement = (
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) "  # noqa: S608 - our own names
            f"ON CONFLICT ({keys}) DO UPDATE SET updated_at = 1 RETURNING id"
        )
        assert await rows.connection.fetchval(statement, *row.values()) == rows.mine[table]


CHECKS: Final = (
    ("tenants", "status", "gone"),
    ("users", "status", "invited"),
    ("sites", "status", "Active"),
    ("data_sources", "status", "failed"),
    ("scheduled_jobs", "status", "cancelled"),
    ("events_log", "status", "running"),
    ("health_checks", "status", "critical"),
    ("audit_log", "actor_type", "robot"),
    ("audit_log", "action", "purge"),
    ("tenant_bills", "status", "void"),
    ("tenant_billing_adjustments", "type", "fixed"),
    ("scheduled_jobs", "attempts", -1),
    ("scheduled_jobs", "attempts_max", -1),
    ("events_log", "retry_count", -1),
    ("health_checks", "failure_count", -1),
    ("users", "metadata", "[]"),
    ("roles", "rights", "null"),
    ("data_sources", "config", '"text"'),
    ("scheduled_jobs", "payload", "1"),
    ("integrations", "supported_types", ["sites", None]),
    ("sites", "created_at", NEVER + 1),
    ("agents", "last_checkin_at", -NEVER - 1),
    ("integration_pricing_tiers", "unit_cost", Decimal("NaN")),
    ("tenant_bills", "total", Decimal("Infinity")),
    ("tenant_bill_line_items", "units", Decimal("-Infinity")),
)


class TestChecks:
    @pytest.mark.parametrize(("table", "column", "value"), CHECKS)
    async def test_it_is_refused(self, rows: Rows, table: str, column: str, value: Any) -> None:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await rows.set(table, **{column: value})
        assert refused.value.constraint_name == f"{table}_{column}_check"

    @pytest.mark.parametrize("table", ROWS)
    async def test_no_id_is_empty(self, rows: Rows, table: str) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await rows.add(table, **_other(table) | {"id": ""})

    async def test_a_kind_of_resource_that_there_is_not(self, rows: Rows) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await rows.set("health_checks", resource_type="printer")

    async def test_a_person_without_tenant_changes_nothing(self, rows: Rows) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await rows.add("audit_log", tenant_id=None)

    async def test_every_moment_and_amount_is_checked(self, rows: Rows) -> None:
        wanted = await rows.connection.fetch(
            "SELECT table_name || '_' || column_name || '_check' FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name = ANY($1) AND data_type IN ('bigint', 'numeric')",
            list(ROWS),
        )
        found = await rows.connection.fetch("SELECT conname::text FROM pg_constraint WHERE contype = 'c'")
        assert len(wanted) > 60
        assert {row[0] for row in wanted} - {row[0] for row in found} == set()

    async def test_never_and_long_ago_are_moments(self, rows: Rows) -> None:
        await rows.set("data_sources", credential_expiration_at=NEVER, created_at=-NEVER)

    async def test_amounts_keep_their_places(self, rows: Rows) -> None:
        amount = Decimal("-12345678901234567890.123456789012345678900")
        await rows.set("tenant_bills", total=amount)
        total = await rows.connection.fetchval(
            "SELECT total FROM tenant_bills WHERE id = $1", rows.mine["tenant_bills"]
        )
        assert str(total) == str(amount)


class TestDefaults:
    @pytest.mark.parametrize("table", ROWS)
    async def test_a_row_written_by_hand_is_whole(self, rows: Rows, table: str) -> None:
        """`write_tenant` gives no value that has a default; what must be there is there."""
        query = f"SELECT * FROM {table} WHERE id = $1"  # noqa: S608 - our own names
        row = await rows.connection.fetchrow(query, rows.mine[table])
        assert row is not None
        assert abs(row["created_at"] - now_ms()) < 60_000
        assert row.get("updated_at") is None or row["updated_at"] == row["created_at"]
        if table != "integrations":
            assert re.fullmatch(
                r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", row["id"]
            )
            assert abs(int(row["id"].replace("-", "")[:12], 16) - now_ms()) < 60_000

    async def test_new_ids_differ_and_grow(self, rows: Rows) -> None:
        first = await rows.connection.fetch("SELECT app.new_id() FROM generate_series(1, 1000)")
        await rows.connection.execute("SELECT pg_sleep(0.002)")
        later = await rows.connection.fetch("SELECT app.new_id() FROM generate_series(1, 1000)")
        assert len({row[0] for row in first + later}) == 2000
        assert max(row[0] for row in first) < min(row[0] for row in later)

    async def test_nothing_expires_unless_it_is_said(self, rows: Rows) -> None:
        query = "SELECT credential_expiration_at FROM data_sources WHERE id = $1"
        assert await rows.connection.fetchval(query, rows.mine["data_sources"]) == NEVER
