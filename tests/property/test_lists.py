"""Lists against an oracle in plain Python: any filter, order, search and page of any table, at the root and below.

Deterministic: each case is drawn from its own seed, which a failure prints. LISTS_CASES is the number of
cases for each table (15 by default), and LISTS_SEED starts another series.
"""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.clock import NEVER, now_ms
from demo import load_demo_viewers
from resolvers.execution_strategy import ExecutionStrategy
from schema.table import Column, Kind, Reference, Scope, Table
from schema.tables import BY_NAME, LISTED, REFERENCES
from tests.graphql_harness import GraphqlHarness, GraphqlResponse, open_graphql_harness
from tests.property.awkward_rows import make_rows_awkward
from tests.property.list_arguments import ListArgumentGenerator, to_json_value
from tests.property.list_oracle import ListOracle, Row

CASES: Final = int(os.environ.get("LISTS_CASES", "15"))
SEED: Final = os.environ.get("LISTS_SEED", "lists")
MANY: Final = [
    (child, r) for child, r in REFERENCES if r.many and BY_NAME[r.table].scope is not Scope.PLATFORM
]
_PAGES: Final = 6
"""The approximate number of pages in which a list is read. Each is a request."""


@dataclass(frozen=True)
class ListSetup:
    """A graph over difficult data, and the expected responses."""

    graph: GraphqlHarness
    oracle: ListOracle
    user_id: str

    async def execute(self, table: Table, query: str, **variables: Any) -> GraphqlResponse:
        """Send a request as a viewer who may read the table. Errors fail the test."""
        if table.scope is Scope.PLATFORM:
            answer = await self.graph.execute_as_platform(None, query, **variables)
        else:
            answer = await self.graph.execute_as_user(self.user_id, query, **variables)
        assert not answer.errors, (answer.errors, variables)
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def list_setup(writable_demo_database_url: str) -> AsyncIterator[ListSetup]:
    # With a stopped clock, online states stay the same during the comparison.
    stopped = f"{writable_demo_database_url}&app.clock_ms={now_ms()}"
    connection = await asyncpg.connect(stopped)
    try:
        user_id = (await load_demo_viewers(connection))[0].user_id
        tenant_id = await connection.fetchval("SELECT tenant_id FROM users WHERE id = $1", user_id)
        await make_rows_awkward(connection, tenant_id)
        world = await ListOracle.read(connection, tenant_id)
    finally:
        await connection.close()
    async with open_graphql_harness(stopped) as made:
        yield ListSetup(made, world, user_id)


def iter_cases(lists: ListSetup, count: int, *names: str) -> Iterator[tuple[str, Random]]:
    """The seeds of a test's cases, each with its random. The strategies alternate."""
    for number in range(count):
        lists.graph.strategy = (ExecutionStrategy.AUTO, ExecutionStrategy.LOADERS)[number % 2]
        seed = "/".join((SEED, *names, str(number)))
        yield seed, Random(seed)  # noqa: S311 - drawn again by its seed


def declare_variables(table: Table) -> str:
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


def build_list_query(table: Table, fields: str) -> str:
    variables, arguments = declare_variables(table).split("|")
    return f"query{variables} {{ list: {table.many}{arguments} {{ {fields} }} }}"


PAGE: Final = (
    "totalCount nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
)


def row_ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]


