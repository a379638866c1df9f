"""Random arguments of lists, drawn so that they find something: from the values that the rows have."""

from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any, Final

from schema.table import Column, Kind, Reference, Table
from schema.tables import BY_NAME
from tests.property.awkward import AMOUNTS, JSONS, NUMBERS, TEXTS, TIMES
from tests.property.oracle import World

_COMPARED: Final = ("gt", "gte", "lt", "lte")
_DEPTH: Final = 3


class Asker:
    """Draws arguments for the lists of one table."""

    def __init__(self, world: World, table: Table, random: Random) -> None:
        self.world = world
        self.table = table
        self.random = random

    def arguments(self) -> dict[str, Any]:
        """What makes a list: each part is there or not."""
        chosen: dict[str, Any] = {}
        if self.random.random() < 0.75:
            chosen["where"] = self.where()
        if self.random.random() < 0.8:
            chosen["orderBy"] = self.order_by()
        if self.table.searched and self.random.random() < 0.3:
            chosen["search"] = self._part_of_text(self._some_value(self.random.choice(self.table.searched)))
        if self.table.soft_deletes and self.random.random() < 0.4:
            chosen["includeDeleted"] = True
        return chosen

    def order_by(self) -> list[dict[str, str]]:
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

    def where(self, depth: int = 0) -> dict[str, Any]:
        """One to three entries, groups and relations among them."""
        entries: dict[str, Any] = {}
        for _ in range(self.random.randint(0 if depth else 1, 3 if depth == 0 else 2)):
            name, value = self._entry(depth)
            entries[name] = value
        return entries

    def _entry(self, depth: int) -> tuple[str, Any]:
        relations = [reference for reference in self.table.references if reference.one]
        dice = self.random.random()
        if depth < _DEPTH and dice < 0.35:
            return self._group(depth)
        if depth < _DEPTH and relations and dice < 0.5:
            return self._related(self.random.choice(relations), depth)
        columns = [column for column in self.table.columns.values() if column.options.filter]
        column = self.random.choice(columns)
        return column.graphql_name, self._operators(column)

    def _group(self, depth: int) -> tuple[str, Any]:
        match self.random.choice(("and", "or", "not", "not")):
            case "not":
                return "not", self.random.choice((self.where(depth + 1), self.where(depth + 1), None))
            case name:
                return name, [self.where(depth + 1) for _ in range(self.random.randint(0, 3))]

    def _related(self, reference: Reference, depth: int) -> tuple[str, Any]:
        target = Asker(self.world, BY_NAME[reference.table], self.random)
        return str(reference.one), target.where(depth + 1) if self.random.random() < 0.9 else None

    def _operators(self, column: Column) -> dict[str, Any] | None:
        if self.random.random() < 0.05:
            return None
        names = _operator_names(column)
        count = 2 if self.random.random() < 0.2 else 1
        chosen = self.random.sample(names, min(count, len(names)))
        return {name: self._operand(column, name) for name in chosen}

    def _operand(self, column: Column, operator: str) -> Any:
        if self.random.random() < 0.08:
            return None
        match operator:
            case "isNull":
                return self.random.random() < 0.5
            case "in" | "notIn":
                return [self._some_value(column) for _ in range(self.random.randint(0, 4))]
            case "contains" | "startsWith" | "endsWith" if column.kind is Kind.TEXT:
                return self._part_of_text(self._some_value(column))
            case "contains":
                return self._part_of_json(self._some_value(column))
            case "at":
                return [self._place(self._some_value(column)) for _ in range(self.random.randint(0, 2))]
            case "has":
                return self.random.choice([*self._some_value(column), "nothing"])
        return self._some_value(column)

    def _some_value(self, column: Column) -> Any:
        """A value of the column, most often one that a row has, as GraphQL takes it."""
        rows = self.world.visible(self.table, deleted=True)
        values = [row[column.name] for row in self.random.sample(rows, min(5, len(rows)))]
        values = [value for value in values if value is not None]
        if values and self.random.random() < 0.85:
            return _as_graphql(column, self.random.choice(values))
        return self._made_up(column)

    def _made_up(self, column: Column) -> Any:
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

    def _part_of_text(self, text: str) -> str:
        begin = self.random.randint(0, len(text))
        part = text[begin : begin + self.random.randint(0, 5)]
        return self.random.choice((part, part.swapcase(), part.upper(), text, self.random.choice(TEXTS)))

    def _part_of_json(self, value: Any) -> Any:
        if isinstance(value, dict):
            kept = self.random.sample(sorted(value), self.random.randint(0, min(2, len(value))))
            return {key: self._part_of_json(value[key]) for key in kept}
        if isinstance(value, list):
            return [self._part_of_json(member) for member in value if self.random.random() < 0.6]
        return value if value is not None and self.random.random() < 0.9 else "other"

    def _place(self, value: Any) -> dict[str, Any]:
        path: list[str] = []
        while isinstance(value, dict | list) and value and self.random.random() < 0.85:
            step = self.random.choice(sorted(value) if isinstance(value, dict) else range(len(value)))
            path.append(str(step))
            value = value[step]
        found = value is not None and self.random.random() < 0.85
        return {"path": path if self.random.random() < 0.9 else [*path, "0"], "eq": value if found else 1}


def _operator_names(column: Column) -> Sequence[str]:
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
            return ("eq", "neq", "in", "notIn", "isNull", *_COMPARED, *matching)
    return ("eq", "neq", "in", "notIn", "isNull", *_COMPARED)


def _as_graphql(column: Column, value: Any) -> Any:
    match column.kind:
        case Kind.DECIMAL:
            return format(value, "f")
        case Kind.ENUM:
            return value.upper()
        case Kind.JSON:
            return plain(value)
    return value


def plain(value: Any) -> Any:
    """JSON as a client sends and reads it: fractions as floats."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return float(value) if isinstance(value, Decimal) else value
