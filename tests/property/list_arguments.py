"""Random arguments of lists, drawn from the values of the rows so that the lists are not empty."""

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any, Final

from schema.table import Column, Kind, Reference, Table
from schema.tables import BY_NAME
from tests.property.awkward_rows import AMOUNTS, JSONS, NUMBERS, TEXTS, TIMES
from tests.property.list_oracle import ListOracle

_COMPARISONS: Final = ("gt", "gte", "lt", "lte")
_MAX_DEPTH: Final = 3


class ListArgumentGenerator:
    """Draws arguments for the lists of one table."""

    def __init__(self, world: ListOracle, table: Table, random: Random) -> None:
        self.world = world
        self.table = table
        self.random = random

    def make_arguments(self) -> dict[str, Any]:
        """Random arguments of a list; each is present or not."""
        chosen: dict[str, Any] = {}
        if self.random.random() < 0.75:
            chosen["where"] = self.make_filter()
        if self.random.random() < 0.8:
            chosen["orderBy"] = self.make_order()
        if self.table.searched and self.random.random() < 0.3:
            chosen["search"] = self._choose_substring(
                self._choose_value(self.random.choice(self.table.searched))
            )
        if self.table.soft_deletes and self.random.random() < 0.4:
            chosen["includeDeleted"] = True
        return chosen

    def make_order(self) -> list[dict[str, str]]:
        """One to four terms."""
        columns = [column for column in self.table.columns.values() if column.orderable]
        terms = []
        for column in self.random.sample(columns, min(self.random.randint(1, 4), len(columns))):
            term = {"field": column.name.upper()}
            if self.random.random() < 0.7:
                term["direction"] = self.random.choice(("ASC", "DESC"))
            if self.random.random() < 0.5:
                term["nulls"] = self.random.choice(("FIRST", "LAST"))
            terms.append(term)
        return terms

    def make_filter(self, depth: int = 0) -> dict[str, Any]:
        """One to three entries, groups and relations among them."""
        entries: dict[str, Any] = {}
        for _ in range(self.random.randint(0 if depth else 1, 3 if depth == 0 else 2)):
            name, value = self._make_entry(depth)
            entries[name] = value
        return entries

    def _make_entry(self, depth: int) -> tuple[str, Any]:
        relations = [reference for reference in self.table.references if reference.one]
        dice = self.random.random()
        if depth < _MAX_DEPTH and dice < 0.35:
            return self._make_group(depth)
        if depth < _MAX_DEPTH and relations and dice < 0.5:
            return self._make_relation(self.random.choice(relations), depth)
        columns = [column for column in self.table.columns.values() if column.options.filter]
        column = self.random.choice(columns)
        return column.graphql_name, self._make_operators(column)

    def _make_group(self, depth: int) -> tuple[str, Any]:
        match self.random.choice(("and", "or", "not", "not")):
            case "not":
                return "not", self.random.choice(
                    (self.make_filter(depth + 1), self.make_filter(depth + 1), None)
                )
            case name:
                return name, [self.make_filter(depth + 1) for _ in range(self.random.randint(0, 3))]

    def _make_relation(self, reference: Reference, depth: int) -> tuple[str, Any]:
        target = ListArgumentGenerator(self.world, BY_NAME[reference.table], self.random)
        return str(reference.one), target.make_filter(depth + 1) if self.random.random() < 0.9 else None

    def _make_operators(self, column: Column) -> dict[str, Any] | None:
        if self.random.random() < 0.05:
            return None
        names = _list_operators(column)
        count = 2 if self.random.random() < 0.2 else 1
        chosen = self.random.sample(names, min(count, len(names)))
        return {name: self._make_operand(column, name) for name in chosen}

    def _make_operand(self, column: Column, operator: str) -> Any:
        if operator in ("eq", "neq") and self.random.random() < 0.08:
            return None
        match operator:
            case "isNull":
                return self.random.random() < 0.5
            case "in" | "notIn":
                return [self._choose_value(column) for _ in range(self.random.randint(0, 4))]
            case "contains" | "startsWith" | "endsWith" if column.kind is Kind.TEXT:
                return self._choose_substring(self._choose_value(column))
            case "contains":
                return self._choose_json_subset(self._choose_value(column))
            case "at":
                return [
                    self._choose_json_path(self._choose_value(column))
                    for _ in range(self.random.randint(0, 2))
                ]
            case "has":
                return self.random.choice([*self._choose_value(column), "nothing"])
        return self._choose_value(column)

    def _choose_value(self, column: Column) -> Any:
        """A value of the column, most often one that a row has, as GraphQL takes it."""
        rows = self.world.list_visible_rows(self.table, deleted=True)
        values = [row[column.name] for row in self.random.sample(rows, min(5, len(rows)))]
        values = [value for value in values if value is not None]
        if values and self.random.random() < 0.85:
            return _to_graphql(column, self.random.choice(values))
        return self._invent_value(column)

    def _invent_value(self, column: Column) -> Any:
        match column.kind:
            case Kind.TIMESTAMP:
                return self.random.choice(TIMES)
            case Kind.INT:
                return self.random.choice(NUMBERS)
            case Kind.DECIMAL:
                return self.random.choice(AMOUNTS)
            case Kind.BOOLEAN:
                return self.random.random() < 0.5
            case Kind.ENUM if column.enum:
                return self.random.choice(list(column.enum)).name
            case Kind.JSON:
                return self.random.choice(JSONS)
            case Kind.TEXTS:
                return []
        return self.random.choice(TEXTS)

    def _choose_substring(self, text: str) -> str:
        begin = self.random.randint(0, len(text))
        part = text[begin : begin + self.random.randint(0, 5)]
        return self.random.choice((part, part.swapcase(), part.upper(), text, self.random.choice(TEXTS)))

    def _choose_json_subset(self, value: Any) -> Any:
        if isinstance(value, dict):
            kept = self.random.sample(sorted(value), self.random.randint(0, min(2, len(value))))
            return {key: self._choose_json_subset(value[key]) for key in kept}
        if isinstance(value, list):
            return [self._choose_json_subset(member) for member in value if self.random.random() < 0.6]
        return value if value is not None and self.random.random() < 0.9 else "other"

    def _choose_json_path(self, value: Any) -> dict[str, Any]:
        path: list[str] = []
        while isinstance(value, dict | list) and value and self.random.random() < 0.85:
            step = self.random.choice(sorted(value) if isinstance(value, dict) else range(len(value)))
            path.append(str(step))
            value = value[step]
        found = value is not None and self.random.random() < 0.85
        return {"path": path if self.random.random() < 0.9 else [*path, "0"], "eq": value if found else 1}


def _list_operators(column: Column) -> Sequence[str]:
    match column.kind:
        case Kind.JSON:
            return ("contains", "at", "isNull")
        case Kind.TEXTS:
            return ("has", "isNull")
        case Kind.BOOLEAN:
            return ("eq", "neq", "isNull")
        case Kind.ID | Kind.ENUM:
            return ("eq", "neq", "in", "notIn", "isNull")
        case Kind.TEXT:
            matching = ("contains", "startsWith", "endsWith")
            return ("eq", "neq", "in", "notIn", "isNull", *_COMPARISONS, *matching)
    return ("eq", "neq", "in", "notIn", "isNull", *_COMPARISONS)


def _to_graphql(column: Column, value: Any) -> Any:
    match column.kind:
        case Kind.DECIMAL:
            return format(value, "f")
        case Kind.ENUM:
            return value.upper()
        case Kind.JSON:
            return to_json_value(value)
    return value


def to_json_value(value: Any) -> Any:
    """JSON as a client sends and reads it: fractions as floats."""
    if isinstance(value, dict):
        return {key: to_json_value(member) for key, member in value.items()}
    if isinstance(value, list):
        return [to_json_value(member) for member in value]
    return float(value) if isinstance(value, Decimal) else value
