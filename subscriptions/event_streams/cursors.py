"""Cursors of streams: the position of a subscriber in its events, opaque to clients. No I/O.

A cursor is a JSON array that is sealed (`core.auth.sealing`). It has a binding (the stream, its arguments, the
tenant) and a snapshot. All events that the snapshot sees have been sent. If the events of one snapshot need several
messages, the cursor also has that later snapshot and the position of the last event sent.

    [binding, snapshot]                                  everything that `snapshot` sees
    [binding, snapshot, later snapshot, number, row]     and of `later snapshot` the events up to this position
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from core.auth.sealing import Purpose, TokenSealer
from core.base64url import encode_base64url
from core.errors import BadUserInputError
from core.limits import STREAM_CURSOR_CHARS_MAX
from subscriptions.change_log.snapshot import Snapshot
from subscriptions.event_streams.events import Position, StreamEvent

_BINDING_BYTES: Final = 9
_INVALID_CURSOR: Final = (
    "Invalid cursor: it must be the `cursor` of a message of this stream, unchanged, from a server with the same "
    "SIGNING_KEY"
)


@dataclass(frozen=True, slots=True)
class PartialSnapshot:
    """The first events of a snapshot: all that `snapshot` sees, up to the position `last`."""

    snapshot: Snapshot
    last: Position

    def includes(self, event: StreamEvent) -> bool:
        """Whether an event is among them. The event must have become visible after the cursor's own snapshot."""
        return event.position <= self.last and self.snapshot.is_visible(event.xid)


@dataclass(frozen=True, slots=True)
class StreamCursor:
    """The position of a subscriber.

    Attributes:
        snapshot: All events that this snapshot sees have been sent.
        partial: The events of a later snapshot that have been sent, too.
    """

    snapshot: Snapshot
    partial: PartialSnapshot | None = None

    def seal(self, binding: str, sealer: TokenSealer) -> str:
        """The cursor in the form for clients."""
        partial = [str(self.partial.snapshot), *self.partial.last] if self.partial else []
        value = json.dumps([binding, str(self.snapshot), *partial], separators=(",", ":"))
        return sealer.seal(Purpose.STREAM_CURSOR, value)

    @classmethod
    def open(cls, text: str, binding: str, sealer: TokenSealer) -> "StreamCursor":
        """Open a cursor.

        Raises:
            BadUserInputError: It is not a cursor, or it belongs to another stream, other arguments or another tenant.
        """
        value = sealer.open(Purpose.STREAM_CURSOR, text) if len(text) <= STREAM_CURSOR_CHARS_MAX else None
        if value is None:
            raise BadUserInputError(_INVALID_CURSOR)
        try:
            fields = json.loads(value)
            if not isinstance(fields, list) or fields[0] != binding:
                raise BadUserInputError(
                    "Invalid cursor: it belongs to a stream with other arguments, or of another tenant"
                )
            return _build_cursor(*fields[1:])
        except (ValueError, TypeError, IndexError, RecursionError) as error:
            raise BadUserInputError(_INVALID_CURSOR) from error


def _build_cursor(snapshot: str, partial: str | None = None, number: int = 0, row: int = 0) -> StreamCursor:
    if partial is None:
        return StreamCursor(_parse_snapshot(snapshot))
    if type(number) is not int or type(row) is not int:
        raise TypeError("a position must consist of integers")
    return StreamCursor(
        _parse_snapshot(snapshot), PartialSnapshot(_parse_snapshot(partial), Position(number, row))
    )


def _parse_snapshot(text: str) -> Snapshot:
    """Parse a snapshot that PostgreSQL accepts: ids have 63 bits, and the lower half is never 0."""
    partial = Snapshot.parse(text)
    if partial.xmax >= 2**63 or not (partial.xmin % 2**32 and partial.xmax % 2**32):
        raise ValueError("a transaction id is out of range")
    return partial


def compute_binding(stream: str, tenant_id: str, arguments: Mapping[str, Any]) -> str:
    """The binding of a stream's cursors, made from its field, its tenant and its arguments."""
    relevant = {name: value for name, value in arguments.items() if value is not None and name != "since"}
    if "agentIds" in relevant:
        relevant["agentIds"] = sorted(set(relevant["agentIds"]))
    text = json.dumps([stream, tenant_id, relevant], sort_keys=True)
    return encode_base64url(
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BINDING_BYTES).digest()
    )
