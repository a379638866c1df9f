"""A dump of PostgreSQL as text (`pg_dump`). One pass finds its COPY blocks, which are then read in any order."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from core.errors import FileRefusedError
from core.limits import IMPORT_LINE_BYTES_MAX
from services.imports.file_forms import require_text
from services.imports.import_tables import IMPORT_TABLES
from services.imports.line_reader import Piece, iter_lines, iter_pieces
from services.imports.row_values import RowRefusedError
from services.imports.source import RowRead, TableData, TableTally
from services.imports.sql_scanner import SqlScanner
from services.imports.supabase_rows import SupabaseRowReader

_NAME: Final = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_COPY: Final = re.compile(rf"COPY ({_NAME})\.({_NAME}) \(({_NAME}(?:, {_NAME})*)\) FROM stdin;\r?")
_ANY_COPY: Final = re.compile(rb"COPY\s[^;]*\sFROM\s+stdin\b[^;]*;\s*$", re.IGNORECASE)
_CONFORMING: Final = re.compile(rb"SET standard_conforming_strings = '?(on|off)'?;\s*$", re.IGNORECASE)
_EACH: Final = re.compile(_NAME)
_ESCAPE: Final = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)
_LETTERS: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_INSERT: Final = re.compile(
    rf"INSERT\s+INTO\s+(?:(?:public|\"public\")\.)?({_NAME})[\s(]".encode(), re.IGNORECASE
)
_USE_COPY: Final = (
    "write it again without --inserts, --column-inserts and --rows-per-insert, or with "
    "`supabase db dump --data-only --use-copy`"
)
_MARK: Final = re.compile(rb"-- PostgreSQL database (cluster )?dump( complete)?\s*")
_BOM: Final = b"\xef\xbb\xbf"
_SKIPPED_MAX: Final = 10_000
"""The number of other tables that are listed at most."""
_HEAD_BYTES: Final = 512
_END_OF_DUMP: Final = "-- PostgreSQL database dump complete"


@dataclass(frozen=True, slots=True)
class _CopyBlock:
    """A COPY block: the start and end of its rows, the number of their first line, and the columns."""

    begins: int
    line: int
    ends: int
    header: tuple[str, ...]


class PgDump:
    """An open dump; a `Source`."""

    def __init__(self, path: Path, user_id_field: str | None = None) -> None:
        """Open the export; `user_id_field` names the column with the ids of users if that is not `id`."""
        self._user_id_field = user_id_field
        self._path = path
        self._blocks: dict[str, _CopyBlock] = {}
        self.skipped: list[str] = []
        self.missing: list[str] = []
        self._file = path.open("rb")
        try:
            self._scan_file()
        except BaseException:
            self._file.close()
            raise
        self.sizes = {table: block.ends - block.begins for table, block in self._blocks.items()}

    def _scan_file(self) -> None:
        require_text(self._path, self._file.read(_HEAD_BYTES))
        self._file.seek(0)
        end = _EndMark()
        self._find_blocks(end)
        if not self._blocks:
            raise FileRefusedError(f"{self._path} has no COPY of a table in public")
        if not end.is_reached:
            raise FileRefusedError(
                f"{self._path} is truncated: after the last table it must have the line "
                f"`{_END_OF_DUMP}`, which pg_dump writes at the end"
            )

    def _find_blocks(self, end: "_EndMark") -> None:
        begun: tuple[str, _CopyBlock] | None = None
        scanner, closed, before = SqlScanner(), 0, 0
        for piece in map(_without_bom, iter_pieces(self._file, IMPORT_LINE_BYTES_MAX)):
            if begun is not None:
                if piece.is_first and piece.is_last and piece.content in (b"\\.", b"\\.\r"):
                    self._add_block(*begun, before)
                    begun = None
            elif (begun := self._parse_copy_line(scanner, piece)) is None:
                self._read_other_line(scanner, piece, end)
            else:
                end.read_rows()
            closed = closed if scanner.is_open else piece.number
            before = piece.position if piece.is_last else before
        if scanner.is_open:
            raise FileRefusedError(
                f"{self._path} is truncated: a quote or comment that begins in line {closed + 1} does not end"
            )
        if begun is not None:
            raise FileRefusedError(
                f"{self._path} is truncated: the rows of {begun[0]}, from line {begun[1].line}, do not end"
            )

    def _read_other_line(self, scanner: SqlScanner, piece: Piece, end: "_EndMark") -> None:
        if scanner.at_start and piece.is_first:
            inserted = _INSERT.match(piece.content)
            if inserted and _unquote(inserted[1].decode(errors="replace")) in IMPORT_TABLES:
                raise FileRefusedError(
                    f"{self._path} has its rows as INSERT statements, as in line {piece.number}, and only COPY is "
                    f"read: {_USE_COPY}"
                )
            end.read_line(piece.content)
        _scan(scanner, piece)

    @staticmethod
    def _parse_copy_line(scanner: SqlScanner, line: Piece) -> tuple[str, _CopyBlock] | None:
        """The block that begins at this line, which is the start of a statement. Rows of other tables are skipped."""
        is_line = line.is_first and line.is_last
        if not (is_line and scanner.at_start and _ANY_COPY.match(line.content)):
            return None
        found = _COPY.fullmatch(line.content.decode(errors="replace"))
        if found is None:
            return "COPY in a form that pg_dump does not write", _CopyBlock(
                line.position, line.number + 1, 0, ()
            )
        schema, table = _unquote(found[1]), _unquote(found[2])
        name = table if schema == "public" and table in IMPORT_TABLES else f"{schema}.{table}"
        header = tuple(_unquote(each) for each in _EACH.findall(found[3]))
        return name, _CopyBlock(line.position, line.number + 1, 0, header)

    def _add_block(self, name: str, block: _CopyBlock, ends: int) -> None:
        if name not in IMPORT_TABLES:
            if len(self.skipped) < _SKIPPED_MAX:
                self.skipped.append(name)
        elif name in self._blocks:
            raise FileRefusedError(f"{self._path} contains the rows of {name} twice")
        else:
            self._blocks[name] = _CopyBlock(block.begins, block.line, max(ends, block.begins), block.header)

    @contextmanager
    def open_table(self, name: str, tally: TableTally) -> Iterator[TableData]:
        """One of its tables; see `Source`."""
        block = self._blocks[name]
        rows = SupabaseRowReader(IMPORT_TABLES[name], block.header, tally, self._user_id_field)
        yield TableData(rows.columns, _iter_rows(rows, block, self._file))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _EndMark:
    """The comment that pg_dump writes at the end of a dump, and pg_dumpall at the end of all dumps."""

    def __init__(self) -> None:
        self._open: set[bytes | None] = set()
        self.is_reached = False

    def read_line(self, line: bytes) -> None:
        """Read a line that is not within a statement or rows."""
        if found := _MARK.fullmatch(line):
            if found[2]:
                self._open.discard(found[1])
            else:
                self._open.add(found[1])
            self.is_reached = not self._open

    def read_rows(self) -> None:
        """Read the start of a table's rows. The mark must come after it."""
        self.is_reached = False


