"""Live queries of every kind on every table, derived from the declarations; and rows that no query reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import asyncpg

from schema.table import Reference, Scope, Table
from schema.tables import BY_NAME, TABLES

PAGE_SIZE: Final = 2
_EDGE_ROWS: Final = 2 * PAGE_SIZE
"""The number of rows at either end of the order by id that pages read, or that are the next to enter a page."""


@dataclass(slots=True)
class QueryScope:
    """The rows of one table that its live queries read, and those that they do not read.

    Attributes:
        ids: Rows that are queried by id.
        keys: The value of each reference by which some are queried.
        rows: Rows that exist and are not deleted, in the order of their ids.
        outside: Rows that no query reads.
    """

    table: Table
    ids: list[str]
    keys: dict[str, str]
    rows: list[str]
    outside: list[str] = field(default_factory=list)


async def choose_query_scope(
    connection: asyncpg.Connection, table: Table, tenant_id: str
) -> QueryScope | None:
    """The rows to query in a table, for a tenant; None if there are too few rows to leave any out."""
    records = await connection.fetch(
        _ROWS_SQL.format(table=table.name, whose=_tenant_condition(table)), tenant_id
    )
    rows = [dict(record) for record in records]
    live = [row["id"] for row in rows if row.get("deleted_at") is None]
    if len(live) < 4 * _EDGE_ROWS:
        return None
    middle = [row for row in rows if live[_EDGE_ROWS] < row["id"] < live[-_EDGE_ROWS]]
    chosen = middle[len(middle) // 2]
    ids = [chosen["id"], live[0]]
    outside = [row for row in middle if row["id"] not in ids]
    keys: dict[str, str] = {}
    for reference in table.references:
        column, key = reference.column, chosen[reference.column]
        away = [row for row in outside if row[column] != key]
        if column != "tenant_id" and key and len(away) >= PAGE_SIZE:
            keys[column], outside = key, away
    return QueryScope(table, ids, keys, live, [row["id"] for row in outside]) if outside else None


_ROWS_SQL: Final = "SELECT * FROM {table} WHERE {whose} ORDER BY id"


def _tenant_condition(table: Table) -> str:
    match table.scope:
        case Scope.TENANT:
            return "tenant_id = $1"
        case Scope.TENANT_OR_GLOBAL:
            return "(tenant_id = $1 OR tenant_id IS NULL)"
        case Scope.ITSELF:
            return "id = $1"
        case _:
            return "$1::text IS NOT NULL"


def remove_parent_rows(scopes: Sequence[QueryScope]) -> list[QueryScope]:
    """The outlooks that still have rows outside, without the rows that other queries reach by references."""
    for scope in scopes:
        parents = {
            key
            for other in scopes
            for r in other.table.references
            if r.table == scope.table.name
            for key in [other.keys.get(r.column)]
        }
        scope.outside = [id_ for id_ in scope.outside if id_ not in parents]
    return [scope for scope in scopes if scope.outside]


def iter_root_fields(scope: QueryScope, random: Random, columns: int | None = None) -> Iterator[str]:
    """A root field of each kind, with all of its own columns, or with a random selection of that many for each."""
    table, ids = scope.table, scope.ids
    for id_ in (ids[0], "nobody"):
        yield f"{table.one}(id: {_quote(id_)}) {{ {_format_columns(table, random, columns)} }}"
    for arguments in (
        f"where: {{id: {{in: [{_quote(ids[0])}, {_quote(ids[1])}]}}}}",
        f"first: {PAGE_SIZE}, orderBy: [{{field: ID}}]",
        f"last: {PAGE_SIZE}, orderBy: [{{field: ID}}]",
    ):
        yield _format_list(table, table.many, arguments, random, columns)
    for reference in table.references:
        if key := scope.keys.get(reference.column):
            yield from _iter_reference_fields(table, reference, _quote(key), random, columns)


def _iter_reference_fields(
    table: Table, reference: Reference, key: str, random: Random, columns: int | None
) -> Iterator[str]:
    """Queries for the rows that refer to a row: by a filter, and below that row."""
    column = table.columns.get(reference.column)
    if column is not None:
        where = f"where: {{{column.graphql_name}: {{eq: {key}}}}}"
        yield _format_list(table, table.many, f"first: 50, {where}", random, columns)
    if reference.many:
        below = _format_list(table, reference.many, "first: 50", random, columns)
        yield f"{BY_NAME[reference.table].one}(id: {key}) {{ id {below} }}"


def _format_list(table: Table, name: str, arguments: str, random: Random, columns: int | None) -> str:
    page = "pageInfo { hasNextPage hasPreviousPage }" if "orderBy" in arguments else "totalCount"
    return f"{name}({arguments}) {{ {page} nodes {{ {_format_columns(table, random, columns)} }} }}"


def _format_columns(table: Table, random: Random, count: int | None) -> str:
    if count is None:  # a column that reads other rows depends on any row of the tenant
        return " ".join(
            ["id", *(c.graphql_name for c in table.columns.values() if not c.options.dependencies)]
        )
    names = [column.graphql_name for column in table.columns.values()]
    return " ".join(["id", *random.sample(names, min(count, len(names)))])


def _quote(value: str) -> str:
    assert '"' not in value
    return f'"{value}"'


def tables_read_by_computed_columns() -> frozenset[str]:
    """Tables that computed columns of other tables read. Any row of the tenant may affect those columns."""
    return frozenset(
        of_table
        for table in TABLES
        for column in table.columns.values()
        for of_table, _ in column.options.reads
        if of_table != table.name
    )
