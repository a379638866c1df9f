"""Numbers of JSON and of GraphQL literals, parsed without loss.

A whole number becomes an `int`. Any other number becomes a `float` if the float's shortest text has the same value,
else a `Decimal`. So `0.1` is a float, and `0.12345678901234567890123` and `1e400` are decimals. A number that
exceeds even a decimal becomes an infinite decimal, which every writer refuses.
"""

import math
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import chain, islice
from typing import Any, Final

import orjson

from core.limits import NUMERIC_DIGITS_MAX, NUMERIC_PLACES_MAX

Number = int | float | Decimal

_INT_CHARS_MAX: Final = 4_300
"""Digits that Python converts to an `int`. More take quadratic time, and Python refuses them by default."""

_SAFE_CHARS: Final = 15
"""A float keeps this many significant digits, so it keeps every number of this many characters."""

_SAFE_MIN: Final = 1e-290
"""Floats near 0 have fewer digits. This is well above the first of them."""

_MARKS: Final = bytes.maketrans(b"0123456789.E", b"00000000000e")
_LONG: Final = b"0" * (_SAFE_CHARS + 1)
_TINY: Final = b"0e-000"
_HUGE: Final = (b"0e000", b"0e+000")
_EXPONENTS: Final = (b"0e00", b"0e-00", b"0e+00")
_SEARCHES_MAX: Final = 2_000
"""Numbers of one text that are examined one by one. If there are more, parsing the whole text again takes no
longer."""

_SEPARATORS: Final = b" \t\r\n[:,"
_TOKEN: Final = re.compile(rb"[0-9.]+(?:[eE][+-]?[0-9]+)?")


def parse_number(text: str) -> Number:
    """Parse a number from JSON or from a GraphQL literal.

    Raises:
        ValueError: The text is not a number.
    """
    if text.lstrip("-").isdecimal():
        return int(text) if len(text) <= _INT_CHARS_MAX else _parse_decimal(text)
    return parse_fraction(text)


def parse_fraction(text: str) -> float | Decimal:
    """Parse a number that has a point or an exponent.

    Raises:
        ValueError: The text is not a number.
    """
    value = float(text)
    if len(text) <= _SAFE_CHARS and _SAFE_MIN < abs(value) < math.inf:
        return value
    if repr(value) == text:
        return value
    exact = _parse_decimal(text)
    return value if math.isfinite(value) and exact == Decimal(repr(value)) else exact


class TooManyExactNumbersError(orjson.JSONDecodeError):
    """A JSON text has more numbers than allowed whose digits a float does not keep."""


class Fractions:
    """Reads the numbers of one JSON text that have a point or an exponent, as `parse_fraction` does."""

    def __init__(self, exact_max: int | None) -> None:
        """Allows `exact_max` numbers that take a look at their digits; None for any number."""
        self._most = exact_max
        self._left = math.inf if exact_max is None else exact_max

    def __call__(self, text: str) -> float | Decimal:
        """The number.

        Raises:
            TooManyExactNumbersError: There have been more than allowed.
        """
        value = float(text)
        if _SAFE_MIN < abs(value) < math.inf and (len(text) <= _SAFE_CHARS or repr(value) == text):
            return value
        self._left -= 1
        if self._left < 0:
            raise TooManyExactNumbersError(
                f"more than {self._most} numbers have a decimal point or an exponent, and more digits than a "
                "float",
                "",
                0,
            )
        return parse_fraction(text)


def _parse_decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # the exponent has more than 18 digits
        mantissa = re.split("[eE]", text, maxsplit=1)[0]
        return Decimal(0) if not mantissa.strip("-0.") else Decimal("Infinity")


