"""Exports of the same tables on Supabase: a folder of CSV files from the dashboard, and a dump of `pg_dump`."""

import csv
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.exports.exported_world import JSON_COLUMNS, ExportedWorld, Row

NEVER: Final = 9_007_199_254_740_991
ABSENT_COLUMNS: Final = {"tenants": ("status", "metadata", "deleted_at"), "data_sources": ("last_sync_at",)}
"""Columns that Supabase's tables do not have."""
RENAMED_COLUMNS: Final = {
    ("tenant_bill_line_items", "unit_cost"): "unti_cost",
    ("tenant_bill_line_items", "created_at"): "create_at",
}
NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"

_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
)
DUMP_END: Final = b"--\n-- PostgreSQL database dump complete\n--\n\n"
"""The end of each dump of `pg_dump`. A dump without it is truncated."""
_HEAD: Final = """--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET client_encoding = 'UTF8';

CREATE FUNCTION public.noop() RETURNS void LANGUAGE sql AS $$ SELECT; $$;

"""


def write_folder(path: Path, world: ExportedWorld, suffix: str = ".csv") -> Path:
    """Write a CSV file for each table."""
    path.mkdir(exist_ok=True)
    for table, rows in world.items():
        with (path / f"{table}{suffix}").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(column_names(table, rows))
            writer.writerows([_format_csv(value) for value in _row_values(table, row)] for row in rows)
    return path


def write_dump(path: Path, world: ExportedWorld, before: str = "") -> Path:
    """Write a dump with the tables in an unhelpful order; `before` is put in front of them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(_HEAD + before)
        for table, rows in sorted(world.items()):
            file.write(f"COPY public.{table} ({', '.join(column_names(table, rows))}) FROM stdin;\n")
            file.writelines("\t".join(map(_format_copy, _row_values(table, row))) + "\n" for row in rows)
            file.write("\\.\n\n\n")
        file.write(DUMP_END.decode())
    return path


def column_names(table: str, rows: list[Row]) -> list[str]:
    """The names of a table's columns in Supabase."""
    return [
        RENAMED_COLUMNS.get((table, name), name)
        for name in rows[0]
        if name not in ABSENT_COLUMNS.get(table, ())
    ]


def _row_values(table: str, row: Row) -> list[Any]:
    return [
        NIL_UUID if (table, name, value) == ("data_sources", "site_id", None) else convert_value(name, value)
        for name, value in row.items()
        if name not in ABSENT_COLUMNS.get(table, ())
    ]


def convert_value(name: str, value: Any) -> Any:
    """A value in Supabase's PostgreSQL: times as timestamps, JSON as text."""
    if value is None:
        return None
    if name.endswith("_at") or name.startswith(("effective_", "period_")):
        return format_timestamp(value)
    return json.dumps(value, ensure_ascii=False) if name in JSON_COLUMNS else value


def format_timestamp(ms: int) -> str:
    """A moment as `timestamptz` is written."""
    if ms == NEVER:
        return "9999-12-31 23:59:59+00"
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    fraction = f".{time.microsecond:06}".rstrip("0") if time.microsecond else ""
    return f"{time:%Y-%m-%d %H:%M:%S}{fraction}+00"


def _format_csv(value: Any) -> str:
    if isinstance(value, list):
        return json.dumps(value)
    return _SIMPLE.get(type(value), str)(value)


def _format_copy(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, list):
        quoted = (json.dumps(each, ensure_ascii=False) for each in value)
        return ("{" + ",".join(quoted) + "}").translate(_ESCAPES)
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value).translate(_ESCAPES)


_SIMPLE: Final[Mapping[type, Callable[[Any], str]]] = {
    type(None): lambda _: "",
    bool: lambda value: "true" if value else "false",
}
