"""Committed writes with a known effect. A write that the database refuses has no effect."""

from collections.abc import Sequence
from random import Random
from typing import Final

import asyncpg

from demo.load import AS_PLATFORM
from schema.table import Column, Kind, Table

_REFUSED: Final = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.RaiseError,
    asyncpg.InsufficientPrivilegeError,  # the audit log is append-only
)
_SIGN_IN_COLUMNS: Final = {
    "users": frozenset({"tenant_id", "role_id", "status", "deleted_at"}),
    "roles": frozenset({"tenant_id", "rights", "deleted_at"}),
    "tenants": frozenset({"status", "deleted_at"}),
}
"""Columns that decide who may sign in, by table. They affect every query of the viewer."""


def list_plain_columns(table: Table) -> list[Column]:
    """Columns that are no references and do not decide who may sign in."""
    names = {"id", "tenant_id", *(r.column for r in table.references), *_SIGN_IN_COLUMNS.get(table.name, ())}
    choices = {name for choice in table.choices for name in (choice.discriminator, choice.column)}
    return [c for c in table.columns.values() if c.options.stored and c.name not in names | choices]


def list_writable_columns(table: Table) -> list[Column]:
    """All columns except the row's id and its tenant."""
    return [c for c in table.columns.values() if c.options.stored and c.name not in ("id", "tenant_id")]


async def update_column(
    connection: asyncpg.Connection, table: Table, column: Column, ids: Sequence[str], random: Random
) -> int:
    """Change a column of these rows; returns how many have a new value."""
    name, value = column.name, _new_value_sql(table, column, random)
    sql = f"""
        WITH picked AS (SELECT id, "{name}" AS old FROM {table.name} WHERE id = ANY($1)),
             written AS (UPDATE {table.name} t SET "{name}" = {value} WHERE id = ANY($1)
                         RETURNING id, "{name}" AS new)
        SELECT count(*) FROM picked JOIN written USING (id) WHERE old IS DISTINCT FROM new"""
    return await _execute_committed(connection, sql, list(ids))


def _new_value_sql(table: Table, column: Column, random: Random) -> str:
    """The SQL of a value that usually differs from the present one."""
    match column.kind:
        case Kind.TEXT:
            return f"""t."{column.name}" || '{random.choice(("a", "Z", "~", "é"))}'"""
        case Kind.INT | Kind.TIMESTAMP | Kind.DECIMAL:
            return f'coalesce(t."{column.name}", 0) + 1'
        case Kind.BOOLEAN:
            return f'NOT t."{column.name}"'
        case Kind.JSON:
            return (
                f"""CASE WHEN t."{column.name}"::text LIKE '%1%' THEN '{{}}' ELSE '{{"1": 1}}' END::jsonb"""
            )
        case Kind.ENUM if column.enum:
            names = ", ".join(f"'{member.value}'" for member in column.enum)
            return f"""(ARRAY[{names}])[1 + (coalesce(array_position(ARRAY[{names}], t."{column.name}"::text), 0) %
                {len(column.enum)})]"""
        case _:
            return f'(SELECT o."{column.name}" FROM {table.name} o ORDER BY random() LIMIT 1)'


async def insert_copies(connection: asyncpg.Connection, table: Table, id_: str, count: int, mark: str) -> int:
    """Insert copies of a row after it in the order by id; returns how many."""
    names = [c.name for c in table.columns.values() if c.options.stored and c.name != "id"]
    unique = {"slug", "guid", "email", "external_id", "name", "resource_id", "period_start"}
    values = ", ".join(
        _unique_value_sql(table.columns[name], mark) if name in unique else f't."{name}"' for name in names
    )
    quoted = ", ".join(f'"{name}"' for name in names)
    sql = f"""
        WITH made AS (
            INSERT INTO {table.name} (id, {quoted}) SELECT t.id || '~{mark}' || n, {values}
            FROM {table.name} t, generate_series(1, $2::int) n WHERE t.id = $1 RETURNING id)
        SELECT count(*) FROM made"""
    return await _execute_committed(connection, sql, id_, count)


def _unique_value_sql(column: Column, mark: str) -> str:
    if column.kind in (Kind.INT, Kind.TIMESTAMP):
        return f't."{column.name}" + n'
    return f"""t."{column.name}" || '{mark}' || n"""


async def delete_copies(connection: asyncpg.Connection, table: Table, mark: str) -> int:
    """Delete the rows that `insert_copies` made; returns how many."""
    sql = f"""
        WITH gone AS (DELETE FROM {table.name} WHERE id LIKE $1 RETURNING id) SELECT count(*) FROM gone"""
    return await _execute_committed(connection, sql, f"%~{mark}%")


async def _execute_committed(connection: asyncpg.Connection, sql: str, *values: object) -> int:
    try:
        async with connection.transaction():
            await connection.execute(AS_PLATFORM)
            count: int = await connection.fetchval(sql, *values)
            return count
    except _REFUSED:
        return 0
