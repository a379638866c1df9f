"""JSON with exact numbers: read, written and compared."""

import json
import math
from decimal import Decimal
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.exact_json import build_json_key, dump_json, is_same_json, is_same_json_text, parse_json
from core.json_numbers import TooManyExactNumbersError, parse_number
from core.limits import EXACT_NUMBERS_MAX
from tests.counted_work import count_steps, fail_if_hung

NUMBERS: Final = (
    "12345678901234567890123", "18446744073709551615", "18446744073709551616", "-9223372036854775808",
    "-9223372036854775809", "0.12345678901234567890123", "0.1", "1.10", "-0", "-0.0", "1e400", "-1e400", "1e-400",
    "1E+308", "1e309", "5e-324", "123456789012345e-310", "0.12345678901234567", "9007199254740993.0", "1e22",
    "1" + "0" * 400, "1" * 5_000, "-" + "1" * 5_000, "0e999", "0.1e-999", "12345678901234567e-3", "1e131071",
)  # fmt: skip

_NUMBER: Final = r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?"


class Raw(str):
    """A number as it is written."""


numbers = st.from_regex(_NUMBER, fullmatch=True, alphabet=st.characters(codec="ascii")).map(Raw)
strings = st.one_of(st.text(max_size=20), st.uuids().map(str), numbers.map("a, {}".format))
values = st.recursive(
    st.one_of(numbers, strings, st.booleans(), st.none()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


def write_json(value: Any) -> str:
    """The JSON of a generated value."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)} :{write_json(child)}" for key, child in value.items()) + "}"
    return f"[{', '.join(map(write_json, value))}]" if isinstance(value, list) else json.dumps(value)


def parse_reference(text: str | bytes) -> Any:
    """JSON from the simplest parser: every number is a decimal, marked to equal no other value."""
    return json.loads(text, parse_float=_mark_number, parse_int=_mark_number)


def _mark_number(text: str) -> tuple[str, Decimal]:
    return "number", Decimal(text)


@pytest.mark.parametrize("text", NUMBERS)
@pytest.mark.parametrize(
    "template", ["{}", "[{}]", '{{"a": {}}}', '{{"a":{} }}', '["x",\n{},1]', '{{"1e-400":[-1,{}]}}']
)
def test_parse_json_hard_number_keeps_its_value(text: str, template: str) -> None:
    document = template.format(text)
    for given_as in (document, document.encode()):
        assert parse_reference(dump_json(parse_json(given_as))) == parse_reference(document)


@given(values)
def test_parse_json_any_value_keeps_its_numbers(value: Any) -> None:
    document = write_json(value)
    assert parse_reference(dump_json(parse_json(document))) == parse_reference(document)
    assert parse_reference(dump_json(parse_json(document.encode()), sort_keys=True)) == parse_reference(
        document
    )


@given(values, values)
def test_is_same_json_text_of_any_two_values_agrees_with_decimals(first: Any, second: Any) -> None:
    one, other = write_json(first), write_json(second)
    assert is_same_json_text(one, other) == (parse_reference(one) == parse_reference(other))
    assert is_same_json_text(one, f" {one} ")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1", "true", False), ("0", "false", False), ("[1]", "[true]", False), ('{"a":0}', '{"a":false}', False),
        ("1", "1.0", True), ("1", "1e0", True), ("-0.0", "0", True), ("0.1", "0.10", True), ("null", "false", False),
        ("1", '"1"', False), ('""', "null", False), ("[]", "{}", False), ('{"a":1,"b":2}', '{"b":2,"a":1}', True),
        ('{"a":1}', '{"a":1,"b":2}', False), ("[1,2]", "[2,1]", False), ("[1]", "[1,1]", False),
        ("18446744073709551616", "18446744073709551617", False), ("1e22", "10000000000000000000000", True),
        ("0.12345678901234567890123", "0.12345678901234567890124", False), ("1e400", "1" + "0" * 400, True),
        ("0.1", "0.1000000000000000055511151231257827", False), ("9007199254740993.0", "9007199254740992.0", False),
    ],
)  # fmt: skip
def test_is_same_json_distinguishes_neighboring_values(one: str, other: str, same: bool) -> None:
    assert is_same_json(parse_json(one), parse_json(other)) is same
    assert is_same_json(parse_json(other), parse_json(one)) is same
    assert is_same_json_text(one, other) is same


def test_json_key_of_values_equal_in_python_differs() -> None:
    hard: list[Any] = [
        1,
        1.0,
        True,
        "1",
        None,
        Decimal("1e400"),
        "1E+400",
        "Decimal('1E+400')",
        2**64,
        "\ud800",
    ]
    assert len({build_json_key({"x": value}) for value in hard}) == len(hard)
    assert build_json_key({"a": 1, "b": {"d": 1, "c": 2}}) == build_json_key({"b": {"c": 2, "d": 1}, "a": 1})


@pytest.mark.parametrize(
    "text",
    ["NaN", "[1e400,NaN]", "[1e400,Infinity]", '["\\ud800",1e400]', "[1e400", "01e400", '"\\x1e400"', "1e400,"],
)  # fmt: skip
def test_parse_json_malformed_is_refused_as_by_orjson(text: str) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        parse_json(text)


def test_parse_number_exponent_of_twenty_digits_is_not_finite() -> None:
    assert parse_number("1e99999999999999999999") == Decimal("Infinity")
    assert parse_number("1e-99999999999999999999") == Decimal("Infinity")
    assert parse_number("0e99999999999999999999") == 0
    with pytest.raises(ValueError, match="could not convert"):
        parse_number("1.2.3")


@pytest.mark.parametrize("value", [math.nan, Decimal("Infinity"), Decimal("NaN")])
def test_dump_json_decimal_that_is_not_finite_is_refused(value: Any) -> None:
    if isinstance(value, float):
        assert dump_json(value) == b"null"
    else:
        with pytest.raises(ValueError, match="finite"):
            dump_json([value])


@pytest.mark.parametrize(
    "document",
    [
        b'"' + b"1" * (1 << 20) + b'"', b'"' + b"1e-999" * 170_000 + b'"', b'"' + b", 1e-999" * 120_000 + b'"',
        b"[" + b"1.5," * 250_000 + b"12345678901234567890123]", b"[" + b"0.12345678901234567," * 50_000 + b"1]",
        b"1" * (1 << 20), b"[" + b"1" * (1 << 20), b'"' + b", 12345678901234567890" * 50_000 + b'"',
    ],
    ids=range(8),
)  # fmt: skip
def test_parse_json_megabyte_of_hard_numbers_takes_linear_time(document: bytes) -> None:
    def parse() -> None:
        try:
            parse_json(document)
        except orjson.JSONDecodeError:
            assert document.startswith(b"[1111")

    with fail_if_hung():
        assert count_steps(parse) < 2 * len(document)


@pytest.mark.parametrize("number", ["0.1234567890123456789", "1e400", "1.5e-400", "0.10000000000000001"])
def test_parse_json_more_exact_numbers_than_allowed_are_refused(number: str) -> None:
    def listed(count: int) -> str:
        return "[" + ",".join([number] * count) + ",0.5,0.12345678901234568,12345678901234567890123]"

    assert len(parse_json(listed(3), 3)) == 6
    with pytest.raises(TooManyExactNumbersError, match="more than 3 numbers"):
        parse_json(listed(4), 3)
    assert len(parse_json(listed(4))) == 7


@pytest.mark.parametrize(
    "number",
    [b"0.12345678901234567890123", b"0.123456789012345678", b"1e400", b"1e-300", b"1.5e-320", b"0e-400"],
)
def test_parse_json_megabyte_of_exact_numbers_is_refused_after_its_first_numbers(number: bytes) -> None:
    document = b"[" + b",".join([number] * ((1 << 20) // (len(number) + 1))) + b"]"

    def parse() -> None:
        with pytest.raises(TooManyExactNumbersError):
            parse_json(document, EXACT_NUMBERS_MAX)

    assert count_steps(parse) < 30 * EXACT_NUMBERS_MAX
