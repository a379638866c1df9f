"""Windows: the part of a list's order that an answer has read.

A full page ends at its last fetched row. A row that appears or disappears behind that row cannot change the page. A
page that ended before its limit has no end, and an order that cannot be compared here has no window. A window may be
wider than what was read, never narrower. Values are compared as in PostgreSQL: text by code points (collation "C"),
numbers exactly, NaN after all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from resolvers.sql.data_access import RecordedRead
from resolvers.sql.list_query import ListQuery
from resolvers.sql.ordering import Order, reverse_order
from schema.table import Kind

Values = Mapping[str, Any]
"""A row's values by the SQL names of their columns. If a column is missing, its value is unknown."""

OrderPosition = tuple[Any, ...]
"""A row's position in an order: its values, in the form of `OrderStep.build_comparable_value`."""


class OrderStep(NamedTuple):
    """One term of the order in which rows were read."""

    column: str
    descending: bool
    nulls_first: bool
    exact: bool

    def build_comparable_value(self, value: Any) -> Any:
        """A value in comparable form. Decimals come as text, and NaN equals itself."""
        if not self.exact or value is None:
            return value
        number = Decimal(value)
        return (True, 0) if number.is_nan() else (False, number)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of an order that was read, for each key of the list.

    Attributes:
        steps: The order in which rows were read. For a page from the end, this is the reverse of the list's order.
        key: The column with the row's key. None at the root.
        begin: Rows up to this position were skipped by a cursor. None if the page began with the first row.
        end: Rows from this position on were left out by a cursor. None if there was no such cursor.
        bounds: The position of the last fetched row, by key. Without an entry, the page of this key has no end.
    """

    steps: tuple[OrderStep, ...]
    key: str | None
    begin: OrderPosition | None
    end: OrderPosition | None
    bounds: Mapping[str | None, OrderPosition]

    def contains(self, row: Values) -> bool:
        """Whether a row with these values lies inside, or may."""
        bound = self.bounds.get(None if self.key is None else row.get(self.key))
        try:
            return (
                (bound is None or self._compare(row, bound) <= 0)
                and (self.begin is None or self._compare(row, self.begin) > 0)
                and (self.end is None or self._compare(row, self.end) < 0)
            )
        except KeyError:  # changes do not carry this column's values
            return True

    def _compare(self, row: Values, position: OrderPosition) -> int:
        """Compare a row with a position: below 0 if it comes before, 0 if it is there, above 0 if it comes after."""
        for step, position_value in zip(self.steps, position, strict=True):
            here = step.build_comparable_value(row[step.column])
            if here == position_value:
                continue
            if here is None or position_value is None:
                ahead = (here is None) is step.nulls_first
            else:
                ahead = (here < position_value) is not step.descending
            return -1 if ahead else 1
        return 0


def build_window(read: RecordedRead) -> Window | None:
    """The window of a read. None if everything was read, or if the order cannot be compared here."""
    query = read.query
    if any(term.column.options.sql for term in query.order):
        return None  # a computed value: changes do not carry it
    order = reverse_order(query.order) if query.backward else query.order
    steps = _build_order_steps(order)
    begin, end = _find_cursor_positions(query, steps)
    bounds = {key: _build_position(steps, values) for key, values in read.bounds.items()}
    if not order or (begin is None and end is None and not bounds):
        return None
    return Window(steps, query.key, begin, end, bounds)


def _build_order_steps(order: Order) -> tuple[OrderStep, ...]:
    return tuple(
        OrderStep(t.column.name, t.descending, t.nulls_first, t.column.kind is Kind.DECIMAL) for t in order
    )


def _find_cursor_positions(
    query: ListQuery, steps: tuple[OrderStep, ...]
) -> tuple[OrderPosition | None, OrderPosition | None]:
    after, before = (
        None if cursor is None else _build_position(steps, cursor.key)
        for cursor in (query.after, query.before)
    )
    return (before, after) if query.backward else (after, before)


def _build_position(steps: tuple[OrderStep, ...], values: Sequence[Any]) -> OrderPosition:
    return tuple(step.build_comparable_value(value) for step, value in zip(steps, values, strict=True))
