"""Lists as Relay connections: their types, their arguments, and the relation fields that return them."""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final

import strawberry
from strawberry.annotation import StrawberryAnnotation
from strawberry.scalars import ID
from strawberry.tools import create_type
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from core.case_conversion import to_camel_case
from core.limits import PAGE_DEFAULT, PAGE_MAX
from schema.filters import FILTERS, ORDERS
from schema.table import Choice, Reference, Table, list_of, nullable
from schema.tables import BY_NAME, LISTED, REFERENCES, list_references_to


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(
        description="Whether rows follow the page. With `before` it is true, because the row of the cursor follows."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether rows precede the page. With `after` or an `offset` it is true, because the skipped rows "
        "precede."
    )
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first row; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last row; null on an empty page."
    )


def build_output_field(
    name: str, annotation: Any, about: str, arguments: list[StrawberryArgument] | None = None
) -> StrawberryField:
    """A field of an output type, by its GraphQL name; `resolvers` binds its resolver."""
    field = StrawberryField(
        python_name=name,
        graphql_name=name,
        type_annotation=StrawberryAnnotation(annotation),
        description=about,
    )
    field.arguments = arguments or []
    return field


def argument(
    name: str, annotation: Any, about: str, default: object = strawberry.UNSET
) -> StrawberryArgument:
    """An argument, by its Python name."""
    return StrawberryArgument(
        name, to_camel_case(name), StrawberryAnnotation(annotation), description=about, default=default
    )


def build_id_argument(table: Table) -> list[StrawberryArgument]:
    """The arguments of a by-id field."""
    return [argument("id", ID, "The id of the row."), *build_deleted_argument(table)]


def build_deleted_argument(table: Table) -> list[StrawberryArgument]:
    """`includeDeleted`, for tables with soft deletes."""
    if not table.soft_deletes:
        return []
    about = f"Whether to include deleted rows. Requires the right `{table.deleted_right}`."
    return [argument("include_deleted", bool | None, about, default=False)]


def list_arguments(table: Table) -> list[StrawberryArgument]:
    """The arguments of every list of `table`."""
    searched = ", ".join(c.graphql_name for c in table.searched)
    search = argument(
        "search",
        str | None,
        f"Returns only rows that contain this text in one of these fields: {searched}. Ignores case.",
    )
    return [
        argument("where", nullable(FILTERS[table.name]), "The filter."),
        argument("order_by", nullable(list_of(ORDERS[table.name])), _describe_order(table)),
        *([search] if table.searched else []),
        argument(
            "first",
            int | None,
            f"The number of rows from the start of the list. Default: {PAGE_DEFAULT}. Maximum: {PAGE_MAX}.",
        ),
        argument("after", str | None, "Returns only rows after the row of this cursor."),
        argument(
            "last",
            int | None,
            f"The number of rows from the end of the list, instead of `first`. Maximum: {PAGE_MAX}.",
        ),
        argument("before", str | None, "Returns only rows before the row of this cursor."),
        argument(
            "offset",
            int | None,
            "The number of rows to skip, for page numbers. It cannot be combined with a cursor or `last`.",
        ),
        *build_deleted_argument(table),
    ]


def _describe_order(table: Table) -> str:
    name, direction = table.default_order
    default = f"{table.columns[name].graphql_name} {direction.upper()}"
    return f"The order of the rows. The id is the last term, so that the order is total. Default: {default}."


def _build_connection_type(table: Table) -> type:
    edge = create_type(
        f"{table.type_name}Edge",
        [
            build_output_field("node", table.type, "The row."),
            build_output_field(
                "cursor",
                str,
                (
                    "The position of the row in this list with this filter and order. `after` and `before` take "
                    "it."
                ),
            ),
        ],
        description=f"A row of `{table.many}` with its cursor.",
    )
    fields = [
        build_output_field("edges", list_of(edge), "The rows of the page with their cursors."),
        build_output_field("nodes", list_of(table.type), "The rows of the page."),
        build_output_field("pageInfo", PageInfo, "The position of the page in the list."),
        build_output_field(
            "totalCount", int, "The number of rows on all pages. It is counted only if the query selects it."
        ),
    ]
    return create_type(f"{table.type_name}Connection", fields, description=f"A page of `{table.many}`.")


CONNECTIONS: Final[Mapping[str, type]] = {table.name: _build_connection_type(table) for table in LISTED}
"""The connection type of each table, by the table's name."""


def _to_one_field(reference: Reference) -> StrawberryField:
    target = BY_NAME[reference.table]
    return build_output_field(str(reference.one), nullable(target.type), reference.about_one)


def _to_many_field(child: Table, reference: Reference) -> StrawberryField:
    by = [
        argument(
            name, str | None, f"Returns only rows with this {to_camel_case(name)}. A short form of `where`."
        )
        for name in reference.by
    ]
    connection: Any = CONNECTIONS[child.name]
    return build_output_field(
        str(reference.many), nullable(connection), reference.about_many, [*by, *list_arguments(child)]
    )


def _to_only_field(child: Table, reference: Reference) -> StrawberryField:
    return build_output_field(str(reference.only), nullable(child.type), reference.about_many)


def _build_union_field(choice: Choice) -> StrawberryField:
    members: Any = reduce(or_, (BY_NAME[name].type for name in choice.members.values()))
    union: Any = Annotated[members, strawberry.union(choice.union, description=choice.about_union)]
    return build_output_field(choice.field, nullable(union), choice.about)


def build_relation_fields(table: Table) -> list[StrawberryField]:
    """The fields that lead from a row of `table` to rows of others, on both sides of each reference."""
    return [
        *(_to_one_field(r) for r in table.references if r.one),
        *(_build_union_field(c) for c in table.choices),
        *(_to_only_field(child, r) for child, r in list_references_to(table) if r.only),
        *(_to_many_field(child, r) for child, r in list_references_to(table) if r.many),
    ]


def add_relations() -> None:
    """Add the relation fields to the type of every table and view; call it once, when all types exist."""
    for table in LISTED:
        definition = table.type.__strawberry_definition__
        definition.fields.extend(build_relation_fields(table))


add_relations()
__all__ = [
    "CONNECTIONS",
    "REFERENCES",
    "PageInfo",
    "argument",
    "build_deleted_argument",
    "build_id_argument",
    "list_arguments",
]
