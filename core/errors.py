"""The errors that a caller can cause, each with the code that clients switch on.

Raised anywhere, rendered in two places: GraphQL (`extensions.code`) and plain HTTP (the status).
Anything that is not a `ProductError` is our own fault and is shown as `InternalError`.
"""

import uuid
from collections.abc import Mapping
from typing import ClassVar

from core.limits import STATEMENT_TIMEOUT_MS


class ProductError(Exception):
    """A refusal that is told to the caller as it stands.

    `code` is GraphQL's `extensions.code`, `status` the HTTP status where a whole request is refused;
    `fields` gives a message for each field of the input that is to blame, by its path.
    """

    code: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})

    def extensions(self) -> dict[str, object]:
        """What stands under `extensions` of the GraphQL error: the code, and the bad fields where they are known."""
        return {"code": self.code, "fields": self.fields} if self.fields else {"code": self.code}


class UnauthenticatedError(ProductError):
    """Nobody, or nobody whom we can accept, is asking."""

    code = "UNAUTHENTICATED"
    status = 401


class ForbiddenError(ProductError):
    """The viewer is known and may not do this."""

    code = "FORBIDDEN"
    status = 403


class NotFoundError(ProductError):
    """The row is not there, or is another tenant's: the two answer alike."""

    code = "NOT_FOUND"
    status = 404


class BadUserInputError(ProductError):
    """The request is malformed."""

    code = "BAD_USER_INPUT"
    status = 400


class ConflictError(ProductError):
    """Somebody else was faster, or the value is taken."""

    code = "CONFLICT"
    status = 409


class InTheWayError(ConflictError):
    """Others held or changed the same for too long: the request is right, and a later try may succeed."""


class CursorExpiredError(ProductError):
    """What followed the cursor of a stream is no longer known: the caller reads anew, and begins without it."""

    code = "CURSOR_EXPIRED"
    status = 410


class RateLimitedError(ProductError):
    """Too many requests."""

    code = "RATE_LIMITED"
    status = 429


class QueryTooComplexError(ProductError):
    """The document exceeds a limit; the message names it, its value and what the query had."""

    code = "QUERY_TOO_COMPLEX"
    status = 400


class LimitExceededError(QueryTooComplexError):
    """One limit is exceeded; `limit` is its name for programs, `of` says in words what it counts."""

    def __init__(self, limit: str, allowed: int, actual: int, of: str) -> None:
        super().__init__(f"The request has {actual} {of}; the limit {limit} allows {allowed}")
        self.limit = limit
        self.allowed = allowed
        self.actual = actual

    def extensions(self) -> dict[str, object]:
        """The code, and the limit with its value and what the request had."""
        numbers = {"allowed": self.allowed, "actual": self.actual}
        return {"code": self.code, "limit": self.limit, **numbers}


class StatementTimeoutError(QueryTooComplexError):
    """PostgreSQL took longer than it may."""

    def __init__(self) -> None:
        super().__init__(f"A statement of this operation took longer than {STATEMENT_TIMEOUT_MS} ms")


def refuse_beyond(limit: str, allowed: int, actual: int, of: str) -> None:
    """Make sure that a limit is kept.

    Raises:
        LimitExceededError: It is not.
    """
    if actual > allowed:
        raise LimitExceededError(limit, allowed, actual, of)


class InternalError(ProductError):
    """Our own fault: told without detail, but with an id under which the log has the whole story."""

    code = "INTERNAL"
    status = 500

    def __init__(self, message: str = "Something went wrong on our side.") -> None:
        super().__init__(message)
        self.error_id = str(uuid.uuid4())

    def extensions(self) -> dict[str, object]:
        """The code, and the id."""
        return {"code": self.code, "errorId": self.error_id}


class UnavailableError(InternalError):
    """Something that we need, such as the database, does not answer; a later try may succeed."""

    status = 503


class StartupError(Exception):
    """The server cannot start; the message is the one line that the operator reads."""


class FileRefusedError(StartupError):
    """A file given to a command cannot be used; the message is the one line that the operator reads."""
