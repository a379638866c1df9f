"""uvicorn's HTTP protocol with limits in bytes and time. uvicorn itself waits for slow clients without a limit.

A request that is complete after one read costs a few attribute checks here. A longer one is counted
(`api.http_connections`), and sweeps refuse a client that is too slow. For the reasons see
`docs/decisions/unfinished-requests.md`.
"""

import asyncio
import random
from asyncio import BaseTransport
from typing import Any, Final, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.connection_limits import Refusal
from api.connection_phases import ConnectionPhases
from api.http_connections import ByteBudget, Connections
from api.request_host import has_one_host
from api.request_size import RequestSize
from core.limits import HTTP_LINGER_BYTES, HTTP_LINGER_S, PIPELINED_MAX

UNFINISHED: Final = "msp.unfinished"
"""The key of the `BoundedHttpProtocol` in the ASGI scope of a request that arrives in several reads."""

_RETRY_S: Final = 5

_LINGERING: Final = frozenset(
    {Refusal.HEAD_SIZE, Refusal.FRAMING_SIZE, Refusal.BODY_SIZE, Refusal.MALFORMED, Refusal.HOST}
)
"""Refusals of a client that may be still sending. Those of a server under load free the connection at once."""


class _RefusedError(Exception):
    """Stops the parser in the middle of a read."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal


class _ResponseTransport:
    """The transport of a response. uvicorn closes it, and the protocol decides when."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: "BoundedHttpProtocol") -> None:
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        self._protocol.transport.write(data)

    def is_closing(self) -> bool:
        return self._protocol.transport.is_closing()

    def close(self) -> None:
        self._protocol.close_after_response()


