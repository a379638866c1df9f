"""Reads the lines of a file of any size in chunks. Memory never holds more than the limit of a line."""

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

_CHUNK: Final = 256 << 10


class Stream(Protocol):
    """A source of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, and none at the end."""
        ...


class Line(NamedTuple):
    """One line.

    Attributes:
        number: The line's number, from 1.
        position: The number of bytes up to its end.
        content: The line without its line feed; None if it was longer than allowed.
    """

    number: int
    position: int
    content: bytes | None


class Piece(NamedTuple):
    """A piece of a line.

    Attributes:
        number: The line's number, from 1.
        position: The number of bytes up to its end.
        content: The piece without the line feed.
        is_first: Whether it is the start of the line.
        is_last: Whether it is the end of the line.
    """

    number: int
    position: int
    content: bytes
    is_first: bool
    is_last: bool


def iter_pieces(stream: Stream, most: int) -> Iterator[Piece]:
    """All lines of a stream.

    A longer line comes in several pieces of about `most` bytes, so that nothing is left out.
    """
    number, position, is_first = 1, 0, True
    buffered: list[bytes] = []
    size = 0
    while chunk := stream.read(_CHUNK):
        head, *more = chunk.split(b"\n")
        for at, piece_read in enumerate((head, *more)):
            if at:
                position += 1
                yield Piece(number, position, b"".join(buffered), is_first, True)
                number, is_first, buffered, size = number + 1, True, [], 0
            buffered.append(piece_read)
            size += len(piece_read)
            position += len(piece_read)
            if size > most:
                yield Piece(number, position, b"".join(buffered), is_first, False)
                is_first, buffered, size = False, [], 0
    if buffered and (size or not is_first):
        yield Piece(number, position, b"".join(buffered), is_first, True)


def iter_lines(stream: Stream, length_max: int, first: int = 1) -> Iterator[Line]:
    """The lines of a stream; the last one needs no line feed.

    Args:
        stream: The stream; read to its end.
        length_max: The maximum number of bytes in a line.
        first: The number of its first line.
    """
    number, position = first, 0
    begun = _PartialLine(length_max)
    while chunk := stream.read(_CHUNK):
        head, *more = chunk.split(b"\n")
        begun.add(head)
        for piece in more:
            position += begun.size + 1
            yield Line(number, position, begun.finish())
            number += 1
            begun.add(piece)
    if begun.size:
        yield Line(number, position + begun.size, begun.finish())


class _PartialLine:
    """A line without its end so far."""

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

    def finish(self) -> bytes | None:
        content = None if self.size > self._most else b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return content
