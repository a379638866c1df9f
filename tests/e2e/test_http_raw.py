"""What no well-behaved client sends, over a bare socket, to the running server."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from core.limits import BODY_MAX_BYTES, HEAD_MAX_BYTES
from tests.e2e.servers import Server, data_directory, running

POST = b"POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
BODY = b'{"query": "{ __typename }"}'
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with data_directory() as path, running("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.end()


def _said(server: Server, *pieces: bytes) -> bytes:
    """What the server answers until it falls silent; it may stop listening amid our words."""
    parts = urlsplit(server.url)
    answer = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=1) as connection:
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


def test_a_head_without_end_is_431(server: Server) -> None:
    assert _said(server, POST, *[b"X-More: " + b"a" * 8_000 + b"\r\n"] * 20).startswith(b"HTTP/1.1 431 ")
    assert _said(server, POST, b"X-Long: ", *[b"a" * 10_000] * 20).startswith(b"HTTP/1.1 431 ")
    assert _said(server, b"GET /graphql?query=", *[b"a" * 10_000] * 20).startswith(b"HTTP/1.1 431 ")


def test_a_head_within_the_bound_is_read_also_after_another(server: Server) -> None:
    padding = b"X-Long: " + b"a" * (HEAD_MAX_BYTES - 1_000) + b"\r\n"
    answer = _said(server, *[POST + padding + LENGTH + BODY] * 3)
    assert answer.count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    "pieces",
    [
        [b"Content-Length: 99999999\r\n\r\n", *[b" " * 65_536] * 40],
        [b"Transfer-Encoding: chunked\r\n\r\n", *[b"10000\r\n" + b" " * 65_536 + b"\r\n"] * 40],
    ],
    ids=["with its length", "in chunks"],
)
def test_a_body_without_end_is_413(server: Server, pieces: list[bytes]) -> None:
    assert sum(map(len, pieces)) > BODY_MAX_BYTES
    answer = _said(server, POST, *pieces)
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
def test_a_malformed_request_is_refused_and_the_next_one_answered(server: Server, request_: bytes) -> None:
    assert _said(server, request_).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 415 "))
    assert _said(server, POST + LENGTH + BODY).startswith(b"HTTP/1.1 200 OK")


def test_a_head_request_has_no_body(server: Server) -> None:
    answer = _said(server, b"HEAD /graphql HTTP/1.1\r\nHost: test\r\nAccept: text/html\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\n")


def test_of_all_this_the_log_has_no_fault(server: Server) -> None:
    log = server.log.read_text("utf-8")
    assert "Traceback" not in log
    assert '"level":"error"' not in log
