"""Streams on real PostgreSQL: each event once, resumed without loss, and only to viewers with the right."""

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
from core.auth.viewer import Viewer
from core.database.database import ReadTransaction
from core.errors import BadUserInputError, ForbiddenError
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.event_streams.cursors import StreamCursor, compute_binding
from subscriptions.event_streams.stream_reader import StreamReader
from tests.live.live_engine import LiveConnection, LiveEngine, open_live_engine
from tests.live.recording_subscriber import RecordingSubscriber
from tests.live.stream_messages import CHECKINS, HEALTH, read_check_ins, read_health_changes, read_messages
from tests.sealed_tokens import SEALER
from tests.waiting import HANG_S, wait_until

WITH_ROWS: Final = """subscription ($since: String) { agentCheckins(since: $since) {
    cursor events { agentId checkedInAt agent { id hostname isOnline } site { id name } } } }"""
HEALTH_ROWS: Final = """subscription { healthCheckChanges { cursor events { status
    healthCheck { id status errorMessage resource { ... on Agent { id } } } } } }"""

BEAT: Final = "UPDATE agents SET last_checkin_at = $2 WHERE id = ANY($1::text[])"


@pytest_asyncio.fixture(loop_scope="session")
async def live_engine(writable_demo_database_url: str) -> AsyncIterator[LiveEngine]:
    async with open_live_engine(writable_demo_database_url) as made:
        yield made
        made.live.streams.validate()


async def fetch_agents_with_sites(live_engine: LiveEngine, user: int = 0) -> list[tuple[str, str]]:
    """Agents of a user's tenant with their sites."""
    rows = await live_engine.owner.fetch(
        """SELECT a.id, a.site_id FROM agents a JOIN users u ON u.tenant_id = a.tenant_id
           WHERE u.id = $1 AND a.deleted_at IS NULL ORDER BY a.id""",
        live_engine.user_ids[user],
    )
    return [(row["id"], row["site_id"]) for row in rows]


class CheckInTimes:
    """Times for check-ins, each later than the one before."""

    at = 4_000_000_000_000

    @classmethod
    def next(cls) -> int:
        cls.at += 1
        return cls.at


async def write_check_ins_at_next_time(live_engine: LiveEngine, *ids: str) -> int:
    at = CheckInTimes.next()
    await live_engine.execute_sql(BEAT, list(ids), at)
    return at


async def _wait_for_last_check_in(subscriber: RecordingSubscriber, expected: tuple[str, int]) -> None:
    await wait_until(lambda: read_check_ins(subscriber)[-1:] == [expected])


async def _wait_for_check_ins(subscriber: RecordingSubscriber, number: int) -> None:
    await wait_until(lambda: len(read_check_ins(subscriber)) >= number)


@pytest.mark.role_modes
async def test_stream_first_message_is_a_cursor(live_engine: LiveEngine) -> None:
    subscriber = (await live_engine.connect()).subscribe(CHECKINS)
    (message,) = read_messages(subscriber)
    assert message["events"] == []
    assert message["cursor"]


@pytest.mark.role_modes
async def test_stream_check_in_is_sent_once_with_all_fields(live_engine: LiveEngine) -> None:
    agent, site = (await fetch_agents_with_sites(live_engine))[0]
    subscriber = (await live_engine.connect()).subscribe(CHECKINS)
    first, second = (
        await write_check_ins_at_next_time(live_engine, agent),
        await write_check_ins_at_next_time(live_engine, agent),
    )
    await wait_until(lambda: len(read_check_ins(subscriber)) == 2)
    events = [event for message in read_messages(subscriber) for event in message["events"]]
    assert [(e["agentId"], e["siteId"], e["checkedInAt"]) for e in events] == [
        (agent, site, first),
        (agent, site, second),
    ]
    assert events[1]["previousCheckinAt"] == first
    await live_engine.wait_until_settled()
    assert len(read_check_ins(subscriber)) == 2


