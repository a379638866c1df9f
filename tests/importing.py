"""Imports for tests: run as the command runs them, and what stands in the database afterwards."""

import io
import math
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import orjson

from core.encryption import SecretKeys
from core.settings import Settings
from services.imports.importing import Origin, import_data, opened_source, wishes
from services.imports.report import Report
from tests.exports.world import JSON_COLUMNS, Int64, Row, World

TABLES: Final = (
    "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
)
GENERATED: Final = frozenset({"agent_id", "data_source_id", "site_id", "scheduled_job_id", "integration_id"})


class Outcome(NamedTuple):
    """What an import came to: the report, and what the operator reads."""

    report: Report
    text: str

    @property
    def numbers(self) -> dict[str, tuple[int, ...]]:
        """Rows read, inserted, updated, unchanged and rejected, of each table that had any."""
        return {t.table: (t.read, *t.merged, t.rejected) for t in self.report.tables if t.read}

    @property
    def rejections(self) -> list[str]:
        """The lines about rejected rows."""
        lines = self.text.split("\n")
        return lines[: next(at for at, line in enumerate(lines) if line.startswith("table "))]


async def imported(
    url: str,
    path: Path,
    *tables: str,
    dry_run: bool = False,
    strict: bool = False,
    keys: SecretKeys | None = None,
    **settings: Any,
) -> Outcome:
    """Import a snapshot (a ZIP file), a folder or a dump."""
    origin = Origin.CONVEX if path.suffix == ".zip" else Origin.SUPABASE
    wanted = wishes(frozenset(tables) or None, dry_run=dry_run, strict=strict)
    output = io.StringIO()
    source = opened_source(origin, path)
    try:
        report = await import_data(url, Settings(**settings), source, wanted, output, keys or SecretKeys())
    finally:
        source.close()
    return Outcome(report, output.getvalue())


async def contents(url: str) -> dict[str, dict[str, Row]]:
    """All rows of all tables, by table and id, JSON parsed."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT set_config('app.platform', 'on', false)")
        names = [row[0] for row in await connection.fetch(TABLES) if row[0] != "aerich"]
        return {name: await _rows(connection, name) for name in names}
    finally:
        await connection.close()


async def _rows(connection: asyncpg.Connection, table: str) -> dict[str, Row]:
    rows = await connection.fetch(f"SELECT * FROM public.{table}")  # noqa: S608
    left_out = GENERATED if table == "health_checks" else frozenset()
    return {
        row["id"]: {
            name: orjson.loads(value) if name in JSON_COLUMNS and value is not None else value
            for name, value in row.items()
            if name not in left_out
        }
        for row in rows
    }


def expected(world: World) -> dict[str, dict[str, Row]]:
    """What should stand there after the import of a world."""
    return {
        table: {row["id"]: {name: stored(value) for name, value in row.items()} for row in rows}
        for table, rows in world.items()
    }


def stored(value: Any) -> Any:
    """A value of a world as it is stored: what JSON cannot say in the words of Convex's export."""
    if isinstance(value, dict):
        return {key: stored(part) for key, part in value.items()}
    if isinstance(value, list):
        return [stored(part) for part in value]
    if isinstance(value, bytes):
        return {"$bytes": "AAEC/w=="}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": {"nan": "AAAAAAAA+H8=", "inf": "AAAAAAAA8H8=", "-inf": "AAAAAAAA8P8="}[str(value)]}
    return int(value) if isinstance(value, Int64) else value
