"""Online agents: equal with both strategies, one time for a whole request; and the clock of live answers."""

import random
from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from core.auth.viewer import ViewerKind
from core.database.database import Database
from core.limits import CLOCK_BACK_MAX_MS, CLOCK_SKEW_MAX_MS, CLOCK_STEP_MS, EXPIRED_ROWS_MAX
from core.settings import Settings
from schema.agents import AGENTS
from subscriptions.change_log.change import Change, ChangedRow, ChangeKind, ChangeOrigin
from subscriptions.clock import expiry_queue
from subscriptions.clock.expiry_queue import IS_ONLINE, ExpiryQueue, load_expired
from subscriptions.clock.online_clock import OnlineClock
from tests.clusters import ThrowawayCluster
from tests.graphql_harness import GraphqlHarness, Principal
from tests.integration.client import Client, open_client
from tests.sample_rows import build_row, insert_row, insert_tenant_rows

OFF: Final = 180_000
NOW: Final = 1_700_000_000_000
AHEAD: Final = CLOCK_SKEW_MAX_MS


@pytest_asyncio.fixture
async def graphql_client(cluster: ThrowawayCluster, demo_template: str) -> AsyncIterator[Client]:
    name = await cluster.create_database(demo_template)
    async with open_client(cluster.build_dsn(name)) as made:
        yield made
    await cluster.drop_database(name)


@pytest_asyncio.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def _spread_check_ins(graphql_client: Client, offline_after: int = OFF) -> dict[str, bool]:
    """Set the tenant's agents' check-ins around the limit, well before it and never; returns by id who is online."""
    await graphql_client.execute_sql(
        """WITH spread AS (
               SELECT id, row_number() OVER (ORDER BY id) % 5 AS n FROM agents WHERE tenant_id = $1)
           UPDATE agents a SET last_checkin_at = CASE n
               WHEN 0 THEN NULL WHEN 1 THEN app.now_ms() WHEN 2 THEN app.now_ms() - $2 + 60000
               WHEN 3 THEN app.now_ms() - $2 - 1 ELSE app.now_ms() - 86400000 END
           FROM spread WHERE a.id = spread.id""",
        graphql_client.tenant_id,
        offline_after,
    )
    rows = await graphql_client.owner.fetch(
        "SELECT id, row_number() OVER (ORDER BY id) % 5 IN (1, 2) FROM agents WHERE tenant_id = $1",
        graphql_client.tenant_id,
    )
    return {row[0]: row[1] for row in rows}


LISTED: Final = """{
    agents(first: 1000, includeDeleted: true) { nodes { id isOnline } totalCount }
    online: agents(first: 1000, includeDeleted: true, where: {isOnline: {eq: true}}) { nodes { id } totalCount }
    offline: agents(first: 1000, includeDeleted: true, where: {isOnline: {neq: true}}) { nodes { id } totalCount }
    never: agents(includeDeleted: true, where: {isOnline: {isNull: true}}) { totalCount }
}"""


async def test_is_online_with_recent_check_in_is_true(graphql_client: Client) -> None:
    expected = await _spread_check_ins(graphql_client)
    who = Principal("administrator", ViewerKind.USER, graphql_client.administrator)
    loaded, compiled = await graphql_client.graphql.execute_with_both_strategies(who, LISTED, {})
    assert set(compiled.compiled_fields) == {"agents", "online", "offline", "never"}
    assert loaded.data == compiled.data
    data = loaded.data
    assert {node["id"]: node["isOnline"] for node in data["agents"]["nodes"]} == expected
    assert {node["id"] for node in data["online"]["nodes"]} == {i for i, on in expected.items() if on}
    assert {node["id"] for node in data["offline"]["nodes"]} == {i for i, on in expected.items() if not on}
    assert data["online"]["totalCount"] + data["offline"]["totalCount"] == data["agents"]["totalCount"]
    assert data["never"]["totalCount"] == 0
    assert 0 < data["online"]["totalCount"] < data["agents"]["totalCount"]


async def test_is_online_filter_in_nested_counts_adds_up(graphql_client: Client) -> None:
    await _spread_check_ins(graphql_client)
    counted = """online: agents(where: {isOnline: {eq: true}}) { totalCount }
                 offline: agents(where: {isOnline: {eq: false}}) { totalCount } agents { totalCount }"""
    query = f"{{ viewer {{ tenant {{ {counted} }} }} sites {{ nodes {{ {counted} }} }} }}"
    who = Principal("administrator", ViewerKind.USER, graphql_client.administrator)
    loaded, compiled = await graphql_client.graphql.execute_with_both_strategies(who, query, {})
    assert loaded.data == compiled.data
    for counts in (loaded.data["viewer"]["tenant"], *loaded.data["sites"]["nodes"]):
        online, offline = counts["online"]["totalCount"], counts["offline"]["totalCount"]
        assert online + offline == counts["agents"]["totalCount"]
    assert loaded.data["viewer"]["tenant"]["online"]["totalCount"] > 1


