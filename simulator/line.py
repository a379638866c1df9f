"""An HTTP/1.1 connection that is kept open: one request on it at a time, thousands a second."""

import asyncio
from contextlib import suppress
from typing import Final, NamedTuple, cast

from httptools import HttpParserError, HttpResponseParser

from simulator.origin import Origin

PATIENCE_S: Final = 15.0
"""How long an agent waits for a connection, and for an answer: a quarter of the time to its next beat."""


class CallFailedError(Exception):
    """A request without an answer; `reason` is a word or two that it is counted under."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _UnheardError(Exception):
    """The server closed the connection before a byte of the answer."""


class Answer(NamedTuple):
    """What a server answered; `retry_after_s` is 0 where it does not say."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


class Line:
    """A connection to a server, opened when it is needed, and again after it was closed."""

    def __init__(self, origin: Origin, patience_s: float = PATIENCE_S) -> None:
        self._origin = origin
        self._patience_s = patience_s
        self._wire: _Wire | None = None

    async def ask(self, request: bytes) -> Answer:
        """Send a request, and wait for its answer.

        One that the server closed its idle connection on is sent once more: requests must bear that.

        Raises:
            CallFailedError: There was none.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._ask(request)
        except TimeoutError:
            is_asked = self._wire is not None and self._wire.is_busy
            raise CallFailedError("timed out" if is_asked else "no connection in time") from None
        except ConnectionRefusedError:
            raise CallFailedError("refused") from None
        except (_UnheardError, ConnectionError, HttpParserError):
            raise CallFailedError("connection lost") from None
        except OSError as error:
            raise CallFailedError(f"not reached: {type(error).__name__}") from error
        finally:
            if self._wire is not None and self._wire.is_busy:
                self.close()

    async def _ask(self, request: bytes) -> Answer:
        if self._wire is not None and self._wire.is_open:
            with suppress(_UnheardError):
                return await self._wire.ask(request)
        origin = self._origin
        _, self._wire = await asyncio.get_running_loop().create_connection(
            _Wire, origin.host, origin.port, ssl=origin.tls
        )
        return await self._wire.ask(request)

    def close(self) -> None:
        """Hang up."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class Lines:
    """Lines that many share: as few as will do, so that those stay open."""

    def __init__(self, origin: Origin, most: int) -> None:
        """`most` of them at once."""
        self._origin = origin
        self._left = most
        self._idle: list[Line] = []

    def take(self) -> Line | None:
        """The line that was given back last, or a new one; None where all are taken."""
        if self._idle:
            return self._idle.pop()
        if not self._left:
            return None
        self._left -= 1
        return Line(self._origin)

    def give_back(self, line: Line) -> None:
        """Let others have it."""
        self._idle.append(line)

    def close(self) -> None:
        """Hang up on all that were given back."""
        for line in self._idle:
            line.close()


class _Wire(asyncio.Protocol):
    """One connection; the methods in `on_...` are the parser's."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._heard = False
        self._body = b""
        self._retry_after_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it yet, as far as we know."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._waiting is not None

    async def ask(self, request: bytes) -> Answer:
        """Send a request; raises _UnheardError, HttpParserError or ConnectionResetError without a whole answer."""
        assert self._transport is not None  # noqa: S101 - it is connected
        self._waiting = asyncio.get_running_loop().create_future()
        self._heard, self._body, self._retry_after_s = False, b"", 0.0
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Drop the connection, and what is still to come on it."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._heard = True
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._fail(error)
            self.close()

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell who waits."""
        self._transport = None
        self._fail(ConnectionResetError() if self._heard else _UnheardError())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note when to come back; a date, which is allowed too, our server does not send."""
        if name.lower() == b"retry-after" and value.isdigit():
            self._retry_after_s = float(value)

    def on_body(self, body: bytes) -> None:
        """Keep what has come."""
        self._body += body

    def on_message_complete(self) -> None:
        """Hand the answer over."""
        answer = Answer(self._parser.get_status_code(), self._body, self._retry_after_s)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)
        self._waiting = None
        if not self._parser.should_keep_alive():
            self.close()

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self._waiting = None
