"""Sign-in on a real database: who gets in, with what, and what a change does to the next request."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from core.database import Database
from core.errors import BadUserInputError, ForbiddenError, ProductError, UnauthenticatedError
from core.rights import GLOBAL_ADMIN, RIGHTS
from core.settings import Settings
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind
from services.sign_in import sign_in

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
    """A connection beside the requests, that writes."""
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


async def entered(
    database: Database, identity: Identity, tenant: str | None = None
) -> tuple[Viewer, str, list[str]]:
    """The viewer, the transaction's tenant, and the sites that it can see through row-level security."""
    async with database.snapshot(platform=identity.kind is ViewerKind.PLATFORM) as snapshot:
        viewer = await sign_in(snapshot.connection, identity, tenant)
        setting = await snapshot.connection.fetchval("SELECT current_setting('app.tenant_id', true)")
        sites = await snapshot.connection.fetch("SELECT id FROM sites ORDER BY id")
        return viewer, setting or "", [site["id"] for site in sites]


async def refused(
    database: Database, kind: type[ProductError], identity: Identity = ANN, tenant: str | None = None
) -> str:
    with pytest.raises(kind) as caught:
        await entered(database, identity, tenant)
    return caught.value.message


async def test_an_active_user_enters_its_tenant(database: Database) -> None:
    viewer, setting, sites = await entered(database, ANN)
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


async def test_a_global_role_is_taken_in_the_users_own_tenant(database: Database) -> None:
    viewer, setting, sites = await entered(database, Identity(ViewerKind.USER, "user_bob", 1))
    assert (viewer.tenant_id, setting, sites) == ("t2", "t2", ["s2"])
    assert viewer.rights == RIGHTS


async def test_nothing_of_a_sign_in_stays_with_the_connection(database: Database) -> None:
    await entered(database, ANN)
    async with database.pool.acquire() as connection:
        assert not await connection.fetchval("SELECT current_setting('app.tenant_id', true)")
    assert (await entered(database, PLATFORM))[1] == ""


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
async def test_a_change_shuts_the_door_at_once_and_says_no_more_than_to_a_stranger(
    database: Database, owner: Any, change: str
) -> None:
    await entered(database, ANN)
    await owner.execute(change)
    stranger = Identity(ViewerKind.USER, "user_nobody", 1)
    assert await refused(database, UnauthenticatedError) == await refused(
        database, UnauthenticatedError, stranger
    )
    bob = Identity(ViewerKind.USER, "user_bob", 1)
    assert (await entered(database, bob))[0].user_id == "user_bob"


@pytest.mark.parametrize("first", UNACCEPTABLE)
@pytest.mark.parametrize("second", UNACCEPTABLE)
async def test_no_two_reasons_cancel_each_other_out(
    database: Database, owner: Any, first: str, second: str
) -> None:
    await owner.execute(first)
    await owner.execute(second)
    await refused(database, UnauthenticatedError)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET status = 'active', deleted_at = NULL WHERE id = 'user_ann'",
        "UPDATE roles SET deleted_at = NULL WHERE id = 'r1'",
        "UPDATE tenants SET status = 'active', deleted_at = NULL WHERE id = 't1'",
    ],
)
async def test_putting_one_of_three_right_is_not_enough(database: Database, owner: Any, change: str) -> None:
    for table, row in (("users", "user_ann"), ("roles", "r1"), ("tenants", "t1")):
        await owner.execute(f"UPDATE {table} SET deleted_at = 1 WHERE id = '{row}'")  # noqa: S608 - constants
    await owner.execute(change)
    await refused(database, UnauthenticatedError)


async def test_a_restored_user_is_back_at_once(database: Database, owner: Any) -> None:
    await owner.execute("UPDATE users SET deleted_at = 1 WHERE id = 'user_ann'")
    await refused(database, UnauthenticatedError)
    await owner.execute("UPDATE users SET deleted_at = NULL WHERE id = 'user_ann'")
    assert (await entered(database, ANN))[0].user_id == "user_ann"


