"""Clients and exports get the properties of a configSchema in the order in which they were written."""

import json
import zipfile
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
import pytest

from core.auth.viewer import ViewerKind
from services.catalog.entries import CATALOG
from services.catalog.update import update_catalog
from services.configs.written_order import add_written_order
from services.convex_export import export_convex
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import Row
from tests.exports.supabase import write_dump
from tests.graphql_harness import Principal
from tests.import_harness import run_import
from tests.live.live_engine import LiveEngine
from tests.mutation_harness import MutationHarness

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "title": "Address", "format": "uri"},
        "tenant": {
            "type": "object",
            "properties": {"zone": {"type": "string"}, "id": {"type": "string", "default": "1"}},
        },
        "a/b~c": {"type": "array", "items": {"type": "object", "properties": {"z": {}, "y": {}, "ä": {}}}},
        "key": {
            "type": "string",
            "sensitive": True,
            "examples": [{"later": 1.50, "first": [{"b": "1", "a": "2"}]}],
        },
    },
    "required": ["url", "key"],
}
"""A schema whose objects `jsonb` would reorder at each level."""

SORTED: Final = dict(sorted(SCHEMA.items(), key=lambda member: (len(member[0]), member[0])))
REVERSED: Final = {**SCHEMA, "properties": dict(reversed(SCHEMA["properties"].items()))}
UPDATE: Final = (
    "mutation ($id: ID!, $s: JSON) { updateIntegration(id: $id, input: {configSchema: $s}) { configSchema } }"
)
READ: Final = """
    query ($id: ID!) {
        integration(id: $id) { configSchema }
        integrations(where: {id: {eq: $id}}) { nodes { configSchema } }
        integrationsView(where: {id: {eq: $id}}) { nodes { configSchema } }
        dataSources { nodes { integration { configSchema } } }
    }
"""


def show(value: Any) -> str:
    """A value with the order of its names."""
    return json.dumps(value)


async def write_schema(harness: MutationHarness, schema: Any) -> Any:
    """Write the schema of my integration; returns the schema in the answer."""
    answer = await harness.graphql.execute_as_platform(
        None, UPDATE, id=harness.mine.ids["integrations"], s=schema
    )
    assert answer.errors == []
    return answer.data["updateIntegration"]["configSchema"]


async def read_schemas(harness: MutationHarness) -> list[Any]:
    """The schema of my integration as clients read it, through the loaders and compiled, wherever it shows."""
    user = Principal("me", ViewerKind.USER, harness.mine.administrator_id)
    found = []
    for answer in await harness.graphql.execute_with_both_strategies(
        user, READ, {"id": harness.mine.ids["integrations"]}
    ):
        assert answer.errors == []
        data = answer.data
        found += [data["integration"], *data["integrations"]["nodes"], *data["integrationsView"]["nodes"]]
        found += [node["integration"] for node in data["dataSources"]["nodes"]]
    return [integration["configSchema"] for integration in found]


async def test_config_schema_is_read_in_its_written_order(mutation_harness: MutationHarness) -> None:
    assert show(await write_schema(mutation_harness, SCHEMA)) == show(SCHEMA)
    shown = await read_schemas(mutation_harness)
    assert len(shown) >= 8
    assert {show(schema) for schema in shown} == {show(SCHEMA)}


async def test_config_schema_in_a_document_is_read_in_its_written_order(
    mutation_harness: MutationHarness,
) -> None:
    query = """mutation ($id: ID!) {
        updateIntegration(id: $id, input: {configSchema: {properties: {url: {}, key: {}}}}) { configSchema }
    }"""
    answer = await mutation_harness.graphql.execute_as_platform(
        None, query, id=mutation_harness.mine.ids["integrations"]
    )
    assert show(answer.data["updateIntegration"]["configSchema"]) == show(
        {"properties": {"url": {}, "key": {}}}
    )


async def test_config_schema_in_another_order_is_a_change_with_its_audit_row(
    mutation_harness: MutationHarness,
) -> None:
    integration = mutation_harness.mine.ids["integrations"]
    await write_schema(mutation_harness, SCHEMA)
    before = await mutation_harness.read_row("integrations", integration)
    assert show(await write_schema(mutation_harness, REVERSED)) == show(REVERSED)
    assert {show(schema) for schema in await read_schemas(mutation_harness)} == {show(REVERSED)}
    entry = (await mutation_harness.read_audit_log("integrations", integration))[-1]
    old, new = entry["changes"]["configSchema"]
    names = list(SCHEMA["properties"])
    assert old == {"$order": {"/properties": {f"[{at}]": name for at, name in enumerate(names)}}}
    assert new == {"$order": {"/properties": {f"[{at}]": name for at, name in enumerate(reversed(names))}}}
    after = await mutation_harness.read_row("integrations", integration)
    assert after["updated_at"] > before["updated_at"]
    await write_schema(mutation_harness, REVERSED)
    assert await mutation_harness.read_row("integrations", integration) == after


async def test_config_schema_changed_by_sql_keeps_the_order_of_known_names(
    mutation_harness: MutationHarness,
) -> None:
    await write_schema(mutation_harness, SCHEMA)
    await mutation_harness.connection.execute(
        """UPDATE integrations
           SET config_schema = jsonb_set(config_schema #- '{properties,tenant}', '{properties,b}', '1')
           WHERE id = $1""",
        mutation_harness.mine.ids["integrations"],
    )
    (shown, *_) = await read_schemas(mutation_harness)
    assert list(shown["properties"]) == ["url", "a/b~c", "key", "b"]


