"""How a fleet is ended."""

import asyncio

import pytest

from simulator.fleet.cancellation import CancelOnce


async def test_cancellation_of_running_task_interrupts_once() -> None:
    ending, interruptions = CancelOnce(), 0

    async def sleep_twice() -> None:
        nonlocal interruptions
        for _ in range(2):  # the second stands for what is put away at the end
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                interruptions += 1

    task = asyncio.create_task(sleep_twice())
    ending.watch_task(task)
    await asyncio.sleep(0)
    ending.cancel_task()
    await asyncio.sleep(0.05)
    ending.cancel_task()
    await task
    assert interruptions == 1


async def test_cancellation_before_task_is_added_cancels_it() -> None:
    ending, task = CancelOnce(), asyncio.create_task(asyncio.sleep(60))
    ending.cancel_task()
    ending.watch_task(task)
    with pytest.raises(asyncio.CancelledError):
        await task
