"""A folder of CSV files from Supabase's dashboard: `<table>.csv` or `<table>_rows.csv`, each with a header."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.errors import FileRefusedError
from core.limits import IMPORT_LINE_BYTES_MAX
from services.imports.file_forms import require_text
from services.imports.import_tables import IMPORT_TABLES, ColumnKind
from services.imports.line_reader import Line, iter_lines
from services.imports.row_values import RowRefusedError
from services.imports.source import RowRead, TableData, TableTally
from services.imports.supabase_rows import SupabaseRowReader

_BOM: Final = b"\xef\xbb\xbf"
_HEAD_BYTES: Final = 512
_SUFFIXES: Final = (".csv", "_rows.csv")


class CsvFolder:
    """The folder; a `Source`."""

    def __init__(self, path: Path, user_id_field: str | None = None) -> None:
        """Open the export; `user_id_field` names the column with the ids of users if that is not `id`."""
        self._user_id_field = user_id_field
        try:
            present = {file.name: file for file in path.iterdir() if file.is_file()}
        except OSError as error:
            raise FileRefusedError(f"{path} cannot be read: {error.strerror or error}") from error
        self._files = {
            table: present[found[0]]
            for table in IMPORT_TABLES
            if (found := [table + suffix for suffix in _SUFFIXES if table + suffix in present])
            and _is_single_file(found, path)
        }
        if "toc.dat" in present:
            raise FileRefusedError(
                f"{path} is a dump in PostgreSQL's directory format: convert it to text with "
                "`pg_restore --file=dump.sql`"
            )
        if not self._files:
            raise FileRefusedError(
                f"{path} has no CSV file of a table: the names must be <table>.csv or <table>_rows.csv"
            )
        self.sizes = {table: file.stat().st_size for table, file in self._files.items()}
        self.skipped = sorted(present.keys() - {file.name for file in self._files.values()})
        self.missing: list[str] = []

    @contextmanager
    def open_table(self, name: str, tally: TableTally) -> Iterator[TableData]:
        """One of its tables; see `Source`."""
        file = self._files[name]
        try:
            with file.open("rb") as stream:
                require_text(file, stream.read(_HEAD_BYTES))
                stream.seek(0)
                records = _CsvRecords(file.name, iter_lines(stream, IMPORT_LINE_BYTES_MAX))
                header = next(iter(records), None)
                if header is None:
                    raise FileRefusedError(f"{file.name} is empty: its first line must name the columns")
                rows = SupabaseRowReader(IMPORT_TABLES[name], header, tally, self._user_id_field)
                yield TableData(rows.columns, _iter_rows(rows, header, records))
        except OSError as error:
            raise FileRefusedError(f"{file} cannot be read: {error.strerror or error}") from error

    def close(self) -> None:
        """Do nothing: no file stays open."""


def _is_single_file(found: list[str], path: Path) -> bool:
    if len(found) > 1:
        raise FileRefusedError(f"{path} has {' and '.join(found)}: only one file per table is allowed")
    return True


class _CsvRecords:
    """The records of a CSV file. A record has one line or more."""

    def __init__(self, name: str, source: Iterator[Line]) -> None:
        self._name = name
        self._source = source
        self._lines = 0
        self._last = 0
        self.position = 0
        self.begins = 1
        self._is_text = True

    def __iter__(self) -> Iterator[list[str]]:
        reader = csv.reader(self._iter_lines(), strict=True)
        while True:
            self._lines, self.begins, self._is_text = 0, self._last + 1, True
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise FileRefusedError(
                    f"{self._name}, line {self.begins}: {error}; the rest of the file cannot be read"
                ) from error
            if record:
                yield record

    def require_text(self) -> None:
        """Refuse the current record if it is not text.

        Raises:
            RowRefusedError: It is not.
        """
        if not self._is_text:
            raise RowRefusedError("must be valid UTF-8")

    def _iter_lines(self) -> Iterator[str]:
        for line in self._source:
            content = line.content
            self._lines += IMPORT_LINE_BYTES_MAX + 1 if content is None else len(content) + 1
            if content is None or self._lines > IMPORT_LINE_BYTES_MAX:
                raise FileRefusedError(
                    f"{self._name}, line {self.begins}: a row of more than {IMPORT_LINE_BYTES_MAX:,} bytes begins "
                    "here; a quotation mark may be missing"
                )
            self.position, self._last = line.position, line.number
            yield self._decode(content.removeprefix(_BOM) if line.number == 1 else content) + "\n"

    def _decode(self, content: bytes) -> str:
        try:
            return content.decode()
        except UnicodeDecodeError:
            self._is_text = False
            return content.decode(errors="surrogateescape")


def _iter_rows(rows: SupabaseRowReader, header: list[str], records: _CsvRecords) -> Iterator[RowRead]:
    """Read the records. An empty field is NULL, or an empty text if the column is a text that must not be NULL."""
    empty = _empty_values(rows, header)
    for record in records:
        fields = (
            [value or blank for value, blank in zip(record, empty, strict=True)]
            if len(record) == len(empty)
            else record
        )
        line, position = records.begins, records.position
        try:
            records.require_text()
            row_id, values = rows.read_fields(fields)
        except RowRefusedError as error:
            yield RowRead(line, position, error.row_id, None, str(error))
        else:
            yield RowRead(line, position, row_id, values)


def _empty_values(rows: SupabaseRowReader, header: list[str]) -> list[str | None]:
    texts = {
        column.name
        for column in rows.columns
        if column.kind is ColumnKind.TEXT
        and column.required
        and column.name != "id"
        and not column.name.endswith("_id")
        and not column.values
    }
    return ["" if name in texts else None for name in header]