@pytest.mark.parametrize("order", ["null", "1", "[]", '{"": 1}', '{"": [null, "b", "b", {}]}'])
async def test_config_schema_with_a_broken_order_is_read_whole(
    mutation_harness: MutationHarness, order: str
) -> None:
    stored = {"a": 1, "b": [True, None], "$order": orjson.loads(order)}
    text = await mutation_harness.connection.fetchval(
        "SELECT app.in_written_order($1)::text", orjson.dumps(stored).decode()
    )
    shown = orjson.loads(text)
    shown.pop("$order", None)
    assert shown == {"a": 1, "b": [True, None]}


async def test_config_schema_with_the_reserved_member_is_refused(mutation_harness: MutationHarness) -> None:
    answer = await mutation_harness.graphql.execute_as_platform(
        None, UPDATE, id=mutation_harness.mine.ids["integrations"], s={**SCHEMA, "$order": {}}
    )
    assert answer.codes == ["BAD_USER_INPUT"]
    assert list(answer.errors[0]["extensions"]["fields"]) == ["input.configSchema.$order"]


async def test_live_query_sends_a_new_order(live_engine: LiveEngine) -> None:
    query = 'subscription { integration(id: "halopsa") { configSchema } }'
    states = await (await live_engine.connect()).subscribe(query).wait_for_states(1)
    entry = next(entry for entry in CATALOG if entry.id == "halopsa")
    assert show(states.data["integration"]["configSchema"]) == show(entry.config_schema)
    *_, last = states.data["integration"]["configSchema"]["properties"]
    await live_engine.execute_sql(
        """UPDATE integrations SET config_schema =
               jsonb_set(config_schema, '{$order,/properties}', jsonb_build_array($1::text))
           WHERE id = 'halopsa'""",
        last,
    )
    await states.wait_for_states(2)
    assert next(iter(states.data["integration"]["configSchema"]["properties"])) == last


async def test_shipped_catalog_keeps_its_order(database_url: str) -> None:
    connection = await asyncpg.connect(database_url, server_settings={"app.platform": "on"})
    try:
        async with connection.transaction():
            await update_catalog(connection)
        rows = await connection.fetch(
            "SELECT id, app.in_written_order(config_schema)::text FROM integrations"
        )
    finally:
        await connection.close()
    assert {row[0]: show(orjson.loads(row[1] or "null")) for row in rows} == {
        entry.id: show(entry.config_schema) for entry in CATALOG
    }


PSA: Final[Row] = {
    "id": "psa", "name": "P", "description": "", "category": "psa", "supported_types": [],
    "created_at": 1_700_000_000_000, "updated_at": 1_700_000_000_001,
}  # fmt: skip


async def read_shown_schema(url: str) -> str:
    """The schema of the imported integration, in the order that clients get."""
    connection = await asyncpg.connect(url, server_settings={"app.platform": "on"})
    try:
        text = await connection.fetchval("SELECT app.in_written_order(config_schema)::text FROM integrations")
        return show(orjson.loads(text))
    finally:
        await connection.close()


async def write_by_sql(url: str, schema: Any) -> None:
    """Store this schema in the imported integration."""
    connection = await asyncpg.connect(url, server_settings={"app.platform": "on"})
    try:
        await connection.execute("UPDATE integrations SET config_schema = $1", orjson.dumps(schema).decode())
    finally:
        await connection.close()


async def test_import_and_export_keep_the_order(database_url: str, tmp_path: Path) -> None:
    """Convex and PostgreSQL sort the names, so that the order in the database stays."""
    world = {"integrations": [{**PSA, "config_schema": SCHEMA}]}
    await run_import(database_url, write_snapshot(tmp_path / "a.zip", world))
    await write_by_sql(database_url, add_written_order(SCHEMA))
    await export_convex(database_url, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        document = orjson.loads(archive.read("integrations/documents.jsonl"))
    assert show(document["configSchema"]) == show(SCHEMA)
    for file in (tmp_path / "a.zip", tmp_path / "b.zip", write_dump(tmp_path / "c.sql", _as_jsonb(world))):
        again = await run_import(database_url, file)
        assert {numbers[1:3] for numbers in again.row_counts.values()} == {(0, 0)}, file
        assert await read_shown_schema(database_url) == show(SCHEMA)
    await write_by_sql(database_url, {})
    await run_import(database_url, tmp_path / "b.zip")
    assert await read_shown_schema(database_url) == show(SCHEMA)


async def test_import_of_a_dump_with_an_order_keeps_it(database_url: str, tmp_path: Path) -> None:
    stored = {**SORTED, "$order": {"": ["required", "type", "properties"]}}
    await run_import(
        database_url, write_dump(tmp_path / "a.sql", {"integrations": [{**PSA, "config_schema": stored}]})
    )
    assert list(orjson.loads(await read_shown_schema(database_url))) == ["required", "type", "properties"]


def _as_jsonb(value: Any) -> Any:
    """The value with the names of its objects in the order of `jsonb`, except for rows."""
    if isinstance(value, dict) and "config_schema" in value:
        return {**value, "config_schema": _sort(value["config_schema"])}
    if isinstance(value, dict):
        return {name: _as_jsonb(child) for name, child in value.items()}
    return [_as_jsonb(child) for child in value] if isinstance(value, list) else value


def _sort(value: Any) -> Any:
    if isinstance(value, dict):
        ranked = sorted(value.items(), key=lambda member: (len(member[0].encode()), member[0].encode()))
        return {name: _sort(child) for name, child in ranked}
    return [_sort(child) for child in value] if isinstance(value, list) else value
