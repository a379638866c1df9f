"""One stream: its queued events, its position, and its listeners. No I/O.

Subscribers with the same document, variables and claims share a stream once they stand at the same snapshot.

A stream that resumes reads the log and receives new changes at the same time. An example with the events A to E of
five commits. The client has A and the cursor `S0`:

    commits              A     B      C           D              E
    ----------------------------------------------------------------------> time
    cursor `S0`            |                                                 sees A
    `is_behind` = False                  | (1)                               the feed's events are queued from here
    cycle 8                                 | (2)                            its feed has C
    read of the log, `S1`                             | (3)                  finds B, C, D
    cycle 9                                               | (4)              its feed has D
    cycle 10                                                         | (5)   its feed has E

1. The stream begins to queue before it reads. If it queued only after the read, an event that `S1` does not see could
   pass by in a cycle before the queue is open. B came while the stream was behind, so it was not queued.
2. `add_events` queues C, as the cursor does not see it.
3. `catch_up` gets what is after `S0` in the log: B, C, D. Queued events that `S1` sees came both ways. It drops the
   queued C, and the queue is then B, C, D.
4. `add_events` drops D: the read saw it (`_read` is `S1`).
5. `add_events` queues E. Each event was queued once, and the client gets B, C, D, E in this order.

The order of commits is not the order of transaction ids. So "after `S0`" is always the question whether a snapshot
sees a transaction (`Snapshot.is_visible`), and never a comparison of numbers.

A batch over `STREAM_EVENTS_MAX` needs several messages. The cursor between them is *partial*: it has `S0`, and of
`S1` the position of the last event sent (`cursors.py`). A client that resumes from it gets the rest of `S1` first, in
the order of positions, and then what became visible after `S1`.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.auth.viewer import Claims, Viewer
from core.limits import STREAM_EVENTS_MAX, STREAM_PENDING_EVENTS_MAX
from resolvers.documents.streams import StreamOperation
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.event_streams.cursors import PartialSnapshot, StreamCursor
from subscriptions.event_streams.events import EventFilter, StreamEvent
from subscriptions.subscriber import Subscriber


class StreamKey(NamedTuple):
    """Streams with equal keys send the same messages.

    Attributes:
        query: The document.
        operation: The name of the operation in it.
        variables: As JSON with sorted names, without the starting position.
        claims: The access rights of the viewers.
        person: The user and the role, if a message can lead to them although the viewer may not read others. Else
            None.
    """

    query: str
    operation: str | None
    variables: bytes
    claims: Claims
    person: tuple[str | None, str | None] | None

    def for_viewer(self, viewer: Viewer, document: StreamOperation) -> "StreamKey":
        """The same key for another viewer."""
        reads_all = document.plain or (viewer.has_right("Users.Read") and viewer.has_right("Roles.Read"))
        person = None if reads_all else (viewer.user_id, viewer.role_id)
        return self._replace(claims=viewer.claims, person=person)


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events that became visible at once, in the order of their positions, and the snapshot that sees them."""

    snapshot: Snapshot
    events: Sequence[StreamEvent]


@dataclass(slots=True, eq=False)
class Listener:
    """A subscription to a stream.

    Attributes:
        subscriber: Receives the messages.
        stream: The stream. None once the subscription is over.
    """

    subscriber: Subscriber
    stream: "EventStream | None" = None


@dataclass(frozen=True, slots=True)
class StreamDefinition:
    """What a stream sends. It is the same for all viewers of one tenant.

    Attributes:
        binding: The binding of its cursors.
        event_filter: The events that it selects.
        document: Formats its messages.
    """

    binding: str
    event_filter: EventFilter
    document: StreamOperation


