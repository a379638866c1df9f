"""Lines of a file of any size: in chunks, and none longer than a limit is ever held."""

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

_CHUNK: Final = 256 << 10


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


class Line(NamedTuple):
    """One line.

    Attributes:
        number: From 1.
        position: Bytes up to its end.
        content: Without its line feed; None where it was longer than allowed.
    """

    number: int
    position: int
    content: bytes | None


def lines(stream: Stream, most: int, first: int = 1) -> Iterator[Line]:
    """The lines of a stream; the last one needs no line feed.

    Args:
        stream: Read to its end.
        most: Bytes that a line may have.
        first: The number of its first line.
    """
    number, position = first, 0
    begun = _Begun(most)
    while chunk := stream.read(_CHUNK):
        head, *more = chunk.split(b"\n")
        begun.add(head)
        for piece in more:
            position += begun.size + 1
            yield Line(number, position, begun.taken())
            number += 1
            begun.add(piece)
    if begun.size:
        yield Line(number, position + begun.size, begun.taken())


class _Begun:
    """A line of which the end has not been seen."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._pieces: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._most:
            self._pieces.clear()
        else:
            self._pieces.append(piece)

    def taken(self) -> bytes | None:
        content = None if self.size > self._most else b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return content
