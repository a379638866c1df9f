"""Difficult values in every argument that takes a text, a number or JSON: refused or answered."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from core.limits import VARIABLES_DEPTH_MAX
from schema.table import Column, Kind, Scope, Table
from schema.tables import REFERENCES, TABLES
from tests.graphql_harness import GraphqlResponse
from tests.integration.client import Client

NUL, HALF = "a\x00b", "a\ud800b"
REFUSED: Final = ["BAD_USER_INPUT"]
TOO_DEEP: Final = {"BAD_USER_INPUT", "QUERY_TOO_COMPLEX"}
"""Too deep nesting is refused by the first check that finds it: a limit of the document, or the filter's own."""
TEXT_OPERATORS: Final = (
    "eq", "neq", "gt", "gte", "lt", "lte", "contains", "startsWith", "endsWith", "in", "notIn",
)  # fmt: skip
NO_NUMBERS: Final[tuple[Any, ...]] = (
    float("nan"), float("inf"), float("-inf"), 1.5, "1", True, [], {}, 2**53, -(2**53), 2**63, 2**64, 10**400, 1e300,
)  # fmt: skip


def nest_json(depth: int, inner: Any = 1) -> Any:
    value = inner
    for _ in range(depth):
        value = {"a": value}
    return value


async def execute_filter(graphql_client: Client, table: Table, where: Any) -> GraphqlResponse:
    query = (
        f"query($where: {table.type_name}Filter) {{ list: {table.many}(where: $where) {{ nodes {{ id }} }} }}"
    )
    if table.scope is Scope.PLATFORM:
        return await graphql_client.graphql.execute_as_platform(None, query, where=where)
    return await graphql_client.execute(query, where=where)


def iter_text_columns(table: Table) -> Iterator[Column]:
    return (c for c in table.columns.values() if c.options.filter and c.kind in (Kind.TEXT, Kind.ID))


def list_json_columns(table: Table) -> list[Column]:
    """The columns of JSON that filters compare."""
    return [c for c in table.columns.values() if c.options.filter and c.kind is Kind.JSON]


@pytest.mark.newest
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_filter_with_unstorable_text_is_refused(graphql_client: Client, table: Table) -> None:
    for column in iter_text_columns(table):
        for operator in TEXT_OPERATORS if column.kind is Kind.TEXT else ("eq", "neq", "in", "notIn"):
            for text in (NUL, HALF):
                given = ["fine", text] if operator in ("in", "notIn") else text
                answer = await execute_filter(graphql_client, table, {column.graphql_name: {operator: given}})
                assert (answer.data, answer.codes) == ({"list": None}, REFUSED), (column.name, operator)


@pytest.mark.newest
@pytest.mark.parametrize(
    "table", [table for table in TABLES if list_json_columns(table)], ids=lambda table: table.name
)
async def test_filter_with_unstorable_json_is_refused(graphql_client: Client, table: Table) -> None:
    bad = (
        NUL, HALF, {NUL: 1}, {HALF: 1}, [[NUL]], {"a": [{"b": HALF}]}, float("nan"), [float("inf")],
        nest_json(VARIABLES_DEPTH_MAX), nest_json(500), nest_json(3_000),
    )  # fmt: skip
    for column in list_json_columns(table):
        paths = [{"path": [text], "eq": 1} for text in (NUL, HALF)]
        operators: list[Any] = [{"contains": value} for value in bad]
        operators += [{"at": [{"path": ["a"], "eq": value}]} for value in bad] + [
            {"at": [place]} for place in paths
        ]
        for where in operators:
            answer = await execute_filter(graphql_client, table, {column.graphql_name: where})
            assert answer.data in (None, {"list": None}), (column.name, str(where)[:80])
            assert len(answer.codes) == 1, (column.name, str(where)[:80])
            assert answer.codes[0] in TOO_DEEP, (column.name, str(where)[:80], answer.traceback)
        fine: list[Any] = [
            "\\u0000",
            "\\\\u0000",
            nest_json(VARIABLES_DEPTH_MAX - 2),
            10**4_000,
            1e300,
            "",
            {"": ""},
            [],
            2**64,
        ]
        for value in fine:
            answer = await execute_filter(graphql_client, table, {column.graphql_name: {"contains": value}})
            assert not answer.errors, (column.name, str(value)[:80], answer.traceback)


