"""What waits to be sent on one socket while its client takes no more. Pure: it neither sends nor knows the time.

Of a live query only the newest state is worth sending: it takes the place of an unsent older one. Everything else
keeps its order. Payloads are not copied: a state that waits on a thousand sockets is in memory once.
"""

from collections import OrderedDict, deque
from typing import Final, NamedTuple

from core.limits import SOCKET_CROWDED_BYTES, SOCKET_EVENTS_BYTES_MAX, SOCKET_WAITING_BYTES_MAX

Parts = tuple[bytes, ...]
"""One message in pieces, so that what all share need not be copied."""


class _Key(NamedTuple):
    """Where a message stands: one place for an operation's state (0), one each for all else."""

    operation: str
    number: int


_STATE: Final = 0


class Backlog:
    """What waits on all sockets together; a payload that waits on many is counted once, as it is kept once."""

    def __init__(self) -> None:
        self.bytes = 0
        self._holders: dict[int, int] = {}

    def hold(self, parts: Parts) -> None:
        """These wait somewhere."""
        for part in parts:
            holders = self._holders.get(id(part), 0)
            self._holders[id(part)] = holders + 1
            if not holders:
                self.bytes += len(part)

    def release(self, parts: Parts) -> None:
        """They wait there no more; the very objects that `hold` was given."""
        for part in parts:
            holders = self._holders.pop(id(part)) - 1
            if holders:
                self._holders[id(part)] = holders
            else:
                self.bytes -= len(part)


class Outbox:
    """Unsent messages in the order in which they are to go."""

    __slots__ = ("_backlog", "_control", "_numbers", "_waiting", "bytes")

    def __init__(self, backlog: Backlog) -> None:
        """Counts what it holds in `backlog`, too."""
        self.bytes = 0
        self._backlog = backlog
        self._numbers = 0
        self._waiting: OrderedDict[_Key, Parts] | None = None
        self._control: deque[Parts] | None = None

    def __len__(self) -> int:
        return len(self._waiting or ()) + len(self._control or ())

    @property
    def is_crowded(self) -> bool:
        """Whether so much waits that the client is to be heard no further until it has read."""
        return self.bytes > SOCKET_CROWDED_BYTES

    @property
    def is_overfull(self) -> bool:
        """Whether more waits than any client may leave unread."""
        return self.bytes > SOCKET_WAITING_BYTES_MAX

    def control(self, message: bytes) -> None:
        """A message about the connection: ahead of those of operations."""
        if self._control is None:
            self._control = deque()
        self._control.append((message,))
        self._hold((message,))

    def state(self, operation: str, parts: Parts) -> None:
        """An operation's newest state, in the place of an older one that is still here."""
        self._put(_Key(operation, _STATE), parts)

    def event(self, operation: str, parts: Parts) -> bool:
        """A stream's next message; false, and not taken, where too much waits already."""
        if self.bytes + _size(parts) > SOCKET_EVENTS_BYTES_MAX:
            return False
        self.ordered(operation, parts)
        return True

    def ordered(self, operation: str, parts: Parts) -> None:
        """An operation's message that must not be lost: a result, or its end."""
        self._numbers += 1
        self._put(_Key(operation, self._numbers), parts)

    def forget(self, operation: str) -> None:
        """Send nothing more of an operation."""
        waiting = self._waiting or OrderedDict()
        for key in [key for key in waiting if key.operation == operation]:
            self._release(waiting.pop(key))

    def take(self) -> Parts | None:
        """The next message to send, which then is no longer here; None where there is none."""
        if self._control:
            parts = self._control.popleft()
        elif self._waiting:
            parts = self._waiting.popitem(last=False)[1]
        else:
            self._waiting = self._control = None
            return None
        self._release(parts)
        return parts

    def clear(self) -> None:
        """Send nothing more at all."""
        while self.take():
            pass

    def _put(self, key: _Key, parts: Parts) -> None:
        if self._waiting is None:
            self._waiting = OrderedDict()
        older = self._waiting.get(key)
        self._waiting[key] = parts  # a key that is there keeps its place
        self._hold(parts)
        if older is not None:
            self._release(older)

    def _hold(self, parts: Parts) -> None:
        self.bytes += _size(parts)
        self._backlog.hold(parts)

    def _release(self, parts: Parts) -> None:
        self.bytes -= _size(parts)
        self._backlog.release(parts)


def _size(parts: Parts) -> int:
    return sum(map(len, parts))
