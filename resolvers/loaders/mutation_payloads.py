"""Resolvers of mutation fields: the written rows, read by the ordinary data access, and payloads that are no rows."""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema

from core.auth.viewer import Viewer
from core.case_conversion import to_snake_case
from core.errors import ForbiddenError, InternalError
from resolvers.loaders.connections import Info, Resolver
from resolvers.sql.list_query import ListQuery
from resolvers.sql.selection import SelectionReader, list_needed_columns
from schema.mutation import MUTATIONS
from schema.mutation_field import MutationField
from schema.table import Table


def bind_mutations(schema: GraphQLSchema) -> None:
    """Bind the fields of `Mutation` to the written rows, and the fields of payloads to attributes."""
    mutation = schema.mutation_type
    assert mutation is not None  # noqa: S101 - there is one
    for name, field in MUTATIONS.items():
        mutation.fields[name].resolve = (
            _resolve_payload if field.table is None else _make_rows_resolver(field, field.table)
        )
        if field.payload is not None:
            bind_attributes(schema, field.payload.__name__)


def _make_rows_resolver(field: MutationField, table: Table) -> Resolver:
    async def resolve(_root: object, info: Info, **_arguments: Any) -> Any:
        rows, ids = info.context.require_data_access(), info.context.written
        selected = SelectionReader.from_info(info).collect_fields_by_name(info.field_nodes, table.type_name)
        query = ListQuery(
            table,
            list_needed_columns(table, selected),
            key="id",
            include_deleted=_shows_deleted(rows.viewer, table),
        )
        found = await rows.fetch_by_key(query, ids)
        written = [_find_row(found, row_id) for row_id in ids]
        return written if field.many else written[0]

    return resolve


def _shows_deleted(viewer: Viewer, table: Table) -> bool:
    """Whether a deleted row is shown.

    It needs the right to delete and restore, so users who write their own row lack it.
    """
    return table.soft_deletes and viewer.has_right(table.deleted_right)


def _find_row(found: Mapping[str, Any], row_id: str) -> Any:
    row = found.get(row_id)
    if isinstance(row, ForbiddenError):
        raise row
    if row is None:
        raise InternalError
    return row


async def _resolve_payload(_root: object, info: Info, **_arguments: Any) -> Any:
    return info.context.written


def bind_attributes(schema: GraphQLSchema, type_name: str) -> None:
    """Bind each field of a type without table to the attribute of that name."""
    payload = schema.type_map[type_name]
    assert isinstance(payload, GraphQLObjectType)  # noqa: S101 - for mypy; an absent type is a KeyError
    for name, field in payload.fields.items():
        field.resolve = _make_attribute_resolver(name)


def _make_attribute_resolver(name: str) -> Resolver:
    attribute = to_snake_case(name)
    return lambda value, _info: getattr(value, attribute)
