"""Exports of both systems in all their forms: every row arrives, as often as one likes, and goes out again."""

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
from tests.clusters import ThrowawayCluster, binaries
from tests.exports.convex import write_snapshot
from tests.exports.supabase import NOBODY, header, write_dump, write_folder
from tests.exports.world import JSON_COLUMNS, Row, World, special, without_secrets, world
from tests.importing import contents, expected, imported

pytestmark = pytest.mark.newest

SHOWN: Final = "SELECT xmin::text || ctid::text FROM public.{} ORDER BY id"

Write = Callable[[Path, World], Path]

CONVEX: Final[dict[str, Write]] = {
    "convex": lambda path, rows: write_snapshot(path / "snapshot.zip", rows),
    "convex-before-2026": lambda path, rows: write_snapshot(path / "snapshot.zip", rows, uniform=False),
}
SUPABASE: Final[dict[str, Write]] = {
    "csv": write_folder,
    "csv-of-dashboard": lambda path, rows: write_folder(path, rows, "_rows.csv"),
    "dump": lambda path, rows: write_dump(path / "dump.sql", rows),
}


@pytest.fixture(scope="module")
def rows() -> World:
    return without_secrets(world())


@pytest.mark.parametrize("write", CONVEX.values(), ids=CONVEX)
async def test_a_convex_snapshot_arrives(
    database_url: str, rows: World, write: Write, tmp_path: Path
) -> None:
    await _arrives(database_url, special(rows), expected(special(rows)), write, tmp_path)


@pytest.mark.parametrize("write", SUPABASE.values(), ids=SUPABASE)
async def test_a_supabase_export_arrives(
    database_url: str, rows: World, write: Write, tmp_path: Path
) -> None:
    await _arrives(database_url, rows, _as_supabase_has_it(rows), write, tmp_path)


async def _arrives(
    url: str, rows: World, there: dict[str, dict[str, Row]], write: Write, tmp_path: Path
) -> None:
    path = write(tmp_path, rows)
    first = await imported(url, path)
    assert first.numbers == {name: (len(table), len(table), 0, 0, 0) for name, table in rows.items()}
    assert await contents(url) == there
    before = await _versions(url)
    second = await imported(url, path)
    assert second.numbers == {name: (len(table), 0, 0, len(table), 0) for name, table in rows.items()}
    assert await _versions(url) == before


def _as_supabase_has_it(rows: World) -> dict[str, dict[str, Row]]:
    there = expected(rows)
    for tenant in there["tenants"].values():
        tenant.update(status="active", metadata=None, deleted_at=None)
    for source in there["data_sources"].values():
        source["last_sync_at"] = None
    return there


async def _versions(url: str) -> dict[str, list[str]]:
    """Which versions of which rows stand where, and how much the change log holds."""
    connection = await asyncpg.connect(url)
    try:
        tables = [*await contents(url), "../live.change"]
        return {
            table: [row[0] for row in await connection.fetch(SHOWN.format(table))]
            for table in tables
            if table[0] != "."
        } | {"changes": [str(await connection.fetchval("SELECT count(*) FROM live.change"))]}
    finally:
        await connection.close()


async def test_what_is_exported_is_what_was_imported(
    cluster: ThrowawayCluster, template: str, database_url: str, rows: World, tmp_path: Path
) -> None:
    await imported(database_url, write_snapshot(tmp_path / "first.zip", special(rows)))
    counts = await export_convex(database_url, tmp_path / "second.zip")
    assert counts == {name: len(table) for name, table in rows.items()}
    again = await imported(database_url, tmp_path / "second.zip")
    assert {numbers[1:3] for numbers in again.numbers.values()} == {(0, 0)}
    other = await cluster.create(template)
    await imported(cluster.dsn(other), tmp_path / "second.zip")
    there, here = await contents(cluster.dsn(other)), await contents(database_url)
    await cluster.drop(other)
    assert there == here == expected(special(rows))


