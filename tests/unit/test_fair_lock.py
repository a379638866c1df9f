"""Turns: the order of workers, and the effect of those that leave."""

import asyncio

import pytest

from core.fair_lock import FairLock
from core.limits import DOCUMENT_PAUSE_FROM_S, DOCUMENTS_WAITING_MAX
from tests.waiting import HANG_S


async def _acquire_and_release(turns: FairLock, caller: str, done: list[str], took_s: float = 0.0) -> None:
    await turns.acquire(caller, caller)
    done.append(caller)
    turns.release(caller, took_s)


async def test_fair_lock_of_several_callers_alternates() -> None:
    turns, done = FairLock(), list[str]()
    await turns.acquire("a", "a")
    waiting = [asyncio.create_task(_acquire_and_release(turns, caller, done)) for caller in "aaaabbc"]
    await asyncio.sleep(0)
    assert len(turns) == 7
    turns.release("a", 0)
    await asyncio.gather(*waiting)
    assert "".join(done) == "abcabaa"
    assert len(turns) == 0


async def test_fair_lock_between_two_turns_yields_to_the_event_loop() -> None:
    turns, done = FairLock(), list[str]()
    await turns.acquire("a", "a")
    waiting = [asyncio.create_task(_acquire_and_release(turns, "a", done)) for _ in range(3)]
    await asyncio.sleep(0)
    turns.release("a", 0)
    seen = []
    while len(done) < 3:
        await asyncio.sleep(0)
        seen.append(len(done))
    assert {1, 2} <= set(seen)
    await asyncio.gather(*waiting)


@pytest.mark.parametrize(("took_s", "pauses"), [(DOCUMENT_PAUSE_FROM_S / 2, False), (0.05, True)])
async def test_fair_lock_after_long_work_pauses_for_as_long(took_s: float, pauses: bool) -> None:
    turns, done = FairLock(), list[str]()
    await turns.acquire("a", "a")
    turns.release("a", took_s)
    task = asyncio.create_task(_acquire_and_release(turns, "b", done))
    for _ in range(10):
        await asyncio.sleep(0)
    assert bool(done) is not pauses
    await asyncio.wait_for(task, HANG_S)


async def test_fair_lock_cancelled_waiter_is_skipped() -> None:
    turns, done = FairLock(), list[str]()
    await turns.acquire("a", "a")
    leaves = asyncio.create_task(_acquire_and_release(turns, "a", done))
    stays = asyncio.create_task(_acquire_and_release(turns, "b", done))
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.sleep(0)
    turns.release("a", 0)
    await asyncio.wait_for(stays, HANG_S)
    assert done == ["b"]


async def test_fair_lock_waiter_cancelled_when_woken_passes_it_on() -> None:
    turns, done = FairLock(), list[str]()
    await turns.acquire("a", "a")
    leaves = asyncio.create_task(_acquire_and_release(turns, "a", done))
    stays = asyncio.create_task(_acquire_and_release(turns, "b", done))
    await asyncio.sleep(0)
    turns.release("a", 0)
    await asyncio.sleep(0)  # the release takes one iteration of the loop
    leaves.cancel()
    await asyncio.wait_for(stays, HANG_S)
    assert done == ["b"]


async def test_fair_lock_with_many_waiters_of_one_caller_is_full_for_it() -> None:
    turns, done = FairLock(), list[str]()
    await turns.acquire("a", "a")
    waiting = [
        asyncio.create_task(_acquire_and_release(turns, "a", done)) for _ in range(DOCUMENTS_WAITING_MAX)
    ]
    await asyncio.sleep(0)
    assert turns.is_full("a")
    assert not turns.is_full("b")
    turns.release("a", 0)
    await asyncio.gather(*waiting)
