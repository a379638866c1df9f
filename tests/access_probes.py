"""The requests of a walk over the schema: every root field and relation, in every way that could show another tenant.

They are made from the declarations and compared with the built schema (`list_schema_fields`), so that no new field is
missed.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
from schema.tables import BY_NAME, LISTED, TABLES, list_references_to
from schema.views import VIEWS
from tests.neighbor_tenants import MARKED_TEXT, can_cross_tenants, has_tenant_rows, planted_id

_CONNECTION_SELECTION: Final = (
    "{ totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One call of one field.

    Attributes:
        field: The field, as `Type.field`.
        call: The call, with a selection.
        argument_names: The arguments that are given.
        parent: The call of the row below which it stands; None at the root.
    """

    field: str
    call: str
    argument_names: frozenset[str] = frozenset()
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class KnownRows:
    """Ids and cursors for the probes.

    Attributes:
        theirs: By table a row of theirs; of tables without tenants any row.
        mine: By table a row of mine; of tables without tenants any row.
        my_tenant: The id of the tenant that sends the requests.
        my_role: The id of a global role that users of both tenants have.
        cursors: By list field a cursor of theirs, and one of mine that was changed to point after their row.
    """

    theirs: Mapping[str, Mapping[str, Any]]
    mine: Mapping[str, Mapping[str, Any]]
    my_tenant: str
    my_role: str
    cursors: Mapping[str, tuple[str, str]]

    def find_their_id(self, table: Table) -> str:
        """The id of their row."""
        return str(self.theirs[table.name]["id"])

    def list_parent_ids(self, table: Table) -> list[str]:
        """Ids of rows that I may read and that rows of theirs refer to; of tenants theirs, too."""
        if table.name == "tenants":
            return [self.my_tenant, self.find_their_id(table)]
        if not has_tenant_rows(table):
            return [self.find_their_id(table)]
        return [planted_id("mine", table), *([self.my_role] if table.name == "roles" else [])]


