"""Row-level security for requests, in both modes: under a role of their own, and with a forced owner."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.database.database import Database
from core.database.request_role import RoleMode, detect_role_mode, ensure_request_role, find_role_mode
from core.errors import StartupError
from core.settings import Settings
from services.migrations import downgrade, migrate
from tests.clusters import ThrowawayCluster
from tests.filled_database import FilledDatabase, connect_as_owner, fill_database, filled_database
from tests.role_modes import RESTRICTED_OWNER, create_database_of_restricted_owner
from tests.sample_rows import SAMPLE_ROWS, TENANT_TABLES, build_row, insert_row

__all__ = ["filled_database"]  # a fixture: the two modes of the role of requests

ROLE: Final = "msp_request"
"""An owner who may not create roles."""

OWN_TENANT: Final = "({} = current_setting('app.tenant_id'::text, true))"
ENVELOPE: Final = "enc:v1:k1:c2VjcmV0"


class TenantRequest:
    """A connection of a request, for the tenant `mine` by default."""

    def __init__(self, connection: asyncpg.Connection, filled: FilledDatabase) -> None:
        self.connection = connection
        self.mine = filled.mine
        self.theirs = filled.theirs
        self.global_role = filled.global_role
        self.mode = filled.mode

    async def set_tenant(self, tenant: str) -> None:
        await self.connection.execute("SELECT set_config('app.tenant_id', $1, true)", tenant)

    async def select_ids(self, table: str) -> set[str]:
        return {row[0] for row in await self.connection.fetch(f"SELECT id FROM {table}")}

    async def count_changed(self, statement: str, *values: Any) -> int:
        """The number of rows that a write changed; also 0 if it is refused for a missing right."""
        try:
            async with self.connection.transaction():
                return int((await self.connection.execute(statement, *values)).split()[-1])
        except asyncpg.InsufficientPrivilegeError:
            return 0


@pytest_asyncio.fixture
async def tenant_request(filled_database: FilledDatabase) -> AsyncIterator[TenantRequest]:
    """In a transaction that is rolled back."""
    async with connect_as_owner(filled_database.dsn) as connection:
        transaction = connection.transaction()
        await transaction.start()
        if filled_database.mode is RoleMode.ROLE:
            await connection.execute(f"SET LOCAL ROLE {ROLE}")
        made = TenantRequest(connection, filled_database)
        await made.set_tenant(filled_database.mine["tenants"])
        yield made
        await transaction.rollback()


class TestReading:
    @pytest.mark.parametrize("table", TENANT_TABLES)
    async def test_select_by_tenant_gives_only_its_rows(
        self, tenant_request: TenantRequest, table: str
    ) -> None:
        everybodys = {tenant_request.global_role} if table == "roles" else set()
        assert await tenant_request.select_ids(table) == {tenant_request.mine[table]} | everybodys

    async def test_select_tenants_gives_only_the_own(self, tenant_request: TenantRequest) -> None:
        assert await tenant_request.select_ids("tenants") == {tenant_request.mine["tenants"]}

    @pytest.mark.parametrize("tenant", ["", "none", "%", None])
    async def test_select_without_tenant_gives_nothing(
        self, tenant_request: TenantRequest, tenant: str | None
    ) -> None:
        if tenant is None:
            await tenant_request.connection.execute("RESET app.tenant_id")
        else:
            await tenant_request.set_tenant(tenant)
        for table in (*TENANT_TABLES, "tenants"):
            assert await tenant_request.select_ids(table) == (
                {tenant_request.global_role} if table == "roles" else set()
            )

    @pytest.mark.parametrize("table", ["integrations", "global_entities"])
    async def test_select_catalog_gives_all_rows(self, tenant_request: TenantRequest, table: str) -> None:
        assert await tenant_request.select_ids(table) == {
            tenant_request.mine[table],
            tenant_request.theirs[table],
        }

    async def test_select_api_logs_by_tenant_gives_nothing(self, tenant_request: TenantRequest) -> None:
        try:
            seen = await tenant_request.select_ids("api_logs")
        except asyncpg.InsufficientPrivilegeError:
            seen = set()
        assert seen == set()


class TestWriting:
    @pytest.mark.parametrize("table", [*TENANT_TABLES, "tenants"])
    async def test_update_and_delete_of_row_of_other_tenant_change_nothing(
        self, tenant_request: TenantRequest, table: str
    ) -> None:
        update = f"UPDATE {table} SET created_at = 1 WHERE id = $1"
        delete = f"DELETE FROM {table} WHERE id = $1"
        assert await tenant_request.count_changed(update, tenant_request.theirs[table]) == 0
        assert await tenant_request.count_changed(delete, tenant_request.theirs[table]) == 0
        if table not in ("audit_log",):
            assert await tenant_request.count_changed(update, tenant_request.mine[table]) == 1

    @pytest.mark.parametrize("table", TENANT_TABLES)
    async def test_insert_row_of_other_tenant_is_refused(
        self, tenant_request: TenantRequest, table: str
    ) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await insert_row(
                tenant_request.connection,
                table,
                build_row(table, "theirs", tenant_request.theirs) | {"id": "new"},
            )

    async def test_insert_own_rows_succeeds(self, tenant_request: TenantRequest) -> None:
        mine = tenant_request.mine
        for table, values in {
            "sites": {"slug": "second"},
            "users": {"email": "bob@example.com", "role_id": tenant_request.global_role},
            "agents": {"guid": "cafe"},
            "entities": {"external_id": "18"},
            "health_checks": {"resource_type": "site", "resource_id": mine["sites"]},
            "audit_log": {},
            "events_log": {},
        }.items():
            assert await insert_row(tenant_request.connection, table, build_row(table, "mine", mine) | values)

    @pytest.mark.parametrize("table", ["integrations", "global_entities", "api_logs", "tenants"])
    async def test_insert_into_platform_tables_is_refused(
        self, tenant_request: TenantRequest, table: str
    ) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await insert_row(
                tenant_request.connection, table, build_row(table, "new", tenant_request.mine) | {"id": "new"}
            )

    @pytest.mark.parametrize("table", ["integrations", "global_entities", "api_logs"])
    async def test_update_and_delete_in_platform_tables_change_nothing(
        self, tenant_request: TenantRequest, table: str
    ) -> None:
        assert await tenant_request.count_changed(f"UPDATE {table} SET created_at = 1") == 0
        assert await tenant_request.count_changed(f"DELETE FROM {table}") == 0

    async def test_delete_own_tenant_changes_nothing(self, tenant_request: TenantRequest) -> None:
        assert await tenant_request.count_changed("DELETE FROM tenants") == 0

    async def test_update_and_delete_of_audit_log_change_nothing(self, tenant_request: TenantRequest) -> None:
        assert await tenant_request.count_changed("UPDATE audit_log SET changes = '{}'") == 0
        assert await tenant_request.count_changed("DELETE FROM audit_log") == 0

    async def test_write_global_role_is_refused(self, tenant_request: TenantRequest) -> None:
        role = tenant_request.global_role
        assert await tenant_request.count_changed("UPDATE roles SET rights = '{}' WHERE id = $1", role) == 0
        assert await tenant_request.count_changed("DELETE FROM roles WHERE id = $1", role) == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await insert_row(
                tenant_request.connection, "roles", {"name": "x", "description": "x", "tenant_id": None}
            )

    async def test_insert_user_with_role_of_other_tenant_is_refused(
        self, tenant_request: TenantRequest
    ) -> None:
        row = build_row("users", "mine", tenant_request.mine) | {
            "email": "x",
            "role_id": tenant_request.theirs["roles"],
        }
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await insert_row(tenant_request.connection, "users", row)


class TestSignIn:
    async def test_sign_in_function_without_tenant_gives_the_user(
        self, tenant_request: TenantRequest
    ) -> None:
        await tenant_request.set_tenant("")
        rows = await tenant_request.connection.fetch(
            "SELECT * FROM app.sign_in($1)", tenant_request.theirs["users"]
        )
        assert [dict(row) for row in rows] == [
            {
                "user_id": tenant_request.theirs["users"],
                "tenant_id": tenant_request.theirs["tenants"],
                "role_id": tenant_request.theirs["roles"],
                "rights": "{}",
                "user_status": "pending",
                "tenant_status": "active",
                "user_deleted": False,
                "role_deleted": False,
                "tenant_deleted": False,
            }
        ]

    @pytest.mark.parametrize("subject", ["nobody", "", "%", None])
    async def test_sign_in_function_with_unknown_subject_gives_nothing(
        self, tenant_request: TenantRequest, subject: str | None
    ) -> None:
        assert await tenant_request.connection.fetch("SELECT * FROM app.sign_in($1)", subject) == []

    async def test_sign_in_function_for_other_tenant_gives_access_to_nothing(
        self, tenant_request: TenantRequest
    ) -> None:
        await tenant_request.connection.fetch("SELECT * FROM app.sign_in($1)", tenant_request.theirs["users"])
        assert await tenant_request.select_ids("users") == {tenant_request.mine["users"]}

    @pytest.mark.parametrize("table", ["users", "roles", "tenants"])
    async def test_sign_in_function_reports_deleted_rows(
        self, tenant_request: TenantRequest, table: str
    ) -> None:
        update = f"UPDATE {table} SET deleted_at = 1 WHERE id = $1"
        assert await tenant_request.count_changed(update, tenant_request.mine[table]) == 1
        row = await tenant_request.connection.fetchrow(
            "SELECT * FROM app.sign_in($1)", tenant_request.mine["users"]
        )
        assert row is not None
        deleted = {name for name in ("user", "role", "tenant") if row[f"{name}_deleted"]}
        assert deleted == {table.removesuffix("s")}

    async def test_sign_in_function_ignores_temporary_tables(self, tenant_request: TenantRequest) -> None:
        await tenant_request.connection.execute("CREATE TEMP TABLE users AS SELECT 'x' AS id")
        await tenant_request.connection.execute("SET LOCAL search_path = pg_temp, public")
        row = await tenant_request.connection.fetchrow(
            "SELECT * FROM app.sign_in($1)", tenant_request.mine["users"]
        )
        assert row is not None


class TestRole:
    async def test_request_role_mode_is_as_created(self, filled_database: FilledDatabase) -> None:
        async with connect_as_owner(filled_database.dsn) as connection:
            assert await detect_role_mode(connection, ROLE) is filled_database.mode

    async def test_single_reads_exist_only_in_role_mode(self, filled_database: FilledDatabase) -> None:
        database = await Database.connect(filled_database.dsn, Settings(request_role=ROLE))
        try:
            assert (database.single_reads is not None) is (filled_database.mode is RoleMode.ROLE)
        finally:
            await database.close()

    async def test_row_security_is_active_for_requests(self, tenant_request: TenantRequest) -> None:
        for table in (*TENANT_TABLES, "tenants", "api_logs"):
            assert await tenant_request.connection.fetchval(
                "SELECT row_security_active($1)", f"public.{table}"
            )

    async def test_request_role_has_no_special_attributes(self, database_url: str) -> None:
        async with connect_as_owner(database_url) as connection:
            role = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", ROLE)
        assert role is not None
        odd = ("rolcanlogin", "rolsuper", "rolbypassrls", "rolinherit", "rolcreaterole", "rolcreatedb")
        assert [name for name in odd if role[name]] == []

    async def test_request_role_has_exactly_these_grants(self, database_url: str) -> None:
        async with connect_as_owner(database_url) as connection:
            rows = await connection.fetch(
                "SELECT table_name, string_agg(left(privilege_type, 1), '' ORDER BY privilege_type) AS granted "
                "FROM information_schema.role_table_grants "
                "WHERE grantee = $1 AND table_schema = 'public' GROUP BY 1",
                ROLE,
            )
        wanted = dict.fromkeys(TENANT_TABLES, "DISU")
        wanted |= {"tenants": "SU", "integrations": "S", "global_entities": "S", "audit_log": "IS"}
        assert dict(map(tuple, rows)) == wanted

    async def test_sign_in_function_is_granted_only_to_owner_and_request_role(
        self, database_url: str
    ) -> None:
        async with connect_as_owner(database_url) as connection, connection.transaction():
            acl = await connection.fetchval(
                "SELECT proacl::text FROM pg_proc WHERE oid = 'app.sign_in'::regproc"
            )
        assert sorted(entry.partition("=")[0] for entry in acl.strip("{}").split(",")) == ["msp", ROLE]

    async def test_request_role_that_bypasses_policies_is_refused(self, database_url: str) -> None:
        """So would the owner itself be. Its own rights stay as they were."""
        async with connect_as_owner(database_url) as connection:
            with pytest.raises(StartupError, match="ordinary role"):
                await ensure_request_role(connection, "msp")
            assert await connection.fetchval("SELECT count(*) FROM api_logs") == 0

    async def test_migrate_with_changed_grants_changes_mode_only_by_option(
        self, cluster: ThrowawayCluster
    ) -> None:
        """From FORCED to ROLE after the role was granted: nothing of the first mode remains. And back."""
        name = await create_database_of_restricted_owner(cluster)
        dsn = cluster.build_dsn(name, RESTRICTED_OWNER)
        async with connect_as_owner(cluster.build_dsn("postgres")) as connection:
            await connection.execute("CREATE ROLE msp_given NOLOGIN NOINHERIT")
            await connection.execute(f"GRANT msp_given TO {RESTRICTED_OWNER}")
        settings = Settings(request_role="msp_given")
        assert await migrate(dsn, settings) == []
        async with connect_as_owner(dsn) as connection:
            assert await find_role_mode(connection, "msp_given") is RoleMode.FORCED
        assert await migrate(dsn, settings, change_rls_mode=True) == []
        async with connect_as_owner(dsn) as connection:
            assert await find_role_mode(connection, "msp_given") is RoleMode.ROLE
            left = await connection.fetch(
                "SELECT policyname FROM pg_policies WHERE policyname !~ 'own_tenant'"
            )
            assert [row[0] for row in left] == ["global_role"]
        async with connect_as_owner(cluster.build_dsn("postgres")) as connection:
            await connection.execute(f"REVOKE msp_given FROM {RESTRICTED_OWNER}")
        with pytest.raises(
            StartupError, match=f'GRANT "msp_given" TO "{RESTRICTED_OWNER}".*--change-rls-mode'
        ):
            await migrate(dsn, settings)
        async with connect_as_owner(dsn) as connection:
            assert await find_role_mode(connection, "msp_given") is None
        assert await migrate(dsn, settings, change_rls_mode=True) == []
        async with connect_as_owner(dsn) as connection:
            assert await find_role_mode(connection, "msp_given") is RoleMode.FORCED
        async with connect_as_owner(cluster.build_dsn("postgres", RESTRICTED_OWNER)) as connection:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        async with connect_as_owner(cluster.build_dsn("postgres")) as connection:
            await connection.execute("DROP ROLE msp_given")

    async def test_downgrade_and_migrate_by_forced_owner_keep_policies(
        self, cluster: ThrowawayCluster
    ) -> None:
        name = await create_database_of_restricted_owner(cluster)
        dsn = cluster.build_dsn(name, RESTRICTED_OWNER)
        filled = await fill_database(dsn, RoleMode.FORCED)
        await downgrade(dsn, 1)
        await migrate(dsn, Settings())
        async with connect_as_owner(dsn) as connection:
            assert await connection.fetch("SELECT id FROM sites") == []
            await connection.execute("SET app.platform = 'on'")
            assert len(await connection.fetch("SELECT id FROM sites")) == 2
            assert await connection.fetchval("SELECT name FROM tenants WHERE id = $1", filled.mine["tenants"])
        await downgrade(dsn, 0)
        await migrate(dsn, Settings())
        async with connect_as_owner(cluster.build_dsn("postgres", RESTRICTED_OWNER)) as connection:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class TestCatalog:
    async def test_policies_cover_every_table_exactly(self, database_url: str) -> None:
        async with connect_as_owner(database_url) as connection:
            columns = await connection.fetch(
                "SELECT table_name FROM information_schema.columns "
                "WHERE table_schema = 'public' AND column_name = 'tenant_id'"
            )
            policies = await connection.fetch("SELECT * FROM pg_policies ORDER BY tablename, policyname")
            active = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity"
            )
        tables = {row[0] for row in columns}
        assert tables == set(TENANT_TABLES)
        assert {row[0] for row in active} == tables | {"tenants", "api_logs"}
        own = [policy for policy in policies if policy["policyname"] == "own_tenant"]
        assert {policy["tablename"] for policy in own} == tables | {"tenants"}
        for policy in own:
            exactly = OWN_TENANT.format("id" if policy["tablename"] == "tenants" else "tenant_id")
            assert (policy["qual"], policy["with_check"]) == (exactly, exactly)
            assert (policy["cmd"], policy["permissive"]) == ("ALL", "PERMISSIVE")
        others = [(p["tablename"], p["cmd"], p["qual"]) for p in policies if p not in own]
        assert others == [("roles", "SELECT", "(tenant_id IS NULL)")]

    async def test_security_definer_functions_have_a_fixed_search_path(self, database_url: str) -> None:
        async with connect_as_owner(database_url) as connection:
            rows = await connection.fetch(
                "SELECT proname::text, proconfig FROM pg_proc "
                "WHERE pronamespace = 'app'::regnamespace AND prosecdef ORDER BY 1"
            )
        path = ["search_path=pg_catalog, pg_temp"]
        assert [tuple(row) for row in rows] == [
            ("begin_job_call", path),
            ("cancel_jobs", path),
            ("check_users_role", path),
            ("end_job_call", path),
            ("finish_jobs", path),
            ("forget_open_calls", path),
            ("is_active", path),
            ("is_still", path),
            ("is_unclaimed", path),
            ("job_blocked_by", path),
            ("lock_lease", path),
            ("lock_queued_jobs", path),
            ("mark_unclaimed_user", path),
            ("pull_job_forward", path),
            ("queue_jobs", path),
            ("sign_in", path),
        ]

    async def test_tables_in_the_database_are_all_known(self, database_url: str) -> None:
        async with connect_as_owner(database_url) as connection:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert {row[0] for row in tables} == {*SAMPLE_ROWS, "aerich"}


SECRET: Final = {"secret": True}
SCHEMA: Final = {
    "type": "object",
    "properties": {
        "host": {"type": "string"},
        "key": {"type": "string", "sensitive": True},
        "oauth": {"type": "object", "properties": {"token": {"sensitive": True}, "scope": {}}},
        "accounts": {"type": "array", "items": {"properties": {"pin": {"sensitive": True}}}},
        "whole": {"type": "object", "sensitive": True},
    },
}

REDACTIONS: Final[tuple[tuple[Any, Any, Any], ...]] = (
    ({"host": "a", "key": "k"}, SCHEMA, {"host": "a", "key": SECRET}),
    ({"key": 17}, SCHEMA, {"key": SECRET}),
    ({"key": None}, SCHEMA, {"key": None}),
    ({"key": ""}, SCHEMA, {"key": ""}),
    ({"oauth": {"token": "t", "scope": "s"}}, SCHEMA, {"oauth": {"token": SECRET, "scope": "s"}}),
    ({"accounts": [{"pin": 1, "n": 2}, {}]}, SCHEMA, {"accounts": [{"pin": SECRET, "n": 2}, {}]}),
    ({"whole": {"a": 1}}, SCHEMA, {"whole": SECRET}),
    ({"other": ENVELOPE}, SCHEMA, {"other": SECRET}),
    ({"a": [1, [ENVELOPE, {"b": ENVELOPE}]]}, None, {"a": [1, [SECRET, {"b": SECRET}]]}),
    ({"a": ENVELOPE, "b": "x " + ENVELOPE}, [], {"a": SECRET, "b": "x " + ENVELOPE}),
    ({"a": ENVELOPE}, {"properties": "odd"}, {"a": SECRET}),
    ({"a": ENVELOPE}, {"properties": {"a": None}}, {"a": SECRET}),
    ({"a": "x"}, {"properties": {"a": {"sensitive": "yes"}}}, {"a": SECRET}),
    ({"a": "x"}, {"properties": {"a": {"sensitive": False}}}, {"a": "x"}),
    ({ENVELOPE: 1, "b": 2}, None, {"b": 2}),
    (ENVELOPE, None, SECRET),
    ({}, None, {}),
    ([], SCHEMA, []),
    ({"n": 1.5, "t": True, "z": None}, None, {"n": 1.5, "t": True, "z": None}),
    ({"properties": {"sensitive": True}}, SCHEMA, {"properties": {"sensitive": True}}),
)


class TestRedact:
    @pytest.mark.parametrize(("config", "schema", "shown"), REDACTIONS)
    async def test_redact_config_replaces_secrets(
        self, shared_database_url: str, config: Any, schema: Any, shown: Any
    ) -> None:
        given = None if schema is None else json.dumps(schema)
        async with connect_as_owner(shared_database_url) as connection:
            answer = await connection.fetchval("SELECT app.redact($1, $2)", json.dumps(config), given)
            odd = await connection.fetchval("SELECT app.redact($1, 'null')", json.dumps(config))
        assert json.loads(answer) == shown
        assert '"' + ENVELOPE not in answer
        assert '"' + ENVELOPE not in odd

    async def test_redact_null_config_is_null(self, shared_database_url: str) -> None:
        async with connect_as_owner(shared_database_url) as connection:
            assert await connection.fetchval("SELECT app.redact(NULL, '{}')") is None
