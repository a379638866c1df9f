"""Rewrites a live query as the query of the same fields, which runs again and again.

A stream (`schema.streams`) is no query. `find_stream_nodes` separates the two.
"""

from dataclasses import replace
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    NamedTypeNode,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    Visitor,
    visit,
)

from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.sql.selection import SelectionReader
from schema.streams import STREAMS

_QUERY: Final = NamedTypeNode(name=NameNode(value="Query"))


def find_stream_nodes(operation: ExecutableOperation) -> list[FieldNode] | None:
    """The nodes of a subscription's stream. None if it is a live query."""
    nodes = _find_root_nodes(operation)
    return nodes if nodes[0].name.value in STREAMS else None


def build_live_query(operation: ExecutableOperation) -> ExecutableOperation:
    """A subscription that is no stream, as the query of the same fields.

    Its syntax is made once and kept with the document. Plans and data loaders are cached by its nodes.
    """
    rewritten = operation.plans.live_queries.get(operation.name)
    if rewritten is None:
        rewritten = operation.plans.live_queries[operation.name] = _convert_to_query(operation)
    syntax, query = rewritten
    return replace(operation, syntax=syntax, definition=query)


def _find_root_nodes(operation: ExecutableOperation) -> list[FieldNode]:
    """The nodes of a subscription's single root field. A valid root field has no condition."""
    roots = SelectionReader(operation.fragments, {}).collect_by_response_key(
        operation.definition.selection_set, "Subscription"
    )
    return next(iter(roots.values()))


def _convert_to_query(operation: ExecutableOperation) -> tuple[DocumentNode, OperationDefinitionNode]:
    """The operation as a query, followed by the fragments. Fragments on `Subscription` are moved to `Query`."""
    definition = operation.definition
    attributes = {name: getattr(definition, name) for name in definition.keys if name != "operation"}
    query = OperationDefinitionNode(**attributes, operation=OperationType.QUERY)
    syntax = DocumentNode(definitions=(query, *operation.fragments.values()))
    moved: Any = visit(syntax, _SubscriptionToQuery())
    return moved, moved.definitions[0]


class _SubscriptionToQuery(Visitor):
    """Replaces the type Subscription by the type Query."""

    def enter_named_type(self, node: NamedTypeNode, *_: Any) -> NamedTypeNode | None:
        """Replace a type name. Only the type conditions of fragments name output types."""
        return _QUERY if node.name.value == "Subscription" else None
