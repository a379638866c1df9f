"""The next page: a document that was answered, asked once more with a cursor of the answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from graphql import (
    ArgumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NameNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    get_named_type,
    get_operation_ast,
    parse,
    print_ast,
)

from tests.property.documents import Document
from tests.property.syntax import rewritten, tidied

_CURSORS: Final = ("cursor", "startCursor", "endCursor")
_PAGE: Final = ("first", "last", "after", "before", "offset")


@dataclass(frozen=True, slots=True)
class Paged:
    """A list in a document, and the cursors that an answer has of it."""

    node: FieldNode
    cursors: Sequence[str]


def next_page(schema: GraphQLSchema, random: Random, document: Document, data: Any) -> Document | None:
    """The document with a list's page begun or ended at a cursor; None where the answer has no cursor."""
    found = list(lists(schema, document, data))
    if not found:
        return None
    paged = random.choice(found)
    wanted = _arguments(paged.node)
    cursor = ArgumentNode(
        name=NameNode(value=random.choices(("after", "before"), (65, 35))[0]),
        value=StringValueNode(value=random.choice(paged.cursors)),
    )
    count = IntValueNode(value=str(random.choice((1, 1, 2, 3, 3))))
    size = ArgumentNode(name=NameNode(value=random.choices(("first", "last"), (70, 30))[0]), value=count)

    def turned(node: FieldNode) -> FieldNode:
        if (
            node.name.value != paged.node.name.value
            or _key(node) != _key(paged.node)
            or _arguments(node) != wanted
        ):
            return node
        kept = [argument for argument in node.arguments or () if argument.name.value not in _PAGE]
        return rewritten(node, arguments=(*kept, size, cursor))

    return tidied(document, _mapped(turned))


def lists(schema: GraphQLSchema, document: Document, data: Any) -> Iterator[Paged]:
    """The lists of a document of which the answer has cursors."""
    syntax = parse(document.text)
    operation = get_operation_ast(syntax, document.operation_name)
    fragments = {d.name.value: d for d in syntax.definitions if isinstance(d, FragmentDefinitionNode)}
    assert isinstance(operation, OperationDefinitionNode)
    walk = _Walk(schema, fragments)
    yield from walk.below(schema.type_map["Query"], operation.selection_set, data)


@dataclass(frozen=True, slots=True)
class _Walk:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]

    def below(
        self, type_: GraphQLNamedType, selections: SelectionSetNode | None, data: Any
    ) -> Iterator[Paged]:
        for selected, on in self._fields(type_, selections.selections if selections else ()):
            field = on.fields.get(selected.name.value) if isinstance(on, GraphQLObjectType) else None
            if field is None:
                continue
            below = get_named_type(field.type)
            for value in _values(data, _key(selected)):
                if below.name.endswith("Connection"):
                    cursors = list(self._cursors(below, selected.selection_set, value))
                    if cursors:
                        yield Paged(selected, cursors)
                yield from self.below(below, selected.selection_set, value)

    def _cursors(
        self, type_: GraphQLNamedType, selections: SelectionSetNode | None, data: Any
    ) -> Iterator[str]:
        for selected, on in self._fields(type_, selections.selections if selections else ()):
            name = selected.name.value
            for value in _values(data, _key(selected)):
                if name in _CURSORS and isinstance(value, str):
                    yield value
                elif name in ("edges", "pageInfo") and isinstance(on, GraphQLObjectType):
                    below = get_named_type(on.fields[name].type)
                    yield from self._cursors(below, selected.selection_set, value)

    def _fields(
        self, type_: GraphQLNamedType, selections: Sequence[SelectionNode]
    ) -> Iterator[tuple[FieldNode, GraphQLNamedType]]:
        for node in selections:
            if isinstance(node, FieldNode):
                yield node, type_
            elif isinstance(node, InlineFragmentNode):
                on = self.schema.type_map[node.type_condition.name.value] if node.type_condition else type_
                yield from self._fields(on, node.selection_set.selections)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                on = self.schema.type_map[fragment.type_condition.name.value]
                yield from self._fields(on, fragment.selection_set.selections)


def _key(node: FieldNode) -> str:
    return (node.alias or node.name).value


def _values(data: Any, key: str) -> Iterator[Any]:
    """What stands under a key, of an object or of each object in a list."""
    for item in data if isinstance(data, list) else (data,):
        value = item.get(key) if isinstance(item, dict) else None
        if value is not None:
            yield value


def _arguments(node: FieldNode) -> list[str]:
    return [print_ast(argument) for argument in node.arguments or ()]


def _mapped(turned: Callable[[FieldNode], FieldNode]) -> Callable[[Any], Any]:
    return lambda node: turned(node) if isinstance(node, FieldNode) else node
