"""What every row has to be, from whichever format: whole, of the right kinds, and storable."""

import math
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from core.clock import NEVER
from services.imports.reading import shown
from services.imports.shapes import Column, Kind
from services.writes.values import has_nul

_DECIMAL: Final = re.compile(
    r"[+-]?(?:\d{1,1000}(?:\.\d{0,1000})?|\.\d{1,1000})(?:[eE][+-]?\d{1,3})?", re.ASCII
)
_COUNTERS: Final = frozenset({"attempts", "attempts_max", "retry_count", "failure_count"})
_INT_MAX: Final = 2**31 - 1


class RowRefusedError(Exception):
    """A row cannot be taken; the message is the reason that the report gives.

    Attributes:
        row_id: The row's id, "" where it is not known.
    """

    def __init__(self, reason: str, row_id: str = "") -> None:
        super().__init__(reason)
        self.row_id = row_id


def refused(field: str, error: Exception) -> RowRefusedError:
    """What is wrong with a field, as the row's refusal; Python tells of too much nesting by RecursionError."""
    reason = "nests too deeply" if isinstance(error, RecursionError) else str(error)
    return RowRefusedError(f"{field}: {reason}")


def milliseconds(value: float) -> int:
    """A moment in whole milliseconds, a fraction cut off downwards.

    Raises:
        ValueError: It is not a number that JSON holds exactly.
    """
    if not -NEVER <= value <= NEVER:  # false for NaN, too
        raise ValueError("is not a moment within what a number holds exactly")
    return math.floor(value)


def integer(value: float) -> int:
    """A whole number of 32 bits.

    Raises:
        ValueError: It is none.
    """
    if not -_INT_MAX - 1 <= value <= _INT_MAX or value != int(value):
        raise ValueError("is not a whole number of at most 32 bits")
    return int(value)


def number(text: str) -> Decimal:
    """An exact number.

    Raises:
        ValueError: The text is not a finite decimal number.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError("is not a decimal number")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("is not a decimal number") from error


def require_storable_text(text: str) -> None:
    """Make sure that PostgreSQL can hold a text.

    Raises:
        ValueError: It has a NUL character or is not Unicode.
    """
    if "\0" in text:
        raise ValueError("has a NUL character, which PostgreSQL cannot hold")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("is not valid UTF-8") from None


def require_storable_json(text: str) -> None:
    """The same of JSON's text.

    Raises:
        ValueError: A text in it has a NUL character.
    """
    if has_nul(text):
        raise ValueError("has a NUL character (\\u0000), which PostgreSQL cannot hold")


def json_text(value: Any) -> str:
    """A value as JSON.

    Raises:
        ValueError: PostgreSQL cannot hold it, or it nests too deeply.
    """
    try:
        text = orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise ValueError("is not JSON that can be stored") from error
    require_storable_json(text)
    return text


class Whole:
    """Makes the values of a row into a record: what is absent gets its default, and the rest is looked at."""

    def __init__(self, columns: Sequence[Column]) -> None:
        places = {column.name: place for place, column in enumerate(columns)}
        self._id = places["id"]
        self._required = [
            (place, column, places.get(column.fallback))
            for place, column in enumerate(columns)
            if column.required
        ]
        self._closed = [(place, column) for place, column in enumerate(columns) if column.values]
        self._counters = [(place, column) for place, column in enumerate(columns) if column.name in _COUNTERS]
        self._person = places.get("user_id")  # of the audit log
        self._tenant = places.get("tenant_id", 0)
        self._objects = [(place, column) for place, column in enumerate(columns) if column.is_object]

    def made(self, record: list[Any]) -> list[Any]:
        """The record, whole; it is changed in place.

        Raises:
            RowRefusedError: Something is missing, or not what it has to be.
        """
        for place, column, fallback in self._required:
            if record[place] is None:
                self._fill(record, place, column, fallback)
        for place, column in self._closed:
            value = record[place]
            if value is not None and value not in column.values:
                raise RowRefusedError(
                    f"{column.field}: {shown(value)} is none of {', '.join(sorted(column.values))}"
                )
        for place, column in self._objects:
            if record[place][0] != "{":
                raise RowRefusedError(f"{column.field}: is not an object")
        self._require_sense(record)
        return record

    def _require_sense(self, record: list[Any]) -> None:
        for place, column in self._counters:
            if record[place] < 0:
                raise RowRefusedError(f"{column.field}: is less than 0")
        if not record[self._id]:
            raise RowRefusedError("the id is empty")
        if self._person is not None and record[self._person] and record[self._tenant] is None:
            raise RowRefusedError("userId: a change without tenant cannot be a person's")

    @staticmethod
    def _fill(record: list[Any], place: int, column: Column, fallback: int | None) -> None:
        value = column.default if fallback is None else record[fallback]
        if value is None:
            raise RowRefusedError(f"{column.field}: is missing")
        record[place] = value


SQL_TYPES: Final = {
    Kind.TEXT: "text",
    Kind.MS: "bigint",
    Kind.INT: "integer",
    Kind.BOOL: "boolean",
    Kind.NUMBER: "numeric",
    Kind.JSON: "jsonb",
    Kind.TEXTS: "text[]",
}
"""What the values of each kind are in PostgreSQL."""
