"""The record of one finished request, and its line in the log."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter
from typing import Any, Final

import structlog

from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.database.database import ReadTransaction
from core.database.single_reads import SingleRead
from core.errors import InternalError, ProductError
from core.limits import OPERATION_NAME_LOGGED_MAX
from resolvers.graphql_errors import ErrorCollector

_log: Final = structlog.get_logger("graphql")


class RequestOutcome(StrEnum):
    """How a request ended, in one word, for metrics."""

    OK = "ok"
    PARTIAL = "partial"
    """Data and errors."""
    REFUSED = "refused"
    """No data, because of the client."""
    FAILED = "failed"
    """A fault of the server, with data or without."""
    DISCONNECTED = "gone"
    """The client disconnected before the response."""


@dataclass(slots=True)
class RequestRecord:
    """Collected during the request.

    Attributes:
        request_id: Identifies the request here and at the caller.
        traceparent: The caller's trace, in the form of W3C Trace Context; unchecked.
        identity: The caller by the token; None for an anonymous caller.
        viewer: The signed-in caller; None also if sign-in failed or was not reached.
        operation: The name of the operation in its document; None before it is known, and without a name.
        snapshot: The snapshot that it read.
        strategy: How it was run: `compiled`, `loaders` or `mixed`; None if nothing ran.
        codes: The codes of the response's errors, each once, in order.
        errors: The faults of the server.
        status: The HTTP status; None if the client disconnected, and on sockets.
        validation_s: The CPU time of its document; 0 if that was cached.
        messages: How many messages a subscription sent; None for other operations.
    """

    request_id: str
    traceparent: str | None = None
    identity: Identity | None = None
    viewer: Viewer | None = None
    operation: str | None = None
    snapshot: ReadTransaction | SingleRead | None = None
    strategy: str | None = None
    codes: list[str] = field(default_factory=list)
    errors: ErrorCollector = field(default_factory=ErrorCollector)
    status: int | None = None
    messages: int | None = None
    validation_s: float = 0
    outcome: RequestOutcome = RequestOutcome.DISCONNECTED
    duration_s: float = 0
    _started_at: float = field(default_factory=perf_counter)

    @property
    def statements(self) -> int:
        """How many statements it took, without its sign-in."""
        return self.snapshot.statements if self.snapshot else 0

    @property
    def rows(self) -> int:
        """How many rows the statements returned."""
        return self.snapshot.rows if self.snapshot else 0

    def report_error(self, error: Exception) -> ProductError:
        """The error for the caller, after an error ended the request. A fault of the server is recorded."""
        if isinstance(error, ProductError) and not isinstance(error, InternalError):
            return error
        return self.errors.record(error)

    def finish(self, response: Mapping[str, Any] | None, status: int | None) -> None:
        """Finish with the response's map and its HTTP status; both are None for a client that disconnected."""
        self.duration_s = perf_counter() - self._started_at
        self.status = status
        if response is not None:
            self.codes = list(dict.fromkeys(_iter_error_codes(response.get("errors", ()))))
            self.outcome = self._find_outcome(has_data=_has_data(response))

    def _find_outcome(self, *, has_data: bool) -> RequestOutcome:
        if InternalError.code in self.codes:
            return RequestOutcome.FAILED
        if not self.codes:
            return RequestOutcome.OK
        return RequestOutcome.PARTIAL if has_data else RequestOutcome.REFUSED

    def write_log(self) -> None:
        """Write the log line: an error with its traceback for a fault of the server, else an info."""
        traceback = self.errors.build_traceback()
        if traceback is None:
            _log.info(self._event_name, **self._log_fields())
            return
        log_entry = self.errors.reported
        error_id = log_entry.error_id if log_entry else None
        _log.error(
            self._event_name,
            **self._log_fields(),
            error_id=error_id,
            paths=self.errors.paths,
            exc_info=traceback,
        )

    @property
    def _event_name(self) -> str:
        return "request" if self.messages is None else "subscription"

    def _log_fields(self) -> dict[str, object]:
        viewer, identity = self.viewer, self.identity
        return {
            "request_id": self.request_id,
            "viewer": identity.kind.value if identity else "anonymous",
            "user_id": identity.subject if identity and identity.kind is ViewerKind.USER else None,
            "tenant_id": viewer.tenant_id if viewer else None,
            "operation": self.operation and self.operation[:OPERATION_NAME_LOGGED_MAX],
            "outcome": self.outcome.value,
            "status": self.status,
            "duration_ms": round(self.duration_s * 1000, 2),
            "way": self.strategy,
            "statements": self.statements,
            "rows": self.rows,
            "codes": self.codes,
            **({} if self.messages is None else {"messages": self.messages}),
        }


def _has_data(response: Mapping[str, Any]) -> bool:
    """Whether the response has more than nulls."""
    data = response.get("data")
    return data is not None and (not data or any(value is not None for value in data.values()))


def _iter_error_codes(errors: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (error["extensions"]["code"] for error in errors)


Observer = Callable[[RequestRecord], None]
