"""A client that waits for a transaction gets a reply after all its open subscriptions show it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from core.auth.sealing import TokenSealer, TransactionTokens
from core.errors import BadUserInputError, RateLimitedError, UnauthenticatedError
from core.limits import SOCKET_BARRIERS_MAX
from core.settings import Settings
from subscriptions.engine import write_barrier
from tests.live.agent_moves import AGENT, MOVED, RENAME, SITE, fetch_agent_by_site, lock_table
from tests.live.live_engine import LiveEngine, open_live_engine
from tests.live.seen_transactions import wait_until_seen
from tests.waiting import wait_until

CHECKINS: Final = "subscription { agentCheckins { events { agentId agent { hostname } site { name } } } }"
PLAIN: Final = "subscription { agentCheckins { events { agentId } } }"
BEAT: Final = "UPDATE agents SET last_checkin_at = coalesce(last_checkin_at, 0) + 1 WHERE id = $1"
RETURNED: Final = " RETURNING pg_current_xact_id()::text"


@pytest_asyncio.fixture(loop_scope="session")
async def live_engine(writable_demo_database_url: str) -> AsyncIterator[LiveEngine]:
    async with open_live_engine(writable_demo_database_url) as made:
        yield made
        assert len(made.live.write_barrier) == 0


async def write(live_engine: LiveEngine, statement: str, *values: object) -> str:
    """The token of the transaction that runs a statement."""
    xid: str = await live_engine.execute_sql(statement + RETURNED, *values)
    return live_engine.live.transactions.seal(xid)


async def commit_nothing(live_engine: LiveEngine) -> str:
    """The token of a transaction without a change."""
    return live_engine.live.transactions.seal(
        await live_engine.execute_sql("SELECT pg_current_xact_id()::text")
    )


@pytest.mark.role_modes
async def test_catch_up_after_irrelevant_write_sends_no_message(live_engine: LiveEngine) -> None:
    (_, agent), (_, other), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(AGENT, id=agent).wait_for_states(1)
    wrote = await write(live_engine, RENAME, other, "nobody looks")
    assert await wait_until_seen(connection, wrote)
    assert len(subscriber.texts) == 1


@pytest.mark.role_modes
async def test_catch_up_after_relevant_write_follows_its_message(live_engine: LiveEngine) -> None:
    (_, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(AGENT, id=agent).wait_for_states(1)
    for number in range(20):
        assert await wait_until_seen(connection, await write(live_engine, RENAME, agent, f"before {number}"))
        assert subscriber.data["agent"]["hostname"] == f"before {number}"


@pytest.mark.role_modes
async def test_catch_up_after_subscribe_follows_the_first_message(live_engine: LiveEngine) -> None:
    agents = list((await fetch_agent_by_site(live_engine)).values())
    connection = await live_engine.connect()
    for number in range(20):
        subscriber = connection.subscribe(AGENT, id=agents[number % len(agents)])
        assert await wait_until_seen(connection, await commit_nothing(live_engine))
        assert len(subscriber.texts) == 1


@pytest.mark.role_modes
async def test_catch_up_with_open_streams_follows_their_events(live_engine: LiveEngine) -> None:
    (_, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    streams = [await connection.subscribe(query).wait_for_states(1) for query in (CHECKINS, PLAIN)]
    for number in range(1, 20):
        assert await wait_until_seen(connection, await write(live_engine, BEAT, agent))
        for subscriber in streams:
            events = [e for state in subscriber.states for e in state["data"]["agentCheckins"]["events"]]
            assert len(events) == number


async def test_catch_up_with_slow_run_delays_only_its_own_session(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    (site, agent), (_, other), *_ = (await fetch_agent_by_site(live_engine)).items()
    slow, quick = await live_engine.connect(), await live_engine.connect()
    subscriber = await slow.subscribe(SITE, id=site).wait_for_states(1)
    await quick.subscribe(AGENT, id=other).wait_for_states(1)
    async with lock_table(writable_demo_database_url, "sites"):
        wrote = await write(live_engine, MOVED, agent)
        waiting = asyncio.create_task(wait_until_seen(slow, wrote))
        assert await wait_until_seen(quick, wrote)
        await wait_until(lambda: live_engine.live.stats.detached_runs > 0)
        assert not waiting.done()
        assert len(subscriber.texts) == 1
    assert await waiting
    assert len(subscriber.texts) == 2
    await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


@pytest.mark.role_modes
async def test_catch_up_under_constant_writes_completes(live_engine: LiveEngine) -> None:
    (_, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(AGENT, id=agent).wait_for_states(1)
    await connection.subscribe(CHECKINS).wait_for_states(1)
    over, wrote = asyncio.Event(), await commit_nothing(live_engine)

    async def write_on() -> int:
        number = 0
        while not over.is_set():
            number += 1
            await live_engine.execute_sql(RENAME, agent, f"restless {number}")
            await live_engine.execute_sql(BEAT, agent)
            live_engine.live.wake()
        return number

    writing = asyncio.create_task(write_on())
    for _ in range(20):
        assert await wait_until_seen(connection, wrote)
    over.set()
    assert await writing >= 10
    assert len(subscriber.texts) > 5


@pytest.mark.role_modes
async def test_catch_up_without_subscriptions_needs_only_a_sign_in(live_engine: LiveEngine) -> None:
    wrote = await commit_nothing(live_engine)
    assert await wait_until_seen(await live_engine.connect(), wrote)
    anonymous = await live_engine.connect_as(None, None)
    with pytest.raises(UnauthenticatedError):
        anonymous.session.wait_for_transaction(wrote, lambda _: None)


async def test_catch_up_after_slow_subscription_is_cancelled_completes(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    (site, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(SITE, id=site).wait_for_states(1)
    async with lock_table(writable_demo_database_url, "sites"):
        wrote = await write(live_engine, MOVED, agent)
        waiting = asyncio.create_task(wait_until_seen(connection, wrote))
        await wait_until(lambda: live_engine.live.stats.detached_runs > 0)
        assert subscriber.subscription
        subscriber.subscription.cancel()
        assert await waiting
    await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


@pytest.mark.role_modes
async def test_catch_up_over_the_limit_is_refused_and_close_removes_it(live_engine: LiveEngine) -> None:
    connection = await live_engine.connect()
    seen: list[bool] = []
    wrote = await commit_nothing(live_engine)
    for _ in range(SOCKET_BARRIERS_MAX):
        connection.session.wait_for_transaction(wrote, seen.append)
    with pytest.raises(RateLimitedError):
        connection.session.wait_for_transaction(wrote, seen.append)
    await wait_until(lambda: seen == [True] * SOCKET_BARRIERS_MAX)
    connection.session.wait_for_transaction(wrote, seen.append)
    connection.session.close()
    assert len(live_engine.live.write_barrier) == 0
    await live_engine.wait_until_settled()
    assert len(seen) == SOCKET_BARRIERS_MAX


@pytest.mark.newest
async def test_catch_up_after_change_of_timeline_is_not_seen(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    """As after a crash: the unlogged table is empty, and the server begins another timeline."""
    (site, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    await connection.subscribe(SITE, id=site).wait_for_states(1)
    before = live_engine.live.snapshot.timeline
    async with lock_table(writable_demo_database_url, "sites"):
        wrote = await write(live_engine, MOVED, agent)
        waiting = asyncio.create_task(wait_until_seen(connection, wrote))
        await wait_until(lambda: live_engine.live.stats.detached_runs > 0)
        assert not waiting.done()
        await live_engine.execute_sql("DELETE FROM live.era")
        assert not await waiting
    assert live_engine.live.snapshot.timeline not in ("", before)
    assert not await wait_until_seen(connection, wrote)
    assert await wait_until_seen(connection, await commit_nothing(live_engine))
    await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


@pytest.mark.newest
async def test_transaction_of_idle_server_after_change_of_timeline_is_of_the_new_one(
    live_engine: LiveEngine,
) -> None:
    before = live_engine.live.snapshot.timeline
    await live_engine.execute_sql("DELETE FROM live.era")
    live_engine.live.wake()
    await wait_until(lambda: live_engine.live.snapshot.timeline != before)
    assert live_engine.live.snapshot.timeline
    wrote = await commit_nothing(live_engine)
    assert live_engine.live.transactions.open(wrote).timeline == live_engine.live.snapshot.timeline


@pytest.mark.newest
async def test_catch_up_that_takes_too_long_is_not_seen(
    live_engine: LiveEngine, writable_demo_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_barrier, "SOCKET_BARRIER_S", 0.2)
    (site, agent), *_ = (await fetch_agent_by_site(live_engine)).items()
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(SITE, id=site).wait_for_states(1)
    async with lock_table(writable_demo_database_url, "sites"):
        wrote = await write(live_engine, MOVED, agent)
        assert not await wait_until_seen(connection, wrote)
        assert len(subscriber.texts) == 1
    await subscriber.wait_for_states(2)
    assert await wait_until_seen(connection, wrote)
    await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


@pytest.mark.newest
async def test_catch_up_with_malformed_or_foreign_token_is_refused(live_engine: LiveEngine) -> None:
    connection = await live_engine.connect()
    foreign = TransactionTokens(TokenSealer.load(Settings()), lambda: "").seal("5")
    for token in ("", "10423", "A" * 107, "\ud800", "\N{PARTY POPPER}", foreign):
        with pytest.raises(BadUserInputError, match=r"extensions\.transaction"):
            connection.session.wait_for_transaction(token, lambda _: None)
