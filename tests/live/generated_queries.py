"""Generated live queries: one root field of a generated document, as a subscription and as a query."""

from collections.abc import Iterator

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    Node,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    visit,
)

from tests.live.client import LiveQueryCase
from tests.property.document_generator import GeneratedDocument


def iter_live_queries(document: GeneratedDocument) -> Iterator[LiveQueryCase]:
    """A live query for each root field that stands directly in the document."""
    syntax = parse(document.text)
    operations = [d for d in syntax.definitions if isinstance(d, OperationDefinitionNode)]
    name = document.operation_name
    operation = next(
        (o for o in operations if name is None or (o.name and o.name.value == name)), operations[0]
    )
    fragments = {d.name.value: d for d in syntax.definitions if isinstance(d, FragmentDefinitionNode)}
    for field in operation.selection_set.selections:
        if isinstance(field, FieldNode) and not field.directives and not field.name.value.startswith("__"):
            yield _build_case(field, operation, fragments, document)


def _build_case(
    field: FieldNode,
    operation: OperationDefinitionNode,
    fragments: dict[str, FragmentDefinitionNode],
    document: GeneratedDocument,
) -> LiveQueryCase:
    used = _UsedNames(fragments)
    visit(field, used)
    definitions = tuple(
        d for d in operation.variable_definitions or () if d.variable.name.value in used.variables
    )
    kept = [fragments[name] for name in sorted(used.fragments)]
    variables = {name: value for name, value in document.variables.items() if name in used.variables}
    subscription, query = (
        _print_document(kind, field, definitions, kept)
        for kind in (OperationType.SUBSCRIPTION, OperationType.QUERY)
    )
    return LiveQueryCase(subscription, query, variables)


def _print_document(
    kind: OperationType,
    field: FieldNode,
    definitions: tuple[VariableDefinitionNode, ...],
    fragments: list[FragmentDefinitionNode],
) -> str:
    operation = OperationDefinitionNode(
        operation=kind,
        variable_definitions=definitions,
        directives=(),
        selection_set=SelectionSetNode(selections=(field,)),
    )
    return print_ast(DocumentNode(definitions=(operation, *fragments)))


class _UsedNames(Visitor):
    """The variables and fragments that a selection uses, also through other fragments."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        super().__init__()
        self._fragments = fragments
        self.variables: set[str] = set()
        self.fragments: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.variables.add(node.name.value)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        name = node.name.value
        if name not in self.fragments:
            self.fragments.add(name)
            body: Node = self._fragments[name]
            visit(body, self)
