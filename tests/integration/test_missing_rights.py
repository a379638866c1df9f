"""A missing right nulls its field and names the right. The rest of the response stands, over every transport."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio
from graphql import GraphQLNonNull

from core.auth.viewer import ViewerKind
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.loaders.bindings import build_executable_schema
from schema.mutation import MUTATIONS
from tests.graphql_harness import Principal
from tests.http_harness import HttpHarness, open_http_harness
from tests.integration.client import Client
from tests.live.live_engine import LiveEngine
from tests.mutation_harness import MutationCall, MutationHarness

pytestmark = pytest.mark.newest

QUERY: Final = """{ viewer { rights } auditLog { totalCount } agents { totalCount }
    siteIntegrationsView { totalCount } }"""
FORBIDDEN: Final = {"code": "FORBIDDEN", "right": "Audit.Read"}
SET_RIGHTS: Final = "UPDATE roles SET rights = $2 WHERE id = (SELECT role_id FROM users WHERE id = $1)"


def test_root_fields_are_all_nullable() -> None:
    schema = build_executable_schema()[1]
    assert schema.query_type is not None
    assert schema.subscription_type is not None
    assert not [name for name, f in schema.query_type.fields.items() if isinstance(f.type, GraphQLNonNull)]
    for name, field in schema.query_type.fields.items():
        assert str(schema.subscription_type.fields[name].type) == str(field.type)


async def test_missing_right_nulls_only_its_root_field(shared_client: Client) -> None:
    principal = Principal("technician", ViewerKind.USER, shared_client.technician)
    one, other = await shared_client.graphql.execute_with_both_strategies(principal, QUERY, {})
    assert (one.data, one.errors) == (other.data, other.errors)
    assert other.compiled_fields == ("viewer", "agents", "siteIntegrationsView")
    assert one.data["auditLog"] is None
    assert all(one.data[name] for name in ("viewer", "agents", "siteIntegrationsView"))
    (error,) = one.errors
    assert (error["path"], error["extensions"]) == (["auditLog"], FORBIDDEN)


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=[ExecutionStrategy.AUTO, ExecutionStrategy.LOADERS], ids=str
)
async def both_ways(demo_database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[HttpHarness]:
    """A server with each strategy."""
    async with open_http_harness(demo_database_url, reads=request.param.value) as opened:
        yield opened


async def test_missing_right_over_http_keeps_the_other_root_fields(both_ways: HttpHarness) -> None:
    for query in (QUERY, "{ auditLog { totalCount } }", '{ auditLogEntry(id: "x") { id } }'):
        response = await both_ways.post_query(query, user=1)
        data, (error,) = response.json()["data"], response.json()["errors"]
        assert response.status_code == 200
        assert error["extensions"] == FORBIDDEN
        assert {name for name, value in data.items() if value is None} == {*error["path"]}


async def test_live_query_without_right_becomes_live_when_the_right_is_given(
    live_engine: LiveEngine,
) -> None:
    user = live_engine.user_ids[1]
    former = await live_engine.execute_sql(
        "SELECT rights FROM roles WHERE id = (SELECT role_id FROM users WHERE id = $1)", user
    )
    connection = await live_engine.connect(1)
    subscriber = await connection.subscribe("subscription { auditLog { totalCount } }").wait_for_states(1)
    others = await connection.subscribe("subscription { agents { totalCount } }").wait_for_states(1)
    assert subscriber.data == {"auditLog": None}
    assert subscriber.states[-1]["errors"][0]["extensions"] == FORBIDDEN
    assert others.data["agents"]["totalCount"] > 0
    await live_engine.execute_sql(SET_RIGHTS, user, '{"Audit.Read": true}')
    await subscriber.wait_for_states(2)
    count = subscriber.data["auditLog"]["totalCount"]
    assert "errors" not in subscriber.states[-1]
    await live_engine.execute_sql(
        "INSERT INTO audit_log (tenant_id, actor_type, table_name, record_id, action, changes) "
        "VALUES ($1, 'system', 'sites', 'x', 'update', '{}')",
        live_engine.tenant_id,
    )
    await subscriber.wait_for_states(3)
    assert subscriber.data == {"auditLog": {"totalCount": count + 1}}
    await others.wait_for_states(2)
    assert (others.data, others.errors) == ({"agents": None}, None)
    await live_engine.execute_sql(SET_RIGHTS, user, former)


async def test_live_query_with_a_forbidden_field_delivers_the_others(live_engine: LiveEngine) -> None:
    query = """subscription { viewer { tenant {
        name auditLog { totalCount } agents(first: 1) { totalCount } } } }"""
    subscriber = await (await live_engine.connect(1)).subscribe(query).wait_for_states(1)
    tenant = subscriber.data["viewer"]["tenant"]
    assert tenant["auditLog"] is None
    await live_engine.execute_sql(
        "UPDATE agents SET deleted_at = 1 WHERE id = (SELECT min(id) FROM agents WHERE tenant_id = $1 "
        "AND deleted_at IS NULL)",
        live_engine.tenant_id,
    )
    await subscriber.wait_for_states(2)
    assert subscriber.data["viewer"]["tenant"]["agents"]["totalCount"] == tenant["agents"]["totalCount"] - 1
    assert subscriber.states[-1]["errors"][0]["extensions"] == FORBIDDEN


@pytest.mark.parametrize(
    "field", ['sites(after: "x") { totalCount }', "sites(where: {name: {}}) { totalCount }"]
)
async def test_live_query_with_invalid_arguments_ends_with_an_error(
    live_engine: LiveEngine, field: str
) -> None:
    subscriber = (await live_engine.connect()).subscribe(f"subscription {{ {field} }}")
    await subscriber.wait_for_error()
    assert (subscriber.code, subscriber.texts) == ("BAD_USER_INPUT", [])


async def test_forbidden_of_several_rights_names_all_of_them(mutation_harness: MutationHarness) -> None:
    clerk = await mutation_harness.add_user({"Sites.Write"})
    call = MutationCall(MUTATIONS["revokeCredentials"], {"ids": ["x"]})
    answer = await mutation_harness.execute(call, clerk)
    assert answer.errors[0]["extensions"] == {"code": "FORBIDDEN", "rights": ["Agents.Write", "Users.Write"]}


async def test_granting_a_right_beyond_own_names_the_right(mutation_harness: MutationHarness) -> None:
    clerk = await mutation_harness.add_user({"Roles.Write", "Sites.Read"})
    given = {"name": "More", "description": "", "rights": {"Sites.Write": True}}
    answer = await mutation_harness.execute(MutationCall(MUTATIONS["createRole"], {"input": given}), clerk)
    assert answer.errors[0]["extensions"] == {"code": "FORBIDDEN", "right": "Sites.Write"}


async def _run_document(mutation_harness: MutationHarness, fields: str) -> Any:
    return await mutation_harness.graphql.execute_as_user(
        mutation_harness.mine.administrator_id, f"mutation {{ {fields} }}"
    )


CREATE: Final = '{}: createSite(input: {{name: "{}"}}) {{ id }}'
FAIL: Final = 'bad: deleteSite(id: "no-such") { id }'


async def test_mutation_that_fails_lists_the_committed_fields(mutation_harness: MutationHarness) -> None:
    first, second = CREATE.format("one", "One"), CREATE.format("two", "Two")
    answer = await _run_document(
        mutation_harness, f"{first} {second} {FAIL} {CREATE.format('three', 'Three')}"
    )
    assert (answer.data, answer.codes) == (None, ["NOT_FOUND"])
    assert answer.extensions["committed"] == ["one", "two"]
    names = "SELECT array_agg(name ORDER BY name) FROM sites WHERE tenant_id = $1 AND name IN ('One', 'Two', 'Three')"
    tenant = mutation_harness.mine.tenant_id
    assert await mutation_harness.connection.fetchval(names, tenant) == ["One", "Two"]


async def test_mutation_without_a_failure_or_a_commit_lists_nothing(
    mutation_harness: MutationHarness,
) -> None:
    for fields in (CREATE.format("one", "Another"), FAIL, f"{FAIL} {CREATE.format('one', 'Last')}"):
        assert "committed" not in (await _run_document(mutation_harness, fields)).extensions
