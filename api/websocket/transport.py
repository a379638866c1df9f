"""A WebSocket connection for the live layer: uvicorn's protocol, extended by functions that ASGI lacks.

ASGI's `send` waits, so each socket with a message would need a task, and it frames each message anew. Here a
message is written at once, from anywhere on the event loop. The writer sees whether the client keeps up
(`is_full`), and is called when there is room again. Meanwhile the writer queues unsent messages.

A client that does not read or does not answer pings is disconnected without a close frame. Clients treat 1006 as a
lost connection and reconnect, but would treat 1011 as final.
"""

import socket
import struct
from asyncio import BaseTransport, TimerHandle
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from api.connection_limits import Refusal
from api.http_connections import Connections, Progress
from api.websocket.message_rate_limit import MessageRateLimit
from core.limits import (
    SOCKET_CLOSE_S,
    SOCKET_FRAGMENTS_MAX,
    SOCKET_INIT_MESSAGE_MAX_BYTES,
    SOCKET_MESSAGE_MAX_BYTES,
    SOCKET_SLICE_BYTES,
    SOCKET_STALLED_S,
    SOCKET_UNACKNOWLEDGED_S,
)
from subscriptions.protocol.messages import Close, CloseCode, build_close

TRANSPORT_KEY: Final = "msp.wire"
"""The key of the `WebSocketTransport` in an ASGI scope."""

_BUFFER_BYTES: Final = 64 << 10
"""From this many bytes on the transport is full. The kernel buffers as many again."""

_COPY_MAX_BYTES: Final = 8 << 10
"""Messages from this size on are passed to the kernel in parts, so that their payload is not copied."""

_POLICY: Final = 1008
"""RFC 6455, section 7.4.1: for cases that no other code covers. Clients reconnect after it."""

_INVALID_TEXT: Final = 1007
"""RFC 6455, section 7.4.1: the data of a message does not fit its type."""

_TEXT: Final = 0x81
"""The first byte of a text frame that is a whole message."""


class TransportOwner(Protocol):
    """The application's end of a connection."""

    @property
    def is_busy(self) -> bool:
        """Whether an operation with one result is running."""

    def flush_queue(self) -> None:
        """Write queued messages: the connection is no longer full."""


