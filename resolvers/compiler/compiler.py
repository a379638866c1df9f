"""The compiler: it turns a selection into one SQL statement with JSON that goes into the response unchanged.

    sites { nodes { name tenant { slug } agents { totalCount } } }
      |             |    |               |
      |             |    |               +-- to-many: a subquery that aggregates its page (`compiled_lists`)
      |             |    +-- to-one: LEFT JOIN LATERAL (one row) ON TRUE
      |             +-- a row: row_to_json of its columns, named by response keys
      +-- a connection: its page of rows, aggregated with json_agg (`compiled_lists`)

It raises `NotCompilableError` for everything that it cannot express, and for everything that ends in an error for the
client. The data loaders then answer that root field.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson
from graphql import FieldNode, GraphQLError, GraphQLObjectType, GraphQLSchema
from graphql.execution.values import VariableValues, get_argument_values

from core.auth.viewer import ViewerKind, format_viewer_id
from core.clock import NEVER
from core.errors import ProductError
from resolvers.compiler.connection_sql import (
    ConnectionSelection,
    ConnectionSql,
    NotCompilableError,
    SelectEntry,
    build_connection_sql,
    select_list,
)
from resolvers.compiler.plan import Plan, PlanTerm
from resolvers.compiler.read_tracking import CompiledSelect, ReadNode, RowJoins, wrap_select
from resolvers.loaders.connections import build_list_query, count_query, require_list_access
from resolvers.sql.access import QueryViewer, require_column, require_right
from resolvers.sql.data_access import require_read_access
from resolvers.sql.filter_variables import require_operand_variables
from resolvers.sql.list_query import ListQuery, StatementBuilder, build_page_sql
from resolvers.sql.parameters import Param
from resolvers.sql.selection import SelectionReader, list_needed_columns, read_connection_selection
from schema.table import Choice, Column, Kind, Scope, Table
from schema.tables import BY_NAME, LISTED, RELATIONS, TABLES, Relation, Side

RowSource = Callable[[Column], str]
"""Returns the SQL expression of a column's value in the present row."""


_ID_FIELDS: Final = {table.one: (table, "id") for table in TABLES}
_UNIQUE_FIELDS: Final = {name: (t, column) for t in TABLES for name, column in t.also_by.items()}
_CONNECTION_FIELDS: Final = {name: table for table in LISTED for name in (table.many, *table.also_many)}
_UNION_FIELDS: Final[Mapping[str, Mapping[str, Choice]]] = {
    t.name: {c.field: c for c in t.choices} for t in LISTED
}


def compile_root_field(
    schema: GraphQLSchema,
    syntax: SelectionReader,
    variables: VariableValues,
    viewer: QueryViewer,
    nodes: Sequence[FieldNode],
    *,
    track_reads: bool = False,
) -> tuple[Plan, bool]:
    """Compile the root field of `nodes`, which are merged under one response key.

    Returns the plan, and whether it fits other values of the parameters. If not, its SQL contains values. With
    `track_reads` the statement returns `facts` with its `data` (`observing`).

    Raises:
        NotCompilableError: The data loaders must answer it.
    """
    compiler = _Compiler(schema, syntax, variables, viewer, track_reads=track_reads)
    try:
        sql, node, columns = compiler.compile_root(nodes)
    except (ProductError, GraphQLError) as error:
        raise NotCompilableError(str(error)) from error
    statement, terms = compiler.builder.build(sql), tuple(compiler.terms)
    return Plan(statement, terms, node if track_reads else None, columns), compiler.reusable


