"""GraphQL over HTTP on a real database: statuses, headers, codes, and the line that the log has of each request."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from core.limits import BODY_MAX_BYTES, COMPRESSED_FROM_BYTES
from tests.clusters import ThrowawayCluster
from tests.face import RESPONSE_TYPE, Face, codes, face

JSON = "application/json"
UUID = r"[0-9a-f-]{36}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(demo_database_url: str) -> AsyncIterator[Face]:
    async with face(demo_database_url, cors_origins=["https://app.example"], demo=False) as made:
        yield made


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """What the log has, as it is written."""
    with capture_logs() as logged:
        yield logged


async def test_a_query_by_post_and_by_get(demo: Face) -> None:
    query = "query ($n: Int) { sites(first: $n) { nodes { id } } }"
    posted = await demo.ask(query, variables={"n": 2})
    parameters = {"query": query, "variables": '{"n": 2}'}
    got = await demo.client.get("/graphql", params=parameters, headers=demo.headers())
    assert posted.status_code == got.status_code == 200
    assert posted.json() == got.json()
    assert len(posted.json()["data"]["sites"]["nodes"]) == 2


@pytest.mark.parametrize("accept", [JSON, RESPONSE_TYPE])
async def test_the_answer_is_of_the_accepted_type_and_for_nobody_else(demo: Face, accept: str) -> None:
    headers = demo.headers() | {"Accept": accept}
    response = await demo.client.post("/graphql", json={"query": "{ viewer { kind } }"}, headers=headers)
    assert response.headers["Content-Type"] == f"{accept}; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Vary"].startswith("Accept, Authorization")


@pytest.mark.parametrize("query", ["{", "{ nothing }", "query A { a: __typename } query B { b: __typename }"])
async def test_a_document_that_cannot_run_is_400_or_for_plain_json_200(demo: Face, query: str) -> None:
    response = await demo.ask(query)
    assert (response.status_code, set(codes(response))) == (400, {"BAD_USER_INPUT"})
    legacy = await demo.client.post("/graphql", json={"query": query}, headers={"Accept": JSON})
    assert (legacy.status_code, legacy.json()) == (200, response.json())


async def test_an_operation_is_chosen_by_its_name(demo: Face) -> None:
    query = "query A { a: __typename } query B { b: __typename }"
    assert (await demo.ask(query, operationName="B")).json() == {"data": {"b": "Query"}}
    assert (await demo.ask(query, operationName="C")).status_code == 400


@pytest.mark.parametrize("kind", ["mutation", "subscription"])
async def test_a_get_only_queries(demo: Face, kind: str) -> None:
    response = await demo.client.get("/graphql", params={"query": f"{kind} {{ __typename }}"})
    expected = {"mutation": (405, "POST"), "subscription": (400, None)}[kind]
    assert (response.status_code, response.headers.get("Allow")) == expected
    assert codes(response) == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("field", ["sites { totalCount }", "agentCheckins { cursor }"])
async def test_subscriptions_are_for_sockets(demo: Face, field: str) -> None:
    response = await demo.ask(f"subscription {{ {field} }}")
    assert (response.status_code, codes(response)) == (400, ["BAD_USER_INPUT"])


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "HEAD", "TRACE", "QUERY"])
async def test_other_methods_are_405(demo: Face, method: str) -> None:
    response = await demo.client.request(method, "/graphql")
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, POST, OPTIONS")


async def test_options_are_told(demo: Face) -> None:
    response = await demo.client.options("/graphql")
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["Allow"] == "GET, POST, OPTIONS"


async def test_a_type_that_we_do_not_have_is_406(demo: Face) -> None:
    response = await demo.client.get("/graphql?query={__typename}", headers={"Accept": "text/csv"})
    assert (response.status_code, codes(response)) == (406, ["BAD_USER_INPUT"])
    assert response.headers["Content-Type"].startswith(JSON)


@pytest.mark.parametrize(
    ("headers", "body", "status", "told"),
    [
        ({"Content-Type": JSON}, b"null", 400, {}),
        ({"Content-Type": JSON}, b"[" * 20_000, 400, {}),
        ({"Content-Type": "text/plain"}, b"{}", 415, {"Accept-Post": JSON}),
        ({"Content-Type": JSON, "Content-Encoding": "gzip"}, b"{}", 415, {"Accept-Encoding": "identity"}),
        ({"Content-Type": JSON}, b" " * (BODY_MAX_BYTES + 1), 413, {"Connection": "close"}),
    ],
)
async def test_a_refusal_tells_what_would_do(
    demo: Face, headers: dict[str, str], body: bytes, status: int, told: dict[str, str]
) -> None:
    response = await demo.client.post("/graphql", content=body, headers=headers)
    assert (response.status_code, codes(response)) == (status, ["BAD_USER_INPUT"])
    assert told.items() <= {name: response.headers.get(name) for name in told}.items()


async def test_a_bad_token_is_401(demo: Face) -> None:
    headers = {"Authorization": "Bearer x"}
    response = await demo.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert (response.status_code, codes(response)) == (401, ["UNAUTHENTICATED"])
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
async def test_what_a_client_gets_wrong_in_its_values_is_bad_user_input(
    demo: Face, query: str, variables: dict[str, Any]
) -> None:
    response = await demo.ask(query, variables=variables)
    assert response.status_code in (200, 400)
    assert codes(response) == ["BAD_USER_INPUT"]


async def test_large_answers_are_compressed_for_those_who_want_it(demo: Face) -> None:
    large = "{ agents(first: 500) { nodes { id hostname platform version } } }"
    headers = demo.headers(**{"Accept-Encoding": "gzip"})
    async with demo.client.stream("POST", "/graphql", json={"query": large}, headers=headers) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert response.headers["Content-Encoding"] == "gzip"
    assert {"Accept", "Authorization", "Accept-Encoding"} <= set(response.headers["Vary"].split(", "))
    assert len(gzip.decompress(raw)) > max(COMPRESSED_FROM_BYTES, 2 * len(raw))
    plain = await demo.client.post(
        "/graphql", json={"query": large}, headers=headers | {"Accept-Encoding": "identity"}
    )
    assert "Content-Encoding" not in plain.headers
    assert plain.content == gzip.decompress(raw)
    assert "Content-Encoding" not in (await demo.ask("{ __typename }")).headers


async def test_cors_is_for_the_origins_of_the_settings(demo: Face) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    ours = await demo.client.options("/graphql", headers=asked | {"Origin": "https://app.example"})
    assert ours.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Authorization" in ours.headers["Access-Control-Allow-Headers"]
    theirs = await demo.client.options("/graphql", headers=asked | {"Origin": "https://evil.example"})
    assert (theirs.status_code, "Access-Control-Allow-Origin" in theirs.headers) == (400, False)


async def test_without_the_setting_there_is_no_cors(demo_database_url: str) -> None:
    async with face(demo_database_url) as plain:
        response = await plain.client.get(
            "/graphql?query={__typename}", headers={"Origin": "https://app.example"}
        )
    assert response.status_code == 200
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


async def test_the_log_has_one_line_for_a_request(demo: Face, lines: list[Any]) -> None:
    response = await demo.client.post(
        "/graphql",
        json={"query": "query Some { sites(first: 3) { nodes { id } } }"},
        headers=demo.headers(**{"X-Request-Id": "from-the-caller"}),
    )
    assert response.headers["X-Request-Id"] == "from-the-caller"
    (line,) = lines
    assert line.pop("duration_ms") > 0
    assert re.fullmatch(UUID, line.pop("tenant_id"))
    assert line == {
        "event": "request",
        "log_level": "info",
        "request_id": "from-the-caller",
        "viewer": "user",
        "user_id": demo.users[0],
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
    ("query", "who", "outcome", "expected"),
    [
        ("{ __typename }", "user", "ok", []),
        ('{ __typename site(id: "\\u0000") { id } }', "user", "partial", ["BAD_USER_INPUT"]),
        ('{ a: site(id: "x") { id } b: site(id: "x") { id } }', "anonymous", "partial", ["UNAUTHENTICATED"]),
        ("{ nothing }", "anonymous", "refused", ["BAD_USER_INPUT"]),
    ],
)
async def test_the_line_tells_how_it_ended(
    demo: Face, lines: list[Any], query: str, who: str, outcome: str, expected: list[str]
) -> None:
    headers = demo.headers() if who == "user" else {}
    await demo.client.post("/graphql", json={"query": query}, headers=headers)
    (line,) = lines
    assert (line["viewer"], line["outcome"], line["codes"]) == (who, outcome, expected)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, 'a"b', "Bearer\tx", "{}"])
async def test_a_strange_request_id_is_replaced(demo: Face, lines: list[Any], given: str) -> None:
    headers = demo.headers(**{"X-Request-Id": given})
    response = await demo.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert re.fullmatch(UUID, response.headers["X-Request-Id"])
    assert lines[0]["request_id"] == response.headers["X-Request-Id"]


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_our_own_fault_shows_an_id_that_the_log_has(demo_database: str, lines: list[Any]) -> None:
    async with face(demo_database) as broken:
        await _execute(demo_database, "ALTER TABLE sites RENAME COLUMN slug TO gone")
        try:
            response = await broken.ask("query Some { __typename sites { nodes { slug } } }")
        finally:
            await _execute(demo_database, "ALTER TABLE sites RENAME COLUMN gone TO slug")
    (error,) = response.json()["errors"]
    assert error["message"] == "Something went wrong on our side."
    assert error["extensions"]["code"] == "INTERNAL"
    assert "slug" not in error["message"]
    (line,) = lines
    assert line["error_id"] == error["extensions"]["errorId"]
    assert (line["log_level"], line["outcome"], line["operation"]) == ("error", "failed", "Some")
    assert isinstance(line["exc_info"], asyncpg.UndefinedColumnError)


async def test_a_fault_before_the_operation_is_500_in_the_same_form(
    demo_database: str, lines: list[Any]
) -> None:
    async with face(demo_database) as broken:
        await _execute(demo_database, "ALTER FUNCTION app.sign_in RENAME TO gone")
        try:
            response = await broken.ask("{ __typename }")
        finally:
            await _execute(demo_database, "ALTER FUNCTION app.gone RENAME TO sign_in")
    assert (response.status_code, codes(response)) == (500, ["INTERNAL"])
    assert lines[0]["error_id"] == response.json()["errors"][0]["extensions"]["errorId"]


async def _backends(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    return await connection.fetch(
        "SELECT pid, state FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


async def _blocked(connection: asyncpg.Connection) -> list[int]:
    """Waits for a backend that waits for our lock."""
    for _ in range(200):
        waiting = await connection.fetch("SELECT pid FROM pg_locks WHERE NOT granted")
        if waiting:
            return [row["pid"] for row in waiting]
        await asyncio.sleep(0.02)
    raise AssertionError("nobody waits")


async def test_a_client_that_leaves_leaves_nothing_behind(demo_database: str, lines: list[Any]) -> None:
    async with face(demo_database) as served:
        owner = await asyncpg.connect(demo_database)
        async with owner.transaction():
            await owner.execute("LOCK TABLE sites IN ACCESS EXCLUSIVE MODE")
            await _leave_amid(served, _blocked(owner))
            assert not [row for row in await _backends(owner) if row["state"] != "idle"]
        await owner.close()
        assert (await served.ask("{ sites(first: 1) { totalCount } }")).status_code == 200
    assert lines[0]["outcome"] == "gone"


async def _leave_amid(served: Face, moment: Any) -> None:
    """Sends a query and leaves at that moment; nothing may be sent to whoever has left."""
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"query": "{ sites(first: 1) { nodes { id } } }"}'}
    ]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await moment
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    headers = {"content-type": JSON, **served.headers()}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": raw}
    await asyncio.wait_for(served.app(scope, receive, send), 5)


async def test_a_connection_lost_amid_a_query_is_503(demo_database: str, lines: list[Any]) -> None:
    async with face(demo_database) as served:
        owner = await asyncpg.connect(demo_database)
        async with owner.transaction():
            await owner.execute("LOCK TABLE sites IN ACCESS EXCLUSIVE MODE")
            asked = asyncio.create_task(served.ask("{ __typename sites(first: 1) { nodes { id } } }"))
            (pid,) = await _blocked(owner)
            await owner.execute("SELECT pg_terminate_backend($1)", pid)
            response = await asked
        await owner.close()
        _is_unavailable(response)
        assert (await served.ask("{ sites(first: 1) { totalCount } }")).status_code == 200
    assert (lines[0]["outcome"], lines[0]["status"]) == ("failed", 503)


def _is_unavailable(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert re.fullmatch(UUID, error["extensions"]["errorId"])
    assert error["message"].endswith("Try again in a few seconds.")
    assert "data" not in response.json()


async def test_a_database_that_takes_no_connections_is_503_until_it_does(
    cluster: ThrowawayCluster, demo_database: str
) -> None:
    elsewhere = cluster.dsn("postgres")
    async with face(demo_database) as served:
        name = await served.database.pool.fetchval("SELECT current_database()")
        assert (await served.ask("{ viewer { kind } }")).status_code == 200
        await _execute(elsewhere, f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
        await _execute(
            elsewhere,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",  # noqa: S608 - ours
        )
        try:
            _is_unavailable(await served.ask("{ viewer { kind } }"))
        finally:
            await _execute(elsewhere, f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
        assert (await served.ask("{ viewer { kind } }")).status_code == 200


async def test_when_all_connections_are_busy_it_says_so(
    demo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.database.POOL_WAIT_S", 0.05)
    async with face(demo_database, pool_size=1) as served, served.database.pool.acquire():
        _is_unavailable(await served.ask("{ viewer { kind } }"))


async def test_many_at_once_on_few_connections_are_all_answered(demo_database_url: str) -> None:
    async with face(demo_database_url, pool_size=2) as served:
        asked = [served.ask("{ viewer { user { id } } }", user=place % 3) for place in range(30)]
        answers = await asyncio.gather(*asked)
    assert [a.json()["data"]["viewer"]["user"]["id"] for a in answers] == served.users * 10
