"""How a fleet is ended."""

import asyncio

import pytest

from simulator.ending import Ending


async def test_it_ends_what_runs_once() -> None:
    ending, interruptions = Ending(), 0

    async def work() -> None:
        nonlocal interruptions
        for _ in range(2):  # the second stands for what is put away at the end
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                interruptions += 1

    task = asyncio.create_task(work())
    ending.ends(task)
    await asyncio.sleep(0)
    ending.ask()
    await asyncio.sleep(0.05)
    ending.ask()
    await task
    assert interruptions == 1


async def test_it_ends_what_is_only_about_to_begin() -> None:
    ending, task = Ending(), asyncio.create_task(asyncio.sleep(60))
    ending.ask()
    ending.ends(task)
    with pytest.raises(asyncio.CancelledError):
        await task
