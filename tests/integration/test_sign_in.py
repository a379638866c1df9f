"""Sign-in on a real database: who may sign in, with which rights, and the effect of changes on the next request."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from core.auth.rights import GLOBAL_ADMIN, RIGHTS
from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.database.database import Database
from core.errors import BadUserInputError, ForbiddenError, ProductError, UnauthenticatedError
from core.settings import Settings
from services.users.sign_in import sign_in

ANN = Identity(ViewerKind.USER, "user_ann", 4_000_000_000_000)
PLATFORM = Identity(ViewerKind.PLATFORM, "platform", 4_000_000_000_000)
ROWS = """
INSERT INTO tenants (id, name, status) VALUES ('t1', 'One', 'active'), ('t2', 'Two', 'active');
INSERT INTO roles (id, tenant_id, name, description, rights) VALUES
    ('r1', 't1', 'Technician', '',
     '{"Sites.Write": true, "Agents.Read": true, "Jobs.Read": false, "X.Y": true}'),
    ('r0', NULL, 'Global', '', '{"Global.Admin": true}');
INSERT INTO users (id, tenant_id, role_id, email, name, status, metadata) VALUES
    ('user_ann', 't1', 'r1', 'ann@one.example', 'Ann', 'active', '{}'),
    ('user_bob', 't2', 'r0', 'bob@two.example', 'Bob', 'active', '{}');
INSERT INTO sites (id, tenant_id, name, slug, status) VALUES
    ('s1', 't1', 'Site', 's', 'active'), ('s2', 't2', 'Site', 's', 'active');
"""


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[Any]:
    """A separate connection that writes."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(ROWS)
    yield connection
    await connection.close()


@pytest.fixture
async def database(database_url: str, owner: Any) -> AsyncIterator[Database]:
    assert not owner.is_closed()
    opened = await Database.connect(database_url, Settings())
    yield opened
    await opened.close()


async def sign_in_and_list_sites(
    database: Database, identity: Identity, tenant: str | None = None
) -> tuple[Viewer, str, list[str]]:
    """The viewer, the transaction's tenant, and the sites that it can see through row-level security."""
    async with database.read_transaction(platform=identity.kind is ViewerKind.PLATFORM) as snapshot:
        viewer = await sign_in(snapshot.connection, identity, tenant)
        setting = await snapshot.connection.fetchval("SELECT current_setting('app.tenant_id', true)")
        sites = await snapshot.connection.fetch("SELECT id FROM sites ORDER BY id")
        return viewer, setting or "", [site["id"] for site in sites]


async def assert_sign_in_refused(
    database: Database, kind: type[ProductError], identity: Identity = ANN, tenant: str | None = None
) -> str:
    with pytest.raises(kind) as caught:
        await sign_in_and_list_sites(database, identity, tenant)
    return caught.value.message


async def test_sign_in_active_user_gets_its_tenant_and_rights(database: Database) -> None:
    viewer, setting, sites = await sign_in_and_list_sites(database, ANN)
    assert viewer == Viewer(
        kind=ViewerKind.USER,
        tenant_id="t1",
        user_id="user_ann",
        role_id="r1",
        rights=frozenset({"Sites.Read", "Sites.Write", "Agents.Read"}),
        expires_at=ANN.expires_at,
    )
    assert setting == "t1"
    assert sites == ["s1"]


async def test_sign_in_with_global_role_is_in_the_users_own_tenant(database: Database) -> None:
    viewer, setting, sites = await sign_in_and_list_sites(database, Identity(ViewerKind.USER, "user_bob", 1))
    assert (viewer.tenant_id, setting, sites) == ("t2", "t2", ["s2"])
    assert viewer.rights == RIGHTS


async def test_sign_in_leaves_no_tenant_on_the_connection(database: Database) -> None:
    await sign_in_and_list_sites(database, ANN)
    async with database.pool.acquire() as connection:
        assert not await connection.fetchval("SELECT current_setting('app.tenant_id', true)")
    assert (await sign_in_and_list_sites(database, PLATFORM))[1] == ""


UNACCEPTABLE = [
    "UPDATE users SET status = 'inactive' WHERE id = 'user_ann'",
    "UPDATE users SET status = 'pending' WHERE id = 'user_ann'",
    "UPDATE users SET deleted_at = 1 WHERE id = 'user_ann'",
    "UPDATE roles SET deleted_at = 1 WHERE id = 'r1'",
    "UPDATE tenants SET status = 'inactive' WHERE id = 't1'",
    "UPDATE tenants SET status = 'suspended' WHERE id = 't1'",
    "UPDATE tenants SET deleted_at = 1 WHERE id = 't1'",
]


@pytest.mark.parametrize("change", UNACCEPTABLE)
async def test_sign_in_after_disabling_change_fails_as_for_unknown_user(
    database: Database, owner: Any, change: str
) -> None:
    await sign_in_and_list_sites(database, ANN)
    await owner.execute(change)
    stranger = Identity(ViewerKind.USER, "user_nobody", 1)
    assert await assert_sign_in_refused(database, UnauthenticatedError) == await assert_sign_in_refused(
        database, UnauthenticatedError, stranger
    )
    bob = Identity(ViewerKind.USER, "user_bob", 1)
    assert (await sign_in_and_list_sites(database, bob))[0].user_id == "user_bob"


