"""What a walk of the schema asks: every root field and every relation, in every way that could show a neighbour.

Made of the declarations and held against the built schema (`fields_of`), so that no new field is forgotten.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)

from schema.table import Choice, Column, Kind, Reference, Table
from schema.tables import BY_NAME, LISTED, TABLES, pointing_at
from schema.views import VIEWS
from tests.neighbours import MARK, crossable, holds_tenants_rows, planted

_ROWS: Final = "{ totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"


@dataclass(frozen=True, slots=True)
class Probe:
    """One call of one field.

    Attributes:
        field: The field, as `Type.field`.
        call: How it is called, with a selection.
        uses: The arguments that are given.
        parent: The call of the row below which it stands; None at the root.
        alone: Whether it needs a document of its own, as its error takes the whole answer along.
    """

    field: str
    call: str
    uses: frozenset[str] = frozenset()
    parent: str | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What whoever probes knows.

    Attributes:
        rows: By table a row of theirs; of tables without tenants any row.
        mine: By table a row of mine; of tables without tenants any row.
        my_tenant: The id of the tenant that asks.
        my_role: The id of a global role that both tenants have given.
        cursors: By list field a cursor of theirs, and one of mine that was bent to point behind their row.
    """

    rows: Mapping[str, Mapping[str, Any]]
    mine: Mapping[str, Mapping[str, Any]]
    my_tenant: str
    my_role: str
    cursors: Mapping[str, tuple[str, str]]

    def their_id(self, table: Table) -> str:
        """The id of their row."""
        return str(self.rows[table.name]["id"])

    def parents(self, table: Table) -> list[str]:
        """Ids of rows that I may read and that rows of theirs refer to; of tenants theirs, too."""
        if table.name == "tenants":
            return [self.my_tenant, self.their_id(table)]
        if not holds_tenants_rows(table):
            return [self.their_id(table)]
        return [planted("mine", table), *([self.my_role] if table.name == "roles" else [])]


