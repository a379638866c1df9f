"""Writes the selections of a generated document.

The size of a response is bounded (`MAX_ROWS`, `MAX_FIELDS`), so that thousands of documents run in a minute.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from graphql import (
    GraphQLField,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_list_type,
)
from graphql.type.introspection import SchemaMetaFieldDef, TypeMetaFieldDef

from schema.table import Table
from schema.tables import LISTED
from tests.property.argument_generator import ArgumentGenerator
from tests.property.input_values import format_literal
from tests.property.position import Position
from tests.property.response_keys import ResponseKeys
from tests.property.variable_generator import VariableGenerator

MAX_DEPTH: Final = 5
"""Rows below rows at most."""

MAX_ROWS: Final = 120
"""The maximum number of rows of a document's level, by its arguments."""

MAX_FIELDS: Final = 45
"""Fields in a document at most, about."""

_PERMITTED_SHARE: Final = 0.9
"""How often a root field is taken from those that the viewer may select, before all are equally likely."""

_DIRECTIVE_SHARE: Final = 0.03
"""The share of selections with `@include`, and of those with `@skip`."""

_ROWS_WANTED: Final = 0.5
"""How often a list's rows are selected, before chance decides."""

_ROW_TYPES: Final = {table.type_name: table for table in LISTED}
_LISTED: Final = 10
"""The assumed length of lists that are not connections: introspection's."""


@dataclass(frozen=True, slots=True)
class WrittenFragment:
    """A named fragment that is written already, and what spreading it once more takes."""

    name: str
    on: str
    text: str
    position: Position
    fields: int


