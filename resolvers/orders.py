"""The order of a list: its terms, and what stands behind a row in it.

Every order ends with the id, so that no two rows are equal in it and a page has one beginning and one end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from core.errors import BadUserInputError
from core.limits import ORDER_TERMS_MAX
from resolvers.parameters import Parameters
from schema.table import Column, Table

KeyValue = Any
"""A cursor's value of one term: as the term's column holds it, or None."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of an order."""

    column: Column
    descending: bool
    nulls_first: bool = False

    def reversed(self) -> "Term":
        """The same term, read from the back."""
        return replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    def sql(self, alias: str) -> str:
        """The term in ORDER BY; says where nulls go only where there can be any, so that an index serves it."""
        words = f"{self.column.sql(alias)}{' DESC' if self.descending else ''}"
        if not self.column.nullable or self.nulls_first == self.descending:
            return words
        return f"{words} NULLS {'FIRST' if self.nulls_first else 'LAST'}"


Order = tuple[Term, ...]


def order_of(table: Table, order_by: Sequence[Mapping[str, Any]] | None) -> Order:
    """The order that `orderBy` asks for, or the table's own, with the id last.

    Raises:
        BadUserInputError: Too many terms, or a column twice.
    """
    terms = [_term(table, entry) for entry in order_by or ()] or [_default(table)]
    names = [term.column.name for term in terms]
    if len(terms) > ORDER_TERMS_MAX:
        raise BadUserInputError(f"orderBy has at most {ORDER_TERMS_MAX} terms, not {len(terms)}")
    if len(set(names)) < len(names):
        raise BadUserInputError("orderBy names a field twice")
    if "id" in names:
        return tuple(terms[: names.index("id") + 1])
    return (*terms, Term(table.columns["id"], terms[-1].descending))


def _term(table: Table, entry: Mapping[str, Any]) -> Term:
    column = table.columns[entry["field"].value]
    return Term(column, entry["direction"] == "desc", column.nullable and entry["nulls"] == "first")


def _default(table: Table) -> Term:
    name, direction = table.default_order
    return Term(table.columns[name], direction == "desc")


def reversed_order(order: Order) -> Order:
    """The order read from the back."""
    return tuple(term.reversed() for term in order)


def order_by_sql(order: Order, alias: str) -> str:
    """The terms as ORDER BY has them."""
    return ", ".join(term.sql(alias) for term in order)


def behind(order: Order, key: Sequence[KeyValue], alias: str, parameters: Parameters) -> str:
    """The condition that a row stands behind the row with this `key`.

    One row comparison where all terms run the same way and none can be null, which an index serves as it is;
    else the terms one by one, led by a bound on the first that an index can use.
    """
    if len({term.descending for term in order}) == 1 and not any(term.column.nullable for term in order):
        return _row_comparison(order, key, alias, parameters)
    bounds = [
        None if value is None else parameters.add(value, term.column.kind.sql_type)
        for term, value in zip(order, key, strict=True)
    ]
    alternatives: list[str] = []
    equal: list[str] = []
    for term, bound in zip(order, bounds, strict=True):
        beyond = _beyond(term, alias, bound)
        if beyond != _NEVER:
            alternatives.append(" AND ".join([*equal, beyond]))
        equal.append(f"{term.column.sql(alias)} {'IS NULL' if bound is None else f'= {bound}'}")
    behind_one = "(" + (" OR ".join(f"({a})" for a in alternatives) or _NEVER) + ")"
    lead = _lead(order[0], alias, bounds[0])
    return f"({lead} AND {behind_one})" if lead else behind_one


_NEVER: Final = "FALSE"


def _row_comparison(order: Order, key: Sequence[KeyValue], alias: str, parameters: Parameters) -> str:
    columns = ", ".join(term.column.sql(alias) for term in order)
    values = ", ".join(
        parameters.add(value, term.column.kind.sql_type) for term, value in zip(order, key, strict=True)
    )
    return f"({columns}) {'<' if order[0].descending else '>'} ({values})"


def _lead(term: Term, alias: str, bound: str | None) -> str | None:
    """What holds of the first term wherever a row stands behind; None where that is no range of an index."""
    column = term.column.sql(alias)
    if bound is None:
        return None if term.nulls_first else f"{column} IS NULL"
    if term.column.nullable and not term.nulls_first:
        return None
    return f"{column} {'<=' if term.descending else '>='} {bound}"


def _beyond(term: Term, alias: str, bound: str | None) -> str:
    column = term.column.sql(alias)
    if bound is None:
        return f"{column} IS NOT NULL" if term.nulls_first else _NEVER
    further = f"{column} {'<' if term.descending else '>'} {bound}"
    return f"({further} OR {column} IS NULL)" if term.column.nullable and not term.nulls_first else further