class Prober:
    """Makes the probes of one schema."""

    def __init__(self, schema: GraphQLSchema, known: Known) -> None:
        self._schema = schema
        self._known = known

    def all(self) -> list[Probe]:
        """Every probe."""
        return [
            *(probe for table in TABLES for probe in self._root(table)),
            *(probe for table in LISTED for probe in self._lists(table)),
            *(probe for table in TABLES for probe in self._relations(table)),
            *(probe for view in VIEWS for probe in self._of_view(view)),
        ]

    def _root(self, table: Table) -> Iterator[Probe]:
        theirs = self._known.their_id(table)
        deleted = f"{theirs}-deleted"
        for row_id in (theirs, deleted, self._known.mine[table.name]["id"]):
            yield Probe(f"Query.{table.one}", f"{_call(table.one, id=_text(row_id))} {{ id }}", _uses("id"))
        if table.soft_deletes:
            call = _call(table.one, id=_text(deleted), includeDeleted="true")
            yield Probe(f"Query.{table.one}", f"{call} {{ id }}", _uses("includeDeleted"))
        for name, column in table.also_by.items():
            for rows in (self._known.rows, self._known.mine):
                given = {column: _text(rows[table.name][column])}
                yield Probe(f"Query.{name}", f"{_call(name, **given)} {{ id }}", _uses(column))
                call = _call(name, **given, includeDeleted="true")
                yield Probe(f"Query.{name}", f"{call} {{ id }}", _uses(column, "includeDeleted"))

    def _lists(self, table: Table) -> Iterator[Probe]:
        for field in (f"Query.{name}" for name in (table.many, *table.also_many)):
            yield from self._list(field, table, None, {})
            for where in self._filters(table):
                yield self._listed(field, where=where)
            for name in self._values(f"{table.type_name}OrderField"):
                order = f"[{{field: {name}, direction: DESC, nulls: FIRST}}]"
                yield self._listed(field, orderBy=order, first="3")
            for end in ("first", "last"):
                yield from self._computed(field, table, {end: "1000"})

    def _relations(self, table: Table) -> Iterator[Probe]:
        for reference in table.references:
            if reference.one:
                yield from self._to_one(table, reference)
        for choice in table.choices:
            yield from self._chosen(table, choice)
        for child, reference in pointing_at(table):
            if reference.only:
                yield from self._to_only(table, reference)
            if reference.many:
                yield from self._to_many(table, child, reference)

    def _computed(self, field: str, table: Table, page: Mapping[str, str]) -> Iterator[Probe]:
        """What is computed of other rows, for as many rows as a page has."""
        names = [column.graphql_name for column in table.columns.values() if column.options.looks]
        if names:
            call = _call(field.partition(".")[2], **page)
            yield Probe(field, f"{call} {{ nodes {{ id {' '.join(names)} }} }}", _uses(*page))

    def _of_view(self, view: Table) -> Iterator[Probe]:
        """What leads from a view's rows to others, and what is computed for them, below a page of all of them."""
        page = _call(view.many, last="100", orderBy="[{field: ID}]")
        for reference in view.references:
            yield Probe(
                f"{view.type_name}.{reference.one}", f"nodes {{ {reference.one} {{ id }} }}", parent=page
            )

    def _to_one(self, table: Table, reference: Reference) -> Iterator[Probe]:
        rows = [self._known.their_id(table)]
        if crossable(table, reference) and reference.table != "integrations":
            rows.append(planted("out", table, reference))
        yield from self._below(table, str(reference.one), f"{reference.one} {{ id }}", rows)

    def _chosen(self, table: Table, choice: Choice) -> Iterator[Probe]:
        members = " ".join(f"... on {BY_NAME[name].type_name} {{ id }}" for name in choice.members.values())
        rows = [
            f"out:{table.name}.{r.column}" for r in table.references if r.only and r.table != "integrations"
        ]
        yield from self._below(
            table, choice.field, f"{choice.field} {{ {members} }}", [self._known.their_id(table), *rows]
        )

    def _to_only(self, table: Table, reference: Reference) -> Iterator[Probe]:
        rows = [self._known.their_id(table), *self._known.parents(table)]
        yield from self._below(table, str(reference.only), f"{reference.only} {{ id }}", rows)

    def _below(self, table: Table, name: str, call: str, rows: Iterable[str]) -> Iterator[Probe]:
        """A relation below single rows, and below the rows of a page that ends with all that is planted."""
        about = f"{table.type_name}.{name}"
        for row_id in rows:
            yield Probe(about, call, parent=_call(table.one, id=_text(row_id)))
        page = _call(table.many, last="100", orderBy="[{field: ID}]")
        yield Probe(about, f"nodes {{ {call} }}", parent=page)

    def _to_many(self, table: Table, child: Table, reference: Reference) -> Iterator[Probe]:
        about = f"{table.type_name}.{reference.many}"
        few = f"{_call(str(reference.many), first='5')} {_ROWS}"
        yield from self._below(table, str(reference.many), few, [self._known.their_id(table)])
        more = {child.columns[name].graphql_name: _text(MARK) for name in reference.by}
        for row_id in self._known.parents(table):
            parent = _call(table.one, id=_text(row_id))
            yield from self._list(about, child, parent, more)
            ids = [planted(side, child, reference) for side in ("in", "mine", "theirs")]
            yield self._listed(about, parent, where=f"{{id: {{in: {json.dumps(ids)}}}}}")
            yield self._listed(about, parent, orderBy="[{field: ID, direction: DESC}]", first="3")

    def _list(self, about: str, table: Table, parent: str | None, more: Mapping[str, str]) -> Iterator[Probe]:
        """A list, in every way but its filters and orders."""
        yield self._listed(about, parent, first="20")
        yield self._listed(about, parent, last="20")
        yield self._listed(about, parent, first="3", offset="1")
        if table.searched:
            yield self._listed(about, parent, search=_text(MARK))
        if table.soft_deletes:
            yield self._listed(about, parent, includeDeleted="true", first="20")
        for name, value in more.items():
            yield self._listed(about, parent, **{name: value})
        theirs, mine = self._known.cursors.get(about, ("none", "none"))
        for name in ("after", "before"):
            refused = self._listed(about, parent, **{name: _text(theirs)}, first="20")
            yield replace(refused, alone=True)
            yield self._listed(about, parent, **{name: _text(mine)}, first="20")

    def _listed(self, about: str, parent: str | None = None, **given: str) -> Probe:
        name = about.partition(".")[2]
        return Probe(about, f"{_call(name, **given)} {_ROWS}", _uses(*given), parent)

    def _filters(self, table: Table) -> Iterator[str]:
        """A filter for each input field of the table's filter, which their row fits."""
        for name, operators in self._inputs(f"{table.type_name}Filter").items():
            column = table.by_graphql_name.get(name)
            if column is not None:
                yield from self._column_filters(table, column, operators)
            elif name in ("and", "or"):
                yield f"{{{name}: [{self._id_filter(table)}]}}"
            elif name == "not":
                yield f"{{not: {{not: {self._id_filter(table)}}}}}"
            else:
                target = BY_NAME[next(r.table for r in table.references if r.one == name)]
                yield f"{{{name}: {self._id_filter(target)}}}"
                yield f"{{{name}: {{not: {self._id_filter(target)}}}}}"

    def _id_filter(self, table: Table) -> str:
        return f"{{id: {{eq: {_text(self._known.their_id(table))}}}}}"

    def _column_filters(self, table: Table, column: Column, operators: str) -> Iterator[str]:
        """Every operator: one by one for the id, else one filter of all, any of which may hold."""
        filters = [
            f"{{{column.graphql_name}: {{{operator}: {operand}}}}}"
            for operator in self._inputs(operators)
            for operand in _operands(column, operator, self._known.rows[table.name][column.name])
        ]
        if column.name == "id":
            yield from filters
        else:
            yield f"{{or: [{', '.join(filters)}]}}"

    def _inputs(self, name: str) -> dict[str, str]:
        """The fields of an input type, each with the name of its type."""
        kind = self._schema.type_map[name]
        assert isinstance(kind, GraphQLInputObjectType)
        return {field: get_named_type(declared.type).name for field, declared in kind.fields.items()}

    def _values(self, name: str) -> list[str]:
        kind = self._schema.type_map[name]
        assert isinstance(kind, GraphQLEnumType)
        return list(kind.values)


