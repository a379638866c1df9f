"""Cursors: bound to their list, safe against invalid text, and correct while rows are added and deleted."""

import json
from decimal import Decimal
from typing import Any, Final

import pytest

from core.clock import NEVER
from resolvers.execution_strategy import ExecutionStrategy
from schema.table import Scope, Table
from schema.tables import TABLES
from tests.integration.client import Client, decode_cursor, encode_cursor

REFUSED: Final = ["BAD_USER_INPUT"]


SITES: Final = """
    query($where: SiteFilter, $orderBy: [SiteOrder!], $search: String, $after: String, $before: String,
          $first: Int = 2, $includeDeleted: Boolean) {
      sites(where: $where, orderBy: $orderBy, search: $search, after: $after, before: $before, first: $first,
            includeDeleted: $includeDeleted) {
        nodes { id name } pageInfo { endCursor hasNextPage hasPreviousPage }
      }
    }"""


async def fetch_end_cursor(graphql_client: Client, **arguments: Any) -> str:
    cursor: str = (await graphql_client.fetch_data(SITES, **arguments))["sites"]["pageInfo"]["endCursor"]
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
async def test_cursor_of_another_filter_order_or_search_is_refused(
    graphql_client: Client, other: dict[str, Any], end: str
) -> None:
    plain, changed = await fetch_end_cursor(graphql_client), await fetch_end_cursor(graphql_client, **other)
    assert not (await graphql_client.execute(SITES, **other, **{end: changed})).errors
    assert (await graphql_client.execute(SITES, **other, **{end: plain})).codes == REFUSED
    assert (await graphql_client.execute(SITES, **{end: changed})).codes == REFUSED


async def test_cursor_with_arguments_of_same_meaning_is_accepted(graphql_client: Client) -> None:
    cursor = await fetch_end_cursor(graphql_client)
    nothing: list[dict[str, Any]] = [
        {"where": None},
        {"where": {}},
        {"search": ""},
        {"includeDeleted": False},
        {"orderBy": []},
    ]
    for same in nothing:
        assert not (await graphql_client.execute(SITES, **same, after=cursor)).errors, same
    assert not (await graphql_client.execute(SITES, after=cursor, first=7)).errors


async def test_cursor_of_another_tenant_is_refused(graphql_client: Client) -> None:
    cursor = await fetch_end_cursor(graphql_client)
    answer = await graphql_client.graphql.execute_as_user(graphql_client.stranger, SITES, after=cursor)
    assert (answer.data, answer.codes) == ({"sites": None}, REFUSED)


async def test_cursor_of_another_list_or_parent_is_refused(graphql_client: Client) -> None:
    data = await graphql_client.fetch_data("""{
        tenants { nodes { sites(first: 1) { pageInfo { endCursor } } } }
        sites {
          nodes { id agents(first: 1) { pageInfo { endCursor } } agentApiLogs(first: 1) { pageInfo { endCursor } } }
        }
    }""")
    one, other = [site for site in data["sites"]["nodes"] if site["agentApiLogs"]["pageInfo"]["endCursor"]][
        :2
    ]
    below = data["tenants"]["nodes"][0]["sites"]["pageInfo"]["endCursor"]
    assert (await graphql_client.execute(SITES, after=below)).codes == REFUSED
    query = "query($id: ID!, $after: String) { site(id: $id) { agents(after: $after) { nodes { id } } } }"
    mine = one["agents"]["pageInfo"]["endCursor"]
    assert (await graphql_client.fetch_data(query, id=one["id"], after=mine))["site"]["agents"]["nodes"]
    for site, cursor in ((other, mine), (one, one["agentApiLogs"]["pageInfo"]["endCursor"])):
        answer = await graphql_client.execute(query, id=site["id"], after=cursor)
        assert answer.codes == REFUSED
        assert answer.data == {"site": {"agents": None}}


