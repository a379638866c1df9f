"""Read sets: the rows and columns on which an answer depends. A change outside of them cannot change the answer.

Each read gives several dependencies: one on its own table, and one on each table that its filter or a computed column
reads. A dependency is never narrower than what was read. If its attributes cannot express a condition, the dependency
is wider.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from core.auth.viewer import Viewer, ViewerKind
from core.clock import NEVER
from resolvers.sql.data_access import RecordedRead
from resolvers.sql.list_query import ListQuery
from schema.table import Column, Kind, Scope, Table
from schema.tables import BY_NAME
from subscriptions.invalidation.windows import Window, build_window

_TENANT: Final = "tenant_id"
_DELETED: Final = "deleted_at"

_COMPARABLE: Final = frozenset({Kind.ID, Kind.TEXT, Kind.ENUM, Kind.TIMESTAMP, Kind.INT, Kind.BOOLEAN})
"""Kinds with values that are equal in Python exactly if they are equal in PostgreSQL."""

Equalities = Mapping[str, frozenset[Any]]
"""Columns with the values that they may have."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """Rows of one table, and their columns, on which an answer depends.

    Attributes:
        table: The table's SQL name.
        tenants: The tenants of the rows, with None for rows without tenant. None for the rows of any tenant.
        equals: Columns with the values that they have in all of these rows.
        uses: The columns that can change the answer. Computed columns are named as in `column(reads=...)`.
        window: The part of the order that has the rows. None for all of it.
    """

    table: str
    tenants: frozenset[str | None] | None
    equals: Equalities
    uses: frozenset[str]
    window: Window | None = None


def build_read_set(reads: Iterable[RecordedRead], viewer: Viewer) -> tuple[Dependency, ...]:
    """The read set of an answer that was made of these reads for this viewer."""
    return tuple(d for read in reads if read.keys != () for d in _iter_dependencies(read, viewer))


def _iter_dependencies(read: RecordedRead, viewer: Viewer) -> Iterator[Dependency]:
    query = read.query
    used = _ColumnUses()
    used.add_query(query)
    equal = _query_equalities(query, read.keys)
    yield from _build_dependency(viewer, query.table, equal, used.own, build_window(read))
    for table, where, columns in used.related:
        yield from _build_dependency(viewer, table, _read_filter_equalities(table, where), columns, None)
    for name, columns in used.elsewhere.items():
        for dependency in _build_dependency(viewer, BY_NAME[name], {}, columns, None):
            yield replace(dependency, tenants=None) if _spans_tenants(query, viewer) else dependency


def _build_dependency(
    viewer: Viewer, table: Table, equal: Equalities, uses: Iterable[str], window: Window | None
) -> Iterator[Dependency]:
    """The dependency, unless its conditions exclude every row."""
    if table.scope is Scope.ITSELF and viewer.kind is not ViewerKind.PLATFORM:
        equal = _intersect(equal, {"id": frozenset({viewer.tenant_id})})
    if all(equal.values()):
        yield Dependency(
            table.relation, _find_readable_tenants(viewer, table), equal, frozenset(uses), window
        )


def _spans_tenants(query: ListQuery, viewer: Viewer) -> bool:
    """Whether the rows are of many tenants. Then the rows from which they are computed are, too."""
    return query.table.scope is Scope.ITSELF and viewer.kind is ViewerKind.PLATFORM


def _find_readable_tenants(viewer: Viewer, table: Table) -> frozenset[str | None] | None:
    match table.scope:
        case Scope.TENANT:
            return frozenset({viewer.tenant_id})
        case Scope.TENANT_OR_GLOBAL:
            return frozenset({viewer.tenant_id, None})
        case _:
            return None


def _query_equalities(query: ListQuery, keys: tuple[str, ...] | None) -> Equalities:
    equal = _read_filter_equalities(query.table, query.where)
    for name, value in query.equal:
        equal = _intersect(equal, {name: frozenset({value})})
    if query.key is not None and keys is not None:
        equal = _intersect(equal, {query.key: frozenset(keys)})
    return equal


def _intersect(one: Equalities, other: Equalities) -> Equalities:
    return {**one, **{name: one[name] & values if name in one else values for name, values in other.items()}}


def _read_filter_equalities(table: Table, where: Mapping[str, Any] | None) -> Equalities:
    """The conditions of a filter on plain columns by `eq` and `in`, outside of `or` and `not`."""
    equal: Equalities = {}
    for name, value in (where or {}).items():
        column = table.by_graphql_name.get(name)
        if value is None:
            continue
        if column is not None:
            for values in _iter_allowed_values(column, value):
                equal = _intersect(equal, {column.name: values})
        elif name == "and":
            for nested in value:
                equal = _intersect(equal, _read_filter_equalities(table, nested))
    return equal


def _iter_allowed_values(column: Column, operators: Mapping[str, Any]) -> Iterator[frozenset[Any]]:
    if column.kind not in _COMPARABLE or column.options.sql:
        return
    if "eq" in operators:
        yield _equal_values(column, operators["eq"])
    if "in" in operators:
        yield frozenset(operators["in"])


def _equal_values(column: Column, value: Any) -> frozenset[Any]:
    """The stored values that `eq` matches. Null also matches never."""
    return frozenset({None, NEVER}) if value is None and column.never else frozenset({value})


@dataclass(slots=True)
class _ColumnUses:
    """Collects the columns that a level uses.

    Attributes:
        own: The columns of its own table.
        related: The rows of other tables that its filter requires: the table, the filter, the columns.
        elsewhere: The columns that its computed columns read, by table.
    """

    own: set[str] = field(default_factory=set)
    related: list[tuple[Table, Mapping[str, Any], set[str]]] = field(default_factory=list)
    elsewhere: dict[str, set[str]] = field(default_factory=dict)

    def add_query(self, query: ListQuery) -> None:
        """Collect all columns that a level uses: to find its rows, to sort them and to show them."""
        table = query.table
        self._add_row_conditions(table, self.own, deleted=not query.include_deleted or query.key is not None)
        self.own.update(name for name, _ in query.equal)
        if query.key is not None:
            self.own.add(query.key)
        self._add_columns(table, self.own, query.columns)
        self._add_columns(table, self.own, (term.column for term in query.order))
        if query.search:
            self._add_columns(table, self.own, table.searched)
        self._add_filter(table, self.own, query.where)

    def _add_row_conditions(self, table: Table, into: set[str], *, deleted: bool) -> None:
        """Collect the columns that decide whether a row exists for the viewer."""
        into.add("id")
        if _TENANT in table.columns:
            into.add(_TENANT)
        if table.soft_deletes and deleted:
            into.add(_DELETED)

    def _add_columns(self, table: Table, into: set[str], columns: Iterable[Column]) -> None:
        for column in columns:
            for of_table, name in column.options.reads or ((table.relation, column.name),):
                (into if of_table == table.relation else self._get_columns(of_table)).add(name)
            for dependency in column.options.dependencies:
                self._get_columns(dependency.table).update(dependency.columns)

    def _get_columns(self, table: str) -> set[str]:
        if table not in self.elsewhere:
            self.elsewhere[table] = {"id"}
        return self.elsewhere[table]

    def _add_filter(self, table: Table, into: set[str], where: Mapping[str, Any] | None) -> None:
        for name, value in (where or {}).items():
            column = table.by_graphql_name.get(name)
            if value is None:
                continue
            if column is not None:
                self._add_columns(table, into, (column,))
            elif name in ("and", "or"):
                for nested in value:
                    self._add_filter(table, into, nested)
            elif name == "not":
                self._add_filter(table, into, value)
            else:
                self._add_relation(table, into, name, value)

    def _add_relation(self, table: Table, into: set[str], name: str, where: Mapping[str, Any]) -> None:
        """Collect a filter on a related row. Its equalities hold for that row even under `or` and `not`."""
        reference = next(r for r in table.references if r.one == name)
        into.add(reference.column)
        target = BY_NAME[reference.table]
        columns: set[str] = set()
        self.related.append((target, where, columns))
        self._add_row_conditions(target, columns, deleted=True)
        self._add_filter(target, columns, where)
