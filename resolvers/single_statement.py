"""The fast path: an operation of one compiled statement runs without a transaction."""

from collections.abc import Awaitable, Callable, Sequence

import orjson
from graphql import ExecutionResult

from core.auth.viewer import Viewer
from core.database.single_reads import Row
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.compiler.planner import Planner
from resolvers.queries import coerce_query_variables, locate_root_error

Fetch = Callable[[str, Sequence[object]], Awaitable[Row | None]]
"""Runs a statement outside of a transaction. Returns its row, or None if the statement needs a transaction."""


async def execute_single_statement(
    operation: ExecutableOperation, viewer: Viewer, fetch: Fetch
) -> ExecutionResult | None:
    """Run a query by one statement. Returns None if it needs more than one, or if `fetch` returns None."""
    variables = (
        coerce_query_variables(operation) if len(operation.definition.selection_set.selections) == 1 else None
    )
    if variables is None:
        return None
    planner = Planner(operation, viewer, variables)
    plans = planner.plan()
    if plans is None or len(plans.plans) != 1:
        return None
    ((key, plan),) = plans.plans.items()
    if plan is None:
        return None
    statement = plan.bind_values(planner.values)
    sql = statement.sql if plan.columns is None else statement.sql[plan.columns]
    try:
        row = await fetch(sql, statement.arguments)
    except Exception as error:  # noqa: BLE001 - rendered like the error of any resolver, with its path
        return ExecutionResult({key: None}, [locate_root_error(key, plans.roots[key], error)])
    if row is None:
        return None
    fields = {name: _json_fragment(value) for name, value in row.items()}
    return ExecutionResult({key: fields if plan.columns else fields["data"]}, None)


def _json_fragment(value: str | int | None) -> orjson.Fragment | int | None:
    return orjson.Fragment(value) if isinstance(value, str) else value
