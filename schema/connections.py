"""Lists as Relay connections: their types, their arguments, and the relation fields that lead to them."""

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
from strawberry.utils.str_converters import to_camel_case

from core.limits import PAGE_DEFAULT, PAGE_MAX
from schema.filters import FILTERS, ORDERS
from schema.table import Choice, Reference, Table, list_of, or_null
from schema.tables import BY_NAME, LISTED, REFERENCES, pointing_at


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(
        description="Whether rows follow the page. With `before`: true, as the cursor's row follows."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether rows precede the page. With `after` or an `offset`: true, as the skipped rows precede."
    )
    start_cursor: str | None = strawberry.field(description="The first row's cursor; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The last row's cursor; null on an empty page.")


def output_field(
    name: str, annotation: Any, about: str, arguments: list[StrawberryArgument] | None = None
) -> StrawberryField:
    """A field of an output type, by its GraphQL name; what resolves it is bound in `resolvers`."""
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
    """An argument by its Python name."""
    return StrawberryArgument(
        name, to_camel_case(name), StrawberryAnnotation(annotation), description=about, default=default
    )


def id_argument(table: Table) -> list[StrawberryArgument]:
    """The arguments of a by-id field."""
    return [argument("id", ID, "The id."), *deleted_argument(table)]


def deleted_argument(table: Table) -> list[StrawberryArgument]:
    """`includeDeleted`, where rows can be deleted and stay."""
    if not table.soft_deletes:
        return []
    about = f"Show deleted rows, too; takes the right `{table.deleted_right}`."
    return [argument("include_deleted", bool | None, about, default=False)]


def list_arguments(table: Table) -> list[StrawberryArgument]:
    """The arguments of every list of `table`."""
    searched = ", ".join(c.graphql_name for c in table.searched)
    search = argument("search", str | None, f"Keep rows with this text, case aside, in any of: {searched}.")
    return [
        argument("where", or_null(FILTERS[table.name]), "Which rows to keep."),
        argument("order_by", or_null(list_of(ORDERS[table.name])), _about_order(table)),
        *([search] if table.searched else []),
        argument(
            "first",
            int | None,
            f"How many rows from the front; {PAGE_DEFAULT} unless given, {PAGE_MAX} at most.",
        ),
        argument("after", str | None, "Begin behind the row of this cursor."),
        argument("last", int | None, f"How many rows from the back instead; {PAGE_MAX} at most."),
        argument("before", str | None, "End ahead of the row of this cursor."),
        argument(
            "offset",
            int | None,
            "Skip this many rows: for page numbers. Not together with a cursor or `last`.",
        ),
        *deleted_argument(table),
    ]


def _about_order(table: Table) -> str:
    name, direction = table.default_order
    default = f"{table.columns[name].graphql_name} {direction.upper()}"
    return f"In which order; terms that leave rows equal are followed by the id. Unless given: {default}."


def _connection(table: Table) -> type:
    edge = create_type(
        f"{table.type_name}Edge",
        [
            output_field("node", table.type, "The row."),
            output_field("cursor", str, "Where the row stands in this list, with this filter and order."),
        ],
        description=f"A row of `{table.many}` and where it stands.",
    )
    fields = [
        output_field("edges", list_of(edge), "The rows of the page with their cursors."),
        output_field("nodes", list_of(table.type), "The rows of the page."),
        output_field("pageInfo", PageInfo, "Where the page stands in the list."),
        output_field(
            "totalCount", int, "How many rows the list has on all pages. Counted only when asked for."
        ),
    ]
    return create_type(f"{table.type_name}Connection", fields, description=f"A page of `{table.many}`.")


CONNECTIONS: Final[Mapping[str, type]] = {table.name: _connection(table) for table in LISTED}
"""The connection type of each table, by the table's name."""


def _to_one(reference: Reference) -> StrawberryField:
    target = BY_NAME[reference.table]
    return output_field(str(reference.one), or_null(target.type), reference.about_one)


def _to_many(child: Table, reference: Reference) -> StrawberryField:
    by = [
        argument(
            name, str | None, f"Only those whose {to_camel_case(name)} is this; a short form of `where`."
        )
        for name in reference.by
    ]
    connection: Any = CONNECTIONS[child.name]
    return output_field(
        str(reference.many), or_null(connection), reference.about_many, [*by, *list_arguments(child)]
    )


def _to_only(child: Table, reference: Reference) -> StrawberryField:
    return output_field(str(reference.only), or_null(child.type), reference.about_many)


def _choice(choice: Choice) -> StrawberryField:
    members: Any = reduce(or_, (BY_NAME[name].type for name in choice.members.values()))
    union: Any = Annotated[members, strawberry.union(choice.union, description=choice.about_union)]
    return output_field(choice.field, or_null(union), choice.about)


def relation_fields(table: Table) -> list[StrawberryField]:
    """The fields that lead from a row of `table` to rows of others, on either side of each reference."""
    return [
        *(_to_one(r) for r in table.references if r.one),
        *(_choice(c) for c in table.choices),
        *(_to_only(child, r) for child, r in pointing_at(table) if r.only),
        *(_to_many(child, r) for child, r in pointing_at(table) if r.many),
    ]


def add_relations() -> None:
    """Give the type of every table and view its relation fields; once, when all types exist."""
    for table in LISTED:
        definition = table.type.__strawberry_definition__
        definition.fields.extend(relation_fields(table))


add_relations()
__all__ = [
    "CONNECTIONS",
    "REFERENCES",
    "PageInfo",
    "argument",
    "deleted_argument",
    "id_argument",
    "list_arguments",
]
