"""GraphQL over HTTP on a real database: statuses, headers, codes, and the log line of each request."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from core.limits import BODY_MAX_BYTES, COMPRESSED_FROM_BYTES
from tests.clusters import ThrowawayCluster
from tests.http_harness import RESPONSE_TYPE, HttpHarness, error_codes, open_http_harness
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest

JSON = "application/json"
UUID = r"[0-9a-f-]{36}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http_harness(demo_database_url: str) -> AsyncIterator[HttpHarness]:
    async with open_http_harness(demo_database_url, cors_origins=["https://app.example"], demo=False) as made:
        yield made


async def test_query_by_post_and_by_get_gives_equal_data(http_harness: HttpHarness) -> None:
    query = "query ($n: Int) { sites(first: $n) { nodes { id } } }"
    posted = await http_harness.post_query(query, variables={"n": 2})
    parameters = {"query": query, "variables": '{"n": 2}'}
    got = await http_harness.client.get("/graphql", params=parameters, headers=http_harness.build_headers())
    assert posted.status_code == got.status_code == 200
    assert posted.json() == got.json()
    assert len(posted.json()["data"]["sites"]["nodes"]) == 2


@pytest.mark.parametrize("accept", [JSON, RESPONSE_TYPE])
async def test_response_has_accepted_type_and_is_not_cached(http_harness: HttpHarness, accept: str) -> None:
    headers = http_harness.build_headers() | {"Accept": accept}
    response = await http_harness.client.post(
        "/graphql", json={"query": "{ viewer { kind } }"}, headers=headers
    )
    assert response.headers["Content-Type"] == f"{accept}; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Vary"].startswith("Accept, Authorization")


@pytest.mark.parametrize("query", ["{", "{ nothing }", "query A { a: __typename } query B { b: __typename }"])
async def test_invalid_document_is_400_or_for_plain_json_200(http_harness: HttpHarness, query: str) -> None:
    response = await http_harness.post_query(query)
    assert (response.status_code, set(error_codes(response))) == (400, {"BAD_USER_INPUT"})
    legacy = await http_harness.client.post("/graphql", json={"query": query}, headers={"Accept": JSON})
    assert (legacy.status_code, legacy.json()) == (200, response.json())


async def test_operation_name_selects_the_operation(http_harness: HttpHarness) -> None:
    query = "query A { a: __typename } query B { b: __typename }"
    assert (await http_harness.post_query(query, operationName="B")).json() == {"data": {"b": "Query"}}
    assert (await http_harness.post_query(query, operationName="C")).status_code == 400


@pytest.mark.parametrize("kind", ["mutation", "subscription"])
async def test_get_of_mutation_or_subscription_is_refused(http_harness: HttpHarness, kind: str) -> None:
    response = await http_harness.client.get("/graphql", params={"query": f"{kind} {{ __typename }}"})
    expected = {"mutation": (405, "POST"), "subscription": (400, None)}[kind]
    assert (response.status_code, response.headers.get("Allow")) == expected
    assert error_codes(response) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("field", ["sites { totalCount }", "agentCheckins { cursor }"])
async def test_post_of_subscription_is_400(http_harness: HttpHarness, field: str) -> None:
    response = await http_harness.post_query(f"subscription {{ {field} }}")
    assert (response.status_code, error_codes(response)) == (400, ["BAD_USER_INPUT"])


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "TRACE", "QUERY"])
async def test_unsupported_method_is_405(http_harness: HttpHarness, method: str) -> None:
    response = await http_harness.client.request(method, "/graphql")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST, OPTIONS")


async def test_options_request_lists_allowed_methods(http_harness: HttpHarness) -> None:
    response = await http_harness.client.options("/graphql")
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Allow"] == "GET, POST, OPTIONS"


async def test_unsupported_accept_header_is_406(http_harness: HttpHarness) -> None:
    response = await http_harness.client.get("/graphql?query={__typename}", headers={"Accept": "text/csv"})
    assert (response.status_code, error_codes(response)) == (406, ["BAD_USER_INPUT"])
    assert response.headers["Content-Type"].startswith(JSON)


@pytest.mark.parametrize(
    ("headers", "body", "status", "expected_headers"),
    [
        ({"Content-Type": JSON}, b"null", 400, {}),
        ({"Content-Type": JSON}, b"[" * 20_000, 400, {}),
        ({"Content-Type": "text/plain"}, b"{}", 415, {"Accept-Post": JSON}),
        ({"Content-Type": JSON, "Content-Encoding": "gzip"}, b"{}", 415, {"Accept-Encoding": "identity"}),
        ({"Content-Type": JSON}, b" " * (BODY_MAX_BYTES + 1), 413, {"Connection": "close"}),
    ],
)
async def test_refused_request_names_what_is_accepted(
    http_harness: HttpHarness,
    headers: dict[str, str],
    body: bytes,
    status: int,
    expected_headers: dict[str, str],
) -> None:
    response = await http_harness.client.post("/graphql", content=body, headers=headers)
    assert (response.status_code, error_codes(response)) == (status, ["BAD_USER_INPUT"])
    assert expected_headers.items() <= {name: response.headers.get(name) for name in expected_headers}.items()


@pytest.mark.parametrize("media_type", [JSON, "application/graphql-response+json"])
@pytest.mark.parametrize(
    "more", [{}, {"query": None}, {"query": ""}, {"variables": {"a": 1}, "operationName": "A"}]
)
async def test_persisted_query_is_answered_as_apollo_server_does(
    http_harness: HttpHarness, media_type: str, more: dict[str, Any]
) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "a" * 64}}
    headers = {"Accept": media_type}
    posted = await http_harness.client.post(
        "/graphql", json={"extensions": extensions, **more}, headers=headers
    )
    parameters = {"extensions": json.dumps(extensions), "query": more.get("query") or ""}
    got = await http_harness.client.get("/graphql", params=parameters, headers=headers)
    for response in (posted, got):
        assert response.status_code == 200
        assert response.json() == {
            "errors": [
                {
                    "message": "PersistedQueryNotSupported",
                    "extensions": {"code": "PERSISTED_QUERY_NOT_SUPPORTED"},
                }
            ]
        }
    repeated = {"query": "{ __typename }", "extensions": extensions}
    response = await http_harness.client.post("/graphql", json=repeated, headers=headers)
    assert response.json() == {"data": {"__typename": "Query"}}


async def test_path_with_slash_is_served_without_redirect(http_harness: HttpHarness) -> None:
    headers = {"Host": "evil.example"}
    posted = await http_harness.client.post("/graphql/", json={"query": "{ __typename }"}, headers=headers)
    got = await http_harness.client.get("/graphql/?query={__typename}", headers=headers)
    assert [response.json() for response in (posted, got)] == [{"data": {"__typename": "Query"}}] * 2
    for path in ("/healthz/", "/graphql//", "/nothing/"):
        response = await http_harness.client.get(path, headers=headers)
        assert (response.status_code, response.headers.get("Location")) == (404, None)


async def test_invalid_token_is_401(http_harness: HttpHarness) -> None:
    headers = {"Authorization": "Bearer x"}
    response = await http_harness.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert (response.status_code, error_codes(response)) == (401, ["UNAUTHENTICATED"])
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ('{ sites(after: "x") { totalCount } }', {}),
        ('{ sites(after: "\\u0000") { totalCount } }', {}),
        ('{ site(id: "\\u0000") { id } }', {}),
        ("query ($id: ID!) { site(id: $id) { id } }", {"id": "a\x00b"}),
        ("query ($id: ID!) { site(id: $id) { id } }", {"id": None}),
        ("query ($id: ID!) { site(id: $id) { id } }", {"id": {"deep": [[[[]]]]}}),
        ('query ($id: ID = "x") { site(id: $id) { id } }', {"id": None}),
        ("{ sites(first: 99999999999) { totalCount } }", {}),
        ("query ($n: Int) { sites(first: $n) { totalCount } }", {"n": 2**40}),
        ("query ($n: Int) { sites(first: $n) { totalCount } }", {"n": 10**30}),
        ("query ($n: Int) { sites(first: $n) { totalCount } }", {"n": -1}),
        ("query ($w: SiteFilter) { sites(where: $w) { totalCount } }", {"w": {"name": {"contains": "\x00"}}}),
        ("query ($w: SiteFilter) { sites(where: $w) { totalCount } }", {"w": {"name": {"no": 1}}}),
    ],
)
async def test_invalid_value_is_bad_user_input(
    http_harness: HttpHarness, query: str, variables: dict[str, Any]
) -> None:
    response = await http_harness.post_query(query, variables=variables)
    assert response.status_code in (200, 400)
    assert error_codes(response) == ["BAD_USER_INPUT"]


async def test_large_response_is_compressed_when_accepted(http_harness: HttpHarness) -> None:
    large = "{ agents(first: 500) { nodes { id hostname platform version } } }"
    headers = http_harness.build_headers() | {"Accept-Encoding": "gzip"}
    async with http_harness.client.stream(
        "POST", "/graphql", json={"query": large}, headers=headers
    ) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert response.headers["Content-Encoding"] == "gzip"
    assert {"Accept", "Authorization", "Accept-Encoding"} <= set(response.headers["Vary"].split(", "))
    assert len(gzip.decompress(raw)) > max(COMPRESSED_FROM_BYTES, 2 * len(raw))
    plain = await http_harness.client.post(
        "/graphql", json={"query": large}, headers=headers | {"Accept-Encoding": "identity"}
    )
    assert "Content-Encoding" not in plain.headers
    assert plain.content == gzip.decompress(raw)
    assert "Content-Encoding" not in (await http_harness.post_query("{ __typename }")).headers
    for refusing in ("gzip;q=0", "gzip; q=0.0, *", "*;q=0"):
        response = await http_harness.client.post(
            "/graphql", json={"query": large}, headers=headers | {"Accept-Encoding": refusing}
        )
        assert "Content-Encoding" not in response.headers


async def test_cors_request_of_unlisted_origin_is_refused(http_harness: HttpHarness) -> None:
    headers = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    ours = await http_harness.client.options("/graphql", headers=headers | {"Origin": "https://app.example"})
    assert ours.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Authorization" in ours.headers["Access-Control-Allow-Headers"]
    theirs = await http_harness.client.options(
        "/graphql", headers=headers | {"Origin": "https://evil.example"}
    )
    assert (theirs.status_code, "Access-Control-Allow-Origin" in theirs.headers) == (400, False)


async def test_cors_without_setting_sends_no_headers(demo_database_url: str) -> None:
    async with open_http_harness(demo_database_url) as plain:
        response = await plain.client.get(
            "/graphql?query={__typename}", headers={"Origin": "https://app.example"}
        )
    assert response.status_code == 200
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


async def test_access_log_has_one_line_for_a_request(http_harness: HttpHarness, log_lines: list[Any]) -> None:
    response = await http_harness.client.post(
        "/graphql",
        json={"query": "query Some { sites(first: 3) { nodes { id } } }"},
        headers=http_harness.build_headers() | {"X-Request-Id": "from-the-caller"},
    )
    assert response.headers["X-Request-Id"] == "from-the-caller"
    (line,) = log_lines
    assert line.pop("duration_ms") > 0
    assert re.fullmatch(UUID, line.pop("tenant_id"))
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "from-the-caller",
        "viewer": "user",
        "user_id": http_harness.user_ids[0],
        "operation": "Some",
        "outcome": "ok",
        "way": "compiled",
        "status": 200,
        "statements": 1,
        "rows": line["rows"],
        "codes": [],
    }
    assert line["rows"] > 0


@pytest.mark.parametrize(
    ("query", "viewer", "outcome", "expected"),
    [
        ("{ __typename }", "user", "ok", []),
        ('{ __typename site(id: "\\u0000") { id } }', "user", "partial", ["BAD_USER_INPUT"]),
        ('{ a: site(id: "x") { id } b: site(id: "x") { id } }', "anonymous", "refused", ["UNAUTHENTICATED"]),
        ("{ nothing }", "anonymous", "refused", ["BAD_USER_INPUT"]),
    ],
)
async def test_access_log_line_has_outcome_and_codes(
    http_harness: HttpHarness,
    log_lines: list[Any],
    query: str,
    viewer: str,
    outcome: str,
    expected: list[str],
) -> None:
    headers = http_harness.build_headers() if viewer == "user" else {}
    await http_harness.client.post("/graphql", json={"query": query}, headers=headers)
    (line,) = log_lines
    assert (line["viewer"], line["outcome"], line["codes"]) == (viewer, outcome, expected)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'a"b', "Bearer\tx", "{}"])
async def test_invalid_request_id_is_replaced(
    http_harness: HttpHarness, log_lines: list[Any], given: str
) -> None:
    headers = http_harness.build_headers() | {"X-Request-Id": given}
    response = await http_harness.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert re.fullmatch(UUID, response.headers["X-Request-Id"])
    assert log_lines[0]["request_id"] == response.headers["X-Request-Id"]


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_internal_error_has_error_id_of_log_line(
    writable_demo_database_url: str, log_lines: list[Any]
) -> None:
    async with open_http_harness(writable_demo_database_url) as broken:
        await _execute(writable_demo_database_url, "ALTER TABLE sites RENAME COLUMN slug TO gone")
        try:
            response = await broken.post_query("query Some { __typename sites { nodes { slug } } }")
        finally:
            await _execute(writable_demo_database_url, "ALTER TABLE sites RENAME COLUMN gone TO slug")
    (error,) = response.json()["errors"]
    assert error["message"] == "Internal error."
    assert error["extensions"]["code"] == "INTERNAL"
    assert "slug" not in error["message"]
    (line,) = log_lines
    assert line["error_id"] == error["extensions"]["errorId"]
    assert (line["log_level"], line["outcome"], line["operation"]) == ("error", "failed", "Some")
    assert isinstance(line["exc_info"], asyncpg.UndefinedColumnError)


async def test_internal_error_before_execution_is_500_with_error_id(
    writable_demo_database_url: str, log_lines: list[Any]
) -> None:
    async with open_http_harness(writable_demo_database_url) as broken:
        await _execute(writable_demo_database_url, "ALTER FUNCTION app.sign_in RENAME TO gone")
        try:
            response = await broken.post_query("{ __typename }")
        finally:
            await _execute(writable_demo_database_url, "ALTER FUNCTION app.gone RENAME TO sign_in")
    assert (response.status_code, error_codes(response)) == (500, ["INTERNAL"])
    assert log_lines[0]["error_id"] == response.json()["errors"][0]["extensions"]["errorId"]


async def _fetch_backends(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    return await connection.fetch(
        "SELECT pid, state FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


async def _wait_for_blocked_backends(connection: asyncpg.Connection) -> list[int]:
    """Wait for a backend that waits for our lock."""
    for _ in range(200):
        waiting = await connection.fetch("SELECT pid FROM pg_locks WHERE NOT granted")
        if waiting:
            return [row["pid"] for row in waiting]
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waits")


async def test_client_disconnect_cancels_its_query(
    writable_demo_database_url: str, log_lines: list[Any]
) -> None:
    async with open_http_harness(writable_demo_database_url) as http_harness:
        owner = await asyncpg.connect(writable_demo_database_url)
        async with owner.transaction():
            await owner.execute("LOCK TABLE sites IN ACCESS EXCLUSIVE MODE")
            await _disconnect_during_query(http_harness, _wait_for_blocked_backends(owner))
            assert not [row for row in await _fetch_backends(owner) if row["state"] != "idle"]
        await owner.close()
        assert (await http_harness.post_query("{ sites(first: 1) { totalCount } }")).status_code == 200
    assert log_lines[0]["outcome"] == "gone"


async def _disconnect_during_query(http_harness: HttpHarness, disconnecting: Any) -> None:
    """Send a query and disconnect at that moment. Nothing may be sent to a client that has disconnected."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"query": "{ sites(first: 1) { nodes { id } } }"}'}
    ]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await disconnecting
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    headers = {"content-type": JSON, **http_harness.build_headers()}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": raw}
    await asyncio.wait_for(http_harness.app(scope, receive, send), HANG_S)


