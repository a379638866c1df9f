"""The SQL of one compiled connection: a page, the aggregates of its rows, and the object around them.

SELECT row_to_json(o.*) FROM (                                -- the connection
  SELECT a.v1 AS "nodes", ... AS "pageInfo", (SELECT count(*) ...) AS "totalCount" FROM (
    SELECT json_agg(n.*) AS v1, count(*) AS fetched FROM (    -- the aggregates of the rows
      SELECT ... FROM sites t WHERE ... ORDER BY ... LIMIT 50 -- the page: only these rows are processed
    ) p CROSS JOIN LATERAL (SELECT p.id AS "id", ...) n) a) o
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from graphql import FieldNode

from resolvers.compiler.read_tracking import ChildNode, RowJoins
from resolvers.loaders.connections import count_query
from resolvers.sql.list_query import (
    CURSOR_COLUMN,
    ListQuery,
    StatementBuilder,
    build_count_sql,
    build_page_sql,
    build_row_cursor_sql,
)
from schema.table import Column, Kind

_NUMBER: Final = "__number"
"""A row's index in the page as fetched. It counts from the end if the page does."""

_IDENTIFIER_MAX: Final = 63
"""PostgreSQL cuts longer names, and two of them might become one."""

_JSON_KEYS_MAX: Final = 1_000
"""A select list has at most 1,664 entries."""

RowSource = Callable[[Column], str]
SelectEntry = tuple[str, str]
"""A response key with the SQL of its value."""


class NotCompilableError(Exception):
    """The data loaders must answer this root field. The message has the reason."""


def select_list(entries: Sequence[SelectEntry]) -> str:
    """A select list. Response keys become the names of its columns.

    Raises:
        NotCompilableError: PostgreSQL cannot have these names.
    """
    if len(entries) > _JSON_KEYS_MAX:
        raise NotCompilableError(f"more than {_JSON_KEYS_MAX} fields in one object")
    if any(len(key) > _IDENTIFIER_MAX for key, _ in entries):
        raise NotCompilableError("a response key is longer than PostgreSQL's names")
    return ", ".join(f'{sql} AS "{key}"' for key, sql in entries)


@dataclass(frozen=True, slots=True)
class ConnectionSelection:
    """The selected parts of a connection, by response keys in the answer's order.

    Attributes:
        type_name: The row's type.
        fields: The connection's own fields.
        edges: The fields of each `edges` among them.
        page_infos: The names of the fields of each `pageInfo` among them.
        row: Writes a row's select list, from its nodes, the source of its columns, and the list for its joins.
    """

    type_name: str
    fields: Mapping[str, Sequence[FieldNode]]
    edges: Mapping[str, Mapping[str, Sequence[FieldNode]]]
    page_infos: Mapping[str, Mapping[str, str]]
    row: Callable[[Sequence[FieldNode], RowSource, RowJoins], str]

    def selects_info(self, name: str) -> bool:
        """Whether any `pageInfo` has this field."""
        return any(name in names.values() for names in self.page_infos.values())


class ConnectionSql(NamedTuple):
    """The SELECT of a connection as one JSON value, `data`.

    With read tracking it also has `facts` if rows are fetched.

    Attributes:
        columns: The part of it that is a SELECT of the connection's fields as columns. None with read tracking.
        fetches: Whether it fetches rows.
        counts: Whether it counts the rows on all pages.
        children: The places that are read for each row.
    """

    sql: str
    columns: slice | None
    fetches: bool
    counts: bool
    children: tuple[ChildNode, ...]


def build_connection_sql(
    level: ListQuery,
    builder: StatementBuilder,
    selection: ConnectionSelection,
    parent: str | None,
    name: Callable[[str], str],
    *,
    track_reads: bool = False,
) -> ConnectionSql:
    """The SELECT of a connection. `parent` is the SQL of the parent's id."""
    return _ConnectionSqlBuilder(level, builder, selection, parent, name, track_reads=track_reads).build()


