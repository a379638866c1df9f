"""Every mutation of the schema: subscribers receive its effect once, and nothing of a refused one."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio
from graphql import GraphQLEnumType, GraphQLObjectType, GraphQLScalarType, get_named_type

from core.database.request_role import RoleMode
from resolvers.loaders.bindings import build_executable_schema
from schema.mutation import MUTATIONS
from schema.table import Table
from schema.tables import BY_NAME
from tests.custom_mutations import RIGHTS as VERBS
from tests.custom_mutations import make_valid_call, write_company
from tests.derived_mutations import BY_NAME as DERIVED
from tests.derived_mutations import prepare_call
from tests.live.live_engine import LiveConnection, LiveEngine, open_live_engine
from tests.live.recording_subscriber import RecordingSubscriber
from tests.live.seen_transactions import wait_until_seen
from tests.mutation_harness import (
    MutationCall,
    MutationHarness,
    NewMutationHarness,
    all_rights_except,
    is_platform_only,
    open_mutation_harnesses,
)
from tests.sealed_tokens import open_snapshot, open_transaction

_SCHEMA: Final = build_executable_schema()[1]
_FIELDS: Final = _SCHEMA.mutation_type.fields if _SCHEMA.mutation_type else {}
_ELSEWHERE: Final = ("createInvitationCode", "createEnrollmentToken", "acceptInvitation")
_WRITES: Final = [name for name in _FIELDS if name not in _ELSEWHERE]
"""All mutations except those with a result that is not stored, and that of persons without a user."""
_PAYLOADS: Final = {
    "upsertEntities": ("entities", "Entities.Write"),
    "upsertEntityRelationships": ("entity_relationships", "Entities.Write"),
}
_IN_BOTH_MODES: Final = ("updateTenant", "createSite", "updateIntegration", *_PAYLOADS)
_DEVICE: Final = {"hostname": "new", "platform": "linux", "version": "2.0.0", "guid": "told"}
_OF_AGENTS: Final[dict[str, dict[str, Any]]] = {
    "registerAgent": {"input": _DEVICE},
    "agentCheckin": {"input": {"version": "9.9.9"}},
}
_HEALTH: Final = "subscription { healthCheckChanges { events { resourceId status } } }"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live_engine(writable_demo_database_url: str) -> AsyncIterator[LiveEngine]:
    async with open_live_engine(writable_demo_database_url) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def new_mutation_harness(
    writable_demo_database_url: str, role_mode: RoleMode
) -> AsyncIterator[NewMutationHarness]:
    forced = role_mode is RoleMode.FORCED
    async with open_mutation_harnesses(writable_demo_database_url, forced=forced) as new:
        yield new


@pytest_asyncio.fixture
async def mutation_harness(mutation_harness: MutationHarness) -> MutationHarness:
    await write_company(mutation_harness, "c-7", name="Seven")
    return mutation_harness


_OF_CREDENTIALS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "revokeCredential": ("issued_credentials", {"id": "ROW"}),
    "revokeCredentials": ("issued_credentials", {"ids": ["ROW"]}),
    "approveReenrollment": ("issued_credentials", {"agentId": ""}),
    "setSiteEnrollmentRule": ("site_enrollment_rules", {"siteId": "", "approvalRequired": True}),
}
"""Table and arguments; ROW stands for the id of my credential."""


_OF_JOBS: Final[Mapping[str, Mapping[str, Any]]] = {
    "createScheduledJob": {"input": {"action": "usage.report"}},
    "createScheduledJobs": {"inputs": [{"action": "usage.report"}]},
    "runJobNow": {"id": "ROW"},
    "runJobsNow": {"ids": ["ROW"]},
    "retryJob": {"id": "ROW"},
    "retryJobs": {"ids": ["ROW"]},
    "cancelJob": {"id": "ROW"},
    "cancelJobs": {"ids": ["ROW"]},
}
"""Arguments; ROW stands for the id of my job."""


@dataclass(frozen=True)
class MutationCase:
    """A valid call, its table, and the right that it takes."""

    call: MutationCall
    table: Table
    right: str


async def make_case(mutation_harness: MutationHarness, name: str) -> MutationCase:
    """The call for a mutation. A new mutation must be added here."""
    if name in DERIVED:
        record, _ = DERIVED[name]
        return MutationCase(
            await prepare_call(mutation_harness, name), BY_NAME[record.table], record.write_right
        )
    if name in VERBS:
        table = MUTATIONS[name].table
        assert table is not None
        return MutationCase(make_valid_call(mutation_harness, name), table, VERBS[name])
    ids = mutation_harness.mine.ids
    if name == "reportHealthCheck":
        given: dict[str, Any] = {"resourceType": "SITE", "resourceId": ids["sites"], "ok": False}
        return MutationCase(
            MutationCall(MUTATIONS[name], given), BY_NAME["health_checks"], "HealthChecks.Write"
        )
    if name in _OF_AGENTS:
        given = _OF_AGENTS[name] | ({"id": ids["agents"]} if name == "agentCheckin" else {})
        given["input"] = given["input"] | ({"siteId": ids["sites"]} if name == "registerAgent" else {})
        return MutationCase(MutationCall(MUTATIONS[name], given), BY_NAME["agents"], "Agents.Write")
    if name in _OF_CREDENTIALS:
        table_name, arguments = _OF_CREDENTIALS[name]
        filled = json.loads(json.dumps(arguments).replace("ROW", ids["issued_credentials"]))
        own = {"agentId": ids["agents"], "siteId": ids["sites"]}
        given = {**filled, **{key: own[key] for key in filled if key in own}}
        return MutationCase(MutationCall(MUTATIONS[name], given), BY_NAME[table_name], "Agents.Write")
    if name in _OF_JOBS:
        job = ids["scheduled_jobs"]
        status = "failed" if name.startswith("retry") else "pending"
        await mutation_harness.update_row("scheduled_jobs", job, action="usage.report", status=status)
        given = json.loads(json.dumps(_OF_JOBS[name]).replace("ROW", job))
        return MutationCase(MutationCall(MUTATIONS[name], given), BY_NAME["scheduled_jobs"], "Jobs.Write")
    table_name, right = _PAYLOADS[name]
    return MutationCase(
        MutationCall(MUTATIONS[name], {"input": make_upsert_input(name, ids["data_sources"])}),
        BY_NAME[table_name],
        right,
    )


def make_upsert_input(name: str, source: str) -> dict[str, Any]:
    """A data source's delivery with a new row."""
    entity = {"entityType": "devices", "externalId": "new", "rawData": {}}
    relationship = {
        "parentType": "devices",
        "parentExternalId": "17",
        "childType": "devices",
        "childExternalId": "18",
        "relationshipType": "told",
    }
    return {"dataSourceId": source, "items": [entity if name == "upsertEntities" else relationship]}


