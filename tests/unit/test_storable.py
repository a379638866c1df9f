"""What PostgreSQL can store: texts, and JSON."""

from collections.abc import Callable
from typing import Any

import pytest

from core.limits import VARIABLES_DEPTH_MAX
from core.storable import dump_storable_json, is_storable_text, require_storable_text
from tests.counted_work import count_steps, list_c_calls


def nest_json(depth: int) -> Any:
    value: Any = 1
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    ("text", "problem"),
    [("\x00", "NUL"), ("a\x00b", "NUL"), ("a\ud800", "surrogate"), ("\udfffa", "surrogate")],
)
def test_text_that_cannot_be_stored_is_refused(text: str, problem: str) -> None:
    assert not is_storable_text(text)
    with pytest.raises(ValueError, match=problem):
        require_storable_text(text)


@pytest.mark.parametrize("text", ["", "a", "ä", "\N{PARTY POPPER}", "\x01"])
def test_text_that_can_be_stored_is_accepted(text: str) -> None:
    assert is_storable_text(text)


def test_json_text_has_the_nesting_of_variables_and_no_more() -> None:
    assert dump_storable_json(nest_json(2 * VARIABLES_DEPTH_MAX))
    with pytest.raises(ValueError, match="nested too deeply"):
        dump_storable_json(nest_json(100_000))


def test_json_text_beyond_its_length_is_refused() -> None:
    assert dump_storable_json(["a"], 5) == '["a"]'
    with pytest.raises(ValueError, match="at most 4 characters of JSON, not 5"):
        dump_storable_json(["a"], 4)


@pytest.mark.parametrize(
    "value", [float("nan"), float("-inf"), [1, float("inf")], [10**5_000], "\x00", {"a\x00": 1}]
)
def test_json_text_of_unstorable_value_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        dump_storable_json(value)


@pytest.mark.parametrize("value", ["\\u0000", "\\\\u0000", {"\\": "u0000"}, "\\\\"])
def test_json_text_of_escaped_backslash_is_not_taken_for_nul(value: Any) -> None:
    assert dump_storable_json(value)
    with pytest.raises(ValueError, match="NUL"):
        dump_storable_json([value, "\x00"])


@pytest.mark.parametrize(
    ("check", "value"),
    [(require_storable_text, "ä" * 1_000_000), (dump_storable_json, [[]] * 300_000)],
    ids=["text", "JSON"],
)
def test_value_checks_of_long_value_have_no_loop_and_no_search(
    check: Callable[[Any], object], value: Any
) -> None:
    """A request may have a megabyte of it, in each of its lists. A search takes forty times as long as `in`."""
    assert count_steps(lambda: check(value)) < 100
    assert not {"search", "match", "finditer", "sub"} & set(list_c_calls(lambda: check(value)))