@pytest.mark.parametrize("table", LISTED, ids=lambda table: table.name)
async def test_list_of_random_arguments_equals_oracle_page_by_page(
    list_setup: ListSetup, table: Table
) -> None:
    for seed, random in iter_cases(list_setup, CASES, table.name):
        arguments = ListArgumentGenerator(list_setup.oracle, table, random).make_arguments()
        expected = row_ids(list_setup.oracle.list_rows(table, arguments))
        size = min(1000, random.randint(1, 3) + len(expected) // _PAGES)
        case = f"{seed}: {size} a page of {arguments}"
        cursors = await walk_forward(list_setup, table, arguments, expected, size, case)
        await walk_backward(list_setup, table, arguments, expected, size, case)
        await check_windows(list_setup, table, arguments, expected, cursors, random, case)


async def walk_forward(
    lists: ListSetup, table: Table, arguments: dict[str, Any], expected: list[str], size: int, case: str
) -> list[str]:
    after, cursors, query = None, [], build_list_query(table, PAGE)
    for begin in range(0, max(len(expected), 1), size):
        page = (await lists.execute(table, query, **arguments, first=size, after=after)).data["list"]
        assert row_ids(page["nodes"]) == expected[begin : begin + size], case
        assert page["totalCount"] == len(expected), case
        assert page["pageInfo"]["hasNextPage"] is (begin + size < len(expected)), case
        assert page["pageInfo"]["hasPreviousPage"] is (begin > 0), case
        cursors += [edge["cursor"] for edge in page["edges"]]
        assert page["pageInfo"]["endCursor"] == (cursors[-1] if expected else None), case
        after = page["pageInfo"]["endCursor"]
    return cursors


async def walk_backward(
    lists: ListSetup, table: Table, arguments: dict[str, Any], expected: list[str], size: int, case: str
) -> None:
    before, query = None, build_list_query(table, PAGE)
    for end in range(len(expected), 0, -size):
        page = (await lists.execute(table, query, **arguments, last=size, before=before)).data["list"]
        assert row_ids(page["nodes"]) == expected[max(end - size, 0) : end], case
        assert page["totalCount"] == len(expected), case
        assert page["pageInfo"]["hasPreviousPage"] is (end > size), case
        assert page["pageInfo"]["hasNextPage"] is (end < len(expected)), case
        before = page["pageInfo"]["startCursor"]


async def check_windows(
    lists: ListSetup, table: Table, arguments: dict[str, Any], expected: list[str], cursors: list[str],
    random: Random, case: str,
) -> None:  # fmt: skip
    """Offsets, and pages between two cursors, from either end."""
    query = build_list_query(table, "nodes { id } pageInfo { hasNextPage hasPreviousPage }")
    offset, first = random.randint(0, len(expected) + 2), random.randint(0, 5)
    page = (await lists.execute(table, query, **arguments, offset=offset, first=first)).data["list"]
    assert row_ids(page["nodes"]) == expected[offset : offset + first], case
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
        page = (await lists.execute(table, query, **arguments, **window)).data["list"]
        left = between[:count] if end == "first" else between[max(len(between) - count, 0) :]
        assert row_ids(page["nodes"]) == left, (case, window)
        assert page["pageInfo"] == {"hasNextPage": True, "hasPreviousPage": True}, (case, window)


@pytest.mark.parametrize("table", LISTED, ids=lambda table: table.name)
async def test_column_values_of_awkward_rows_are_returned_exactly(
    list_setup: ListSetup, table: Table
) -> None:
    columns = [
        column for column in table.columns.values() if column.name != "config"
    ]  # shown without secrets
    fields = "nodes { " + " ".join(column.graphql_name for column in columns) + " }"
    deleted = {"includeDeleted": True} if table.soft_deletes else {}
    answer = await list_setup.execute(table, build_list_query(table, fields), first=1000, **deleted)
    expected = list_setup.oracle.list_rows(table, deleted)[:1000]
    assert answer.data["list"]["nodes"] == [
        {c.graphql_name: expect_value(c, row[c.name]) for c in columns} for row in expected
    ]


def expect_value(column: Column, value: Any) -> Any:
    """A value as the response shows it."""
    if value is None or (column.never and value == NEVER):
        return None
    match column.kind:
        case Kind.ENUM:
            return value.upper()
        case Kind.DECIMAL:
            return format(value, "f")
        case Kind.JSON:
            return to_json_value(value)
    return value


@pytest.mark.parametrize(
    ("child", "reference"), MANY, ids=lambda part: getattr(part, "many", None) or part.name
)
async def test_list_below_many_parents_equals_oracle(
    list_setup: ListSetup, child: Table, reference: Reference
) -> None:
    parent = BY_NAME[reference.table]
    variables, arguments = declare_variables(child).split("|")
    query = f"""query{variables} {{
        parents: {parent.many}(first: 200) {{ nodes {{ id list: {reference.many}{arguments} {{ {PAGE} }} }} }}
    }}"""
    for seed, random in iter_cases(list_setup, CASES // 3 + 1, child.name, reference.column):
        chosen = ListArgumentGenerator(list_setup.oracle, child, random).make_arguments()
        size = random.randint(1, 5)
        answer = await list_setup.execute(child, query, **chosen, first=size)
        parents = answer.data["parents"]["nodes"]
        assert row_ids(parents) == row_ids(list_setup.oracle.list_rows(parent, {}))[:200]
        rows = list_setup.oracle.list_rows(child, chosen)
        for found in parents:
            mine = [row for row in rows if row[reference.column] == found["id"]]
            check_first_page(found["list"], mine, size, f"{seed} of {found['id']}: {size} of {chosen}")
        await check_second_page(list_setup, child, reference, chosen, parents, rows)


def check_first_page(page: Any, expected: list[Row], size: int, case: str) -> None:
    assert row_ids(page["nodes"]) == row_ids(expected[:size]), case
    assert page["totalCount"] == len(expected), case
    assert page["pageInfo"]["hasNextPage"] is (len(expected) > size), case
    assert page["pageInfo"]["hasPreviousPage"] is False, case


async def check_second_page(
    lists: ListSetup,
    child: Table,
    reference: Reference,
    chosen: dict[str, Any],
    parents: Any,
    rows: list[Row],
) -> None:
    """A parent's cursor continues that parent's list, however the query reaches the parent."""
    found = next((p for p in parents if p["list"]["pageInfo"]["hasNextPage"]), None)
    if found is None:
        return
    variables, arguments = declare_variables(child).split("|")
    field = BY_NAME[reference.table].one
    query = f"""query($id: ID!, {variables[1:]} {{
        parent: {field}(id: $id) {{ list: {reference.many}{arguments} {{ {PAGE} }} }}
    }}"""
    size, after = len(found["list"]["nodes"]), found["list"]["pageInfo"]["endCursor"]
    answer = await lists.execute(child, query, **chosen, id=found["id"], first=size, after=after)
    mine = [row for row in rows if row[reference.column] == found["id"]]
    assert row_ids(answer.data["parent"]["list"]["nodes"]) == row_ids(mine[size : 2 * size])
    assert answer.data["parent"]["list"]["totalCount"] == len(mine)
