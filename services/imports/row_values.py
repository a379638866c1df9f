"""Validates the rows of all formats: complete, of the right kinds, and storable."""

import math
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from core.case_conversion import to_camel_case
from core.clock import NEVER, now_ms
from core.limits import TIME_AHEAD_MAX_MS, TIME_MAX_MS
from services.device_identity import canonicalize_guid, canonicalize_mac
from services.imports.import_tables import ColumnKind, ImportColumn
from services.imports.source import TableTally, format_value

_DECIMAL: Final = re.compile(
    r"[+-]?(?:\d{1,1000}(?:\.\d{0,1000})?|\.\d{1,1000})(?:[eE][+-]?\d{1,3})?", re.ASCII
)
_COUNTERS: Final = frozenset({"attempts", "attempts_max", "retry_count", "failure_count"})
_MAYBE_NEVER: Final = frozenset(
    {"credential_expiration_at", "next_retry_at", "expires_at", "effective_until", "effective_to"}
)
"""Times that may be `core.clock.NEVER`."""
_PLANNED: Final = _MAYBE_NEVER | {"scheduled_at", "effective_from", "period_start", "period_end"}
"""Times that may lie in the future. All others are times of past events."""
_REPORTED: Final = frozenset({"created_at", "deleted_at"})
"""Times that a row needs: without `deleted_at` a deleted row would be restored."""
_ZERO_IS_A_TIME: Final = frozenset(
    {"credential_expiration_at", "expires_at", "effective_from", "period_start", "period_end"}
)
"""Times of which 0 says something: since ever, or long over. Elsewhere it stands for a time that is not there yet."""
WRAPPED: Final = "{}: a value that is no object became the `value` of one"
_CANONICAL: Final = {"guid": canonicalize_guid, "mac_address": canonicalize_mac}
_INT_MAX: Final = 2**31 - 1


class RowRefusedError(Exception):
    """A row is refused; the message is the reason in the report.

    Attributes:
        row_id: The row's id, "" if the id is not known.
    """

    def __init__(self, reason: str, row_id: str = "") -> None:
        super().__init__(reason)
        self.row_id = row_id


def build_refusal(field: str, error: Exception) -> RowRefusedError:
    """The refusal of a row for an error in a field. Python raises RecursionError for too much nesting."""
    reason = "is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return RowRefusedError(f"{field}: {reason}")


def read_milliseconds(value: float | Decimal) -> int:
    """A moment in whole milliseconds; a fraction is rounded down.

    Raises:
        ValueError: It is not a number that JSON represents exactly.
    """
    if not -NEVER <= value <= NEVER:  # false for NaN, too
        raise ValueError("must be a time that a number holds exactly")
    return math.floor(value)


def read_integer(value: float | Decimal) -> int:
    """An integer of 32 bits; a fraction is rounded, half of one up, as JavaScript does.

    Raises:
        ValueError: It is out of range.
    """
    if not -_INT_MAX - 1 <= value <= _INT_MAX:
        raise ValueError("must be an integer of at most 32 bits")
    whole = math.floor(value)
    return whole + (value - whole >= 0.5)


