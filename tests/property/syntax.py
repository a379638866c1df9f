"""Documents rewritten: nodes changed or dropped, and what nobody needs any longer dropped after them."""

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

from tests.property.documents import Document

N = TypeVar("N", bound=Node)

DROPPABLE: Final = (SelectionNode, ArgumentNode, ObjectFieldNode, DirectiveNode, OperationDefinitionNode)

Change = Callable[[Any], Any]
"""Gives what stands in a node's place; None to drop it."""


def rewritten(node: N, **changes: Any) -> N:
    """The node with other members."""
    return type(node)(**{**{name: getattr(node, name) for name in node.keys}, **changes})


def walk(value: Any) -> Iterator[Node]:
    """All nodes below one, parents first, in the order of the document."""
    if isinstance(value, Node):
        yield value
        for name in value.keys:
            yield from walk(getattr(value, name))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from walk(inner)


def changed(value: Any, change: Change) -> Any:
    """The syntax with every node changed, children first; nodes that need a child which is gone go with it."""
    if isinstance(value, tuple | list):
        return tuple(new for inner in value if (new := changed(inner, change)) is not None)
    if not isinstance(value, Node):
        return value
    members = {name: changed(getattr(value, name), change) for name in value.keys}
    return change(type(value)(**members))


def tidied(document: Document, change: Change) -> Document:
    """The document with its syntax changed, without the fragments and variables that are not used any more."""
    syntax = changed(parse(document.text, no_location=True), change)
    while True:
        used = {n.name.value for n in walk(syntax) if isinstance(n, FragmentSpreadNode)}
        kept = [
            d for d in syntax.definitions if not isinstance(d, FragmentDefinitionNode) or d.name.value in used
        ]
        if len(kept) == len(syntax.definitions):
            break
        syntax = rewritten(syntax, definitions=tuple(kept))
    syntax = rewritten(
        syntax, definitions=tuple(_without_unused(d, syntax.definitions) for d in syntax.definitions)
    )
    declared = {n.variable.name.value for n in walk(syntax) if isinstance(n, VariableDefinitionNode)}
    variables = {name: value for name, value in document.variables.items() if name in declared}
    return Document(print_ast(syntax), variables, document.operation_name)


def _without_unused(definition: Any, definitions: Sequence[Any]) -> Any:
    if not isinstance(definition, OperationDefinitionNode) or not definition.variable_definitions:
        return definition
    others = [d for d in definitions if d is not definition]
    used = {n.name.value for n in walk([definition.selection_set, *others]) if isinstance(n, VariableNode)}
    kept = [d for d in definition.variable_definitions if d.variable.name.value in used]
    return rewritten(definition, variable_definitions=tuple(kept))
