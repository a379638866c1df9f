"""Constraints of the database for every writer: the tests work as the owner, to whom no policy applies."""

import re
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.clock import NEVER, now_ms
from tests.sample_rows import SAMPLE_ROWS, TENANT_TABLES, build_row, insert_row, insert_tenant_rows

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
    ("issued_credentials", "site_id", "sites"),
    ("issued_credentials", "agent_id", "agents"),
    ("issued_credentials", "user_id", "users"),
    ("issued_credentials", "issued_by", "users"),
    ("issued_credentials", "revoked_by", "users"),
    ("issued_credentials", "replacement_approved_by", "users"),
    ("site_enrollment_rules", "site_id", "sites"),
    ("legacy_agents", "agent_id", "agents"),
    ("job_attempts", "job_id", "scheduled_jobs"),
    ("job_progress", "job_id", "scheduled_jobs"),
)
"""Every reference from a tenant's row to a tenant's row, compared with the database's catalog."""

CATALOG_OF_KEYS: Final = """
    SELECT c.relname AS child, p.relname AS parent, k.confdeltype::text AS on_delete,
           ARRAY(SELECT attname::text FROM unnest(k.conkey) WITH ORDINALITY u (n, place)
                 JOIN pg_attribute ON attrelid = k.conrelid AND attnum = n ORDER BY place) AS columns,
           ARRAY(SELECT attname::text FROM unnest(k.confkey) WITH ORDINALITY u (n, place)
                 JOIN pg_attribute ON attrelid = k.confrelid AND attnum = n ORDER BY place) AS targets
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
    WHERE k.contype = 'f'
"""


class TenantRowPair:
    """Two tenants, `mine` and `theirs`, with a row in each table; table to id."""

    def __init__(self, connection: asyncpg.Connection, mine: dict[str, str], theirs: dict[str, str]) -> None:
        self.connection = connection
        self.mine = mine
        self.theirs = theirs

    async def update_row(self, table: str, **values: Any) -> None:
        """Update my row of a table."""
        places = ", ".join(f"{column} = ${number}" for number, column in enumerate(values, 2))
        statement = f"UPDATE {table} SET {places} WHERE id = $1"
        done = await self.connection.execute(statement, self.mine[table], *values.values())
        assert done == "UPDATE 1"

    async def insert_row(self, table: str, **values: Any) -> str:
        """Insert a copy of my row with these values replaced."""
        return await insert_row(self.connection, table, build_row(table, "mine", self.mine) | values)


