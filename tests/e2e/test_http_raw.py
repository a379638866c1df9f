"""Malformed requests over a bare socket to the running server."""

import socket
import time
from urllib.parse import urlsplit

import pytest

from core.limits import BODY_MAX_BYTES, HEAD_MAX_BYTES, HTTP_LINGER_S
from tests.e2e.raw_http import send
from tests.e2e.servers import Server
from tests.waiting import HANG_S

POST = b"POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
BODY = b'{"query": "{ __typename }"}'
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)


def _send_and_read(embedded_server: Server, *pieces: bytes) -> bytes:
    """The server's response until it sends no more. It may close its side before we have sent everything."""
    url = urlsplit(embedded_server.url)
    answer = b""
    with socket.create_connection((url.hostname, url.port), timeout=1) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass
        try:
            while got := connection.recv(65_536):
                answer += got
        except OSError:
            pass
    return answer


def test_http_head_without_end_is_431(embedded_server: Server) -> None:
    assert _send_and_read(embedded_server, POST, *[b"X-More: " + b"a" * 8_000 + b"\r\n"] * 20).startswith(
        b"HTTP/1.1 431 "
    )
    assert _send_and_read(embedded_server, POST, b"X-Long: ", *[b"a" * 10_000] * 20).startswith(
        b"HTTP/1.1 431 "
    )
    assert _send_and_read(embedded_server, b"GET /graphql?query=", *[b"a" * 10_000] * 20).startswith(
        b"HTTP/1.1 431 "
    )


def test_http_pipelined_heads_within_limit_are_answered(embedded_server: Server) -> None:
    padding = b"X-Long: " + b"a" * (HEAD_MAX_BYTES - 1_000) + b"\r\n"
    answer = _send_and_read(embedded_server, *[POST + padding + LENGTH + BODY] * 3)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    "pieces",
    [
        [b"Content-Length: 99999999\r\n\r\n", *[b" " * 65_536] * 40],
        [b"Transfer-Encoding: chunked\r\n\r\n", *[b"10000\r\n" + b" " * 65_536 + b"\r\n"] * 40],
    ],
    ids=["with its length", "in chunks"],
)
def test_http_body_without_end_is_413(embedded_server: Server, pieces: list[bytes]) -> None:
    assert sum(map(len, pieces)) > BODY_MAX_BYTES
    answer = _send_and_read(embedded_server, POST, *pieces)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"BAD_USER_INPUT" in answer


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 1\r\n" + LENGTH + BODY,
        POST + b"Transfer-Encoding: chunked\r\n" + LENGTH + BODY,
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"X-Request-Id: a\x00b\r\n" + LENGTH + BODY,
        POST + b"Content-Type: application/json\r\n" + LENGTH + BODY,
        POST + b"Content-Encoding: \xff\r\n" + LENGTH + BODY,
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_http_malformed_request_is_refused_and_the_next_answered(
    embedded_server: Server, request_: bytes
) -> None:
    assert _send_and_read(embedded_server, request_).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 415 "))
    assert _send_and_read(embedded_server, POST + LENGTH + BODY).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "hosts",
    [
        b"",
        b"Host: a\r\nHost: a\r\n",
        b"Host: a\r\nHOST: b\r\n",
        b"Host: a b\r\n",
        b"Host: a/b\r\n",
        b"Host: a@b\r\n",
    ],
)
@pytest.mark.parametrize("upgrade", [b"", b"Connection: Upgrade\r\nUpgrade: websocket\r\n"])
def test_http_request_without_one_valid_host_is_400(
    embedded_server: Server, hosts: bytes, upgrade: bytes
) -> None:
    answer = _send_and_read(embedded_server, b"GET /healthz HTTP/1.1\r\n" + hosts + upgrade + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"Host header" in answer


@pytest.mark.parametrize("host", [b"a", b"[::1]:80", b"a_b.example:8000", b""])
def test_http_request_with_one_host_is_answered(embedded_server: Server, host: bytes) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % host
    assert _send_and_read(embedded_server, head).startswith(b"HTTP/1.1 200 ")


def test_http_1_0_request_without_host_is_answered(embedded_server: Server) -> None:
    assert _send_and_read(embedded_server, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_http_page_with_slash_redirects_relatively(embedded_server: Server) -> None:
    head = (
        b"GET /graphql/?a=b HTTP/1.1\r\nHost: evil.example\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    )
    answer = _send_and_read(embedded_server, head)
    assert answer.startswith(b"HTTP/1.1 308 ")
    assert b"\r\nlocation: ../graphql?a=b\r\n" in answer
    assert b"evil" not in answer


MIB = 1 << 20
REFUSED_BODIES = {
    "with its length": (POST + b"Content-Length: %d\r\n\r\n" % (20 * MIB), [b" " * MIB] * 20),
    "in chunks": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n",
        [*[b"100000\r\n" + b" " * MIB + b"\r\n"] * 20, b"0\r\n\r\n"],
    ),
}


@pytest.mark.parametrize(("head", "pieces"), REFUSED_BODIES.values(), ids=REFUSED_BODIES)
def test_http_413_reaches_a_client_that_sends_all_before_it_reads(
    embedded_server: Server, head: bytes, pieces: list[bytes]
) -> None:
    url = urlsplit(embedded_server.url)
    with socket.create_connection((url.hostname, url.port), timeout=HANG_S) as connection:
        connection.sendall(head)
        for piece in pieces:
            connection.sendall(piece)
        time.sleep(0.1)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_http_431_reaches_a_client_that_sends_all_before_it_reads(embedded_server: Server) -> None:
    url = urlsplit(embedded_server.url)
    with socket.create_connection((url.hostname, url.port), timeout=HANG_S) as connection:
        connection.sendall(POST + b"X-Long: ")
        for _ in range(200):
            connection.sendall(b"a" * 65_536)
        time.sleep(0.1)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 431 ")


def test_http_client_that_sends_on_after_413_is_disconnected(embedded_server: Server) -> None:
    url = urlsplit(embedded_server.url)
    with socket.create_connection((url.hostname, url.port), timeout=HANG_S) as connection:
        connection.sendall(POST + b"Content-Length: 99999999\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")
        began = time.monotonic()
        while send(connection, b" "):
            assert time.monotonic() - began < HANG_S
            time.sleep(0.05)
        assert HTTP_LINGER_S - 0.5 < time.monotonic() - began < HANG_S


def test_http_head_request_has_no_body(embedded_server: Server) -> None:
    answer = _send_and_read(
        embedded_server, b"HEAD /graphql HTTP/1.1\r\nHost: test\r\nAccept: text/html\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\n")


def test_http_server_log_after_these_requests_has_no_error(embedded_server: Server) -> None:
    log = embedded_server.log.read_text("utf-8")
    assert "Traceback" not in log
    assert '"level":"error"' not in log
