"""The size of a document with its fragments expanded, computed without expanding them.

Each definition is visited once. The size of a fragment is a sum or a maximum over its selections and the fragments
that they spread. So the work is linear in the document, however large the expanded document is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

from core.errors import require_within_limit
from core.limits import (
    ALIASES_MAX,
    DEPTH_MAX,
    DOCUMENT_NESTING_MAX,
    DOCUMENT_OPERATIONS_MAX,
    DOCUMENT_SELECTIONS_MAX,
    ROOT_FIELDS_MAX,
)
from resolvers.sql.selection import collect_fragments

_LIMITS: Final = 10**9
"""Counts stop here: fragments that double thirty times have more."""


@dataclass(frozen=True, slots=True)
class SelectionSize:
    """The size of selections with expanded fragments.

    Attributes:
        depth: Nested fields.
        nesting: Nested selection sets, with those of fragments.
        aliases: Fields with a response key that differs from their name.
        selections: Fields and spreads.
    """

    depth: int = 0
    nesting: int = 0
    aliases: int = 0
    selections: int = 0

    def plus(self, other: "SelectionSize") -> "SelectionSize":
        """The size of both in one selection set."""
        return SelectionSize(
            max(self.depth, other.depth),
            max(self.nesting, other.nesting),
            min(_LIMITS, self.aliases + other.aliases),
            min(_LIMITS, self.selections + other.selections),
        )

    def nested(
        self, *, fields: int = 0, sets: int = 0, aliases: int = 0, selections: int = 0
    ) -> "SelectionSize":
        """The size below that many fields and sets, with these included."""
        return SelectionSize(
            self.depth + fields,
            self.nesting + sets,
            min(_LIMITS, self.aliases + aliases),
            min(_LIMITS, self.selections + selections),
        )


_EMPTY: Final = SelectionSize()
Fragments = Mapping[str, FragmentDefinitionNode]


def check_document_size(syntax: DocumentNode) -> None:
    """Check that a document, valid or not, is small enough for all further steps.

    Raises:
        LimitExceededError: It is not.
    """
    fragments = collect_fragments(syntax)
    operations = [d for d in syntax.definitions if isinstance(d, OperationDefinitionNode)]
    require_within_limit("operations", DOCUMENT_OPERATIONS_MAX, len(operations), "operations")
    sizes = measure_fragments(fragments)
    expanded = _EMPTY
    for operation in operations:
        expanded = expanded.plus(measure_selections(operation.selection_set, sizes))
    for size in (expanded, *sizes.values()):
        _check_limits(size)
    for operation in operations:
        roots = len(set(_iter_root_response_keys(operation.selection_set, fragments, set())))
        require_within_limit("rootFields", ROOT_FIELDS_MAX, roots, "fields at its root")


def _check_limits(size: SelectionSize) -> None:
    require_within_limit("nesting", DOCUMENT_NESTING_MAX, size.nesting, "levels of selection sets")
    require_within_limit("depth", DEPTH_MAX, size.depth, "levels of fields")
    require_within_limit(
        "selections",
        DOCUMENT_SELECTIONS_MAX,
        size.selections,
        "fields and spreads after the expansion of fragments",
    )
    require_within_limit("aliases", ALIASES_MAX, size.aliases, "aliases after the expansion of fragments")


def measure_selections(
    selection_set: SelectionSetNode, fragments: Mapping[str, SelectionSize]
) -> SelectionSize:
    """The size of a selection set. A fragment of unknown size adds its spread only."""
    size = _EMPTY
    for selection in selection_set.selections:
        size = size.plus(_measure_selection(selection, fragments))
    return size.nested(sets=1)


def _measure_selection(selection: SelectionNode, fragments: Mapping[str, SelectionSize]) -> SelectionSize:
    if isinstance(selection, FragmentSpreadNode):
        return fragments.get(selection.name.value, _EMPTY).nested(selections=1)
    inner: SelectionSetNode | None = selection.selection_set  # type: ignore[attr-defined]  # of the other two kinds
    size = measure_selections(inner, fragments) if inner else _EMPTY
    if isinstance(selection, FieldNode):
        renamed = selection.alias is not None and selection.alias.value != selection.name.value
        return size.nested(fields=1, aliases=int(renamed), selections=1)
    return size


def measure_fragments(fragments: Fragments) -> dict[str, SelectionSize]:
    """The size of each fragment, in the order of `order_inner_first`. A spread that closes a cycle adds nothing."""
    sizes: dict[str, SelectionSize] = {}
    for name in order_inner_first(fragments):
        sizes[name] = measure_selections(fragments[name].selection_set, sizes)
    return sizes


def order_inner_first(fragments: Fragments) -> Iterator[str]:
    """The names of the fragments, each after those that it spreads. There is no recursion, as chains may be long."""
    seen: set[str] = set()
    for root in fragments:
        path = [(root, iter(list_spreads_of(fragments, root)))] if root not in seen else []
        seen.add(root)
        while path:
            name, spreads = path[-1]
            following = next((spread for spread in spreads if spread not in seen), None)
            if following is None:
                path.pop()
                yield name
            else:
                seen.add(following)
                path.append((following, iter(list_spreads_of(fragments, following))))


def list_spreads_of(fragments: Fragments, name: str) -> list[str]:
    """The fragments that one fragment spreads, at any depth of its own."""
    spreads: list[str] = []
    sets = [fragments[name].selection_set]
    while sets:
        for selection in sets.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                spreads.append(selection.name.value)
            elif selection.selection_set:  # type: ignore[attr-defined]  # of the other two kinds
                sets.append(selection.selection_set)  # type: ignore[attr-defined]
    return [spread for spread in spreads if spread in fragments]


def _iter_root_response_keys(
    selection_set: SelectionSetNode, fragments: Fragments, seen: set[str]
) -> Iterator[str]:
    """The response keys of a root, found without recursion. `seen` has the fragments that were visited."""
    sets = [selection_set]
    while sets:
        for selection in sets.pop().selections:
            if isinstance(selection, FieldNode):
                yield (selection.alias or selection.name).value
            elif isinstance(selection, InlineFragmentNode):
                sets.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in seen:
                seen.add(selection.name.value)
                if selection.name.value in fragments:
                    sets.append(fragments[selection.name.value].selection_set)
