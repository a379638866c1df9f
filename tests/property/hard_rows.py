"""Rows with difficult values, made from the declarations: for each variant one chain of rows through all tables."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import asyncpg

from core.clock import NEVER
from schema.table import Column, Kind, Table
from schema.tables import BY_NAME, TABLES
from tests.sample_rows import SAMPLE_ROWS, build_row, insert_row

TEXTS: Final = (
    "",
    "\"quoted\" 'single' \\ back\\slash / </script> &amp; %_\\%",
    "\x01\x07\x08\x0b\x0c\x1f\x7f\x9f\t\n\r",
    "\u2028 \u2029 \u0085 \ufeff \ufffd \uffff",
    "😀 \U0001d518\U0001d52b\U0001d526 日本 e\u0301 é \u202eltr 👩\u200d👩\u200d👧",
    "İSTANBUL ß ẞ \u017f Σς ﬁ ǅ",
    "$1::text {t} {0} ${x} %s -- '; DROP TABLE x; /*",
    "long " * 600,
)
DOCUMENTS: Final = (
    "{}",
    '{"big": 9007199254740993, "bigger": 123456789012345678901234567890, "negative": -9223372036854775809}',
    '{"tiny": 1e-30, "tenth": 0.1000000000000000055511151231257827, "zeros": 1.500, "zero": -0.0, "huge": 1e40}',
    '{"": "empty", "a b": 1, "\\"q\\"": "\\\\", "é😀": "\\u2028\\u0001", "__typename": null, "1": [true, 1, "1"]}',
    '{"deep": ' + "[" * 60 + "1" + "]" * 60 + "}",
    '{"list": [null, {}, [], "", 0, false, {"a": [{"b": null}]}]}',
    '{"os": {"name": "Windows", "build": [10, 0, 19045]}}',
    '{"text": "' + "x" * 3000 + '"}',
)
ANYTHING: Final = (
    "null",
    "0",
    '""',
    "[]",
    "true",
    "1.10",
    '[1, "a", null]',
    "123456789012345678901234567890",
)
DECIMALS: Final = (
    "0",
    "0.00",
    "-0.01",
    "123456789012345678901234567890",
    "-123456789012345678901234567890.123456789012345678901234567890",
    "0.000000000000000000000000000001",
    "1.50",
    "1E+2",
)
TIMES: Final = (0, -1, 1, -NEVER, NEVER, -62_135_596_800_000, 1_700_000_000_123, 999)
COUNTS: Final = (0, 1, 2**31 - 1, 7, 0, 1, 2, 3)
VARIANTS: Final = len(TEXTS)

_OBJECTS: Final = {
    ("users", "metadata"),
    ("roles", "rights"),
    ("data_sources", "config"),
    ("scheduled_jobs", "payload"),
    ("issued_credentials", "binding"),
}
"""JSON columns that hold objects and nothing else."""


async def write_hard_rows(connection: asyncpg.Connection, tenant_id: str) -> None:
    """Write each variant's rows for a tenant, in one transaction."""
    async with connection.transaction():
        for variant in range(VARIANTS):
            await _write_variant(connection, tenant_id, variant)
        for table in TABLES:
            for column in table.also_by.values():
                await connection.execute(_duplicates_sql(table, column), tenant_id)


async def _write_variant(connection: asyncpg.Connection, tenant_id: str, variant: int) -> None:
    ids = {"tenants": tenant_id}
    for name in SAMPLE_ROWS:
        if name != "tenants":
            ids[name] = await insert_row(
                connection, name, _build_row(BY_NAME[name], f"{tenant_id}-{variant}", ids, variant)
            )


def _duplicates_sql(table: Table, column: str) -> str:
    """Two deleted copies of each of the newest rows and each deleted row: only undeleted rows are unique."""
    stored = [name for name, column in table.columns.items() if column.options.stored]
    names = ", ".join(f'"{name}"' for name in stored if name not in ("id", "deleted_at"))
    some = (
        f"(SELECT * FROM {table.name} WHERE tenant_id = $1 ORDER BY deleted_at, created_at DESC LIMIT 40) t"
    )
    given = f"app.new_id(), coalesce(deleted_at, 0) + 5 - n, {names} FROM {some}, generate_series(1, 2) n"
    return f"INSERT INTO {table.name} (id, deleted_at, {names}) SELECT {given} WHERE {column} IS NOT NULL"


def _build_row(table: Table, label: str, ids: Mapping[str, str], variant: int) -> Mapping[str, Any]:
    row = build_row(table.name, label, ids)
    held = {reference.column for reference in table.references} | {choice.column for choice in table.choices}
    for name, column in table.columns.items():
        if column.options.stored and name not in held and name not in ("id", "deleted_at"):
            value = _hard_value(table, column, variant + len(name))
            row |= {} if value is None else {name: value}
    return row


def _hard_value(table: Table, column: Column, turn: int) -> Any:
    match column.kind:
        case Kind.TEXT:
            return TEXTS[turn % VARIANTS]
        case Kind.JSON:
            texts = DOCUMENTS if (table.name, column.name) in _OBJECTS or turn % 3 else ANYTHING
            return texts[turn % VARIANTS]
        case Kind.DECIMAL:
            return Decimal(DECIMALS[turn % VARIANTS])
        case Kind.TIMESTAMP:
            return TIMES[turn % VARIANTS]
        case Kind.INT:
            return COUNTS[turn % VARIANTS]
        case Kind.TEXTS:
            return [TEXTS[turn % VARIANTS], TEXTS[(turn + 1) % VARIANTS]][: turn % 3]
        case _:
            return None