@pytest_asyncio.fixture
async def tenant_rows(shared_database_url: str) -> AsyncIterator[TenantRowPair]:
    """The two tenants, in a transaction that is rolled back."""
    connection = await asyncpg.connect(shared_database_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        mine, theirs = (
            await insert_tenant_rows(connection, "mine"),
            await insert_tenant_rows(connection, "theirs"),
        )
        yield TenantRowPair(connection, mine, theirs)
    finally:
        await transaction.rollback()
        await connection.close()


def _reference_values(table: str, column: str, value: str) -> dict[str, str | None]:
    """The columns that set `column` to `value`. A health check's columns are derived from its resource."""
    if table == "health_checks":
        return {"resource_type": column.removesuffix("_id"), "resource_id": value}
    if (table, column) in _KINDS:
        return {"agent_id": None, "kind": _KINDS[table, column], column: value}
    return {column: value}


_KINDS: Final = {
    ("issued_credentials", "site_id"): "enrollment",
    ("issued_credentials", "user_id"): "invitation",
}
"""The kind that a credential must have to refer to such a row."""


def _distinct_values(table: str) -> dict[str, Any]:
    """Values that a second row of a table must have to differ."""
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
    async def test_update_to_row_of_another_tenant_is_refused(
        self, tenant_rows: TenantRowPair, table: str, column: str, parent: str
    ) -> None:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await tenant_rows.update_row(
                table, **_reference_values(table, column, tenant_rows.theirs[parent])
            )

    @pytest.mark.parametrize(("table", "column", "parent"), REFERENCES)
    async def test_insert_with_row_of_another_tenant_is_refused(
        self, tenant_rows: TenantRowPair, table: str, column: str, parent: str
    ) -> None:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await tenant_rows.insert_row(
                table,
                **_distinct_values(table),
                **_reference_values(table, column, tenant_rows.theirs[parent]),
            )

    @pytest.mark.parametrize(("table", "column", "parent"), REFERENCES)
    async def test_update_to_row_of_same_tenant_succeeds(
        self, tenant_rows: TenantRowPair, table: str, column: str, parent: str
    ) -> None:
        await tenant_rows.update_row(table, **_reference_values(table, column, tenant_rows.mine[parent]))

    async def test_tested_references_equal_the_foreign_keys(self, tenant_rows: TenantRowPair) -> None:
        keys = await tenant_rows.connection.fetch(CATALOG_OF_KEYS)
        guarded = {("users", "role_id", "roles")}
        for key in keys:
            if key["child"] in TENANT_TABLES and key["parent"] in TENANT_TABLES:
                if key["columns"] == ["role_id"]:
                    continue
                assert key["columns"][0] == "tenant_id", key
                assert key["targets"] == ["tenant_id", "id"], key
                guarded.add((key["child"], key["columns"][1], key["parent"]))
        assert guarded == set(REFERENCES)

    async def test_every_id_column_has_a_foreign_key(self, tenant_rows: TenantRowPair) -> None:
        keys = await tenant_rows.connection.fetch(CATALOG_OF_KEYS)
        keyed = {(key["child"], column) for key in keys for column in key["columns"]}
        named = await tenant_rows.connection.fetch(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name = ANY($1) AND column_name ~ '_id$'",
            list(SAMPLE_ROWS),
        )
        not_ours = {"external_id", "psa_company_id", "psa_parent_company_id", "psa_site_id", "rmm_device_id"}
        untyped = {("health_checks", "resource_id"), ("audit_log", "actor_id"), ("audit_log", "record_id")}
        bare = {tuple(row) for row in named if row["column_name"] not in not_ours} - keyed - untyped
        assert bare == set()

    async def test_insert_with_unknown_tenant_is_refused(self, tenant_rows: TenantRowPair) -> None:
        for table in TENANT_TABLES:
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                async with tenant_rows.connection.transaction():
                    await tenant_rows.insert_row(table, **_distinct_values(table), tenant_id="nobody")

    async def test_foreign_keys_cascade_for_health_checks_only(self, tenant_rows: TenantRowPair) -> None:
        found = await tenant_rows.connection.fetch(CATALOG_OF_KEYS)
        # Marks are internal, and are deleted with their rows.
        marks = {
            "unclaimed_users",
            "imported_deletions",
            "shipped_integrations",
            "shipped_roles",
            "clerk_users",
        }
        marks |= {"job_attempts", "job_progress", "job_queue", "job_tenants", "job_calls"}
        keys = [key for key in found if key["child"].removeprefix("app.") not in marks]
        cascading = {key["columns"][-1] for key in keys if key["on_delete"] == "c"}
        assert cascading == {"agent_id", "data_source_id", "site_id", "scheduled_job_id", "integration_id"}
        assert {key["child"] for key in keys if key["on_delete"] == "c"} == {"health_checks"}
        assert {key["on_delete"] for key in keys} == {"c", "r"}

    async def test_delete_of_resource_deletes_its_health_check(self, tenant_rows: TenantRowPair) -> None:
        job = await tenant_rows.insert_row("scheduled_jobs")
        await tenant_rows.update_row("health_checks", resource_type="scheduled_job", resource_id=job)
        await tenant_rows.connection.execute("DELETE FROM scheduled_jobs WHERE id = $1", job)
        left = await tenant_rows.connection.fetchval(
            "SELECT count(*) FROM health_checks WHERE id = $1", tenant_rows.mine["health_checks"]
        )
        assert left == 0

    async def test_health_check_of_unknown_integration_is_refused(self, tenant_rows: TenantRowPair) -> None:
        await tenant_rows.update_row(
            "health_checks", resource_type="integration", resource_id=tenant_rows.theirs["integrations"]
        )
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await tenant_rows.update_row("health_checks", resource_id="no-such-integration")

    async def test_delete_of_referenced_row_is_refused(self, tenant_rows: TenantRowPair) -> None:
        for table in ("tenants", "roles", "users", "sites", "integrations", "data_sources", "entities"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                async with tenant_rows.connection.transaction():
                    await tenant_rows.connection.execute(
                        f"DELETE FROM {table} WHERE id = $1", tenant_rows.mine[table]
                    )

    async def test_update_of_user_id_updates_its_references(self, tenant_rows: TenantRowPair) -> None:
        await tenant_rows.update_row("users", id="user_clerk_1")
        keys = (
            ("audit_log", "user_id"),
            ("tenant_billing_adjustments", "created_by"),
            ("issued_credentials", "issued_by"),
            ("issued_credentials", "revoked_by"),
            ("issued_credentials", "replacement_approved_by"),
        )
        for table, column in keys:
            query = f"SELECT {column} FROM {table} WHERE id = $1"
            assert await tenant_rows.connection.fetchval(query, tenant_rows.mine[table]) == "user_clerk_1"


class TestRoles:
    async def test_user_with_global_role_is_accepted(self, tenant_rows: TenantRowPair) -> None:
        role = await insert_row(tenant_rows.connection, "roles", {"name": "Admin", "description": "All"})
        await tenant_rows.update_row("users", role_id=role)

    async def test_user_with_unknown_role_is_refused(self, tenant_rows: TenantRowPair) -> None:
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await tenant_rows.update_row("users", role_id="none")

    async def test_delete_of_role_being_assigned_waits_for_lock(self, database_url: str) -> None:
        """The trigger locks the role's row as a foreign key does. The foreign key is dropped to show that."""
        first, second = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
        try:
            ids = await insert_tenant_rows(first, "mine")
            role = await insert_row(first, "roles", {"name": "Admin", "description": "All"})
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
    async def test_update_of_tenant_id_is_refused(self, tenant_rows: TenantRowPair, table: str) -> None:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await tenant_rows.update_row(table, tenant_id=tenant_rows.theirs["tenants"])
        assert refused.value.constraint_name == f"{table}_tenant_is_fixed"

    @pytest.mark.parametrize("table", TENANT_TABLES)
    async def test_update_to_same_tenant_id_succeeds(self, tenant_rows: TenantRowPair, table: str) -> None:
        await tenant_rows.update_row(table, tenant_id=tenant_rows.mine["tenants"])

    async def test_update_of_global_role_to_tenant_is_refused(self, tenant_rows: TenantRowPair) -> None:
        role = await insert_row(tenant_rows.connection, "roles", {"name": "Admin", "description": "All"})
        with pytest.raises(asyncpg.CheckViolationError):
            await tenant_rows.connection.execute(
                "UPDATE roles SET tenant_id = $2 WHERE id = $1", role, tenant_rows.mine["tenants"]
            )

    async def test_every_tenant_table_has_the_trigger(self, tenant_rows: TenantRowPair) -> None:
        found = await tenant_rows.connection.fetch(
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
"""Table, and the values in which the second row differs."""

AMONG_THE_UNDELETED: Final = {"users", "sites", "data_source_to_site", "agents"}


class TestUniqueness:
    @pytest.mark.parametrize(("table", "values"), UNIQUE)
    async def test_insert_of_duplicate_is_refused(
        self, tenant_rows: TenantRowPair, table: str, values: dict[str, Any]
    ) -> None:
        with pytest.raises(asyncpg.UniqueViolationError):
            async with tenant_rows.connection.transaction():
                await tenant_rows.insert_row(table, **values)
        if table in AMONG_THE_UNDELETED:
            await tenant_rows.update_row(table, deleted_at=1)
            await tenant_rows.insert_row(table, **values)

    @pytest.mark.parametrize("table", ["entities", "global_entities", "entity_relationships"])
    async def test_insert_of_duplicate_of_deleted_row_is_refused(
        self, tenant_rows: TenantRowPair, table: str
    ) -> None:
        await tenant_rows.update_row(table, deleted_at=1)
        with pytest.raises(asyncpg.UniqueViolationError):
            await tenant_rows.insert_row(table)

    async def test_insert_of_bill_after_cancelled_one_succeeds(self, tenant_rows: TenantRowPair) -> None:
        await tenant_rows.update_row("tenant_bills", status="cancelled")
        await tenant_rows.insert_row("tenant_bills")

    async def test_email_in_other_case_of_non_ascii_letter_is_accepted(
        self, tenant_rows: TenantRowPair
    ) -> None:
        await tenant_rows.update_row("users", email="ZOË@example.com")
        await tenant_rows.insert_row("users", email="zoë@example.com")

    async def test_email_with_same_domain_in_idna_form_is_refused(self, tenant_rows: TenantRowPair) -> None:
        await tenant_rows.update_row("users", email="Zoe@münchen.example")
        with pytest.raises(asyncpg.UniqueViolationError):
            await tenant_rows.insert_row("users", email="zoe@XN--mnchen-3ya.example")

    @pytest.mark.parametrize(
        ("table", "keys"),
        [
            ("entities", "tenant_id, data_source_id, entity_type, external_id"),
            ("global_entities", "integration_id, entity_type, external_id"),
            ("entity_relationships", "parent_entity_id, child_entity_id, relationship_type"),
            ("health_checks", "tenant_id, resource_type, resource_id"),
        ],
    )
    async def test_upsert_on_unique_keys_updates_the_row(
        self, tenant_rows: TenantRowPair, table: str, keys: str
    ) -> None:
        row = build_row(table, "mine", tenant_rows.mine)
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        statement = (
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places}) "
            f"ON CONFLICT ({keys}) DO UPDATE SET updated_at = 1 RETURNING id"
        )
        assert await tenant_rows.connection.fetchval(statement, *row.values()) == tenant_rows.mine[table]


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
    ("issued_credentials", "issuer_type", "robot"),
    ("issued_credentials", "binding", "[]"),
    ("issued_credentials", "expires_at", NEVER + 1),
)


