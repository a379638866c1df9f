"""How long the lists of introspection are on average: exact for what tools ask, all types and their parts."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from graphql import GraphQLNamedType, GraphQLSchema, get_named_type

NESTED_LISTS: Final = frozenset(("fields", "inputFields", "interfaces", "possibleTypes"))
"""The lists that lead from a type to types, and so into one another."""


@lru_cache(maxsize=2)
def introspection_sizes(schema: GraphQLSchema) -> "IntrospectionSizes":
    """The sizes of a schema, counted once: it takes as long as twenty requests."""
    return IntrospectionSizes(schema)


class IntrospectionSizes:
    """The average lengths of the lists of one schema's introspection."""

    def __init__(self, schema: GraphQLSchema) -> None:
        types = tuple(schema.type_map.values())
        of_schema = {("__Schema", "types"): len(types), ("__Schema", "directives"): len(schema.directives)}
        of_directives = _mean(len(directive.args) for directive in schema.directives)
        self._first = {**of_schema, ("__Directive", "args"): of_directives, **_of_types(types)}
        self._below = {name: _of_types(reached) for name, reached in _reached(types).items()}

    def of(self, type_name: str, field: str, above: str | None) -> float | None:
        """The length of a list, below the list named `above` if there is one; None for a field that is no list."""
        sizes = self._below.get(above, self._first) if above else self._first
        return sizes.get((type_name, field), self._first.get((type_name, field)))


def _of_types(types: Sequence[GraphQLNamedType]) -> Mapping[tuple[str, str], float]:
    fields = [field for type_ in types for field in _parts(type_, output=True)]
    return {
        ("__Type", "fields"): _mean(len(_parts(type_, output=True)) for type_ in types),
        ("__Field", "args"): _mean(len(field.args) for field in fields),
        ("__Type", "inputFields"): _mean(len(_parts(type_, output=False)) for type_ in types),
        ("__Type", "enumValues"): _mean(len(getattr(type_, "values", ())) for type_ in types),
        ("__Type", "interfaces"): _mean(len(getattr(type_, "interfaces", ())) for type_ in types),
        ("__Type", "possibleTypes"): _mean(len(getattr(type_, "types", ())) for type_ in types),
    }


def _parts(type_: GraphQLNamedType, *, output: bool) -> list[Any]:
    """A type's fields, where they are of output or of input as asked."""
    fields = getattr(type_, "fields", {}).values()
    return [field for field in fields if hasattr(field, "args") is output]


def _reached(types: Sequence[GraphQLNamedType]) -> Mapping[str, Sequence[GraphQLNamedType]]:
    """The types that each list of a type leads to, as often as it does."""
    return {
        "fields": [get_named_type(part.type) for type_ in types for part in _parts(type_, output=True)],
        "inputFields": [get_named_type(part.type) for type_ in types for part in _parts(type_, output=False)],
        "possibleTypes": [member for type_ in types for member in getattr(type_, "types", ())],
    }


def _mean(lengths: Iterable[int]) -> float:
    lengths = tuple(lengths)
    return sum(lengths) / len(lengths) if lengths else 0