class _ConnectionSqlBuilder:
    def __init__(
        self,
        level: ListQuery,
        builder: StatementBuilder,
        selection: ConnectionSelection,
        parent: str | None,
        name: Callable[[str], str],
        *,
        track_reads: bool,
    ) -> None:
        self._level = level
        self._builder = builder
        self._selection = selection
        self._parent = parent
        self._name = name
        self._page = name("p")
        self._outputs = name("a")
        self._joined = RowJoins()
        self._aggregates: list[Callable[[], str]] = []
        self._needed: set[str] = set()
        self._track_reads = track_reads
        self._counts = False
        self._looks_ahead = selection.selects_info("hasPreviousPage" if level.backward else "hasNextPage")

    def build(self) -> ConnectionSql:
        entries = [self._build_field_entry(key, nodes) for key, nodes in self._selection.fields.items()]
        fetches = bool(self._aggregates)
        if self._track_reads and fetches:
            sql, columns = self._build_tracked(select_list(entries)), None
        else:
            sql, columns = self._build_plain(select_list(entries))
        return ConnectionSql(sql, columns, fetches, self._counts, tuple(self._joined.children))

    def _build_plain(self, selected: str) -> tuple[str, slice | None]:
        made = (
            f" FROM ({self._build_joined_sql()}) {self._outputs}"
            if self._aggregates
            else self._build_empty_page_sql()
        )
        outer = self._name("o")
        columns = f"SELECT {selected}{made}"
        if self._track_reads:
            return f"SELECT row_to_json({outer}.*) AS data FROM ({columns}) {outer}", None
        before = f"SELECT row_to_json({outer}.*) FROM ("
        return f"{before}{columns}) {outer}", slice(len(before), len(before) + len(columns))

    def _build_tracked(self, selected: str) -> str:
        """The same with the page's facts (`observing`)."""
        facts, outer = self._add_aggregate(self._build_facts_sql), self._name("o")
        return (
            f"SELECT row_to_json({outer}.*) AS data, {facts} AS facts FROM ({self._build_joined_sql()}) {self._outputs}"  # noqa: E501
            f" CROSS JOIN LATERAL (SELECT {selected}) {outer}"
        )

    def _build_facts_sql(self) -> str:
        of_rows = (f"json_agg({fact}){self._build_page_filter_sql()}" for fact in self._joined.facts)
        return f"json_build_array({', '.join((self._page_bound_sql or 'NULL', *of_rows))})"

    @cached_property
    def _page_bound_sql(self) -> str | None:
        """The last row of a full page, by its values in the order. None if changes do not carry these values."""
        order = [term.column for term in self._level.order]
        if not (self._track_reads and self._rows_fetched_max) or any(column.options.sql for column in order):
            return None
        values = (self._build_column_source(c) + ("::text" if c.kind is Kind.DECIMAL else "") for c in order)
        last = f'{self._page}."{_NUMBER}" = {self._rows_fetched_max}'
        return f"(array_agg(json_build_array({', '.join(values)})) FILTER (WHERE {last}))[1]"

    def _build_empty_page_sql(self) -> str:
        """No row is read, such as for `pageInfo { __typename }`. An invalid page still raises its error."""
        build_page_sql(self._level, StatementBuilder(self._builder.viewer), "t", None, ["1"], 0)
        return ""

    def _build_field_entry(self, key: str, nodes: Sequence[FieldNode]) -> SelectEntry:
        match nodes[0].name.value:
            case "nodes":
                value = self._build_aggregate_sql(self._build_row_join_sql(nodes))
            case "edges":
                value = self._build_aggregate_sql(self._build_edge_join_sql(self._selection.edges[key]))
            case "pageInfo":
                value = self._build_page_info_sql(self._selection.page_infos[key])
            case "totalCount":
                value = self._count_sql()
            case _:
                value = f"""'"{self._selection.type_name}Connection"'::json"""
        return key, value

    def _build_column_source(self, column: Column) -> str:
        self._needed.add(column.name)
        return f'{self._page}."{column.name}"'

    def _build_row_join_sql(self, nodes: Sequence[FieldNode]) -> str:
        selected = self._selection.row(nodes, self._build_column_source, self._joined)
        return self._add_lateral_join(selected)

    def _build_edge_join_sql(self, fields: Mapping[str, Sequence[FieldNode]]) -> str:
        entries = []
        for key, nodes in fields.items():
            match nodes[0].name.value:
                case "node":
                    value = f"row_to_json({self._build_row_join_sql(nodes)})"
                case "cursor":
                    value = f'{self._page}."{CURSOR_COLUMN}"'
                case _:
                    value = f"'{self._selection.type_name}Edge'::text"
            entries.append((key, value))
        return self._add_lateral_join(select_list(entries))

    def _add_lateral_join(self, selected: str) -> str:
        """Join an object for each row. It is used as `.*`, because a bare name could be a response key."""
        name = self._name("n")
        self._joined.joins.append(f"CROSS JOIN LATERAL (SELECT {selected}) {name}")
        return f"{name}.*"

    def _add_aggregate(self, aggregate: Callable[[], str]) -> str:
        """Add an aggregate over the page's rows, and return the SQL of its value.

        It is written once all joins are there.
        """
        self._aggregates.append(aggregate)
        return f"{self._outputs}.v{len(self._aggregates) - 1}"

    def _build_aggregate_sql(self, row: str) -> str:
        rows = self._add_aggregate(
            lambda: f"json_agg({row}{self._build_order_sql()}){self._build_page_filter_sql()}"
        )
        return f"coalesce({rows}, '[]'::json)"

    @property
    def _joins_rows(self) -> bool:
        """Whether rows are joined to others.

        A hash join changes their order, so the aggregates need an ORDER BY then.
        """
        return any(join.startswith("LEFT") for join in self._joined.joins)

    def _build_order_sql(self) -> str:
        if not (self._level.backward or self._joins_rows):
            return ""
        return f' ORDER BY {self._page}."{_NUMBER}"{" DESC" if self._level.backward else ""}'

    def _build_page_filter_sql(self) -> str:
        """Leave out the extra row, which is fetched only to find whether there are more."""
        return (
            f' FILTER (WHERE {self._page}."{_NUMBER}" <= {self._bind_limit()})' if self._looks_ahead else ""
        )

    def _bind_limit(self) -> str:
        """Bind the page size, once for all its uses."""
        return self._builder.parameters.add_once((self._page, "limit"), self._level.limit, "bigint")

    def _build_page_info_sql(self, names: Mapping[str, str]) -> str:
        entries = [(key, self._build_page_info_value(name)) for key, name in names.items()]
        info = self._name("i")
        return f"(SELECT row_to_json({info}.*) FROM (SELECT {select_list(entries)}) {info})"

    def _build_page_info_value(self, name: str) -> str:
        level = self._level
        match name:
            case "hasNextPage":
                return self._has_page_sql(level.before is not None, has_rows=not level.backward)
            case "hasPreviousPage":
                return self._has_page_sql(
                    level.after is not None or level.offset > 0, has_rows=level.backward
                )
            case "startCursor" | "endCursor":
                cursor = f'{self._page}."{CURSOR_COLUMN}"'
                cursors = self._add_aggregate(
                    lambda: f"array_agg({cursor}{self._build_order_sql()}){self._build_page_filter_sql()}"
                )
                return f"{cursors}[{'1' if name == 'startCursor' else f'cardinality({cursors})'}]"
            case _:
                return "'PageInfo'::text"

    def _has_page_sql(self, known: bool, *, has_rows: bool) -> str:  # noqa: FBT001 - the only argument that matters
        return "TRUE" if known else self._has_more_sql() if has_rows else "FALSE"

    def _has_more_sql(self) -> str:
        return f"{self._add_aggregate(lambda: 'count(*)')} > {self._bind_limit()}"

    def _count_sql(self) -> str:
        alias = self._name("t")
        self._counts = True
        return f"({build_count_sql(count_query(self._level), self._builder, alias, self._build_parent_condition(alias))})"  # noqa: E501

    def _build_parent_condition(self, alias: str) -> str | None:
        return None if self._parent is None else f"{alias}.{self._level.key} = {self._parent}"

    def _build_joined_sql(self) -> str:
        joins = "".join(f" {join}" for join in self._joined.joins)
        made = ", ".join(f"{write()} AS v{number}" for number, write in enumerate(self._aggregates))
        return f"SELECT {made} FROM ({self._build_page_sql()}) {self._page}{joins}"

    @property
    def _rows_fetched_max(self) -> int:
        """The most rows that are fetched."""
        return (self._level.limit or 0) + self._looks_ahead

    def _build_page_sql(self) -> str:
        alias = self._name("t")
        columns = (c for c in self._level.table.columns.values() if c.name in self._needed)
        selected = [f'{column.sql(alias)} AS "{column.name}"' for column in columns]
        if self._level.fingerprint is not None:
            selected.append(
                f'{build_row_cursor_sql(self._level, self._builder.parameters, alias)} AS "{CURSOR_COLUMN}"'
            )
        tie = self._build_parent_condition(alias)
        page = build_page_sql(
            self._level, self._builder, alias, tie, selected or ["NULL"], self._rows_fetched_max
        )
        if not (self._looks_ahead or self._level.backward or self._joins_rows or self._page_bound_sql):
            return page
        rows = self._name("q")
        return f'SELECT {rows}.*, row_number() OVER () AS "{_NUMBER}" FROM ({page}) {rows}'
