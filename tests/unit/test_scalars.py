"""The scalars: what is taken and what is refused, as a variable and in the document."""

from decimal import Decimal
from typing import Any, Final

import pytest
from graphql import GraphQLScalarType, parse_value

from core.clock import NEVER
from schema.build import build_graphql_schema, build_schema

TYPES: Final = build_graphql_schema(build_schema()).type_map


def get_scalar(name: str) -> GraphQLScalarType:
    found = TYPES[name]
    assert isinstance(found, GraphQLScalarType)
    return found


@pytest.mark.parametrize("value", [0, -1, NEVER, -NEVER, 1.0, -0.0])
def test_timestamp_of_whole_number_is_accepted(value: float) -> None:
    taken = get_scalar("Timestamp").parse_value(value)
    assert taken == value
    assert type(taken) is int


@pytest.mark.parametrize(
    "value", [True, 0.5, "1", None, [], {}, 2**53, -(2**53), 10**400, float("nan"), float("inf"), -float("inf")],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_timestamp_of_other_value_is_refused(value: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        get_scalar("Timestamp").parse_value(value)


@pytest.mark.parametrize("text", ["0", "-0", "+1", "12.50", "1" * 40 + "." + "1" * 40, "007"])
def test_decimal_of_digits_is_exact(text: str) -> None:
    assert get_scalar("Decimal").parse_value(text) == Decimal(text)


@pytest.mark.parametrize(
    "value",
    ["", " 1", "1 ", "1\n", "1.", ".5", "1e5", "NaN", "Infinity", "0x1", "1_0", "1,5", "\u0661", "1" * 41,
     1, 1.5, True, None],
)  # fmt: skip
def test_decimal_of_other_value_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="Invalid Decimal: it must be a string"):
        get_scalar("Decimal").parse_value(value)


def test_decimal_serialize_keeps_trailing_zeros() -> None:
    assert get_scalar("Decimal").serialize(Decimal("12.50")) == "12.50"


@pytest.mark.parametrize(
    ("literal", "value"),
    [("{a: [1, 2.5, true, null, \"x\", E]}", {"a": [1, 2.5, True, None, "x", "E"]}), ("1", 1), ('"\\u0000"', "\x00")],
)  # fmt: skip
def test_json_scalar_accepts_any_value(literal: str, value: Any) -> None:
    assert get_scalar("JSON").parse_literal(parse_value(literal), None) == value
    assert get_scalar("JSON").parse_value(value) is value
    assert get_scalar("JSON").serialize(value) is value


@pytest.mark.parametrize(
    ("name", "literal"), [("Timestamp", "1e999"), ("Timestamp", '"1"'), ("Decimal", "1.5")]
)
def test_scalar_literal_is_checked_as_a_variable(name: str, literal: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        get_scalar(name).parse_literal(parse_value(literal), None)
    assert get_scalar("Timestamp").parse_literal(parse_value("1700000000000"), None) == 1_700_000_000_000
