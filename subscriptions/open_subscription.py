"""The subscriptions of a session: to a live query, or to a stream. A session handles both in the same way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from core.auth.viewer import Viewer
from core.errors import ProductError
from resolvers.graphql_errors import render_refusal
from subscriptions.change_log.snapshot import CycleSnapshot
from subscriptions.engine.live_query import LiveQueryFactory
from subscriptions.engine.shared_query import Subscription
from subscriptions.engine.shared_query_registry import SharedQueryRegistry
from subscriptions.event_streams.stream import Listener
from subscriptions.event_streams.stream_registry import StreamRegistry


class OpenSubscription(Protocol):
    """A subscription to a live query or a stream."""

    def cancel(self) -> None:
        """End the subscription: no message follows. It is safe to call this twice."""

    def change_viewer(self, viewer: Viewer, *, in_cycle: bool) -> None:
        """Continue for a changed viewer, or end with an error if the viewer may not read this any longer.

        Args:
            viewer: The viewer.
            in_cycle: Whether it was read in the running cycle.
        """

    def has_sent(self, reached: CycleSnapshot) -> bool:
        """Whether the subscriber has every message up to the snapshot of a cycle that has matched."""


@dataclass(frozen=True, slots=True)
class LiveQuerySource:
    """Makes live queries, and shares them.

    Attributes:
        registry: The shared queries.
        factory: Makes a live query for a viewer.
    """

    registry: SharedQueryRegistry
    factory: LiveQueryFactory


@dataclass(slots=True, eq=False)
class QuerySubscription(Subscription):
    """A subscription to a live query.

    Attributes:
        queries: Finds the shared query of another viewer.
    """

    queries: LiveQuerySource = field(kw_only=True)

    def change_viewer(self, viewer: Viewer, *, in_cycle: bool) -> None:
        """Move to the viewer's shared query, or end with an error if it may not run."""
        shared = self.shared_query
        if shared is None:
            return
        registry = self.queries.registry
        cycle = registry.cycle
        try:
            changed = self.queries.factory.build(shared.query.subscription, viewer)
        except ProductError as error:
            self.cancel()
            self.subscriber.send_error(render_refusal(error)["errors"])
            return
        # A viewer that was read in the running cycle may get an answer of this cycle. So the subscription
        # counts as one of the cycle before. Any other change of the viewer waits for the next cycle.
        since_cycle = max(self.since_cycle, cycle - 1) if in_cycle else cycle
        registry.add_subscription(self, changed, since_cycle=since_cycle)

    def has_sent(self, reached: CycleSnapshot) -> bool:
        """Whether the subscriber has the answer of this cycle or of a later one."""
        return self.shared_query is None or self.queries.registry.get_sent_cycle(self) >= reached.number


class StreamSubscription:
    """A subscription to a stream."""

    __slots__ = ("_leave", "_listener", "_streams")

    def __init__(
        self, streams: StreamRegistry, listener: Listener, leave: Callable[["StreamSubscription"], None]
    ) -> None:
        """`leave` is called by `cancel`."""
        self._streams = streams
        self._listener = listener
        self._leave = leave

    def cancel(self) -> None:
        """End the subscription: no message follows."""
        self._streams.remove_listener(self._listener)
        self._leave(self)

    def change_viewer(self, viewer: Viewer, *, in_cycle: bool) -> None:  # noqa: ARG002 - as a query has it
        """Continue at the present position with the viewer's rights, or end with an error."""
        self._streams.change_viewer(self._listener, viewer)

    def has_sent(self, reached: CycleSnapshot) -> bool:
        """Whether all events that the snapshot sees were sent."""
        stream = self._listener.stream
        return stream is None or stream.has_sent(reached.snapshot)
