"""The two ways of running an operation: compiled, root field by root field, and through data loaders.

They are one behaviour; the response does not tell. A query's root fields are compiled where they can be; what is left
is executed by graphql-core in the same snapshot, and the two are put together in the order of the document.
"""

from enum import StrEnum
from typing import Any

import orjson
from graphql import (
    ExecutionResult,
    GraphQLBoolean,
    GraphQLError,
    NamedTypeNode,
    OperationType,
    VariableDefinitionNode,
)
from graphql.execution.values import VariableValues, get_variable_values

from resolvers.asked import Asked
from resolvers.operation import Operation
from resolvers.planning import Planning
from resolvers.plans import Plan, Planned, Values


class Way(StrEnum):
    """How a root field is run; AUTO compiles what can be."""

    AUTO = "auto"
    COMPILED = "compiled"
    LOADERS = "loaders"


async def run(asked: Asked, operation: Operation, way: Way) -> ExecutionResult:
    """Run an operation; queries of signed-in viewers are compiled as far as `way` and the compiler allow.

    `operation.compiled` tells afterwards which root fields were.
    """
    variables = _variables(asked)
    if way is Way.LOADERS or operation.rows is None or variables is None:
        return await asked.through_loaders(operation)
    planning = Planning(asked, operation.rows.viewer, variables)
    planned = planning.planned()
    if planned is None or not any(planned.plans.values()):
        return await asked.through_loaders(operation)
    return await _put_together(asked, operation, planned, planning.values)


def _variables(asked: Asked) -> VariableValues | None:
    """The coerced variables of a query; None where there is nothing to compile: a mutation, or bad variables."""
    if asked.definition.operation is not OperationType.QUERY:
        return None
    definitions = asked.definition.variable_definitions or ()
    values = get_variable_values(asked.schema, definitions, dict(asked.variables))
    if not isinstance(values, VariableValues) or any(_breaks_conditions(d, values) for d in definitions):
        return None
    return values


def _breaks_conditions(definition: VariableDefinitionNode, values: VariableValues) -> bool:
    """Whether it is a null that can stand under `@include` or `@skip`, by grace of its default: an error there."""
    type_ = definition.type
    return (
        isinstance(type_, NamedTypeNode)
        and type_.name.value == GraphQLBoolean.name
        and definition.default_value is not None
        and values.coerced.get(definition.variable.name.value) is None
    )


async def _put_together(
    asked: Asked, operation: Operation, planned: Planned, values: Values
) -> ExecutionResult:
    rest = [node for key, nodes in planned.roots.items() if planned.plans[key] is None for node in nodes]
    through_loaders = await asked.only(rest).through_loaders(operation) if rest else ExecutionResult({}, None)
    if through_loaders.data is None:
        return through_loaders
    data: dict[str, Any] = {}
    for key, plan in planned.plans.items():
        if plan is None:
            data[key] = through_loaders.data[key]
            continue
        try:
            data[key] = await _fetch(operation, plan, values)
        except Exception as error:  # noqa: BLE001 - rendered as any resolver's, with its place in the answer
            nodes = planned.roots[key]
            return ExecutionResult(None, [GraphQLError(str(error), nodes, path=[key], original_error=error)])
        operation.compiled.append(key)
    return ExecutionResult(data, through_loaders.errors)


async def _fetch(operation: Operation, plan: Plan, values: Values) -> orjson.Fragment | None:
    text = await operation.door().compiled(plan.bind(values), plan.reads(values))
    return None if text is None else orjson.Fragment(text)
