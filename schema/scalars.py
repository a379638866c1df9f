"""The scalars in addition to GraphQL's own. Output values are those of the database, without any conversion."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NewType

import strawberry
from graphql import (
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    value_from_ast_untyped,
)
from strawberry.scalars import JSON
from strawberry.types.scalar import ScalarDefinition

from core.clock import NEVER
from core.json_numbers import parse_number

Timestamp = NewType("Timestamp", int)
"""Milliseconds since the epoch, as a JSON number, exact up to 2^53 - 1."""

_DECIMAL = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?")


def _parse_timestamp(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1:
        raise ValueError("Invalid Timestamp: it must be an integer, in milliseconds since the epoch")
    if not -NEVER <= value <= NEVER:
        raise ValueError("Invalid Timestamp: it must fit in the 53 bits that a JSON number holds exactly")
    return int(value)


def _parse_decimal(value: Any) -> Decimal:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise ValueError('Invalid Decimal: it must be a string such as "12.50"')
    return Decimal(value)


def _keep_value(value: Any) -> Any:
    return value


def _parse_json_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
    """Parse a JSON literal with exact numbers."""
    if isinstance(node, IntValueNode | FloatValueNode):
        return parse_number(node.value)
    if isinstance(node, ListValueNode):
        return [_parse_json_literal(child, variables) for child in node.values]
    if isinstance(node, ObjectValueNode):
        return {field.name.value: _parse_json_literal(field.value, variables) for field in node.fields}
    return value_from_ast_untyped(node, dict(variables) if variables else None)


SCALARS: Mapping[object, ScalarDefinition] = {
    Timestamp: strawberry.scalar(
        name="Timestamp",
        description="A time in milliseconds since the epoch (UTC): an integer that JSON holds exactly (53 bits).",
        serialize=_keep_value,
        parse_value=_parse_timestamp,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number as a string: "12.50". Never a float.',
        serialize=str,
        parse_value=_parse_decimal,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description=(
            "Any JSON value: object, list, string, number, boolean or null. Numbers keep their exact value "
            "in variables and in literals. They may have up to 131,072 digits before the decimal point and "
            "16,383 after it."
        ),
        serialize=_keep_value,
        parse_value=_keep_value,
        parse_literal=_parse_json_literal,
    ),
}
