"""Who is online: the same either way of running, of one moment for a whole request; and the clock of live answers."""

import random
from collections.abc import AsyncIterator
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from core.database import Database
from core.limits import CLOCK_BACK_MAX_MS, CLOCK_STEP_MS, TURNED_ROWS_MAX
from core.settings import Settings
from core.viewer import ViewerKind
from schema.agents import AGENTS
from subscriptions.changes.change import Change, ChangedRow, ChangeKind
from subscriptions.engine import turns
from subscriptions.engine.clock import Clock
from subscriptions.engine.turns import IS_ONLINE, Turns, turned
from tests.clusters import ThrowawayCluster
from tests.graph import Graph, Who
from tests.integration.asking import Asking, asking
from tests.rows import row_of, write, write_tenant

OFF: Final = 180_000
NOW: Final = 1_700_000_000_000


@pytest_asyncio.fixture
async def demo(cluster: ThrowawayCluster, demo_template: str) -> AsyncIterator[Asking]:
    name = await cluster.create(demo_template)
    async with asking(cluster.dsn(name)) as made:
        yield made
    await cluster.drop(name)


@pytest_asyncio.fixture
async def fleet(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def _spread(demo: Asking, offline_after: int = OFF) -> dict[str, bool]:
    """Have the tenant's agents check in around the edge, well before it and never; by id, who is online."""
    await demo.write(
        """WITH spread AS (
               SELECT id, row_number() OVER (ORDER BY id) % 5 AS n FROM agents WHERE tenant_id = $1)
           UPDATE agents a SET last_checkin_at = CASE n
               WHEN 0 THEN NULL WHEN 1 THEN app.now_ms() WHEN 2 THEN app.now_ms() - $2 + 60000
               WHEN 3 THEN app.now_ms() - $2 - 1 ELSE app.now_ms() - 86400000 END
           FROM spread WHERE a.id = spread.id""",
        demo.tenant_id,
        offline_after,
    )
    rows = await demo.owner.fetch(
        "SELECT id, row_number() OVER (ORDER BY id) % 5 IN (1, 2) FROM agents WHERE tenant_id = $1",
        demo.tenant_id,
    )
    return {row[0]: row[1] for row in rows}


LISTED: Final = """{
    agents(first: 1000, includeDeleted: true) { nodes { id isOnline } totalCount }
    online: agents(first: 1000, includeDeleted: true, where: {isOnline: {eq: true}}) { nodes { id } totalCount }
    offline: agents(first: 1000, includeDeleted: true, where: {isOnline: {neq: true}}) { nodes { id } totalCount }
    never: agents(includeDeleted: true, where: {isOnline: {isNull: true}}) { totalCount }
}"""


async def test_an_agent_is_online_while_its_last_check_in_is_recent(demo: Asking) -> None:
    expected = await _spread(demo)
    who = Who("administrator", ViewerKind.USER, demo.administrator)
    loaded, compiled = await demo.graph.both_ways(who, LISTED, {})
    assert set(compiled.compiled) == {"agents", "online", "offline", "never"}
    assert loaded.data == compiled.data
    data = loaded.data
    assert {node["id"]: node["isOnline"] for node in data["agents"]["nodes"]} == expected
    assert {node["id"] for node in data["online"]["nodes"]} == {i for i, on in expected.items() if on}
    assert {node["id"] for node in data["offline"]["nodes"]} == {i for i, on in expected.items() if not on}
    assert data["online"]["totalCount"] + data["offline"]["totalCount"] == data["agents"]["totalCount"]
    assert data["never"]["totalCount"] == 0
    assert 0 < data["online"]["totalCount"] < data["agents"]["totalCount"]


async def test_sites_and_tenants_are_asked_for_their_counts(demo: Asking) -> None:
    await _spread(demo)
    counted = """online: agents(where: {isOnline: {eq: true}}) { totalCount }
                 offline: agents(where: {isOnline: {eq: false}}) { totalCount } agents { totalCount }"""
    query = f"{{ viewer {{ tenant {{ {counted} }} }} sites {{ nodes {{ {counted} }} }} }}"
    who = Who("administrator", ViewerKind.USER, demo.administrator)
    loaded, compiled = await demo.graph.both_ways(who, query, {})
    assert loaded.data == compiled.data
    for counts in (loaded.data["viewer"]["tenant"], *loaded.data["sites"]["nodes"]):
        online, offline = counts["online"]["totalCount"], counts["offline"]["totalCount"]
        assert online + offline == counts["agents"]["totalCount"]
    assert loaded.data["viewer"]["tenant"]["online"]["totalCount"] > 1


async def test_it_can_be_asked_for_through_a_relation(demo: Asking) -> None:
    expected = await _spread(demo)
    query = "{ healthChecks(first: 1000) { nodes { resource { ... on Agent { id isOnline deletedAt } } } } }"
    who = Who("administrator", ViewerKind.USER, demo.administrator)
    loaded, compiled = await demo.graph.both_ways(who, query, {})
    assert loaded.data == compiled.data
    found = [node["resource"] for node in loaded.data["healthChecks"]["nodes"] if node["resource"]]
    agents = {agent["id"]: agent["isOnline"] for agent in found if agent}
    assert agents
    assert agents == {agent: expected[agent] for agent in agents}


async def test_it_orders_nothing(demo: Asking) -> None:
    """Its value changes with time, so that a cursor of it would be wrong when it is used."""
    answer = await demo.ask("{ agents(orderBy: [{field: IS_ONLINE}]) { totalCount } }")
    assert answer.codes == ["BAD_USER_INPUT"]


async def test_how_recent_is_a_setting(demo: Asking) -> None:
    await _spread(demo, 7_000)
    database = await Database.connect(demo.graph.database._dsn, Settings(agent_offline_after=7))
    try:
        query = "{ agents(includeDeleted: true, where: {isOnline: {eq: true}}) { totalCount } }"
        few = await Graph(database).as_user(demo.administrator, query)
        many = await demo.ask(query)
    finally:
        await database.close()
    assert 0 < few.data["agents"]["totalCount"] < many.data["agents"]["totalCount"]


async def test_a_request_has_one_time(demo: Asking) -> None:
    """However long it takes: an agent that runs out in the middle of it is online in all of it."""
    async with demo.graph.database.snapshot(platform=True) as snapshot:
        first = (await snapshot.fetch("SELECT app.online_since()", ()))[0][0]
        await snapshot.fetch("SELECT pg_sleep(0.05)", ())
        statement, again = (await snapshot.fetch("SELECT app.now_ms(), app.online_since()", ()))[0]
        assert again == first
        assert statement - OFF >= first + 50
        await snapshot.fetch("SELECT set_config('app.clock_ms', '1000000', true)", ())
        assert (await snapshot.fetch("SELECT app.online_since()", ()))[0][0] == 1_000_000 - OFF


async def test_the_threshold_is_worked_out_once_a_statement(demo: Asking) -> None:
    online = AGENTS.columns["is_online"].sql("t")
    found = await demo.owner.fetch(f"EXPLAIN SELECT {online} FROM agents t WHERE {online}")  # noqa: S608 - declared
    plan = "\n".join(row[0] for row in found)
    assert sum(line.strip().startswith("InitPlan") for line in plan.split("\n")) == 2
    assert "SubPlan" not in plan


class Fleet:
    """Agents of two tenants by when they checked in last."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self._tenants: list[dict[str, str]] = []

    async def settle(self) -> "Fleet":
        self._tenants = [await write_tenant(self.connection, name) for name in ("north", "south")]
        await self.connection.execute("UPDATE agents SET last_checkin_at = NULL")
        return self

    async def add(self, *checkins: int | None, tenant: int = 0) -> list[str]:
        ids = self._tenants[tenant]
        made = []
        for at in checkins:
            row = {
                **row_of("agents", "north", ids),
                "last_checkin_at": at,
                "guid": f"g{len(made)}-{at}-{tenant}",
            }
            made.append(await write(self.connection, "agents", row))
        return made


@pytest_asyncio.fixture
async def agents(fleet: asyncpg.Connection) -> Fleet:
    return await Fleet(fleet).settle()


def rows_of(changes: tuple[Change, ...]) -> dict[str, ChangedRow]:
    assert all(change.kind is ChangeKind.UPDATE and change.table == "agents" for change in changes)
    return {row.id: row for change in changes for row in change.rows or ()}


async def test_who_turned_between_two_times(agents: Fleet) -> None:
    """Online at a time is whoever's last check-in is at most so long ago."""
    before, edge, last, still, _never = await agents.add(
        NOW - OFF - 11, NOW - OFF - 10, NOW - OFF - 1, NOW - OFF, None
    )
    (south,) = await agents.add(NOW - OFF - 5, tenant=1)
    found = rows_of(await turned(agents.connection, NOW - 10, NOW, OFF))
    assert set(found) == {edge, last, south}
    assert {before, still}.isdisjoint(found)
    row = found[edge]
    assert row.columns == {IS_ONLINE}
    assert row.before == row.after
    stored = await agents.connection.fetchrow("SELECT * FROM agents WHERE id = $1", edge)
    assert stored is not None
    assert row.after == dict(stored)
    assert await turned(agents.connection, NOW, NOW, OFF) == ()


async def test_whose_check_in_runs_out_next(agents: Fleet) -> None:
    assert (await Turns.look(agents.connection, NOW, OFF)).first is None
    await agents.add(NOW - OFF - 1, None)
    assert (await Turns.look(agents.connection, NOW, OFF)).first is None
    await agents.add(NOW - 5)
    assert (await Turns.look(agents.connection, NOW, OFF)).first == NOW - 5
    await agents.add(NOW - OFF)
    assert (await Turns.look(agents.connection, NOW, OFF)).first == NOW - OFF


async def test_many_that_turn_at_once_are_told_by_tenant(agents: Fleet) -> None:
    await agents.connection.execute(
        """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version, last_checkin_at)
           SELECT tenant_id, site_id, guid || n, hostname, platform, version, $1
           FROM agents, generate_series(1, $2) n WHERE tenant_id IN (SELECT id FROM tenants WHERE name = 'north')""",
        NOW - OFF - 1,
        TURNED_ROWS_MAX + 1,
    )
    (told,) = await turned(agents.connection, NOW - 1, NOW, OFF)
    north = await agents.connection.fetchval("SELECT id FROM tenants WHERE name = 'north'")
    assert (told.rows, told.tenants, told.columns) == (None, {north}, {IS_ONLINE})


def checkin(agent: str, before: int | None, after: int | None) -> Change:
    row = ChangedRow(
        agent, {"last_checkin_at": before}, {"last_checkin_at": after}, frozenset({"last_checkin_at"})
    )
    return Change("agents", ChangeKind.UPDATE, 7, 1, NOW, (row,))


async def test_time_goes_on_and_looks_only_where_somebody_turns(agents: Fleet) -> None:
    first, _second = await agents.add(NOW - 100_000, NOW)
    clock = await Clock.open(agents.connection, NOW, OFF)
    assert clock.wanted == clock.due == NOW + 80_001
    assert await clock.advance(agents.connection, NOW + 80_000, ()) == ()
    assert clock.time == NOW + 80_000
    told = await clock.advance(agents.connection, NOW + 80_001, ())
    assert set(rows_of(told)) == {first}
    assert (clock.time, clock.due) == (NOW + 80_001, NOW + OFF + 1)


async def test_time_stands_still_until_the_next_step(agents: Fleet) -> None:
    made = await agents.add(*(NOW - OFF + n for n in range(30)))
    clock = await Clock.open(agents.connection, NOW, OFF)
    assert set(rows_of(await clock.advance(agents.connection, NOW + 10, ()))) == set(made[:10])
    assert clock.wanted == NOW + 10 + CLOCK_STEP_MS
    assert await clock.advance(agents.connection, NOW + 20, ()) == ()
    assert clock.time == NOW + 10  # the eleventh agent counts as online still
    later = await clock.advance(agents.connection, NOW + 10 + CLOCK_STEP_MS, ())
    assert set(rows_of(later)) == set(made[10:])
    assert (clock.due, clock.wanted) == (None, None)


async def test_a_write_may_bring_the_next_turn_nearer(agents: Fleet) -> None:
    (agent,) = await agents.add(NOW)
    clock = await Clock.open(agents.connection, NOW, OFF)
    change = checkin(agent, NOW, NOW - OFF + 30)
    assert await clock.advance(agents.connection, NOW + 5, (change,)) == (change,)
    assert clock.due == NOW + 31
    coarse = Change("agents", ChangeKind.INSERT, 7, 2, NOW, None)
    assert await clock.advance(agents.connection, NOW + 6, (coarse,)) == (coarse,)
    assert clock.due == NOW + OFF + 1  # looked up anew


async def test_a_check_in_of_one_who_was_silent_is_told_as_a_change_of_online(agents: Fleet) -> None:
    (agent,) = await agents.add(NOW)
    clock = await Clock.open(agents.connection, NOW, OFF)
    heartbeat, back = checkin(agent, NOW - 60_000, NOW), checkin(agent, NOW - OFF - 900, NOW)
    told = await clock.advance(agents.connection, NOW + 1, (heartbeat, back))
    assert told[0] is heartbeat
    assert rows_of(told[1:])[agent].columns == {"last_checkin_at", IS_ONLINE}


async def test_a_clock_that_was_set_back_may_have_changed_anybody(agents: Fleet) -> None:
    await agents.add(NOW)
    clock = await Clock.open(agents.connection, NOW, OFF)
    assert await clock.advance(agents.connection, NOW - CLOCK_BACK_MAX_MS, ()) == ()
    assert clock.time == NOW
    (told,) = await clock.advance(agents.connection, NOW - 3_600_000, ())
    assert (told.rows, told.tenants, told.columns) == (None, None, {IS_ONLINE})
    assert clock.time == NOW - 3_600_000
    assert clock.due == NOW + OFF + 1


@pytest.mark.parametrize("known", [1, 3, 1_000])
async def test_whoever_turns_is_told_however_few_are_known(
    agents: Fleet, known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of the clock with check-ins between them, against what the table says: nobody turns unheard."""
    monkeypatch.setattr(turns, "TURNS_KNOWN", known)
    dice = random.Random(known)  # noqa: S311 - the same cases each time
    checkins: dict[str, int | None] = dict.fromkeys(await agents.add(*[None] * 12))
    clock, before, turned_ones = await Clock.open(agents.connection, NOW, OFF), set[str](), 0
    for step in range(400):
        now = clock.time + dice.choice([1, CLOCK_STEP_MS, CLOCK_STEP_MS, OFF // 3, OFF])
        changes = []
        for agent in dice.sample(sorted(checkins), dice.randrange(5)):
            at = now - dice.choice([0, 0, OFF // 2, OFF - 100, OFF + 100])
            changes.append(checkin(agent, checkins[agent], at))
            checkins[agent] = at
            await agents.connection.execute("UPDATE agents SET last_checkin_at = $1 WHERE id = $2", at, agent)
        if step % 50 == 49:  # nobody says whose rows they were
            changes = [Change("agents", ChangeKind.UPDATE, 7, 1, now, None)]
        dice.shuffle(changes)
        heard = await clock.advance(agents.connection, now, changes)
        after = {agent for agent, at in checkins.items() if at is not None and at >= clock.time - OFF}
        named = {row.id for change in heard for row in change.rows or () if IS_ONLINE in row.columns}
        if all(change.rows is not None for change in heard):
            assert before ^ after <= named
            turned_ones += len(before - after)
        before = after
    assert turned_ones > 30
