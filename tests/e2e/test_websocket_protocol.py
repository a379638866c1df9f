"""graphql-transport-ws on the wire: each rule of its document, against the running server."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from core.limits import SOCKET_INIT_S, SOCKET_OPERATIONS_MAX
from tests.e2e.servers import Server
from tests.waiting import HANG_S
from tests.websocket_client import TYPENAME_REQUEST, connect_websocket

LIVE = "subscription { sites(first: 1) { totalCount } }"
PLATFORM = -1


@pytest.fixture(scope="module")
def administrator_token(embedded_server: Server) -> str:
    """The token of an administrator."""
    return embedded_server.tokens[0][1]


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {}}, {"payload": {"more": 1}}])
async def test_protocol_init_is_acknowledged(embedded_server: Server, payload: dict[str, Any]) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.send({"type": "connection_init", **payload})
        assert await client.receive() == {"type": "connection_ack"}
        assert client.connection.subprotocol == "graphql-transport-ws"
        assert client.connection.response is not None
        assert "sec-websocket-extensions" not in client.connection.response.headers


@pytest.mark.parametrize("subprotocols", [None, ["graphql-ws"]])
async def test_protocol_other_subprotocol_is_4406(
    embedded_server: Server, subprotocols: list[str] | None
) -> None:
    async with connect_websocket(embedded_server.url, subprotocols) as client:
        code, reason = await client.wait_for_close()
    assert (code, reason) == (4406, "The sub-protocol must be graphql-transport-ws")


async def test_protocol_own_subprotocol_among_others_is_accepted(embedded_server: Server) -> None:
    async with connect_websocket(embedded_server.url, ["graphql-ws", "graphql-transport-ws"]) as client:
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
        {"type": "subscribe", "payload": TYPENAME_REQUEST},
        {"type": "subscribe", "id": 1, "payload": TYPENAME_REQUEST},
        {"type": "subscribe", "id": "", "payload": TYPENAME_REQUEST},
        {"type": "subscribe", "id": "1"},
        {"type": "subscribe", "id": "1", "payload": {"query": 1}},
        {"type": "subscribe", "id": "1", "payload": {**TYPENAME_REQUEST, "variables": []}},
        {"type": "complete"},
    ],
)
@pytest.mark.parametrize("acknowledged", ["new", "acknowledged"])
async def test_protocol_invalid_message_is_4400(
    embedded_server: Server, frame: Any, acknowledged: str
) -> None:
    async with connect_websocket(embedded_server.url) as client:
        if acknowledged == "acknowledged":
            await client.init()
        await client.send(frame)
        code, reason = await client.wait_for_close()
    assert code == 4400
    assert reason


UNREADABLE_VARIABLES = {
    "half pair": ("String", r'"\ud83c"'),
    "levels": ("JSON", "[" * 1030 + "]" * 1030),
    "levels of a filter": ("SiteFilter", '{"not":' * 1030 + "{}" + "}" * 1030),
    **{
        f"{type_} {number}": (type_, number)
        for type_ in ("Float", "Int", "Timestamp")
        for number in ("1e999", "-1e999", "1e99999999999999999999", "9" * 400)
    },
}
UNREADABLE_LITERALS = [
    "{ __typename @skip(if: 1e999) }",
    "{ sites(first: 1e999) { totalCount } }",
    "{ sites(first: 99999999999999999999) { totalCount } }",
    "{ sites(where: {createdAt: {gt: 1e999}}) { totalCount } }",
    "{ sites(where: {createdAt: {gt: -1e999}}) { totalCount } }",
    r'{ sites(search: "\ud83c") { totalCount } }',
    "{ sites(where: " + "{not: " * 1030 + "{}" + "}" * 1030 + ") { totalCount } }",
    "{ a " * 1030 + "}" * 1030,
]


def write_request(type_: str, value: str) -> str:
    """A request with a variable, as JSON text."""
    return f'{{"query":"query($v: {type_}) {{ __typename @skip(if: false) }}","variables":{{"v":{value}}}}}'


REFUSED_REQUESTS = {
    **{name: write_request(*given) for name, given in UNREADABLE_VARIABLES.items()},
    **{text[:60]: json.dumps({"query": text}) for text in UNREADABLE_LITERALS},
}


@pytest.mark.parametrize("request_", REFUSED_REQUESTS.values(), ids=REFUSED_REQUESTS)
async def test_protocol_fault_of_one_operation_is_an_error_of_it(
    embedded_server: Server, administrator_token: str, request_: str
) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init(administrator_token)
        await client.subscribe('subscription { site(id: "none") { id } }', "other")
        assert (await client.receive())["id"] == "other"
        await client.send(f'{{"id":"1","type":"subscribe","payload":{request_}}}')
        message = await client.receive()
        assert (message["id"], message["type"]) == ("1", "error")
        codes = {error["extensions"]["code"] for error in message["payload"]}
        assert codes <= {"BAD_USER_INPUT", "QUERY_TOO_COMPLEX"}
        assert await client.is_alive()
        assert (await client.execute("{ __typename }", "1"))["type"] == "next"


@pytest.mark.parametrize("request_", REFUSED_REQUESTS.values(), ids=REFUSED_REQUESTS)
async def test_http_fault_of_the_request_is_400_with_code(
    embedded_server: Server, administrator_token: str, request_: str
) -> None:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/graphql-response+json",
        "Authorization": f"Bearer {administrator_token}",
    }
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{embedded_server.url}/graphql", content=request_, headers=headers)
    assert answer.status_code == 400
    codes = {error["extensions"]["code"] for error in answer.json()["errors"]}
    assert codes <= {"BAD_USER_INPUT", "QUERY_TOO_COMPLEX"}


@pytest.mark.parametrize("parts", [[b"\xff"], [b'{"type":"ping"', b"\xc3", b"}"], [b"\xed\xa0\x80"]])
async def test_protocol_text_that_is_not_utf8_is_1007_without_traceback(
    embedded_server: Server, parts: list[bytes]
) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init()
        await client.connection.send(parts if len(parts) > 1 else parts[0], text=True)
        assert await client.wait_for_close() == (1007, "A text message must be UTF-8")
    assert "Traceback" not in embedded_server.log.read_text("utf-8")


async def test_protocol_subscribe_before_init_is_4401(embedded_server: Server) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.send({"type": "subscribe", "id": "1", "payload": TYPENAME_REQUEST})
        assert await client.wait_for_close() == (4401, "Unauthorized")


async def test_protocol_second_init_is_4429(embedded_server: Server) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init()
        await client.send({"type": "connection_init"})
        assert await client.wait_for_close() == (4429, "Too many initialisation requests")


async def test_protocol_without_init_is_4408(embedded_server: Server) -> None:
    async with (
        connect_websocket(embedded_server.url) as silent,
        connect_websocket(embedded_server.url) as patient,
    ):
        began = asyncio.get_running_loop().time()
        await patient.init()
        assert await silent.wait_for_close() == (4408, "Connection initialisation timeout")
        assert asyncio.get_running_loop().time() - began > SOCKET_INIT_S - 1
        assert await patient.is_alive()


async def test_protocol_used_id_is_4409(embedded_server: Server, administrator_token: str) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init(administrator_token)
        await client.subscribe(LIVE, "same")
        assert (await client.receive())["type"] == "next"
        await client.subscribe(LIVE, "same")
        assert await client.wait_for_close() == (4409, "Subscriber for same already exists")


async def test_protocol_id_of_completed_operation_may_be_reused(
    embedded_server: Server, administrator_token: str
) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init(administrator_token)
        for _ in range(3):
            await client.subscribe(LIVE, "same")
            assert (await client.receive())["type"] == "next"
            await client.complete("same")
        assert await client.is_alive()


async def test_protocol_complete_of_unknown_id_is_ignored(embedded_server: Server) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init()
        await client.complete("nothing")
        assert await client.is_alive()


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {"a": [1]}}])
async def test_protocol_ping_before_and_after_init_is_answered(
    embedded_server: Server, payload: dict[str, Any]
) -> None:
    pong = {"type": "pong", **{name: value for name, value in payload.items() if value is not None}}
    async with connect_websocket(embedded_server.url) as client:
        await client.send({"type": "pong", **payload})
        await client.send({"type": "ping", **payload})
        assert await client.receive() == pong
        await client.init()
        await client.send({"type": "ping", **payload})
        assert await client.receive() == pong


async def test_protocol_websocket_ping_frame_is_answered(embedded_server: Server) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await asyncio.wait_for(await client.connection.ping(), HANG_S)


async def test_protocol_query_gives_one_result(embedded_server: Server, administrator_token: str) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init(administrator_token)
        message = await client.execute(
            "query ($n: Int) { sites(first: $n) { nodes { id } } }", variables={"n": 2}
        )
        assert message["type"] == "next"
        assert len(message["payload"]["data"]["sites"]["nodes"]) == 2
        assert (await client.execute("{ __typename }", variables=None, operationName=None))["type"] == "next"


async def test_protocol_partial_result_is_next_with_errors(embedded_server: Server) -> None:
    technician = embedded_server.tokens[1][1]
    async with connect_websocket(embedded_server.url) as client:
        await client.init(technician)
        message = await client.execute("{ viewer { tenant { name bills { totalCount } } } }")
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
async def test_protocol_invalid_document_is_error_and_socket_stays(
    embedded_server: Server, query: str
) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init()
        message = await client.execute(query)
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert await client.is_alive()


async def test_protocol_concurrent_operations_all_answer(
    embedded_server: Server, administrator_token: str
) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init(administrator_token)
        ids = [str(number) for number in range(20)]
        for id_ in ids:
            await client.subscribe(LIVE if int(id_) % 2 else "{ sites { totalCount } }", id_)
        messages = [await client.receive() for _ in range(30)]
        assert {message["id"] for message in messages if message["type"] == "next"} == set(ids)
        assert sum(message["type"] == "complete" for message in messages) == 10


async def test_protocol_operations_beyond_limit_are_an_error(
    embedded_server: Server, administrator_token: str
) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init(administrator_token)
        for number in range(SOCKET_OPERATIONS_MAX):
            await client.subscribe(LIVE, str(number))
            assert (await client.receive())["type"] == "next"
        message = await client.execute(LIVE, "more")
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"] == {
            "code": "QUERY_TOO_COMPLEX",
            "limit": "socketOperations",
            "allowed": SOCKET_OPERATIONS_MAX,
            "actual": SOCKET_OPERATIONS_MAX + 1,
        }
        await client.complete("0")
        assert (await client.execute("{ __typename }", "more"))["type"] == "next"


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
async def test_protocol_invalid_token_is_4403(embedded_server: Server, payload: dict[str, Any]) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.send({"type": "connection_init", "payload": payload})
        code, reason = await client.wait_for_close()
    assert code == 4403
    assert reason.startswith("TOKEN_INVALID: ")


async def test_protocol_tenant_of_user_or_unknown_tenant_is_4403(
    embedded_server: Server, administrator_token: str
) -> None:
    platform = embedded_server.tokens[PLATFORM][1]
    for shown, tenant in ((administrator_token, "t"), (platform, "no such tenant")):
        async with connect_websocket(embedded_server.url) as client:
            payload = {"Authorization": f"Bearer {shown}", "X-Tenant-Id": tenant}
            await client.send({"type": "connection_init", "payload": payload})
            code, reason = await client.wait_for_close()
        assert code == 4403
        assert re.match(r"(FORBIDDEN|BAD_USER_INPUT): .*X-Tenant-Id", reason)


async def test_protocol_platform_with_tenant_equals_http(
    embedded_server: Server, administrator_token: str
) -> None:
    query, platform = {"query": "{ viewer { tenant { id } } }"}, embedded_server.tokens[PLATFORM][1]
    async with httpx.AsyncClient(
        headers={"Authorization": f"Bearer {administrator_token}"}, timeout=HANG_S
    ) as http:
        answer = await http.post(f"{embedded_server.url}/graphql", json=query)
    tenant = answer.json()["data"]["viewer"]["tenant"]["id"]
    async with connect_websocket(embedded_server.url) as client:
        await client.init(platform, **{"x-tenant-id": tenant})
        assert (await client.execute(query["query"]))["payload"] == answer.json()


async def test_protocol_token_of_init_overrides_that_of_handshake(
    embedded_server: Server, administrator_token: str
) -> None:
    kind = "{ viewer { kind user { id } } }"
    technician = {"Authorization": f"Bearer {embedded_server.tokens[1][1]}"}
    seen = []
    for shown in (None, administrator_token):
        async with connect_websocket(embedded_server.url, additional_headers=technician) as client:
            await client.init(shown)
            seen.append((await client.execute(kind))["payload"]["data"]["viewer"]["user"]["id"])
    assert len(set(seen)) == 2


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_protocol_other_origin_is_403(embedded_server: Server, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect_websocket(embedded_server.url, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_protocol_own_origin_is_accepted(embedded_server: Server) -> None:
    async with connect_websocket(embedded_server.url, origin=embedded_server.url) as client:
        await client.init()


async def test_protocol_anonymous_may_introspect_but_not_read_rows(embedded_server: Server) -> None:
    async with connect_websocket(embedded_server.url) as client:
        await client.init()
        assert (await client.execute("{ __schema { queryType { name } } }"))["type"] == "next"
        message = await client.execute("{ sites { totalCount } }")
        assert message["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


def test_protocol_server_log_has_no_error_and_no_token(embedded_server: Server) -> None:
    log = embedded_server.log.read_text("utf-8")
    assert "Traceback" not in log
    assert '"error"' not in log
    assert not any(token in log for _, token in embedded_server.tokens)
