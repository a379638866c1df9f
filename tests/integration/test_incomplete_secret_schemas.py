"""Schemas that do not mark all secrets, and texts with credentials: their treatment in SQL and imports."""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import orjson
import pytest
import pytest_asyncio

from core.encryption import ENVELOPE, SecretKey, SecretKeys
from services.configs.credentials import carries_credentials
from services.configs.schemas import build_stored_schema, require_redactable
from services.configs.secret_paths import SECRET_MARKER, mask_config
from services.convex_export import export_convex
from services.secrets.config_secrets import open_config
from services.secrets.rotation import rotate_secrets
from tests.credential_samples import CARRYING, INNOCENT
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import ExportedWorld, Row
from tests.import_harness import ImportOutcome, read_tables, run_import

pytestmark = pytest.mark.newest

KEYS: Final = SecretKeys([SecretKey.from_bytes(b"n" * 32)])
SECRET: Final = {"type": "string", "sensitive": True}
STAMPS: Final = {"created_at": 1_700_000_000_000, "updated_at": 1_700_000_000_000}
CONCEALING: Final[dict[str, Any]] = {
    "allOf": {"allOf": [{"properties": {"key": SECRET}}]},
    "anyOf": {"anyOf": [{"properties": {"key": SECRET}}]},
    "oneOf": {"oneOf": [{"properties": {"key": SECRET}}]},
    "if": {"if": {}, "then": {"properties": {"key": SECRET}}},
    "else": {"if": {}, "else": {"properties": {"key": SECRET}}},
    "additionalProperties": {"additionalProperties": SECRET},
    "patternProperties": {"patternProperties": {"^k": SECRET}},
    "dependentSchemas": {"dependentSchemas": {"url": {"properties": {"key": SECRET}}}},
    "dependencies of an older dialect": {"dependencies": {"url": {"properties": {"key": SECRET}}}},
    "reference": {"$defs": {"key": {}}, "properties": {"key": {"$ref": "#/$defs/key"}}},
    "items as a list": {"properties": {"key": {"items": [SECRET]}}},
    "prefixItems": {"properties": {"key": {"prefixItems": [SECRET]}}},
    "a mark that is no boolean": {"properties": {"key": {"sensitive": "yes"}}},
    "a list": [SECRET],
    "true": True,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def connection(shared_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(shared_database_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize("text", [*CARRYING, *INNOCENT, *(f"a {text}" for text in CARRYING)])
async def test_carries_credentials_in_sql_equals_python(connection: asyncpg.Connection, text: str) -> None:
    assert await connection.fetchval("SELECT app.carries_credentials($1)", text) == carries_credentials(text)


async def test_carries_credentials_of_random_texts_in_sql_equals_python(
    connection: asyncpg.Connection,
) -> None:
    rng = random.Random(5)  # noqa: S311
    parts = [*"/\\:@?&=# \tÜx;", "https:", "//", "user", "token", "key", "8443"]
    texts = ["".join(rng.choices(parts, k=rng.randint(1, 14))) for _ in range(20_000)]
    rows = await connection.fetch("SELECT app.carries_credentials(t) FROM unnest($1::text[]) t", texts)
    found = [row[0] for row in rows]
    assert found == [carries_credentials(text) for text in texts]
    assert 300 < sum(found) < 19_000


async def test_redact_in_sql_equals_python(connection: asyncpg.Connection) -> None:
    for text in [*CARRYING, *INNOCENT, f"{ENVELOPE}x"]:
        config = {"url": text, "deep": [{"a": text}, text], text: 1, "key": "x"}
        for schema in (None, {}, {"properties": {"key": SECRET}}, {"sensitive": True}):
            shown = await connection.fetchval(
                "SELECT app.redact($1::jsonb, $2::jsonb)",
                orjson.dumps(config).decode(),
                orjson.dumps(schema).decode(),
            )
            assert orjson.loads(shown) == mask_config(config, schema)


def _make_random_schema(rng: random.Random, depth: int = 0) -> Any:
    if depth > 3 or rng.random() < 0.3:
        return rng.choice(
            [{}, {"sensitive": True}, {"sensitive": False}, {"type": "string"}, {"sensitive": None}]
        )
    keyword = rng.choice(
        [*["properties", "items"] * 2, "allOf", "patternProperties", "$defs", "not", "default", "x", "$ref"]
    )
    part = _make_random_schema(rng, depth + 1)
    names = (
        {"sensitive": part} if rng.random() < 0.2 else {"a": part, "b": _make_random_schema(rng, depth + 1)}
    )
    shape = {"properties": names, "patternProperties": names, "$defs": names, "allOf": [part], "$ref": "#/x"}
    return {
        keyword: shape.get(
            keyword, rng.choice([part, [part]]) if keyword in ("items", "x", "default") else part
        )
    }


async def test_conceals_secrets_in_sql_equals_python(connection: asyncpg.Connection) -> None:
    rng = random.Random(7)  # noqa: S311
    schemas = [_make_random_schema(rng) for _ in range(3_000)] + [
        s for s in CONCEALING.values() if isinstance(s, dict)
    ]
    texts = [orjson.dumps(schema).decode() for schema in schemas]
    rows = await connection.fetch("SELECT app.conceals_secrets(t::jsonb) FROM unnest($1::text[]) t", texts)
    for schema, row in zip(schemas, rows, strict=True):
        why = " ".join(_list_reasons(schema))
        conceals = any(
            part in why for part in ("must be expanded", "is allowed only below", "must be true or false")
        )
        assert row[0] == conceals, schema
    assert 300 < sum(row[0] for row in rows) < 2_700


def _list_reasons(schema: Any) -> list[str]:
    try:
        require_redactable(schema)
    except Exception as error:  # noqa: BLE001 - BadUserInputError, by its fields
        return [] if "configSchema.sensitive" in error.fields else list(error.fields.values())  # type: ignore[attr-defined]
    return []


@pytest.mark.parametrize("schema", CONCEALING.values(), ids=CONCEALING)
async def test_integration_inserted_with_concealing_schema_is_marked_sensitive(
    connection: asyncpg.Connection, schema: Any
) -> None:
    text = orjson.dumps(schema).decode()
    async with connection.transaction():
        await connection.execute("SELECT set_config('app.platform', 'on', true)")
        stored = await connection.fetchval(
            """INSERT INTO integrations (id, name, description, category, supported_types, config_schema)
               VALUES ('by-hand', 'x', '', 'x', '{}', $1) RETURNING config_schema""",
            text,
        )
        await connection.execute("DELETE FROM integrations WHERE id = 'by-hand'")
    assert orjson.loads(stored) == build_stored_schema(schema)
    assert orjson.loads(stored)["sensitive"] is True


def make_data_source_tables(schema: Any, *configs: Any, integration: str = "odd") -> ExportedWorld:
    """A tenant with data sources of an integration with this schema."""
    entry: Row = {"name": "O", "description": "", "category": "psa", "supported_types": [], **STAMPS}
    catalog = [
        entry | {"id": "odd", "config_schema": schema},
        entry | {"id": "other", "config_schema": schema},
    ]
    own = {"tenant_id": "t", "integration_id": integration, "status": "active", **STAMPS}
    return {
        "tenants": [{"id": "t", "name": "T", "status": "active", **STAMPS}],
        "integrations": catalog,
        "data_sources": [
            own | {"id": f"s{n}", "config": config, "credential_expiration_at": 9_007_199_254_740_991}
            for n, config in enumerate(configs)
        ],
    }


async def import_tables(
    url: str, path: Path, tables: ExportedWorld, keys: SecretKeys = KEYS
) -> ImportOutcome:
    return await run_import(url, write_snapshot(path / "a.zip", tables), keys=keys)


async def read_shown_configs(url: str) -> dict[str, Any]:
    """The configs as clients read them."""
    connection = await asyncpg.connect(url, server_settings={"app.platform": "on"})
    try:
        rows = await connection.fetch(
            """SELECT d.id, app.redact(d.config, i.config_schema) AS config
               FROM data_sources d JOIN integrations i ON i.id = d.integration_id"""
        )
        return {row["id"]: orjson.loads(row["config"]) for row in rows}
    finally:
        await connection.close()


CONFIG: Final = {
    "url": "https://a.example",
    "key": "hunter2",
    "more": {"list": ["hunter2", 1, None], "on": True},
}


@pytest.mark.newest
@pytest.mark.parametrize("schema", [*CONCEALING.values(), None], ids=[*CONCEALING, "none at all"])
async def test_import_of_concealing_schema_seals_whole_config(
    database_url: str, tmp_path: Path, schema: Any
) -> None:
    world = make_data_source_tables(schema, CONFIG, {})
    outcome = await import_tables(database_url, tmp_path, world)
    assert outcome.rejection_lines == []
    assert ("2 x configSchema does not show" in outcome.text) is (schema is not None)
    assert "hunter2" not in outcome.text
    stored = (await read_tables(database_url))["data_sources"]["s0"]["config"]
    assert "hunter2" not in str(stored)
    assert "a.example" not in str(stored)
    assert open_config(KEYS, "s0", stored) == CONFIG
    more = {"list": [SECRET_MARKER, SECRET_MARKER, None], "on": SECRET_MARKER}
    hidden = (
        SECRET_MARKER if schema is not None else {"url": SECRET_MARKER, "key": SECRET_MARKER, "more": more}
    )
    assert (await read_shown_configs(database_url))["s0"] == hidden
    again = await import_tables(database_url, tmp_path, world)
    assert {numbers[1:3] for numbers in again.row_counts.values()} == {(0, 0)}
    await export_convex(database_url, tmp_path / "b.zip")
    assert b"hunter2" not in (tmp_path / "b.zip").read_bytes()


@pytest.mark.newest
async def test_import_without_keys_omits_concealed_config(database_url: str, tmp_path: Path) -> None:
    outcome = await import_tables(
        database_url, tmp_path, make_data_source_tables(CONCEALING["allOf"], CONFIG), SecretKeys()
    )
    assert "left out: SECRET_KEYS is not set" in outcome.text
    assert "hunter2" not in str((await read_tables(database_url))["data_sources"])


@pytest.mark.newest
async def test_rotation_of_concealed_config_seals_and_renews_it(database_url: str, tmp_path: Path) -> None:
    await import_tables(database_url, tmp_path, make_data_source_tables(CONCEALING["allOf"], CONFIG))
    owner = await asyncpg.connect(database_url, server_settings={"app.platform": "on"})
    try:
        await owner.execute('UPDATE data_sources SET config = config || \'{"late": "hunter2"}\'')
        new = SecretKeys([SecretKey.from_bytes(b"m" * 32), SecretKey.from_bytes(b"n" * 32)])
        done = await rotate_secrets(owner, new)
        assert (done.renewed, done.covered, done.unreadable) == (5, 1, [])
        config = orjson.loads(await owner.fetchval("SELECT config FROM data_sources"))
        assert open_config(SecretKeys([SecretKey.from_bytes(b"m" * 32)]), "s0", config) == {
            **CONFIG,
            "late": "hunter2",
        }
    finally:
        await owner.close()


PLAIN: Final = {"properties": {"key": SECRET}}


@pytest.mark.newest
async def test_import_of_credentials_in_url_seals_them(database_url: str, tmp_path: Path) -> None:
    config = {"url": "https://user:hunter2@psa.example", "hosts": ["x", "ftp://u:hunter2@h"], "note": "a"}
    world = make_data_source_tables(PLAIN, config)
    outcome = await import_tables(database_url, tmp_path, world)
    assert "hunter2" not in outcome.text
    stored = (await read_tables(database_url))["data_sources"]["s0"]["config"]
    assert "hunter2" not in str(stored)
    assert open_config(KEYS, "s0", stored) == config
    assert (await read_shown_configs(database_url))["s0"] == {
        "url": SECRET_MARKER,
        "hosts": ["x", SECRET_MARKER],
        "note": "a",
    }
    again = await import_tables(database_url, tmp_path, world)
    assert again.row_counts["data_sources"][1:] == (0, 0, 1, 0)


@pytest.mark.newest
async def test_import_of_credentials_in_property_name_is_rejected(database_url: str, tmp_path: Path) -> None:
    outcome = await import_tables(
        database_url, tmp_path, make_data_source_tables(PLAIN, {"https://u:hunter2@h": "x"})
    )
    assert outcome.rejection_lines == [
        "data_sources, line 1 (s0): config: the name of a property must not contain credentials"
    ]


@pytest.mark.newest
@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (
            make_data_source_tables(PLAIN, {"url": "https://evil.example", "key": SECRET_MARKER}),
            "config.url changes",
        ),
        (
            make_data_source_tables(PLAIN, {"url": "https://a.example", "key": SECRET_MARKER, "port": 1}),
            "config.port changes",
        ),
        (
            make_data_source_tables(
                PLAIN, {"url": "https://a.example", "key": SECRET_MARKER}, integration="other"
            ),
            "integrationId changes",
        ),
        (
            make_data_source_tables(
                CONCEALING["allOf"], {"url": "https://evil.example", "key": SECRET_MARKER}
            ),
            "config.url changes",
        ),
    ],
)
async def test_import_with_kept_secret_and_changed_destination_is_rejected(
    database_url: str, tmp_path: Path, later: ExportedWorld, reason: str
) -> None:
    await import_tables(
        database_url, tmp_path, make_data_source_tables(PLAIN, {"url": "https://a.example", "key": "hunter2"})
    )
    before = (await read_tables(database_url))["data_sources"]
    outcome = await import_tables(database_url, tmp_path, later)
    assert outcome.rejection_lines == [
        "data_sources, line 1 (s0): config.key: must be given again: "
        f"{reason}, which decides where the secret is sent"
    ]
    assert (await read_tables(database_url))["data_sources"] == before


@pytest.mark.newest
async def test_import_with_given_secret_and_changed_destination_succeeds(
    database_url: str, tmp_path: Path
) -> None:
    await import_tables(
        database_url, tmp_path, make_data_source_tables(PLAIN, {"url": "https://a.example", "key": "hunter2"})
    )
    moved = {"url": "https://b.example", "key": "hunter2"}
    outcome = await import_tables(database_url, tmp_path, make_data_source_tables(PLAIN, moved))
    assert outcome.rejection_lines == []
    stored = (await read_tables(database_url))["data_sources"]["s0"]["config"]
    assert open_config(KEYS, "s0", stored) == moved


@pytest.mark.newest
async def test_import_with_envelope_and_changed_destination_is_rejected(
    database_url: str, tmp_path: Path
) -> None:
    """A dump has envelopes: its owner need not know the secrets in them."""
    await import_tables(
        database_url, tmp_path, make_data_source_tables(PLAIN, {"url": "https://a.example", "key": "hunter2"})
    )
    envelope = (await read_tables(database_url))["data_sources"]["s0"]["config"]["key"]
    outcome = await import_tables(
        database_url,
        tmp_path,
        make_data_source_tables(PLAIN, {"url": "https://evil.example", "key": envelope}),
    )
    assert len(outcome.rejection_lines) == 1
    same = await import_tables(
        database_url, tmp_path, make_data_source_tables(PLAIN, {"url": "https://a.example", "key": envelope})
    )
    assert same.row_counts["data_sources"][1:] == (0, 0, 1, 0)


@pytest.mark.newest
async def test_import_without_config_and_changed_integration_is_rejected(
    database_url: str, tmp_path: Path
) -> None:
    await import_tables(
        database_url, tmp_path, make_data_source_tables(PLAIN, {"url": "https://a.example", "key": "hunter2"})
    )
    header = "id,tenant_id,integration_id,status,credential_expiration_at,created_at,updated_at\n"
    times = ",9999-12-31 23:59:59+00,2025-01-01 00:00:00+00,2025-01-01 00:00:00+00\n"
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / "data_sources.csv").write_text(f"{header}s0,t,other,active{times}")
    outcome = await run_import(database_url, folder, keys=KEYS)
    assert outcome.rejection_lines == [
        "data_sources, line 2 (s0): config.key: must be given again: integrationId changes, "
        "which decides where the secret is sent"
    ]