@pytest.mark.newest
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_filter_with_number_out_of_range_is_refused(graphql_client: Client, table: Table) -> None:
    for column in (c for c in table.columns.values() if c.kind in (Kind.TIMESTAMP, Kind.INT)):
        for value in NO_NUMBERS:
            answer = await execute_filter(graphql_client, table, {column.graphql_name: {"lte": value}})
            assert answer.codes == REFUSED, (column.name, value)
        for value in (0, -0.0, 1.0, 2**31 - 1, -(2**31)):
            assert not (
                await execute_filter(graphql_client, table, {column.graphql_name: {"lte": value}})
            ).errors, value
    for column in (c for c in table.columns.values() if c.kind is Kind.DECIMAL):
        for text in (
            "NaN",
            "Infinity",
            "1e5",
            "",
            " 1",
            "1 ",
            "0x1",
            "\u0661",
            "1" * 41,
            "1." + "1" * 41,
            1,
            1.5,
            NUL,
        ):
            assert (
                await execute_filter(graphql_client, table, {column.graphql_name: {"eq": text}})
            ).codes == REFUSED, text
        for text in ("1" * 40 + "." + "1" * 40, "-0", "+1.10"):
            assert not (
                await execute_filter(graphql_client, table, {column.graphql_name: {"eq": text}})
            ).errors, text


async def test_filter_by_largest_timestamp_compares_exactly(graphql_client: Client) -> None:
    query = """query($at: Timestamp!) {
        dataSources(where: {credentialExpirationAt: {gt: $at}}) { nodes { credentialExpirationAt } } }"""
    found = (await graphql_client.fetch_data(query, at=2**53 - 2))["dataSources"]["nodes"]
    assert found
    assert {node["credentialExpirationAt"] for node in found} == {None}
    assert not (await graphql_client.fetch_data(query, at=2**53 - 1))["dataSources"]["nodes"]


@pytest.mark.newest
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_id_key_cursor_or_search_of_unstorable_text_is_refused(
    graphql_client: Client, table: Table
) -> None:
    queries = [f"query($t: ID!) {{ {table.one}(id: $t) {{ id }} }}"]
    queries += [f"query($t: String!) {{ {name}({key}: $t) {{ id }} }}" for name, key in table.also_by.items()]
    queries += [
        f"query($t: String) {{ {table.many}({end}: $t) {{ nodes {{ id }} }} }}" for end in ("after", "before")
    ]
    if table.searched:
        queries.append(f"query($t: String) {{ {table.many}(search: $t) {{ totalCount }} }}")
    for query in queries:
        for text in (NUL, HALF, "\x00", "\udfff"):
            if table.scope is Scope.PLATFORM:
                answer = await graphql_client.graphql.execute_as_platform(None, query, t=text)
            else:
                answer = await graphql_client.execute(query, t=text)
            assert answer.codes == REFUSED, (query, answer.traceback)


@pytest.mark.newest
async def test_shorthand_argument_of_unstorable_text_is_refused(graphql_client: Client) -> None:
    short = [(child, r) for child, r in REFERENCES if r.by]
    assert short
    for _, reference in short:
        for text in (NUL, HALF):
            query = f"""query($t: String) {{ entities(first: 1) {{ nodes {{
                id {reference.many}(relationshipType: $t) {{ nodes {{ id }} }} }} }} }}"""
            answer = await graphql_client.execute(query, t=text)
            assert answer.codes == REFUSED
            assert answer.data["entities"]["nodes"][0][str(reference.many)] is None


@pytest.mark.newest
async def test_document_with_unstorable_text_is_bad_user_input(graphql_client: Client) -> None:
    for document in (
        '{ site(id: "\x00") { id } }',
        '{ site(id: "\\u0000") { id } }',
        "{ \ud800 }",
        "\x00",
        "",
    ):
        assert set((await graphql_client.execute(document)).codes) == {"BAD_USER_INPUT"}, document
    for document in ('{ site(id: "\ud800") { id } }', '{ site(id: "\\ud800") { id } }'):
        assert set((await graphql_client.execute(document)).codes) == {"BAD_USER_INPUT"}, document


