"""The scalars: what is taken and what is refused, as a variable and in the document."""

from decimal import Decimal
from typing import Any, Final

import pytest
from graphql import GraphQLScalarType, parse_value

from core.clock import NEVER
from schema.build import build_schema, graphql_schema

TYPES: Final = graphql_schema(build_schema()).type_map


def scalar(name: str) -> GraphQLScalarType:
    found = TYPES[name]
    assert isinstance(found, GraphQLScalarType)
    return found


@pytest.mark.parametrize("value", [0, -1, NEVER, -NEVER, 1.0, -0.0])
def test_a_time_is_a_whole_number_of_53_bits(value: float) -> None:
    taken = scalar("Timestamp").parse_value(value)
    assert taken == value
    assert type(taken) is int


@pytest.mark.parametrize(
    "value", [True, 0.5, "1", None, [], {}, 2**53, -(2**53), 10**400, float("nan"), float("inf"), -float("inf")],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_anything_else_is_no_time(value: Any) -> None:
    with pytest.raises((ValueError, OverflowError)):
        scalar("Timestamp").parse_value(value)


@pytest.mark.parametrize("text", ["0", "-0", "+1", "12.50", "1" * 40 + "." + "1" * 40, "007"])
def test_an_amount_is_exact(text: str) -> None:
    assert scalar("Decimal").parse_value(text) == Decimal(text)


@pytest.mark.parametrize(
    "value",
    ["", " 1", "1 ", "1\n", "1.", ".5", "1e5", "NaN", "Infinity", "0x1", "1_0", "1,5", "\u0661", "1" * 41,
     1, 1.5, True, None],
)  # fmt: skip
def test_anything_else_is_no_amount(value: Any) -> None:
    with pytest.raises(ValueError, match="Decimal is a string"):
        scalar("Decimal").parse_value(value)


def test_an_amount_is_written_as_it_is_held() -> None:
    assert scalar("Decimal").serialize(Decimal("12.50")) == "12.50"


@pytest.mark.parametrize(
    ("literal", "value"),
    [("{a: [1, 2.5, true, null, \"x\", E]}", {"a": [1, 2.5, True, None, "x", "E"]}), ("1", 1), ('"\\u0000"', "\x00")],
)  # fmt: skip
def test_json_is_any_value(literal: str, value: Any) -> None:
    assert scalar("JSON").parse_literal(parse_value(literal), None) == value
    assert scalar("JSON").parse_value(value) is value
    assert scalar("JSON").serialize(value) is value


@pytest.mark.parametrize(
    ("name", "literal"), [("Timestamp", "1e999"), ("Timestamp", '"1"'), ("Decimal", "1.5")]
)
def test_literals_are_held_to_the_same(name: str, literal: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        scalar(name).parse_literal(parse_value(literal), None)
    assert scalar("Timestamp").parse_literal(parse_value("1700000000000"), None) == 1_700_000_000_000
