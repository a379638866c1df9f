"""Check-ins on their way to the database: many in one statement, each alone in its misfortune."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic

import asyncpg
import pytest
import pytest_asyncio

from core import limits
from core.agent_tokens import AgentTokens, Enrollment
from core.clock import NEVER
from core.database import Database
from core.errors import InternalError, NotFoundError, UnavailableError
from core.settings import Settings
from services.agents.api_log import Entry
from services.agents.beats import Beat, write_beats
from services.agents.check_ins import CheckIns
from services.agents.enrollment import Device
from services.agents.fleet import Fleet
from services.agents.gathering import Room
from services.agents.silence import turn_silent
from tests.clusters import ThrowawayCluster
from tests.fleet import Agent, Yard, yard
from tests.integration.test_policies import LONELY, RoleMode, _fill, _owned_by_lonely
from tests.live.engine import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def at(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Yard]:
    name = await cluster.create(template)
    async with yard(cluster.dsn(name)) as made:
        await made.owner.execute(
            "ALTER TABLE agents ADD CONSTRAINT poison CHECK (hostname <> 'poison') NOT VALID"
        )
        yield made
    await cluster.drop(name)


@asynccontextmanager
async def _check_ins(at: Yard, room: Room) -> AsyncIterator[CheckIns]:
    """Check-ins of their own, with so much room."""
    made = CheckIns(at.database, room)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.wait([task])


def _beat(at: Yard, agent: Agent, hostname: str = "h") -> Beat:
    return Beat(agent.id, at.mine.id, hostname, "9")


async def _timed(work: Awaitable[object]) -> float:
    """How many seconds it takes."""
    began = monotonic()
    await work
    return monotonic() - began


ROOM = Room(1_000, 500, 0.05)


async def test_those_of_some_milliseconds_are_one_statement(at: Yard) -> None:
    agents = [await at.agent() for _ in range(30)]
    async with _check_ins(at, ROOM) as check_ins:
        guids = await asyncio.gather(*[check_ins.check_in(_beat(at, agent)) for agent in agents])
        assert guids == [agent.guid for agent in agents]
        assert (check_ins.gathering.batches, check_ins.gathering.items) == (1, 30)
    times = {(await at.row(agent.id))["last_checkin_at"] for agent in agents}
    assert len(times) == 1


async def test_an_acknowledged_one_is_committed(at: Yard) -> None:
    """Another connection sees it the moment it is acknowledged."""
    agent = await at.agent()
    async with _check_ins(at, ROOM) as check_ins:
        for n in range(20):
            await check_ins.check_in(_beat(at, agent, f"h{n}"))
            assert (await at.row(agent.id))["hostname"] == f"h{n}"


async def test_of_two_of_one_agent_the_later_stays(at: Yard) -> None:
    agent, other = await at.agent(), await at.agent()
    async with _check_ins(at, ROOM) as check_ins:
        beats = [
            _beat(at, agent, "first"),
            _beat(at, other),
            _beat(at, agent, "second"),
            _beat(at, agent, "third"),
        ]
        guids = await asyncio.gather(*map(check_ins.check_in, beats))
        assert check_ins.gathering.batches == 1
    assert guids == [agent.guid, other.guid, agent.guid, agent.guid]
    assert (await at.row(agent.id))["hostname"] == "third"


async def test_what_only_the_earlier_of_two_tells_stays_too(at: Yard) -> None:
    agent = await at.agent()
    earlier = replace(_beat(at, agent, "first"), ip_address="10.0.0.7", version="8")
    async with _check_ins(at, ROOM) as check_ins:
        await asyncio.gather(check_ins.check_in(earlier), check_ins.check_in(_beat(at, agent, "second")))
        assert check_ins.gathering.batches == 1
    row = await at.row(agent.id)
    assert (row["hostname"], row["version"], row["ip_address"]) == ("second", "9", "10.0.0.7")


async def test_a_bad_one_does_not_take_an_agents_later_ones_with_it(at: Yard) -> None:
    agent, other = await at.agent(), await at.agent()
    bad = replace(_beat(at, agent), ip_address="\x00")
    async with _check_ins(at, ROOM) as check_ins:
        beats = [bad, _beat(at, other, "fine"), _beat(at, agent, "later")]
        answers = await asyncio.gather(*map(check_ins.check_in, beats), return_exceptions=True)
        assert check_ins.gathering.batches == 1
    assert isinstance(answers[0], InternalError)
    assert answers[1:] == [other.guid, agent.guid]
    assert (await at.row(agent.id))["hostname"] == "later"


async def test_a_bad_one_harms_only_itself(at: Yard) -> None:
    agents = [await at.agent() for _ in range(20)]
    poisoned = {3, 4, 17}
    async with _check_ins(at, ROOM) as check_ins:
        beats = [_beat(at, agent, "poison" if n in poisoned else "fine") for n, agent in enumerate(agents)]
        answers = await asyncio.gather(*map(check_ins.check_in, beats), return_exceptions=True)
        assert check_ins.gathering.batches == 1
    for n, (agent, answer) in enumerate(zip(agents, answers, strict=True)):
        row = await at.row(agent.id)
        if n in poisoned:
            assert isinstance(answer, InternalError)
            assert (row["last_checkin_at"], row["hostname"]) == (None, agent.hostname)
        else:
            assert answer == agent.guid
            assert row["hostname"] == "fine"


async def test_a_bad_one_does_not_take_an_agents_earlier_ones_with_it(at: Yard) -> None:
    agent = await at.agent()
    async with _check_ins(at, ROOM) as check_ins:
        beats = [_beat(at, agent, name) for name in ("one", "two", "poison")]
        answers = await asyncio.gather(*map(check_ins.check_in, beats), return_exceptions=True)
    assert answers[:2] == [agent.guid, agent.guid]
    assert isinstance(answers[2], InternalError)
    assert (await at.row(agent.id))["hostname"] == "two"


async def test_one_that_cannot_be_bound_harms_only_itself(at: Yard) -> None:
    agents = [await at.agent() for _ in range(5)]
    beats = [_beat(at, agent) for agent in agents]
    beats[2] = replace(beats[2], hostname="\x00")  # the API takes none: the last guard
    async with _check_ins(at, ROOM) as check_ins:
        answers = await asyncio.gather(*map(check_ins.check_in, beats), return_exceptions=True)
    assert [isinstance(answer, InternalError) for answer in answers] == [n == 2 for n in range(5)]


ILL = ("53100", "25006", "57014", "53200")
"""A disk that is full, a standby, a statement that was cancelled, no memory."""


@pytest.mark.parametrize("code", ILL)
async def test_an_ill_database_is_not_taken_for_bad_rows(at: Yard, code: str) -> None:
    """It hears one statement, and everybody is told to come again."""
    agents = [await at.agent(hostname="ill") for _ in range(8)]
    await at.owner.execute(
        f"""CREATE SEQUENCE statements;
        CREATE FUNCTION ill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM nextval('public.statements'); RAISE 'ill' USING ERRCODE = '{code}'; END $$;
        CREATE TRIGGER ill BEFORE UPDATE ON agents FOR EACH STATEMENT EXECUTE FUNCTION ill()"""
    )
    try:
        async with _check_ins(at, ROOM) as check_ins:
            beats = [check_ins.check_in(_beat(at, agent)) for agent in agents]
            answers = await asyncio.gather(*beats, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnavailableError}
        assert await at.owner.fetchval("SELECT last_value FROM statements") == 1
    finally:
        await at.owner.execute("DROP FUNCTION ill CASCADE; DROP SEQUENCE statements")


async def test_a_batch_has_one_deadline(at: Yard) -> None:
    """However many statements its bad rows make of it."""
    agents = [await at.agent() for _ in range(8)]
    await at.owner.execute(
        """CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
        CREATE TRIGGER slow BEFORE UPDATE ON agents FOR EACH STATEMENT EXECUTE FUNCTION slow()"""
    )
    try:
        async with _check_ins(at, ROOM) as check_ins:
            beats = [check_ins.check_in(_beat(at, agent, "poison")) for agent in agents]
            began = monotonic()
            answers = await asyncio.gather(*beats, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnavailableError}
        assert monotonic() - began < limits.CHECK_IN_WRITE_S + 2
    finally:
        await at.owner.execute("DROP FUNCTION slow CASCADE")


async def test_a_row_that_somebody_holds_holds_up_nobody_else(at: Yard) -> None:
    agents = [await at.agent() for _ in range(5)]
    async with _check_ins(at, ROOM) as check_ins, at.owner.transaction():
        await at.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agents[2].id)
        began = monotonic()
        tasks = [asyncio.create_task(check_ins.check_in(_beat(at, agent))) for agent in agents]
        done, (held,) = await asyncio.wait(tasks, timeout=1.5)
        assert {task.result() for task in done} == {agent.guid for n, agent in enumerate(agents) if n != 2}
        with pytest.raises(UnavailableError):
            await held
        assert limits.CHECK_IN_BUSY_S - 0.2 < monotonic() - began < limits.CHECK_IN_BUSY_S + 2


async def test_for_a_row_that_somebody_holds_the_others_hardly_wait(at: Yard) -> None:
    """The first time: that it is held is not yet known."""
    held, *others = [await at.agent() for _ in range(5)]
    took = []
    async with at.owner.transaction():
        await at.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", held.id)
        for _ in range(3):
            async with _check_ins(at, ROOM) as check_ins:
                waits = asyncio.create_task(check_ins.check_in(_beat(at, held)))
                beats = [check_ins.check_in(_beat(at, other)) for other in others]
                took.append(await _timed(asyncio.gather(*beats)))
                assert not waits.done()
                waits.cancel()
    assert min(took) < 0.3, "a twentieth of a second of gathering, one of waiting, and the writing"


async def test_a_row_that_is_let_go_in_time_is_written(at: Yard) -> None:
    agent = await at.agent()
    async with _check_ins(at, ROOM) as check_ins:
        async with at.owner.transaction():
            await at.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agent.id)
            task = asyncio.create_task(check_ins.check_in(_beat(at, agent, "patient")))
            await asyncio.sleep(1)
            assert not task.done()
        assert await task == agent.guid
    row = await at.row(agent.id)
    assert (row["hostname"], row["platform"]) == ("patient", "held")


async def test_one_that_is_tried_again_overwrites_no_newer_one(at: Yard) -> None:
    """The newer one is written and acknowledged while the older one pauses; what only that tells is written, too."""
    agent = await at.agent()
    older = replace(_beat(at, agent, "older"), ip_address="10.0.0.8")
    async with _check_ins(at, Room(1_000, 500, 0.001)) as check_ins:
        async with at.owner.transaction():
            await at.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agent.id)
            task = asyncio.create_task(check_ins.check_in(older))
            await eventually(lambda: check_ins.gathering.batches == 1)
        assert await check_ins.check_in(_beat(at, agent, "newer")) == agent.guid
        assert (await at.row(agent.id))["ip_address"] is None
        assert not task.done()
        assert await task == agent.guid
    row = await at.row(agent.id)
    assert (row["hostname"], row["ip_address"]) == ("newer", "10.0.0.8")


async def test_a_health_check_that_somebody_holds_holds_up_nobody(at: Yard) -> None:
    agent = await at.agent()
    async with _check_ins(at, ROOM) as check_ins:
        await check_ins.check_in(_beat(at, agent))
        await at.owner.execute("UPDATE health_checks SET status = 'down' WHERE resource_id = $1", agent.id)
        async with at.owner.transaction():
            await at.owner.execute(
                "UPDATE health_checks SET failure_count = 7 WHERE resource_id = $1", agent.id
            )
            took = [await _timed(check_ins.check_in(_beat(at, agent))) for _ in range(3)]
            assert min(took) < 0.4, "nobody waited for it"
        assert (await at.health(agent.id))["status"] == "down"
        await check_ins.check_in(_beat(at, agent))
        assert (await at.health(agent.id))["status"] == "healthy"


async def test_a_health_check_that_somebody_is_making_holds_up_nobody(at: Yard) -> None:
    agents = [await at.agent() for _ in range(3)]
    async with _check_ins(at, ROOM) as check_ins:
        async with at.owner.transaction():
            await at.owner.execute(
                "INSERT INTO health_checks (tenant_id, resource_type, resource_id) VALUES ($1, 'agent', $2)",
                at.mine.id,
                agents[1].id,
            )
            async with asyncio.timeout(limits.CHECK_IN_BUSY_S):
                guids = await asyncio.gather(*[check_ins.check_in(_beat(at, agent)) for agent in agents])
            assert guids == [agent.guid for agent in agents]
        await asyncio.gather(*[check_ins.check_in(_beat(at, agent)) for agent in agents])
    assert {(await at.health(agent.id))["status"] for agent in agents} == {"healthy"}


async def test_those_that_are_gone_harm_nobody_else(at: Yard) -> None:
    agents = [await at.agent() for _ in range(3)]
    await at.owner.execute("UPDATE agents SET deleted_at = 1 WHERE id = $1", agents[0].id)
    theirs = replace(_beat(at, agents[1]), tenant_id=at.theirs.id)
    async with _check_ins(at, ROOM) as check_ins:
        gone, foreign, fine = await asyncio.gather(
            check_ins.check_in(_beat(at, agents[0])),
            check_ins.check_in(theirs),
            check_ins.check_in(_beat(at, agents[2])),
            return_exceptions=True,
        )
    assert (type(gone), type(foreign), fine) == (NotFoundError, NotFoundError, agents[2].guid)


async def test_what_waits_is_bounded_and_the_rest_is_turned_away_at_once(at: Yard) -> None:
    agents = [await at.agent() for _ in range(6)]
    async with _check_ins(at, Room(4, 500, 1)) as check_ins:
        tasks = [asyncio.create_task(check_ins.check_in(_beat(at, agent))) for agent in agents]
        turned_away, _ = await asyncio.wait(tasks, timeout=0.1)
        assert len(turned_away) == 2
        assert all(isinstance(task.exception(), UnavailableError) for task in turned_away)
        written = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in written) == 4
    assert check_ins.gathering.refused == 2


async def test_who_waits_when_the_server_stops_is_told(at: Yard) -> None:
    agent = await at.agent()
    async with _check_ins(at, Room(10, 10, 5)) as check_ins:
        task = asyncio.create_task(check_ins.check_in(_beat(at, agent)))
        await asyncio.sleep(0.05)
    with pytest.raises(UnavailableError):
        await task


async def test_a_batch_is_written_by_hot_updates(at: Yard, cluster: ThrowawayCluster) -> None:
    """From PostgreSQL 16 on a check-in writes no index."""
    beats = [_beat(at, agent, agent.hostname) for agent in [await at.agent() for _ in range(50)]]
    before = await _updates(at)
    for _ in range(20):
        assert len(await write_beats(at.owner, beats)) == 50
    updated, hot = (b - a for a, b in zip(before, await _updates(at), strict=True))
    assert updated == 1_000
    if cluster.version >= 16:
        assert hot > 900
    else:
        assert hot == 0


async def _updates(at: Yard) -> tuple[int, int]:
    """Updates of agents so far, and those that wrote no index."""
    await at.owner.execute("SELECT pg_stat_force_next_flush()")
    await asyncio.sleep(1.2)  # other backends tell what they did once a second
    row = await at.owner.fetchrow(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'agents'"
    )
    assert row is not None
    return row[0], row[1]


async def test_rates_are_limited_for_each_agent_and_each_token(
    cluster: ThrowawayCluster, template: str
) -> None:
    name = await cluster.create(template)
    async with yard(cluster.dsn(name), agent_calls_per_minute=12, enrollments_per_minute=60) as at:
        agent, other = await at.agent(), await at.agent()
        answers = [await at.beat(agent) for _ in range(limits.AGENT_CALLS_AT_ONCE + 2)]
        assert [a.status_code for a in answers] == [200] * limits.AGENT_CALLS_AT_ONCE + [429] * 2
        assert answers[-1].json()["error"]["code"] == "429"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 5
        assert (await at.beat(other)).status_code == 200
        used, fresh = at.enrollment(), at.enrollment()
        identity = at.tokens.enrollment(used)
        for _ in range(limits.ENROLLMENTS_AT_ONCE):
            assert at.fleet.enrollment_rates.wait_s(identity.token_id) == 0
        refused = await at.register(used)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await at.register(fresh)).status_code == 200
        logged = [row for row in await at.calls("status_code", "agent_id") if row[0] == 429]
        assert sorted(logged, key=str) == [(429, agent.id), (429, None)], "the first of a minute of each"
    await cluster.drop(name)


async def test_it_works_behind_a_transaction_pooler(cluster: ThrowawayCluster, template: str) -> None:
    """As far as the driver is concerned: no statement is kept from one transaction to the next."""
    name = await cluster.create(template)
    async with yard(cluster.dsn(name), statement_cache_size=0) as at:
        agents = [await at.agent() for _ in range(5)]
        beats = await asyncio.gather(*[at.beat(agent) for agent in agents])
        assert [beat.status_code for beat in beats] == [200] * 5
        assert await turn_silent(at.database, at.settings) == 0
        assert len(await at.calls("id")) == 5
    await cluster.drop(name)


async def test_it_works_where_the_owner_is_under_the_policies(cluster: ThrowawayCluster) -> None:
    name = await _owned_by_lonely(cluster)
    dsn = cluster.dsn(name, LONELY)
    filled = await _fill(dsn, RoleMode.FORCED)
    agent_id, tenant_id = filled.mine["agents"], filled.mine["tenants"]
    settings = Settings(agent_offline_after=1)
    database = await Database.connect(dsn, settings)
    owner = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    try:
        async with Fleet.open(database, AgentTokens(None), Settings()) as fleet:
            assert await fleet.check_ins.check_in(Beat(agent_id, tenant_id, "forced", "1")) == "f00d"
            enrollment = Enrollment(filled.mine["sites"], tenant_id, "token", NEVER)
            enrolled = await fleet.enrol(enrollment, Device("new", "h", "p", "v"))
            await fleet.log.write(Entry(tenant_id, None, enrolled, "/v1.0/register", "POST", 200, {}, {}, 1))
        assert await owner.fetchval("SELECT count(*) FROM agent_api_logs WHERE agent_id = $1", enrolled) == 1
        assert await owner.fetchval("SELECT hostname FROM agents WHERE id = $1", agent_id) == "forced"
        await owner.execute("UPDATE agents SET last_checkin_at = 1 WHERE id = $1", agent_id)
        assert await turn_silent(database, settings) == 1
        status = "SELECT status FROM health_checks WHERE resource_id = $1"
        assert await owner.fetchval(status, agent_id) == "down"
    finally:
        await owner.close()
        await database.close()
        postgres = await asyncpg.connect(cluster.dsn("postgres", LONELY))
        await postgres.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await postgres.close()
