"""Resolvers of connections, at the root and below parents."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLResolveInfo
from strawberry.dataloader import DataLoader

from core.case_conversion import to_camel_case
from core.database.database import Record
from core.errors import BadUserInputError
from resolvers.context import RequestContext
from resolvers.sql.access import QueryViewer
from resolvers.sql.cursors import Cursor, list_fingerprint, parse_cursor
from resolvers.sql.data_access import DataAccess, require_read_access
from resolvers.sql.filter_variables import require_operand_variables
from resolvers.sql.list_query import CURSOR_COLUMN, KEY_COLUMN, ListQuery, build_count_statement
from resolvers.sql.ordering import build_order
from resolvers.sql.pagination import PageRequest, parse_page_arguments
from resolvers.sql.selection import ConnectionNeeds, SelectionReader, read_connection_selection
from schema.table import Reference, Table

Info = GraphQLResolveInfo[RequestContext]
Resolver = Callable[..., Any]


@dataclass(slots=True)
class PageSlice:
    """A page of a list, from which the connection's fields are resolved.

    Attributes:
        rows: The rows in the list's order.
        has_next: Whether rows follow.
        has_previous: Whether rows precede.
        count: Counts the rows on all pages.
    """

    rows: list[Record]
    has_next: bool
    has_previous: bool
    count: Callable[[], Awaitable[int]]

    def build_cursor_at(self, position: int) -> str | None:
        """The cursor of the row at a position. None on an empty page."""
        return self.rows[position][CURSOR_COLUMN] if self.rows else None


@dataclass(frozen=True, slots=True)
class ConnectionLoader:
    """A list of the document, ready to fetch. It is made once and used for every parent."""

    query: ListQuery
    page: PageRequest
    selection: ConnectionNeeds
    rows: DataLoader[str, list[Record]]
    totals: DataLoader[str, int]

    def check_parent(self, parent: str | None) -> None:
        """Check that the cursors come from this parent's list.

        Raises:
            BadUserInputError: They come from another parent's list.
        """
        for cursor in (self.query.after, self.query.before):
            if cursor and cursor.parent != parent:
                raise BadUserInputError("Invalid cursor: it belongs to the list of another parent")

    def cut_page(self, fetched: list[Record], count: Callable[[], Awaitable[int]]) -> PageSlice:
        """Make the page from the fetched rows. One row more than the limit means that more rows follow."""
        more = len(fetched) > self.page.limit
        rows = fetched[: self.page.limit]
        if self.page.backward:
            rows.reverse()
            return PageSlice(rows, self.page.before is not None, more or self.page.after is not None, count)
        skipped = self.page.after is not None or self.page.offset > 0
        return PageSlice(rows, more or self.page.before is not None, skipped, count)


def prepare_connection(
    info: Info, rows: DataAccess, table: Table, arguments: Mapping[str, Any], reference: Reference | None
) -> ConnectionLoader:
    """Read a list's arguments and selection.

    Raises:
        BadUserInputError: The arguments are invalid.
        ForbiddenError: The viewer may not read the list.
    """
    reader = SelectionReader.from_info(info)
    require_operand_variables(table, info.field_nodes[0], reader.variables)
    selection = read_connection_selection(reader, info.field_nodes, table)
    page = parse_page_arguments(arguments)
    list_name = f"{info.parent_type.name}.{info.field_name}"
    query = build_list_query(list_name, rows.viewer, table, arguments, reference, selection)
    require_list_access(rows.viewer, query, selection)

    async def load_rows(keys: list[str]) -> list[list[Record]]:
        found: dict[str, list[Record]] = {key: [] for key in keys}
        for record in await rows.fetch_rows(query, keys):
            found[record[KEY_COLUMN]].append(record)
        return [found[key] for key in keys]

    async def load_totals(keys: list[str]) -> list[int]:
        totals = {
            record[KEY_COLUMN]: record["total"] for record in await rows.count_rows(count_query(query), keys)
        }
        return [totals[key] for key in keys]

    return ConnectionLoader(query, page, selection, DataLoader(load_rows), DataLoader(load_totals))


def require_list_access(viewer: QueryViewer, query: ListQuery, selection: ConnectionNeeds) -> None:
    """Check that the viewer may read the list with this filter, even if no row is selected.

    Raises:
        BadUserInputError: The filter is invalid, or the list is a tenant's and none is named.
        ForbiddenError: The viewer lacks a right to the list, or to the tables of its filter.
    """
    require_read_access(viewer, query)
    if not selection.rows:
        build_count_statement(query, viewer)  # otherwise its error would be at totalCount


def build_list_query(
    list_name: str,
    viewer: QueryViewer,
    table: Table,
    arguments: Mapping[str, Any],
    reference: Reference | None,
    selection: ConnectionNeeds,
) -> ListQuery:
    """The level for a list's coerced arguments and selection. `list_name` is `Type.field`.

    Raises:
        BadUserInputError: The arguments are invalid.
    """
    page = parse_page_arguments(arguments)
    order = build_order(table, arguments.get("orderBy"))
    fingerprint = list_fingerprint(list_name, viewer.tenant_id, arguments, order)
    after, before = (_parse_cursor(text, fingerprint, order) for text in (page.after, page.before))
    return ListQuery(
        table,
        selection.columns,
        key=reference.column if reference else None,
        where=arguments.get("where"),
        equal=(*table.only, *_build_equality_conditions(reference, arguments)),
        search=arguments.get("search"),
        include_deleted=bool(arguments.get("includeDeleted")),
        order=order,
        limit=page.limit,
        offset=page.offset,
        backward=page.backward,
        after=after,
        before=before,
        fingerprint=fingerprint if selection.cursors else None,
    )


def _parse_cursor(text: str | None, expected: str, order: Any) -> Cursor | None:
    return None if text is None else parse_cursor(text, expected, order)


def _build_equality_conditions(
    reference: Reference | None, arguments: Mapping[str, Any]
) -> tuple[tuple[str, object], ...]:
    given = ((name, arguments.get(to_camel_case(name))) for name in (reference.by if reference else ()))
    return tuple((name, value) for name, value in given if value is not None)


def count_query(query: ListQuery) -> ListQuery:
    """The same list without its page. A total depends on this level."""
    return replace(
        query, limit=None, offset=0, after=None, before=None, fingerprint=None, columns=(), order=()
    )


def build_root_connection_resolver(table: Table) -> Resolver:
    """The resolver of a table's list at the root."""

    async def resolve(_root: object, info: Info, **arguments: Any) -> PageSlice:
        rows = info.context.require_data_access()
        plan = prepare_connection(info, rows, table, arguments, None)
        plan.check_parent(None)

        async def count() -> int:
            total: int = (await rows.count_rows(count_query(plan.query)))[0]["total"]
            return total

        return plan.cut_page(await rows.fetch_rows(plan.query) if plan.selection.rows else [], count)

    return resolve


def build_relation_connection_resolver(child: Table, reference: Reference) -> Resolver:
    """The resolver of the rows of `child` that refer to a row by `reference`."""

    async def resolve(parent: Record, info: Info, **arguments: Any) -> PageSlice:
        operation = info.context
        plan = operation.get_or_create(
            info,
            lambda: prepare_connection(info, operation.require_data_access(), child, arguments, reference),
        )
        key: str = parent["id"]
        plan.check_parent(key)
        fetched = await plan.rows.load(key) if plan.selection.rows else []
        return plan.cut_page(list(fetched), lambda: plan.totals.load(key))

    return resolve