class WebSocketTransport(WebSocketsSansIOProtocol):
    """One connection.

    Attributes:
        is_full: Whether a message written now would only wait here.
        sent_close: How the connection ended, or is ending; None while it is open.
    """

    is_full = False
    sent_close: Close | None = None
    _owner: TransportOwner | None = None
    """None during the handshake and after the connection's end."""
    _stall_timer: TimerHandle | None = None
    _unsent = 0
    _pongs = b""
    _paced: TimerHandle | None = None
    """Until this timer fires, nothing is read from a client that sends pings or pongs too fast."""
    _unparsed = b""
    """Bytes after a message that the application has not taken yet."""
    _is_signed_in = False
    _received = 0
    _fragments = 0

    def __init__(self, *arguments: Any, connections: Connections, **named: Any) -> None:
        """Takes uvicorn's arguments of a protocol, and the register of this server's connections."""
        super().__init__(*arguments, **named)
        self.conn.max_message_size = SOCKET_INIT_MESSAGE_MAX_BYTES
        self._connections = connections
        self._progress = Progress()
        self._pace = MessageRateLimit()

    def connection_made(self, transport: BaseTransport) -> None:
        """Take over a connection that was HTTP so far."""
        super().connection_made(transport)
        self.close_timeout = SOCKET_CLOSE_S
        self.transport.set_write_buffer_limits(_BUFFER_BYTES)
        _set_socket_options(transport.get_extra_info("socket"))

    def handle_connect(self, event: Request) -> None:
        """Process the handshake's request, and make this connection available to the application."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope[TRANSPORT_KEY] = self  # type: ignore[typeddict-unknown-key]  # an additional key

    def data_received(self, data: bytes) -> None:
        """Parse received bytes. After an unprocessed message, at most one slice of them is parsed."""
        self._received += len(data)
        if len(data) <= SOCKET_SLICE_BYTES and not (self._unparsed or self._fragments or self._paced):
            super().data_received(data)
        else:
            self._parse(self._unparsed + data)
        self._count_unfinished()
        if not self.handshake_initiated:
            self._refuse_handshake()

    async def receive(self) -> Any:
        """The next event. The bytes after it are parsed once the events before them are taken."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty() and not self.disconnected:
            self.read_paused = False
            self._continue_reading()
        return message

    def acknowledge(self, *, signed_in: bool) -> None:
        """`connection_init` was accepted: messages may be as long as over HTTP."""
        self.conn.max_message_size = SOCKET_MESSAGE_MAX_BYTES
        self._release()
        self._is_signed_in = signed_in

    def refuse(self, refusal: Refusal) -> None:
        """End the connection because of an incomplete message."""
        self._connections.count(refusal, self.client[0] if self.client else "")
        self._release()
        if refusal is Refusal.UNFINISHED_BYTES:
            self.close(build_close(CloseCode.TRY_AGAIN_LATER, "Too many messages are incomplete"))
        else:
            self.close(Close(_POLICY, refusal.value.message))
        self.transport.close()

    def sweep(self, now: float) -> None:
        """Refuse a client that sends a message too slowly."""
        if self.read_paused or self._paced or self.sent_close is not None:
            self._progress.reset()
            return
        self._progress.measure_phase("message", now, self._received)
        if self._progress.is_slow(now, self._received, self._connections.limits):
            self.refuse(Refusal.MESSAGE_TIMEOUT)

    def send_receive_event_to_app(self) -> None:
        """Pass a whole message on. Text that is not UTF-8 ends the connection (RFC 6455, section 8.1)."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(self.frames):
            self.frames = []
            self.close(build_close(_INVALID_TEXT, "A text message must be UTF-8"))
        else:
            super().send_receive_event_to_app()

    def handle_cont(self, event: Frame) -> None:
        """Add a fragment of a message, as bytes only. Objects for small ones would take 40 bytes each."""
        frames: list[Any] = self.frames
        if not isinstance(frames[0], bytearray):
            frames[0] = bytearray(frames[0])
        frames[0] += event.data
        self._fragments += 1
        if event.fin:
            self._fragments = 0
            self.send_receive_event_to_app()

    @property
    def is_busy(self) -> bool:
        """Whether an operation with one result is running."""
        return self._owner is not None and self._owner.is_busy

    def begin_messages(self, owner: TransportOwner) -> None:
        """End the handshake: `owner` has the connection until its end.

        The data of the handshake, some KiB, are freed, because a connection may be open for days.
        """
        self._owner = owner
        self.scope.clear()  # type: ignore[attr-defined]  # it is a dict
        del self.request, self.response

    def write_text(self, *message: bytes) -> None:
        """Send a text message, given as pieces of its UTF-8; send nothing if the connection is closing."""
        if self.sent_close is not None or self.transport.is_closing():
            return
        size = sum(map(len, message))
        if size < _COPY_MAX_BYTES:
            self.transport.write(b"".join((_build_frame_header(size), *message)))
        else:
            self.transport.writelines((_build_frame_header(size), *message))

    def close(self, end: Close) -> None:
        """Close the connection at once, without its backlog. The application gets the event of any disconnection."""
        if self.sent_close is not None:
            return
        self.sent_close = end
        self.close_sent = True
        self.stop_keepalive()
        self._report_disconnect(end)
        self.conn.send_close(end.code, end.reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self._unparsed = b""
        self._release()
        if self.read_paused or self._paced:
            self.read_paused = False
            self._cancel_pause()
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def abort(self, reason: str) -> None:
        """Cut the connection without a close frame."""
        if self.sent_close is None:
            self.sent_close = build_close(CloseCode.LOST, reason)
        self.transport.abort()

    def shutdown(self) -> None:
        """The server stops."""
        if self.handshake_complete and self.sent_close is None:
            self.close(build_close(CloseCode.GOING_AWAY, "The server is shutting down"))
        elif self.sent_close is None:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, for whatever reason."""
        self._restart_stall_timer()
        self._cancel_pause()
        self._release()
        self._unparsed = b""
        self._owner = None
        if self.sent_close is None:
            self.sent_close = build_close(CloseCode.LOST, "The connection was lost")
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not keep up."""
        super().pause_writing()
        self.is_full = True
        self._start_stall_timer()

    def resume_writing(self) -> None:
        """The client keeps up again."""
        super().resume_writing()
        self.is_full = False
        self._restart_stall_timer()
        pongs, self._pongs = self._pongs, b""
        if pongs and not self.transport.is_closing():
            self.transport.write(pongs)
        if self._owner:
            self._owner.flush_queue()

    def handle_ping(self) -> None:
        """Answer a ping; if the client does not read, only the latest one (RFC 6455, section 5.5.3)."""
        self._limit_frame_rate()
        if self.is_full:
            self._pongs = b"".join(self.conn.data_to_send())
        else:
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """The client is alive."""
        self._limit_frame_rate()
        super().handle_pong(event)

    def handle_close(self, event: Frame) -> None:
        """The client closes, or has answered our close."""
        received = self.conn.close_rcvd
        if self.sent_close is None and received is not None:
            self.sent_close = Close(received.code, received.reason)
        super().handle_close(event)

    def handle_parser_exception(self) -> None:
        """The client sent something other than a WebSocket message, or one that is too long."""
        sent = self.conn.close_sent
        if self.sent_close is None and sent is not None:
            self.sent_close = Close(sent.code, sent.reason)
        super().handle_parser_exception()

    def keepalive_timeout(self) -> None:
        """The client has not answered a ping."""
        self.abort("The client did not answer a ping")

    def _continue_reading(self) -> None:
        """Parse the waiting bytes and read on, unless another reason for the pause remains."""
        if self.read_paused or self._paced:
            return
        if self._unparsed:
            self._parse(self._unparsed)
            self._count_unfinished()
        if not (self.read_paused or self._paced or self.transport.is_closing()):
            self.transport.resume_reading()

    def _limit_frame_rate(self) -> None:
        """Pause reading if control frames arrive faster than messages may."""
        wait = self._pace.acquire(self.loop.time())
        if wait and self._paced is None and self.sent_close is None:
            self._paced = self.loop.call_later(wait, self._end_pause)
            self.transport.pause_reading()

    def _end_pause(self) -> None:
        self._paced = None
        self._continue_reading()

    def _cancel_pause(self) -> None:
        if self._paced is not None:
            self._paced.cancel()
            self._paced = None

    def _parse(self, data: bytes) -> None:
        at = 0
        while at < len(data) and not (self.read_paused or self._paced or self.transport.is_closing()):
            super().data_received(data[at : at + SOCKET_SLICE_BYTES])
            at += SOCKET_SLICE_BYTES
            if self._fragments > SOCKET_FRAGMENTS_MAX:
                self.refuse(Refusal.MESSAGE_FRAGMENTS)
        self._unparsed = b"" if self.sent_close else data[at:]

    def _count_unfinished(self) -> None:
        """Count unfinished bytes. They are released once the message is complete."""
        if (self.conn.reader.buffer or self.frames or self._unparsed) and self.sent_close is None:
            self._charge_budget()
        elif self in self._connections.partial_sockets:
            self._release()

    def _charge_budget(self) -> None:
        size = len(self.conn.reader.buffer) + len(self._unparsed) + sum(map(len, self.frames))
        if self not in self._connections.partial_sockets:
            self._connections.partial_sockets.add(self)
            self._progress.reset()
        (self._connections.signed if self._is_signed_in else self._connections.unfinished).set(self, size)

    def _release(self) -> None:
        self._connections.partial_sockets.discard(self)
        (self._connections.signed if self._is_signed_in else self._connections.unfinished).release(self)

    def _refuse_handshake(self) -> None:
        """Answer a handshake that the parser has refused; uvicorn would wait for it to continue."""
        self._connections.count(Refusal.MALFORMED, self.client[0] if self.client else "")
        answer = b"".join(self.conn.data_to_send())
        self.transport.write(answer or Refusal.MALFORMED.render_response("", 0))
        self.close_sent = self.handshake_complete = True
        self.transport.close()

    def _report_disconnect(self, end: Close) -> None:
        event: Any = {"type": "websocket.disconnect", "code": end.code, "reason": end.reason}
        self.queue.put_nowait(event)

    def _start_stall_timer(self) -> None:
        self._restart_stall_timer()
        self._unsent = self.transport.get_write_buffer_size()
        self._stall_timer = self.loop.call_later(SOCKET_STALLED_S, self._check_stalled)

    def _check_stalled(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._start_stall_timer()
        else:
            self.abort("The client stopped reading")

    def _restart_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None


def _is_utf8(frames: Sequence[bytes]) -> bool:
    """Whether the fragments of a message are valid together."""
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True


def _build_frame_header(size: int) -> bytes:
    if size < 126:
        return bytes((_TEXT, size))
    if size < 1 << 16:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)


def _set_socket_options(connection: Any) -> None:
    """Configure the kernel, where possible, to drop silent clients and to buffer little for slow ones."""
    for name, value in (
        ("TCP_USER_TIMEOUT", round(SOCKET_UNACKNOWLEDGED_S * 1000)),
        ("TCP_NOTSENT_LOWAT", _BUFFER_BYTES),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            with suppress(OSError, AttributeError):  # no TCP, such as a proxy on a Unix socket
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
