"""The next page: a document sent once more with a cursor of its response."""

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

from tests.property.document_generator import GeneratedDocument
from tests.property.syntax_edits import change_document, replace_members

_CURSOR_FIELDS: Final = ("cursor", "startCursor", "endCursor")
_PAGE_ARGUMENTS: Final = ("first", "last", "after", "before", "offset")


@dataclass(frozen=True, slots=True)
class PagedList:
    """A list in a document, and the cursors that a response has of it."""

    node: FieldNode
    cursors: Sequence[str]


def make_next_page(
    schema: GraphQLSchema, random: Random, document: GeneratedDocument, data: Any
) -> GeneratedDocument | None:
    """The document with a list's page that begins or ends at a cursor; None if the response has no cursor."""
    found = list(find_paged_lists(schema, document, data))
    if not found:
        return None
    paged = random.choice(found)
    wanted = _argument_names(paged.node)
    cursor = ArgumentNode(
        name=NameNode(value=random.choices(("after", "before"), (65, 35))[0]),
        value=StringValueNode(value=random.choice(paged.cursors)),
    )
    count = IntValueNode(value=str(random.choice((1, 1, 2, 3, 3))))
    size = ArgumentNode(name=NameNode(value=random.choices(("first", "last"), (70, 30))[0]), value=count)

    def turned(node: FieldNode) -> FieldNode:
        if (
            node.name.value != paged.node.name.value
            or _response_key(node) != _response_key(paged.node)
            or _argument_names(node) != wanted
        ):
            return node
        kept = [argument for argument in node.arguments or () if argument.name.value not in _PAGE_ARGUMENTS]
        return replace_members(node, arguments=(*kept, size, cursor))

    return change_document(document, _replace_nodes(turned))


def find_paged_lists(schema: GraphQLSchema, document: GeneratedDocument, data: Any) -> Iterator[PagedList]:
    """The lists of a document with cursors in the response."""
    syntax = parse(document.text)
    operation = get_operation_ast(syntax, document.operation_name)
    fragments = {d.name.value: d for d in syntax.definitions if isinstance(d, FragmentDefinitionNode)}
    assert isinstance(operation, OperationDefinitionNode)
    walk = _ListFinder(schema, fragments)
    yield from walk.find_lists(schema.type_map["Query"], operation.selection_set, data)


@dataclass(frozen=True, slots=True)
class _ListFinder:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]

    def find_lists(
        self, type_: GraphQLNamedType, selections: SelectionSetNode | None, data: Any
    ) -> Iterator[PagedList]:
        for selected, on in self._iter_fields(type_, selections.selections if selections else ()):
            field = on.fields.get(selected.name.value) if isinstance(on, GraphQLObjectType) else None
            if field is None:
                continue
            below = get_named_type(field.type)
            for value in _iter_values(data, _response_key(selected)):
                if below.name.endswith("Connection"):
                    cursors = list(self._find_cursors(below, selected.selection_set, value))
                    if cursors:
                        yield PagedList(selected, cursors)
                yield from self.find_lists(below, selected.selection_set, value)

    def _find_cursors(
        self, type_: GraphQLNamedType, selections: SelectionSetNode | None, data: Any
    ) -> Iterator[str]:
        for selected, on in self._iter_fields(type_, selections.selections if selections else ()):
            name = selected.name.value
            for value in _iter_values(data, _response_key(selected)):
                if name in _CURSOR_FIELDS and isinstance(value, str):
                    yield value
                elif name in ("edges", "pageInfo") and isinstance(on, GraphQLObjectType):
                    below = get_named_type(on.fields[name].type)
                    yield from self._find_cursors(below, selected.selection_set, value)

    def _iter_fields(
        self, type_: GraphQLNamedType, selections: Sequence[SelectionNode]
    ) -> Iterator[tuple[FieldNode, GraphQLNamedType]]:
        for node in selections:
            if isinstance(node, FieldNode):
                yield node, type_
            elif isinstance(node, InlineFragmentNode):
                on = self.schema.type_map[node.type_condition.name.value] if node.type_condition else type_
                yield from self._iter_fields(on, node.selection_set.selections)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self.fragments[node.name.value]
                on = self.schema.type_map[fragment.type_condition.name.value]
                yield from self._iter_fields(on, fragment.selection_set.selections)


def _response_key(node: FieldNode) -> str:
    return (node.alias or node.name).value


def _iter_values(data: Any, key: str) -> Iterator[Any]:
    """What stands under a key, of an object or of each object in a list."""
    for item in data if isinstance(data, list) else (data,):
        value = item.get(key) if isinstance(item, dict) else None
        if value is not None:
            yield value


def _argument_names(node: FieldNode) -> list[str]:
    return [print_ast(argument) for argument in node.arguments or ()]


def _replace_nodes(turned: Callable[[FieldNode], FieldNode]) -> Callable[[Any], Any]:
    return lambda node: turned(node) if isinstance(node, FieldNode) else node
