"""The limits as clients meet them: in both ways of running, and over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from core.limits import ALIASES_MAX, COST_MAX, DEPTH_MAX, QUERY_VARIABLES_CHARS_MAX, VARIABLES_DEPTH_MAX
from resolvers.ways import Way
from tests.face import Face, codes, face
from tests.integration.asking import Asking, asking
from tests.unit.test_document_limits import STANDARD, doubling, nested

DEAR = "query($n: Int) { sites(first: $n) { nodes { agents(first: 99) { nodes { id healthCheck { status } } } } } }"
FITS = (COST_MAX - 1) // 200
"""What `$n` may be: each site counts one row, and one to look for more agents, and 99 twice over."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def asks(demo_database_url: str) -> AsyncIterator[Asking]:
    async with asking(demo_database_url) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(demo_database_url: str) -> AsyncIterator[Face]:
    async with face(demo_database_url) as made:
        yield made


@pytest.mark.parametrize("way", [Way.LOADERS, Way.AUTO])
async def test_the_cost_is_checked_before_anything_runs(asks: Asking, way: Way) -> None:
    assert not (await asks.by(way).ask(DEAR, n=FITS)).errors
    answer = await asks.ask(DEAR, n=FITS + 1)
    assert (answer.data, answer.statements, answer.reads) == (None, 0, [])
    (error,) = answer.errors
    assert error["extensions"] == {
        "code": "QUERY_TOO_COMPLEX", "limit": "cost", "allowed": COST_MAX, "actual": 1 + (FITS + 1) * 200
    }  # fmt: skip
    assert error["message"] == (
        f"The request has {1 + (FITS + 1) * 200} rows to touch, estimated; the limit cost allows {COST_MAX}"
    )


@pytest.mark.parametrize("way", [Way.LOADERS, Way.AUTO])
async def test_variables_nest_only_so_deep(asks: Asking, way: Way) -> None:
    query = "query($w: AgentFilter) { agents(where: $w) { totalCount } }"
    refused = await asks.by(way).ask(query, w=nested(VARIABLES_DEPTH_MAX + 1))
    assert refused.codes == ["QUERY_TOO_COMPLEX"]
    assert refused.errors[0]["extensions"]["limit"] == "variablesDepth"
    assert (await asks.ask(query, w=nested(VARIABLES_DEPTH_MAX))).codes == ["BAD_USER_INPUT"]


@pytest.mark.parametrize("name", STANDARD)
async def test_tools_learn_the_schema(asks: Asking, name: str) -> None:
    answer = await asks.by(Way.AUTO).graph.as_anonymous(STANDARD[name])
    assert not answer.errors
    assert answer.data["__schema"]["queryType"]["name"] == "Query"


async def test_a_refusal_is_400_and_for_plain_json_200(demo: Face) -> None:
    aliases = "{ viewer {" + " ".join(f"a{n}: kind" for n in range(ALIASES_MAX + 1)) + "} }"
    for query, variables in ((aliases, {}), (DEAR, {"n": FITS + 1}), (doubling(30), {})):
        response = await demo.ask(query, variables=variables)
        assert (response.status_code, codes(response)) == (400, ["QUERY_TOO_COMPLEX"])
        assert "data" not in response.json()
        body = {"query": query, "variables": variables}
        legacy = await demo.client.post(
            "/graphql", json=body, headers=demo.headers(Accept="application/json")
        )
        assert (legacy.status_code, legacy.json()) == (200, response.json())


async def test_a_refused_operation_takes_no_connection(demo: Face) -> None:
    size = demo.database.pool.get_size()
    held = [await demo.database.pool.acquire() for _ in range(demo.database.pool.get_max_size())]
    try:
        assert await demo.codes(DEAR, variables={"n": FITS + 1}) == ["QUERY_TOO_COMPLEX"]
    finally:
        for connection in held:
            await demo.database.pool.release(connection)
    assert len(held) >= size


async def test_the_cost_is_told_on_demand(demo: Face) -> None:
    told = await demo.ask(
        DEAR, variables={"n": 2}, extensions={"cost": True, "persistedQuery": {"version": 1}}
    )
    assert told.json()["extensions"] == {"cost": {"estimated": 401, "allowed": COST_MAX}}
    assert told.json()["data"]
    for extensions in ({}, {"cost": False}, {"cost": "yes"}, None):
        silent = await demo.ask(DEAR, variables={"n": 2}, extensions=extensions)
        assert "extensions" not in silent.json()


async def test_the_cost_is_told_by_get_and_without_a_token(demo: Face) -> None:
    parameters = {"query": "{ __schema { queryType { name } } }", "extensions": '{"cost": true}'}
    response = await demo.client.get("/graphql", params=parameters)
    assert response.json()["extensions"]["cost"] == {"estimated": 0, "allowed": COST_MAX}


DEEP: dict[str, Any] = {
    "fields": {"query": "{ viewer" + "{ tenant { sites { nodes" * 2_000 + "{ id" + "}" * 6_002},
    "a document": {"query": "{ viewer " + "{ tenant { sites { nodes " * DEPTH_MAX + "{ id" + "}" * 62},
    "literals": {"query": "{ sites(where: " + "{not: " * 3_000 + "{}" + "}" * 3_000 + ") { totalCount } }"},
    "filters": {
        "query": "query($w: SiteFilter) { sites(where: $w) { totalCount } }",
        "variables": {"w": nested(400)},
    },
    "unused variables": {"query": "{ viewer { kind } }", "variables": {"w": nested(400)}},
    "extensions": {"query": "{ viewer { kind } }", "extensions": {"w": nested(400)}},
}


@pytest.mark.parametrize("name", DEEP)
async def test_depth_of_any_kind_is_no_fault_of_ours(demo: Face, name: str) -> None:
    response = await demo.ask(**DEEP[name])
    assert "INTERNAL" not in codes(response)
    assert codes(response) == ([] if name == "extensions" else ["QUERY_TOO_COMPLEX"])


@pytest.mark.parametrize("way", [Way.LOADERS, Way.AUTO])
async def test_a_querys_variables_are_only_so_long(asks: Asking, way: Way) -> None:
    query = "query($text: String) { agents(search: $text) { totalCount } }"
    fits = QUERY_VARIABLES_CHARS_MAX - len('{"text": ""}')
    assert not (await asks.by(way).ask(query, text="x" * fits)).errors
    refused = await asks.by(way).ask(query, text="x" * (fits + 1))
    assert (refused.codes, refused.statements) == (["QUERY_TOO_COMPLEX"], 0)
    assert refused.errors[0]["extensions"]["limit"] == "variablesCharacters"
