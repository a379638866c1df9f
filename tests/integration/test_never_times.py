"""Times that mean never are null for clients, in every operator, order, cursor, input and live query."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.auth.viewer import ViewerKind
from core.clock import DATE_MAX_MS, NEVER
from schema.mutation import MUTATIONS
from schema.table import Column, Scope, Table
from schema.tables import BY_NAME, LISTED
from tests.graphql_harness import GraphqlHarness, Principal, open_graphql_harness
from tests.live.live_engine import LiveEngine
from tests.mutation_harness import MutationCall, MutationHarness
from tests.neighbor_tenants import find_neighbor_tenants
from tests.property.list_oracle import matches_operator, sort_rows

pytestmark = pytest.mark.newest

COLUMNS: Final = [(table, column) for table in LISTED for column in table.columns.values() if column.never]
STORED: Final = (5, NEVER, 1_700_000_000_000, NEVER, DATE_MAX_MS, 5, NEVER - 1)
"""Values of seven rows, in the order of their ids."""
OPERANDS: Final = (5, NEVER, DATE_MAX_MS, NEVER - 1, 7)


def test_never_columns_are_the_ends_that_a_row_may_lack() -> None:
    assert {f"{table.type_name}.{column.graphql_name}" for table, column in COLUMNS} == {
        "DataSource.credentialExpirationAt",
        "IntegrationPricingTier.effectiveUntil",
        "TenantBillingAdjustment.effectiveTo",
        "IssuedCredential.expiresAt",
        "ScheduledJob.nextRetryAt",
        "ApiLog.expiresAt",
    }


@dataclass(frozen=True, slots=True)
class NeverRows:
    """Rows of one table with the values of `STORED` in a column, and of null if the column is nullable."""

    graphql: GraphqlHarness
    principal: Principal
    table: Table
    column: Column
    rows: Sequence[dict[str, Any]]

    async def fetch_page(self, where: str = "", rest: str = "") -> Any:
        """The list of these rows with a further filter and arguments. Both strategies agree."""
        ids = ", ".join(f'"{row["id"]}"' for row in self.rows)
        arguments = f"where: {{id: {{in: [{ids}]}} {where}}} {rest}"
        query = f"""{{ list: {self.table.many}({arguments}) {{
            nodes {{ id value: {self.column.graphql_name} }} pageInfo {{ endCursor hasNextPage }} totalCount }} }}"""
        one, other = await self.graphql.execute_with_both_strategies(self.principal, query, {})
        assert not one.errors, (one.errors, one.traceback)
        assert (one.data, other.compiled_fields) == (other.data, ("list",))
        return one.data["list"]


async def _write_values(
    connection: asyncpg.Connection, table: Table, column: Column, tenant_id: str
) -> list[dict[str, Any]]:
    """Give the rows of a table these values in a column. A table with fewer rows gets copies."""
    values = (*STORED, None) if column.nullable else STORED
    scope = f"tenant_id = '{tenant_id}'" if table.scope is Scope.TENANT else "TRUE"
    found = await connection.fetch(f"SELECT id FROM {table.name} WHERE {scope} ORDER BY id LIMIT 8")
    names = ", ".join(f'"{name}"' for name, c in table.columns.items() if c.options.stored and name != "id")
    for _ in range(len(values) - len(found)):
        await connection.execute(
            f"INSERT INTO {table.name} (id, {names}) SELECT app.new_id(), {names} FROM {table.name} WHERE id = $1",
            found[0]["id"],
        )
    found = await connection.fetch(f"SELECT id FROM {table.name} WHERE {scope} ORDER BY id LIMIT 8")
    rows = [{"id": row["id"], column.name: value} for row, value in zip(found, values, strict=False)]
    deleted = ", deleted_at = NULL" if table.soft_deletes else ""
    for row in rows:
        await connection.execute(
            f"UPDATE {table.name} SET {column.name} = $2{deleted} WHERE id = $1", row["id"], row[column.name]
        )
    return rows


@pytest_asyncio.fixture(loop_scope="session", params=COLUMNS, ids=[f"{t.name}.{c.name}" for t, c in COLUMNS])
async def never_rows(
    writable_demo_database_url: str, request: pytest.FixtureRequest
) -> AsyncIterator[NeverRows]:
    """The rows of one column, for the platform in a tenant."""
    table, column = request.param
    owner = await asyncpg.connect(writable_demo_database_url, server_settings={"app.platform": "on"})
    tenant_id = (await find_neighbor_tenants(owner)).mine
    rows = await _write_values(owner, table, column, tenant_id)
    await owner.close()
    async with open_graphql_harness(writable_demo_database_url) as graphql:
        yield NeverRows(
            graphql, Principal("platform", ViewerKind.PLATFORM, tenant_id=tenant_id), table, column, rows
        )


def _list_conditions() -> Iterator[tuple[str, Any, str]]:
    """Each operator with each operand, and as GraphQL writes it."""
    for operator in ("eq", "neq", "gt", "gte", "lt", "lte"):
        for value in OPERANDS:
            yield operator, value, str(value)
    for operator in ("eq", "neq"):
        yield operator, None, "null"
    for operator in ("in", "notIn"):
        for values in ([], [NEVER], [5, NEVER], [7, DATE_MAX_MS]):
            yield operator, values, str(values)
    yield "isNull", True, "true"
    yield "isNull", False, "false"


async def test_filter_by_never_equals_the_stored_values_under_every_operator(never_rows: NeverRows) -> None:
    name = never_rows.column.graphql_name
    for operator, operand, written in _list_conditions():
        for where in (f"{name}: {{{operator}: {written}}}", f"not: {{{name}: {{{operator}: {written}}}}}"):
            page = await never_rows.fetch_page(where)
            expected = [
                row["id"]
                for row in never_rows.rows
                if matches_operator(never_rows.column, row[never_rows.column.name], operator, operand)
                is not where.startswith("not")
            ]
            assert sorted(node["id"] for node in page["nodes"]) == expected, where
            assert page["totalCount"] == len(expected), where


async def test_never_is_null_in_the_response_and_all_other_values_are_exact(never_rows: NeverRows) -> None:
    page = await never_rows.fetch_page()
    assert {node["id"]: node["value"] for node in page["nodes"]} == {
        row["id"]: None if row[never_rows.column.name] == NEVER else row[never_rows.column.name]
        for row in never_rows.rows
    }


@pytest.mark.parametrize("nulls", ["FIRST", "LAST"])
@pytest.mark.parametrize("direction", ["ASC", "DESC"])
async def test_order_and_cursors_use_the_stored_value_of_never(
    never_rows: NeverRows, direction: str, nulls: str
) -> None:
    term = {"field": never_rows.column.name.upper(), "direction": direction, "nulls": nulls}
    expected = [row["id"] for row in sort_rows(never_rows.table, never_rows.rows, [term])]
    by = f"first: 1, orderBy: [{{field: {term['field']}, direction: {direction}, nulls: {nulls}}}]"
    found: list[str] = []
    after = ""
    while len(found) <= len(expected):
        page = await never_rows.fetch_page(rest=f"{by} {after}")
        found += [node["id"] for node in page["nodes"]]
        after = f'after: "{page["pageInfo"]["endCursor"]}"'
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert found == expected


def _call(name: str, /, **given: Any) -> MutationCall:
    return MutationCall(MUTATIONS[name], given)


async def test_null_expiry_of_data_source_stores_never(mutation_harness: MutationHarness) -> None:
    source = mutation_harness.mine.ids["data_sources"]
    for call in (
        _call("updateDataSource", id=source, input={"credentialExpirationAt": None}),
        _call("saveDataSourceConfig", id=source, config={}, credentialExpirationAt=None),
    ):
        await mutation_harness.update_row("data_sources", source, credential_expiration_at=7)
        answer = await mutation_harness.execute(call)
        assert not answer.errors, answer.traceback
        row = await mutation_harness.read_row("data_sources", source)
        assert row["credential_expiration_at"] == NEVER
        entry = (await mutation_harness.read_audit_log("data_sources", source))[-1]
        assert entry["changes"]["credentialExpirationAt"] == [7, None]


async def test_omitted_expiry_of_data_source_keeps_its_value(mutation_harness: MutationHarness) -> None:
    source = mutation_harness.mine.ids["data_sources"]
    await mutation_harness.update_row("data_sources", source, credential_expiration_at=7)
    await mutation_harness.execute(_call("saveDataSourceConfig", id=source, config={}))
    assert (await mutation_harness.read_row("data_sources", source))["credential_expiration_at"] == 7


@pytest.mark.parametrize("given", [{}, {"credentialExpirationAt": None}, {"credentialExpirationAt": NEVER}])
async def test_created_data_source_without_expiry_never_expires(
    mutation_harness: MutationHarness, given: dict[str, Any]
) -> None:
    new = {"integrationId": mutation_harness.mine.ids["integrations"], **given}
    query = """mutation($new: CreateDataSourceInput!) {
        createDataSource(input: $new) { id credentialExpirationAt } }"""
    answer = await mutation_harness.graphql.execute_as_user(
        mutation_harness.mine.administrator_id, query, new=new
    )
    assert answer.data["createDataSource"]["credentialExpirationAt"] is None, answer.errors
    row = await mutation_harness.read_row("data_sources", answer.data["createDataSource"]["id"])
    assert row["credential_expiration_at"] == NEVER


async def test_end_of_adjustment_is_required_and_null_means_never(mutation_harness: MutationHarness) -> None:
    new = {"type": "CREDIT", "amount": "1", "reason": "x", "effectiveFrom": 1}
    refused = await mutation_harness.execute(_call("createTenantBillingAdjustment", input=new))
    assert refused.codes == ["BAD_USER_INPUT"]
    assert refused.errors[0]["extensions"]["fields"] == {
        "input.effectiveTo": "must be given; null means never"
    }
    answer = await mutation_harness.execute(
        _call("createTenantBillingAdjustment", input={**new, "effectiveTo": None})
    )
    row = await mutation_harness.read_row("tenant_billing_adjustments", answer.data["done"]["id"])
    assert row["effective_to"] == NEVER


SOURCES: Final = """subscription($where: DataSourceFilter) {
    dataSources(where: $where, orderBy: [{field: CREDENTIAL_EXPIRATION_AT}], first: 2) {
        nodes { id credentialExpirationAt } totalCount } }"""


@pytest.mark.parametrize(
    "operators", [{"eq": None}, {"isNull": True}, {"in": [NEVER]}, {"gt": DATE_MAX_MS}], ids=str
)
async def test_live_query_by_never_follows_the_stored_value(
    live_engine: LiveEngine, operators: dict[str, Any]
) -> None:
    ids = await live_engine.execute_sql(
        "SELECT array_agg(id) FROM (SELECT id FROM data_sources WHERE tenant_id = $1 AND deleted_at IS NULL "
        "ORDER BY id LIMIT 3) t",
        live_engine.tenant_id,
    )
    change = "UPDATE data_sources SET credential_expiration_at = $2 WHERE id = ANY ($1)"
    await live_engine.execute_sql(change, ids, 5)
    viewer = await live_engine.connect()
    where = {"id": {"in": ids}, "credentialExpirationAt": operators}
    subscriber = await viewer.subscribe(SOURCES, where=where).wait_for_states(1)
    assert subscriber.data["dataSources"]["totalCount"] == 0
    await live_engine.execute_sql(change, ids[:1], NEVER)
    await subscriber.wait_for_states(2)
    assert subscriber.data["dataSources"]["nodes"] == [{"id": ids[0], "credentialExpirationAt": None}]
    await live_engine.execute_sql(change, ids[:1], 6)
    await subscriber.wait_for_states(3)
    assert subscriber.data["dataSources"]["totalCount"] == 0


async def test_live_page_ordered_by_never_moves_with_the_stored_value(live_engine: LiveEngine) -> None:
    ids = await live_engine.execute_sql(
        "SELECT array_agg(id) FROM (SELECT id FROM data_sources WHERE tenant_id = $1 AND deleted_at IS NULL "
        "ORDER BY id LIMIT 3) t",
        live_engine.tenant_id,
    )
    change = "UPDATE data_sources SET credential_expiration_at = $2 WHERE id = ANY ($1)"
    await live_engine.execute_sql(change, ids, NEVER)
    viewer = await live_engine.connect()
    subscriber = await viewer.subscribe(SOURCES, where={"id": {"in": ids}}).wait_for_states(1)
    assert [node["id"] for node in subscriber.data["dataSources"]["nodes"]] == ids[:2]
    await live_engine.execute_sql(change, ids[2:], NEVER - 1)
    await subscriber.wait_for_states(2)
    assert [node["id"] for node in subscriber.data["dataSources"]["nodes"]] == [ids[2], ids[0]]


async def test_expiry_of_token_beyond_dates_is_null(writable_demo_database_url: str) -> None:
    async with open_graphql_harness(writable_demo_database_url) as graphql:
        principal = Principal("platform", ViewerKind.PLATFORM)
        one, other = await graphql.execute_with_both_strategies(principal, "{ viewer { expiresAt } }", {})
    assert one.data == other.data == {"viewer": {"expiresAt": None}}


def test_columns_of_a_never_time_keep_their_stored_nullability() -> None:
    assert not BY_NAME["data_sources"].columns["credential_expiration_at"].nullable
    assert BY_NAME["integration_pricing_tiers"].columns["effective_until"].nullable