async def test_a_role_that_is_changed_or_exchanged_counts_at_once(database: Database, owner: Any) -> None:
    await owner.execute(
        """UPDATE roles SET rights = '{"Sites.Read": true, "Users.Write": 1}' WHERE id = 'r1'"""
    )
    assert (await entered(database, ANN))[0].rights == {"Sites.Read"}
    await owner.execute("UPDATE users SET role_id = 'r0' WHERE id = 'user_ann'")
    assert GLOBAL_ADMIN in (await entered(database, ANN))[0].rights


@pytest.mark.parametrize("rights", ["{}", '{"Sites.Read": {"deep": true}}', '{"Sites.Read": "true"}'])
async def test_rights_of_another_shape_grant_nothing(database: Database, owner: Any, rights: str) -> None:
    await owner.execute("UPDATE roles SET rights = $1::text::jsonb WHERE id = 'r1'", rights)
    assert (await entered(database, ANN))[0].rights == frozenset()


async def test_rights_too_deep_to_read_grant_nothing(database: Database, owner: Any) -> None:
    deep = '{"Sites.Read": true, "x": ' + "[" * 2_000 + "]" * 2_000 + "}"
    await owner.execute("UPDATE roles SET rights = $1::text::jsonb WHERE id = 'r1'", deep)
    assert (await entered(database, ANN))[0].rights == frozenset()


@pytest.mark.parametrize("tenant", ["t1", "t2", "t3", ""])
async def test_a_user_may_not_name_a_tenant_not_even_its_own(database: Database, tenant: str) -> None:
    assert "X-Tenant-Id" in await refused(database, ForbiddenError, tenant=tenant)


@pytest.mark.parametrize(
    "subject", ["USER_ANN", "user_ann ", "user_%", "' OR ''='", "platform", "ann@one.example"]
)
async def test_a_subject_is_an_id_to_the_letter(database: Database, subject: str) -> None:
    await refused(database, UnauthenticatedError, Identity(ViewerKind.USER, subject, 1))


async def test_the_platform_without_a_tenant(database: Database) -> None:
    viewer, setting, sites = await entered(database, PLATFORM)
    assert viewer == Viewer(ViewerKind.PLATFORM, None, None, None, RIGHTS, PLATFORM.expires_at)
    assert setting == ""
    assert sites == ["s1", "s2"]


@pytest.mark.parametrize("status", ["active", "inactive", "suspended"])
async def test_the_platform_in_a_tenant_whatever_its_status(
    database: Database, owner: Any, status: str
) -> None:
    await owner.execute("UPDATE tenants SET status = $1 WHERE id = 't2'", status)
    viewer, setting, _ = await entered(database, PLATFORM, "t2")
    assert (viewer.kind, viewer.tenant_id, setting) == (ViewerKind.PLATFORM, "t2", "t2")
    assert viewer.rights == RIGHTS


@pytest.mark.parametrize("tenant", ["", "t3", "T1", "t1\0", "t1\n", "x" * 100_000, "\udc80"])
async def test_the_platform_in_a_tenant_that_is_not_there(database: Database, tenant: str) -> None:
    assert "X-Tenant-Id" in await refused(database, BadUserInputError, PLATFORM, tenant)


async def test_the_platform_in_a_deleted_tenant(database: Database, owner: Any) -> None:
    await owner.execute("UPDATE tenants SET deleted_at = 1 WHERE id = 't2'")
    assert "X-Tenant-Id" in await refused(database, BadUserInputError, PLATFORM, "t2")


async def test_a_sign_in_is_one_statement(database: Database) -> None:
    sent: list[str] = []
    async with database.snapshot() as snapshot:
        with snapshot.connection.query_logger(lambda record: sent.append(record.query)):
            await sign_in(snapshot.connection, ANN, None)
    assert len([query for query in sent if "app.sign_in" in query]) == len(sent) == 1