class _Compiler:
    """Compiles one root field. Its methods write SQL, and `builder` collects the bound values."""

    def __init__(
        self,
        schema: GraphQLSchema,
        syntax: SelectionReader,
        variables: VariableValues,
        viewer: QueryViewer,
        *,
        track_reads: bool,
    ) -> None:
        self._schema = schema
        self._syntax = syntax
        self._variables = variables
        self._viewer = viewer
        self._track_reads = track_reads
        self._names = 0
        self.builder = StatementBuilder(viewer)
        self.terms: list[PlanTerm] = []
        self.reusable = True

    def compile_root(self, nodes: Sequence[FieldNode]) -> CompiledSelect:
        """The statement of a root field. With read tracking it returns one row, and its `facts` are not null."""
        found = self._compile_root_field(nodes)
        if not self._track_reads:
            return found
        facts = "coalesce(r.facts, '[]'::json)" if found.node.has_facts else "'[]'::json"
        sql = f"SELECT r.data, {facts} AS facts FROM (SELECT) s LEFT JOIN ({found.sql}) r ON TRUE"
        return CompiledSelect(sql, found.node)

    def _compile_root_field(self, nodes: Sequence[FieldNode]) -> CompiledSelect:
        name = nodes[0].name.value
        if name in _CONNECTION_FIELDS:
            found = self._compile_connection("Query", _CONNECTION_FIELDS[name], nodes, None, None)
            if self._track_reads:
                return found
            return wrap_select("SELECT (", found, ") AS data")
        if name in _ID_FIELDS or name in _UNIQUE_FIELDS:
            return self._compile_single_row(nodes, *(_ID_FIELDS.get(name) or _UNIQUE_FIELDS[name]))
        if name == "viewer":
            return self._compile_viewer(nodes)
        raise NotCompilableError(f"{name} does not belong to a table")

    def make_unique_name(self, prefix: str) -> str:
        """A name that is unique in the statement."""
        self._names += 1
        return f"{prefix}{self._names}"

    def _coerce_arguments(self, type_name: str, node: FieldNode) -> dict[str, Any]:
        parent = self._schema.type_map[type_name]
        assert isinstance(parent, GraphQLObjectType)  # noqa: S101 - for mypy; an absent type is a KeyError
        return get_argument_values(parent.fields[node.name.value], node, self._variables)

    def _record_read(self, level: ListQuery, keys: tuple[str, ...] | None = None) -> ListQuery:
        require_read_access(self._viewer, level)
        self.terms.append(PlanTerm(level, keys))
        return level

    def _build_lookup_query(
        self, table: Table, nodes: Sequence[FieldNode], key: str, *, include_deleted: bool = False
    ) -> ListQuery:
        """The level of rows that are looked up by `key`, with the columns for `nodes`."""
        columns = list_needed_columns(table, self._syntax.collect_fields_by_name(nodes, table.type_name))
        return ListQuery(table, columns, key=key, include_deleted=include_deleted)

    def _compile_single_row(self, nodes: Sequence[FieldNode], table: Table, column: str) -> CompiledSelect:
        arguments = self._coerce_arguments("Query", nodes[0])
        with_deleted = bool(arguments.get("includeDeleted"))
        key: str = arguments[column]
        if column in table.canonical:  # such an argument is never a `Param`: `_PLAIN_ARGUMENTS`
            key = table.canonical[column](key)
        level = self._record_read(
            self._build_lookup_query(table, nodes, column, include_deleted=with_deleted), (key,)
        )
        alias = self.make_unique_name("t")
        tie = f"{alias}.{column} = {self.builder.parameters.add(key)}"
        pick = (
            f" ORDER BY {alias}.deleted_at DESC NULLS FIRST, {alias}.id DESC LIMIT 1" if with_deleted else ""
        )
        return self._compile_row(level, nodes, alias, tie, pick)

    def _compile_row(
        self,
        level: ListQuery,
        nodes: Sequence[FieldNode],
        alias: str,
        tie: str,
        pick: str = "",
        terms: tuple[int, ...] = (),
    ) -> CompiledSelect:
        """The one row of a level that matches `tie`. No row if there is none."""
        joined = RowJoins()
        entries = list(
            self._compile_entries(level.table, nodes, level.table.type_name, lambda c: c.sql(alias), joined)
        )
        node = ReadNode(terms, None, tuple(joined.children))
        object_ = self.make_unique_name("o")
        if self._track_reads and node.has_facts:
            joined.joins.append(f"CROSS JOIN LATERAL (SELECT {select_list(entries)}) {object_}")
            reported = [
                f"row_to_json({object_}.*) AS data",
                f"json_build_array({', '.join(joined.facts)}) AS facts",
            ]
            source = build_page_sql(level, self.builder, alias, tie, reported, None, joined.joins)
            return CompiledSelect(f"{source}{pick}", node)
        source = build_page_sql(level, self.builder, alias, tie, [select_list(entries)], None, joined.joins)
        return CompiledSelect(
            f"SELECT row_to_json({object_}.*) AS data FROM ({source}{pick}) {object_}", node
        )

    def _build_value_sql(
        self, found: CompiledSelect, key: str | None, joined: RowJoins, join: str | None = None
    ) -> str:
        """The SQL of a value below a row: a subquery, or a join under the name `join`.

        With read tracking it is always a join, because a subquery returns one value only.
        """
        if not (join or self._track_reads):
            return f"({found.sql})"
        join = join or self.make_unique_name("j")
        joined.joins.append(f"LEFT JOIN LATERAL ({found.sql}) {join} ON TRUE")
        if self._track_reads:
            joined.add_child(found.node, key, join)
        return f"{join}.data"

    def _build_object_sql(self, entries: Sequence[SelectEntry], source: str) -> str:
        """The JSON object of some entries, as a scalar subquery."""
        name = self.make_unique_name("o")
        return f"(SELECT row_to_json({name}.*) FROM (SELECT {select_list(entries)}{source}) {name})"

    def _compile_entries(
        self, table: Table, nodes: Sequence[FieldNode], type_name: str, source: RowSource, joined: RowJoins
    ) -> Iterator[SelectEntry]:
        """The response keys of a row with the SQL of their values. The joins for them are added to `joined`."""
        for key, fields in self._syntax.collect_fields_by_response_key(nodes, type_name).items():
            name = fields[0].name.value
            column = table.by_graphql_name.get(name)
            if column is not None:
                require_column(self._viewer, table, column)
                yield key, _build_json_value_sql(column, source(column))
            elif name == "__typename":
                yield key, f"'{type_name}'::text"
            elif name in _UNION_FIELDS[table.name]:
                yield key, self._compile_union(table, _UNION_FIELDS[table.name][name], fields, source, joined)
            else:
                yield key, self._compile_relation(table, RELATIONS[table.name][name], fields, source, joined)

    def _compile_relation(
        self,
        table: Table,
        relation: Relation,
        nodes: Sequence[FieldNode],
        source: RowSource,
        joined: RowJoins,
    ) -> str:
        if relation.side is Side.MANY:
            parent = source(table.columns["id"])
            rows = self._compile_connection(table.type_name, relation.target, nodes, relation, parent)
            return self._build_value_sql(rows, parent, joined)
        column, own = relation.reference.column, "id"
        if relation.side is Side.ONE:
            own, column = column, own
        join, key = self.make_unique_name("j"), source(table.columns[own])
        return self._build_value_sql(
            self._compile_lookup(relation.target, column, nodes, key), key, joined, join
        )

    def _compile_lookup(
        self, target: Table, column: str, nodes: Sequence[FieldNode], key: str
    ) -> CompiledSelect:
        alias = self.make_unique_name("t")
        level = self._build_lookup_query(target, nodes, column)
        if not (target.scope is Scope.ITSELF and self._viewer.kind is ViewerKind.USER):
            require_right(self._viewer, target)
        self.terms.append(PlanTerm(level))
        terms = (len(self.terms) - 1,)
        return self._compile_row(level, nodes, alias, f"{alias}.{column} = {key}", terms=terms)

    def _compile_union(
        self, table: Table, choice: Choice, nodes: Sequence[FieldNode], source: RowSource, joined: RowJoins
    ) -> str:
        """A CASE over the discriminator. Each branch reads its own table."""
        key, of = source(table.columns[choice.column]), source(table.columns[choice.discriminator])
        branches = []
        for value, name in choice.members.items():
            own = f"CASE WHEN {of} = '{value}' THEN {key} END" if self._track_reads else key
            row = self._compile_lookup(BY_NAME[name], "id", nodes, own)
            branches.append(f"WHEN '{value}' THEN {self._build_value_sql(row, own, joined)}")
        return f"CASE {of} {' '.join(branches)} END"

    def _compile_connection(
        self,
        type_name: str,
        table: Table,
        nodes: Sequence[FieldNode],
        relation: Relation | None,
        parent: str | None,
    ) -> CompiledSelect:
        arguments = self._coerce_arguments(type_name, nodes[0])
        require_operand_variables(table, nodes[0], self._variables.coerced)
        selection = read_connection_selection(self._syntax, nodes, table)
        reference = relation.reference if relation else None
        list_name = f"{type_name}.{nodes[0].name.value}"
        level = self._record_read(
            build_list_query(list_name, self._viewer, table, arguments, reference, selection)
        )
        require_list_access(self._viewer, level, selection)
        if level.fingerprint or level.after or level.before:
            self.reusable = False  # a cursor's fingerprint is a hash of the filter and the tenant
        if any(c and (relation or c.parent is not None) for c in (level.after, level.before)):
            raise NotCompilableError("a cursor is checked against each parent")
        page, selection_parts = len(self.terms) - 1, self._read_connection_selection(table, nodes)
        found = build_connection_sql(
            level, self.builder, selection_parts, parent, self.make_unique_name, track_reads=self._track_reads
        )
        node = self._build_connection_node(page, found) if self._track_reads else ReadNode()
        return CompiledSelect(found.sql, node, found.columns)

    def _build_connection_node(self, page: int, found: ConnectionSql) -> ReadNode:
        """The place of a list with the term `page`. Fetched rows and counted rows are separate reads."""
        total = PlanTerm(count_query(self.terms[page].query))
        if not found.fetches:
            self.terms[page] = total if found.counts else replace(total, keys=())
            return ReadNode((page,))
        if not found.counts:
            return ReadNode((page,), page, found.children)
        self.terms.append(total)
        return ReadNode((page, len(self.terms) - 1), page, found.children)

    def _read_connection_selection(self, table: Table, nodes: Sequence[FieldNode]) -> ConnectionSelection:
        """The selected parts of a connection, each under its response key."""
        type_name = table.type_name
        fields = self._syntax.collect_fields_by_response_key(nodes, f"{type_name}Connection")

        def compile_row(rows: Sequence[FieldNode], source: RowSource, joined: RowJoins) -> str:
            return select_list(list(self._compile_entries(table, rows, type_name, source, joined)))

        return ConnectionSelection(
            type_name,
            fields=fields,
            edges={
                key: self._syntax.collect_fields_by_response_key(found, f"{type_name}Edge")
                for key, found in fields.items()
                if found[0].name.value == "edges"
            },
            page_infos={
                key: {
                    k: v[0].name.value
                    for k, v in self._syntax.collect_fields_by_response_key(found, "PageInfo").items()
                }
                for key, found in fields.items()
                if found[0].name.value == "pageInfo"
            },
            row=compile_row,
        )

    def _compile_viewer(self, nodes: Sequence[FieldNode]) -> CompiledSelect:
        joined = RowJoins()
        data = self._build_object_sql(self._compile_viewer_entries(nodes, joined), "")
        node = ReadNode((), None, tuple(joined.children))
        if not joined.joins:
            return CompiledSelect(f"SELECT {data} AS data", node)
        facts = f"json_build_array({', '.join(joined.facts)}) AS facts" if node.has_facts else "NULL"
        return CompiledSelect(
            f"SELECT {data} AS data, {facts} FROM (SELECT) v {' '.join(joined.joins)}", node
        )

    def _compile_viewer_entries(self, nodes: Sequence[FieldNode], joined: RowJoins) -> list[SelectEntry]:
        viewer, parameters = self._viewer, self.builder.parameters
        self.reusable = False
        rights = orjson.dumps(sorted(viewer.rights)).decode()
        own = {
            "user": ("users", viewer.user_id),
            "tenant": ("tenants", viewer.tenant_id),
            "role": ("roles", viewer.role_id),
        }
        entries = []
        for key, fields in self._syntax.collect_fields_by_response_key(nodes, "Viewer").items():
            match fields[0].name.value:
                case "id":
                    value = parameters.add(_build_viewer_id(viewer))
                case "kind":
                    value = parameters.add(viewer.kind.name)
                case "rights":
                    value = parameters.add(rights, "json")
                case "expiresAt":
                    value = parameters.add(viewer.shown_expires_at, "bigint")
                case "__typename":
                    value = "'Viewer'::text"
                case name:
                    value = self._compile_own_row(*own[name], fields, joined)
            entries.append((key, value))
        return entries

    def _compile_own_row(
        self, table_name: str, row_id: str | Param | None, nodes: Sequence[FieldNode], joined: RowJoins
    ) -> str:
        """The viewer's own user, tenant or role. Everyone may read these."""
        if row_id is None:
            return "NULL::json"
        table, alias = BY_NAME[table_name], self.make_unique_name("t")
        level = self._build_lookup_query(table, nodes, "id")
        self.terms.append(PlanTerm(level, (row_id,)))
        tie = f"{alias}.id = {self.builder.parameters.add(row_id)}"
        return self._build_value_sql(self._compile_row(level, nodes, alias, tie), None, joined)


def _build_viewer_id(viewer: QueryViewer) -> str:
    """The viewer's id by the tenant's value. A plan that contains it fits no other viewer."""
    tenant_id = viewer.tenant_id
    tenant = str(tenant_id.value) if isinstance(tenant_id, Param) else tenant_id
    return format_viewer_id(viewer.kind, viewer.user_id or tenant)


def _build_json_value_sql(column: Column, sql: str) -> str:
    """A column's value in the form of the answer's JSON."""
    if column.never:
        return f"nullif({sql}, {NEVER})"
    match column.kind:
        case Kind.ENUM:
            return f"upper({sql})"
        case Kind.DECIMAL:
            return f"{sql}::text"
        case _:
            return sql
