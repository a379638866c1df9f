"""Secrets in imported configs: sealed with our keys or left out, and never visible."""

import os
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from core.encryption import SecretKey, SecretKeys
from core.errors import StartupError
from services.convex_export import export_convex
from services.secrets.config_secrets import open_config
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import (
    OLD_KEY,
    ExportedWorld,
    expected_secrets,
    make_exported_world,
    with_sealed_secrets,
    without_secrets,
)
from tests.exports.supabase import write_dump
from tests.import_harness import read_tables, run_import

pytestmark = pytest.mark.newest

KEYS = SecretKeys([SecretKey.from_bytes(os.urandom(32))])
HEX = SecretStr(OLD_KEY.hex())


@pytest.fixture(scope="module")
def exported_world() -> ExportedWorld:
    return make_exported_world()


def _expect_clear_configs(exported_world: ExportedWorld) -> dict[str, object]:
    return {row["id"]: row["config"] | expected_secrets(row) for row in exported_world["data_sources"]}


async def _fetch_configs(url: str) -> dict[str, dict[str, object]]:
    return {row_id: row["config"] for row_id, row in (await read_tables(url))["data_sources"].items()}


@pytest.mark.parametrize("form", ["convex", "dump"])
@pytest.mark.parametrize(
    "key", [OLD_KEY.hex(), OLD_KEY.hex().upper(), OLD_KEY.decode("latin-1")], ids=["hex", "HEX", "raw"]
)
async def test_import_sealed_secrets_are_resealed_with_own_keys(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path, form: str, key: str
) -> None:
    world_ = with_sealed_secrets(exported_world)
    path = (
        write_dump(tmp_path / "d.sql", world_)
        if form == "dump"
        else write_snapshot(tmp_path / "a.zip", world_)
    )
    count = sum(len(expected_secrets(row)) for row in exported_world["data_sources"])
    outcome = await run_import(database_url, path, keys=KEYS, import_secret_key=SecretStr(key))
    assert count > 0
    assert f"data_sources: {count} secrets encrypted with the first of SECRET_KEYS\n" in outcome.text
    assert "secret " not in outcome.text.replace("secrets ", "")
    configs = await _fetch_configs(database_url)
    assert {
        row_id: open_config(KEYS, row_id, config) for row_id, config in configs.items()
    } == _expect_clear_configs(exported_world)
    assert b"secret clientSecret" not in orjson.dumps(configs)
    again = await run_import(database_url, path, keys=KEYS, import_secret_key=SecretStr(key))
    assert again.row_counts["data_sources"][1:] == (0, 0, len(exported_world["data_sources"]), 0)
    assert await _fetch_configs(database_url) == configs


@pytest.mark.parametrize(
    ("keys", "old", "why"),
    [
        (KEYS, None, "IMPORT_SECRET_KEY is not set"),
        (KEYS, SecretStr("0" * 64), "IMPORT_SECRET_KEY does not decrypt them"),
        (SecretKeys(), HEX, "SECRET_KEYS is not set"),
    ],
    ids=["no old key", "another old key", "no key of ours"],
)
async def test_import_sealed_secrets_without_key_are_omitted_and_counted(
    database_url: str,
    exported_world: ExportedWorld,
    tmp_path: Path,
    keys: SecretKeys,
    old: SecretStr | None,
    why: str,
) -> None:
    path = write_snapshot(tmp_path / "a.zip", with_sealed_secrets(exported_world))
    outcome = await run_import(database_url, path, keys=keys, import_secret_key=old)
    count = sum(len(expected_secrets(row)) for row in exported_world["data_sources"])
    assert f"data_sources: {count} secrets left out: {why}\n" in outcome.text
    assert await _fetch_configs(database_url) == {
        row["id"]: row["config"] for row in without_secrets(exported_world)["data_sources"]
    }
    await run_import(database_url, path, keys=KEYS, import_secret_key=HEX)
    sealed = await _fetch_configs(database_url)
    later = await run_import(database_url, path, keys=keys, import_secret_key=old)
    assert later.row_counts["data_sources"][1:] == (0, 0, len(exported_world["data_sources"]), 0)
    assert await _fetch_configs(database_url) == sealed


async def test_import_clear_secrets_are_sealed(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    sources = [
        row | {"config": row["config"] | expected_secrets(row)} for row in exported_world["data_sources"]
    ]
    path = write_snapshot(tmp_path / "a.zip", {**exported_world, "data_sources": sources})
    await run_import(database_url, path, keys=KEYS)
    configs = await _fetch_configs(database_url)
    assert {
        row_id: open_config(KEYS, row_id, config) for row_id, config in configs.items()
    } == _expect_clear_configs(exported_world)
    assert "secret clientSecret" not in str(configs)


async def test_export_convex_omits_secrets_and_reimport_keeps_them(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    await run_import(
        database_url,
        write_snapshot(tmp_path / "a.zip", with_sealed_secrets(exported_world)),
        keys=KEYS,
        import_secret_key=HEX,
    )
    before = await read_tables(database_url)
    await export_convex(database_url, tmp_path / "b.zip")
    outcome = await run_import(database_url, tmp_path / "b.zip", keys=KEYS)
    assert {numbers[1:3] for numbers in outcome.row_counts.values()} == {(0, 0)}
    assert await read_tables(database_url) == before


@pytest.mark.parametrize("key", ["", "short", "0" * 63, "z" * 64])
async def test_import_invalid_secret_key_is_refused_without_showing_it(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path, key: str
) -> None:
    with pytest.raises(
        StartupError, match=r"^IMPORT_SECRET_KEY: must be 64 hexadecimal digits, or 32 bytes"
    ) as caught:
        await run_import(
            database_url, write_snapshot(tmp_path / "a.zip", exported_world), import_secret_key=SecretStr(key)
        )
    assert not key or key not in str(caught.value)
