"""Requests and responses of agents. A thousand come a second, so no framework parses them."""

import random
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from api.connection_limits import AGENT_MODULE
from api.http_errors import BodyTooLargeError, RefusedRequestError
from core.errors import (
    BadUserInputError,
    InternalError,
    ProductError,
    RateLimitedError,
    UnauthenticatedError,
    UnavailableError,
)
from core.limits import AGENT_BODY_MAX_BYTES, OVERLOAD_RETRY_S

_JSON: Final = (b"content-type", b"application/json")
_NAME_CHARS: Final = 50
"""Characters of an unknown path that the error repeats."""
_NO_STORE: Final = (b"cache-control", b"no-store")
_STATUS_LINES: Final = {
    401: [(b"www-authenticate", b"Bearer")],
}


class UnknownPathError(BadUserInputError):
    """There is no route for this path."""

    status = 404


class CallRateError(RateLimitedError):
    """The caller has exceeded its rate limit."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("Too many requests.")
        self.wait_s = wait_s


class ClientDisconnectedError(Exception):
    """The client disconnected before its request was complete."""


class AgentCall:
    """One request.

    Attributes:
        name: The last part of its path.
        path: Its path.
        method: Its method.
        began_at: When it arrived, in seconds of the monotonic clock.
        read: The parsed body; None until it is read.
        scope: The ASGI scope.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.path: str = scope["path"]
        self.name = self.path.rsplit("/", 1)[-1][:_NAME_CHARS]
        self.method: str = scope["method"]
        self.began_at = time.monotonic()
        self.read: Any = None
        self._headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive

    def read_header(self, name: bytes) -> str | None:
        """A header's value; `name` is in lower case.

        Raises:
            BadUserInputError: The header is present more than once.
        """
        values = [value for key, value in self._headers if key == name]
        if len(values) > 1:
            raise BadUserInputError(f"The header {name.decode()} must be sent only once.")
        return values[0].decode("latin-1") if values else None

    def sends_ids_only(self) -> bool:
        """Whether the headers have an agent's ids and no token. Other calls without a token are refused at once."""
        names = {key for key, _ in self._headers}
        return b"authorization" not in names and names >= {b"x-device-id", b"x-site-id"}

    def read_token(self) -> str:
        """The bearer token.

        Raises:
            UnauthenticatedError: There is none, or more than one.
        """
        values = [value for key, value in self._headers if key == b"authorization"]
        scheme, _, token = (
            values[0].decode("latin-1").strip().partition(" ") if len(values) == 1 else ("",) * 3
        )
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError("Missing token: send `Authorization: Bearer <token>`.")
        return token.strip()

    async def read_json(self) -> dict[str, Any]:
        """Read and parse the body, once.

        Raises:
            BadUserInputError: It is too long, or not a JSON object.
            ClientLeftError: The client disconnected before the body was complete.
        """
        if isinstance(self.read, dict):
            return self.read
        try:
            self.read = orjson.loads(await self._read_body())
        except orjson.JSONDecodeError as error:
            raise BadUserInputError(f"The body must be JSON: {error.msg}") from None
        if not isinstance(self.read, dict):
            raise BadUserInputError("The body must be a JSON object.")
        return self.read

    async def _read_body(self) -> bytes:
        received, more = b"", True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnectedError
            received += message.get("body", b"")
            more = message.get("more_body", False)
            if len(received) > AGENT_BODY_MAX_BYTES or (more and self._is_declared_too_large()):
                raise BodyTooLargeError(AGENT_BODY_MAX_BYTES)
        return received

    def _is_declared_too_large(self) -> bool:
        length = self.read_header(b"content-length") or ""
        return length.isdecimal() and int(length[:20]) > AGENT_BODY_MAX_BYTES

    def measure_elapsed_ms(self) -> int:
        """Milliseconds since the request arrived."""
        return int((time.monotonic() - self.began_at) * 1000)


def build_error_body(error: ProductError, context: str) -> dict[str, Any]:
    """The body of an error response, in the form that agents expect."""
    fields = {"module": AGENT_MODULE, "context": context, "message": error.message, "code": str(error.status)}
    if isinstance(error, InternalError) and not isinstance(error, UnavailableError):
        fields["message"] = f"{error.message} ({error.error_id})"
    return {"error": fields}


async def send_error(send: Send, error: ProductError, context: str) -> None:
    """Send an error response."""
    headers = list(_STATUS_LINES.get(error.status, ()))
    if isinstance(error, CallRateError):
        headers.append(_retry_after(error.wait_s + 1))
    elif isinstance(error, RateLimitedError) and error.retry_after_s is not None:
        headers.append(_retry_after(error.retry_after_s))
    if isinstance(error, UnavailableError):
        headers.append(_retry_after(OVERLOAD_RETRY_S * random.uniform(0.5, 1.5)))  # noqa: S311 - spreads retries
    if isinstance(error, RefusedRequestError):
        headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    await send_json(send, error.status, build_error_body(error, context), headers)


def _retry_after(seconds: float) -> tuple[bytes, bytes]:
    return b"retry-after", str(int(seconds)).encode()


async def send_json(
    send: Send, status: int, answer: Mapping[str, Any], headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Send a JSON response."""
    body = orjson.dumps(answer)
    length = (b"content-length", str(len(body)).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [_JSON, _NO_STORE, length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})
