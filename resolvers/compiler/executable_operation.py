"""The operation of a valid request, and its execution by graphql-core.

`resolvers.documents.validation` finds the operation, once a request. Everything after it takes this object.
"""

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
    OperationType,
    SelectionSetNode,
    execute,
)

from resolvers.compiler.plan_cache import DocumentPlans
from resolvers.context import RequestContext
from resolvers.request import GraphQLRequest
from resolvers.sql.selection import collect_fragments


@dataclass(frozen=True, slots=True)
class ExecutableOperation:
    """The operation of a valid request, within the limits.

    Attributes:
        schema: The executable schema.
        request: The request. Its variables are not coerced yet.
        syntax: The valid document.
        definition: The requested operation in the document.
        plans: The document's compiled plans.
        cost: The estimated rows.
        suggests_names: Whether errors may suggest names of the schema.
    """

    schema: GraphQLSchema
    request: GraphQLRequest
    syntax: DocumentNode
    definition: OperationDefinitionNode
    plans: DocumentPlans
    cost: int
    suggests_names: bool = True

    @property
    def type(self) -> OperationType:
        """Whether it is a query, a mutation or a subscription."""
        return self.definition.operation

    @property
    def name(self) -> str | None:
        """Its name in the document. None if it has none."""
        return self.definition.name.value if self.definition.name else None

    @property
    def variables(self) -> Mapping[str, Any]:
        """The request's variables, as they came."""
        return self.request.variables

    @property
    def fragments(self) -> dict[str, FragmentDefinitionNode]:
        """The document's fragments, by their names."""
        return collect_fragments(self.syntax)

    async def execute_with_loaders(
        self, context: RequestContext, root_value: Mapping[str, Any] | None = None
    ) -> ExecutionResult:
        """Execute by graphql-core and the data loaders."""
        context.used_loaders = True
        result = execute(
            self.schema,
            self.syntax,
            root_value=root_value,
            context_value=context,
            variable_values=dict(self.variables),
            operation_name=self.name,
            hide_suggestions=not self.suggests_names,
        )
        return await result if isinstance(result, Awaitable) else result

    def with_root_fields(self, nodes: Sequence[FieldNode]) -> "ExecutableOperation":
        """The same operation with only these root fields."""
        definition = _with_selection(self.definition, nodes)
        syntax = DocumentNode(definitions=(definition, *self.fragments.values()))
        return replace(self, syntax=syntax, definition=definition)


def _with_selection(
    definition: OperationDefinitionNode, nodes: Sequence[FieldNode]
) -> OperationDefinitionNode:
    attributes = {name: getattr(definition, name) for name in definition.keys if name != "selection_set"}
    return OperationDefinitionNode(**attributes, selection_set=SelectionSetNode(selections=tuple(nodes)))