async def test_is_online_through_a_relation_is_answered(graphql_client: Client) -> None:
    expected = await _spread_check_ins(graphql_client)
    query = "{ healthChecks(first: 1000) { nodes { resource { ... on Agent { id isOnline deletedAt } } } } }"
    who = Principal("administrator", ViewerKind.USER, graphql_client.administrator)
    loaded, compiled = await graphql_client.graphql.execute_with_both_strategies(who, query, {})
    assert loaded.data == compiled.data
    found = [node["resource"] for node in loaded.data["healthChecks"]["nodes"] if node["resource"]]
    agents = {agent["id"]: agent["isOnline"] for agent in found if agent}
    assert agents
    assert agents == {agent: expected[agent] for agent in agents}


async def test_is_online_as_order_is_refused(graphql_client: Client) -> None:
    """Its value changes with time, so that a cursor of it would be wrong when it is used."""
    answer = await graphql_client.execute("{ agents(orderBy: [{field: IS_ONLINE}]) { totalCount } }")
    assert answer.codes == ["BAD_USER_INPUT"]


async def test_is_online_uses_the_offline_after_setting(graphql_client: Client) -> None:
    await _spread_check_ins(graphql_client, 7_000)
    database = await Database.connect(graphql_client.graphql.database._dsn, Settings(agent_offline_after=7))
    try:
        query = "{ agents(includeDeleted: true, where: {isOnline: {eq: true}}) { totalCount } }"
        few = await GraphqlHarness(database).execute_as_user(graphql_client.administrator, query)
        many = await graphql_client.execute(query)
    finally:
        await database.close()
    assert 0 < few.data["agents"]["totalCount"] < many.data["agents"]["totalCount"]


async def test_online_since_in_one_request_is_constant(graphql_client: Client) -> None:
    """However long it takes: an agent that goes offline during the request is online in all of it."""
    async with graphql_client.graphql.database.read_transaction(platform=True) as snapshot:
        first = (await snapshot.fetch("SELECT app.online_since()", ()))[0][0]
        await snapshot.fetch("SELECT pg_sleep(0.05)", ())
        statement, again = (await snapshot.fetch("SELECT app.now_ms(), app.online_since()", ()))[0]
        assert again == first
        assert statement - OFF >= first + 50
        await snapshot.fetch("SELECT set_config('app.clock_ms', '1000000', true)", ())
        assert (await snapshot.fetch("SELECT app.online_since()", ()))[0][0] == 1_000_000 - OFF


async def test_is_online_threshold_is_computed_once_per_statement(graphql_client: Client) -> None:
    online = AGENTS.columns["is_online"].sql("t")
    found = await graphql_client.owner.fetch(f"EXPLAIN SELECT {online} FROM agents t WHERE {online}")
    plan = "\n".join(row[0] for row in found)
    assert sum(line.strip().startswith("InitPlan") for line in plan.split("\n")) == 4
    assert "SubPlan" not in plan


