"""How sockets live and end on the running server: slow and stopped clients, tokens, limits, memory, and its end."""

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
from api.serving import allow_many_files
from core.limits import SOCKET_STALLED_S, TOKEN_LEEWAY_S
from tests.e2e.servers import STOP_LIMIT_S, Server, data_directory, left_behind, running
from tests.sockets import SocketClient, socket_client

pytestmark = pytest.mark.newest

MANY: Final = 1_000
KIB_A_SOCKET: Final = 50
NAMES = "subscription { sites(first: 500) { nodes { id name } } }"
COUNT = "subscription { sites(first: 1) { totalCount } }"
SITES: Final = 400


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with data_directory() as path:
        yield path


@pytest.fixture(scope="module")
def server(data_dir: Path, demo_database: str) -> Iterator[Server]:
    settings = {"DATABASE_URL": demo_database, "SOCKETS_PER_VIEWER": str(2 * MANY)}
    with running("--demo", "--data-dir", data_dir, lines=5, **settings) as server:
        yield server
        server.end()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """An administrator's."""
    return server.tokens[0][1]


@pytest.fixture
async def database(server: Server, demo_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection past the server."""
    assert server
    connection = await asyncpg.connect(demo_database)
    yield connection
    await connection.close()


@pytest.fixture
async def sites(database: asyncpg.Connection, token: str) -> AsyncIterator[str]:
    """The administrator's tenant, with so many sites more that a list of them is large."""
    user = jwt.get_unverified_claims(token)["sub"]
    tenant = await database.fetchval("SELECT tenant_id FROM users WHERE id = $1", user)
    await database.execute(
        "INSERT INTO sites (id, tenant_id, name, slug, status) "
        "SELECT 'big-' || n, $1, repeat('x', 200), 'big-' || n, 'active' FROM generate_series(1, $2) n",
        tenant,
        SITES,
    )
    yield tenant
    await database.execute("DELETE FROM sites WHERE id LIKE 'big-%'")


async def _narrow(server: Server) -> socket.socket:
    """A connection with little room for what its client has not read."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    narrow.setblocking(False)
    port = int(server.url.rsplit(":", 1)[1])
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    return narrow


async def _rename(database: asyncpg.Connection, name: str) -> None:
    await database.execute("UPDATE sites SET name = $1 WHERE id = 'big-1'", name)


def _lines(server: Server, event: str) -> list[dict[str, Any]]:
    """The lines of the log about this."""
    lines = [json.loads(line) for line in server.log.read_text("utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


@pytest.mark.usefixtures("sites")
async def test_a_client_that_reads_slowly_ends_right(
    server: Server, token: str, database: asyncpg.Connection
) -> None:
    async with socket_client(server.url, sock=await _narrow(server), max_queue=1) as client:
        await client.init(token)
        await client.subscribe(NAMES)
        for number in range(60):
            await _rename(database, f"name {number}")
            await asyncio.sleep(0.01)
        seen, name = 0, ""
        while name != "name 59":
            nodes = (await client.receive())["payload"]["data"]["sites"]["nodes"]
            name = next(node["name"] for node in nodes if node["id"] == "big-1")
            seen += 1
        assert seen < 40
        assert await client.is_alive()


@pytest.mark.usefixtures("sites")
async def test_a_client_that_stops_reading_is_cut_off_within_seconds(
    server: Server, token: str, database: asyncpg.Connection
) -> None:
    async with (
        socket_client(server.url, sock=await _narrow(server), max_queue=1) as client,
        socket_client(server.url) as other,
    ):
        await other.init(token)
        await client.init(token)
        await client.subscribe(NAMES)
        before = len(_lines(server, "socket"))
        for number in range(60):
            await _rename(database, f"name {number}")
            await asyncio.sleep(0.01)
        async with asyncio.timeout(2 * SOCKET_STALLED_S + 2):
            while len(lines := _lines(server, "socket")) == before:  # noqa: ASYNC110 - the log tells no event
                await asyncio.sleep(0.1)
        assert (lines[-1]["code"], lines[-1]["reason"]) == (1006, "The client stopped reading")
        assert await other.is_alive()


async def test_a_token_that_ends_closes_its_socket_unless_a_fresh_one_came(
    server: Server, token: str, data_dir: Path
) -> None:
    issuer, user = DemoIssuer.load(data_dir), jwt.get_unverified_claims(token)["sub"]
    async with socket_client(server.url) as ends, socket_client(server.url) as goes_on:
        for client in (ends, goes_on):
            await client.init(issuer.issue(user, 2))
            await client.subscribe(COUNT)
            assert (await client.receive())["type"] == "next"
        fresh = {"Authorization": f"Bearer {issuer.issue(user, 600)}"}
        await goes_on.send({"type": "ping", "payload": fresh})
        assert await goes_on.receive() == {"type": "pong", "payload": {}}
        code, reason = await ends.end(2 + TOKEN_LEEWAY_S + 3)
        assert code == 4403
        assert "expired" in reason
        assert await goes_on.is_alive()


async def test_a_user_who_is_deactivated_is_closed_at_once(
    server: Server, database: asyncpg.Connection
) -> None:
    technician = server.tokens[1][1]
    user = jwt.get_unverified_claims(technician)["sub"]
    async with socket_client(server.url) as client:
        await client.init(technician)
        await client.subscribe(COUNT)
        assert (await client.receive())["type"] == "next"
        await database.execute("UPDATE users SET status = 'inactive' WHERE id = $1", user)
        try:
            code, reason = await client.end(2)
        finally:
            await database.execute("UPDATE users SET status = 'active' WHERE id = $1", user)
    assert code == 4403
    assert reason


async def test_the_log_has_a_line_for_the_socket_and_for_each_operation(server: Server, token: str) -> None:
    async with socket_client(server.url, additional_headers={"X-Request-Id": "mine"}) as client:
        await client.init(token)
        await client.subscribe("subscription Live { sites(first: 1) { totalCount } }")
        assert (await client.receive())["type"] == "next"
        assert (await client.ask("query Once { __typename }", "2"))["type"] == "next"
        await client.complete("1")
        assert await client.is_alive()
    await asyncio.sleep(0.2)
    (of_socket,) = [line for line in _lines(server, "socket") if line["request_id"] == "mine"]
    (once,) = [line for line in _lines(server, "request") if line["request_id"] == "mine/2"]
    (live,) = [line for line in _lines(server, "subscription") if line["request_id"] == "mine/1"]
    assert (of_socket["code"], of_socket["operations"], of_socket["viewer"]) == (1000, 2, "user")
    assert of_socket["user_id"] == once["user_id"] == live["user_id"]
    assert (once["operation"], once["outcome"]) == ("Once", "ok")
    assert (live["operation"], live["outcome"], live["messages"]) == ("Live", "ok", 1)


async def test_a_subscribed_socket_takes_little_memory(server: Server, token: str) -> None:
    allow_many_files()
    process = psutil.Process(server.process.pid)
    async with AsyncExitStack() as stack:
        await _subscribed(stack, server, token, 100)  # what is made once
        before = process.memory_info().rss
        clients = await _subscribed(stack, server, token, MANY)
        grown = (process.memory_info().rss - before) / 1024
        assert grown / MANY < KIB_A_SOCKET
        assert await clients[-1].is_alive()


async def _subscribed(stack: AsyncExitStack, server: Server, token: str, number: int) -> list[SocketClient]:
    clients = []
    for _ in range(number):
        client = await stack.enter_async_context(socket_client(server.url))
        await client.init(token)
        await client.subscribe(COUNT)
        assert (await client.receive())["type"] == "next"
        clients.append(client)
    return clients


async def test_sockets_of_a_viewer_and_in_all_are_limited(data_dir: Path, demo_database: str) -> None:
    settings = {"DATABASE_URL": demo_database, "SOCKETS_PER_VIEWER": "2", "SOCKETS_MAX": "3"}
    with running("--demo", "--data-dir", data_dir, lines=5, **settings) as server:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(socket_client(server.url)) for _ in range(3)]
            with pytest.raises(InvalidStatus) as refused:
                await stack.enter_async_context(socket_client(server.url))
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["Retry-After"] == "5"
            for client in clients[:2]:
                await client.init(server.tokens[0][1])
            shown = {"Authorization": f"Bearer {server.tokens[0][1]}"}
            await clients[2].send({"type": "connection_init", "payload": shown})
            assert await clients[2].end() == (1013, "The limit socketsPerViewer allows 2 sockets at once")
            other = await stack.enter_async_context(socket_client(server.url))
            await other.init(server.tokens[1][1])
        server.end()


async def test_origins_are_those_of_the_setting(data_dir: Path, demo_database: str) -> None:
    settings = {"DATABASE_URL": demo_database, "WEBSOCKET_ORIGINS": "https://app.example"}
    with running("--demo", "--data-dir", data_dir, lines=5, **settings) as server:
        async with socket_client(server.url, origin="https://app.example") as client:
            await client.init()
        with pytest.raises(InvalidStatus) as refused:
            async with socket_client(server.url, origin="https://other.example"):
                pass
        assert refused.value.response.status_code == 403
        server.end()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
async def test_a_signal_closes_all_sockets_with_1001(how: signal.Signals) -> None:
    with data_directory() as path, running("--demo", "--data-dir", path, lines=5) as server:
        async with AsyncExitStack() as stack:
            clients = await _subscribed(stack, server, server.tokens[0][1], 50)
            stopped = await stack.enter_async_context(
                socket_client(server.url, sock=await _narrow(server), max_queue=1)
            )
            await stopped.init(server.tokens[0][1])
            for number in range(40):
                await stopped.subscribe("{ sites(first: 500) { nodes { id name config } } }", str(number))
            new = await stack.enter_async_context(socket_client(server.url))
            ends = [asyncio.create_task(client.end(5)) for client in (*clients, new)]
            took = await asyncio.to_thread(server.end, how)
            assert took < STOP_LIMIT_S
            assert set(await asyncio.gather(*ends)) == {(1001, "The server is going away")}
        assert server.process.returncode == 0
        assert not left_behind(path)
        assert "Traceback" not in server.log.read_text("utf-8")
        codes = [line["code"] for line in _lines(server, "socket")]
        assert len(codes) == 52
        assert codes.count(1001) >= 51