@pytest.mark.role_modes
async def test_stream_check_ins_of_one_write_are_one_message(live_engine: LiveEngine) -> None:
    ids = [agent for agent, _ in (await fetch_agents_with_sites(live_engine))[:5]]
    subscriber = (await live_engine.connect()).subscribe(CHECKINS)
    at = await write_check_ins_at_next_time(live_engine, *ids)
    await subscriber.wait_for_states(2)
    assert sorted(read_check_ins(subscriber)) == [(agent, at) for agent in ids]
    assert len(subscriber.texts) == 2


@pytest.mark.role_modes
async def test_stream_with_filters_sends_only_matching_check_ins(live_engine: LiveEngine) -> None:
    all_agents = await fetch_agents_with_sites(live_engine)
    (one, site), other = all_agents[0], next(a for a, s in all_agents if s != all_agents[0][1])
    connection = await live_engine.connect()
    everything, of_site = connection.subscribe(CHECKINS), connection.subscribe(CHECKINS, site=site)
    of_agent, of_none = (
        connection.subscribe(CHECKINS, agents=[other]),
        connection.subscribe(CHECKINS, agents=[]),
    )
    neither = connection.subscribe(CHECKINS, site=site, agents=[other])
    first, second = (
        await write_check_ins_at_next_time(live_engine, one),
        await write_check_ins_at_next_time(live_engine, other),
    )
    await wait_until(lambda: len(read_check_ins(everything)) == 2)
    await live_engine.wait_until_settled()
    assert read_check_ins(of_site) == [(one, first)]
    assert read_check_ins(of_agent) == [(other, second)]
    assert read_check_ins(of_none) == read_check_ins(neither) == []
    assert len(of_none.texts) == len(neither.texts) == 1


@pytest.mark.role_modes
async def test_stream_other_writes_and_tenants_are_not_sent(live_engine: LiveEngine) -> None:
    agent = (await fetch_agents_with_sites(live_engine))[0][0]
    subscriber = (await live_engine.connect()).subscribe(CHECKINS)
    mine = {a for a, _ in await fetch_agents_with_sites(live_engine)}
    foreign = await live_engine.execute_sql(
        "SELECT min(id) FROM agents WHERE id <> ALL($1::text[])", list(mine)
    )
    statements = subscriber.texts.copy()
    await live_engine.execute_sql("UPDATE agents SET hostname = hostname || 'x' WHERE id = $1", agent)
    await live_engine.execute_sql("UPDATE agents SET last_checkin_at = last_checkin_at WHERE id = $1", agent)
    await write_check_ins_at_next_time(live_engine, foreign)
    await live_engine.wait_until_settled()
    assert subscriber.texts == statements


@pytest.mark.role_modes
async def test_stream_event_rows_are_as_of_the_message(live_engine: LiveEngine) -> None:
    agent, site = (await fetch_agents_with_sites(live_engine))[0]
    subscriber = (await live_engine.connect()).subscribe(WITH_ROWS)
    await live_engine.execute_sql(
        "UPDATE agents SET hostname = 'host-now', last_checkin_at = $2 WHERE id = $1",
        agent,
        CheckInTimes.next(),
    )
    await subscriber.wait_for_states(2)
    (event,) = read_messages(subscriber)[-1]["events"]
    name = await live_engine.execute_sql("SELECT name FROM sites WHERE id = $1", site)
    # No agent is online by a check-in in the future, which `CheckInTimes` writes.
    assert event["agent"] == {"id": agent, "hostname": "host-now", "isOnline": False}
    assert event["site"] == {"id": site, "name": name}


@pytest.mark.role_modes
async def test_stream_many_events_are_sent_with_their_rows(live_engine: LiveEngine) -> None:
    ids = [agent for agent, _ in await fetch_agents_with_sites(live_engine)]
    subscriber = (await live_engine.connect()).subscribe(WITH_ROWS)
    at = await write_check_ins_at_next_time(live_engine, *ids)
    await wait_until(lambda: len(read_check_ins(subscriber)) == len(ids))
    assert sorted(read_check_ins(subscriber)) == [(agent, at) for agent in ids]
    assert all(e["agent"]["id"] == e["agentId"] for m in read_messages(subscriber) for e in m["events"])


