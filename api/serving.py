"""The HTTP server around the application: its socket, its signals, and how it ends."""

import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn
from starlette.applications import Starlette

from api.http_protocol import BoundedHttpProtocol
from api.wire import Wire
from core.errors import StartupError
from core.limits import SOCKET_MESSAGE_MAX_BYTES, SOCKET_PING_S, SOCKET_PONG_S
from core.signals import handled_by

GRACE_S: Final = 0.4
"""How long requests may go on after the signal: with the rest of the shutdown it stays below two seconds."""


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not yet listening; port 0 takes any free one.

    Raises:
        StartupError: the address is taken, or not ours to take.
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


def url(listener: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = listener.getsockname()[:2]
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def allow_many_files() -> None:
    """Raises the number of files that may be open to what the system allows: a socket is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class HttpServer(uvicorn.Server):
    """uvicorn, with the product's settings; a signal ends it and leaves the clean-up to the caller."""

    def __init__(self, app: Starlette, listener: socket.socket, ready: Callable[[], None]) -> None:
        """Calls `ready` once, as soon as connections are accepted."""
        self._listener = listener
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedHttpProtocol,
                ws=Wire,
                ws_max_size=SOCKET_MESSAGE_MAX_BYTES,
                ws_ping_interval=SOCKET_PING_S,
                ws_ping_timeout=SOCKET_PONG_S,
                ws_per_message_deflate=False,  # 300 KiB a socket, and what all are sent would be packed for each
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,  # type: ignore[arg-type]  # goes to asyncio.wait_for
            )
        )

    async def serve_until_signal(self) -> None:
        """Serves until SIGINT, SIGTERM or SIGHUP, then lets requests end for up to GRACE_S seconds."""
        allow_many_files()
        await self.serve(sockets=[self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to listen, and says so."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ends the server at a signal; uvicorn's own raises it again afterwards, amid the clean-up."""
        with handled_by(self.handle_exit):
            yield
