"""The compiler: a selection into one SQL statement whose JSON goes into the response as it is.

A row becomes `row_to_json` of its selected columns under their response keys; a to-one relation a lateral join; a
to-many relation a subquery that aggregates its page (`compiled_lists`). What it cannot say it refuses with
`NotCompilableError`, errors that a client is to be told among it: the data loaders then answer that root field.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from graphql import FieldNode, GraphQLError, GraphQLObjectType, GraphQLSchema
from graphql.execution.values import VariableValues, get_argument_values

from core.errors import ProductError
from core.viewer import Viewer, ViewerKind
from resolvers.access import require_right
from resolvers.compiled_lists import Entry, ListParts, NotCompilableError, list_sql, listed
from resolvers.level import Level, Writing, page_sql
from resolvers.lists import list_level, require_list
from resolvers.plans import Plan, Term
from resolvers.rows import require_level
from resolvers.selection import Syntax, columns_of, list_selection
from schema.table import Choice, Column, Kind, Scope, Table
from schema.tables import BY_NAME, RELATIONS, TABLES, Relation, Side

Source = Callable[[Column], str]
"""Gives the SQL expression of a column's value in the row at hand."""


_BY_ID: Final = {table.one: (table, "id") for table in TABLES}
_BY_UNIQUE: Final = {name: (t, column) for t in TABLES for name, column in t.also_by.items()}
_LISTS: Final = {table.many: table for table in TABLES}
_CHOICES: Final[Mapping[str, Mapping[str, Choice]]] = {
    t.name: {c.field: c for c in t.choices} for t in TABLES
}


def compile_root(
    schema: GraphQLSchema,
    syntax: Syntax,
    variables: VariableValues,
    viewer: Viewer,
    nodes: Sequence[FieldNode],
) -> tuple[Plan, bool]:
    """Compile the root field that `nodes` (merged under one response key) ask for.

    Tells beside the plan whether it is good for other values of what is held; else the SQL knows them.

    Raises:
        NotCompilableError: The data loaders must answer it.
    """
    compiler = _Compiler(schema, syntax, variables, viewer)
    try:
        sql = compiler.root(nodes)
    except (ProductError, GraphQLError) as error:
        raise NotCompilableError(str(error)) from error
    columns = _within(sql, compiler.columns) if compiler.columns else None
    return Plan(compiler.writing.finish(sql), tuple(compiler.terms), columns=columns), compiler.reusable


def _within(sql: str, part: str) -> slice:
    start = sql.index(part)
    return slice(start, start + len(part))