class ProbeGenerator:
    """Makes the probes of one schema."""

    def __init__(self, schema: GraphQLSchema, known: KnownRows) -> None:
        self._schema = schema
        self._known = known

    def make_probes(self) -> list[Probe]:
        """Every probe."""
        return [
            *(probe for table in TABLES for probe in self._probe_nodes(table)),
            *(probe for table in LISTED for probe in self._probe_root_lists(table)),
            *(probe for table in TABLES for probe in self._probe_relations(table)),
            *(probe for view in VIEWS for probe in self._probe_view(view)),
        ]

    def _probe_nodes(self, table: Table) -> Iterator[Probe]:
        theirs = self._known.find_their_id(table)
        deleted = f"{theirs}-deleted"
        for row_id in (theirs, deleted, self._known.mine[table.name]["id"]):
            yield Probe(
                f"Query.{table.one}",
                f"{_format_call(table.one, id=_quote(row_id))} {{ id }}",
                _name_set("id"),
            )
        if table.soft_deletes:
            call = _format_call(table.one, id=_quote(deleted), includeDeleted="true")
            yield Probe(f"Query.{table.one}", f"{call} {{ id }}", _name_set("includeDeleted"))
        for name, column in table.also_by.items():
            for rows in (self._known.theirs, self._known.mine):
                given = {column: _quote(rows[table.name][column])}
                yield Probe(f"Query.{name}", f"{_format_call(name, **given)} {{ id }}", _name_set(column))
                call = _format_call(name, **given, includeDeleted="true")
                yield Probe(f"Query.{name}", f"{call} {{ id }}", _name_set(column, "includeDeleted"))

    def _probe_root_lists(self, table: Table) -> Iterator[Probe]:
        for field in (f"Query.{name}" for name in (table.many, *table.also_many)):
            yield from self._probe_list(field, table, None, {})
            for where in self._iter_filters(table):
                yield self._make_list_probe(field, where=where)
            for name in self._enum_values(f"{table.type_name}OrderField"):
                order = f"[{{field: {name}, direction: DESC, nulls: FIRST}}]"
                yield self._make_list_probe(field, orderBy=order, first="3")
            for end in ("first", "last"):
                yield from self._probe_computed_columns(field, table, {end: "1000"})

    def _probe_relations(self, table: Table) -> Iterator[Probe]:
        for reference in table.references:
            if reference.one:
                yield from self._probe_to_one(table, reference)
        for choice in table.choices:
            yield from self._probe_choice(table, choice)
        for child, reference in list_references_to(table):
            if reference.only:
                yield from self._probe_to_only(table, reference)
            if reference.many:
                yield from self._probe_to_many(table, child, reference)

    def _probe_computed_columns(self, field: str, table: Table, page: Mapping[str, str]) -> Iterator[Probe]:
        """Columns that are computed from other rows, for as many rows as a page has."""
        names = [column.graphql_name for column in table.columns.values() if column.options.dependencies]
        if names:
            call = _format_call(field.partition(".")[2], **page)
            yield Probe(field, f"{call} {{ nodes {{ id {' '.join(names)} }} }}", _name_set(*page))

    def _probe_view(self, view: Table) -> Iterator[Probe]:
        """The relations of a view's rows and their computed columns, below a page of all of them."""
        page = _format_call(view.many, last="100", orderBy="[{field: ID}]")
        for reference in view.references:
            yield Probe(
                f"{view.type_name}.{reference.one}", f"nodes {{ {reference.one} {{ id }} }}", parent=page
            )

    def _probe_to_one(self, table: Table, reference: Reference) -> Iterator[Probe]:
        rows = [self._known.find_their_id(table)]
        if can_cross_tenants(table, reference) and reference.table != "integrations":
            rows.append(planted_id("out", table, reference))
        yield from self._probe_below_rows(table, str(reference.one), f"{reference.one} {{ id }}", rows)

    def _probe_choice(self, table: Table, choice: Choice) -> Iterator[Probe]:
        members = " ".join(f"... on {BY_NAME[name].type_name} {{ id }}" for name in choice.members.values())
        rows = [
            f"out:{table.name}.{r.column}" for r in table.references if r.only and r.table != "integrations"
        ]
        yield from self._probe_below_rows(
            table, choice.field, f"{choice.field} {{ {members} }}", [self._known.find_their_id(table), *rows]
        )

    def _probe_to_only(self, table: Table, reference: Reference) -> Iterator[Probe]:
        rows = [self._known.find_their_id(table), *self._known.list_parent_ids(table)]
        yield from self._probe_below_rows(table, str(reference.only), f"{reference.only} {{ id }}", rows)

    def _probe_below_rows(self, table: Table, name: str, call: str, rows: Iterable[str]) -> Iterator[Probe]:
        """A relation below single rows, and below the rows of a page that ends with all planted rows."""
        about = f"{table.type_name}.{name}"
        for row_id in rows:
            yield Probe(about, call, parent=_format_call(table.one, id=_quote(row_id)))
        page = _format_call(table.many, last="100", orderBy="[{field: ID}]")
        yield Probe(about, f"nodes {{ {call} }}", parent=page)

    def _probe_to_many(self, table: Table, child: Table, reference: Reference) -> Iterator[Probe]:
        about = f"{table.type_name}.{reference.many}"
        few = f"{_format_call(str(reference.many), first='5')} {_CONNECTION_SELECTION}"
        yield from self._probe_below_rows(table, str(reference.many), few, [self._known.find_their_id(table)])
        more = {child.columns[name].graphql_name: _quote(MARKED_TEXT) for name in reference.by}
        for row_id in self._known.list_parent_ids(table):
            parent = _format_call(table.one, id=_quote(row_id))
            yield from self._probe_list(about, child, parent, more)
            ids = [planted_id(side, child, reference) for side in ("in", "mine", "theirs")]
            yield self._make_list_probe(about, parent, where=f"{{id: {{in: {json.dumps(ids)}}}}}")
            yield self._make_list_probe(about, parent, orderBy="[{field: ID, direction: DESC}]", first="3")

    def _probe_list(
        self, about: str, table: Table, parent: str | None, more: Mapping[str, str]
    ) -> Iterator[Probe]:
        """A list with all of its arguments except filters and orders."""
        yield self._make_list_probe(about, parent, first="20")
        yield self._make_list_probe(about, parent, last="20")
        yield self._make_list_probe(about, parent, first="3", offset="1")
        if table.searched:
            yield self._make_list_probe(about, parent, search=_quote(MARKED_TEXT))
        if table.soft_deletes:
            yield self._make_list_probe(about, parent, includeDeleted="true", first="20")
        for name, value in more.items():
            yield self._make_list_probe(about, parent, **{name: value})
        theirs, mine = self._known.cursors.get(about, ("none", "none"))
        for name in ("after", "before"):
            yield self._make_list_probe(about, parent, **{name: _quote(theirs)}, first="20")
            yield self._make_list_probe(about, parent, **{name: _quote(mine)}, first="20")

    def _make_list_probe(self, about: str, parent: str | None = None, **given: str) -> Probe:
        name = about.partition(".")[2]
        return Probe(
            about, f"{_format_call(name, **given)} {_CONNECTION_SELECTION}", _name_set(*given), parent
        )

    def _iter_filters(self, table: Table) -> Iterator[str]:
        """A filter for each input field of the table's filter. Their row matches it."""
        for name, operators in self._input_fields(f"{table.type_name}Filter").items():
            column = table.by_graphql_name.get(name)
            if column is not None:
                yield from self._iter_column_filters(table, column, operators)
            elif name in ("and", "or"):
                yield f"{{{name}: [{self._id_filter(table)}]}}"
            elif name == "not":
                yield f"{{not: {{not: {self._id_filter(table)}}}}}"
            else:
                target = BY_NAME[next(r.table for r in table.references if r.one == name)]
                yield f"{{{name}: {self._id_filter(target)}}}"
                yield f"{{{name}: {{not: {self._id_filter(target)}}}}}"

    def _id_filter(self, table: Table) -> str:
        return f"{{id: {{eq: {_quote(self._known.find_their_id(table))}}}}}"

    def _iter_column_filters(self, table: Table, column: Column, operators: str) -> Iterator[str]:
        """Every operator: one by one for the id, else one filter of all, combined by OR."""
        filters = [
            f"{{{column.graphql_name}: {{{operator}: {operand}}}}}"
            for operator in self._input_fields(operators)
            for operand in _list_operands(column, operator, self._known.theirs[table.name][column.name])
        ]
        if column.name == "id":
            yield from filters
        else:
            yield f"{{or: [{', '.join(filters)}]}}"

    def _input_fields(self, name: str) -> dict[str, str]:
        """The fields of an input type, each with the name of its type."""
        kind = self._schema.type_map[name]
        assert isinstance(kind, GraphQLInputObjectType)
        return {field: get_named_type(declared.type).name for field, declared in kind.fields.items()}

    def _enum_values(self, name: str) -> list[str]:
        kind = self._schema.type_map[name]
        assert isinstance(kind, GraphQLEnumType)
        return list(kind.values)