@pytest.mark.newest
@pytest.mark.parametrize("depth", [9, 50, 150, 500, 2_000])
async def test_filter_nested_too_deep_is_refused(graphql_client: Client, depth: int) -> None:
    where: dict[str, Any] = {"name": {"eq": "x"}}
    for _ in range(depth):
        where = {"not": where}
    query = "query($where: SiteFilter) { sites(where: $where) { totalCount } }"
    answer = await graphql_client.execute(query, where=where)
    assert len(answer.codes) == 1, answer.traceback
    assert answer.codes[0] in TOO_DEEP, answer.traceback
    assert answer.data in (None, {"sites": None})
    literal = "{not: " * depth + '{name: {eq: "x"}}' + "}" * depth
    answer = await graphql_client.execute(f"{{ sites(where: {literal}) {{ totalCount }} }}")
    assert len(answer.codes) == 1, answer.traceback
    assert answer.codes[0] in TOO_DEEP, answer.traceback
    assert answer.data in (None, {"sites": None})


@pytest.mark.newest
@pytest.mark.parametrize(
    "where",
    [
        {"or": [{"name": {"eq": "x"}}] * 3_000},
        {"and": [{"name": {"isNull": False}}] * 2_000},
        {"or": [{}] * 2_000},
        {"or": [{"tenant": {"name": {"eq": "x"}}}] * 600},
        {"metadata": {"at": [{"path": ["a"], "eq": 1}] * 2_000}},
        {"name": {"in": ["x"] * 1_001}},
        {"name": {"notIn": ["x"] * 1_001}},
    ],
    ids=["or", "and", "empty", "relations", "places", "in", "notIn"],
)
async def test_filter_with_too_many_conditions_is_refused(
    graphql_client: Client, where: dict[str, Any]
) -> None:
    query = "query($where: SiteFilter) { sites(where: $where) { totalCount } }"
    answer = await graphql_client.execute(query, where=where)
    assert answer.codes == REFUSED, answer.traceback
    assert "at most 1000" in answer.errors[0]["message"]


async def test_filter_with_many_conditions_succeeds(graphql_client: Client) -> None:
    query = "query($where: SiteFilter) { sites(where: $where) { totalCount } }"
    names = [f"name {number}" for number in range(400)]
    await graphql_client.fetch_data(
        query, where={"or": [{"name": {"eq": name}} for name in names], "slug": {"in": names * 2}}
    )


@pytest.mark.newest
@pytest.mark.parametrize(
    "document",
    [
        'query($d: ID = "x") { site(id: $d) { id } }',
        "query($d: Direction = ASC) { sites(orderBy: [{field: NAME, direction: $d}]) { totalCount } }",
        "query($d: Nulls = LAST) { sites { nodes { agents(orderBy: [{field: ID, nulls: $d}]) { totalCount } } } }",
    ],
    ids=["id", "direction", "nulls"],
)
async def test_null_variable_for_non_null_position_is_refused(graphql_client: Client, document: str) -> None:
    assert not (await graphql_client.execute(document)).errors
    answer = await graphql_client.execute(document, d=None)
    assert set(answer.codes) == {"BAD_USER_INPUT"}, answer.traceback


@pytest.mark.newest
async def test_invalid_order_by_is_refused(graphql_client: Client) -> None:
    query = "query($by: [SiteOrder!]) { sites(orderBy: $by) { totalCount } }"
    fields = [
        "ID",
        "NAME",
        "SLUG",
        "STATUS",
        "CREATED_AT",
        "UPDATED_AT",
        "DELETED_AT",
        "TENANT_ID",
        "PSA_COMPANY_ID",
    ]
    nine = [{"field": field} for field in fields]
    bad: list[list[dict[str, str]]] = [
        nine,
        [{"field": "NAME"}, {"field": "NAME", "direction": "DESC"}],
        [{"field": "METADATA"}],
        [{}],
    ]
    for by in bad:
        assert (await graphql_client.execute(query, by=by)).codes == REFUSED, by
    await graphql_client.fetch_data(query, by=nine[:8])
