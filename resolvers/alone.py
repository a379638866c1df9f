"""Operations that one compiled statement answers: they need no transaction around them."""

from collections.abc import Awaitable, Callable, Sequence

import orjson
from graphql import ExecutionResult

from core.database import Record
from core.viewer import Viewer
from resolvers.asked import Asked
from resolvers.planning import Planning
from resolvers.ways import coerced_variables, failed

Fetch = Callable[[str, Sequence[object]], Awaitable[Record | None]]
"""Sends a statement outside of a transaction; gives its row, None where it must be asked inside of one."""


async def run_alone(asked: Asked, viewer: Viewer, fetch: Fetch) -> ExecutionResult | None:
    """Run a query by one statement; None where it takes more, or `fetch` does not answer."""
    variables = coerced_variables(asked) if len(asked.definition.selection_set.selections) == 1 else None
    if variables is None:
        return None
    planning = Planning(asked, viewer, variables)
    planned = planning.planned()
    if planned is None or len(planned.plans) != 1:
        return None
    ((key, plan),) = planned.plans.items()
    if plan is None:
        return None
    statement = plan.bind(planning.values)
    try:
        row = await fetch(statement.sql, statement.arguments)
    except Exception as error:  # noqa: BLE001 - rendered as any resolver's, with its place in the answer
        return failed(asked, key, planned.roots[key], error)
    if row is None:
        return None
    return ExecutionResult({key: row["data"] and orjson.Fragment(row["data"])}, None)
