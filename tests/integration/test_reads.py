"""Basic reads: a row, a list, relations in both directions, one snapshot, one statement for each level."""

from demo import load_demo_viewers
from tests.graphql_harness import GraphqlHarness


async def fetch_administrator(graphql_harness: GraphqlHarness) -> str:
    async with graphql_harness.database.pool.acquire() as connection:
        return (await load_demo_viewers(connection))[0].user_id


async def test_viewer_of_a_user_is_answered_with_tenant_role_and_rights(
    graphql_harness: GraphqlHarness,
) -> None:
    user = await fetch_administrator(graphql_harness)
    answer = await graphql_harness.execute_as_user(
        user, "{ viewer { kind user { id } tenant { id name } role { name } rights } }"
    )
    assert not answer.errors
    assert answer.data["viewer"]["user"]["id"] == user
    assert answer.data["viewer"]["kind"] == "USER"
    assert "Global.Admin" in answer.data["viewer"]["rights"]


async def test_query_by_anonymous_is_unauthenticated_and_null(graphql_harness: GraphqlHarness) -> None:
    answer = await graphql_harness.execute_as_anonymous('{ viewer { kind } site(id: "x") { id } }')
    assert answer.data == {"viewer": None, "site": None}
    assert answer.codes == ["UNAUTHENTICATED"]


async def test_nested_query_takes_one_statement_per_level(graphql_harness: GraphqlHarness) -> None:
    query = """{
      sites(first: 20) {
        nodes { id tenant { id name } agents(first: 5) { nodes { hostname site { id } healthCheck { status } } } }
      }
    }"""
    answer = await graphql_harness.execute_as_user(await fetch_administrator(graphql_harness), query)
    assert not answer.errors
    sites = answer.data["sites"]["nodes"]
    assert len(sites) == 20
    assert all(agent["site"]["id"] == site["id"] for site in sites for agent in site["agents"]["nodes"])
    assert answer.statements == 5  # sites, tenants, agents, their sites, their health checks
