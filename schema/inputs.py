"""The inputs of mutations, made of what may be written (`services.writes`) and of the columns' declarations."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

from strawberry.annotation import StrawberryAnnotation
from strawberry.scalars import ID, JSON
from strawberry.tools import create_type
from strawberry.types.field import StrawberryField

from schema.filters import input_field
from schema.scalars import Timestamp
from schema.table import Column, Kind, Table, or_null
from services.writes.record import Field, Record, Verb

_ANNOTATIONS: Final[Mapping[Kind, Any]] = {
    Kind.ID: ID,
    Kind.TEXT: str,
    Kind.TIMESTAMP: Timestamp,
    Kind.INT: int,
    Kind.BOOLEAN: bool,
    Kind.DECIMAL: Decimal,
    Kind.JSON: JSON,
    Kind.TEXTS: list[str],
}


@cache
def create_input(table: Table, record: Record) -> type:
    """The input of a create: what a new row needs, and what it may have."""
    return create_type(
        f"Create{table.type_name}Input",
        [_created(table.columns[field.name], field) for field in record.settable(Verb.CREATE)],
        is_input=True,
        description=f"A new {table.type_name}; what is left out is chosen by the server, or absent.",
    )


@cache
def update_input(table: Table, record: Record) -> type:
    """The input of an update: all of it may be left out."""
    return create_type(
        f"Update{table.type_name}Input",
        [_updated(table.columns[field.name], field) for field in record.settable(Verb.UPDATE)],
        is_input=True,
        description=f"What to change of a {table.type_name}: what is left out stays, a null clears what may be null.",
    )


def _created(column: Column, field: Field) -> StrawberryField:
    if field.null or field.default:
        return input_field(field.name, or_null(annotation_of(column)), _about(column, field, field.about))
    return StrawberryField(
        python_name=field.name,
        graphql_name=column.graphql_name,
        type_annotation=StrawberryAnnotation(annotation_of(column)),
        description=_about(column, field, field.about),
    )


def _updated(column: Column, field: Field) -> StrawberryField:
    return input_field(field.name, or_null(annotation_of(column)), _about(column, field))


def annotation_of(column: Column) -> Any:
    """The GraphQL type that a column's value is given as."""
    return column.enum or _ANNOTATIONS[column.kind]


def _about(column: Column, field: Field, of_new: str = "") -> str:
    notes: Iterable[str] = (column.description, of_new, "For the platform alone." if field.platform else "")
    return " ".join(note for note in notes if note)