@pytest.mark.parametrize("first", UNACCEPTABLE)
@pytest.mark.parametrize("second", UNACCEPTABLE)
async def test_sign_in_with_any_two_disabling_changes_is_refused(
    database: Database, owner: Any, first: str, second: str
) -> None:
    await owner.execute(first)
    await owner.execute(second)
    await assert_sign_in_refused(database, UnauthenticatedError)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET status = 'active', deleted_at = NULL WHERE id = 'user_ann'",
        "UPDATE roles SET deleted_at = NULL WHERE id = 'r1'",
        "UPDATE tenants SET status = 'active', deleted_at = NULL WHERE id = 't1'",
    ],
)
async def test_sign_in_with_one_of_three_changes_reverted_is_refused(
    database: Database, owner: Any, change: str
) -> None:
    for table, row in (("users", "user_ann"), ("roles", "r1"), ("tenants", "t1")):
        await owner.execute(f"UPDATE {table} SET deleted_at = 1 WHERE id = '{row}'")
    await owner.execute(change)
    await assert_sign_in_refused(database, UnauthenticatedError)


async def test_sign_in_restored_user_succeeds(database: Database, owner: Any) -> None:
    await owner.execute("UPDATE users SET deleted_at = 1 WHERE id = 'user_ann'")
    await assert_sign_in_refused(database, UnauthenticatedError)
    await owner.execute("UPDATE users SET deleted_at = NULL WHERE id = 'user_ann'")
    assert (await sign_in_and_list_sites(database, ANN))[0].user_id == "user_ann"


async def test_sign_in_after_role_change_gets_the_new_rights(database: Database, owner: Any) -> None:
    await owner.execute(
        """UPDATE roles SET rights = '{"Sites.Read": true, "Users.Write": 1}' WHERE id = 'r1'"""
    )
    assert (await sign_in_and_list_sites(database, ANN))[0].rights == {"Sites.Read"}
    await owner.execute("UPDATE users SET role_id = 'r0' WHERE id = 'user_ann'")
    assert GLOBAL_ADMIN in (await sign_in_and_list_sites(database, ANN))[0].rights


@pytest.mark.parametrize("rights", ["{}", '{"Sites.Read": {"deep": true}}', '{"Sites.Read": "true"}'])
async def test_sign_in_with_rights_of_wrong_shape_has_none(
    database: Database, owner: Any, rights: str
) -> None:
    await owner.execute("UPDATE roles SET rights = $1::text::jsonb WHERE id = 'r1'", rights)
    assert (await sign_in_and_list_sites(database, ANN))[0].rights == frozenset()


async def test_sign_in_with_too_deeply_nested_rights_has_none(database: Database, owner: Any) -> None:
    deep = '{"Sites.Read": true, "x": ' + "[" * 2_000 + "]" * 2_000 + "}"
    await owner.execute("UPDATE roles SET rights = $1::text::jsonb WHERE id = 'r1'", deep)
    assert (await sign_in_and_list_sites(database, ANN))[0].rights == frozenset()


@pytest.mark.parametrize("tenant", ["t1", "t2", "t3", ""])
async def test_sign_in_user_naming_a_tenant_is_forbidden(database: Database, tenant: str) -> None:
    assert "X-Tenant-Id" in await assert_sign_in_refused(database, ForbiddenError, tenant=tenant)


@pytest.mark.parametrize(
    "subject", ["USER_ANN", "user_ann ", "user_%", "' OR ''='", "platform", "ann@one.example"]
)
async def test_sign_in_subject_that_is_not_exactly_an_id_is_refused(database: Database, subject: str) -> None:
    await assert_sign_in_refused(database, UnauthenticatedError, Identity(ViewerKind.USER, subject, 1))


async def test_sign_in_platform_without_tenant_sees_every_tenant(database: Database) -> None:
    viewer, setting, sites = await sign_in_and_list_sites(database, PLATFORM)
    assert viewer == Viewer(ViewerKind.PLATFORM, None, None, None, RIGHTS, PLATFORM.expires_at)
    assert setting == ""
    assert sites == ["s1", "s2"]


@pytest.mark.parametrize("status", ["active", "inactive", "suspended"])
async def test_sign_in_platform_in_a_tenant_of_any_status_succeeds(
    database: Database, owner: Any, status: str
) -> None:
    await owner.execute("UPDATE tenants SET status = $1 WHERE id = 't2'", status)
    viewer, setting, _ = await sign_in_and_list_sites(database, PLATFORM, "t2")
    assert (viewer.kind, viewer.tenant_id, setting) == (ViewerKind.PLATFORM, "t2", "t2")
    assert viewer.rights == RIGHTS


@pytest.mark.parametrize("tenant", ["", "t3", "T1", "t1\0", "t1\n", "x" * 100_000, "\udc80"])
async def test_sign_in_platform_in_a_missing_tenant_is_refused(database: Database, tenant: str) -> None:
    assert "X-Tenant-Id" in await assert_sign_in_refused(database, BadUserInputError, PLATFORM, tenant)


async def test_sign_in_platform_in_a_deleted_tenant_is_refused(database: Database, owner: Any) -> None:
    await owner.execute("UPDATE tenants SET deleted_at = 1 WHERE id = 't2'")
    assert "X-Tenant-Id" in await assert_sign_in_refused(database, BadUserInputError, PLATFORM, "t2")


async def test_sign_in_takes_one_statement(database: Database) -> None:
    sent: list[str] = []
    async with database.read_transaction() as snapshot:
        with snapshot.connection.query_logger(lambda record: sent.append(record.query)):
            await sign_in(snapshot.connection, ANN, None)
    assert len([query for query in sent if "app.sign_in" in query]) == len(sent) == 1
