"""Silent agents: their health checks change, once for any number of servers, and back with a check-in."""

import asyncio
import random
from contextlib import suppress
from typing import Any

import asyncpg

from core import limits
from core.auth.agent_tokens import AgentTokens
from core.settings import Settings
from services.agents.agent_service import AgentService
from services.agents.check_in import CheckIn, write_check_ins
from services.agents.offline_sweeper import sweep_offline_agents, sweep_periodically
from tests.agent_api_harness import AgentApiHarness, EnrolledAgent
from tests.live.live_engine import LiveEngine, open_live_engine
from tests.live.recording_subscriber import RecordingSubscriber
from tests.live.stream_messages import CHECKINS, HEALTH, read_check_ins, read_health_changes
from tests.waiting import HANG_S, poll_until, wait_until

SETTINGS = Settings(agent_offline_after=180, agent_down_after=900)

LOGGED = """
SELECT coalesce(sum(array_length(rows, 1)), 0)
FROM live.change JOIN live.shape USING (shape) WHERE table_name = 'health_checks'
"""
"""The number of changes of health checks that live queries and streams received."""


async def _backdate_check_in(fresh_agent_api: AgentApiHarness, agent: EnrolledAgent, seconds: int) -> None:
    await fresh_agent_api.owner.execute(
        "UPDATE agents SET last_checkin_at = app.now_ms() - $1 WHERE id = $2", seconds * 1000, agent.id
    )


async def _fetch_status(fresh_agent_api: AgentApiHarness, agent: EnrolledAgent) -> tuple[str, int]:
    health = await fresh_agent_api.read_health_check(agent.id)
    return health["status"], health["failure_count"]


async def test_sweep_silent_agent_is_degraded_then_down_until_check_in(
    fresh_agent_api: AgentApiHarness,
) -> None:
    agent, never = await fresh_agent_api.enroll_agent(), await fresh_agent_api.enroll_agent()
    assert (await fresh_agent_api.send_heartbeat(agent)).status_code == 200
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 0
    await _backdate_check_in(fresh_agent_api, agent, 181)
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 1
    assert await _fetch_status(fresh_agent_api, agent) == ("degraded", 1)
    assert (await fresh_agent_api.read_health_check(agent.id))[
        "error_message"
    ] == "No check-in for 180 seconds"
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 0
    await _backdate_check_in(fresh_agent_api, agent, 901)
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 1
    assert await _fetch_status(fresh_agent_api, agent) == ("down", 2)
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 0
    down = await fresh_agent_api.read_health_check(agent.id)
    assert (await fresh_agent_api.send_heartbeat(agent)).status_code == 200
    healed = await fresh_agent_api.read_health_check(agent.id)
    assert (healed["id"], healed["status"], healed["failure_count"]) == (down["id"], "healthy", 0)
    assert (healed["error_message"], healed["last_failure_at"]) == (None, down["last_failure_at"])
    assert healed["updated_at"] > down["updated_at"]
    assert (await fresh_agent_api.send_heartbeat(agent)).status_code == 200
    assert await fresh_agent_api.read_health_check(agent.id) == healed, (
        "of one that is well nothing is written"
    )
    assert await fresh_agent_api.read_health_check(never.id) == {}


async def test_sweep_agent_silent_for_long_is_down_immediately(fresh_agent_api: AgentApiHarness) -> None:
    agent = await fresh_agent_api.enroll_agent()
    await _backdate_check_in(fresh_agent_api, agent, 5_000)
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 1
    assert await _fetch_status(fresh_agent_api, agent) == ("down", 1)


async def test_sweep_deleted_agent_is_ignored(fresh_agent_api: AgentApiHarness) -> None:
    agent = await fresh_agent_api.enroll_agent()
    await _backdate_check_in(fresh_agent_api, agent, 5_000)
    await fresh_agent_api.owner.execute("UPDATE agents SET deleted_at = 1 WHERE id = $1", agent.id)
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 0


async def test_sweep_agent_reported_down_stays_down(fresh_agent_api: AgentApiHarness) -> None:
    agent = await fresh_agent_api.enroll_agent()
    await fresh_agent_api.send_heartbeat(agent)
    await fresh_agent_api.owner.execute("UPDATE health_checks SET status = 'down', failure_count = 5")
    await _backdate_check_in(fresh_agent_api, agent, 181)
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 0
    assert await _fetch_status(fresh_agent_api, agent) == ("down", 5)


