"""Generates the arguments of fields, by their names and types in the schema."""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLScalarType,
    get_named_type,
)

from core.limits import ORDER_TERMS_MAX, PAGE_DEFAULT, PAGE_MAX
from schema.table import Table
from schema.tables import LISTED
from tests.property.filter_generator import REFUSED_SHARE, FilterGenerator
from tests.property.input_values import RefusedValue, VariableReference
from tests.property.row_samples import RowSamples
from tests.property.variable_generator import VariableGenerator

_GARBAGE_CURSORS: Final = (
    "",
    "garbage",
    "W10",
    "bnVsbA==",
    "é",
    "W251bGwsbnVsbF0",
    "\x00",
    "A" * 17_000,
    "=" * 8,
)
_PAGE_ARGUMENTS: Final = ("first", "last", "after", "before", "offset")


@dataclass(frozen=True, slots=True)
class ArgumentGenerator:
    """Makes the arguments of one document.

    Attributes:
        cursors: Cursors of any lists, from earlier responses.
    """

    random: Random
    samples: RowSamples
    tenant_id: str
    variables: VariableGenerator
    filters: FilterGenerator
    cursors: list[str]

    def make_list_arguments(
        self, field: GraphQLField, table: Table, limit: int
    ) -> tuple[dict[str, Any], int]:
        """The arguments of a list, and the maximum number of rows that they return; `limit` bounds it."""
        page, rows = self._make_page(limit)
        chosen = {name: value for name, value in page.items() if name in field.args}
        for name, argument in field.args.items():
            if name not in _PAGE_ARGUMENTS and self.random.random() < 0.28:
                chosen[name] = self._reuse_variable(argument) or self._make_value(name, argument.type, table)
        if self.random.random() < 0.3:
            chosen = dict(self.random.sample(list(chosen.items()), len(chosen)))
        return {
            name: self._as_variable(name, field.args[name], value) for name, value in chosen.items()
        }, rows

    def make_node_arguments(self, field: GraphQLField, table: Table | None) -> dict[str, Any]:
        """The arguments of a field that gives one row, or something that is no row at all."""
        return {
            name: self._as_variable(name, argument, self._make_value(name, argument.type, table))
            for name, argument in field.args.items()
            if isinstance(argument.type, GraphQLNonNull) or self.random.random() < 0.3
        }

    def _as_variable(self, name: str, argument: GraphQLArgument, value: Any) -> Any:
        chance = 0.12 if name in _PAGE_ARGUMENTS else 0.3
        return self.variables.value_or_variable(
            argument.type, value, chance=chance, losable=name not in ("first", "last")
        )

    def _reuse_variable(self, argument: GraphQLArgument) -> VariableReference | None:
        """Sometimes a variable of the argument's type that is used elsewhere, too."""
        return self.variables.reuse_variable(argument.type) if self.random.random() < 0.05 else None

    def _make_page(self, limit: int) -> tuple[dict[str, Any], int]:
        if self.random.random() < REFUSED_SHARE:
            return self._make_refused_page(), PAGE_DEFAULT
        count = min(limit, self.random.choice((0, 1, 2, 2, 3, 3, 5, 10, 20)))
        page: dict[str, Any] = {}
        if limit < PAGE_DEFAULT or self.random.random() < 0.6:
            page[self.random.choices(("first", "last"), (75, 25))[0]] = count
        else:
            count = PAGE_DEFAULT
        if "last" not in page and self.random.random() < 0.12:
            page["offset"] = self.random.choice((0, 1, 2, 5, 100_000))
        if self.random.random() < REFUSED_SHARE:
            page[self.random.choice(("after", "before"))] = self._make_strange_cursor()
        elif self.random.random() < 0.04:
            page[self.random.choice(("after", "before", "offset"))] = None
        return page, count

    def _make_strange_cursor(self) -> str:
        return self.random.choice((*_GARBAGE_CURSORS, *self.cursors[-50:]))

    def _make_refused_page(self) -> dict[str, Any]:
        count, many = self.random.choice((-1, -7, -(2**31))), PAGE_MAX + self.random.choice((1, 2**30))
        refused: tuple[dict[str, Any], ...] = (
            {"first": count},
            {"last": count},
            {"first": many},
            {"last": many},
            {"first": 1, "last": 1},
            {"first": count, "last": many, "offset": -1},
            {"offset": -1, "first": 1},
            {"offset": 1, "last": 1},
            {"offset": 1, "first": 1, "after": self._make_strange_cursor()},
            {"first": RefusedValue(2**31)},
            {"first": RefusedValue("1")},
        )
        return self.random.choice(refused)

    def _make_value(self, name: str, type_: GraphQLInputType, table: Table | None) -> Any:
        named = get_named_type(type_)
        if table and name == "id":
            return self._choose_id(table)
        if table and name == "search":
            return self._make_search(table)
        if table and name in table.by_graphql_name:
            return self._choose_column_value(
                table, table.by_graphql_name[name].name, deleted=0.4 if table.also_by else 0
            )
        if table and name == "where":
            assert isinstance(named, GraphQLInputObjectType)
            return self.filters.make_filter(named, table)
        if table and name == "orderBy":
            assert isinstance(named, GraphQLInputObjectType)
            return self._make_order(named)
        if table is None and name == "name":  # of a type, by introspection
            return self.random.choice((*(t.type_name for t in LISTED), "Query", "SiteFilter", "Nothing"))
        return self._make_value_of_type(type_)

    def _choose_id(self, table: Table) -> Any:
        """Mostly a row of the tenant; else another tenant's, a deleted row's, no row's, or null."""
        own = self.samples.choose_tenant_row(table, self.tenant_id, self.random)
        roll = self.random.random()
        if own and roll < 0.8:
            return own["id"]
        row = self.samples.choose_any_row(table, self.random)
        if row and roll < 0.92:
            return row["id"]
        return self.random.choice(("no-such-row", "", 17, "😀", "' OR ''='", "nul\x00nul"))

    def _choose_column_value(self, table: Table, column: str, deleted: float = 0) -> Any:
        row = self.samples.choose_tenant_row(table, self.tenant_id, self.random)
        if self.random.random() < deleted:
            row = self.samples.choose_deleted_row(table, self.tenant_id, self.random)
        row = (
            self.samples.choose_any_row(table, self.random)
            if row is None or self.random.random() < 0.1
            else row
        )
        return (
            row[column] if row and self.random.random() < 0.95 else self.random.choice(("", "none", "a\x00b"))
        )

    def _make_search(self, table: Table) -> Any:
        if self.random.random() < 0.1:
            return self.random.choice(
                ("", "\x00" if self.random.random() < REFUSED_SHARE else " ", "%", "no such", None)
            )
        text = str(self._choose_column_value(table, self.random.choice(table.searched).name) or "e")
        size = min(len(text), self.random.choice((1, 2, 3, 6)))
        at = self.random.randint(0, len(text) - size)
        return self.random.choice((text[at : at + size], text[at : at + size].swapcase()))

    def _make_order(self, type_: GraphQLInputObjectType) -> Any:
        count = self.random.choices((0, 1, 2, 3), (4, 60, 26, 10))[0]
        count = ORDER_TERMS_MAX + 1 if self.random.random() < REFUSED_SHARE else count
        terms = [self._make_object(type_) for _ in range(count)]
        if self.random.random() > REFUSED_SHARE:
            terms = list({repr(term["field"]): term for term in terms}.values())
        return terms[0] if len(terms) == 1 and self.random.random() < 0.2 else terms

    def _make_object(self, type_: GraphQLInputObjectType) -> dict[str, Any]:
        return {
            name: self._make_value_of_type(field.type)
            for name, field in type_.fields.items()
            if name == "field" or self.random.random() < 0.5
        }

    def _make_value_of_type(self, type_: GraphQLInputType) -> Any:
        """Any value of a type, where nothing is known of its place."""
        if isinstance(type_, GraphQLNonNull):
            return self._make_value_of_type(type_.of_type)
        if isinstance(type_, GraphQLList):
            return [self._make_value_of_type(type_.of_type)]
        if isinstance(type_, GraphQLInputObjectType):
            return self._make_object(type_)
        if isinstance(type_, GraphQLEnumType):
            return self.filters.choose_enum_value(type_)
        assert isinstance(type_, GraphQLScalarType)
        return {"Boolean": self.random.random() < 0.7, "Int": 1}.get(type_.name, "text")
