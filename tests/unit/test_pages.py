"""Page arguments: what they come to, and which are refused."""

from typing import Any

import pytest

from core.errors import BadUserInputError
from core.limits import PAGE_DEFAULT, PAGE_MAX
from resolvers.pages import Page, page_of


@pytest.mark.parametrize(
    ("arguments", "page"),
    [
        ({}, Page(PAGE_DEFAULT)),
        ({"first": None, "last": None, "offset": None, "after": None}, Page(PAGE_DEFAULT)),
        ({"first": 0}, Page(0)),
        ({"first": PAGE_MAX}, Page(PAGE_MAX)),
        ({"last": 0}, Page(0, backward=True)),
        ({"last": 3, "before": "c"}, Page(3, backward=True, before="c")),
        ({"first": 3, "after": "a", "before": "c"}, Page(3, after="a", before="c")),
        ({"last": 3, "after": "a"}, Page(3, backward=True, after="a")),
        ({"before": "c"}, Page(PAGE_DEFAULT, before="c")),
        ({"offset": 7}, Page(PAGE_DEFAULT, offset=7)),
        ({"offset": 0, "after": "a"}, Page(PAGE_DEFAULT, after="a")),
        ({"offset": 0, "last": 1}, Page(1, backward=True)),
        ({"after": ""}, Page(PAGE_DEFAULT, after="")),
    ],
)
def test_arguments_come_to_a_page(arguments: dict[str, Any], page: Page) -> None:
    assert page_of(arguments) == page


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
def test_a_page_that_cannot_be_is_refused_by_the_arguments_names(
    arguments: dict[str, Any], bad: set[str]
) -> None:
    with pytest.raises(BadUserInputError) as refused:
        page_of(arguments)
    assert set(refused.value.fields) == bad
    assert all(f"{name}: " in refused.value.message for name in bad)
