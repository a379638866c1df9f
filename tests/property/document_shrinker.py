"""Shrinks a failing document to a smaller one that still fails."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from graphql import GraphQLError, GraphQLSchema, Node, parse, validate

from tests.property.document_generator import GeneratedDocument
from tests.property.syntax_edits import DROPPABLE, change_document, iter_nodes

MAX_TRIES: Final = 400
"""The maximum number of runs for one document."""


async def shrink_document(
    schema: GraphQLSchema, document: GeneratedDocument, fails: Callable[[GeneratedDocument], Awaitable[bool]]
) -> GeneratedDocument:
    """Remove one node after the other, the largest first, as long as the document still fails."""
    left = MAX_TRIES
    progress = True
    while progress:
        progress = False
        for smaller in _iter_smaller(schema, document):
            left -= 1
            if left < 0:
                return document
            if await fails(smaller):
                document, progress = smaller, True
                break
    return document


def _iter_smaller(schema: GraphQLSchema, document: GeneratedDocument) -> Iterator[GeneratedDocument]:
    """The document without one of its nodes each time, as far as it stays valid."""
    count = sum(isinstance(node, DROPPABLE) for node in iter_nodes(parse(document.text)))
    for place in reversed(range(count)):  # parents come after their children
        try:
            smaller = change_document(document, _make_dropper(place))
            if smaller.text != document.text and not validate(schema, parse(smaller.text)):
                yield smaller
        except GraphQLError:  # the rest is not a valid document
            continue


def _make_dropper(path: int) -> Callable[[Any], Any]:
    seen = 0

    def change(node: Node) -> Node | None:
        nonlocal seen
        if isinstance(node, DROPPABLE):
            seen += 1
            return None if seen == path + 1 or _is_hollow(node) else node
        return node

    return change


def _is_hollow(node: Node) -> bool:
    """Whether its last selection was dropped."""
    selections = getattr(node, "selection_set", None)
    return selections is not None and not selections.selections
