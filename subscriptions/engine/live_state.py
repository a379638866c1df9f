"""The state of the live layer that the refresh cycles read and change."""

from dataclasses import dataclass

from subscriptions.auth.principal_watcher import PrincipalWatcher
from subscriptions.change_log.feed import ChangeFeed
from subscriptions.change_log.replay_buffer import ReplayBuffer
from subscriptions.change_log.snapshot_tokens import SnapshotTokens
from subscriptions.engine.shared_query_registry import SharedQueryRegistry
from subscriptions.engine.write_barrier import WriteBarrier


@dataclass(frozen=True, slots=True, eq=False)
class LiveState:
    """One server's live queries, viewers, and everything that waits for a cycle.

    Attributes:
        registry: The shared queries.
        viewers: The viewers of open sockets.
        replay_buffer: The changes since the snapshots of running reads.
        feed: The changes for the streams.
        write_barrier: The waiting barrier requests.
        snapshot_tokens: Names snapshots to clients.
    """

    registry: SharedQueryRegistry
    viewers: PrincipalWatcher
    replay_buffer: ReplayBuffer
    feed: ChangeFeed
    write_barrier: WriteBarrier
    snapshot_tokens: SnapshotTokens

    @property
    def is_idle(self) -> bool:
        """Whether there is no viewer, no live query, no running sign-in and no follower of the log."""
        return not (self.viewers or self.registry or self.replay_buffer or self.feed.has_followers)
