"""Thousands of graphql-transport-ws clients in one process. They count frames and hardly parse them.

Clients that parsed each message would take longer than the server that is measured.
"""

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

_CONCURRENCY: Final = 500
_TEXT: Final = 0x81
_CLOSE: Final = 0x88
_MASKED: Final = 0x80
_NO_MASK: Final = bytes(4)
"""Clients must mask; a mask of zeros leaves the payload as it is (RFC 6455, 5.3)."""


@dataclass(slots=True)
class FrameCounter:
    """The counts of all sockets together.

    Attributes:
        frames: Text frames that arrived.
        arrivals: When each arrived, by `time.perf_counter`, while `timing`.
        payloads: The texts themselves, while `keeping`.
        closed: Sockets that the server closed.
        on_payload: Called with each text, if given.
    """

    frames: int = 0
    arrivals: list[float] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    timing: bool = False
    keeping: bool = False
    closed: int = 0
    on_payload: Callable[[bytes], None] | None = None
    wanted: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self, *, keeping: bool = False) -> None:
        """Reset the counts."""
        self.frames, self.timing, self.keeping = 0, True, keeping
        self.arrivals, self.payloads = [], []

    async def wait_for_frames(self, frames: int, seconds: float = 120.0) -> None:
        """Wait until so many frames have arrived since `begin`.

        Raises:
            TimeoutError: They have not.
        """
        self.wanted = frames
        self.reached.clear()
        if self.frames < frames:
            async with asyncio.timeout(seconds):
                await self.reached.wait()

    def count(self) -> None:
        """Count one frame."""
        self.frames += 1
        if self.timing:
            self.arrivals.append(time.perf_counter())
        if self.frames == self.wanted:
            self.reached.set()


class WebSocketConnection(asyncio.Protocol):
    """One websocket; frames of the server are unmasked and whole."""

    def __init__(self, path: str, port: int, counted: FrameCounter, token: str | None) -> None:
        self._path, self._port, self._counted, self._token = path, port, counted, token
        self._buffer = bytearray()
        self._open = False
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the upgrade request."""
        self._transport = cast("asyncio.Transport", transport)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            f"GET {self._path} HTTP/1.1",
            f"Host: 127.0.0.1:{self._port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: graphql-transport-ws",
        )
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        """Count the complete frames."""
        self._buffer += data
        if not self._open and not self._finish_upgrade():
            return
        while frame := self._next_frame():
            self._handle_frame(*frame)

    def _finish_upgrade(self) -> bool:
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not found:
            return False
        if not head.startswith(b"HTTP/1.1 101"):
            self.opened.set_exception(RuntimeError(head.decode()))
            return False
        self._buffer = bytearray(rest)
        self._open = True
        if self._token is None:
            self.opened.set_result(None)
        else:
            payload = {"Authorization": f"Bearer {self._token}"}
            self.send({"type": "connection_init", "payload": payload})
        return True

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length == 126:
            length, start = int.from_bytes(buffer[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(buffer[2:10]), 10
        if len(buffer) < start + length:
            return None
        frame = buffer[0], bytes(buffer[start : start + length])
        del buffer[: start + length]
        return frame

    def _handle_frame(self, head: int, payload: bytes) -> None:
        counted = self._counted
        if head == _TEXT and not self.opened.done():
            self.opened.set_result(None)  # the acknowledgement
        elif head == _TEXT:
            if counted.keeping:
                counted.payloads.append(payload)
            if counted.on_payload:
                counted.on_payload(payload)
            counted.count()
        elif head == _CLOSE:
            counted.closed += 1
            if not self.opened.done():
                self.opened.set_exception(RuntimeError(f"closed: {payload!r}"))
        else:  # a ping: answer it
            self._write_frame(0x8A, payload)

    def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self._write_frame(_TEXT, json.dumps(message).encode())

    def _write_frame(self, head: int, payload: bytes) -> None:
        size = len(payload)
        short = size < 126
        length = bytes([_MASKED | size]) if short else bytes([_MASKED | 126]) + size.to_bytes(2)
        assert self._transport is not None  # noqa: S101 - it is connected
        self._transport.write(bytes([head]) + length + _NO_MASK + payload)

    def close(self) -> None:
        """Drop the connection."""
        assert self._transport is not None  # noqa: S101 - it is connected
        self._transport.abort()


async def open_sockets(
    port: int, path: str, count: int, counted: FrameCounter, tokens: Sequence[str] = ()
) -> list[WebSocketConnection]:
    """Open a number of sockets, some hundred at a time.

    They are signed in with these tokens in turns, if there are any.
    """
    loop = asyncio.get_running_loop()
    sockets: list[WebSocketConnection] = []
    while len(sockets) < count:
        some = [
            WebSocketConnection(path, port, counted, tokens[number % len(tokens)] if tokens else None)
            for number in range(len(sockets), min(count, len(sockets) + _CONCURRENCY))
        ]
        await asyncio.gather(*(_open_socket(loop, socket, port) for socket in some))
        sockets += some
    return sockets


async def _open_socket(loop: asyncio.AbstractEventLoop, socket: WebSocketConnection, port: int) -> None:
    await loop.create_connection(lambda: socket, "127.0.0.1", port)
    await socket.opened


def send_subscribe(
    socket: WebSocketConnection, number: str, query: str, variables: dict[str, Any] | None = None
) -> None:
    """Open a subscription."""
    payload = {"query": query, "variables": variables or {}}
    socket.send({"id": number, "type": "subscribe", "payload": payload})
