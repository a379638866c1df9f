"""Agents that fall silent: their health checks turn, once, however many servers look, and back with a check-in."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest_asyncio

from core import limits
from core.agent_tokens import AgentTokens
from core.settings import Settings
from services.agents.beats import Beat, write_beats
from services.agents.fleet import Fleet
from services.agents.silence import turn_silent, watch_for_silence
from tests.clusters import ThrowawayCluster
from tests.fleet import Agent, Yard, yard
from tests.integration.test_live_streams import CHECKINS, HEALTH, changes, heard
from tests.live.engine import Engine, Told, engine, eventually

SETTINGS = Settings(agent_offline_after=180, agent_down_after=900)

LOGGED = """
SELECT coalesce(sum(array_length(rows, 1)), 0)
FROM live.change JOIN live.shape USING (shape) WHERE table_name = 'health_checks'
"""
"""How many changes of health checks live queries and streams were told of."""


@pytest_asyncio.fixture(loop_scope="session")
async def at(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Yard]:
    name = await cluster.create(template)
    async with yard(cluster.dsn(name)) as made:
        yield made
    await cluster.drop(name)


async def _silent_for(at: Yard, agent: Agent, seconds: int) -> None:
    await at.owner.execute(
        "UPDATE agents SET last_checkin_at = app.now_ms() - $1 WHERE id = $2", seconds * 1000, agent.id
    )


async def _status(at: Yard, agent: Agent) -> tuple[str, int]:
    health = await at.health(agent.id)
    return health["status"], health["failure_count"]


async def test_silence_degrades_then_puts_down_and_a_check_in_heals(at: Yard) -> None:
    agent, never = await at.agent(), await at.agent()
    assert (await at.beat(agent)).status_code == 200
    assert await turn_silent(at.database, SETTINGS) == 0
    await _silent_for(at, agent, 181)
    assert await turn_silent(at.database, SETTINGS) == 1
    assert await _status(at, agent) == ("degraded", 1)
    assert (await at.health(agent.id))["error_message"] == "No check-in for 180 seconds"
    assert await turn_silent(at.database, SETTINGS) == 0
    await _silent_for(at, agent, 901)
    assert await turn_silent(at.database, SETTINGS) == 1
    assert await _status(at, agent) == ("down", 2)
    assert await turn_silent(at.database, SETTINGS) == 0
    down = await at.health(agent.id)
    assert (await at.beat(agent)).status_code == 200
    healed = await at.health(agent.id)
    assert (healed["id"], healed["status"], healed["failure_count"]) == (down["id"], "healthy", 0)
    assert (healed["error_message"], healed["last_failure_at"]) == (None, down["last_failure_at"])
    assert healed["updated_at"] > down["updated_at"]
    assert (await at.beat(agent)).status_code == 200
    assert await at.health(agent.id) == healed, "of one that is well nothing is written"
    assert await at.health(never.id) == {}


async def test_who_was_silent_for_long_is_down_at_once(at: Yard) -> None:
    agent = await at.agent()
    await _silent_for(at, agent, 5_000)
    assert await turn_silent(at.database, SETTINGS) == 1
    assert await _status(at, agent) == ("down", 1)


async def test_deleted_agents_are_not_missed(at: Yard) -> None:
    agent = await at.agent()
    await _silent_for(at, agent, 5_000)
    await at.owner.execute("UPDATE agents SET deleted_at = 1 WHERE id = $1", agent.id)
    assert await turn_silent(at.database, SETTINGS) == 0


async def test_what_somebody_reported_is_not_made_better(at: Yard) -> None:
    agent = await at.agent()
    await at.beat(agent)
    await at.owner.execute("UPDATE health_checks SET status = 'down', failure_count = 5")
    await _silent_for(at, agent, 181)
    assert await turn_silent(at.database, SETTINGS) == 0
    assert await _status(at, agent) == ("down", 5)


async def test_however_many_servers_look_each_turn_is_made_once(at: Yard) -> None:
    await at.owner.execute(
        """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version, last_checkin_at)
           SELECT $1, $2, 'many' || n, 'h', 'p', 'v', app.now_ms() - 200000 FROM generate_series(1, 2500) n""",
        at.mine.id,
        at.mine.site,
    )
    servers = [await at.database.apart(1) for _ in range(4)]
    before = await at.owner.fetchval(LOGGED)
    try:
        turned = [
            count
            for _ in range(3)
            for count in await asyncio.gather(*[turn_silent(server, SETTINGS) for server in servers])
        ]
    finally:
        for server in servers:
            await server.close()
    assert sum(turned) == 2_500
    rows = await at.owner.fetch("SELECT DISTINCT status, failure_count FROM health_checks")
    assert [tuple(row) for row in rows] == [("degraded", 1)]
    assert await at.owner.fetchval(LOGGED) - before == 2_500


SOONER = Settings(agent_offline_after=60, agent_down_after=900)
"""So that the yard's own server turns nothing."""


