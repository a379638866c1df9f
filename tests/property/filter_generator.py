"""Generates filters: every operator of the schema's inputs, with values of a sampled row, so that many match."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
    get_nullable_type,
)

from core.clock import NEVER
from schema.table import Column, Kind, Reference, Table
from schema.tables import BY_NAME, LISTED
from tests.property.input_values import EnumName, RefusedValue
from tests.property.row_samples import Row, RowSamples
from tests.property.variable_generator import VariableGenerator

MAX_DEPTH: Final = 3
"""How deep filters nest."""

REFUSED_SHARE: Final = 0.005
"""The share of arguments and values that are refused. (A document has some dozen of them.)"""

_REFUSED_VALUES: Final[Mapping[Kind, Sequence[Any]]] = {
    Kind.TIMESTAMP: (NEVER + 1, -NEVER - 1, 1.5, "1", True, 1e300),
    Kind.INT: (2**31, 1.5, "1"),
    Kind.DECIMAL: (1.5, "1e5", "", "NaN", "1" * 41, 3),
    Kind.ENUM: ("NO_SUCH_VALUE", "active", 1),
    Kind.BOOLEAN: ("true", 0),
    Kind.TEXT: (1, ["a", "b"], {}),
    Kind.ID: (1.5, True, {}),
}
_CHOSEN_VALUES: Final[Mapping[Kind, Sequence[Any]]] = {
    Kind.TEXT: ("", "a", "%", "_", "\\", "İ", "😀", "\u2028", "zzz no such text", "É"),
    Kind.ID: ("", "no-such-id", 17, "İ"),
    Kind.TIMESTAMP: (0, -1, NEVER, -NEVER, 1_700_000_000_000, 1e12),
    Kind.INT: (0, 1, -1, 2**31 - 1, -(2**31)),
    Kind.DECIMAL: ("0", "-0.00", "+1.5", "00012.50", "9" * 40 + "." + "9" * 40),
    Kind.BOOLEAN: (True, False),
    Kind.JSON: ({}, [], None, 0, 9007199254740993, "é\u2028", {"a": {"b": [1]}}, 0.1, True),
}


@dataclass(frozen=True, slots=True)
class FilterGenerator:
    """Makes the filters of one document."""

    random: Random
    samples: RowSamples
    tenant_id: str
    variables: VariableGenerator

    def make_filter(
        self, type_: GraphQLInputObjectType, table: Table, row: Row | None = None, depth: int = 0
    ) -> Any:
        """A filter of `table` that the row mostly matches."""
        row = row or self.samples.choose_tenant_row(table, self.tenant_id, self.random)
        names = [name for name in type_.fields if depth < MAX_DEPTH or name in table.by_graphql_name]
        chosen = self.random.sample(names, self.random.choices((0, 1, 2, 3), (3, 60, 27, 10))[0])
        made = {name: self._make_entry(type_.fields[name].type, table, name, row, depth) for name in chosen}
        return {
            name: self.variables.value_or_variable(type_.fields[name].type, value, chance=0.08)
            for name, value in made.items()
        }

    def _make_entry(
        self, type_: GraphQLInputType, table: Table, name: str, row: Row | None, depth: int
    ) -> Any:
        if self.random.random() < 0.03:
            return None
        named = get_named_type(type_)
        assert isinstance(named, GraphQLInputObjectType)
        column = table.by_graphql_name.get(name)
        if column:
            return self._make_operators(named, column, row)
        if name in ("and", "or"):
            return self._make_alternatives(named, table, row, depth)
        if name == "not":
            return self.make_filter(
                named, table, self.samples.choose_tenant_row(table, self.tenant_id, self.random), depth + 1
            )
        reference = next(r for r in table.references if r.one == name)
        return self.make_filter(
            named, BY_NAME[reference.table], self._find_referenced_row(reference, row), depth + 1
        )

    def _make_alternatives(
        self, type_: GraphQLInputObjectType, table: Table, row: Row | None, depth: int
    ) -> Any:
        count = self.random.choices((0, 1, 2, 3), (4, 30, 56, 10))[0]
        made = [self.make_filter(type_, table, row, depth + 1) for _ in range(count)]
        return (
            made[0] if count == 1 and self.random.random() < 0.2 else made
        )  # one value stands for a list of it

    def _find_referenced_row(self, reference: Reference, row: Row | None) -> Row | None:
        return self.samples.by_id.get((reference.table, str(row[reference.column]))) if row else None

    def _make_operators(self, type_: GraphQLInputObjectType, column: Column, row: Row | None) -> Any:
        count = 0 if self.random.random() < REFUSED_SHARE else self.random.choices((1, 2), (80, 18))[0]
        made = {}
        for name in self.random.sample(list(type_.fields), min(count, len(type_.fields))):
            place = type_.fields[name].type
            made[name] = self.variables.value_or_variable(
                place,
                self._make_operand(place, column, name, row),
                chance=0.12,
                losable=self.random.random() < 4 * REFUSED_SHARE,
            )
        return made

    def _make_operand(self, type_: GraphQLInputType, column: Column, operator: str, row: Row | None) -> Any:
        if self.random.random() < (0.04 if operator in ("eq", "neq") else REFUSED_SHARE):
            return None
        held = row[column.name] if row else None
        match operator:
            case "isNull":
                return held is None if self.random.random() < 0.8 else self.random.random() < 0.5
            case "in" | "notIn":
                return self._make_list(type_, column, None if operator == "notIn" else held)
            case "contains" | "startsWith" | "endsWith" if column.kind is not Kind.JSON:
                return self._choose_substring(operator, held)
            case "contains":
                return self._choose_json_subset(held)
            case "at":
                return self._make_json_paths(held)
            case "has":
                return self.random.choice(held) if held else "sites"
            case "eq":
                return self._make_value(column, held)
            case _:
                return self._make_value(column, self._choose_other_value(column))

    def _choose_other_value(self, column: Column) -> Any:
        """A value that some row has in a column of that kind."""
        table = next((t for t in LISTED if t.columns.get(column.name) is column), None)
        row = self.samples.choose_tenant_row(table, self.tenant_id, self.random) if table else None
        return row[column.name] if row else None

    def _make_value(self, column: Column, held: Any) -> Any:
        roll = self.random.random()
        if roll < REFUSED_SHARE:
            return RefusedValue(self.random.choice(_REFUSED_VALUES[column.kind]))
        if roll < 2 * REFUSED_SHARE and column.kind in (Kind.TEXT, Kind.ID):
            return "a\x00b"
        if held is not None and roll < 0.9:
            return held
        if column.enum:
            return EnumName(self.random.choice(list(column.enum.__members__)))
        return self.random.choice(_CHOSEN_VALUES[column.kind])

    def _make_list(self, type_: GraphQLInputType, column: Column, held: Any) -> Any:
        listed = get_nullable_type(type_)
        assert isinstance(listed, GraphQLList)
        of = listed.of_type
        others = [self._choose_other_value(column) for _ in range(self.random.choice((0, 1, 1, 2, 3)))]
        values = [self._make_value(column, value) for value in (held, *others) if value is not None]
        if self.random.random() < REFUSED_SHARE:
            values = (
                [*values, RefusedValue(None)] if isinstance(of, GraphQLNonNull) else [column.name] * 1_001
            )
        if len(values) == 1 and self.random.random() < 0.15:
            return values[0]
        return [self.variables.value_or_variable(of, value, chance=0.05, losable=False) for value in values]

    def _choose_substring(self, operator: str, held: Any) -> str:
        text = held if isinstance(held, str) and held else self.random.choice(_CHOSEN_VALUES[Kind.TEXT])
        size = min(len(text), self.random.choice((1, 2, 3, 8, 60)))
        at = {"startsWith": 0, "endsWith": len(text) - size}.get(
            operator, self.random.randint(0, len(text) - size)
        )
        part = text[at : at + size]
        return self.random.choice((part, part, part.upper(), part.lower(), part.swapcase()))

    def _choose_json_subset(self, held: Any) -> Any:
        """A part of a JSON value that it contains, in the sense of PostgreSQL."""
        roll = self.random.random()
        if roll < 0.15 or held is None:
            return self.random.choice(_CHOSEN_VALUES[Kind.JSON])
        if isinstance(held, dict) and held and roll < 0.9:
            key = self.random.choice(list(held))
            return {key: self._choose_json_subset(held[key])}
        if isinstance(held, list) and held and roll < 0.9:
            return [self._choose_json_subset(self.random.choice(held))]
        return held

    def choose_enum_value(self, type_: GraphQLEnumType) -> EnumName:
        """Any value of an enum."""
        return EnumName(self.random.choice(list(type_.values)))

    def _make_json_paths(self, held: Any) -> Any:
        return [self._make_json_path(held) for _ in range(self.random.choices((0, 1, 2), (5, 80, 15))[0])]

    def _make_json_path(self, value: Any) -> Any:
        path: list[str] = []
        while isinstance(value, dict | list) and value and self.random.random() < 0.8:
            key = self.random.choice(_list_keys(value))
            value = value[key]
            path.append(str(key))
        if self.random.random() < 0.1:
            path.append(self.random.choice(("no", "-1", "0", "")))
        return {"path": path, "eq": {} if value is None else value}


def _list_keys(value: dict[str, Any] | list[Any]) -> Sequence[Any]:
    return list(value) if isinstance(value, dict) else range(len(value))
