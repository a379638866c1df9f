"""Streams on real PostgreSQL: each event once, resumed without loss, and to nobody who may not hear it."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core import limits
from core.database import Snapshot
from core.errors import BadUserInputError, ForbiddenError
from core.viewer import Viewer
from subscriptions.changes.moment import Moment
from subscriptions.streams.cursors import StreamCursor, binding_of
from subscriptions.streams.runs import StreamRuns
from tests.live.engine import Engine, Sitting, Told, engine, eventually

CHECKINS: Final = """subscription ($site: ID, $agents: [ID!], $since: String) {
    agentCheckins(siteId: $site, agentIds: $agents, since: $since) {
        cursor events { agentId siteId checkedInAt previousCheckinAt } } }"""
WITH_ROWS: Final = """subscription ($since: String) { agentCheckins(since: $since) {
    cursor events { agentId checkedInAt agent { id hostname isOnline } site { id name } } } }"""
HEALTH: Final = """subscription ($site: ID, $type: HealthResourceType, $status: HealthStatus, $since: String) {
    healthCheckChanges(siteId: $site, resourceType: $type, status: $status, since: $since) {
        cursor events { resourceType resourceId status previousStatus failureCount } } }"""
HEALTH_ROWS: Final = """subscription { healthCheckChanges { cursor events { status
    healthCheck { id status errorMessage resource { ... on Agent { id } } } } } }"""

BEAT: Final = "UPDATE agents SET last_checkin_at = $2 WHERE id = ANY($1::text[])"


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database: str) -> AsyncIterator[Engine]:
    async with engine(demo_database) as made:
        yield made
        made.live.streams.validate()


async def agents(demo: Engine, user: int = 0) -> list[tuple[str, str]]:
    """Agents of a user's tenant with their sites."""
    rows = await demo.owner.fetch(
        """SELECT a.id, a.site_id FROM agents a JOIN users u ON u.tenant_id = a.tenant_id
           WHERE u.id = $1 AND a.deleted_at IS NULL ORDER BY a.id""",
        demo.users[user],
    )
    return [(row["id"], row["site_id"]) for row in rows]


class Clocked:
    """Times for check-ins, each later than the one before."""

    at = 4_000_000_000_000

    @classmethod
    def next(cls) -> int:
        cls.at += 1
        return cls.at


async def beat(demo: Engine, *ids: str) -> int:
    at = Clocked.next()
    await demo.write(BEAT, list(ids), at)
    return at


def messages(told: Told, stream: str = "agentCheckins") -> list[dict[str, Any]]:
    found = [state["data"][stream] for state in told.states]
    assert all("errors" not in state for state in told.states)
    return found


def heard(told: Told) -> list[tuple[str, int]]:
    """Every check-in that was told, in its order."""
    return [(e["agentId"], e["checkedInAt"]) for message in messages(told) for e in message["events"]]


async def test_the_first_message_is_a_cursor(demo: Engine) -> None:
    told = (await demo.sit()).subscribe(CHECKINS)
    (message,) = messages(told)
    assert message["events"] == []
    assert message["cursor"]


async def test_a_check_in_is_told_once_with_all_that_it_says(demo: Engine) -> None:
    agent, site = (await agents(demo))[0]
    told = (await demo.sit()).subscribe(CHECKINS)
    first, second = await beat(demo, agent), await beat(demo, agent)
    await eventually(lambda: len(heard(told)) == 2)
    events = [event for message in messages(told) for event in message["events"]]
    assert [(e["agentId"], e["siteId"], e["checkedInAt"]) for e in events] == [
        (agent, site, first),
        (agent, site, second),
    ]
    assert events[1]["previousCheckinAt"] == first
    await demo.settled()
    assert len(heard(told)) == 2


async def test_what_is_seen_at_once_is_one_message(demo: Engine) -> None:
    ids = [agent for agent, _ in (await agents(demo))[:5]]
    told = (await demo.sit()).subscribe(CHECKINS)
    at = await beat(demo, *ids)
    await told.until(2)
    assert sorted(heard(told)) == [(agent, at) for agent in ids]
    assert len(told.texts) == 2


