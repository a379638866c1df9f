"""Which media type a client gets for what it says it accepts."""

import pytest

from api.negotiation import preferred

JSON, GRAPHQL, PAGE = "application/json", "application/graphql-response+json", "text/html"
OFFERS = [JSON, GRAPHQL, PAGE]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        (" , ", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/*", PAGE),
        (BROWSER, PAGE),
        (GRAPHQL, GRAPHQL),
        (GRAPHQL.upper(), GRAPHQL),
        (f"{JSON}; charset=utf-8", JSON),
        (f"{JSON}, {GRAPHQL}", JSON),
        (f"{GRAPHQL}, {JSON}", GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{JSON};q=0.9, {GRAPHQL}", GRAPHQL),
        (f"*/*, {GRAPHQL}", GRAPHQL),
        (f"*/*, {JSON};q=0", GRAPHQL),
        (f"*/*;q=0.1, {JSON};q=0, {GRAPHQL};q=0", PAGE),
        (f"{GRAPHQL};q=0.001", GRAPHQL),
        (f"{GRAPHQL}; q=0.5 ; x=y, {JSON}; q=0.4", GRAPHQL),
        ("text/plain", None),
        (f"{JSON};q=0", None),
        (f"{JSON};q=nan", None),
        (f"{JSON};q=1e9, {GRAPHQL};q=0.1", GRAPHQL),
        (f"{JSON};q=-1", None),
        (";;;,/,*,q=1", None),
    ],
)
def test_the_liked_best(accept: str, expected: str | None) -> None:
    assert preferred([accept], OFFERS) == expected


def test_without_the_header_the_servers_own_favourite() -> None:
    assert preferred([], OFFERS) == JSON


def test_several_headers_are_one_list() -> None:
    assert preferred(["text/plain", GRAPHQL], OFFERS) == GRAPHQL
