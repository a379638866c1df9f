"""Values that break things, in every argument that takes a text, a number or JSON: refused or answered."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
import pytest_asyncio

from core.limits import VARIABLES_DEPTH_MAX
from resolvers.ways import Way
from schema.table import Column, Kind, Scope, Table
from schema.tables import REFERENCES, TABLES
from tests.graph import Answer
from tests.integration.asking import Asking, asking

NUL, HALF = "a\x00b", "a\ud800b"
REFUSED: Final = ["BAD_USER_INPUT"]
TOO_DEEP: Final = {"BAD_USER_INPUT", "QUERY_TOO_COMPLEX"}
"""What nests too deep is refused by whichever looks at it first: a limit of the document's, or the filter's own."""
TEXT_OPERATORS: Final = (
    "eq", "neq", "gt", "gte", "lt", "lte", "contains", "startsWith", "endsWith", "in", "notIn",
)  # fmt: skip
NO_NUMBERS: Final[tuple[Any, ...]] = (
    float("nan"), float("inf"), float("-inf"), 1.5, "1", True, [], {}, 2**53, -(2**53), 2**63, 2**64, 10**400, 1e300,
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(demo_database: str) -> AsyncIterator[Asking]:
    async with asking(demo_database) as made:
        yield made


@pytest.fixture(params=[Way.AUTO, Way.LOADERS], ids=str)
def asks(demo: Asking, request: pytest.FixtureRequest) -> Asking:
    return demo.by(request.param)


def nested(depth: int, inner: Any = 1) -> Any:
    value = inner
    for _ in range(depth):
        value = {"a": value}
    return value


async def filtered(asks: Asking, table: Table, where: Any) -> Answer:
    query = (
        f"query($where: {table.type_name}Filter) {{ list: {table.many}(where: $where) {{ nodes {{ id }} }} }}"
    )
    if table.scope is Scope.PLATFORM:
        return await asks.graph.as_platform(None, query, where=where)
    return await asks.ask(query, where=where)


def textual(table: Table) -> Iterator[Column]:
    return (c for c in table.columns.values() if c.options.filter and c.kind in (Kind.TEXT, Kind.ID))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_texts_that_postgresql_cannot_hold_are_refused_in_every_filter(
    asks: Asking, table: Table
) -> None:
    for column in textual(table):
        for operator in TEXT_OPERATORS if column.kind is Kind.TEXT else ("eq", "neq", "in", "notIn"):
            for text in (NUL, HALF):
                given = ["fine", text] if operator in ("in", "notIn") else text
                answer = await filtered(asks, table, {column.graphql_name: {operator: given}})
                assert (answer.data, answer.codes) == (None, REFUSED), (column.name, operator)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_json_that_postgresql_cannot_hold_is_refused_in_every_filter(
    asks: Asking, table: Table
) -> None:
    bad = (
        NUL, HALF, {NUL: 1}, {HALF: 1}, [[NUL]], {"a": [{"b": HALF}]}, float("nan"), [float("inf")],
        nested(VARIABLES_DEPTH_MAX), nested(500), nested(3_000),
    )  # fmt: skip
    for column in (c for c in table.columns.values() if c.options.filter and c.kind is Kind.JSON):
        places = [{"path": [text], "eq": 1} for text in (NUL, HALF)]
        operators: list[Any] = [{"contains": value} for value in bad]
        operators += [{"at": [{"path": ["a"], "eq": value}]} for value in bad] + [
            {"at": [place]} for place in places
        ]
        for where in operators:
            answer = await filtered(asks, table, {column.graphql_name: where})
            assert (answer.data, len(answer.codes)) == (None, 1), (column.name, str(where)[:80])
            assert answer.codes[0] in TOO_DEEP, (column.name, str(where)[:80], answer.fault)
        fine: list[Any] = [
            "\\u0000",
            "\\\\u0000",
            nested(VARIABLES_DEPTH_MAX - 2),
            10**4_000,
            1e300,
            "",
            {"": ""},
            [],
            None,
            2**64,
        ]
        for value in fine:
            answer = await filtered(asks, table, {column.graphql_name: {"contains": value}})
            assert not answer.errors, (column.name, str(value)[:80], answer.fault)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_numbers_that_do_not_fit_are_refused_in_every_filter(asks: Asking, table: Table) -> None:
    for column in (c for c in table.columns.values() if c.kind in (Kind.TIMESTAMP, Kind.INT)):
        for value in NO_NUMBERS:
            answer = await filtered(asks, table, {column.graphql_name: {"lte": value}})
            assert answer.codes == REFUSED, (column.name, value)
        for value in (0, -0.0, 1.0, 2**31 - 1, -(2**31)):
            assert not (await filtered(asks, table, {column.graphql_name: {"lte": value}})).errors, value
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
            assert (await filtered(asks, table, {column.graphql_name: {"eq": text}})).codes == REFUSED, text
        for text in ("1" * 40 + "." + "1" * 40, "-0", "+1.10"):
            assert not (await filtered(asks, table, {column.graphql_name: {"eq": text}})).errors, text


async def test_the_largest_time_is_compared_exactly(asks: Asking) -> None:
    query = """query($at: Timestamp!) {
        dataSources(where: {credentialExpirationAt: {gt: $at}}) { nodes { credentialExpirationAt } } }"""
    found = (await asks.data(query, at=2**53 - 2))["dataSources"]["nodes"]
    assert found
    assert {node["credentialExpirationAt"] for node in found} == {2**53 - 1}
    assert not (await asks.data(query, at=2**53 - 1))["dataSources"]["nodes"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_texts_that_postgresql_cannot_hold_are_refused_outside_of_filters(
    asks: Asking, table: Table
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
                answer = await asks.graph.as_platform(None, query, t=text)
            else:
                answer = await asks.ask(query, t=text)
            assert answer.codes == REFUSED, (query, answer.fault)


async def test_texts_that_postgresql_cannot_hold_are_refused_in_short_forms(asks: Asking) -> None:
    short = [(child, r) for child, r in REFERENCES if r.by]
    assert short
    for _, reference in short:
        for text in (NUL, HALF):
            query = f"""query($t: String) {{ entities(first: 1) {{ nodes {{
                id {reference.many}(relationshipType: $t) {{ nodes {{ id }} }} }} }} }}"""
            answer = await asks.ask(query, t=text)
            assert answer.codes == REFUSED
            assert answer.data["entities"]["nodes"][0][str(reference.many)] is None


async def test_a_document_with_such_texts_is_refused_or_answered(asks: Asking) -> None:
    for document in (
        '{ site(id: "\x00") { id } }',
        '{ site(id: "\\u0000") { id } }',
        "{ \ud800 }",
        "\x00",
        "",
    ):
        assert set((await asks.ask(document)).codes) == {"BAD_USER_INPUT"}, document
    for document in ('{ site(id: "\ud800") { id } }', '{ site(id: "\\ud800") { id } }'):
        assert set((await asks.ask(document)).codes) == {"BAD_USER_INPUT"}, document


@pytest.mark.parametrize("depth", [9, 50, 150, 500, 2_000])
async def test_a_filter_nests_only_so_deep(asks: Asking, depth: int) -> None:
    where: dict[str, Any] = {"name": {"eq": "x"}}
    for _ in range(depth):
        where = {"not": where}
    query = "query($where: SiteFilter) { sites(where: $where) { totalCount } }"
    answer = await asks.ask(query, where=where)
    assert len(answer.codes) == 1, answer.fault
    assert answer.codes[0] in TOO_DEEP, answer.fault
    assert answer.data is None
    literal = "{not: " * depth + '{name: {eq: "x"}}' + "}" * depth
    answer = await asks.ask(f"{{ sites(where: {literal}) {{ totalCount }} }}")
    assert len(answer.codes) == 1, answer.fault
    assert answer.codes[0] in TOO_DEEP, answer.fault
    assert answer.data is None


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
async def test_a_filter_has_only_so_many_conditions(asks: Asking, where: dict[str, Any]) -> None:
    query = "query($where: SiteFilter) { sites(where: $where) { totalCount } }"
    answer = await asks.ask(query, where=where)
    assert answer.codes == REFUSED, answer.fault
    assert "at most 1000" in answer.errors[0]["message"]


async def test_a_filter_may_have_many_conditions(asks: Asking) -> None:
    query = "query($where: SiteFilter) { sites(where: $where) { totalCount } }"
    names = [f"name {number}" for number in range(400)]
    await asks.data(
        query, where={"or": [{"name": {"eq": name}} for name in names], "slug": {"in": names * 2}}
    )


@pytest.mark.parametrize(
    "document",
    [
        'query($d: ID = "x") { site(id: $d) { id } }',
        "query($d: Direction = ASC) { sites(orderBy: [{field: NAME, direction: $d}]) { totalCount } }",
        "query($d: Nulls = LAST) { sites { nodes { agents(orderBy: [{field: ID, nulls: $d}]) { totalCount } } } }",
    ],
    ids=["id", "direction", "nulls"],
)
async def test_a_null_where_there_must_be_a_value_is_refused(asks: Asking, document: str) -> None:
    assert not (await asks.ask(document)).errors
    answer = await asks.ask(document, d=None)
    assert set(answer.codes) == {"BAD_USER_INPUT"}, answer.fault


async def test_orders_that_cannot_be_are_refused(asks: Asking) -> None:
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
        assert (await asks.ask(query, by=by)).codes == REFUSED, by
    await asks.data(query, by=nine[:8])
