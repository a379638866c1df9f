"""The registry of streams, with an index by the events that they select. No I/O."""

from collections.abc import Iterable, Iterator

from subscriptions.change_log.snapshot import Snapshot
from subscriptions.event_streams.cursors import StreamCursor
from subscriptions.event_streams.events import Gap, RoutingKey, StreamEvent
from subscriptions.event_streams.stream import EventStream, StreamKey


class StreamIndex:
    """The streams, by their keys and by the events that they select.

    Streams with equal keys are merged into one *shared* stream. A stream at another position is *apart*. It is merged
    once it reaches the position of the shared one.

        shared stream   ----------------------------o----------->     position: the latest snapshot
        apart           since ------- catch up ----/  merged here
    """

    def __init__(self) -> None:
        self._by_routing_key: dict[RoutingKey, dict[EventStream, None]] = {}
        self._shared: dict[StreamKey, EventStream] = {}
        self._unshared: dict[EventStream, None] = {}

    def __len__(self) -> int:
        return len(self._shared) + len(self._unshared)

    def __iter__(self) -> Iterator[EventStream]:
        return iter([*self._shared.values(), *self._unshared])

    def find_shared(self, key: StreamKey) -> EventStream | None:
        """The stream that a new listener with this key may share."""
        return self._shared.get(key)

    def add(self, stream: EventStream, *, unshared: bool) -> None:
        """Add a stream."""
        if unshared:
            self._unshared[stream] = None
        else:
            self._shared[stream.key] = stream
        for key in stream.definition.event_filter.list_routing_keys():
            self._by_routing_key.setdefault(key, {})[stream] = None

    def discard(self, stream: EventStream) -> None:
        """Remove a stream. It is no error if it is not there."""
        self._unshared.pop(stream, None)
        if self._shared.get(stream.key) is stream:
            del self._shared[stream.key]
        for key in stream.definition.event_filter.list_routing_keys():
            streams = self._by_routing_key.get(key, {})
            streams.pop(stream, None)
            if not streams:
                self._by_routing_key.pop(key, None)

    def route_events(self, events: Iterable[StreamEvent]) -> dict[EventStream, list[StreamEvent]]:
        """The streams that select any of the events, each with these events in their order."""
        found: dict[EventStream, list[StreamEvent]] = {}
        if self._by_routing_key:
            for event in events:
                for key in event.list_routing_keys():
                    for stream in self._by_routing_key.get(key, ()):
                        if stream.definition.event_filter.matches(event):
                            found.setdefault(stream, []).append(event)
        return found

    def find_affected(self, gaps: Iterable[Gap]) -> list[EventStream]:
        """The streams that may select events which are missing from the changes."""
        gaps = tuple(gaps)
        return (
            [stream for stream in self if any(map(stream.definition.event_filter.is_affected_by, gaps))]
            if gaps
            else []
        )

    def merge_listeners(self, snapshot: Snapshot) -> None:
        """Merge streams with equal keys that stand at `snapshot`, up to which all changes were received."""
        here = StreamCursor(snapshot)

        def is_here(stream: EventStream) -> bool:
            return stream.is_idle and stream.build_cursor_at(snapshot) == here

        for stream in filter(is_here, list(self._unshared)):
            other = self._shared.get(stream.key)
            if other is None:
                del self._unshared[stream]
                self._shared[stream.key] = stream
            elif is_here(other):
                self.discard(stream)
                for listener in stream.listeners:
                    other.add_listener(listener)

    def validate(self) -> None:
        """Check that every entry belongs to a stream in the registry, and that each stream has listeners.

        Raises:
            AssertionError: An entry does not.
        """
        indexed = {stream for streams in self._by_routing_key.values() for stream in streams}
        if indexed != {
            stream for stream in self if stream.definition.event_filter.list_routing_keys()
        } or not all(self._by_routing_key.values()):
            raise AssertionError("the index has other streams")
        if not all(stream.listeners for stream in self):
            raise AssertionError("a stream has no listener")
        if any(listener.stream is not stream for stream in self for listener in stream.listeners):
            raise AssertionError("a listener belongs to another stream")
