"""Exports that leave out each optional field: every value is compared, on each version of PostgreSQL."""

from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.exports.convex import write_snapshot
from tests.exports.exported_world import Row
from tests.exports.optional_fields import BILLING, Column, expect_row, make_rows, read_columns
from tests.exports.supabase import write_dump, write_folder
from tests.import_harness import read_tables, run_import


async def _make_rows(url: str) -> tuple[dict[str, list[Column]], dict[str, list[Row]]]:
    connection = await asyncpg.connect(url)
    try:
        columns = await read_columns(connection)
    finally:
        await connection.close()
    rows = make_rows(columns)
    assert sum(bool(row["left_out"]) for found in rows.values() for row in found) > 120
    return columns, rows


def _expect_tables(
    columns: dict[str, list[Column]], rows: dict[str, list[Row]], *, is_convex: bool
) -> dict[str, dict[str, Row]]:
    return {
        table: {row["id"]: expect_row(table, columns[table], row, is_convex=is_convex) for row in found}
        for table, found in rows.items()
    }


def _without_marks(rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    return {
        table: [{name: value for name, value in row.items() if name != "left_out"} for row in found]
        for table, found in rows.items()
    }


async def _assert_imported(url: str, path: Path, expected: dict[str, dict[str, Row]]) -> None:
    trial = await run_import(url, path, dry_run=True)
    first = await run_import(url, path)
    assert first.rejection_lines == []
    assert first.row_counts == trial.row_counts
    stored = await read_tables(url)
    for table, rows in expected.items():
        for row_id, row in rows.items():
            assert stored[table][row_id] == row
    again = await run_import(url, path)
    assert {(table, *counts[1:3]) for table, counts in again.row_counts.items()} == {
        (table, 0, 0) for table in expected
    }


async def test_import_snapshot_without_each_optional_field_stores_every_value(
    database_url: str, tmp_path: Path
) -> None:
    columns, rows = await _make_rows(database_url)
    path = write_snapshot(tmp_path / "a.zip", _without_marks(rows))
    await _assert_imported(database_url, path, _expect_tables(columns, rows, is_convex=True))


@pytest.mark.parametrize(
    "write",
    [
        lambda path, rows: write_dump(path / "d.sql", rows),
        lambda path, rows: write_folder(path / "csv", rows),
    ],
    ids=["dump", "csv"],
)
async def test_import_supabase_without_each_optional_field_stores_every_value(
    database_url: str, tmp_path: Path, write: Callable[[Path, dict[str, list[Row]]], Path]
) -> None:
    """Supabase demands `created_at`, except in the tables of billing."""
    columns, rows = await _make_rows(database_url)
    rows = {
        table: [row for row in found if row["left_out"] != "created_at" or table in BILLING]
        for table, found in rows.items()
    }
    expected = _expect_tables(columns, rows, is_convex=False)
    for tenant in expected["tenants"].values():
        tenant.update(status="active", metadata=None, deleted_at=None)
    for source in expected["data_sources"].values():
        source["last_sync_at"] = None
    await _assert_imported(database_url, write(tmp_path, _without_marks(rows)), expected)
