"""Row-level security as requests meet it, in both modes: under a role of their own, and the owner forced."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.database import Database
from core.errors import StartupError
from core.request_role import RoleMode, ensure_request_role, request_role_mode
from core.settings import Settings
from services.migrations import downgrade, migrate
from tests.clusters import ThrowawayCluster
from tests.rows import ROWS, TENANT_TABLES, row_of, write, write_tenant

ROLE: Final = "msp_request"
LONELY: Final = "msp_lonely"
"""An owner who may not create roles."""

OWN_TENANT: Final = "({} = current_setting('app.tenant_id'::text, true))"
ENVELOPE: Final = "enc:v1:k1:c2VjcmV0"


@dataclass(frozen=True)
class Filled:
    """A database with the rows of two tenants and a global role, committed."""

    dsn: str
    mode: RoleMode
    mine: dict[str, str]
    theirs: dict[str, str]
    global_role: str


class Requests:
    """A connection as a request has it, for the tenant `mine` unless it is told otherwise."""

    def __init__(self, connection: asyncpg.Connection, filled: Filled) -> None:
        self.connection = connection
        self.mine = filled.mine
        self.theirs = filled.theirs
        self.global_role = filled.global_role
        self.mode = filled.mode

    async def as_tenant(self, tenant: str) -> None:
        await self.connection.execute("SELECT set_config('app.tenant_id', $1, true)", tenant)

    async def ids(self, table: str) -> set[str]:
        return {row[0] for row in await self.connection.fetch(f"SELECT id FROM {table}")}  # noqa: S608 - our own names

    async def changed(self, statement: str, *values: Any) -> int:
        """How many rows a write changed; 0 also where it is refused for want of a right."""
        try:
            async with self.connection.transaction():
                return int((await self.connection.execute(statement, *values)).split()[-1])
        except asyncpg.InsufficientPrivilegeError:
            return 0


async def _owned_by_lonely(cluster: ThrowawayCluster) -> str:
    """A database whose owner may neither create the request role nor become it; migrated."""
    async with _session(cluster.dsn("postgres")) as connection:
        if not await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", LONELY):
            await connection.execute(f"CREATE ROLE {LONELY} LOGIN CREATEDB")
    name = f"lonely_{uuid.uuid4().hex}"
    async with _session(cluster.dsn("postgres", LONELY)) as connection:
        await connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
    await migrate(cluster.dsn(name, LONELY), Settings())
    return name


@asynccontextmanager
async def _session(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _fill(dsn: str, mode: RoleMode) -> Filled:
    async with _session(dsn) as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.platform', 'on', true)")
        mine, theirs = await write_tenant(connection, "mine"), await write_tenant(connection, "theirs")
        role = await write(connection, "roles", {"name": "Admin", "description": "All"})
        return Filled(dsn, mode, mine, theirs, role)


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(RoleMode))
async def filled(
    request: pytest.FixtureRequest, cluster: ThrowawayCluster, template: str
) -> AsyncIterator[Filled]:
    if request.param is RoleMode.ROLE:
        name = await cluster.create(template)
        dsn = cluster.dsn(name)
    else:
        name = await _owned_by_lonely(cluster)
        dsn = cluster.dsn(name, LONELY)
    yield await _fill(dsn, request.param)
    async with _session(
        cluster.dsn("postgres", LONELY if name.startswith("lonely") else "msp")
    ) as connection:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest_asyncio.fixture
async def requests(filled: Filled) -> AsyncIterator[Requests]:
    """In a transaction that is rolled back."""
    async with _session(filled.dsn) as connection:
        transaction = connection.transaction()
        await transaction.start()
        if filled.mode is RoleMode.ROLE:
            await connection.execute(f"SET LOCAL ROLE {ROLE}")
        made = Requests(connection, filled)
        await made.as_tenant(filled.mine["tenants"])
        yield made
        await transaction.rollback()


class TestReading:
    @pytest.mark.parametrize("table", TENANT_TABLES)
    async def test_a_tenant_sees_its_own_rows_only(self, requests: Requests, table: str) -> None:
        everybodys = {requests.global_role} if table == "roles" else set()
        assert await requests.ids(table) == {requests.mine[table]} | everybodys

    async def test_a_tenant_sees_itself_only(self, requests: Requests) -> None:
        assert await requests.ids("tenants") == {requests.mine["tenants"]}

    @pytest.mark.parametrize("tenant", ["", "none", "%", None])
    async def test_without_a_tenant_there_is_nothing(self, requests: Requests, tenant: str | None) -> None:
        if tenant is None:
            await requests.connection.execute("RESET app.tenant_id")
        else:
            await requests.as_tenant(tenant)
        for table in (*TENANT_TABLES, "tenants"):
            assert await requests.ids(table) == ({requests.global_role} if table == "roles" else set())

    @pytest.mark.parametrize("table", ["integrations", "global_entities"])
    async def test_the_catalogue_is_for_all(self, requests: Requests, table: str) -> None:
        assert await requests.ids(table) == {requests.mine[table], requests.theirs[table]}

    async def test_api_logs_are_the_platforms(self, requests: Requests) -> None:
        try:
            seen = await requests.ids("api_logs")
        except asyncpg.InsufficientPrivilegeError:
            seen = set()
        assert seen == set()


class TestWriting:
    @pytest.mark.parametrize("table", [*TENANT_TABLES, "tenants"])
    async def test_a_neighbours_row_is_not_changed(self, requests: Requests, table: str) -> None:
        update = f"UPDATE {table} SET created_at = 1 WHERE id = $1"  # noqa: S608 - our own names
        delete = f"DELETE FROM {table} WHERE id = $1"  # noqa: S608 - our own names
        assert await requests.changed(update, requests.theirs[table]) == 0
        assert await requests.changed(delete, requests.theirs[table]) == 0
        if table not in ("audit_log",):
            assert await requests.changed(update, requests.mine[table]) == 1

    @pytest.mark.parametrize("table", TENANT_TABLES)
    async def test_no_row_is_added_to_a_neighbours(self, requests: Requests, table: str) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await write(requests.connection, table, row_of(table, "theirs", requests.theirs) | {"id": "new"})

    async def test_rows_of_its_own_are_added(self, requests: Requests) -> None:
        mine = requests.mine
        for table, values in {
            "sites": {"slug": "second"},
            "users": {"email": "bob@example.com", "role_id": requests.global_role},
            "agents": {"guid": "cafe"},
            "entities": {"external_id": "18"},
            "health_checks": {"resource_type": "site", "resource_id": mine["sites"]},
            "audit_log": {},
            "events_log": {},
        }.items():
            assert await write(requests.connection, table, row_of(table, "mine", mine) | values)

    @pytest.mark.parametrize("table", ["integrations", "global_entities", "api_logs", "tenants"])
    async def test_the_platforms_tables_are_not_added_to(self, requests: Requests, table: str) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await write(requests.connection, table, row_of(table, "new", requests.mine) | {"id": "new"})

    @pytest.mark.parametrize("table", ["integrations", "global_entities", "api_logs"])
    async def test_the_platforms_tables_are_not_changed(self, requests: Requests, table: str) -> None:
        assert await requests.changed(f"UPDATE {table} SET created_at = 1") == 0  # noqa: S608 - our own names
        assert await requests.changed(f"DELETE FROM {table}") == 0  # noqa: S608 - our own names

    async def test_a_tenant_does_not_end_itself(self, requests: Requests) -> None:
        assert await requests.changed("DELETE FROM tenants") == 0

    async def test_the_past_is_not_changed(self, requests: Requests) -> None:
        assert await requests.changed("UPDATE audit_log SET changes = '{}'") == 0
        assert await requests.changed("DELETE FROM audit_log") == 0

    async def test_a_global_role_is_not_changed(self, requests: Requests) -> None:
        role = requests.global_role
        assert await requests.changed("UPDATE roles SET rights = '{}' WHERE id = $1", role) == 0
        assert await requests.changed("DELETE FROM roles WHERE id = $1", role) == 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await write(requests.connection, "roles", {"name": "x", "description": "x", "tenant_id": None})

    async def test_a_neighbours_role_is_not_given(self, requests: Requests) -> None:
        row = row_of("users", "mine", requests.mine) | {"email": "x", "role_id": requests.theirs["roles"]}
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await write(requests.connection, "users", row)


class TestSignIn:
    async def test_before_a_tenant_is_known(self, requests: Requests) -> None:
        await requests.as_tenant("")
        rows = await requests.connection.fetch("SELECT * FROM app.sign_in($1)", requests.theirs["users"])
        assert [dict(row) for row in rows] == [
            {
                "user_id": requests.theirs["users"],
                "tenant_id": requests.theirs["tenants"],
                "role_id": requests.theirs["roles"],
                "rights": "{}",
                "user_status": "pending",
                "tenant_status": "active",
                "user_deleted": False,
                "role_deleted": False,
                "tenant_deleted": False,
            }
        ]

    @pytest.mark.parametrize("subject", ["nobody", "", "%", None])
    async def test_nobody(self, requests: Requests, subject: str | None) -> None:
        assert await requests.connection.fetch("SELECT * FROM app.sign_in($1)", subject) == []

    async def test_it_opens_nothing_else(self, requests: Requests) -> None:
        await requests.connection.fetch("SELECT * FROM app.sign_in($1)", requests.theirs["users"])
        assert await requests.ids("users") == {requests.mine["users"]}

    @pytest.mark.parametrize("table", ["users", "roles", "tenants"])
    async def test_what_is_deleted_is_said(self, requests: Requests, table: str) -> None:
        update = f"UPDATE {table} SET deleted_at = 1 WHERE id = $1"  # noqa: S608 - our own names
        assert await requests.changed(update, requests.mine[table]) == 1
        row = await requests.connection.fetchrow("SELECT * FROM app.sign_in($1)", requests.mine["users"])
        assert row is not None
        deleted = {name for name in ("user", "role", "tenant") if row[f"{name}_deleted"]}
        assert deleted == {table.removesuffix("s")}

    async def test_a_false_table_does_not_mislead_it(self, requests: Requests) -> None:
        await requests.connection.execute("CREATE TEMP TABLE users AS SELECT 'x' AS id")
        await requests.connection.execute("SET LOCAL search_path = pg_temp, public")
        row = await requests.connection.fetchrow("SELECT * FROM app.sign_in($1)", requests.mine["users"])
        assert row is not None


class TestRole:
    async def test_the_mode_is_as_it_was_made(self, filled: Filled) -> None:
        async with _session(filled.dsn) as connection:
            assert await request_role_mode(connection, ROLE) is filled.mode

    async def test_only_a_role_can_be_kept_for_single_reads(self, filled: Filled) -> None:
        database = await Database.connect(filled.dsn, Settings(request_role=ROLE))
        try:
            assert (database.single_reads is not None) is (filled.mode is RoleMode.ROLE)
        finally:
            await database.close()

    async def test_security_is_active_for_requests(self, requests: Requests) -> None:
        for table in (*TENANT_TABLES, "tenants", "api_logs"):
            assert await requests.connection.fetchval("SELECT row_security_active($1)", f"public.{table}")

    async def test_the_role_is_a_plain_one(self, database_url: str) -> None:
        async with _session(database_url) as connection:
            role = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", ROLE)
        assert role is not None
        odd = ("rolcanlogin", "rolsuper", "rolbypassrls", "rolinherit", "rolcreaterole", "rolcreatedb")
        assert [name for name in odd if role[name]] == []

    async def test_its_grants_are_exactly_these(self, database_url: str) -> None:
        async with _session(database_url) as connection:
            rows = await connection.fetch(
                "SELECT table_name, string_agg(left(privilege_type, 1), '' ORDER BY privilege_type) AS granted "
                "FROM information_schema.role_table_grants "
                "WHERE grantee = $1 AND table_schema = 'public' GROUP BY 1",
                ROLE,
            )
        wanted = dict.fromkeys(TENANT_TABLES, "DISU")
        wanted |= {"tenants": "SU", "integrations": "S", "global_entities": "S", "audit_log": "IS"}
        assert dict(map(tuple, rows)) == wanted

    async def test_nobody_else_signs_people_in(self, database_url: str) -> None:
        async with _session(database_url) as connection, connection.transaction():
            acl = await connection.fetchval(
                "SELECT proacl::text FROM pg_proc WHERE oid = 'app.sign_in'::regproc"
            )
        assert sorted(entry.partition("=")[0] for entry in acl.strip("{}").split(",")) == ["msp", ROLE]

    async def test_a_role_past_the_policies_is_refused(self, database_url: str) -> None:
        """The owner itself would be: and its own rights are as they were."""
        async with _session(database_url) as connection:
            with pytest.raises(StartupError, match="plain role"):
                await ensure_request_role(connection, "msp")
            assert await connection.fetchval("SELECT count(*) FROM api_logs") == 0

    async def test_an_owner_who_is_let_become_the_role(self, cluster: ThrowawayCluster) -> None:
        """From FORCED to ROLE as soon as the role is granted: nothing of the first is left."""
        name = await _owned_by_lonely(cluster)
        dsn = cluster.dsn(name, LONELY)
        async with _session(cluster.dsn("postgres")) as connection:
            await connection.execute("CREATE ROLE msp_given NOLOGIN NOINHERIT")
            await connection.execute(f"GRANT msp_given TO {LONELY}")
        assert await migrate(dsn, Settings(request_role="msp_given")) == []
        async with _session(dsn) as connection:
            assert await request_role_mode(connection, "msp_given") is RoleMode.ROLE
            left = await connection.fetch(
                "SELECT policyname FROM pg_policies WHERE policyname !~ 'own_tenant'"
            )
            assert [row[0] for row in left] == ["global_role"]
        async with _session(cluster.dsn("postgres", LONELY)) as connection:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        async with _session(cluster.dsn("postgres")) as connection:
            await connection.execute("DROP ROLE msp_given")

    async def test_a_forced_owner_goes_down_and_up(self, cluster: ThrowawayCluster) -> None:
        name = await _owned_by_lonely(cluster)
        dsn = cluster.dsn(name, LONELY)
        filled = await _fill(dsn, RoleMode.FORCED)
        await downgrade(dsn, 1)
        await migrate(dsn, Settings())
        async with _session(dsn) as connection:
            assert await connection.fetch("SELECT id FROM sites") == []
            await connection.execute("SET app.platform = 'on'")
            assert len(await connection.fetch("SELECT id FROM sites")) == 2
            assert await connection.fetchval("SELECT name FROM tenants WHERE id = $1", filled.mine["tenants"])
        await downgrade(dsn, 0)
        await migrate(dsn, Settings())
        async with _session(cluster.dsn("postgres", LONELY)) as connection:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class TestCatalogue:
    async def test_every_table_is_under_its_policy(self, database_url: str) -> None:
        async with _session(database_url) as connection:
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

    async def test_who_defines_looks_by_a_fixed_path(self, database_url: str) -> None:
        async with _session(database_url) as connection:
            rows = await connection.fetch(
                "SELECT proname::text, proconfig FROM pg_proc "
                "WHERE pronamespace = 'app'::regnamespace AND prosecdef ORDER BY 1"
            )
        path = ["search_path=pg_catalog, pg_temp"]
        assert [tuple(row) for row in rows] == [
            ("check_users_role", path),
            ("is_still", path),
            ("sign_in", path),
        ]

    async def test_no_table_is_forgotten(self, database_url: str) -> None:
        async with _session(database_url) as connection:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert {row[0] for row in tables} == {*ROWS, "aerich"}


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
    async def test_secrets_are_replaced(
        self, shared_database_url: str, config: Any, schema: Any, shown: Any
    ) -> None:
        given = None if schema is None else json.dumps(schema)
        async with _session(shared_database_url) as connection:
            answer = await connection.fetchval("SELECT app.redact($1, $2)", json.dumps(config), given)
            odd = await connection.fetchval("SELECT app.redact($1, 'null')", json.dumps(config))
        assert json.loads(answer) == shown
        assert '"' + ENVELOPE not in answer
        assert '"' + ENVELOPE not in odd

    async def test_no_config(self, shared_database_url: str) -> None:
        async with _session(shared_database_url) as connection:
            assert await connection.fetchval("SELECT app.redact(NULL, '{}')") is None
