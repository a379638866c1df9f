"""What resolves a message of a stream: the message is the root value, and rows hang on its events.

A message is a mapping by GraphQL's own names, and so is an event.
"""

from collections.abc import Awaitable, Mapping
from typing import Any, Final

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema

from core.database import Record
from resolvers.lists import Info, Resolver
from resolvers.singles import follow
from schema.streams import STREAMS
from schema.tables import BY_NAME

_ROWS: Final = (
    ("AgentCheckin", "agent", "agents", "agentId"),
    ("AgentCheckin", "site", "sites", "siteId"),
    ("HealthCheckChange", "healthCheck", "health_checks", "healthCheckId"),
)
"""The type of an event, its field, the table that the field leads to, and the field that holds the row's id."""


def bind_streams(schema: GraphQLSchema) -> None:
    """Bind the root fields of streams, their messages and events, and the rows that hang on those."""
    for stream in STREAMS.values():
        root = _fields(schema, "Subscription")[stream.field]
        root.resolve = lambda message, _info, **_arguments: message
        for type_name in (stream.messages, stream.event.__name__):
            for name, field in _fields(schema, type_name).items():
                field.resolve = _entry(name)
    for type_name, name, table, key in _ROWS:
        _fields(schema, type_name)[name].resolve = _row(table, key)


def _fields(schema: GraphQLSchema, type_name: str) -> Mapping[str, GraphQLField]:
    object_type = schema.type_map[type_name]
    assert isinstance(object_type, GraphQLObjectType)  # noqa: S101 - tells mypy; KeyError says the rest
    fields: Mapping[str, GraphQLField] = object_type.fields
    return fields


def _entry(name: str) -> Resolver:
    return lambda value, _info: value[name]


def _row(table_name: str, key: str) -> Resolver:
    table = BY_NAME[table_name]

    def resolve(event: Mapping[str, Any], info: Info) -> Awaitable[Record | None]:
        return follow(info, table, "id", event[key])

    return resolve
