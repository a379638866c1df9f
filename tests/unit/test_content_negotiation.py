"""Which media type a client gets for what it says it accepts."""

import pytest

from api.content_negotiation import accepts_gzip, choose_media_type

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
def test_choose_media_type_of_accept_header_gives_the_preferred_one(
    accept: str, expected: str | None
) -> None:
    assert choose_media_type([accept], OFFERS) == expected


def test_choose_media_type_without_header_gives_the_servers_default() -> None:
    assert choose_media_type([], OFFERS) == JSON


def test_choose_media_type_of_several_headers_reads_one_list() -> None:
    assert choose_media_type(["text/plain", GRAPHQL], OFFERS) == GRAPHQL


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ([], False),
        ([""], False),
        (["gzip"], True),
        (["GZIP"], True),
        (["x-gzip"], True),
        (["deflate, gzip;q=1.0, *;q=0.5"], True),
        (["br", "gzip"], True),
        (["gzip;q=0.001"], True),
        (["*"], True),
        (["br;q=1, *;q=0.1"], True),
        (["gzip;q=0"], False),
        (["gzip;q=0.0"], False),
        (["gzip; Q=0.000"], False),
        (["gzip ; q=0"], False),
        (["gzip;q=0, *"], False),
        (["*, gzip;q=0"], False),
        (["*;q=0"], False),
        (["gzip, *;q=0"], True),
        (["identity"], False),
        (["identity;q=0, gzip;q=0"], False),
        (["gzipped"], False),
        (["gzip;q=nan"], False),
        (["gzip;q=2"], False),
    ],
)
def test_accepts_gzip_reads_qualities_and_wildcard(accept_encoding: list[str], expected: bool) -> None:
    assert accepts_gzip(accept_encoding) is expected
