"""The order of names that a stored configSchema has in its member `$order`."""

from typing import Any

import pytest

from services.configs.written_order import add_written_order


@pytest.mark.parametrize(
    ("schema", "order"),
    [
        ({"b": 1, "a": 2}, {"": ["b", "a"]}),
        ({"properties": {"url": {}, "key": {}}}, {"/properties": ["url", "key"]}),
        ({"bb": 1, "a": 2}, {"": ["bb", "a"]}),
        ({"ä": 1, "zz": 2, "z": 3}, {"": ["ä", "zz", "z"]}),
        ({"items": [{}, {"b": 1, "a": 2}]}, {"/items/1": ["b", "a"]}),
        ({"a/b~": {"b": 1, "a": 2}}, {"/a~1b~0": ["b", "a"]}),
    ],
)
def test_add_written_order_notes_objects_that_jsonb_reorders(schema: Any, order: Any) -> None:
    assert add_written_order(schema) == {**schema, "$order": order}


@pytest.mark.parametrize(
    "schema", [{}, {"a": 1, "b": 2}, {"z": 1, "aa": 2}, {"z": [{"a": {}}]}, [], None, True]
)
def test_add_written_order_adds_nothing_to_the_order_of_jsonb(schema: Any) -> None:
    assert add_written_order(schema) == schema


def test_add_written_order_keeps_the_order_of_a_stored_schema() -> None:
    stored = add_written_order({"b": 1, "a": 2})
    assert add_written_order(dict(sorted(stored.items()))) == stored


@pytest.mark.parametrize("order", [None, [], 1, {"": "ab"}, {"": [1]}])
def test_add_written_order_replaces_a_member_that_is_no_order(order: Any) -> None:
    assert add_written_order({"a": 1, "b": 2, "$order": order}) == {"a": 1, "b": 2}


def test_add_written_order_of_deep_nesting_ends() -> None:
    deep: Any = {"b": 1, "a": 2}
    for _ in range(200):
        deep = {"a": deep}
    assert add_written_order(deep) == deep
