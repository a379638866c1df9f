"""The simulator's HTTP connection, against servers on real sockets that keep to the protocol, or do not."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from core.errors import StartupError
from simulator.line import Answer, CallFailedError, Line
from simulator.origin import Origin

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"

_Says = Callable[[int, int], bytes | None]
"""From the number of a connection and of a request on it to what is sent; None closes the connection."""


class _Server:
    """Says what it is told to say; counts connections."""

    def __init__(self, says: _Says) -> None:
        self._says = says
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection, requests = self.connections, 0
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                requests += 1
                answer = self._says(connection, requests)
                writer.write(answer or b"")
                if answer is None or answer.endswith(b"!"):
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _line(says: _Says, patience_s: float = 5.0) -> AsyncIterator[tuple[Line, _Server]]:
    server = _Server(says)
    listener = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    line = Line(Origin("127.0.0.1", listener.sockets[0].getsockname()[1]), patience_s)
    try:
        yield line, server
    finally:
        line.close()
        listener.close()
        await listener.wait_closed()


async def test_a_connection_is_kept() -> None:
    async with _line(lambda _connection, _request: OK) as (line, server):
        assert [await line.ask(REQUEST) for _ in range(3)] == [Answer(200, b"hi")] * 3
        assert server.connections == 1


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (b"HTTP/1.1 503 No\r\nRetry-After: 10\r\nContent-Length: 0\r\n\r\n", Answer(503, b"", 10.0)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", Answer(200, b"hi")),
        (b"HTTP/1.1 429 No\r\nretry-after: soon\r\nContent-Length: 1\r\n\r\nx", Answer(429, b"x", 0.0)),
    ],
)
async def test_answers(said: bytes, heard: Answer) -> None:
    async with _line(lambda _connection, _request: said) as (line, _):
        assert [await line.ask(REQUEST), await line.ask(REQUEST)] == [heard] * 2


async def test_an_answer_that_ends_its_connection() -> None:
    said = b"HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
    async with _line(lambda _connection, _request: said) as (line, server):
        assert [(await line.ask(REQUEST)).status for _ in range(2)] == [413, 413]
        assert server.connections == 2


async def test_a_request_that_met_the_end_of_an_idle_connection_is_sent_again() -> None:
    async with _line(lambda connection, request: None if (connection, request) == (1, 2) else OK) as (
        line,
        server,
    ):
        assert [(await line.ask(REQUEST)).status for _ in range(3)] == [200] * 3
        assert server.connections == 2


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (None, "connection lost"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi!", "connection lost"),
        (b"220 mail.example ESMTP\r\n", "connection lost"),
        (b"", "timed out"),
    ],
)
async def test_no_answer_is_a_failure_and_the_next_request_has_a_connection_of_its_own(
    says: bytes | None, reason: str
) -> None:
    async with _line(lambda connection, _request: says if connection == 1 else OK, 0.3) as (line, server):
        with pytest.raises(CallFailedError) as failed:
            await line.ask(REQUEST)
        assert failed.value.reason == reason
        assert (await line.ask(REQUEST)).status == 200
        assert server.connections == 2


async def test_nobody_listens() -> None:
    async with _line(lambda _connection, _request: OK) as (line, _):
        pass
    with pytest.raises(CallFailedError, match="refused"):
        await line.ask(REQUEST)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", 8000, ""),
        ("http://[::1]/", "::1", 80, ""),
        ("https://msp.example.com/api/", "msp.example.com", 443, "/api"),
    ],
)
def test_origins(url: str, host: str, port: int, path: str) -> None:
    origin = Origin.of(url)
    assert (origin.host, origin.port, origin.path) == (host, port, path)
    assert (origin.tls is not None) is url.startswith("https")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://example.com", "http://", "http://x:y", "http://bücher.example"]
)
def test_what_is_no_origin(url: str) -> None:
    with pytest.raises(StartupError, match="URL"):
        Origin.of(url)


async def test_a_request_as_it_goes_over_the_wire() -> None:
    raw = Origin("::1", 80, "/api").post("/v1.0/heartbeat", "t", {"hostname": "pc"}, {"X-Site-ID": "s"})
    assert raw == (
        b"POST /api/v1.0/heartbeat HTTP/1.1\r\nHost: [::1]:80\r\nAuthorization: Bearer t\r\n"
        b'Content-Type: application/json\r\nContent-Length: 17\r\nX-Site-ID: s\r\n\r\n{"hostname":"pc"}'
    )
