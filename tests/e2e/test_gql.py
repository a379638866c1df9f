"""Python's gql against the running server: it fetches the schema and validates each document before sending."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from graphql import GraphQLError, get_introspection_query

from tests.e2e.servers import Server
from tests.waiting import HANG_S

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


def _build_client(embedded_server: Server, token: str, *, schema: bool = True) -> Client:
    transport = HTTPXAsyncTransport(
        f"{embedded_server.url}/graphql", headers={"Authorization": f"Bearer {token}"}, timeout=HANG_S
    )
    return Client(transport=transport, fetch_schema_from_transport=schema)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def graphql_session(embedded_server: Server) -> AsyncIterator[AsyncClientSession]:
    """A session of the technician, who may read sites but not bills."""
    async with _build_client(embedded_server, embedded_server.tokens[1][1]) as opened:
        yield opened


async def _execute_refused(
    session: AsyncClientSession, query: str, **variables: object
) -> TransportQueryError:
    with pytest.raises(TransportQueryError) as refusal:
        await session.execute(GraphQLRequest(query, variable_values=variables))
    return refusal.value


def _error_codes(refusal: TransportQueryError) -> list[str]:
    return [error["extensions"]["code"] for error in refusal.errors or []]


async def test_gql_pages_reach_the_end_of_the_list(graphql_session: AsyncClientSession) -> None:
    names, after = [], None
    while True:
        variables = {"first": 25, "after": after, "where": ACTIVE}
        sites = (await graphql_session.execute(GraphQLRequest(SITES, variable_values=variables)))["sites"]
        names += [site["name"] for site in sites["nodes"]]
        assert all(site["status"] == "ACTIVE" for site in sites["nodes"])
        if not sites["pageInfo"]["hasNextPage"]:
            break
        after = sites["pageInfo"]["endCursor"]
    assert len(names) == sites["totalCount"] > 2 * 25
    assert names == sorted(names)


async def test_gql_forbidden_relation_is_null_with_an_error(graphql_session: AsyncClientSession) -> None:
    refusal = await _execute_refused(graphql_session, BILLS)
    assert _error_codes(refusal) == ["FORBIDDEN"]
    assert refusal.data is not None
    tenant = refusal.data["viewer"]["tenant"]
    assert tenant["name"]
    assert tenant["bills"] is None


@pytest.mark.parametrize("variables", [{"first": 2, "after": "no cursor"}, {"first": "two"}])
async def test_gql_bad_input_is_bad_user_input(
    graphql_session: AsyncClientSession, variables: dict[str, object]
) -> None:
    assert _error_codes(await _execute_refused(graphql_session, SITES, **variables)) == ["BAD_USER_INPUT"]


async def test_gql_bad_token_is_unauthenticated(embedded_server: Server) -> None:
    async with _build_client(embedded_server, "nobody", schema=False) as session:
        assert _error_codes(await _execute_refused(session, BILLS)) == ["UNAUTHENTICATED"]


async def test_gql_unknown_field_is_refused_by_the_fetched_schema(
    graphql_session: AsyncClientSession,
) -> None:
    with pytest.raises(GraphQLError, match="Cannot query field 'nmae' on type 'Site'"):
        await graphql_session.execute(GraphQLRequest("{ sites { nodes { nmae } } }"))


async def test_gql_full_introspection_is_answered(graphql_session: AsyncClientSession) -> None:
    query = get_introspection_query(
        specified_by_url=True, schema_description=True, input_value_deprecation=True
    )
    answer = await graphql_session.execute(GraphQLRequest(query))
    assert {"Site", "SiteConnection", "SiteFilter"} <= {kind["name"] for kind in answer["__schema"]["types"]}
