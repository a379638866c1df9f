"""Read sets: what an answer depends on, so that a change can be told from one that cannot touch it.

A read becomes dependences: one on its own table, and one on each table that its filter or a computed column looks
into. A dependence is never narrower than what was read; what cannot be said in its terms widens it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from core.viewer import Viewer, ViewerKind
from resolvers.level import Level
from resolvers.rows import Read
from schema.table import Column, Kind, Scope, Table
from schema.tables import BY_NAME
from subscriptions.matching.windows import Window, window_of

_TENANT: Final = "tenant_id"
_DELETED: Final = "deleted_at"

_COMPARABLE: Final = frozenset({Kind.ID, Kind.TEXT, Kind.ENUM, Kind.TIMESTAMP, Kind.INT, Kind.BOOLEAN})
"""Kinds whose values are equal here exactly where they are equal in PostgreSQL."""

Equalities = Mapping[str, frozenset[Any]]
"""Columns with the values that they may have."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """Rows of one table, and the columns of them, that an answer depends on.

    Attributes:
        table: The table's SQL name.
        tenants: Whose rows, None standing for rows without tenant; None for anybody's.
        equal: Columns and the values that they have in all of these rows.
        uses: The columns whose change can change the answer, computed ones by the names of `column(reads=...)`.
        window: The part of the order that the rows stand in; None for all of it.
    """

    table: str
    tenants: frozenset[str | None] | None
    equal: Equalities
    uses: frozenset[str]
    window: Window | None = None


def read_set(reads: Iterable[Read], viewer: Viewer) -> tuple[Dependence, ...]:
    """What an answer depends on that was made of these reads for this viewer."""
    return tuple(d for read in reads if read.keys != () for d in _of_read(read, viewer))


def _of_read(read: Read, viewer: Viewer) -> Iterator[Dependence]:
    level = read.level
    used = _Used()
    used.level(level)
    equal = _equal(level, read.keys)
    yield from _dependence(viewer, level.table, equal, used.own, window_of(read))
    for table, where, columns in used.related:
        yield from _dependence(viewer, table, _equalities(table, where), columns, None)
    for name, columns in used.elsewhere.items():
        for dependence in _dependence(viewer, BY_NAME[name], {}, columns, None):
            yield replace(dependence, tenants=None) if _is_anybodys(level, viewer) else dependence


def _dependence(
    viewer: Viewer, table: Table, equal: Equalities, uses: Iterable[str], window: Window | None
) -> Iterator[Dependence]:
    """The dependence, unless no row can be one that it speaks of."""
    if table.scope is Scope.ITSELF and viewer.kind is not ViewerKind.PLATFORM:
        equal = _both(equal, {"id": frozenset({viewer.tenant_id})})
    if all(equal.values()):
        yield Dependence(table.relation, _tenants(viewer, table), equal, frozenset(uses), window)


def _is_anybodys(level: Level, viewer: Viewer) -> bool:
    """Whether the level's rows are of many tenants, so that what they are computed from is, too."""
    return level.table.scope is Scope.ITSELF and viewer.kind is ViewerKind.PLATFORM


def _tenants(viewer: Viewer, table: Table) -> frozenset[str | None] | None:
    match table.scope:
        case Scope.TENANT:
            return frozenset({viewer.tenant_id})
        case Scope.TENANT_OR_GLOBAL:
            return frozenset({viewer.tenant_id, None})
        case _:
            return None


def _equal(level: Level, keys: tuple[str, ...] | None) -> Equalities:
    equal = _equalities(level.table, level.where)
    for name, value in level.equal:
        equal = _both(equal, {name: frozenset({value})})
    if level.key is not None and keys is not None:
        equal = _both(equal, {level.key: frozenset(keys)})
    return equal


def _both(one: Equalities, other: Equalities) -> Equalities:
    return {**one, **{name: one[name] & held if name in one else held for name, held in other.items()}}


def _equalities(table: Table, where: Mapping[str, Any] | None) -> Equalities:
    """What a filter says of plain columns by `eq` and `in`, outside of `or` and `not`."""
    equal: Equalities = {}
    for name, value in (where or {}).items():
        column = table.by_graphql_name.get(name)
        if column is not None and value is not None:
            for held in _held(column, value):
                equal = _both(equal, {column.name: held})
        elif name == "and":
            for part in value or ():
                equal = _both(equal, _equalities(table, part))
    return equal


def _held(column: Column, operators: Mapping[str, Any]) -> Iterator[frozenset[Any]]:
    if column.kind not in _COMPARABLE or column.options.sql:
        return
    if "eq" in operators:
        yield frozenset({operators["eq"]})
    if operators.get("in") is not None:
        yield frozenset(value for value in operators["in"] if value is not None)


@dataclass(slots=True)
class _Used:
    """Collects the columns that a level uses.

    Attributes:
        own: Those of its own table.
        related: Rows that its filter looks for in other tables: the table, the filter, the columns.
        elsewhere: Columns that its computed columns look into, by table.
    """

    own: set[str] = field(default_factory=set)
    related: list[tuple[Table, Mapping[str, Any], set[str]]] = field(default_factory=list)
    elsewhere: dict[str, set[str]] = field(default_factory=dict)

    def level(self, level: Level) -> None:
        """All that a level uses: to find its rows, to put them in order and to show them."""
        table = level.table
        self._rows(table, self.own, deleted=not level.include_deleted or level.key is not None)
        self.own.update(name for name, _ in level.equal)
        if level.key is not None:
            self.own.add(level.key)
        self._columns(table, self.own, level.columns)
        self._columns(table, self.own, (term.column for term in level.order))
        if level.search:
            self._columns(table, self.own, table.searched)
        self._where(table, self.own, level.where)

    def _rows(self, table: Table, into: set[str], *, deleted: bool) -> None:
        """What says which rows are there at all."""
        into.add("id")
        if _TENANT in table.columns:
            into.add(_TENANT)
        if table.soft_deletes and deleted:
            into.add(_DELETED)

    def _columns(self, table: Table, into: set[str], columns: Iterable[Column]) -> None:
        for column in columns:
            for of_table, name in column.options.reads or ((table.relation, column.name),):
                (into if of_table == table.relation else self._elsewhere(of_table)).add(name)
            for look in column.options.looks:
                self._elsewhere(look.table).update(look.columns)

    def _elsewhere(self, table: str) -> set[str]:
        if table not in self.elsewhere:
            self.elsewhere[table] = {"id"}
        return self.elsewhere[table]

    def _where(self, table: Table, into: set[str], where: Mapping[str, Any] | None) -> None:
        for name, value in (where or {}).items():
            column = table.by_graphql_name.get(name)
            if column is not None:
                self._columns(table, into, (column,))
            elif name in ("and", "or"):
                for part in value or ():
                    self._where(table, into, part)
            elif name == "not":
                self._where(table, into, value)
            elif value is not None:
                self._relation(table, into, name, value)

    def _relation(self, table: Table, into: set[str], name: str, where: Mapping[str, Any]) -> None:
        """Rows of another table: whether there is one such; its equalities hold for it even under `or` and `not`."""
        reference = next(r for r in table.references if r.one == name)
        into.add(reference.column)
        target = BY_NAME[reference.table]
        columns: set[str] = set()
        self.related.append((target, where, columns))
        self._rows(target, columns, deleted=True)
        self._where(target, columns, where)
