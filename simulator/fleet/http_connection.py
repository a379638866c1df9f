"""A persistent HTTP/1.1 connection: one request at a time, thousands a second."""

import asyncio
from contextlib import suppress
from typing import Final, NamedTuple, cast

from httptools import HttpParserError, HttpResponseParser

from simulator.fleet.server_address import ServerAddress

RESPONSE_TIMEOUT_S: Final = 15.0
"""How long an agent waits for a connection, and for a response: a quarter of the time to its next check-in."""


class CallFailedError(Exception):
    """A request without a response; `reason` is a word or two for the counts."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _ConnectionClosedError(Exception):
    """The server closed the connection before the first byte of the response."""


class HttpResponse(NamedTuple):
    """A server's response; `retry_after_s` is 0 without such a header."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


class HttpConnection:
    """A connection to a server, opened on demand, and opened again after it was closed."""

    def __init__(self, origin: ServerAddress, patience_s: float = RESPONSE_TIMEOUT_S) -> None:
        self._origin = origin
        self._patience_s = patience_s
        self._protocol: _HttpClientProtocol | None = None

    async def send_request(self, request: bytes) -> HttpResponse:
        """Send a request, and wait for its response.

        If the server has closed the idle connection, the request is sent once more. Requests must be safe to
        repeat.

        Raises:
            CallFailedError: There was no response.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._send_once(request)
        except TimeoutError:
            is_sent = self._protocol is not None and self._protocol.is_busy
            raise CallFailedError("timed out" if is_sent else "no connection in time") from None
        except ConnectionRefusedError:
            raise CallFailedError("refused") from None
        except (_ConnectionClosedError, ConnectionError, HttpParserError):
            raise CallFailedError("connection lost") from None
        except OSError as error:
            raise CallFailedError(f"unreachable: {type(error).__name__}") from error
        finally:
            if self._protocol is not None and self._protocol.is_busy:
                self.close()

    async def _send_once(self, request: bytes) -> HttpResponse:
        if self._protocol is not None and self._protocol.is_open:
            with suppress(_ConnectionClosedError):
                return await self._protocol.send_request(request)
        origin = self._origin
        _, self._protocol = await asyncio.get_running_loop().create_connection(
            _HttpClientProtocol, origin.host, origin.port, ssl=origin.tls
        )
        return await self._protocol.send_request(request)

    def close(self) -> None:
        """Close the connection."""
        if self._protocol is not None:
            self._protocol.close()
            self._protocol = None


class ConnectionPool:
    """A pool of connections, as few as possible, so that they stay open."""

    def __init__(self, origin: ServerAddress, most: int) -> None:
        """`most` is the maximum number of connections."""
        self._origin = origin
        self._left = most
        self._idle: list[HttpConnection] = []

    def acquire(self) -> HttpConnection | None:
        """The connection that was returned last, or a new one; None if all are in use."""
        if self._idle:
            return self._idle.pop()
        if not self._left:
            return None
        self._left -= 1
        return HttpConnection(self._origin)

    def release(self, line: HttpConnection) -> None:
        """Return a connection to the pool."""
        self._idle.append(line)

    def close(self) -> None:
        """Close all connections in the pool."""
        for line in self._idle:
            line.close()


class _HttpClientProtocol(asyncio.Protocol):
    """One connection; the parser calls the `on_...` methods."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[HttpResponse] | None = None
        self._has_received = False
        self._body = b""
        self._retry_after_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the connection is open, as far as this side can detect."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_busy(self) -> bool:
        """Whether a response is pending."""
        return self._waiting is not None

    async def send_request(self, request: bytes) -> HttpResponse:
        """Send a request and return its response.

        Raises:
            _UnheardError: The connection was closed before the first byte of the response.
            ConnectionResetError: It was closed before the response was complete.
            HttpParserError: The response is not valid HTTP.
        """
        assert self._transport is not None  # noqa: S101 - it is connected
        self._waiting = asyncio.get_running_loop().create_future()
        self._has_received, self._body, self._retry_after_s = False, b"", 0.0
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Close the connection, and drop the pending response."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes."""
        self._has_received = True
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._fail(error)
            self.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """Fail the pending request."""
        self._transport = None
        self._fail(ConnectionResetError() if self._has_received else _ConnectionClosedError())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store `Retry-After` in seconds. It may also be a date, which our server does not send."""
        if name.lower() == b"retry-after" and value.isdigit():
            self._retry_after_s = float(value)

    def on_body(self, body: bytes) -> None:
        """Add a part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Return the response to the waiting request."""
        answer = HttpResponse(self._parser.get_status_code(), self._body, self._retry_after_s)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)
        self._waiting = None
        if not self._parser.should_keep_alive():
            self.close()

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self._waiting = None