async def test_sweep_by_concurrent_servers_changes_each_agent_once(fresh_agent_api: AgentApiHarness) -> None:
    await fresh_agent_api.owner.execute(
        """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version, last_checkin_at)
           SELECT $1, $2, 'many' || n, 'h', 'p', 'v', app.now_ms() - 200000 FROM generate_series(1, 2500) n""",
        fresh_agent_api.mine.id,
        fresh_agent_api.mine.site,
    )
    servers = [await fresh_agent_api.database.open_separate_pool(1) for _ in range(4)]
    before = await fresh_agent_api.owner.fetchval(LOGGED)
    try:
        turned = [
            count
            for _ in range(3)
            for count in await asyncio.gather(*[sweep_offline_agents(server, SETTINGS) for server in servers])
        ]
    finally:
        for server in servers:
            await server.close()
    assert sum(turned) == 2_500
    rows = await fresh_agent_api.owner.fetch("SELECT DISTINCT status, failure_count FROM health_checks")
    assert [tuple(row) for row in rows] == [("degraded", 1)]
    assert await fresh_agent_api.owner.fetchval(LOGGED) - before == 2_500


SOONER = Settings(agent_offline_after=60, agent_down_after=900)
"""So that the harness's own server changes nothing."""


async def test_sweep_locked_health_check_does_not_block_the_others(fresh_agent_api: AgentApiHarness) -> None:
    agents = [await fresh_agent_api.enroll_agent() for _ in range(3)]
    for agent in agents:
        assert (await fresh_agent_api.send_heartbeat(agent)).status_code == 200
        await _backdate_check_in(fresh_agent_api, agent, 100)
    async with fresh_agent_api.owner.transaction():
        await fresh_agent_api.owner.execute(
            "UPDATE health_checks SET metadata = '{}' WHERE resource_id = $1", agents[1].id
        )
        assert await sweep_offline_agents(fresh_agent_api.database, SOONER) == 2
    assert await sweep_offline_agents(fresh_agent_api.database, SOONER) == 1
    assert {await _fetch_status(fresh_agent_api, agent) for agent in agents} == {("degraded", 1)}


async def test_sweep_with_every_health_check_locked_ends(fresh_agent_api: AgentApiHarness) -> None:
    await fresh_agent_api.owner.execute(
        """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version, last_checkin_at)
           SELECT $1, $2, 'many' || n, 'h', 'p', 'v', app.now_ms() - 100000 FROM generate_series(1, 1000) n""",
        fresh_agent_api.mine.id,
        fresh_agent_api.mine.site,
    )
    assert await sweep_offline_agents(fresh_agent_api.database, SOONER) == limits.OFFLINE_SWEEP_BATCH
    await fresh_agent_api.owner.execute("UPDATE health_checks SET status = 'healthy'")
    async with fresh_agent_api.owner.transaction(), asyncio.timeout(HANG_S):
        await fresh_agent_api.owner.execute("UPDATE health_checks SET metadata = '{}'")
        assert await sweep_offline_agents(fresh_agent_api.database, SOONER) == 0


async def test_sweeper_after_lost_connection_retries_soon(fresh_agent_api: AgentApiHarness) -> None:
    """It waits for a table for a second, and loses its connection."""
    agent = await fresh_agent_api.enroll_agent()
    await _backdate_check_in(fresh_agent_api, agent, 100)  # too short for the harness's own server
    looks = await fresh_agent_api.database.open_separate_pool(1)
    watch = asyncio.create_task(
        sweep_periodically(looks, Settings(agent_offline_after=1, agent_down_after=900))
    )
    try:
        async with fresh_agent_api.owner.transaction():
            await fresh_agent_api.owner.execute("LOCK TABLE agents IN ACCESS EXCLUSIVE MODE")
            await asyncio.sleep(1.5)
            assert await fresh_agent_api.owner.fetchval(_END_WHAT_WAITS) >= 1
        await poll_until(lambda: fresh_agent_api.read_health_check(agent.id))
    finally:
        watch.cancel()
        await asyncio.wait([watch])
        await looks.close()


