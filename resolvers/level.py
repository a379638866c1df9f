"""One level of an answer, and the SQL that fetches it.

A level is a list of one table, at the root or below many parents. The same function writes the statement of both;
below parents it runs once for each key, inside of one statement. (A nested loop over `unnest` keeps the inner order:
a lateral subquery with a limit can be joined in no other way.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.viewer import Viewer
from resolvers.access import scope
from resolvers.cursors import Cursor, cursor_sql
from resolvers.filters import FilterCompiler
from resolvers.orders import Order, behind, order_by_sql, reversed_order
from resolvers.parameters import Parameters
from schema.table import Column, Kind, Table

KEY: Final = "__key"
"""The column that says to which parent a row belongs."""

CURSOR: Final = "__cursor"
"""The column that holds the row's cursor."""

_ALIAS: Final = "t"


@dataclass(frozen=True, slots=True)
class Level:
    """Which rows of a table, in what order and with which columns: what a read is, and what it depends on.

    Attributes:
        table: The table.
        columns: The columns that the answer needs.
        key: The column that ties a row to its parent; None at the root.
        where: The coerced `where` input.
        equal: Columns of the table that must equal a value.
        search: The text that one of the table's searched columns must contain.
        include_deleted: Whether deleted rows are shown.
        order: The order with the id last; empty where order is of no matter (at most one row a key).
        limit: Rows a key at most; None for all.
        offset: Rows to skip.
        backward: Whether the rows are counted from the back of the order.
        after: The cursor behind which the page begins.
        before: The cursor ahead of which it ends.
        fingerprint: The list's fingerprint where rows need cursors, else None.
    """

    table: Table
    columns: tuple[Column, ...]
    key: str | None = None
    where: Mapping[str, Any] | None = None
    equal: tuple[tuple[str, object], ...] = ()
    search: str | None = None
    include_deleted: bool = False
    order: Order = ()
    limit: int | None = None
    offset: int = 0
    backward: bool = False
    after: Cursor | None = None
    before: Cursor | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL and the values bound to it."""

    sql: str
    arguments: Sequence[object]


def rows_statement(level: Level, viewer: Viewer, keys: Sequence[str] | None = None) -> Statement:
    """The statement that fetches a level's rows; with `keys` for all of these parents at once."""
    parameters = Parameters()
    if keys is None:
        return Statement(_rows(level, viewer, parameters, None), parameters.values)
    bound = parameters.add(list(keys), "text[]")
    if level.limit is None:
        key = f"{_ALIAS}.{level.key}"
        sql = _rows(level, viewer, parameters, f"{key} = ANY({bound})", f'{key} AS "{KEY}"')
    else:
        rows = _rows(level, viewer, parameters, f"{_ALIAS}.{level.key} = k.key")
        sql = f'SELECT k.key AS "{KEY}", r.* FROM unnest({bound}) AS k(key) CROSS JOIN LATERAL ({rows}) r'
    return Statement(sql, parameters.values)


def count_statement(level: Level, viewer: Viewer, keys: Sequence[str] | None = None) -> Statement:
    """The statement that counts a level's rows on all pages, as `total`; with `keys` for each of these parents."""
    parameters = Parameters()
    bound = None if keys is None else parameters.add(list(keys), "text[]")
    conditions = _conditions(level, viewer, parameters, bound and f"{_ALIAS}.{level.key} = k.key")
    count = f"SELECT count(*) AS total FROM {level.table.name} {_ALIAS}{_where(conditions)}"
    if bound is None:
        return Statement(count, parameters.values)
    sql = f'SELECT k.key AS "{KEY}", c.total FROM unnest({bound}) AS k(key) CROSS JOIN LATERAL ({count}) c'
    return Statement(sql, parameters.values)


def _rows(level: Level, viewer: Viewer, parameters: Parameters, tie: str | None, *more: str) -> str:
    order = reversed_order(level.order) if level.backward else level.order
    conditions = _conditions(level, viewer, parameters, tie)
    if level.after:
        conditions.append(behind(level.order, level.after.key, _ALIAS, parameters))
    if level.before:
        conditions.append(behind(reversed_order(level.order), level.before.key, _ALIAS, parameters))
    selected = ", ".join([*_selected(level, parameters), *more])
    parts = [f"SELECT {selected} FROM {level.table.name} {_ALIAS}{_where(conditions)}"]
    if order:
        parts.append(f"ORDER BY {order_by_sql(order, _ALIAS)}")
    if level.limit is not None:
        parts.append(f"LIMIT {parameters.add(level.limit + 1, 'bigint')}")
    if level.offset:
        parts.append(f"OFFSET {parameters.add(level.offset, 'bigint')}")
    return " ".join(parts)


def _selected(level: Level, parameters: Parameters) -> list[str]:
    selected = [f'{_given(column)} AS "{column.name}"' for column in level.columns]
    if level.fingerprint is not None:
        parent = "NULL::text" if level.key is None else f"{_ALIAS}.{level.key}"
        cursor = cursor_sql(parameters.add(level.fingerprint), parent, level.order, _ALIAS)
        selected.append(f'{cursor} AS "{CURSOR}"')
    return selected


def _given(column: Column) -> str:
    """A column as the answer has it; decimals as text, digit by digit."""
    return column.sql(_ALIAS) + ("::text" if column.kind is Kind.DECIMAL else "")


def _conditions(level: Level, viewer: Viewer, parameters: Parameters, tie: str | None) -> list[str]:
    compiler = FilterCompiler(viewer, parameters)
    conditions = scope(viewer, level.table, _ALIAS, parameters)
    if tie:
        conditions.append(tie)
    if level.table.soft_deletes and not level.include_deleted:
        conditions.append(f"{_ALIAS}.deleted_at IS NULL")
    conditions.extend(f"{_ALIAS}.{name} = {parameters.add(value)}" for name, value in level.equal)
    conditions.extend(compiler.compile(level.table, _ALIAS, level.where))
    if level.search:
        conditions.append(_search(level.table, parameters.add(level.search)))
    return conditions


def _search(table: Table, bound: str) -> str:
    found = (f"strpos(app.fold({column.sql(_ALIAS)}), app.fold({bound})) > 0" for column in table.searched)
    return f"({' OR '.join(found)})"


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
