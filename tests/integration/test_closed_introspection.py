"""A server that keeps its schema from anonymous callers: no introspection, and no names by way of suggestions."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.face import RESPONSE_TYPE, Face, face

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
async def closed(demo_database_url: str) -> AsyncIterator[Face]:
    async with face(demo_database_url, introspection=False) as made:
        yield made


@pytest.mark.parametrize(("query", "variables"), SUGGESTING)
async def test_names_are_suggested_to_those_we_know(
    closed: Face, query: str, variables: dict[str, Any]
) -> None:
    asked = {"query": query, "variables": variables}
    answer = await closed.client.post("/graphql", json=asked, headers={"Accept": RESPONSE_TYPE})
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "Did you mean" not in answer.text
    assert "Did you mean" in (await closed.ask(query, variables=variables)).text


async def test_the_schema_is_told_to_those_we_know(closed: Face) -> None:
    query = "{ __schema { queryType { name } } }"
    answer = await closed.client.post("/graphql", json={"query": query}, headers={"Accept": RESPONSE_TYPE})
    assert "Query" not in answer.text
    assert (await closed.ask(query)).json() == {"data": {"__schema": {"queryType": {"name": "Query"}}}}


async def test_an_open_server_suggests_names_to_anybody(demo_database_url: str) -> None:
    async with face(demo_database_url) as made:
        answer = await made.client.post("/graphql", json={"query": "{ viewerr { kind } }"})
    assert "Did you mean 'viewer'?" in answer.json()["errors"][0]["message"]
