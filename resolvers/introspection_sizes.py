"""How long the lists of introspection are on average: exact for what tools ask, which is all types and their parts."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphql import GraphQLNamedType, GraphQLSchema, get_named_type

NESTED_LISTS: Final = frozenset(("fields", "inputFields", "interfaces", "possibleTypes"))
"""The lists that lead from a type to types, and so into one another."""


class IntrospectionSizes:
    """The average lengths of the lists of one schema's introspection."""

    def __init__(self, schema: GraphQLSchema) -> None:
        types = tuple(schema.type_map.values())
        directives = {("__Schema", "types"): len(types), ("__Schema", "directives"): len(schema.directives)}
        of_directives = _mean(len(directive.args) for directive in schema.directives)
        self._first = {**directives, ("__Directive", "args"): of_directives, **_of_types(types)}
        self._nested = _of_types(tuple(_reached(types)))

    def of(self, type_name: str, field: str, *, nested: bool) -> float | None:
        """The length of a list, longer for types that lists within lists lead to; None where it is no list."""
        first = self._first.get((type_name, field))
        return first if first is None or not nested else max(first, self._nested.get((type_name, field), 0))


def _of_types(types: Iterable[GraphQLNamedType]) -> Mapping[tuple[str, str], float]:
    types = tuple(types)
    fields = [field for type_ in types for field in _parts(type_, output=True)]
    return {
        ("__Type", "fields"): len(fields) / len(types),
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


def _reached(types: Iterable[GraphQLNamedType]) -> Iterable[GraphQLNamedType]:
    """The types that lists of a type lead to, as often as they do."""
    for type_ in types:
        yield from (get_named_type(field.type) for field in getattr(type_, "fields", {}).values())
        yield from getattr(type_, "types", ())


def _mean(lengths: Iterable[int]) -> float:
    lengths = tuple(lengths)
    return sum(lengths) / len(lengths) if lengths else 0
