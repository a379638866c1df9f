"""What PostgreSQL writes as text, in a CSV file or a dump, into the values of a record."""

import csv
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import orjson

from core.clock import NEVER
from services.imports.shapes import Kind
from services.imports.values import integer, json_text, number, require_storable_json, require_storable_text

_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|[+-]\d\d(?::?\d\d)?(?::?\d\d)?))?)?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_WHOLE: Final = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_FLAGS: Final = {"t": True, "true": True, "f": False, "false": False}
_ELEMENT: Final = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}\s\\](?:[^",{}\\]|\\.)*?))\s*(,|$)', re.DOTALL
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

csv.field_size_limit(1 << 30)  # records are bounded as a whole (csv_folder.py)


def text(value: str) -> str:
    """A text.

    Raises:
        ValueError: It cannot be stored.
    """
    require_storable_text(value)
    return value


def moment(value: str) -> int:
    """A timestamp in milliseconds since the epoch, a fraction cut off; without a zone it is in UTC.

    Raises:
        ValueError: It is none, or none that can be counted.
    """
    if value == "infinity":
        return NEVER
    if not _MOMENT.fullmatch(value):
        raise ValueError("is not a timestamp")
    try:
        at = datetime.fromisoformat(value.replace(" +", "+").replace(" -", "-"))
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        return NEVER if at == _LAST else (at - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        raise ValueError("is not a timestamp that there is") from None


def whole(value: str) -> int:
    """A whole number.

    Raises:
        ValueError: It is none of 32 bits.
    """
    if not _WHOLE.fullmatch(value):
        raise ValueError("is not a whole number")
    return integer(int(value))


def amount(value: str) -> Decimal:
    """An exact number; see `number`."""
    return number(value)


def flag(value: str) -> bool:
    """True or false.

    Raises:
        ValueError: It is neither.
    """
    try:
        return _FLAGS[value]
    except KeyError:
        raise ValueError("is neither true nor false") from None


def json_as_it_is(value: str) -> str | None:
    """JSON, untouched; None for JSON's null.

    Raises:
        ValueError: It is none, or cannot be stored.
    """
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg}") from None
    require_storable_json(value)
    return None if parsed is None else value.strip()


def texts(value: str) -> list[str]:
    """A list of texts, as PostgreSQL's array literal or as JSON.

    Raises:
        ValueError: It is neither.
    """
    if value.startswith("["):
        try:
            parsed = orjson.loads(value)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, list) or not all(isinstance(each, str) for each in parsed):
            raise ValueError("is not a list of texts")
        return [text(each) for each in parsed]
    if not (value.startswith("{") and value.endswith("}")):
        raise ValueError("is not a list of texts")
    return list(map(text, _elements(value[1:-1])))


def _elements(inside: str) -> list[str]:
    found, at, more = [], 0, inside.strip() != ""
    while more:
        element = _ELEMENT.match(inside, at)
        if element is None or element[2] in ("NULL", "null"):
            raise ValueError("is not a list of texts")
        found.append(_ESCAPED.sub(r"\1", element[1] if element[1] is not None else element[2]))
        at, more = element.end(), element[3] == ","
    return found


def with_kept(metadata: str | None, column: str, before: str) -> str | None:
    """The row's metadata with what a column said before, as `importedStatus`; None where there is no room for it.

    Raises:
        ValueError: It nests too deeply.
    """
    parsed: Any = orjson.loads(metadata) if metadata else {}
    if not isinstance(parsed, dict):
        return None
    return json_text({**parsed, f"imported{column.capitalize()}": before})


READERS: Final[Mapping[Kind, Callable[[str], Any]]] = {
    Kind.TEXT: text,
    Kind.MS: moment,
    Kind.INT: whole,
    Kind.BOOL: flag,
    Kind.NUMBER: amount,
    Kind.JSON: json_as_it_is,
    Kind.TEXTS: texts,
}
