"""Admits agents without a token on one server: finds the agents of their ids, for many calls in one statement.

While no agent is listed, or the time of all is over, calls without a token cost no statement.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

import structlog

from core.clock import now_ms
from core.database.database import Database
from core.database.transactions import WriteTransaction, ignore_commit, run_in_transaction
from core.errors import ConflictError, ProductError, RateLimitedError
from core.fair_queue import STRANGERS
from core.limits import (
    CHECK_IN_BATCH_DELAY_S,
    CHECK_INS_BATCH_MAX,
    CHECK_INS_QUEUED_MAX,
    LEGACY_KNOWN_MAX,
    LEGACY_POLL_S,
    LEGACY_UNKNOWN_PER_MINUTE,
)
from core.lru_cache import LruCache
from core.rate_limit import RateLimiter
from services.agents.legacy_agents import (
    LegacyIdentity,
    LegacyIds,
    SecondTradeError,
    build_not_adopted_error,
    find_latest_end,
    find_legacy_agents,
    trade_for_token,
)
from services.agents.micro_batcher import BatchSettings, MicroBatcher

_log = structlog.get_logger(__name__)

_BATCH_SETTINGS: Final = BatchSettings(CHECK_INS_QUEUED_MAX, CHECK_INS_BATCH_MAX, CHECK_IN_BATCH_DELAY_S)


class LegacyAdmission:
    """The agents without a token on one server."""

    def __init__(
        self,
        database: Database,
        on_commit: Callable[[], None] = ignore_commit,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        """Calls `on_commit` after each trade. `clock` returns ms since the epoch."""
        self._database = database
        self._on_commit = on_commit
        self._clock = clock
        self._latest_end = 0
        self._batcher: MicroBatcher[LegacyIds, LegacyIdentity | None] = MicroBatcher(
            self._find_batch, _BATCH_SETTINGS
        )
        self._unknown = RateLimiter(LEGACY_UNKNOWN_PER_MINUTE, LEGACY_UNKNOWN_PER_MINUTE)
        self._blocked_until = 0.0
        self._known: LruCache[str, bool] = LruCache(LEGACY_KNOWN_MAX)

    @property
    def is_open(self) -> bool:
        """Whether any agent may check in without a token, as far as this server knows."""
        return self._latest_end > self._clock()

    async def run(self) -> None:
        """Find agents for waiting calls, and poll whether any are listed, until cancelled."""
        polling = asyncio.create_task(self._poll())
        try:
            await self._batcher.run()
        finally:
            polling.cancel()
            await asyncio.wait([polling])

    async def refresh(self) -> None:
        """Read until when agents may check in without a token.

        Raises:
            ProductError: The database is away or busy.
        """
        async with self._database.read_transaction(platform=True) as snapshot:
            self._latest_end = await find_latest_end(snapshot) or 0

    async def identify(self, ids: LegacyIds) -> LegacyIdentity:
        """The listed agent of these ids.

        Raises:
            UnauthenticatedError: There is none.
            RateLimitedError: Too many calls named agents that are not listed. Agents that were found before go on.
            UnavailableError: Too many calls wait, or the database is away.
        """
        wait_s = self._blocked_until - monotonic()
        if wait_s > 0 and self._known.get(ids.agent_id) is None:
            raise RateLimitedError("Too many calls without a token.", wait_s)
        found = await self._batcher.add(ids)
        if found is None:
            wait_s = self._unknown.acquire("")
            if wait_s:
                self._blocked_until = monotonic() + wait_s
            raise build_not_adopted_error()
        self._known.put(ids.agent_id, True)
        return found

    async def trade(self, ids: LegacyIds) -> str:
        """Give an agent a token for its ids, once; returns the id that the token must have.

        Raises:
            ProductError: As `services.agents.legacy_agents.trade_for_token`.
            UnavailableError: The database is unavailable.
        """

        async def admit_in_transaction(transaction: WriteTransaction) -> str | ConflictError:
            try:
                return await trade_for_token(transaction, ids)
            except SecondTradeError as error:  # its health event is committed
                return error

        done = await run_in_transaction(
            self._database, admit_in_transaction, platform=True, share=STRANGERS, on_commit=self._on_commit
        )
        if isinstance(done, ConflictError):
            raise done
        return done

    async def _find_batch(self, batch: Sequence[LegacyIds]) -> Sequence[LegacyIdentity | None]:
        async with self._database.read_transaction(platform=True) as snapshot:
            return await find_legacy_agents(snapshot, batch)

    async def _poll(self) -> None:
        while True:
            try:
                await self.refresh()
            except ProductError:
                pass  # the database is away, which requests report
            except Exception:  # noqa: BLE001 - the server goes on, and the next turn may succeed
                _log.exception("legacy agents not read")
            await asyncio.sleep(LEGACY_POLL_S * random.uniform(0.8, 1.2))  # noqa: S311 - spreads the servers
