"""How large a document is with its fragments written out, without writing them out.

Each definition is looked at once; what a fragment has is a sum or a maximum over its selections and the fragments
that they spread. So the work is linear in the document, whatever the fragments stand for.
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

from core.errors import refuse_beyond
from core.limits import (
    ALIASES_MAX,
    DEPTH_MAX,
    DOCUMENT_NESTING_MAX,
    DOCUMENT_OPERATIONS_MAX,
    DOCUMENT_SELECTIONS_MAX,
    ROOT_FIELDS_MAX,
)
from resolvers.selection import fragments_of

_MOST: Final = 10**9
"""Nothing is counted further: fragments that double thirty times have more."""


@dataclass(frozen=True, slots=True)
class Size:
    """What selections amount to, fragments written out.

    Attributes:
        depth: Fields below one another.
        nesting: Selection sets within one another, those of fragments included.
        aliases: Fields whose response key is not their name.
        selections: Fields and spreads.
    """

    depth: int = 0
    nesting: int = 0
    aliases: int = 0
    selections: int = 0

    def beside(self, other: "Size") -> "Size":
        """Both, one after the other."""
        return Size(
            max(self.depth, other.depth),
            max(self.nesting, other.nesting),
            min(_MOST, self.aliases + other.aliases),
            min(_MOST, self.selections + other.selections),
        )

    def within(self, *, fields: int = 0, sets: int = 0, aliases: int = 0, selections: int = 0) -> "Size":
        """The same below that many fields and sets, counted together with them."""
        return Size(
            self.depth + fields,
            self.nesting + sets,
            min(_MOST, self.aliases + aliases),
            min(_MOST, self.selections + selections),
        )


_NOTHING: Final = Size()
Fragments = Mapping[str, FragmentDefinitionNode]


def check_size(syntax: DocumentNode) -> None:
    """Make sure that a document, valid or not, is small enough for all that follows.

    Raises:
        LimitExceededError: It is not.
    """
    fragments = fragments_of(syntax)
    operations = [d for d in syntax.definitions if isinstance(d, OperationDefinitionNode)]
    refuse_beyond("operations", DOCUMENT_OPERATIONS_MAX, len(operations), "operations")
    sizes = fragment_sizes(fragments)
    written_out = _NOTHING
    for operation in operations:
        written_out = written_out.beside(size_of(operation.selection_set, sizes))
    for size in (written_out, *sizes.values()):
        _check(size)
    for operation in operations:
        roots = len(set(_root_keys(operation.selection_set, fragments, set())))
        refuse_beyond("rootFields", ROOT_FIELDS_MAX, roots, "fields at its root")


def _check(size: Size) -> None:
    refuse_beyond("nesting", DOCUMENT_NESTING_MAX, size.nesting, "levels of selection sets")
    refuse_beyond("depth", DEPTH_MAX, size.depth, "levels of fields")
    refuse_beyond(
        "selections", DOCUMENT_SELECTIONS_MAX, size.selections, "fields and spreads, fragments written out"
    )
    refuse_beyond("aliases", ALIASES_MAX, size.aliases, "aliases, fragments written out")


def size_of(selection_set: SelectionSetNode, fragments: Mapping[str, Size]) -> Size:
    """The size of a selection set; a fragment of unknown size adds nothing but its spread."""
    size = _NOTHING
    for selection in selection_set.selections:
        size = size.beside(_size_of_one(selection, fragments))
    return size.within(sets=1)


def _size_of_one(selection: SelectionNode, fragments: Mapping[str, Size]) -> Size:
    if isinstance(selection, FragmentSpreadNode):
        return fragments.get(selection.name.value, _NOTHING).within(selections=1)
    inner: SelectionSetNode | None = selection.selection_set  # type: ignore[attr-defined]  # of the other two kinds
    size = size_of(inner, fragments) if inner else _NOTHING
    if isinstance(selection, FieldNode):
        renamed = selection.alias is not None and selection.alias.value != selection.name.value
        return size.within(fields=1, aliases=int(renamed), selections=1)
    return size


def fragment_sizes(fragments: Fragments) -> dict[str, Size]:
    """The size of each fragment, those that it spreads first; a spread that closes a circle adds nothing."""
    sizes: dict[str, Size] = {}
    for name in _inner_first(fragments):
        sizes[name] = size_of(fragments[name].selection_set, sizes)
    return sizes


def _inner_first(fragments: Fragments) -> Iterator[str]:
    """The fragments' names, each behind those that it spreads; without recursion, as chains may be long."""
    seen: set[str] = set()
    for root in fragments:
        path = [(root, iter(_spreads(fragments, root)))] if root not in seen else []
        seen.add(root)
        while path:
            name, spreads = path[-1]
            following = next((spread for spread in spreads if spread not in seen), None)
            if following is None:
                path.pop()
                yield name
            else:
                seen.add(following)
                path.append((following, iter(_spreads(fragments, following))))


def _spreads(fragments: Fragments, name: str) -> list[str]:
    """The fragments that one spreads, at whatever depth of its own."""
    spreads: list[str] = []
    sets = [fragments[name].selection_set]
    while sets:
        for selection in sets.pop().selections:
            if isinstance(selection, FragmentSpreadNode):
                spreads.append(selection.name.value)
            elif selection.selection_set:  # type: ignore[attr-defined]  # of the other two kinds
                sets.append(selection.selection_set)  # type: ignore[attr-defined]
    return [spread for spread in spreads if spread in fragments]


def _root_keys(selection_set: SelectionSetNode, fragments: Fragments, seen: set[str]) -> Iterator[str]:
    """The response keys of a root, without recursion; `seen` are the fragments that were looked into."""
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
