"""The limits as clients see them: with both strategies, and over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from core.limits import ALIASES_MAX, COST_MAX, DEPTH_MAX, QUERY_VARIABLES_CHARS_MAX, VARIABLES_DEPTH_MAX
from resolvers.execution_strategy import ExecutionStrategy
from tests.http_harness import HttpHarness, error_codes
from tests.integration.client import Client, open_client
from tests.large_documents import STANDARD, nest_value, write_doubling_fragments

pytestmark = pytest.mark.newest

DEAR = "query($n: Int) { sites(first: $n) { nodes { agents(first: 99) { nodes { id healthCheck { status } } } } } }"
FITS = (COST_MAX - 1) // 200
"""The maximum of `$n`: each site costs one row, one more to detect further agents, and 99 twice over."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def graphql_client(demo_database_url: str) -> AsyncIterator[Client]:
    async with open_client(demo_database_url) as made:
        yield made


@pytest.mark.parametrize("way", [ExecutionStrategy.LOADERS, ExecutionStrategy.AUTO])
async def test_cost_limit_exceeded_is_refused_before_any_statement(
    graphql_client: Client, way: ExecutionStrategy
) -> None:
    assert not (await graphql_client.with_strategy(way).execute(DEAR, n=FITS)).errors
    answer = await graphql_client.execute(DEAR, n=FITS + 1)
    assert (answer.data, answer.statements, answer.reads) == (None, 0, [])
    (error,) = answer.errors
    assert error["extensions"] == {
        "code": "QUERY_TOO_COMPLEX", "limit": "cost", "allowed": COST_MAX, "actual": 1 + (FITS + 1) * 200
    }  # fmt: skip
    assert error["message"] == (
        f"The request has {1 + (FITS + 1) * 200} rows to process, estimated; the limit cost allows {COST_MAX}"
    )


@pytest.mark.parametrize("way", [ExecutionStrategy.LOADERS, ExecutionStrategy.AUTO])
async def test_variables_depth_limit_exceeded_is_refused(
    graphql_client: Client, way: ExecutionStrategy
) -> None:
    query = "query($w: AgentFilter) { agents(where: $w) { totalCount } }"
    refused = await graphql_client.with_strategy(way).execute(query, w=nest_value(VARIABLES_DEPTH_MAX + 1))
    assert refused.codes == ["QUERY_TOO_COMPLEX"]
    assert refused.errors[0]["extensions"]["limit"] == "variablesDepth"
    assert (await graphql_client.execute(query, w=nest_value(VARIABLES_DEPTH_MAX))).codes == [
        "BAD_USER_INPUT"
    ]


@pytest.mark.parametrize("name", STANDARD)
async def test_introspection_by_standard_tools_is_answered(graphql_client: Client, name: str) -> None:
    answer = await graphql_client.with_strategy(ExecutionStrategy.AUTO).graphql.execute_as_anonymous(
        STANDARD[name]
    )
    assert not answer.errors
    assert answer.data["__schema"]["queryType"]["name"] == "Query"


async def test_limit_exceeded_is_400_and_for_plain_json_200(http_harness: HttpHarness) -> None:
    aliases = "{ viewer {" + " ".join(f"a{n}: kind" for n in range(ALIASES_MAX + 1)) + "} }"
    for query, variables in ((aliases, {}), (DEAR, {"n": FITS + 1}), (write_doubling_fragments(30), {})):
        response = await http_harness.post_query(query, variables=variables)
        assert (response.status_code, error_codes(response)) == (400, ["QUERY_TOO_COMPLEX"])
        assert "data" not in response.json()
        body = {"query": query, "variables": variables}
        legacy = await http_harness.client.post(
            "/graphql", json=body, headers=http_harness.build_headers(Accept="application/json")
        )
        assert (legacy.status_code, legacy.json()) == (200, response.json())


async def test_cost_limit_exceeded_takes_no_connection(http_harness: HttpHarness) -> None:
    size = http_harness.database.pool.get_size()
    held = [
        await http_harness.database.pool.acquire() for _ in range(http_harness.database.pool.get_max_size())
    ]
    try:
        assert await http_harness.post_for_codes(DEAR, variables={"n": FITS + 1}) == ["QUERY_TOO_COMPLEX"]
    finally:
        for connection in held:
            await http_harness.database.pool.release(connection)
    assert len(held) >= size


async def test_cost_extension_when_requested_reports_the_cost(http_harness: HttpHarness) -> None:
    response = await http_harness.post_query(
        DEAR, variables={"n": 2}, extensions={"cost": True, "persistedQuery": {"version": 1}}
    )
    assert response.json()["extensions"] == {"cost": {"estimated": 401, "allowed": COST_MAX}}
    assert response.json()["data"]
    for extensions in ({}, {"cost": False}, {"cost": "yes"}, None):
        silent = await http_harness.post_query(DEAR, variables={"n": 2}, extensions=extensions)
        assert "extensions" not in silent.json()


async def test_cost_extension_by_anonymous_get_reports_the_cost(http_harness: HttpHarness) -> None:
    parameters = {"query": "{ __schema { queryType { name } } }", "extensions": '{"cost": true}'}
    response = await http_harness.client.get("/graphql", params=parameters)
    assert response.json()["extensions"]["cost"] == {"estimated": 0, "allowed": COST_MAX}


DEEP: dict[str, Any] = {
    "fields": {"query": "{ viewer" + "{ tenant { sites { nodes" * 2_000 + "{ id" + "}" * 6_002},
    "a document": {"query": "{ viewer " + "{ tenant { sites { nodes " * DEPTH_MAX + "{ id" + "}" * 62},
    "literals": {"query": "{ sites(where: " + "{not: " * 3_000 + "{}" + "}" * 3_000 + ") { totalCount } }"},
    "filters": {
        "query": "query($w: SiteFilter) { sites(where: $w) { totalCount } }",
        "variables": {"w": nest_value(400)},
    },
    "unused variables": {"query": "{ viewer { kind } }", "variables": {"w": nest_value(400)}},
    "extensions": {"query": "{ viewer { kind } }", "extensions": {"w": nest_value(400)}},
}


@pytest.mark.parametrize("name", DEEP)
async def test_deep_nesting_of_any_kind_is_no_internal_error(http_harness: HttpHarness, name: str) -> None:
    response = await http_harness.post_query(**DEEP[name])
    assert "INTERNAL" not in error_codes(response)
    assert error_codes(response) == ([] if name == "extensions" else ["QUERY_TOO_COMPLEX"])


@pytest.mark.parametrize("way", [ExecutionStrategy.LOADERS, ExecutionStrategy.AUTO])
async def test_variables_characters_limit_exceeded_is_refused(
    graphql_client: Client, way: ExecutionStrategy
) -> None:
    query = "query($text: String) { agents(search: $text) { totalCount } }"
    fits = QUERY_VARIABLES_CHARS_MAX - len('{"text": ""}')
    assert not (await graphql_client.with_strategy(way).execute(query, text="x" * fits)).errors
    refused = await graphql_client.with_strategy(way).execute(query, text="x" * (fits + 1))
    assert (refused.codes, refused.statements) == (["QUERY_TOO_COMPLEX"], 0)
    assert refused.errors[0]["extensions"]["limit"] == "variablesCharacters"
