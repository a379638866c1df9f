"""Generates documents over the whole schema: all of it is derived from the built schema and the declarations.

A document is valid by construction, or means not to be: a share of `TROUBLE` of the arguments is refused when they
are read. How much it can ask for is bounded (`ROWS`, `FIELDS`), so that thousands of them run in a minute.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from graphql import (
    GraphQLField,
    GraphQLNamedOutputType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_list_type,
)

from schema.table import Table
from schema.tables import TABLES
from tests.property.arguments import Arguments
from tests.property.filters import Filters
from tests.property.keys import Keys
from tests.property.samples import Samples
from tests.property.values import literal
from tests.property.variables import Variables

DEPTH: Final = 5
"""Rows below rows at most."""

ROWS: Final = 120
"""Rows that a level of a document may have at most, as its arguments tell."""

FIELDS: Final = 45
"""Fields in a document at most, about."""

TROUBLE: Final = 0.006
"""The share of arguments and values that are refused. (A document has some dozen of them.)"""

_ROW_TYPES: Final = {table.type_name: table for table in TABLES}
_LISTED: Final = 10
"""How long lists are taken to be that are no connections: introspection's."""


@dataclass(frozen=True, slots=True)
class Document:
    """A request: what a client sends."""

    text: str
    variables: dict[str, Any]
    operation_name: str | None = None

    def __str__(self) -> str:
        name = f"\noperation: {self.operation_name}" if self.operation_name else ""
        return f"{self.text}\nvariables: {json.dumps(self.variables, ensure_ascii=True)}{name}"


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


@dataclass(frozen=True, slots=True)
class Fragment:
    """A named fragment that is written already, and what spreading it once more takes."""

    name: str
    on: str
    text: str
    place: Place
    fields: int


@dataclass(slots=True)
class Generator:
    """Makes documents for one viewer.

    Attributes:
        schema: The schema.
        samples: Where values come from.
        tenant_id: The viewer's tenant, whose rows are asked for.
        cursors: Cursors of earlier answers, for the wrong lists.
    """

    schema: GraphQLSchema
    samples: Samples
    tenant_id: str | None
    cursors: list[str] = field(default_factory=list)

    def document(self, seed: object) -> Document:
        """The document of a seed."""
        random = Random(str(seed))  # noqa: S311 - tests are to be repeatable
        return _Writing(self, random).document()