def loses_numbers(text: bytes) -> bool:
    """Whether orjson may round a number in this JSON, which is valid for orjson. Takes linear time."""
    marked = text.translate(_MARKS)
    if _LONG not in marked and _TINY not in marked:
        return False
    starts = chain(_find_long_numbers(text, marked), _find_tiny_numbers(marked))
    for start in islice(starts, _SEARCHES_MAX):
        before = text[max(0, start - 2) : start].removesuffix(b"-")
        if (not before or before[-1] in _SEPARATORS) and not _is_kept(_read_token(text, start)):
            return True
    return next(starts, None) is not None


def overflows(text: bytes) -> bool:
    """Whether JSON that orjson refuses may contain a number that is too large for a float."""
    marked = text.translate(_MARKS)
    return _LONG in marked or any(mark in marked for mark in _HUGE)


def _find_long_numbers(text: bytes, marked: bytes) -> Iterator[int]:
    """Positions with more consecutive digits and points than a float keeps. They may be inside a string."""
    at = marked.find(_LONG)
    while at >= 0:
        yield at
        at = marked.find(_LONG, at + len(_read_token(text, at)))


def _find_tiny_numbers(marked: bytes) -> Iterator[int]:
    """Start positions of numbers with an exponent near the end of a float's range, without the long numbers."""
    at = marked.find(_TINY)
    while at >= 0:
        digits = marked[max(0, at + 1 - len(_LONG)) : at + 1]
        yield at + len(digits.rstrip(b"0")) + 1 - len(digits)
        at = marked.find(_TINY, at + len(_TINY))


def _read_token(text: bytes, start: int) -> bytes:
    found = _TOKEN.match(text, start)
    assert found is not None  # noqa: S101 - there is a digit or a point
    return found[0]


def _is_kept(token: bytes) -> bool:
    try:
        number = parse_number(token.decode())
    except ValueError:  # a version or an address in a string
        return True
    return isinstance(number, float) or (isinstance(number, int) and number < 2**63)


def require_storable_numbers(value: Any, text: bytes, written_max: int | None = None) -> None:
    """Check that PostgreSQL's jsonb can store every number of a JSON value.

    PostgreSQL writes numbers without exponents: `1e300` has 301 digits there.

    Args:
        value: The JSON value.
        text: Its JSON.
        written_max: Characters that the value may have as PostgreSQL writes it; None for any number.

    Raises:
        ValueError: A number cannot be stored, or the value is too long.
    """
    marked, beyond = text.translate(_MARKS), 0
    if _LONG in marked or b"null" in text or any(mark in marked for mark in _EXPONENTS):
        beyond = sum(map(_count_extra_digits, _list_fractions(value)))
    if written_max is not None and len(text) + beyond > written_max:
        raise ValueError(f"must have at most {written_max} characters of JSON, not {len(text) + beyond}")


def _list_fractions(value: Any) -> list[float | Decimal]:
    """All numbers in a value that are not `int`."""
    children, found = [value], []
    for child in children:  # the list grows during the loop
        kind = type(child)
        if kind is dict:
            children.extend(child.values())
        elif kind is list or kind is tuple:
            children.extend(child)
        elif kind is float or kind is Decimal:
            found.append(child)
    return found


def _count_extra_digits(number: float | Decimal) -> int:
    """How many more characters than the JSON PostgreSQL writes for the number, at most.

    Raises:
        ValueError: PostgreSQL's numeric type cannot store the number.
    """
    if isinstance(number, float) and 1e-5 < abs(number) < 1e16:  # the same in both
        return 0
    exact = Decimal(repr(number)) if isinstance(number, float) else number
    if not exact.is_finite():
        raise ValueError("must not contain a number that is not finite or has too many digits")
    digits = -int(exact.as_tuple().exponent)
    if exact.adjusted() >= NUMERIC_DIGITS_MAX or digits > NUMERIC_PLACES_MAX:
        raise ValueError(
            f"must not contain a number with more than {NUMERIC_DIGITS_MAX} digits before the decimal point "
            f"or {NUMERIC_PLACES_MAX} after it"
        )
    return max(exact.adjusted(), digits, 0)
