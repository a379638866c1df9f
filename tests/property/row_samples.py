"""Rows of the database, sampled as its owner: the source of filters, ids and searches in generated documents."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import asyncpg

from schema.table import Column, Kind, Scope, Table
from schema.tables import BY_NAME, LISTED, TABLES
from tests.property.input_values import EnumName

Row = Mapping[str, Any]
"""A row by its columns' SQL names, each value as GraphQL takes it as input."""

_ROWS_PER_TABLE: Final = 25
_COLUMNS_OF_TENANTS: Final = ("tenant_id", "id")


@dataclass(slots=True)
class RowSamples:
    """Sampled rows.

    Attributes:
        rows: By table, then by tenant; None for rows without tenant.
        by_id: By table and id.
    """

    rows: dict[str, dict[str | None, list[Row]]] = field(default_factory=dict)
    by_id: dict[tuple[str, str], Row] = field(default_factory=dict)

    def add_row(self, table: Table, row: Row) -> None:
        """Keep a row, once."""
        if (table.name, row["id"]) not in self.by_id:
            self.by_id[table.name, row["id"]] = row
            tenant = row["id"] if table.scope is Scope.ITSELF else row.get("tenant_id")
            self.rows.setdefault(table.name, {}).setdefault(tenant, []).append(row)

    def choose_tenant_row(self, table: Table, tenant_id: str, random: Random) -> Row | None:
        """A row of the tenant, or of no tenant; mostly one that is not deleted."""
        of_table = self.rows.get(table.name, {})
        found = [*of_table.get(tenant_id, ()), *of_table.get(None, ())]
        live = [row for row in found if row.get("deleted_at") is None]
        return random.choice(live if live and random.random() < 0.94 else found) if found else None

    def choose_deleted_row(self, table: Table, tenant_id: str, random: Random) -> Row | None:
        """A deleted row of the tenant."""
        found = [
            r for r in self.rows.get(table.name, {}).get(tenant_id, ()) if r.get("deleted_at") is not None
        ]
        return random.choice(found) if found else None

    def choose_any_row(self, table: Table, random: Random) -> Row | None:
        """A row of whatever tenant, deleted or not."""
        found = [row for rows in self.rows.get(table.name, {}).values() for row in rows]
        return random.choice(found) if found else None


async def sample_rows(connection: asyncpg.Connection) -> RowSamples:
    """Sample each table for each tenant, deleted rows too, and the rows that the sampled ones name."""
    samples = RowSamples()
    for table in LISTED:
        for record in await connection.fetch(_sample_sql(table)):
            samples.add_row(table, _convert_row(table, record))
    for _ in range(2):
        for table, ids in _referenced_ids(samples).items():
            sql = f"SELECT {_columns_sql(table)} FROM {table.name} t WHERE id = ANY($1) ORDER BY id"
            for record in await connection.fetch(sql, sorted(ids)):
                samples.add_row(table, _convert_row(table, record))
    return samples


def _sample_sql(table: Table) -> str:
    tenant = next((name for name in _COLUMNS_OF_TENANTS if name in table.columns), "id")
    group = f"{tenant}, deleted_at IS NULL" if table.soft_deletes else tenant
    rows = f"{table.relation} t" + "".join(f" WHERE {name} = '{value}'" for name, value in table.only)
    # By a hash of the id, so that a seed gives the same rows again.
    ranked = f"SELECT t.*, row_number() OVER (PARTITION BY {group} ORDER BY md5(id)) AS place FROM {rows}"
    return f"SELECT {_columns_sql(table)} FROM ({ranked}) t WHERE place <= {_ROWS_PER_TABLE} ORDER BY id"


def _columns_sql(table: Table) -> str:
    return ", ".join(f'{_column_sql(column)} AS "{name}"' for name, column in table.columns.items())


def _column_sql(column: Column) -> str:
    return column.sql("t") + ("::text" if column.kind is Kind.DECIMAL else "")


def _convert_row(table: Table, record: asyncpg.Record) -> Row:
    return {name: _convert_value(column, record[name]) for name, column in table.columns.items()}


def _convert_value(column: Column, value: Any) -> Any:
    if value is None:
        return None
    match column.kind:
        case Kind.JSON:
            return json.loads(value)
        case Kind.ENUM:
            return EnumName(str(value).upper())
        case _:
            return value


def _referenced_ids(samples: RowSamples) -> dict[Table, set[str]]:
    named: dict[Table, set[str]] = {}
    for table in TABLES:
        rows = [row for of_tenant in samples.rows.get(table.name, {}).values() for row in of_tenant]
        for target, row_id in _iter_references(table, rows):
            if (target.name, row_id) not in samples.by_id:
                named.setdefault(target, set()).add(row_id)
    return named


def _iter_references(table: Table, rows: list[Row]) -> Iterable[tuple[Table, str]]:
    for row in rows:
        for reference in table.references:
            if row.get(reference.column) is not None:
                yield BY_NAME[reference.table], row[reference.column]
