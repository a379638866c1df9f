"""The average lengths of introspection lists. They are exact for what tools select: all types and their parts."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from graphql import GraphQLNamedType, GraphQLSchema, get_named_type

NESTED_LISTS: Final = frozenset(("fields", "inputFields", "interfaces", "possibleTypes"))
"""The lists that lead from a type to other types, so that they can be nested."""


@lru_cache(maxsize=2)
def measure_introspection(schema: GraphQLSchema) -> "IntrospectionSizes":
    """The sizes of a schema, counted once. Counting takes as long as twenty requests."""
    return IntrospectionSizes(schema)


class IntrospectionSizes:
    """The average lengths of the introspection lists of one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        types = tuple(schema.type_map.values())
        of_schema = {("__Schema", "types"): len(types), ("__Schema", "directives"): len(schema.directives)}
        of_directives = _compute_mean(len(directive.args) for directive in schema.directives)
        self._root_sizes = {**of_schema, ("__Directive", "args"): of_directives, **_list_sizes(types)}
        self._nested_sizes = {
            name: _list_sizes(reached) for name, reached in _find_reachable_types(types).items()
        }

    def compute_mean_length(self, type_name: str, field: str, parent_list: str | None) -> float | None:
        """The length of a list, below the list named `parent_list` if there is one.

        None for a field that is no list.
        """
        sizes = self._nested_sizes.get(parent_list, self._root_sizes) if parent_list else self._root_sizes
        return sizes.get((type_name, field), self._root_sizes.get((type_name, field)))


def _list_sizes(types: Sequence[GraphQLNamedType]) -> Mapping[tuple[str, str], float]:
    fields = [field for type_ in types for field in _list_fields(type_, output=True)]
    return {
        ("__Type", "fields"): _compute_mean(len(_list_fields(type_, output=True)) for type_ in types),
        ("__Field", "args"): _compute_mean(len(field.args) for field in fields),
        ("__Type", "inputFields"): _compute_mean(len(_list_fields(type_, output=False)) for type_ in types),
        ("__Type", "enumValues"): _compute_mean(len(getattr(type_, "values", ())) for type_ in types),
        ("__Type", "interfaces"): _compute_mean(len(getattr(type_, "interfaces", ())) for type_ in types),
        ("__Type", "possibleTypes"): _compute_mean(len(getattr(type_, "types", ())) for type_ in types),
    }


def _list_fields(type_: GraphQLNamedType, *, output: bool) -> list[Any]:
    """A type's output fields or input fields."""
    fields = getattr(type_, "fields", {}).values()
    return [field for field in fields if hasattr(field, "args") is output]


def _find_reachable_types(types: Sequence[GraphQLNamedType]) -> Mapping[str, Sequence[GraphQLNamedType]]:
    """The types to which each list of a type leads. A type is repeated as often as a list leads to it."""
    return {
        "fields": [
            get_named_type(child.type) for type_ in types for child in _list_fields(type_, output=True)
        ],
        "inputFields": [
            get_named_type(child.type) for type_ in types for child in _list_fields(type_, output=False)
        ],
        "possibleTypes": [member for type_ in types for member in getattr(type_, "types", ())],
    }


def _compute_mean(lengths: Iterable[int]) -> float:
    lengths = tuple(lengths)
    return sum(lengths) / len(lengths) if lengths else 0
