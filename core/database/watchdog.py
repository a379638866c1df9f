"""The watchdog: it throws pooled connections away that make no progress for longer than any statement may take.

    connection   | acquired | statement ............................................ no answer
    watchdog         ^ seen idle   ^ busy since here  ^ 1 s  ^ 2 s ...   ^ `DATABASE_DEADLINE_S`: terminated

PostgreSQL ends a statement after `STATEMENT_TIMEOUT_MS`, but only while its process runs and the network works. The
watchdog looks at all connections once a second. A timer for each statement would take time in every request.

The waiting statement fails, so that its request gets an answer. The idle connections of the pool are dropped as well:
probably they do not answer either, and each would cost another request its deadline.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final
from weakref import WeakKeyDictionary

import structlog

from core.limits import DATABASE_DEADLINE_S, DATABASE_WATCH_S

_log: Final = structlog.get_logger(__name__)

_deadlines: "WeakKeyDictionary[Any, float]" = WeakKeyDictionary()
"""The deadlines in seconds of connections that may take longer than the others."""


class ConnectionWatchdog:
    """Watches the connections of one database.

    Attributes:
        expired: How many connections it has thrown away because they did not answer.
    """

    def __init__(self) -> None:
        self.expired = 0
        self._progress: WeakKeyDictionary[Any, tuple[int, float]] = WeakKeyDictionary()

    def watch(self, connection: Any) -> None:
        """Watch a new connection for as long as it exists."""
        self._progress[connection] = (0, monotonic())

    async def run(self) -> None:
        """Check the connections once a second, until cancelled."""
        while True:
            await asyncio.sleep(DATABASE_WATCH_S)
            self.check(monotonic())

    def check(self, now: float) -> None:
        """Terminate the connections that are in use and have begun no statement for too long."""
        stuck = [connection for connection in list(self._progress) if self._is_stuck(connection, now)]
        for connection in stuck:
            connection.terminate()
        if stuck:
            self.expired += len(stuck)
            idle = [each for each in list(self._progress) if not _is_in_use(each) and not each.is_closed()]
            for connection in idle:
                connection.terminate()
            _log.warning("database does not answer; connections dropped", busy=len(stuck), idle=len(idle))

    def _is_stuck(self, connection: Any, now: float) -> bool:
        if connection.is_closed():
            del self._progress[connection]
            return False
        statements = connection._protocol.queries_count  # noqa: SLF001 - asyncpg counts each statement that begins
        known, since = self._progress[connection]
        if statements != known or not _is_in_use(connection):
            self._progress[connection] = (statements, now)
            return False
        return now - since >= _deadlines.get(connection, DATABASE_DEADLINE_S)


@contextmanager
def extend_deadline(connection: Any, statement_s: float) -> Iterator[None]:
    """Let statements of a pooled connection take up to `statement_s` during the block."""
    raw = getattr(connection, "_con", connection)
    _deadlines[raw] = max(statement_s, DATABASE_DEADLINE_S)
    try:
        yield
    finally:
        _deadlines.pop(raw, None)


def _is_in_use(connection: Any) -> bool:
    """Whether the connection is out of its pool: asyncpg sets a proxy for each acquisition."""
    return connection._proxy is not None  # noqa: SLF001
