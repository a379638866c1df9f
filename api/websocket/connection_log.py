"""The record of one finished socket, and its line in the log."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import structlog

from core.auth.tokens import Identity
from core.auth.viewer import Viewer, ViewerKind
from core.errors import InternalError, ProductError
from resolvers.graphql_errors import ErrorCollector
from subscriptions.protocol.messages import Close

_log: Final = structlog.get_logger("graphql")


@dataclass(slots=True)
class ConnectionRecord:
    """Collected while the socket is open.

    Attributes:
        request_id: The handshake's id; its operations add a slash and a number.
        identity: The caller by the token; None for an anonymous caller.
        viewer: The signed-in caller.
        operations: How many operations the client has started.
    """

    request_id: str
    identity: Identity | None = None
    viewer: Viewer | None = None
    operations: int = 0
    _errors: ErrorCollector | None = None
    _started_at: float = field(default_factory=perf_counter)

    def report_error(self, error: Exception) -> ProductError:
        """The error for the client, after an error ended the socket. A fault of the server is recorded."""
        if isinstance(error, ProductError) and not isinstance(error, InternalError):
            return error
        self._errors = self._errors or ErrorCollector()
        return self._errors.record(error)

    def finish(self, end: Close) -> None:
        """Write the log line of the finished socket."""
        traceback = self._errors.build_traceback() if self._errors else None
        if self._errors is None or self._errors.reported is None:
            _log.info("socket", **self._log_fields(end))
        else:
            _log.error(
                "socket", **self._log_fields(end), error_id=self._errors.reported.error_id, exc_info=traceback
            )

    def _log_fields(self, end: Close) -> dict[str, object]:
        identity = self.identity
        return {
            "request_id": self.request_id,
            "viewer": identity.kind.value if identity else "anonymous",
            "user_id": identity.subject if identity and identity.kind is ViewerKind.USER else None,
            "tenant_id": self.viewer.tenant_id if self.viewer else None,
            "code": int(end.code),
            "reason": end.reason,
            "duration_ms": round((perf_counter() - self._started_at) * 1000, 2),
            "operations": self.operations,
        }
