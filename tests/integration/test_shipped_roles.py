"""The global roles that the product ships: a later version updates them while nobody has changed them."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
import pytest_asyncio
import structlog

from core.database.database import Database
from core.encryption import SecretKeys
from core.settings import Settings
from services.bootstrap import BootstrapPlan, BootstrapResult, bootstrap
from services.catalog import role_updates
from services.catalog.role_updates import RoleUpdate
from services.catalog.roles import ROLES, VERSION, ShippedRole
from services.startup import migrate_database

PLAN = BootstrapPlan("Byte", "a@byte.example", "Ada", "user_2abc")
TECHNICIAN = ROLES[1]
BETTER = replace(TECHNICIAN, rights=(*TECHNICIAN.rights, "Audit.Read"))
NEW = ShippedRole("Auditor", "Reads the audit log.", ("Audit.Read",))
READ = "SELECT *, xmin::text FROM roles WHERE name = 'Technician' OR name = 'Engineer'"


@pytest_asyncio.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url, server_settings={"app.platform": "on"})
    yield connection
    await connection.close()


async def run_bootstrap(dsn: str, plan: BootstrapPlan = PLAN) -> BootstrapResult:
    database = await Database.connect(dsn, Settings())
    try:
        return await bootstrap(database, SecretKeys(), plan)
    finally:
        await database.close()


async def migrate_and_read_log(dsn: str) -> dict[str, tuple[str, ...]]:
    """Start a version as a server does; returns what it logs about roles, by the kind of outcome."""
    with structlog.testing.capture_logs() as lines:
        await migrate_database(dsn, Settings())
    logged = [line for line in lines if line["event"].startswith("global roles")]
    return {kind: line[kind] for line in logged for kind in ("added", "updated", "names") if line.get(kind)}


def ship_later_version(monkeypatch: pytest.MonkeyPatch, *roles: ShippedRole) -> None:
    """From now on the product ships these roles in place of, or next to, those of the same name."""
    later = {role.name: role for role in (*ROLES, *roles)}
    monkeypatch.setattr(role_updates, "ROLES", tuple(later.values()))
    monkeypatch.setattr(role_updates, "VERSION", VERSION + 1)


async def test_roles_of_later_version_update_unchanged_ones_and_add_new_ones(
    database_url: str, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await run_bootstrap(database_url)).roles == RoleUpdate(added=tuple(role.name for role in ROLES))
    before = await owner.fetchrow(READ)
    assert await migrate_and_read_log(database_url) == {}
    with monkeypatch.context() as later:
        ship_later_version(later, BETTER, NEW)
        assert await migrate_and_read_log(database_url) == {"added": ("Auditor",), "updated": ("Technician",)}
        assert await migrate_and_read_log(database_url) == {}
    after = await owner.fetchrow(READ)
    assert before is not None
    assert after is not None
    assert (after["id"], set(json.loads(after["rights"]))) == (before["id"], set(BETTER.rights))
    audit = await owner.fetchrow("SELECT * FROM audit_log WHERE action = 'update'")
    assert audit is not None
    assert (audit["actor_type"], audit["actor_id"], audit["record_id"]) == ("system", "roles", after["id"])
    assert json.loads(audit["changes"])["rights"] == [{}, {"Audit.Read": True}]
    assert await migrate_and_read_log(database_url) == {}  # an earlier version replaces nothing
    assert await owner.fetchrow(READ) == after


@pytest.mark.parametrize(
    "change",
    [
        """UPDATE roles SET rights = rights || '{"Billing.Read": true}' WHERE name = 'Technician'""",
        "UPDATE roles SET name = 'Engineer' WHERE name = 'Technician'",
        "UPDATE roles SET deleted_at = app.now_ms() WHERE name = 'Technician'",
        "DELETE FROM roles WHERE name = 'Technician'",
    ],
    ids=["rights", "name", "deleted", "purged"],
)
async def test_role_changed_by_platform_is_left_as_it_is_and_logged(
    database_url: str, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    await run_bootstrap(database_url)
    await owner.execute(change)
    before = await owner.fetch(READ)
    ship_later_version(monkeypatch, BETTER)
    assert await migrate_and_read_log(database_url) == {"names": ("Technician",)}
    assert await owner.fetch(READ) == before


async def test_roles_of_a_database_without_bootstrap_are_left_as_they_are(
    database_url: str, owner: asyncpg.Connection
) -> None:
    await owner.execute("INSERT INTO roles (name, description) VALUES ('Technician', 'imported')")
    await owner.execute(
        "INSERT INTO roles (name, description, rights) VALUES ($1, $2, $3)",
        ROLES[0].name,
        ROLES[0].description,
        json.dumps(dict.fromkeys(ROLES[0].rights, True)),
    )
    before = await owner.fetch(READ)
    assert await migrate_and_read_log(database_url) == {}
    assert await owner.fetch(READ) == before
    assert await owner.fetchval("SELECT count(*) FROM roles") == 2


async def test_roles_from_before_their_record_are_recognized(
    database_url: str, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run_bootstrap(database_url)
    await owner.execute("TRUNCATE app.shipped_roles")
    await owner.execute("UPDATE roles SET description = 'Ours' WHERE name = 'Billing'")
    assert await migrate_and_read_log(database_url) == {"names": ("Billing",)}
    ship_later_version(monkeypatch, BETTER)
    assert await migrate_and_read_log(database_url) == {"updated": ("Technician",), "names": ("Billing",)}


async def test_bootstrap_gives_the_renamed_administrators_role(
    database_url: str, owner: asyncpg.Connection
) -> None:
    first = await run_bootstrap(database_url)
    await owner.execute("UPDATE roles SET name = 'Chief' WHERE name = 'Administrator'")
    second = await run_bootstrap(database_url, replace(PLAN, tenant="Bit", subject="user_2xyz"))
    assert second.roles == RoleUpdate(kept=("Administrator",))
    roles = await owner.fetch(
        "SELECT role_id FROM users WHERE id = ANY ($1)", [first.user_id, second.user_id]
    )
    assert roles[0] == roles[1]