class _Writing:
    """One document that is being written."""

    def __init__(self, generator: Generator, random: Random) -> None:
        self._generator = generator
        self._random = random
        self._variables = Variables(random)
        samples, tenant_id = generator.samples, generator.tenant_id
        filters = Filters(random, samples, tenant_id, self._variables, TROUBLE)
        self._arguments = Arguments(
            random, samples, tenant_id, self._variables, filters, generator.cursors, TROUBLE
        )
        self._keys = Keys(random)
        self._fragments: list[Fragment] = []
        self._left = random.choice((6, 12, 25, FIELDS))

    def document(self) -> Document:
        query = self._generator.schema.query_type
        assert query is not None
        depth = self._random.choices(range(1, DEPTH + 1), (10, 25, 30, 25, 10))[0]
        body = self._selection(query, Place(depth, 1))
        name = self._random.choice(("", "", "Q", "query", "Overview"))
        head = ", ".join(self._variables.declared.values())
        text = f"query {name}{f'({head})' if head else ''} {body}" if head or name else body
        parts = [text, *(fragment.text for fragment in self._fragments)]
        if name and self._random.random() < 0.15:
            parts.append("query Other { viewer { kind } }")
        self._random.shuffle(parts)
        several = len(parts) > 1 + len(self._fragments)
        chosen = name if name and (several or self._random.random() < 0.5) else None
        return Document("\n".join(parts), sent(self._variables.given), chosen)

    def _selection(self, type_: GraphQLNamedOutputType, place: Place) -> str:
        parts = list(self._parts(type_, place))
        self._random.shuffle(parts)
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _parts(self, type_: GraphQLNamedOutputType, place: Place) -> Iterator[str]:
        count = self._random.choices((1, 2, 3, 4, 6, 9), (18, 25, 25, 15, 12, 5))[0]
        for _ in range(count):
            if self._left > 0:
                yield self._part(type_, place)
        if self._random.random() < 0.04:
            yield from self._merged(type_, place)

    def _part(self, type_: GraphQLNamedOutputType, place: Place) -> str:
        roll = self._random.random()
        if roll < 0.06:
            return self._spread(type_, place)
        if roll < 0.12:
            condition = f" on {type_.name}" if self._random.random() < 0.5 else ""
            return f"...{condition}{self._conditions()} {self._selection(type_, place)}"
        if isinstance(type_, GraphQLUnionType):
            return self._member(type_, place)
        assert isinstance(type_, GraphQLObjectType)
        if roll < 0.18:
            return self._typename(type_, place)
        return self._field(type_, self._pick(type_, place), place)

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
        return f"... on {member.name}{self._conditions()} {self._selection(member, below)}"

    def _spread(self, type_: GraphQLNamedOutputType, place: Place) -> str:
        fragment = self._fitting(type_, place) if self._random.random() < 0.6 else None
        if fragment is None:
            before = self._left
            text = self._selection(type_, place)
            name = f"F{len(self._fragments) + 1}"
            written = f"fragment {name} on {type_.name} {text}"
            fragment = Fragment(name, type_.name, written, place, before - self._left)
            self._fragments.append(fragment)
        else:
            self._left -= fragment.fields
        return f"...{fragment.name}{self._conditions()}"

    def _fitting(self, type_: GraphQLNamedOutputType, place: Place) -> Fragment | None:
        """A fragment that may stand here, too; one that is being written is not among them, so none spreads itself."""
        fitting = [
            f
            for f in self._fragments
            if f.on == type_.name
            and f.place.in_union == place.in_union
            and f.place.depth <= place.depth
            and f.place.rows >= place.rows
        ]
        return self._random.choice(fitting) if fitting else None

    def _conditions(self) -> str:
        """Directives, mostly none, and mostly such that the selection stays."""
        text = ""
        for name in ("include", "skip"):
            if self._random.random() < 0.035:
                stays = self._random.random() < 0.65
                type_ = self._generator.schema.directives[0].args["if"].type
                value = self._variables.place(type_, stays is (name == "include"), chance=0.6)
                text += f" @{name}(if: {literal(value)})"
        return text

    def _pick(self, type_: GraphQLObjectType, place: Place) -> str:
        """A field of the type: a leaf, or what leads on where the place has room for it."""
        leaves = [name for name, found in type_.fields.items() if is_leaf_type(get_named_type(found.type))]
        further = [
            name for name in type_.fields if name not in leaves and self._has_room(type_.fields[name], place)
        ]
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

    def _field(self, type_: GraphQLObjectType, name: str, place: Place) -> str:
        self._left -= 1
        field_ = type_.fields[name]
        arguments, below = self._below(field_, place)
        written = _written(arguments)
        key = self._keys.key(type_.name, name, written, str(field_.type), in_union=place.in_union)
        text = f"{key}{name}{written}{self._conditions()}"
        named = get_named_type(field_.type)
        if is_leaf_type(named):
            return text
        self._keys.remember(type_.name, f"{key}{name}{written}", named, below)
        return f"{text} {self._selection(named, below)}"

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

    def _merged(self, type_: GraphQLNamedOutputType, place: Place) -> Iterator[str]:
        """A field that stands in the document already, with other fields below it."""
        found = self._keys.again(type_.name)
        if found and found.place.rows >= place.rows and (found.place.in_union or not place.in_union):
            yield f"{found.text} {self._selection(found.type, found.place)}"


def _of_rows(field_: GraphQLField) -> bool:
    """Whether it is a connection's `nodes` or an edge's `node`: the same level as the connection."""
    return field_.description in ("The row.", "The rows of the page.")


def _table(field_: GraphQLField) -> Table | None:
    name = get_named_type(field_.type).name
    return _ROW_TYPES.get(name.removesuffix("Connection"))


def _written(arguments: dict[str, Any]) -> str:
    inner = ", ".join(f"{name}: {literal(value)}" for name, value in arguments.items())
    return f"({inner})" if inner else ""


def sent(variables: dict[str, Any]) -> dict[str, Any]:
    """The variables as the server reads them from a body."""
    read: dict[str, Any] = json.loads(json.dumps(variables))
    return read
