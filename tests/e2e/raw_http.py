"""Bare sockets to a running server, and the resource usage of the server's process."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from urllib.parse import urlsplit

import psutil

from tests.e2e.servers import Server
from tests.waiting import HANG_S

POST: Final = b"POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
BODY: Final = b'{"query": "{ __typename }"}'
WHOLE: Final = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
MIB: Final = 1 << 20


def connect(server: Server, seconds: float = HANG_S) -> socket.socket:
    """A connection with a read timeout of so many seconds."""
    url = urlsplit(server.url)
    return socket.create_connection((url.hostname or "", url.port or 0), timeout=seconds)


@contextmanager
def open_connections(server: Server, count: int) -> Iterator[list[socket.socket]]:
    """So many connections, closed at the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(server)) for _ in range(count)]


def send(connection: socket.socket, data: bytes) -> bool:
    """Send all of it; false if the server has closed the connection."""
    try:
        connection.sendall(data)
    except OSError:
        return False
    return True


def read_until_closed(connection: socket.socket) -> bytes:
    """Everything until the server closes the connection. Fails if it stays open."""
    data = b""
    try:
        while got := connection.recv(65_536):
            data += got
    except ConnectionError:
        pass
    return data


def check_request_is_answered(server: Server) -> None:
    """Send an ordinary request. Fails if its status is not 200."""
    with connect(server) as connection:
        connection.sendall(WHOLE)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")


def measure_memory_mib(server: Server) -> float:
    """The server's resident memory, in MiB."""
    return psutil.Process(server.process.pid).memory_info().rss / MIB


def read_metric(server: Server, series: str) -> float:
    """The value of one series, with its labels."""
    with connect(server) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        found = re.search(
            rf"^{re.escape(series)} (\S+)$", read_until_closed(connection).decode(), re.MULTILINE
        )
    assert found, series
    return float(found[1])
