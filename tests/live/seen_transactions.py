"""Waits of a live connection until it shows a transaction."""

import asyncio

from tests.live.live_engine import LiveConnection
from tests.waiting import HANG_S


async def wait_until_seen(connection: LiveConnection, transaction: str) -> bool:
    """Whether all subscriptions of a session show a transaction. Waits for the reply."""
    answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    connection.session.wait_for_transaction(transaction, answered.set_result)
    async with asyncio.timeout(HANG_S):
        return await answered
