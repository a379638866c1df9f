"""Which streams there are, found by the events that they asked for; pure."""

from collections.abc import Iterable, Iterator

from subscriptions.changes.moment import Moment
from subscriptions.streams.cursors import StreamCursor
from subscriptions.streams.events import Event, Gap, Place
from subscriptions.streams.stream import Key, Stream


class StreamIndex:
    """The streams, by what they asked for and by their keys.

    Of the streams with one key all but one are *apart*: they stand elsewhere, and are put together with that one when
    they have come to where it is.
    """

    def __init__(self) -> None:
        self._places: dict[Place, dict[Stream, None]] = {}
        self._shared: dict[Key, Stream] = {}
        self._apart: dict[Stream, None] = {}

    def __len__(self) -> int:
        return len(self._shared) + len(self._apart)

    def __iter__(self) -> Iterator[Stream]:
        return iter([*self._shared.values(), *self._apart])

    def shared(self, key: Key) -> Stream | None:
        """The stream that a new listener of this key may share."""
        return self._shared.get(key)

    def add(self, stream: Stream, *, apart: bool) -> None:
        """Take a stream in."""
        if apart:
            self._apart[stream] = None
        else:
            self._shared[stream.key] = stream
        for place in stream.wanted.places():
            self._places.setdefault(place, {})[stream] = None

    def discard(self, stream: Stream) -> None:
        """Leave a stream out; one that is not there is no error."""
        self._apart.pop(stream, None)
        if self._shared.get(stream.key) is stream:
            del self._shared[stream.key]
        for place in stream.wanted.places():
            there = self._places.get(place, {})
            there.pop(stream, None)
            if not there:
                self._places.pop(place, None)

    def asked(self, events: Iterable[Event]) -> dict[Stream, list[Event]]:
        """The streams that asked for any of the events, with those that each asked for, in their order."""
        found: dict[Stream, list[Event]] = {}
        if self._places:
            for event in events:
                for place in event.places():
                    for stream in self._places.get(place, ()):
                        if stream.wanted.has(event):
                            found.setdefault(stream, []).append(event)
        return found

    def missing(self, gaps: Iterable[Gap]) -> list[Stream]:
        """The streams that may have asked for events which cannot be told."""
        gaps = tuple(gaps)
        return [stream for stream in self if any(map(stream.wanted.misses, gaps))] if gaps else []

    def put_together(self, moment: Moment) -> None:
        """Put listeners together who stand at the same moment, which is the one up to which all was heard."""
        here = StreamCursor(moment)

        def is_here(stream: Stream) -> bool:
            return stream.idle and stream.stands_at(moment) == here

        for stream in filter(is_here, list(self._apart)):
            other = self._shared.get(stream.key)
            if other is None:
                del self._apart[stream]
                self._shared[stream.key] = stream
            elif is_here(other):
                self.discard(stream)
                for listener in stream.listeners:
                    other.add(listener)

    def validate(self) -> None:
        """Make sure that everything that is held is of a stream that is here, and that each has listeners.

        Raises:
            AssertionError: Something is not.
        """
        placed = {stream for there in self._places.values() for stream in there}
        if placed != {stream for stream in self if stream.wanted.places()} or not all(self._places.values()):
            raise AssertionError("the places are of other streams")
        if not all(stream.listeners for stream in self):
            raise AssertionError("a stream has nobody who listens")
        if any(listener.stream is not stream for stream in self for listener in stream.listeners):
            raise AssertionError("a listener is of another stream")
