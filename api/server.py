"""The HTTP server that runs the application: its socket, its signals, and its shutdown."""

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from api.http_connections import Connections
from api.http_protocol import BoundedHttpProtocol
from api.shutdown_steps import ShutdownSteps
from api.websocket.transport import WebSocketTransport
from core.errors import StartupError
from core.limits import SOCKET_MESSAGE_MAX_BYTES, SOCKET_PING_S, SOCKET_PONG_S
from core.signals import handle_signals


def bind_socket(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not listening yet; port 0 takes any free one.

    Raises:
        StartupError: The address is in use, or this process may not use it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise StartupError(f"Cannot listen on {host}, port {port}: {reason}") from error
    return listener


def build_url(listener: socket.socket) -> str:
    """The server's URL for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def raise_file_limit() -> None:
    """Raise the limit of open files to the system's maximum, because each socket is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems accept less than they report
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class HttpServer(uvicorn.Server):
    """uvicorn with the product's settings. A signal ends it, and the caller cleans up."""

    def __init__(
        self,
        app: Starlette,
        listener: socket.socket,
        ready: Callable[[], None],
        connections: Connections | None = None,
        trusted_proxies: Sequence[str] = (),
        metrics_listener: socket.socket | None = None,
    ) -> None:
        """Calls `ready` once, as soon as connections are accepted.

        `connections` has their limits and the state of the shutdown. Behind `trusted_proxies` the client's address
        is that of X-Forwarded-For.
        """
        self._connections = connections or Connections()
        self._shutdown = self._connections.shutdown
        self._sweeping: asyncio.Task[None] | None = None
        self._listeners = [listener, *([metrics_listener] if metrics_listener else [])]
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(BoundedHttpProtocol, connections=self._connections),  # type: ignore[arg-type]
                ws=partial(WebSocketTransport, connections=self._connections),  # type: ignore[arg-type]
                ws_max_size=SOCKET_MESSAGE_MAX_BYTES,
                ws_ping_interval=SOCKET_PING_S,
                ws_ping_timeout=SOCKET_PONG_S,
                ws_per_message_deflate=False,  # 300 KiB a socket; shared messages would be compressed for each
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
            )
        )

    async def serve_until_signal(self) -> None:
        """Serve until SIGINT, SIGTERM or SIGHUP, then let requests finish as `Shutdown` says."""
        raise_file_limit()
        await self.serve(sockets=self._listeners)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and call `ready`."""
        await super().startup(sockets)
        self._sweeping = asyncio.create_task(self._connections.sweep_forever())
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in the steps of `ShutdownSteps`."""
        steps = ShutdownSteps(self._shutdown, self.server_state)
        await steps.wait_until_unused()
        for listening in self.servers:
            listening.close()
        for listener in sockets or ():
            listener.close()
        await steps.finish_connections()
        if self._sweeping:
            self._sweeping.cancel()

    def stop_orphaned(self, lifeline: int) -> None:
        """Stop, because the supervisor has ended without a signal, and the pipe `lifeline` with it."""
        asyncio.get_running_loop().remove_reader(lifeline)
        self.handle_exit(signal.SIGTERM, None)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the form of a handler
        """Handle a signal."""
        self._shutdown.request(urgent=sig == signal.SIGINT)
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End the server at a signal. uvicorn's own handler would raise it again afterwards, during the clean-up."""
        with handle_signals(self.handle_exit):
            yield
