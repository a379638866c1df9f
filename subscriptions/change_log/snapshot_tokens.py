"""The texts that name snapshots to clients."""

from core.auth.sealing import Purpose, TokenSealer
from subscriptions.change_log.snapshot import Snapshot


class SnapshotTokens:
    """Seals snapshots. Equal snapshots have equal texts, and clients can do nothing but compare them.

    The text of the latest snapshot is kept, because all messages of a refresh cycle show it.
    """

    def __init__(self, sealer: TokenSealer) -> None:
        self._sealer = sealer
        self._latest: Snapshot | None = None
        self._text = ""

    def seal(self, snapshot: Snapshot) -> str:
        """The text of a snapshot."""
        if snapshot is not self._latest:
            self._text = self._sealer.seal(Purpose.SNAPSHOT, str(snapshot))
            self._latest = snapshot
        return self._text
