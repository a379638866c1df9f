"""Converts PostgreSQL's text output, in a CSV file or a dump, to the values of a record."""

import csv
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import orjson

from core.clock import NEVER
from core.exact_json import parse_json
from core.json_numbers import require_storable_numbers
from core.limits import IMPORT_LINE_BYTES_MAX
from core.storable import dump_storable_json, require_storable_json, require_storable_text
from services.imports.import_tables import ColumnKind
from services.imports.row_values import (
    read_integer,
    read_number,
)

_TIMESTAMP: Final = re.compile(
    r"(\d{4,6})(-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|[+-]\d\d(?::?\d\d)?(?::?\d\d)?))?)?)",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_000
"""9999-12-31 23:59:59 UTC, which stands for never. So does every later time."""
_CYCLE_YEARS: Final = 400
_CYCLE_MS: Final = 146_097 * 86_400_000
"""The calendar repeats after these years, which are this long. Python's own calendar ends with the year 9999."""
_WHOLE: Final = re.compile(r"[+-]?\d{1,20}(?:\.\d{0,20})?", re.ASCII)
_FLAGS: Final = {"t": True, "true": True, "f": False, "false": False}
_ELEMENT: Final = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}\s\\](?:[^",{}\\]|\\.)*?))\s*(,|$)', re.DOTALL
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

csv.field_size_limit(1 << 30)  # records are bounded as a whole (csv_folder.py)


def read_text(value: str) -> str:
    """A text.

    Raises:
        ValueError: It cannot be stored.
    """
    require_storable_text(value)
    return value


def read_timestamp(value: str) -> int:
    """A timestamp in milliseconds since the epoch. Fractions are cut off, and a time without a zone is in UTC.

    The last second of the year 9999, in any zone, and all that is later is never.

    Raises:
        ValueError: It is not a timestamp, or is out of range.
    """
    if value == "infinity":
        return NEVER
    found = _TIMESTAMP.fullmatch(value)
    if not found:
        raise ValueError("must be a timestamp")
    cycles = max(0, (int(found[1]) - 9_600) // _CYCLE_YEARS)
    text = f"{int(found[1]) - cycles * _CYCLE_YEARS:04}{found[2]}"
    try:
        at = datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-"))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        ms = (at - _EPOCH) // timedelta(milliseconds=1) + cycles * _CYCLE_MS
    except (ValueError, OverflowError):
        raise ValueError("must be a timestamp of an existing date and time") from None
    return NEVER if ms >= _LAST_MS else ms


def read_whole_number(value: str) -> int:
    """An integer of 32 bits; see `read_integer`.

    Raises:
        ValueError: It is not a number, or is out of range.
    """
    if not _WHOLE.fullmatch(value):
        raise ValueError("must be an integer")
    return read_integer(Decimal(value))


def read_amount(value: str) -> Decimal:
    """An exact number; see `read_number`."""
    return read_number(value)


def read_flag(value: str) -> bool:
    """True or false.

    Raises:
        ValueError: It is neither.
    """
    try:
        return _FLAGS[value]
    except KeyError:
        raise ValueError("must be true or false") from None


def read_json(value: str) -> str | None:
    """JSON, unchanged; None for JSON's null.

    Raises:
        ValueError: It is not JSON, or cannot be stored.
    """
    try:
        parsed = parse_json(value)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"must be JSON: {error.msg}") from None
    require_storable_json(value)
    require_storable_numbers(parsed, value.encode(), IMPORT_LINE_BYTES_MAX)
    return None if parsed is None else value.strip()


def read_texts(value: str) -> list[str]:
    """A list of texts, from PostgreSQL's array literal or from JSON.

    Raises:
        ValueError: It is neither.
    """
    if value.startswith("["):
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, list) or not all(isinstance(each, str) for each in parsed):
            raise ValueError("must be a list of strings")
        return [read_text(each) for each in parsed]
    if not (value.startswith("{") and value.endswith("}")):
        raise ValueError("must be a list of strings")
    return list(map(read_text, _parse_array(value[1:-1])))


def _parse_array(inside: str) -> list[str]:
    found, at, more = [], 0, inside.strip() != ""
    while more:
        element = _ELEMENT.match(inside, at)
        if element is None or element[2] in ("NULL", "null"):
            raise ValueError("must be a list of strings")
        found.append(_ESCAPED.sub(r"\1", element[1] if element[1] is not None else element[2]))
        at, more = element.end(), element[3] == ","
    return found


def add_original_value(metadata: str | None, column: str, before: str) -> str:
    """The row's metadata with a column's original value, such as `importedStatus`.

    Metadata that is no object becomes the `value` of one.

    Raises:
        ValueError: It nests too deeply.
    """
    parsed: Any = parse_json(metadata) if metadata else {}
    whole = parsed if isinstance(parsed, dict) else {"value": parsed}
    return dump_storable_json({**whole, f"imported{column.capitalize()}": before}, IMPORT_LINE_BYTES_MAX)


READERS: Final[Mapping[ColumnKind, Callable[[str], Any]]] = {
    ColumnKind.TEXT: read_text,
    ColumnKind.MS: read_timestamp,
    ColumnKind.INT: read_whole_number,
    ColumnKind.BOOL: read_flag,
    ColumnKind.NUMBER: read_amount,
    ColumnKind.JSON: read_json,
    ColumnKind.TEXTS: read_texts,
}