def forge_cursor(mine: str, theirs: str) -> str:
    """A cursor of my own list, changed to point after a row of theirs."""
    my_key, their_key = (
        json.loads(base64.urlsafe_b64decode(c + "=" * (-len(c) % 4))) for c in (mine, theirs)
    )
    return base64.urlsafe_b64encode(json.dumps([*my_key[:2], *their_key[2:]]).encode()).decode().rstrip("=")


def list_schema_fields(schema: GraphQLSchema) -> dict[str, set[str]]:
    """Every root field and every relation of the built schema, as `Type.field`, with its arguments."""
    found: dict[str, set[str]] = {}
    for type_name in ("Query", *(table.type_name for table in LISTED)):
        kind = schema.type_map[type_name]
        assert isinstance(kind, GraphQLObjectType)
        for name, declared in kind.fields.items():
            if isinstance(get_named_type(declared.type), GraphQLObjectType | GraphQLUnionType):
                found[f"{type_name}.{name}"] = set(declared.args)
    return found


def _list_operands(column: Column, operator: str, value: Any) -> list[str]:
    """Operands with which a row with this value matches; none if the row has no value."""
    if operator == "isNull":
        return ["true", "false"]
    if column.kind is Kind.JSON:
        return ['[{path: ["walk"], eq: "theirs"}]' if operator == "at" else '{walk: "theirs"}']
    if column.kind is Kind.TEXTS:
        return [_quote(value[0])] if value else []
    literal = _graphql_literal(column, value)
    if value is None:
        return [literal] if operator in ("eq", "neq") else []
    return [f"[{literal}]"] if operator in ("in", "notIn") else [literal]


def _graphql_literal(column: Column, value: Any) -> str:
    """A value as a GraphQL literal; null if there is none."""
    if value is None:
        return "null"
    match column.kind:
        case Kind.ENUM:
            return str(value).upper()
        case Kind.TIMESTAMP | Kind.INT:
            return str(value)
        case Kind.BOOLEAN:
            return "true" if value else "false"
    return _quote(str(value))


def _quote(value: str) -> str:
    return json.dumps(value)


def _format_call(name: str, **given: str) -> str:
    return f"{name}({', '.join(f'{key}: {value}' for key, value in given.items())})"


def _name_set(*names: str) -> frozenset[str]:
    return frozenset(names)


def group_in_documents(probes: Iterable[Probe], most: int = 20) -> Iterator[tuple[str, list[Probe]]]:
    """The probes as documents.

    Those of one field below one parent share a document; the n-th has the alias `a<n>`.
    """
    groups: dict[object, list[Probe]] = {}
    for probe in probes:
        groups.setdefault((probe.parent, probe.field), []).append(probe)
    for group in groups.values():
        for start in range(0, len(group), most):
            batch = group[start : start + most]
            yield _format_document(batch), batch


def _format_document(probes: list[Probe]) -> str:
    calls = " ".join(f"a{n}: {probe.call}" for n, probe in enumerate(probes))
    parent = probes[0].parent
    return f"{{ p: {parent} {{ {calls} }} }}" if parent else f"{{ {calls} }}"
