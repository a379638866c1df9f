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
from services.imports.convex_rows import ConvexRowReader
from services.imports.convex_shapes import UNKNOWN, parse_shape
from services.imports.import_tables import IMPORT_TABLES, ColumnKind
from services.imports.line_reader import Line, Stream, iter_lines
from services.imports.row_values import RowRefusedError
from services.imports.source import RowRead, TableData, TableTally, format_value

_LIST: Final = "_tables/documents.jsonl"
_LISTED_MAX: Final = 10_000
"""The number of a snapshot's tables that are listed at most. Convex allows no more."""
_ROWS: Final = "/documents.jsonl"
_SCHEMA: Final = "/generated_schema.jsonl"


class ConvexSnapshot:
    """An open snapshot; a `Source`."""

    def __init__(self, path: Path, user_id_field: str | None = None) -> None:
        """Open a snapshot; `user_id_field` names the field with the ids of users if that is not `_id`."""
        self._user_id_field = user_id_field
        self._archive = Archive(path)
        try:
            self._list_contents(path)
        except BaseException:
            self._archive.close()
            raise

    def _list_contents(self, path: Path) -> None:
        names = set(self._archive.names)
        ours = [table for table in IMPORT_TABLES if table + _ROWS in names]
        if not ours and _LIST not in names:
            raise FileRefusedError(f"{path} is a ZIP file, but no Convex snapshot: it must contain {_LIST}")
        wanted = [table + suffix for table in ours for suffix in (_ROWS, _SCHEMA) if table + suffix in names]
        self._archive.check([*wanted, *([_LIST] if _LIST in names else [])])
        self.sizes = {table: self._archive.size(table + _ROWS) for table in ours}
        listed = set(self._iter_listed_tables()) if _LIST in names else set()
        self._names = names
        folders = {name.partition("/")[0] for name in names if "/" in name} | listed
        self.skipped = sorted(folders - IMPORT_TABLES.keys() - {"_tables"})
        self.missing = [table for table in IMPORT_TABLES if table in listed and table not in self.sizes]

    def _iter_listed_tables(self) -> Iterator[str]:
        """The names in the snapshot's own list of tables."""
        with self._archive.open(_LIST) as stream:
            for line in iter_lines(stream, IMPORT_LINE_BYTES_MAX):
                try:
                    name = orjson.loads(line.content or b"null")["name"]
                except (orjson.JSONDecodeError, TypeError, KeyError):
                    continue
                if isinstance(name, str) and line.number <= _LISTED_MAX:
                    yield name

    @contextmanager
    def open_table(self, name: str, tally: TableTally) -> Iterator[TableData]:
        """One of its tables; see `Source`."""
        shape = IMPORT_TABLES[name]
        with ExitStack() as stack:
            id_field = self._user_id_field if name == "users" else None
            rows = ConvexRowReader(shape, self._read_encoding(name), tally, id_field)
            stream = stack.enter_context(self._archive.open(name + _ROWS))
            yield TableData(shape.columns, _iter_rows(rows, stream))

    def _read_encoding(self, table: str) -> Encoding:
        if table + _SCHEMA not in self._names:
            return Encoding(uniform=False)
        with self._archive.open(table + _SCHEMA) as stream:
            return read_encoding(stream, table)

    def close(self) -> None:
        """Close the file."""
        self._archive.close()


def read_encoding(stream: Stream, table: str) -> Encoding:
    """The encoding of a table, from its schema file.

    Raises:
        FileRefusedError: The file cannot be read, or has more about single documents than fits in memory.
    """
    shape, overrides, overrides_bytes, widest = UNKNOWN, {}, 0, 0
    fields = [column.field for column in IMPORT_TABLES[table].columns if column.kind is ColumnKind.JSON]
    for line in iter_lines(stream, IMPORT_LINE_BYTES_MAX):
        said = _parse_line(line, table)
        if said == "uniform":
            return Encoding()
        if isinstance(said, str) and line.number == 1:
            shape = _parse_table_shape(said, table)
        elif isinstance(said, dict):
            for row_id, hint in said.items():
                kept = {key: hint[key] for key in fields if key in hint} if isinstance(hint, dict) else None
                if kept:
                    overrides[row_id] = orjson.dumps(kept)
                    overrides_bytes += len(line.content or b"")
                    widest = max(widest, len(overrides[row_id]))
        if overrides_bytes > IMPORT_OVERRIDES_BYTES_MAX or widest > IMPORT_HINT_BYTES_MAX:
            raise FileRefusedError(
                f"{table}{_SCHEMA} has too much data about single documents: export again with Convex"
            )
    return Encoding(uniform=False, shape=shape, overrides=overrides)


def _parse_line(line: Line, table: str) -> Any:
    where = f"{table}{_SCHEMA}, line {line.number}"
    if line.content is None:
        raise FileRefusedError(f"{where}, must have at most {IMPORT_LINE_BYTES_MAX:,} bytes")
    try:
        return orjson.loads(line.content) if line.content.strip() else None
    except orjson.JSONDecodeError as error:
        raise FileRefusedError(f"{where}, must be JSON: {error.msg}; export again with Convex") from error


def _parse_table_shape(text: str, table: str) -> Any:
    try:
        return parse_shape(text)
    except ValueError as error:
        raise FileRefusedError(
            f"{table}{_SCHEMA}, line 1, has an unknown shape: {format_value(error)}"
        ) from error


def _iter_rows(rows: ConvexRowReader, stream: Stream) -> Iterator[RowRead]:
    for number, position, content in iter_lines(stream, IMPORT_LINE_BYTES_MAX):
        if content is None:
            yield RowRead(number, position, "", None, f"must have at most {IMPORT_LINE_BYTES_MAX:,} bytes")
        elif content.strip():
            try:
                row_id, record = rows.read_line(content)
            except RowRefusedError as error:
                yield RowRead(number, position, error.row_id, None, str(error))
            else:
                yield RowRead(number, position, row_id, record)
