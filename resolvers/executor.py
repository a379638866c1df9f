"""Executes the operation of a request for one viewer, and renders the response."""

from collections.abc import Mapping
from typing import Any

from graphql import ExecutionResult, OperationType

from core.auth.viewer import Viewer, ViewerKind
from core.errors import ForbiddenError, UnavailableError
from core.limits import COST_MAX
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.context import RequestContext
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.explain import Explanation
from resolvers.graphql_errors import ErrorCollector, find_too_large, render_error
from resolvers.mutations import execute_mutation
from resolvers.queries import execute_query
from resolvers.single_statement import Fetch, execute_single_statement


async def execute_operation(
    operation: ExecutableOperation,
    context: RequestContext,
    strategy: ExecutionStrategy = ExecutionStrategy.AUTO,
) -> dict[str, Any]:
    """Run an operation. Returns the response as a mapping, with rendered errors."""
    request = operation.request
    if request.wants_explanation or request.requested_strategy:
        _require_platform(context)
        context.explained = {} if request.wants_explanation else None
    if operation.type is OperationType.MUTATION:
        result = await execute_mutation(operation, context)
    else:
        result = await execute_query(operation, context, request.requested_strategy or strategy)
    extensions = _render_extensions(operation, context.explained)
    if context.transaction is not None:
        extensions["transaction"] = context.transaction
    if result.errors and context.committed:
        extensions["committed"] = context.committed
    return _render_response(result, context.errors, extensions)


async def execute_in_one_statement(
    operation: ExecutableOperation, viewer: Viewer, fetch: Fetch, errors: ErrorCollector
) -> dict[str, Any] | None:
    """Run an operation by one statement, for a user. None if one statement is not enough."""
    if operation.request.wants_explanation or "way" in operation.request.extensions:
        return None
    result = await execute_single_statement(operation, viewer, fetch)
    return None if result is None else _render_response(result, errors, _render_extensions(operation, None))


def _require_platform(context: RequestContext) -> None:
    if context.viewer is None or context.viewer.kind is not ViewerKind.PLATFORM:
        raise ForbiddenError("Only the platform may use extensions.explain and extensions.way")


def _render_extensions(
    operation: ExecutableOperation, explained: Mapping[str, Explanation] | None
) -> dict[str, Any]:
    extensions: dict[str, Any] = {}
    if operation.request.wants_cost:
        extensions["cost"] = {"estimated": operation.cost, "allowed": COST_MAX}
    if explained is not None:
        extensions["explain"] = explained
    return extensions


def _render_response(
    result: ExecutionResult, errors: ErrorCollector, extensions: Mapping[str, Any]
) -> dict[str, Any]:
    response: dict[str, Any] = {}
    if too_large := find_too_large(result.errors):
        result = ExecutionResult(None, [too_large])
    if result.errors:
        for error in result.errors:
            if isinstance(error.original_error, UnavailableError):
                raise error.original_error
        response["errors"] = [render_error(error, errors) for error in result.errors]
    # A request that failed before its first field has no data at all (GraphQL specification, 7.1.1).
    if result.data is not None or not result.errors or any(error.path for error in result.errors):
        response["data"] = result.data
    if extensions:
        response["extensions"] = extensions
    return response
