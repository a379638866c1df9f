"""A pool of connections that tenants share fairly, and that measures how long its callers wait for one."""

import asyncio
from time import perf_counter
from typing import Any

import asyncpg
from asyncpg.pool import PoolAcquireContext
from asyncpg.protocol import Record

from core.fair_queue import IS_LONG, SERVER, FairQueue
from core.limits import POOL_ACQUIRE_TIMEOUT_S
from core.share_load import ShareLoad


class MeasuredPool(asyncpg.Pool):
    """asyncpg's pool, with a fair queue in front. A caller that finds a free slot costs two checks more.

    Attributes:
        slots: The connections by share.
        waits: How many callers had to wait, because all connections of their share were in use.
        wait_s: How long they waited together, in seconds.
        timeouts: How many of them did not get a connection in time.
    """

    def __init__(self, *, reserved: int = 0, load: ShareLoad | None = None, **options: Any) -> None:
        """Takes the options of `asyncpg.create_pool`. Await it to open the pool.

        `reserved` connections are for the server's own work alone. `load` bounds long statements.
        """
        defaults: dict[str, Any] = {
            "connection_class": asyncpg.Connection,
            "record_class": Record,
            "max_queries": 50_000,
            "max_inactive_connection_lifetime": 300.0,
            "setup": None,
            "init": None,
            "reset": _skip_reset,
            "connect": None,
            "loop": None,
        }
        super().__init__(**defaults | options)
        self.slots = FairQueue(options["max_size"], reserved, load)
        self.waits = 0
        self.wait_s = 0.0
        self.timeouts = 0
        self._use_of: dict[object, tuple[str, bool]] = {}
        """The share of each connection in use, and whether its statements are long."""

    def acquire_for(self, share: str, *, timeout: float | None = POOL_ACQUIRE_TIMEOUT_S) -> "SharedAcquire":
        """A connection for work of this share, as by `acquire`. `timeout` is in seconds."""
        return SharedAcquire(self, timeout, share)

    async def _acquire(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - asyncpg's signature
        return await self.take(SERVER, timeout)

    async def take(
        self,
        share: str,
        timeout: float | None,  # noqa: ASYNC109 - as `acquire`
        *,
        is_long: bool | None = None,
    ) -> Any:
        """Take a connection for a share; `release` gives it back.

        `is_long` says whether its statements are long. By default the running request says so (`IS_LONG`).

        Raises:
            TimeoutError: There was none in time.
        """
        is_long = IS_LONG.get() if is_long is None else is_long
        if not self.slots.try_acquire(share, is_long=is_long):
            await self._wait_for_slot(share, timeout, is_long=is_long)
        try:
            connection = await super()._acquire(timeout)  # type: ignore[misc]  # the stubs lack it
        except BaseException:
            self.slots.release(share, is_long=is_long)
            raise
        self._use_of[connection] = share, is_long
        return connection

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's signature
        """Return a connection to the pool, and its slot to the fair queue."""
        try:
            await super().release(connection, timeout=timeout)
        finally:
            use = self._use_of.pop(connection, None)
            if use is not None:
                self.slots.release(use[0], is_long=use[1])

    def reassign(self, connection: Any, share: str) -> None:
        """Count one of the server's connections as one of another share, for long statements."""
        self.slots.move(SERVER, share)
        self._use_of[connection] = share, True

    async def _wait_for_slot(
        self,
        share: str,
        timeout: float | None,  # noqa: ASYNC109 - as `acquire`
        *,
        is_long: bool,
    ) -> None:
        self.waits += 1
        began = perf_counter()
        try:
            async with asyncio.timeout(timeout):
                await self.slots.acquire(share, is_long=is_long)
        except TimeoutError:
            self.timeouts += 1
            raise
        finally:
            self.wait_s += perf_counter() - began


class SharedAcquire(PoolAcquireContext):
    """`Pool.acquire` for one share: awaited, or as a context."""

    __slots__ = ("_share", "_shared_pool")

    def __init__(self, pool: MeasuredPool, timeout: float | None, share: str) -> None:
        super().__init__(pool, timeout)
        self._shared_pool = pool
        self._share = share

    async def __aenter__(self) -> Any:
        self.connection = await self._shared_pool.take(self._share, self.timeout)
        return self.connection

    def __await__(self) -> Any:
        self.done = True
        return self._shared_pool.take(self._share, self.timeout).__await__()


async def _skip_reset(_connection: Any) -> None:
    """Do nothing: neither a ROLLBACK nor a single read leaves a state, and the initial settings have to stay."""
