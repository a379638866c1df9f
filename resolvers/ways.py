"""The two ways of running an operation: compiled, root field by root field, and through data loaders.

They are one behaviour; the response does not tell. A query's root fields are compiled where they can be; what is left
is executed by graphql-core in the same snapshot, and the two are put together in the order of the document.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import orjson
from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLBoolean,
    GraphQLError,
    GraphQLNonNull,
    NamedTypeNode,
    OperationType,
    VariableDefinitionNode,
)
from graphql.execution.values import VariableValues, get_variable_values

from core.errors import BadUserInputError
from resolvers.asked import Asked
from resolvers.explanations import explain
from resolvers.level import Statement
from resolvers.operation import Operation
from resolvers.planning import Planning
from resolvers.plans import Planned, Values
from resolvers.rows import Read


class Way(StrEnum):
    """How root fields are run; AUTO compiles what can be, COMPILED refuses the rest."""

    AUTO = "auto"
    COMPILED = "compiled"
    LOADERS = "loaders"


async def run(asked: Asked, operation: Operation, way: Way) -> ExecutionResult:
    """Run an operation; queries of signed-in viewers are compiled as far as `way` and the compiler allow.

    `operation.compiled` tells afterwards which root fields were.
    """
    variables = coerced_variables(asked)
    if way is Way.LOADERS or operation.rows is None or variables is None:
        return await asked.through_loaders(operation)
    planning = Planning(asked, operation.rows.viewer, variables)
    planned = planning.planned()
    if way is Way.COMPILED and not (planned and all(planned.plans.values())):
        raise BadUserInputError("This operation is not compiled, or not all of it")
    if planned is None or not any(planned.plans.values()):
        return await asked.through_loaders(operation)
    return await _put_together(asked, operation, planned, planning.values)


def coerced_variables(asked: Asked) -> VariableValues | None:
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
    errors = list(through_loaders.errors or ())
    for key, plan in planned.plans.items():
        if plan is None:
            data[key] = through_loaders.data[key]
            continue
        operation.compiled.append(key)
        try:
            data[key] = await _fetch(operation, key, plan.bind(values), plan.reads(values))
        except Exception as error:  # noqa: BLE001 - rendered as any resolver's, with its place in the answer
            part = failed(asked, key, planned.roots[key], error)
            errors += part.errors or ()
            if part.data is None:
                return ExecutionResult(None, errors)
            data[key] = None
    return ExecutionResult(data, errors or None)


def failed(asked: Asked, key: str, nodes: Sequence[FieldNode], error: Exception) -> ExecutionResult:
    """The answer of a root field that failed: null where the schema allows it, else no data at all."""
    query = asked.schema.query_type
    nullable = query and not isinstance(query.fields[nodes[0].name.value].type, GraphQLNonNull)
    told = GraphQLError(str(error), nodes, path=[key], original_error=error)
    return ExecutionResult({key: None} if nullable else None, [told])


async def _fetch(
    operation: Operation, key: str, statement: Statement, reads: Iterable[Read]
) -> orjson.Fragment | None:
    rows = operation.door()
    if operation.explained is not None:
        operation.explained[key] = await explain(rows.snapshot, statement)
    text = await rows.compiled(statement, reads)
    return None if text is None else orjson.Fragment(text)