async def test_cursor_of_another_shorthand_argument_is_refused(graphql_client: Client) -> None:
    query = """query($id: ID!, $type: String, $after: String) {
        entity(id: $id) { children(first: 1, relationshipType: $type, after: $after) {
            nodes { relationshipType } pageInfo { endCursor }
        } } }"""
    parent, kind = await graphql_client.execute_sql(
        """SELECT (r.parent_entity_id, r.relationship_type) FROM entity_relationships r
           JOIN entities p ON p.id = r.parent_entity_id AND p.deleted_at IS NULL
           WHERE r.tenant_id = $1 AND r.deleted_at IS NULL ORDER BY r.id LIMIT 1""",
        graphql_client.tenant_id,
    )
    found = (await graphql_client.fetch_data(query, id=parent, type=kind))["entity"]["children"]
    assert [node["relationshipType"] for node in found["nodes"]] == [kind]
    assert (
        await graphql_client.execute(query, id=parent, after=found["pageInfo"]["endCursor"])
    ).codes == REFUSED


GARBAGE: Final = (
    "", " ", "a", "=", "====", "AAAA", "é", "\x00", "\ud800", "null", "[]", "1", "-1", "x" * 100_000, "9" * 5_000,
    *(encode_cursor(text) for text in (
        "", "[]", "{}", "null", '"x"', "1", "[1", "[" * 100_000, "[" * 500 + "]" * 500, "\x00", "\ud800", "NaN",
        "[null,null,null]", '["x",null,"y"]', "[[],[],[]]", "[1e99999999999999999999]", "[" + "9" * 5_000 + "]",
    )),
)  # fmt: skip


@pytest.mark.parametrize("end", ["after", "before"])
async def test_cursor_of_garbage_is_refused(graphql_client: Client, end: str) -> None:
    for cursor in GARBAGE:
        answer = await graphql_client.execute(SITES, **{end: cursor})
        assert (answer.data, answer.codes) == ({"sites": None}, REFUSED), cursor[:50]


async def test_cursor_with_one_changed_character_is_refused_or_accepted(graphql_client: Client) -> None:
    cursor = await fetch_end_cursor(graphql_client, orderBy=[{"field": "CREATED_AT"}])
    for position in range(0, len(cursor), 5):
        changed = cursor[:position] + ("B" if cursor[position] != "B" else "C") + cursor[position + 1 :]
        answer = await graphql_client.execute(SITES, orderBy=[{"field": "CREATED_AT"}], after=changed)
        assert answer.codes in ([], REFUSED), (position, answer.traceback)


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
async def test_cursor_with_forged_value_is_refused_unless_it_fits_the_column(
    graphql_client: Client, case: str
) -> None:
    many, field = case.split()
    query = f"""query($after: String) {{ list: {many}(first: 1, after: $after, orderBy: [{{field: {field}}}]) {{
        nodes {{ id }} pageInfo {{ endCursor }} }} }}"""
    cursor = (await graphql_client.fetch_data(query))["list"]["pageInfo"]["endCursor"]
    print_, parent, _, row_id = decode_cursor(cursor)
    bad, good = FORGED[case]
    for value in good:
        forged = encode_cursor(f"[{json.dumps(print_)}, null, {value}, {json.dumps(row_id)}]")
        await graphql_client.fetch_data(query, after=forged)
    for value in bad:
        forged = encode_cursor(f"[{json.dumps(print_)}, null, {value}, {json.dumps(row_id)}]")
        answer = await graphql_client.execute(query, after=forged)
        assert answer.codes == REFUSED, (value[:50], answer.traceback)
    for other in ('"x"', "1", "{}"):
        forged = encode_cursor(f"[{json.dumps(print_)}, {other}, {good[0]}, {json.dumps(row_id)}]")
        assert (await graphql_client.execute(query, after=forged)).codes == REFUSED
    assert parent is None


async def insert_site(graphql_client: Client, name: str) -> str:
    slug = name.lower()
    return str(
        await graphql_client.execute_sql(
            "INSERT INTO sites (tenant_id, name, slug) VALUES ($1, $2, $3) RETURNING id",
            graphql_client.tenant_id,
            name,
            slug,
        )
    )


