"""The steps of a shutdown over the connections of one server. `api.shutdown` has their order."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Final

import structlog
from uvicorn.server import ServerState

from api.http_protocol import BoundedHttpProtocol
from api.shutdown import Shutdown
from api.websocket.transport import WebSocketTransport
from core.limits import (
    SHUTDOWN_CUT_S,
    SHUTDOWN_NEW_CONNECTION_S,
    SHUTDOWN_SOCKET_PAUSE_S,
    SHUTDOWN_SOCKETS_SHARE,
    SHUTDOWN_UNUSED_S,
)

_TICK_S: Final = 0.02
_log: Final = structlog.get_logger("server")


class ShutdownSteps:
    """The steps, in the order of their methods. A signal can shorten each of them while it runs."""

    def __init__(self, shutdown: Shutdown, state: ServerState) -> None:
        self._shutdown = shutdown
        self._state = state
        self._loop = asyncio.get_running_loop()

    async def wait_until_unused(self) -> None:
        """Go on serving for the delay, or until no client uses the server any more."""
        now = self._loop.time()
        deadline, last_use, requests = now + self._shutdown.delay_s, now, self._state.total_requests
        while now < deadline and now - last_use < SHUTDOWN_UNUSED_S and not self._shutdown.is_urgent:
            await asyncio.sleep(_TICK_S)
            now = self._loop.time()
            if self._state.connections or self._state.total_requests != requests:
                last_use, requests = now, self._state.total_requests

    async def finish_connections(self) -> None:
        """Let requests finish for the grace, and close sockets one after another; then cut what is left."""
        began = self._loop.time()
        self._shutdown.begin_grace()
        closing = _SocketClosing(self._shutdown.grace_s, began)
        notified: set[object] = set()
        while self._is_busy and (now := self._loop.time()) < began + self._grace_s:
            for connection in self._iter_http_connections():
                if connection not in notified and not (
                    connection.is_new and now - began < SHUTDOWN_NEW_CONNECTION_S
                ):
                    notified.add(connection)
                    connection.shutdown()
            closing.close_due(self._list_sockets(), now, everything=self._shutdown.is_urgent)
            await asyncio.sleep(_TICK_S)
        if self._is_busy:
            await self._cut()

    @property
    def _grace_s(self) -> float:
        return SHUTDOWN_CUT_S if self._shutdown.is_urgent else self._shutdown.grace_s

    @property
    def _is_busy(self) -> bool:
        return bool(self._state.connections or self._state.tasks)

    async def _cut(self) -> None:
        """Cancel what still runs. Its endpoints answer 503."""
        self._shutdown.is_cutting = True
        _log.warning("requests cut by the shutdown", count=len(self._state.tasks))
        for connection in self._iter_http_connections():
            connection.cut()
        for socket in self._list_sockets():
            socket.shutdown()
        cancelled: set[asyncio.Task[None]] = set()
        deadline = self._loop.time() + SHUTDOWN_CUT_S
        while self._state.tasks and self._loop.time() < deadline:
            for task in self._state.tasks - cancelled:
                task.cancel()
                cancelled.add(task)
            await asyncio.sleep(_TICK_S)

    def _iter_http_connections(self) -> Iterator[BoundedHttpProtocol]:
        return (one for one in list(self._state.connections) if isinstance(one, BoundedHttpProtocol))

    def _list_sockets(self) -> list[WebSocketTransport]:
        return [one for one in self._state.connections if isinstance(one, WebSocketTransport)]


class _SocketClosing:
    """Closes sockets at a constant rate, so that their clients do not all reconnect at the same moment."""

    def __init__(self, grace_s: float, began: float) -> None:
        self._grace_s = grace_s
        self._began = began
        self._waiting: deque[WebSocketTransport] | None = None
        self._pause_s = SHUTDOWN_SOCKET_PAUSE_S
        self._closed = 0

    def close_due(self, sockets: list[WebSocketTransport], now: float, *, everything: bool) -> None:
        """Close those that are due at `now`. Those that run an operation are left for later."""
        if self._waiting is None:
            self._waiting = deque(sockets)
            share = self._grace_s * SHUTDOWN_SOCKETS_SHARE / max(1, len(sockets))
            self._pause_s = min(SHUTDOWN_SOCKET_PAUSE_S, share)
        late = now - self._began >= self._grace_s * SHUTDOWN_SOCKETS_SHARE
        for _ in range(len(self._waiting)):
            if not everything and not late and self._closed * self._pause_s > now - self._began:
                break
            socket = self._waiting.popleft()
            if not everything and not late and socket.is_busy:
                self._waiting.append(socket)
                continue
            self._closed += 1
            socket.shutdown()