class SelectionWriter:
    """One document that is being written."""

    def __init__(
        self,
        schema: GraphQLSchema,
        random: Random,
        variables: VariableGenerator,
        arguments: ArgumentGenerator,
        roots: tuple[str, ...],
    ) -> None:
        self.schema = schema
        self.fragments: list[WrittenFragment] = []
        self._random = random
        self._variables = variables
        self._arguments = arguments
        self._roots = roots
        self._keys = ResponseKeys(random)
        self._left = random.choice((8, 16, 30, MAX_FIELDS))

    def write_selection_set(self, type_: GraphQLNamedType, position: Position) -> str:
        """A selection set on a type."""
        parts = list(self._write_selections(type_, position))
        self._random.shuffle(parts)
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _write_selections(self, type_: GraphQLNamedType, position: Position) -> Iterator[str]:
        count = self._random.choices((1, 2, 3, 4, 6, 9), (18, 25, 25, 15, 12, 5))[0]
        for _ in range(count):
            if self._left > 0:
                yield self._write_selection(type_, position)
        if self._random.random() < 0.04:
            yield from self._write_again(type_, position)

    def _write_selection(self, type_: GraphQLNamedType, position: Position) -> str:
        roll = self._random.random()
        if roll < 0.06:
            return self._write_spread(type_, position)
        if roll < 0.1 and type_ is self.schema.query_type:
            return self._write_root(type_, position)
        if roll < 0.12:
            condition = f" on {type_.name}" if self._random.random() < 0.5 else ""
            return f"...{condition}{self._write_directives()} {self.write_selection_set(type_, position)}"
        if isinstance(type_, GraphQLUnionType):
            return self._write_union_member(type_, position)
        assert isinstance(type_, GraphQLObjectType)
        if roll < 0.18:
            return self._write_typename(type_, position)
        name = self._choose_field(type_, position)
        return self._write_field(type_, name, type_.fields[name], position)

    def _write_root(self, query: GraphQLObjectType, position: Position) -> str:
        """A root field that belongs to no table."""
        name, field_ = self._random.choices(
            (
                ("viewer", query.fields["viewer"]),
                ("__type", TypeMetaFieldDef),
                ("__schema", SchemaMetaFieldDef),
            ),
            (6, 2, 1),
        )[0]
        return self._write_field(query, name, field_, replace(position, depth=min(position.depth, 2)))

    def _write_typename(self, type_: GraphQLObjectType | GraphQLUnionType, position: Position) -> str:
        self._left -= 1
        key = self._keys.choose_key(type_.name, "__typename", "", "String!", in_union=position.in_union)
        return f"{key}__typename{self._write_directives()}"

    def _write_union_member(self, union: GraphQLUnionType, place: Position) -> str:
        below = Position(place.depth, place.row_limit, in_union=True)
        if self._random.random() < 0.2:
            return self._write_typename(union, below)
        member = self._random.choice(union.types)
        if self._random.random() < 0.25:
            return self._write_spread(member, below)
        return f"... on {member.name}{self._write_directives()} {self.write_selection_set(member, below)}"

    def _write_spread(self, type_: GraphQLNamedType, position: Position) -> str:
        fragment = self._find_fragment(type_, position) if self._random.random() < 0.6 else None
        if fragment is None:
            before = self._left
            text = self.write_selection_set(type_, position)
            name = f"F{len(self.fragments) + 1}"
            written = f"fragment {name} on {type_.name} {text}"
            fragment = WrittenFragment(name, type_.name, written, position, before - self._left)
            self.fragments.append(fragment)
        else:
            self._left -= fragment.fields
        return f"...{fragment.name}{self._write_directives()}"

    def _find_fragment(self, type_: GraphQLNamedType, position: Position) -> WrittenFragment | None:
        """A fragment that may stand here, too; one that is being written is none, so that none spreads itself."""
        fitting = [
            f
            for f in self.fragments
            if f.on == type_.name and f.position.in_union == position.in_union and f.position.fits(position)
        ]
        return self._random.choice(fitting) if fitting else None

    def _write_directives(self) -> str:
        """Directives, mostly none, and mostly such that the selection stays."""
        text = ""
        for name in ("include", "skip"):
            if self._random.random() < _DIRECTIVE_SHARE:
                stays = self._random.random() < 0.65
                type_ = self.schema.directives[0].args["if"].type
                value = self._variables.value_or_variable(type_, stays is (name == "include"), chance=0.6)
                text += f" @{name}(if: {format_literal(value)})"
        return text

    def _choose_field(self, type_: GraphQLObjectType, position: Position) -> str:
        """A field of the type: a leaf, or what leads on where the place has room for it."""
        if type_ is self.schema.query_type and self._roots and self._random.random() < _PERMITTED_SHARE:
            return self._random.choice(self._roots)
        leaves: list[str] = [
            name for name, found in type_.fields.items() if is_leaf_type(get_named_type(found.type))
        ]
        further: list[str] = [
            name
            for name in type_.fields
            if name not in leaves and self._has_room(type_.fields[name], position)
        ]
        if "nodes" in further and self._random.random() < _ROWS_WANTED:
            return self._random.choice(("nodes", "edges"))
        if further and (not leaves or self._random.random() < self._descend_probability(type_)):
            return self._random.choice(further)
        return self._random.choice(leaves) if leaves else self._random.choice(list(type_.fields))

    def _descend_probability(self, type_: GraphQLObjectType) -> float:
        return 0.45 if type_.name in _ROW_TYPES or type_.name.startswith("__") else 0.8

    def _has_room(self, field_: GraphQLField, position: Position) -> bool:
        named = get_named_type(field_.type)
        if named.name.endswith(("Edge", "PageInfo")) or _is_row_field(field_):
            return True
        return position.depth > 0 and position.row_limit <= MAX_ROWS

    def _write_field(
        self, type_: GraphQLObjectType, name: str, field_: GraphQLField, position: Position
    ) -> str:
        self._left -= 1
        arguments, below = self._position_below(field_, position)
        written = _format_arguments(arguments)
        key = self._keys.choose_key(type_.name, name, written, str(field_.type), in_union=position.in_union)
        text = f"{key}{name}{written}{self._write_directives()}"
        named = get_named_type(field_.type)
        if is_leaf_type(named):
            return text
        self._keys.add_field(type_.name, f"{key}{name}{written}", named, below)
        return f"{text} {self.write_selection_set(named, below)}"

    def _position_below(self, field_: GraphQLField, position: Position) -> tuple[dict[str, Any], Position]:
        named = get_named_type(field_.type)
        table = _find_table(field_)
        in_union = position.in_union or isinstance(named, GraphQLUnionType)
        if table and named.name.endswith("Connection"):
            arguments, rows = self._arguments.make_list_arguments(
                field_, table, max(1, MAX_ROWS // position.row_limit)
            )
            return arguments, Position(position.depth - 1, position.row_limit * max(1, rows), in_union)
        deeper = (
            position.depth
            if _is_row_field(field_) or named.name.endswith(("Edge", "PageInfo"))
            else position.depth - 1
        )
        listed = _LISTED if is_list_type(field_.type) and named.name.startswith("__") else 1
        return self._arguments.make_node_arguments(field_, table), Position(
            deeper, position.row_limit * listed, in_union
        )

    def _write_again(self, type_: GraphQLNamedType, position: Position) -> Iterator[str]:
        """A field that stands in the document already, with other fields below it."""
        found = self._keys.choose_written_field(type_.name)
        if found and found.position.fits(position):
            yield f"{found.text} {self.write_selection_set(found.type, found.position)}"


def _is_row_field(field_: GraphQLField) -> bool:
    """Whether it is a connection's `nodes` or an edge's `node`: the same level as the connection."""
    return field_.description in ("The row.", "The rows of the page.")


def _find_table(field_: GraphQLField) -> Table | None:
    name = get_named_type(field_.type).name
    return _ROW_TYPES.get(name.removesuffix("Connection"))


def _format_arguments(arguments: dict[str, Any]) -> str:
    inner = ", ".join(f"{name}: {format_literal(value)}" for name, value in arguments.items())
    return f"({inner})" if inner else ""
