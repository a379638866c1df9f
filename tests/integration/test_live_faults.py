"""Faults under live queries: failing and slow runs, lost connections, an unavailable database."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.limits import LIVE_RUN_S, LIVE_SLOW_RUNS, LIVE_WORKERS
from core.settings import Settings
from demo import DemoSize, load_demo
from services.migrations import migrate
from subscriptions.engine.worker_pool import WorkerPool
from tests.clusters import ThrowawayCluster, start_throwaway_cluster
from tests.live.agent_moves import AGENT, MOVED, RENAME, SITE, fetch_agent_by_site, lock_table
from tests.live.live_engine import LiveEngine, open_live_engine
from tests.live.recording_subscriber import RecordingSubscriber
from tests.sealed_tokens import open_snapshot
from tests.waiting import HANG_S, wait_until

TENANT: Final = "subscription { viewer { tenant { name } } }"
CONFIG: Final = "subscription ($id: ID!) { dataSource(id: $id) { externalId config } }"
COUNT: Final = "subscription ($id: ID!) { dataSource(id: $id) { externalId } }"


@pytest_asyncio.fixture(loop_scope="session")
async def live_engine(writable_demo_database_url: str) -> AsyncIterator[LiveEngine]:
    async with open_live_engine(writable_demo_database_url) as made:
        yield made
        made.live.registry.validate()
        await wait_until(lambda: not made.live._poller._slices._workers._slow_runs)


async def fetch_ids(live_engine: LiveEngine, table: str, count: int = 1) -> list[str]:
    found = await live_engine.execute_sql(
        f"SELECT array_agg(id) FROM (SELECT id FROM {table} WHERE tenant_id = $1 AND deleted_at IS NULL "
        "ORDER BY id LIMIT $2) few",
        live_engine.tenant_id,
        count,
    )
    return list(found)


async def test_subscription_failing_query_leaves_the_others_running(
    live_engine: LiveEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value nested deeper than PostgreSQL's stack allows fails only the row that has it."""
    bad, *good = await fetch_ids(live_engine, "data_sources", 4)
    connection = await live_engine.connect()
    subscribers = {source: connection.subscribe(CONFIG, id=source) for source in (bad, *good)}
    await asyncio.gather(*(each.wait_for_states(1) for each in subscribers.values()))
    await live_engine.execute_sql(
        "UPDATE data_sources SET external_id = coalesce(external_id, id) || '!', config = CASE WHEN id = $2 "
        "THEN ('{\"deep\": ' || repeat('[', 4000) || repeat(']', 4000) || '}')::jsonb ELSE config END "
        "WHERE tenant_id = $1",
        live_engine.tenant_id,
        bad,
    )
    await subscribers[bad].wait_for_error()
    assert subscribers[bad].code == "INTERNAL"
    errors = subscribers[bad].errors
    assert errors is not None
    error_id = errors[0]["extensions"]["errorId"]
    assert "stack" not in str(subscribers[bad].errors)
    await live_engine.wait_until_settled()
    assert len(subscribers[bad].texts) == 1
    assert all(subscribers[source].data["dataSource"]["externalId"].endswith("!") for source in good)
    assert len(connection.session) == len(good)
    assert not connection.disconnects
    await live_engine.execute_sql(
        "UPDATE data_sources SET external_id = coalesce(external_id, id) || '?', config = '{}' WHERE tenant_id = $1",
        live_engine.tenant_id,
    )
    await live_engine.wait_until_settled()
    assert all(subscribers[source].data["dataSource"]["externalId"].endswith("!?") for source in good)
    assert (await connection.subscribe(CONFIG, id=bad).wait_for_states(1)).data["dataSource"]["config"] == {}
    assert error_id in capsys.readouterr().out


