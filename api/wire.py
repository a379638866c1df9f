"""A WebSocket connection as the live layer needs it: uvicorn's protocol, with what ASGI has no words for.

ASGI's `send` waits, which takes a task for each socket that is to be told something, and frames each message anew.
Here a message is written at once, from anywhere on the event loop; who writes sees whether the client keeps up
(`is_full`), and is called when there is room again. What is unsent while there is none is for the caller to keep.

A client that does not read, and one that does not answer pings, is cut off without a close frame: clients take
1006 for a lost connection and come again, where they would take 1011 for final.
"""

import socket
import struct
from asyncio import BaseTransport, TimerHandle
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from core.limits import SOCKET_CLOSE_S, SOCKET_STALLED_S, SOCKET_UNACKNOWLEDGED_S
from subscriptions.socket.messages import Close, CloseCode, close

WIRE: Final = "msp.wire"
"""Where an ASGI scope has its `Wire`."""

_BUFFER_BYTES: Final = 64 << 10
"""From here on the transport is full; the kernel holds as much again."""

_SHARED_BYTES: Final = 8 << 10
"""Messages from this size on are handed to the kernel in parts, so that their payload is not copied."""

_TEXT: Final = 0x81
"""The first byte of a text frame that is a whole message."""


class Wire(WebSocketsSansIOProtocol):
    """One connection.

    Attributes:
        is_full: Whether what is written now would only wait here.
        on_room: Called when it is no longer full.
        ended: How the connection ended, or is just ending; None while it is open.
    """

    is_full = False
    on_room: Callable[[], None] | None = None
    ended: Close | None = None
    _stalled: TimerHandle | None = None
    _unsent = 0
    _pongs = b""

    def connection_made(self, transport: BaseTransport) -> None:
        """A connection that was HTTP so far."""
        super().connection_made(transport)
        self.close_timeout = SOCKET_CLOSE_S
        self.transport.set_write_buffer_limits(_BUFFER_BYTES)
        _bound(transport.get_extra_info("socket"))

    def handle_connect(self, event: Request) -> None:
        """The handshake's request: lets the application find this connection."""
        super().handle_connect(event)
        if not self.close_sent:
            self.scope[WIRE] = self  # type: ignore[typeddict-unknown-key]  # a key of our own

    def forget_handshake(self) -> None:
        """Let go of what the handshake was made of, some KiB: a connection may be open for days."""
        self.scope.clear()  # type: ignore[attr-defined]  # it is a dict
        del self.request, self.response

    def write(self, *parts: bytes) -> None:
        """Send a text message, given as pieces of its UTF-8; nothing where the connection is closing."""
        if self.ended is not None or self.transport.is_closing():
            return
        size = sum(map(len, parts))
        if size < _SHARED_BYTES:
            self.transport.write(b"".join((_head(size), *parts)))
        else:
            self.transport.writelines((_head(size), *parts))

    def close(self, end: Close) -> None:
        """Close, at once, whatever waits; the application hears of it as of any disconnection."""
        if self.ended is not None:
            return
        self.ended = end
        self.close_sent = True
        self.stop_keepalive()
        self._disconnected(end)
        self.conn.send_close(end.code, end.reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def cut(self, reason: str) -> None:
        """End the connection without a word to the client."""
        if self.ended is None:
            self.ended = close(CloseCode.LOST, reason)
        self.transport.abort()

    def shutdown(self) -> None:
        """The server ends."""
        if self.handshake_complete and self.ended is None:
            self.close(close(CloseCode.GOING_AWAY, "The server is going away"))
        elif self.ended is None:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, whoever wanted it."""
        self._room_watched()
        self.on_room = None
        if self.ended is None:
            self.ended = close(CloseCode.LOST, "The connection was lost")
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not keep up."""
        super().pause_writing()
        self.is_full = True
        self._watch()

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self.is_full = False
        self._room_watched()
        pongs, self._pongs = self._pongs, b""
        if pongs and not self.transport.is_closing():
            self.transport.write(pongs)
        if self.on_room:
            self.on_room()

    def handle_ping(self) -> None:
        """Answer; where the client does not read, the latest only (RFC 6455, section 5.5.3)."""
        if self.is_full:
            self._pongs = b"".join(self.conn.data_to_send())
        else:
            super().handle_ping()

    def handle_close(self, event: Frame) -> None:
        """The client closes, or has answered our close."""
        received = self.conn.close_rcvd
        if self.ended is None and received is not None:
            self.ended = Close(received.code, received.reason)
        super().handle_close(event)

    def handle_parser_exception(self) -> None:
        """The client sent what is no WebSocket message, or a longer one than we take."""
        sent = self.conn.close_sent
        if self.ended is None and sent is not None:
            self.ended = Close(sent.code, sent.reason)
        super().handle_parser_exception()

    def keepalive_timeout(self) -> None:
        """The client has not answered a ping."""
        self.cut("The client did not answer a ping")

    def _disconnected(self, end: Close) -> None:
        event: Any = {"type": "websocket.disconnect", "code": end.code, "reason": end.reason}
        self.queue.put_nowait(event)

    def _watch(self) -> None:
        self._room_watched()
        self._unsent = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(SOCKET_STALLED_S, self._look)

    def _look(self) -> None:
        if self.transport.get_write_buffer_size() < self._unsent:
            self._watch()
        else:
            self.cut("The client stopped reading")

    def _room_watched(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def _head(size: int) -> bytes:
    if size < 126:
        return bytes((_TEXT, size))
    if size < 1 << 16:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)


def _bound(connection: Any) -> None:
    """Where the platform can, has the kernel give up on a silent client, too, and keep little for a slow one."""
    for name, value in (
        ("TCP_USER_TIMEOUT", round(SOCKET_UNACKNOWLEDGED_S * 1000)),
        ("TCP_NOTSENT_LOWAT", _BUFFER_BYTES),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            with suppress(OSError, AttributeError):  # no TCP, as where a proxy is reached by a Unix socket
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
