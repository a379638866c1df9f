"""Converts a line of a Convex export, which is a document, to a record."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

from core.exact_json import parse_json
from core.limits import IMPORT_LINE_BYTES_MAX
from core.storable import dump_storable_json, require_storable_text
from services.imports.convex_encoding import Encoding, decode_uniform
from services.imports.import_tables import ColumnKind, ImportColumn, ImportTable
from services.imports.rights import flatten_rights
from services.imports.row_values import (
    RecordCompleter,
    RowRefusedError,
    build_refusal,
    read_integer,
    read_milliseconds,
    read_number,
)
from services.imports.source import TableTally

Reader = Callable[[Any, str], Any]
"""Converts a document's value to a column's value, given the document's id; raises `ValueError`."""

_INT64: Final = re.compile(r"-?\d{1,19}", re.ASCII)
_FRACTIONAL: Final = (float, Decimal)
_SYSTEM: Final = frozenset({"_id", "_creationTime"})


class ConvexRowReader:
    """Reads the documents of one table."""

    def __init__(
        self, shape: ImportTable, encoding: Encoding, tally: TableTally, id_field: str | None = None
    ) -> None:
        """A reader; `id_field` names the field with the id if that is not `_id`."""
        self._id_field = id_field
        self._fields = _SYSTEM | {column.field for column in shape.columns} | {id_field or "_id"}
        self._tally = tally
        self._readers = [(column.field, self._build_reader(column, encoding)) for column in shape.columns]
        self._created = next(at for at, column in enumerate(shape.columns) if column.name == "created_at")
        self._whole = RecordCompleter(shape.columns, tally)

    def read_line(self, line: bytes) -> tuple[str, list[Any]]:
        """The id of a document, which is its `_id`, and its record.

        Raises:
            RowRefusedError: It is not valid.
        """
        document = _parse_document(line)
        row_id = document.get("_id")
        if not isinstance(row_id, str):
            raise RowRefusedError("must have an _id")
        if document.get("createdAt") is None:
            document["createdAt"] = document.get("_creationTime")
        try:
            document["id"] = self._choose_id(document, row_id)
            return row_id, self._whole.complete(self._build_record(document, row_id))
        except RowRefusedError as error:
            error.row_id = row_id
            raise

    def _choose_id(self, document: dict[str, Any], row_id: str) -> str:
        if self._id_field is None:
            return row_id
        chosen = document.get(self._id_field)
        if chosen is None or chosen == "":
            self._tally.changed.add(f"id: without {self._id_field} the _id was kept")
            return row_id
        if not isinstance(chosen, str):
            raise RowRefusedError(f"{self._id_field}: must be a string")
        return chosen

    def _build_record(self, document: dict[str, Any], row_id: str) -> list[Any]:
        record: list[Any] = []
        field = ""
        try:
            for field, reader in self._readers:
                value = document.get(field)
                record.append(None if value is None else reader(value, row_id))
        except (ValueError, RecursionError) as error:
            raise build_refusal(field, error) from error
        if record[self._created] == 0 and document.get("_creationTime") is not None:
            record[self._created] = _read_ms(document["_creationTime"])
            self._tally.changed.add("createdAt: 0 is not a time and became _creationTime")
        if not document.keys() <= self._fields:
            for name in document.keys() - self._fields:
                self._tally.unknown.add(name)
        return record

    def _build_reader(self, column: ImportColumn, encoding: Encoding) -> Reader:
        if column.kind in (ColumnKind.INT, ColumnKind.MS):
            return self._count_fractions(column, _READERS[column.kind])
        if column.kind is not ColumnKind.JSON:
            return _READERS[column.kind]
        prepared = self._flatten_rights if column.name == "rights" else _identity
        if encoding.is_plain(column.field):
            return lambda value, _row_id: dump_storable_json(
                prepared(decode_uniform(value)), IMPORT_LINE_BYTES_MAX
            )
        return lambda value, row_id: dump_storable_json(
            prepared(encoding.decode(column.field, row_id, value)), IMPORT_LINE_BYTES_MAX
        )

    def _count_fractions(self, column: ImportColumn, read: Reader) -> Reader:
        """The reader, which counts fractions. That of a creation time is no one's statement and is not counted."""
        became = "rounded to an integer" if column.kind is ColumnKind.INT else "cut to whole milliseconds"

        def read_and_count(value: Any, row_id: str) -> Any:
            whole = read(value, row_id)
            if type(value) in _FRACTIONAL and value != whole and column.name != "created_at":
                self._tally.changed.add(f"{column.field}: {became}")
            return whole

        return read_and_count

    def _flatten_rights(self, rights: Any) -> Any:
        return flatten_rights(rights, self._tally)


def _identity(value: Any) -> Any:
    return value


def _parse_document(line: bytes) -> dict[str, Any]:
    try:
        document = parse_json(line)
    except orjson.JSONDecodeError as error:
        raise RowRefusedError(f"must be JSON: {error.msg}") from error
    if not isinstance(document, dict):
        raise RowRefusedError("must be an object")
    return document


def _read_text(value: Any, _row_id: str = "") -> str:
    if type(value) is not str:
        raise ValueError("must be a string")
    require_storable_text(value)
    return value


def _read_number(value: Any) -> float | Decimal:
    """A number in either encoding. Older encodings have an int64 as a string."""
    if isinstance(value, float | int | Decimal) and not isinstance(value, bool):
        return value
    if type(value) is str and _INT64.fullmatch(value):
        return int(value)
    raise ValueError("must be a number")


def _read_ms(value: Any, _row_id: str = "") -> int:
    return read_milliseconds(_read_number(value))


def _read_int(value: Any, _row_id: str = "") -> int:
    return read_integer(_read_number(value))


def _read_flag(value: Any, _row_id: str = "") -> bool:
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


def _read_amount(value: Any, _row_id: str = "") -> Decimal:
    """The decimal with the digits that the float64 is displayed with."""
    if type(value) is float:
        return read_number(repr(value))
    if type(value) in (int, str, Decimal):
        return read_number(str(value))
    raise ValueError("must be a number")


def _read_texts(value: Any, _row_id: str = "") -> list[str]:
    if not isinstance(value, list):
        raise ValueError("must be a list of strings")  # noqa: TRY004 - the file is wrong, not the type
    return [_read_text(each) for each in value]


_READERS: Final[Mapping[ColumnKind, Reader]] = {
    ColumnKind.TEXT: _read_text,
    ColumnKind.MS: _read_ms,
    ColumnKind.INT: _read_int,
    ColumnKind.BOOL: _read_flag,
    ColumnKind.NUMBER: _read_amount,
    ColumnKind.TEXTS: _read_texts,
}
