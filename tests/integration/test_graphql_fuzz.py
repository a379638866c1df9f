"""Arbitrary requests to the application: no internal error, and every error in GraphQL's form with its code.

`HYPOTHESIS_EXAMPLES=5000` tries more than CI does.
"""

import json
import os
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InternalError, ProductError
from schema.tables import TABLES
from tests.http_harness import RESPONSE_TYPE, HttpHarness

pytestmark = pytest.mark.newest

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "150"))
CODES = {kind.code for kind in ProductError.__subclasses__() if kind is not InternalError}
JSON = "application/json"
REFUSALS = {200, 400, 401, 405, 406, 413, 414, 415, 431}

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    [name for table in TABLES for name in (table.one, table.many)]
    + ["id", "nodes", "edges", "node", "cursor", "totalCount", "pageInfo", "name", "tenant", "site", "agents"]
    + ["__typename", "__schema", "viewer", "config", "metadata", "where", "first", "x"]
)
literals = st.sampled_from(
    [
        *(
            '"x"',
            '"\\u0000"',
            '"""b"""',
            "1",
            "-1",
            "99999999999999999999",
            "1.5e308",
            "true",
            "null",
            "ASC",
            "$v",
        ),
        *("[]", "{}", "[[[]]]", '{name: {contains: "%"}}', '{and: [{id: {eq: "x"}}]}'),
        "[{field: NAME, direction: DESC}]",
    ]
)
arguments = st.sampled_from(
    ["id", "first", "last", "after", "before", "offset", "where", "orderBy", "search", "slug"]
)


def _field_strategy(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    given_arguments = st.dictionaries(arguments, literals, max_size=3).map(
        lambda each: "(" + " ".join(f"{name}: {value}" for name, value in each.items()) + ")" if each else ""
    )
    below = st.lists(inner, min_size=1, max_size=4).map(lambda fields: "{ " + " ".join(fields) + " }")
    return st.tuples(names, given_arguments, st.just("") | below).map("".join)


selections = st.recursive(names, _field_strategy, max_leaves=15)
documents = st.one_of(
    st.lists(selections, min_size=1, max_size=3).map(lambda fields: "{ " + " ".join(fields) + " }"),
    st.lists(selections, min_size=1, max_size=2).map(
        lambda fields: f"query Q($v: Int) {{ {' '.join(fields)} }}"
    ),
    st.lists(
        names | literals | st.sampled_from([*'{}()[]:!$@|&=#,"\\\ufeff\n', "...", "fragment", "on", "query"]),
        max_size=30,
    ).map(" ".join),
    st.text(max_size=60),
)
bodies = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {},
        optional={
            "query": documents | json_values,
            "variables": st.dictionaries(st.just("v") | st.text(max_size=4), json_values, max_size=3)
            | json_values,
            "operationName": st.sampled_from(["Q", "", "x"]) | json_values,
            "extensions": json_values,
        },
    ).map(lambda value: json.dumps(value).encode()),
)
plain = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from([JSON, f"{JSON}; charset=utf-8", "text/plain"]) | plain,
        "Accept": st.sampled_from([JSON, RESPONSE_TYPE, "*/*", "text/html"]) | plain,
        "Content-Encoding": plain,
        "Authorization": plain | plain.map(lambda text: f"Bearer {text}"),
        "X-Tenant-Id": plain,
        "X-Request-Id": plain,
        "Accept-Encoding": plain,
        "Origin": plain,
    },
)


def _assert_valid_response(status: int, body: bytes) -> None:
    """If it is JSON of ours: errors have messages and codes, and none is an internal error."""
    answer: Any = orjson.loads(body)
    assert status in REFUSALS, answer
    assert answer.keys() <= {"data", "errors"}
    assert "data" in answer or answer["errors"]
    for error in answer.get("errors", []):
        assert error["message"]
        assert error["extensions"]["code"] in CODES, error


@fuzzed
@given(body=bodies, headers=headers, user=st.none() | st.integers(0, 2))
async def test_post_with_random_body_and_headers_gives_valid_response(
    http_harness: HttpHarness, body: bytes, headers: dict[str, str], user: int | None
) -> None:
    headers = {"Content-Type": JSON, **({} if user is None else http_harness.build_headers(user)), **headers}
    response = await http_harness.client.post("/graphql", content=body, headers=headers)
    _assert_valid_response(response.status_code, response.content)


@fuzzed
@given(document=documents, value=json_values, user=st.integers(0, 2))
async def test_post_with_random_document_and_variables_gives_valid_response(
    http_harness: HttpHarness, document: str, value: Any, user: int
) -> None:
    body = json.dumps({"query": document, "variables": {"v": value}}).encode()
    headers = {"Content-Type": JSON, **http_harness.build_headers(user)}
    response = await http_harness.client.post("/graphql", content=body, headers=headers)
    _assert_valid_response(response.status_code, response.content)


@fuzzed
@given(
    parameters=st.dictionaries(
        st.sampled_from(["query", "variables", "operationName", "extensions"]) | plain, documents | plain
    ),
    raw=st.binary(max_size=40),
)
async def test_get_with_random_parameters_gives_valid_response(
    http_harness: HttpHarness, parameters: dict[str, str], raw: bytes
) -> None:
    for address in (
        httpx.URL("/graphql", params=parameters),
        httpx.URL("/graphql", query=b"query=" + quote(raw).encode()),
    ):
        response = await http_harness.client.get(address, headers=http_harness.build_headers())
        _assert_valid_response(response.status_code, response.content)


@fuzzed
@given(method=st.from_regex(r"[A-Z]{1,8}", fullmatch=True), accept=plain)
async def test_request_with_random_method_gives_valid_response(
    http_harness: HttpHarness, method: str, accept: str
) -> None:
    response = await http_harness.client.request(method, "/graphql", headers={"Accept": accept})
    if method == "OPTIONS":
        assert response.status_code == 204
    elif not response.headers["Content-Type"].startswith("text/html"):
        _assert_valid_response(response.status_code, response.content)
