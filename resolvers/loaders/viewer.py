"""Resolvers of `viewer`, and of `pendingInvitations`, which an invited person may accept."""

from collections.abc import Awaitable, Sequence
from typing import Final

from graphql import GraphQLObjectType, GraphQLSchema

from core.auth.viewer import Viewer
from core.database.database import Record
from resolvers.loaders.connections import Info, Resolver
from resolvers.loaders.mutation_payloads import bind_attributes
from resolvers.loaders.nodes import load_row
from resolvers.sql.access import require_viewer
from schema.tables import BY_NAME
from services.users.invitation_acceptance import PendingInvitation

_OWN_ROWS: Final = {
    "user": ("users", "user_id"),
    "tenant": ("tenants", "tenant_id"),
    "role": ("roles", "role_id"),
}


def _make_own_row_resolver(table_name: str, attribute: str) -> Resolver:
    table = BY_NAME[table_name]

    def resolve(viewer: Viewer, info: Info) -> Awaitable[Record | None] | None:
        key: str | None = getattr(viewer, attribute)
        return None if key is None else load_row(info, table, "id", key)

    return resolve


def _resolve_pending_invitations(_root: object, info: Info) -> Sequence[PendingInvitation]:
    """The invitations that an invited person may accept. A viewer has none."""
    invitations = info.context.invitations
    if invitations is None:
        require_viewer(info.context.viewer)
    return invitations or ()


def bind_viewer(schema: GraphQLSchema) -> None:
    """Bind `Query.viewer`, `Query.pendingInvitations` and the fields of their types."""
    query, viewer = schema.type_map["Query"], schema.type_map["Viewer"]
    assert isinstance(query, GraphQLObjectType)  # noqa: S101 - for mypy; an absent type is a KeyError
    assert isinstance(viewer, GraphQLObjectType)  # noqa: S101 - for mypy; an absent type is a KeyError
    query.fields["viewer"].resolve = lambda _root, info: info.context.viewer
    viewer.fields["rights"].resolve = lambda viewer, _info: sorted(viewer.rights)
    viewer.fields["id"].resolve = lambda viewer, _info: viewer.id
    viewer.fields["kind"].resolve = lambda viewer, _info: viewer.kind
    viewer.fields["expiresAt"].resolve = lambda viewer, _info: viewer.shown_expires_at
    query.fields["pendingInvitations"].resolve = _resolve_pending_invitations
    bind_attributes(schema, "PendingInvitation")
    for name, (table_name, attribute) in _OWN_ROWS.items():
        viewer.fields[name].resolve = _make_own_row_resolver(table_name, attribute)