def read_number(text: str) -> Decimal:
    """An exact number.

    Raises:
        ValueError: The text is not a finite decimal number.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must be a decimal number")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("must be a decimal number") from error


class RecordCompleter:
    """Completes and validates the values of a row: absent values get their defaults."""

    def __init__(self, columns: Sequence[ImportColumn], tally: TableTally) -> None:
        self._tally = tally
        self._latest = now_ms() + TIME_AHEAD_MAX_MS
        self._past = [
            (position, column)
            for position, column in enumerate(columns)
            if column.kind is ColumnKind.MS and column.name not in _PLANNED
        ]
        self._planned = [
            (position, column) for position, column in enumerate(columns) if column.name in _PLANNED
        ]
        positions = {column.name: position for position, column in enumerate(columns)}
        self._id = positions["id"]
        self._required = [
            (position, column, positions.get(column.fallback))
            for position, column in enumerate(columns)
            if column.required
        ]
        self._closed = [(position, column) for position, column in enumerate(columns) if column.values]
        self._counters = [
            (position, column) for position, column in enumerate(columns) if column.name in _COUNTERS
        ]
        self._person = positions.get("user_id")  # of the audit log
        self._tenant = positions.get("tenant_id", 0)
        self._canonical = [
            (position, _CANONICAL[column.name])
            for position, column in enumerate(columns)
            if column.name in _CANONICAL
        ]
        self._objects = [(position, column) for position, column in enumerate(columns) if column.is_object]
        self._wrapped = [(position, column) for position, column in enumerate(columns) if column.is_wrapped]
        self._zeros = [
            (position, column)
            for position, column in enumerate(columns)
            if column.kind is ColumnKind.MS
            and column.name not in _ZERO_IS_A_TIME
            and (not column.required or column.fallback or column.is_derived)
        ]

    def complete(self, record: list[Any]) -> list[Any]:
        """The complete record. It is changed in place.

        Raises:
            RowRefusedError: A value is missing or not valid.
        """
        self._correct(record)
        for position, column, fallback in self._required:
            if record[position] is None:
                self._fill_default(record, position, column, fallback)
        for position, column in self._closed:
            value = record[position]
            if value is not None and value not in column.values:
                raise RowRefusedError(
                    f"{column.field}: {format_value(value)} must be one of {', '.join(sorted(column.values))}"
                )
        for position, column in self._objects:
            if record[position][0] != "{":
                raise RowRefusedError(f"{column.field}: must be an object")
        for position, column in self._wrapped:
            if record[position] is not None and record[position][0] != "{":
                record[position] = f'{{"value":{record[position]}}}'
                self._tally.changed.add(WRAPPED.format(column.field))
        self._check_values(record)
        return record

    def _correct(self, record: list[Any]) -> None:
        """Clear times that cannot be true, and give identities their canonical spelling."""
        for position, column in self._zeros:
            if record[position] == 0:
                record[position] = None
                self._tally.changed.add(f"{column.field}: 0 is not a time and was removed")
        for position, column in self._past:
            if record[position] is not None and record[position] > self._latest:
                self._forget_future(record, position, column)
        for position, column in self._planned:
            if record[position] is not None and record[position] > TIME_MAX_MS:
                record[position] = self._correct_far(record[position], column)
        for position, canonical in self._canonical:
            if record[position] is not None:
                record[position] = canonical(record[position])

    def _forget_future(self, record: list[Any], position: int, column: ImportColumn) -> None:
        if column.name in _REPORTED or (column.required and not column.fallback):
            raise RowRefusedError(f"{column.field}: must be at most a day in the future")
        record[position] = None
        became = f"was replaced by {to_camel_case(column.fallback)}" if column.required else "was removed"
        self._tally.changed.add(f"{column.field}: a time more than a day in the future {became}")

    def _correct_far(self, value: int, column: ImportColumn) -> int:
        """A time after the year 9999: never, where a time may be never."""
        if column.name not in _MAYBE_NEVER:
            raise RowRefusedError(f"{column.field}: must not be after the year 9999")
        if value != NEVER:
            self._tally.changed.add(f"{column.field}: a time after the year 9999 became never")
        return NEVER

    def _check_values(self, record: list[Any]) -> None:
        for position, column in self._counters:
            if record[position] < 0:
                raise RowRefusedError(f"{column.field}: must not be negative")
        if not record[self._id]:
            raise RowRefusedError("the id must not be empty")
        if self._person is not None and record[self._person] and record[self._tenant] is None:
            raise RowRefusedError("userId: a change without a tenant must not have a user")

    @staticmethod
    def _fill_default(record: list[Any], position: int, column: ImportColumn, fallback: int | None) -> None:
        value = column.default if fallback is None else record[fallback]
        if value is None and not column.is_derived:
            raise RowRefusedError(f"{column.field}: is required")
        record[position] = value