async def connect_viewer(
    live_engine: LiveEngine, mutation_harness: MutationHarness, case: MutationCase
) -> LiveConnection:
    """A session that sees the writes: the platform, or my administrator."""
    if case.table.name == "tenants" or (
        is_platform_only(case.call.field) and case.call.field.name not in _OF_AGENTS
    ):
        return await live_engine.connect_as_platform(mutation_harness.find_tenant(case.call))
    return await live_engine.connect(mutation_harness.mine.administrator_id)


def build_subscription(table: Table) -> str:
    """A live query of all rows of a table, including deleted ones, with all of their columns."""
    type_ = _SCHEMA.type_map[table.type_name]
    assert isinstance(type_, GraphQLObjectType)
    leaves = [
        name
        for name, field in type_.fields.items()
        if isinstance(get_named_type(field.type), GraphQLScalarType | GraphQLEnumType) and name != "config"
    ]
    assert _SCHEMA.query_type
    arguments = "first: 1000" + (
        ", includeDeleted: true" if "includeDeleted" in _SCHEMA.query_type.fields[table.many].args else ""
    )
    return f"subscription {{ {table.many}({arguments}) {{ nodes {{ {' '.join(leaves)} }} }} }}"


def get_rows(subscriber: RecordingSubscriber, table: Table, number: int) -> dict[str, Any]:
    """The rows in a message, by their ids."""
    return {row["id"]: row for row in subscriber.states[number]["data"][table.many]["nodes"]}


async def execute_case(mutation_harness: MutationHarness, case: MutationCase, who: str | None = None) -> Any:
    """The response to a call. The payload of a bulk upsert has no id."""
    name = case.call.field.name
    if name in _OF_AGENTS:
        return await execute_for_agent(mutation_harness, case, who)
    if case.call.field.payload is None or name in _OF_CREDENTIALS:
        return await mutation_harness.execute(case.call, who)
    types = {argument: str(kind.type) for argument, kind in _FIELDS[name].args.items()}
    query = f"mutation($input: {types['input']}) {{ done: {name}(input: $input) {{ created }} }}"
    return await mutation_harness.graphql.execute_as_user(
        who or mutation_harness.mine.administrator_id, query, **case.call.arguments
    )


