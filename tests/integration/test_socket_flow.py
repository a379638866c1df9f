"""Sockets on a real server and a real database: the messages, their times, and the server's state."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from api.websocket import registry
from core.errors import ForbiddenError
from core.limits import (
    SOCKET_EVENTS_BYTES_MAX,
    SOCKET_ID_CHARS_MAX,
    SOCKET_INIT_MESSAGE_MAX_BYTES,
    SOCKET_MESSAGE_MAX_BYTES,
    SOCKET_WAITING_PING_BYTES_MAX,
)
from demo import load_demo_viewers
from subscriptions.subscriber import Disconnect, DisconnectReason, Payload
from tests.scripted_live import ScriptedServer, ScriptedSubscription, start_scripted_server
from tests.sealed_tokens import TRANSACTIONS
from tests.waiting import HANG_S, wait_until
from tests.websocket_client import WebSocketClient, connect_websocket

pytestmark = pytest.mark.newest

SITES = "subscription { sites { totalCount } }"
STATE = '{"data":{"n":%d}}'
PADDED = '{"data":{"n":%d,"more":"' + "x" * 20_000 + '"}}'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(demo_database_url: str) -> AsyncIterator[ScriptedServer]:
    async with start_scripted_server(demo_database_url) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin_id(demo_database_url: str) -> str:
    """The id of an administrator."""
    connection = await asyncpg.connect(demo_database_url)
    try:
        return (await load_demo_viewers(connection))[0].user_id
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def client(server: ScriptedServer) -> AsyncIterator[WebSocketClient]:
    """An anonymous client that was acknowledged."""
    async with connect_websocket(server.url) as client:
        await client.init()
        yield client


@asynccontextmanager
async def _connect_slow_client(
    server: ScriptedServer, token: str | None = None
) -> AsyncIterator[WebSocketClient]:
    """A client with a small receive buffer."""
    port = int(server.url.rsplit(":", 1)[1])
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
    narrow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
    async with connect_websocket(server.url, sock=narrow, max_queue=1) as client:
        await client.init(token)
        yield client


async def test_subscription_states_are_sent_in_order(server: ScriptedServer, client: WebSocketClient) -> None:
    await client.subscribe(SITES, "a", variables={"x": 1})
    subscription = await server.live.wait_for_subscription()
    assert subscription.request.variables == {"x": 1}
    for number in range(3):
        subscription.send_state_text(STATE % number)
        expected = {"id": "a", "type": "next", "payload": {"data": {"n": number}}}
        assert await client.receive() == expected
    subscription.sink.send_complete()
    subscription.send_state_text(STATE % 9)
    assert await client.receive() == {"id": "a", "type": "complete"}
    assert await client.is_alive()
    assert subscription.cancel_count == 1


async def test_subscription_failing_later_is_an_error_and_socket_stays_open(
    server: ScriptedServer, client: WebSocketClient
) -> None:
    await client.subscribe(SITES)
    subscription = await server.live.wait_for_subscription()
    subscription.sink.send_error([{"message": "m", "extensions": {"code": "INTERNAL"}}])
    subscription.sink.send_complete()
    errors = [{"message": "m", "extensions": {"code": "INTERNAL"}}]
    assert await client.receive() == {"id": "1", "type": "error", "payload": errors}
    assert await client.is_alive()


async def test_complete_cancels_the_subscription_and_frees_its_id(
    server: ScriptedServer, client: WebSocketClient
) -> None:
    await client.subscribe(SITES)
    first = await server.live.wait_for_subscription()
    await client.complete()
    await wait_until(lambda: first.cancel_count == 1)
    first.send_state_text(STATE % 1)
    await client.subscribe(SITES)
    (await server.live.wait_for_subscription(1)).send_state_text(STATE % 2)
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
async def test_invalid_operation_is_an_error_and_socket_stays_open(
    client: WebSocketClient, query: str, more: dict[str, Any], code: str
) -> None:
    message = await client.execute(query, **more)
    assert message["type"] == "error"
    assert {error["extensions"]["code"] for error in message["payload"]} == {code}
    assert await client.is_alive()


async def test_refused_subscription_is_an_error_and_socket_stays_open(
    server: ScriptedServer, client: WebSocketClient
) -> None:
    server.live.refusal = ForbiddenError("no")
    try:
        message = await client.execute(SITES)
    finally:
        server.live.refusal = None
    errors = [{"message": "no", "extensions": {"code": "FORBIDDEN"}}]
    assert message == {"id": "1", "type": "error", "payload": errors}
    assert await client.is_alive()


async def test_internal_error_is_sent_without_detail_and_logged(
    server: ScriptedServer, client: WebSocketClient, log_lines: list[Any]
) -> None:
    server.live.refusal = ZeroDivisionError("a secret")
    try:
        message = await client.execute(SITES)
    finally:
        server.live.refusal = None
    (error,) = message["payload"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert "secret" not in json.dumps(message)
    logged = next(line for line in log_lines if line["event"] == "subscription")
    assert logged["error_id"] == error["extensions"]["errorId"]
    assert logged["log_level"] == "error"


async def test_subscription_ending_immediately_sends_its_state(
    server: ScriptedServer, client: WebSocketClient
) -> None:
    server.live.initial_states, server.live.completes_at_once = (STATE % 1,), True
    try:
        message = await client.execute(SITES)
    finally:
        server.live.initial_states, server.live.completes_at_once = (), False
    assert message["payload"] == {"data": {"n": 1}}
    assert (await server.live.wait_for_subscription()).cancel_count == 1


async def test_query_over_socket_equals_the_http_response(server: ScriptedServer, admin_id: str) -> None:
    query = "query Some($n: Int) { sites(first: $n) { nodes { id name } } viewer { kind } }"
    token = server.issue_token(admin_id)
    async with httpx.AsyncClient() as http:
        body = {"query": query, "variables": {"n": 2}, "extensions": {"cost": True}}
        response = await http.post(
            f"{server.url}/graphql", json=body, headers={"Authorization": f"Bearer {token}"}
        )
    async with connect_websocket(server.url) as client:
        await client.init(token)
        with capture_logs() as lines:
            message = await client.execute(query, variables={"n": 2}, extensions={"cost": True})
        assert message["payload"] == response.json()
        (line,) = lines
        assert line["event"] == "request"
        assert (line["operation"], line["outcome"], line["user_id"]) == ("Some", "ok", admin_id)
        assert line["statements"] > 0


async def test_unreadable_operation_is_logged_with_its_user(server: ScriptedServer, admin_id: str) -> None:
    async with connect_websocket(server.url) as client:
        await client.init(server.issue_token(admin_id))
        with capture_logs() as lines:
            message = await client.execute("{ __typename }", variables={"half a pair": "\ud83c"})
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "BAD_USER_INPUT")
        (line,) = lines
        assert (line["event"], line["outcome"]) == ("request", "refused")
        assert (line["viewer"], line["user_id"]) == ("user", admin_id)


async def test_query_completed_by_client_is_cancelled_and_logged(
    server: ScriptedServer, admin_id: str, log_lines: list[Any]
) -> None:
    async with connect_websocket(server.url) as client, server.live.database.pool.acquire() as other:
        await client.init(server.issue_token(admin_id))
        async with other.transaction():
            await other.execute("LOCK TABLE sites IN ACCESS EXCLUSIVE MODE")
            await client.subscribe("{ sites { totalCount } }")
            await asyncio.sleep(0.2)
            await client.complete()
            await wait_until(lambda: any(line["event"] == "request" for line in log_lines))
        assert await client.is_alive()
    assert next(line for line in log_lines if line["event"] == "request")["outcome"] == "gone"


async def test_slow_client_gets_the_newest_states(server: ScriptedServer) -> None:
    async with _connect_slow_client(server) as client:
        for id_ in "abc":
            await client.subscribe(SITES, id_)
        subscriptions = [await server.live.wait_for_subscription(number) for number in range(3)]
        pushed = 500
        for number in range(pushed):
            for subscription in subscriptions:
                subscription.send_state_text(PADDED % number)
            await asyncio.sleep(0)
        seen: dict[str, list[int]] = {id_: [] for id_ in "abc"}
        while any(numbers[-1:] != [pushed - 1] for numbers in seen.values()):
            message = await client.receive()
            seen[message["id"]].append(message["payload"]["data"]["n"])
        for numbers in seen.values():
            assert numbers == sorted(set(numbers))
            assert len(numbers) < pushed / 5
        assert await client.is_alive()


async def test_pong_of_transaction_is_sent_after_pending_states(
    server: ScriptedServer, admin_id: str
) -> None:
    payload = {"transaction": TRANSACTIONS.seal("11"), "mine": 7}
    async with _connect_slow_client(server, server.issue_token(admin_id)) as client:
        await client.subscribe(SITES)
        subscription = await server.live.wait_for_subscription()
        await client.send({"type": "ping", "payload": payload})
        await wait_until(lambda: len(server.live.latest_session.waits) == 1)
        for number in range(100):
            subscription.send_state_text(PADDED % number)
        server.live.latest_session.waits[0](True)
        subscription.send_state_text(PADDED % 100)  # replaces the one that waits
        before = []
        while (message := await client.receive())["type"] == "next":
            before.append(message["payload"]["data"]["n"])
        assert message == {"type": "pong", "payload": {**payload, "seen": True}}
        assert before[-1] == 100
        assert len(before) < 100
        assert await client.is_alive()


@pytest.mark.parametrize("seen", [True, False])
async def test_pong_of_transaction_has_the_answer_of_the_session(
    server: ScriptedServer, admin_id: str, seen: bool
) -> None:
    payload = {"transaction": TRANSACTIONS.seal("11"), "seen": "?"}
    async with connect_websocket(server.url) as client:
        await client.init(server.issue_token(admin_id))
        await client.send({"type": "ping", "payload": payload})
        await wait_until(lambda: len(server.live.latest_session.waits) == 1)
        server.live.latest_session.waits[0](seen)
        assert await client.receive() == {"type": "pong", "payload": {**payload, "seen": seen}}


async def _ping_for_refusal(client: WebSocketClient, payload: dict[str, Any]) -> str:
    """The code of the error in the pong of a ping that cannot wait. The rest of the payload comes back."""
    await client.send({"type": "ping", "payload": payload})
    pong = await client.receive()
    assert pong["type"] == "pong"
    (error,) = pong["payload"].pop("errors")
    assert pong["payload"] == {**payload, "seen": False}
    code: str = error["extensions"]["code"]
    return code


async def test_ping_of_transaction_by_anonymous_is_answered_at_once(server: ScriptedServer) -> None:
    payload = {"transaction": TRANSACTIONS.seal("11")}
    async with connect_websocket(server.url) as client:
        assert await _ping_for_refusal(client, payload) == "UNAUTHENTICATED"
        await client.init()
        assert await _ping_for_refusal(client, payload) == "UNAUTHENTICATED"
        assert await client.is_alive()


@pytest.mark.parametrize("transaction", ["10423", "", "A" * 107, 10423, None, {"a": 1}, "\N{SNOWMAN}"])
async def test_ping_of_malformed_transaction_is_answered_at_once(
    server: ScriptedServer, admin_id: str, transaction: object
) -> None:
    async with connect_websocket(server.url) as client:
        await client.init(server.issue_token(admin_id))
        assert await _ping_for_refusal(client, {"transaction": transaction, "a": 1}) == "BAD_USER_INPUT"
        assert await client.is_alive()


async def test_ping_of_transaction_with_long_payload_is_answered_at_once(
    server: ScriptedServer, admin_id: str
) -> None:
    """A socket may have a hundred of them waiting, and their payloads take memory."""
    payload = {"transaction": TRANSACTIONS.seal("11"), "a": "x" * SOCKET_WAITING_PING_BYTES_MAX}
    async with connect_websocket(server.url) as client:
        await client.init(server.issue_token(admin_id))
        assert await _ping_for_refusal(client, payload) == "BAD_USER_INPUT"
        assert not server.live.latest_session.waits


async def test_ping_without_transaction_is_echoed_at_once(server: ScriptedServer, admin_id: str) -> None:
    async with connect_websocket(server.url) as client:
        await client.init(server.issue_token(admin_id))
        for value in (True, False, None, "10:10:", 1):
            await client.send({"type": "ping", "payload": {"snapshot": value}})
            assert await client.receive() == {"type": "pong", "payload": {"snapshot": value}}


async def _send_events(subscription: ScriptedSubscription, *, until_bytes: int) -> int:
    message_count = 0
    for number in range(until_bytes // 20_000):
        subscription.sink.send_event(Payload(PADDED % number))
        message_count += 1
        await asyncio.sleep(0)
    return message_count


async def test_events_to_slow_client_are_neither_lost_nor_replaced(server: ScriptedServer) -> None:
    async with _connect_slow_client(server) as client:
        await client.subscribe(SITES)
        message_count = await _send_events(
            await server.live.wait_for_subscription(), until_bytes=SOCKET_EVENTS_BYTES_MAX
        )
        seen = [(await client.receive())["payload"]["data"]["n"] for _ in range(message_count)]
        assert seen == list(range(message_count))


async def test_stream_unread_over_the_limit_ends_after_its_events(
    server: ScriptedServer, log_lines: list[Any]
) -> None:
    async with _connect_slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.wait_for_subscription()
        await _send_events(subscription, until_bytes=16 * SOCKET_EVENTS_BYTES_MAX)
        assert subscription.cancel_count == 1
        seen = []
        while (message := await client.receive())["type"] == "next":
            seen.append(message["payload"]["data"]["n"])
        assert seen == list(range(len(seen)))
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert "cursor" in message["payload"][0]["message"]
        assert await client.is_alive()
    line = next(line for line in log_lines if line["event"] == "subscription")
    assert (line["messages"], line["outcome"]) == (len(seen), "partial")


async def test_client_that_stops_reading_is_disconnected(
    server: ScriptedServer, log_lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.websocket.transport.SOCKET_STALLED_S", 0.3)
    async with _connect_slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.wait_for_subscription()
        session = server.live.latest_session
        for number in range(500):
            subscription.send_state_text(PADDED % number)
        await wait_until(lambda: session.close_count == 1)
        assert subscription.cancel_count == 1
        line = next(line for line in log_lines if line["event"] == "socket")
        assert (line["code"], line["reason"]) == (1006, "The client stopped reading")


async def test_client_that_reads_slowly_stays_connected(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.websocket.transport.SOCKET_STALLED_S", 0.4)
    async with _connect_slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.wait_for_subscription()
        for number in range(40):
            subscription.send_state_text(PADDED % number)
        for number in range(40, 60):
            subscription.send_state_text(PADDED % number)
            await client.receive()
            await asyncio.sleep(0.1)
        while (await client.receive())["payload"]["data"]["n"] != 59:
            pass
        assert await client.is_alive()


async def test_client_over_its_unread_limit_is_disconnected(
    server: ScriptedServer, log_lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.websocket.send_queue.SOCKET_UNSENT_BYTES_MAX", 200_000)
    async with _connect_slow_client(server) as client:
        for number in range(60):
            await client.subscribe(SITES, str(number))
        subscriptions = [await server.live.wait_for_subscription(number) for number in range(60)]
        for number, subscription in enumerate(subscriptions):
            subscription.send_state_text(PADDED % number)
        await wait_until(lambda: any(line["event"] == "socket" for line in log_lines))
        line = next(line for line in log_lines if line["event"] == "socket")
        assert (line["code"], line["reason"]) == (1006, "The client reads too slowly: too many unsent bytes")


async def test_sockets_over_the_total_unread_limit_disconnect_the_fullest(
    server: ScriptedServer, log_lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.websocket.registry.SOCKETS_UNSENT_BYTES_MAX", 300_000)
    async with _connect_slow_client(server) as slow:
        await slow.subscribe(SITES)
        full = await server.live.wait_for_subscription()
        async with _connect_slow_client(server) as other:
            await other.subscribe(SITES)
            subscription = await server.live.wait_for_subscription()
            for number in range(100):
                subscription.send_state_text(PADDED % number)
            for number in range(100):
                full.sink.send_event(Payload(PADDED % number))
            await wait_until(lambda: any(line["event"] == "socket" for line in log_lines))
            while (await other.receive())["payload"]["data"]["n"] != 99:
                pass
            assert await other.is_alive()
    line = next(line for line in log_lines if line["event"] == "socket")
    assert line["reason"].startswith("The server has reached its limit of unsent bytes")


async def test_disconnected_viewer_closes_socket_with_4403(
    server: ScriptedServer, admin_id: str, log_lines: list[Any]
) -> None:
    async with connect_websocket(server.url) as client:
        await client.init(server.issue_token(admin_id))
        await client.subscribe(SITES)
        subscription = await server.live.wait_for_subscription()
        server.live.latest_session.gone(Disconnect(DisconnectReason.EXPIRED, "The token has expired"))
        subscription.send_state_text(STATE % 1)
        assert await client.wait_for_close(1) == (4403, "TOKEN_EXPIRED: The token has expired")
    await wait_until(lambda: any(line["event"] == "socket" for line in log_lines))
    socket_line = next(line for line in log_lines if line["event"] == "socket")
    assert (socket_line["viewer"], socket_line["user_id"]) == ("user", admin_id)
    assert (socket_line["code"], socket_line["operations"]) == (4403, 1)
    subscription_line = next(line for line in log_lines if line["event"] == "subscription")
    assert subscription_line["outcome"] == "gone"
    assert subscription_line["request_id"] == f"{socket_line['request_id']}/1"


async def test_disconnected_viewer_not_reading_closes_socket(server: ScriptedServer) -> None:
    async with _connect_slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.wait_for_subscription()
        for number in range(500):
            subscription.send_state_text(PADDED % number)
        session = server.live.latest_session
        session.gone(Disconnect(DisconnectReason.REFUSED, "no longer active"))
        await wait_until(lambda: session.close_count == 1)


async def test_ping_with_fresh_token_renews_the_session(server: ScriptedServer, admin_id: str) -> None:
    async with connect_websocket(server.url) as client:
        await client.init(server.issue_token(admin_id))
        payload = {"authorization": f"Bearer {server.issue_token(admin_id, jti='b')}", "at": 1}
        await client.send({"type": "ping", "payload": payload})
        assert await client.receive() == {"type": "pong", "payload": {"at": 1}}
        (identity,) = server.live.latest_session.renewed_identities
        assert identity.subject == admin_id
        assert (await client.execute("{ viewer { kind } }"))["type"] == "next"


@pytest.mark.parametrize("first", ["user", "anonymous", "nothing"])
@pytest.mark.parametrize("fresh", ["another", "broken", "no text"])
async def test_ping_with_wrong_token_closes_socket_with_4403(
    server: ScriptedServer, admin_id: str, first: str, fresh: str
) -> None:
    async with connect_websocket(server.url) as client:
        if first != "nothing":
            await client.init(server.issue_token(admin_id) if first == "user" else None)
        token = {
            "another": f"Bearer {server.issue_token('another')}",
            "broken": "Bearer a.b.c",
            "no text": 1,
        }[fresh]
        await client.send({"type": "ping", "payload": {"Authorization": token}})
        code, reason = await client.wait_for_close()
        assert code == 4403
        assert reason.partition(": ")[0] in ("FORBIDDEN", "TOKEN_INVALID")


async def test_init_without_database_closes_socket_with_1013(demo_database_url: str, admin_id: str) -> None:
    async with start_scripted_server(demo_database_url) as server:
        await server.live.database.close()
        async with connect_websocket(server.url) as client:
            token = f"Bearer {server.issue_token(admin_id)}"
            await client.send({"type": "connection_init", "payload": {"Authorization": token}})
            code, reason = await client.wait_for_close()
    assert (code, reason) == (1013, "The database is unreachable. Try again in a few seconds.")


async def test_socket_over_the_limit_of_a_viewer_is_refused_until_one_closes(
    demo_database_url: str, admin_id: str
) -> None:
    async with start_scripted_server(demo_database_url, sockets_max=3, sockets_per_viewer=1) as server:
        token = server.issue_token(admin_id)
        async with connect_websocket(server.url) as first, connect_websocket(server.url) as second:
            await first.init(token)
            await second.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
            assert await second.wait_for_close() == (
                1013,
                "The limit socketsPerViewer allows 1 sockets at once",
            )
            await first.connection.close()
            await wait_until(lambda: server.live.latest_session.close_count == 1)
            async with connect_websocket(server.url) as third:
                await third.init(token)


async def _read_unsent_bytes(server: ScriptedServer) -> float:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{server.url}/metrics")).text
    (value,) = (line.split()[1] for line in text.splitlines() if line.startswith("msp_sockets_unsent_bytes "))
    return float(value)


async def _wait_for_unsent_bytes(server: ScriptedServer, least: int, most: int) -> None:
    async with asyncio.timeout(HANG_S):
        while not least <= await _read_unsent_bytes(server) <= most:  # noqa: ASYNC110 - a metric has no event
            await asyncio.sleep(0.01)


async def test_message_longer_than_the_connection_takes_counts_until_it_is_read(
    server: ScriptedServer,
) -> None:
    """It is not queued, as the connection was empty, but it is in memory all the same."""
    size = 4_000_000
    async with _connect_slow_client(server) as client:
        await client.subscribe(SITES)
        (await server.live.wait_for_subscription()).send_state_text('{"data":"' + "x" * size + '"}')
        await _wait_for_unsent_bytes(server, size, size + 1_000)
        assert len((await client.receive())["payload"]["data"]) == size
        await _wait_for_unsent_bytes(server, 0, 0)


async def test_long_messages_over_the_limit_of_all_sockets_cut_the_largest(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "SOCKETS_UNSENT_BYTES_MAX", 9_000_000)

    async def send_long(client: WebSocketClient, size: int) -> None:
        await client.subscribe(SITES)
        (await server.live.wait_for_subscription()).send_state_text('{"data":"' + "x" * size + '"}')

    async with _connect_slow_client(server) as one:
        await send_long(one, 6_000_000)
        async with _connect_slow_client(server) as two:
            await send_long(two, 4_000_000)
            assert (await one.wait_for_close())[0] == 1006
            assert len((await two.receive())["payload"]["data"]) == 4_000_000


async def test_metrics_count_sockets_and_messages(server: ScriptedServer, client: WebSocketClient) -> None:
    await client.subscribe(SITES)
    (await server.live.wait_for_subscription()).send_state_text(STATE % 1)
    await client.receive()
    await client.complete()
    assert await client.is_alive()
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{server.url}/metrics")).text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(figures["msp_sockets"]) >= 1
    assert float(figures["msp_sockets_anonymous"]) >= 1
    assert float(figures["msp_sockets_unsent_bytes"]) == 0
    assert float(figures["msp_socket_messages_total"]) >= 3
    assert float(figures['msp_subscriptions_total{operation="(unnamed)",outcome="ok"}']) >= 1
    assert any(name.startswith("msp_sockets_closed_total{") for name in figures)


async def test_message_or_id_longer_than_its_limit_closes_socket(server: ScriptedServer) -> None:
    async with connect_websocket(server.url) as client:
        await client.init()
        await client.send({"type": "ping", "payload": {"a": "x" * (SOCKET_MESSAGE_MAX_BYTES - 100)}})
        assert (await client.receive())["type"] == "pong"
        await client.send({"type": "ping", "payload": {"a": "x" * SOCKET_MESSAGE_MAX_BYTES}})
        assert (await client.wait_for_close())[0] == 1009
    async with connect_websocket(server.url) as client:
        await client.init()
        await client.complete("x" * (SOCKET_ID_CHARS_MAX + 1))
        assert (await client.wait_for_close())[0] == 4400


async def test_message_before_init_longer_than_its_limit_closes_socket(server: ScriptedServer) -> None:
    async with connect_websocket(server.url) as client:
        await client.send({"type": "ping", "payload": {"a": "x" * (SOCKET_INIT_MESSAGE_MAX_BYTES - 100)}})
        assert (await client.receive())["type"] == "pong"
        await client.send({"type": "ping", "payload": {"a": "x" * SOCKET_INIT_MESSAGE_MAX_BYTES}})
        assert (await client.wait_for_close())[0] == 1009


async def test_client_sending_too_fast_is_slowed_down(client: WebSocketClient) -> None:
    began = asyncio.get_running_loop().time()
    for _ in range(560):
        await client.send({"type": "ping"})
    for _ in range(560):
        await client.receive()
    assert asyncio.get_running_loop().time() - began > 0.8


async def test_pings_of_client_not_reading_apply_backpressure(server: ScriptedServer) -> None:
    async with _connect_slow_client(server) as client:
        await client.subscribe(SITES)
        subscription = await server.live.wait_for_subscription()
        for number in range(500):
            subscription.send_state_text(PADDED % number)
        message_count = 0
        payload = {"a": "x" * 100_000}
        try:
            for _ in range(300):
                await asyncio.wait_for(client.send({"type": "ping", "payload": payload}), 1)
                message_count += 1
        except TimeoutError:
            pass
        assert message_count < 250
        pongs = 0
        while (message := await client.receive())["type"] != "pong" or pongs < message_count - 1:
            pongs += message["type"] == "pong"
