"""The compiler: a selection into one SQL statement whose JSON goes into the response as it is.

A row becomes `row_to_json` of its selected columns under their response keys; a to-one relation a lateral join; a
to-many relation a subquery that aggregates its page (`compiled_lists`). What it cannot say it refuses with
`NotCompilableError`, errors that a client is to be told among it: the data loaders then answer that root field.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
from graphql import FieldNode, GraphQLError, GraphQLObjectType, GraphQLSchema
from graphql.execution.values import VariableValues, get_argument_values

from core.errors import ProductError
from core.viewer import Viewer, ViewerKind
from resolvers.access import require_column, require_right
from resolvers.compiled_lists import Entry, ListParts, ListSql, NotCompilableError, list_sql, listed
from resolvers.level import Level, Writing, page_sql
from resolvers.lists import counted, list_level, require_list
from resolvers.observing import Compiled, Joined, Place
from resolvers.plans import Plan, Term
from resolvers.rows import require_level
from resolvers.selection import Syntax, columns_of, list_selection
from schema.table import Choice, Column, Kind, Scope, Table
from schema.tables import BY_NAME, LISTED, RELATIONS, TABLES, Relation, Side

Source = Callable[[Column], str]
"""Gives the SQL expression of a column's value in the row at hand."""


_BY_ID: Final = {table.one: (table, "id") for table in TABLES}
_BY_UNIQUE: Final = {name: (t, column) for t in TABLES for name, column in t.also_by.items()}
_LISTS: Final = {name: table for table in LISTED for name in (table.many, *table.also_many)}
_CHOICES: Final[Mapping[str, Mapping[str, Choice]]] = {
    t.name: {c.field: c for c in t.choices} for t in LISTED
}


def compile_root(
    schema: GraphQLSchema,
    syntax: Syntax,
    variables: VariableValues,
    viewer: Viewer,
    nodes: Sequence[FieldNode],
    *,
    observe: bool = False,
) -> tuple[Plan, bool]:
    """Compile the root field that `nodes` (merged under one response key) ask for.

    Tells beside the plan whether it is good for other values of what is held; else the SQL knows them. With `observe`
    the statement answers `facts` beside its `data` (`observing`).

    Raises:
        NotCompilableError: The data loaders must answer it.
    """
    compiler = _Compiler(schema, syntax, variables, viewer, observe=observe)
    try:
        sql, place = compiler.root(nodes)
    except (ProductError, GraphQLError) as error:
        raise NotCompilableError(str(error)) from error
    columns = _within(sql, compiler.columns) if compiler.columns and not observe else None
    statement, terms = compiler.writing.finish(sql), tuple(compiler.terms)
    return Plan(statement, terms, place if observe else None, columns), compiler.reusable


def _within(sql: str, part: str) -> slice:
    start = sql.index(part)
    return slice(start, start + len(part))


