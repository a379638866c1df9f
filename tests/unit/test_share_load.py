"""Long statements of one share are bounded while others are active, over all pools together."""

import asyncio

import pytest

from core.fair_queue import SERVER, FairQueue
from core.limits import OTHERS_RECENT_S, SHARES_REMEMBERED_MAX
from core.share_load import ShareActivity, ShareLoad
from tests.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock[float]:
    return ManualClock(100.0)


@pytest.fixture
def load(clock: ManualClock[float]) -> ShareLoad:
    return ShareLoad(ShareActivity(clock), long_slots=2)


def _take_long(queue: FairQueue, share: str) -> int:
    taken, available = 0, queue.count_available(share)
    while queue.try_acquire(share, is_long=True):
        taken += 1
    assert taken == available
    return taken


def test_long_statements_of_single_active_share_are_not_bounded(load: ShareLoad) -> None:
    queue = FairQueue(10, load=load)
    assert _take_long(queue, "a") == 8


def test_long_statements_are_bounded_while_another_share_is_active(
    load: ShareLoad, clock: ManualClock[float]
) -> None:
    queue = FairQueue(10, load=load)
    assert queue.try_acquire("b")
    queue.release("b")
    assert _take_long(queue, "a") == 2
    assert queue.try_acquire("a"), "a small statement does not wait for the long ones"
    clock.now += OTHERS_RECENT_S
    assert _take_long(queue, "a") == 5


def test_long_statements_are_counted_over_all_pools(load: ShareLoad) -> None:
    one, other = FairQueue(10, load=load), FairQueue(10, load=load)
    load.activity.note("b")
    assert one.try_acquire("a", is_long=True)
    assert _take_long(other, "a") == 1
    assert not one.try_acquire("a", is_long=True)
    assert _take_long(one, "b") == 2, "each share has a bound of its own"


def test_activity_is_shared_by_loads_that_count_separately(load: ShareLoad) -> None:
    requests, live = FairQueue(10, load=load), FairQueue(8, load=ShareLoad(load.activity, 2))
    assert requests.try_acquire("b")
    assert requests.try_acquire("a", is_long=True)
    assert _take_long(live, "a") == 2


def test_server_is_neither_bounded_nor_another_share(load: ShareLoad) -> None:
    queue = FairQueue(10, load=load)
    assert queue.try_acquire(SERVER)
    assert queue.count_available("a") == 7
    load.activity.note("b")
    while queue.try_acquire(SERVER, is_long=True):
        pass
    assert queue.count_in_use(SERVER) == 10


def test_moved_slot_counts_as_long(load: ShareLoad) -> None:
    queue = FairQueue(10, load=load)
    load.activity.note("b")
    assert queue.try_acquire(SERVER)
    queue.move(SERVER, "a")
    assert _take_long(queue, "a") == 1
    queue.release("a", is_long=True)
    assert queue.count_available("a") == 1


async def test_long_statement_that_ends_in_one_pool_starts_a_waiting_one_in_another(load: ShareLoad) -> None:
    one, other = FairQueue(10, load=load), FairQueue(10, load=load)
    load.activity.note("b")
    assert _take_long(one, "a") == 2
    waiting = asyncio.create_task(other.acquire("a", is_long=True))
    small = asyncio.create_task(other.acquire("a"))
    await small
    assert not waiting.done()
    one.release("a", is_long=True)
    await waiting
    assert (one.count_in_use("a"), other.count_in_use("a"), other.waiting) == (1, 2, 0)


async def test_waiters_of_two_pools_take_turns(load: ShareLoad) -> None:
    queues, order = [FairQueue(10, load=load) for _ in range(2)], list[int]()
    load.activity.note("b")
    assert _take_long(queues[0], "a") == 2

    async def acquire(number: int) -> None:
        await queues[number].acquire("a", is_long=True)
        order.append(number)

    waiting = [asyncio.create_task(acquire(number)) for number in (0, 0, 0, 1, 1, 1)]
    await asyncio.sleep(0)
    queues[0].release("a", is_long=True)
    while len(order) < 6:
        await asyncio.sleep(0)
        if order and queues[order[-1]].count_in_use("a"):
            queues[order[-1]].release("a", is_long=True)
    await asyncio.gather(*waiting)
    assert {tuple(sorted(order[at : at + 2])) for at in (0, 2, 4)} == {(0, 1)}


async def test_long_waiter_cancelled_with_its_slot_gives_it_back(load: ShareLoad) -> None:
    queue = FairQueue(10, load=load)
    load.activity.note("b")
    assert _take_long(queue, "a") == 2
    leaves = asyncio.create_task(queue.acquire("a", is_long=True))
    await asyncio.sleep(0)
    queue.release("a", is_long=True)
    leaves.cancel()
    await asyncio.gather(leaves, return_exceptions=True)
    assert queue.count_available("a") == 1


def test_activity_forgets_the_oldest_shares(clock: ManualClock[float]) -> None:
    activity = ShareActivity(clock)
    for number in range(SHARES_REMEMBERED_MAX + 5):
        activity.note(str(number))
    assert len(activity._seen) == SHARES_REMEMBERED_MAX
    assert activity.has_others("0")