class TestChecks:
    @pytest.mark.parametrize(("table", "column", "value"), CHECKS)
    async def test_update_to_invalid_value_is_refused(
        self, tenant_rows: TenantRowPair, table: str, column: str, value: Any
    ) -> None:
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await tenant_rows.update_row(table, **{column: value})
        assert refused.value.constraint_name == f"{table}_{column}_check"

    @pytest.mark.parametrize("table", SAMPLE_ROWS)
    async def test_insert_with_empty_id_is_refused(self, tenant_rows: TenantRowPair, table: str) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await tenant_rows.insert_row(table, **_distinct_values(table) | {"id": ""})

    async def test_health_check_of_unknown_resource_type_is_refused(self, tenant_rows: TenantRowPair) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await tenant_rows.update_row("health_checks", resource_type="printer")

    @pytest.mark.parametrize(
        "values",
        [
            {"kind": "password"},
            {"kind": "platform"},
            {"kind": "enrollment"},
            {"kind": "invitation"},
            {"agent_id": None},
            {"kind": "platform", "agent_id": None, "tenant_id": None},
            {"kind": "platform", "agent_id": None, "issued_by": None, "revoked_by": None},
        ],
    )
    async def test_credential_with_binding_of_another_kind_is_refused(
        self, tenant_rows: TenantRowPair, values: dict[str, Any]
    ) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await tenant_rows.insert_row("issued_credentials", **values)

    async def test_audit_row_of_user_without_tenant_is_refused(self, tenant_rows: TenantRowPair) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await tenant_rows.insert_row("audit_log", tenant_id=None)

    async def test_every_timestamp_and_amount_column_has_a_check(self, tenant_rows: TenantRowPair) -> None:
        wanted = await tenant_rows.connection.fetch(
            "SELECT table_name || '_' || column_name || '_check' FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name = ANY($1) AND data_type IN ('bigint', 'numeric')",
            list(SAMPLE_ROWS),
        )
        found = await tenant_rows.connection.fetch(
            "SELECT conname::text FROM pg_constraint WHERE contype = 'c'"
        )
        assert len(wanted) > 60
        assert {row[0] for row in wanted} - {row[0] for row in found} == set()

    async def test_extreme_timestamps_are_accepted(self, tenant_rows: TenantRowPair) -> None:
        await tenant_rows.update_row("data_sources", credential_expiration_at=NEVER, created_at=-NEVER)

    async def test_amount_with_twenty_decimal_digits_is_stored_exactly(
        self, tenant_rows: TenantRowPair
    ) -> None:
        amount = Decimal("-12345678901234567890.123456789012345678900")
        await tenant_rows.update_row("tenant_bills", total=amount)
        total = await tenant_rows.connection.fetchval(
            "SELECT total FROM tenant_bills WHERE id = $1", tenant_rows.mine["tenant_bills"]
        )
        assert str(total) == str(amount)


