"""One stream as it is told: what waits, where it stands, and who listens; pure.

Subscribers with the same document, variables and claims share one, once they stand at the same moment.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.limits import STREAM_EVENTS_MAX, STREAM_WAITING_MAX
from core.viewer import Claims, Viewer
from resolvers.stream_documents import StreamDocument
from subscriptions.changes.moment import Moment
from subscriptions.sinks import Sink
from subscriptions.streams.cursors import Part, StreamCursor
from subscriptions.streams.events import Event, Wanted


class Key(NamedTuple):
    """What makes two streams one.

    Attributes:
        query: The document.
        operation: The name of the operation in it.
        variables: As JSON with sorted names, without the one that says where to begin.
        claims: What the viewers may see.
        person: The user and the role, where a message can lead to them though the right to others' is missing.
    """

    query: str
    operation: str | None
    variables: str
    claims: Claims
    person: tuple[str | None, str | None] | None

    def seen_by(self, viewer: Viewer, document: StreamDocument) -> "Key":
        """The same for a viewer."""
        reads_all = document.plain or (viewer.may("Users.Read") and viewer.may("Roles.Read"))
        person = None if reads_all else (viewer.user_id, viewer.role_id)
        return self._replace(claims=viewer.claims, person=person)


@dataclass(frozen=True, slots=True)
class Portion:
    """Events that became visible at once, in the order of their positions, and the moment that saw them."""

    moment: Moment
    events: Sequence[Event]


@dataclass(slots=True, eq=False)
class Listener:
    """Who listens to a stream.

    Attributes:
        sink: Where it is told.
        stream: The stream; None when the listener is gone.
    """

    sink: Sink
    stream: "Stream | None" = None


@dataclass(slots=True, eq=False)
class Stream:
    """One stream.

    Attributes:
        key: Equal for streams that tell the same to viewers who may see the same.
        binding: What its cursors are bound to.
        wanted: Which events it has.
        document: How its messages are written.
        viewer: For whom its rows are read.
        cursor: Behind which events its subscribers stand; where it is idle, they stand at the registry's moment.
        behind: Whether the log is to be read, from where all that waits has been told.
        greets: Whether subscribers wait for a first message, be there events or not.
        busy: Whether it is being told.
        told_s: When it was told something the last time, on the event loop's clock, in seconds.
        listeners: Who listens.
    """

    key: Key
    binding: str
    wanted: Wanted
    document: StreamDocument
    viewer: Viewer
    cursor: StreamCursor
    behind: bool = False
    greets: bool = False
    busy: bool = False
    told_s: float = 0.0
    listeners: "dict[Listener, None]" = field(default_factory=dict)
    _waiting: deque[Portion] = field(default_factory=deque)
    _read: Moment | None = None

    @property
    def waits(self) -> bool:
        """Whether there is something to be told."""
        return bool(self._waiting)

    @property
    def pending(self) -> bool:
        """Whether there is something to be told, or to be read."""
        return bool(self._waiting) or self.behind or self.greets

    @property
    def needs_reading(self) -> bool:
        """Whether telling what is pending takes anything from the database."""
        return self.behind or (self.waits and (self.wanted.looks_up_sites or not self.document.plain))

    def told_to(self, viewer: Viewer) -> bool:
        """Whether a viewer would be told the very same."""
        return self.key == self.key.seen_by(viewer, self.document)

    def continued(self, viewer: Viewer, moment: Moment) -> "Stream":
        """The same for another viewer, from where its listeners stand; all up to `moment` have been heard."""
        key, cursor = self.key.seen_by(viewer, self.document), self.stands_at(moment)
        return Stream(
            key, self.binding, self.wanted, self.document, viewer, cursor, behind=True, greets=self.greets
        )

    @property
    def idle(self) -> bool:
        """Whether everything that was heard has been told."""
        return not (self.pending or self.busy or self.cursor.part)

    def has_told(self, moment: Moment) -> bool:
        """Whether all of its events that a moment sees have been told, given that those have been heard."""
        return self.idle or (not self.greets and self.cursor.told.covers(moment))

    def stands_at(self, moment: Moment) -> StreamCursor:
        """Behind which events its subscribers stand, given that all up to `moment` have been heard."""
        return StreamCursor(moment) if self.idle and moment.covers(self.cursor.told) else self.cursor

    def hear(self, events: Sequence[Event], before: Moment, after: Moment) -> None:
        """Take events that it asked for, which became visible between two moments."""
        self.cursor = self.stands_at(before)
        if self.behind:
            return  # they will be read from the log
        new = [e for e in events if not (self._has(e) or (self._read and self._read.sees(e.xid)))]
        if sum(len(portion.events) for portion in self._waiting) + len(new) > STREAM_WAITING_MAX:
            self.behind = True
        elif new:
            self._waiting.append(Portion(after, new))

    def reaches(self, moment: Moment) -> bool:
        """Whether a moment is no earlier than its cursor; none of a life of the cluster that was lost is."""
        part = self.cursor.part
        return moment.covers(self.cursor.told) and (part is None or moment.covers(part.moment))

    def catch_up(self, events: Sequence[Event], moment: Moment) -> None:
        """Take what the log has from the cursor to a moment; what was heard meanwhile and is among it is told once.

        `behind` is set to false before the log is read, so that what is heard meanwhile waits.
        """
        later = [(p.moment, [e for e in p.events if not moment.sees(e.xid)]) for p in self._waiting]
        new = [event for event in events if not self._has(event)]
        part = self.cursor.part
        begun = [event for event in new if part and part.moment.sees(event.xid)]
        portions = [(part.moment, begun)] if part else []
        portions.append((moment, [event for event in new if not (part and part.moment.sees(event.xid))]))
        self._read = moment
        self._waiting = deque(Portion(seen, found) for seen, found in (*portions, *later) if found)
        if not self._waiting:
            self.cursor = StreamCursor(moment)

    def take(self) -> tuple[list[Event], StreamCursor]:
        """The events of the next message, and the cursor behind them, which is to be set when it has been told."""
        events: list[Event] = []
        cursor = self.cursor
        while self._waiting and len(events) + len(self._waiting[0].events) <= STREAM_EVENTS_MAX:
            portion = self._waiting.popleft()
            events.extend(portion.events)
            cursor = StreamCursor(portion.moment)
        if self._waiting and not events:
            return self._take_part(self._waiting.popleft())
        return events, cursor

    def _take_part(self, portion: Portion) -> tuple[list[Event], StreamCursor]:
        taken = list(portion.events[:STREAM_EVENTS_MAX])
        self._waiting.appendleft(Portion(portion.moment, portion.events[STREAM_EVENTS_MAX:]))
        return taken, StreamCursor(self.cursor.told, Part(portion.moment, taken[-1].position))

    def add(self, listener: Listener) -> None:
        """Have somebody listen who stands where its listeners do."""
        listener.stream = self
        self.listeners[listener] = None

    def put_back(self, events: Sequence[Event]) -> None:
        """What was taken could not be told: read it again."""
        if events:
            self._waiting.clear()
            self.behind = True

    def _has(self, event: Event) -> bool:
        cursor = self.cursor
        return cursor.told.sees(event.xid) or (cursor.part is not None and cursor.part.has(event))