async def test_connection_lost_during_query_is_503(
    writable_demo_database_url: str, log_lines: list[Any]
) -> None:
    async with open_http_harness(writable_demo_database_url) as http_harness:
        owner = await asyncpg.connect(writable_demo_database_url)
        async with owner.transaction():
            await owner.execute("LOCK TABLE sites IN ACCESS EXCLUSIVE MODE")
            request = asyncio.create_task(
                http_harness.post_query("{ __typename sites(first: 1) { nodes { id } } }")
            )
            (pid,) = await _wait_for_blocked_backends(owner)
            await owner.execute("SELECT pg_terminate_backend($1)", pid)
            response = await request
        await owner.close()
        _assert_unavailable(response)
        assert (await http_harness.post_query("{ sites(first: 1) { totalCount } }")).status_code == 200
    assert (log_lines[0]["outcome"], log_lines[0]["status"]) == ("failed", 503)


def _assert_unavailable(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert re.fullmatch(UUID, error["extensions"]["errorId"])
    assert error["message"].endswith("Try again in a few seconds.")
    assert "data" not in response.json()


async def test_database_without_free_connections_is_503_until_it_has_some(
    cluster: ThrowawayCluster, writable_demo_database_url: str
) -> None:
    elsewhere = cluster.build_dsn("postgres")
    async with open_http_harness(writable_demo_database_url) as http_harness:
        name = await http_harness.database.pool.fetchval("SELECT current_database()")
        assert (await http_harness.post_query("{ viewer { kind } }")).status_code == 200
        await _execute(elsewhere, f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        await _execute(
            elsewhere,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        try:
            _assert_unavailable(await http_harness.post_query("{ viewer { kind } }"))
        finally:
            await _execute(elsewhere, f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
        assert (await http_harness.post_query("{ viewer { kind } }")).status_code == 200


async def test_pool_with_all_connections_busy_is_503(
    writable_demo_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.database.database.POOL_ACQUIRE_TIMEOUT_S", 0.05)
    async with (
        open_http_harness(writable_demo_database_url, pool_size=1) as http_harness,
        http_harness.database.pool.acquire(),
    ):
        _assert_unavailable(await http_harness.post_query("{ viewer { kind } }"))


async def test_many_requests_on_small_pool_are_all_answered(demo_database_url: str) -> None:
    async with open_http_harness(demo_database_url, pool_size=2) as http_harness:
        requests = [
            http_harness.post_query("{ viewer { user { id } } }", user=index % 3) for index in range(30)
        ]
        answers = await asyncio.gather(*requests)
    assert [a.json()["data"]["viewer"]["user"]["id"] for a in answers] == http_harness.user_ids * 10
