"""Turns exceptions into GraphQL errors: what the client sees of an error, and what the log keeps.

A client gets the code and the message of a `ProductError`. It gets one id for all internal errors of its request.
The log gets their tracebacks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import GraphQLError

from core.errors import (
    AnswerTooLargeError,
    BadUserInputError,
    InternalError,
    ProductError,
    QueryTooComplexError,
)
from resolvers.error_redaction import redact_message

_CAUSES_MAX: Final = 3
"""The internal errors that are kept in full. If a thousand rows fail, they fail for the same reason."""


@dataclass(slots=True)
class ErrorCollector:
    """The internal errors of one request. The client sees one id for all of them.

    Attributes:
        reported: The error for the client. None while nothing has failed.
        causes: The first few exceptions.
        paths: Their paths in the answer, as GraphQL writes paths, joined by dots.
    """

    reported: InternalError | None = None
    causes: list[BaseException] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def record(self, cause: BaseException, path: Sequence[str | int] = ()) -> InternalError:
        """Record an internal error. Returns the error for the client."""
        if self.reported is None:
            self.reported = cause if isinstance(cause, InternalError) else InternalError()
        if len(self.causes) < _CAUSES_MAX and cause not in self.causes:
            self.causes.append(cause)
            self.paths.append(".".join(map(str, path)))
        return self.reported

    def build_traceback(self) -> BaseException | None:
        """The exceptions as one, for a traceback of all of them."""
        if len(self.causes) < 2:
            return self.causes[0] if self.causes else None
        return BaseExceptionGroup("several fields failed", self.causes)


def render_error(error: GraphQLError, errors: ErrorCollector | None = None) -> dict[str, Any]:
    """Render an error for clients, with a code.

    An internal error is recorded in `errors`, and rendered without detail.
    """
    product_error = _to_product_error(error, errors or ErrorCollector())
    return {**error.formatted, "message": product_error.message, "extensions": product_error.extensions()}


def render_errors(errors: Iterable[GraphQLError]) -> dict[str, Any]:
    """The response to a request that was not executed, because of these errors of the client."""
    return {"errors": [render_error(error) for error in errors]}


def find_too_large(errors: Iterable[GraphQLError] | None) -> GraphQLError | None:
    """The first error of an answer with too many bytes. The rest of such an answer is not worth sending."""
    return next(
        (error for error in errors or () if isinstance(error.original_error, AnswerTooLargeError)), None
    )


def _to_product_error(error: GraphQLError, errors: ErrorCollector) -> ProductError:
    cause = error.original_error
    if isinstance(cause, ProductError):
        return cause
    if isinstance(cause, RecursionError):
        return QueryTooComplexError("The operation is nested too deeply")
    if cause is None or not error.path or (isinstance(cause, GraphQLError) and cause.nodes):
        return BadUserInputError(
            redact_message(error.message)
        )  # an error of the document: its syntax, its types, its values
    return errors.record(cause, error.path)


def render_refusal(error: ProductError) -> dict[str, Any]:
    """The response to a request that is refused as a whole."""
    return {"errors": [{"message": error.message, "extensions": error.extensions()}]}