class TestDefaults:
    @pytest.mark.parametrize("table", SAMPLE_ROWS)
    async def test_insert_without_defaults_fills_id_and_times(
        self, tenant_rows: TenantRowPair, table: str
    ) -> None:
        """`insert_tenant_rows` sets no column that has a default. Required columns get their defaults."""
        query = f"SELECT * FROM {table} WHERE id = $1"
        row = await tenant_rows.connection.fetchrow(query, tenant_rows.mine[table])
        assert row is not None
        assert abs(row["created_at"] - now_ms()) < 60_000
        assert row.get("updated_at") is None or row["updated_at"] == row["created_at"]
        if table != "integrations":
            assert re.fullmatch(
                r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", row["id"]
            )
            assert abs(int(row["id"].replace("-", "")[:12], 16) - now_ms()) < 60_000

    async def test_new_ids_are_unique_and_increasing(self, tenant_rows: TenantRowPair) -> None:
        first = await tenant_rows.connection.fetch("SELECT app.new_id() FROM generate_series(1, 1000)")
        await tenant_rows.connection.execute("SELECT pg_sleep(0.002)")
        later = await tenant_rows.connection.fetch("SELECT app.new_id() FROM generate_series(1, 1000)")
        assert len({row[0] for row in first + later}) == 2000
        assert max(row[0] for row in first) < min(row[0] for row in later)

    async def test_credential_expiration_defaults_to_never(self, tenant_rows: TenantRowPair) -> None:
        query = "SELECT credential_expiration_at FROM data_sources WHERE id = $1"
        assert await tenant_rows.connection.fetchval(query, tenant_rows.mine["data_sources"]) == NEVER