class BoundedHttpProtocol(HttpToolsProtocol):
    """One HTTP connection."""

    _reading = False
    """A request has begun and is not complete."""
    _in_head = False
    _is_deaf = False
    """Nothing more is read. The connection ends after the responses in progress."""
    _answering: RequestResponseCycle | None = None
    """The request with the response in progress, or the last one. Others are parsed meanwhile."""
    _budget: ByteBudget | None = None
    """The counter of the unfinished request's bytes."""
    _dropped = 0
    """Bytes that were dropped, because nothing more is read."""
    _linger_timer: asyncio.TimerHandle | None = None
    """The end of the time in which the rest of a refused request is dropped."""

    def __init__(self, *arguments: Any, connections: Connections, **named: Any) -> None:
        """Takes uvicorn's arguments of a protocol, and the register of this server's connections."""
        super().__init__(*arguments, **named)
        self._connections = connections
        self._phases = ConnectionPhases(connections)
        self._size = RequestSize()

    def connection_made(self, transport: BaseTransport) -> None:
        """A client has connected."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn's annotation is narrower
        self._connections.http.add(self)
        if len(self._connections.http) > self._connections.limits.connections:
            self.refuse(Refusal.CONNECTIONS)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended. uvicorn notifies only the request that was parsed last."""
        self._release_connection()
        answering = self._answering
        if answering is not None and not answering.response_complete:
            answering.disconnected = True
            answering.message_event.set()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """The connection becomes a WebSocket."""
        self._release_connection()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Parse received bytes."""
        if self._is_deaf:
            self._drop(len(data))
            return
        self._size.begin_read(len(data))
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgrade()
        except httptools.HttpParserError as error:
            cause = error.__context__
            self.refuse(cause.refusal if isinstance(cause, _RefusedError) else Refusal.MALFORMED)
        if self._reading:
            self._check_unfinished()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._phases.requests += 1
        self._size.begin_request()
        self._reading = self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header. Trailers are ignored, because they would be taken for headers."""
        if self._in_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The request's head is complete."""
        if self._size.is_head_too_large(self.url, self.headers):
            raise _RefusedError(Refusal.HEAD_SIZE)
        if len(self.pipeline) >= PIPELINED_MAX:
            raise _RefusedError(Refusal.PIPELINING)
        self._in_head = False
        if not has_one_host(self.headers, self.parser.get_http_version()):
            raise _RefusedError(Refusal.HOST)
        super().on_headers_complete()
        if self.cycle is None or self.cycle.scope is not self.scope:  # a WebSocket's handshake
            return
        self.cycle.transport = cast("asyncio.Transport", _ResponseTransport(self))
        if self._connections.shutdown.is_requested:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Add a part of the request's body. It is not needed once the response is complete."""
        self._size.body += len(body)
        cycle = self.cycle
        if cycle.response_complete or cycle.scope is not self.scope:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._reading = False
        if self._budget is not None:
            self._release()
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope and not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """A response is written. If no further request comes, a sweep ends the connection, without a timer."""
        self.server_state.total_requests += 1
        if self._budget is not None:
            self._release()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def resume_writing(self) -> None:
        """The client has read most of the backlog."""
        self._phases.note_drained()
        super().resume_writing()

    @property
    def is_new(self) -> bool:
        """Whether no request has begun on this connection."""
        return self._phases.requests == 0

    def shutdown(self) -> None:
        """The server stops. The connection ends after its requests; an incomplete head is refused."""
        if self._in_head:
            self.refuse(Refusal.SHUTDOWN)
        elif self._reading:
            self.cycle.keep_alive = False
        else:
            super().shutdown()

    def cut(self) -> None:
        """The grace is over: refuse a request that is still incomplete."""
        if self._reading:
            self.refuse(Refusal.SHUTDOWN)

    def mark_verified(self) -> None:
        """The unfinished request has a verified token: count its bytes with those of signed-in callers."""
        signed = self._connections.signed
        if self._budget is not None and self._budget is not signed:
            size = self._budget.release(self)
            self._budget = signed
            signed.set(self, size)

    def close_after_response(self) -> None:
        """Close the connection. If the request is still arriving, the rest is dropped first, for a limited time.

        Otherwise unread bytes would reset the connection, and the client might lose the response.
        """
        if self._reading:
            self._start_lingering_close()
        else:
            self.transport.close()

    def refuse(self, refusal: Refusal) -> None:
        """End the connection: with an error response if no response is in progress, else after those responses."""
        if self._is_deaf or self.transport.is_closing():
            return
        self._connections.count(refusal, self.client[0] if self.client else "")
        self._is_deaf = True
        self._release()
        is_body = self._reading and not self._in_head
        cycle = self.cycle
        self._reading = False
        if cycle is None or (cycle.response_complete and not is_body):
            self._end_with(refusal, "")
        elif not is_body:
            self.flow.pause_reading()
            cycle.keep_alive = False
        elif cycle.response_started or self.pipeline:
            self.transport.close()
        else:
            self._end_with(refusal, cycle.scope["path"])
            cycle.disconnected = True
            cycle.message_event.set()

    def refuse_reader(self, refusal: Refusal) -> None:
        """End the connection of a client that does not read its response."""
        self._connections.count(refusal, self.client[0] if self.client else "")
        self.transport.abort()

    def sweep(self, now: float) -> None:
        """Refuse the client if it is too slow."""
        if self.flow.write_paused or self.transport.is_closing():
            self._check_reader(now)
        elif self._is_deaf:
            return
        elif self._reading:
            self._check_request(now)
        elif self.cycle is None or self.cycle.response_complete:
            if self._phases.is_idle_too_long(now):
                self.transport.close()
        else:
            self._phases.reset()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _check_reader(self, now: float) -> None:
        size = self.transport.get_write_buffer_size()
        if not size:
            self._phases.reset()
            return
        waits_s, is_slow = self._phases.measure_reader(now, size)
        if is_slow:
            self.refuse_reader(Refusal.RESPONSE_TIMEOUT)
        else:
            self._connections.note_unread(waits_s, size, self)

    def _check_request(self, now: float) -> None:
        if self._in_head:
            refusal = self._phases.find_late_head(now)
        elif self.flow.read_paused:
            self._phases.reset()
            return
        else:
            refusal = self._phases.find_late_body(now, self._size.received)
        if refusal:
            self.refuse(refusal)

    def _check_unfinished(self) -> None:
        self._size.end_read(in_head=self._in_head)
        if self._in_head and self._size.is_head_too_large(self.url, self.headers):
            self.refuse(Refusal.HEAD_SIZE)
        elif refusal := self._size.find_refusal():
            self.refuse(refusal)
        else:
            self._charge_budget()

    def _charge_budget(self) -> None:
        """Count the bytes of the unfinished request, unless its response is complete: then none are kept."""
        if not self._in_head and self.cycle.response_complete:
            self._release()
            return
        if self._budget is None:
            self._budget = self._connections.unfinished
            cast("dict[str, Any]", self.scope)[UNFINISHED] = self
        self._budget.set(self, self._size.unfinished)

    def _release(self) -> None:
        if self._budget is not None:
            self._budget.release(self)
            self._budget = None

    def _upgrade(self) -> None:
        """Become a WebSocket.

        If another upgrade is requested, the parser has not read the body, so nothing more is read.
        """
        if self._should_upgrade():
            self.handle_websocket_upgrade()
            return
        self._is_deaf = True
        self.cycle.keep_alive = False

    def _end_with(self, refusal: Refusal, path: str) -> None:
        self.transport.write(refusal.render_response(path, _RETRY_S + random.randrange(_RETRY_S)))  # noqa: S311 - spreads retries
        if refusal in _LINGERING:
            self._start_lingering_close()
        else:
            self.transport.close()

    def _start_lingering_close(self) -> None:
        if self._linger_timer is not None or self.transport.is_closing():
            return
        self._is_deaf = True
        self._reading = False
        self._release()
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._linger_timer = self.loop.call_later(HTTP_LINGER_S, self.transport.close)

    def _drop(self, size: int) -> None:
        """Count dropped bytes. A client that sends too many gets no more time."""
        self._dropped += size
        if self._linger_timer is not None and self._dropped > HTTP_LINGER_BYTES:
            self.transport.close()

    def _release_connection(self) -> None:
        self._connections.http.discard(self)
        self._release()
        if self._linger_timer is not None:
            self._linger_timer.cancel()