_END_WHAT_WAITS = """
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_locks
WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""


async def test_sweep_concurrent_with_check_ins_misses_none(fresh_agent_api: AgentApiHarness) -> None:
    """An agent that has checked in last is healthy, whatever the order of sweeps and check-ins."""
    agents = [await fresh_agent_api.enroll_agent() for _ in range(40)]
    beats = [CheckIn(agent.id, fresh_agent_api.mine.id, "h", "1") for agent in agents]
    dice = random.Random(1)  # noqa: S311 - the same cases each time
    server = await fresh_agent_api.database.open_separate_pool(1)

    async def beat() -> None:
        for beat in dice.sample(beats, 20):
            written = False
            while not written:  # a row that stays locked for too long is tried again, as by CheckInWriter
                with suppress(asyncpg.LockNotAvailableError):
                    async with fresh_agent_api.database.open_statement_connection() as connection:
                        await write_check_ins(connection, [beat])
                    written = True

    try:
        for _ in range(15):
            await fresh_agent_api.owner.execute("UPDATE agents SET last_checkin_at = app.now_ms() - 200000")
            await fresh_agent_api.owner.execute("UPDATE health_checks SET status = 'healthy'")
            await asyncio.gather(
                beat(),
                beat(),
                sweep_offline_agents(server, SETTINGS),
                sweep_offline_agents(fresh_agent_api.database, SETTINGS),
            )
            wrong = await fresh_agent_api.owner.fetch(
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


def _list_agent_states(subscriber: RecordingSubscriber) -> list[tuple[bool, str | None]]:
    """Of each state in turn, whether the agent is online, and its health."""
    nodes = [state["data"]["agents"]["nodes"][0] for state in subscriber.states]
    return [(node["isOnline"], (node["healthCheck"] or {}).get("status")) for node in nodes]


def _list_counts(subscriber: RecordingSubscriber) -> list[tuple[int, int]]:
    """Of each state in turn, how many agents of the site are online, and how many are not."""
    sites = [state["data"]["site"] for state in subscriber.states]
    return [(site["online"]["totalCount"], site["offline"]["totalCount"]) for site in sites]


async def _prepare_watched_agent(live_engine: LiveEngine) -> tuple[str, str]:
    """An agent of the demo with a unique host name that never checked in, and its site."""
    row = await live_engine.owner.fetchrow(
        "SELECT id, site_id FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1",
        live_engine.tenant_id,
    )
    assert row is not None
    await live_engine.execute_sql("DELETE FROM health_checks WHERE tenant_id = $1", live_engine.tenant_id)
    await live_engine.execute_sql(
        "UPDATE agents SET last_checkin_at = NULL, hostname = 'x' WHERE tenant_id = $1", live_engine.tenant_id
    )
    await live_engine.execute_sql(
        "UPDATE agents SET hostname = 'watched', version = '1' WHERE id = $1", row["id"]
    )
    return row["id"], row["site_id"]


async def test_subscriptions_from_check_in_to_silence_send_each_change(
    writable_demo_database_url: str,
) -> None:
    """From a check-in through silence to the next one: to streams, live queries on agents, health and counts."""
    settings: dict[str, Any] = {"agent_offline_after": 4, "agent_down_after": 12}
    async with open_live_engine(writable_demo_database_url, **settings) as live_engine:
        agent, site = await _prepare_watched_agent(live_engine)
        beat = CheckIn(agent, live_engine.tenant_id, "watched", "1")
        connection = await live_engine.connect()
        agents, counts = connection.subscribe(AGENTS), connection.subscribe(COUNTS, site=site)
        checkins, health = connection.subscribe(CHECKINS, site=site), connection.subscribe(HEALTH, site=site)
        await agents.wait_for_states(1)
        assert _list_agent_states(agents) == [(False, None)]
        await counts.wait_for_states(1)
        ((online, offline),) = _list_counts(counts)
        assert online == 0

        async with AgentService.open(live_engine.database, AgentTokens(None), Settings(**settings)) as fleet:
            await fleet.check_in_writer.check_in(beat)
            await wait_until(lambda: (True, "HEALTHY") in _list_agent_states(agents))
            await wait_until(lambda: (1, offline - 1) in _list_counts(counts))
            await wait_until(lambda: (False, "DEGRADED") in _list_agent_states(agents))
            await wait_until(lambda: (0, offline) in _list_counts(counts)[1:])
            await wait_until(lambda: (False, "DOWN") in _list_agent_states(agents))
            before = len(agents.texts)
            await fleet.check_in_writer.check_in(beat)
            await wait_until(lambda: (True, "HEALTHY") in _list_agent_states(agents)[before:])
        await wait_until(lambda: len(read_health_changes(health)) >= 4)
        assert [status for _, _, status in read_health_changes(health)][:4] == [
            "HEALTHY",
            "DEGRADED",
            "DOWN",
            "HEALTHY",
        ]
        assert [who for who, _ in read_check_ins(checkins)] == [agent, agent]


async def test_subscriptions_check_in_of_time_only_runs_no_query(writable_demo_database_url: str) -> None:
    async with open_live_engine(writable_demo_database_url) as live_engine:
        agent, site = await _prepare_watched_agent(live_engine)
        beat = CheckIn(agent, live_engine.tenant_id, "watched", "1")
        async with AgentService.open(live_engine.database, AgentTokens(None), Settings()) as fleet:
            await fleet.check_in_writer.check_in(beat)
            await live_engine.wait_until_settled()
            connection = await live_engine.connect()
            subscribers = [
                connection.subscribe(NAMES),
                connection.subscribe(COUNTS, site=site),
                connection.subscribe(AGENTS),
            ]
            for each in subscribers:
                await each.wait_for_states(1)
            await live_engine.wait_until_settled()
            before = live_engine.run_count
            for _ in range(10):
                await fleet.check_in_writer.check_in(beat)
            await live_engine.wait_until_settled()
            assert live_engine.run_count == before
            assert [len(each.texts) for each in subscribers] == [1, 1, 1]
            await fleet.check_in_writer.check_in(CheckIn(agent, live_engine.tenant_id, "watched", "2"))
            await live_engine.wait_until_settled()
            assert live_engine.run_count > before, "a new version is one"
            assert len(subscribers[0].texts) == 2
