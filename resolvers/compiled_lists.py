"""The SQL of one compiled connection: a page, what is aggregated of its rows, and the object around it.

SELECT row_to_json(o.*) FROM (                                -- the connection
  SELECT a.v1 AS "nodes", ... AS "pageInfo", (SELECT count(*) ...) AS "totalCount" FROM (
    SELECT json_agg(n.*) AS v1, count(*) AS fetched FROM (    -- what is made of the rows
      SELECT ... FROM sites t WHERE ... ORDER BY ... LIMIT 50 -- the page: only these rows are worked on
    ) p CROSS JOIN LATERAL (SELECT p.id AS "id", ...) n) a) o
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from graphql import FieldNode

from resolvers.level import CURSOR, Level, Writing, count_sql, cursor_of, page_sql
from resolvers.lists import counted
from resolvers.observing import Below, Joined
from schema.table import Column, Kind

_NUMBER: Final = "__number"
"""A row's place in the page as fetched: from the back where the page is counted from the back."""

_IDENTIFIER_MAX: Final = 63
"""PostgreSQL cuts longer names, and two of them might become one."""

_KEYS_MAX: Final = 1_000
"""A select list has at most 1,664 entries."""

Source = Callable[[Column], str]
Entry = tuple[str, str]
"""A response key with the SQL of its value."""


class NotCompilableError(Exception):
    """This root field is for the data loaders; the message says why."""


def listed(entries: Sequence[Entry]) -> str:
    """A select list; response keys become the columns' names.

    Raises:
        NotCompilableError: PostgreSQL cannot hold the names.
    """
    if len(entries) > _KEYS_MAX:
        raise NotCompilableError(f"more than {_KEYS_MAX} fields in one object")
    if any(len(key) > _IDENTIFIER_MAX for key, _ in entries):
        raise NotCompilableError("a response key is longer than PostgreSQL's names")
    return ", ".join(f'{sql} AS "{key}"' for key, sql in entries)


@dataclass(frozen=True, slots=True)
class ListParts:
    """What of a connection is asked for, by response keys in the answer's order.

    Attributes:
        type_name: The row's type.
        fields: The connection's own fields.
        edges: The fields of each `edges` among them.
        infos: The names of the fields of each `pageInfo` among them.
        row: Writes a row's select list, given its nodes, where its columns are, and where to put joins.
    """

    type_name: str
    fields: Mapping[str, Sequence[FieldNode]]
    edges: Mapping[str, Mapping[str, Sequence[FieldNode]]]
    infos: Mapping[str, Mapping[str, str]]
    row: Callable[[Sequence[FieldNode], Source, Joined], str]

    def asks_info(self, name: str) -> bool:
        """Whether any `pageInfo` has this field."""
        return any(name in names.values() for names in self.infos.values())


class ListSql(NamedTuple):
    """The SELECT of a connection as one JSON value, `data`.

    Observed, it has `facts` beside it where rows are fetched.

    Attributes:
        columns: The SELECT within it that gives the connection's fields as columns; empty where it is observed.
        fetches: Whether it fetches rows.
        counts: Whether it counts those on all pages.
        below: What is read for each row.
    """

    sql: str
    columns: str
    fetches: bool
    counts: bool
    below: tuple[Below, ...]


def list_sql(
    level: Level,
    writing: Writing,
    parts: ListParts,
    parent: str | None,
    name: Callable[[str], str],
    *,
    observe: bool = False,
) -> ListSql:
    """The SELECT that gives a connection; `parent` is the SQL of the parent's id."""
    return _ListWriter(level, writing, parts, parent, name, observe=observe).write()


