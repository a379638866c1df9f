"""Filters and orders of lists: one operator input per scalar, one filter and one order per table.

`Nested` filters cross to-one relations: `{ site: { name: { contains: "acme" } } }` on agents.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, Final

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.scalars import ID, JSON
from strawberry.tools import create_type
from strawberry.types.enum import EnumValue
from strawberry.types.field import StrawberryField

from core.case_conversion import to_camel_case
from schema.enums import PRODUCT_ENUMS, Direction, Nulls
from schema.scalars import Timestamp
from schema.table import Kind, Table, list_of, nullable
from schema.tables import BY_NAME, LISTED

_EQUALITY: Final = {
    "eq": "Equal to this value; null matches rows without a value.",
    "neq": "Not equal to this value, or without a value; null matches rows with a value.",
}
_MEMBERSHIP: Final = {
    "in": "Equal to one of these values.",
    "not_in": "Equal to none of these values, or without a value.",
}
_COMPARISON: Final = {
    "gt": "Greater than this value.",
    "gte": "Greater than or equal to this value.",
    "lt": "Less than this value.",
    "lte": "Less than or equal to this value.",
}
_MATCHING: Final = {
    "contains": "Contains this text. Ignores case.",
    "starts_with": "Starts with this text. Ignores case.",
    "ends_with": "Ends with this text. Ignores case.",
}
_ALL_MATCH: Final = "At least one operator must be given, and all that are given must match."
_IS_NULL: Final = "True matches rows without a value, false matches rows with one."
_NEVER: Final = (
    "A time that is null because it means never counts as no value for null and `isNull`. For all other operators "
    "it is 9007199254740991, later than every other time."
)


def build_input_field(name: str, annotation: object, about: str) -> StrawberryField:
    """An optional field of an input type; `name` is the Python name."""
    return StrawberryField(
        python_name=f"{name}_" if name in ("in", "and", "or", "not") else name,
        graphql_name=to_camel_case(name),
        type_annotation=StrawberryAnnotation(annotation),
        description=about,
        default=strawberry.UNSET,
    )


def _build_operators(name: str, value: Any, about: str, *groups: Mapping[str, str]) -> type:
    fields = [
        build_input_field(operator, nullable(list_of(value) if group is _MEMBERSHIP else value), words)
        for group in groups
        for operator, words in group.items()
    ]
    return create_type(
        name, [*fields, build_input_field("is_null", bool | None, _IS_NULL)], is_input=True, description=about
    )


@strawberry.input(description="A path into a JSON value, and the value to compare.")
class JSONPathFilter:
    """The input of `JSONFilter.at`."""

    path: list[str] = strawberry.field(
        description='Keys and list indexes from the outside to the inside: `["os", "name"]`.'
    )
    eq: JSON = strawberry.field(description="The value at this path.")


_ALL: Final = (_EQUALITY, _MEMBERSHIP, _COMPARISON)

OPERATORS: Final[Mapping[Kind, type]] = {
    Kind.ID: _build_operators("IDFilter", ID, f"Operators for an id. {_ALL_MATCH}", _EQUALITY, _MEMBERSHIP),
    Kind.TEXT: _build_operators(
        "StringFilter",
        str,
        f"Operators for a text, which is compared by code points. {_ALL_MATCH}",
        *_ALL,
        _MATCHING,
    ),
    Kind.TIMESTAMP: _build_operators(
        "TimestampFilter", Timestamp, f"Operators for a time. {_ALL_MATCH} {_NEVER}", *_ALL
    ),
    Kind.INT: _build_operators("IntFilter", int, f"Operators for an integer. {_ALL_MATCH}", *_ALL),
    Kind.DECIMAL: _build_operators(
        "DecimalFilter",
        Decimal,
        f"Operators for an exact decimal number. {_ALL_MATCH}",
        *_ALL,
    ),
    Kind.BOOLEAN: _build_operators(
        "BooleanFilter", bool, f"Operators for a boolean. {_ALL_MATCH}", _EQUALITY
    ),
    Kind.TEXTS: create_type(
        "StringListFilter",
        [
            build_input_field("has", str | None, "Contains this text as an element."),
            build_input_field("is_null", bool | None, _IS_NULL),
        ],
        is_input=True,
        description=f"Operators for a list of texts. {_ALL_MATCH}",
    ),
    Kind.JSON: create_type(
        "JSONFilter",
        [
            build_input_field(
                "contains", JSON | None, "Contains this value, in the sense of PostgreSQL's operator `@>`."
            ),
            build_input_field("at", list[JSONPathFilter] | None, "Has all these values at these paths."),
            build_input_field("is_null", bool | None, _IS_NULL),
        ],
        is_input=True,
        description=f"Operators for a JSON value. {_ALL_MATCH}",
    ),
}
"""The operator input for each kind of column except enums."""

_ENUM_OPERATORS: Final[Mapping[type[StrEnum], type]] = {
    enum: _build_operators(
        f"{enum.__name__}Filter",
        enum,
        f"Operators for values of {enum.__name__}. {_ALL_MATCH}",
        _EQUALITY,
        _MEMBERSHIP,
    )
    for enum in PRODUCT_ENUMS
}


def _annotate_lazily(name: str) -> Any:
    return Annotated[name, strawberry.lazy("schema.filters")]


def _build_column_filters(table: Table) -> list[StrawberryField]:
    return [
        build_input_field(
            c.name,
            nullable(_ENUM_OPERATORS[c.enum] if c.enum else OPERATORS[c.kind]),
            c.description,
        )
        for c in table.columns.values()
        if c.options.filter
    ]


def _build_relation_filters(table: Table) -> list[StrawberryField]:
    return [
        StrawberryField(
            python_name=r.one,
            graphql_name=r.one,
            type_annotation=StrawberryAnnotation(
                nullable(_annotate_lazily(f"{BY_NAME[r.table].type_name}Filter"))
            ),
            description=f"A filter on the related row `{r.one}`: {r.about_one[0].lower()}{r.about_one[1:]}",
            default=strawberry.UNSET,
        )
        for r in table.references
        if r.one
    ]


def _build_filter(table: Table) -> type:
    name = f"{table.type_name}Filter"
    itself = _annotate_lazily(name)
    fields = [
        *_build_column_filters(table),
        *_build_relation_filters(table),
        build_input_field("and", nullable(list_of(itself)), "All these filters match."),
        build_input_field(
            "or",
            nullable(list_of(itself)),
            "At least one of these filters matches. An empty list matches no row.",
        ),
        build_input_field(
            "not",
            nullable(itself),
            "This filter does not match. An empty filter matches every row, so its negation matches none.",
        ),
    ]
    return create_type(
        name,
        fields,
        is_input=True,
        description=f"A filter on `{table.many}`. All given conditions must match. A field that is null or absent "
        "is no condition.",
    )


def _build_order_field(table: Table) -> type[Enum]:
    columns = {c.name.upper(): c for c in table.columns.values() if c.orderable}
    enum = Enum(f"{table.type_name}OrderField", {name: c.name for name, c in columns.items()})  # type: ignore[misc]
    strawberry.enum(enum, description=f"A field by which `{table.many}` can be ordered.")
    values: list[EnumValue] = enum.__strawberry_definition__.values  # type: ignore[attr-defined]
    for value in values:
        value.description = columns[value.name].description
    return enum


def _build_order(table: Table) -> type:
    fields = [
        StrawberryField(
            python_name="field",
            graphql_name="field",
            type_annotation=StrawberryAnnotation(_build_order_field(table)),
            description="The field to order by.",
        ),
        StrawberryField(
            python_name="direction",
            graphql_name="direction",
            type_annotation=StrawberryAnnotation(Direction),
            description="The direction.",
            default=Direction.ASC,
        ),
        StrawberryField(
            python_name="nulls",
            graphql_name="nulls",
            type_annotation=StrawberryAnnotation(Nulls),
            description="The position of rows without a value, in either direction.",
            default=Nulls.LAST,
        ),
    ]
    return create_type(
        f"{table.type_name}Order",
        fields,
        is_input=True,
        description=f"One term of the order of `{table.many}`.",
    )


FILTERS: Final[Mapping[str, type]] = {table.name: _build_filter(table) for table in LISTED}
"""The filter input of each table, by the table's name."""

ORDERS: Final[Mapping[str, type]] = {table.name: _build_order(table) for table in LISTED}
"""The order input of each table, by the table's name."""

# Filters refer to each other before all of them exist. Strawberry finds them here by name.
globals().update({f"{table.type_name}Filter": FILTERS[table.name] for table in LISTED})
