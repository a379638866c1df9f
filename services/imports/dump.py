"""A dump of PostgreSQL as text (`pg_dump`): its COPY blocks, found in one pass and read in any order."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from core.errors import FileRefusedError
from core.limits import IMPORT_LINE_BYTES_MAX
from services.imports.lines import Line, lines
from services.imports.reading import Read, TableData, Tally
from services.imports.shapes import SHAPES
from services.imports.supabase_rows import SupabaseRows
from services.imports.values import RowRefusedError

_NAME: Final = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_COPY: Final = re.compile(rf"COPY ({_NAME})\.({_NAME}) \(({_NAME}(?:, {_NAME})*)\) FROM stdin;\r?")
_EACH: Final = re.compile(_NAME)
_ESCAPE: Final = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_LETTERS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_KINDS: Final = {
    b"PGDMP": "a dump in PostgreSQL's own format: make text of it with `pg_restore --file=dump.sql`",
    b"\x1f\x8b": "compressed: unpack it with gunzip",
    b"PK\x03\x04": "a ZIP file: unpack it, and give the folder or the dump in it",
}
_SKIPPED_MAX: Final = 10_000
"""Tables of others that are told of."""
_HEAD_BYTES: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class _Block:
    """A COPY block: where its rows begin, their first line's number, where they end, and the columns."""

    begins: int
    line: int
    ends: int
    header: tuple[str, ...]


class Dump:
    """An open dump; a `Source`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks: dict[str, _Block] = {}
        self.skipped: list[str] = []
        self.missing: list[str] = []
        self._file = path.open("rb")
        try:
            self._take_stock()
        except BaseException:
            self._file.close()
            raise
        self.sizes = {table: block.ends - block.begins for table, block in self._blocks.items()}

    def _take_stock(self) -> None:
        head = self._file.read(_HEAD_BYTES)
        for mark, kind in _KINDS.items():
            if head.startswith(mark):
                raise FileRefusedError(f"{self._path} is {kind}")
        self._file.seek(0)
        begun: tuple[str, _Block] | None = None
        before = 0
        for line in lines(self._file, IMPORT_LINE_BYTES_MAX):
            if begun is None:
                begun = self._begun(line)
            elif line.content in (b"\\.", b"\\.\r"):
                self._end(*begun, before)
                begun = None
            before = line.position
        if begun is not None:
            raise FileRefusedError(
                f"{self._path} is cut off: the rows of {begun[0]}, from line {begun[1].line}, do not end"
            )
        if not self._blocks:
            raise FileRefusedError(
                f"{self._path} has no COPY of a table in public: is it a dump of pg_dump, without --inserts?"
            )

    def _begun(self, line: Line) -> tuple[str, _Block] | None:
        if not line.content or not line.content.startswith(b"COPY "):
            return None
        found = _COPY.fullmatch(line.content.decode(errors="replace"))
        if found is None:
            return None
        schema, table = _plain(found[1]), _plain(found[2])
        name = table if schema == "public" and table in SHAPES else f"{schema}.{table}"
        header = tuple(_plain(each) for each in _EACH.findall(found[3]))
        return name, _Block(line.position, line.number + 1, 0, header)

    def _end(self, name: str, block: _Block, ends: int) -> None:
        if name not in SHAPES:
            if len(self.skipped) < _SKIPPED_MAX:
                self.skipped.append(name)
        elif name in self._blocks:
            raise FileRefusedError(f"{self._path} has the rows of {name} twice")
        else:
            self._blocks[name] = _Block(block.begins, block.line, max(ends, block.begins), block.header)

    @contextmanager
    def table(self, name: str, tally: Tally) -> Iterator[TableData]:
        """One of its tables; see `Source`."""
        block = self._blocks[name]
        rows = SupabaseRows(SHAPES[name], block.header, tally)
        yield TableData(rows.columns, _read(rows, block, self._file))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _Part:
    """A part of a file as a stream."""

    def __init__(self, file: BinaryIO, begins: int, ends: int) -> None:
        self._file = file
        self._left = ends - begins
        file.seek(begins)

    def read(self, size: int, /) -> bytes:
        part = self._file.read(min(size, self._left))
        self._left -= len(part)
        return part


def _read(rows: SupabaseRows, block: _Block, file: BinaryIO) -> Iterator[Read]:
    for number, position, content in lines(
        _Part(file, block.begins, block.ends), IMPORT_LINE_BYTES_MAX, block.line
    ):
        try:
            row_id, record = rows.read(fields(content))
        except RowRefusedError as error:
            yield Read(number, position, error.row_id, None, str(error))
        else:
            yield Read(number, position, row_id, record)


def fields(line: bytes | None) -> list[str | None]:
    r"""The fields of a line of COPY's text format: tabs between, `\N` for NULL, backslash escapes.

    Raises:
        RowRefusedError: The line is too long, or is not text.
    """
    if line is None:
        raise RowRefusedError(f"has more than {IMPORT_LINE_BYTES_MAX:,} bytes")
    try:
        parts = line.removesuffix(b"\r").decode().split("\t")
    except UnicodeDecodeError:
        raise RowRefusedError("is not valid UTF-8") from None
    if b"\\" not in line:
        return list(parts)
    return [
        None if part == "\\N" else _ESCAPE.sub(_unescaped, part) if "\\" in part else part for part in parts
    ]


def _unescaped(escape: re.Match[str]) -> str:
    octal, hexadecimal, letter = escape.groups()
    if octal or hexadecimal:
        return chr(int(octal, 8) & 0xFF if octal else int(hexadecimal, 16))
    return _LETTERS.get(letter, letter)


def _plain(name: str) -> str:
    """An identifier without its quotation marks."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
