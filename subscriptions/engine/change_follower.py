"""Follows the change log without live queries, for a process that serves no clients."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from core.database.connection_errors import translate_connection_errors
from core.database.database import Database
from core.errors import UnavailableError
from core.limits import LIVE_STATEMENT_TIMEOUT_S
from subscriptions.change_log.change import Delta
from subscriptions.change_log.change_log import ChangeLog
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.engine.poll_timer import PollTimer

_log: Final = structlog.get_logger(__name__)


class ChangeFollower:
    """Passes each delta of the log to a callback, from the first poll on."""

    def __init__(self, database: Database, *, pooled: bool) -> None:
        self._database = database
        self._timer = PollTimer(pooled=pooled)
        self._change_log: ChangeLog | None = None
        self._snapshot: Snapshot | None = None

    def wake(self) -> None:
        """Poll the log at once, because this process has committed something."""
        self._timer.wake()

    async def run(self, callback: Callable[[Delta], None]) -> None:
        """Follow the log until canceled. After a failure it continues from the last snapshot."""
        while True:
            try:
                delta = await self._poll()
            except UnavailableError:
                await self._timer.back_off()
            except Exception:  # noqa: BLE001 - logged; the next poll reads the same changes
                _log.exception("change log not read")
                await self._timer.back_off()
            else:
                callback(delta)
                busy = bool(delta.changes)
                await self._timer.wait(busy=busy, empty=False, until=LIVE_STATEMENT_TIMEOUT_S)

    async def _poll(self) -> Delta:
        with translate_connection_errors():
            async with (
                asyncio.timeout(LIVE_STATEMENT_TIMEOUT_S),
                self._database.open_statement_connection() as connection,
            ):
                if self._change_log is None:
                    self._change_log = await ChangeLog.open(connection)
                if self._snapshot is None:  # whatever was written before may concern the callback
                    self._snapshot = await self._change_log.take_snapshot(connection)
                    return Delta(self._snapshot, (), is_complete=False)
                delta = await self._change_log.read_since(connection, self._snapshot)
                if not delta.snapshot.timeline:  # PostgreSQL has crashed, and may assign ids again
                    await self._change_log.begin_timeline(connection)
                    delta = await self._change_log.read_since(connection, self._snapshot)
        self._snapshot = delta.snapshot
        return delta