async def execute_for_agent(mutation_harness: MutationHarness, case: MutationCase, who: str | None) -> Any:
    """The response to a call of the platform for an agent of mine."""
    declared, passed, result = (
        ("$input: RegisterAgentInput!", "input: $input", "id: deviceId")
        if case.call.field.name == "registerAgent"
        else ("$id: ID!, $input: AgentCheckinInput", "id: $id, input: $input", "id")
    )
    query = f"mutation({declared}) {{ done: {case.call.field.name}({passed}) {{ {result} }} }}"
    if who:
        return await mutation_harness.graphql.execute_as_user(who, query, **case.call.arguments)
    return await mutation_harness.graphql.execute_as_platform(
        mutation_harness.mine.tenant_id, query, **case.call.arguments
    )


@pytest.mark.newest
@pytest.mark.parametrize("name", [name for name in _WRITES if name not in _IN_BOTH_MODES])
async def test_mutation_sends_its_rows_to_subscribers_once(
    live_engine: LiveEngine, mutation_harness: MutationHarness, name: str
) -> None:
    await check_rows_are_sent_once(live_engine, mutation_harness, name)


@pytest.mark.role_modes
@pytest.mark.parametrize("name", _IN_BOTH_MODES)
async def test_mutation_in_any_role_mode_sends_its_rows_to_subscribers_once(
    live_engine: LiveEngine, mutation_harness: MutationHarness, name: str
) -> None:
    await check_rows_are_sent_once(live_engine, mutation_harness, name)


async def check_rows_are_sent_once(
    live_engine: LiveEngine, mutation_harness: MutationHarness, name: str
) -> None:
    """Call a mutation. A subscriber of its table receives the written rows in one state."""
    case = await make_case(mutation_harness, name)
    connection = await connect_viewer(live_engine, mutation_harness, case)
    subscriber = await connection.subscribe(
        build_subscription(case.table), {"snapshot": True}
    ).wait_for_states(1)
    assert not subscriber.errors
    answer = await execute_case(mutation_harness, case)
    assert not answer.errors, (answer.errors, answer.traceback)
    assert await wait_until_seen(connection, answer.extensions["transaction"])
    wrote = int(open_transaction(answer.extensions["transaction"]))
    before, after = (open_snapshot(state["extensions"]["snapshot"]) for state in subscriber.states)
    assert (before.is_visible(wrote), after.is_visible(wrote)) == (False, True)
    was, is_now = get_rows(subscriber, case.table, 0), get_rows(subscriber, case.table, 1)
    changed = {row_id for row_id, row in is_now.items() if was.get(row_id) != row}
    done = answer.data["done"]
    if name == "approveReenrollment":  # it returns the agent, and writes its credential
        assert changed == {mutation_harness.mine.ids["issued_credentials"]}
    elif case.call.field.payload is None or name in _OF_AGENTS or name in _OF_CREDENTIALS:
        assert {row["id"] for row in (done if isinstance(done, list) else [done])} <= changed
    else:
        assert len(changed) == done["created"] == 1
    connection.session.close()


@pytest.mark.newest
@pytest.mark.parametrize("name", _WRITES)
async def test_mutation_forbidden_sends_nothing_to_subscribers(
    live_engine: LiveEngine, mutation_harness: MutationHarness, name: str
) -> None:
    case = await make_case(mutation_harness, name)
    clerk = await mutation_harness.add_user(
        all_rights_except(case.right) - {case.right.replace("Read", "Write")}
    )
    connection = await connect_viewer(live_engine, mutation_harness, case)
    subscriber = await connection.subscribe(build_subscription(case.table)).wait_for_states(1)
    assert (await execute_case(mutation_harness, case, clerk)).codes == ["FORBIDDEN"]
    runs = live_engine.run_count
    await live_engine.wait_until_settled()
    assert len(subscriber.texts) == 1
    assert live_engine.run_count == runs
    connection.session.close()


async def test_report_health_check_is_sent_on_the_stream(
    live_engine: LiveEngine, mutation_harness: MutationHarness
) -> None:
    case = await make_case(mutation_harness, "reportHealthCheck")
    connection = await live_engine.connect(mutation_harness.mine.administrator_id)
    subscriber = await connection.subscribe(_HEALTH).wait_for_states(1)
    assert not (await execute_case(mutation_harness, case)).errors
    await live_engine.wait_until_settled()
    events = subscriber.data["healthCheckChanges"]["events"]
    assert events == [{"resourceId": mutation_harness.mine.ids["sites"], "status": "DEGRADED"}]
    connection.session.close()
