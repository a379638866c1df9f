"""A Convex snapshot (`npx convex export`): a ZIP file of JSON lines, a folder for each table."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from core.errors import FileRefusedError
from core.limits import IMPORT_HINT_BYTES_MAX, IMPORT_LINE_BYTES_MAX, IMPORT_OVERRIDES_BYTES_MAX
from services.imports.archive import Archive
from services.imports.convex_encoding import Encoding
from services.imports.convex_rows import ConvexRows
from services.imports.convex_shapes import UNKNOWN, parsed
from services.imports.lines import Line, Stream, lines
from services.imports.reading import Read, TableData, Tally, shown
from services.imports.shapes import SHAPES, Kind
from services.imports.values import RowRefusedError

_LIST: Final = "_tables/documents.jsonl"
_LISTED_MAX: Final = 10_000
"""Tables of a snapshot that are told of; Convex allows no more."""
_ROWS: Final = "/documents.jsonl"
_SCHEMA: Final = "/generated_schema.jsonl"


class ConvexSnapshot:
    """An open snapshot; a `Source`."""

    def __init__(self, path: Path) -> None:
        self._archive = Archive(path)
        try:
            self._take_stock(path)
        except BaseException:
            self._archive.close()
            raise

    def _take_stock(self, path: Path) -> None:
        names = set(self._archive.names)
        ours = [table for table in SHAPES if table + _ROWS in names]
        if not ours and _LIST not in names:
            raise FileRefusedError(f"{path} is a ZIP file, but no Convex snapshot: {_LIST} is missing")
        wanted = [table + suffix for table in ours for suffix in (_ROWS, _SCHEMA) if table + suffix in names]
        self._archive.check([*wanted, *([_LIST] if _LIST in names else [])])
        self.sizes = {table: self._archive.size(table + _ROWS) for table in ours}
        listed = set(self._listed()) if _LIST in names else set()
        self._names = names
        folders = {name.partition("/")[0] for name in names if "/" in name} | listed
        self.skipped = sorted(folders - SHAPES.keys() - {"_tables"})
        self.missing = [table for table in SHAPES if table in listed and table not in self.sizes]

    def _listed(self) -> Iterator[str]:
        """The names of the tables that the snapshot says it has."""
        with self._archive.open(_LIST) as stream:
            for line in lines(stream, IMPORT_LINE_BYTES_MAX):
                try:
                    name = orjson.loads(line.content or b"null")["name"]
                except (orjson.JSONDecodeError, TypeError, KeyError):
                    continue
                if isinstance(name, str) and line.number <= _LISTED_MAX:
                    yield name

    @contextmanager
    def table(self, name: str, tally: Tally) -> Iterator[TableData]:
        """One of its tables; see `Source`."""
        shape = SHAPES[name]
        with ExitStack() as stack:
            rows = ConvexRows(shape, self._encoding(name), tally)
            stream = stack.enter_context(self._archive.open(name + _ROWS))
            yield TableData(shape.columns, _read(rows, stream))

    def _encoding(self, table: str) -> Encoding:
        if table + _SCHEMA not in self._names:
            return Encoding(uniform=False)
        with self._archive.open(table + _SCHEMA) as stream:
            return encoding(stream, table)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()


def encoding(stream: Stream, table: str) -> Encoding:
    """What a table's schema file says of its encoding.

    Raises:
        FileRefusedError: It cannot be read, or says more of single documents than can be kept.
    """
    shape, overrides, held, widest = UNKNOWN, {}, 0, 0
    fields = [column.field for column in SHAPES[table].columns if column.kind is Kind.JSON]
    for line in lines(stream, IMPORT_LINE_BYTES_MAX):
        said = _said(line, table)
        if said == "uniform":
            return Encoding()
        if isinstance(said, str) and line.number == 1:
            shape = _shape(said, table)
        elif isinstance(said, dict):
            for row_id, hint in said.items():
                kept = {key: hint[key] for key in fields if key in hint} if isinstance(hint, dict) else None
                if kept:
                    overrides[row_id] = orjson.dumps(kept)
                    held += len(line.content or b"")
                    widest = max(widest, len(overrides[row_id]))
        if held > IMPORT_OVERRIDES_BYTES_MAX or widest > IMPORT_HINT_BYTES_MAX:
            raise FileRefusedError(
                f"{table}{_SCHEMA} says too much of single documents; export anew with Convex"
            )
    return Encoding(uniform=False, shape=shape, overrides=overrides)


def _said(line: Line, table: str) -> Any:
    where = f"{table}{_SCHEMA}, line {line.number}"
    if line.content is None:
        raise FileRefusedError(f"{where}, has more than {IMPORT_LINE_BYTES_MAX:,} bytes")
    try:
        return orjson.loads(line.content) if line.content.strip() else None
    except orjson.JSONDecodeError as error:
        raise FileRefusedError(f"{where}, is not JSON: {error.msg}; export anew with Convex") from error


def _shape(text: str, table: str) -> Any:
    try:
        return parsed(text)
    except ValueError as error:
        raise FileRefusedError(
            f"{table}{_SCHEMA}, line 1, is no shape that is known: {shown(error)}"
        ) from error


def _read(rows: ConvexRows, stream: Stream) -> Iterator[Read]:
    for number, position, content in lines(stream, IMPORT_LINE_BYTES_MAX):
        if content is None:
            yield Read(number, position, "", None, f"has more than {IMPORT_LINE_BYTES_MAX:,} bytes")
        elif content.strip():
            try:
                row_id, record = rows.read(content)
            except RowRefusedError as error:
                yield Read(number, position, error.row_id, None, str(error))
            else:
                yield Read(number, position, row_id, record)
