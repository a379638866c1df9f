"""From HTTP to what the client asks for: what is read, and what is refused with which status."""

from collections.abc import Sequence
from urllib.parse import urlencode

import pytest
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.types import Message

from api.request_parsing import parse_request
from core.errors import BadUserInputError
from core.limits import BODY_MAX_BYTES, BULK_BODY_MAX_BYTES, EXACT_NUMBERS_BULK_MAX, EXACT_NUMBERS_MAX
from resolvers.request import GraphQLRequest

JSON = ("Content-Type", "application/json")
Header = tuple[str, str]


def _build_http_request(
    method: str, headers: Sequence[Header], body: Sequence[bytes] = (), query: bytes = b""
) -> HttpRequest:
    chunks: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": position < len(body)}
        for position, chunk in enumerate(body, 1)
    ]

    async def receive() -> Message:
        return chunks.pop(0) if chunks else {"type": "http.disconnect"}

    raw = [(name.lower().encode(), value.encode()) for name, value in headers]
    return HttpRequest(
        {"type": "http", "method": method, "path": "/graphql", "query_string": query, "headers": raw}, receive
    )


async def _parse_post(body: bytes, *headers: Header) -> GraphQLRequest:
    return await parse_request(_build_http_request("POST", headers or [JSON], [body]))


async def _parse_get(**parameters: str) -> GraphQLRequest:
    return await parse_request(_build_http_request("GET", [], query=urlencode(parameters).encode()))


async def _parse_refused(http: HttpRequest) -> BadUserInputError:
    with pytest.raises(BadUserInputError) as caught:
        await parse_request(http)
    return caught.value


async def test_parse_request_of_post_gives_its_members() -> None:
    body = (
        b'{"query": "{ a }", "variables": {"x": [1]}, "operationName": "A", "extensions": {"y": 1}, "z": 1}'
    )
    assert await _parse_post(body) == GraphQLRequest("{ a }", {"x": [1]}, "A", {"y": 1})


async def test_parse_request_of_get_gives_its_parameters() -> None:
    read = await _parse_get(query="{ a }", variables='{"x": "ü"}', operationName="A", extensions="{}")
    assert read == GraphQLRequest("{ a }", {"x": "ü"}, "A")


@pytest.mark.parametrize(
    "body", [b'{"query": "{ a }"}', b'{"query": "{ a }", "variables": null, "operationName": null}']
)
async def test_parse_request_null_members_count_as_absent(body: bytes) -> None:
    assert await _parse_post(body) == GraphQLRequest("{ a }", {}, None)


async def test_parse_request_empty_parameters_count_as_absent() -> None:
    assert await _parse_get(query="{ a }", variables="", operationName="", extensions="") == GraphQLRequest(
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
async def test_parse_request_json_in_utf_8_is_accepted(content_type: str) -> None:
    read = await _parse_post(
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
async def test_parse_request_other_content_is_415(headers: list[Header]) -> None:
    error = await _parse_refused(_build_http_request("POST", headers, [b'{"query": "{ a }"}']))
    assert error.status == 415


@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding", "Content-Length"])
async def test_parse_request_repeated_header_is_400(name: str) -> None:
    error = await _parse_refused(_build_http_request("POST", [JSON, (name, "1"), (name, "1")], [b"{}"]))
    assert (error.status, f"{name} must be sent only once" in error.message) == (400, True)


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
        b"[" * 20_000,
        b'{"query": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"a": ' * 20_000,
        b"1" * 5_000,
        b'{"query": "{ a }", "variables": {"x": 1e999, "y": NaN}}',
        b'{"query": "{ a }", "variables": {"x": 1e999, "y": "\\ud800"}}',
        b"\x00",
    ],
)
async def test_parse_request_malformed_body_is_400(body: bytes) -> None:
    error = await _parse_refused(_build_http_request("POST", [JSON], [body]))
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
async def test_parse_request_member_of_wrong_type_is_named(body: bytes, field: str) -> None:
    error = await _parse_refused(_build_http_request("POST", [JSON], [body]))
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
async def test_parse_request_malformed_query_string_is_400(query: bytes) -> None:
    assert (await _parse_refused(_build_http_request("GET", [], query=query))).status == 400


async def test_parse_request_long_query_string_is_414() -> None:
    assert (
        await _parse_refused(_build_http_request("GET", [], query=b"query=" + b"a" * BODY_MAX_BYTES))
    ).status == 414


async def test_parse_request_body_beyond_the_limit_is_413() -> None:
    body = b'{"query": "%s"}'
    fits = body % (b"a" * (BODY_MAX_BYTES - len(body) + 2))
    assert len(fits) == BODY_MAX_BYTES
    assert (await _parse_post(fits)).query
    assert (await _parse_refused(_build_http_request("POST", [JSON], [fits, b" "]))).status == 413


async def test_parse_request_declared_length_beyond_limit_is_413_unread() -> None:
    http = _build_http_request("POST", [JSON, ("Content-Length", str(BODY_MAX_BYTES + 1))])
    assert (await _parse_refused(http)).status == 413


async def test_parse_request_disconnect_within_body_raises_client_disconnect() -> None:
    with pytest.raises(ClientDisconnect):
        await parse_request(_build_http_request("POST", [JSON]))


@pytest.mark.parametrize(
    ("room", "allowed"),
    [(BODY_MAX_BYTES, EXACT_NUMBERS_MAX), (BULK_BODY_MAX_BYTES, EXACT_NUMBERS_BULK_MAX)],
    ids=["anybody", "bulk"],
)
async def test_parse_request_more_exact_numbers_than_allowed_is_refused(room: int, allowed: int) -> None:
    def http(count: int) -> HttpRequest:
        numbers = ",".join(["0.1234567890123456789"] * count)
        body = f'{{"query": "{{ a }}", "variables": {{"x": [{numbers}]}}}}'
        return _build_http_request("POST", [JSON], [body.encode()])

    request = await parse_request(http(allowed), room)
    assert len(request.variables["x"]) == allowed
    with pytest.raises(BadUserInputError, match=f"more than {allowed} numbers"):
        await parse_request(http(allowed + 1), room)


async def test_parse_request_more_exact_numbers_in_a_get_are_refused() -> None:
    numbers = ",".join(["1e400"] * (EXACT_NUMBERS_MAX + 1))
    with pytest.raises(BadUserInputError, match="numbers"):
        await _parse_get(query="{ a }", variables=f'{{"x": [{numbers}]}}')
