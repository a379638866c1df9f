"""Windows: which part of a list's order an answer has looked at.

A full page ends at its last fetched row; what comes to stand behind that row, or leaves from there, cannot change it.
A page that ended before its limit is open, and so is an order that cannot be compared here: wider is always right.
Values are compared as PostgreSQL compares them: text by code points (collation "C"), numbers exactly, NaN behind all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from resolvers.level import Level
from resolvers.orders import Order, reversed_order
from resolvers.rows import Read
from schema.table import Kind

Values = Mapping[str, Any]
"""A row's values by its columns' SQL names; of a column that is not there nothing is known."""

Place = tuple[Any, ...]
"""Where a row stands in an order: its values, as `Step.value` gives them."""


class Step(NamedTuple):
    """One term of the order, as rows were read by it."""

    column: str
    descending: bool
    nulls_first: bool
    exact: bool

    def value(self, value: Any) -> Any:
        """A value as it is to be compared; decimals come as text, and NaN equals itself."""
        if not self.exact or value is None:
            return value
        number = Decimal(value)
        return (True, 0) if number.is_nan() else (False, number)


@dataclass(frozen=True, slots=True)
class Window:
    """The part of an order that was looked at, for each key that the list was asked for.

    Attributes:
        steps: The order in which rows were read: for a page from the back the reverse of the list's.
        key: The column that ties a row to its key; None at the root.
        begin: Rows up to this place were passed over (a cursor); None where it began with the first.
        end: Rows from this place on were left out (a cursor); None where none was.
        bounds: The place of the last row fetched, by key; a key that is not there is open.
    """

    steps: tuple[Step, ...]
    key: str | None
    begin: Place | None
    end: Place | None
    bounds: Mapping[str | None, Place]

    def holds(self, row: Values) -> bool:
        """Whether a row with these values stands inside, or may."""
        bound = self.bounds.get(None if self.key is None else row.get(self.key))
        try:
            return (
                (bound is None or self._side(row, bound) <= 0)
                and (self.begin is None or self._side(row, self.begin) > 0)
                and (self.end is None or self._side(row, self.end) < 0)
            )
        except KeyError:  # a column whose values changes do not carry
            return True

    def _side(self, row: Values, place: Place) -> int:
        """On which side of a place a row stands: below 0 ahead of it, 0 there, above 0 behind it."""
        for step, there in zip(self.steps, place, strict=True):
            here = step.value(row[step.column])
            if here == there:
                continue
            if here is None or there is None:
                ahead = (here is None) is step.nulls_first
            else:
                ahead = (here < there) is not step.descending
            return -1 if ahead else 1
        return 0


def window_of(read: Read) -> Window | None:
    """The window of a read; None where it has looked everywhere, or where that cannot be told."""
    level = read.level
    if any(term.column.options.sql for term in level.order):
        return None  # a computed value: changes do not carry it
    order = reversed_order(level.order) if level.backward else level.order
    steps = _steps(order)
    begin, end = _cursors(level, steps)
    bounds = {key: _place(steps, values) for key, values in read.bounds.items()}
    if not order or (begin is None and end is None and not bounds):
        return None
    return Window(steps, level.key, begin, end, bounds)


def _steps(order: Order) -> tuple[Step, ...]:
    return tuple(
        Step(t.column.name, t.descending, t.nulls_first, t.column.kind is Kind.DECIMAL) for t in order
    )


def _cursors(level: Level, steps: tuple[Step, ...]) -> tuple[Place | None, Place | None]:
    after, before = (
        None if cursor is None else _place(steps, cursor.key) for cursor in (level.after, level.before)
    )
    return (before, after) if level.backward else (after, before)


def _place(steps: tuple[Step, ...], values: Sequence[Any]) -> Place:
    return tuple(step.value(value) for step, value in zip(steps, values, strict=True))
