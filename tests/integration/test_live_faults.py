"""What goes wrong under live queries: runs that fail or take long, lost connections, a database that is away."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.limits import LIVE_LANES, LIVE_RUN_S, LIVE_SLOW_RUNS
from core.settings import Settings
from services.demo import DemoSize, load_demo
from services.migrations import migrate
from subscriptions.changes.moment import Moment
from subscriptions.engine.lanes import Lanes
from tests.clusters import ThrowawayCluster, throwaway_cluster
from tests.live.engine import Engine, Told, engine, eventually

SITE: Final = "subscription ($id: ID!) { site(id: $id) { name agents(first: 1) { totalCount } } }"
TENANT: Final = "subscription { viewer { tenant { name } } }"
AGENT: Final = "subscription ($id: ID!) { agent(id: $id) { hostname } }"
CONFIG: Final = "subscription ($id: ID!) { dataSource(id: $id) { externalId config } }"
COUNT: Final = "subscription ($id: ID!) { dataSource(id: $id) { externalId } }"
RENAME: Final = "UPDATE agents SET hostname = $2 WHERE id = $1"
MOVED: Final = "UPDATE agents SET deleted_at = 1 WHERE id = $1"


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database: str) -> AsyncIterator[Engine]:
    async with engine(demo_database) as made:
        yield made
        made.live.groups.validate()
        await eventually(lambda: made.live._ticks._lanes._slow == 0)


async def some(demo: Engine, table: str, count: int = 1) -> list[str]:
    found = await demo.write(
        f"SELECT array_agg(id) FROM (SELECT id FROM {table} WHERE tenant_id = $1 AND deleted_at IS NULL "  # noqa: S608
        "ORDER BY id LIMIT $2) few",
        demo.tenant_id,
        count,
    )
    return list(found)


@asynccontextmanager
async def locked(dsn: str, table: str) -> AsyncIterator[asyncpg.Connection]:
    """Nobody else can read a table while this lasts: who tries takes as long."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


async def of_sites(demo: Engine) -> dict[str, str]:
    """Sites that have agents, each with one of them."""
    rows = await demo.owner.fetch(
        "SELECT site_id, min(id) AS agent FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL "
        "AND site_id IN (SELECT id FROM sites WHERE deleted_at IS NULL) GROUP BY site_id ORDER BY site_id",
        demo.tenant_id,
    )
    return {row["site_id"]: row["agent"] for row in rows}


