"""Sockets on a real server and a real database: what clients are told, when, and what the server keeps of it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from core.errors import ForbiddenError
from core.limits import SOCKET_EVENTS_BYTES_MAX, SOCKET_ID_CHARS_MAX, SOCKET_MESSAGE_MAX_BYTES
from services.demo import demo_viewers
from subscriptions.changes.moment import Moment
from subscriptions.sinks import Departure, Gone, Payload
from tests.scripted_live import ScriptedServer, Subscription, scripted_server
from tests.sockets import SocketClient, socket_client

SITES = "subscription { sites { totalCount } }"
STATE = '{"data":{"n":%d}}'
PADDED = '{"data":{"n":%d,"more":"' + "x" * 20_000 + '"}}'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(demo_database_url: str) -> AsyncIterator[ScriptedServer]:
    async with scripted_server(demo_database_url) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def user(demo_database_url: str) -> str:
    """The id of an administrator."""
    connection = await asyncpg.connect(demo_database_url)
    try:
        return (await demo_viewers(connection))[0].user_id
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def client(server: ScriptedServer) -> AsyncIterator[SocketClient]:
    """An anonymous client that was acknowledged."""
    async with socket_client(server.url) as client:
        await client.init()
        yield client


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """What the log has, as it is written."""
    with capture_logs() as logged:
        yield logged


async def _until(holds: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is the server's, which tells no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def _slow_client(server: ScriptedServer, token: str | None = None) -> AsyncIterator[SocketClient]:
    """A client with little room for what it has not read."""
    port = int(server.url.rsplit(":", 1)[1])
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    async with socket_client(server.url, sock=narrow, max_queue=1) as client:
        await client.init(token)
        yield client


async def test_states_are_told_one_after_the_other(server: ScriptedServer, client: SocketClient) -> None:
    await client.subscribe(SITES, "a", variables={"x": 1})
    subscription = await server.live.subscription()
    assert subscription.request.variables == {"x": 1}
    for number in range(3):
        subscription.state(STATE % number)
        expected = {"id": "a", "type": "next", "payload": {"data": {"n": number}}}
        assert await client.receive() == expected
    subscription.sink.complete()
    subscription.state(STATE % 9)
    assert await client.receive() == {"id": "a", "type": "complete"}
    assert await client.is_alive()
    assert subscription.cancelled == 1


async def test_one_that_fails_is_an_error_and_the_socket_stays(
    server: ScriptedServer, client: SocketClient
) -> None:
    await client.subscribe(SITES)
    subscription = await server.live.subscription()
    subscription.sink.error([{"message": "m", "extensions": {"code": "INTERNAL"}}])
    subscription.sink.complete()
    errors = [{"message": "m", "extensions": {"code": "INTERNAL"}}]
    assert await client.receive() == {"id": "1", "type": "error", "payload": errors}
    assert await client.is_alive()


async def test_a_complete_cancels_it_and_its_id_is_free(server: ScriptedServer, client: SocketClient) -> None:
    await client.subscribe(SITES)
    first = await server.live.subscription()
    await client.complete()
    await _until(lambda: first.cancelled == 1)
    first.state(STATE % 1)
    await client.subscribe(SITES)
    (await server.live.subscription(1)).state(STATE % 2)
    assert (await client.receive())["payload"] == {"data": {"n": 2}}


@pytest.mark.parametrize(
    ("query", "more", "code"),
    [
        ("subscription {", {}, "BAD_USER_INPUT"),
        ("", {}, "BAD_USER_INPUT"),
        ("subscription { nothing }", {}, "BAD_USER_INPUT"),
        ("{ nothing }", {}, "BAD_USER_INPUT"),
        ("query A { __typename }", {"operationName": "B"}, "BAD_USER_INPUT"),
        ("query A { __typename } query B { __typename }", {}, "BAD_USER_INPUT"),
        ("{ sites(first: 900) { nodes { agents(first: 900) { nodes { id } } } } }", {}, "QUERY_TOO_COMPLEX"),
    ],
)
async def test_what_cannot_run_is_an_error_and_the_socket_stays(
    client: SocketClient, query: str, more: dict[str, Any], code: str
) -> None:
    message = await client.ask(query, **more)
    assert message["type"] == "error"
    assert {error["extensions"]["code"] for error in message["payload"]} == {code}
    assert await client.is_alive()


async def test_and_so_is_what_is_refused_at_once(server: ScriptedServer, client: SocketClient) -> None:
    server.live.refusal = ForbiddenError("no")
    try:
        message = await client.ask(SITES)
    finally:
        server.live.refusal = None
    errors = [{"message": "no", "extensions": {"code": "FORBIDDEN"}}]
    assert message == {"id": "1", "type": "error", "payload": errors}
    assert await client.is_alive()


async def test_our_own_fault_is_told_without_detail(
    server: ScriptedServer, client: SocketClient, lines: list[Any]
) -> None:
    server.live.refusal = ZeroDivisionError("a secret")
    try:
        message = await client.ask(SITES)
    finally:
        server.live.refusal = None
    (error,) = message["payload"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in json.dumps(message)
    logged = next(line for line in lines if line["event"] == "subscription")
    assert logged["error_id"] == error["extensions"]["errorId"]
    assert logged["log_level"] == "error"


async def test_what_is_told_at_once_comes_even_where_it_ends_at_once(
    server: ScriptedServer, client: SocketClient
) -> None:
    server.live.at_once, server.live.ends_at_once = (STATE % 1,), True
    try:
        message = await client.ask(SITES)
    finally:
        server.live.at_once, server.live.ends_at_once = (), False
    assert message["payload"] == {"data": {"n": 1}}
    assert (await server.live.subscription()).cancelled == 1


async def test_queries_have_one_result_as_over_http(server: ScriptedServer, user: str) -> None:
    query = "query Some($n: Int) { sites(first: $n) { nodes { id name } } viewer { kind } }"
    token = server.token(user)
    async with httpx.AsyncClient() as http:
        body = {"query": query, "variables": {"n": 2}, "extensions": {"cost": True}}
        response = await http.post(
            f"{server.url}/graphql", json=body, headers={"Authorization": f"Bearer {token}"}
        )
    async with socket_client(server.url) as client:
        await client.init(token)
        with capture_logs() as lines:
            message = await client.ask(query, variables={"n": 2}, extensions={"cost": True})
        assert message["payload"] == response.json()
        (line,) = lines
        assert line["event"] == "request"
        assert (line["operation"], line["outcome"], line["user_id"]) == ("Some", "ok", user)
        assert line["statements"] > 0


async def test_a_query_that_is_completed_is_told_nothing_and_cancelled(
    server: ScriptedServer, user: str, lines: list[Any]
) -> None:
    async with socket_client(server.url) as client, server.live.database.pool.acquire() as other:
        await client.init(server.token(user))
        async with other.transaction():
            await other.execute("LOCK TABLE sites IN ACCESS EXCLUSIVE MODE")
            await client.subscribe("{ sites { totalCount } }")
            await asyncio.sleep(0.2)
            await client.complete()
            await _until(lambda: any(line["event"] == "request" for line in lines))
        assert await client.is_alive()
    assert next(line for line in lines if line["event"] == "request")["outcome"] == "gone"


async def test_a_client_that_reads_slowly_gets_the_newest_states(server: ScriptedServer) -> None:
    async with _slow_client(server) as client:
        for id_ in "abc":
            await client.subscribe(SITES, id_)
        subscriptions = [await server.live.subscription(number) for number in range(3)]
        pushed = 500
        for number in range(pushed):
            for subscription in subscriptions:
                subscription.state(PADDED % number)
            await asyncio.sleep(0)
        seen: dict[str, list[int]] = {id_: [] for id_ in "abc"}
        while any(numbers[-1:] != [pushed - 1] for numbers in seen.values()):
            message = await client.receive()
            seen[message["id"]].append(message["payload"]["data"]["n"])
        for numbers in seen.values():
            assert numbers == sorted(set(numbers))
            assert len(numbers) < pushed / 5
        assert await client.is_alive()


async def test_a_pong_with_a_snapshot_stays_behind_what_waited_before(
    server: ScriptedServer, user: str
) -> None:
    ping = {"type": "ping", "payload": {"snapshot": True, "mine": 7}}
    async with _slow_client(server, server.token(user)) as client:
        await client.subscribe(SITES)
        subscription = await server.live.subscription()
        await client.send(ping)
        await _until(lambda: len(server.live.session.waits) == 1)
        for number in range(100):
            subscription.state(PADDED % number)
        server.live.session.waits[0](Moment.parse("10:12:11"))
        subscription.state(PADDED % 100)  # takes the place of the one that waits
        before = []
        while (message := await client.receive())["type"] == "next":
            before.append(message["payload"]["data"]["n"])
        assert message == {"type": "pong", "payload": {"snapshot": "10:12:11", "mine": 7}}
        assert before[-1] == 100
        assert len(before) < 100
        assert await client.is_alive()


async def test_who_is_not_signed_in_is_told_no_snapshot(server: ScriptedServer) -> None:
    ping, pong = ({"type": t, "payload": {"snapshot": s}} for t, s in (("ping", True), ("pong", None)))
    async with socket_client(server.url) as client:
        await client.send(ping)
        assert await client.receive() == pong
        await client.init()
        await client.send(ping)
        assert await client.receive() == pong


async def test_any_other_snapshot_goes_back_as_it_is(server: ScriptedServer, user: str) -> None:
    async with socket_client(server.url) as client:
        await client.init(server.token(user))
        for value in (False, None, "10:10:", 1):
            await client.send({"type": "ping", "payload": {"snapshot": value}})
            assert await client.receive() == {"type": "pong", "payload": {"snapshot": value}}


async def _tell_events(subscription: Subscription, *, until_bytes: int) -> int:
    told = 0
    for number in range(until_bytes // 20_000):
        subscription.sink.event(Payload(PADDED % number))
        told += 1
        await asyncio.sleep(0)
    return told


async def test_events_are_neither_lost_nor_replaced(server: ScriptedServer) -> None:
    async with _slow_client(server) as client:
        await client.subscribe(SITES)
        told = await _tell_events(await server.live.subscription(), until_bytes=SOCKET_EVENTS_BYTES_MAX)
        seen = [(await client.receive())["payload"]["data"]["n"] for _ in range(told)]
        assert seen == list(range(told))


async def test_a_stream_that_its_client_does_not_read_ends_after_what_it_had(
    server: ScriptedServer, lines: list[Any]
) -> None:
    async with _slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.subscription()
        await _tell_events(subscription, until_bytes=16 * SOCKET_EVENTS_BYTES_MAX)
        assert subscription.cancelled == 1
        seen = []
        while (message := await client.receive())["type"] == "next":
            seen.append(message["payload"]["data"]["n"])
        assert seen == list(range(len(seen)))
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert "cursor" in message["payload"][0]["message"]
        assert await client.is_alive()
    line = next(line for line in lines if line["event"] == "subscription")
    assert (line["messages"], line["outcome"]) == (len(seen), "partial")


async def test_a_client_that_stops_reading_is_cut_off(
    server: ScriptedServer, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.wire.SOCKET_STALLED_S", 0.3)
    async with _slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.subscription()
        session = server.live.session
        for number in range(500):
            subscription.state(PADDED % number)
        await _until(lambda: session.closed == 1, 3)
        assert subscription.cancelled == 1
        line = next(line for line in lines if line["event"] == "socket")
        assert (line["code"], line["reason"]) == (1006, "The client stopped reading")


async def test_one_that_reads_a_little_now_and_then_is_not(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.wire.SOCKET_STALLED_S", 0.4)
    async with _slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.subscription()
        for number in range(40):
            subscription.state(PADDED % number)
        for number in range(40, 60):
            subscription.state(PADDED % number)
            await client.receive()
            await asyncio.sleep(0.1)
        while (await client.receive())["payload"]["data"]["n"] != 59:
            pass
        assert await client.is_alive()


async def test_more_than_any_client_may_leave_unread_cuts_it_off(
    server: ScriptedServer, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscriptions.socket.outbox.SOCKET_WAITING_BYTES_MAX", 200_000)
    async with _slow_client(server) as client:
        for number in range(60):
            await client.subscribe(SITES, str(number))
        subscriptions = [await server.live.subscription(number) for number in range(60)]
        for number, subscription in enumerate(subscriptions):
            subscription.state(PADDED % number)
        await _until(lambda: any(line["event"] == "socket" for line in lines))
        line = next(line for line in lines if line["event"] == "socket")
        assert (line["code"], line["reason"]) == (1006, "Too much waited for the client to read")


async def test_where_too_much_waits_on_all_the_fullest_is_cut_off(
    server: ScriptedServer, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.sockets.SOCKETS_WAITING_BYTES_MAX", 300_000)
    async with _slow_client(server) as slow:
        await slow.subscribe(SITES)
        full = await server.live.subscription()
        async with _slow_client(server) as other:
            await other.subscribe(SITES)
            subscription = await server.live.subscription()
            for number in range(100):
                subscription.state(PADDED % number)
            for number in range(100):
                full.sink.event(Payload(PADDED % number))
            await _until(lambda: any(line["event"] == "socket" for line in lines))
            while (await other.receive())["payload"]["data"]["n"] != 99:
                pass
            assert await other.is_alive()
    line = next(line for line in lines if line["event"] == "socket")
    assert line["reason"].startswith("The server had no more room")


async def test_a_viewer_that_is_gone_is_closed_at_once_with_4403(
    server: ScriptedServer, user: str, lines: list[Any]
) -> None:
    async with socket_client(server.url) as client:
        await client.init(server.token(user))
        await client.subscribe(SITES)
        subscription = await server.live.subscription()
        server.live.session.gone(Gone(Departure.EXPIRED, "The token has expired"))
        subscription.state(STATE % 1)
        assert await client.end(1) == (4403, "The token has expired")
    await _until(lambda: any(line["event"] == "socket" for line in lines))
    socket_line = next(line for line in lines if line["event"] == "socket")
    assert (socket_line["viewer"], socket_line["user_id"]) == ("user", user)
    assert (socket_line["code"], socket_line["operations"]) == (4403, 1)
    subscription_line = next(line for line in lines if line["event"] == "subscription")
    assert subscription_line["outcome"] == "gone"
    assert subscription_line["request_id"] == f"{socket_line['request_id']}/1"


async def test_and_so_is_one_that_does_not_read(server: ScriptedServer) -> None:
    async with _slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.subscription()
        for number in range(500):
            subscription.state(PADDED % number)
        session = server.live.session
        session.gone(Gone(Departure.REFUSED, "no longer active"))
        await _until(lambda: session.closed == 1, 1)


async def test_a_fresh_token_in_a_ping_goes_on(server: ScriptedServer, user: str) -> None:
    async with socket_client(server.url) as client:
        await client.init(server.token(user))
        payload = {"authorization": f"Bearer {server.token(user, jti='b')}", "at": 1}
        await client.send({"type": "ping", "payload": payload})
        assert await client.receive() == {"type": "pong", "payload": {"at": 1}}
        (identity,) = server.live.session.renewed
        assert identity.subject == user
        assert (await client.ask("{ viewer { kind } }"))["type"] == "next"


@pytest.mark.parametrize("first", ["user", "anonymous", "nothing"])
@pytest.mark.parametrize("fresh", ["another", "broken", "no text"])
async def test_any_other_token_in_a_ping_closes_with_4403(
    server: ScriptedServer, user: str, first: str, fresh: str
) -> None:
    async with socket_client(server.url) as client:
        if first != "nothing":
            await client.init(server.token(user) if first == "user" else None)
        token = {"another": f"Bearer {server.token('another')}", "broken": "Bearer a.b.c", "no text": 1}[
            fresh
        ]
        await client.send({"type": "ping", "payload": {"Authorization": token}})
        code, reason = await client.end()
        assert code == 4403
        assert reason


async def test_a_database_that_is_away_is_to_be_tried_again_later(demo_database_url: str, user: str) -> None:
    async with scripted_server(demo_database_url) as server:
        await server.live.database.close()
        async with socket_client(server.url) as client:
            token = f"Bearer {server.token(user)}"
            await client.send({"type": "connection_init", "payload": {"Authorization": token}})
            code, reason = await client.end()
    assert (code, reason) == (1013, "The database cannot be reached. Try again in a few seconds.")


async def test_a_second_socket_too_many_and_one_too_many_of_a_viewer(
    demo_database_url: str, user: str
) -> None:
    async with scripted_server(demo_database_url, sockets_max=3, sockets_per_viewer=1) as server:
        token = server.token(user)
        async with socket_client(server.url) as first, socket_client(server.url) as second:
            await first.init(token)
            await second.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
            assert await second.end() == (1013, "The limit socketsPerViewer allows 1 sockets at once")
            await first.connection.close()
            await _until(lambda: server.live.session.closed == 1)
            async with socket_client(server.url) as third:
                await third.init(token)


async def test_metrics_tell_of_sockets(server: ScriptedServer, client: SocketClient) -> None:
    await client.subscribe(SITES)
    (await server.live.subscription()).state(STATE % 1)
    await client.receive()
    await client.complete()
    assert await client.is_alive()
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{server.url}/metrics")).text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(figures["msp_sockets"]) >= 1
    assert float(figures["msp_sockets_anonymous"]) >= 1
    assert float(figures["msp_sockets_waiting_bytes"]) == 0
    assert float(figures["msp_socket_messages_total"]) >= 3
    assert float(figures['msp_subscriptions_total{operation="(unnamed)",outcome="ok"}']) >= 1
    assert any(name.startswith("msp_sockets_closed_total{") for name in figures)


async def test_a_message_or_an_id_that_is_too_long(server: ScriptedServer) -> None:
    async with socket_client(server.url) as client:
        await client.send({"type": "ping", "payload": {"a": "x" * (SOCKET_MESSAGE_MAX_BYTES - 100)}})
        assert (await client.receive())["type"] == "pong"
        await client.send({"type": "ping", "payload": {"a": "x" * SOCKET_MESSAGE_MAX_BYTES}})
        assert (await client.end())[0] == 1009
    async with socket_client(server.url) as client:
        await client.init()
        await client.complete("x" * (SOCKET_ID_CHARS_MAX + 1))
        assert (await client.end())[0] == 4400


async def test_a_client_that_says_much_is_heard_more_slowly(client: SocketClient) -> None:
    began = asyncio.get_running_loop().time()
    for _ in range(560):
        await client.send({"type": "ping"})
    for _ in range(560):
        await client.receive()
    assert 0.8 < asyncio.get_running_loop().time() - began < 5


async def test_pings_of_a_client_that_does_not_read_are_not_kept(server: ScriptedServer) -> None:
    async with _slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.subscription()
        for number in range(500):
            subscription.state(PADDED % number)
        heard = 0
        payload = {"a": "x" * 100_000}
        try:
            async with asyncio.timeout(1):
                for _ in range(300):
                    await client.send({"type": "ping", "payload": payload})
                    heard += 1
        except TimeoutError:
            pass
        assert heard < 250
        pongs = 0
        while (message := await client.receive())["type"] != "pong" or pongs < heard - 1:
            pongs += message["type"] == "pong"
