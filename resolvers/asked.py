"""What a client asks of a document, and its run by graphql-core."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    execute,
)

from resolvers.operation import Operation
from resolvers.plans import PlanBook


@dataclass(frozen=True, slots=True)
class Asked:
    """A validated document, the operation of it that is asked for, and the variables as they came.

    `suggests` says whether errors may suggest names of the schema.
    """

    schema: GraphQLSchema
    syntax: DocumentNode
    definition: OperationDefinitionNode
    variables: Mapping[str, Any]
    plans: PlanBook
    suggests: bool = True

    async def through_loaders(self, operation: Operation) -> ExecutionResult:
        """Execute by graphql-core."""
        operation.loaded = True
        name = self.definition.name
        result = execute(
            self.schema,
            self.syntax,
            context_value=operation,
            variable_values=dict(self.variables),
            operation_name=name.value if name else None,
            hide_suggestions=not self.suggests,
        )
        return await result if isinstance(result, Awaitable) else result

    def only(self, nodes: Sequence[FieldNode]) -> "Asked":
        """The same with no other root fields than these."""
        definition = _with_selection(self.definition, nodes)
        fragments = (d for d in self.syntax.definitions if isinstance(d, FragmentDefinitionNode))
        return replace(self, syntax=DocumentNode(definitions=(definition, *fragments)), definition=definition)


def _with_selection(
    definition: OperationDefinitionNode, nodes: Sequence[FieldNode]
) -> OperationDefinitionNode:
    kept = {name: getattr(definition, name) for name in definition.keys if name != "selection_set"}
    return OperationDefinitionNode(**kept, selection_set=SelectionSetNode(selections=tuple(nodes)))
