"""The session of one socket: its viewer and its subscriptions."""

from collections.abc import Callable

from core.auth.sealing import TransactionTokens
from core.auth.tokens import Identity
from core.auth.viewer import Viewer
from core.errors import ForbiddenError, build_missing_token_error
from resolvers.compiler.executable_operation import ExecutableOperation
from resolvers.documents.live import find_stream_nodes
from subscriptions.auth.principal_watcher import ConnectionSession, PrincipalWatcher
from subscriptions.engine.poll_timer import PollTimer
from subscriptions.engine.shared_query import Subscription
from subscriptions.engine.write_barrier import ConnectionBarriers
from subscriptions.event_streams.stream import Listener
from subscriptions.event_streams.stream_registry import StreamRegistry
from subscriptions.open_subscription import (
    LiveQuerySource,
    OpenSubscription,
    QuerySubscription,
    StreamSubscription,
)
from subscriptions.subscriber import Disconnect, Subscriber


class Session:
    """The viewer of one socket, and its subscriptions."""

    def __init__(
        self,
        viewers: PrincipalWatcher,
        queries: LiveQuerySource,
        streams: StreamRegistry,
        timer: PollTimer,
        transactions: TransactionTokens,
        barriers: ConnectionBarriers,
        on_disconnect: Callable[[Disconnect], None],
    ) -> None:
        self._viewers = viewers
        self._queries = queries
        self._streams = streams
        self._timer = timer
        self._transactions = transactions
        self._barriers = barriers
        self._on_disconnect = on_disconnect
        self._identity: Identity | None = None
        self._open: dict[Subscription | StreamSubscription, OpenSubscription] = {}
        self.connection_session = ConnectionSession(None, 0, self._disconnect, self._viewer_changed)

    @property
    def viewer(self) -> Viewer | None:
        """The present viewer. None for an anonymous socket, and after the viewer has lost access."""
        return self.connection_session.viewer

    def __len__(self) -> int:
        """The number of open subscriptions."""
        return len(self._open)

    def start(self, identity: Identity, viewer: Viewer) -> None:
        """Set the viewer that was found for the identity."""
        self._identity = identity
        self.connection_session.viewer, self.connection_session.expires_at = viewer, identity.expires_at

    async def renew(self, identity: Identity) -> None:
        """Use a new token of the same subject.

        Raises:
            ForbiddenError: The token has another subject, or no viewer is signed in.
        """
        if self._identity is None or self.viewer is None:
            raise ForbiddenError("There is no token to renew: the socket is anonymous")
        if (identity.kind, identity.subject) != (self._identity.kind, self._identity.subject):
            raise ForbiddenError("The new token belongs to another viewer")
        self._identity = identity
        self._viewers.extend_expiry(self.connection_session, identity)
        self._timer.wake()

    def subscribe(self, operation: ExecutableOperation, subscriber: Subscriber) -> OpenSubscription:
        """Begin a subscription. Its first message is the present answer, or the present position of a stream.

        Args:
            operation: A subscription.
            subscriber: Receives the messages.

        Raises:
            UnauthenticatedError: No viewer is signed in.
            ProductError: The request is refused, whatever its answer would be.
        """
        viewer = self.viewer
        if viewer is None:
            raise build_missing_token_error()
        stream_nodes = find_stream_nodes(operation)
        if stream_nodes:
            return self._add_stream(self._streams.subscribe(operation, stream_nodes, viewer, subscriber))
        query = self._queries.factory.build(operation, viewer)
        subscription = QuerySubscription(subscriber, self._remove_query, queries=self._queries)
        self._open[subscription] = subscription
        self._queries.registry.add_subscription(subscription, query)
        self._timer.wake()
        return subscription

    def wait_for_transaction(self, transaction: str, on_answered: Callable[[bool], None]) -> None:
        """Call `on_answered` with true, once all open subscriptions of this socket show a committed transaction.

        It gets false after a change of the cluster's timeline, and after `SOCKET_BARRIER_S`.

        Args:
            transaction: The `extensions.transaction` of a mutation.
            on_answered: Called once, unless the session ends before.

        Raises:
            UnauthenticatedError: No viewer is signed in.
            BadUserInputError: The text is no such token.
            RateLimitedError: `SOCKET_BARRIERS_MAX` requests of this socket wait already.
        """
        if self.viewer is None:
            raise build_missing_token_error()
        self._barriers.add(list(self._open.values()), self._transactions.open(transaction), on_answered)
        self._timer.wake()

    def close(self) -> None:
        """End the session and all of its subscriptions. It is safe to call this twice."""
        self._barriers.clear()
        self._viewers.remove_session(self.connection_session)
        for subscription in list(self._open.values()):
            subscription.cancel()

    def _add_stream(self, listener: Listener) -> OpenSubscription:
        subscription = StreamSubscription(self._streams, listener, self._remove)
        self._open[subscription] = subscription
        self._timer.wake()
        return subscription

    def _remove_query(self, subscription: Subscription) -> None:
        self._queries.registry.remove_subscription(subscription)
        self._remove(subscription)

    def _remove(self, subscription: Subscription | StreamSubscription) -> None:
        self._open.pop(subscription, None)

    def _disconnect(self, disconnect: Disconnect) -> None:
        self.close()
        self._on_disconnect(disconnect)

    def _viewer_changed(self, in_cycle: bool) -> None:  # noqa: FBT001 - required by the callback's type
        """Check all subscriptions again, because the viewer has changed."""
        viewer = self.viewer
        assert viewer is not None  # noqa: S101 - a viewer without access does not change
        for subscription in list(self._open.values()):
            subscription.change_viewer(viewer, in_cycle=in_cycle)
        self._timer.wake()
