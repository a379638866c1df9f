"""Shrinks a document that fails to one that fails with less."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from graphql import GraphQLError, GraphQLSchema, Node, parse, validate

from tests.property.documents import Document
from tests.property.syntax import DROPPABLE, tidied, walk

TRIES: Final = 400
"""Runs at most for one document."""


async def shrink(
    schema: GraphQLSchema, document: Document, fails: Callable[[Document], Awaitable[bool]]
) -> Document:
    """Drop one node after the other, the largest first, as long as the document still fails."""
    left = TRIES
    progress = True
    while progress:
        progress = False
        for smaller in _smaller(schema, document):
            left -= 1
            if left < 0:
                return document
            if await fails(smaller):
                document, progress = smaller, True
                break
    return document


def _smaller(schema: GraphQLSchema, document: Document) -> Iterator[Document]:
    """The document without one of its nodes each time, as far as it stays valid."""
    count = sum(isinstance(node, DROPPABLE) for node in walk(parse(document.text)))
    for place in reversed(range(count)):  # parents stand behind their children
        try:
            smaller = tidied(document, _dropping(place))
            if smaller.text != document.text and not validate(schema, parse(smaller.text)):
                yield smaller
        except GraphQLError:  # what is left is no document
            continue


def _dropping(place: int) -> Callable[[Any], Any]:
    seen = 0

    def change(node: Node) -> Node | None:
        nonlocal seen
        if isinstance(node, DROPPABLE):
            seen += 1
            return None if seen == place + 1 or _is_hollow(node) else node
        return node

    return change


def _is_hollow(node: Node) -> bool:
    """Whether its last selection was dropped."""
    selections = getattr(node, "selection_set", None)
    return selections is not None and not selections.selections
