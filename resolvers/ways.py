"""The two ways of running an operation: compiled, root field by root field, and through data loaders.

They are one behaviour; the response does not tell. A query's root fields are compiled where they can be; what is left
is executed by graphql-core in the same snapshot, and the two are put together in the order of the document.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    execute,
)
from graphql.execution.values import VariableValues, get_variable_values

from resolvers.compiler import NotCompilableError, Plan, compile_root
from resolvers.operation import Operation
from resolvers.selection import Document


class Way(StrEnum):
    """How a root field is run; AUTO compiles what can be."""

    AUTO = "auto"
    COMPILED = "compiled"
    LOADERS = "loaders"


@dataclass(frozen=True, slots=True)
class Asked:
    """A validated document, the operation of it that is asked for, and the variables as they came."""

    schema: GraphQLSchema
    syntax: DocumentNode
    definition: OperationDefinitionNode
    variables: Mapping[str, Any]

    async def through_loaders(self, operation: Operation) -> ExecutionResult:
        """Execute by graphql-core."""
        name = self.definition.name
        result = execute(
            self.schema,
            self.syntax,
            context_value=operation,
            variable_values=dict(self.variables),
            operation_name=name.value if name else None,
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


async def run(asked: Asked, operation: Operation, way: Way) -> ExecutionResult:
    """Run an operation; queries of signed-in viewers are compiled as far as `way` and the compiler allow.

    `operation.compiled` tells afterwards which root fields were.
    """
    variables = _variables(asked)
    if way is Way.LOADERS or operation.rows is None or variables is None:
        return await asked.through_loaders(operation)
    document = Document(_fragments(asked.syntax), variables.coerced)
    roots = document.responses_of(asked.definition.selection_set, "Query")
    plans = {key: _plan(asked, document, variables, operation, nodes) for key, nodes in roots.items()}
    if not any(plans.values()):
        return await asked.through_loaders(operation)
    return await _put_together(asked, operation, roots, plans)


def _variables(asked: Asked) -> VariableValues | None:
    """The coerced variables of a query; None where there is nothing to compile: a mutation, or bad variables."""
    if asked.definition.operation is not OperationType.QUERY:
        return None
    definitions = asked.definition.variable_definitions or ()
    values = get_variable_values(asked.schema, definitions, dict(asked.variables))
    return values if isinstance(values, VariableValues) else None


def _fragments(syntax: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {d.name.value: d for d in syntax.definitions if isinstance(d, FragmentDefinitionNode)}


def _plan(
    asked: Asked,
    document: Document,
    variables: VariableValues,
    operation: Operation,
    nodes: Sequence[FieldNode],
) -> Plan | None:
    assert operation.viewer is not None  # noqa: S101 - whoever has a door is a viewer
    try:
        return compile_root(asked.schema, document, variables, operation.viewer, nodes)
    except (NotCompilableError, RecursionError):
        return None


async def _put_together(
    asked: Asked,
    operation: Operation,
    roots: Mapping[str, Sequence[FieldNode]],
    plans: Mapping[str, Plan | None],
) -> ExecutionResult:
    rest = [node for key, nodes in roots.items() if plans[key] is None for node in nodes]
    through_loaders = await asked.only(rest).through_loaders(operation) if rest else ExecutionResult({}, None)
    if through_loaders.data is None:
        return through_loaders
    data: dict[str, Any] = {}
    for key, plan in plans.items():
        if plan is None:
            data[key] = through_loaders.data[key]
            continue
        try:
            data[key] = await _fetch(operation, plan)
        except Exception as error:  # noqa: BLE001 - rendered as any resolver's, with its place in the answer
            return ExecutionResult(
                None, [GraphQLError(str(error), roots[key], path=[key], original_error=error)]
            )
        operation.compiled.append(key)
    return ExecutionResult(data, through_loaders.errors)


async def _fetch(operation: Operation, plan: Plan) -> orjson.Fragment | None:
    text = await operation.door().compiled(plan.statement, plan.levels)
    return None if text is None else orjson.Fragment(text)
