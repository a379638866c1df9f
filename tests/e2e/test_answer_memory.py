"""Answers of half a gigabyte, and clients that do not read: memory stays bounded, and others are answered."""

import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio
from jose import jwt

from tests.e2e.raw_http import MIB, POST, connect, measure_memory_mib, open_connections, read_metric, send
from tests.e2e.servers import Server, start_server
from tests.waiting import HANG_S, block_until
from tests.websocket_client import connect_websocket

pytestmark = pytest.mark.newest

_FILL: Final = """
    INSERT INTO sites (tenant_id, name, slug, status, metadata)
    SELECT tenant_id, 'Long ' || n, 'long-' || n, 'active', jsonb_build_object('text', repeat('x', 193000))
    FROM users, generate_series(1, 500) n WHERE users.id = $1
"""
LONG_SITES: Final = 'sites(first: 500, where: { name: { startsWith: "Long " } }) { nodes { metadata } }'
HUGE: Final = f"{{ {' '.join(f'r{number}: {LONG_SITES}' for number in range(5))} }}"
"""An answer of 480 MB, of a tenth of the allowed cost."""

LARGE: Final = f"{{ {LONG_SITES.replace('500', '80')} }}"
"""An answer of 15 MB, just below the limit."""

PROGRAM: Final = ("-m", "tests.e2e.short_timeout_server")
NEIGHBOR: Final = "{ sites(first: 3) { nodes { name } } }"


REFUSED: Final = {"QUERY_TOO_COMPLEX"}
"""For its bytes, or on a busy machine for the time of a statement."""

RESPONSE_TIMEOUTS: Final = 'msp_connections_refused_total{reason="response_timeout"}'


@pytest.fixture(scope="module")
def server(writable_demo_database_url: str, data_dir: Path) -> Iterator[Server]:
    """A server with the usual limits, except that a client has to read its response within seconds."""
    environment = {
        "CONNECTION_LIMITS": json.dumps({"stalled_s": 3.0, "sweep_s": 0.1}),
        "DATABASE_URL": writable_demo_database_url,
    }
    with start_server("--demo", "--data-dir", data_dir, lines=5, program=PROGRAM, **environment) as server:
        yield server
        server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def long_sites(server: Server, writable_demo_database_url: str) -> AsyncIterator[None]:
    """500 sites of the first viewer's tenant with 193 KB of metadata each."""
    connection = await asyncpg.connect(writable_demo_database_url, server_settings={"app.platform": "on"})
    await connection.execute(_FILL, jwt.get_unverified_claims(server.tokens[0][1])["sub"])
    yield
    await connection.close()


def build_request(token: str, query: str) -> bytes:
    body = json.dumps({"query": query}).encode()
    return POST + f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def post(server: Server, number: int, query: str) -> dict[str, Any]:
    """The response to a viewer's query."""
    headers = {"Authorization": f"Bearer {server.tokens[number][1]}"}
    response = httpx.post(f"{server.url}/graphql", json={"query": query}, headers=headers, timeout=HANG_S)
    found: dict[str, Any] = response.json()
    return found


class MemoryPeak:
    """The growth of a server's memory in a block, in MiB, at its peak."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = measure_memory_mib(server)
        self.mib = 0.0

    def sample(self) -> None:
        self.mib = max(self.mib, measure_memory_mib(self._server) - self._before)


@contextmanager
def watch_memory(server: Server) -> Iterator[MemoryPeak]:
    """Measure the memory every few milliseconds."""
    peak, over = MemoryPeak(server), threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            peak.sample()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def test_huge_answers_take_bounded_memory_and_others_are_answered(server: Server) -> None:
    with watch_memory(server) as peak, open_connections(server, 3) as clients:
        for client in clients:
            send(client, build_request(server.tokens[0][1], HUGE))
        for _ in range(5):
            assert "errors" not in post(server, 2, NEIGHBOR)
        for client in clients:
            answer = json.loads(read_body(client))
            assert {error["extensions"]["code"] for error in answer["errors"]} == REFUSED
    assert peak.mib < 250  # of 1,440 MB


async def test_huge_answer_over_websocket_is_an_error_and_the_socket_stays(server: Server) -> None:
    with watch_memory(server) as peak:
        async with connect_websocket(server.url, max_size=None) as client:
            await client.init(server.tokens[0][1])
            answer = await client.execute(HUGE)
            assert {error["extensions"]["code"] for error in answer["payload"]["errors"]} == REFUSED
            await client.subscribe(f"subscription {{ {LONG_SITES} }}", "live")
            refused = await client.receive()
            assert refused["type"] == "error"
            assert {error["extensions"]["code"] for error in refused["payload"]} == REFUSED
            assert await client.is_alive()
    assert peak.mib < 250


def test_large_answers_that_are_not_read_take_bounded_memory(server: Server) -> None:
    """Each waits in memory once, and for a limited time. Then its client is disconnected."""
    cut = read_metric(server, RESPONSE_TIMEOUTS)
    with watch_memory(server) as peak, open_connections(server, 8) as clients:
        for client in clients:
            send(client, build_request(server.tokens[0][1], LARGE))
        for client in clients:
            client.recv(1_000)
        assert "errors" not in post(server, 2, NEIGHBOR)
        block_until(lambda: read_metric(server, RESPONSE_TIMEOUTS) == cut + 8)
    assert peak.mib < 8 * 15 + 250
    with connect(server) as client:
        send(client, build_request(server.tokens[0][1], LARGE))
        assert len(read_body(client)) > 14 * MIB


def read_body(client: socket.socket) -> bytes:
    """The body of a response."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += client.recv(1 << 20)
    return body
