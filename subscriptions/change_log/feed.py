"""The feed: the changes of each refresh cycle, published in order, or read again from an older snapshot.

A reader that resumes calls `listen` first and `since` afterwards, so it misses no change. It may get a change from
both. The snapshot that `since` returned identifies such a change: it sees (`Snapshot.is_visible`) the change's
transaction.
"""

from collections.abc import Callable
from typing import Final

import structlog

from core.database.database import Database
from subscriptions.change_log.change import Delta
from subscriptions.change_log.change_log import ChangeLog
from subscriptions.change_log.snapshot import Snapshot

Listener = Callable[[Delta], None]

_log: Final = structlog.get_logger(__name__)


class ChangeFeed:
    """Every delta that the refresh cycles read, in the order in which the changes became visible.

    Attributes:
        snapshot: The snapshot up to which the cycles have read the log. The next delta begins there.
        has_followers: Whether the log is read for the server's own work, also while no client is connected.
    """

    def __init__(self, log: ChangeLog, database: Database, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.has_followers = False
        self._log = log
        self._database = database
        self._unpublished: list[Delta] = []
        self._listeners: dict[object, Listener] = {}

    def subscribe(self, callback: Listener) -> Callable[[], None]:
        """Call `callback` with each delta from now on, in the cycle that read it. Returns a function that ends this.

        A delta that is not `complete` is passed on like any other. The callback is called synchronously. It must
        neither block nor raise. A callback that raises is removed.
        """
        token = object()
        self._listeners[token] = callback
        return lambda: self._listeners.pop(token, None) and None

    def follow(self, callback: Listener) -> Callable[[], None]:
        """Subscribe for the server's own work, for as long as it runs. Returns a function that ends this."""
        self.has_followers = True
        return self.subscribe(callback)

    async def read_since(self, snapshot: Snapshot) -> Delta:
        """Read the changes from an older snapshot until now from the log.

        Raises:
            UnavailableError: The database cannot be reached.
        """
        async with self._database.open_statement_connection() as connection:
            return await self._log.read_since(connection, snapshot)

    def append(self, delta: Delta) -> None:
        """Append the delta that a refresh cycle has read. The listeners get it with the next `publish`."""
        self._unpublished.append(delta)
        self.snapshot = delta.snapshot

    def publish(self) -> None:
        """Pass all appended deltas to all listeners. Only the refresh cycles call this."""
        deltas, self._unpublished = self._unpublished, []
        for delta in deltas:
            self._publish_delta(delta)

    def _publish_delta(self, delta: Delta) -> None:
        for token, callback in list(self._listeners.items()):
            try:
                callback(delta)
            except Exception:  # noqa: BLE001 - logged; it concerns this listener alone
                _log.exception("change feed listener failed")
                self._listeners.pop(token, None)

    def __len__(self) -> int:
        """The number of listeners."""
        return len(self._listeners)
