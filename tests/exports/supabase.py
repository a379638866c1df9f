"""Exports of the same tables on Supabase: a folder of CSV files from the dashboard, and a dump of `pg_dump`."""

import csv
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.exports.world import JSON_COLUMNS, Row, World

NEVER: Final = 9_007_199_254_740_991
ABSENT: Final = {"tenants": ("status", "metadata", "deleted_at"), "data_sources": ("last_sync_at",)}
"""Columns that there are none of there."""
NAMES: Final = {
    ("tenant_bill_line_items", "unit_cost"): "unti_cost",
    ("tenant_bill_line_items", "created_at"): "create_at",
}
NOBODY: Final = "00000000-0000-0000-0000-000000000000"

_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
)
_HEAD: Final = """--
-- PostgreSQL database dump
--

SET statement_timeout = 0;
SET client_encoding = 'UTF8';

CREATE FUNCTION public.noop() RETURNS void LANGUAGE sql AS $$ SELECT; $$;

"""


def write_folder(path: Path, world: World, suffix: str = ".csv") -> Path:
    """Write a CSV file for each table."""
    path.mkdir(exist_ok=True)
    for table, rows in world.items():
        with (path / f"{table}{suffix}").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header(table, rows))
            writer.writerows([_csv(value) for value in _values(table, row)] for row in rows)
    return path


def write_dump(path: Path, world: World, before: str = "") -> Path:
    """Write a dump, the tables in no helpful order; `before` stands in front of them."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(_HEAD + before)
        for table, rows in sorted(world.items()):
            file.write(f"COPY public.{table} ({', '.join(header(table, rows))}) FROM stdin;\n")
            file.writelines("\t".join(map(_copy, _values(table, row))) + "\n" for row in rows)
            file.write("\\.\n\n\n")
        file.write("--\n-- PostgreSQL database dump complete\n--\n")
    return path


def header(table: str, rows: list[Row]) -> list[str]:
    """The names of a table's columns there."""
    return [NAMES.get((table, name), name) for name in rows[0] if name not in ABSENT.get(table, ())]


def _values(table: str, row: Row) -> list[Any]:
    return [
        NOBODY if (table, name, value) == ("data_sources", "site_id", None) else as_postgres(name, value)
        for name, value in row.items()
        if name not in ABSENT.get(table, ())
    ]


def as_postgres(name: str, value: Any) -> Any:
    """A value as PostgreSQL has it there: times as timestamps, JSON as its text."""
    if value is None:
        return None
    if name.endswith("_at") or name.startswith(("effective_", "period_")):
        return timestamp(value)
    return json.dumps(value, ensure_ascii=False) if name in JSON_COLUMNS else value


def timestamp(ms: int) -> str:
    """A moment as `timestamptz` is written."""
    if ms == NEVER:
        return "9999-12-31 23:59:59+00"
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    fraction = f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction}+00"


def _csv(value: Any) -> str:
    if isinstance(value, list):
        return json.dumps(value)
    return _SIMPLE.get(type(value), str)(value)


def _copy(value: Any) -> str:
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