async def test_only_what_was_asked_for_is_told(demo: Engine) -> None:
    all_agents = await agents(demo)
    (one, site), other = all_agents[0], next(a for a, s in all_agents if s != all_agents[0][1])
    sitting = await demo.sit()
    everything, of_site = sitting.subscribe(CHECKINS), sitting.subscribe(CHECKINS, site=site)
    of_agent, of_none = sitting.subscribe(CHECKINS, agents=[other]), sitting.subscribe(CHECKINS, agents=[])
    neither = sitting.subscribe(CHECKINS, site=site, agents=[other])
    first, second = await beat(demo, one), await beat(demo, other)
    await eventually(lambda: len(heard(everything)) == 2)
    await demo.settled()
    assert heard(of_site) == [(one, first)]
    assert heard(of_agent) == [(other, second)]
    assert heard(of_none) == heard(neither) == []
    assert len(of_none.texts) == len(neither.texts) == 1


async def test_other_writes_and_other_tenants_are_not_told(demo: Engine) -> None:
    agent = (await agents(demo))[0][0]
    told = (await demo.sit()).subscribe(CHECKINS)
    mine = {a for a, _ in await agents(demo)}
    foreign = await demo.write("SELECT min(id) FROM agents WHERE id <> ALL($1::text[])", list(mine))
    statements = told.texts.copy()
    await demo.write("UPDATE agents SET hostname = hostname || 'x' WHERE id = $1", agent)
    await demo.write("UPDATE agents SET last_checkin_at = last_checkin_at WHERE id = $1", agent)
    await beat(demo, foreign)
    await demo.settled()
    assert told.texts == statements


async def test_rows_hang_on_events_as_they_are_when_told(demo: Engine) -> None:
    agent, site = (await agents(demo))[0]
    told = (await demo.sit()).subscribe(WITH_ROWS)
    await demo.write(
        "UPDATE agents SET hostname = 'host-now', last_checkin_at = $2 WHERE id = $1", agent, Clocked.next()
    )
    await told.until(2)
    (event,) = messages(told)[-1]["events"]
    name = await demo.write("SELECT name FROM sites WHERE id = $1", site)
    assert event["agent"] == {"id": agent, "hostname": "host-now", "isOnline": True}
    assert event["site"] == {"id": site, "name": name}


async def test_many_events_take_one_statement_a_kind_of_row(demo: Engine) -> None:
    ids = [agent for agent, _ in await agents(demo)]
    told = (await demo.sit()).subscribe(WITH_ROWS)
    at = await beat(demo, *ids)
    await eventually(lambda: len(heard(told)) == len(ids))
    assert sorted(heard(told)) == [(agent, at) for agent in ids]
    assert all(e["agent"]["id"] == e["agentId"] for m in messages(told) for e in m["events"])


async def test_those_who_ask_the_same_share_a_stream(demo: Engine) -> None:
    one, other = await demo.sit(), await demo.sit()
    told = [sitting.subscribe(WITH_ROWS) for sitting in (one, other) for _ in range(3)]
    assert len(demo.live.streams) == 1
    await beat(demo, (await agents(demo))[0][0])
    await asyncio.gather(*(each.until(2) for each in told))
    assert len({each.texts[-1] for each in told}) == 1
    assert len({id(each.texts[-1]) for each in told}) == 1  # encoded once
    resumed = one.subscribe(WITH_ROWS, since=messages(told[0])[-1]["cursor"])
    await resumed.until(1)
    await beat(demo, (await agents(demo))[0][0])
    await resumed.until(2)
    await eventually(lambda: len(demo.live.streams) == 1)
    for sitting in (one, other):
        sitting.session.close()
    assert len(demo.live.streams) == 0
    await eventually(lambda: not demo.live.streams._tasks)


