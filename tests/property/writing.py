"""Writes the selections of a generated document.

How much a document can ask for is bounded (`ROWS`, `FIELDS`), so that thousands of them run in a minute.
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
from tests.property.arguments import Arguments
from tests.property.keys import Keys
from tests.property.values import literal
from tests.property.variables import Variables

DEPTH: Final = 5
"""Rows below rows at most."""

ROWS: Final = 120
"""Rows that a level of a document may have at most, as its arguments tell."""

FIELDS: Final = 45
"""Fields in a document at most, about."""

_PERMITTED: Final = 0.9
"""How often a root field is one that the viewer may ask for before chance has a say."""

_CONDITIONS: Final = 0.03
"""The share of selections with `@include`, and of those with `@skip`."""

_ROWS_WANTED: Final = 0.5
"""How often a list is asked for its rows before chance has a say."""

_ROW_TYPES: Final = {table.type_name: table for table in LISTED}
_LISTED: Final = 10
"""How long lists are taken to be that are no connections: introspection's."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document a selection stands.

    Attributes:
        depth: How many more levels of rows may follow.
        rows: How many rows there are at most.
        in_union: Whether a union stands above, under which equal keys must have equal types.
    """

    depth: int
    rows: int
    in_union: bool = False

    def fits(self, other: "Place") -> bool:
        """Whether what was written for this place may stand in the other."""
        return self.depth <= other.depth and self.rows >= other.rows and (self.in_union or not other.in_union)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A named fragment that is written already, and what spreading it once more takes."""

    name: str
    on: str
    text: str
    place: Place
    fields: int


