"""The roots: who is asking, and a by-id field and a list for each table, to be asked once or to be told live."""

from typing import Any

import strawberry
from strawberry.tools import create_type
from strawberry.types.field import StrawberryField

from core.viewer import ViewerKind
from schema.connections import (
    CONNECTIONS,
    argument,
    deleted_argument,
    id_argument,
    list_arguments,
    output_field,
)
from schema.core import Role, Tenant, User
from schema.scalars import Timestamp
from schema.streams import stream_fields
from schema.table import Table, or_null
from schema.tables import TABLES
from schema.views import VIEWS


@strawberry.type(description="Who is asking.")
class Viewer:
    """The viewer as a client sees it; `core.viewer.Viewer` is what the server knows."""

    id: strawberry.ID = strawberry.field(
        description="What a client's cache knows the viewer by; not the user's id, and not to be looked up."
    )
    kind: ViewerKind = strawberry.field(description="What kind of caller it is.")
    user: User | None = strawberry.field(description="The user; null for the platform.")
    tenant: Tenant | None = strawberry.field(
        description="The tenant whose data this request sees; null for the platform while it names none."
    )
    role: Role | None = strawberry.field(description="The user's role; null for the platform.")
    rights: list[str] = strawberry.field(
        description="Every right that the viewer has, as `Module.Access`, sorted."
    )
    expires_at: Timestamp = strawberry.field(description="When the token that was sent ends.")


def _root_fields(table: Table) -> list[StrawberryField]:
    row: Any = or_null(table.type)
    label = table.type_name
    return [
        output_field(
            table.one, row, f"The {label} of this id; null where there is none for the viewer.", id_argument(table)
        ),
        *(_also_by(table, name, key) for name, key in table.also_by.items()),
        _list(table, table.many, f"The `{table.many}` that the viewer may read, a page at a time."),
        *(_list(table, name, about) for name, about in table.also_many.items()),
    ]  # fmt: skip


def _list(table: Table, name: str, about: str) -> StrawberryField:
    return output_field(name, CONNECTIONS[table.name], about, list_arguments(table))


def _view(view: Table) -> StrawberryField:
    return _list(view, view.many, view.type.__strawberry_definition__.description + " A page at a time.")


def _also_by(table: Table, name: str, key: str) -> StrawberryField:
    row: Any = or_null(table.type)
    arguments = [argument(key, str, table.columns[key].description), *deleted_argument(table)]
    return output_field(
        name, row, f"The {table.type_name} of this {key}; null where there is none for the viewer.", arguments
    )


def _fields() -> list[StrawberryField]:
    """Everything that can be read, by root field: the one list that both roots are made of."""
    return [
        output_field("viewer", Viewer | None, "Who is asking; null for a caller without a token."),
        *(field for table in TABLES for field in _root_fields(table)),
        *map(_view, VIEWS),
    ]


def _live(field: StrawberryField) -> StrawberryField:
    field.description = f"{field.description} Live: told at once, and again after each change of the answer."
    return field


Query = create_type("Query", _fields(), description="Everything that can be read.")

Subscription = create_type(
    "Subscription",
    [*map(_live, _fields()), *stream_fields()],
    description="Everything that can be read, live: each field of `Query`, and beside them streams of what happens.",
)
