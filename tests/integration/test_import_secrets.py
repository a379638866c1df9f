"""Secrets in imported configs: sealed with our keys, or kept out, and never shown."""

import os
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from core.encryption import SecretKey, SecretKeys
from core.errors import StartupError
from services.convex_export import export_convex
from services.secrets import opened_config
from tests.exports.convex import write_snapshot
from tests.exports.supabase import write_dump
from tests.exports.world import OLD_KEY, World, secrets, with_sealed, without_secrets, world
from tests.importing import contents, imported

pytestmark = pytest.mark.newest

KEYS = SecretKeys([SecretKey.of(os.urandom(32))])
HEX = SecretStr(OLD_KEY.hex())


@pytest.fixture(scope="module")
def rows() -> World:
    return world()


def _clear(rows: World) -> dict[str, object]:
    return {row["id"]: row["config"] | secrets(row) for row in rows["data_sources"]}


async def _configs(url: str) -> dict[str, dict[str, object]]:
    return {row_id: row["config"] for row_id, row in (await contents(url))["data_sources"].items()}


@pytest.mark.parametrize("form", ["convex", "dump"])
@pytest.mark.parametrize(
    "key", [OLD_KEY.hex(), OLD_KEY.hex().upper(), OLD_KEY.decode("latin-1")], ids=["hex", "HEX", "raw"]
)
async def test_they_are_sealed_with_our_keys(
    database_url: str, rows: World, tmp_path: Path, form: str, key: str
) -> None:
    world_ = with_sealed(rows)
    path = (
        write_dump(tmp_path / "d.sql", world_)
        if form == "dump"
        else write_snapshot(tmp_path / "a.zip", world_)
    )
    count = sum(len(secrets(row)) for row in rows["data_sources"])
    outcome = await imported(database_url, path, keys=KEYS, import_secret_key=SecretStr(key))
    assert count > 0
    assert f"data_sources: {count} secrets sealed with the first of SECRET_KEYS\n" in outcome.text
    assert "secret " not in outcome.text.replace("secrets ", "")
    configs = await _configs(database_url)
    assert {row_id: opened_config(KEYS, row_id, config) for row_id, config in configs.items()} == _clear(rows)
    assert b"secret clientSecret" not in orjson.dumps(configs)
    again = await imported(database_url, path, keys=KEYS, import_secret_key=SecretStr(key))
    assert again.numbers["data_sources"][1:] == (0, 0, len(rows["data_sources"]), 0)
    assert await _configs(database_url) == configs


@pytest.mark.parametrize(
    ("keys", "old", "why"),
    [
        (KEYS, None, "IMPORT_SECRET_KEY is not set"),
        (KEYS, SecretStr("0" * 64), "IMPORT_SECRET_KEY does not open them"),
        (SecretKeys(), HEX, "SECRET_KEYS is not set"),
    ],
    ids=["no old key", "another old key", "no key of ours"],
)
async def test_without_a_key_they_are_kept_out_and_counted(
    database_url: str, rows: World, tmp_path: Path, keys: SecretKeys, old: SecretStr | None, why: str
) -> None:
    path = write_snapshot(tmp_path / "a.zip", with_sealed(rows))
    outcome = await imported(database_url, path, keys=keys, import_secret_key=old)
    count = sum(len(secrets(row)) for row in rows["data_sources"])
    assert f"data_sources: {count} secrets kept out: {why}\n" in outcome.text
    assert await _configs(database_url) == {
        row["id"]: row["config"] for row in without_secrets(rows)["data_sources"]
    }
    await imported(database_url, path, keys=KEYS, import_secret_key=HEX)
    sealed = await _configs(database_url)
    later = await imported(database_url, path, keys=keys, import_secret_key=old)
    assert later.numbers["data_sources"][1:] == (0, 0, len(rows["data_sources"]), 0)
    assert await _configs(database_url) == sealed


async def test_what_stands_in_the_clear_is_sealed(database_url: str, rows: World, tmp_path: Path) -> None:
    sources = [row | {"config": row["config"] | secrets(row)} for row in rows["data_sources"]]
    path = write_snapshot(tmp_path / "a.zip", {**rows, "data_sources": sources})
    await imported(database_url, path, keys=KEYS)
    configs = await _configs(database_url)
    assert {row_id: opened_config(KEYS, row_id, config) for row_id, config in configs.items()} == _clear(rows)
    assert "secret clientSecret" not in str(configs)


async def test_an_export_does_not_have_them(database_url: str, rows: World, tmp_path: Path) -> None:
    await imported(
        database_url, write_snapshot(tmp_path / "a.zip", with_sealed(rows)), keys=KEYS, import_secret_key=HEX
    )
    before = await contents(database_url)
    await export_convex(database_url, tmp_path / "b.zip")
    outcome = await imported(database_url, tmp_path / "b.zip", keys=KEYS)
    assert {numbers[1:3] for numbers in outcome.numbers.values()} == {(0, 0)}
    assert await contents(database_url) == before


@pytest.mark.parametrize("key", ["", "short", "0" * 63, "z" * 64])
async def test_a_key_that_is_none_is_not_shown(
    database_url: str, rows: World, tmp_path: Path, key: str
) -> None:
    with pytest.raises(
        StartupError, match=r"^IMPORT_SECRET_KEY: must be 64 hexadecimal digits, or 32 bytes"
    ) as caught:
        await imported(
            database_url, write_snapshot(tmp_path / "a.zip", rows), import_secret_key=SecretStr(key)
        )
    assert not key or key not in str(caught.value)
