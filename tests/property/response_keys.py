"""The response keys of a generated document: aliases, such that fields of one key can be merged."""

from dataclasses import dataclass, field
from random import Random
from typing import Final

from graphql import GraphQLNamedType

from tests.property.position import Position

_ALIAS_SHARE: Final = 0.15
_ALIASES: Final = (
    "a",
    "b",
    "t",
    "k",
    "key",
    "r",
    "id",
    "name",
    "nodes",
    "total",
    "select",
    "ID",
    "Id",
    "node",
    "_",
    "row_to_json",
    "cursor",
    "edges",
    "x",
)
_LONG: Final = "a_name_that_is_longer_than_the_63_bytes_which_postgresql_keeps_of_an_identifier_"
"""Names that differ only after the 63rd byte."""


@dataclass(frozen=True, slots=True)
class WrittenField:
    """A field with selections that the document contains."""

    text: str
    type: GraphQLNamedType
    position: Position


@dataclass(slots=True)
class ResponseKeys:
    """Assigns response keys: on one type a key always stands for the same field and arguments.

    Below a union, keys of different types meet, too. There a key always has the same type of value.
    """

    random: Random
    _on: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _shapes: dict[str, str] = field(default_factory=dict)
    _written_fields: dict[str, list[WrittenField]] = field(default_factory=dict)
    _count: int = 0

    def choose_key(self, type_name: str, name: str, arguments: str, shape: str, *, in_union: bool) -> str:
        """The alias with its colon, or nothing if the field's own name is sufficient."""
        key = name if self.random.random() > _ALIAS_SHARE else self._choose_alias()
        while not self._is_free(type_name, key, (name, arguments), shape, in_union=in_union):
            key = self._choose_alias()
        self._on[type_name, key] = (name, arguments)
        if in_union:
            self._shapes[key] = shape
        return "" if key == name else f"{key}: "

    def _is_free(
        self, type_name: str, key: str, wanted: tuple[str, str], shape: str, *, in_union: bool
    ) -> bool:
        fits = self._on.get((type_name, key), wanted) == wanted
        return fits and (not in_union or self._shapes.get(key, shape) == shape)

    def _choose_alias(self) -> str:
        self._count += 1
        roll = self.random.random()
        if roll < 0.4:
            return self.random.choice(_ALIASES)
        return f"{_LONG}{self._count}" if roll < 0.44 else f"a{self._count}"

    def add_field(self, type_name: str, text: str, type_: GraphQLNamedType, position: Position) -> None:
        """Record a field with selections, to be selected again."""
        self._written_fields.setdefault(type_name, []).append(WrittenField(text, type_, position))

    def choose_written_field(self, type_name: str) -> WrittenField | None:
        """A field of the type that stands in the document already."""
        known = self._written_fields.get(type_name)
        return self.random.choice(known) if known else None