async def test_cursor_after_inserts_and_deletes_continues_at_its_position(graphql_client: Client) -> None:
    letter = {ExecutionStrategy.AUTO: "C", ExecutionStrategy.LOADERS: "L"}[graphql_client.graphql.strategy]
    made = {name: await insert_site(graphql_client, f"{letter}-{name}") for name in ("b", "d", "f", "h")}
    chosen = {"where": {"name": {"startsWith": f"{letter}-"}}, "orderBy": [{"field": "NAME"}]}
    page = (await graphql_client.fetch_data(SITES, **chosen))["sites"]
    assert [node["name"] for node in page["nodes"]] == [f"{letter}-b", f"{letter}-d"]
    cursor = page["pageInfo"]["endCursor"]
    for name in ("a", "c", "e", "i"):
        made[name] = await insert_site(graphql_client, f"{letter}-{name}")
    await graphql_client.execute_sql("DELETE FROM sites WHERE id = $1", made["d"])
    await graphql_client.execute_sql("UPDATE sites SET deleted_at = 1 WHERE id = $1", made["f"])
    following = (await graphql_client.fetch_data(SITES, **chosen, after=cursor, first=10))["sites"]
    assert [node["name"] for node in following["nodes"]] == [f"{letter}-{name}" for name in "ehi"]
    preceding = (await graphql_client.fetch_data(SITES, **chosen, before=cursor, first=10))["sites"]
    assert [node["name"] for node in preceding["nodes"]] == [f"{letter}-{name}" for name in "abc"]
    await graphql_client.execute_sql("DELETE FROM sites WHERE id = ANY ($1)", list(made.values()))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_pages_ordered_by_any_column_equal_the_whole_list(graphql_client: Client, table: Table) -> None:
    query = f"""query($by: [{table.type_name}Order!], $first: Int, $after: String) {{
        list: {table.many}(orderBy: $by, first: $first, after: $after) {{ nodes {{ id }} pageInfo {{ endCursor }} }}
    }}"""
    for column in (column for column in table.columns.values() if column.orderable):
        for direction in ("ASC", "DESC"):
            by = [{"field": column.name.upper(), "direction": direction}]
            whole = await fetch_ids(graphql_client, table, query, by=by, first=6)
            one, cursor = whole[0][:3], (await fetch_ids(graphql_client, table, query, by=by, first=3))[1]
            two = (await fetch_ids(graphql_client, table, query, by=by, first=3, after=cursor))[0]
            assert one + two == whole[0], (column.name, direction)
            assert len(set(whole[0])) == len(whole[0])


async def fetch_ids(
    graphql_client: Client, table: Table, query: str, **variables: Any
) -> tuple[list[str], str]:
    if table.scope is Scope.PLATFORM:
        answer = await graphql_client.graphql.execute_as_platform(None, query, **variables)
    else:
        answer = await graphql_client.execute(query, **variables)
    assert not answer.errors, (answer.errors, variables)
    found = answer.data["list"]
    return [node["id"] for node in found["nodes"]], found["pageInfo"]["endCursor"]


TOTALS: Final = (
    "-99999999999999999999.99", "-1", "-0.1", "0", "0.1", "0.10000000000000000000000000001", "0.2", "1",
    "12345678901234567890.1", "12345678901234567890.12", "1" + "0" * 110,
)  # fmt: skip
STARTS: Final = (-NEVER, -1, 0, 1, NEVER - 2, NEVER - 1, NEVER)


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_cursors_over_amounts_and_times_are_exact(graphql_client: Client, direction: str) -> None:
    insert = """INSERT INTO tenant_bills (tenant_id, total, period_start, period_end, status, notes)
        VALUES ($1, $2, $3, 0, 'cancelled', 'exact')"""
    for total in TOTALS:
        await graphql_client.execute_sql(insert, graphql_client.tenant_id, Decimal(total), 0)
    for start in STARTS:
        await graphql_client.execute_sql(insert, graphql_client.tenant_id, Decimal(0), start)
    for field, shown in (("TOTAL", "total"), ("PERIOD_START", "periodStart"), ("PERIOD_END", "periodEnd")):
        by = [{"field": field, "direction": direction}]
        values = [node[shown] for node in await fetch_one_by_one(graphql_client, by)]
        assert len(values) == len(TOTALS) + len(STARTS)
        assert values == sorted(values, key=Decimal, reverse=direction == "DESC")
    await graphql_client.execute_sql("DELETE FROM tenant_bills WHERE notes = 'exact'")


