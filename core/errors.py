"""The errors that a caller can cause, each with the code that clients evaluate.

They are raised anywhere and rendered in two places: GraphQL (`extensions.code`) and plain HTTP (the status). Any
exception that is not a `ProductError` is a fault of the server and is shown as `InternalError`.
"""

import uuid
from collections.abc import Iterable, Mapping
from enum import StrEnum
from math import ceil
from typing import ClassVar

from core.limits import ANSWER_BYTES_MAX, STATEMENT_TIMEOUT_MS


class ProductError(Exception):
    """An error that the caller receives unchanged.

    `code` is GraphQL's `extensions.code`. `status` is the HTTP status if a whole request is refused. `fields` has a
    message for each invalid field of the input, by its path.
    """

    code: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})

    def extensions(self) -> dict[str, object]:
        """The `extensions` of the GraphQL error: the code, and the invalid fields if they are known."""
        return {"code": self.code, "fields": self.fields} if self.fields else {"code": self.code}


class AccessRefusal(StrEnum):
    """Why a caller cannot sign in, for programs: `extensions.reason` of an error, and the word of a close reason."""

    MISSING = "TOKEN_MISSING"
    """The request has no token."""
    EXPIRED = "TOKEN_EXPIRED"
    """The token has expired, and no new one came."""
    INVALID = "TOKEN_INVALID"
    """The token's signature or one of its claims is not accepted."""
    INACTIVE = "VIEWER_INACTIVE"
    """The user, the role, the tenant or the platform token does not exist or is not active."""


class UnauthenticatedError(ProductError):
    """There are no credentials, or none that can be accepted. `reason` tells programs why."""

    code = "UNAUTHENTICATED"
    status = 401

    def __init__(self, message: str, reason: AccessRefusal = AccessRefusal.INVALID) -> None:
        super().__init__(message)
        self.reason = reason

    def extensions(self) -> dict[str, object]:
        """The code and the reason."""
        return {**super().extensions(), "reason": self.reason.value}


def build_missing_token_error() -> UnauthenticatedError:
    """The error for an operation that needs a viewer, if the request has no token."""
    return UnauthenticatedError("Authentication required: send a bearer token", AccessRefusal.MISSING)


class ForbiddenError(ProductError):
    """The viewer is known, but lacks the right to do this.

    `right` is a right that the viewer lacks. If any of several rights would do, `any_of` has them instead. Without
    both, no right would do: the platform alone may do it, for example.
    """

    code = "FORBIDDEN"
    status = 403

    def __init__(self, message: str, right: str | None = None, *, any_of: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.right = right
        self.any_of = tuple(any_of)

    def extensions(self) -> dict[str, object]:
        """The code, and `right` or `rights` if the viewer lacks some."""
        right = {} if self.right is None else {"right": self.right}
        rights = {"rights": list(self.any_of)} if self.any_of else {}
        return {**super().extensions(), **right, **rights}


class NotFoundError(ProductError):
    """The row does not exist, or belongs to another tenant. The error is the same for both."""

    code = "NOT_FOUND"
    status = 404


class BadUserInputError(ProductError):
    """The request is malformed."""

    code = "BAD_USER_INPUT"
    status = 400


class ConflictError(ProductError):
    """Another write was faster, or the value is taken."""

    code = "CONFLICT"
    status = 409


class RowChangedError(ConflictError):
    """The row has another `updatedAt` than the client expected. `updated_at` is its present value, in ms."""

    def __init__(self, message: str, updated_at: int) -> None:
        super().__init__(message, {"ifUpdatedAt": f"must be the current `updatedAt`: {updated_at}"})
        self.updated_at = updated_at

    def extensions(self) -> dict[str, object]:
        """The code, the invalid field, and the row's present `updatedAt`."""
        return {**super().extensions(), "updatedAt": self.updated_at}


class WriteContentionError(ConflictError):
    """Other transactions locked or changed the same rows for too long.

    The request is valid, and a retry may succeed.
    """


class CursorExpiredError(ProductError):
    """The events after a stream's cursor are no longer in the log.

    The caller reads anew and starts without a cursor.
    """

    code = "CURSOR_EXPIRED"
    status = 410


class RateLimitedError(ProductError):
    """Too many requests, or too much work for one caller. `retry_after_s` is when to retry, if it is known."""

    code = "RATE_LIMITED"
    status = 429

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = None if retry_after_s is None else max(1, ceil(retry_after_s))

    def extensions(self) -> dict[str, object]:
        """The code, and the whole seconds to wait as `retryAfter`, if they are known."""
        waiting = {} if self.retry_after_s is None else {"retryAfter": self.retry_after_s}
        return {**super().extensions(), **waiting}


class QueryTooComplexError(ProductError):
    """The document exceeds a limit. The message has the limit, its value and the query's actual value."""

    code = "QUERY_TOO_COMPLEX"
    status = 400


class LimitExceededError(QueryTooComplexError):
    """One limit is exceeded. `limit` is its name for programs, `description` names the counted thing in words.

    `advice` says what to change, as a sentence.
    """

    def __init__(self, limit: str, allowed: int, actual: int, description: str, advice: str = "") -> None:
        super().__init__(
            f"The request has {actual} {description}; the limit {limit} allows {allowed}"
            + (f". {advice}" if advice else "")
        )
        self.limit = limit
        self.allowed = allowed
        self.actual = actual

    def extensions(self) -> dict[str, object]:
        """The code, the limit with its value, and the request's actual value."""
        numbers = {"allowed": self.allowed, "actual": self.actual}
        return {"code": self.code, "limit": self.limit, **numbers}


class AnswerTooLargeError(QueryTooComplexError):
    """What the database sends for an answer, or the answer itself, has too many bytes."""

    def __init__(self) -> None:
        super().__init__(
            f"The answer has more than {ANSWER_BYTES_MAX} bytes; select fewer rows, or fewer long values"
        )

    def extensions(self) -> dict[str, object]:
        """The code, and the limit with its value."""
        return {"code": self.code, "limit": "answerBytes", "allowed": ANSWER_BYTES_MAX}


class StatementTimeoutError(QueryTooComplexError):
    """PostgreSQL exceeded the statement timeout."""

    def __init__(self) -> None:
        super().__init__(f"A statement of this operation took longer than {STATEMENT_TIMEOUT_MS} ms")


def require_within_limit(limit: str, allowed: int, actual: int, description: str, advice: str = "") -> None:
    """Check a limit.

    Raises:
        LimitExceededError: It is exceeded.
    """
    if actual > allowed:
        raise LimitExceededError(limit, allowed, actual, description, advice)


class InternalError(ProductError):
    """A fault of the server. The caller gets no details, only an id under which the log has the full error."""

    code = "INTERNAL"
    status = 500

    def __init__(self, message: str = "Internal error.") -> None:
        super().__init__(message)
        self.error_id = str(uuid.uuid4())

    def extensions(self) -> dict[str, object]:
        """The code and the error's id."""
        return {"code": self.code, "errorId": self.error_id}


class UnavailableError(InternalError):
    """A dependency, such as the database, does not answer. A retry may succeed."""

    status = 503


class StartupError(Exception):
    """The server cannot start. The message is the one line that the operator reads."""


class FileRefusedError(StartupError):
    """A file given to a command cannot be used. The message is the one line that the operator reads."""
