"""Imported times that cannot be true, spellings of identities, and reports without values of rows."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from core.clock import NEVER, now_ms
from core.errors import StartupError
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import ExportedWorld
from tests.import_harness import read_tables, run_import

PLANTED: Final = "planted-7f3a"
DAY: Final = 24 * 3600 * 1000
FAR: Final = "2199-01-01 00:00:00+00"
NEVER_TEXT: Final = "9999-12-31 23:59:59+00"
FAR_MS: Final = 7_226_582_400_000
THEN: Final = "2025-01-01 00:00:00+00"
THEN_MS: Final = 1_735_689_600_000


def _write_csv(path: Path, table: str, *rows: dict[str, Any]) -> None:
    with (path / f"{table}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _write_export_folder(path: Path, *agents: dict[str, Any]) -> Path:
    times = {"created_at": THEN, "updated_at": THEN}
    _write_csv(path, "tenants", {"id": "t", "name": "T", **times})
    site = {"id": "s", "tenant_id": "t", "name": "S", "slug": "s", "status": "active", **times}
    _write_csv(path, "sites", site)
    whole = {
        "tenant_id": "t", "site_id": "s", "hostname": PLANTED, "platform": "p", "version": "v", "mac_address": "",
        "registered_at": THEN, "last_checkin_at": THEN, "deleted_at": "", **times,
    }  # fmt: skip
    _write_csv(
        path,
        "agents",
        *[{"id": f"a{n}", "guid": f"g{n}", **whole, **agent} for n, agent in enumerate(agents)],
    )
    return path


@pytest.mark.parametrize("far", [FAR, NEVER_TEXT])
async def test_import_future_times_are_omitted_and_counted(
    database_url: str, tmp_path: Path, far: str
) -> None:
    path = _write_export_folder(tmp_path, {"updated_at": far}, {"last_checkin_at": far, "registered_at": far})
    first = await run_import(database_url, path)
    assert first.row_counts["agents"] == (2, 2, 0, 0, 0)
    rows = (await read_tables(database_url))["agents"]
    assert rows["a0"]["updated_at"] == THEN_MS
    assert (rows["a1"]["last_checkin_at"], rows["a1"]["registered_at"]) == (None, None)
    for field, became in (
        ("updatedAt", "was replaced by createdAt"),
        ("lastCheckinAt", "was removed"),
        ("registeredAt", "was removed"),
    ):
        assert f"agents: 1 x {field}: a time more than a day in the future {became}" in first.text
    assert (await run_import(database_url, path)).row_counts["agents"] == (2, 0, 0, 2, 0)


@pytest.mark.parametrize("column", ["created_at", "deleted_at"])
async def test_import_future_creation_or_deletion_is_rejected_without_values(
    database_url: str, tmp_path: Path, column: str
) -> None:
    done = await run_import(database_url, _write_export_folder(tmp_path, {column: NEVER_TEXT}, {}))
    assert done.row_counts["agents"] == (2, 1, 0, 0, 1)
    assert "must be at most a day in the future" in done.rejection_lines[0]
    assert PLANTED not in done.text


async def test_import_times_within_a_day_are_kept(database_url: str, tmp_path: Path) -> None:
    soon = now_ms() + DAY - 3_600_000
    text = datetime.fromtimestamp(soon // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S+00")
    await run_import(database_url, _write_export_folder(tmp_path, {"updated_at": text}))
    assert (await read_tables(database_url))["agents"]["a0"]["updated_at"] == soon // 1000 * 1000


async def test_import_credentials_that_never_expire_are_kept(database_url: str, tmp_path: Path) -> None:
    path = _write_export_folder(tmp_path, {})
    times = {"created_at": THEN, "updated_at": THEN}
    product = {
        "id": "msp",
        "name": "M",
        "description": "",
        "category": "rmm",
        "supported_types": "{}",
        **times,
    }
    _write_csv(path, "integrations", product)
    source = {
        "id": "d", "tenant_id": "t", "integration_id": "msp", "status": "active", "config": "{}",
        "credential_expiration_at": NEVER_TEXT, **times,
    }  # fmt: skip
    _write_csv(path, "data_sources", source)
    await run_import(database_url, path)
    assert (await read_tables(database_url))["data_sources"]["d"]["credential_expiration_at"] == NEVER


@pytest.mark.newest
@pytest.mark.parametrize(("given", "stored"), [(NEVER, NEVER), (NEVER - 1, NEVER), (FAR_MS, FAR_MS)])
async def test_import_time_after_the_year_9999_becomes_never(
    exported_world: ExportedWorld, database_url: str, tmp_path: Path, given: int, stored: int
) -> None:
    world = {table: [dict(row) for row in rows] for table, rows in exported_world.items()}
    changed = world["data_sources"][-1]
    changed["credential_expiration_at"] = given
    done = await run_import(database_url, write_snapshot(tmp_path / "snapshot.zip", world))
    row = (await read_tables(database_url))["data_sources"][changed["id"]]
    assert row["credential_expiration_at"] == stored
    reported = "credentialExpirationAt: a time after the year 9999 became never" in done.text
    assert reported is (given not in (NEVER, FAR_MS))


async def test_import_guid_in_two_spellings_keeps_the_first(database_url: str, tmp_path: Path) -> None:
    guid = "A1B2C3D4-E5F6-4A7B-8C9D-0E1F2A3B4C5D"
    path = _write_export_folder(
        tmp_path, {"guid": f"{{{guid}}}", "mac_address": "00-16-3E-AA-BB-CC"}, {"guid": guid.lower()}
    )
    done = await run_import(database_url, path)
    assert done.row_counts["agents"] == (2, 1, 0, 0, 1)
    assert "guid: the same as in line 2" in done.rejection_lines[0]
    (agent,) = (await read_tables(database_url))["agents"].values()
    assert (agent["id"], agent["guid"], agent["mac_address"]) == ("a0", guid.lower(), "00:16:3e:aa:bb:cc")
    assert (await run_import(database_url, path)).row_counts["agents"] == (2, 0, 0, 1, 1)


@pytest.mark.parametrize(
    "refusal",
    [
        "RAISE EXCEPTION USING MESSAGE = 'refused', DETAIL = 'Failing row contains ' || NEW.hostname",
        "PERFORM NEW.hostname::bigint",
        "NEW.hostname := NULL",
    ],
)
async def test_import_aborted_by_database_shows_no_value_of_a_row(
    database_url: str, tmp_path: Path, refusal: str
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {refusal}; RETURN NEW; END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON agents FOR EACH ROW EXECUTE FUNCTION refuse()"""
        )
    finally:
        await connection.close()
    with pytest.raises(StartupError) as reported:
        await run_import(database_url, _write_export_folder(tmp_path, {}))
    assert "The import failed" in str(reported.value)
    assert PLANTED not in str(reported.value)
