"""What lists can be filtered and ordered by: one operator input a scalar, one filter and one order a table.

`Nested` filters reach over to-one relations: `{ site: { name: { contains: "acme" } } }` on agents.
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
from strawberry.utils.str_converters import to_camel_case

from schema.enums import PRODUCT_ENUMS, Direction, Nulls
from schema.scalars import Timestamp
from schema.table import Kind, Table, list_of, or_null
from schema.tables import BY_NAME, LISTED

_EQUALITY: Final = {
    "eq": "Is this value; null: has no value.",
    "neq": "Is not this value, or has none; null: has a value.",
}
_MEMBERSHIP: Final = {"in": "Is one of these.", "not_in": "Is none of these, or has no value."}
_COMPARISON: Final = {
    "gt": "Is greater than this.",
    "gte": "Is this or greater.",
    "lt": "Is less than this.",
    "lte": "Is this or less.",
}
_MATCHING: Final = {
    "contains": "Contains this text, case aside.",
    "starts_with": "Begins with this text, case aside.",
    "ends_with": "Ends with this text, case aside.",
}
_IS_NULL: Final = "True: has no value. False: has one."


def input_field(name: str, annotation: object, about: str) -> StrawberryField:
    """An optional field of an input type; `name` is the Python name."""
    return StrawberryField(
        python_name=f"{name}_" if name in ("in", "and", "or", "not") else name,
        graphql_name=to_camel_case(name),
        type_annotation=StrawberryAnnotation(annotation),
        description=about,
        default=strawberry.UNSET,
    )


def _operators(name: str, value: Any, about: str, *groups: Mapping[str, str]) -> type:
    fields = [
        input_field(operator, or_null(list_of(value) if group is _MEMBERSHIP else value), words)
        for group in groups
        for operator, words in group.items()
    ]
    return create_type(
        name, [*fields, input_field("is_null", bool | None, _IS_NULL)], is_input=True, description=about
    )


@strawberry.input(description="A place inside of a JSON value, and what must stand there.")
class JSONPathFilter:
    """The input of `JSONFilter.at`."""

    path: list[str] = strawberry.field(
        description='Keys and list positions from the outside in: `["os", "name"]`.'
    )
    eq: JSON = strawberry.field(description="What must stand there.")


_ALL: Final = (_EQUALITY, _MEMBERSHIP, _COMPARISON)

OPERATORS: Final[Mapping[Kind, type]] = {
    Kind.ID: _operators("IDFilter", ID, "Compares an id.", _EQUALITY, _MEMBERSHIP),
    Kind.TEXT: _operators("StringFilter", str, "Compares a text, by code points.", *_ALL, _MATCHING),
    Kind.TIMESTAMP: _operators("TimestampFilter", Timestamp, "Compares a time.", *_ALL),
    Kind.INT: _operators("IntFilter", int, "Compares a whole number.", *_ALL),
    Kind.DECIMAL: _operators("DecimalFilter", Decimal, "Compares an exact decimal number.", *_ALL),
    Kind.BOOLEAN: _operators("BooleanFilter", bool, "Compares a yes or no.", _EQUALITY),
    Kind.TEXTS: create_type(
        "StringListFilter",
        [
            input_field("has", str | None, "Has this text among its members."),
            input_field("is_null", bool | None, _IS_NULL),
        ],
        is_input=True,
        description="Compares a list of texts.",
    ),
    Kind.JSON: create_type(
        "JSONFilter",
        [
            input_field("contains", JSON | None, "Contains this value, as PostgreSQL's `@>` has it."),
            input_field("at", list[JSONPathFilter] | None, "Has these values at these places, all of them."),
            input_field("is_null", bool | None, _IS_NULL),
        ],
        is_input=True,
        description="Looks into a JSON value.",
    ),
}
"""The operator input for each kind of column but enums."""

_ENUM_OPERATORS: Final[Mapping[type[StrEnum], type]] = {
    enum: _operators(
        f"{enum.__name__}Filter", enum, f"Compares values of {enum.__name__}.", _EQUALITY, _MEMBERSHIP
    )
    for enum in PRODUCT_ENUMS
}


def _lazy(name: str) -> Any:
    return Annotated[name, strawberry.lazy("schema.filters")]


def _column_filters(table: Table) -> list[StrawberryField]:
    return [
        input_field(
            c.name,
            or_null(_ENUM_OPERATORS[c.enum] if c.enum else OPERATORS[c.kind]),
            c.description,
        )
        for c in table.columns.values()
        if c.options.filter
    ]


def _relation_filters(table: Table) -> list[StrawberryField]:
    return [
        StrawberryField(
            python_name=r.one,
            graphql_name=r.one,
            type_annotation=StrawberryAnnotation(or_null(_lazy(f"{BY_NAME[r.table].type_name}Filter"))),
            description=f"Looks at the row behind `{r.one}`: {r.about_one[0].lower()}{r.about_one[1:]}",
            default=strawberry.UNSET,
        )
        for r in table.references
        if r.one
    ]


def _filter(table: Table) -> type:
    name = f"{table.type_name}Filter"
    itself = _lazy(name)
    fields = [
        *_column_filters(table),
        *_relation_filters(table),
        input_field("and", or_null(list_of(itself)), "All of these hold, too."),
        input_field(
            "or", or_null(list_of(itself)), "At least one of these holds, too; an empty list never does."
        ),
        input_field(
            "not",
            or_null(itself),
            "This does not hold; an empty filter always does, so that its denial never does.",
        ),
    ]
    return create_type(
        name,
        fields,
        is_input=True,
        description=f"Which rows of `{table.many}` to keep; all that is said must hold.",
    )


def _order_field(table: Table) -> type[Enum]:
    columns = {c.name.upper(): c for c in table.columns.values() if c.orderable}
    enum = Enum(f"{table.type_name}OrderField", {name: c.name for name, c in columns.items()})  # type: ignore[misc]
    strawberry.enum(enum, description=f"What `{table.many}` can be ordered by.")
    values: list[EnumValue] = enum.__strawberry_definition__.values  # type: ignore[attr-defined]
    for value in values:
        value.description = columns[value.name].description
    return enum


def _order(table: Table) -> type:
    fields = [
        StrawberryField(
            python_name="field",
            graphql_name="field",
            type_annotation=StrawberryAnnotation(_order_field(table)),
            description="What to order by.",
        ),
        StrawberryField(
            python_name="direction",
            graphql_name="direction",
            type_annotation=StrawberryAnnotation(Direction),
            description="Which way.",
            default=Direction.ASC,
        ),
        StrawberryField(
            python_name="nulls",
            graphql_name="nulls",
            type_annotation=StrawberryAnnotation(Nulls),
            description="Where rows without a value stand, whichever way the list runs.",
            default=Nulls.LAST,
        ),
    ]
    return create_type(
        f"{table.type_name}Order",
        fields,
        is_input=True,
        description=f"One term of the order of `{table.many}`.",
    )


FILTERS: Final[Mapping[str, type]] = {table.name: _filter(table) for table in LISTED}
"""The filter input of each table, by the table's name."""

ORDERS: Final[Mapping[str, type]] = {table.name: _order(table) for table in LISTED}
"""The order input of each table, by the table's name."""

# Filters name one another before they all exist; Strawberry finds them here by name.
globals().update({f"{table.type_name}Filter": FILTERS[table.name] for table in LISTED})
