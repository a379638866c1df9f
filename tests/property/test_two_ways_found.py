"""Documents on which the two strategies once differed, found by `test_two_ways` and kept."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.auth.viewer import ViewerKind
from demo import load_demo_viewers
from tests.graphql_harness import GraphqlHarness, Principal, open_graphql_harness
from tests.property.responses import find_difference

_LONG: Final = "a_name_that_is_longer_than_the_63_bytes_which_postgresql_keeps_of_an_identifier_"

_STATEMENT_ALIASES: Final = [f"{letter}{number}" for letter in "ajnoipqt" for number in range(1, 12)]
"""Names that the compiler gives to the parts of a statement; a response key may be the same."""


def _nest_in_keys(keys: Sequence[str], field: str) -> str:
    return " ".join(f"{key}: {field}" for key in keys)


FOUND_DOCUMENTS: Final[Mapping[str, tuple[str, Sequence[Mapping[str, Any]]]]] = {
    "a long key in a page's info, an edge, a connection": (
        "{ sites(first: 1) { %s1: totalCount pageInfo { %s2: endCursor } edges { %s3: cursor } } }".replace(
            "%s", _LONG
        ),
        [{}],
    ),
    "null for a condition, by grace of its default": (
        "query ($on: Boolean = true) { sites(first: 1) { nodes { tenant @include(if: $on) { id } } } }",
        [{"on": None}, {}, {"on": False}, {"on": True}],
    ),
    "a page of which no row is asked for, and a filter that cannot be": (
        '{ sites(where: {name: {eq: "\\u0000"}}) { pageInfo { __typename } } }',
        [{}],
    ),
    "an empty search shares no plan with another": (
        "query ($text: String) { sites(search: $text) { totalCount } }",
        [{"text": ""}, {"text": "no such site"}, {"text": ""}, {}],
    ),
    **{
        f"response keys that are names in the statement, too: {where}": (
            before + _nest_in_keys(_STATEMENT_ALIASES, field) + after,
            [{}],
        )
        for where, before, field, after in (
            ("a row", "{ sites(first: 2) { nodes { ", "name", " } } }"),
            ("an edge", "{ sites(first: 2) { edges { ", "cursor", " node { name } } } }"),
            ("a page's info", "{ sites(first: 2) { pageInfo { ", "hasNextPage", " } } }"),
            ("a connection", "{ sites(first: 2) { nodes { name } ", "__typename", " } }"),
            ("a relation", "{ agents(first: 2) { nodes { site { ", "name", " } } } }"),
            ("a viewer", "{ viewer { ", "kind", " user { name } } }"),
        )
    },
}


@pytest_asyncio.fixture(loop_scope="session")
async def graphql(demo_database_url: str) -> AsyncIterator[GraphqlHarness]:
    async with open_graphql_harness(demo_database_url) as made:
        yield made


async def _load_principals(dsn: str) -> list[Principal]:
    connection = await asyncpg.connect(dsn)
    try:
        users = [
            Principal(viewer.label, ViewerKind.USER, viewer.user_id)
            for viewer in await load_demo_viewers(connection)
        ]
    finally:
        await connection.close()
    return [*users, Principal("platform", ViewerKind.PLATFORM)]


@pytest.mark.parametrize("name", FOUND_DOCUMENTS)
async def test_strategies_on_found_documents_give_equal_responses(
    graphql: GraphqlHarness, demo_database_url: str, name: str
) -> None:
    text, requests = FOUND_DOCUMENTS[name]
    for who in await _load_principals(demo_database_url):
        for variables in requests:
            one, other = await graphql.execute_with_both_strategies(who, text, dict(variables))
            assert one.traceback is None
            assert other.traceback is None
            assert find_difference(one.body, other.body) is None


async def test_failed_root_field_keeps_the_others_and_leaves_no_loader(
    graphql: GraphqlHarness, demo_database_url: str
) -> None:
    """A field fails at once, when the loader of another is on its way."""
    administrator = (await _load_principals(demo_database_url))[0]
    query = """query ($way: Direction = ASC) {
      viewer { user { id } tenant { id } role { id } }
      sites(orderBy: [{field: ID, direction: $way}]) { nodes { id } }
    }"""
    for _ in range(5):
        answer = await graphql.execute_as_user(administrator.subject, query, way=None)
        assert answer.data["viewer"]["user"]["id"] == administrator.subject
        assert answer.data["sites"] is None
        assert answer.codes == ["BAD_USER_INPUT"]
