"""Live queries of every kind on every table, derived from the declarations; and the rows that none looks at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import asyncpg

from schema.table import Reference, Scope, Table
from schema.tables import BY_NAME, TABLES

PAGE: Final = 2
_AHEAD: Final = 2 * PAGE
"""So many rows at either end of the order by id are looked at by pages, or are the next ones to come into them."""


@dataclass(slots=True)
class Outlook:
    """What the live queries of one table look at, and what they do not.

    Attributes:
        ids: Rows that some are asked for by id.
        keys: The value of each reference that some are asked for by.
        rows: Rows that are there and not deleted, in the order of their ids.
        outside: Rows that none of the queries looks at.
    """

    table: Table
    ids: list[str]
    keys: dict[str, str]
    rows: list[str]
    outside: list[str] = field(default_factory=list)


async def outlook(connection: asyncpg.Connection, table: Table, tenant_id: str) -> Outlook | None:
    """What to look at in a table, for a tenant; None where there are too few rows to look away from any."""
    records = await connection.fetch(_ROWS.format(table=table.name, whose=_whose(table)), tenant_id)
    rows = [dict(record) for record in records]
    live = [row["id"] for row in rows if row.get("deleted_at") is None]
    if len(live) < 4 * _AHEAD:
        return None
    middle = [row for row in rows if live[_AHEAD] < row["id"] < live[-_AHEAD]]
    chosen = middle[len(middle) // 2]
    ids = [chosen["id"], live[0]]
    outside = [row for row in middle if row["id"] not in ids]
    keys: dict[str, str] = {}
    for reference in table.references:
        column, key = reference.column, chosen[reference.column]
        away = [row for row in outside if row[column] != key]
        if column != "tenant_id" and key and len(away) >= PAGE:
            keys[column], outside = key, away
    return Outlook(table, ids, keys, live, [row["id"] for row in outside]) if outside else None


_ROWS: Final = "SELECT * FROM {table} WHERE {whose} ORDER BY id"


def _whose(table: Table) -> str:
    match table.scope:
        case Scope.TENANT:
            return "tenant_id = $1"
        case Scope.TENANT_OR_GLOBAL:
            return "(tenant_id = $1 OR tenant_id IS NULL)"
        case Scope.ITSELF:
            return "id = $1"
        case _:
            return "$1::text IS NOT NULL"


def apart(looks: Sequence[Outlook]) -> list[Outlook]:
    """Those that have rows outside still, when the rows that others are asked for below of are taken from them."""
    for look in looks:
        parents = {
            key
            for other in looks
            for r in other.table.references
            if r.table == look.table.name
            for key in [other.keys.get(r.column)]
        }
        look.outside = [id_ for id_ in look.outside if id_ not in parents]
    return [look for look in looks if look.outside]


def questions(outlook: Outlook, random: Random, columns: int | None = None) -> Iterator[str]:
    """A root field of each kind, with all columns of its own, or with so many of any drawn for each."""
    table, ids = outlook.table, outlook.ids
    for id_ in (ids[0], "nobody"):
        yield f"{table.one}(id: {_text(id_)}) {{ {_columns(table, random, columns)} }}"
    for arguments in (
        f"where: {{id: {{in: [{_text(ids[0])}, {_text(ids[1])}]}}}}",
        f"first: {PAGE}, orderBy: [{{field: ID}}]",
        f"last: {PAGE}, orderBy: [{{field: ID}}]",
    ):
        yield _list(table, table.many, arguments, random, columns)
    for reference in table.references:
        if key := outlook.keys.get(reference.column):
            yield from _by_reference(table, reference, _text(key), random, columns)


def _by_reference(
    table: Table, reference: Reference, key: str, random: Random, columns: int | None
) -> Iterator[str]:
    """The rows that name a row, asked for by a filter and below that row."""
    column = table.columns.get(reference.column)
    if column is not None:
        where = f"where: {{{column.graphql_name}: {{eq: {key}}}}}"
        yield _list(table, table.many, f"first: 50, {where}", random, columns)
    if reference.many:
        below = _list(table, reference.many, "first: 50", random, columns)
        yield f"{BY_NAME[reference.table].one}(id: {key}) {{ id {below} }}"


def _list(table: Table, name: str, arguments: str, random: Random, columns: int | None) -> str:
    page = "pageInfo { hasNextPage hasPreviousPage }" if "orderBy" in arguments else "totalCount"
    return f"{name}({arguments}) {{ {page} nodes {{ {_columns(table, random, columns)} }} }}"


def _columns(table: Table, random: Random, count: int | None) -> str:
    if count is None:  # what looks at other rows is told of any of the tenant's
        return " ".join(["id", *(c.graphql_name for c in table.columns.values() if not c.options.looks)])
    names = [column.graphql_name for column in table.columns.values()]
    return " ".join(["id", *random.sample(names, min(count, len(names)))])


def _text(value: str) -> str:
    assert '"' not in value
    return f'"{value}"'


def looked_into() -> frozenset[str]:
    """Tables that computed columns of other tables look into: any row of the tenant may matter to them."""
    return frozenset(
        of_table
        for table in TABLES
        for column in table.columns.values()
        for of_table, _ in column.options.reads
        if of_table != table.name
    )
