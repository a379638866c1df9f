"""Lists: what resolves a connection, at the root and below parents."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import GraphQLResolveInfo
from strawberry.dataloader import DataLoader
from strawberry.utils.str_converters import to_camel_case

from core.database import Record
from core.errors import BadUserInputError
from core.viewer import Viewer
from resolvers.cursors import Cursor, fingerprint, parse_cursor
from resolvers.level import CURSOR, KEY, Level, count_statement
from resolvers.operation import Operation
from resolvers.orders import order_of
from resolvers.pages import Page, page_of
from resolvers.rows import Rows, require_level
from resolvers.selection import ListSelection, Syntax, list_selection
from schema.table import Reference, Table

Info = GraphQLResolveInfo[Operation]
Resolver = Callable[..., Any]


@dataclass(slots=True)
class Slice:
    """A page of a list, as the connection's fields see it.

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

    def cursor(self, position: int) -> str | None:
        """The cursor of the row at a position; None on an empty page."""
        return self.rows[position][CURSOR] if self.rows else None


@dataclass(frozen=True, slots=True)
class ListPlan:
    """How one list of the document is fetched: made once, used for every parent."""

    level: Level
    page: Page
    selection: ListSelection
    rows: DataLoader[str, list[Record]]
    totals: DataLoader[str, int]

    def check_parent(self, parent: str | None) -> None:
        """Make sure that the cursors come from this parent's list.

        Raises:
            BadUserInputError: They come from another's.
        """
        for cursor in (self.level.after, self.level.before):
            if cursor and cursor.parent != parent:
                raise BadUserInputError("This cursor comes from the list of another parent")

    def slice(self, fetched: list[Record], count: Callable[[], Awaitable[int]]) -> Slice:
        """Cut the page out of what was fetched: one row more than asked for tells that there are more."""
        more = len(fetched) > self.page.limit
        rows = fetched[: self.page.limit]
        if self.page.backward:
            rows.reverse()
            return Slice(rows, self.page.before is not None, more or self.page.after is not None, count)
        skipped = self.page.after is not None or self.page.offset > 0
        return Slice(rows, more or self.page.before is not None, skipped, count)


def plan_list(
    info: Info, rows: Rows, table: Table, arguments: Mapping[str, Any], reference: Reference | None
) -> ListPlan:
    """Read a list's arguments and selection.

    Raises:
        BadUserInputError: Arguments that cannot be.
        ForbiddenError: The viewer may not read the list.
    """
    selection = list_selection(Syntax.of(info), info.field_nodes, table)
    page = page_of(arguments)
    list_name = f"{info.parent_type.name}.{info.field_name}"
    level = list_level(list_name, rows.viewer, table, arguments, reference, selection)
    require_list(rows.viewer, level, selection)

    async def load_rows(keys: list[str]) -> list[list[Record]]:
        found: dict[str, list[Record]] = {key: [] for key in keys}
        for record in await rows.find(level, keys):
            found[record[KEY]].append(record)
        return [found[key] for key in keys]

    async def load_totals(keys: list[str]) -> list[int]:
        totals = {record[KEY]: record["total"] for record in await rows.count(counted(level), keys)}
        return [totals[key] for key in keys]

    return ListPlan(level, page, selection, DataLoader(load_rows), DataLoader(load_totals))


def require_list(viewer: Viewer, level: Level, selection: ListSelection) -> None:
    """Make sure that the viewer may read the list and ask of it what they ask, even where no row is selected.

    Raises:
        BadUserInputError: The filter cannot be, or the list is a tenant's and none is named.
        ForbiddenError: The viewer lacks a right to the list, or to what its filter looks into.
    """
    require_level(viewer, level)
    if not selection.rows:
        count_statement(level, viewer)  # else its refusal would be an error of totalCount


def list_level(
    list_name: str,
    viewer: Viewer,
    table: Table,
    arguments: Mapping[str, Any],
    reference: Reference | None,
    selection: ListSelection,
) -> Level:
    """The level that a list's coerced arguments and selection ask for; `list_name` is `Type.field`.

    Raises:
        BadUserInputError: Arguments that cannot be.
    """
    page = page_of(arguments)
    order = order_of(table, arguments.get("orderBy"))
    print_ = fingerprint(list_name, viewer.tenant_id, arguments, order)
    after, before = (_cursor(text, print_, order) for text in (page.after, page.before))
    return Level(
        table,
        selection.columns,
        key=reference.column if reference else None,
        where=arguments.get("where"),
        equal=(*table.only, *_equalities(reference, arguments)),
        search=arguments.get("search"),
        include_deleted=bool(arguments.get("includeDeleted")),
        order=order,
        limit=page.limit,
        offset=page.offset,
        backward=page.backward,
        after=after,
        before=before,
        fingerprint=print_ if selection.cursors else None,
    )


def _cursor(text: str | None, expected: str, order: Any) -> Cursor | None:
    return None if text is None else parse_cursor(text, expected, order)


def _equalities(reference: Reference | None, arguments: Mapping[str, Any]) -> tuple[tuple[str, object], ...]:
    given = ((name, arguments.get(to_camel_case(name))) for name in (reference.by if reference else ()))
    return tuple((name, value) for name, value in given if value is not None)


def counted(level: Level) -> Level:
    """The same list without its page: what a total depends on."""
    return replace(
        level, limit=None, offset=0, after=None, before=None, fingerprint=None, columns=(), order=()
    )


def root_list(table: Table) -> Resolver:
    """The resolver of a table's list at the root."""

    async def resolve(_root: object, info: Info, **arguments: Any) -> Slice:
        rows = info.context.door()
        plan = plan_list(info, rows, table, arguments, None)
        plan.check_parent(None)

        async def count() -> int:
            total: int = (await rows.count(counted(plan.level)))[0]["total"]
            return total

        return plan.slice(await rows.find(plan.level) if plan.selection.rows else [], count)

    return resolve


def to_many(child: Table, reference: Reference) -> Resolver:
    """The resolver of the rows of `child` that point at a row by `reference`."""

    async def resolve(parent: Record, info: Info, **arguments: Any) -> Slice:
        operation = info.context
        plan = operation.once(info, lambda: plan_list(info, operation.door(), child, arguments, reference))
        key: str = parent["id"]
        plan.check_parent(key)
        fetched = await plan.rows.load(key) if plan.selection.rows else []
        return plan.slice(list(fetched), lambda: plan.totals.load(key))

    return resolve
