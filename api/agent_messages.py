"""HTTP as agents speak it: requests read without a framework's help, as a thousand come a second, and answers."""

import random
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from starlette.types import Receive, Scope, Send

from core.errors import (
    BadUserInputError,
    InternalError,
    ProductError,
    RateLimitedError,
    UnauthenticatedError,
    UnavailableError,
)
from core.limits import AGENT_BODY_MAX_BYTES, SHED_RETRY_S

MODULE: Final = "agents"
_JSON: Final = (b"content-type", b"application/json")
_NAME_CHARS: Final = 50
"""Of a path that is none of ours so much is told back."""
_NO_STORE: Final = (b"cache-control", b"no-store")
_OF_STATUS: Final = {
    401: [(b"www-authenticate", b"Bearer")],
    413: [(b"connection", b"close")],
}


class AgentBodyTooLargeError(BadUserInputError):
    """The body exceeds `AGENT_BODY_MAX_BYTES`; the rest of it is not read."""

    status = 413


class NoSuchCallError(BadUserInputError):
    """There is nothing under this path."""

    status = 404


class CallMethodError(BadUserInputError):
    """Not a method of this path; all take POST."""

    status = 405


class TooManyCallsError(RateLimitedError):
    """The caller has used up what it may call."""

    def __init__(self, wait_s: float) -> None:
        super().__init__("Too many calls.")
        self.wait_s = wait_s


class ClientLeftError(Exception):
    """The client went away before its request was complete."""


class Call:
    """One request.

    Attributes:
        name: The last part of its path.
        path: Its path.
        method: Its method.
        began_at: When it came, in seconds of the monotonic clock.
        read: What its body says; None as long as it was not read.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.path: str = scope["path"]
        self.name = self.path.rsplit("/", 1)[-1][:_NAME_CHARS]
        self.method: str = scope["method"]
        self.began_at = time.monotonic()
        self.read: Any = None
        self._headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive

    def header(self, name: bytes) -> str | None:
        """A header's value, `name` in lower case.

        Raises:
            BadUserInputError: It stands more than once.
        """
        values = [value for key, value in self._headers if key == name]
        if len(values) > 1:
            raise BadUserInputError(f"The header {name.decode()} stands more than once.")
        return values[0].decode("latin-1") if values else None

    def token(self) -> str:
        """The bearer token.

        Raises:
            UnauthenticatedError: There is none, or not exactly one.
        """
        values = [value for key, value in self._headers if key == b"authorization"]
        scheme, _, token = (
            values[0].decode("latin-1").strip().partition(" ") if len(values) == 1 else ("",) * 3
        )
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError("Send a token: `Authorization: Bearer <token>`.")
        return token.strip()

    async def given(self) -> dict[str, Any]:
        """What the body says.

        Raises:
            BadUserInputError: It is too long, or not a JSON object.
            ClientLeftError: It did not come whole.
        """
        try:
            self.read = orjson.loads(await self._body())
        except orjson.JSONDecodeError as error:
            raise BadUserInputError(f"The body is not JSON: {error.msg}") from None
        if not isinstance(self.read, dict):
            raise BadUserInputError("The body is not a JSON object.")
        return self.read

    async def _body(self) -> bytes:
        received, more = b"", True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientLeftError
            received += message.get("body", b"")
            more = message.get("more_body", False)
            if len(received) > AGENT_BODY_MAX_BYTES:
                raise AgentBodyTooLargeError(f"The body has more than {AGENT_BODY_MAX_BYTES} bytes.")
        return received

    def elapsed_ms(self) -> int:
        """For how long it has been here."""
        return int((time.monotonic() - self.began_at) * 1000)


def error_body(error: ProductError, context: str) -> dict[str, Any]:
    """An error in the shape that agents know."""
    told = {"module": MODULE, "context": context, "message": error.message, "code": str(error.status)}
    if isinstance(error, InternalError) and not isinstance(error, UnavailableError):
        told["message"] = f"{error.message} ({error.error_id})"
    return {"error": told}


async def refuse(send: Send, error: ProductError, context: str) -> None:
    """Answer with an error."""
    headers = list(_OF_STATUS.get(error.status, ()))
    if isinstance(error, TooManyCallsError):
        headers.append(_retry_after(error.wait_s + 1))
    if isinstance(error, UnavailableError):
        headers.append(_retry_after(SHED_RETRY_S * random.uniform(0.5, 1.5)))  # noqa: S311 - so that not all come back at once
    if isinstance(error, CallMethodError):
        headers.append((b"allow", b"POST"))
    await respond(send, error.status, error_body(error, context), headers)


def _retry_after(seconds: float) -> tuple[bytes, bytes]:
    return b"retry-after", str(int(seconds)).encode()


async def respond(
    send: Send, status: int, answer: Mapping[str, Any], headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """Answer with JSON."""
    body = orjson.dumps(answer)
    length = (b"content-length", str(len(body)).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [_JSON, _NO_STORE, length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})
