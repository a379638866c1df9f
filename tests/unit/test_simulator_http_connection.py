"""The simulator's HTTP connection, against servers on real sockets that follow the protocol or violate it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from core.errors import StartupError
from simulator.fleet.http_connection import CallFailedError, HttpConnection, HttpResponse
from simulator.fleet.server_address import ServerAddress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"

_Responder = Callable[[int, int], bytes | None]
"""The bytes to send, by the number of a connection and of a request on it; None closes the connection."""


class _ScriptedServer:
    """Sends scripted bytes and counts connections."""

    def __init__(self, respond: _Responder) -> None:
        self._respond = respond
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection, requests = self.connections, 0
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                requests += 1
                answer = self._respond(connection, requests)
                writer.write(answer or b"")
                if answer is None or answer.endswith(b"!"):
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _open_connection(
    respond: _Responder, patience_s: float = 5.0
) -> AsyncIterator[tuple[HttpConnection, _ScriptedServer]]:
    server = _ScriptedServer(respond)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    line = HttpConnection(ServerAddress("127.0.0.1", listener.sockets[0].getsockname()[1]), patience_s)
    try:
        yield line, server
    finally:
        line.close()
        listener.close()
        await listener.wait_closed()


async def test_http_connection_is_reused() -> None:
    async with _open_connection(lambda _connection, _request: OK) as (line, server):
        assert [await line.send_request(REQUEST) for _ in range(3)] == [HttpResponse(200, b"hi")] * 3
        assert server.connections == 1


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (b"HTTP/1.1 503 No\r\nRetry-After: 10\r\nContent-Length: 0\r\n\r\n", HttpResponse(503, b"", 10.0)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            HttpResponse(200, b"hi"),
        ),
        (b"HTTP/1.1 429 No\r\nretry-after: soon\r\nContent-Length: 1\r\n\r\nx", HttpResponse(429, b"x", 0.0)),
    ],
)
async def test_http_connection_response_of_each_form_is_parsed(
    response: bytes, expected: HttpResponse
) -> None:
    async with _open_connection(lambda _connection, _request: response) as (line, _):
        assert [await line.send_request(REQUEST), await line.send_request(REQUEST)] == [expected] * 2


async def test_http_connection_after_connection_close_opens_another() -> None:
    said = b"HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"
    async with _open_connection(lambda _connection, _request: said) as (line, server):
        assert [(await line.send_request(REQUEST)).status for _ in range(2)] == [413, 413]
        assert server.connections == 2


async def test_http_connection_closed_while_idle_is_reopened_and_request_resent() -> None:
    async with _open_connection(
        lambda connection, request: None if (connection, request) == (1, 2) else OK
    ) as (
        line,
        server,
    ):
        assert [(await line.send_request(REQUEST)).status for _ in range(3)] == [200] * 3
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
async def test_http_connection_without_response_fails_and_next_reconnects(
    says: bytes | None, reason: str
) -> None:
    async with _open_connection(lambda connection, _request: says if connection == 1 else OK, 0.3) as (
        line,
        server,
    ):
        with pytest.raises(CallFailedError) as failed:
            await line.send_request(REQUEST)
        assert failed.value.reason == reason
        assert (await line.send_request(REQUEST)).status == 200
        assert server.connections == 2


async def test_http_connection_to_closed_port_is_refused() -> None:
    async with _open_connection(lambda _connection, _request: OK) as (line, _):
        pass
    with pytest.raises(CallFailedError, match="refused"):
        await line.send_request(REQUEST)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", 8000, ""),
        ("http://[::1]/", "::1", 80, ""),
        ("https://msp.example.com/api/", "msp.example.com", 443, "/api"),
    ],
)
def test_server_address_of_url_has_host_port_and_path(url: str, host: str, port: int, path: str) -> None:
    origin = ServerAddress.from_url(url)
    assert (origin.host, origin.port, origin.path) == (host, port, path)
    assert (origin.tls is not None) is url.startswith("https")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://example.com", "http://", "http://x:y", "http://bücher.example"]
)
def test_server_address_of_other_text_is_refused(url: str) -> None:
    with pytest.raises(StartupError, match="URL"):
        ServerAddress.from_url(url)


async def test_server_address_post_gives_the_request_bytes() -> None:
    raw = ServerAddress("::1", 80, "/api").build_post(
        "/v1.0/heartbeat", "t", {"hostname": "pc"}, {"X-Site-ID": "s"}
    )
    assert raw == (
        b"POST /api/v1.0/heartbeat HTTP/1.1\r\nHost: [::1]:80\r\nAuthorization: Bearer t\r\n"
        b'Content-Type: application/json\r\nContent-Length: 17\r\nX-Site-ID: s\r\n\r\n{"hostname":"pc"}'
    )
