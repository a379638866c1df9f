"""A folder of CSV files as Supabase's dashboard gives them: `<table>.csv` or `<table>_rows.csv`, a header in each."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.errors import FileRefusedError
from core.limits import IMPORT_LINE_BYTES_MAX
from services.imports.lines import Line, lines
from services.imports.reading import Read, TableData, Tally
from services.imports.shapes import SHAPES, Kind
from services.imports.supabase_rows import SupabaseRows
from services.imports.values import RowRefusedError

_BOM: Final = b"\xef\xbb\xbf"
_SUFFIXES: Final = (".csv", "_rows.csv")


class CsvFolder:
    """The folder; a `Source`."""

    def __init__(self, path: Path) -> None:
        try:
            present = {file.name: file for file in path.iterdir() if file.is_file()}
        except OSError as error:
            raise FileRefusedError(f"{path} cannot be read: {error.strerror or error}") from error
        self._files = {
            table: present[found[0]]
            for table in SHAPES
            if (found := [table + suffix for suffix in _SUFFIXES if table + suffix in present])
            and _is_one(found, path)
        }
        if not self._files:
            raise FileRefusedError(
                f"{path} has no CSV file of a table: they are named <table>.csv or <table>_rows.csv"
            )
        self.sizes = {table: file.stat().st_size for table, file in self._files.items()}
        self.skipped = sorted(present.keys() - {file.name for file in self._files.values()})
        self.missing: list[str] = []

    @contextmanager
    def table(self, name: str, tally: Tally) -> Iterator[TableData]:
        """One of its tables; see `Source`."""
        file = self._files[name]
        try:
            with file.open("rb") as stream:
                records = _Records(file.name, lines(stream, IMPORT_LINE_BYTES_MAX))
                header = next(iter(records), None)
                if header is None:
                    raise FileRefusedError(f"{file.name} is empty: its first line must name the columns")
                rows = SupabaseRows(SHAPES[name], header, tally)
                yield TableData(rows.columns, _read(rows, header, records))
        except OSError as error:
            raise FileRefusedError(f"{file} cannot be read: {error.strerror or error}") from error

    def close(self) -> None:
        """Nothing stays open."""


def _is_one(found: list[str], path: Path) -> bool:
    if len(found) > 1:
        raise FileRefusedError(f"{path} has {' and '.join(found)}: which one counts?")
    return True


class _Records:
    """The records of a CSV file, each of one line or more."""

    def __init__(self, name: str, source: Iterator[Line]) -> None:
        self._name = name
        self._source = source
        self._held = 0
        self._last = 0
        self.position = 0
        self.begins = 1
        self._is_text = True

    def __iter__(self) -> Iterator[list[str]]:
        reader = csv.reader(self._fed(), strict=True)
        while True:
            self._held, self.begins, self._is_text = 0, self._last + 1, True
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise FileRefusedError(
                    f"{self._name}, line {self.begins}: {error}; nothing behind it can be read"
                ) from error
            if record:
                yield record

    def require_text(self) -> None:
        """Refuse the record at hand where it is no text.

        Raises:
            RowRefusedError: It is not.
        """
        if not self._is_text:
            raise RowRefusedError("is not valid UTF-8")

    def _fed(self) -> Iterator[str]:
        for line in self._source:
            content = line.content
            self._held += IMPORT_LINE_BYTES_MAX + 1 if content is None else len(content) + 1
            if content is None or self._held > IMPORT_LINE_BYTES_MAX:
                raise FileRefusedError(
                    f"{self._name}, line {self.begins}: a row of more than {IMPORT_LINE_BYTES_MAX:,} bytes begins "
                    "here; a quotation mark may be missing"
                )
            self.position, self._last = line.position, line.number
            yield self._decoded(content.removeprefix(_BOM) if line.number == 1 else content) + "\n"

    def _decoded(self, content: bytes) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError:
            self._is_text = False
            return content.decode(errors="surrogateescape")


def _read(rows: SupabaseRows, header: list[str], records: _Records) -> Iterator[Read]:
    """An empty field is NULL; where there is none, an empty text."""
    empty = _empty(rows, header)
    for record in records:
        fields = (
            [value or blank for value, blank in zip(record, empty, strict=True)]
            if len(record) == len(empty)
            else record
        )
        line, position = records.begins, records.position
        try:
            records.require_text()
            row_id, values = rows.read(fields)
        except RowRefusedError as error:
            yield Read(line, position, error.row_id, None, str(error))
        else:
            yield Read(line, position, row_id, values)


def _empty(rows: SupabaseRows, header: list[str]) -> list[str | None]:
    texts = {
        column.name
        for column in rows.columns
        if column.kind is Kind.TEXT
        and column.required
        and column.name != "id"
        and not column.name.endswith("_id")
        and not column.values
    }
    return ["" if name in texts else None for name in header]