@pytest.mark.role_modes
async def test_streams_of_equal_queries_are_shared(live_engine: LiveEngine) -> None:
    one, other = await live_engine.connect(), await live_engine.connect()
    subscribers = [connection.subscribe(WITH_ROWS) for connection in (one, other) for _ in range(3)]
    assert len(live_engine.live.streams) == 1
    await write_check_ins_at_next_time(live_engine, (await fetch_agents_with_sites(live_engine))[0][0])
    await asyncio.gather(*(each.wait_for_states(2) for each in subscribers))
    assert len({each.texts[-1] for each in subscribers}) == 1
    assert len({id(each.texts[-1]) for each in subscribers}) == 1  # encoded once
    resumed = one.subscribe(WITH_ROWS, since=read_messages(subscribers[0])[-1]["cursor"])
    await resumed.wait_for_states(1)
    await write_check_ins_at_next_time(live_engine, (await fetch_agents_with_sites(live_engine))[0][0])
    await resumed.wait_for_states(2)
    await wait_until(lambda: len(live_engine.live.streams) == 1)
    for connection in (one, other):
        connection.session.close()
    assert len(live_engine.live.streams) == 0
    await wait_until(lambda: not live_engine.live.streams._tasks)


@pytest.mark.role_modes
async def test_stream_resumed_from_cursor_sends_missed_events(live_engine: LiveEngine) -> None:
    agent = (await fetch_agents_with_sites(live_engine))[0][0]
    connection = await live_engine.connect()
    subscriber = connection.subscribe(CHECKINS)
    first = await write_check_ins_at_next_time(live_engine, agent)
    await wait_until(lambda: len(read_check_ins(subscriber)) == 1)
    assert subscriber.subscription is not None
    subscriber.subscription.cancel()
    missed = [await write_check_ins_at_next_time(live_engine, agent) for _ in range(3)]
    await live_engine.wait_until_settled()
    assert read_check_ins(subscriber) == [(agent, first)]
    resumed = await connection.subscribe(
        CHECKINS, since=read_messages(subscriber)[-1]["cursor"]
    ).wait_for_states(1)
    assert read_check_ins(resumed) == [(agent, at) for at in missed]
    again = await connection.subscribe(
        CHECKINS, since=read_messages(subscriber)[0]["cursor"]
    ).wait_for_states(1)
    assert read_check_ins(again) == [(agent, at) for at in (first, *missed)]
    nothing = await connection.subscribe(CHECKINS, since=read_messages(again)[-1]["cursor"]).wait_for_states(
        1
    )
    assert read_check_ins(nothing) == []
    live = await write_check_ins_at_next_time(live_engine, agent)
    for each in (resumed, again, nothing):
        await _wait_for_last_check_in(each, (agent, live))


@pytest.mark.parametrize("query", [CHECKINS, WITH_ROWS])
async def test_stream_with_reconnecting_clients_sends_each_event_once(
    live_engine: LiveEngine, query: str
) -> None:
    """Writers with transactions, some rolled back, some long; readers that leave and come back."""
    ids = [agent for agent, _ in await fetch_agents_with_sites(live_engine)]
    dice = random.Random(5)  # noqa: S311 - the same cases each time
    connection = await live_engine.connect()
    begun = connection.subscribe(query)
    committed: list[tuple[str, int]] = []
    writing = asyncio.gather(
        *(_write_random_check_ins(live_engine, dice, ids[n::4], committed) for n in range(4))
    )
    found = await asyncio.gather(
        *(_resubscribe_repeatedly(connection, dice, query, begun, writing) for _ in range(4))
    )
    await wait_until(lambda: len(read_check_ins(begun)) == len(committed))
    assert sorted(read_check_ins(begun)) == sorted(committed)
    for each in found:
        assert sorted(each) == sorted(committed)
    for agent in ids:  # each agent's own check-ins arrive in their order
        assert [e for e in read_check_ins(begun) if e[0] == agent] == [e for e in committed if e[0] == agent]


