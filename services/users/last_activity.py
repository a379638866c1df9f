"""Keeps `users.last_activity_at`: coarsely, and never on a request's path.

    request of a user ── noted in memory, at most once in ten minutes
    every half minute ── one statement writes what was noted, and skips users whom another server has written
    at the stop ── the same

The column changes without `updated_at` and without an audit row, as a check-in changes an agent. A live query
runs again only if it selects the column.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Final

import structlog

from core.clock import now_ms
from core.database.database import Database
from core.database.transactions import WriteTransaction, run_in_transaction
from core.errors import ProductError
from core.limits import (
    ACTIVITY_PAUSE_MS,
    ACTIVITY_STOP_S,
    ACTIVITY_USERS_MAX,
    ACTIVITY_WRITE_INTERVAL_S,
    ACTIVITY_WRITE_ROWS,
    CLOCK_SKEW_MAX_MS,
)
from core.lru_cache import LruCache
from services.import_lock import TRY_BACKGROUND

_log = structlog.get_logger(__name__)

_LOCK: Final = f"SELECT {TRY_BACKGROUND}"
# A row that another transaction has locked is left out: its user is noted again in ten minutes.
_WRITE: Final = f"""
WITH due AS (
    SELECT u.id, n.at
    FROM unnest($1::text[], $2::bigint[]) AS n (id, at)
    JOIN public.users u ON u.id = n.id
    WHERE u.deleted_at IS NULL
      AND (u.last_activity_at IS NULL OR u.last_activity_at <= n.at - {ACTIVITY_PAUSE_MS}
           OR u.last_activity_at > n.at + {CLOCK_SKEW_MAX_MS})
    ORDER BY u.id
    FOR NO KEY UPDATE OF u SKIP LOCKED
)
UPDATE public.users u SET last_activity_at = d.at FROM due d WHERE u.id = d.id RETURNING 1
"""  # noqa: S608 - our own numbers


class LastActivity:
    """The users who have been active on this server lately."""

    def __init__(self, database: Database, clock: Callable[[], int] = now_ms) -> None:
        """Nothing is written before `run` or `flush`. `clock` returns ms since the epoch."""
        self._database = database
        self._clock = clock
        self._pending: dict[str, int] = {}
        self._noted: LruCache[str, int] = LruCache(
            ACTIVITY_USERS_MAX, on_evict=lambda user_id, _at: self._pending.pop(user_id, None)
        )

    def note(self, user_id: str | None) -> None:
        """Note that a user is active now. It costs a look into a dict, and it writes nothing."""
        if user_id is None:
            return
        now, noted_at = self._clock(), self._noted.get(user_id)
        if noted_at is None or now - noted_at >= ACTIVITY_PAUSE_MS:
            self._pending[user_id] = now
            self._noted.put(user_id, now)

    async def run(self) -> None:
        """Write what was noted at intervals, and once more when cancelled. Errors are logged, and it goes on."""
        try:
            while True:
                await asyncio.sleep(ACTIVITY_WRITE_INTERVAL_S * random.uniform(0.8, 1.2))  # noqa: S311 - spreads servers
                await self._flush_or_log()
        finally:
            try:
                async with asyncio.timeout(ACTIVITY_STOP_S):
                    await self._flush_or_log()
            except TimeoutError:
                _log.warning("last activity not written", users=len(self._pending))

    async def _flush_or_log(self) -> None:
        try:
            await self.flush()
        except ProductError:
            pass  # the database is away or busy, which requests report
        except Exception:  # noqa: BLE001 - the server goes on, and the next turn may succeed
            _log.exception("last activity not written")

    async def flush(self) -> int:
        """Write what was noted; returns the number of users written. While an import runs it stays noted.

        Raises:
            ProductError: The database is away or busy. What was noted stays noted.
        """
        written = 0
        while self._pending:
            batch = dict(list(self._pending.items())[:ACTIVITY_WRITE_ROWS])

            async def write_batch(transaction: WriteTransaction, batch: dict[str, int] = batch) -> int | None:
                if not (await transaction.fetch(_LOCK, ()))[0][0]:
                    return None
                return len(await transaction.fetch(_WRITE, (list(batch), list(batch.values()))))

            done = await run_in_transaction(self._database, write_batch, platform=True)
            if done is None:
                break
            written += done
            for user_id, at in batch.items():
                if self._pending.get(user_id) == at:
                    del self._pending[user_id]
        return written
