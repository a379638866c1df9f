"""Lists against an oracle in plain Python: any filter, order, search and page of any table, at the root and below.

Deterministic: each case is drawn from its own seed, which a failure names. LISTS_CASES says how many cases each
table gets (15 unless given), LISTS_SEED begins another series.
"""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.clock import now_ms
from resolvers.ways import Way
from schema.table import Kind, Reference, Scope, Table
from schema.tables import BY_NAME, LISTED, REFERENCES
from services.demo import demo_viewers
from tests.graph import Answer, Graph, graph
from tests.property.asks import Asker, plain
from tests.property.awkward import make_awkward
from tests.property.oracle import Row, World

CASES: Final = int(os.environ.get("LISTS_CASES", "15"))
SEED: Final = os.environ.get("LISTS_SEED", "lists")
MANY: Final = [
    (child, r) for child, r in REFERENCES if r.many and BY_NAME[r.table].scope is not Scope.PLATFORM
]
_PAGES: Final = 6
"""About as many pages as a list is walked in; each is a request."""


@dataclass(frozen=True)
class Lists:
    """A graph over awkward data, and what it must answer."""

    graph: Graph
    world: World
    user_id: str

    async def ask(self, table: Table, query: str, **variables: Any) -> Answer:
        """Ask as whoever may read the table; errors fail the test."""
        if table.scope is Scope.PLATFORM:
            answer = await self.graph.as_platform(None, query, **variables)
        else:
            answer = await self.graph.as_user(self.user_id, query, **variables)
        assert not answer.errors, (answer.errors, variables)
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lists(demo_database: str) -> AsyncIterator[Lists]:
    stopped = (
        f"{demo_database}&app.clock_ms={now_ms()}"  # who is online does not change while lists are compared
    )
    connection = await asyncpg.connect(stopped)
    try:
        user_id = (await demo_viewers(connection))[0].user_id
        tenant_id = await connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", user_id)
        await make_awkward(connection, tenant_id)
        world = await World.read(connection, tenant_id)
    finally:
        await connection.close()
    async with graph(stopped) as made:
        yield Lists(made, world, user_id)


def cases(lists: Lists, count: int, *names: str) -> Iterator[tuple[str, Random]]:
    """The seeds of a test's cases, each with its random; asked in one way and the other by turns."""
    for number in range(count):
        lists.graph.way = (Way.AUTO, Way.LOADERS)[number % 2]
        seed = "/".join((SEED, *names, str(number)))
        yield seed, Random(seed)  # noqa: S311 - drawn again by its seed


def declared(table: Table) -> str:
    """The variables of a list of the table, and its arguments."""
    types = {
        "where": f"{table.type_name}Filter", "orderBy": f"[{table.type_name}Order!]", "first": "Int", "last": "Int",
        "after": "String", "before": "String", "offset": "Int",
        **({"search": "String"} if table.searched else {}),
        **({"includeDeleted": "Boolean"} if table.soft_deletes else {}),
    }  # fmt: skip
    variables = ", ".join(f"${name}: {type_}" for name, type_ in types.items())
    arguments = ", ".join(f"{name}: ${name}" for name in types)
    return f"({variables})|({arguments})"


def list_query(table: Table, fields: str) -> str:
    variables, arguments = declared(table).split("|")
    return f"query{variables} {{ list: {table.many}{arguments} {{ {fields} }} }}"


PAGE: Final = (
    "totalCount nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
)


def ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize("table", LISTED, ids=lambda table: table.name)
async def test_a_list_is_what_the_oracle_says_page_by_page(lists: Lists, table: Table) -> None:
    for seed, random in cases(lists, CASES, table.name):
        arguments = Asker(lists.world, table, random).arguments()
        expected = ids(lists.world.listed(table, arguments))
        size = min(1000, random.randint(1, 3) + len(expected) // _PAGES)
        case = f"{seed}: {size} a page of {arguments}"
        cursors = await walk_forward(lists, table, arguments, expected, size, case)
        await walk_backward(lists, table, arguments, expected, size, case)
        await check_windows(lists, table, arguments, expected, cursors, random, case)


async def walk_forward(
    lists: Lists, table: Table, arguments: dict[str, Any], expected: list[str], size: int, case: str
) -> list[str]:
    after, cursors, query = None, [], list_query(table, PAGE)
    for begin in range(0, max(len(expected), 1), size):
        page = (await lists.ask(table, query, **arguments, first=size, after=after)).data["list"]
        assert ids(page["nodes"]) == expected[begin : begin + size], case
        assert page["totalCount"] == len(expected), case
        assert page["pageInfo"]["hasNextPage"] is (begin + size < len(expected)), case
        assert page["pageInfo"]["hasPreviousPage"] is (begin > 0), case
        cursors += [edge["cursor"] for edge in page["edges"]]
        assert page["pageInfo"]["endCursor"] == (cursors[-1] if expected else None), case
        after = page["pageInfo"]["endCursor"]
    return cursors


async def walk_backward(
    lists: Lists, table: Table, arguments: dict[str, Any], expected: list[str], size: int, case: str
) -> None:
    before, query = None, list_query(table, PAGE)
    for end in range(len(expected), 0, -size):
        page = (await lists.ask(table, query, **arguments, last=size, before=before)).data["list"]
        assert ids(page["nodes"]) == expected[max(end - size, 0) : end], case
        assert page["totalCount"] == len(expected), case
        assert page["pageInfo"]["hasPreviousPage"] is (end > size), case
        assert page["pageInfo"]["hasNextPage"] is (end < len(expected)), case
        before = page["pageInfo"]["startCursor"]


async def check_windows(
    lists: Lists, table: Table, arguments: dict[str, Any], expected: list[str], cursors: list[str],
    random: Random, case: str,
) -> None:  # fmt: skip
    """Offsets, and pages between two cursors, from either end."""
    query = list_query(table, "nodes { id } pageInfo { hasNextPage hasPreviousPage }")
    offset, first = random.randint(0, len(expected) + 2), random.randint(0, 5)
    page = (await lists.ask(table, query, **arguments, offset=offset, first=first)).data["list"]
    assert ids(page["nodes"]) == expected[offset : offset + first], case
    assert page["pageInfo"] == {
        "hasNextPage": offset + first < len(expected),
        "hasPreviousPage": offset > 0,
    }, case
    if not expected:
        return
    low, high = sorted((random.randrange(len(expected)), random.randrange(len(expected))))
    between, count = expected[low + 1 : high], random.randint(0, 3)
    for end in ("first", "last"):
        window = {"after": cursors[low], "before": cursors[high], end: count}
        page = (await lists.ask(table, query, **arguments, **window)).data["list"]
        left = between[:count] if end == "first" else between[max(len(between) - count, 0) :]
        assert ids(page["nodes"]) == left, (case, window)
        assert page["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": True}, (case, window)


@pytest.mark.parametrize("table", LISTED, ids=lambda table: table.name)
async def test_every_value_is_given_as_it_is(lists: Lists, table: Table) -> None:
    columns = [
        column for column in table.columns.values() if column.name != "config"
    ]  # shown without secrets
    fields = "nodes { " + " ".join(column.graphql_name for column in columns) + " }"
    deleted = {"includeDeleted": True} if table.soft_deletes else {}
    answer = await lists.ask(table, list_query(table, fields), first=1000, **deleted)
    expected = lists.world.listed(table, deleted)[:1000]
    assert answer.data["list"]["nodes"] == [
        {c.graphql_name: shown(c.kind, row[c.name]) for c in columns} for row in expected
    ]


def shown(kind: Kind, value: Any) -> Any:
    """A value as the answer shows it."""
    if value is None:
        return None
    match kind:
        case Kind.ENUM:
            return value.upper()
        case Kind.DECIMAL:
            return format(value, "f")
        case Kind.JSON:
            return plain(value)
    return value


@pytest.mark.parametrize(
    ("child", "reference"), MANY, ids=lambda part: getattr(part, "many", None) or part.name
)
async def test_a_list_below_many_parents_is_what_the_oracle_says(
    lists: Lists, child: Table, reference: Reference
) -> None:
    parent = BY_NAME[reference.table]
    variables, arguments = declared(child).split("|")
    query = f"""query{variables} {{
        parents: {parent.many}(first: 200) {{ nodes {{ id list: {reference.many}{arguments} {{ {PAGE} }} }} }}
    }}"""
    for seed, random in cases(lists, CASES // 3 + 1, child.name, reference.column):
        chosen = Asker(lists.world, child, random).arguments()
        size = random.randint(1, 5)
        answer = await lists.ask(child, query, **chosen, first=size)
        parents = answer.data["parents"]["nodes"]
        assert ids(parents) == ids(lists.world.listed(parent, {}))[:200]
        rows = lists.world.listed(child, chosen)
        for found in parents:
            mine = [row for row in rows if row[reference.column] == found["id"]]
            check_first_page(found["list"], mine, size, f"{seed} of {found['id']}: {size} of {chosen}")
        await check_second_page(lists, child, reference, chosen, parents, rows)


def check_first_page(page: Any, expected: list[Row], size: int, case: str) -> None:
    assert ids(page["nodes"]) == ids(expected[:size]), case
    assert page["totalCount"] == len(expected), case
    assert page["pageInfo"]["hasNextPage"] is (len(expected) > size), case
    assert page["pageInfo"]["hasPreviousPage"] is False, case


async def check_second_page(
    lists: Lists, child: Table, reference: Reference, chosen: dict[str, Any], parents: Any, rows: list[Row]
) -> None:
    """A parent's cursor leads on in that parent's list, by whatever way one comes to it."""
    found = next((p for p in parents if p["list"]["pageInfo"]["hasNextPage"]), None)
    if found is None:
        return
    variables, arguments = declared(child).split("|")
    field = BY_NAME[reference.table].one
    query = f"""query($id: ID!, {variables[1:]} {{
        parent: {field}(id: $id) {{ list: {reference.many}{arguments} {{ {PAGE} }} }}
    }}"""
    size, after = len(found["list"]["nodes"]), found["list"]["pageInfo"]["endCursor"]
    answer = await lists.ask(child, query, **chosen, id=found["id"], first=size, after=after)
    mine = [row for row in rows if row[reference.column] == found["id"]]
    assert ids(answer.data["parent"]["list"]["nodes"]) == ids(mine[size : 2 * size])
    assert answer.data["parent"]["list"]["totalCount"] == len(mine)
