"""From HTTP to what the client asks for: what is read, and what is refused with which status."""

from collections.abc import Sequence
from urllib.parse import urlencode

import pytest
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.types import Message

from api.http_request import read_request
from core.errors import BadUserInputError
from core.limits import BODY_MAX_BYTES
from resolvers.execution import Request

JSON = ("Content-Type", "application/json")
Header = tuple[str, str]


def _http(
    method: str, headers: Sequence[Header], body: Sequence[bytes] = (), query: bytes = b""
) -> HttpRequest:
    chunks: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": place < len(body)}
        for place, chunk in enumerate(body, 1)
    ]

    async def receive() -> Message:
        return chunks.pop(0) if chunks else {"type": "http.disconnect"}

    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return HttpRequest(
        {"type": "http", "method": method, "path": "/graphql", "query_string": query, "headers": raw}, receive
    )


async def _post(body: bytes, *headers: Header) -> Request:
    return await read_request(_http("POST", headers or [JSON], [body]))


async def _get(**parameters: str) -> Request:
    return await read_request(_http("GET", [], query=urlencode(parameters).encode()))


async def _refused(http: HttpRequest) -> BadUserInputError:
    with pytest.raises(BadUserInputError) as caught:
        await read_request(http)
    return caught.value


async def test_a_post_is_read() -> None:
    body = (
        b'{"query": "{ a }", "variables": {"x": [1]}, "operationName": "A", "extensions": {"y": 1}, "z": 1}'
    )
    assert await _post(body) == Request("{ a }", {"x": [1]}, "A", {"y": 1})


async def test_a_get_is_read() -> None:
    read = await _get(query="{ a }", variables='{"x": "ü"}', operationName="A", extensions="{}")
    assert read == Request("{ a }", {"x": "ü"}, "A")


@pytest.mark.parametrize(
    "body", [b'{"query": "{ a }"}', b'{"query": "{ a }", "variables": null, "operationName": null}']
)
async def test_what_is_left_out_may_be_null(body: bytes) -> None:
    assert await _post(body) == Request("{ a }", {}, None)


async def test_empty_parameters_of_a_get_are_left_out() -> None:
    assert await _get(query="{ a }", variables="", operationName="", extensions="") == Request(
        "{ a }", {}, None
    )


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json; charset=utf8; x=y",
    ],
)
async def test_json_in_utf_8_is_taken(content_type: str) -> None:
    read = await _post(
        '{"query": "ü"}'.encode(), ("Content-Type", content_type), ("Content-Encoding", "identity")
    )
    assert read.query == "ü"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "")],
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/graphql")],
        [("Content-Type", "multipart/form-data; boundary=x")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "application/json; charset=utf-16")],
        [("Content-Type", "application/json; charset=iso-8859-1")],
        [JSON, ("Content-Encoding", "gzip")],
        [JSON, ("Content-Encoding", "identity, br")],
    ],
)
async def test_anything_else_is_415(headers: list[Header]) -> None:
    error = await _refused(_http("POST", headers, [b'{"query": "{ a }"}']))
    assert error.status == 415


@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding", "Content-Length"])
async def test_a_header_that_stands_twice_is_refused(name: str) -> None:
    error = await _refused(_http("POST", [JSON, (name, "1"), (name, "1")], [b"{}"]))
    assert (error.status, f"{name} stands more than once" in error.message) == (400, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"1",
        b'"{ a }"',
        b"[]",
        b'[{"query": "{ a }"}]',
        b"{",
        b'{"query": "{ a }"} {}',
        b"{'query': 1}",
        b'{"query": "\xff"}',
        b'{"query": "\\ud800"}',
        '{"query": "{ a }"}'.encode("utf-16"),
        '{"query": "{ a }"}'.encode("utf-8-sig"),
        b'{"query": "{ a }", "variables": {"x": NaN}}',
        b'{"query": "{ a }", "variables": {"x": Infinity}}',
        b'{"query": "{ a }", "variables": {"x": 1e999}}',
        b"[" * 20_000,
        b'{"query": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"a": ' * 20_000,
        b"1" * 5_000,
        b'{"query": "{ a }", "variables": {"x": ' + b"1" * 5_000 + b"}}",
        b"\x00",
    ],
)
async def test_a_malformed_body_is_400(body: bytes) -> None:
    error = await _refused(_http("POST", [JSON], [body]))
    assert error.status == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "query"),
        (b'{"query": null}', "query"),
        (b'{"query": ""}', "query"),
        (b'{"query": 1}', "query"),
        (b'{"query": ["{ a }"]}', "query"),
        (b'{"query": "{ a }", "variables": []}', "variables"),
        (b'{"query": "{ a }", "variables": "{}"}', "variables"),
        (b'{"query": "{ a }", "variables": false}', "variables"),
        (b'{"query": "{ a }", "operationName": 1}', "operationName"),
        (b'{"query": "{ a }", "operationName": {}}', "operationName"),
        (b'{"query": "{ a }", "extensions": []}', "extensions"),
        (b'{"query": "{ a }", "extensions": "x"}', "extensions"),
    ],
)
async def test_a_wrong_type_is_named(body: bytes, field: str) -> None:
    error = await _refused(_http("POST", [JSON], [body]))
    assert (error.status, list(error.fields)) == (400, [field])


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"query=",
        b"query={a}&query={b}",
        b"query={a}&variables=[]",
        b"query={a}&variables={",
        b"query={a}&variables=false",
        b"query={a}&extensions=1",
        b"query={a}&variables=" + b"[" * 20_000,
    ],
)
async def test_a_malformed_get_is_400(query: bytes) -> None:
    assert (await _refused(_http("GET", [], query=query))).status == 400


async def test_a_long_address_is_414() -> None:
    assert (await _refused(_http("GET", [], query=b"query=" + b"a" * BODY_MAX_BYTES))).status == 414


async def test_a_body_may_be_as_large_as_the_limit() -> None:
    body = b'{"query": "%s"}'
    fits = body % (b"a" * (BODY_MAX_BYTES - len(body) + 2))
    assert len(fits) == BODY_MAX_BYTES
    assert (await _post(fits)).query
    assert (await _refused(_http("POST", [JSON], [fits, b" "]))).status == 413


async def test_a_body_that_says_that_it_is_too_large_is_not_read() -> None:
    http = _http("POST", [JSON, ("Content-Length", str(BODY_MAX_BYTES + 1))])
    assert (await _refused(http)).status == 413


async def test_a_client_that_leaves_amid_its_body_is_no_error_of_its_input() -> None:
    with pytest.raises(ClientDisconnect):
        await read_request(_http("POST", [JSON]))
