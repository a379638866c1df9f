"""Documents on which the two ways once differed, found by `test_two_ways` and kept."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.viewer import ViewerKind
from services.demo import demo_viewers
from tests.graph import Graph, Who, graph
from tests.property.responses import difference

_LONG: Final = "a_name_that_is_longer_than_the_63_bytes_which_postgresql_keeps_of_an_identifier_"

_OF_THE_STATEMENT: Final = [f"{letter}{number}" for letter in "ajnoipqt" for number in range(1, 12)]
"""Names that the compiler gives to the parts of a statement; a response key may be the same."""


def _under(keys: Sequence[str], field: str) -> str:
    return " ".join(f"{key}: {field}" for key in keys)


FOUND: Final[Mapping[str, tuple[str, Sequence[Mapping[str, Any]]]]] = {
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
            before + _under(_OF_THE_STATEMENT, field) + after,
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
async def demo(demo_database_url: str) -> AsyncIterator[Graph]:
    async with graph(demo_database_url) as made:
        yield made


async def _viewers(dsn: str) -> list[Who]:
    connection = await asyncpg.connect(dsn)
    try:
        users = [
            Who(viewer.label, ViewerKind.USER, viewer.user_id) for viewer in await demo_viewers(connection)
        ]
    finally:
        await connection.close()
    return [*users, Who("platform", ViewerKind.PLATFORM)]


@pytest.mark.parametrize("name", FOUND)
async def test_found(demo: Graph, demo_database_url: str, name: str) -> None:
    text, requests = FOUND[name]
    for who in await _viewers(demo_database_url):
        for variables in requests:
            one, other = await demo.both_ways(who, text, dict(variables))
            assert one.fault is None
            assert other.fault is None
            assert difference(one.body, other.body) is None


async def test_a_failed_operation_leaves_no_loader_on_the_connection(
    demo: Graph, demo_database_url: str
) -> None:
    """A field that must not be null fails at once, when the loader of another is on its way."""
    administrator = (await _viewers(demo_database_url))[0]
    query = """query ($way: Direction = ASC) {
      viewer { user { id } tenant { id } role { id } }
      sites(orderBy: [{field: ID, direction: $way}]) { nodes { id } }
    }"""
    for _ in range(5):
        answer = await demo.as_user(administrator.subject, query, way=None)
        assert answer.data is None
        assert answer.codes == ["BAD_USER_INPUT"]