class _ListWriter:
    def __init__(
        self,
        level: Level,
        writing: Writing,
        parts: ListParts,
        parent: str | None,
        name: Callable[[str], str],
        *,
        observe: bool,
    ) -> None:
        self._level = level
        self._writing = writing
        self._parts = parts
        self._parent = parent
        self._name = name
        self._page = name("p")
        self._made = name("a")
        self._joined = Joined()
        self._aggregates: list[Callable[[], str]] = []
        self._needed: set[str] = set()
        self._observe = observe
        self._counts = False
        self._looks_on = parts.asks_info("hasPreviousPage" if level.backward else "hasNextPage")

    @cached_property
    def _limit(self) -> str:
        """The bound page size; bound only where it is used, as PostgreSQL wants every parameter to be."""
        return self._writing.parameters.add(self._level.limit, "bigint")

    def write(self) -> ListSql:
        entries = [self._entry(key, nodes) for key, nodes in self._parts.fields.items()]
        fetches = bool(self._aggregates)
        if self._observe and fetches:
            sql, columns = self._observed(listed(entries)), ""
        else:
            sql, columns = self._plain(listed(entries))
        return ListSql(sql, columns, fetches, self._counts, tuple(self._joined.below))

    def _plain(self, selected: str) -> tuple[str, str]:
        made = f" FROM ({self._aggregation()}) {self._made}" if self._aggregates else self._no_rows()
        outer = self._name("o")
        columns = f"SELECT {selected}{made}"
        data = f"row_to_json({outer}.*){' AS data' if self._observe else ''}"
        return f"SELECT {data} FROM ({columns}) {outer}", columns

    def _observed(self, selected: str) -> str:
        """The same with the page's facts (`observing`) beside it."""
        facts, outer = self._made_of(self._facts), self._name("o")
        return (
            f"SELECT row_to_json({outer}.*) AS data, {facts} AS facts FROM ({self._aggregation()}) {self._made}"
            f" CROSS JOIN LATERAL (SELECT {selected}) {outer}"
        )

    def _facts(self) -> str:
        of_rows = (f"json_agg({fact}){self._kept()}" for fact in self._joined.facts)
        return f"json_build_array({', '.join((self._bound or 'NULL', *of_rows))})"

    @cached_property
    def _bound(self) -> str | None:
        """The last row of a full page by its values under the order; None where changes do not carry those."""
        order = [term.column for term in self._level.order]
        if not (self._observe and self._fetched) or any(column.options.sql for column in order):
            return None
        values = (self._source(c) + ("::text" if c.kind is Kind.DECIMAL else "") for c in order)
        last = f'{self._page}."{_NUMBER}" = {self._fetched}'
        return f"(array_agg(json_build_array({', '.join(values)})) FILTER (WHERE {last}))[1]"

    def _no_rows(self) -> str:
        """Nothing is read, such as for `pageInfo { __typename }`; what the page would be refused for still is."""
        page_sql(self._level, Writing(self._writing.viewer), "t", None, ["1"], 0)
        return ""

    def _entry(self, key: str, nodes: Sequence[FieldNode]) -> Entry:
        match nodes[0].name.value:
            case "nodes":
                value = self._aggregate(self._lateral_row(nodes))
            case "edges":
                value = self._aggregate(self._lateral_edge(self._parts.edges[key]))
            case "pageInfo":
                value = self._info(self._parts.infos[key])
            case "totalCount":
                value = self._count()
            case _:
                value = f"""'"{self._parts.type_name}Connection"'::json"""
        return key, value

    def _source(self, column: Column) -> str:
        self._needed.add(column.name)
        return f'{self._page}."{column.name}"'

    def _lateral_row(self, nodes: Sequence[FieldNode]) -> str:
        selected = self._parts.row(nodes, self._source, self._joined)
        return self._lateral(selected)

    def _lateral_edge(self, fields: Mapping[str, Sequence[FieldNode]]) -> str:
        entries = []
        for key, nodes in fields.items():
            match nodes[0].name.value:
                case "node":
                    value = f"row_to_json({self._lateral_row(nodes)})"
                case "cursor":
                    value = f'{self._page}."{CURSOR}"'
                case _:
                    value = f"'{self._parts.type_name}Edge'::text"
            entries.append((key, value))
        return self._lateral(listed(entries))

    def _lateral(self, selected: str) -> str:
        """Join what is made of each row; gives all of it, by `.*`, as a response key may be any bare name."""
        name = self._name("n")
        self._joined.joins.append(f"CROSS JOIN LATERAL (SELECT {selected}) {name}")
        return f"{name}.*"

    def _made_of(self, aggregate: Callable[[], str]) -> str:
        """Add an aggregate over the page's rows, written when all joins are known; gives the SQL of its value."""
        self._aggregates.append(aggregate)
        return f"{self._made}.v{len(self._aggregates) - 1}"

    def _aggregate(self, row: str) -> str:
        rows = self._made_of(lambda: f"json_agg({row}{self._order()}){self._kept()}")
        return f"coalesce({rows}, '[]'::json)"

    @property
    def _joins_rows(self) -> bool:
        """Whether rows are joined to others: a hash join gives them in any order, and they must be put in theirs."""
        return any(join.startswith("LEFT") for join in self._joined.joins)

    def _order(self) -> str:
        if not (self._level.backward or self._joins_rows):
            return ""
        return f' ORDER BY {self._page}."{_NUMBER}"{" DESC" if self._level.backward else ""}'

    def _kept(self) -> str:
        """Leaves out the one row that is fetched only to see whether there are more."""
        return f' FILTER (WHERE {self._page}."{_NUMBER}" <= {self._limit})' if self._looks_on else ""

    def _info(self, names: Mapping[str, str]) -> str:
        entries = [(key, self._info_value(name)) for key, name in names.items()]
        info = self._name("i")
        return f"(SELECT row_to_json({info}.*) FROM (SELECT {listed(entries)}) {info})"

    def _info_value(self, name: str) -> str:
        level = self._level
        match name:
            case "hasNextPage":
                return self._there(level.before is not None, looks=not level.backward)
            case "hasPreviousPage":
                return self._there(level.after is not None or level.offset > 0, looks=level.backward)
            case "startCursor" | "endCursor":
                cursor = f'{self._page}."{CURSOR}"'
                cursors = self._made_of(lambda: f"array_agg({cursor}{self._order()}){self._kept()}")
                return f"{cursors}[{'1' if name == 'startCursor' else f'cardinality({cursors})'}]"
            case _:
                return "'PageInfo'::text"

    def _there(self, known: bool, *, looks: bool) -> str:  # noqa: FBT001 - the one thing it is about
        return "TRUE" if known else self._more() if looks else "FALSE"

    def _more(self) -> str:
        return f"{self._made_of(lambda: 'count(*)')} > {self._limit}"

    def _count(self) -> str:
        alias = self._name("t")
        self._counts = True
        return f"({count_sql(counted(self._level), self._writing, alias, self._tie(alias))})"

    def _tie(self, alias: str) -> str | None:
        return None if self._parent is None else f"{alias}.{self._level.key} = {self._parent}"

    def _aggregation(self) -> str:
        joins = "".join(f" {join}" for join in self._joined.joins)
        made = ", ".join(f"{write()} AS v{number}" for number, write in enumerate(self._aggregates))
        return f"SELECT {made} FROM ({self._paged()}) {self._page}{joins}"

    @property
    def _fetched(self) -> int:
        """How many rows are fetched at most."""
        return (self._level.limit or 0) + self._looks_on

    def _paged(self) -> str:
        alias = self._name("t")
        columns = (c for c in self._level.table.columns.values() if c.name in self._needed)
        selected = [f'{column.sql(alias)} AS "{column.name}"' for column in columns]
        if self._level.fingerprint is not None:
            selected.append(f'{cursor_of(self._level, self._writing.parameters, alias)} AS "{CURSOR}"')
        tie = self._tie(alias)
        page = page_sql(self._level, self._writing, alias, tie, selected or ["NULL"], self._fetched)
        if not (self._looks_on or self._level.backward or self._joins_rows or self._bound):
            return page
        rows = self._name("q")
        return f'SELECT {rows}.*, row_number() OVER () AS "{_NUMBER}" FROM ({page}) {rows}'
