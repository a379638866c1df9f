"""The root types: the viewer, and a by-id field and a list for each table. Each can be queried once or live."""

from typing import Any

import strawberry
from strawberry.tools import create_type
from strawberry.types.field import StrawberryField

from core.auth.viewer import ViewerKind
from schema.connections import (
    CONNECTIONS,
    argument,
    build_deleted_argument,
    build_id_argument,
    build_output_field,
    list_arguments,
)
from schema.core import Role, Tenant, User
from schema.pending_invitations import PendingInvitation
from schema.scalars import Timestamp
from schema.streams import build_stream_fields
from schema.table import Table, nullable
from schema.tables import TABLES
from schema.views import VIEWS


@strawberry.type(description="The caller of the request.")
class Viewer:
    """The viewer as shown to a client; `core.auth.viewer.Viewer` is the server's own."""

    id: strawberry.ID = strawberry.field(
        description="A key of the viewer for client caches. It is not the id of the user, and no field finds a "
        "viewer by it."
    )
    kind: ViewerKind = strawberry.field(description="The kind of the caller.")
    user: User | None = strawberry.field(description="The user; null for the platform.")
    tenant: Tenant | None = strawberry.field(
        description="The tenant whose data the request sees; null for the platform if the request names none."
    )
    role: Role | None = strawberry.field(description="The role of the user; null for the platform.")
    rights: list[str] = strawberry.field(description="The rights of the viewer as `Module.Access`, sorted.")
    expires_at: Timestamp | None = strawberry.field(
        description="The expiry time of the token; null if it is after the year 275760, where JavaScript's Date ends."
    )


def _root_fields(table: Table) -> list[StrawberryField]:
    row: Any = nullable(table.type)
    label = table.type_name
    return [
        build_output_field(
            table.one, row, f"The {label} with this id; null if there is none or the viewer may not read it.",
            build_id_argument(table),
        ),
        *(_also_by(table, name, key) for name, key in table.also_by.items()),
        _list(table, table.many, f"A page of the `{table.many}` that the viewer may read."),
        *(_list(table, name, about) for name, about in table.also_many.items()),
    ]  # fmt: skip


def _list(table: Table, name: str, about: str) -> StrawberryField:
    connection: Any = nullable(CONNECTIONS[table.name])
    return build_output_field(
        name, connection, f"{about} Null if the viewer may not read it.", list_arguments(table)
    )


def _view(view: Table) -> StrawberryField:
    return _list(view, view.many, view.type.__strawberry_definition__.description + " Returns one page.")


def _also_by(table: Table, name: str, key: str) -> StrawberryField:
    row: Any = nullable(table.type)
    arguments = [argument(key, str, table.columns[key].description), *build_deleted_argument(table)]
    return build_output_field(
        name,
        row,
        f"The {table.type_name} with this {key}; null if there is none or the viewer may not read it.",
        arguments,
    )


def _fields() -> list[StrawberryField]:
    """All readable root fields. Both root types are built from this list."""
    return [
        build_output_field("viewer", Viewer | None, "The caller of the request; null without a token."),
        build_output_field(
            "pendingInvitations",
            list[PendingInvitation] | None,
            "The invitations to the verified e-mail address of the caller's token, oldest first. The list is "
            "empty if a User has the subject of the token.",
        ),
        *(field for table in TABLES for field in _root_fields(table)),
        *map(_view, VIEWS),
    ]


def _live(field: StrawberryField) -> StrawberryField:
    field.description = f"{field.description} Live: the answer is sent at once and again after each change."
    return field


Query = create_type("Query", _fields(), description="All reads.")

Subscription = create_type(
    "Subscription",
    [*map(_live, _fields()), *build_stream_fields()],
    description="All live reads: each field of `Query`, and event streams.",
)
