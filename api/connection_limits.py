"""The limits of connections in bytes and seconds, and the reasons for refusing a connection."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

import orjson

from core.limits import (
    HTTP_BYTES_A_SECOND,
    HTTP_CONNECTIONS_MAX,
    HTTP_HEAD_S,
    HTTP_KEEP_ALIVE_S,
    HTTP_REQUEST_S,
    HTTP_STALLED_S,
    HTTP_SWEEP_S,
    UNFINISHED_BYTES_MAX,
    UNFINISHED_SIGNED_BYTES_MAX,
    UNREAD_BYTES_MAX,
)

AGENT_PREFIX: Final = "/v1.0/"
AGENT_MODULE: Final = "agents"
"""The value of `module` in the errors of the agents' API."""
_REASON_PHRASES: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of one server's connections: the values of `core.limits`, unless a test needs shorter ones.

    Attributes:
        head_s: Seconds without a request on a new connection, and for a request's head.
        keep_alive_s: Seconds between a response and the next request.
        request_s: Seconds for a body to arrive, and for a response to be read.
        stalled_s: Seconds of the window in which both must make progress.
        bytes_a_second: The least progress in that window.
        sweep_s: Seconds between two checks.
        connections: HTTP connections at once.
        unfinished_bytes: Bytes of unfinished requests and messages without a verified token.
        signed_bytes: The same with a verified token.
        unread_bytes: Bytes of HTTP responses that their clients have not read yet.
    """

    head_s: float = HTTP_HEAD_S
    keep_alive_s: float = HTTP_KEEP_ALIVE_S
    request_s: float = HTTP_REQUEST_S
    stalled_s: float = HTTP_STALLED_S
    bytes_a_second: float = HTTP_BYTES_A_SECOND
    sweep_s: float = HTTP_SWEEP_S
    connections: int = HTTP_CONNECTIONS_MAX
    unfinished_bytes: int = UNFINISHED_BYTES_MAX
    signed_bytes: int = UNFINISHED_SIGNED_BYTES_MAX
    unread_bytes: int = UNREAD_BYTES_MAX


class _Answer(NamedTuple):
    status: int
    code: str
    message: str


class Refusal(Enum):
    """Why a connection is refused. The name in lower case is the metric's label; the value is the HTTP response."""

    HEAD_TIMEOUT = _Answer(408, "BAD_USER_INPUT", "The headers of the request did not arrive in time")
    BODY_TIMEOUT = _Answer(408, "BAD_USER_INPUT", "The body of the request did not arrive in time")
    HEAD_SIZE = _Answer(431, "BAD_USER_INPUT", "The headers of the request are too large")
    FRAMING_SIZE = _Answer(413, "BAD_USER_INPUT", "The chunk extensions or trailers are too large")
    BODY_SIZE = _Answer(413, "BAD_USER_INPUT", "The body of the request is too large")
    MALFORMED = _Answer(400, "BAD_USER_INPUT", "The request must be valid HTTP/1.1")
    HOST = _Answer(400, "BAD_USER_INPUT", "The request must have one valid Host header")
    PIPELINING = _Answer(503, "RATE_LIMITED", "Too many requests are queued on this connection")
    CONNECTIONS = _Answer(503, "RATE_LIMITED", "Too many connections are open")
    UNFINISHED_BYTES = _Answer(503, "RATE_LIMITED", "Too many requests are incomplete")
    SHUTDOWN = _Answer(503, "RATE_LIMITED", "The server is shutting down")
    RESPONSE_TIMEOUT = _Answer(0, "", "The client did not read its response in time")
    UNREAD_BYTES = _Answer(0, "", "Too many responses are waiting for slow clients")
    MESSAGE_FRAGMENTS = _Answer(0, "", "The message has too many fragments")
    MESSAGE_TIMEOUT = _Answer(0, "", "The message did not arrive in time")

    @property
    def label(self) -> str:
        """Its name in metrics and in the log."""
        return self.name.lower()

    def render_response(self, path: str, retry_after_s: int) -> bytes:
        """The whole HTTP response, in the form of the API that `path` belongs to."""
        status, code, message = self.value
        body = orjson.dumps(_build_agent_error(path, status, message) if path.startswith(AGENT_PREFIX) else
                            {"errors": [{"message": message, "extensions": {"code": code}}]})  # fmt: skip
        retry = f"Retry-After: {retry_after_s}\r\n" if status == 503 else ""
        head = (
            f"HTTP/1.1 {status} {_REASON_PHRASES[status]}\r\nContent-Type: application/json\r\n"
            f"Cache-Control: no-store\r\n{retry}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _build_agent_error(path: str, status: int, message: str) -> dict[str, object]:
    context = path.rsplit("/", 1)[-1][:50]
    return {"error": {"module": AGENT_MODULE, "context": context, "message": message, "code": str(status)}}