async def test_subscription_statement_timeout_ends_only_that_subscription(
    writable_demo_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;SET LOCAL statement_timeout = 1500;"
    monkeypatch.setattr("core.database.database._BEGIN", begin)
    async with open_live_engine(writable_demo_database_url) as live_engine:
        (site, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
        connection = await live_engine.connect()
        slow = await connection.subscribe(SITE, id=site).wait_for_states(1)
        quick = await connection.subscribe(AGENT, id=agent).wait_for_states(1)
        async with lock_table(writable_demo_database_url, "sites"):
            await live_engine.execute_sql(RENAME, agent, "while it waits")
            await live_engine.execute_sql(MOVED, agent)
            await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)
            await slow.wait_for_error()
        assert slow.code == "QUERY_TOO_COMPLEX"
        assert "took longer" in slow.errors[0]["message"] if slow.errors else False
        await live_engine.wait_until_settled()
        assert quick.data["agent"]["hostname"] == "while it waits"
        assert not connection.disconnects


async def test_slow_run_does_not_delay_others_and_is_sent_when_done(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    (site, agent), (_, other), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    slow = await connection.subscribe(SITE, {"snapshot": True}, id=site).wait_for_states(1)
    quick = await connection.subscribe(AGENT, id=other).wait_for_states(1)
    async with lock_table(writable_demo_database_url, "sites"):
        await live_engine.execute_sql(MOVED, agent)
        await wait_until(lambda: live_engine.live.stats.detached_runs == 1)
        for number in range(20):
            await live_engine.execute_sql(RENAME, other, f"meanwhile {number}")
            live_engine.live.wake()
            await quick.wait_for_states(2 + number)
        assert len(slow.texts) == 1
    await slow.wait_for_states(2)
    await live_engine.wait_until_settled()
    counts = [state["data"]["site"]["agents"]["totalCount"] for state in slow.states]
    assert counts == [counts[0], counts[0] - 1]
    snapshots = [open_snapshot(state["extensions"]["snapshot"]) for state in slow.states]
    assert snapshots[1].includes(snapshots[0])
    await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


async def test_slow_run_with_changes_meanwhile_is_repeated_once(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    (site, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
    slow = await (await live_engine.connect()).subscribe(SITE, {"snapshot": True}, id=site).wait_for_states(1)
    before = slow.data["site"]["agents"]["totalCount"]
    async with lock_table(writable_demo_database_url, "sites"):
        await live_engine.execute_sql(MOVED, agent)
        await wait_until(lambda: live_engine.live.stats.detached_runs == 1)
        runs = live_engine.run_count
        for deleted_at in ("NULL", "2", "NULL"):
            await live_engine.execute_sql(f"UPDATE agents SET deleted_at = {deleted_at} WHERE id = $1", agent)
            await asyncio.sleep(0.05)
        assert live_engine.run_count == runs
    await live_engine.wait_until_settled()
    assert [state["data"]["site"]["agents"]["totalCount"] for state in slow.states] == [
        before,
        before - 1,
        before,
    ]
    assert live_engine.run_count == runs + 2  # the slow one, and one more for all that it missed


async def test_subscribe_during_slow_run_gets_no_stale_answer(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    (site, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    slow = await connection.subscribe(SITE, id=site).wait_for_states(1)
    before = slow.data["site"]["agents"]["totalCount"]
    async with lock_table(writable_demo_database_url, "sites"):
        await live_engine.execute_sql(MOVED, agent)
        await wait_until(lambda: live_engine.live.stats.detached_runs == 1)
        await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)
        guest = connection.subscribe(SITE, id=site)
        await asyncio.sleep(0.1)
        assert not guest.texts
    await live_engine.wait_until_settled()
    assert [state["data"]["site"]["agents"]["totalCount"] for state in guest.states] == [before]


async def test_slow_runs_over_the_limit_leave_workers_for_quick_ones(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    found = await fetch_agent_by_site(live_engine)
    connection = await live_engine.connect()
    sites = list(found)[:20]  # more would wait for the lock until their statements time out
    slow = {site: connection.subscribe(f"{SITE} # {site}", id=site) for site in sites}  # of no common shape
    await asyncio.gather(*(each.wait_for_states(1) for each in slow.values()))
    assert len(slow) > LIVE_SLOW_RUNS + 3
    source = (await fetch_ids(live_engine, "data_sources"))[0]
    quick = await connection.subscribe(COUNT, id=source).wait_for_states(1)
    async with lock_table(writable_demo_database_url, "sites"):
        await live_engine.execute_sql(
            "UPDATE agents SET deleted_at = 3 WHERE tenant_id = $1 AND deleted_at IS NULL",
            live_engine.tenant_id,
        )
        for number in range(40):
            await live_engine.execute_sql(
                "UPDATE data_sources SET external_id = $2 WHERE id = $1", source, f"n{number}"
            )
            live_engine.live.wake()
            await quick.wait_for_states(number + 2)
            assert live_engine.live._poller._slices._workers._slow_runs.total() <= LIVE_SLOW_RUNS
    await live_engine.wait_until_settled()
    assert not [subscriber.errors for subscriber in slow.values() if subscriber.errors]
    assert {subscriber.data["site"]["agents"]["totalCount"] for subscriber in slow.values()} == {0}
    await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE deleted_at = 3")
    await live_engine.wait_until_settled()
    assert all(subscriber.data["site"]["agents"]["totalCount"] > 0 for subscriber in slow.values())


async def test_slow_run_without_subscribers_is_cancelled(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    (site, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    slow = await connection.subscribe(SITE, id=site).wait_for_states(1)
    async with lock_table(writable_demo_database_url, "sites"):
        await live_engine.execute_sql(MOVED, agent)
        await wait_until(lambda: live_engine.live.stats.detached_runs == 1)
        assert slow.subscription is not None
        slow.subscription.cancel()
        assert len(live_engine.live.registry) == 0
        await wait_until(
            lambda: not live_engine.live._poller._slices._workers._slow_runs
        )  # while the table is locked still
    await live_engine.wait_until_settled()
    assert len(slow.texts) == 1
    assert len(live_engine.live._replay_buffer) == 0
    await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


async def test_engine_close_does_not_wait_for_slow_runs(writable_demo_database_url: str) -> None:
    async with (
        lock_table(writable_demo_database_url, "data_sources"),
        open_live_engine(writable_demo_database_url) as live_engine,
    ):
        (await live_engine.connect()).subscribe(COUNT, id="any")
        await wait_until(lambda: live_engine.live.stats.detached_runs == 1)
        async with asyncio.timeout(HANG_S):
            await live_engine.live.close()


async def test_engine_with_incomplete_change_log_runs_every_query_once(live_engine: LiveEngine) -> None:
    agents = await fetch_ids(live_engine, "agents", 5)
    connection = await live_engine.connect()
    subscribers = [await connection.subscribe(AGENT, id=agent).wait_for_states(1) for agent in agents]
    await live_engine.wait_until_settled()
    runs, signed_in = live_engine.run_count, live_engine.live.stats.sign_ins
    await live_engine.execute_sql("DELETE FROM live.era")
    await live_engine.owner.execute("ALTER TABLE agents DISABLE TRIGGER live_update")
    await live_engine.execute_sql(RENAME, agents[0], "unlogged")
    await live_engine.owner.execute("ALTER TABLE agents ENABLE ALWAYS TRIGGER live_update")
    await live_engine.wait_until_settled()
    assert live_engine.run_count - runs == len(agents)
    assert live_engine.live.stats.sign_ins == signed_in + 1
    assert subscribers[0].data["agent"]["hostname"] == "unlogged"
    await live_engine.wait_until_settled()
    assert live_engine.run_count - runs == len(agents)


async def test_engine_lost_connections_are_replaced(
    live_engine: LiveEngine, cluster: ThrowawayCluster
) -> None:
    agents = await fetch_ids(live_engine, "agents", 3)
    connection = await live_engine.connect()
    subscribers = [await connection.subscribe(AGENT, id=agent).wait_for_states(1) for agent in agents]
    administrator = await asyncpg.connect(cluster.build_dsn("postgres", "postgres"))
    mine = live_engine.owner.get_server_pid()
    for number in range(5):
        await administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'msp' AND pid <> $1", mine
        )
        for agent in agents:
            await live_engine.execute_sql(RENAME, agent, f"after {number}")
        await asyncio.sleep(0.02)
    await administrator.close()
    await live_engine.wait_until_settled()
    assert [each.data["agent"]["hostname"] for each in subscribers] == ["after 4"] * 3
    assert all(each.errors is None for each in subscribers)


async def test_two_engines_see_the_writes_of_either(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    agent = (await fetch_ids(live_engine, "agents"))[0]
    async with open_live_engine(writable_demo_database_url) as other:
        subscribers = [
            await (await each.connect()).subscribe(AGENT, id=agent).wait_for_states(1)
            for each in (live_engine, other)
        ]
        for number, writer in enumerate((live_engine, other), 2):
            await writer.execute_sql(RENAME, agent, f"{number}")
            await asyncio.gather(*(each.wait_for_states(number) for each in subscribers))
        assert [each.data["agent"]["hostname"] for each in subscribers] == ["3", "3"]


@asynccontextmanager
async def open_engine_on_own_cluster(version: int) -> AsyncIterator[tuple[ThrowawayCluster, LiveEngine]]:
    with start_throwaway_cluster(version) as own:
        dsn = own.build_dsn(await own.create_database())
        await migrate(dsn, Settings())
        connection = await asyncpg.connect(dsn)
        await load_demo(connection, DemoSize.SMALL)
        await connection.close()
        async with open_live_engine(dsn) as made:
            yield own, made


@pytest.mark.parametrize("how", ["restart", "crash"])
async def test_subscriptions_after_database_restart_or_crash_continue(
    cluster: ThrowawayCluster, how: str
) -> None:
    async with open_engine_on_own_cluster(cluster.version) as (own, live_engine):
        agents = await fetch_ids(live_engine, "agents", 50)
        connection = await live_engine.connect()
        subscribers = [connection.subscribe(AGENT, id=agent) for agent in agents]
        await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
        await asyncio.to_thread(getattr(own, how))
        await wait_until(lambda: live_engine.live.stats.outages > 0)
        owner = await asyncpg.connect(own.build_dsn(await _get_database_name(live_engine)))
        for agent in agents:
            await owner.execute(RENAME, agent, "after it came back")
        await owner.close()
        await _wait_for_hostname(subscribers, "after it came back")
        assert all(each.errors is None for each in subscribers)
        assert not connection.disconnects
        later = await (await live_engine.connect()).subscribe(AGENT, id=agents[0]).wait_for_states(1)
        assert later.data["agent"]["hostname"] == "after it came back"


async def _get_database_name(live_engine: LiveEngine) -> str:
    return str(live_engine.owner._params.database)  # type: ignore[attr-defined]  # private, so not in its stubs


async def _wait_for_hostname(subscriber: list[RecordingSubscriber], hostname: str) -> None:
    await wait_until(lambda: all(each.data["agent"]["hostname"] == hostname for each in subscriber))


NAME: Final = "subscription ($id: ID!) { site(id: $id) { name } }"
NAME_AND_SLUG: Final = "subscription ($id: ID!) { site(id: $id) { name slug } }"
OF_NO_LIST: Final = 'subscription { sites(first: 1, after: "WyJhIl0") { nodes { name } } }'


def find_inconsistent_snapshots(*subscriber: RecordingSubscriber) -> dict[str, set[str]]:
    """The snapshots for which subscriptions to a site's name received different names."""
    names: dict[str, set[str]] = {}
    for state in (state for each in subscriber for state in each.states):
        names.setdefault(state["extensions"]["snapshot"], set()).add(state["data"]["site"]["name"])
    return {snapshot: found for snapshot, found in names.items() if len(found) > 1}


async def test_refresh_cycle_after_a_failed_query_keeps_one_snapshot(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failed statement has ended the snapshot, and the next one sees writes made in between."""
    (site,) = await fetch_ids(live_engine, "sites")
    part = WorkerPool._close_snapshot

    async def write_in_between(lanes: WorkerPool, *of: Any) -> None:
        await part(lanes, *of)
        await live_engine.execute_sql("UPDATE sites SET name = 'Between' WHERE id = $1", site)

    monkeypatch.setattr(WorkerPool, "_close_snapshot", write_in_between)
    connection = await live_engine.connect()
    one = connection.subscribe(NAME, {"snapshot": True}, id=site)
    failing = connection.subscribe(OF_NO_LIST)
    other = connection.subscribe(NAME_AND_SLUG, {"snapshot": True}, id=site)
    await asyncio.gather(one.wait_for_states(1), failing.wait_for_error(), other.wait_for_states(1))
    await live_engine.wait_until_settled()
    assert failing.code == "BAD_USER_INPUT"
    assert one.data["site"]["name"] == other.data["site"]["name"] == "Between"
    assert find_inconsistent_snapshots(one, other) == {}


async def test_refresh_cycle_that_loses_its_connection_sends_nothing_early(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is lost after the first of two runs: neither result is sent before both are complete."""
    (site,) = await fetch_ids(live_engine, "sites")
    connection = await live_engine.connect()
    subscribers = [
        connection.subscribe(query, {"snapshot": True}, id=site) for query in (NAME, NAME_AND_SLUG)
    ]
    await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
    cuts: list[int] = []

    async def cut(lanes: WorkerPool, lane: Any, work: Any, batch: Any) -> None:
        if lane.batch is None and work.completed and not cuts:
            cuts.append(len(work.completed))
            pid = lane.snapshot.connection.get_server_pid()
            await live_engine.owner.execute("SELECT pg_terminate_backend($1)", pid)
        await run(lanes, lane, work, batch)

    run = WorkerPool._run_batch
    monkeypatch.setattr(WorkerPool, "_run_batch", cut)
    snapshots = [asyncio.ensure_future(each.wait_for_states(2)) for each in subscribers]
    await live_engine.execute_sql("UPDATE sites SET name = 'Cut' WHERE id = $1", site)
    await asyncio.wait(snapshots, return_when=asyncio.FIRST_COMPLETED)
    assert [len(each.texts) for each in subscribers] == [2, 2]
    assert cuts == [1]
    assert [each.data["site"]["name"] for each in subscribers] == ["Cut", "Cut"]


async def test_slow_run_that_ends_in_a_cycle_is_sent_separately(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that was slow before runs outside its tick. The tick's own answers wait for each other."""
    site = next(iter(await fetch_agent_by_site(live_engine)))
    connection = await live_engine.connect()
    subscribers = [
        connection.subscribe(query, {"snapshot": True}, id=site) for query in (NAME, NAME_AND_SLUG)
    ]
    slow = await connection.subscribe(SITE, id=site).wait_for_states(1)
    await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
    for group in live_engine.live.registry:
        if group.query.subscription.request.query == SITE:
            group.seconds = 2 * LIVE_RUN_S
    first_landed, slow_subscriber = asyncio.Event(), asyncio.Event()

    async def in_turn(lanes: WorkerPool, lane: Any, work: Any, batch: Any) -> None:
        if lane.is_detached:
            await first_landed.wait()
        elif work.completed:
            first_landed.set()
            await slow_subscriber.wait()
        await run(lanes, lane, work, batch)
        if lane.is_detached:
            counts.extend(len(each.texts) for each in subscribers)
            slow_subscriber.set()

    counts: list[int] = []
    run = WorkerPool._run_batch
    monkeypatch.setattr(WorkerPool, "_run_batch", in_turn)
    monkeypatch.setattr("subscriptions.engine.worker_pool.LIVE_WORKERS", 1)
    await live_engine.execute_sql("UPDATE sites SET name = 'Beside' WHERE id = $1", site)
    await asyncio.gather(slow.wait_for_states(2), *(each.wait_for_states(2) for each in subscribers))
    assert counts == [1, 1]
    assert [each.data["site"]["name"] for each in (*subscribers, slow)] == ["Beside"] * 3


async def test_workers_losing_connections_together_leave_no_unhandled_error(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them raises its error. asyncio must not complain about the tasks of the others, which no one awaited."""
    agents = await fetch_ids(live_engine, "agents", 12)
    connection = await live_engine.connect()
    subscribers = [
        connection.subscribe(f"{AGENT} # {agent}", id=agent) for agent in agents
    ]  # of no common shape
    await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
    gc.collect()  # what earlier tests have left is not this one's
    await asyncio.sleep(0)
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    cuts = iter(range(LIVE_WORKERS))

    async def cut(lanes: WorkerPool, lane: Any, work: Any, batch: Any) -> list[Any]:
        if next(cuts, None) is not None:
            lane.snapshot.connection.terminate()
        return await outcomes(lanes, lane, work, batch)

    outcomes = WorkerPool._collect_outcomes
    monkeypatch.setattr(WorkerPool, "_collect_outcomes", cut)
    try:
        await live_engine.execute_sql(
            "UPDATE agents SET hostname = 'lost' WHERE id = ANY($1::text[])", agents
        )
        await asyncio.gather(*(each.wait_for_states(2) for each in subscribers))
        gc.collect()
        await asyncio.sleep(0)
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert next(cuts, None) is None
    assert complaints == []
