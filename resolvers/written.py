"""What a mutation answers: the rows that were written, read by the ordinary door; and payloads that are no rows."""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema

from core.errors import ForbiddenError, InternalError
from core.viewer import Viewer
from resolvers.level import Level
from resolvers.lists import Info, Resolver
from resolvers.selection import Syntax, columns_of
from schema.mutation import MUTATIONS
from schema.mutation_field import MutationField
from schema.table import Table
from services.writes.complaints import python_name


def bind_mutations(schema: GraphQLSchema) -> None:
    """Bind each field of `Mutation` to what was written, and the fields of payloads to attributes."""
    mutation = schema.mutation_type
    assert mutation is not None  # noqa: S101 - there is one
    for name, field in MUTATIONS.items():
        mutation.fields[name].resolve = _payload if field.table is None else _rows(field, field.table)
        if field.payload is not None:
            _bind_payload(schema, field.payload.__name__)


def _rows(field: MutationField, table: Table) -> Resolver:
    async def resolve(_root: object, info: Info, **_arguments: Any) -> Any:
        rows, ids = info.context.door(), info.context.written
        selected = Syntax.of(info).fields(info.field_nodes, table.type_name)
        level = Level(
            table, columns_of(table, selected), key="id", include_deleted=_deleted(rows.viewer, table)
        )
        found = await rows.by_key(level, ids)
        written = [_there(found, row_id) for row_id in ids]
        return written if field.many else written[0]

    return resolve


def _deleted(viewer: Viewer, table: Table) -> bool:
    """Whether a deleted row is shown: to whoever may delete and restore, but not to users who write their own."""
    return table.soft_deletes and viewer.may(table.deleted_right)


def _there(found: Mapping[str, Any], row_id: str) -> Any:
    row = found.get(row_id)
    if isinstance(row, ForbiddenError):
        raise row
    if row is None:
        raise InternalError
    return row


async def _payload(_root: object, info: Info, **_arguments: Any) -> Any:
    return info.context.written


def _bind_payload(schema: GraphQLSchema, type_name: str) -> None:
    payload = schema.type_map[type_name]
    assert isinstance(payload, GraphQLObjectType)  # noqa: S101 - tells mypy; KeyError says the rest
    for name, field in payload.fields.items():
        field.resolve = _attribute(name)


def _attribute(name: str) -> Resolver:
    attribute = python_name(name)
    return lambda value, _info: getattr(value, attribute)
