"""What the audit log keeps of a changed JSON value."""

import json
from typing import Any

import pytest

from services.writes.json_changes import reduce_to_changes


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ({"b": 2}, {"b": 3})),
        ({"a": 1}, {"a": 1, "b": None}, ({}, {"b": None})),
        ({"a": 1, "b": 2}, {"a": 1}, ({"b": 2}, {})),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ({"a": {"c": 2}}, {"a": {"c": 3}})),
        ({"a": {"b": 1}}, {"a": 5}, ({"a": {"b": 1}}, {"a": 5})),
        ({"a": True}, {"a": 1}, ({"a": True}, {"a": 1})),
        ({"a": 1, "x": 2}, {"a": 1.0, "x": 3}, ({"x": 2}, {"x": 3})),
        (["a", "b", "c"], ["a", "x", "c"], ({"[1]": "b"}, {"[1]": "x"})),
        ([{"a": 1, "b": 2}], [{"a": 1, "b": 3}], ({"[0]": {"b": 2}}, {"[0]": {"b": 3}})),
        (["a", "b"], ["b"], (["a", "b"], ["b"])),
        ([], ["b"], ([], ["b"])),
        ("a", {"a": 1}, ("a", {"a": 1})),
    ],
)
def test_reduce_to_changes_keeps_changed_members(before: Any, after: Any, kept: tuple[Any, Any]) -> None:
    found = reduce_to_changes(json.dumps(before), json.dumps(after))
    assert tuple(map(json.loads, found)) == kept


def test_reduce_to_changes_keeps_numbers_exact() -> None:
    assert reduce_to_changes(
        '{"a": 1.00000000000000000001, "b": 1}', '{"a": 12345678901234567890123, "b": 1}'
    ) == (
        '{"a":1.00000000000000000001}',
        '{"a":12345678901234567890123}',
    )


def test_reduce_to_changes_too_deep_keeps_both_whole() -> None:
    deep = "[" * 2_000 + "1" + "]" * 2_000, "[" * 2_000 + "2" + "]" * 2_000
    assert reduce_to_changes(*deep) == deep
