"""One socket's share in the live layer: its viewer, and what it has subscribed to."""

from collections.abc import Callable
from typing import Protocol

from core.errors import BadUserInputError, ForbiddenError, ProductError, UnauthenticatedError
from core.tokens import Identity
from core.viewer import Viewer
from resolvers.documents import Document
from resolvers.execution import Request, refusal
from resolvers.live_documents import stream_of
from subscriptions.changes.moment import Moment
from subscriptions.engine.catching_up import Waits
from subscriptions.engine.group import Subscription
from subscriptions.engine.groups import Groups
from subscriptions.engine.pulse import Pulse
from subscriptions.engine.questions import Asking
from subscriptions.engine.viewers import Seat, Viewers
from subscriptions.sinks import Gone, Sink
from subscriptions.streams.stream import Listener
from subscriptions.streams.streams import Streams


class Open(Protocol):
    """A subscription to a live query or a stream."""

    def cancel(self) -> None:
        """Tell nothing more; to say so twice does no harm."""


class _Listening:
    """A subscription to a stream."""

    def __init__(self, streams: Streams, listener: Listener, forget: Callable[["_Listening"], None]) -> None:
        self.listener = listener
        self._streams = streams
        self._forget = forget

    def cancel(self) -> None:
        """Tell nothing more."""
        self._streams.leave(self.listener)
        self._forget(self)


class Session:
    """The viewer behind one socket, and its subscriptions."""

    def __init__(
        self,
        viewers: Viewers,
        groups: Groups,
        streams: Streams,
        asking: Asking,
        pulse: Pulse,
        waits: Waits,
        gone: Callable[[Gone], None],
    ) -> None:
        self._viewers = viewers
        self._groups = groups
        self._streams = streams
        self._asking = asking
        self._pulse = pulse
        self._waits = waits
        self._gone = gone
        self._identity: Identity | None = None
        self._open: dict[Subscription | _Listening, None] = {}
        self.seat = Seat(None, 0, self._sent_away, self._changed)

    @property
    def viewer(self) -> Viewer | None:
        """Who sits there now; None where nobody signed in, and once gone."""
        return self.seat.viewer

    def __len__(self) -> int:
        """How many subscriptions are open."""
        return len(self._open)

    def begin(self, identity: Identity, viewer: Viewer) -> None:
        """Take the viewer that the identity was found to be."""
        self._identity = identity
        self.seat.viewer, self.seat.expires_at = viewer, identity.expires_at

    async def renew(self, identity: Identity) -> None:
        """Go on with a fresh token of the same subject.

        Raises:
            ForbiddenError: It is somebody else's, or nobody sits here.
        """
        if self._identity is None or self.viewer is None:
            raise ForbiddenError("Nobody is signed in here whose token could be renewed")
        if (identity.kind, identity.subject) != (self._identity.kind, self._identity.subject):
            raise ForbiddenError("The fresh token is another viewer's")
        self._identity = identity
        self._viewers.prolong(self.seat, identity.expires_at)

    def subscribe(self, document: Document, request: Request, sink: Sink) -> Open:
        """Begin a subscription; what it answers is told to the sink, first of all what is so now.

        Args:
            document: A valid one.
            request: Names a subscription in it.
            sink: Where it is told.

        Raises:
            UnauthenticatedError: Nobody is signed in.
            ProductError: It is refused, whatever its answer would be.
        """
        viewer = self.viewer
        if viewer is None:
            raise UnauthenticatedError("Sign in: send a bearer token")
        definition = document.operation(request.operation_name)
        if document.syntax is None or definition is None:
            raise BadUserInputError("The document has no such operation")
        if stream_of(document, definition):
            return self._listen(document, request, viewer, sink)
        question = self._asking.question(document, request, viewer)
        subscription = Subscription(sink, self._leave)
        self._open[subscription] = None
        self._groups.join(subscription, question)
        self._pulse.ring()
        return subscription

    def catch_up(self, reached: Callable[[Moment], None]) -> bool:
        """Take a new moment, and tell it when all that is open here has been told as of it.

        Returns whether that is going to be: not where nobody is signed in, or `SOCKET_WAITS_MAX` wait.
        """
        places = [o.listener if isinstance(o, _Listening) else o for o in self._open]
        if self.viewer is None or not self._waits.add(places, reached):
            return False
        self._pulse.ring()
        return True

    def close(self) -> None:
        """End it, and all of its subscriptions; to say so twice does no harm."""
        self._waits.clear()
        self._viewers.leave(self.seat)
        for subscription in list(self._open):
            subscription.cancel()

    def _listen(self, document: Document, request: Request, viewer: Viewer, sink: Sink) -> Open:
        listener = self._streams.subscribe(document, request, viewer, sink)
        listening = _Listening(self._streams, listener, self._forget)
        self._open[listening] = None
        self._pulse.ring()
        return listening

    def _leave(self, subscription: Subscription) -> None:
        self._groups.leave(subscription)
        self._forget(subscription)

    def _forget(self, subscription: Subscription | _Listening) -> None:
        self._open.pop(subscription, None)

    def _sent_away(self, gone: Gone) -> None:
        self.close()
        self._gone(gone)

    def _changed(self, in_tick: bool) -> None:  # noqa: FBT001 - the type of what calls it has one
        """Look at everything anew, as another viewer sits here."""
        viewer = self.viewer
        assert viewer is not None  # noqa: S101 - one who is gone does not change
        for subscription in list(self._open):
            if isinstance(subscription, _Listening):
                self._streams.revise(subscription.listener, viewer)
            else:
                self._move(subscription, viewer, in_tick=in_tick)
        self._pulse.ring()

    def _move(self, subscription: Subscription, viewer: Viewer, *, in_tick: bool) -> None:
        """Put a subscription where it belongs now; what was read in this tick tells it what is so for this viewer."""
        group = subscription.group
        if group is None:
            return
        asked = group.question
        tick = self._groups.tick
        try:
            question = self._asking.question(asked.document, asked.request, viewer)
        except ProductError as error:
            subscription.cancel()
            subscription.sink.error(refusal(error)["errors"])
            return
        arrived = max(subscription.arrived, tick - 1) if in_tick else tick
        self._groups.join(subscription, question, arrived=arrived)
