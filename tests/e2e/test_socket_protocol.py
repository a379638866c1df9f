"""graphql-transport-ws on the wire: each rule of its document, against the running server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from core.limits import SOCKET_INIT_S, SOCKET_OPERATIONS_MAX
from tests.e2e.servers import Server, data_directory, running
from tests.sockets import TYPENAME, socket_client

LIVE = "subscription { sites(first: 1) { totalCount } }"
PLATFORM = -1


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with data_directory() as path, running("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.end()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """An administrator's."""
    return server.tokens[0][1]


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {}}, {"payload": {"more": 1}}])
async def test_an_init_is_acknowledged(server: Server, payload: dict[str, Any]) -> None:
    async with socket_client(server.url) as client:
        await client.send({"type": "connection_init", **payload})
        assert await client.receive() == {"type": "connection_ack"}
        assert client.connection.subprotocol == "graphql-transport-ws"
        assert "sec-websocket-extensions" not in client.connection.response.headers


@pytest.mark.parametrize("subprotocols", [None, ["graphql-ws"]])
async def test_another_sub_protocol_is_4406(server: Server, subprotocols: list[str] | None) -> None:
    async with socket_client(server.url, subprotocols) as client:
        code, reason = await client.end()
    assert (code, reason) == (4406, "The sub-protocol must be graphql-transport-ws")


async def test_ours_among_others_is_taken(server: Server) -> None:
    async with socket_client(server.url, ["graphql-ws", "graphql-transport-ws"]) as client:
        await client.init()


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":"connection_init"}',
        "",
        "{",
        "[]",
        "{}",
        {"type": "start"},
        {"type": 1},
        {"type": "next", "id": "1", "payload": {}},
        {"type": "connection_init", "payload": []},
        {"type": "ping", "payload": "a"},
        {"type": "subscribe", "payload": TYPENAME},
        {"type": "subscribe", "id": 1, "payload": TYPENAME},
        {"type": "subscribe", "id": "", "payload": TYPENAME},
        {"type": "subscribe", "id": "1"},
        {"type": "subscribe", "id": "1", "payload": {"query": 1}},
        {"type": "subscribe", "id": "1", "payload": {**TYPENAME, "variables": []}},
        {"type": "complete"},
    ],
)
@pytest.mark.parametrize("acknowledged", ["new", "acknowledged"])
async def test_what_is_no_message_is_4400(server: Server, frame: Any, acknowledged: str) -> None:
    async with socket_client(server.url) as client:
        if acknowledged == "acknowledged":
            await client.init()
        await client.send(frame)
        code, reason = await client.end()
    assert code == 4400
    assert reason


async def test_a_subscribe_before_the_init_is_4401(server: Server) -> None:
    async with socket_client(server.url) as client:
        await client.send({"type": "subscribe", "id": "1", "payload": TYPENAME})
        assert await client.end() == (4401, "Unauthorized")


async def test_a_second_init_is_4429(server: Server) -> None:
    async with socket_client(server.url) as client:
        await client.init()
        await client.send({"type": "connection_init"})
        assert await client.end() == (4429, "Too many initialisation requests")


async def test_no_init_is_4408(server: Server) -> None:
    async with socket_client(server.url) as silent, socket_client(server.url) as patient:
        began = asyncio.get_running_loop().time()
        await patient.init()
        assert await silent.end(SOCKET_INIT_S + 2) == (4408, "Connection initialisation timeout")
        assert SOCKET_INIT_S - 1 < asyncio.get_running_loop().time() - began < SOCKET_INIT_S + 1
        assert await patient.is_alive()


async def test_an_id_in_use_is_4409(server: Server, token: str) -> None:
    async with socket_client(server.url) as client:
        await client.init(token)
        await client.subscribe(LIVE, "same")
        assert (await client.receive())["type"] == "next"
        await client.subscribe(LIVE, "same")
        assert await client.end() == (4409, "Subscriber for same already exists")


async def test_and_free_once_it_was_completed(server: Server, token: str) -> None:
    async with socket_client(server.url) as client:
        await client.init(token)
        for _ in range(3):
            await client.subscribe(LIVE, "same")
            assert (await client.receive())["type"] == "next"
            await client.complete("same")
        assert await client.is_alive()


async def test_a_complete_of_nothing_is_let_pass(server: Server) -> None:
    async with socket_client(server.url) as client:
        await client.init()
        await client.complete("nothing")
        assert await client.is_alive()


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {"a": [1]}}])
async def test_pings_are_answered_before_and_after_the_init(server: Server, payload: dict[str, Any]) -> None:
    pong = {"type": "pong", **{name: value for name, value in payload.items() if value is not None}}
    async with socket_client(server.url) as client:
        await client.send({"type": "pong", **payload})
        await client.send({"type": "ping", **payload})
        assert await client.receive() == pong
        await client.init()
        await client.send({"type": "ping", **payload})
        assert await client.receive() == pong


async def test_pings_of_the_websocket_are_answered_too(server: Server) -> None:
    async with socket_client(server.url) as client:
        await asyncio.wait_for(await client.connection.ping(), 5)


