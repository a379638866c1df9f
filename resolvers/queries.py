"""Runs queries, in two ways: compiled statements for each root field, and data loaders.

Both give the same response. The root fields of a query are compiled if possible. graphql-core executes the rest in
the same snapshot. Then the two parts are merged in the order of the document.
"""

import asyncio
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any

import orjson
from graphql import (
    ExecutionResult,
    FieldNode,
    GraphQLBoolean,
    GraphQLError,
    NamedTypeNode,
    OperationType,
    VariableDefinitionNode,
)
from graphql.execution.values import VariableValues, get_variable_values

from core.errors import BadUserInputError
from core.fair_lock import pause_after
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.compiler.params import ParamValues
from resolvers.compiler.plan import OperationPlans
from resolvers.compiler.planner import Planner
from resolvers.context import RequestContext
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.explain import explain_statement
from resolvers.sql.data_access import RecordedRead
from resolvers.sql.list_query import Statement


async def execute_query(
    operation: ExecutableOperation, context: RequestContext, strategy: ExecutionStrategy
) -> ExecutionResult:
    """Run a query. Those of signed-in viewers are compiled as far as `strategy` and the compiler allow.

    It adds the keys of compiled root fields to `context.compiled_fields`.
    """
    variables = coerce_query_variables(operation)
    if strategy is ExecutionStrategy.LOADERS or context.rows is None or variables is None:
        return await operation.execute_with_loaders(context)
    planner = Planner(operation, context.rows.viewer, variables)
    plans = await _plan(planner)
    if strategy is ExecutionStrategy.COMPILED and not (plans and all(plans.plans.values())):
        raise BadUserInputError("This operation cannot be compiled as a whole")
    if plans is None or not any(plans.plans.values()):
        return await operation.execute_with_loaders(context)
    return await _merge_results(operation, context, plans, planner.values)


async def _plan(planner: Planner) -> OperationPlans | None:
    """The plans of a query. Other requests run between the compilations of two root fields."""
    steps, began = planner.plan_in_steps(), perf_counter()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            plans: OperationPlans | None = end.value
            return plans
        if pause_s := pause_after(perf_counter() - began):
            await asyncio.sleep(pause_s)
            began = perf_counter()


def coerce_query_variables(operation: ExecutableOperation) -> VariableValues | None:
    """The coerced variables of a query. None if nothing can be compiled: for a mutation, or for invalid variables."""
    if operation.type is not OperationType.QUERY:
        return None
    definitions = operation.definition.variable_definitions or ()
    values = get_variable_values(operation.schema, definitions, dict(operation.variables))
    if not isinstance(values, VariableValues) or any(_is_null_condition(d, values) for d in definitions):
        return None
    return values


def _is_null_condition(definition: VariableDefinitionNode, values: VariableValues) -> bool:
    """Whether it is a null that may be used in `@include` or `@skip`, allowed by its default.

    It is an error there.
    """
    type_ = definition.type
    return (
        isinstance(type_, NamedTypeNode)
        and type_.name.value == GraphQLBoolean.name
        and definition.default_value is not None
        and values.coerced.get(definition.variable.name.value) is None
    )


async def _merge_results(
    operation: ExecutableOperation, context: RequestContext, plans: OperationPlans, values: ParamValues
) -> ExecutionResult:
    rest = [node for key, nodes in plans.roots.items() if plans.plans[key] is None for node in nodes]
    through_loaders = (
        await operation.with_root_fields(rest).execute_with_loaders(context)
        if rest
        else ExecutionResult({}, None)
    )
    if through_loaders.data is None:
        return through_loaders
    data: dict[str, Any] = {}
    errors = list(through_loaders.errors or ())
    for key, plan in plans.plans.items():
        if plan is None:
            data[key] = through_loaders.data[key]
            continue
        context.compiled_fields.append(key)
        try:
            data[key] = await _fetch_compiled(context, key, plan.bind_values(values), plan.iter_reads(values))
        except Exception as error:  # noqa: BLE001 - rendered like the error of any resolver, with its path
            errors.append(locate_root_error(key, plans.roots[key], error))
            data[key] = None
    return ExecutionResult(data, errors or None)


def locate_root_error(key: str, nodes: Sequence[FieldNode], error: Exception) -> GraphQLError:
    """The error of a failed root field. The field is null, as every root field of a query may be."""
    return GraphQLError(str(error), nodes, path=[key], original_error=error)


async def _fetch_compiled(
    context: RequestContext, key: str, statement: Statement, reads: Iterable[RecordedRead]
) -> orjson.Fragment | None:
    rows = context.require_data_access()
    if context.explained is not None:
        context.explained[key] = await explain_statement(rows.snapshot, statement)
    text = await rows.fetch_compiled(statement, reads)
    return None if text is None else orjson.Fragment(text)