class _Compiler:
    """Compiles one root field. Methods write SQL; `writing` collects what is bound."""

    def __init__(
        self,
        schema: GraphQLSchema,
        syntax: Syntax,
        variables: VariableValues,
        viewer: Viewer,
        *,
        observe: bool,
    ) -> None:
        self._schema = schema
        self._syntax = syntax
        self._variables = variables
        self._viewer = viewer
        self._observe = observe
        self._names = 0
        self.writing = Writing(viewer)
        self.columns: str | None = None
        self.terms: list[Term] = []
        self.reusable = True

    def root(self, nodes: Sequence[FieldNode]) -> Compiled:
        """The statement of a root field; observed it answers one row, and `facts` that are not null."""
        found = self._root(nodes)
        if not self._observe:
            return found
        facts = "coalesce(r.facts, '[]'::json)" if found.place.tells else "'[]'::json"
        sql = f"SELECT r.data, {facts} AS facts FROM (SELECT) s LEFT JOIN ({found.sql}) r ON TRUE"
        return Compiled(sql, found.place)

    def _root(self, nodes: Sequence[FieldNode]) -> Compiled:
        name = nodes[0].name.value
        if name in _LISTS:
            sql, place = self._list("Query", _LISTS[name], nodes, None, None)
            return Compiled(sql if self._observe else f"SELECT ({sql}) AS data", place)
        if name in _BY_ID or name in _BY_UNIQUE:
            return self._single(nodes, *(_BY_ID.get(name) or _BY_UNIQUE[name]))
        if name == "viewer":
            return self._signed_in(nodes)
        raise NotCompilableError(f"{name} is not a table's")

    def name(self, prefix: str) -> str:
        """A name that nothing else in the statement has."""
        self._names += 1
        return f"{prefix}{self._names}"

    def _arguments(self, type_name: str, node: FieldNode) -> dict[str, Any]:
        parent = self._schema.type_map[type_name]
        assert isinstance(parent, GraphQLObjectType)  # noqa: S101 - tells mypy; KeyError says the rest
        return get_argument_values(parent.fields[node.name.value], node, self._variables)

    def _read(self, level: Level, keys: tuple[str, ...] | None = None) -> Level:
        require_level(self._viewer, level)
        self.terms.append(Term(level, keys))
        return level

    def _level(
        self, table: Table, nodes: Sequence[FieldNode], key: str, *, include_deleted: bool = False
    ) -> Level:
        """The level of rows that are looked up by `key`, with the columns that `nodes` need."""
        columns = columns_of(table, self._syntax.fields(nodes, table.type_name))
        return Level(table, columns, key=key, include_deleted=include_deleted)

    def _single(self, nodes: Sequence[FieldNode], table: Table, column: str) -> Compiled:
        arguments = self._arguments("Query", nodes[0])
        with_deleted = bool(arguments.get("includeDeleted"))
        key: str = arguments[column]
        level = self._read(self._level(table, nodes, column, include_deleted=with_deleted), (key,))
        alias = self.name("t")
        tie = f"{alias}.{column} = {self.writing.parameters.add(key)}"
        pick = (
            f" ORDER BY {alias}.deleted_at DESC NULLS FIRST, {alias}.id DESC LIMIT 1" if with_deleted else ""
        )
        return self._row(level, nodes, alias, tie, pick)

    def _row(
        self,
        level: Level,
        nodes: Sequence[FieldNode],
        alias: str,
        tie: str,
        pick: str = "",
        terms: tuple[int, ...] = (),
    ) -> Compiled:
        """The one row of a level that `tie` leaves; no row where there is none."""
        joined = Joined()
        entries = list(
            self._entries(level.table, nodes, level.table.type_name, lambda c: c.sql(alias), joined)
        )
        place = Place(terms, None, tuple(joined.below))
        object_ = self.name("o")
        if self._observe and place.tells:
            joined.joins.append(f"CROSS JOIN LATERAL (SELECT {listed(entries)}) {object_}")
            told = [
                f"row_to_json({object_}.*) AS data",
                f"json_build_array({', '.join(joined.facts)}) AS facts",
            ]
            source = page_sql(level, self.writing, alias, tie, told, None, joined.joins)
            return Compiled(f"{source}{pick}", place)
        source = page_sql(level, self.writing, alias, tie, [listed(entries)], None, joined.joins)
        return Compiled(f"SELECT row_to_json({object_}.*) AS data FROM ({source}{pick}) {object_}", place)

    def _value(self, found: Compiled, key: str | None, joined: Joined, join: str | None = None) -> str:
        """The SQL of what was compiled below a row: a subquery, or joined under the name of `join`.

        Observed it is always joined, as a subquery has but one value.
        """
        if not (join or self._observe):
            return f"({found.sql})"
        join = join or self.name("j")
        joined.joins.append(f"LEFT JOIN LATERAL ({found.sql}) {join} ON TRUE")
        if self._observe:
            joined.tell(found.place, key, join)
        return f"{join}.data"

    def _object(self, entries: Sequence[Entry], source: str) -> str:
        """The JSON object of some entries, as a scalar subquery."""
        name = self.name("o")
        return f"(SELECT row_to_json({name}.*) FROM (SELECT {listed(entries)}{source}) {name})"

    def _entries(
        self, table: Table, nodes: Sequence[FieldNode], type_name: str, source: Source, joined: Joined
    ) -> Iterator[Entry]:
        """The response keys of a row with the SQL of their values; what they need is added to `joined`."""
        for key, fields in self._syntax.responses(nodes, type_name).items():
            name = fields[0].name.value
            column = table.by_graphql_name.get(name)
            if column is not None:
                require_column(self._viewer, table, column)
                yield key, _shown(column, source(column))
            elif name == "__typename":
                yield key, f"'{type_name}'::text"
            elif name in _CHOICES[table.name]:
                yield key, self._choice(table, _CHOICES[table.name][name], fields, source, joined)
            else:
                yield key, self._relation(table, RELATIONS[table.name][name], fields, source, joined)

    def _relation(
        self, table: Table, relation: Relation, nodes: Sequence[FieldNode], source: Source, joined: Joined
    ) -> str:
        if relation.side is Side.MANY:
            parent = source(table.columns["id"])
            rows = self._list(table.type_name, relation.target, nodes, relation, parent)
            return self._value(rows, parent, joined)
        column, own = relation.reference.column, "id"
        if relation.side is Side.ONE:
            own, column = column, own
        join, key = self.name("j"), source(table.columns[own])
        return self._value(self._follow(relation.target, column, nodes, key), key, joined, join)

    def _follow(self, target: Table, column: str, nodes: Sequence[FieldNode], key: str) -> Compiled:
        alias = self.name("t")
        level = self._level(target, nodes, column)
        if not (target.scope is Scope.ITSELF and self._viewer.kind is ViewerKind.USER):
            require_right(self._viewer, target)
        self.terms.append(Term(level))
        terms = (len(self.terms) - 1,)
        return self._row(level, nodes, alias, f"{alias}.{column} = {key}", terms=terms)

    def _choice(
        self, table: Table, choice: Choice, nodes: Sequence[FieldNode], source: Source, joined: Joined
    ) -> str:
        """A CASE over the discriminator; each branch reads its own table."""
        key, of = source(table.columns[choice.column]), source(table.columns[choice.discriminator])
        branches = []
        for value, name in choice.members.items():
            own = f"CASE WHEN {of} = '{value}' THEN {key} END" if self._observe else key
            row = self._follow(BY_NAME[name], "id", nodes, own)
            branches.append(f"WHEN '{value}' THEN {self._value(row, own, joined)}")
        return f"CASE {of} {' '.join(branches)} END"

    def _list(
        self,
        type_name: str,
        table: Table,
        nodes: Sequence[FieldNode],
        relation: Relation | None,
        parent: str | None,
    ) -> Compiled:
        arguments = self._arguments(type_name, nodes[0])
        selection = list_selection(self._syntax, nodes, table)
        reference = relation.reference if relation else None
        list_name = f"{type_name}.{nodes[0].name.value}"
        level = self._read(list_level(list_name, self._viewer, table, arguments, reference, selection))
        require_list(self._viewer, level, selection)
        if level.fingerprint or level.after or level.before:
            self.reusable = False  # a cursor's fingerprint is a hash of the filter and the tenant
        if any(c and (relation or c.parent is not None) for c in (level.after, level.before)):
            raise NotCompilableError("a cursor is checked against each parent")
        page, parts = len(self.terms) - 1, self._list_parts(table, nodes)
        found = list_sql(level, self.writing, parts, parent, self.name, observe=self._observe)
        if parent is None:
            self.columns = found.columns
        return Compiled(found.sql, self._list_place(page, found) if self._observe else Place())

    def _list_place(self, page: int, found: ListSql) -> Place:
        """The place of a list whose term is `page`: rows that are fetched, and those that are counted, read apart."""
        total = Term(counted(self.terms[page].level))
        if not found.fetches:
            self.terms[page] = total if found.counts else replace(total, keys=())
            return Place((page,))
        if not found.counts:
            return Place((page,), page, found.below)
        self.terms.append(total)
        return Place((page, len(self.terms) - 1), page, found.below)

    def _list_parts(self, table: Table, nodes: Sequence[FieldNode]) -> ListParts:
        """What of a connection is asked for, each part under its response key."""
        type_name = table.type_name
        fields = self._syntax.responses(nodes, f"{type_name}Connection")

        def of_row(rows: Sequence[FieldNode], source: Source, joined: Joined) -> str:
            return listed(list(self._entries(table, rows, type_name, source, joined)))

        return ListParts(
            type_name,
            fields=fields,
            edges={
                key: self._syntax.responses(found, f"{type_name}Edge")
                for key, found in fields.items()
                if found[0].name.value == "edges"
            },
            infos={
                key: {k: v[0].name.value for k, v in self._syntax.responses(found, "PageInfo").items()}
                for key, found in fields.items()
                if found[0].name.value == "pageInfo"
            },
            row=of_row,
        )

    def _signed_in(self, nodes: Sequence[FieldNode]) -> Compiled:
        joined = Joined()
        data = self._object(self._viewer_entries(nodes, joined), "")
        place = Place((), None, tuple(joined.below))
        if not joined.joins:
            return Compiled(f"SELECT {data} AS data", place)
        facts = f"json_build_array({', '.join(joined.facts)}) AS facts" if place.tells else "NULL"
        return Compiled(f"SELECT {data} AS data, {facts} FROM (SELECT) v {' '.join(joined.joins)}", place)

    def _viewer_entries(self, nodes: Sequence[FieldNode], joined: Joined) -> list[Entry]:
        viewer, parameters = self._viewer, self.writing.parameters
        self.reusable = False
        rights = orjson.dumps(sorted(viewer.rights)).decode()
        own = {
            "user": ("users", viewer.user_id),
            "tenant": ("tenants", viewer.tenant_id),
            "role": ("roles", viewer.role_id),
        }
        entries = []
        for key, fields in self._syntax.responses(nodes, "Viewer").items():
            match fields[0].name.value:
                case "id":
                    value = parameters.add(viewer.id)
                case "kind":
                    value = parameters.add(viewer.kind.name)
                case "rights":
                    value = parameters.add(rights, "json")
                case "expiresAt":
                    value = parameters.add(viewer.expires_at, "bigint")
                case "__typename":
                    value = "'Viewer'::text"
                case name:
                    value = self._own(*own[name], fields, joined)
            entries.append((key, value))
        return entries

    def _own(self, table_name: str, row_id: str | None, nodes: Sequence[FieldNode], joined: Joined) -> str:
        """One's own user, tenant or role: everyone may read it."""
        if row_id is None:
            return "NULL::json"
        table, alias = BY_NAME[table_name], self.name("t")
        level = self._level(table, nodes, "id")
        self.terms.append(Term(level, (row_id,)))
        tie = f"{alias}.id = {self.writing.parameters.add(row_id)}"
        return self._value(self._row(level, nodes, alias, tie), None, joined)


def _shown(column: Column, sql: str) -> str:
    """A column's value as JSON is to show it."""
    match column.kind:
        case Kind.ENUM:
            return f"upper({sql})"
        case Kind.DECIMAL:
            return f"{sql}::text"
        case _:
            return sql
