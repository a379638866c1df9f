"""The bootstrap of an empty database: what it creates, what it leaves as it is, and what it refuses."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest
import pytest_asyncio

from core.auth.rights import RIGHTS
from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from core.database.database import Database
from core.encryption import SecretKey, SecretKeys
from core.errors import ConflictError, ProductError, UnavailableError
from core.settings import Settings
from services.bootstrap import BootstrapPlan, bootstrap
from services.catalog.entries import CATALOG
from services.catalog.roles import ROLES
from services.import_lock import exclude_background_writers
from services.users.invitations import redeem_invitation
from services.users.sign_in import sign_in

KEYS = SecretKeys([SecretKey.from_bytes(b"b" * 32)])
PLAN = BootstrapPlan("Byte", "a@byte.example", "Ada", "user_2abc", "Europe/Berlin")
INVITE = replace(PLAN, subject=None)
TABLES = ("tenants", "roles", "users", "integrations", "audit_log", "issued_credentials")


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(database_url, Settings())
    yield opened
    await opened.close()


@asynccontextmanager
async def open_owner(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    try:
        yield connection
    finally:
        await connection.close()


async def read_rows(dsn: str) -> dict[str, list[str]]:
    async with open_owner(dsn) as owner:
        return {
            table: [
                row[0] for row in await owner.fetch(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")
            ]
            for table in TABLES
        }


async def sign_in_as(database: Database, subject: str) -> frozenset[str]:
    """The rights of a subject who signs in."""
    async with database.read_transaction() as snapshot:
        viewer = await sign_in(snapshot.connection, Identity(ViewerKind.USER, subject, NEVER), None)
    return viewer.rights


async def test_bootstrap_of_empty_database_creates_everything(database: Database, database_url: str) -> None:
    done = await bootstrap(database, KEYS, PLAN)
    assert done.catalog.added == tuple(entry.id for entry in CATALOG)
    assert done.roles.added == tuple(role.name for role in ROLES)
    assert (done.new_tenant, done.new_user, done.user_id) == (True, True, "user_2abc")
    assert await sign_in_as(database, "user_2abc") == RIGHTS
    async with open_owner(database_url) as owner:
        tenant = await owner.fetchrow("SELECT * FROM tenants")
        user = await owner.fetchrow("SELECT * FROM users")
        assert tenant is not None
        assert user is not None
        audited = {
            (row["table_name"], row["tenant_id"], row["actor_type"]): row["count"]
            for row in await owner.fetch(
                "SELECT table_name, tenant_id, actor_type, count(*) FROM audit_log GROUP BY 1, 2, 3"
            )
        }
    assert (tenant["name"], json.loads(tenant["metadata"])) == ("Byte", {"timezone": "Europe/Berlin"})
    assert (user["email"], user["name"], user["status"]) == ("a@byte.example", "Ada", "active")
    assert audited == {
        ("integrations", None, "system"): len(CATALOG),
        ("roles", None, "system"): len(ROLES),
        ("tenants", done.tenant_id, "platform"): 1,
        ("users", done.tenant_id, "platform"): 1,
    }


async def test_bootstrap_again_changes_nothing(database: Database, database_url: str) -> None:
    first = await bootstrap(database, KEYS, PLAN)
    before = await read_rows(database_url)
    again = await bootstrap(database, KEYS, PLAN)
    assert await read_rows(database_url) == before
    assert (again.tenant_id, again.user_id) == (first.tenant_id, first.user_id)
    assert (again.roles.added, again.new_tenant, again.new_user) == ((), False, False)


async def test_bootstrap_several_at_once_creates_one_tenant(database: Database, database_url: str) -> None:
    done = await asyncio.gather(*(bootstrap(database, KEYS, PLAN) for _ in range(4)))
    assert len({each.tenant_id for each in done}) == 1
    assert sorted(each.new_user for each in done) == [False, False, False, True]
    assert {table: len(rows) for table, rows in (await read_rows(database_url)).items()} == {
        "tenants": 1,
        "roles": len(ROLES),
        "users": 1,
        "integrations": len(CATALOG),
        "audit_log": len(CATALOG) + len(ROLES) + 2,
        "issued_credentials": 0,
    }


async def test_bootstrap_with_another_tenant_keeps_the_first(database: Database) -> None:
    first = await bootstrap(database, KEYS, PLAN)
    second = await bootstrap(database, KEYS, replace(PLAN, tenant="Bit", subject="user_2xyz"))
    assert (second.new_tenant, second.new_user, second.roles.added) == (True, True, ())
    assert first.tenant_id != second.tenant_id
    assert await sign_in_as(database, "user_2xyz") == await sign_in_as(database, "user_2abc") == RIGHTS


async def test_bootstrap_by_invitation_makes_a_pending_user_and_a_code(database: Database) -> None:
    done = await bootstrap(database, KEYS, INVITE)
    assert done.invitation is not None
    person = Identity(ViewerKind.USER, "user_2new", NEVER, invitation=done.invitation.code)
    assert await redeem_invitation(database, person, KEYS)
    assert await sign_in_as(database, "user_2new") == RIGHTS
    again = await bootstrap(database, KEYS, INVITE)
    assert (again.invitation, again.user_id, again.new_user) == (None, "user_2new", False)


async def test_bootstrap_by_invitation_again_replaces_the_code(database: Database, database_url: str) -> None:
    first, second = [await bootstrap(database, KEYS, INVITE) for _ in range(2)]
    assert first.invitation is not None
    assert second.invitation is not None
    assert (second.user_id, second.new_user) == (first.user_id, False)
    person = Identity(ViewerKind.USER, "user_2new", NEVER, invitation=first.invitation.code)
    assert not await redeem_invitation(database, person, KEYS)
    assert await redeem_invitation(database, replace(person, invitation=second.invitation.code), KEYS)
    async with open_owner(database_url) as owner:
        assert await owner.fetchval("SELECT count(*) FROM users") == 1


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (replace(PLAN, timezone="Europe/Atlantis"), "no time zone 'Europe/Atlantis'"),
        (replace(PLAN, email="nobody"), "email"),
        (replace(PLAN, tenant=""), "name"),
        (replace(PLAN, subject=""), "id"),
    ],
)
async def test_bootstrap_with_invalid_value_creates_nothing(
    database: Database, database_url: str, plan: BootstrapPlan, message: str
) -> None:
    with pytest.raises(ProductError) as caught:
        await bootstrap(database, KEYS, plan)
    assert message in caught.value.message or message in caught.value.fields
    assert not any((await read_rows(database_url)).values())


async def test_bootstrap_by_invitation_without_keys_creates_nothing(
    database: Database, database_url: str
) -> None:
    with pytest.raises(ConflictError, match="SECRET_KEYS"):
        await bootstrap(database, SecretKeys(), INVITE)
    assert not any((await read_rows(database_url)).values())


@pytest.mark.parametrize(
    ("change", "plan", "message"),
    [
        ("UPDATE tenants SET status = 'suspended'", PLAN, "is suspended"),
        ("UPDATE users SET status = 'inactive'", PLAN, "is inactive"),
        (
            "UPDATE users SET role_id = (SELECT id FROM roles WHERE name = 'Technician')",
            PLAN,
            "no administrator",
        ),
        ("UPDATE tenants SET name = 'Other'", PLAN, "belongs to another tenant"),
        (
            "UPDATE roles SET rights = '{}'",
            replace(PLAN, subject="b", email="b@x.example"),
            "lacks the right",
        ),
        ("UPDATE users SET id = 'user_2old'", PLAN, "has the address"),
    ],
)
async def test_bootstrap_against_rows_that_contradict_it_changes_nothing(
    database: Database, database_url: str, change: str, plan: BootstrapPlan, message: str
) -> None:
    await bootstrap(database, KEYS, PLAN)
    async with open_owner(database_url) as owner:
        await owner.execute(change)
    before = await read_rows(database_url)
    with pytest.raises(ConflictError, match=message):
        await bootstrap(database, KEYS, plan)
    assert await read_rows(database_url) == before


async def test_bootstrap_keeps_a_role_that_the_platform_has_changed(
    database: Database, database_url: str
) -> None:
    await bootstrap(database, KEYS, PLAN)
    async with open_owner(database_url) as owner:
        await owner.execute("""UPDATE roles SET rights = '{"Sites.Read": true}' WHERE name = 'Read only'""")
        await owner.execute("DELETE FROM roles WHERE name = 'Billing'")
    assert (await bootstrap(database, KEYS, PLAN)).roles.added == ("Billing",)
    async with open_owner(database_url) as owner:
        rights = await owner.fetchval("SELECT rights FROM roles WHERE name = 'Read only'")
    assert json.loads(rights) == {"Sites.Read": True}


async def test_bootstrap_during_an_import_is_refused(database: Database, database_url: str) -> None:
    importing = await asyncpg.connect(database_url)
    try:
        await exclude_background_writers(importing)
        with pytest.raises(UnavailableError, match="import"):
            await bootstrap(database, KEYS, PLAN)
    finally:
        await importing.close()
    assert not any((await read_rows(database_url)).values())
