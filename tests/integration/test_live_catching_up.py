"""Who asks how far they have been told is answered once everything that is open there has come so far."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest_asyncio

from core.limits import SOCKET_WAITS_MAX
from subscriptions.changes.moment import Moment
from tests.integration.test_live_faults import AGENT, MOVED, RENAME, SITE, locked, of_sites
from tests.live.engine import PATIENCE_S, Engine, Sitting, engine, eventually

CHECKINS: Final = "subscription { agentCheckins { events { agentId agent { hostname } site { name } } } }"
PLAIN: Final = "subscription { agentCheckins { events { agentId } } }"
BEAT: Final = "UPDATE agents SET last_checkin_at = coalesce(last_checkin_at, 0) + 1 WHERE id = $1"
RETURNED: Final = " RETURNING pg_current_xact_id()::text"


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database: str) -> AsyncIterator[Engine]:
    async with engine(demo_database) as made:
        yield made
        assert len(made.live.catching_up) == 0


async def caught_up(sitting: Sitting) -> Moment:
    """The moment that a session has come to."""
    reached: asyncio.Future[Moment] = asyncio.get_running_loop().create_future()
    assert sitting.session.catch_up(reached.set_result)
    async with asyncio.timeout(PATIENCE_S):
        return await reached


async def test_a_write_that_changes_no_answer_is_seen_without_a_message(demo: Engine) -> None:
    (_, agent), (_, other), *_ = (await of_sites(demo)).items()
    sitting = await demo.sit()
    told = await sitting.subscribe(AGENT, id=agent).until(1)
    wrote = int(await demo.write(RENAME + RETURNED, other, "nobody looks"))
    moment = await caught_up(sitting)
    assert moment.sees(wrote)
    assert len(told.texts) == 1


async def test_one_that_does_is_told_before(demo: Engine) -> None:
    (_, agent), *_ = (await of_sites(demo)).items()
    sitting = await demo.sit()
    told = await sitting.subscribe(AGENT, id=agent).until(1)
    for number in range(20):
        wrote = int(await demo.write(RENAME + RETURNED, agent, f"before {number}"))
        assert (await caught_up(sitting)).sees(wrote)
        assert told.data["agent"]["hostname"] == f"before {number}"


async def test_so_is_what_was_only_just_subscribed_to(demo: Engine) -> None:
    agents = list((await of_sites(demo)).values())
    sitting = await demo.sit()
    for number in range(20):
        told = sitting.subscribe(AGENT, id=agents[number % len(agents)])
        await caught_up(sitting)
        assert len(told.texts) == 1


async def test_streams_are_waited_for(demo: Engine) -> None:
    (_, agent), *_ = (await of_sites(demo)).items()
    sitting = await demo.sit()
    streams = [await sitting.subscribe(query).until(1) for query in (CHECKINS, PLAIN)]
    for number in range(1, 20):
        wrote = int(await demo.write(BEAT + RETURNED, agent))
        assert (await caught_up(sitting)).sees(wrote)
        for told in streams:
            events = [e for state in told.states for e in state["data"]["agentCheckins"]["events"]]
            assert len(events) == number


async def test_a_slow_run_is_waited_for_by_those_who_have_it_open_alone(
    demo: Engine, demo_database: str
) -> None:
    (site, agent), (_, other), *_ = (await of_sites(demo)).items()
    slow, quick = await demo.sit(), await demo.sit()
    told = await slow.subscribe(SITE, id=site).until(1)
    await quick.subscribe(AGENT, id=other).until(1)
    async with locked(demo_database, "sites"):
        wrote = int(await demo.write(MOVED + RETURNED, agent))
        waiting = asyncio.create_task(caught_up(slow))
        assert (await caught_up(quick)).sees(wrote)
        await eventually(lambda: demo.live.figures.late > 0)
        assert not waiting.done()
        assert len(told.texts) == 1
    assert (await waiting).sees(wrote)
    assert len(told.texts) == 2
    await demo.write("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


async def test_an_answer_that_never_rests_holds_nobody_up(demo: Engine) -> None:
    (_, agent), *_ = (await of_sites(demo)).items()
    sitting = await demo.sit()
    told = await sitting.subscribe(AGENT, id=agent).until(1)
    await sitting.subscribe(CHECKINS).until(1)
    over = asyncio.Event()

    async def write_on() -> int:
        number = 0
        while not over.is_set():
            number += 1
            await demo.write(RENAME, agent, f"restless {number}")
            await demo.write(BEAT, agent)
            demo.live.ring()
        return number

    writing = asyncio.create_task(write_on())
    for _ in range(20):
        await caught_up(sitting)
    over.set()
    assert await writing >= 10
    assert len(told.texts) > 5


async def test_it_needs_nothing_open_but_somebody_signed_in(demo: Engine) -> None:
    wrote = int(await demo.write("SELECT pg_current_xact_id()::text"))
    assert (await caught_up(await demo.sit())).sees(wrote)
    assert not (await demo.sit_as(None, None)).session.catch_up(lambda _: None)


async def test_what_ends_meanwhile_is_not_waited_for(demo: Engine, demo_database: str) -> None:
    (site, agent), *_ = (await of_sites(demo)).items()
    sitting = await demo.sit()
    told = await sitting.subscribe(SITE, id=site).until(1)
    async with locked(demo_database, "sites"):
        await demo.write(MOVED, agent)
        waiting = asyncio.create_task(caught_up(sitting))
        await eventually(lambda: demo.live.figures.late > 0)
        assert told.subscription
        told.subscription.cancel()
        await waiting
    await demo.write("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


async def test_a_socket_that_ends_is_forgotten_and_few_wait_at_once(demo: Engine) -> None:
    sitting = await demo.sit()
    reached: list[Moment] = []
    waits = [sitting.session.catch_up(reached.append) for _ in range(SOCKET_WAITS_MAX + 1)]
    assert waits == [True] * SOCKET_WAITS_MAX + [False]
    await eventually(lambda: len(reached) == SOCKET_WAITS_MAX)
    assert sitting.session.catch_up(reached.append)
    sitting.session.close()
    assert len(demo.live.catching_up) == 0
    await demo.settled()
    assert len(reached) == SOCKET_WAITS_MAX
