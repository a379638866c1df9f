"""Imports for tests: runs an import like the command, and reads the database afterwards."""

import io
import math
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from core.encryption import SecretKeys
from core.settings import Settings
from services.imports.command import ExportOrigin, build_options, import_data, open_source
from services.imports.import_tables import IMPORT_TABLES
from services.imports.report import ImportReport
from tests.exports.exported_world import JSON_COLUMNS, ExportedWorld, Int64, Row

TABLES_SQL: Final = (
    "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
)
GENERATED_COLUMNS: Final = frozenset(
    {"agent_id", "data_source_id", "site_id", "scheduled_job_id", "integration_id"}
)


_REJECTION: Final = re.compile(r"\w+, line \d+")


class ImportOutcome(NamedTuple):
    """The result of an import: the report, and the printed output."""

    report: ImportReport
    text: str

    @property
    def row_counts(self) -> dict[str, tuple[int, ...]]:
        """Rows read, inserted, updated, unchanged and rejected, of each table that had any."""
        return {t.table: (t.read, *t.merged, t.rejected) for t in self.report.tables if t.read}

    @property
    def rejection_lines(self) -> list[str]:
        """The lines about single rejected rows."""
        return [line for line in self.lines_before_counts if _REJECTION.match(line)]

    @property
    def lines_before_counts(self) -> list[str]:
        """The lines about rejected rows, and those about a number of them."""
        lines = self.text.split("\n")
        return lines[: next(at for at, line in enumerate(lines) if line.startswith("table "))]


async def run_import(
    url: str,
    path: Path,
    *tables: str,
    dry_run: bool = False,
    strict: bool = False,
    keys: SecretKeys | None = None,
    user_id_field: str | None = None,
    **settings: Any,
) -> ImportOutcome:
    """Import a snapshot (a ZIP file), a folder or a dump."""
    origin = ExportOrigin.CONVEX if path.suffix == ".zip" else ExportOrigin.SUPABASE
    wanted = build_options(
        frozenset(tables) or None, dry_run=dry_run, strict=strict, user_id_field=user_id_field
    )
    output = io.StringIO()
    source = open_source(origin, path, user_id_field)
    try:
        report = await import_data(url, Settings(**settings), source, wanted, output, keys or SecretKeys())
    finally:
        source.close()
    return ImportOutcome(report, output.getvalue())


async def read_tables(url: str) -> dict[str, dict[str, Row]]:
    """All rows of the tables that are imported, by table and id, JSON parsed."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT set_config('app.platform', 'on', false)")
        names = [row[0] for row in await connection.fetch(TABLES_SQL) if row[0] in IMPORT_TABLES]
        return {name: await _read_rows(connection, name) for name in names}
    finally:
        await connection.close()


async def _read_rows(connection: asyncpg.Connection, table: str) -> dict[str, Row]:
    rows = await connection.fetch(f"SELECT * FROM public.{table}")
    left_out = GENERATED_COLUMNS if table == "health_checks" else frozenset()
    return {
        row["id"]: {
            name: orjson.loads(value) if name in JSON_COLUMNS and value is not None else value
            for name, value in row.items()
            if name not in left_out
        }
        for row in rows
    }


def expect_tables(world: ExportedWorld) -> dict[str, dict[str, Row]]:
    """The expected rows after the import of a world."""
    return {
        table: {row["id"]: {name: expect_value(value) for name, value in row.items()} for row in rows}
        for table, rows in world.items()
    }


def expect_value(value: Any) -> Any:
    """A value of a world as it is stored. Values that JSON cannot represent have the form of Convex's export."""
    if isinstance(value, dict):
        return {key: expect_value(part) for key, part in value.items()}
    if isinstance(value, list):
        return [expect_value(part) for part in value]
    if isinstance(value, bytes):
        return {"$bytes": "AAEC/w=="}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": {"nan": "AAAAAAAA+H8=", "inf": "AAAAAAAA8H8=", "-inf": "AAAAAAAA8P8="}[str(value)]}
    return int(value) if isinstance(value, Int64) else value