class Writing:
    """One document that is being written."""

    def __init__(
        self,
        schema: GraphQLSchema,
        random: Random,
        variables: Variables,
        arguments: Arguments,
        roots: tuple[str, ...],
    ) -> None:
        self.schema = schema
        self.fragments: list[Fragment] = []
        self._random = random
        self._variables = variables
        self._arguments = arguments
        self._roots = roots
        self._keys = Keys(random)
        self._left = random.choice((8, 16, 30, FIELDS))

    def selection(self, type_: GraphQLNamedType, place: Place) -> str:
        """A selection set on a type."""
        parts = list(self._parts(type_, place))
        self._random.shuffle(parts)
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _parts(self, type_: GraphQLNamedType, place: Place) -> Iterator[str]:
        count = self._random.choices((1, 2, 3, 4, 6, 9), (18, 25, 25, 15, 12, 5))[0]
        for _ in range(count):
            if self._left > 0:
                yield self._part(type_, place)
        if self._random.random() < 0.04:
            yield from self._merged(type_, place)

    def _part(self, type_: GraphQLNamedType, place: Place) -> str:
        roll = self._random.random()
        if roll < 0.06:
            return self._spread(type_, place)
        if roll < 0.1 and type_ is self.schema.query_type:
            return self._root(type_, place)
        if roll < 0.12:
            condition = f" on {type_.name}" if self._random.random() < 0.5 else ""
            return f"...{condition}{self._conditions()} {self.selection(type_, place)}"
        if isinstance(type_, GraphQLUnionType):
            return self._member(type_, place)
        assert isinstance(type_, GraphQLObjectType)
        if roll < 0.18:
            return self._typename(type_, place)
        name = self._pick(type_, place)
        return self._field(type_, name, type_.fields[name], place)

    def _root(self, query: GraphQLObjectType, place: Place) -> str:
        """One of the root fields that are no table's."""
        name, field_ = self._random.choices(
            (
                ("viewer", query.fields["viewer"]),
                ("__type", TypeMetaFieldDef),
                ("__schema", SchemaMetaFieldDef),
            ),
            (6, 2, 1),
        )[0]
        return self._field(query, name, field_, replace(place, depth=min(place.depth, 2)))

    def _typename(self, type_: GraphQLObjectType | GraphQLUnionType, place: Place) -> str:
        self._left -= 1
        key = self._keys.key(type_.name, "__typename", "", "String!", in_union=place.in_union)
        return f"{key}__typename{self._conditions()}"

    def _member(self, union: GraphQLUnionType, place: Place) -> str:
        below = Place(place.depth, place.rows, in_union=True)
        if self._random.random() < 0.2:
            return self._typename(union, below)
        member = self._random.choice(union.types)
        if self._random.random() < 0.25:
            return self._spread(member, below)
        return f"... on {member.name}{self._conditions()} {self.selection(member, below)}"

    def _spread(self, type_: GraphQLNamedType, place: Place) -> str:
        fragment = self._fitting(type_, place) if self._random.random() < 0.6 else None
        if fragment is None:
            before = self._left
            text = self.selection(type_, place)
            name = f"F{len(self.fragments) + 1}"
            written = f"fragment {name} on {type_.name} {text}"
            fragment = Fragment(name, type_.name, written, place, before - self._left)
            self.fragments.append(fragment)
        else:
            self._left -= fragment.fields
        return f"...{fragment.name}{self._conditions()}"

    def _fitting(self, type_: GraphQLNamedType, place: Place) -> Fragment | None:
        """A fragment that may stand here, too; one that is being written is none, so that none spreads itself."""
        fitting = [
            f
            for f in self.fragments
            if f.on == type_.name and f.place.in_union == place.in_union and f.place.fits(place)
        ]
        return self._random.choice(fitting) if fitting else None

    def _conditions(self) -> str:
        """Directives, mostly none, and mostly such that the selection stays."""
        text = ""
        for name in ("include", "skip"):
            if self._random.random() < _CONDITIONS:
                stays = self._random.random() < 0.65
                type_ = self.schema.directives[0].args["if"].type
                value = self._variables.place(type_, stays is (name == "include"), chance=0.6)
                text += f" @{name}(if: {literal(value)})"
        return text

    def _pick(self, type_: GraphQLObjectType, place: Place) -> str:
        """A field of the type: a leaf, or what leads on where the place has room for it."""
        if type_ is self.schema.query_type and self._roots and self._random.random() < _PERMITTED:
            return self._random.choice(self._roots)
        leaves: list[str] = [
            name for name, found in type_.fields.items() if is_leaf_type(get_named_type(found.type))
        ]
        further: list[str] = [
            name for name in type_.fields if name not in leaves and self._has_room(type_.fields[name], place)
        ]
        if "nodes" in further and self._random.random() < _ROWS_WANTED:
            return self._random.choice(("nodes", "edges"))
        if further and (not leaves or self._random.random() < self._eagerness(type_)):
            return self._random.choice(further)
        return self._random.choice(leaves) if leaves else self._random.choice(list(type_.fields))

    def _eagerness(self, type_: GraphQLObjectType) -> float:
        return 0.45 if type_.name in _ROW_TYPES or type_.name.startswith("__") else 0.8

    def _has_room(self, field_: GraphQLField, place: Place) -> bool:
        named = get_named_type(field_.type)
        if named.name.endswith(("Edge", "PageInfo")) or _of_rows(field_):
            return True
        return place.depth > 0 and place.rows <= ROWS

    def _field(self, type_: GraphQLObjectType, name: str, field_: GraphQLField, place: Place) -> str:
        self._left -= 1
        arguments, below = self._below(field_, place)
        written = _written(arguments)
        key = self._keys.key(type_.name, name, written, str(field_.type), in_union=place.in_union)
        text = f"{key}{name}{written}{self._conditions()}"
        named = get_named_type(field_.type)
        if is_leaf_type(named):
            return text
        self._keys.remember(type_.name, f"{key}{name}{written}", named, below)
        return f"{text} {self.selection(named, below)}"

    def _below(self, field_: GraphQLField, place: Place) -> tuple[dict[str, Any], Place]:
        named = get_named_type(field_.type)
        table = _table(field_)
        in_union = place.in_union or isinstance(named, GraphQLUnionType)
        if table and named.name.endswith("Connection"):
            arguments, rows = self._arguments.of_list(field_, table, max(1, ROWS // place.rows))
            return arguments, Place(place.depth - 1, place.rows * max(1, rows), in_union)
        deeper = (
            place.depth if _of_rows(field_) or named.name.endswith(("Edge", "PageInfo")) else place.depth - 1
        )
        listed = _LISTED if is_list_type(field_.type) and named.name.startswith("__") else 1
        return self._arguments.of_row(field_, table), Place(deeper, place.rows * listed, in_union)

    def _merged(self, type_: GraphQLNamedType, place: Place) -> Iterator[str]:
        """A field that stands in the document already, with other fields below it."""
        found = self._keys.again(type_.name)
        if found and found.place.fits(place):
            yield f"{found.text} {self.selection(found.type, found.place)}"


def _of_rows(field_: GraphQLField) -> bool:
    """Whether it is a connection's `nodes` or an edge's `node`: the same level as the connection."""
    return field_.description in ("The row.", "The rows of the page.")


def _table(field_: GraphQLField) -> Table | None:
    name = get_named_type(field_.type).name
    return _ROW_TYPES.get(name.removesuffix("Connection"))


def _written(arguments: dict[str, Any]) -> str:
    inner = ", ".join(f"{name}: {literal(value)}" for name, value in arguments.items())
    return f"({inner})" if inner else ""
