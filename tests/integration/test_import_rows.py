"""Exports of both systems in all their forms: every row is imported, any number of times, and exported again."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from core.clock import now_ms
from core.settings import Settings
from services.convex_export import export_convex
from services.migrations import migrate
from tests.clusters import ThrowawayCluster, find_binaries
from tests.exports.convex import write_snapshot
from tests.exports.exported_world import (
    JSON_COLUMNS,
    ExportedWorld,
    Row,
    with_special_values,
)
from tests.exports.supabase import NIL_UUID, column_names, write_dump, write_folder
from tests.import_harness import expect_tables, read_tables, run_import

pytestmark = pytest.mark.newest

SHOWN: Final = "SELECT xmin::text || ctid::text FROM public.{} ORDER BY id"

Write = Callable[[Path, ExportedWorld], Path]

CONVEX: Final[dict[str, Write]] = {
    "convex": lambda path, exported_world: write_snapshot(path / "snapshot.zip", exported_world),
    "convex-before-2026": lambda path, exported_world: write_snapshot(
        path / "snapshot.zip", exported_world, uniform=False
    ),
}
SUPABASE: Final[dict[str, Write]] = {
    "csv": write_folder,
    "csv-of-dashboard": lambda path, exported_world: write_folder(path, exported_world, "_rows.csv"),
    "dump": lambda path, exported_world: write_dump(path / "dump.sql", exported_world),
}


@pytest.mark.parametrize("write", CONVEX.values(), ids=CONVEX)
async def test_import_convex_snapshot_stores_every_row_once(
    database_url: str, exported_world: ExportedWorld, write: Write, tmp_path: Path
) -> None:
    await _assert_import_is_complete_and_idempotent(
        database_url,
        with_special_values(exported_world),
        expect_tables(with_special_values(exported_world)),
        write,
        tmp_path,
    )


@pytest.mark.parametrize("write", SUPABASE.values(), ids=SUPABASE)
async def test_import_supabase_export_stores_every_row_once(
    database_url: str, exported_world: ExportedWorld, write: Write, tmp_path: Path
) -> None:
    await _assert_import_is_complete_and_idempotent(
        database_url, exported_world, _expect_supabase_rows(exported_world), write, tmp_path
    )


async def _assert_import_is_complete_and_idempotent(
    url: str, exported_world: ExportedWorld, there: dict[str, dict[str, Row]], write: Write, tmp_path: Path
) -> None:
    path = write(tmp_path, exported_world)
    first = await run_import(url, path)
    assert first.row_counts == {
        name: (len(table), len(table), 0, 0, 0) for name, table in exported_world.items()
    }
    assert await read_tables(url) == there
    before = await _fetch_row_versions(url)
    second = await run_import(url, path)
    assert second.row_counts == {
        name: (len(table), 0, 0, len(table), 0) for name, table in exported_world.items()
    }
    assert await _fetch_row_versions(url) == before


def _expect_supabase_rows(exported_world: ExportedWorld) -> dict[str, dict[str, Row]]:
    there = expect_tables(exported_world)
    for tenant in there["tenants"].values():
        tenant.update(status="active", metadata=None, deleted_at=None)
    for source in there["data_sources"].values():
        source["last_sync_at"] = None
    return there


async def _fetch_row_versions(url: str) -> dict[str, list[str]]:
    """The versions and positions of all rows, and the size of the change log."""
    connection = await asyncpg.connect(url)
    try:
        tables = [*await read_tables(url), "../live.change"]
        return {
            table: [row[0] for row in await connection.fetch(SHOWN.format(table))]
            for table in tables
            if table[0] != "."
        } | {"changes": [str(await connection.fetchval("SELECT count(*) FROM live.change"))]}
    finally:
        await connection.close()


async def test_export_convex_after_import_gives_the_imported_rows(
    cluster: ThrowawayCluster,
    migrated_template: str,
    database_url: str,
    exported_world: ExportedWorld,
    tmp_path: Path,
) -> None:
    await run_import(
        database_url, write_snapshot(tmp_path / "first.zip", with_special_values(exported_world))
    )
    counts = await export_convex(database_url, tmp_path / "second.zip")
    assert counts == {name: len(table) for name, table in exported_world.items()}
    again = await run_import(database_url, tmp_path / "second.zip")
    assert {numbers[1:3] for numbers in again.row_counts.values()} == {(0, 0)}
    other = await cluster.create_database(migrated_template)
    await run_import(cluster.build_dsn(other), tmp_path / "second.zip")
    there, here = await read_tables(cluster.build_dsn(other)), await read_tables(database_url)
    await cluster.drop_database(other)
    assert there == here == expect_tables(with_special_values(exported_world))


HARD: Final = (
    "0.12345678901234567890", "12345678901234567890123", "9007199254740993", "18446744073709551616",
    "1152921504606846976", "-9223372036854775809", "1e400", "-1e400", "1e-400", "1e22", "1e16383", "0.1", "5",
)  # fmt: skip


async def test_export_convex_hard_numbers_in_json_round_trip_exactly(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    """As docs/import.md says; PostgreSQL compares."""
    await run_import(database_url, write_snapshot(tmp_path / "first.zip", exported_world))
    exact, row_id = f"[{', '.join(HARD)}]", exported_world["entities"][0]["id"]
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("UPDATE entities SET raw_data = $2 WHERE id = $1", row_id, exact)
        await export_convex(database_url, tmp_path / "second.zip")
        again = await run_import(database_url, tmp_path / "second.zip")
        assert {numbers[1:3] for numbers in again.row_counts.values()} == {(0, 0)}
        await connection.execute("UPDATE entities SET raw_data = '[]' WHERE id = $1", row_id)
        await run_import(database_url, tmp_path / "second.zip")
        query = """
            SELECT given::text
            FROM entities, jsonb_array_elements($2::text::jsonb) WITH ORDINALITY AS g (given, at)
            WHERE id = $1 AND raw_data -> (at::int - 1) IS DISTINCT FROM given"""
        assert [row[0][:40] for row in await connection.fetch(query, row_id, exact)] == []
    finally:
        await connection.close()


def _choose_sql_type(name: str, table: str) -> str:
    if name.endswith("_at") or name.startswith(("effective_", "period_")):
        return "timestamptz"
    if name in JSON_COLUMNS:
        return "jsonb"
    return "text[]" if (table, name) == ("integrations", "supported_types") else "text"


async def test_import_dump_by_pg_dump_stores_every_row(
    cluster: ThrowawayCluster, database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    """PostgreSQL reads our CSV files, so they are valid CSV. The output of its own pg_dump is imported."""
    folder = write_folder(tmp_path / "csv", _use_array_literals(exported_world))
    name = await cluster.create_database()
    connection = await asyncpg.connect(cluster.build_dsn(name))
    for table, found in exported_world.items():
        columns = column_names(table, found)
        declared = ", ".join(f'"{column}" {_choose_sql_type(column, table)}' for column in columns)
        await connection.execute(f"CREATE TABLE public.{table} ({declared})")
        await connection.copy_to_table(table, source=folder / f"{table}.csv", format="csv", header=True)
        assert await connection.fetchval(f"SELECT count(*) FROM public.{table}") == len(found)
    await connection.close()
    dump = tmp_path / "dump.sql"
    program: list[str | Path] = [
        find_binaries(cluster.version) / "pg_dump",
        cluster.build_dsn(name),
        "--file",
        dump,
        "--no-owner",
    ]
    await asyncio.to_thread(lambda: subprocess.run(program, check=True, capture_output=True))
    await cluster.drop_database(name)
    outcome = await run_import(database_url, dump)
    assert outcome.report.rejected == 0, outcome.text
    assert await read_tables(database_url) == _expect_supabase_rows(exported_world)


def _use_array_literals(exported_world: ExportedWorld) -> ExportedWorld:
    integrations = [
        row | {"supported_types": "{" + ",".join(row["supported_types"]) + "}"}
        for row in exported_world["integrations"]
    ]
    return {**exported_world, "integrations": integrations}


async def test_import_named_tables_imports_only_those(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    path = write_snapshot(tmp_path / "snapshot.zip", exported_world)
    outcome = await run_import(database_url, path, "tenants", "integrations")
    assert list(outcome.row_counts) == ["tenants", "integrations"]
    later = await run_import(database_url, path, "sites")
    assert later.row_counts == {
        "sites": (len(exported_world["sites"]), len(exported_world["sites"]), 0, 0, 0)
    }
    assert not (await read_tables(database_url))["agents"]


async def test_import_again_with_changed_rows_updates_them(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    await run_import(database_url, write_snapshot(tmp_path / "snapshot.zip", exported_world))
    changed = [dict(row) for row in exported_world["sites"]]
    changed[0]["name"], changed[0]["metadata"] = "Renamed", None
    changed[0]["slug"], changed[1]["slug"] = changed[1]["slug"], changed[0]["slug"]
    again = await run_import(
        database_url, write_snapshot(tmp_path / "later.zip", {**exported_world, "sites": changed})
    )
    assert again.row_counts["sites"] == (len(changed), 0, 2, len(changed) - 2, 0)
    assert (await read_tables(database_url))["sites"] == {row["id"]: row for row in changed}


async def test_import_file_without_a_column_keeps_its_values(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    await run_import(database_url, write_snapshot(tmp_path / "snapshot.zip", exported_world))
    outcome = await run_import(database_url, write_folder(tmp_path / "csv", exported_world))
    assert outcome.row_counts["tenants"] == (
        len(exported_world["tenants"]),
        0,
        0,
        len(exported_world["tenants"]),
        0,
    )
    assert NIL_UUID not in str(await read_tables(database_url))
    assert await read_tables(database_url) == expect_tables(exported_world)


async def test_import_changed_row_without_times_gets_the_current_time(
    database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    await run_import(database_url, write_snapshot(tmp_path / "snapshot.zip", exported_world))
    bare = [
        {name: value for name, value in row.items() if name not in ("created_at", "updated_at")}
        for row in exported_world["sites"]
    ]
    bare[0]["name"] = "Renamed"
    path = write_folder(tmp_path / "csv", {"sites": bare})
    began = now_ms()
    assert (await run_import(database_url, path)).row_counts["sites"] == (len(bare), 0, 1, len(bare) - 1, 0)
    there = (await read_tables(database_url))["sites"]
    first = exported_world["sites"][0]
    assert there[first["id"]]["updated_at"] >= began - 1_000  # two clocks
    changed = {"name": "Renamed", "updated_at": there[first["id"]]["updated_at"]}
    assert there == {row["id"]: row | (changed if row is first else {}) for row in exported_world["sites"]}
    assert (await run_import(database_url, path)).row_counts["sites"] == (len(bare), 0, 0, len(bare), 0)
    assert (await read_tables(database_url))["sites"] == there


async def test_import_and_export_by_owner_under_policies_are_complete(
    cluster: ThrowawayCluster, empty_database_url: str, exported_world: ExportedWorld, tmp_path: Path
) -> None:
    """If the connecting role may not create the role of requests, row-level security is forced on it."""
    admin = await asyncpg.connect(empty_database_url)
    name = await admin.fetchval("SELECT current_database()")
    role = f"importer_{name}"
    await admin.execute(f'CREATE ROLE {role} LOGIN; GRANT CREATE, TEMPORARY ON DATABASE "{name}" TO {role}')
    await admin.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    await admin.close()
    url = cluster.build_dsn(name, role)
    await migrate(url, Settings(request_role="nobody_has_made_it"))
    path = write_snapshot(tmp_path / "a.zip", exported_world)
    trial = await run_import(url, path, dry_run=True)
    first = await run_import(url, path, strict=True)
    assert (
        first.row_counts
        == trial.row_counts
        == {name: (len(table), len(table), 0, 0, 0) for name, table in exported_world.items()}
    )
    assert await read_tables(url) == expect_tables(exported_world)
    again = await run_import(url, path)
    assert {numbers[1:3] for numbers in again.row_counts.values()} == {(0, 0)}
    assert await export_convex(url, tmp_path / "b.zip") == {
        name: len(table) for name, table in exported_world.items()
    }
