"""Subscriptions as what they are run as: a live query is the query of the same fields, told again and again.

A stream (`schema.streams`) is no query; `stream_of` tells the two apart.
"""

from collections.abc import Mapping
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    Visitor,
    visit,
)

from resolvers.asked import Asked
from resolvers.documents import Document
from resolvers.selection import Syntax
from schema.streams import STREAMS

_QUERY: Final = NamedTypeNode(name=NameNode(value="Query"))


def stream_of(document: Document, definition: OperationDefinitionNode) -> list[FieldNode] | None:
    """The nodes of the stream that a valid subscription asks for; None where it asks for a live query."""
    nodes = _root(document, definition)
    return nodes if nodes[0].name.value in STREAMS else None


def as_query(
    schema: GraphQLSchema,
    document: Document,
    definition: OperationDefinitionNode,
    variables: Mapping[str, Any],
) -> Asked:
    """A valid subscription that is no stream, as the query of the same fields.

    Its syntax is made once and kept with the document, as the plans and data loaders that go by its nodes are.
    """
    name = definition.name.value if definition.name else None
    syntax = document.as_queries.get(name)
    if syntax is None:
        syntax = document.as_queries[name] = _as_query(document, definition)
    query = syntax.definitions[0]
    assert isinstance(query, OperationDefinitionNode)  # noqa: S101 - `_as_query` puts it first
    return Asked(schema, syntax, query, variables, document.plans, document.suggests)


def _root(document: Document, definition: OperationDefinitionNode) -> list[FieldNode]:
    """The nodes of a subscription's only root field; valid ones have no condition at the root."""
    roots = Syntax(document.fragments, {}).responses_of(definition.selection_set, "Subscription")
    return next(iter(roots.values()))


def _as_query(document: Document, definition: OperationDefinitionNode) -> DocumentNode:
    """The operation as a query, and behind it the fragments, those of its root on the root of queries."""
    kept = {name: getattr(definition, name) for name in definition.keys if name != "operation"}
    query = OperationDefinitionNode(**kept, operation=OperationType.QUERY)
    syntax = DocumentNode(definitions=(query, *document.fragments.values()))
    moved: DocumentNode = visit(syntax, _ToQuery())
    return moved


class _ToQuery(Visitor):
    """Moves what stands on the type Subscription to the type Query."""

    def enter_named_type(self, node: NamedTypeNode, *_: Any) -> NamedTypeNode | None:
        """Only conditions of fragments name types of output."""
        return _QUERY if node.name.value == "Subscription" else None
