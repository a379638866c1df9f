"""The catalog that the product ships: inserted, updated while nobody has changed it, and else left as it is."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
import structlog

from core.settings import Settings
from services.catalog import update
from services.catalog.entries import CATALOG, VERSION
from services.catalog.update import CatalogUpdate, update_catalog
from services.configs.written_order import remove_order
from services.import_lock import exclude_background_writers
from services.migrations import migrate
from services.startup import migrate_database
from tests.clusters import ThrowawayCluster
from tests.graphql_harness import open_graphql_harness
from tests.http_harness import open_http_harness

IDS = tuple(entry.id for entry in CATALOG)
HALO = CATALOG[0]


@pytest_asyncio.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url, server_settings={"app.platform": "on"})
    yield connection
    await connection.close()


async def ship(owner: asyncpg.Connection) -> CatalogUpdate:
    """Update the catalog in a transaction of its own."""
    async with owner.transaction():
        done = await update_catalog(owner)
    assert done is not None
    return done


def change_shipped(monkeypatch: pytest.MonkeyPatch, version: int = VERSION + 1, **values: Any) -> None:
    """Ship another version of the first entry from now on."""
    monkeypatch.setattr(update, "CATALOG", (replace(HALO, **values), *CATALOG[1:]))
    monkeypatch.setattr(update, "VERSION", version)


async def read_halo(owner: asyncpg.Connection) -> asyncpg.Record:
    row = await owner.fetchrow("SELECT * FROM integrations WHERE id = 'halopsa'")
    assert row is not None
    return row


async def test_catalog_in_empty_database_is_inserted_with_audit_rows(owner: asyncpg.Connection) -> None:
    assert await ship(owner) == CatalogUpdate(added=IDS)
    rows = {row["id"]: row for row in await owner.fetch("SELECT * FROM integrations")}
    for entry in CATALOG:
        row = rows[entry.id]
        schema = row["config_schema"] and remove_order(json.loads(row["config_schema"]))
        assert (row["name"], row["category"], row["is_active"]) == (
            entry.name,
            entry.category,
            entry.is_active,
        )
        assert (tuple(row["supported_types"]), schema) == (entry.supported_types, entry.config_schema)
    audit = await owner.fetch("SELECT * FROM audit_log WHERE table_name = 'integrations' ORDER BY record_id")
    assert [(row["record_id"], row["action"]) for row in audit] == [(id_, "create") for id_ in sorted(IDS)]
    assert {(row["tenant_id"], row["actor_type"], row["actor_id"]) for row in audit} == {
        (None, "system", "catalog")
    }


async def test_catalog_again_changes_nothing(owner: asyncpg.Connection) -> None:
    await ship(owner)
    before = await owner.fetch("SELECT *, xmin::text FROM integrations ORDER BY id")
    assert await ship(owner) == CatalogUpdate()
    assert await owner.fetch("SELECT *, xmin::text FROM integrations ORDER BY id") == before
    assert await owner.fetchval("SELECT count(*) FROM audit_log") == len(CATALOG)


async def test_catalog_of_later_version_updates_unchanged_entries(
    owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ship(owner)
    before = await read_halo(owner)
    change_shipped(monkeypatch, description="Better.", supported_types=("tickets",))
    assert await ship(owner) == CatalogUpdate(updated=("halopsa",))
    after = await read_halo(owner)
    assert (after["description"], after["supported_types"]) == ("Better.", ["tickets"])
    assert after["updated_at"] > before["updated_at"]
    changes = json.loads(await owner.fetchval("SELECT changes FROM audit_log WHERE action = 'update'"))
    assert changes["description"] == [HALO.description, "Better."]


async def test_catalog_is_active_of_the_platform_stays(
    owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ship(owner)
    await owner.execute("UPDATE integrations SET is_active = false WHERE id = 'halopsa'")
    change_shipped(monkeypatch, name="Halo")
    assert await ship(owner) == CatalogUpdate(updated=("halopsa",))
    row = await read_halo(owner)
    assert (row["name"], row["is_active"]) == ("Halo", False)


@pytest.mark.parametrize("change", ["name = 'Ours'", "config_schema = NULL", "supported_types = '{a}'"])
async def test_catalog_entry_changed_by_platform_is_left_as_it_is(
    owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    await ship(owner)
    await owner.execute(f"UPDATE integrations SET {change} WHERE id = 'halopsa'")
    before = await read_halo(owner)
    change_shipped(monkeypatch, description="Better.")
    assert await ship(owner) == CatalogUpdate(kept=("halopsa",))
    assert await read_halo(owner) == before


async def test_catalog_entry_made_by_platform_or_import_is_left_as_it_is(owner: asyncpg.Connection) -> None:
    await owner.execute(
        "INSERT INTO integrations (id, name, description, category) VALUES ('halopsa', 'H', 'D', 'psa')"
    )
    before = await read_halo(owner)
    assert await ship(owner) == CatalogUpdate(added=IDS[1:], kept=("halopsa",))
    assert await read_halo(owner) == before


async def test_catalog_entry_changed_back_is_updated_again(
    owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ship(owner)
    await owner.execute("UPDATE integrations SET name = 'Ours' WHERE id = 'halopsa'")
    await owner.execute("UPDATE integrations SET name = $1 WHERE id = 'halopsa'", HALO.name)
    change_shipped(monkeypatch, description="Better.")
    assert await ship(owner) == CatalogUpdate(updated=("halopsa",))


async def test_catalog_of_earlier_version_does_not_replace_a_later_one(
    owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        change_shipped(later, description="Better.")
        await ship(owner)
    assert await ship(owner) == CatalogUpdate()
    assert (await read_halo(owner))["description"] == "Better."


async def test_catalog_updates_at_the_same_time_insert_once(
    database_url: str, owner: asyncpg.Connection
) -> None:
    others = [await asyncpg.connect(database_url) for _ in range(3)]
    try:
        done = await asyncio.gather(*map(ship, [owner, *others]))
    finally:
        for other in others:
            await other.close()
    assert sorted(len(each.added) for each in done) == [0, 0, 0, len(CATALOG)]
    assert await owner.fetchval("SELECT count(*) FROM audit_log") == len(CATALOG)


async def test_catalog_during_an_import_is_not_touched(database_url: str, owner: asyncpg.Connection) -> None:
    importing = await asyncpg.connect(database_url)
    try:
        await exclude_background_writers(importing)
        async with owner.transaction():
            assert await update_catalog(owner) is None
    finally:
        await importing.close()
    assert await owner.fetchval("SELECT count(*) FROM integrations") == 0


async def test_migrate_database_loads_the_catalog_and_logs_what_it_kept(empty_database_url: str) -> None:
    with structlog.testing.capture_logs() as first:
        await migrate_database(empty_database_url, Settings())
    assert next(line for line in first if line["event"] == "catalog updated")["added"] == IDS
    owner = await asyncpg.connect(empty_database_url)
    await owner.execute("UPDATE integrations SET color = 'black' WHERE id = 'autotask'")
    await owner.close()
    with structlog.testing.capture_logs() as again:
        await migrate_database(empty_database_url, Settings())
    (line,) = [line for line in again if line["event"].startswith("catalog")]
    assert line["event"].startswith("catalog entries left as they are")
    assert line["ids"] == ("autotask",)


async def test_catalog_with_forced_policies_is_loaded(
    cluster: ThrowawayCluster, empty_database_url: str
) -> None:
    admin = await asyncpg.connect(empty_database_url)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(
        "DO $$ BEGIN CREATE ROLE cataloger LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    await admin.execute(
        f'GRANT CREATE ON DATABASE "{name}" TO cataloger; GRANT CREATE ON SCHEMA public TO cataloger'
    )
    await admin.close()
    dsn = cluster.build_dsn(name, "cataloger")
    settings = Settings(request_role="nobody_has_made_it_either")
    await migrate(dsn, settings)
    await migrate_database(dsn, settings)
    owner = await asyncpg.connect(dsn)
    try:
        assert await owner.fetchval("SELECT count(*) FROM integrations") == len(CATALOG)
    finally:
        await owner.close()


async def test_catalog_is_not_visible_to_the_role_of_requests(database_url: str) -> None:
    async with open_graphql_harness(database_url) as graphql, graphql.database.read_transaction() as snapshot:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await snapshot.connection.fetch("SELECT * FROM app.shipped_integrations")


def test_catalog_entries_have_icons_and_schedules_of_their_types() -> None:
    icons = Path(update.__file__).parent / "icons"
    assert {path.stem for path in icons.glob("*.svg")} == set(IDS)
    for entry in CATALOG:
        assert entry.icon_url == f"/icons/{entry.id}.svg"
        assert {action.removeprefix("sync.") for action in entry.schedules} <= set(entry.supported_types)
        assert all(60 <= seconds <= 86_400 for seconds in entry.schedules.values())


@pytest.mark.newest
async def test_icons_are_served_to_anyone(demo_database_url: str) -> None:
    async with open_http_harness(demo_database_url) as http:
        for entry in CATALOG:
            answer = await http.client.get(str(entry.icon_url))
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "image/svg+xml"
            assert answer.content.startswith(b"<svg ")
        for path in ("/icons/none.svg", "/icons/../entries.py", "/icons/%2e%2e%2fentries.py"):
            assert (await http.client.get(path)).status_code == httpx.codes.NOT_FOUND
