"""Waits for a connection of the pool, counted."""

import asyncio

import pytest

from core.database.database import Database
from core.database.measured_pool import MeasuredPool
from core.settings import Settings
from services.retention.status import RetentionStatus

pytestmark = pytest.mark.newest


async def test_pool_counts_waits_and_timeouts(database_url: str) -> None:
    database = await Database.connect(database_url, Settings(pool_size=1))
    pool = database.pool
    assert isinstance(pool, MeasuredPool)
    try:
        before = pool.waits
        async with pool.acquire(timeout=5):
            waiting = asyncio.create_task(pool.fetchval("SELECT 1"))
            await asyncio.sleep(0.2)
            with pytest.raises(TimeoutError):
                await pool.acquire(timeout=0.1)
        assert await waiting == 1
        assert (pool.waits - before, pool.timeouts) == (2, 1)
        assert pool.wait_s >= 0.3
        async with pool.acquire(timeout=5):
            pass
        assert pool.waits - before == 2
    finally:
        await database.close()


async def test_retention_status_has_the_log_and_the_last_clean_up(database_url: str) -> None:
    database = await Database.connect(database_url, Settings())
    try:
        status = RetentionStatus()
        async with database.pool.acquire() as connection:
            await status.read(connection)
            finished_at = status.clean_up_finished_at
            assert finished_at is None
            assert status.change_log_bytes is not None
            small = status.change_log_bytes
            await connection.execute(
                "INSERT INTO app.chores (name, taken_at, seen_at, finished_at) VALUES ('clean_up', 1, 2, 3)"
            )
            await connection.execute(
                "INSERT INTO tenants (id, name) SELECT g, g FROM generate_series(1, 300) g"
            )
            await status.read(connection)
            assert status.clean_up_finished_at == 3
            assert status.change_log_bytes > small
            await connection.execute("UPDATE app.chores SET finished_at = NULL")  # the next one has begun
            await status.read(connection)
            assert status.clean_up_finished_at == 3
    finally:
        await database.close()
