"""Rows that the server created under natural keys of the file: the file's ids win, and nothing is lost."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from tests.exports.convex import write_snapshot
from tests.exports.exported_world import ExportedWorld
from tests.import_harness import ImportOutcome, read_tables, run_import

pytestmark = pytest.mark.newest

T: Final = 1_700_000_000_000
STAMPS: Final = {"created_at": T, "updated_at": T}
OWN: Final = {"tenant_id": "t", **STAMPS}
ENTITY: Final = {
    "integration_id": "psa", "data_source_id": "d", "entity_type": "devices", "data_hash": "h", "raw_data": {},
    "normalized_data": {}, **OWN,
}  # fmt: skip
GLOBAL: Final = {
    "integration_id": "psa", "entity_type": "licenses", "data_hash": "h", "raw_data": {}, "normalized_data": {},
    **STAMPS,
}  # fmt: skip
WORLD: Final = {
    "tenants": [{"id": "t", "name": "T", "status": "active", **STAMPS}],
    "integrations": [
        {"id": "psa", "name": "P", "description": "", "category": "psa", "supported_types": [], **STAMPS}
    ],
    "sites": [{"id": "s", "name": "S", "slug": "s", "status": "active", **OWN}],
    "data_sources": [
        {"id": "d", "integration_id": "psa", "status": "active", "config": {}, "credential_expiration_at": T, **OWN}
    ],
}  # fmt: skip
INSERT_ENTITY: Final = """
INSERT INTO entities (id, tenant_id, integration_id, data_source_id, entity_type, external_id, data_hash)
VALUES ($1, 't', 'psa', 'd', 'devices', $2, 'other')
"""
INSERT_RELATIONSHIP: Final = """
INSERT INTO entity_relationships (id, tenant_id, parent_entity_id, child_entity_id, relationship_type)
VALUES ($1, 't', $2, $3, 'member')
"""
INSERT_EVENT: Final = (
    "INSERT INTO events_log (id, tenant_id, entity_id, event_type) VALUES ($1, 't', $2, 'created')"
)


@pytest_asyncio.fixture(loop_scope="session")
async def owner(database_url: str, tmp_path: Path) -> AsyncIterator[asyncpg.Connection]:
    """The owner of a database with one tenant and one data source."""
    await _import(database_url, tmp_path, {})
    connection = await asyncpg.connect(database_url, server_settings={"app.platform": "on"})
    yield connection
    await connection.close()


async def _import(url: str, path: Path, more: ExportedWorld, *, dry_run: bool = False) -> ImportOutcome:
    return await run_import(url, write_snapshot(path / "a.zip", {**WORLD, **more}), dry_run=dry_run)


def _read_notes(outcome: ImportOutcome) -> list[str]:
    """What the report says about the entities below its table."""
    return [line for line in outcome.text.split("\n") if line.startswith("entities: ")]


async def test_import_entity_replaces_ours_and_takes_over_what_refers_to_it(
    database_url: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    for row_id, external_id in (("ours", "1"), ("other", "2")):
        await owner.execute(INSERT_ENTITY, row_id, external_id)
    await owner.executemany(INSERT_EVENT, [("v1", "ours"), ("v2", "ours"), ("v3", "other")])
    await owner.executemany(
        INSERT_RELATIONSHIP, [("r1", "ours", "other"), ("r2", "other", "ours"), ("r3", "ours", "ours")]
    )
    more = {"entities": [ENTITY | {"id": "theirs", "external_id": "1"}]}
    trial = await _import(database_url, tmp_path, more, dry_run=True)
    outcome = await _import(database_url, tmp_path, more)
    assert outcome.rejection_lines == trial.rejection_lines == []
    assert outcome.row_counts["entities"] == trial.row_counts["entities"] == (1, 1, 0, 0, 0)
    stored = await read_tables(database_url)
    assert set(stored["entities"]) == {"theirs", "other"}
    assert stored["entities"]["theirs"]["data_hash"] == "h"
    assert {row["id"]: row["entity_id"] for row in stored["events_log"].values()} == {
        "v1": "theirs", "v2": "theirs", "v3": "other",
    }  # fmt: skip
    ends = {
        row["id"]: (row["parent_entity_id"], row["child_entity_id"])
        for row in stored["entity_relationships"].values()
    }
    assert ends == {"r1": ("theirs", "other"), "r2": ("other", "theirs"), "r3": ("theirs", "theirs")}
    assert (
        _read_notes(trial)
        == _read_notes(outcome)
        == [
            "entities: 4 x reference of entity_relationships was changed to the row in the file",
            "entities: 2 x reference of events_log was changed to the row in the file",
            "entities: 1 x row that this server created was replaced by the row in the file",
        ]
    )
    again = await _import(database_url, tmp_path, more)
    assert again.row_counts["entities"] == (1, 0, 0, 1, 0)
    assert "replaced" not in again.text


async def test_import_entity_that_takes_our_key_keeps_one_of_two_equal_relationships(
    database_url: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    entities = [ENTITY | {"id": "theirs", "external_id": "9"}, ENTITY | {"id": "other", "external_id": "2"}]
    await _import(database_url, tmp_path, {"entities": entities})
    await owner.execute(INSERT_ENTITY, "ours", "1")
    await owner.executemany(INSERT_RELATIONSHIP, [("r1", "theirs", "other"), ("a1", "ours", "other")])
    moved = [entities[0] | {"external_id": "1"}, entities[1]]
    trial = await _import(database_url, tmp_path, {"entities": moved}, dry_run=True)
    outcome = await _import(database_url, tmp_path, {"entities": moved})
    assert outcome.row_counts["entities"] == (2, 0, 1, 1, 0)
    assert _read_notes(trial) == _read_notes(outcome)
    stored = await read_tables(database_url)
    assert set(stored["entities"]) == {"theirs", "other"}
    assert stored["entities"]["theirs"]["external_id"] == "1"
    assert set(stored["entity_relationships"]) == {"r1"}
    assert "entities: 1 x relationship that the file has, too, was deleted\n" in outcome.text


async def test_import_rejected_entity_leaves_ours_as_it_is(
    database_url: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    await owner.execute(INSERT_ENTITY, "ours", "1")
    bad = ENTITY | {"id": "theirs", "external_id": "1", "site_id": "nowhere"}
    outcome = await _import(database_url, tmp_path, {"entities": [bad]})
    assert outcome.row_counts["entities"] == (1, 0, 0, 0, 1)
    assert set((await read_tables(database_url))["entities"]) == {"ours"}


async def test_import_entities_of_the_file_that_share_a_key_do_not_yield(
    database_url: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """The stored version of a refused row keeps its key, so a new row with the key is refused, too."""
    assert not owner.is_closed()
    first = ENTITY | {"id": "a", "external_id": "1"}
    await _import(database_url, tmp_path, {"entities": [first]})
    rows = [first | {"external_id": "2", "site_id": "nowhere"}, ENTITY | {"id": "b", "external_id": "1"}]
    outcome = await _import(database_url, tmp_path, {"entities": rows})
    assert [line.partition("): ")[2] for line in outcome.rejection_lines] == [
        "siteId: no 'nowhere' in sites of its tenant",
        "dataSourceId, entityType, externalId: already in use by 'a'",
    ]


async def test_import_relationships_links_and_global_entities_replace_ours(
    database_url: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    entities = [ENTITY | {"id": name, "external_id": name} for name in "ab"]
    await _import(database_url, tmp_path, {"entities": entities})
    await owner.execute(INSERT_RELATIONSHIP, "ours", "a", "b")
    await owner.execute(
        "INSERT INTO data_source_to_site (id, tenant_id, data_source_id, site_id) VALUES ('ours', 't', 'd', 's')"
    )
    await owner.execute(
        "INSERT INTO global_entities (id, integration_id, entity_type, external_id, data_hash) "
        "VALUES ('ours', 'psa', 'licenses', '1', 'other')"
    )
    more = {
        "entities": entities,
        "entity_relationships": [
            {"id": "theirs", "parent_entity_id": "a", "child_entity_id": "b", "relationship_type": "member", **OWN}
        ],
        "data_source_to_site": [
            {"id": "theirs", "tenant_id": "t", "data_source_id": "d", "site_id": "s", "created_at": T}
        ],
        "global_entities": [GLOBAL | {"id": "theirs", "external_id": "1"}],
    }  # fmt: skip
    outcome = await _import(database_url, tmp_path, more)
    assert outcome.rejection_lines == []
    stored = await read_tables(database_url)
    for table in ("entity_relationships", "data_source_to_site", "global_entities"):
        assert set(stored[table]) == {"theirs"}
        assert (
            f"{table}: 1 x row that this server created was replaced by the row in the file" in outcome.text
        )


async def test_import_site_with_a_slug_of_ours_is_rejected(
    database_url: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """A person made it, so it does not yield."""
    await owner.execute("INSERT INTO sites (id, tenant_id, name, slug) VALUES ('ours', 't', 'Main', 'main')")
    theirs = WORLD["sites"][0] | {"id": "theirs", "slug": "main"}
    outcome = await _import(database_url, tmp_path, {"sites": [*WORLD["sites"], theirs]})
    assert outcome.rejection_lines == ["sites, line 2 (theirs): slug: already in use by 'ours'"]
