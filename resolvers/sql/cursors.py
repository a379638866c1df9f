"""Cursors: the position of a row in one list, opaque to clients.

A cursor is base64url of a JSON array: the list's fingerprint, the parent's id (null at the root), and the row's
values in the list's order. PostgreSQL writes it, so data loaders and compiled statements give the same cursor.
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
from core.limits import NUMERIC_DIGITS_MAX, NUMERIC_PLACES_MAX
from resolvers.sql.ordering import KeyValue, Order
from resolvers.sql.parameters import Param, require_bindable_text
from schema.table import Kind

_FINGERPRINT_BYTES: Final = 9
_PAGE_ARGUMENTS: Final = {"first", "after", "last", "before", "offset", "orderBy"}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A parsed cursor."""

    parent: str | None
    key: tuple[KeyValue, ...]


def list_fingerprint(
    list_name: str, tenant_id: str | Param | None, arguments: Mapping[str, Any], order: Order
) -> str:
    """Identifies a list by its field, tenant, filter, search and order. The page is not part of it.

    It depends on the values of parameters, so a plan that uses it fits no other values.

    Raises:
        BadUserInputError: The filter has a JSON value that nests too deep, or a number of thousands of digits.
    """
    terms = [(term.column.name, term.descending, term.nulls_first) for term in order]
    relevant = {
        name: value for name, value in arguments.items() if name not in _PAGE_ARGUMENTS and _is_given(value)
    }
    try:
        text = json.dumps([list_name, tenant_id, relevant, terms], sort_keys=True, default=_to_plain_value)
    except (ValueError, RecursionError) as error:
        raise BadUserInputError("Invalid filter: a JSON value is nested too deeply or is too long") from error
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_FINGERPRINT_BYTES)
    return base64.urlsafe_b64encode(digest.digest()).decode()


def _is_given(argument: object) -> bool:
    return isinstance(argument, Param) or bool(argument)


def _to_plain_value(value: object) -> str | int:
    return value.value if isinstance(value, Param) else str(value)


def build_cursor_sql(fingerprint_bound: str, parent: str, order: Order, alias: str) -> str:
    """The SQL expression of a row's cursor. `parent` is the expression of the parent's id."""
    key = ", ".join(term.column.sql(alias) for term in order)
    array = f"json_build_array({fingerprint_bound}, {parent}, {key})::text"
    return rf"translate(encode(convert_to({array}, 'UTF8'), 'base64'), E'+/=\n', '-_')"


def parse_cursor(text: str, expected: str, order: Order) -> Cursor:
    """Parse a cursor.

    Raises:
        BadUserInputError: It is not a cursor, or it belongs to another list, filter or order.
    """
    fields = _decode_cursor(text)
    if len(fields) != len(order) + 2 or fields[0] != expected or not isinstance(fields[1], str | None):
        raise BadUserInputError("Invalid cursor: it belongs to another list, filter or order")
    key = tuple(fields[2:])
    if not all(
        _is_of_kind(value, term.column.kind, nullable=term.column.nullable)
        for value, term in zip(key, order, strict=True)
    ):
        raise BadUserInputError(_INVALID_CURSOR)
    for value in key:
        if isinstance(value, str):
            require_bindable_text(value)
    return Cursor(fields[1], key)


_INVALID_CURSOR: Final = (
    "Invalid cursor: it must be the `cursor`, `startCursor` or `endCursor` of a response, unchanged"
)


def _decode_cursor(text: str) -> Sequence[Any]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        fields = json.loads(raw.decode(), parse_float=Decimal)
    except (binascii.Error, ValueError, ArithmeticError, RecursionError) as error:
        raise BadUserInputError(_INVALID_CURSOR) from error
    if not isinstance(fields, list):
        raise BadUserInputError(_INVALID_CURSOR)
    return fields


def _is_of_kind(value: Any, kind: Kind, *, nullable: bool) -> bool:
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
    scale = -int(number.as_tuple().exponent)
    return number.adjusted() < NUMERIC_DIGITS_MAX and scale <= NUMERIC_PLACES_MAX
