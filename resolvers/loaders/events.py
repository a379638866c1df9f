"""Resolvers of stream messages: the message is the root value, and its events have fields for rows.

A message is a mapping by GraphQL names, and so is an event.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, Final

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema

from core.database.database import Record
from resolvers.loaders.connections import Info, Resolver
from resolvers.loaders.nodes import load_row
from schema.streams import STREAMS
from schema.tables import BY_NAME

_ROW_FIELDS: Final = (
    ("AgentCheckin", "agent", "agents", "agentId"),
    ("AgentCheckin", "site", "sites", "siteId"),
    ("HealthCheckChange", "healthCheck", "health_checks", "healthCheckId"),
)
"""The event's type, its field, the table of the field's row, and the field with the row's id."""


def bind_streams(schema: GraphQLSchema) -> None:
    """Bind the root fields of streams, the fields of messages and events, and the rows of events."""
    for stream in STREAMS.values():
        root = _find_type_fields(schema, "Subscription")[stream.field]
        root.resolve = lambda message, _info, **_arguments: message
        for type_name in (stream.messages, stream.event.__name__):
            for name, field in _find_type_fields(schema, type_name).items():
                field.resolve = _make_entry_resolver(name)
    for type_name, name, table, key in _ROW_FIELDS:
        _find_type_fields(schema, type_name)[name].resolve = _make_row_resolver(table, key)


def _find_type_fields(schema: GraphQLSchema, type_name: str) -> Mapping[str, GraphQLField]:
    object_type = schema.type_map[type_name]
    assert isinstance(object_type, GraphQLObjectType)  # noqa: S101 - for mypy; an absent type is a KeyError
    fields: Mapping[str, GraphQLField] = object_type.fields
    return fields


def _make_entry_resolver(name: str) -> Resolver:
    return lambda value, _info: value[name]


def _make_row_resolver(table_name: str, key: str) -> Resolver:
    table = BY_NAME[table_name]

    def resolve(event: Mapping[str, Any], info: Info) -> Awaitable[Record | None]:
        return load_row(info, table, "id", event[key])

    return resolve