def _without_bom(piece: Piece) -> Piece:
    """The piece without a byte order mark at the start of the file."""
    is_start = piece.number == 1 and piece.is_first
    return piece._replace(content=piece.content.removeprefix(_BOM)) if is_start else piece


def _scan(scanner: SqlScanner, piece: Piece) -> None:
    """Read a line of SQL. psql's own commands are not SQL."""
    if scanner.at_start and piece.is_first:
        if piece.content.startswith(b"\\"):
            return
        if setting := _CONFORMING.match(piece.content):
            scanner.backslash_escapes = setting[1].lower() == b"off"
    scanner.feed(piece.content + b"\n" if piece.is_last else piece.content, is_whole=piece.is_last)


class _FileSlice:
    """A part of a file as a stream."""

    def __init__(self, file: BinaryIO, begins: int, ends: int) -> None:
        self._file = file
        self._left = ends - begins
        file.seek(begins)

    def read(self, size: int, /) -> bytes:
        chunk = self._file.read(min(size, self._left))
        self._left -= len(chunk)
        return chunk


def _iter_rows(rows: SupabaseRowReader, block: _CopyBlock, file: BinaryIO) -> Iterator[RowRead]:
    for number, position, content in iter_lines(
        _FileSlice(file, block.begins, block.ends), IMPORT_LINE_BYTES_MAX, block.line
    ):
        try:
            row_id, record = rows.read_fields(split_fields(content))
        except RowRefusedError as error:
            yield RowRead(number, position, error.row_id, None, str(error))
        else:
            yield RowRead(number, position, row_id, record)


def split_fields(line: bytes | None) -> list[str | None]:
    r"""The fields of a line of COPY's text format: tabs between, `\N` for NULL, backslash escapes.

    Raises:
        RowRefusedError: The line is too long, or is not text.
    """
    if line is None:
        raise RowRefusedError(f"must have at most {IMPORT_LINE_BYTES_MAX:,} bytes")
    try:
        values = line.removesuffix(b"\r").decode().split("\t")
    except UnicodeDecodeError:
        raise RowRefusedError("must be valid UTF-8") from None
    if b"\\" not in line:
        return list(values)
    return [
        None if field == "\\N" else _ESCAPE.sub(_unescape, field) if "\\" in field else field
        for field in values
    ]


def _unescape(escape: re.Match[str]) -> str:
    octal, hexadecimal, letter = escape.groups()
    if octal or hexadecimal:
        return chr(int(octal, 8) & 0xFF if octal else int(hexadecimal, 16))
    return _LETTERS.get(letter, letter)


def _unquote(name: str) -> str:
    """An identifier without its quotation marks."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
