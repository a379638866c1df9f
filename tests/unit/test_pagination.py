"""Page arguments: what they come to, and which are refused."""

from typing import Any

import pytest

from core.errors import BadUserInputError
from core.limits import PAGE_DEFAULT, PAGE_MAX
from resolvers.sql.pagination import PageRequest, parse_page_arguments


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        ({}, PageRequest(PAGE_DEFAULT)),
        ({"first": None, "last": None, "offset": None, "after": None}, PageRequest(PAGE_DEFAULT)),
        ({"first": 0}, PageRequest(0)),
        ({"first": PAGE_MAX}, PageRequest(PAGE_MAX)),
        ({"last": 0}, PageRequest(0, backward=True)),
        ({"last": 3, "before": "c"}, PageRequest(3, backward=True, before="c")),
        ({"first": 3, "after": "a", "before": "c"}, PageRequest(3, after="a", before="c")),
        ({"last": 3, "after": "a"}, PageRequest(3, backward=True, after="a")),
        ({"before": "c"}, PageRequest(PAGE_DEFAULT, before="c")),
        ({"offset": 7}, PageRequest(PAGE_DEFAULT, offset=7)),
        ({"offset": 0, "after": "a"}, PageRequest(PAGE_DEFAULT, after="a")),
        ({"offset": 0, "last": 1}, PageRequest(1, backward=True)),
        ({"after": ""}, PageRequest(PAGE_DEFAULT, after="")),
    ],
)
def test_page_arguments_give_their_page(arguments: dict[str, Any], page: PageRequest) -> None:
    assert parse_page_arguments(arguments) == page


@pytest.mark.parametrize(
    ("arguments", "bad"),
    [
        ({"first": -1}, {"first"}),
        ({"first": PAGE_MAX + 1}, {"first"}),
        ({"last": PAGE_MAX + 1}, {"last"}),
        ({"offset": -1}, {"offset"}),
        ({"first": 0, "last": 0}, {"last"}),
        ({"offset": 1, "last": 0}, {"offset"}),
        ({"offset": 1, "after": "a"}, {"offset"}),
        ({"offset": 1, "before": ""}, {"offset"}),
        ({"first": -1, "last": -1, "offset": -1}, {"first", "last", "offset"}),
    ],
)
def test_page_arguments_invalid_are_refused_by_name(arguments: dict[str, Any], bad: set[str]) -> None:
    with pytest.raises(BadUserInputError) as refused:
        parse_page_arguments(arguments)
    assert set(refused.value.fields) == bad
    assert all(f"{name}: " in refused.value.message for name in bad)
