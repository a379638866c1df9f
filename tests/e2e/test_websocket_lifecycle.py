"""The life of sockets on the running server: slow and stopped clients, tokens, limits, memory, and shutdown."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil
import pytest
from jose import jwt
from websockets.exceptions import InvalidStatus

from api.demo_issuer import DemoIssuer
from api.server import raise_file_limit
from core.limits import TOKEN_LEEWAY_S
from tests.e2e.servers import Server, list_leftover_processes, start_server, temporary_data_dir
from tests.waiting import HANG_S
from tests.websocket_client import WebSocketClient, connect_websocket

pytestmark = pytest.mark.newest

MANY: Final = 1_000
KIB_A_SOCKET: Final = 50
NAMES = "subscription { sites(first: 500) { nodes { id name } } }"
COUNT = "subscription { sites(first: 1) { totalCount } }"
SITES: Final = 400


@pytest.fixture(scope="module")
def server(data_dir: Path, writable_demo_database_url: str) -> Iterator[Server]:
    settings = {"DATABASE_URL": writable_demo_database_url, "SOCKETS_PER_VIEWER": str(2 * MANY)}
    with start_server("--demo", "--data-dir", data_dir, lines=5, **settings) as server:
        yield server
        server.stop()


@pytest.fixture(scope="module")
def administrator_token(server: Server) -> str:
    """The token of an administrator."""
    return server.tokens[0][1]


@pytest.fixture
async def database_connection(
    server: Server, writable_demo_database_url: str
) -> AsyncIterator[asyncpg.Connection]:
    """A connection that bypasses the server."""
    assert server
    connection = await asyncpg.connect(writable_demo_database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def tenant_with_many_sites(
    database_connection: asyncpg.Connection, administrator_token: str
) -> AsyncIterator[str]:
    """The administrator's tenant with so many more sites that a list of them is large."""
    user = jwt.get_unverified_claims(administrator_token)["sub"]
    tenant = await database_connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", user)
    await database_connection.execute(
        "INSERT INTO sites (id, tenant_id, name, slug, status) "
        "SELECT 'big-' || n, $1, repeat('x', 200), 'big-' || n, 'active' FROM generate_series(1, $2) n",
        tenant,
        SITES,
    )
    yield tenant
    await database_connection.execute("DELETE FROM sites WHERE id LIKE 'big-%'")


