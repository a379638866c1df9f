"""Cursors: bound to their list, safe against anything that is not one, and right while rows come and go."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Final

import pytest
import pytest_asyncio

from core.clock import NEVER
from resolvers.ways import Way
from schema.table import Scope, Table
from schema.tables import TABLES
from tests.integration.asking import Asking, asking, put_together, taken_apart

REFUSED: Final = ["BAD_USER_INPUT"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(demo_database: str) -> AsyncIterator[Asking]:
    async with asking(demo_database) as made:
        yield made


@pytest.fixture(params=[Way.AUTO, Way.LOADERS], ids=str)
def asks(demo: Asking, request: pytest.FixtureRequest) -> Asking:
    return demo.by(request.param)


SITES: Final = """
    query($where: SiteFilter, $orderBy: [SiteOrder!], $search: String, $after: String, $before: String,
          $first: Int = 2, $includeDeleted: Boolean) {
      sites(where: $where, orderBy: $orderBy, search: $search, after: $after, before: $before, first: $first,
            includeDeleted: $includeDeleted) {
        nodes { id name } pageInfo { endCursor hasNextPage hasPreviousPage }
      }
    }"""


async def end_cursor(asks: Asking, **arguments: Any) -> str:
    cursor: str = (await asks.data(SITES, **arguments))["sites"]["pageInfo"]["endCursor"]
    return cursor


@pytest.mark.parametrize("end", ["after", "before"])
@pytest.mark.parametrize(
    "other",
    [
        {"where": {"name": {"neq": "x"}}},
        {"orderBy": [{"field": "NAME"}]},
        {"orderBy": [{"field": "ID", "direction": "DESC"}]},
        {"search": "a"},
        {"includeDeleted": True},
    ],
    ids=lambda other: "-".join(other),
)
async def test_a_cursor_of_another_filter_order_or_search_is_refused(
    asks: Asking, other: dict[str, Any], end: str
) -> None:
    plain, changed = await end_cursor(asks), await end_cursor(asks, **other)
    assert not (await asks.ask(SITES, **other, **{end: changed})).errors
    assert (await asks.ask(SITES, **other, **{end: plain})).codes == REFUSED
    assert (await asks.ask(SITES, **{end: changed})).codes == REFUSED


async def test_arguments_that_change_nothing_keep_the_cursor(asks: Asking) -> None:
    cursor = await end_cursor(asks)
    nothing: list[dict[str, Any]] = [
        {"where": None},
        {"where": {}},
        {"search": ""},
        {"includeDeleted": False},
        {"orderBy": []},
    ]
    for same in nothing:
        assert not (await asks.ask(SITES, **same, after=cursor)).errors, same
    assert not (await asks.ask(SITES, after=cursor, first=7)).errors


async def test_a_cursor_of_another_tenant_is_refused(asks: Asking) -> None:
    cursor = await end_cursor(asks)
    answer = await asks.graph.as_user(asks.stranger, SITES, after=cursor)
    assert (answer.data, answer.codes) == (None, REFUSED)


async def test_a_cursor_of_another_list_or_parent_is_refused(asks: Asking) -> None:
    data = await asks.data("""{
        tenants { nodes { sites(first: 1) { pageInfo { endCursor } } } }
        sites {
          nodes { id agents(first: 1) { pageInfo { endCursor } } agentApiLogs(first: 1) { pageInfo { endCursor } } }
        }
    }""")
    one, other = [site for site in data["sites"]["nodes"] if site["agentApiLogs"]["pageInfo"]["endCursor"]][
        :2
    ]
    below = data["tenants"]["nodes"][0]["sites"]["pageInfo"]["endCursor"]
    assert (await asks.ask(SITES, after=below)).codes == REFUSED
    query = "query($id: ID!, $after: String) { site(id: $id) { agents(after: $after) { nodes { id } } } }"
    mine = one["agents"]["pageInfo"]["endCursor"]
    assert (await asks.data(query, id=one["id"], after=mine))["site"]["agents"]["nodes"]
    for site, cursor in ((other, mine), (one, one["agentApiLogs"]["pageInfo"]["endCursor"])):
        answer = await asks.ask(query, id=site["id"], after=cursor)
        assert answer.codes == REFUSED
        assert answer.data == {"site": {"agents": None}}


async def test_a_cursor_of_another_short_form_is_refused(asks: Asking) -> None:
    query = """query($id: ID!, $type: String, $after: String) {
        entity(id: $id) { children(first: 1, relationshipType: $type, after: $after) {
            nodes { relationshipType } pageInfo { endCursor }
        } } }"""
    parent, kind = await asks.write(
        """SELECT (r.parent_entity_id, r.relationship_type) FROM entity_relationships r
           JOIN entities p ON p.id = r.parent_entity_id AND p.deleted_at IS NULL
           WHERE r.tenant_id = $1 AND r.deleted_at IS NULL ORDER BY r.id LIMIT 1""",
        asks.tenant_id,
    )
    found = (await asks.data(query, id=parent, type=kind))["entity"]["children"]
    assert [node["relationshipType"] for node in found["nodes"]] == [kind]
    assert (await asks.ask(query, id=parent, after=found["pageInfo"]["endCursor"])).codes == REFUSED


GARBAGE: Final = (
    "", " ", "a", "=", "====", "AAAA", "é", "\x00", "\ud800", "null", "[]", "1", "-1", "x" * 100_000, "9" * 5_000,
    *(put_together(text) for text in (
        "", "[]", "{}", "null", '"x"', "1", "[1", "[" * 100_000, "[" * 500 + "]" * 500, "\x00", "\ud800", "NaN",
        "[null,null,null]", '["x",null,"y"]', "[[],[],[]]", "[1e99999999999999999999]", "[" + "9" * 5_000 + "]",
    )),
)  # fmt: skip


@pytest.mark.parametrize("end", ["after", "before"])
async def test_what_is_no_cursor_is_refused(asks: Asking, end: str) -> None:
    for cursor in GARBAGE:
        answer = await asks.ask(SITES, **{end: cursor})
        assert (answer.data, answer.codes) == (None, REFUSED), cursor[:50]


async def test_a_cursor_one_character_off_is_refused_or_leads_on(asks: Asking) -> None:
    cursor = await end_cursor(asks, orderBy=[{"field": "CREATED_AT"}])
    for place in range(0, len(cursor), 5):
        changed = cursor[:place] + ("B" if cursor[place] != "B" else "C") + cursor[place + 1 :]
        answer = await asks.ask(SITES, orderBy=[{"field": "CREATED_AT"}], after=changed)
        assert answer.codes in ([], REFUSED), (place, answer.fault)


FORGED: Final = {
    "tenantBills TOTAL": (
        [
            "NaN",
            "Infinity",
            "null",
            "true",
            '"1"',
            "[]",
            "{}",
            "1e131072",
            "1e-16384",
            "0e-99999",
            "9" * 5_000,
        ],
        ["1", "-0", "0.0", "1e131071", "-1e131071", "1e-16383", "0." + "1" * 16_000, "9" * 4_000],
    ),
    "tenantBills PERIOD_START": (
        ["null", "true", "1.5", "1e3", '"1"', "9007199254740993", "-9007199254740993", "1" * 400],
        ["0", "-1", "9007199254740991", "-9007199254740991"],
    ),
    "tenantBills NOTES": (["1", "true", "[]", '"\\u0000"', '"\\ud800"'], ["null", '""', '"%"', '"😀"']),
    "tenantBills PAID_AT": (["true", "1.5", '"x"', "NaN"], ["null", "7"]),
    "scheduledJobs PRIORITY": (["2147483648", "-2147483649", "1.0"], ["null", "2147483647", "-2147483648"]),
    "integrations IS_ACTIVE": (["0", "1", '"true"'], ["true", "false", "null"]),
}


@pytest.mark.parametrize("case", FORGED)
async def test_a_forged_value_is_refused_unless_the_column_can_hold_it(asks: Asking, case: str) -> None:
    many, field = case.split()
    query = f"""query($after: String) {{ list: {many}(first: 1, after: $after, orderBy: [{{field: {field}}}]) {{
        nodes {{ id }} pageInfo {{ endCursor }} }} }}"""
    cursor = (await asks.data(query))["list"]["pageInfo"]["endCursor"]
    print_, parent, _, row_id = taken_apart(cursor)
    bad, good = FORGED[case]
    for value in good:
        forged = put_together(f"[{json.dumps(print_)}, null, {value}, {json.dumps(row_id)}]")
        await asks.data(query, after=forged)
    for value in bad:
        forged = put_together(f"[{json.dumps(print_)}, null, {value}, {json.dumps(row_id)}]")
        answer = await asks.ask(query, after=forged)
        assert answer.codes == REFUSED, (value[:50], answer.fault)
    for other in ('"x"', "1", "{}"):
        forged = put_together(f"[{json.dumps(print_)}, {other}, {good[0]}, {json.dumps(row_id)}]")
        assert (await asks.ask(query, after=forged)).codes == REFUSED
    assert parent is None


async def site(asks: Asking, name: str) -> str:
    slug = name.lower()
    return str(
        await asks.write(
            "INSERT INTO sites (tenant_id, name, slug) VALUES ($1, $2, $3) RETURNING id",
            asks.tenant_id,
            name,
            slug,
        )
    )


async def test_pages_go_on_where_they_were_while_rows_come_and_go(asks: Asking) -> None:
    letter = {Way.AUTO: "C", Way.LOADERS: "L"}[asks.graph.way]
    made = {name: await site(asks, f"{letter}-{name}") for name in ("b", "d", "f", "h")}
    chosen = {"where": {"name": {"startsWith": f"{letter}-"}}, "orderBy": [{"field": "NAME"}]}
    page = (await asks.data(SITES, **chosen))["sites"]
    assert [node["name"] for node in page["nodes"]] == [f"{letter}-b", f"{letter}-d"]
    cursor = page["pageInfo"]["endCursor"]
    for name in ("a", "c", "e", "i"):
        made[name] = await site(asks, f"{letter}-{name}")
    await asks.write("DELETE FROM sites WHERE id = $1", made["d"])
    await asks.write("UPDATE sites SET deleted_at = 1 WHERE id = $1", made["f"])
    following = (await asks.data(SITES, **chosen, after=cursor, first=10))["sites"]
    assert [node["name"] for node in following["nodes"]] == [f"{letter}-{name}" for name in "ehi"]
    preceding = (await asks.data(SITES, **chosen, before=cursor, first=10))["sites"]
    assert [node["name"] for node in preceding["nodes"]] == [f"{letter}-{name}" for name in "abc"]
    await asks.write("DELETE FROM sites WHERE id = ANY ($1)", list(made.values()))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_every_column_orders_both_ways(asks: Asking, table: Table) -> None:
    query = f"""query($by: [{table.type_name}Order!], $first: Int, $after: String) {{
        list: {table.many}(orderBy: $by, first: $first, after: $after) {{ nodes {{ id }} pageInfo {{ endCursor }} }}
    }}"""
    for column in (column for column in table.columns.values() if column.orderable):
        for direction in ("ASC", "DESC"):
            by = [{"field": column.name.upper(), "direction": direction}]
            whole = await ids_of(asks, table, query, by=by, first=6)
            one, cursor = whole[0][:3], (await ids_of(asks, table, query, by=by, first=3))[1]
            two = (await ids_of(asks, table, query, by=by, first=3, after=cursor))[0]
            assert one + two == whole[0], (column.name, direction)
            assert len(set(whole[0])) == len(whole[0])


async def ids_of(asks: Asking, table: Table, query: str, **variables: Any) -> tuple[list[str], str]:
    if table.scope is Scope.PLATFORM:
        answer = await asks.graph.as_platform(None, query, **variables)
    else:
        answer = await asks.ask(query, **variables)
    assert not answer.errors, (answer.errors, variables)
    found = answer.data["list"]
    return [node["id"] for node in found["nodes"]], found["pageInfo"]["endCursor"]


TOTALS: Final = (
    "-99999999999999999999.99", "-1", "-0.1", "0", "0.1", "0.10000000000000000000000000001", "0.2", "1",
    "12345678901234567890.1", "12345678901234567890.12", "1" + "0" * 110,
)  # fmt: skip
STARTS: Final = (-NEVER, -1, 0, 1, NEVER - 2, NEVER - 1, NEVER)


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_amounts_and_times_are_exact_in_cursors(asks: Asking, direction: str) -> None:
    insert = """INSERT INTO tenant_bills (tenant_id, total, period_start, period_end, status, notes)
        VALUES ($1, $2, $3, 0, 'cancelled', 'exact')"""
    for total in TOTALS:
        await asks.write(insert, asks.tenant_id, Decimal(total), 0)
    for start in STARTS:
        await asks.write(insert, asks.tenant_id, Decimal(0), start)
    for field, shown in (("TOTAL", "total"), ("PERIOD_START", "periodStart"), ("PERIOD_END", "periodEnd")):
        by = [{"field": field, "direction": direction}]
        values = [node[shown] for node in await one_by_one(asks, by)]
        assert len(values) == len(TOTALS) + len(STARTS)
        assert values == sorted(values, key=Decimal, reverse=direction == "DESC")
    await asks.write("DELETE FROM tenant_bills WHERE notes = 'exact'")


async def one_by_one(asks: Asking, by: list[dict[str, str]]) -> list[Any]:
    """A list walked a row at a time."""
    query = """query($by: [TenantBillOrder!], $after: String) {
        tenantBills(where: {notes: {eq: "exact"}}, orderBy: $by, first: 1, after: $after) {
            nodes { id total periodStart periodEnd } pageInfo { endCursor hasNextPage }
        } }"""
    found, after = [], None
    while True:
        page = (await asks.data(query, by=by, after=after))["tenantBills"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert len({node["id"] for node in found}) == len(found)
            return found


async def test_a_cursor_over_a_long_text_leads_on(asks: Asking) -> None:
    ids = [
        await asks.write(
            "INSERT INTO sites (tenant_id, name, slug) VALUES ($1, $2, $3) RETURNING id",
            asks.tenant_id, "\U0010ffff" * 30_000 + letter, f"long-{letter}",
        )
        for letter in "ab"
    ]  # fmt: skip
    chosen = {"orderBy": [{"field": "NAME", "direction": "DESC"}], "first": 1}
    first = (await asks.data(SITES, **chosen))["sites"]
    second = (await asks.data(SITES, **chosen, after=first["pageInfo"]["endCursor"]))["sites"]
    assert [page["nodes"][0]["id"] for page in (first, second)] == ids[::-1]
    await asks.write("DELETE FROM sites WHERE id = ANY ($1)", ids)


@pytest.mark.parametrize(
    ("arguments", "bad"),
    [
        ("first: -1", {"first"}),
        ("first: 1001", {"first"}),
        ("last: -1", {"last"}),
        ("last: 1001", {"last"}),
        ("offset: -1", {"offset"}),
        ("first: 1, last: 1", {"last"}),
        ("first: -5, offset: -5", {"first", "offset"}),
        ("last: 5, offset: 5", {"offset"}),
    ],
)
async def test_pages_that_cannot_be_are_refused_by_name(asks: Asking, arguments: str, bad: set[str]) -> None:
    for query in (
        f"{{ sites({arguments}) {{ totalCount }} }}",
        f"{{ agents({arguments}) {{ nodes {{ id }} }} }}",
    ):
        answer = await asks.ask(query)
        assert answer.codes == REFUSED
        assert set(answer.errors[0]["extensions"]["fields"]) == bad


async def test_an_offset_beside_a_cursor_is_refused(asks: Asking) -> None:
    cursor = await end_cursor(asks)
    for end in ("after", "before"):
        query = f"query($c: String) {{ sites(offset: 1, {end}: $c) {{ nodes {{ id }} }} }}"
        assert (await asks.ask(query, c=cursor)).codes == REFUSED
        query = f"query($c: String) {{ sites(offset: 0, {end}: $c) {{ nodes {{ id }} }} }}"
        assert not (await asks.ask(query, c=cursor)).errors


@pytest.mark.parametrize("arguments", ["first: 2147483648", "offset: 2147483648", 'first: "1"', "first: 1.5"])
async def test_numbers_that_are_none_are_refused(asks: Asking, arguments: str) -> None:
    assert set((await asks.ask(f"{{ sites({arguments}) {{ totalCount }} }}")).codes) == {"BAD_USER_INPUT"}


async def test_no_rows_asked_for_is_an_answer(asks: Asking) -> None:
    query = """{
        sites(first: 0) { nodes { id agents(first: 0) { nodes { id } totalCount } } edges { cursor } totalCount
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
        last: sites(last: 0) { nodes { id } pageInfo { hasNextPage hasPreviousPage } }
        beyond: sites(offset: 2147483647) { nodes { id } totalCount pageInfo { hasNextPage hasPreviousPage } }
    }"""
    data = await asks.data(query)
    ends = {"startCursor": None, "endCursor": None}
    assert data["sites"].pop("totalCount") > 0
    assert data["sites"] == {
        "nodes": [], "edges": [], "pageInfo": {"hasNextPage": True, "hasPreviousPage": False, **ends}
    }  # fmt: skip
    assert data["last"] == {"nodes": [], "pageInfo": {"hasNextPage": False, "hasPreviousPage": True}}
    assert data["beyond"].pop("totalCount") > 0
    assert data["beyond"] == {"nodes": [], "pageInfo": {"hasNextPage": False, "hasPreviousPage": True}}