async def test_a_stream_goes_on_from_its_cursor(demo: Engine) -> None:
    agent = (await agents(demo))[0][0]
    sitting = await demo.sit()
    told = sitting.subscribe(CHECKINS)
    first = await beat(demo, agent)
    await eventually(lambda: len(heard(told)) == 1)
    assert told.subscription is not None
    told.subscription.cancel()
    missed = [await beat(demo, agent) for _ in range(3)]
    await demo.settled()
    assert heard(told) == [(agent, first)]
    resumed = await sitting.subscribe(CHECKINS, since=messages(told)[-1]["cursor"]).until(1)
    assert heard(resumed) == [(agent, at) for at in missed]
    again = await sitting.subscribe(CHECKINS, since=messages(told)[0]["cursor"]).until(1)
    assert heard(again) == [(agent, at) for at in (first, *missed)]
    nothing = await sitting.subscribe(CHECKINS, since=messages(again)[-1]["cursor"]).until(1)
    assert heard(nothing) == []
    live = await beat(demo, agent)
    for each in (resumed, again, nothing):
        await eventually(lambda each=each: heard(each)[-1:] == [(agent, live)])


@pytest.mark.parametrize("query", [CHECKINS, WITH_ROWS])
async def test_what_is_written_while_clients_come_and_go_is_told_once(demo: Engine, query: str) -> None:
    """Writers of their own transactions, some rolled back, some long; readers who leave and come back."""
    ids = [agent for agent, _ in await agents(demo)]
    dice = random.Random(5)  # noqa: S311 - the same cases each time
    sitting = await demo.sit()
    begun = sitting.subscribe(query)
    committed: list[tuple[str, int]] = []
    writing = asyncio.gather(*(_write(demo, dice, ids[n::4], committed) for n in range(4)))
    found = await asyncio.gather(*(_come_and_go(sitting, dice, query, begun, writing) for _ in range(4)))
    await eventually(lambda: len(heard(begun)) == len(committed))
    assert sorted(heard(begun)) == sorted(committed)
    for each in found:
        assert sorted(each) == sorted(committed)
    for agent in ids:  # each agent's own check-ins are told in their order
        assert [e for e in heard(begun) if e[0] == agent] == [e for e in committed if e[0] == agent]


async def _write(
    demo: Engine, dice: random.Random, ids: Sequence[str], committed: list[tuple[str, int]]
) -> None:
    connection = await asyncpg.connect(demo.database._dsn)
    try:
        for _ in range(40):
            written = []
            transaction = connection.transaction()
            await transaction.start()
            for _ in range(dice.randrange(1, 4)):
                some, at = dice.sample(list(ids), dice.randrange(1, 4)), Clocked.next()
                await connection.execute(BEAT, some, at)
                written += [(agent, at) for agent in some]
                await asyncio.sleep(dice.choice([0, 0, 0.003, 0.02]))
            if dice.random() < 0.25:
                await transaction.rollback()
            else:
                await transaction.commit()
                committed += written
    finally:
        await connection.close()


async def _come_and_go(
    sitting: Sitting, dice: random.Random, query: str, begun: Told, writing: "asyncio.Future[Any]"
) -> list[tuple[str, int]]:
    cursor, found = messages(begun)[0]["cursor"], []
    last = False
    while True:
        told = await sitting.subscribe(query, since=cursor).until(1)
        await asyncio.sleep(dice.random() / 20)
        if last:
            await asyncio.sleep(0.3)
        assert told.subscription is not None
        told.subscription.cancel()
        found += heard(told)
        cursor = messages(told)[-1]["cursor"]
        if last:
            return found
        last = writing.done()


