"""Runs one operation for one viewer, and renders what went wrong."""

import uuid
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from graphql import DocumentNode, ExecutionResult, GraphQLError, GraphQLSchema, execute

from core.errors import BadUserInputError, ProductError
from resolvers.operation import Operation

_LOG: Final = structlog.get_logger("graphql")


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for, whatever way it came."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None


async def run(
    schema: GraphQLSchema, syntax: DocumentNode, request: Request, operation: Operation
) -> dict[str, Any]:
    """Execute a validated operation; returns the response's map, its errors rendered."""
    result = execute(
        schema,
        syntax,
        context_value=operation,
        variable_values=dict(request.variables),
        operation_name=request.operation_name,
    )
    if isinstance(result, Awaitable):
        result = await result
    return _response(result)


def _response(result: ExecutionResult) -> dict[str, Any]:
    response: dict[str, Any] = {}
    if result.errors:
        response["errors"] = [render(error) for error in result.errors]
    # A request that failed before its first field has no data at all (GraphQL specification, 7.1.1).
    if result.data is not None or not result.errors or any(error.path for error in result.errors):
        response["data"] = result.data
    return response


def render(error: GraphQLError) -> dict[str, Any]:
    """An error as clients see it: with a code; our own faults with an id that the log has, and no detail."""
    formatted: dict[str, Any] = dict(error.formatted)
    cause = error.original_error
    if isinstance(cause, ProductError):
        formatted["extensions"] = cause.extensions()
    elif cause is None or not error.path:
        formatted["extensions"] = {"code": BadUserInputError.code}
    else:
        error_id = str(uuid.uuid4())
        _LOG.error("operation failed", error_id=error_id, path=error.path, exc_info=cause)
        formatted["message"] = "Something went wrong on our side"
        formatted["extensions"] = {"code": "INTERNAL", "errorId": error_id}
    return formatted


def refusal(error: ProductError) -> dict[str, Any]:
    """The response to a request that is refused as a whole."""
    return {"errors": [{"message": error.message, "extensions": error.extensions()}]}
