"""The cost of what a list looks at: the rows that may be scanned, times the conditions that each of them must meet.

    scanned rows    all of the tenant's, those of one parent, or those that an index finds by `eq` or `in`
    each condition  a part of a row's cost: little for a column, more for a text search, most for a computed column

A list that stops early costs as much as one that finds its rows last. A list without conditions in the order of an
index looks at nothing but its page, which the cost contains in any case.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.limits import (
    COST_SCANNED_COMPUTED,
    COST_SCANNED_CONDITION,
    COST_SCANNED_COUNT,
    COST_SCANNED_RELATION,
    COST_SCANNED_TEXT,
    FILTER_DEPTH_MAX,
)
from resolvers.limits.cost import Values, Variable, resolve_value
from resolvers.limits.table_sizes import TableSizes
from schema.table import Column, Kind, Table
from schema.tables import BY_NAME

_TEXT_OPERATORS: Final = frozenset({"contains", "startsWith", "endsWith"})
_DIRECT_OPERATORS: Final = frozenset({"eq", "in"})


@dataclass(frozen=True, slots=True)
class Scan:
    """What one list looks at. It is a term of a formula.

    Attributes:
        table: The list's table or view.
        parent: The table of the parents, for a list below rows. None at the root.
        where: The `where` argument, with variables in it.
        order_by: The `orderBy` argument.
        search: The `search` argument.
        reads_rows: Whether the list selects rows.
        counts: Whether it selects `totalCount`.
    """

    table: Table
    parent: str | None
    where: Any
    order_by: Any
    search: Any
    reads_rows: bool
    counts: bool

    def count_rows(self, values: Values) -> float:
        """The cost of the scan in rows, for each parent."""
        sizes = values.sizes
        scanned: float = sizes.of(self.table.relation)
        if not scanned:
            return 0.0
        for column, value in self.table.only:
            scanned *= sizes.share_of(self.table.relation, column, value)
        if self.parent is not None:
            scanned = sizes.of_key(self.table.relation, self.parent)
        where = resolve_tree(self.where, values)
        scanned = min(scanned, _estimate_by_index(self.table, where, sizes))
        each = _weigh_filter(self.table, where, 0)
        if resolve_value(self.search, values):
            each += sum(_weigh_text(column) for column in self.table.searched)
        cost = 0.0
        if self.counts:
            cost += scanned * (each + COST_SCANNED_COUNT)
        if self.reads_rows:
            cost += scanned * (each + self._weigh_order(resolve_tree(self.order_by, values), sizes))
        return cost

    def _weigh_order(self, terms: Any, sizes: TableSizes) -> float:
        """The cost of sorting, for each scanned row. An index that begins with the first term needs no sorting."""
        terms = terms if isinstance(terms, list) else [terms] if isinstance(terms, dict) else []
        columns = [column for term in terms if (column := self._find_ordered(term)) is not None]
        if not columns or sizes.is_indexed(self.table.relation, columns[0].name):
            return 0.0
        return sum(map(_weigh_column, columns))

    def _find_ordered(self, term: Any) -> Column | None:
        name = term.get("field") if isinstance(term, dict) else None
        return self.table.columns.get(name.lower()) if isinstance(name, str) else None


def resolve_tree(value: Any, values: Values) -> Any:
    """A literal or variable with all variables in it replaced."""
    if isinstance(value, Variable):
        return values.variables.get(value.name)
    if isinstance(value, dict):
        return {name: resolve_tree(each, values) for name, each in value.items()}
    if isinstance(value, list):
        return [resolve_tree(each, values) for each in value]
    return value


def _estimate_by_index(table: Table, where: Any, sizes: TableSizes) -> float:
    """The rows that an index finds by the conditions of a filter that must all hold, or infinitely many."""
    found = float("inf")
    if not isinstance(where, dict):
        return found
    for name, entry in where.items():
        column = table.by_graphql_name.get(name)
        if name == "and":
            for nested in _as_list(entry):
                found = min(found, _estimate_by_index(table, nested, sizes))
        elif column is not None and not column.options.sql and isinstance(entry, dict):
            found = min(found, _estimate_by_column(table, column, entry, sizes))
    return found


def _estimate_by_column(
    table: Table, column: Column, operators: Mapping[str, Any], sizes: TableSizes
) -> float:
    if not sizes.is_indexed(table.relation, column.name):
        return float("inf")
    keys = [len(_as_list(value)) for name, value in operators.items() if name in _DIRECT_OPERATORS]
    if not keys:
        return float("inf")
    if column.name == "id":
        return min(keys)
    parent = next((r.table for r in table.references if r.column == column.name), None)
    return min(keys) * sizes.of_key(table.relation, parent) if parent else float("inf")


def _weigh_filter(table: Table, where: Any, depth: int) -> float:
    """The cost of a filter's conditions for each scanned row."""
    if not isinstance(where, dict) or depth > FILTER_DEPTH_MAX:
        return 0.0
    cost = 0.0
    for name, entry in where.items():
        column = table.by_graphql_name.get(name)
        if column is not None:
            cost += _weigh_operators(column, entry)
        elif name in ("and", "or", "not"):
            cost += sum(_weigh_filter(table, nested, depth + 1) for nested in _as_list(entry))
        else:
            reference = next((r for r in table.references if r.one == name), None)
            if reference is not None and entry is not None:
                nested_cost = _weigh_filter(BY_NAME[reference.table], entry, depth + 1)
                cost += COST_SCANNED_RELATION + nested_cost
    return cost


def _weigh_operators(column: Column, operators: Any) -> float:
    if not isinstance(operators, dict):
        return 0.0
    cost = 0.0
    for name, value in operators.items():
        each = (
            _weigh_text(column)
            if name in _TEXT_OPERATORS or column.kind is Kind.JSON
            else _weigh_column(column)
        )
        cost += each * (max(1, len(_as_list(value))) if name == "at" else 1)
    return cost


def _weigh_text(column: Column) -> float:
    return COST_SCANNED_TEXT + (COST_SCANNED_COMPUTED if _is_computed_from_others(column) else 0)


def _weigh_column(column: Column) -> float:
    return COST_SCANNED_COMPUTED if _is_computed_from_others(column) else COST_SCANNED_CONDITION


def _is_computed_from_others(column: Column) -> bool:
    """Whether the column is computed from other rows, by a statement for each row."""
    return bool(column.options.dependencies)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
