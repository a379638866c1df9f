"""Batched check-ins: many in one statement, and an invalid one does not affect the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic

import asyncpg
import pytest
import pytest_asyncio

from core import limits
from core.auth.agent_tokens import AgentTokens, EnrollmentIdentity
from core.clock import NEVER
from core.database.database import Database
from core.database.request_role import RoleMode
from core.errors import InternalError, NotFoundError, UnavailableError
from core.settings import Settings
from services.agents.agent_service import AgentService
from services.agents.call_log import CallLogEntry
from services.agents.check_in import CheckIn, write_check_ins
from services.agents.check_in_writer import CheckInWriter
from services.agents.enrollment import EnrollingDevice
from services.agents.micro_batcher import BatchSettings
from services.agents.offline_sweeper import sweep_offline_agents
from tests.agent_api_harness import AgentApiHarness, EnrolledAgent, open_agent_api_harness
from tests.clusters import ThrowawayCluster
from tests.filled_database import fill_database
from tests.role_modes import RESTRICTED_OWNER, create_database_of_restricted_owner
from tests.waiting import wait_until


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def agent_api(agent_api: AgentApiHarness) -> AgentApiHarness:
    """With a host name that cannot be written."""
    await agent_api.owner.execute(
        "ALTER TABLE agents ADD CONSTRAINT poison CHECK (hostname <> 'poison') NOT VALID"
    )
    return agent_api


@asynccontextmanager
async def _open_check_in_writer(
    agent_api: AgentApiHarness, room: BatchSettings
) -> AsyncIterator[CheckInWriter]:
    """Check-ins with limits of their own."""
    made = CheckInWriter(agent_api.database, room)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    await asyncio.wait([task])


def _make_check_in(agent_api: AgentApiHarness, agent: EnrolledAgent, hostname: str = "h") -> CheckIn:
    return CheckIn(agent.id, agent_api.mine.id, hostname, "9")


ROOM = BatchSettings(1_000, 500, 0.05)


async def test_check_ins_within_milliseconds_are_one_batch(agent_api: AgentApiHarness) -> None:
    agents = [await agent_api.enroll_agent() for _ in range(30)]
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        guids = await asyncio.gather(
            *[check_ins.check_in(_make_check_in(agent_api, agent)) for agent in agents]
        )
        assert guids == [agent.guid for agent in agents]
        assert (check_ins.batcher.batches, check_ins.batcher.items) == (1, 30)
    times = {(await agent_api.read_agent_row(agent.id))["last_checkin_at"] for agent in agents}
    assert len(times) == 1


async def test_check_in_acknowledged_is_visible_to_other_connections(agent_api: AgentApiHarness) -> None:
    """Another connection sees it as soon as it is acknowledged."""
    agent = await agent_api.enroll_agent()
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        for n in range(20):
            await check_ins.check_in(_make_check_in(agent_api, agent, f"h{n}"))
            assert (await agent_api.read_agent_row(agent.id))["hostname"] == f"h{n}"


async def test_check_ins_of_one_agent_in_one_batch_store_the_last(agent_api: AgentApiHarness) -> None:
    agent, other = await agent_api.enroll_agent(), await agent_api.enroll_agent()
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        beats = [
            _make_check_in(agent_api, agent, "first"),
            _make_check_in(agent_api, other),
            _make_check_in(agent_api, agent, "second"),
            _make_check_in(agent_api, agent, "third"),
        ]
        guids = await asyncio.gather(*map(check_ins.check_in, beats))
        assert check_ins.batcher.batches == 1
    assert guids == [agent.guid, other.guid, agent.guid, agent.guid]
    assert (await agent_api.read_agent_row(agent.id))["hostname"] == "third"


async def test_check_ins_of_one_agent_in_one_batch_merge_their_fields(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    earlier = replace(_make_check_in(agent_api, agent, "first"), ip_address="10.0.0.7", version="8")
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        await asyncio.gather(
            check_ins.check_in(earlier), check_ins.check_in(_make_check_in(agent_api, agent, "second"))
        )
        assert check_ins.batcher.batches == 1
    row = await agent_api.read_agent_row(agent.id)
    assert (row["hostname"], row["version"], row["ip_address"]) == ("second", "9", "10.0.0.7")


async def test_invalid_check_in_does_not_fail_later_ones_of_its_agent(agent_api: AgentApiHarness) -> None:
    agent, other = await agent_api.enroll_agent(), await agent_api.enroll_agent()
    bad = replace(_make_check_in(agent_api, agent), ip_address="\x00")
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        beats = [bad, _make_check_in(agent_api, other, "fine"), _make_check_in(agent_api, agent, "later")]
        answers = await asyncio.gather(*map(check_ins.check_in, beats), return_exceptions=True)
        assert check_ins.batcher.batches == 1
    assert isinstance(answers[0], InternalError)
    assert answers[1:] == [other.guid, agent.guid]
    assert (await agent_api.read_agent_row(agent.id))["hostname"] == "later"


async def test_check_ins_refused_by_database_fail_without_the_others(agent_api: AgentApiHarness) -> None:
    agents = [await agent_api.enroll_agent() for _ in range(20)]
    poisoned = {3, 4, 17}
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        beats = [
            _make_check_in(agent_api, agent, "poison" if n in poisoned else "fine")
            for n, agent in enumerate(agents)
        ]
        answers = await asyncio.gather(*map(check_ins.check_in, beats), return_exceptions=True)
        assert check_ins.batcher.batches == 1
    for n, (agent, answer) in enumerate(zip(agents, answers, strict=True)):
        row = await agent_api.read_agent_row(agent.id)
        if n in poisoned:
            assert isinstance(answer, InternalError)
            assert (row["last_checkin_at"], row["hostname"]) == (None, agent.hostname)
        else:
            assert answer == agent.guid
            assert row["hostname"] == "fine"


async def test_refused_check_in_does_not_fail_earlier_ones_of_its_agent(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        beats = [_make_check_in(agent_api, agent, name) for name in ("one", "two", "poison")]
        answers = await asyncio.gather(*map(check_ins.check_in, beats), return_exceptions=True)
    assert answers[:2] == [agent.guid, agent.guid]
    assert isinstance(answers[2], InternalError)
    assert (await agent_api.read_agent_row(agent.id))["hostname"] == "two"


async def test_check_in_with_unbindable_value_fails_without_the_others(agent_api: AgentApiHarness) -> None:
    agents = [await agent_api.enroll_agent() for _ in range(5)]
    beats = [_make_check_in(agent_api, agent) for agent in agents]
    beats[2] = replace(beats[2], hostname="\x00")  # the API refuses it; this is the last check
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        answers = await asyncio.gather(*map(check_ins.check_in, beats), return_exceptions=True)
    assert [isinstance(answer, InternalError) for answer in answers] == [n == 2 for n in range(5)]


ILL = ("53100", "25006", "57014", "53200")
"""A full disk, a standby, a cancelled statement, no memory."""


@pytest.mark.parametrize("code", ILL)
async def test_batch_on_failing_database_is_unavailable_after_one_statement(
    agent_api: AgentApiHarness, code: str
) -> None:
    """The batch sends one statement, and all callers must retry."""
    agents = [await agent_api.enroll_agent(hostname="ill") for _ in range(8)]
    await agent_api.owner.execute(
        f"""CREATE SEQUENCE statements;
        CREATE FUNCTION ill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM nextval('public.statements'); RAISE 'ill' USING ERRCODE = '{code}'; END $$;
        CREATE TRIGGER ill BEFORE UPDATE ON agents FOR EACH STATEMENT EXECUTE FUNCTION ill()"""
    )
    try:
        async with _open_check_in_writer(agent_api, ROOM) as check_ins:
            beats = [check_ins.check_in(_make_check_in(agent_api, agent)) for agent in agents]
            answers = await asyncio.gather(*beats, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnavailableError}
        assert await agent_api.owner.fetchval("SELECT last_value FROM statements") == 1
    finally:
        await agent_api.owner.execute("DROP FUNCTION ill CASCADE; DROP SEQUENCE statements")


async def test_batch_of_slow_statements_is_unavailable_after_one_deadline(agent_api: AgentApiHarness) -> None:
    """The deadline does not depend on the number of statements that its bad rows cause."""
    agents = [await agent_api.enroll_agent() for _ in range(8)]
    await agent_api.owner.execute(
        """CREATE SEQUENCE slow_statements;
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM nextval('public.slow_statements'), pg_sleep(1); RETURN NULL; END $$;
        CREATE TRIGGER slow BEFORE UPDATE ON agents FOR EACH STATEMENT EXECUTE FUNCTION slow()"""
    )
    try:
        async with _open_check_in_writer(agent_api, ROOM) as check_ins:
            beats = [check_ins.check_in(_make_check_in(agent_api, agent, "poison")) for agent in agents]
            answers = await asyncio.gather(*beats, return_exceptions=True)
        assert {type(answer) for answer in answers} == {UnavailableError}
        statements = await agent_api.owner.fetchval("SELECT last_value FROM slow_statements")
        assert statements <= limits.CHECK_IN_WRITE_S + 1, "each takes a second"
    finally:
        await agent_api.owner.execute("DROP FUNCTION slow CASCADE; DROP SEQUENCE slow_statements")


async def test_check_in_of_locked_agent_does_not_fail_others_of_its_batch(agent_api: AgentApiHarness) -> None:
    agents = [await agent_api.enroll_agent() for _ in range(5)]
    async with _open_check_in_writer(agent_api, ROOM) as check_ins, agent_api.owner.transaction():
        await agent_api.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agents[2].id)
        began = monotonic()
        tasks = [
            asyncio.create_task(check_ins.check_in(_make_check_in(agent_api, agent))) for agent in agents
        ]
        locked, others = tasks[2], tasks[:2] + tasks[3:]
        done, _ = await asyncio.wait(others)
        assert not locked.done()
        assert {task.result() for task in done} == {agent.guid for n, agent in enumerate(agents) if n != 2}
        with pytest.raises(UnavailableError):
            await locked
        assert monotonic() - began > limits.CHECK_IN_LOCKED_RETRY_S - 0.2


async def test_check_in_of_locked_agent_still_waits_when_others_of_its_batch_are_written(
    agent_api: AgentApiHarness,
) -> None:
    """In the first batch: the lock is not known yet."""
    locked, *others = [await agent_api.enroll_agent() for _ in range(5)]
    async with agent_api.owner.transaction():
        await agent_api.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", locked.id)
        for _ in range(3):
            async with _open_check_in_writer(agent_api, ROOM) as check_ins:
                waits = asyncio.create_task(check_ins.check_in(_make_check_in(agent_api, locked)))
                beats = [check_ins.check_in(_make_check_in(agent_api, other)) for other in others]
                await asyncio.gather(*beats)
                assert not waits.done()
                waits.cancel()


async def test_check_in_of_locked_agent_is_written_after_unlock(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        async with agent_api.owner.transaction():
            await agent_api.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agent.id)
            task = asyncio.create_task(check_ins.check_in(_make_check_in(agent_api, agent, "patient")))
            await asyncio.sleep(1)
            assert not task.done()
        assert await task == agent.guid
    row = await agent_api.read_agent_row(agent.id)
    assert (row["hostname"], row["platform"]) == ("patient", "held")


async def test_retried_check_in_does_not_overwrite_a_newer_one(agent_api: AgentApiHarness) -> None:
    """The newer one is written and acknowledged while the older one waits for its retry.

    Its other values are kept, too.
    """
    agent = await agent_api.enroll_agent()
    older = replace(_make_check_in(agent_api, agent, "older"), ip_address="10.0.0.8")
    async with _open_check_in_writer(agent_api, BatchSettings(1_000, 500, 0.001)) as check_ins:
        async with agent_api.owner.transaction():
            await agent_api.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agent.id)
            task = asyncio.create_task(check_ins.check_in(older))
            await wait_until(lambda: check_ins.batcher.batches == 1)
        assert await check_ins.check_in(_make_check_in(agent_api, agent, "newer")) == agent.guid
        assert (await agent_api.read_agent_row(agent.id))["ip_address"] is None
        assert not task.done()
        assert await task == agent.guid
    row = await agent_api.read_agent_row(agent.id)
    assert (row["hostname"], row["ip_address"]) == ("newer", "10.0.0.8")


async def test_check_in_with_locked_health_check_does_not_wait(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        await check_ins.check_in(_make_check_in(agent_api, agent))
        await agent_api.owner.execute(
            "UPDATE health_checks SET status = 'down' WHERE resource_id = $1", agent.id
        )
        async with agent_api.owner.transaction():
            await agent_api.owner.execute(
                "UPDATE health_checks SET failure_count = 7 WHERE resource_id = $1", agent.id
            )
            for _ in range(3):  # whoever waits for the lock fails: it is released afterwards
                assert await check_ins.check_in(_make_check_in(agent_api, agent)) == agent.guid
        assert (await agent_api.read_health_check(agent.id))["status"] == "down"
        await check_ins.check_in(_make_check_in(agent_api, agent))
        assert (await agent_api.read_health_check(agent.id))["status"] == "healthy"


async def test_check_in_with_uncommitted_health_check_does_not_wait(agent_api: AgentApiHarness) -> None:
    agents = [await agent_api.enroll_agent() for _ in range(3)]
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        async with agent_api.owner.transaction():
            await agent_api.owner.execute(
                "INSERT INTO health_checks (tenant_id, resource_type, resource_id) VALUES ($1, 'agent', $2)",
                agent_api.mine.id,
                agents[1].id,
            )
            guids = await asyncio.gather(
                *[check_ins.check_in(_make_check_in(agent_api, agent)) for agent in agents]
            )
            assert guids == [agent.guid for agent in agents]
        await asyncio.gather(*[check_ins.check_in(_make_check_in(agent_api, agent)) for agent in agents])
    assert {(await agent_api.read_health_check(agent.id))["status"] for agent in agents} == {"healthy"}


async def test_check_in_of_deleted_or_foreign_agent_is_not_found(agent_api: AgentApiHarness) -> None:
    agents = [await agent_api.enroll_agent() for _ in range(3)]
    await agent_api.owner.execute("UPDATE agents SET deleted_at = 1 WHERE id = $1", agents[0].id)
    theirs = replace(_make_check_in(agent_api, agents[1]), tenant_id=agent_api.theirs.id)
    async with _open_check_in_writer(agent_api, ROOM) as check_ins:
        gone, foreign, fine = await asyncio.gather(
            check_ins.check_in(_make_check_in(agent_api, agents[0])),
            check_ins.check_in(theirs),
            check_ins.check_in(_make_check_in(agent_api, agents[2])),
            return_exceptions=True,
        )
    assert (type(gone), type(foreign), fine) == (NotFoundError, NotFoundError, agents[2].guid)


async def test_check_ins_beyond_queue_limit_are_unavailable_at_once(agent_api: AgentApiHarness) -> None:
    agents = [await agent_api.enroll_agent() for _ in range(6)]
    async with _open_check_in_writer(agent_api, BatchSettings(4, 500, 1)) as check_ins:
        tasks = [
            asyncio.create_task(check_ins.check_in(_make_check_in(agent_api, agent))) for agent in agents
        ]
        turned_away, _ = await asyncio.wait(tasks, timeout=0.1)
        assert len(turned_away) == 2
        assert all(isinstance(task.exception(), UnavailableError) for task in turned_away)
        written = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, str) for answer in written) == 4
    assert check_ins.batcher.refused == 2


async def test_waiting_check_in_when_writer_closes_is_unavailable(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    async with _open_check_in_writer(agent_api, BatchSettings(10, 10, 5)) as check_ins:
        task = asyncio.create_task(check_ins.check_in(_make_check_in(agent_api, agent)))
        await asyncio.sleep(0.05)
    with pytest.raises(UnavailableError):
        await task


async def test_batch_on_postgres_16_or_newer_is_written_by_hot_updates(
    agent_api: AgentApiHarness, cluster: ThrowawayCluster
) -> None:
    """From PostgreSQL 16 on a check-in writes no index."""
    beats = [
        _make_check_in(agent_api, agent, agent.hostname)
        for agent in [await agent_api.enroll_agent() for _ in range(50)]
    ]
    before = await _count_updates(agent_api)
    for _ in range(20):
        assert len(await write_check_ins(agent_api.owner, beats)) == 50
    updated, hot = (b - a for a, b in zip(before, await _count_updates(agent_api), strict=True))
    assert updated == 1_000
    if cluster.version >= 16:
        assert hot > 900
    else:
        assert hot == 0


async def _count_updates(agent_api: AgentApiHarness) -> tuple[int, int]:
    """The number of updates of agents so far, and of those that wrote no index."""
    await agent_api.owner.execute("SELECT pg_stat_force_next_flush()")
    await asyncio.sleep(1.2)  # other backends report their statistics once a second
    row = await agent_api.owner.fetchrow(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'agents'"
    )
    assert row is not None
    return row[0], row[1]


async def test_calls_above_rate_limit_of_agent_or_token_are_429(
    cluster: ThrowawayCluster, migrated_template: str
) -> None:
    name = await cluster.create_database(migrated_template)
    async with open_agent_api_harness(
        cluster.build_dsn(name), agent_calls_per_minute=12, enrollments_per_minute=60
    ) as agent_api:
        agent, other = await agent_api.enroll_agent(), await agent_api.enroll_agent()
        answers = [await agent_api.send_heartbeat(agent) for _ in range(limits.AGENT_CALLS_BURST + 2)]
        assert [a.status_code for a in answers] == [200] * limits.AGENT_CALLS_BURST + [429] * 2
        assert answers[-1].json()["error"]["code"] == "429"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 5
        assert (await agent_api.send_heartbeat(other)).status_code == 200
        used, fresh = await agent_api.issue_enrollment_token(), await agent_api.issue_enrollment_token()
        identity = agent_api.tokens.verify_enrollment_token(used)
        for _ in range(limits.ENROLLMENTS_BURST):
            assert agent_api.service.enrollment_rate_limiter.acquire(identity.token_id) == 0
        refused = await agent_api.register(used)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await agent_api.register(fresh)).status_code == 200
        logged = [row for row in await agent_api.read_call_log("status_code", "agent_id") if row[0] == 429]
        assert sorted(logged, key=str) == [(429, agent.id), (429, None)], "the first of a minute of each"
    await cluster.drop_database(name)


async def test_heartbeats_without_statement_cache_succeed(
    cluster: ThrowawayCluster, migrated_template: str
) -> None:
    """As far as the driver is concerned: it keeps no prepared statement between transactions."""
    name = await cluster.create_database(migrated_template)
    async with open_agent_api_harness(cluster.build_dsn(name), statement_cache_size=0) as agent_api:
        agents = [await agent_api.enroll_agent() for _ in range(5)]
        beats = await asyncio.gather(*[agent_api.send_heartbeat(agent) for agent in agents])
        assert [beat.status_code for beat in beats] == [200] * 5
        assert await sweep_offline_agents(agent_api.database, agent_api.settings) == 0
        assert len(await agent_api.read_call_log("id")) == 5
    await cluster.drop_database(name)


async def test_agent_service_with_forced_policies_writes_everything(cluster: ThrowawayCluster) -> None:
    name = await create_database_of_restricted_owner(cluster)
    dsn = cluster.build_dsn(name, RESTRICTED_OWNER)
    filled = await fill_database(dsn, RoleMode.FORCED)
    agent_id, tenant_id = filled.mine["agents"], filled.mine["tenants"]
    settings = Settings(agent_offline_after=1)
    database = await Database.connect(dsn, settings)
    owner = await asyncpg.connect(dsn, server_settings={"app.platform": "on"})
    try:
        async with AgentService.open(database, AgentTokens(None), Settings()) as fleet:
            assert await fleet.check_in_writer.check_in(CheckIn(agent_id, tenant_id, "forced", "1")) == "f00d"
            enrollment = EnrollmentIdentity(filled.mine["sites"], tenant_id, "token", NEVER)
            await owner.execute(
                "INSERT INTO issued_credentials (id, tenant_id, kind, site_id, issuer_type, expires_at)"
                " VALUES ('token', $1, 'enrollment', $2, 'platform', $3)",
                tenant_id, filled.mine["sites"], NEVER,
            )  # fmt: skip
            enrolled = (await fleet.enroll(enrollment, EnrollingDevice("new", "h", "p", "v"))).agent_id
            await fleet.call_log.write(
                CallLogEntry(tenant_id, None, enrolled, "/v1.0/register", "POST", 200, {}, {}, 1)
            )
        assert await owner.fetchval("SELECT count(*) FROM agent_api_logs WHERE agent_id = $1", enrolled) == 1
        assert await owner.fetchval("SELECT hostname FROM agents WHERE id = $1", agent_id) == "forced"
        await owner.execute("UPDATE agents SET last_checkin_at = 1 WHERE id = $1", agent_id)
        assert await sweep_offline_agents(database, settings) == 1
        status = "SELECT status FROM health_checks WHERE resource_id = $1"
        assert await owner.fetchval(status, agent_id) == "down"
    finally:
        await owner.close()
        await database.close()
        postgres = await asyncpg.connect(cluster.build_dsn("postgres", RESTRICTED_OWNER))
        await postgres.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await postgres.close()
