"""One level of an answer, and the SQL that fetches it.

A level is a list of one table, at the root or below many parents. `build_page_sql` writes the statement of both.
Below parents, one statement runs the page once for each key:

    SELECT k.key AS "__key", r.* FROM unnest($1::text[]) AS k(key) CROSS JOIN LATERAL (<page of k.key>) r

PostgreSQL can join a lateral subquery with a limit by a nested loop only. So the rows of each key keep their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from resolvers.sql.access import QueryViewer, build_tenant_conditions
from resolvers.sql.cursors import Cursor, build_cursor_sql
from resolvers.sql.filters import FilterCompiler
from resolvers.sql.ordering import Order, build_after_condition, build_order_by_sql, reverse_order
from resolvers.sql.parameters import Param, Parameters
from schema.table import Column, Kind, Table

KEY_COLUMN: Final = "__key"
"""The column with the parent to which a row belongs."""

CURSOR_COLUMN: Final = "__cursor"
"""The column with the row's cursor."""

_ALIAS: Final = "t"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The rows of a table that a list selects, with their order and columns. An answer depends on its levels.

    Attributes:
        table: The table.
        columns: The columns that the answer needs.
        key: The column that refers to the parent. None at the root.
        where: The coerced `where` input.
        equal: Columns of the table that must equal a value.
        search: The text that one of the table's searched columns must contain.
        include_deleted: Whether deleted rows are shown.
        order: The order, with the id last. Empty if no order is needed (at most one row for a key).
        limit: The most rows for a key. None for all.
        offset: Rows to skip.
        backward: Whether the rows are counted from the end of the order.
        after: The cursor after which the page begins.
        before: The cursor before which it ends.
        fingerprint: The list's fingerprint if the rows need cursors, else None.
    """

    table: Table
    columns: tuple[Column, ...]
    key: str | None = None
    where: Mapping[str, Any] | None = None
    equal: tuple[tuple[str, object], ...] = ()
    search: str | Param | None = None
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
    """SQL and its bound values."""

    sql: str
    arguments: Sequence[object]


class StatementBuilder:
    """A statement under construction: its viewer, its bound values, and the aliases of its filters."""

    def __init__(self, viewer: QueryViewer) -> None:
        self.viewer = viewer
        self.parameters = Parameters()
        self.filters = FilterCompiler(viewer, self.parameters)

    def build(self, sql: str) -> Statement:
        """The finished statement with its bound values."""
        return Statement(sql, self.parameters.values)


def build_rows_statement(
    query: ListQuery, viewer: QueryViewer, keys: Sequence[str] | None = None
) -> Statement:
    """The statement that fetches a level's rows, one more than its limit.

    With `keys`, it fetches those of all these parents.
    """
    builder = StatementBuilder(viewer)
    selected = _build_selected_columns(query, builder.parameters)
    limit = None if query.limit is None else query.limit + 1
    if keys is None:
        return builder.build(build_page_sql(query, builder, _ALIAS, None, selected, limit))
    bound = builder.parameters.add(list(keys), "text[]")
    key = f"{_ALIAS}.{query.key}"
    if limit is None:
        selected.append(f'{key} AS "{KEY_COLUMN}"')
        return builder.build(build_page_sql(query, builder, _ALIAS, f"{key} = ANY({bound})", selected, None))
    rows = build_page_sql(query, builder, _ALIAS, f"{key} = k.key", selected, limit)
    sql = f'SELECT k.key AS "{KEY_COLUMN}", r.* FROM unnest({bound}) AS k(key) CROSS JOIN LATERAL ({rows}) r'
    return builder.build(sql)


def build_count_statement(
    query: ListQuery, viewer: QueryViewer, keys: Sequence[str] | None = None
) -> Statement:
    """The statement that counts a level's rows on all pages, as `total`.

    With `keys`, it counts for each of these parents.
    """
    builder = StatementBuilder(viewer)
    if keys is None:
        return builder.build(build_count_sql(query, builder, _ALIAS, None))
    bound = builder.parameters.add(list(keys), "text[]")
    count = build_count_sql(query, builder, _ALIAS, f"{_ALIAS}.{query.key} = k.key")
    sql = f'SELECT k.key AS "{KEY_COLUMN}", c.total FROM unnest({bound}) AS k(key) CROSS JOIN LATERAL ({count}) c'
    return builder.build(sql)


def build_page_sql(
    query: ListQuery,
    builder: StatementBuilder,
    alias: str,
    parent_condition: str | None,
    selected: Sequence[str],
    limit: int | None,
    joins: Sequence[str] = (),
) -> str:
    """The SELECT of a level's page, with the alias `alias`.

    `parent_condition` is the condition that relates it to its parent.

    With a limit, a subquery selects the page first, and the columns are computed from its rows only. In a single
    SELECT, PostgreSQL would compute them for every row that it sorts. For cursors that takes longer than the sort.
    The order of the rows stays.
    """
    order = reverse_order(query.order) if query.backward else query.order
    conditions = _build_conditions(query, builder, alias, parent_condition)
    if query.after:
        conditions.append(build_after_condition(query.order, query.after.key, alias, builder.parameters))
    if query.before:
        conditions.append(
            build_after_condition(reverse_order(query.order), query.before.key, alias, builder.parameters)
        )
    rest = _build_where_clause(conditions) + (
        f" ORDER BY {build_order_by_sql(order, alias)}" if order else ""
    )
    source = f"{query.table.relation} {alias}"
    if limit is not None:
        page = f"LIMIT {limit:d}"  # a literal: with a bound limit, a generic plan expects a tenth of all rows
        if query.offset:
            page += f" OFFSET {builder.parameters.add(query.offset, 'bigint')}"
        source, rest = f"(SELECT {alias}.* FROM {source}{rest} {page}) {alias}", ""
    return f"SELECT {', '.join(selected)} FROM {' '.join((source, *joins))}{rest}"


def build_count_sql(
    query: ListQuery, builder: StatementBuilder, alias: str, parent_condition: str | None
) -> str:
    """The SELECT that counts a level's rows on all pages."""
    conditions = _build_conditions(query, builder, alias, parent_condition)
    return f"SELECT count(*) AS total FROM {query.table.relation} {alias}{_build_where_clause(conditions)}"


