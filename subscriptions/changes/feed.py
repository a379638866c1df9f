"""The feed of changes: what each tick saw, handed on as it was seen, and read again from an older moment.

Who resumes calls `listen` first and `since` afterwards, so that nothing falls between the two; what comes both ways
is told apart by the moment that `since` answered with: it sees (`Moment.sees`) what it has brought.
"""

from collections.abc import Callable
from typing import Final

import structlog

from core.database import Database
from subscriptions.changes.change import Delta
from subscriptions.changes.log import ChangeLog
from subscriptions.changes.moment import Moment

Listener = Callable[[Delta], None]

_log: Final = structlog.get_logger(__name__)


class Feed:
    """Every delta that the ticks read, in the order in which its changes became visible."""

    def __init__(self, log: ChangeLog, database: Database) -> None:
        self._log = log
        self._database = database
        self._listeners: dict[object, Listener] = {}

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Have each delta from now on, within the tick that read it; returns what ends that.

        A delta that is not `complete` is handed on like any other. The callback is called synchronously and must
        neither block nor raise; one that raises is dropped.
        """
        token = object()
        self._listeners[token] = callback
        return lambda: self._listeners.pop(token, None) and None

    async def since(self, moment: Moment) -> Delta:
        """What happened from an older moment to now, read from the log.

        Raises:
            UnavailableError: The database cannot be reached.
        """
        async with self._database.statement() as connection:
            return await self._log.since(connection, moment)

    def publish(self, delta: Delta) -> None:
        """Hand a delta to all who listen; called by the ticks alone."""
        for token, callback in list(self._listeners.items()):
            try:
                callback(delta)
            except Exception:  # noqa: BLE001 - the fault of one listener alone; in the log
                _log.exception("a listener of the feed failed")
                self._listeners.pop(token, None)

    def __len__(self) -> int:
        """How many listen."""
        return len(self._listeners)
