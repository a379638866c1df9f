"""JSON with exact numbers: reading, writing and comparing.

orjson is fast, but turns each number with a point, an exponent or more than 64 bits into a float. Here orjson reads
the text first. If it would round a number, Python's own parser reads the text again (`core.json_numbers`).

Two values are the same if PostgreSQL's `jsonb` treats them as the same: `1`, `1.0` and `1e0` are the same, `true`
and `1` are not, and the order of names does not matter. In Python `True == 1`, so compare JSON with `is_same_json`
alone.
"""

import json
import re
from decimal import Decimal
from typing import Any, Final

import orjson

from core.json_numbers import Fractions, TooManyExactNumbersError, loses_numbers, overflows, parse_number

_NUMBERS: Final = frozenset({int, float, Decimal})
_INT64: Final = range(-(2**63), 2**64)
_NOT_JSON: Final = "must be JSON of finite numbers and whole surrogate pairs, and not nested too deeply"
_ESCAPED_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def parse_json(text: bytes | str, exact_max: int | None = None) -> Any:
    """The value of a JSON text, every number exact.

    Args:
        text: The JSON.
        exact_max: How many numbers with a point or an exponent may have more digits than a float; None for all.

    Raises:
        TooManyExactNumbersError: It has more of them. This is an `orjson.JSONDecodeError`, too.
        orjson.JSONDecodeError: It is not JSON, or nests too deep.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        encoded = text.encode(errors="surrogatepass") if isinstance(text, str) else text
        if not overflows(encoded):
            raise
        return _parse_strictly(encoded, error, exact_max)
    encoded = text.encode() if isinstance(text, str) else text
    return _parse_exactly(encoded.decode(), exact_max) if loses_numbers(encoded) else value


def _parse_exactly(text: str, exact_max: int | None) -> Any:
    try:
        return json.loads(text, parse_float=Fractions(exact_max), parse_constant=_refuse)
    except RecursionError as error:
        raise orjson.JSONDecodeError("recursion limit exceeded", "", 0) from error
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python makes no int of so many digits
        fractions = Fractions(exact_max)
        return json.loads(text, parse_float=fractions, parse_int=parse_number, parse_constant=_refuse)


def _parse_strictly(text: bytes, error: orjson.JSONDecodeError, exact_max: int | None) -> Any:
    """JSON that orjson refused: for a large number or for something else that is wrong with it, its `error`."""
    try:
        value = _parse_exactly(text.decode(), exact_max)
        if b"\\ud" in text.lower():  # halves of surrogate pairs, which Python's parser lets pass
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except TooManyExactNumbersError:
        raise
    except (ValueError, RecursionError):
        raise error from None
    return value


def _refuse(name: str) -> Any:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


def dump_json(value: Any, *, sort_keys: bool = False) -> bytes:
    """The compact JSON text of a value, with every number exact. Floats that are not finite become null.

    Raises:
        ValueError: It is not a JSON value, or nests too deep.
    """
    options = orjson.OPT_SORT_KEYS if sort_keys else None
    try:
        return orjson.dumps(value, _render_number, options)
    except TypeError as error:
        try:
            return orjson.dumps(_with_large_integers(value), _render_number, options)
        except (TypeError, ValueError, RecursionError):
            raise ValueError(_NOT_JSON) from error


def build_json_key(value: Any) -> bytes:
    """A cache key, equal for equal JSON values with numbers in the same notation; `1`, `1.0` and `true` differ."""
    try:
        return dump_json(value, sort_keys=True)
    except ValueError:  # values that no request has, such as half surrogate pairs
        return repr(value).encode()


def _render_number(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _with_large_integers(value: Any) -> Any:
    """The same value; integers that orjson cannot write become text."""
    if type(value) is int:
        return value if value in _INT64 else orjson.Fragment(str(value))
    if isinstance(value, dict):
        return {key: _with_large_integers(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_with_large_integers(child) for child in value]
    return value


def is_same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same by the rules of `jsonb`."""
    if type(one) in _NUMBERS and type(other) in _NUMBERS:
        return _is_same_number(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            is_same_json(child, other[key]) for key, child in one.items()
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same_json, one, other))
    return bool(one == other)


def _is_same_number(one: Any, other: Any) -> bool:
    if type(one) is type(other):
        return bool(one == other)
    return bool(_decimal(one) == _decimal(other))


def _decimal(number: Any) -> Any:
    """A float has the value of its shortest text: 0.1 is a tenth."""
    return Decimal(repr(number)) if type(number) is float else number


def is_same_json_text(one: str, other: str) -> bool:
    """Whether two JSON texts have the same value; false if one of them nests too deep for a comparison."""
    if one == other:
        return True
    try:
        return is_same_json(parse_json(one), parse_json(other))
    except (orjson.JSONDecodeError, RecursionError):
        return False


def has_nul(text: str) -> bool:
    """Whether a text in this JSON has a NUL character, which PostgreSQL cannot store."""
    if "\\u0000" not in text:  # the pattern alone takes ten times as long
        return False
    return _ESCAPED_NUL.search(text) is not None