async def test_a_health_check_that_somebody_holds_keeps_no_other_from_turning(at: Yard) -> None:
    agents = [await at.agent() for _ in range(3)]
    for agent in agents:
        assert (await at.beat(agent)).status_code == 200
        await _silent_for(at, agent, 100)
    async with at.owner.transaction():
        await at.owner.execute(
            "UPDATE health_checks SET metadata = '{}' WHERE resource_id = $1", agents[1].id
        )
        assert await turn_silent(at.database, SOONER) == 2
    assert await turn_silent(at.database, SOONER) == 1
    assert {await _status(at, agent) for agent in agents} == {("degraded", 1)}


async def test_lots_that_are_held_are_not_looked_at_for_ever(at: Yard) -> None:
    await at.owner.execute(
        """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version, last_checkin_at)
           SELECT $1, $2, 'many' || n, 'h', 'p', 'v', app.now_ms() - 100000 FROM generate_series(1, 1000) n""",
        at.mine.id,
        at.mine.site,
    )
    assert await turn_silent(at.database, SOONER) == limits.SILENT_AT_ONCE
    await at.owner.execute("UPDATE health_checks SET status = 'healthy'")
    async with at.owner.transaction(), asyncio.timeout(4):
        await at.owner.execute("UPDATE health_checks SET metadata = '{}'")
        assert await turn_silent(at.database, SOONER) == 0


