"""Who is asking: what resolves `viewer`."""

from collections.abc import Awaitable
from typing import Final

from graphql import GraphQLObjectType, GraphQLSchema

from core.database import Record
from core.viewer import Viewer
from resolvers.lists import Info, Resolver
from resolvers.singles import follow
from schema.tables import BY_NAME

_OWN: Final = {"user": ("users", "user_id"), "tenant": ("tenants", "tenant_id"), "role": ("roles", "role_id")}


def _own_row(table_name: str, attribute: str) -> Resolver:
    table = BY_NAME[table_name]

    def resolve(viewer: Viewer, info: Info) -> Awaitable[Record | None] | None:
        key: str | None = getattr(viewer, attribute)
        return None if key is None else follow(info, table, "id", key)

    return resolve


def bind_viewer(schema: GraphQLSchema) -> None:
    """Bind `Query.viewer` and the fields of its type."""
    query, viewer = schema.type_map["Query"], schema.type_map["Viewer"]
    assert isinstance(query, GraphQLObjectType)  # noqa: S101 - tells mypy; KeyError says the rest
    assert isinstance(viewer, GraphQLObjectType)  # noqa: S101 - tells mypy; KeyError says the rest
    query.fields["viewer"].resolve = lambda _root, info: info.context.viewer
    viewer.fields["rights"].resolve = lambda viewer, _info: sorted(viewer.rights)
    viewer.fields["id"].resolve = lambda viewer, _info: viewer.id
    viewer.fields["kind"].resolve = lambda viewer, _info: viewer.kind
    viewer.fields["expiresAt"].resolve = lambda viewer, _info: viewer.expires_at
    for name, (table_name, attribute) in _OWN.items():
        viewer.fields[name].resolve = _own_row(table_name, attribute)