class AgentWriter:
    """Agents of two tenants by their last check-in."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self._tenants: list[dict[str, str]] = []

    async def write_tenants(self) -> "AgentWriter":
        self._tenants = [await insert_tenant_rows(self.connection, name) for name in ("north", "south")]
        await self.connection.execute("UPDATE agents SET last_checkin_at = NULL")
        return self

    async def add_agents(self, *checkins: int | None, tenant: int = 0) -> list[str]:
        ids = self._tenants[tenant]
        made: list[str] = []
        for at in checkins:
            row = {
                **build_row("agents", "north", ids),
                "last_checkin_at": at,
                "guid": f"g{len(made)}-{at}-{tenant}",
            }
            made.append(await insert_row(self.connection, "agents", row))
        return made


@pytest_asyncio.fixture
async def agent_writer(connection: asyncpg.Connection) -> AgentWriter:
    return await AgentWriter(connection).write_tenants()


def collect_rows(changes: tuple[Change, ...]) -> dict[str, ChangedRow]:
    assert all(change.kind is ChangeKind.UPDATE and change.table == "agents" for change in changes)
    return {row.id: row for change in changes for row in change.rows or ()}


async def test_expired_between_two_times_are_loaded_with_their_rows(agent_writer: AgentWriter) -> None:
    """An agent is online at a time if its last check-in is at most so long ago."""
    before, edge, last, still, _never = await agent_writer.add_agents(
        NOW - OFF - 11, NOW - OFF - 10, NOW - OFF - 1, NOW - OFF, None
    )
    (south,) = await agent_writer.add_agents(NOW - OFF - 5, tenant=1)
    found = collect_rows(await load_expired(agent_writer.connection, NOW - 10, NOW, OFF))
    assert set(found) == {edge, last, south}
    assert {before, still}.isdisjoint(found)
    row = found[edge]
    assert row.columns == {IS_ONLINE}
    assert row.before == row.after
    stored = await agent_writer.connection.fetchrow("SELECT * FROM agents WHERE id = $1", edge)
    assert stored is not None
    assert row.after == dict(stored)
    assert await load_expired(agent_writer.connection, NOW, NOW, OFF) == ()


async def test_expiry_queue_load_gives_the_next_check_in_to_expire(agent_writer: AgentWriter) -> None:
    assert (await ExpiryQueue.load(agent_writer.connection, NOW, OFF)).first_check_in is None
    await agent_writer.add_agents(NOW - OFF - 1, None)
    assert (await ExpiryQueue.load(agent_writer.connection, NOW, OFF)).first_check_in is None
    await agent_writer.add_agents(NOW - 5)
    assert (await ExpiryQueue.load(agent_writer.connection, NOW, OFF)).first_check_in == NOW - 5
    await agent_writer.add_agents(NOW - OFF)
    assert (await ExpiryQueue.load(agent_writer.connection, NOW, OFF)).first_check_in == NOW - OFF


async def test_expired_over_the_limit_are_one_change_by_tenant(agent_writer: AgentWriter) -> None:
    await agent_writer.connection.execute(
        """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version, last_checkin_at)
           SELECT tenant_id, site_id, guid || n, hostname, platform, version, $1
           FROM agents, generate_series(1, $2) n WHERE tenant_id IN (SELECT id FROM tenants WHERE name = 'north')""",
        NOW - OFF - 1,
        EXPIRED_ROWS_MAX + 1,
    )
    (change,) = await load_expired(agent_writer.connection, NOW - 1, NOW, OFF)
    north = await agent_writer.connection.fetchval("SELECT id FROM tenants WHERE name = 'north'")
    assert (change.rows, change.tenants, change.columns) == (None, frozenset({north}), frozenset({IS_ONLINE}))


def make_check_in(agent: str, before: int | None, after: int | None) -> Change:
    row = ChangedRow(
        agent, {"last_checkin_at": before}, {"last_checkin_at": after}, frozenset({"last_checkin_at"})
    )
    return Change("agents", ChangeKind.UPDATE, ChangeOrigin(7, 1, NOW), (row,))


async def test_clock_advance_loads_only_when_an_agent_expires(agent_writer: AgentWriter) -> None:
    first, _second = await agent_writer.add_agents(NOW - 100_000, NOW)
    clock = await OnlineClock.open(agent_writer.connection, NOW, OFF)
    assert clock.next_due_ms == clock.due == NOW + 80_001
    assert await clock.advance(agent_writer.connection, NOW + 80_000, ()) == ()
    assert clock.time == NOW + 80_000
    change = await clock.advance(agent_writer.connection, NOW + 80_001, ())
    assert set(collect_rows(change)) == {first}
    assert (clock.time, clock.due) == (NOW + 80_001, NOW + OFF + 1)


async def test_clock_advance_to_a_future_check_in_sets_agent_online(agent_writer: AgentWriter) -> None:
    (agent,) = await agent_writer.add_agents(NOW + AHEAD + 500)
    clock = await OnlineClock.open(agent_writer.connection, NOW, OFF)
    assert clock.due == NOW + 500
    assert await clock.advance(agent_writer.connection, NOW + 499, ()) == ()
    assert set(collect_rows(await clock.advance(agent_writer.connection, NOW + 500, ()))) == {agent}
    assert clock.due == NOW + AHEAD + 500 + OFF + 1


async def test_clock_advance_before_the_next_step_keeps_its_time(agent_writer: AgentWriter) -> None:
    made = await agent_writer.add_agents(*(NOW - OFF + n for n in range(30)))
    clock = await OnlineClock.open(agent_writer.connection, NOW, OFF)
    assert set(collect_rows(await clock.advance(agent_writer.connection, NOW + 10, ()))) == set(made[:10])
    next_due_ms = clock.next_due_ms
    assert next_due_ms == NOW + 10 + CLOCK_STEP_MS
    assert await clock.advance(agent_writer.connection, NOW + 20, ()) == ()
    assert clock.time == NOW + 10  # the eleventh agent counts as online still
    later = await clock.advance(agent_writer.connection, NOW + 10 + CLOCK_STEP_MS, ())
    assert set(collect_rows(later)) == set(made[10:])
    assert (clock.due, clock.next_due_ms) == (None, None)


async def test_clock_advance_with_earlier_check_in_moves_due_time(agent_writer: AgentWriter) -> None:
    (agent,) = await agent_writer.add_agents(NOW)
    clock = await OnlineClock.open(agent_writer.connection, NOW, OFF)
    change = make_check_in(agent, NOW, NOW - OFF + 30)
    assert await clock.advance(agent_writer.connection, NOW + 5, (change,)) == (change,)
    assert clock.due == NOW + 31
    coarse = Change("agents", ChangeKind.INSERT, ChangeOrigin(7, 2, NOW), None)
    assert await clock.advance(agent_writer.connection, NOW + 6, (coarse,)) == (coarse,)
    assert clock.due == NOW + OFF + 1  # read again


async def test_clock_check_in_of_offline_agent_changes_is_online(agent_writer: AgentWriter) -> None:
    (agent,) = await agent_writer.add_agents(NOW)
    clock = await OnlineClock.open(agent_writer.connection, NOW, OFF)
    heartbeat, back = make_check_in(agent, NOW - 60_000, NOW), make_check_in(agent, NOW - OFF - 900, NOW)
    change = await clock.advance(agent_writer.connection, NOW + 1, (heartbeat, back))
    assert change[0] is heartbeat
    assert collect_rows(change[1:])[agent].columns == {"last_checkin_at", IS_ONLINE}


async def test_clock_set_back_reports_a_change_of_all_agents(agent_writer: AgentWriter) -> None:
    await agent_writer.add_agents(NOW)
    clock = await OnlineClock.open(agent_writer.connection, NOW, OFF)
    assert await clock.advance(agent_writer.connection, NOW - CLOCK_BACK_MAX_MS, ()) == ()
    assert clock.time == NOW
    (change,) = await clock.advance(agent_writer.connection, NOW - 3_600_000, ())
    assert (change.rows, change.tenants, change.columns) == (None, None, frozenset({IS_ONLINE}))
    assert clock.time == NOW - 3_600_000
    assert clock.due == NOW - AHEAD, "what was the present is in the future now"


@pytest.mark.parametrize("known", [1, 3, 1_000])
async def test_clock_with_small_queue_reports_every_expired_agent(
    agent_writer: AgentWriter, known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of the clock with check-ins between them, compared with the table: no change is missed."""
    monkeypatch.setattr(expiry_queue, "EXPIRIES_CACHED_MAX", known)
    dice = random.Random(known)  # noqa: S311 - the same cases each time
    checkins: dict[str, int | None] = dict.fromkeys(await agent_writer.add_agents(*[None] * 12))
    clock, before, turned_ones = await OnlineClock.open(agent_writer.connection, NOW, OFF), set[str](), 0
    for step in range(400):
        now = clock.time + dice.choice([1, CLOCK_STEP_MS, CLOCK_STEP_MS, OFF // 3, OFF])
        changes = []
        for agent in dice.sample(sorted(checkins), dice.randrange(5)):
            at = now - dice.choice([0, 0, OFF // 2, OFF - 100, OFF + 100, -AHEAD, -AHEAD - 1, -AHEAD - OFF])
            changes.append(make_check_in(agent, checkins[agent], at))
            checkins[agent] = at
            await agent_writer.connection.execute(
                "UPDATE agents SET last_checkin_at = $1 WHERE id = $2", at, agent
            )
        if step % 50 == 49:  # a change without a tenant
            changes = [Change("agents", ChangeKind.UPDATE, ChangeOrigin(7, 1, now), None)]
        dice.shuffle(changes)
        seen_changes = await clock.advance(agent_writer.connection, now, changes)
        after = {
            agent
            for agent, at in checkins.items()
            if at is not None and clock.time - OFF <= at <= clock.time + AHEAD
        }
        named = {row.id for change in seen_changes for row in change.rows or () if IS_ONLINE in row.columns}
        if all(change.rows is not None for change in seen_changes):
            assert before ^ after <= named
            turned_ones += len(before - after)
        before = after
    assert turned_ones > 30
