"""Mutations over HTTP: the extensions of the response, refused callers, and the polls that they trigger."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from api.graphql_service import GraphQLService
from tests.http_harness import HttpHarness, error_codes, open_http_harness
from tests.sealed_tokens import open_transaction

pytestmark = pytest.mark.newest

CREATE = "mutation($name: String!) { createSite(input: {name: $name}) { id slug tenant { name } } }"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http_harness(writable_demo_database_url: str) -> AsyncIterator[HttpHarness]:
    async with open_http_harness(writable_demo_database_url) as made:
        yield made


async def test_mutation_response_contains_its_transaction(http_harness: HttpHarness) -> None:
    response = await http_harness.post_query(CREATE, variables={"name": "Over HTTP"})
    body = response.json()
    assert response.status_code == 200
    async with http_harness.database.read_transaction(platform=True) as snapshot:
        rows = await snapshot.fetch(
            "SELECT xmin::text FROM sites WHERE id = $1", (body["data"]["createSite"]["id"],)
        )
    assert body["extensions"].keys() == {"transaction"}
    assert open_transaction(body["extensions"]["transaction"], http_harness.sealer) == rows[0][0]


async def test_query_response_contains_no_transaction(http_harness: HttpHarness) -> None:
    assert "extensions" not in (await http_harness.post_query("{ viewer { id } }")).json()


async def test_mutation_by_get_is_405(http_harness: HttpHarness) -> None:
    response = await http_harness.client.get(
        "/graphql",
        params={"query": 'mutation { createSite(input: {name: "x"}) { id } }'},
        headers=http_harness.build_headers(),
    )
    assert response.status_code == 405


async def test_mutation_without_token_is_unauthenticated(http_harness: HttpHarness) -> None:
    response = await http_harness.client.post("/graphql", json={"query": CREATE, "variables": {"name": "x"}})
    assert error_codes(response) == ["UNAUTHENTICATED"]


async def test_mutation_by_inactive_user_is_401(
    http_harness: HttpHarness, writable_demo_database_url: str
) -> None:
    connection = await asyncpg.connect(writable_demo_database_url)
    switch = "UPDATE users SET status = $2 WHERE id = $1"
    await connection.execute(switch, http_harness.user_ids[2], "inactive")
    try:
        response = await http_harness.post_query(CREATE, user=2, variables={"name": "x"})
    finally:
        await connection.execute(switch, http_harness.user_ids[2], "active")
        await connection.close()
    assert (response.status_code, error_codes(response)) == (401, ["UNAUTHENTICATED"])


async def test_mutation_with_wrong_variables_is_bad_input(http_harness: HttpHarness) -> None:
    response = await http_harness.post_query(CREATE, variables={"name": None})
    assert error_codes(response) == ["BAD_USER_INPUT"]
    assert "data" not in response.json()


async def test_mutation_over_the_cost_limit_is_refused(http_harness: HttpHarness) -> None:
    ids = ["x"] * 500
    calls = " ".join(f"a{n}: deleteSites(ids: $ids) {{ id }}" for n in range(20))
    query = f"mutation($ids: [ID!]!) {{ {calls} }}"
    response = await http_harness.post_query(query, variables={"ids": ids})
    error = response.json()["errors"][0]["extensions"]
    assert (error["code"], error["limit"], error["actual"] > 20 * 500) == ("QUERY_TOO_COMPLEX", "cost", True)


async def test_mutation_over_the_written_rows_limit_is_refused(http_harness: HttpHarness) -> None:
    response = await http_harness.post_query(
        "mutation($ids: [ID!]!) { deleteSites(ids: $ids) { id } }", variables={"ids": ["x"] * 501}
    )
    assert response.json()["errors"][0]["extensions"]["limit"] == "writtenRows"


async def test_mutation_wakes_live_queries_once_per_commit(writable_demo_database_url: str) -> None:
    rung: list[int] = []
    async with open_http_harness(writable_demo_database_url) as made:
        endpoints: Iterator[Any] = (getattr(route, "app", None) for route in made.app.routes)
        operations = next(endpoint._service for endpoint in endpoints if hasattr(endpoint, "_service"))
        assert isinstance(operations, GraphQLService)
        operations._on_commit = lambda: rung.append(1)
        two = 'mutation { a: createSite(input: {name: "A"}) { id } b: createSite(input: {name: "B"}) { id } }'
        assert not error_codes(await made.post_query(two))
        assert error_codes(await made.post_query('mutation { deleteSite(id: "no") { id } }')) == ["NOT_FOUND"]
        assert not error_codes(await made.post_query("{ viewer { id } }"))
    assert len(rung) == 2


async def test_mutations_concurrently_all_write(http_harness: HttpHarness) -> None:
    async def write(number: int) -> httpx.Response:
        return await http_harness.post_query(CREATE, variables={"name": f"At once {number}"})

    answers = await asyncio.gather(*(write(number) for number in range(30)))
    assert [error_codes(answer) for answer in answers] == [[]] * 30
    assert len({answer.json()["extensions"]["transaction"] for answer in answers}) == 30
