"""Rewrites documents: changes or removes nodes, and then removes everything that is no longer used."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from graphql import (
    ArgumentNode,
    DirectiveNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    Node,
    ObjectFieldNode,
    OperationDefinitionNode,
    SelectionNode,
    VariableDefinitionNode,
    VariableNode,
    parse,
    print_ast,
)

from tests.property.document_generator import GeneratedDocument

N = TypeVar("N", bound=Node)

DROPPABLE: Final = (SelectionNode, ArgumentNode, ObjectFieldNode, DirectiveNode, OperationDefinitionNode)

NodeChange = Callable[[Any], Any]
"""Returns the replacement of a node; None to remove it."""


def replace_members(node: N, **changes: Any) -> N:
    """The node with other members."""
    return type(node)(**{**{name: getattr(node, name) for name in node.keys}, **changes})


def iter_nodes(value: Any) -> Iterator[Node]:
    """All nodes below one, parents first, in the order of the document."""
    if isinstance(value, Node):
        yield value
        for name in value.keys:
            yield from iter_nodes(getattr(value, name))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from iter_nodes(inner)


def change_nodes(value: Any, change: NodeChange) -> Any:
    """The syntax with every node changed, children first; nodes that need a child which is gone go with it."""
    if isinstance(value, tuple | list):
        return tuple(new for inner in value if (new := change_nodes(inner, change)) is not None)
    if not isinstance(value, Node):
        return value
    members = {name: change_nodes(getattr(value, name), change) for name in value.keys}
    return change(type(value)(**members))


def change_document(document: GeneratedDocument, change: NodeChange) -> GeneratedDocument:
    """The document with its syntax changed, without the fragments and variables that are not used any more."""
    syntax = change_nodes(parse(document.text, no_location=True), change)
    while True:
        used = {n.name.value for n in iter_nodes(syntax) if isinstance(n, FragmentSpreadNode)}
        kept = [
            d for d in syntax.definitions if not isinstance(d, FragmentDefinitionNode) or d.name.value in used
        ]
        if len(kept) == len(syntax.definitions):
            break
        syntax = replace_members(syntax, definitions=tuple(kept))
    syntax = replace_members(
        syntax, definitions=tuple(_remove_unused(d, syntax.definitions) for d in syntax.definitions)
    )
    declared = {n.variable.name.value for n in iter_nodes(syntax) if isinstance(n, VariableDefinitionNode)}
    variables = {name: value for name, value in document.variables.items() if name in declared}
    return GeneratedDocument(print_ast(syntax), variables, document.operation_name)


def _remove_unused(definition: Any, definitions: Sequence[Any]) -> Any:
    if not isinstance(definition, OperationDefinitionNode) or not definition.variable_definitions:
        return definition
    others = [d for d in definitions if d is not definition]
    used = {
        n.name.value for n in iter_nodes([definition.selection_set, *others]) if isinstance(n, VariableNode)
    }
    kept = [d for d in definition.variable_definitions if d.variable.name.value in used]
    return replace_members(definition, variable_definitions=tuple(kept))
