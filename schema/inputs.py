"""The inputs of mutations, built from the writable columns (`services.writes`) and the columns' declarations."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

from strawberry.annotation import StrawberryAnnotation
from strawberry.scalars import ID, JSON
from strawberry.tools import create_type
from strawberry.types.field import StrawberryField

from schema.filters import build_input_field
from schema.scalars import Timestamp
from schema.table import Column, Kind, Table, nullable
from services.writes.record import WritableField, WritableTable, WriteVerb

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
def create_input(table: Table, record: WritableTable) -> type:
    """The input of a create: the required and optional values of a new row."""
    return create_type(
        f"Create{table.type_name}Input",
        [
            _build_created_field(table.columns[field.name], field)
            for field in record.list_settable_fields(WriteVerb.CREATE)
        ],
        is_input=True,
        description=(
            f"The fields of a new {table.type_name}. The server chooses the value of an omitted field, or "
            "leaves it empty."
        ),
    )


@cache
def update_input(table: Table, record: WritableTable) -> type:
    """The input of an update, with every field optional."""
    return create_type(
        f"Update{table.type_name}Input",
        [
            _build_updated_field(table.columns[field.name], field)
            for field in record.list_settable_fields(WriteVerb.UPDATE)
        ],
        is_input=True,
        description=(
            f"The changes to an existing {table.type_name}. An omitted field keeps its value. Null clears a "
            "nullable field."
        ),
    )


def _build_created_field(column: Column, field: WritableField) -> StrawberryField:
    if field.null or field.default or field.stores_never:
        return build_input_field(
            field.name, nullable(find_annotation(column)), _describe_field(column, field, field.about)
        )
    return StrawberryField(
        python_name=field.name,
        graphql_name=column.graphql_name,
        type_annotation=StrawberryAnnotation(find_annotation(column)),
        description=_describe_field(column, field, field.about),
    )


def _build_updated_field(column: Column, field: WritableField) -> StrawberryField:
    return build_input_field(field.name, nullable(find_annotation(column)), _describe_field(column, field))


def find_annotation(column: Column) -> Any:
    """The GraphQL input type of a column's value."""
    return column.enum or _ANNOTATIONS[column.kind]


def _describe_field(column: Column, field: WritableField, of_new: str = "") -> str:
    notes: Iterable[str] = (
        column.description,
        of_new,
        "Only the platform may set it." if field.platform else "",
    )
    return " ".join(note for note in notes if note)
