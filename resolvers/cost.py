"""What an operation costs: the rows that it may touch at most, as a formula over its variables.

A formula is made once for each operation of a document (`cost_shape`) and evaluated with the variables of each
request before anything runs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, NamedTuple

from core.errors import refuse_beyond
from core.limits import COST_MAX, PAGE_DEFAULT, PAGE_MAX

Variables = Mapping[str, Any]


class Variable(NamedTuple):
    """A value that the request's variables give."""

    name: str


@dataclass(frozen=True, slots=True)
class PageSize:
    """How many rows a list gives at most: its `first` and `last`, each a number, a variable, or None."""

    first: Any = None
    last: Any = None

    def rows(self, variables: Variables) -> int:
        """Rows; what is no count is refused when the list is resolved, and taken for the largest here."""
        asked = [_count(_value(each, variables)) for each in (self.first, self.last)]
        return max((count for count in asked if count is not None), default=PAGE_DEFAULT)

    @property
    def constant(self) -> bool:
        """Whether it takes no variables."""
        return not isinstance(self.first, Variable) and not isinstance(self.last, Variable)


@dataclass(frozen=True, slots=True)
class Named(PageSize):
    """The rows that a mutation names: `first` is the list of their ids, or a variable that has it."""

    def rows(self, variables: Variables) -> int:
        """Rows; an id alone stands for a list of one."""
        ids = _value(self.first, variables)
        return len(ids) if isinstance(ids, list) else 1


class Condition(NamedTuple):
    """Holds where a variable is true, or false; of `@include` and `@skip`, or whether a text is sought at all."""

    variable: str
    wanted: bool = True

    def holds(self, variables: Variables) -> bool:
        """Whether it does."""
        return bool(variables.get(self.variable)) is self.wanted


@dataclass(frozen=True, slots=True)
class Formula:
    """Rows for each row of the parent: a constant, and parts that variables decide."""

    constant: float = 0
    parts: tuple["Part", ...] = ()

    def rows(self, variables: Variables) -> float:
        """The rows, with these variables."""
        return self.constant + sum(part.rows(variables) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Part:
    """A formula times a page's size, where all of its conditions hold."""

    formula: Formula
    page: PageSize | None
    conditions: tuple[Condition, ...]

    def rows(self, variables: Variables) -> float:
        """The rows, with these variables."""
        if not all(condition.holds(variables) for condition in self.conditions):
            return 0
        return self.formula.rows(variables) * (self.page.rows(variables) if self.page else 1)


NOTHING: Final = Formula()


def total(formulas: Iterable[Formula]) -> Formula:
    """All of them together."""
    formulas = tuple(formulas)
    parts = tuple(part for formula in formulas for part in formula.parts)
    return Formula(sum(formula.constant for formula in formulas), parts)


def on_each(page: PageSize, formula: Formula) -> Formula:
    """A formula for each row of a page."""
    if page.constant and not formula.parts:
        return Formula(formula.constant * page.rows({}))
    return NOTHING if formula == NOTHING else Formula(0, (Part(formula, page, ()),))


def times(number: float, formula: Formula) -> Formula:
    """A formula for each of so many."""
    parts = (Part(times(number, part.formula), part.page, part.conditions) for part in formula.parts)
    return Formula(formula.constant * number, tuple(parts))


def where(conditions: tuple[Condition, ...], formula: Formula) -> Formula:
    """A formula that counts only where all conditions hold."""
    if not conditions or formula == NOTHING:
        return formula
    return Formula(0, (Part(formula, None, conditions),))


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one operation.

    Attributes:
        formula: The rows that it may touch.
        defaults: The values of variables that the request leaves out.
    """

    formula: Formula
    defaults: Variables

    def estimate(self, variables: Variables) -> int:
        """The rows with a request's variables, as they came."""
        rows = self.formula.rows({**self.defaults, **variables})
        return ceil(round(rows, 6))  # averages of introspection leave crumbs


def check_cost(estimated: int) -> None:
    """Make sure that an operation is affordable.

    Raises:
        LimitExceededError: It is not.
    """
    refuse_beyond("cost", COST_MAX, estimated, "rows to touch, estimated")


def _value(value: Any, variables: Variables) -> Any:
    return variables.get(value.name) if isinstance(value, Variable) else value


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value <= PAGE_MAX:
        return max(0, ceil(value))
    return PAGE_MAX