async def test_a_query_has_one_result(server: Server, token: str) -> None:
    async with socket_client(server.url) as client:
        await client.init(token)
        message = await client.ask(
            "query ($n: Int) { sites(first: $n) { nodes { id } } }", variables={"n": 2}
        )
        assert message["type"] == "next"
        assert len(message["payload"]["data"]["sites"]["nodes"]) == 2
        assert (await client.ask("{ __typename }", variables=None, operationName=None))["type"] == "next"


async def test_a_partial_answer_is_a_next_with_errors(server: Server) -> None:
    technician = server.tokens[1][1]
    async with socket_client(server.url) as client:
        await client.init(technician)
        message = await client.ask("{ viewer { tenant { name bills { totalCount } } } }")
    assert message["type"] == "next"
    assert message["payload"]["data"]["viewer"]["tenant"]["bills"] is None
    assert message["payload"]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nothing }",
        "subscription {",
        "subscription { nothing }",
        "subscription { __typename }",
        "fragment",
    ],
)
async def test_what_is_not_valid_is_an_error_and_the_socket_stays(server: Server, query: str) -> None:
    async with socket_client(server.url) as client:
        await client.init()
        message = await client.ask(query)
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert await client.is_alive()


async def test_operations_do_not_wait_for_one_another(server: Server, token: str) -> None:
    async with socket_client(server.url) as client:
        await client.init(token)
        ids = [str(number) for number in range(20)]
        for id_ in ids:
            await client.subscribe(LIVE if int(id_) % 2 else "{ sites { totalCount } }", id_)
        told = [await client.receive() for _ in range(30)]
        assert {message["id"] for message in told if message["type"] == "next"} == set(ids)
        assert sum(message["type"] == "complete" for message in told) == 10


async def test_too_many_operations_are_an_error_with_the_limit(server: Server, token: str) -> None:
    async with socket_client(server.url) as client:
        await client.init(token)
        for number in range(SOCKET_OPERATIONS_MAX):
            await client.subscribe(LIVE, str(number))
            assert (await client.receive())["type"] == "next"
        message = await client.ask(LIVE, "more")
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"] == {
            "code": "QUERY_TOO_COMPLEX",
            "limit": "socketOperations",
            "allowed": SOCKET_OPERATIONS_MAX,
            "actual": SOCKET_OPERATIONS_MAX + 1,
        }
        await client.complete("0")
        assert (await client.ask("{ __typename }", "more"))["type"] == "next"


@pytest.mark.parametrize(
    "payload",
    [
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "nonsense"},
        {"Authorization": 1},
        {"Authorization": "Bearer a", "authorization": "Bearer b"},
        {"X-Tenant-Id": "t"},
    ],
)
async def test_a_token_that_proves_nobody_is_4403(server: Server, payload: dict[str, Any]) -> None:
    async with socket_client(server.url) as client:
        await client.send({"type": "connection_init", "payload": payload})
        code, reason = await client.end()
    assert code == 4403
    assert reason


async def test_a_tenant_is_for_the_platform_alone_and_must_be_there(server: Server, token: str) -> None:
    platform = server.tokens[PLATFORM][1]
    for shown, tenant in ((token, "t"), (platform, "no such tenant")):
        async with socket_client(server.url) as client:
            payload = {"Authorization": f"Bearer {shown}", "X-Tenant-Id": tenant}
            await client.send({"type": "connection_init", "payload": payload})
            code, reason = await client.end()
        assert code == 4403
        assert "X-Tenant-Id" in reason


async def test_the_platform_names_a_tenant(server: Server, token: str) -> None:
    query, platform = {"query": "{ viewer { tenant { id } } }"}, server.tokens[PLATFORM][1]
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:
        answer = await http.post(f"{server.url}/graphql", json=query)
    tenant = answer.json()["data"]["viewer"]["tenant"]["id"]
    async with socket_client(server.url) as client:
        await client.init(platform, **{"x-tenant-id": tenant})
        assert (await client.ask(query["query"]))["payload"] == answer.json()


async def test_the_handshake_may_show_the_token_and_the_init_goes_ahead_of_it(
    server: Server, token: str
) -> None:
    kind = "{ viewer { kind user { id } } }"
    technician = {"Authorization": f"Bearer {server.tokens[1][1]}"}
    seen = []
    for shown in (None, token):
        async with socket_client(server.url, additional_headers=technician) as client:
            await client.init(shown)
            seen.append((await client.ask(kind))["payload"]["data"]["viewer"]["user"]["id"])
    assert len(set(seen)) == 2


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_pages_of_other_origins_are_refused(server: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket_client(server.url, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_those_of_our_own_are_not(server: Server) -> None:
    async with socket_client(server.url, origin=server.url) as client:
        await client.init()


async def test_anonymous_callers_may_introspect_and_little_else(server: Server) -> None:
    async with socket_client(server.url) as client:
        await client.init()
        assert (await client.ask("{ __schema { queryType { name } } }"))["type"] == "next"
        message = await client.ask("{ sites { totalCount } }")
        assert message["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_of_all_this_the_log_has_no_fault_and_no_token(server: Server) -> None:
    log = server.log.read_text("utf-8")
    assert "Traceback" not in log
    assert '"error"' not in log
    assert not any(token in log for _, token in server.tokens)
