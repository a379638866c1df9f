"""Binds each declared field of the schema to what resolves it, in graphql-core's own terms.

Strawberry says what the schema is; a resolver here is a plain function of a record and graphql-core's info, so that
nothing is built, converted or looked up for each field of each row.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
from graphql import GraphQLObjectType, GraphQLSchema, GraphQLUnionType
from strawberry import Schema

from resolvers.access import require_column
from resolvers.level import CURSOR
from resolvers.lists import Info, Resolver, Slice, root_list, to_many
from resolvers.singles import by_id, by_unique, chosen, to_one, to_only
from resolvers.streams import bind_streams
from resolvers.viewers import bind_viewer
from resolvers.written import bind_mutations
from schema.build import build_schema, graphql_schema
from schema.table import Column, Kind, Table
from schema.tables import LISTED, RELATIONS, Relation, Side


@cache
def bound_schema() -> tuple[Schema, GraphQLSchema]:
    """The schema, ready to execute: as Strawberry's, and as graphql-core's inside of it; made once a process."""
    schema = build_schema()
    inner = graphql_schema(schema)
    for table in LISTED:
        _bind_row(inner, table)
        _bind_connection(inner, table)
        _bind_root(inner, table)
    _set(inner, "PageInfo", "hasNextPage", lambda page, _info: page.has_next)
    _set(inner, "PageInfo", "hasPreviousPage", lambda page, _info: page.has_previous)
    _set(inner, "PageInfo", "startCursor", lambda page, _info: page.cursor(0))
    _set(inner, "PageInfo", "endCursor", lambda page, _info: page.cursor(-1))
    bind_viewer(inner)
    bind_mutations(inner)
    bind_streams(inner)
    _bind_live(inner)
    return schema, inner


def _set(schema: GraphQLSchema, type_name: str, field: str, resolve: Resolver) -> None:
    object_type = schema.type_map[type_name]
    assert isinstance(object_type, GraphQLObjectType)  # noqa: S101 - tells mypy; KeyError says the rest
    object_type.fields[field].resolve = resolve


def _bind_row(schema: GraphQLSchema, table: Table) -> None:
    for column in table.columns.values():
        _set(schema, table.type_name, column.graphql_name, _column(table, column))
    for relation in RELATIONS[table.name].values():
        _set(schema, table.type_name, relation.field, _following(relation))
    for choice in table.choices:
        _set(schema, table.type_name, choice.field, chosen(choice))
        union = schema.type_map[choice.union]
        assert isinstance(union, GraphQLUnionType)  # noqa: S101 - tells mypy; KeyError says the rest
        union.resolve_type = lambda row, _info, _type: row.type_name


def _following(relation: Relation) -> Resolver:
    match relation.side:
        case Side.ONE:
            return to_one(relation.reference)
        case Side.MANY:
            return to_many(relation.target, relation.reference)
        case Side.ONLY:
            return to_only(relation.target, relation.reference)


def _column(table: Table, column: Column) -> Resolver:
    """What resolves a column: its value, for whoever may read all that it was computed from."""
    value = _value(column)
    if not column.options.looks:
        return value

    def resolve(row: Any, info: Info) -> Any:
        require_column(info.context.door().viewer, table, column)
        return value(row, info)

    return resolve


def _value(column: Column) -> Callable[[Any, Any], Any]:
    name = column.name
    if column.kind is Kind.JSON:
        return lambda row, _info: _json(row[name])
    return lambda row, _info: row[name]


def _json(text: str | None) -> orjson.Fragment | None:
    """JSONB travels as the text that PostgreSQL gives, into the response, unparsed."""
    return None if text is None else orjson.Fragment(text)


def _bind_connection(schema: GraphQLSchema, table: Table) -> None:
    connection, edge = f"{table.type_name}Connection", f"{table.type_name}Edge"

    def itself(value: Any, _info: object) -> Any:
        return value

    def rows(page: Slice, _info: object) -> Any:
        return page.rows

    _set(schema, connection, "nodes", rows)
    _set(schema, connection, "edges", rows)
    _set(schema, connection, "pageInfo", itself)
    _set(schema, connection, "totalCount", lambda page, _info: page.count())
    _set(schema, edge, "node", itself)
    _set(schema, edge, "cursor", lambda row, _info: row[CURSOR])


def _bind_root(schema: GraphQLSchema, table: Table) -> None:
    if table.one:
        _set(schema, "Query", table.one, by_id(table))
    for name in (table.many, *table.also_many):
        _set(schema, "Query", name, root_list(table))
    for name, column in table.also_by.items():
        _set(schema, "Query", name, by_unique(table, column))


def _bind_live(schema: GraphQLSchema) -> None:
    """A live query's root field is resolved as the query's of the same name."""
    queries, live = schema.query_type, schema.subscription_type
    assert queries is not None  # noqa: S101 - tells mypy; both roots are declared
    assert live is not None  # noqa: S101 - as above
    for name, field in queries.fields.items():
        live.fields[name].resolve = field.resolve