async def _connect_with_small_buffer(server: Server) -> socket.socket:
    """A connection with a small receive buffer."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    narrow.setblocking(False)
    port = int(server.url.rsplit(":", 1)[1])
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    return narrow


async def _rename_site(database: asyncpg.Connection, name: str) -> None:
    await database.execute("UPDATE sites SET name = $1 WHERE id = 'big-1'", name)


def _read_log_lines(server: Server, event: str) -> list[dict[str, Any]]:
    """The log lines of this event."""
    lines = [json.loads(line) for line in server.log.read_text("utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.mark.usefixtures("tenant_with_many_sites")
async def test_websocket_slow_client_skips_states_and_gets_the_last(
    server: Server, administrator_token: str, database_connection: asyncpg.Connection
) -> None:
    async with connect_websocket(
        server.url, sock=await _connect_with_small_buffer(server), max_queue=1
    ) as client:
        await client.init(administrator_token)
        await client.subscribe(NAMES)
        for number in range(60):
            await _rename_site(database_connection, f"name {number}")
            await asyncio.sleep(0.01)
        seen, name = 0, ""
        while name != "name 59":
            nodes = (await client.receive())["payload"]["data"]["sites"]["nodes"]
            name = next(node["name"] for node in nodes if node["id"] == "big-1")
            seen += 1
        assert seen < 40
        assert await client.is_alive()


@pytest.mark.usefixtures("tenant_with_many_sites")
async def test_websocket_stalled_client_is_aborted(
    server: Server, administrator_token: str, database_connection: asyncpg.Connection
) -> None:
    async with (
        connect_websocket(server.url, sock=await _connect_with_small_buffer(server), max_queue=1) as client,
        connect_websocket(server.url) as other,
    ):
        await other.init(administrator_token)
        await client.init(administrator_token)
        await client.subscribe(NAMES)
        before = len(_read_log_lines(server, "socket"))
        for number in range(60):
            await _rename_site(database_connection, f"name {number}")
            await asyncio.sleep(0.01)
        async with asyncio.timeout(HANG_S):
            while len(lines := _read_log_lines(server, "socket")) == before:  # noqa: ASYNC110 - the log has no event
                await asyncio.sleep(0.1)
        assert (lines[-1]["code"], lines[-1]["reason"]) == (1006, "The client stopped reading")
        assert await other.is_alive()


async def test_websocket_expired_token_closes_unless_renewed(
    server: Server, administrator_token: str, data_dir: Path
) -> None:
    issuer, user = DemoIssuer.load(data_dir), jwt.get_unverified_claims(administrator_token)["sub"]
    async with connect_websocket(server.url) as ends, connect_websocket(server.url) as goes_on:
        for client in (ends, goes_on):
            await client.init(issuer.issue(user, 2))
            await client.subscribe(COUNT)
            assert (await client.receive())["type"] == "next"
        fresh = {"Authorization": f"Bearer {issuer.issue(user, 600)}"}
        await goes_on.send({"type": "ping", "payload": fresh})
        assert await goes_on.receive() == {"type": "pong", "payload": {}}
        code, reason = await ends.wait_for_close(2 + TOKEN_LEEWAY_S + 3)
        assert code == 4403
        assert reason == "TOKEN_EXPIRED: The token has expired"
        assert await goes_on.is_alive()


async def test_websocket_of_deactivated_user_closes_with_4403(
    server: Server, database_connection: asyncpg.Connection
) -> None:
    technician = server.tokens[1][1]
    user = jwt.get_unverified_claims(technician)["sub"]
    async with connect_websocket(server.url) as client:
        await client.init(technician)
        await client.subscribe(COUNT)
        assert (await client.receive())["type"] == "next"
        await database_connection.execute("UPDATE users SET status = 'inactive' WHERE id = $1", user)
        try:
            code, reason = await client.wait_for_close(2)
        finally:
            await database_connection.execute("UPDATE users SET status = 'active' WHERE id = $1", user)
    assert code == 4403
    assert reason.startswith("VIEWER_INACTIVE: ")


async def test_websocket_log_has_a_line_for_connection_and_each_operation(
    server: Server, administrator_token: str
) -> None:
    async with connect_websocket(server.url, additional_headers={"X-Request-Id": "mine"}) as client:
        await client.init(administrator_token)
        await client.subscribe("subscription Live { sites(first: 1) { totalCount } }")
        assert (await client.receive())["type"] == "next"
        assert (await client.execute("query Once { __typename }", "2"))["type"] == "next"
        await client.complete("1")
        assert await client.is_alive()
    await asyncio.sleep(0.2)
    (of_socket,) = [line for line in _read_log_lines(server, "socket") if line["request_id"] == "mine"]
    (once,) = [line for line in _read_log_lines(server, "request") if line["request_id"] == "mine/2"]
    (live,) = [line for line in _read_log_lines(server, "subscription") if line["request_id"] == "mine/1"]
    assert (of_socket["code"], of_socket["operations"], of_socket["viewer"]) == (1000, 2, "user")
    assert of_socket["user_id"] == once["user_id"] == live["user_id"]
    assert (once["operation"], once["outcome"]) == ("Once", "ok")
    assert (live["operation"], live["outcome"], live["messages"]) == ("Live", "ok", 1)


async def test_websocket_subscribed_takes_bounded_memory(server: Server, administrator_token: str) -> None:
    raise_file_limit()
    process = psutil.Process(server.process.pid)
    async with AsyncExitStack() as stack:
        await _subscribe_clients(stack, server, administrator_token, 100)  # one-time allocations
        before = process.memory_info().rss
        clients = await _subscribe_clients(stack, server, administrator_token, MANY)
        grown = (process.memory_info().rss - before) / 1024
        assert grown / MANY < KIB_A_SOCKET
        assert await clients[-1].is_alive()


async def _subscribe_clients(
    stack: AsyncExitStack, server: Server, token: str, number: int
) -> list[WebSocketClient]:
    clients = []
    for _ in range(number):
        client = await stack.enter_async_context(connect_websocket(server.url))
        await client.init(token)
        await client.subscribe(COUNT)
        assert (await client.receive())["type"] == "next"
        clients.append(client)
    return clients


async def test_websocket_limits_per_viewer_and_in_total_are_enforced(
    data_dir: Path, writable_demo_database_url: str
) -> None:
    settings = {"DATABASE_URL": writable_demo_database_url, "SOCKETS_PER_VIEWER": "2", "SOCKETS_MAX": "3"}
    with start_server("--demo", "--data-dir", data_dir, lines=5, **settings) as server:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connect_websocket(server.url)) for _ in range(2)]
            for client in clients:  # of those that have not sent it, half of three are allowed
                await client.init(server.tokens[0][1])
            clients.append(await stack.enter_async_context(connect_websocket(server.url)))
            with pytest.raises(InvalidStatus) as refused:
                await stack.enter_async_context(connect_websocket(server.url))
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["Retry-After"] == "5"
            shown = {"Authorization": f"Bearer {server.tokens[0][1]}"}
            await clients[2].send({"type": "connection_init", "payload": shown})
            assert await clients[2].wait_for_close() == (
                1013,
                "The limit socketsPerViewer allows 2 sockets at once",
            )
            other = await stack.enter_async_context(connect_websocket(server.url))
            await other.init(server.tokens[1][1])
        server.stop()


async def test_websocket_origins_follow_the_setting(data_dir: Path, writable_demo_database_url: str) -> None:
    settings = {"DATABASE_URL": writable_demo_database_url, "WEBSOCKET_ORIGINS": "https://app.example"}
    with start_server("--demo", "--data-dir", data_dir, lines=5, **settings) as server:
        async with connect_websocket(server.url, origin="https://app.example") as client:
            await client.init()
        with pytest.raises(InvalidStatus) as refused:
            async with connect_websocket(server.url, origin="https://other.example"):
                pass
        assert refused.value.response.status_code == 403
        server.stop()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
async def test_websocket_connections_at_a_signal_close_with_1001(how: signal.Signals) -> None:
    with temporary_data_dir() as path, start_server("--demo", "--data-dir", path, lines=5) as server:
        async with AsyncExitStack() as stack:
            clients = await _subscribe_clients(stack, server, server.tokens[0][1], 50)
            stopped = await stack.enter_async_context(
                connect_websocket(server.url, sock=await _connect_with_small_buffer(server), max_queue=1)
            )
            await stopped.init(server.tokens[0][1])
            for number in range(40):
                await stopped.subscribe("{ sites(first: 500) { nodes { id name config } } }", str(number))
            new = await stack.enter_async_context(connect_websocket(server.url))
            ends = [asyncio.create_task(client.wait_for_close()) for client in (*clients, new)]
            await asyncio.to_thread(server.stop, how)
            assert set(await asyncio.gather(*ends)) == {(1001, "The server is shutting down")}
        assert server.process.returncode == 0
        assert not list_leftover_processes(path)
        assert "Traceback" not in server.log.read_text("utf-8")
        codes = [line["code"] for line in _read_log_lines(server, "socket")]
        assert len(codes) == 52
        assert codes.count(1001) >= 51
