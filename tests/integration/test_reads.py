"""First answers: a row, a list, relations either way, one snapshot, one statement a level."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.demo import demo_viewers
from tests.graph import Graph, graph


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database_url: str) -> AsyncIterator[Graph]:
    async with graph(demo_database_url) as made:
        yield made


async def administrator(demo: Graph) -> str:
    async with demo.database.pool.acquire() as connection:
        return (await demo_viewers(connection))[0].user_id


async def test_viewer(demo: Graph) -> None:
    user = await administrator(demo)
    answer = await demo.as_user(
        user, "{ viewer { kind user { id } tenant { id name } role { name } rights } }"
    )
    assert not answer.errors
    assert answer.data["viewer"]["user"]["id"] == user
    assert answer.data["viewer"]["kind"] == "USER"
    assert "Global.Admin" in answer.data["viewer"]["rights"]


async def test_anonymous_is_told_to_sign_in(demo: Graph) -> None:
    answer = await demo.as_anonymous('{ viewer { kind } site(id: "x") { id } }')
    assert answer.data == {"viewer": None, "site": None}
    assert answer.codes == ["UNAUTHENTICATED"]


async def test_a_nested_answer_takes_one_statement_a_level(demo: Graph) -> None:
    query = """{
      sites(first: 20) {
        nodes { id tenant { id name } agents(first: 5) { nodes { hostname site { id } healthCheck { status } } } }
      }
    }"""
    answer = await demo.as_user(await administrator(demo), query)
    assert not answer.errors
    sites = answer.data["sites"]["nodes"]
    assert len(sites) == 20
    assert all(agent["site"]["id"] == site["id"] for site in sites for agent in site["agents"]["nodes"])
    assert answer.statements == 5  # sites, tenants, agents, their sites, their health checks
