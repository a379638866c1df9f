"""Operations that one compiled statement answers: they need no transaction around them."""

from collections.abc import Awaitable, Callable, Sequence

import orjson
from graphql import ExecutionResult

from core.single_reads import Row
from core.viewer import Viewer
from resolvers.asked import Asked
from resolvers.planning import Planning
from resolvers.ways import coerced_variables, failed

Fetch = Callable[[str, Sequence[object]], Awaitable[Row | None]]
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
    sql = statement.sql if plan.columns is None else statement.sql[plan.columns]
    try:
        row = await fetch(sql, statement.arguments)
    except Exception as error:  # noqa: BLE001 - rendered as any resolver's, with its place in the answer
        return failed(asked, key, planned.roots[key], error)
    if row is None:
        return None
    fields = {name: _json(value) for name, value in row.items()}
    return ExecutionResult({key: fields if plan.columns else fields["data"]}, None)


def _json(value: str | int | None) -> orjson.Fragment | int | None:
    return orjson.Fragment(value) if isinstance(value, str) else value
