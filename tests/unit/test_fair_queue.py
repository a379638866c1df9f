"""Fair queue: what a share may take, who comes next, and waiters that leave."""

import asyncio
from collections import Counter

import pytest

from core.fair_queue import SERVER, FairQueue


def _take_all(queue: FairQueue, share: str) -> int:
    taken, available = 0, queue.count_available(share)
    while queue.try_acquire(share):
        taken += 1
    assert taken == available
    return taken


@pytest.mark.parametrize(
    ("slots", "alone", "second"),
    [(1, 1, 0), (2, 1, 1), (3, 2, 1), (4, 3, 1), (5, 4, 1), (8, 6, 1), (10, 8, 1), (20, 16, 3)],
)
def test_fair_queue_single_share_leaves_slots_for_others(slots: int, alone: int, second: int) -> None:
    queue = FairQueue(slots)
    assert _take_all(queue, "a") == alone
    assert _take_all(queue, "b") == second
    assert _take_all(queue, SERVER) == slots - alone - second


def test_fair_queue_two_busy_shares_leave_a_slot_for_a_third() -> None:
    queue = FairQueue(10)
    taken = Counter[str]()
    while any([queue.try_acquire("a"), queue.try_acquire("b")]):
        taken = Counter({share: queue.count_in_use(share) for share in "ab"})
    assert taken == {"a": 5, "b": 4}
    assert queue.try_acquire("c")


def test_fair_queue_reserved_slots_are_for_the_server_only() -> None:
    queue = FairQueue(8, reserved=1)
    assert _take_all(queue, "a") == 5
    assert [_take_all(queue, share) for share in "bcd"] == [1, 1, 0]
    assert _take_all(queue, SERVER) == 1


async def _acquire(queue: FairQueue, share: str, order: list[str]) -> None:
    await queue.acquire(share)
    order.append(share)


async def test_fair_queue_released_slots_go_to_the_share_with_fewest() -> None:
    queue, order = FairQueue(5), list[str]()
    assert _take_all(queue, "a") == 4
    waiting = [asyncio.create_task(_acquire(queue, share, order)) for share in "aaabbb"]
    await asyncio.sleep(0)
    assert (queue.waiting, queue.count_in_use("b")) == (5, 1)
    for _ in range(3):
        queue.release("a")
        await asyncio.sleep(0)
    assert order == ["b", "b", "a"]
    assert (queue.count_in_use("a"), queue.count_in_use("b")) == (2, 2)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_fair_queue_equal_shares_take_turns() -> None:
    queue, order = FairQueue(1), list[str]()
    await queue.acquire("x")
    waiting = [asyncio.create_task(_acquire(queue, share, order)) for share in "aaabbc"]
    await asyncio.sleep(0)
    queue.release("x")
    while len(order) < 6:
        await asyncio.sleep(0)
        if queue.count_in_use(order[-1]):
            queue.release(order[-1])
    await asyncio.gather(*waiting)
    assert "".join(order) == "abcaba"
    assert queue.waiting == 0


async def test_fair_queue_cancelled_waiter_leaves_no_trace() -> None:
    queue, order = FairQueue(1), list[str]()
    await queue.acquire("a")
    leaves, stays = (asyncio.create_task(_acquire(queue, "b", order)) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    await asyncio.sleep(0)
    assert queue.waiting == 1
    queue.release("a")
    await stays
    queue.release("b")
    assert queue.try_acquire("c")


async def test_fair_queue_waiter_cancelled_with_its_slot_gives_it_back() -> None:
    queue, order = FairQueue(1), list[str]()
    await queue.acquire("a")
    leaves = asyncio.create_task(_acquire(queue, "b", order))
    await asyncio.sleep(0)
    queue.release("a")
    leaves.cancel()
    await asyncio.gather(leaves, return_exceptions=True)
    assert order == []
    assert queue.try_acquire("c")


async def test_fair_queue_slot_released_before_a_cancelled_waiter_runs_goes_to_the_next() -> None:
    queue, order = FairQueue(1), list[str]()
    await queue.acquire("a")
    leaves, stays = (asyncio.create_task(_acquire(queue, "b", order)) for _ in range(2))
    await asyncio.sleep(0)
    leaves.cancel()
    queue.release("a")
    await stays
    await asyncio.gather(leaves, return_exceptions=True)
    assert (order, queue.waiting, queue.count_in_use("b")) == (["b"], 0, 1)
    queue.release("b")
    assert queue.try_acquire("c")
