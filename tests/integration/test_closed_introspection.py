"""A server that hides its schema from anonymous callers: no introspection, and no names in suggestions."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.http_harness import RESPONSE_TYPE, HttpHarness, open_http_harness

pytestmark = pytest.mark.newest

SUGGESTING: list[tuple[str, dict[str, Any]]] = [
    ("{ viewerr { kind } }", {}),
    ("{ __typename ... on Queri { __typename } }", {}),
    ("{ sites(serch: 1) { nodes { id } } }", {}),
    ("{ sites(where: {nam: {eq: 1}}) { nodes { id } } }", {}),
    ("query ($where: SiteFilter) { sites(where: $where) { nodes { id } } }", {"where": {"nam": None}}),
    (
        "query ($by: [SiteOrder!]) { sites(orderBy: $by) { nodes { id } } }",
        {"by": [{"field": "NAM", "direction": "ASC"}]},
    ),
]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def closed_http_harness(demo_database_url: str) -> AsyncIterator[HttpHarness]:
    async with open_http_harness(demo_database_url, introspection=False) as made:
        yield made


@pytest.mark.parametrize(("query", "variables"), SUGGESTING)
async def test_error_of_anonymous_request_suggests_no_names(
    closed_http_harness: HttpHarness, query: str, variables: dict[str, Any]
) -> None:
    body = {"query": query, "variables": variables}
    answer = await closed_http_harness.client.post("/graphql", json=body, headers={"Accept": RESPONSE_TYPE})
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "Did you mean" not in answer.text
    assert "Did you mean" in (await closed_http_harness.post_query(query, variables=variables)).text


async def test_introspection_by_anonymous_request_is_refused(closed_http_harness: HttpHarness) -> None:
    query = "{ __schema { queryType { name } } }"
    answer = await closed_http_harness.client.post(
        "/graphql", json={"query": query}, headers={"Accept": RESPONSE_TYPE}
    )
    assert "Query" not in answer.text
    assert (await closed_http_harness.post_query(query)).json() == {
        "data": {"__schema": {"queryType": {"name": "Query"}}}
    }


async def test_error_of_anonymous_request_to_open_server_suggests_names(demo_database_url: str) -> None:
    async with open_http_harness(demo_database_url) as made:
        answer = await made.client.post("/graphql", json={"query": "{ viewerr { kind } }"})
    assert "Did you mean 'viewer'?" in answer.json()["errors"][0]["message"]