async def test_more_than_a_message_holds_comes_in_several(
    demo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscriptions.streams.stream.STREAM_EVENTS_MAX", 7)
    ids = [agent for agent, _ in await agents(demo)][:40]
    sitting = await demo.sit()
    told = sitting.subscribe(CHECKINS)
    at = await beat(demo, *ids)
    await eventually(lambda: len(heard(told)) == len(ids))
    parts = messages(told)
    assert max(len(part["events"]) for part in parts) == 7
    for number, part in enumerate(parts):
        rest = sitting.subscribe(CHECKINS, since=part["cursor"])
        seen = {e["agentId"] for p in parts[: number + 1] for e in p["events"]}
        expected = {(agent, at) for agent in ids if agent not in seen}
        await rest.until(1)
        await eventually(lambda rest=rest, expected=expected: len(heard(rest)) >= len(expected))
        assert (set(heard(rest)), len(heard(rest))) == (expected, len(expected))


async def test_a_cursor_that_is_none_or_anothers_is_refused(demo: Engine) -> None:
    (_, site), sitting = (await agents(demo))[0], await demo.sit()
    cursor = messages(sitting.subscribe(CHECKINS))[0]["cursor"]
    for variables in (
        {"since": "x"},
        {"since": cursor, "site": site},
        {"since": cursor + "A"},
        {"since": ""},
    ):
        with pytest.raises(BadUserInputError):
            sitting.subscribe(CHECKINS, **variables)
    with pytest.raises(BadUserInputError):
        sitting.subscribe(HEALTH, since=cursor)
    with pytest.raises(BadUserInputError):
        (await demo.sit(2)).subscribe(CHECKINS, since=cursor)
    await sitting.subscribe(CHECKINS, since=cursor, agents=None).until(1)


@pytest.mark.parametrize("moment", ["5:5:@elsewhere", f"{2**62 + 5}:{2**62 + 5}:", "5:5:"])
async def test_a_cursor_that_the_log_does_not_reach_has_expired(demo: Engine, moment: str) -> None:
    """Of another cluster, from the future, and of a time that is no longer kept."""
    sitting = await demo.sit()
    binding = binding_of("agentCheckins", demo.tenant_id, {})
    now = StreamCursor.parse(messages(sitting.subscribe(CHECKINS))[0]["cursor"], binding)
    if moment == "5:5:":
        await demo.write("UPDATE live.floor SET moment = '9:9:' WHERE name = 'tidied'")
    era = "" if "@" in moment else f"@{now.told.era}"
    cursor = StreamCursor(Moment.parse(moment + era)).text(binding)
    told = await sitting.subscribe(CHECKINS, since=cursor).ended()
    assert (told.code, told.texts) == ("CURSOR_EXPIRED", [])
    await sitting.subscribe(CHECKINS, since=StreamCursor(now.told).text(binding)).until(1)


async def test_where_the_log_has_lost_something_every_stream_says_so(demo: Engine) -> None:
    sitting = await demo.sit()
    told = [sitting.subscribe(query) for query in (CHECKINS, WITH_ROWS, HEALTH)]
    await demo.write(
        """UPDATE live.floor SET moment = (n || ':' || n || ':')::pg_snapshot
           FROM (SELECT pg_current_xact_id()::text::bigint + 1 AS n) next WHERE name = 'tidied'"""
    )
    for each in told:
        assert (await each.ended()).code == "CURSOR_EXPIRED"
    assert len(demo.live.streams) == 0
    again = sitting.subscribe(CHECKINS)
    agent = (await agents(demo))[0][0]
    at = await beat(demo, agent)
    await eventually(lambda: heard(again) == [(agent, at)])


async def test_a_fleets_check_ins_in_one_statement_are_all_told(demo: Engine) -> None:
    told = (await demo.sit()).subscribe(CHECKINS)
    await demo.write(
        """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version)
           SELECT tenant_id, site_id, 'fleet' || n, 'fleet', 'linux', '1'
           FROM (SELECT tenant_id, site_id FROM agents WHERE tenant_id = $1 LIMIT 1) a, generate_series(1, 3000) n""",
        demo.tenant_id,
    )
    at = Clocked.next()
    await demo.write("UPDATE agents SET version = '2', last_checkin_at = $1 WHERE hostname = 'fleet'", at)
    await eventually(lambda: len(heard(told)) >= 3_000)
    assert len(set(heard(told))) == len(heard(told)) == 3_000
    assert max(len(message["events"]) for message in messages(told)) <= limits.STREAM_EVENTS_MAX
    await demo.write("DELETE FROM agents WHERE hostname = 'fleet'")


def changes(told: Told) -> list[tuple[str, str | None, str]]:
    return [
        (event["resourceId"], event["previousStatus"], event["status"])
        for message in messages(told, "healthCheckChanges")
        for event in message["events"]
    ]


async def _report(demo: Engine, kind: str, resource: str, status: str, failures: int = 0) -> None:
    await demo.write(
        """INSERT INTO health_checks (tenant_id, resource_type, resource_id, status, failure_count, last_check_at)
           VALUES ($1, $2, $3, $4, $5, app.now_ms())
           ON CONFLICT (tenant_id, resource_type, resource_id)
           DO UPDATE SET status = excluded.status, failure_count = excluded.failure_count,
                         last_check_at = app.now_ms()""",
        demo.tenant_id,
        kind,
        resource,
        status,
        failures,
    )


async def test_changes_of_health_are_told_and_reports_are_not(demo: Engine) -> None:
    (agent, site), (other, _) = (await agents(demo))[:2]
    await demo.write("DELETE FROM health_checks WHERE tenant_id = $1", demo.tenant_id)
    sitting = await demo.sit()
    told, down = sitting.subscribe(HEALTH), sitting.subscribe(HEALTH, status="DOWN")
    sites = sitting.subscribe(HEALTH, type="SITE")
    await _report(demo, "agent", agent, "healthy")
    await _report(demo, "agent", agent, "healthy")
    await _report(demo, "agent", agent, "degraded", 1)
    await _report(demo, "agent", agent, "degraded", 2)
    await _report(demo, "agent", other, "down", 3)
    await _report(demo, "site", site, "down", 1)
    await eventually(lambda: len(changes(told)) >= 4)
    await demo.settled()
    assert changes(told) == [
        (agent, None, "HEALTHY"),
        (agent, "HEALTHY", "DEGRADED"),
        (other, None, "DOWN"),
        (site, None, "DOWN"),
    ]
    assert changes(down) == [(other, None, "DOWN"), (site, None, "DOWN")]
    assert changes(sites) == [(site, None, "DOWN")]


async def test_a_sites_health_is_that_of_what_belongs_to_it(demo: Engine) -> None:
    all_agents = await agents(demo)
    (agent, site), other = all_agents[0], next(a for a, s in all_agents if s != all_agents[0][1])
    source = await demo.write("SELECT min(id) FROM data_sources WHERE tenant_id = $1", demo.tenant_id)
    job = await demo.write("SELECT min(id) FROM scheduled_jobs WHERE tenant_id = $1", demo.tenant_id)
    await demo.write("UPDATE data_sources SET site_id = $2 WHERE id = $1", source, site)
    await demo.write("DELETE FROM health_checks WHERE tenant_id = $1", demo.tenant_id)
    sitting = await demo.sit()
    everything, told = sitting.subscribe(HEALTH), sitting.subscribe(HEALTH, site=site)
    again = sitting.subscribe(HEALTH, site=site, status="DOWN")
    resources = (
        ("agent", agent),
        ("agent", other),
        ("site", site),
        ("data_source", source),
        ("scheduled_job", job),
    )
    for kind, resource in resources:
        await _report(demo, kind, resource, "down", 1)
    await eventually(lambda: len(changes(everything)) == 5)
    await eventually(lambda: len(changes(told)) >= 3)
    await demo.settled()
    assert [resource for resource, *_ in changes(told)] == [agent, site, source]
    assert changes(again) == changes(told)


async def test_the_health_check_hangs_on_its_change(demo: Engine) -> None:
    agent = (await agents(demo))[0][0]
    await _report(demo, "agent", agent, "healthy")
    await demo.settled()
    told = (await demo.sit()).subscribe(HEALTH_ROWS)
    await demo.write(
        "UPDATE health_checks SET status = 'down', error_message = 'gone' WHERE resource_id = $1", agent
    )
    await told.until(2)
    (event,) = messages(told, "healthCheckChanges")[-1]["events"]
    assert event["healthCheck"]["errorMessage"] == "gone"
    assert event["healthCheck"]["resource"] == {"id": agent}


async def test_who_may_not_read_agents_hears_nothing_of_them(demo: Engine) -> None:
    sitting = await demo.sit_as_platform(demo.tenant_id)
    told = sitting.subscribe(WITH_ROWS)
    agent = (await agents(demo))[0][0]
    await beat(demo, agent)
    await told.until(2)
    assert heard(told)[0][0] == agent
    with pytest.raises(BadUserInputError, match="X-Tenant-Id"):
        (await demo.sit_as_platform(None)).subscribe(CHECKINS)
    role = await demo.write("SELECT role_id FROM users WHERE id = $1", demo.users[1])
    rights = await demo.write("SELECT rights::text FROM roles WHERE id = $1", role)
    await demo.write("UPDATE roles SET rights = '{\"Sites.Read\": true}' WHERE id = $1", role)
    try:
        with pytest.raises(ForbiddenError):
            (await demo.sit(1)).subscribe(CHECKINS)
    finally:
        await demo.write("UPDATE roles SET rights = $2::text::jsonb WHERE id = $1", role, rights)


async def test_a_right_that_is_taken_away_ends_the_stream_and_another_does_not(demo: Engine) -> None:
    role = await demo.write("SELECT role_id FROM users WHERE id = $1", demo.users[1])
    rights = await demo.write("SELECT rights::text FROM roles WHERE id = $1", role)
    agent = (await agents(demo))[0][0]
    told = (await demo.sit(1)).subscribe(WITH_ROWS)
    try:
        await demo.write("UPDATE roles SET rights = '{\"Agents.Read\": true}' WHERE id = $1", role)
        first = await beat(demo, agent)
        await told.until(2)
        state = told.states[-1]
        (event,) = state["data"]["agentCheckins"]["events"]
        assert (event["checkedInAt"], event["site"]) == (first, None)
        assert [error["extensions"]["code"] for error in state["errors"]] == ["FORBIDDEN"]
        await demo.write("UPDATE roles SET rights = '{\"Sites.Read\": true}' WHERE id = $1", role)
        await told.ended()
        assert told.code == "FORBIDDEN"
        await beat(demo, agent)
        await demo.settled()
        assert len(told.texts) == 2
    finally:
        await demo.write("UPDATE roles SET rights = $2::text::jsonb WHERE id = $1", role, rights)


async def _cut_off(demo: Engine, waiting: int, by: str = "pg_terminate_backend") -> None:
    """Cut the connections that wait for a lock, once there are so many, or cancel what they wait with."""
    async with asyncio.timeout(10):
        while True:
            pids = [
                row["pid"]
                for row in await demo.owner.fetch(
                    """SELECT pid FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'"""
                )
            ]
            if len(pids) >= waiting:
                break
            await asyncio.sleep(0.01)
    for pid in pids:
        await demo.owner.execute(f"SELECT {by}($1)", pid)


async def test_what_a_lost_connection_kept_from_being_told_is_told(demo: Engine) -> None:
    """Of rows that hang on events, and of the look whose site a resource is of, for two streams at once."""
    agent, site = (await agents(demo))[0]
    await demo.write("DELETE FROM health_checks WHERE resource_id = $1", agent)
    await _report(demo, "agent", agent, "healthy")
    await demo.settled()
    sitting = await demo.sit()
    told, health = sitting.subscribe(WITH_ROWS), sitting.subscribe(HEALTH, site=site)
    down = sitting.subscribe(HEALTH, site=site, status="DOWN")
    blocking = await asyncpg.connect(demo.database._dsn)
    async with blocking.transaction():
        await blocking.execute("LOCK TABLE sites, data_sources IN ACCESS EXCLUSIVE MODE")
        at = Clocked.next()
        await demo.write(BEAT, [agent], at)
        await demo.write("UPDATE health_checks SET status = 'down' WHERE resource_id = $1", agent)
        await _cut_off(demo, 2)
    await blocking.close()
    await eventually(lambda: heard(told) == [(agent, at)])
    await eventually(lambda: changes(health) == changes(down) == [(agent, "HEALTHY", "DOWN")])
    await demo.settled()
    assert (len(told.texts), len(health.texts), len(down.texts)) == (2, 2, 2)


async def test_a_quiet_stream_is_told_a_fresh_cursor(demo: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subscriptions.streams.streams.STREAM_CURSOR_S", 0.1)
    told = (await demo.sit()).subscribe(CHECKINS)
    await demo.write("SELECT pg_current_xact_id()")
    await told.until(3)
    first, *_, last = messages(told)
    assert last["events"] == []
    assert last["cursor"] != first["cursor"]
    resumed = await (await demo.sit()).subscribe(CHECKINS, since=last["cursor"]).until(1)
    agent = (await agents(demo))[0][0]
    at = await beat(demo, agent)
    await eventually(lambda: heard(resumed) == heard(told) == [(agent, at)])


async def test_coming_and_going_leaves_nothing_behind(demo: Engine) -> None:
    sitting = await demo.sit()
    cursor = messages(sitting.subscribe(CHECKINS))[0]["cursor"]
    for number in range(500):
        since = cursor if number % 3 == 0 else None
        told = (
            sitting.subscribe(CHECKINS, agents=[f"a{number % 7}"] if number % 2 else None)
            if since is None
            else (sitting.subscribe(CHECKINS, since=since))
        )
        if number % 5 == 0:
            await told.until(1)
        assert told.subscription is not None
        told.subscription.cancel()
        told.subscription.cancel()
    sitting.session.close()
    await demo.settled()
    await eventually(lambda: not demo.live.streams._tasks)
    streams = demo.live.streams
    assert (len(streams), streams._index._places, len(demo.live.feed)) == (0, {}, 0)


async def test_a_site_that_another_stream_could_not_look_up_is_looked_up_again(
    demo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two streams wait for the site of one event, and the connection of the one that looks it up is lost."""
    agent, site = (await agents(demo))[0]
    await demo.write("DELETE FROM health_checks WHERE tenant_id = $1", demo.tenant_id)
    sitting = await demo.sit()
    of_agents, of_all = (
        sitting.subscribe(HEALTH, site=site, type="AGENT"),
        sitting.subscribe(HEALTH, site=site),
    )
    await demo.settled()
    snapshots, lost = count(), asyncio.Event()

    @asynccontextmanager
    async def first_is_lost(runs: StreamRuns, viewer: Viewer) -> AsyncIterator[Snapshot]:
        number = next(snapshots)
        try:
            async with snapshot(runs, viewer) as begun:
                if number == 0:
                    begun.connection.terminate()
                else:
                    await lost.wait()
                yield begun
        finally:
            lost.set()

    snapshot = StreamRuns._snapshot
    monkeypatch.setattr(StreamRuns, "_snapshot", first_is_lost)
    await demo.write(
        """INSERT INTO health_checks (tenant_id, resource_type, resource_id, status, last_check_at)
           VALUES ($1, 'agent', $2, 'down', 1), ($1, 'site', $3, 'down', 1)""",
        demo.tenant_id,
        agent,
        site,
    )
    await eventually(lambda: len(changes(of_agents)) == 1 or bool(of_agents.errors))
    await eventually(lambda: len(changes(of_all)) == 2 or bool(of_all.errors))
    assert (of_agents.errors, of_all.errors) == (None, None)
    assert next(snapshots) > 2


async def test_a_look_that_was_cancelled_keeps_no_stream_from_fresh_cursors(
    demo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator cancels whatever waits for the log: the ticks, and those who renew cursors."""
    monkeypatch.setattr("subscriptions.streams.streams.STREAM_CURSOR_S", 0.1)
    told = await (await demo.sit()).subscribe(CHECKINS).until(2)
    blocking = await asyncpg.connect(demo.database._dsn)
    async with blocking.transaction():
        await blocking.execute("LOCK TABLE live.change IN ACCESS EXCLUSIVE MODE")
        await demo.write("SELECT pg_current_xact_id()")
        await _cut_off(demo, 2, "pg_cancel_backend")
    await blocking.close()
    await told.until(len(told.texts) + 2)
    assert told.errors is None
