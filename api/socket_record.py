"""What is known of one socket in the end, and the one line that the log has of it."""

from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import structlog

from core.errors import InternalError, ProductError
from core.tokens import Identity
from core.viewer import Viewer, ViewerKind
from resolvers.faults import Faults
from subscriptions.socket.messages import Close

_log: Final = structlog.get_logger("graphql")


@dataclass(slots=True)
class SocketRecord:
    """Filled in while the socket is open.

    Attributes:
        request_id: That of the handshake; its operations' are this, a slash and a number.
        identity: Whose it is, by the token; None for an anonymous caller.
        viewer: The same, signed in.
        operations: How many operations the client has asked for.
    """

    request_id: str
    identity: Identity | None = None
    viewer: Viewer | None = None
    operations: int = 0
    _faults: Faults | None = None
    _began: float = field(default_factory=perf_counter)

    def told(self, error: Exception) -> ProductError:
        """What the client is told of an error that ends the socket; a fault of ours is taken down."""
        if isinstance(error, ProductError) and not isinstance(error, InternalError):
            return error
        self._faults = self._faults or Faults()
        return self._faults.note(error)

    def end(self, end: Close) -> None:
        """The socket has ended so: write the line."""
        story = self._faults.story() if self._faults else None
        if self._faults is None or self._faults.told is None:
            _log.info("socket", **self._facts(end))
        else:
            _log.error("socket", **self._facts(end), error_id=self._faults.told.error_id, exc_info=story)

    def _facts(self, end: Close) -> dict[str, object]:
        identity = self.identity
        return {
            "request_id": self.request_id,
            "viewer": identity.kind.value if identity else "anonymous",
            "user_id": identity.subject if identity and identity.kind is ViewerKind.USER else None,
            "tenant_id": self.viewer.tenant_id if self.viewer else None,
            "code": int(end.code),
            "reason": end.reason,
            "duration_ms": round((perf_counter() - self._began) * 1000, 2),
            "operations": self.operations,
        }