async def fetch_one_by_one(graphql_client: Client, by: list[dict[str, str]]) -> list[Any]:
    """A list, paged one row at a time."""
    query = """query($by: [TenantBillOrder!], $after: String) {
        tenantBills(where: {notes: {eq: "exact"}}, orderBy: $by, first: 1, after: $after) {
            nodes { id total periodStart periodEnd } pageInfo { endCursor hasNextPage }
        } }"""
    found, after = [], None
    while True:
        page = (await graphql_client.fetch_data(query, by=by, after=after))["tenantBills"]
        found += page["nodes"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            assert len({node["id"] for node in found}) == len(found)
            return found


async def test_cursor_over_long_text_continues_the_list(graphql_client: Client) -> None:
    ids = [
        await graphql_client.execute_sql(
            "INSERT INTO sites (tenant_id, name, slug) VALUES ($1, $2, $3) RETURNING id",
            graphql_client.tenant_id, "\U0010ffff" * 30_000 + letter, f"long-{letter}",
        )
        for letter in "ab"
    ]  # fmt: skip
    chosen = {"orderBy": [{"field": "NAME", "direction": "DESC"}], "first": 1}
    first = (await graphql_client.fetch_data(SITES, **chosen))["sites"]
    second = (await graphql_client.fetch_data(SITES, **chosen, after=first["pageInfo"]["endCursor"]))["sites"]
    assert [page["nodes"][0]["id"] for page in (first, second)] == ids[::-1]
    await graphql_client.execute_sql("DELETE FROM sites WHERE id = ANY ($1)", ids)


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
async def test_page_with_invalid_arguments_names_them(
    graphql_client: Client, arguments: str, bad: set[str]
) -> None:
    for query in (
        f"{{ sites({arguments}) {{ totalCount }} }}",
        f"{{ agents({arguments}) {{ nodes {{ id }} }} }}",
    ):
        answer = await graphql_client.execute(query)
        assert answer.codes == REFUSED
        assert set(answer.errors[0]["extensions"]["fields"]) == bad


async def test_offset_with_cursor_is_refused(graphql_client: Client) -> None:
    cursor = await fetch_end_cursor(graphql_client)
    for end in ("after", "before"):
        query = f"query($c: String) {{ sites(offset: 1, {end}: $c) {{ nodes {{ id }} }} }}"
        assert (await graphql_client.execute(query, c=cursor)).codes == REFUSED
        query = f"query($c: String) {{ sites(offset: 0, {end}: $c) {{ nodes {{ id }} }} }}"
        assert not (await graphql_client.execute(query, c=cursor)).errors


@pytest.mark.parametrize("arguments", ["first: 2147483648", "offset: 2147483648", 'first: "1"', "first: 1.5"])
async def test_page_argument_that_is_no_int_is_refused(graphql_client: Client, arguments: str) -> None:
    assert set((await graphql_client.execute(f"{{ sites({arguments}) {{ totalCount }} }}")).codes) == {
        "BAD_USER_INPUT"
    }


async def test_page_of_no_rows_has_total_count_and_page_info(graphql_client: Client) -> None:
    query = """{
        sites(first: 0) { nodes { id agents(first: 0) { nodes { id } totalCount } } edges { cursor } totalCount
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }
        last: sites(last: 0) { nodes { id } pageInfo { hasNextPage hasPreviousPage } }
        beyond: sites(offset: 2147483647) { nodes { id } totalCount pageInfo { hasNextPage hasPreviousPage } }
    }"""
    data = await graphql_client.fetch_data(query)
    ends = {"startCursor": None, "endCursor": None}
    assert data["sites"].pop("totalCount") > 0
    assert data["sites"] == {
        "nodes": [], "edges": [], "pageInfo": {"hasNextPage": True, "hasPreviousPage": False, **ends}
    }  # fmt: skip
    assert data["last"] == {"nodes": [], "pageInfo": {"hasNextPage": False, "hasPreviousPage": True}}
    assert data["beyond"].pop("totalCount") > 0
    assert data["beyond"] == {"nodes": [], "pageInfo": {"hasNextPage": False, "hasPreviousPage": True}}
