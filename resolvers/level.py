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


class Writing:
    """A statement that is being written: for whom, what is bound so far, and which names are taken."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.parameters = Parameters()
        self.filters = FilterCompiler(viewer, self.parameters)

    def finish(self, sql: str) -> Statement:
        """The statement, with what was bound."""
        return Statement(sql, self.parameters.values)


def rows_statement(level: Level, viewer: Viewer, keys: Sequence[str] | None = None) -> Statement:
    """The statement that fetches a level's rows, one more than its limit; with `keys` for all of these parents."""
    writing = Writing(viewer)
    selected = _selected(level, writing.parameters)
    limit = None if level.limit is None else level.limit + 1
    if keys is None:
        return writing.finish(page_sql(level, writing, _ALIAS, None, selected, limit))
    bound = writing.parameters.add(list(keys), "text[]")
    key = f"{_ALIAS}.{level.key}"
    if limit is None:
        selected.append(f'{key} AS "{KEY}"')
        return writing.finish(page_sql(level, writing, _ALIAS, f"{key} = ANY({bound})", selected, None))
    rows = page_sql(level, writing, _ALIAS, f"{key} = k.key", selected, limit)
    sql = f'SELECT k.key AS "{KEY}", r.* FROM unnest({bound}) AS k(key) CROSS JOIN LATERAL ({rows}) r'
    return writing.finish(sql)


def count_statement(level: Level, viewer: Viewer, keys: Sequence[str] | None = None) -> Statement:
    """The statement that counts a level's rows on all pages, as `total`; with `keys` for each of these parents."""
    writing = Writing(viewer)
    if keys is None:
        return writing.finish(count_sql(level, writing, _ALIAS, None))
    bound = writing.parameters.add(list(keys), "text[]")
    count = count_sql(level, writing, _ALIAS, f"{_ALIAS}.{level.key} = k.key")
    sql = f'SELECT k.key AS "{KEY}", c.total FROM unnest({bound}) AS k(key) CROSS JOIN LATERAL ({count}) c'
    return writing.finish(sql)


def page_sql(
    level: Level,
    writing: Writing,
    alias: str,
    tie: str | None,
    selected: Sequence[str],
    limit: int | None,
    joins: Sequence[str] = (),
) -> str:
    """The SELECT of a level's page under `alias`; `tie` is the condition that ties it to its parent.

    A page is picked before what is selected is computed from its rows (whose order stays): in one SELECT
    PostgreSQL would compute it for every row that it sorts, which for cursors takes longer than the sort.
    """
    order = reversed_order(level.order) if level.backward else level.order
    conditions = _conditions(level, writing, alias, tie)
    if level.after:
        conditions.append(behind(level.order, level.after.key, alias, writing.parameters))
    if level.before:
        conditions.append(behind(reversed_order(level.order), level.before.key, alias, writing.parameters))
    rest = _where(conditions) + (f" ORDER BY {order_by_sql(order, alias)}" if order else "")
    source = f"{level.table.relation} {alias}"
    if limit is not None:
        page = f"LIMIT {limit:d}"  # in words: for a bound one a generic plan expects a tenth of all rows
        if level.offset:
            page += f" OFFSET {writing.parameters.add(level.offset, 'bigint')}"
        source, rest = f"(SELECT {alias}.* FROM {source}{rest} {page}) {alias}", ""
    return f"SELECT {', '.join(selected)} FROM {' '.join((source, *joins))}{rest}"


def count_sql(level: Level, writing: Writing, alias: str, tie: str | None) -> str:
    """The SELECT that counts a level's rows on all pages."""
    conditions = _conditions(level, writing, alias, tie)
    return f"SELECT count(*) AS total FROM {level.table.relation} {alias}{_where(conditions)}"


def cursor_of(level: Level, parameters: Parameters, alias: str) -> str:
    """The SQL expression of a row's cursor in this level."""
    parent = "NULL::text" if level.key is None else f"{alias}.{level.key}"
    return cursor_sql(parameters.add(level.fingerprint), parent, level.order, alias)


def _selected(level: Level, parameters: Parameters) -> list[str]:
    selected = [f'{_given(column)} AS "{column.name}"' for column in level.columns]
    if level.fingerprint is not None:
        selected.append(f'{cursor_of(level, parameters, _ALIAS)} AS "{CURSOR}"')
    return selected


def _given(column: Column) -> str:
    """A column as the answer has it; decimals as text, digit by digit."""
    return column.sql(_ALIAS) + ("::text" if column.kind is Kind.DECIMAL else "")


def _conditions(level: Level, writing: Writing, alias: str, tie: str | None) -> list[str]:
    parameters = writing.parameters
    conditions = scope(writing.viewer, level.table, alias, parameters)
    if tie:
        conditions.append(tie)
    if level.table.soft_deletes and not level.include_deleted:
        conditions.append(f"{alias}.deleted_at IS NULL")
    conditions.extend(f"{alias}.{name} = {parameters.add(value)}" for name, value in level.equal)
    conditions.extend(writing.filters.compile(level.table, alias, level.where))
    if level.search:
        conditions.append(_search(level.table, alias, parameters.add(level.search)))
    return conditions


def _search(table: Table, alias: str, bound: str) -> str:
    found = (f"strpos(app.fold({column.sql(alias)}), app.fold({bound})) > 0" for column in table.searched)
    return f"({' OR '.join(found)})"


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
