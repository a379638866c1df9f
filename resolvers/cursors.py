"""Cursors: where a row stands in one list, opaque to clients.

A cursor is base64url of a JSON array: the list's fingerprint, the parent's id (null at the root), and the row's
values under the list's order. PostgreSQL writes it, so that every way of running a list writes the same.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from core.clock import NEVER
from core.errors import BadUserInputError
from resolvers.orders import KeyValue, Order
from resolvers.parameters import refuse_unstorable
from schema.table import Kind

_FINGERPRINT_BYTES: Final = 9
_OF_THE_PAGE: Final = {"first", "after", "last", "before", "offset", "orderBy"}
_DECIMAL_DIGITS_MAX: Final = 131_072
_DECIMAL_PLACES_MAX: Final = 16_383
"""What PostgreSQL's NUMERIC holds ahead of the point and behind it."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor, taken apart."""

    parent: str | None
    key: tuple[KeyValue, ...]


def fingerprint(list_name: str, tenant_id: str | None, arguments: Mapping[str, Any], order: Order) -> str:
    """What tells one list from another: its field, tenant, filter, search and order; not the page.

    Raises:
        BadUserInputError: The filter has a JSON value that nests too deep, or a number of thousands of digits.
    """
    terms = [(term.column.name, term.descending, term.nulls_first) for term in order]
    kept = {name: value for name, value in arguments.items() if value and name not in _OF_THE_PAGE}
    try:
        text = json.dumps([list_name, tenant_id, kept, terms], sort_keys=True, default=str)
    except (ValueError, RecursionError) as error:
        raise BadUserInputError("This filter has a JSON value that nests too deep or is too long") from error
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_FINGERPRINT_BYTES)
    return base64.urlsafe_b64encode(digest.digest()).decode()


def cursor_sql(fingerprint_bound: str, parent: str, order: Order, alias: str) -> str:
    """The SQL expression of a row's cursor; `parent` is the expression of the parent's id."""
    key = ", ".join(term.column.sql(alias) for term in order)
    array = f"json_build_array({fingerprint_bound}, {parent}, {key})::text"
    return rf"translate(encode(convert_to({array}, 'UTF8'), 'base64'), E'+/=\n', '-_')"


def parse_cursor(text: str, expected: str, order: Order) -> Cursor:
    """Take a cursor apart.

    Raises:
        BadUserInputError: It is not a cursor, or one of another list, filter or order.
    """
    parts = _decode(text)
    if len(parts) != len(order) + 2 or parts[0] != expected or not isinstance(parts[1], str | None):
        raise BadUserInputError("This cursor comes from another list, filter or order")
    key = tuple(parts[2:])
    if not all(
        _fits(value, term.column.kind, nullable=term.column.nullable)
        for value, term in zip(key, order, strict=True)
    ):
        raise BadUserInputError(_NO_CURSOR)
    for value in key:
        if isinstance(value, str):
            refuse_unstorable(value)
    return Cursor(parts[1], key)


_NO_CURSOR: Final = (
    "This is not a cursor: take `cursor`, `startCursor` or `endCursor` of an answer as they are"
)


def _decode(text: str) -> Sequence[Any]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw.decode(), parse_float=Decimal)
    except (binascii.Error, ValueError, ArithmeticError, RecursionError) as error:
        raise BadUserInputError(_NO_CURSOR) from error
    if not isinstance(parts, list):
        raise BadUserInputError(_NO_CURSOR)
    return parts


def _fits(value: Any, kind: Kind, *, nullable: bool) -> bool:
    if value is None:
        return nullable
    match kind:
        case Kind.BOOLEAN:
            return isinstance(value, bool)
        case Kind.TIMESTAMP | Kind.INT:
            most = NEVER if kind is Kind.TIMESTAMP else 2**31 - 1
            return isinstance(value, int) and not isinstance(value, bool) and -most - 1 <= value <= most
        case Kind.DECIMAL:
            return _is_plain_number(value)
        case _:
            return isinstance(value, str)


def _is_plain_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    number = Decimal(value)
    places = -int(number.as_tuple().exponent)
    return number.adjusted() < _DECIMAL_DIGITS_MAX and places <= _DECIMAL_PLACES_MAX
