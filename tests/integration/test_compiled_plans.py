"""Compiled plans: one compilation serves other values, other users and other tenants correctly."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
import pytest_asyncio

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from demo import load_demo_viewers
from resolvers.compiler.params import ParamValues
from resolvers.compiler.plan import TENANT_SOURCE, OperationPlans, Plan
from resolvers.compiler.planner import Planner
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.queries import coerce_query_variables
from services.users.sign_in import sign_in
from tests.graphql_harness import GraphqlHarness, GraphqlResponse, open_graphql_harness
from tests.operations import validate_text

SITE = "query Site($id: ID!) { site(id: $id) { id name status tenant { name } agents(first: 3) { totalCount } } }"
SEARCH = """query Search($text: String = "", $since: Timestamp = 0) {
  agents(where: {hostname: {contains: $text}, createdAt: {gte: $since}}, first: 5) { totalCount nodes { hostname } }
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def graphql_harness(demo_database_url: str) -> AsyncIterator[GraphqlHarness]:
    async with open_graphql_harness(demo_database_url) as made:
        made.strategy = ExecutionStrategy.AUTO
        yield made


async def load_user_ids(graphql_harness: GraphqlHarness) -> list[str]:
    async with graphql_harness.database.pool.acquire() as connection:
        return [viewer.user_id for viewer in await load_demo_viewers(connection)]


async def load_site_ids(graphql_harness: GraphqlHarness, user: str) -> list[str]:
    answer = await graphql_harness.execute_as_user(user, "{ sites(first: 20) { nodes { id } } }")
    return [site["id"] for site in answer.data["sites"]["nodes"]]


def cached_plans(graphql_harness: GraphqlHarness, query: str) -> list[OperationPlans]:
    book = graphql_harness._document_cache.get_or_parse(query).plans
    return [planned for (of, _), (planned, _) in book.cache._plans.items() if of is book]


async def execute_and_compare_with_loaders(
    graphql_harness: GraphqlHarness, user: str, query: str, **variables: Any
) -> GraphqlResponse:
    """The compiled response, after a check that it equals the loaders' response."""
    compiled = await graphql_harness.execute_as_user(user, query, **variables)
    graphql_harness.strategy = ExecutionStrategy.LOADERS
    through_loaders = await graphql_harness.execute_as_user(user, query, **variables)
    graphql_harness.strategy = ExecutionStrategy.AUTO
    assert (compiled.data, compiled.codes) == (through_loaders.data, through_loaders.codes)
    return compiled


async def test_plan_is_shared_by_all_ids_and_tenants_of_equal_rights(graphql_harness: GraphqlHarness) -> None:
    administrator, _, neighbour = await load_user_ids(graphql_harness)
    for user in (administrator, neighbour):
        for site in await load_site_ids(graphql_harness, user):
            answer = await execute_and_compare_with_loaders(graphql_harness, user, SITE, id=site)
            assert answer.data["site"]["id"] == site
            assert answer.compiled_fields == ("site",)
            assert answer.statements == 1
    assert len(cached_plans(graphql_harness, SITE)) == 1


async def test_plan_compiled_for_one_tenant_returns_none_of_its_rows_to_another(
    graphql_harness: GraphqlHarness,
) -> None:
    administrator, _, neighbour = await load_user_ids(graphql_harness)
    own = (await load_site_ids(graphql_harness, administrator))[0]
    assert (await graphql_harness.execute_as_user(administrator, SITE, id=own)).data["site"] is not None
    assert (await graphql_harness.execute_as_user(neighbour, SITE, id=own)).data == {"site": None}


async def test_plans_of_default_and_given_variables_give_different_totals(
    graphql_harness: GraphqlHarness,
) -> None:
    administrator = (await load_user_ids(graphql_harness))[0]
    totals = [
        (await execute_and_compare_with_loaders(graphql_harness, administrator, SEARCH, **variables)).data[
            "agents"
        ]["totalCount"]
        for variables in ({}, {"text": ""}, {"text": "LT"}, {"text": "WS"}, {"text": "LT", "since": NEVER})
    ]
    assert totals[0] == totals[1] > totals[2] > totals[4] == 0
    assert totals[2] != totals[3]


@pytest.mark.parametrize("operator", ["eq", "neq", "contains", "gte"])
async def test_plan_of_given_operand_is_not_used_for_null_or_absent_ones(
    graphql_harness: GraphqlHarness, operator: str
) -> None:
    administrator = (await load_user_ids(graphql_harness))[0]
    query = f"""query Q($value: String) {{
      agents(where: {{ipAddress: {{{operator}: $value}}, id: {{isNull: false}}}}) {{ totalCount }} }}"""
    refused = ["BAD_USER_INPUT"]
    null_codes: list[str] = [] if operator in ("eq", "neq") else refused
    values: list[dict[str, Any]] = [
        {"value": "10."},
        {"value": None},
        {},
        {"value": "1"},
        {"value": None},
        {},
    ]
    for variables in (*values, *reversed(values)):
        response = await execute_and_compare_with_loaders(graphql_harness, administrator, query, **variables)
        assert response.codes == (
            null_codes if variables == {"value": None} else [] if variables else refused
        )


async def test_plan_compiled_for_other_rights_is_not_used(graphql_harness: GraphqlHarness) -> None:
    administrator, technician, _ = await load_user_ids(graphql_harness)
    query = "query Bills($text: String) { tenantBills(search: $text) { totalCount } sites { totalCount } }"
    assert not (await execute_and_compare_with_loaders(graphql_harness, administrator, query, text="")).codes
    assert (await execute_and_compare_with_loaders(graphql_harness, technician, query, text="")).codes == [
        "FORBIDDEN"
    ]
    assert not (await execute_and_compare_with_loaders(graphql_harness, administrator, query, text="")).codes


async def test_cursors_of_shared_plan_differ_by_tenant_and_filter(graphql_harness: GraphqlHarness) -> None:
    administrator, _, neighbour = await load_user_ids(graphql_harness)
    query = "query Page($text: String) { agents(first: 2, search: $text) { nodes { id } pageInfo { endCursor } } }"
    cursors = {
        (await execute_and_compare_with_loaders(graphql_harness, user, query, text=text)).data["agents"][
            "pageInfo"
        ]["endCursor"]
        for user in (administrator, neighbour)
        for text in ("lt", "ws", "LT")
    }
    assert len(cursors) == 6


async def test_cached_plan_with_unstorable_value_is_bad_user_input(graphql_harness: GraphqlHarness) -> None:
    administrator = (await load_user_ids(graphql_harness))[0]
    for wrong in ("\x00", "\ud800"):
        assert (await graphql_harness.execute_as_user(administrator, SITE, id=wrong)).codes == [
            "BAD_USER_INPUT"
        ]
        assert not (await graphql_harness.execute_as_user(administrator, SITE, id="nothing")).codes
        assert (await graphql_harness.execute_as_user(administrator, SITE, id=wrong)).codes == [
            "BAD_USER_INPUT"
        ]


@pytest.mark.parametrize(
    ("query", "name"), [(SITE, "id"), (SEARCH, "text"), ("{ sites(first: 2) { nodes { id } } }", None)]
)
async def test_batch_gives_each_request_its_own_answer(
    graphql_harness: GraphqlHarness, query: str, name: str | None
) -> None:
    administrator = (await load_user_ids(graphql_harness))[0]
    ids = await load_site_ids(graphql_harness, administrator)
    requests = [{name: value} for value in (*ids, "nothing", ids[0])] if name else [{}] * 3
    separate = [
        (await graphql_harness.execute_as_user(administrator, query, **variables)).data
        for variables in requests
    ]
    assert await execute_batch(graphql_harness, administrator, query, requests) == separate


async def execute_batch(
    graphql_harness: GraphqlHarness, user: str, query: str, requests: list[dict[str, Any]]
) -> list[Any]:
    """All answers by one statement."""
    async with graphql_harness.database.read_transaction() as snapshot:
        viewer = await sign_in(snapshot.connection, Identity(ViewerKind.USER, user, NEVER), None)
        values: list[ParamValues] = []
        plans: Mapping[str, Plan | None] = {}
        for variables in requests:
            operation = validate_text(graphql_harness._document_cache, query, variables)
            coerced = coerce_query_variables(operation)
            assert coerced is not None
            planning = Planner(operation, viewer, coerced)
            values.append(planning.values)
            planned = planning.plan()
            assert planned is not None
            assert planned.is_reusable
            plans = planned.plans
        ((key, plan),) = plans.items()
        assert plan is not None
        batch = plan.build_batch(values)
        before = snapshot.statements
        records = await snapshot.fetch(batch.sql, batch.arguments)
        assert snapshot.statements == before + 1
    answers = {r["number"]: None if r["data"] is None else orjson.loads(r["data"]) for r in records}
    return [{key: answers[number]} for number in range(1, len(requests) + 1)]


async def test_batch_of_two_tenants_raises_value_error(graphql_harness: GraphqlHarness) -> None:
    administrator = (await load_user_ids(graphql_harness))[0]
    await graphql_harness.execute_as_user(administrator, SITE, id="x")
    (planned,) = cached_plans(graphql_harness, SITE)
    plan = planned.plans["site"]
    assert plan is not None
    with pytest.raises(ValueError, match="one tenant"):
        plan.build_batch([{TENANT_SOURCE: "a", "id": "1"}, {TENANT_SOURCE: "b", "id": "1"}])


async def test_reads_of_plan_have_the_values_of_the_request(graphql_harness: GraphqlHarness) -> None:
    administrator = (await load_user_ids(graphql_harness))[0]
    for site in await load_site_ids(graphql_harness, administrator):
        reads = (await graphql_harness.execute_as_user(administrator, SITE, id=site)).reads
        assert [(read.query.table.name, read.query.key) for read in reads][:2] == [
            ("sites", "id"),
            ("tenants", "id"),
        ]
        assert reads[0].keys == (site,)
    for text in ("LT", "WS"):
        (read,) = (await graphql_harness.execute_as_user(administrator, SEARCH, text=text)).reads
        assert read.query.where == {"hostname": {"contains": text}, "createdAt": {"gte": 0}}