def bent(mine: str, theirs: str) -> str:
    """A cursor of my own list that points behind a row of theirs."""
    my_key, their_key = (
        json.loads(base64.urlsafe_b64decode(c + "=" * (-len(c) % 4))) for c in (mine, theirs)
    )
    return base64.urlsafe_b64encode(json.dumps([*my_key[:2], *their_key[2:]]).encode()).decode().rstrip("=")


def fields_of(schema: GraphQLSchema) -> dict[str, set[str]]:
    """Every root field and every relation of the built schema, as `Type.field`, with its arguments."""
    found: dict[str, set[str]] = {}
    for type_name in ("Query", *(table.type_name for table in LISTED)):
        kind = schema.type_map[type_name]
        assert isinstance(kind, GraphQLObjectType)
        for name, declared in kind.fields.items():
            if isinstance(get_named_type(declared.type), GraphQLObjectType | GraphQLUnionType):
                found[f"{type_name}.{name}"] = set(declared.args)
    return found


def _operands(column: Column, operator: str, value: Any) -> list[str]:
    """What an operator is given so that a row with this value fits; nothing where the row has none."""
    if operator == "isNull":
        return ["true", "false"]
    if column.kind is Kind.JSON:
        return ['[{path: ["walk"], eq: "theirs"}]' if operator == "at" else '{walk: "theirs"}']
    if column.kind is Kind.TEXTS:
        return [_text(value[0])] if value else []
    literal = _literal(column, value)
    if operator in ("in", "notIn"):
        return [] if value is None else [f"[{literal}]"]
    return [literal]


def _literal(column: Column, value: Any) -> str:
    """A value as GraphQL writes it; null where there is none."""
    if value is None:
        return "null"
    match column.kind:
        case Kind.ENUM:
            return str(value).upper()
        case Kind.TIMESTAMP | Kind.INT:
            return str(value)
        case Kind.BOOLEAN:
            return "true" if value else "false"
    return _text(str(value))


def _text(value: str) -> str:
    return json.dumps(value)


def _call(name: str, **given: str) -> str:
    return f"{name}({', '.join(f'{key}: {value}' for key, value in given.items())})"


def _uses(*names: str) -> frozenset[str]:
    return frozenset(names)


def documents(probes: Iterable[Probe], most: int = 20) -> Iterator[tuple[str, list[Probe]]]:
    """The probes as documents: those of one field below one parent together; the n-th is called `a<n>`."""
    groups: dict[object, list[Probe]] = {}
    for number, probe in enumerate(probes):
        groups.setdefault(number if probe.alone else (probe.parent, probe.field), []).append(probe)
    for group in groups.values():
        for start in range(0, len(group), most):
            part = group[start : start + most]
            yield _document(part), part


def _document(probes: list[Probe]) -> str:
    calls = " ".join(f"a{n}: {probe.call}" for n, probe in enumerate(probes))
    parent = probes[0].parent
    return f"{{ p: {parent} {{ {calls} }} }}" if parent else f"{{ {calls} }}"
