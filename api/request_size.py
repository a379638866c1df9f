"""The bytes of the request that a connection receives, held against the limits of heads, framing and bodies."""

from collections.abc import Sequence

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from api.connection_limits import Refusal
from core.limits import BULK_BODY_MAX_BYTES, FRAMING_MAX_BYTES, HEAD_MAX_BYTES, HEADERS_MAX


class RequestSize:
    """Counts the bytes of one request after another.

    Attributes:
        body: Bytes of its body.
    """

    __slots__ = ("_head", "_is_first_read", "_later", "_read", "body")

    def __init__(self) -> None:
        self.body = self._head = self._later = self._read = 0
        self._is_first_read = False

    def begin_read(self, size: int) -> None:
        """Count a read of so many bytes. A request that begins in it follows the end of another one, perhaps."""
        self._read = size
        self._is_first_read = False

    def begin_request(self) -> None:
        """Start at zero: a request begins in this read."""
        self.body = self._head = self._later = 0
        self._is_first_read = True

    def end_read(self, *, in_head: bool) -> None:
        """Charge the read to the unfinished request, unless it began in it: then the size is that of the read."""
        if self._is_first_read:
            return
        if in_head:
            self._head += self._read
        else:
            self._later += self._read

    @property
    def received(self) -> int:
        """Bytes of the body with their framing, as far as they can be distinguished from the head."""
        return max(self.body, self._later)

    @property
    def unfinished(self) -> int:
        """Bytes of the whole unfinished request."""
        return max(self._read, self._head + self._later, self.body)

    def is_head_too_large(self, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Whether the head exceeds its limit. It is added up only if the reads were that large."""
        if self._head > HEAD_MAX_BYTES or len(headers) > HEADERS_MAX:
            return True
        if self._read <= HEAD_MAX_BYTES:
            return False
        return len(url) + sum(len(name) + len(value) for name, value in headers) > HEAD_MAX_BYTES

    def find_refusal(self) -> Refusal | None:
        """The reason to refuse the unfinished request for what follows its head."""
        if self._later > 2 * self.body + FRAMING_MAX_BYTES:
            return Refusal.FRAMING_SIZE
        if self.body > BULK_BODY_MAX_BYTES + HIGH_WATER_LIMIT:
            return Refusal.BODY_SIZE
        return None
