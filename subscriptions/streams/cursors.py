"""Cursors of streams: behind which events a subscriber stands, opaque to clients; pure.

A cursor is base64url of a JSON array: what it is bound to (the stream, its arguments, the tenant), the moment up to
which everything was told, and, where the events of one moment took several messages, that moment and the last one's
position.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from core.base64url import decoded, encoded
from core.errors import BadUserInputError
from core.limits import STREAM_CURSOR_CHARS_MAX
from subscriptions.changes.moment import Moment
from subscriptions.streams.events import Event, Position

_BINDING_BYTES: Final = 9
_NO_CURSOR: Final = "This is not a cursor: take `cursor` of a message of this stream as it is"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what became visible at once: everything up to a position, of what `moment` sees."""

    moment: Moment
    last: Position

    def has(self, event: Event) -> bool:
        """Whether an event, which became visible since the cursor's own moment, is in it."""
        return event.position <= self.last and self.moment.sees(event.xid)


@dataclass(frozen=True, slots=True)
class StreamCursor:
    """Behind which events a subscriber stands.

    Attributes:
        told: Everything that it sees has been told.
        part: What of a later moment has been told, too.
    """

    told: Moment
    part: Part | None = None

    def text(self, binding: str) -> str:
        """The cursor as clients get it."""
        part = [str(self.part.moment), *self.part.last] if self.part else []
        return encoded(json.dumps([binding, str(self.told), *part], separators=(",", ":")).encode())

    @classmethod
    def parse(cls, text: str, binding: str) -> "StreamCursor":
        """Take a cursor apart.

        Raises:
            BadUserInputError: It is none, or one of another stream, of other arguments or another tenant's.
        """
        if len(text) > STREAM_CURSOR_CHARS_MAX:
            raise BadUserInputError(_NO_CURSOR)
        try:
            parts = json.loads(decoded(text))
            if not isinstance(parts, list) or parts[0] != binding:
                raise BadUserInputError(
                    "This cursor comes from a stream of other arguments, or of another tenant"
                )
            return _of(*parts[1:])
        except (ValueError, TypeError, IndexError, RecursionError) as error:
            raise BadUserInputError(_NO_CURSOR) from error


def _of(told: str, moment: str | None = None, number: int = 0, row: int = 0) -> StreamCursor:
    if moment is None:
        return StreamCursor(_moment(told))
    if type(number) is not int or type(row) is not int:
        raise TypeError("a position is of whole numbers")
    return StreamCursor(_moment(told), Part(_moment(moment), Position(number, row)))


def _moment(text: str) -> Moment:
    """A moment that PostgreSQL takes for one: ids have 63 bits, and the lower half is never 0."""
    moment = Moment.parse(text)
    if moment.xmax >= 2**63 or not (moment.xmin % 2**32 and moment.xmax % 2**32):
        raise ValueError("no transaction has such an id")
    return moment


def binding_of(stream: str, tenant_id: str, arguments: Mapping[str, Any]) -> str:
    """What tells the cursors of one stream from those of others: its field, its tenant, what it was narrowed by."""
    kept = {name: value for name, value in arguments.items() if value is not None and name != "since"}
    if "agentIds" in kept:
        kept["agentIds"] = sorted(set(kept["agentIds"]))
    text = json.dumps([stream, tenant_id, kept], sort_keys=True)
    return encoded(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BINDING_BYTES).digest())
