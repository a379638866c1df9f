"""The scalars beside GraphQL's own. Values leave as the database gives them: no parsing on the way out."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NewType

import strawberry
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from core.clock import NEVER

Timestamp = NewType("Timestamp", int)
"""Milliseconds since the epoch; a JSON number, exact up to 2^53 - 1."""

_DECIMAL = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?")


def _parse_timestamp(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError("Timestamp is a whole number of milliseconds since the epoch")
    if not -NEVER <= value <= NEVER:
        raise ValueError("Timestamp is outside of the 53 bits that a JSON number holds exactly")
    return int(value)


def _parse_decimal(value: Any) -> Decimal:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise ValueError('Decimal is a string such as "12.50"')
    return Decimal(value)


def _as_it_is(value: Any) -> Any:
    return value


SCALARS: Mapping[object, ScalarDefinition] = {
    Timestamp: strawberry.scalar(
        name="Timestamp",
        description="Milliseconds since the epoch (UTC), a whole number that JSON holds exactly (53 bits).",
        serialize=_as_it_is,
        parse_value=_parse_timestamp,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number, written as a string: "12.50". Never a float.',
        serialize=str,
        parse_value=_parse_decimal,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value: object, list, string, number, boolean or null.",
        serialize=_as_it_is,
        parse_value=_as_it_is,
    ),
}
