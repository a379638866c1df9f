"""Every mutation of the schema: who follows what it writes is told once, and of what is refused nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio
from graphql import GraphQLEnumType, GraphQLObjectType, GraphQLScalarType, get_named_type

from resolvers.binding import bound_schema
from schema.mutation import MUTATIONS
from schema.table import Table
from schema.tables import BY_NAME
from subscriptions.changes.moment import Moment
from tests.desk import Call, Desk, NewDesk, desks, everything_but, takes_platform
from tests.integration.test_live_catching_up import caught_up
from tests.integration.test_mutations import BY_NAME as DERIVED
from tests.integration.test_mutations import ready
from tests.integration.test_write_verbs import RIGHTS as VERBS
from tests.integration.test_write_verbs import company, good
from tests.live.engine import Engine, Sitting, Told, engine

_SCHEMA: Final = bound_schema()[1]
_FIELDS: Final = _SCHEMA.mutation_type.fields if _SCHEMA.mutation_type else {}
_WRITES: Final = [n for n in _FIELDS if n not in ("createInvitationCode", "createEnrollmentToken")]
"""All but those that make something that is kept nowhere."""
_PAYLOADS: Final = {
    "upsertEntities": ("entities", "Entities.Write"),
    "upsertEntityRelationships": ("entity_relationships", "Entities.Write"),
}
_DEVICE: Final = {"hostname": "new", "platform": "linux", "version": "2.0.0", "guid": "told"}
_OF_AGENTS: Final[dict[str, dict[str, Any]]] = {
    "registerAgent": {"input": _DEVICE},
    "agentCheckin": {"input": {"version": "9.9.9"}},
}
_HEALTH: Final = "subscription { healthCheckChanges { events { resourceId status } } }"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(demo_database: str) -> AsyncIterator[Engine]:
    async with engine(demo_database) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def new_desk(demo_database: str) -> AsyncIterator[NewDesk]:
    async with desks(demo_database) as new:
        yield new


@pytest_asyncio.fixture
async def at(new_desk: NewDesk) -> Desk:
    made = await new_desk()
    await company(made, "c-7", name="Seven")
    return made


@dataclass(frozen=True)
class Case:
    """A good call, the table that it writes, and the right that it takes."""

    call: Call
    table: Table
    right: str


async def case_of(at: Desk, name: str) -> Case:
    """How to try a mutation; a new one needs its place here."""
    if name in DERIVED:
        record, _ = DERIVED[name]
        return Case(await ready(at, name), BY_NAME[record.table], record.write_right)
    if name in VERBS:
        table = MUTATIONS[name].table
        assert table is not None
        return Case(good(at, name), table, VERBS[name])
    ids = at.mine.ids
    if name == "reportHealthCheck":
        given = {"resourceType": "SITE", "resourceId": ids["sites"], "ok": False}
        return Case(Call(MUTATIONS[name], given), BY_NAME["health_checks"], "HealthChecks.Write")
    if name in _OF_AGENTS:
        given = _OF_AGENTS[name] | ({"id": ids["agents"]} if name == "agentCheckin" else {})
        given["input"] = given["input"] | ({"siteId": ids["sites"]} if name == "registerAgent" else {})
        return Case(Call(MUTATIONS[name], given), BY_NAME["agents"], "Agents.Write")
    table_name, right = _PAYLOADS[name]
    return Case(
        Call(MUTATIONS[name], {"input": upserted(name, ids["data_sources"])}), BY_NAME[table_name], right
    )


def upserted(name: str, source: str) -> dict[str, Any]:
    """What a data source delivers: something new."""
    entity = {"entityType": "devices", "externalId": "new", "rawData": {}}
    relationship = {
        "parentType": "devices",
        "parentExternalId": "17",
        "childType": "devices",
        "childExternalId": "18",
        "relationshipType": "told",
    }
    return {"dataSourceId": source, "items": [entity if name == "upsertEntities" else relationship]}


async def sit(live: Engine, at: Desk, case: Case) -> Sitting:
    """Somebody who sees what is written: the platform, or my administrator."""
    if case.table.name == "tenants" or (
        takes_platform(case.call.field) and case.call.field.name not in _OF_AGENTS
    ):
        return await live.sit_as_platform()
    return await live.sit(at.mine.admin)


def following(table: Table) -> str:
    """A live query of all rows of a table, the deleted among them, with all of their columns."""
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


def rows(told: Told, table: Table, number: int) -> dict[str, Any]:
    """The rows that a message had, by their ids."""
    return {row["id"]: row for row in told.states[number]["data"][table.many]["nodes"]}


async def asked(at: Desk, case: Case, who: str | None = None) -> Any:
    """The answer to a call; the payload of a bulk upsert has no id."""
    name = case.call.field.name
    if name in _OF_AGENTS:
        return await asked_for_an_agent(at, case, who)
    if case.call.field.payload is None:
        return await at.ask(case.call, who)
    types = {argument: str(kind.type) for argument, kind in _FIELDS[name].args.items()}
    query = f"mutation($input: {types['input']}) {{ done: {name}(input: $input) {{ created }} }}"
    return await at.graph.as_user(who or at.mine.admin, query, **case.call.given)


async def asked_for_an_agent(at: Desk, case: Case, who: str | None) -> Any:
    """The answer to a call that the platform makes for an agent of mine."""
    declared, passed, result = (
        ("$input: RegisterAgentInput!", "input: $input", "id: deviceId")
        if case.call.field.name == "registerAgent"
        else ("$id: ID!, $input: AgentCheckinInput", "id: $id, input: $input", "id")
    )
    query = f"mutation({declared}) {{ done: {case.call.field.name}({passed}) {{ {result} }} }}"
    if who:
        return await at.graph.as_user(who, query, **case.call.given)
    return await at.graph.as_platform(at.mine.tenant, query, **case.call.given)


@pytest.mark.parametrize("name", _WRITES)
async def test_who_follows_it_is_told(live: Engine, at: Desk, name: str) -> None:
    case = await case_of(at, name)
    sitting = await sit(live, at, case)
    told = await sitting.subscribe(following(case.table), {"snapshot": True}).until(1)
    assert not told.errors
    answer = await asked(at, case)
    assert not answer.errors, (answer.errors, answer.fault)
    wrote = int(answer.extensions["transaction"])
    assert (await caught_up(sitting)).sees(wrote)
    before, after = (Moment.parse(state["extensions"]["snapshot"]) for state in told.states)
    assert (before.sees(wrote), after.sees(wrote)) == (False, True)
    was, is_now = rows(told, case.table, 0), rows(told, case.table, 1)
    changed = {row_id for row_id, row in is_now.items() if was.get(row_id) != row}
    done = answer.data["done"]
    if case.call.field.payload is None or case.call.field.name in _OF_AGENTS:
        assert {row["id"] for row in (done if isinstance(done, list) else [done])} <= changed
    else:
        assert len(changed) == done["created"] == 1
    sitting.session.close()


@pytest.mark.parametrize("name", _WRITES)
async def test_of_what_is_refused_nobody_is(live: Engine, at: Desk, name: str) -> None:
    case = await case_of(at, name)
    clerk = await at.hire(everything_but(case.right) - {case.right.replace("Read", "Write")})
    sitting = await sit(live, at, case)
    told = await sitting.subscribe(following(case.table)).until(1)
    assert (await asked(at, case, clerk)).codes == ["FORBIDDEN"]
    runs = live.runs
    await caught_up(sitting)
    assert len(told.texts) == 1
    assert live.runs == runs
    sitting.session.close()


async def test_a_report_of_health_is_on_the_stream(live: Engine, at: Desk) -> None:
    case = await case_of(at, "reportHealthCheck")
    sitting = await live.sit(at.mine.admin)
    told = await sitting.subscribe(_HEALTH).until(1)
    assert not (await asked(at, case)).errors
    await caught_up(sitting)
    events = told.data["healthCheckChanges"]["events"]
    assert events == [{"resourceId": at.mine.ids["sites"], "status": "DEGRADED"}]
    sitting.session.close()
