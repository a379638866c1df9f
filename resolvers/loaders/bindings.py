"""Binds each declared field of the schema to its resolver, on graphql-core's objects.

Strawberry declares the schema. A resolver here is a plain function of a record and graphql-core's info. So nothing is
built, converted or looked up for each field of each row.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
from graphql import GraphQLObjectType, GraphQLSchema, GraphQLUnionType
from strawberry import Schema

from core.clock import NEVER
from resolvers.loaders.connections import (
    Info,
    PageSlice,
    Resolver,
    build_relation_connection_resolver,
    build_root_connection_resolver,
)
from resolvers.loaders.events import bind_streams
from resolvers.loaders.mutation_payloads import bind_mutations
from resolvers.loaders.nodes import (
    build_id_resolver,
    build_union_resolver,
    build_unique_key_resolver,
    to_one_resolver,
    to_only_resolver,
)
from resolvers.loaders.viewer import bind_viewer
from resolvers.sql.access import require_column
from resolvers.sql.list_query import CURSOR_COLUMN
from schema.build import build_graphql_schema, build_schema
from schema.table import Column, Kind, Table
from schema.tables import LISTED, RELATIONS, Relation, Side


@cache
def build_executable_schema() -> tuple[Schema, GraphQLSchema]:
    """The executable schema: Strawberry's schema, and graphql-core's inside of it. It is made once in a process."""
    schema = build_schema()
    inner = build_graphql_schema(schema)
    for table in LISTED:
        _bind_row(inner, table)
        _bind_connection(inner, table)
        _bind_root(inner, table)
    _set_resolver(inner, "PageInfo", "hasNextPage", lambda page, _info: page.has_next)
    _set_resolver(inner, "PageInfo", "hasPreviousPage", lambda page, _info: page.has_previous)
    _set_resolver(inner, "PageInfo", "startCursor", lambda page, _info: page.build_cursor_at(0))
    _set_resolver(inner, "PageInfo", "endCursor", lambda page, _info: page.build_cursor_at(-1))
    bind_viewer(inner)
    bind_mutations(inner)
    bind_streams(inner)
    _bind_live(inner)
    return schema, inner


def _set_resolver(schema: GraphQLSchema, type_name: str, field: str, resolve: Resolver) -> None:
    object_type = schema.type_map[type_name]
    assert isinstance(object_type, GraphQLObjectType)  # noqa: S101 - for mypy; an absent type is a KeyError
    object_type.fields[field].resolve = resolve


def _bind_row(schema: GraphQLSchema, table: Table) -> None:
    for column in table.columns.values():
        _set_resolver(schema, table.type_name, column.graphql_name, _column_resolver(table, column))
    for relation in RELATIONS[table.name].values():
        _set_resolver(schema, table.type_name, relation.field, _relation_resolver(relation))
    for choice in table.choices:
        _set_resolver(schema, table.type_name, choice.field, build_union_resolver(choice))
        union = schema.type_map[choice.union]
        assert isinstance(union, GraphQLUnionType)  # noqa: S101 - for mypy; an absent type is a KeyError
        union.resolve_type = lambda row, _info, _type: row.type_name


def _relation_resolver(relation: Relation) -> Resolver:
    match relation.side:
        case Side.ONE:
            return to_one_resolver(relation.reference)
        case Side.MANY:
            return build_relation_connection_resolver(relation.target, relation.reference)
        case Side.ONLY:
            return to_only_resolver(relation.target, relation.reference)


def _column_resolver(table: Table, column: Column) -> Resolver:
    """The resolver of a column. It checks that the viewer may read all rows from which the value is computed."""
    value = _value_getter(column)
    if not column.options.dependencies:
        return value

    def resolve(row: Any, info: Info) -> Any:
        require_column(info.context.require_data_access().viewer, table, column)
        return value(row, info)

    return resolve


def _value_getter(column: Column) -> Callable[[Any, Any], Any]:
    name = column.name
    if column.kind is Kind.JSON:
        return lambda row, info: _json_fragment(row[name], info)
    if column.kind is Kind.TEXT:
        return lambda row, info: _counted_text(row[name], info)
    if column.never:
        return lambda row, _info: None if row[name] == NEVER else row[name]
    return lambda row, _info: row[name]


def _json_fragment(text: str | None, info: Info) -> orjson.Fragment | None:
    """JSONB goes into the response as PostgreSQL's text, without being parsed."""
    if text is None:
        return None
    info.context.size.add(text)
    return orjson.Fragment(text)


def _counted_text(text: str | None, info: Info) -> str | None:
    if text is not None:
        info.context.size.add(text)
    return text


def _bind_connection(schema: GraphQLSchema, table: Table) -> None:
    connection, edge = f"{table.type_name}Connection", f"{table.type_name}Edge"

    def get_self(value: Any, _info: object) -> Any:
        return value

    def get_rows(page: PageSlice, _info: object) -> Any:
        return page.rows

    _set_resolver(schema, connection, "nodes", get_rows)
    _set_resolver(schema, connection, "edges", get_rows)
    _set_resolver(schema, connection, "pageInfo", get_self)
    _set_resolver(schema, connection, "totalCount", lambda page, _info: page.count())
    _set_resolver(schema, edge, "node", get_self)
    _set_resolver(schema, edge, "cursor", lambda row, _info: row[CURSOR_COLUMN])


def _bind_root(schema: GraphQLSchema, table: Table) -> None:
    if table.one:
        _set_resolver(schema, "Query", table.one, build_id_resolver(table))
    for name in (table.many, *table.also_many):
        _set_resolver(schema, "Query", name, build_root_connection_resolver(table))
    for name, column in table.also_by.items():
        _set_resolver(schema, "Query", name, build_unique_key_resolver(table, column))


def _bind_live(schema: GraphQLSchema) -> None:
    """Resolve a live query's root field like the query's field of the same name."""
    queries, live = schema.query_type, schema.subscription_type
    assert queries is not None  # noqa: S101 - for mypy; both roots are declared
    assert live is not None  # noqa: S101 - as above
    for name, field in queries.fields.items():
        live.fields[name].resolve = field.resolve
