"""The response keys of a generated document: aliases, such that fields of one key can be merged."""

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from graphql import GraphQLNamedType

if TYPE_CHECKING:
    from tests.property.writing import Place

_ALIASED: Final = 0.15
_NAMES: Final = (
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
"""Told apart only by what follows."""


@dataclass(frozen=True, slots=True)
class Known:
    """A field with selections that stands in the document."""

    text: str
    type: GraphQLNamedType
    place: "Place"


@dataclass(slots=True)
class Keys:
    """Hands out response keys: on one type a key always stands for the same field and arguments.

    Below a union, keys of different types meet, too; there a key always has the same type of value.
    """

    random: Random
    _on: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _shapes: dict[str, str] = field(default_factory=dict)
    _known: dict[str, list[Known]] = field(default_factory=dict)
    _count: int = 0

    def key(self, type_name: str, name: str, arguments: str, shape: str, *, in_union: bool) -> str:
        """The alias with its colon, or nothing where the field's own name does."""
        key = name if self.random.random() > _ALIASED else self._alias()
        while not self._free(type_name, key, (name, arguments), shape, in_union=in_union):
            key = self._alias()
        self._on[type_name, key] = (name, arguments)
        if in_union:
            self._shapes[key] = shape
        return "" if key == name else f"{key}: "

    def _free(self, type_name: str, key: str, wanted: tuple[str, str], shape: str, *, in_union: bool) -> bool:
        fits = self._on.get((type_name, key), wanted) == wanted
        return fits and (not in_union or self._shapes.get(key, shape) == shape)

    def _alias(self) -> str:
        self._count += 1
        roll = self.random.random()
        if roll < 0.4:
            return self.random.choice(_NAMES)
        return f"{_LONG}{self._count}" if roll < 0.44 else f"a{self._count}"

    def remember(self, type_name: str, text: str, type_: GraphQLNamedType, place: "Place") -> None:
        """Keep a field with selections, to be asked for again."""
        self._known.setdefault(type_name, []).append(Known(text, type_, place))

    def again(self, type_name: str) -> Known | None:
        """A field of the type that stands in the document already."""
        known = self._known.get(type_name)
        return self.random.choice(known) if known else None