def build_row_cursor_sql(query: ListQuery, parameters: Parameters, alias: str) -> str:
    """The SQL expression of a row's cursor in this level."""
    parent = "NULL::text" if query.key is None else f"{alias}.{query.key}"
    return build_cursor_sql(parameters.add(query.fingerprint), parent, query.order, alias)


def _build_selected_columns(query: ListQuery, parameters: Parameters) -> list[str]:
    selected = [f'{_build_output_column(column)} AS "{column.name}"' for column in query.columns]
    if query.fingerprint is not None:
        selected.append(f'{build_row_cursor_sql(query, parameters, _ALIAS)} AS "{CURSOR_COLUMN}"')
    return selected


def _build_output_column(column: Column) -> str:
    """A column in the form of the answer. Decimals are text, digit by digit."""
    return column.sql(_ALIAS) + ("::text" if column.kind is Kind.DECIMAL else "")


def _build_conditions(
    query: ListQuery, builder: StatementBuilder, alias: str, parent_condition: str | None
) -> list[str]:
    parameters = builder.parameters
    conditions = build_tenant_conditions(builder.viewer, query.table, alias, parameters)
    if parent_condition:
        conditions.append(parent_condition)
    if query.table.soft_deletes and not query.include_deleted:
        conditions.append(f"{alias}.deleted_at IS NULL")
    conditions.extend(f"{alias}.{name} = {parameters.add(value)}" for name, value in query.equal)
    conditions.extend(builder.filters.compile_filter(query.table, alias, query.where))
    if query.search not in (None, ""):
        conditions.append(_build_search_condition(query.table, alias, parameters.add(query.search)))
    return conditions


def _build_search_condition(table: Table, alias: str, bound: str) -> str:
    found = (f"strpos(app.fold({column.sql(alias)}), app.fold({bound})) > 0" for column in table.searched)
    return f"({' OR '.join(found)})"


def _build_where_clause(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""
