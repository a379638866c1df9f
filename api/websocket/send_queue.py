"""The send queue of one socket, used while its client reads too slowly. It does no I/O and has no clock.

Only the newest state of a live query is worth sending. It replaces an older one in the queue. All other messages keep
their order. Payloads are not copied: a state in the queues of a thousand sockets is in memory once.
"""

from collections import OrderedDict, deque
from typing import Final, NamedTuple

from core.limits import SOCKET_BACKPRESSURE_BYTES, SOCKET_EVENTS_BYTES_MAX, SOCKET_UNSENT_BYTES_MAX

MessageParts = tuple[bytes, ...]
"""One message in pieces, so that sockets can share a piece without a copy."""


class _QueueKey(NamedTuple):
    """The place of a message in the queue.

    An operation has one place for its state (0), and one for each other message.
    """

    operation: str
    number: int


_STATE_NUMBER: Final = 0


class Backlog:
    """The queued bytes of all sockets together. A payload in several queues counts once, as it is in memory once."""

    def __init__(self) -> None:
        self.bytes = 0
        self._reference_counts: dict[int, int] = {}

    def add(self, message: MessageParts) -> None:
        """Count the pieces of a message that was queued."""
        for piece in message:
            holders = self._reference_counts.get(id(piece), 0)
            self._reference_counts[id(piece)] = holders + 1
            if not holders:
                self.bytes += len(piece)

    def remove(self, message: MessageParts) -> None:
        """Discount the pieces of a message that left a queue. They must be the same objects as in `add`."""
        for piece in message:
            holders = self._reference_counts.pop(id(piece)) - 1
            if holders:
                self._reference_counts[id(piece)] = holders
            else:
                self.bytes -= len(piece)


class SendQueue:
    """Unsent messages in the order of sending.

    Attributes:
        bytes: The queued bytes.
        in_flight_bytes: The bytes of the message that filled the connection. They are no longer queued, but the
            client has not read all of them, and they are in memory.
    """

    __slots__ = ("_backlog", "_control", "_in_flight", "_numbers", "_waiting", "bytes", "in_flight_bytes")

    def __init__(self, backlog: Backlog) -> None:
        """Create an empty queue. Its messages are counted in `backlog`, too."""
        self.bytes = self.in_flight_bytes = 0
        self._backlog = backlog
        self._in_flight: MessageParts = ()
        self._numbers = 0
        self._waiting: OrderedDict[_QueueKey, MessageParts] | None = None
        self._control: deque[MessageParts] | None = None

    def __len__(self) -> int:
        return len(self._waiting or ()) + len(self._control or ())

    @property
    def needs_backpressure(self) -> bool:
        """Whether so much is queued that no further frame of the client is read until it has caught up."""
        return self.bytes > SOCKET_BACKPRESSURE_BYTES

    @property
    def exceeds_limit(self) -> bool:
        """Whether more is queued than any client may leave unread."""
        return self.bytes > SOCKET_UNSENT_BYTES_MAX

    @property
    def unsent_bytes(self) -> int:
        """All bytes that the client has not read, as far as they are known."""
        return self.bytes + self.in_flight_bytes

    def set_in_flight(self, message: MessageParts) -> None:
        """Count a message that filled the connection; an empty one once there is room again."""
        self._backlog.remove(self._in_flight)
        self._in_flight = message
        self.in_flight_bytes = _measure_message(message)
        self._backlog.add(message)

    def put_control(self, message: bytes) -> None:
        """Queue a message about the connection, before those of operations."""
        if self._control is None:
            self._control = deque()
        self._control.append((message,))
        self._count_bytes((message,))

    def put_state(self, operation: str, message: MessageParts) -> None:
        """Queue an operation's newest state. It replaces an older one that is still queued."""
        self._put(_QueueKey(operation, _STATE_NUMBER), message)

    def put_event(self, operation: str, message: MessageParts) -> bool:
        """Queue a stream's next message. Returns False, and queues nothing, if too much is queued already."""
        if self.bytes + _measure_message(message) > SOCKET_EVENTS_BYTES_MAX:
            return False
        self.put_ordered(operation, message)
        return True

    def put_ordered(self, operation: str, message: MessageParts) -> None:
        """Queue a message that must not be lost: a result, or the end of an operation."""
        self._numbers += 1
        self._put(_QueueKey(operation, self._numbers), message)

    def discard_operation(self, operation: str) -> None:
        """Drop the messages of an operation."""
        waiting = self._waiting or OrderedDict()
        for key in [key for key in waiting if key.operation == operation]:
            self._discount_bytes(waiting.pop(key))

    def take(self) -> MessageParts | None:
        """Remove and return the next message. None if the queue is empty."""
        if self._control:
            message = self._control.popleft()
        elif self._waiting:
            message = self._waiting.popitem(last=False)[1]
        else:
            self._waiting = self._control = None
            return None
        self._discount_bytes(message)
        return message

    def clear(self) -> None:
        """Drop all messages."""
        while self.take():
            pass
        self.set_in_flight(())

    def _put(self, key: _QueueKey, message: MessageParts) -> None:
        if self._waiting is None:
            self._waiting = OrderedDict()
        older = self._waiting.get(key)
        self._waiting[key] = message  # an existing key keeps its place in the order
        self._count_bytes(message)
        if older is not None:
            self._discount_bytes(older)

    def _count_bytes(self, message: MessageParts) -> None:
        self.bytes += _measure_message(message)
        self._backlog.add(message)

    def _discount_bytes(self, message: MessageParts) -> None:
        self.bytes -= _measure_message(message)
        self._backlog.remove(message)


def _measure_message(message: MessageParts) -> int:
    return sum(map(len, message))