@dataclass(slots=True, eq=False)
class EventStream:
    """One stream.

    Attributes:
        key: Equal for streams that send the same messages to viewers of equal rights.
        definition: What it sends.
        viewer: The viewer for whom its rows are read.
        cursor: The position of its subscribers. An idle stream stands at the latest snapshot of the registry instead.
        is_behind: Whether the log has to be read after all queued events were sent.
        sends_first_message: Whether subscribers wait for a first message, with or without events.
        is_busy: Whether a task is sending its events.
        sent_at_s: When it last sent a message, on the event loop's clock, in seconds.
        listeners: Its subscriptions.
    """

    key: StreamKey
    definition: StreamDefinition
    viewer: Viewer
    cursor: StreamCursor
    is_behind: bool = False
    sends_first_message: bool = False
    is_busy: bool = field(default=False, init=False)
    sent_at_s: float = field(default=0.0, init=False)
    listeners: dict[Listener, None] = field(default_factory=dict, init=False)
    _waiting: deque[EventBatch] = field(default_factory=deque, init=False)
    _read: Snapshot | None = field(default=None, init=False)

    @property
    def has_waiting(self) -> bool:
        """Whether events are queued."""
        return bool(self._waiting)

    @property
    def has_pending(self) -> bool:
        """Whether there is anything to send or to read."""
        return bool(self._waiting) or self.is_behind or self.sends_first_message

    @property
    def needs_reading(self) -> bool:
        """Whether the next message needs the database."""
        return self.is_behind or (
            self.has_waiting
            and (self.definition.event_filter.needs_sites or not self.definition.document.plain)
        )

    def is_equal_for(self, viewer: Viewer) -> bool:
        """Whether another viewer would get exactly the same messages."""
        return self.key == self.key.for_viewer(viewer, self.definition.document)

    def for_viewer(self, viewer: Viewer, snapshot: Snapshot) -> "EventStream":
        """The same stream for another viewer, from the present position.

        All changes up to `snapshot` have been received.
        """
        key, cursor = self.key.for_viewer(viewer, self.definition.document), self.build_cursor_at(snapshot)
        return EventStream(
            key,
            self.definition,
            viewer,
            cursor,
            is_behind=True,
            sends_first_message=self.sends_first_message,
        )

    @property
    def is_idle(self) -> bool:
        """Whether everything that was received has been sent."""
        return not (self.has_pending or self.is_busy or self.cursor.partial)

    def has_sent(self, snapshot: Snapshot) -> bool:
        """Whether all events that a snapshot sees were sent.

        All changes up to the snapshot must have been received.
        """
        return self.is_idle or (not self.sends_first_message and self.cursor.snapshot.includes(snapshot))

    def build_cursor_at(self, snapshot: Snapshot) -> StreamCursor:
        """The position of its subscribers. All changes up to `snapshot` must have been received."""
        return (
            StreamCursor(snapshot)
            if self.is_idle and snapshot.includes(self.cursor.snapshot)
            else self.cursor
        )

    def add_events(self, events: Sequence[StreamEvent], before: Snapshot, after: Snapshot) -> None:
        """Queue selected events that became visible between two snapshots."""
        self.cursor = self.build_cursor_at(before)
        if self.is_behind:
            return  # the log has them, and it will be read
        # Events that the cursor covers were sent. Events that the last read of the log saw were queued by it.
        new = [
            e
            for e in events
            if not (self._has_sent_event(e) or (self._read and self._read.is_visible(e.xid)))
        ]
        # A queue that is too long drops the new events. They are read from the log again once the queue was
        # sent.
        if sum(len(batch.events) for batch in self._waiting) + len(new) > STREAM_PENDING_EVENTS_MAX:
            self.is_behind = True
        elif new:
            self._waiting.append(EventBatch(after, new))

    def is_reachable(self, snapshot: Snapshot) -> bool:
        """Whether a snapshot is no earlier than its cursor. A snapshot of a lost era never is."""
        partial = self.cursor.partial
        return snapshot.includes(self.cursor.snapshot) and (
            partial is None or snapshot.includes(partial.snapshot)
        )

    def catch_up(self, events: Sequence[StreamEvent], snapshot: Snapshot) -> None:
        """Queue what the log has from the cursor to a snapshot.

        Events that were received meanwhile are not queued twice. `is_behind` must be false before the log is read, so
        that events are queued meanwhile.
        """
        # Queued events that the read has not seen stay in the queue, after those of the log.
        later = [(p.snapshot, [e for e in p.events if not snapshot.is_visible(e.xid)]) for p in self._waiting]
        new = [event for event in events if not self._has_sent_event(event)]
        partial = self.cursor.partial
        # A cursor with a part stopped inside a snapshot. The rest of that snapshot comes first, as a portion
        # of its own. So the next cursor is again a position that this subscriber has really reached.
        begun = [event for event in new if partial and partial.snapshot.is_visible(event.xid)]
        batches = [(partial.snapshot, begun)] if partial else []
        batches.append(
            (snapshot, [event for event in new if not (partial and partial.snapshot.is_visible(event.xid))])
        )
        self._read = snapshot
        self._waiting = deque(EventBatch(seen, found) for seen, found in (*batches, *later) if found)
        if not self._waiting:
            self.cursor = StreamCursor(snapshot)

    def take_message(self) -> tuple[list[StreamEvent], StreamCursor]:
        """Take the events of the next message from the queue, with the cursor to set once they were sent."""
        events: list[StreamEvent] = []
        cursor = self.cursor
        # Whole portions only: the cursor behind a portion is its snapshot. A portion over the limit is sent
        # in parts.
        while self._waiting and len(events) + len(self._waiting[0].events) <= STREAM_EVENTS_MAX:
            batch = self._waiting.popleft()
            events.extend(batch.events)
            cursor = StreamCursor(batch.snapshot)
        if self._waiting and not events:
            return self._take_partial(self._waiting.popleft())
        return events, cursor

    def _take_partial(self, batch: EventBatch) -> tuple[list[StreamEvent], StreamCursor]:
        taken = list(batch.events[:STREAM_EVENTS_MAX])
        self._waiting.appendleft(EventBatch(batch.snapshot, batch.events[STREAM_EVENTS_MAX:]))
        return taken, StreamCursor(self.cursor.snapshot, PartialSnapshot(batch.snapshot, taken[-1].position))

    def add_listener(self, listener: Listener) -> None:
        """Add a listener that stands at the same position."""
        listener.stream = self
        self.listeners[listener] = None

    def requeue(self, events: Sequence[StreamEvent]) -> None:
        """Take back events that could not be sent: they are read from the log again."""
        if events:
            self._waiting.clear()
            self.is_behind = True

    def _has_sent_event(self, event: StreamEvent) -> bool:
        cursor = self.cursor
        return cursor.snapshot.is_visible(event.xid) or (
            cursor.partial is not None and cursor.partial.includes(event)
        )
