"""Runs one operation for one viewer, and renders what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationType

from core.errors import (
    BadUserInputError,
    ForbiddenError,
    LimitExceededError,
    ProductError,
    QueryTooComplexError,
    UnavailableError,
)
from core.limits import COST_MAX
from core.viewer import Viewer, ViewerKind
from resolvers import mutations, ways
from resolvers.alone import Fetch, run_alone
from resolvers.asked import Asked
from resolvers.cost import check_cost
from resolvers.documents import Document
from resolvers.explanations import Explanation
from resolvers.faults import Faults
from resolvers.operation import Operation
from resolvers.quotes import without_quotes
from resolvers.variables import check_query_variables, check_variables
from resolvers.ways import Way


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for, whatever way it came."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wants_cost(self) -> bool:
        """Whether the response is to tell what the operation was estimated to cost."""
        return self.extensions.get("cost") is True

    @property
    def wants_explanation(self) -> bool:
        """Whether the response is to tell how PostgreSQL runs what was compiled; for the platform."""
        return self.extensions.get("explain") is True

    @property
    def wanted_way(self) -> Way | None:
        """The way of running that the request forces; for the platform.

        Raises:
            BadUserInputError: There is no such way.
        """
        wanted = self.extensions.get("way")
        if wanted is None:
            return None
        if wanted not in tuple(Way):
            raise BadUserInputError(f"extensions.way is one of {', '.join(Way)}")
        return Way(wanted)


def estimate(document: Document, request: Request) -> int:
    """What a validated operation costs at most, in rows; asked before a connection is taken, too.

    Raises:
        BadUserInputError: There is no such operation.
        LimitExceededError: It costs too much, or its variables nest too deep.
    """
    definition = document.operation(request.operation_name)
    if definition is None or document.syntax is None:
        raise BadUserInputError("The document has no such operation")
    check_variables(request.variables)
    if definition.operation is not OperationType.MUTATION:
        check_query_variables(request.variables)
    cost = document.cost(definition).estimate(request.variables)
    check_cost(cost)
    return cost


async def run(
    schema: GraphQLSchema,
    document: Document,
    request: Request,
    operation: Operation,
    way: Way = Way.AUTO,
    *,
    estimated: bool = False,
) -> dict[str, Any]:
    """Run a validated operation within the limits; returns the response's map, its errors rendered.

    `estimated` says that `estimate` was asked before.
    """
    try:
        if not estimated:
            estimate(document, request)
    except LimitExceededError as error:
        return refusal(error)
    asked = _asked(schema, document, request)
    if request.wants_explanation or request.wanted_way:
        _require_platform(operation)
        operation.explained = {} if request.wants_explanation else None
    if asked.definition.operation is OperationType.MUTATION:
        result = await mutations.run(asked, operation)
    else:
        result = await ways.run(asked, operation, request.wanted_way or way)
    told = _told_beside(document, request, operation.explained)
    if operation.transaction is not None:
        told["transaction"] = operation.transaction
    return _response(result, operation.faults, told)


async def run_single(
    schema: GraphQLSchema,
    document: Document,
    request: Request,
    viewer: Viewer,
    fetch: Fetch,
    faults: Faults,
) -> dict[str, Any] | None:
    """Run an operation whose cost was estimated by one statement, for a user; None where that cannot be."""
    if request.wants_explanation or "way" in request.extensions:
        return None
    result = await run_alone(_asked(schema, document, request), viewer, fetch)
    return None if result is None else _response(result, faults, _told_beside(document, request, None))


def _asked(schema: GraphQLSchema, document: Document, request: Request) -> Asked:
    definition = document.operation(request.operation_name)
    assert document.syntax is not None  # noqa: S101 - what has been estimated is there
    assert definition is not None  # noqa: S101 - as above
    return Asked(schema, document.syntax, definition, request.variables, document.plans, document.suggests)


def _require_platform(operation: Operation) -> None:
    if operation.viewer is None or operation.viewer.kind is not ViewerKind.PLATFORM:
        raise ForbiddenError("extensions.explain and extensions.way are for the platform alone")


def _told_beside(
    document: Document, request: Request, explained: Mapping[str, Explanation] | None
) -> dict[str, Any]:
    """What the response has beside data and errors."""
    told: dict[str, Any] = {}
    if request.wants_cost:
        told["cost"] = {"estimated": estimate(document, request), "allowed": COST_MAX}
    if explained is not None:
        told["explain"] = explained
    return told


def _response(result: ExecutionResult, faults: Faults, told: Mapping[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {}
    if result.errors:
        for error in result.errors:
            if isinstance(error.original_error, UnavailableError):
                raise error.original_error
        response["errors"] = [render(error, faults) for error in result.errors]
    # A request that failed before its first field has no data at all (GraphQL specification, 7.1.1).
    if result.data is not None or not result.errors or any(error.path for error in result.errors):
        response["data"] = result.data
    if told:
        response["extensions"] = told
    return response


def render(error: GraphQLError, faults: Faults | None = None) -> dict[str, Any]:
    """An error as clients see it, with a code; our own faults, taken down in `faults`, with no detail."""
    told = _told(error, faults or Faults())
    return {**error.formatted, "message": told.message, "extensions": told.extensions()}


def _told(error: GraphQLError, faults: Faults) -> ProductError:
    cause = error.original_error
    if isinstance(cause, ProductError):
        return cause
    if isinstance(cause, RecursionError):
        return QueryTooComplexError("The operation nests deeper than this server can follow")
    if cause is None or not error.path or (isinstance(cause, GraphQLError) and cause.nodes):
        return BadUserInputError(
            without_quotes(error.message)
        )  # of the document: its syntax, its types, its values
    return faults.note(cause, error.path)


def refusal(error: ProductError) -> dict[str, Any]:
    """The response to a request that is refused as a whole."""
    return {"errors": [{"message": error.message, "extensions": error.extensions()}]}