async def _write_random_check_ins(
    live_engine: LiveEngine, dice: random.Random, ids: Sequence[str], committed: list[tuple[str, int]]
) -> None:
    connection = await asyncpg.connect(live_engine.database._dsn)
    try:
        for _ in range(40):
            written = []
            transaction = connection.transaction()
            await transaction.start()
            for _ in range(dice.randrange(1, 4)):
                some, at = dice.sample(list(ids), dice.randrange(1, 4)), CheckInTimes.next()
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


async def _resubscribe_repeatedly(
    connection: LiveConnection,
    dice: random.Random,
    query: str,
    begun: RecordingSubscriber,
    writing: "asyncio.Future[Any]",
) -> list[tuple[str, int]]:
    cursor, found = read_messages(begun)[0]["cursor"], []
    last = False
    while True:
        subscriber = await connection.subscribe(query, since=cursor).wait_for_states(1)
        await asyncio.sleep(dice.random() / 20)
        if last:
            await asyncio.sleep(0.3)
        assert subscriber.subscription is not None
        subscriber.subscription.cancel()
        found += read_check_ins(subscriber)
        cursor = read_messages(subscriber)[-1]["cursor"]
        if last:
            return found
        last = writing.done()


async def test_stream_more_events_than_a_message_allows_are_split(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscriptions.event_streams.stream.STREAM_EVENTS_MAX", 7)
    ids = [agent for agent, _ in await fetch_agents_with_sites(live_engine)][:40]
    connection = await live_engine.connect()
    subscriber = connection.subscribe(CHECKINS)
    at = await write_check_ins_at_next_time(live_engine, *ids)
    await wait_until(lambda: len(read_check_ins(subscriber)) == len(ids))
    parts = read_messages(subscriber)
    assert max(len(part["events"]) for part in parts) == 7
    for number, part in enumerate(parts):
        rest = connection.subscribe(CHECKINS, since=part["cursor"])
        seen = {e["agentId"] for p in parts[: number + 1] for e in p["events"]}
        expected = {(agent, at) for agent in ids if agent not in seen}
        await rest.wait_for_states(1)
        await _wait_for_check_ins(rest, len(expected))
        assert (set(read_check_ins(rest)), len(read_check_ins(rest))) == (expected, len(expected))


@pytest.mark.role_modes
async def test_stream_with_invalid_or_foreign_cursor_is_refused(live_engine: LiveEngine) -> None:
    (_, site), connection = (await fetch_agents_with_sites(live_engine))[0], await live_engine.connect()
    cursor = read_messages(connection.subscribe(CHECKINS))[0]["cursor"]
    for variables in (
        {"since": "x"},
        {"since": cursor, "site": site},
        {"since": cursor + "A"},
        {"since": ""},
    ):
        with pytest.raises(BadUserInputError):
            connection.subscribe(CHECKINS, **variables)
    with pytest.raises(BadUserInputError):
        connection.subscribe(HEALTH, since=cursor)
    with pytest.raises(BadUserInputError):
        (await live_engine.connect(2)).subscribe(CHECKINS, since=cursor)
    await connection.subscribe(CHECKINS, since=cursor, agents=None).wait_for_states(1)


@pytest.mark.parametrize("snapshot", ["5:5:@elsewhere", f"{2**62 + 5}:{2**62 + 5}:", "5:5:"])
async def test_stream_cursor_outside_the_change_log_has_expired(
    live_engine: LiveEngine, snapshot: str
) -> None:
    """Of another cluster, from the future, and of a time that is no longer kept."""
    connection = await live_engine.connect()
    binding = compute_binding("agentCheckins", live_engine.tenant_id, {})
    now = StreamCursor.open(read_messages(connection.subscribe(CHECKINS))[0]["cursor"], binding, SEALER)
    if snapshot == "5:5:":
        await live_engine.execute_sql("UPDATE live.floor SET moment = '9:9:' WHERE name = 'tidied'")
    era = "" if "@" in snapshot else f"@{now.snapshot.timeline}"
    cursor = StreamCursor(Snapshot.parse(snapshot + era)).seal(binding, SEALER)
    subscriber = await connection.subscribe(CHECKINS, since=cursor).wait_for_error()
    assert (subscriber.code, subscriber.texts) == ("CURSOR_EXPIRED", [])
    await connection.subscribe(
        CHECKINS, since=StreamCursor(now.snapshot).seal(binding, SEALER)
    ).wait_for_states(1)


@pytest.mark.role_modes
async def test_streams_after_incomplete_change_log_end_as_expired(live_engine: LiveEngine) -> None:
    connection = await live_engine.connect()
    subscribers = [connection.subscribe(query) for query in (CHECKINS, WITH_ROWS, HEALTH)]
    await live_engine.execute_sql(
        """UPDATE live.floor SET moment = (n || ':' || n || ':')::pg_snapshot
           FROM (SELECT pg_current_xact_id()::text::bigint + 1 AS n) next WHERE name = 'tidied'"""
    )
    for each in subscribers:
        assert (await each.wait_for_error()).code == "CURSOR_EXPIRED"
    assert len(live_engine.live.streams) == 0
    again = connection.subscribe(CHECKINS)
    agent = (await fetch_agents_with_sites(live_engine))[0][0]
    at = await write_check_ins_at_next_time(live_engine, agent)
    await wait_until(lambda: read_check_ins(again) == [(agent, at)])


@pytest.mark.role_modes
async def test_stream_3000_check_ins_in_one_statement_are_all_sent(live_engine: LiveEngine) -> None:
    subscriber = (await live_engine.connect()).subscribe(CHECKINS)
    await live_engine.execute_sql(
        """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version)
           SELECT tenant_id, site_id, 'fleet' || n, 'fleet', 'linux', '1'
           FROM (SELECT tenant_id, site_id FROM agents WHERE tenant_id = $1 LIMIT 1) a, generate_series(1, 3000) n""",
        live_engine.tenant_id,
    )
    at = CheckInTimes.next()
    await live_engine.execute_sql(
        "UPDATE agents SET version = '2', last_checkin_at = $1 WHERE hostname = 'fleet'", at
    )
    await wait_until(lambda: len(read_check_ins(subscriber)) >= 3_000)
    assert len(set(read_check_ins(subscriber))) == len(read_check_ins(subscriber)) == 3_000
    assert max(len(message["events"]) for message in read_messages(subscriber)) <= limits.STREAM_EVENTS_MAX
    await live_engine.execute_sql("DELETE FROM agents WHERE hostname = 'fleet'")


async def _write_health_check(
    live_engine: LiveEngine, kind: str, resource: str, status: str, failures: int = 0
) -> None:
    await live_engine.execute_sql(
        """INSERT INTO health_checks (tenant_id, resource_type, resource_id, status, failure_count, last_check_at)
           VALUES ($1, $2, $3, $4, $5, app.now_ms())
           ON CONFLICT (tenant_id, resource_type, resource_id)
           DO UPDATE SET status = excluded.status, failure_count = excluded.failure_count,
                         last_check_at = app.now_ms()""",
        live_engine.tenant_id,
        kind,
        resource,
        status,
        failures,
    )


@pytest.mark.role_modes
async def test_health_stream_sends_status_changes_but_not_reports(live_engine: LiveEngine) -> None:
    (agent, site), (other, _) = (await fetch_agents_with_sites(live_engine))[:2]
    await live_engine.execute_sql("DELETE FROM health_checks WHERE tenant_id = $1", live_engine.tenant_id)
    connection = await live_engine.connect()
    subscriber, down = connection.subscribe(HEALTH), connection.subscribe(HEALTH, status="DOWN")
    sites = connection.subscribe(HEALTH, type="SITE")
    await _write_health_check(live_engine, "agent", agent, "healthy")
    await _write_health_check(live_engine, "agent", agent, "healthy")
    await _write_health_check(live_engine, "agent", agent, "degraded", 1)
    await _write_health_check(live_engine, "agent", agent, "degraded", 2)
    await _write_health_check(live_engine, "agent", other, "down", 3)
    await _write_health_check(live_engine, "site", site, "down", 1)
    await wait_until(lambda: len(read_health_changes(subscriber)) >= 4)
    await live_engine.wait_until_settled()
    assert read_health_changes(subscriber) == [
        (agent, None, "HEALTHY"),
        (agent, "HEALTHY", "DEGRADED"),
        (other, None, "DOWN"),
        (site, None, "DOWN"),
    ]
    assert read_health_changes(down) == [(other, None, "DOWN"), (site, None, "DOWN")]
    assert read_health_changes(sites) == [(site, None, "DOWN")]


@pytest.mark.role_modes
async def test_health_stream_of_a_site_sends_changes_of_its_resources(live_engine: LiveEngine) -> None:
    all_agents = await fetch_agents_with_sites(live_engine)
    (agent, site), other = all_agents[0], next(a for a, s in all_agents if s != all_agents[0][1])
    source = await live_engine.execute_sql(
        "SELECT min(id) FROM data_sources WHERE tenant_id = $1", live_engine.tenant_id
    )
    job = await live_engine.execute_sql(
        "SELECT min(id) FROM scheduled_jobs WHERE tenant_id = $1", live_engine.tenant_id
    )
    await live_engine.execute_sql("UPDATE data_sources SET site_id = $2 WHERE id = $1", source, site)
    await live_engine.execute_sql("DELETE FROM health_checks WHERE tenant_id = $1", live_engine.tenant_id)
    connection = await live_engine.connect()
    everything, subscriber = connection.subscribe(HEALTH), connection.subscribe(HEALTH, site=site)
    again = connection.subscribe(HEALTH, site=site, status="DOWN")
    resources = (
        ("agent", agent),
        ("agent", other),
        ("site", site),
        ("data_source", source),
        ("scheduled_job", job),
    )
    for kind, resource in resources:
        await _write_health_check(live_engine, kind, resource, "down", 1)
    await wait_until(lambda: len(read_health_changes(everything)) == 5)
    await wait_until(lambda: len(read_health_changes(subscriber)) >= 3)
    await live_engine.wait_until_settled()
    assert [resource for resource, *_ in read_health_changes(subscriber)] == [agent, site, source]
    assert read_health_changes(again) == read_health_changes(subscriber)


@pytest.mark.role_modes
async def test_health_stream_event_includes_its_health_check(live_engine: LiveEngine) -> None:
    agent = (await fetch_agents_with_sites(live_engine))[0][0]
    await _write_health_check(live_engine, "agent", agent, "healthy")
    await live_engine.wait_until_settled()
    subscriber = (await live_engine.connect()).subscribe(HEALTH_ROWS)
    await live_engine.execute_sql(
        "UPDATE health_checks SET status = 'down', error_message = 'gone' WHERE resource_id = $1", agent
    )
    await subscriber.wait_for_states(2)
    (event,) = read_messages(subscriber, "healthCheckChanges")[-1]["events"]
    assert event["healthCheck"]["errorMessage"] == "gone"
    assert event["healthCheck"]["resource"] == {"id": agent}


@pytest.mark.role_modes
async def test_stream_without_right_or_tenant_is_refused(live_engine: LiveEngine) -> None:
    connection = await live_engine.connect_as_platform(live_engine.tenant_id)
    subscriber = connection.subscribe(WITH_ROWS)
    agent = (await fetch_agents_with_sites(live_engine))[0][0]
    await write_check_ins_at_next_time(live_engine, agent)
    await subscriber.wait_for_states(2)
    assert read_check_ins(subscriber)[0][0] == agent
    with pytest.raises(BadUserInputError, match="X-Tenant-Id"):
        (await live_engine.connect_as_platform(None)).subscribe(CHECKINS)
    role = await live_engine.execute_sql("SELECT role_id FROM users WHERE id = $1", live_engine.user_ids[1])
    rights = await live_engine.execute_sql("SELECT rights::text FROM roles WHERE id = $1", role)
    await live_engine.execute_sql("UPDATE roles SET rights = '{\"Sites.Read\": true}' WHERE id = $1", role)
    try:
        with pytest.raises(ForbiddenError):
            (await live_engine.connect(1)).subscribe(CHECKINS)
    finally:
        await live_engine.execute_sql("UPDATE roles SET rights = $2::text::jsonb WHERE id = $1", role, rights)


@pytest.mark.role_modes
async def test_stream_ends_only_when_its_own_right_is_revoked(live_engine: LiveEngine) -> None:
    role = await live_engine.execute_sql("SELECT role_id FROM users WHERE id = $1", live_engine.user_ids[1])
    rights = await live_engine.execute_sql("SELECT rights::text FROM roles WHERE id = $1", role)
    agent = (await fetch_agents_with_sites(live_engine))[0][0]
    subscriber = (await live_engine.connect(1)).subscribe(WITH_ROWS)
    try:
        await live_engine.execute_sql(
            "UPDATE roles SET rights = '{\"Agents.Read\": true}' WHERE id = $1", role
        )
        first = await write_check_ins_at_next_time(live_engine, agent)
        await subscriber.wait_for_states(2)
        state = subscriber.states[-1]
        (event,) = state["data"]["agentCheckins"]["events"]
        assert (event["checkedInAt"], event["site"]) == (first, None)
        assert [error["extensions"]["code"] for error in state["errors"]] == ["FORBIDDEN"]
        await live_engine.execute_sql(
            "UPDATE roles SET rights = '{\"Sites.Read\": true}' WHERE id = $1", role
        )
        await subscriber.wait_for_error()
        assert subscriber.code == "FORBIDDEN"
        await write_check_ins_at_next_time(live_engine, agent)
        await live_engine.wait_until_settled()
        assert len(subscriber.texts) == 2
    finally:
        await live_engine.execute_sql("UPDATE roles SET rights = $2::text::jsonb WHERE id = $1", role, rights)


async def _terminate_waiting(live_engine: LiveEngine, waiting: int, by: str = "pg_terminate_backend") -> None:
    """Terminate the backends that wait for a lock, once there are so many, or cancel their statements."""
    async with asyncio.timeout(HANG_S):
        while True:
            pids = [
                row["pid"]
                for row in await live_engine.owner.fetch(
                    """SELECT pid FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'"""
                )
            ]
            if len(pids) >= waiting:
                break
            await asyncio.sleep(0.01)
    for pid in pids:
        await live_engine.owner.execute(f"SELECT {by}($1)", pid)


@pytest.mark.role_modes
async def test_streams_after_lost_connection_send_the_events_once(live_engine: LiveEngine) -> None:
    """Rows that belong to events, and the query for a resource's site, for two streams at once."""
    agent, site = (await fetch_agents_with_sites(live_engine))[0]
    await live_engine.execute_sql("DELETE FROM health_checks WHERE resource_id = $1", agent)
    await _write_health_check(live_engine, "agent", agent, "healthy")
    await live_engine.wait_until_settled()
    connection = await live_engine.connect()
    subscriber, health = connection.subscribe(WITH_ROWS), connection.subscribe(HEALTH, site=site)
    down = connection.subscribe(HEALTH, site=site, status="DOWN")
    blocking = await asyncpg.connect(live_engine.database._dsn)
    async with blocking.transaction():
        await blocking.execute("LOCK TABLE sites, data_sources IN ACCESS EXCLUSIVE MODE")
        at = CheckInTimes.next()
        await live_engine.execute_sql(BEAT, [agent], at)
        await live_engine.execute_sql(
            "UPDATE health_checks SET status = 'down' WHERE resource_id = $1", agent
        )
        await _terminate_waiting(live_engine, 2)
    await blocking.close()
    await wait_until(lambda: read_check_ins(subscriber) == [(agent, at)])
    await wait_until(
        lambda: read_health_changes(health) == read_health_changes(down) == [(agent, "HEALTHY", "DOWN")]
    )
    await live_engine.wait_until_settled()
    assert (len(subscriber.texts), len(health.texts), len(down.texts)) == (2, 2, 2)


async def test_stream_without_events_sends_fresh_cursors(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscriptions.event_streams.stream_registry.STREAM_CURSOR_INTERVAL_S", 0.1)
    subscriber = (await live_engine.connect()).subscribe(CHECKINS)
    await live_engine.execute_sql("SELECT pg_current_xact_id()")
    await subscriber.wait_for_states(3)
    first, *_, last = read_messages(subscriber)
    assert last["events"] == []
    assert last["cursor"] != first["cursor"]
    resumed = await (await live_engine.connect()).subscribe(CHECKINS, since=last["cursor"]).wait_for_states(1)
    agent = (await fetch_agents_with_sites(live_engine))[0][0]
    at = await write_check_ins_at_next_time(live_engine, agent)
    await wait_until(lambda: read_check_ins(resumed) == read_check_ins(subscriber) == [(agent, at)])


@pytest.mark.role_modes
async def test_streams_many_cancelled_leave_nothing_behind(live_engine: LiveEngine) -> None:
    connection = await live_engine.connect()
    cursor = read_messages(connection.subscribe(CHECKINS))[0]["cursor"]
    for number in range(500):
        since = cursor if number % 3 == 0 else None
        subscriber = (
            connection.subscribe(CHECKINS, agents=[f"a{number % 7}"] if number % 2 else None)
            if since is None
            else (connection.subscribe(CHECKINS, since=since))
        )
        if number % 5 == 0:
            await subscriber.wait_for_states(1)
        assert subscriber.subscription is not None
        subscriber.subscription.cancel()
        subscriber.subscription.cancel()
    connection.session.close()
    await live_engine.wait_until_settled()
    await wait_until(lambda: not live_engine.live.streams._tasks)
    streams = live_engine.live.streams
    assert (len(streams), streams._index._by_routing_key, len(live_engine.live.feed)) == (0, {}, 0)


async def test_health_streams_failed_site_lookup_is_repeated(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two streams wait for the site of one event, and the connection of its query is lost."""
    agent, site = (await fetch_agents_with_sites(live_engine))[0]
    await live_engine.execute_sql("DELETE FROM health_checks WHERE tenant_id = $1", live_engine.tenant_id)
    connection = await live_engine.connect()
    of_agents, of_all = (
        connection.subscribe(HEALTH, site=site, type="AGENT"),
        connection.subscribe(HEALTH, site=site),
    )
    await live_engine.wait_until_settled()
    snapshots, lost = count(), asyncio.Event()

    @asynccontextmanager
    async def first_is_lost(runs: StreamReader, viewer: Viewer) -> AsyncIterator[ReadTransaction]:
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

    snapshot = StreamReader._snapshot
    monkeypatch.setattr(StreamReader, "_snapshot", first_is_lost)
    await live_engine.execute_sql(
        """INSERT INTO health_checks (tenant_id, resource_type, resource_id, status, last_check_at)
           VALUES ($1, 'agent', $2, 'down', 1), ($1, 'site', $3, 'down', 1)""",
        live_engine.tenant_id,
        agent,
        site,
    )
    await wait_until(lambda: len(read_health_changes(of_agents)) == 1 or bool(of_agents.errors))
    await wait_until(lambda: len(read_health_changes(of_all)) == 2 or bool(of_all.errors))
    assert (of_agents.errors, of_all.errors) == (None, None)
    assert next(snapshots) > 2


async def test_stream_after_cancelled_cursor_query_sends_fresh_cursors(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An administrator cancels all statements that wait for the log: the ticks, and those that renew cursors."""
    monkeypatch.setattr("subscriptions.event_streams.stream_registry.STREAM_CURSOR_INTERVAL_S", 0.1)
    subscriber = await (await live_engine.connect()).subscribe(CHECKINS).wait_for_states(2)
    blocking = await asyncpg.connect(live_engine.database._dsn)
    async with blocking.transaction():
        await blocking.execute("LOCK TABLE live.change IN ACCESS EXCLUSIVE MODE")
        await live_engine.execute_sql("SELECT pg_current_xact_id()")
        await _terminate_waiting(live_engine, 2, "pg_cancel_backend")
    await blocking.close()
    await subscriber.wait_for_states(len(subscriber.texts) + 2)
    assert subscriber.errors is None