async def test_a_failing_query_fails_alone(demo: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    """A value nested deeper than PostgreSQL's stack fails the one row that has it."""
    bad, *good = await some(demo, "data_sources", 4)
    sitting = await demo.sit()
    told = {source: sitting.subscribe(CONFIG, id=source) for source in (bad, *good)}
    await asyncio.gather(*(each.until(1) for each in told.values()))
    await demo.write(
        "UPDATE data_sources SET external_id = coalesce(external_id, id) || '!', config = CASE WHEN id = $2 "
        "THEN ('{\"deep\": ' || repeat('[', 4000) || repeat(']', 4000) || '}')::jsonb ELSE config END "
        "WHERE tenant_id = $1",
        demo.tenant_id,
        bad,
    )
    await told[bad].ended()
    assert told[bad].code == "INTERNAL"
    assert told[bad].errors is not None
    error_id = told[bad].errors[0]["extensions"]["errorId"]
    assert "stack" not in str(told[bad].errors)
    await demo.settled()
    assert len(told[bad].texts) == 1
    assert all(told[source].data["dataSource"]["externalId"].endswith("!") for source in good)
    assert len(sitting.session) == len(good)
    assert not sitting.gone
    await demo.write(
        "UPDATE data_sources SET external_id = coalesce(external_id, id) || '?', config = '{}' WHERE tenant_id = $1",
        demo.tenant_id,
    )
    await demo.settled()
    assert all(told[source].data["dataSource"]["externalId"].endswith("!?") for source in good)
    assert (await sitting.subscribe(CONFIG, id=bad).until(1)).data["dataSource"]["config"] == {}
    assert error_id in capsys.readouterr().out


async def test_a_query_that_takes_too_long_says_so_alone(
    demo_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;SET LOCAL statement_timeout = 1500;"
    monkeypatch.setattr("core.database._BEGIN", begin)
    async with engine(demo_database) as demo:
        (site, agent), *_ = (await of_sites(demo)).items()
        sitting = await demo.sit()
        slow = await sitting.subscribe(SITE, id=site).until(1)
        quick = await sitting.subscribe(AGENT, id=agent).until(1)
        async with locked(demo_database, "sites"):
            await demo.write(RENAME, agent, "while it waits")
            await demo.write(MOVED, agent)
            await demo.write("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)
            await slow.ended()
        assert slow.code == "QUERY_TOO_COMPLEX"
        assert "took longer" in slow.errors[0]["message"] if slow.errors else False
        await demo.settled()
        assert quick.data["agent"]["hostname"] == "while it waits"
        assert not sitting.gone


async def test_a_slow_run_holds_nobody_up_and_is_told_when_it_is_there(
    demo: Engine, demo_database: str
) -> None:
    (site, agent), (_, other), *_ = (await of_sites(demo)).items()
    sitting = await demo.sit()
    slow = await sitting.subscribe(SITE, {"snapshot": True}, id=site).until(1)
    quick = await sitting.subscribe(AGENT, id=other).until(1)
    async with locked(demo_database, "sites"):
        await demo.write(MOVED, agent)
        await eventually(lambda: demo.live.figures.late == 1)
        for number in range(20):
            begun = time.monotonic()
            await demo.write(RENAME, other, f"meanwhile {number}")
            demo.live.ring()
            await quick.until(2 + number)
            assert time.monotonic() - begun < 2  # it is held for longer
        assert len(slow.texts) == 1
    await slow.until(2)
    await demo.settled()
    counts = [state["data"]["site"]["agents"]["totalCount"] for state in slow.states]
    assert counts == [counts[0], counts[0] - 1]
    moments = [Moment.parse(state["extensions"]["snapshot"]) for state in slow.states]
    assert moments[1].covers(moments[0])
    await demo.write("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


async def test_what_a_slow_run_missed_is_told_after_it(demo: Engine, demo_database: str) -> None:
    (site, agent), *_ = (await of_sites(demo)).items()
    slow = await (await demo.sit()).subscribe(SITE, {"snapshot": True}, id=site).until(1)
    before = slow.data["site"]["agents"]["totalCount"]
    async with locked(demo_database, "sites"):
        await demo.write(MOVED, agent)
        await eventually(lambda: demo.live.figures.late == 1)
        runs = demo.runs
        for deleted_at in ("NULL", "2", "NULL"):
            await demo.write(f"UPDATE agents SET deleted_at = {deleted_at} WHERE id = $1", agent)  # noqa: S608
            await asyncio.sleep(0.05)
        assert demo.runs == runs
    await demo.settled()
    assert [state["data"]["site"]["agents"]["totalCount"] for state in slow.states] == [
        before,
        before - 1,
        before,
    ]
    assert demo.runs == runs + 2  # the slow one, and one more for all that it missed


async def test_who_comes_while_a_run_is_slow_is_not_told_what_was_before(
    demo: Engine, demo_database: str
) -> None:
    (site, agent), *_ = (await of_sites(demo)).items()
    sitting = await demo.sit()
    slow = await sitting.subscribe(SITE, id=site).until(1)
    before = slow.data["site"]["agents"]["totalCount"]
    async with locked(demo_database, "sites"):
        await demo.write(MOVED, agent)
        await eventually(lambda: demo.live.figures.late == 1)
        await demo.write("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)
        guest = sitting.subscribe(SITE, id=site)
        await asyncio.sleep(0.1)
        assert not guest.texts
    await demo.settled()
    assert [state["data"]["site"]["agents"]["totalCount"] for state in guest.states] == [before]


async def test_more_slow_queries_than_may_run_leave_room_for_the_quick(
    demo: Engine, demo_database: str
) -> None:
    found = await of_sites(demo)
    sitting = await demo.sit()
    slow = {site: sitting.subscribe(f"{SITE} # {site}", id=site) for site in found}  # of no common shape
    await asyncio.gather(*(each.until(1) for each in slow.values()))
    assert len(slow) > LIVE_SLOW_RUNS + 3
    source = (await some(demo, "data_sources"))[0]
    quick = await sitting.subscribe(COUNT, id=source).until(1)
    async with locked(demo_database, "sites"):
        await demo.write(
            "UPDATE agents SET deleted_at = 3 WHERE tenant_id = $1 AND deleted_at IS NULL", demo.tenant_id
        )
        for number in range(40):
            await demo.write("UPDATE data_sources SET external_id = $2 WHERE id = $1", source, f"n{number}")
            demo.live.ring()
            await quick.until(number + 2)
            assert demo.live._ticks._lanes._slow <= LIVE_SLOW_RUNS
    await demo.settled()
    assert {told.data["site"]["agents"]["totalCount"] for told in slow.values()} == {0}
    await demo.write("UPDATE agents SET deleted_at = NULL WHERE deleted_at = 3")
    await demo.settled()
    assert all(told.data["site"]["agents"]["totalCount"] > 0 for told in slow.values())


async def test_a_slow_query_that_nobody_waits_for_is_forgotten(demo: Engine, demo_database: str) -> None:
    (site, agent), *_ = (await of_sites(demo)).items()
    sitting = await demo.sit()
    slow = await sitting.subscribe(SITE, id=site).until(1)
    async with locked(demo_database, "sites"):
        await demo.write(MOVED, agent)
        await eventually(lambda: demo.live.figures.late == 1)
        assert slow.subscription is not None
        slow.subscription.cancel()
        assert len(demo.live.groups) == 0
        await eventually(
            lambda: demo.live._ticks._lanes._slow == 0, seconds=2
        )  # while the table is locked still
    await demo.settled()
    assert len(slow.texts) == 1
    assert len(demo.live._history) == 0
    await demo.write("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


async def test_the_end_waits_for_no_slow_query(demo_database: str) -> None:
    async with locked(demo_database, "data_sources"), engine(demo_database) as demo:
        (await demo.sit()).subscribe(COUNT, id="any")
        await eventually(lambda: demo.live.figures.late == 1)
        begun = time.monotonic()
        await demo.live.close()
        assert time.monotonic() - begun < 3


async def test_a_log_that_does_not_reach_back_runs_everything_once(demo: Engine) -> None:
    agents = await some(demo, "agents", 5)
    sitting = await demo.sit()
    told = [await sitting.subscribe(AGENT, id=agent).until(1) for agent in agents]
    await demo.settled()
    runs, signed_in = demo.runs, demo.live.figures.sign_ins
    await demo.write("DELETE FROM live.era")
    await demo.owner.execute("ALTER TABLE agents DISABLE TRIGGER live_update")
    await demo.write(RENAME, agents[0], "unlogged")
    await demo.owner.execute("ALTER TABLE agents ENABLE ALWAYS TRIGGER live_update")
    await demo.settled()
    assert demo.runs - runs == len(agents)
    assert demo.live.figures.sign_ins == signed_in + 1
    assert told[0].data["agent"]["hostname"] == "unlogged"
    await demo.settled()
    assert demo.runs - runs == len(agents)


async def test_lost_connections_are_made_again(demo: Engine, cluster: ThrowawayCluster) -> None:
    agents = await some(demo, "agents", 3)
    sitting = await demo.sit()
    told = [await sitting.subscribe(AGENT, id=agent).until(1) for agent in agents]
    administrator = await asyncpg.connect(cluster.dsn("postgres", "postgres"))
    mine = demo.owner.get_server_pid()
    for number in range(5):
        await administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'msp' AND pid <> $1", mine
        )
        for agent in agents:
            await demo.write(RENAME, agent, f"after {number}")
        await asyncio.sleep(0.02)
    await administrator.close()
    await demo.settled()
    assert [each.data["agent"]["hostname"] for each in told] == ["after 4"] * 3
    assert all(each.errors is None for each in told)


async def test_two_servers_see_what_either_writes(demo: Engine, demo_database: str) -> None:
    agent = (await some(demo, "agents"))[0]
    async with engine(demo_database) as other:
        told = [await (await each.sit()).subscribe(AGENT, id=agent).until(1) for each in (demo, other)]
        for number, writer in enumerate((demo, other), 2):
            await writer.write(RENAME, agent, f"{number}")
            await asyncio.gather(*(each.until(number) for each in told))
        assert [each.data["agent"]["hostname"] for each in told] == ["3", "3"]


@asynccontextmanager
async def on_its_own_cluster(version: int) -> AsyncIterator[tuple[ThrowawayCluster, Engine]]:
    with throwaway_cluster(version) as own:
        dsn = own.dsn(await own.create())
        await migrate(dsn, Settings())
        connection = await asyncpg.connect(dsn)
        await load_demo(connection, DemoSize.SMALL)
        await connection.close()
        async with engine(dsn) as made:
            yield own, made


@pytest.mark.parametrize("how", ["restart", "crash"])
async def test_subscriptions_survive_the_database(cluster: ThrowawayCluster, how: str) -> None:
    async with on_its_own_cluster(cluster.version) as (own, demo):
        agents = await some(demo, "agents", 50)
        sitting = await demo.sit()
        told = [sitting.subscribe(AGENT, id=agent) for agent in agents]
        await asyncio.gather(*(each.until(1) for each in told))
        await asyncio.to_thread(getattr(own, how))
        await eventually(lambda: demo.live.figures.outages > 0)
        owner = await asyncpg.connect(own.dsn(await _database_of(demo)))
        for agent in agents:
            await owner.execute(RENAME, agent, "after it came back")
        await owner.close()
        await _told(told, "after it came back")
        assert all(each.errors is None for each in told)
        assert not sitting.gone
        later = await (await demo.sit()).subscribe(AGENT, id=agents[0]).until(1)
        assert later.data["agent"]["hostname"] == "after it came back"


async def _database_of(demo: Engine) -> str:
    return str(demo.owner._params.database)


async def _told(told: list[Told], hostname: str) -> None:
    await eventually(lambda: all(each.data["agent"]["hostname"] == hostname for each in told), seconds=30)


NAME: Final = "subscription ($id: ID!) { site(id: $id) { name } }"
NAME_AND_SLUG: Final = "subscription ($id: ID!) { site(id: $id) { name slug } }"
OF_NO_LIST: Final = 'subscription { sites(first: 1, after: "WyJhIl0") { nodes { name } } }'


def torn(*told: Told) -> dict[str, set[str]]:
    """The moments that subscriptions to a site's name were told different names of."""
    names: dict[str, set[str]] = {}
    for state in (state for each in told for state in each.states):
        names.setdefault(state["extensions"]["snapshot"], set()).add(state["data"]["site"]["name"])
    return {moment: found for moment, found in names.items() if len(found) > 1}


async def test_what_is_run_after_a_failure_agrees_with_what_was_run_before(
    demo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failed statement has ended the moment, and the next one sees what was written in between."""
    (site,) = await some(demo, "sites")
    part = Lanes._part

    async def and_somebody_writes(lanes: Lanes, *of: Any) -> None:
        await part(lanes, *of)
        await demo.write("UPDATE sites SET name = 'Between' WHERE id = $1", site)

    monkeypatch.setattr(Lanes, "_part", and_somebody_writes)
    sitting = await demo.sit()
    one = sitting.subscribe(NAME, {"snapshot": True}, id=site)
    failing = sitting.subscribe(OF_NO_LIST)
    other = sitting.subscribe(NAME_AND_SLUG, {"snapshot": True}, id=site)
    await asyncio.gather(one.until(1), failing.ended(), other.until(1))
    await demo.settled()
    assert failing.code == "BAD_USER_INPUT"
    assert one.data["site"]["name"] == other.data["site"]["name"] == "Between"
    assert torn(one, other) == {}


async def test_a_tick_that_comes_to_nothing_tells_nothing(
    demo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is lost behind the first of two runs: neither is told before both are."""
    (site,) = await some(demo, "sites")
    sitting = await demo.sit()
    told = [sitting.subscribe(query, {"snapshot": True}, id=site) for query in (NAME, NAME_AND_SLUG)]
    await asyncio.gather(*(each.until(1) for each in told))
    cuts: list[int] = []

    async def cut(lanes: Lanes, lane: Any, work: Any, batch: Any) -> None:
        if lane.batch is None and work.landed and not cuts:
            cuts.append(len(work.landed))
            pid = lane.snapshot.connection.get_server_pid()
            await demo.owner.execute("SELECT pg_terminate_backend($1)", pid)
        await run(lanes, lane, work, batch)

    run = Lanes._run
    monkeypatch.setattr(Lanes, "_run", cut)
    moments = [asyncio.ensure_future(each.until(2)) for each in told]
    await demo.write("UPDATE sites SET name = 'Cut' WHERE id = $1", site)
    await asyncio.wait(moments, return_when=asyncio.FIRST_COMPLETED)
    assert [len(each.texts) for each in told] == [2, 2]
    assert cuts == [1]
    assert [each.data["site"]["name"] for each in told] == ["Cut", "Cut"]


async def test_a_slow_run_that_ends_tells_itself_alone(demo: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has taken long before is run beside its tick; the tick's own answers wait for each other."""
    site = next(iter(await of_sites(demo)))
    sitting = await demo.sit()
    told = [sitting.subscribe(query, {"snapshot": True}, id=site) for query in (NAME, NAME_AND_SLUG)]
    slow = await sitting.subscribe(SITE, id=site).until(1)
    await asyncio.gather(*(each.until(1) for each in told))
    for group in demo.live.groups:
        if group.question.request.query == SITE:
            group.seconds = 2 * LIVE_RUN_S
    first_landed, slow_told = asyncio.Event(), asyncio.Event()

    async def in_turn(lanes: Lanes, lane: Any, work: Any, batch: Any) -> None:
        if lane.left:
            await first_landed.wait()
        elif work.landed:
            first_landed.set()
            await slow_told.wait()
        await run(lanes, lane, work, batch)
        if lane.left:
            counts.extend(len(each.texts) for each in told)
            slow_told.set()

    counts: list[int] = []
    run = Lanes._run
    monkeypatch.setattr(Lanes, "_run", in_turn)
    monkeypatch.setattr("subscriptions.engine.lanes.LIVE_LANES", 1)
    await demo.write("UPDATE sites SET name = 'Beside' WHERE id = $1", site)
    await asyncio.gather(slow.until(2), *(each.until(2) for each in told))
    assert counts == [1, 1]
    assert [each.data["site"]["name"] for each in (*told, slow)] == ["Beside"] * 3


async def test_connections_that_are_lost_together_leave_no_error_behind(
    demo: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them is told; asyncio must not complain of the others, whose tasks nobody asked."""
    agents = await some(demo, "agents", 12)
    sitting = await demo.sit()
    told = [sitting.subscribe(f"{AGENT} # {agent}", id=agent) for agent in agents]  # of no common shape
    await asyncio.gather(*(each.until(1) for each in told))
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    cuts = iter(range(LIVE_LANES))

    async def cut(lanes: Lanes, lane: Any, work: Any, batch: Any) -> list[Any]:
        if next(cuts, None) is not None:
            lane.snapshot.connection.terminate()
        return await outcomes(lanes, lane, work, batch)

    outcomes = Lanes._outcomes
    monkeypatch.setattr(Lanes, "_outcomes", cut)
    try:
        await demo.write("UPDATE agents SET hostname = 'lost' WHERE id = ANY($1::text[])", agents)
        await asyncio.gather(*(each.until(2) for each in told))
        gc.collect()
        await asyncio.sleep(0)
    finally:
        asyncio.get_running_loop().set_exception_handler(None)
    assert next(cuts, None) is None
    assert complaints == []