async def test_a_slow_look_that_failed_is_soon_made_again(at: Yard) -> None:
    """It waits for a table for a second, and loses its connection."""
    agent = await at.agent()
    await _silent_for(at, agent, 100)  # which the yard's own server does not heed
    looks = await at.database.apart(1)
    watch = asyncio.create_task(
        watch_for_silence(looks, Settings(agent_offline_after=1, agent_down_after=900))
    )
    try:
        async with at.owner.transaction():
            await at.owner.execute("LOCK TABLE agents IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(1.5)
            assert await at.owner.fetchval(_END_WHAT_WAITS) >= 1
        async with asyncio.timeout(5):
            while not await at.health(agent.id):  # noqa: ASYNC110 - it is PostgreSQL that we wait for
                await asyncio.sleep(0.05)
    finally:
        watch.cancel()
        await asyncio.wait([watch])
        await looks.close()


_END_WHAT_WAITS = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_locks
WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""


async def test_a_check_in_at_the_same_moment_is_never_missed(at: Yard) -> None:
    """Whoever has checked in last and lives is healthy, however the looks for silence fall between."""
    agents = [await at.agent() for _ in range(40)]
    beats = [Beat(agent.id, at.mine.id, "h", "1") for agent in agents]
    dice = random.Random(1)  # noqa: S311 - the same cases each time
    server = await at.database.apart(1)

    async def beat() -> None:
        for beat in dice.sample(beats, 20):
            async with at.database.statement() as connection:
                await write_beats(connection, [beat])

    try:
        for _ in range(15):
            await at.owner.execute("UPDATE agents SET last_checkin_at = app.now_ms() - 200000")
            await at.owner.execute("UPDATE health_checks SET status = 'healthy'")
            await asyncio.gather(
                beat(), beat(), turn_silent(server, SETTINGS), turn_silent(at.database, SETTINGS)
            )
            wrong = await at.owner.fetch(
                """SELECT h.status, a.last_checkin_at >= app.now_ms() - 180000 AS lives
                   FROM agents a JOIN health_checks h ON h.resource_id = a.id
                   WHERE (h.status = 'healthy') <> (a.last_checkin_at >= app.now_ms() - 180000)"""
            )
            assert [tuple(row) for row in wrong if row["lives"]] == []
    finally:
        await server.close()


AGENTS = """subscription {
    agents(first: 1000, where: {hostname: {eq: "watched"}}) { nodes { isOnline healthCheck { status } } } }"""
COUNTS = """subscription ($site: ID!) { site(id: $site) {
    online: agents(where: {isOnline: {eq: true}}) { totalCount }
    offline: agents(where: {isOnline: {eq: false}}) { totalCount } } }"""
NAMES = "subscription { agents(first: 1000) { nodes { id hostname version } } }"


def _agent(told: Told) -> tuple[bool, str]:
    (node,) = told.data["agents"]["nodes"]
    return node["isOnline"], (node["healthCheck"] or {}).get("status")


def _counts(told: Told) -> tuple[int, int]:
    site = told.data["site"]
    return site["online"]["totalCount"], site["offline"]["totalCount"]


async def _watched(demo: Engine) -> tuple[str, str]:
    """An agent of the demo's that alone has its host name, never checked in, and its site."""
    row = await demo.owner.fetchrow(
        "SELECT id, site_id FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1",
        demo.tenant_id,
    )
    assert row is not None
    await demo.write("DELETE FROM health_checks WHERE tenant_id = $1", demo.tenant_id)
    await demo.write(
        "UPDATE agents SET last_checkin_at = NULL, hostname = 'x' WHERE tenant_id = $1", demo.tenant_id
    )
    await demo.write("UPDATE agents SET hostname = 'watched', version = '1' WHERE id = $1", row["id"])
    return row["id"], row["site_id"]


async def test_each_change_is_told_as_it_happens(demo_database: str) -> None:
    """From a check-in through silence to the next one: to streams, live queries on agents, health and counts."""
    settings = {"agent_offline_after": 2, "agent_down_after": 4}
    async with engine(demo_database, **settings) as demo:
        agent, site = await _watched(demo)
        beat = Beat(agent, demo.tenant_id, "watched", "1")
        sitting = await demo.sit()
        agents, counts = sitting.subscribe(AGENTS), sitting.subscribe(COUNTS, site=site)
        checkins, health = sitting.subscribe(CHECKINS, site=site), sitting.subscribe(HEALTH, site=site)
        await agents.until(1)
        assert _agent(agents) == (False, None)
        await counts.until(1)
        online, offline = _counts(counts)
        assert online == 0

        async with Fleet.open(demo.database, AgentTokens(None), Settings(**settings)) as fleet:
            await fleet.check_ins.check_in(beat)
            await eventually(lambda: _agent(agents) == (True, "HEALTHY"))
            await eventually(lambda: _counts(counts) == (1, offline - 1))
            await eventually(lambda: _agent(agents) == (False, "DEGRADED"))
            await eventually(lambda: _counts(counts) == (0, offline))
            await eventually(lambda: _agent(agents) == (False, "DOWN"))
            await fleet.check_ins.check_in(beat)
            await eventually(lambda: _agent(agents) == (True, "HEALTHY"))
        assert [status for _, _, status in changes(health)] == ["HEALTHY", "DEGRADED", "DOWN", "HEALTHY"]
        assert [who for who, _ in heard(checkins)] == [agent, agent]


async def test_a_check_in_that_changes_nothing_but_the_time_runs_nothing(demo_database: str) -> None:
    async with engine(demo_database) as demo:
        agent, site = await _watched(demo)
        beat = Beat(agent, demo.tenant_id, "watched", "1")
        async with Fleet.open(demo.database, AgentTokens(None), Settings()) as fleet:
            await fleet.check_ins.check_in(beat)
            await demo.settled()
            sitting = await demo.sit()
            told = [sitting.subscribe(NAMES), sitting.subscribe(COUNTS, site=site), sitting.subscribe(AGENTS)]
            for each in told:
                await each.until(1)
            await demo.settled()
            before = demo.runs
            for _ in range(10):
                await fleet.check_ins.check_in(beat)
            await demo.settled()
            assert demo.runs == before
            assert [len(each.texts) for each in told] == [1, 1, 1]
            await fleet.check_ins.check_in(Beat(agent, demo.tenant_id, "watched", "2"))
            await demo.settled()
            assert demo.runs > before, "a new version is one"
            assert len(told[0].texts) == 2