class _Compiler:
    """Compiles one root field. Methods write SQL; `writing` collects what is bound."""

    def __init__(
        self, schema: GraphQLSchema, syntax: Syntax, variables: VariableValues, viewer: Viewer
    ) -> None:
        self._schema = schema
        self._syntax = syntax
        self._variables = variables
        self._viewer = viewer
        self._names = 0
        self.writing = Writing(viewer)
        self.columns: str | None = None
        self.terms: list[Term] = []
        self.reusable = True

    def root(self, nodes: Sequence[FieldNode]) -> str:
        """The statement of a root field."""
        name = nodes[0].name.value
        if name in _LISTS:
            return f"SELECT ({self._list('Query', _LISTS[name], nodes, None, None)}) AS data"
        if name in _BY_ID or name in _BY_UNIQUE:
            return self._single(nodes, *(_BY_ID.get(name) or _BY_UNIQUE[name]))
        if name == "viewer":
            return f"SELECT {self._object(self._viewer_entries(nodes), '')} AS data"
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

    def _single(self, nodes: Sequence[FieldNode], table: Table, column: str) -> str:
        arguments = self._arguments("Query", nodes[0])
        with_deleted = bool(arguments.get("includeDeleted"))
        key: str = arguments[column]
        level = self._read(self._level(table, nodes, column, include_deleted=with_deleted), (key,))
        alias = self.name("t")
        tie = f"{alias}.{column} = {self.writing.parameters.add(key)}"
        pick = (
            f" ORDER BY {alias}.deleted_at DESC NULLS FIRST, {alias}.id DESC LIMIT 1" if with_deleted else ""
        )
        return f"{self._row(level, nodes, alias, tie, pick)}"

    def _row(self, level: Level, nodes: Sequence[FieldNode], alias: str, tie: str, pick: str = "") -> str:
        """`SELECT ... AS data` of the one row of a level that `tie` leaves; no row where there is none."""
        joins: list[str] = []
        entries = list(
            self._entries(level.table, nodes, level.table.type_name, lambda c: c.sql(alias), joins)
        )
        object_ = self.name("o")
        source = page_sql(level, self.writing, alias, tie, [listed(entries)], None, joins)
        return f"SELECT row_to_json({object_}.*) AS data FROM ({source}{pick}) {object_}"

    def _object(self, entries: Sequence[Entry], source: str) -> str:
        """The JSON object of some entries, as a scalar subquery."""
        name = self.name("o")
        return f"(SELECT row_to_json({name}.*) FROM (SELECT {listed(entries)}{source}) {name})"

    def _entries(
        self, table: Table, nodes: Sequence[FieldNode], type_name: str, source: Source, joins: list[str]
    ) -> Iterator[Entry]:
        """The response keys of a row with the SQL of their values; what they need is added to `joins`."""
        for key, fields in self._syntax.responses(nodes, type_name).items():
            name = fields[0].name.value
            column = table.by_graphql_name.get(name)
            if column is not None:
                yield key, _value(column, source(column))
            elif name == "__typename":
                yield key, f"'{type_name}'::text"
            elif name in _CHOICES[table.name]:
                yield key, self._choice(table, _CHOICES[table.name][name], fields, source)
            else:
                yield key, self._relation(table, RELATIONS[table.name][name], fields, source, joins)

    def _relation(
        self, table: Table, relation: Relation, nodes: Sequence[FieldNode], source: Source, joins: list[str]
    ) -> str:
        if relation.side is Side.MANY:
            parent = source(table.columns["id"])
            return f"({self._list(table.type_name, relation.target, nodes, relation, parent)})"
        column, own = relation.reference.column, "id"
        if relation.side is Side.ONE:
            own, column = column, own
        join = self.name("j")
        row = self._follow(relation.target, column, nodes, source(table.columns[own]))
        joins.append(f"LEFT JOIN LATERAL ({row}) {join} ON TRUE")
        return f"{join}.data"

    def _follow(self, target: Table, column: str, nodes: Sequence[FieldNode], key: str) -> str:
        alias = self.name("t")
        level = self._level(target, nodes, column)
        if not (target.scope is Scope.ITSELF and self._viewer.kind is ViewerKind.USER):
            require_right(self._viewer, target)
        self.terms.append(Term(level))
        return self._row(level, nodes, alias, f"{alias}.{column} = {key}")

    def _choice(self, table: Table, choice: Choice, nodes: Sequence[FieldNode], source: Source) -> str:
        """A CASE over the discriminator; each branch reads its own table."""
        key = source(table.columns[choice.column])
        branches = (
            f"WHEN '{value}' THEN ({self._follow(BY_NAME[name], 'id', nodes, key)})"
            for value, name in choice.members.items()
        )
        return f"CASE {source(table.columns[choice.discriminator])} {' '.join(branches)} END"

    def _list(
        self,
        type_name: str,
        table: Table,
        nodes: Sequence[FieldNode],
        relation: Relation | None,
        parent: str | None,
    ) -> str:
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
        found = list_sql(level, self.writing, self._list_parts(table, nodes), parent, self.name)
        if type_name == "Query":
            self.columns = found.columns
        return found.sql

    def _list_parts(self, table: Table, nodes: Sequence[FieldNode]) -> ListParts:
        """What of a connection is asked for, each part under its response key."""
        type_name = table.type_name
        fields = self._syntax.responses(nodes, f"{type_name}Connection")

        def of_row(rows: Sequence[FieldNode], source: Source, joins: list[str]) -> str:
            return listed(list(self._entries(table, rows, type_name, source, joins)))

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

    def _viewer_entries(self, nodes: Sequence[FieldNode]) -> list[Entry]:
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
                    value = self._own(*own[name], fields)
            entries.append((key, value))
        return entries

    def _own(self, table_name: str, row_id: str | None, nodes: Sequence[FieldNode]) -> str:
        """One's own user, tenant or role: everyone may read it."""
        if row_id is None:
            return "NULL::json"
        table, alias = BY_NAME[table_name], self.name("t")
        level = self._level(table, nodes, "id")
        self.terms.append(Term(level, (row_id,)))
        tie = f"{alias}.id = {self.writing.parameters.add(row_id)}"
        return f"({self._row(level, nodes, alias, tie)})"


def _value(column: Column, sql: str) -> str:
    """A column's value as JSON is to show it."""
    match column.kind:
        case Kind.ENUM:
            return f"upper({sql})"
        case Kind.DECIMAL:
            return f"{sql}::text"
        case _:
            return sql
