"""A line of a Convex export, a document, into a record."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

from services.imports.convex_encoding import Encoding, plain
from services.imports.reading import Tally
from services.imports.rights import flat_rights
from services.imports.shapes import Column, Kind, Shape
from services.imports.values import (
    RowRefusedError,
    Whole,
    integer,
    json_text,
    milliseconds,
    number,
    refused,
    require_storable_text,
)

Reader = Callable[[Any, str], Any]
"""Makes the value of a column out of a document's, with the document's id; raises `ValueError`."""

_INT64: Final = re.compile(r"-?\d{1,19}", re.ASCII)
_SYSTEM: Final = frozenset({"_id", "_creationTime"})


class ConvexRows:
    """Reads the documents of one table."""

    def __init__(self, shape: Shape, encoding: Encoding, tally: Tally) -> None:
        self._fields = _SYSTEM | {column.field for column in shape.columns}
        self._readers = [(column.field, self._reader(column, encoding)) for column in shape.columns]
        self._whole = Whole(shape.columns)
        self._tally = tally

    def read(self, line: bytes) -> tuple[str, list[Any]]:
        """A document's id and its record.

        Raises:
            RowRefusedError: It is none that can be taken.
        """
        document = _document(line)
        row_id = document.get("_id")
        if not isinstance(row_id, str):
            raise RowRefusedError("has no _id")
        document["id"] = row_id
        if document.get("createdAt") is None:
            document["createdAt"] = document.get("_creationTime")
        try:
            return row_id, self._whole.made(self._record(document, row_id))
        except RowRefusedError as error:
            error.row_id = row_id
            raise

    def _record(self, document: dict[str, Any], row_id: str) -> list[Any]:
        record: list[Any] = []
        field = ""
        try:
            for field, reader in self._readers:
                value = document.get(field)
                record.append(None if value is None else reader(value, row_id))
        except (ValueError, RecursionError) as error:
            raise refused(field, error) from error
        if not document.keys() <= self._fields:
            for name in document.keys() - self._fields:
                self._tally.unknown.add(name)
        return record

    def _reader(self, column: Column, encoding: Encoding) -> Reader:
        if column.kind is not Kind.JSON:
            return _READERS[column.kind]
        prepared = self._flat if column.name == "rights" else _as_it_is
        if encoding.is_plain(column.field):
            return lambda value, _row_id: json_text(prepared(plain(value)))
        return lambda value, row_id: json_text(prepared(encoding.stored(column.field, row_id, value)))

    def _flat(self, rights: Any) -> Any:
        return flat_rights(rights, self._tally)


def _as_it_is(value: Any) -> Any:
    return value


def _document(line: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise RowRefusedError(f"is not JSON: {error.msg}") from error
    if not isinstance(document, dict):
        raise RowRefusedError("is not an object")
    return document


def _text(value: Any, _row_id: str = "") -> str:
    if type(value) is not str:
        raise ValueError("is not text")
    require_storable_text(value)
    return value


def _number_of(value: Any) -> float:
    """A number in either encoding; older ones have an int64 as a string."""
    if type(value) is float or type(value) is int:
        return value
    if type(value) is str and _INT64.fullmatch(value):
        return int(value)
    raise ValueError("is not a number")


def _ms(value: Any, _row_id: str = "") -> int:
    return milliseconds(_number_of(value))


def _int(value: Any, _row_id: str = "") -> int:
    return integer(_number_of(value))


def _flag(value: Any, _row_id: str = "") -> bool:
    if type(value) is not bool:
        raise ValueError("is neither true nor false")
    return value


def _amount(value: Any, _row_id: str = "") -> Decimal:
    """The digits that a float64 is shown by are those that were meant."""
    if type(value) is float:
        return number(repr(value))
    if type(value) is int or type(value) is str:
        return number(str(value))
    raise ValueError("is not a number")


def _texts(value: Any, _row_id: str = "") -> list[str]:
    if not isinstance(value, list):
        raise ValueError("is not a list of texts")  # noqa: TRY004 - what is wrong is the file
    return [_text(each) for each in value]


_READERS: Final[Mapping[Kind, Reader]] = {
    Kind.TEXT: _text,
    Kind.MS: _ms,
    Kind.INT: _int,
    Kind.BOOL: _flag,
    Kind.NUMBER: _amount,
    Kind.TEXTS: _texts,
}
