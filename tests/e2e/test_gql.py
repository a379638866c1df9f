"""Python's gql against the running server: it fetches the schema and checks each document with it before sending."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from graphql import GraphQLError, get_introspection_query

from tests.e2e.servers import Server, data_directory, running

SITES = """
  query Sites($first: Int, $after: String, $where: SiteFilter) {
    sites(first: $first, after: $after, where: $where, orderBy: [{ field: NAME }]) {
      totalCount
      nodes { id name status updatedAt }
      pageInfo { hasNextPage endCursor }
    }
  }
"""
BILLS = "{ viewer { tenant { name bills(first: 1) { totalCount } } } }"
ACTIVE = {"status": {"eq": "ACTIVE"}}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with data_directory() as path, running("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.end()


def _client(server: Server, token: str, *, schema: bool = True) -> Client:
    transport = HTTPXAsyncTransport(f"{server.url}/graphql", headers={"Authorization": f"Bearer {token}"})
    return Client(transport=transport, fetch_schema_from_transport=schema)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def session(server: Server) -> AsyncIterator[AsyncClientSession]:
    """A session of the technician, who may read sites and no bills."""
    async with _client(server, server.tokens[1][1]) as opened:
        yield opened


async def _refused(session: AsyncClientSession, query: str, **variables: object) -> TransportQueryError:
    with pytest.raises(TransportQueryError) as refusal:
        await session.execute(GraphQLRequest(query, variable_values=variables))
    return refusal.value


def _codes(refusal: TransportQueryError) -> list[str]:
    return [error["extensions"]["code"] for error in refusal.errors or []]


async def test_pages_follow_each_other_to_the_end(session: AsyncClientSession) -> None:
    names, after = [], None
    while True:
        variables = {"first": 25, "after": after, "where": ACTIVE}
        sites = (await session.execute(GraphQLRequest(SITES, variable_values=variables)))["sites"]
        names += [site["name"] for site in sites["nodes"]]
        assert all(site["status"] == "ACTIVE" for site in sites["nodes"])
        if not sites["pageInfo"]["hasNextPage"]:
            break
        after = sites["pageInfo"]["endCursor"]
    assert len(names) == sites["totalCount"] > 2 * 25
    assert names == sorted(names)


async def test_a_refused_relation_comes_with_the_rest(session: AsyncClientSession) -> None:
    refusal = await _refused(session, BILLS)
    assert _codes(refusal) == ["FORBIDDEN"]
    assert refusal.data is not None
    tenant = refusal.data["viewer"]["tenant"]
    assert tenant["name"]
    assert tenant["bills"] is None


@pytest.mark.parametrize("variables", [{"first": 2, "after": "no cursor"}, {"first": "two"}])
async def test_bad_input_has_its_code(session: AsyncClientSession, variables: dict[str, object]) -> None:
    assert _codes(await _refused(session, SITES, **variables)) == ["BAD_USER_INPUT"]


async def test_a_bad_token_has_its_code(server: Server) -> None:
    async with _client(server, "nobody", schema=False) as session:
        assert _codes(await _refused(session, BILLS)) == ["UNAUTHENTICATED"]


async def test_the_fetched_schema_refuses_unknown_fields_before_sending(session: AsyncClientSession) -> None:
    with pytest.raises(GraphQLError, match="Cannot query field 'nmae' on type 'Site'"):
        await session.execute(GraphQLRequest("{ sites { nodes { nmae } } }"))


async def test_the_fullest_introspection_is_answered(session: AsyncClientSession) -> None:
    query = get_introspection_query(
        specified_by_url=True, schema_description=True, input_value_deprecation=True
    )
    answer = await session.execute(GraphQLRequest(query))
    assert {"Site", "SiteConnection", "SiteFilter"} <= {kind["name"] for kind in answer["__schema"]["types"]}
