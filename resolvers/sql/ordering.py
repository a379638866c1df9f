"""The order of a list: its terms, and the condition for the rows after a position.

Every order ends with the id. So no two rows are equal in it, and each page has one beginning and one end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from core.errors import BadUserInputError
from core.limits import ORDER_TERMS_MAX
from resolvers.sql.parameters import Parameters
from schema.table import Column, Table

KeyValue = Any
"""A cursor's value of one term, as in the term's column, or None."""


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One term of an order."""

    column: Column
    descending: bool
    nulls_first: bool = False

    def reverse(self) -> "OrderTerm":
        """The same term in the reverse order."""
        return replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    def to_sql(self, alias: str) -> str:
        """The term for ORDER BY. It places nulls only if there can be any, so that an index fits."""
        words = f"{self.column.sql(alias)}{' DESC' if self.descending else ''}"
        if not self.column.nullable or self.nulls_first == self.descending:
            return words
        return f"{words} NULLS {'FIRST' if self.nulls_first else 'LAST'}"


Order = tuple[OrderTerm, ...]


def build_order(table: Table, order_by: Sequence[Mapping[str, Any]] | None) -> Order:
    """The order for `orderBy`, or the table's default order, with the id last.

    Raises:
        BadUserInputError: There are too many terms, or a column occurs twice.
    """
    terms = [_build_term(table, entry) for entry in order_by or ()] or [_build_default_term(table)]
    names = [term.column.name for term in terms]
    if len(terms) > ORDER_TERMS_MAX:
        raise BadUserInputError(f"orderBy must have at most {ORDER_TERMS_MAX} terms, not {len(terms)}")
    if len(set(names)) < len(names):
        raise BadUserInputError("orderBy must not name a field twice")
    if "id" in names:
        return tuple(terms[: names.index("id") + 1])
    return (*terms, OrderTerm(table.columns["id"], terms[-1].descending))


def _build_term(table: Table, entry: Mapping[str, Any]) -> OrderTerm:
    column = table.columns[entry["field"].value]
    return OrderTerm(column, entry["direction"] == "desc", column.nullable and entry["nulls"] == "first")


def _build_default_term(table: Table) -> OrderTerm:
    name, direction = table.default_order
    return OrderTerm(table.columns[name], direction == "desc")


def reverse_order(order: Order) -> Order:
    """The reverse order."""
    return tuple(term.reverse() for term in order)


def build_order_by_sql(order: Order, alias: str) -> str:
    """The terms for ORDER BY."""
    return ", ".join(term.to_sql(alias) for term in order)


def build_after_condition(order: Order, key: Sequence[KeyValue], alias: str, parameters: Parameters) -> str:
    """The condition that a row comes after the row with this `key`.

    If all terms have the same direction and none can be null, it is one row comparison, which an index serves as it
    is. Otherwise it compares the terms one by one, after a bound on the first term that an index can use:

        ORDER BY name, id        (name, id) > ('Berlin', 's-1')
        ORDER BY name DESC, id   name <= 'Berlin' AND ((name < 'Berlin') OR (name = 'Berlin' AND id > 's-1'))
    """
    if len({term.descending for term in order}) == 1 and not any(term.column.nullable for term in order):
        return _build_row_comparison(order, key, alias, parameters)
    bounds = [
        None if value is None else parameters.add(value, term.column.kind.sql_type)
        for term, value in zip(order, key, strict=True)
    ]
    alternatives: list[str] = []
    equal: list[str] = []
    for term, bound in zip(order, bounds, strict=True):
        beyond = _build_term_condition(term, alias, bound)
        if beyond != _NEVER:
            alternatives.append(" AND ".join([*equal, beyond]))
        equal.append(f"{term.column.sql(alias)} {'IS NULL' if bound is None else f'= {bound}'}")
    build_alternative = "(" + (" OR ".join(f"({a})" for a in alternatives) or _NEVER) + ")"
    lead = _build_leading_condition(order[0], alias, bounds[0])
    return f"({lead} AND {build_alternative})" if lead else build_alternative


_NEVER: Final = "FALSE"


def _build_row_comparison(order: Order, key: Sequence[KeyValue], alias: str, parameters: Parameters) -> str:
    columns = ", ".join(term.column.sql(alias) for term in order)
    values = ", ".join(
        parameters.add(value, term.column.kind.sql_type) for term, value in zip(order, key, strict=True)
    )
    return f"({columns}) {'<' if order[0].descending else '>'} ({values})"


def _build_leading_condition(term: OrderTerm, alias: str, bound: str | None) -> str | None:
    """The condition on the first term that holds for all rows after the key. None if it is no range of an index."""
    column = term.column.sql(alias)
    if bound is None:
        return None if term.nulls_first else f"{column} IS NULL"
    if term.column.nullable and not term.nulls_first:
        return None
    return f"{column} {'<=' if term.descending else '>='} {bound}"


def _build_term_condition(term: OrderTerm, alias: str, bound: str | None) -> str:
    column = term.column.sql(alias)
    if bound is None:
        return f"{column} IS NOT NULL" if term.nulls_first else _NEVER
    further = f"{column} {'<' if term.descending else '>'} {bound}"
    return f"({further} OR {column} IS NULL)" if term.column.nullable and not term.nulls_first else further
