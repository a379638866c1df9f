"""Deadlines of statements on connections outside the pools, such as those of commands.

    statement    | sent ............................................ no answer
    deadline     | starts                                           | the connection is cut, the statement fails

Pools have the watchdog instead (`core.database.watchdog`). There, a timer for each statement would slow each request.

A migration, an import or a backup has statements of hours. While one runs, new connections show at intervals whether
PostgreSQL answers at all:

    statement    | sent ..........................................................
    probes            | answered      | answered      | none      | none: cut
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from core.limits import DATABASE_DEADLINE_S

_WAITS: Final = frozenset(
    {
        "bind", "bind_execute", "bind_execute_many", "close_portal", "close_statement", "copy_in", "copy_out",
        "execute", "prepare", "query",
    }
)  # fmt: skip
"""The methods of asyncpg's protocol that wait for PostgreSQL. Every statement goes through one of them."""
_PROBES_FAILED_MAX: Final = 2
"""Failed probes in succession that end a statement. One may fail while PostgreSQL restarts or is overloaded."""


class UnansweredError(ConnectionError):
    """PostgreSQL did not answer within the deadline. The connection is cut."""


class DeadlineProtocol:
    """The protocol of one connection, with a deadline on each statement. It stands in front of asyncpg's."""

    def __init__(self, protocol: Any, statement_s: float, probe: Callable[[], Awaitable[bool]]) -> None:
        """Limit the statements to `statement_s` seconds. `probe` says whether PostgreSQL accepts a connection."""
        self._protocol = protocol
        self._statement_s = statement_s
        self._probe = probe
        self._waited_s: float | None = None

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._protocol, name)
        return self._limit(value) if name in _WAITS else value

    def _limit(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call_within_deadline(*arguments: Any, **options: Any) -> Any:
            watching = asyncio.create_task(self._watch())
            try:
                return await call(*arguments, **options)
            except Exception as error:
                if self._waited_s is None:
                    raise
                raise UnansweredError(
                    f"PostgreSQL has not answered for {self._waited_s:.0f} seconds"
                ) from error
            finally:
                watching.cancel()

        return call_within_deadline

    async def _watch(self) -> None:
        """Wait for the deadline, and cut the connection."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._statement_s):
                await wait_until_silent(self._probe)
        self._waited_s = loop.time() - began
        self._protocol.abort()


async def wait_until_silent(probe: Callable[[], Awaitable[bool]]) -> None:
    """Probe at intervals, and return when PostgreSQL has not answered several times in succession."""
    failed = 0
    while failed < _PROBES_FAILED_MAX:
        await asyncio.sleep(DATABASE_DEADLINE_S)
        failed = 0 if await probe() else failed + 1
