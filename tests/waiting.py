"""Waiting for a condition that has no event. Only a hang takes as long as the waits allow."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

HANG_S: Final = 60.0
"""Seconds after which a wait fails. No machine is so slow: what takes longer hangs."""


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(HANG_S):
        while not condition():  # noqa: ASYNC110 - any condition; it has no event
            await asyncio.sleep(0.005)


async def poll_until(read: Callable[[], Awaitable[object]]) -> None:
    """Wait until what is read, such as a row of the database, is true."""
    async with asyncio.timeout(HANG_S):
        while not await read():  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.02)


def block_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, and let nothing else run in this thread."""
    deadline = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