async def test_numbers_in_json_that_no_float64_holds_leave_rounded(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    """As docs/import.md says."""
    await imported(database_url, write_snapshot(tmp_path / "first.zip", rows))
    connection = await asyncpg.connect(database_url)
    exact = '{"digits": 0.12345678901234567890, "beyond": 123456789012345678901234, "big": 9007199254740993}'
    row_id = rows["entities"][0]["id"]
    await connection.execute("UPDATE entities SET raw_data = $2 WHERE id = $1", row_id, exact)
    await connection.close()
    await export_convex(database_url, tmp_path / "second.zip")
    again = await imported(database_url, tmp_path / "second.zip")
    changed = {table: numbers[1:] for table, numbers in again.numbers.items() if numbers[1] or numbers[2]}
    assert changed == {"entities": (0, 1, len(rows["entities"]) - 1, 0)}
    there = (await contents(database_url))["entities"][row_id]["raw_data"]
    assert there == {"digits": 0.12345678901234568, "beyond": 1.2345678901234568e23, "big": 2**53 + 1}


def _sql_type(name: str, table: str) -> str:
    if name.endswith("_at") or name.startswith(("effective_", "period_")):
        return "timestamptz"
    if name in JSON_COLUMNS:
        return "jsonb"
    return "text[]" if (table, name) == ("integrations", "supported_types") else "text"


async def test_a_dump_by_pg_dump_itself_arrives(
    cluster: ThrowawayCluster, database_url: str, rows: World, tmp_path: Path
) -> None:
    """PostgreSQL reads our CSV files, so that they are CSV; what its own program dumps of them is imported."""
    folder = write_folder(tmp_path / "csv", _with_array_literals(rows))
    name = await cluster.create()
    connection = await asyncpg.connect(cluster.dsn(name))
    for table, found in rows.items():
        columns = header(table, found)
        declared = ", ".join(f'"{column}" {_sql_type(column, table)}' for column in columns)
        await connection.execute(f"CREATE TABLE public.{table} ({declared})")
        await connection.copy_to_table(table, source=folder / f"{table}.csv", format="csv", header=True)
        assert await connection.fetchval(f"SELECT count(*) FROM public.{table}") == len(found)  # noqa: S608
    await connection.close()
    dump = tmp_path / "dump.sql"
    program = [binaries(cluster.version) / "pg_dump", cluster.dsn(name), "--file", dump, "--no-owner"]
    await asyncio.to_thread(subprocess.run, program, check=True, capture_output=True)
    await cluster.drop(name)
    outcome = await imported(database_url, dump)
    assert outcome.report.rejected == 0, outcome.text
    assert await contents(database_url) == _as_supabase_has_it(rows)


def _with_array_literals(rows: World) -> World:
    integrations = [
        row | {"supported_types": "{" + ",".join(row["supported_types"]) + "}"}
        for row in rows["integrations"]
    ]
    return {**rows, "integrations": integrations}


async def test_only_the_tables_that_are_named(database_url: str, rows: World, tmp_path: Path) -> None:
    path = write_snapshot(tmp_path / "snapshot.zip", rows)
    outcome = await imported(database_url, path, "tenants", "integrations")
    assert list(outcome.numbers) == ["tenants", "integrations"]
    later = await imported(database_url, path, "sites")
    assert later.numbers == {"sites": (len(rows["sites"]), len(rows["sites"]), 0, 0, 0)}
    assert not (await contents(database_url))["agents"]


async def test_what_changed_since_is_updated(database_url: str, rows: World, tmp_path: Path) -> None:
    await imported(database_url, write_snapshot(tmp_path / "snapshot.zip", rows))
    changed = [dict(row) for row in rows["sites"]]
    changed[0]["name"], changed[0]["metadata"] = "Renamed", None
    changed[0]["slug"], changed[1]["slug"] = changed[1]["slug"], changed[0]["slug"]
    again = await imported(database_url, write_snapshot(tmp_path / "later.zip", {**rows, "sites": changed}))
    assert again.numbers["sites"] == (len(changed), 0, 2, len(changed) - 2, 0)
    assert (await contents(database_url))["sites"] == {row["id"]: row for row in changed}


async def test_a_column_that_the_file_does_not_have_stays_what_it_is(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    await imported(database_url, write_snapshot(tmp_path / "snapshot.zip", rows))
    outcome = await imported(database_url, write_folder(tmp_path / "csv", rows))
    assert outcome.numbers["tenants"] == (len(rows["tenants"]), 0, 0, len(rows["tenants"]), 0)
    assert NOBODY not in str(await contents(database_url))
    assert await contents(database_url) == expected(rows)


async def test_a_row_that_changes_is_of_now_where_its_file_has_no_times(
    database_url: str, rows: World, tmp_path: Path
) -> None:
    await imported(database_url, write_snapshot(tmp_path / "snapshot.zip", rows))
    bare = [
        {name: value for name, value in row.items() if name not in ("created_at", "updated_at")}
        for row in rows["sites"]
    ]
    bare[0]["name"] = "Renamed"
    path = write_folder(tmp_path / "csv", {"sites": bare})
    began = now_ms()
    assert (await imported(database_url, path)).numbers["sites"] == (len(bare), 0, 1, len(bare) - 1, 0)
    there = (await contents(database_url))["sites"]
    first = rows["sites"][0]
    assert there[first["id"]]["updated_at"] >= began - 1_000  # two clocks
    changed = {"name": "Renamed", "updated_at": there[first["id"]]["updated_at"]}
    assert there == {row["id"]: row | (changed if row is first else {}) for row in rows["sites"]}
    assert (await imported(database_url, path)).numbers["sites"] == (len(bare), 0, 0, len(bare), 0)
    assert (await contents(database_url))["sites"] == there


async def test_an_owner_who_is_under_the_policies_imports_and_exports(
    cluster: ThrowawayCluster, empty_database_url: str, rows: World, tmp_path: Path
) -> None:
    """Where the connecting role may not create the role of requests, row-level security is forced on it."""
    admin = await asyncpg.connect(empty_database_url)
    name = await admin.fetchval("SELECT current_database()")
    role = f"importer_{name}"
    await admin.execute(f'CREATE ROLE {role} LOGIN; GRANT CREATE, TEMPORARY ON DATABASE "{name}" TO {role}')
    await admin.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    await admin.close()
    url = cluster.dsn(name, role)
    await migrate(url, Settings(request_role="nobody_has_made_it"))
    path = write_snapshot(tmp_path / "a.zip", rows)
    trial = await imported(url, path, dry_run=True)
    first = await imported(url, path, strict=True)
    assert (
        first.numbers
        == trial.numbers
        == {name: (len(table), len(table), 0, 0, 0) for name, table in rows.items()}
    )
    assert await contents(url) == expected(rows)
    again = await imported(url, path)
    assert {numbers[1:3] for numbers in again.numbers.values()} == {(0, 0)}
    assert await export_convex(url, tmp_path / "b.zip") == {name: len(table) for name, table in rows.items()}
