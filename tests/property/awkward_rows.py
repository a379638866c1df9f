"""Adds difficult values to demo data: ties, nulls, special characters of SQL and LIKE, unusual JSON and amounts."""

import json
from decimal import Decimal
from random import Random
from typing import Any, Final

import asyncpg

from demo.load import AS_PLATFORM
from schema.table import Column, Kind, Table
from schema.tables import TABLES

TEXTS: Final = (
    "", " ", "%", "_", "\\", "100%", "a_b", "a%b", "a\\b", "a\\%b", "'; --", '"', "$1", "{t}", "Acme", "acme",
    "ACME GmbH", "Ärzte", "ärzte", "ÄRZTE & Söhne", "жук", "ЖУК", "Ñandú", "日本", "😀", "😀 ok", "e\u0301", "é",
    "Straße", "STRASSE", "\ufffd", "\U0010ffff", "line\nbreak", "null", "0", "10", "9",
)  # fmt: skip
"""Difficult texts: wildcards, quotes, placeholders, case, planes beyond the first, code point order."""

JSONS: Final[tuple[Any, ...]] = (
    {}, {"a": 1}, {"a": 1.0, "b": None}, {"a": True}, {"a": "1"}, {"a": {"b": [1, 2, {"c": "x"}]}}, {"": 0},
    {"a": [1, [2, 3]]}, {"a": []}, {"a%": "\\", "Ä": "😀"}, {"0": "zero"}, {"a": 12345678901234567890},
    {"a": 0.1}, {"a": "\\u0000"}, {"tags": ["x", "y", "x"]},
    {"name": "Acme", "externalParentId": "7", "apiHost": "%"}, {"name": ["x", 1], "apiHost": {"a": 0.5}},
    {"name": 7, "externalParentId": True, "apiHost": None}, {"name": "", "externalParentId": 1.50},
)  # fmt: skip
LISTS: Final[tuple[Any, ...]] = ([], ["a", "b"], [["a"]], "text", 7, None, False)
"""Values of a column that may hold any JSON."""

AMOUNTS: Final = ("0", "-0.01", "1", "1.0", "1.00", "12.5", "0.0000000001", "99999999999999999999.99", "-7")
TIMES: Final = (0, 1, -1, 1_700_000_000_000, 9_007_199_254_740_991)
NUMBERS: Final = (0, 1, -1, 2_147_483_647, -2_147_483_648)

_UNIQUE: Final = {"slug", "guid", "email", "external_id", "method", "table_name", "record_id"}
_NOT_NEGATIVE: Final = {"total"}
"""Numbers with a check; job_progress.total is one."""
_ROWS_MAX: Final = 250


async def make_rows_awkward(connection: asyncpg.Connection, tenant_id: str) -> None:
    """Change about a third of the tenant's rows (at most 250 a table), each in most of its free columns."""
    random = Random("awkward")  # noqa: S311 - the same on every run
    await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_not_changed")
    for table in TABLES:
        tenant = " WHERE tenant_id = $1 OR tenant_id IS NULL" if "tenant_id" in table.columns else ""
        columns = [column for column in table.columns.values() if _is_free(column)]
        async with connection.transaction():
            await connection.execute(AS_PLATFORM)
            found = await connection.fetch(
                f"SELECT id FROM {table.name}{tenant} ORDER BY id",
                *([tenant_id] if tenant else []),
            )
            ids = [row["id"] for row in found]
            for row_id in random.sample(ids, min(_ROWS_MAX, -(-len(ids) // 3))):
                await _change_row(connection, table, columns, row_id, random)


def _is_free(column: Column) -> bool:
    if (
        not column.options.stored
        or column.name in _UNIQUE | _NOT_NEGATIVE
        or column.name in ("id", "deleted_at", "resource_id", "actor_id")
    ):
        return False
    if column.kind is Kind.TIMESTAMP:
        return column.nullable or column.never or column.name in ("created_at", "scheduled_at")
    return column.kind in (Kind.TEXT, Kind.JSON, Kind.DECIMAL) or (
        column.kind in (Kind.INT, Kind.BOOLEAN) and column.nullable
    )


async def _change_row(
    connection: asyncpg.Connection, table: Table, columns: list[Column], row_id: str, random: Random
) -> None:
    values = {c.name: _choose_value(c, random) for c in columns if random.random() < 0.7}
    if values:
        sets = ", ".join(
            f"{name} = ${place}{'::text::jsonb' if table.columns[name].kind is Kind.JSON else ''}"
            for place, name in enumerate(values, start=2)
        )
        await connection.execute(
            f"UPDATE {table.name} SET {sets} WHERE id = $1",
            row_id,
            *values.values(),
        )


def _choose_value(column: Column, random: Random) -> Any:
    if column.nullable and random.random() < 0.3:
        return None
    match column.kind:
        case Kind.TEXT:
            return random.choice(TEXTS)
        case Kind.JSON:
            anything = column.nullable or column.name in ("raw_data", "normalized_data", "changes")
            return json.dumps(random.choice(JSONS + LISTS if anything else JSONS))
        case Kind.DECIMAL:
            return Decimal(random.choice(AMOUNTS))
        case Kind.BOOLEAN:
            return random.random() < 0.5
        case Kind.INT:
            return random.choice(NUMBERS)
        case _:
            return random.choice(TIMES)
