"""The cost of an operation: the most rows that it may touch, as a formula over its variables.

A formula is made once for each operation of a document (`cost_shape`). It is evaluated with the variables of each
request, before anything runs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Final, NamedTuple, Protocol

from core.errors import require_within_limit
from core.limits import COST_MAX, PAGE_DEFAULT, PAGE_MAX
from resolvers.limits.table_sizes import NO_SIZES, TableSizes

Variables = Mapping[str, Any]


class Values(NamedTuple):
    """The values of a formula: the request's variables, and the sizes of the tables for the caller's tenant."""

    variables: Variables
    sizes: TableSizes = NO_SIZES


class Variable(NamedTuple):
    """A value that comes from the request's variables."""

    name: str


@dataclass(frozen=True, slots=True)
class PageSize:
    """The most rows of a list, from its `first` and `last`. Each is a number, a variable, or None."""

    first: Any = None
    last: Any = None

    def count_rows(self, values: Values) -> int:
        """The number of rows.

        An invalid value counts as the largest page here, and is refused when the list is resolved.
        """
        requested = [_parse_count(resolve_value(each, values)) for each in (self.first, self.last)]
        return max((count for count in requested if count is not None), default=PAGE_DEFAULT)

    @property
    def is_constant(self) -> bool:
        """Whether it depends on no variable."""
        return not isinstance(self.first, Variable) and not isinstance(self.last, Variable)


@dataclass(frozen=True, slots=True)
class IdList(PageSize):
    """The rows of a mutation with ids: `first` is the list of ids, or a variable with the list."""

    def count_rows(self, values: Values) -> int:
        """The number of rows. A single id counts as a list of one."""
        ids = resolve_value(self.first, values)
        return len(ids) if isinstance(ids, list) else 1


class Condition(NamedTuple):
    """Holds if a variable is true, or false: for `@include` and `@skip`, or for whether there is a search text."""

    variable: str
    wanted: bool = True

    def is_met(self, values: Values) -> bool:
        """Whether the condition holds."""
        return bool(values.variables.get(self.variable)) is self.wanted


@dataclass(frozen=True, slots=True)
class Formula:
    """Rows for each row of the parent: a constant, and parts that depend on variables."""

    constant: float = 0
    terms: tuple["Term", ...] = ()

    def count_rows(self, values: Values) -> float:
        """The number of rows with these values."""
        return self.constant + sum(term.count_rows(values) for term in self.terms)


class Term(Protocol):
    """A part of a formula."""

    def count_rows(self, values: Values) -> float:
        """The number of rows with these values."""


@dataclass(frozen=True, slots=True)
class FormulaTerm:
    """A formula times a page's size, if all of its conditions hold."""

    formula: Formula
    page: "PageSize | _Factor | None"
    conditions: tuple[Condition, ...]

    def count_rows(self, values: Values) -> float:
        """The number of rows with these values."""
        if not all(condition.is_met(values) for condition in self.conditions):
            return 0
        return self.formula.count_rows(values) * (self.page.count_rows(values) if self.page else 1)


_SCANNED: Final = (
    "Most of them are rows that its filters, searches and orders look at. Filter by an id or another field with an "
    "index too, or use fewer conditions on texts, related rows and computed fields"
)

ZERO: Final = Formula()


def add_formulas(formulas: Iterable[Formula]) -> Formula:
    """The sum of formulas."""
    formulas = tuple(formulas)
    terms = tuple(term for formula in formulas for term in formula.terms)
    return Formula(sum(formula.constant for formula in formulas), terms)


def multiply_by_page(page: PageSize, formula: Formula) -> Formula:
    """A formula for each row of a page."""
    if page.is_constant and not formula.terms:
        return Formula(formula.constant * page.count_rows(Values({})))
    return ZERO if formula == ZERO else Formula(0, (FormulaTerm(formula, page, ()),))


def multiply_by(number: float, formula: Formula) -> Formula:
    """A formula times a number."""
    terms = (FormulaTerm(Formula(0, (term,)), _Factor(number), ()) for term in formula.terms)
    return Formula(formula.constant * number, tuple(terms))


@dataclass(frozen=True, slots=True)
class _Factor:
    """A number by which a term is multiplied, as by a page."""

    number: float

    def count_rows(self, _: Values) -> float:
        return self.number


def restrict_to(conditions: tuple[Condition, ...], formula: Formula) -> Formula:
    """A formula that counts only if all conditions hold."""
    if not conditions or formula == ZERO:
        return formula
    return Formula(0, (FormulaTerm(formula, None, conditions),))


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one operation.

    Attributes:
        formula: The rows that it may touch.
        defaults: The default values of variables, for those that the request leaves out.
    """

    formula: Formula
    defaults: Variables

    def estimate(self, variables: Variables, sizes: TableSizes = NO_SIZES) -> int:
        """The number of rows with a request's variables, before their coercion, for a tenant's tables."""
        rows = self.formula.count_rows(Values({**self.defaults, **variables}, sizes))
        return ceil(round(rows, 6))  # averages of introspection lists leave rounding errors


def check_cost(estimated: int, returned: int | None = None) -> None:
    """Check that an operation is within the cost limit.

    Args:
        estimated: Its cost.
        returned: The part of it for rows in the answer. None if that is all.

    Raises:
        LimitExceededError: It is not.
    """
    advice = "" if returned is None or 2 * returned > estimated else _SCANNED
    require_within_limit("cost", COST_MAX, estimated, "rows to process, estimated", advice)


def resolve_value(value: Any, values: Values) -> Any:
    """A literal as it is, or the value of a variable."""
    return values.variables.get(value.name) if isinstance(value, Variable) else value


def _parse_count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and value <= PAGE_MAX:
        return max(0, ceil(value))
    return PAGE_MAX
