"""What fields take: texts, addresses, slugs, URLs, money, JSON."""

from typing import Any

import pytest

from services.writes.values import EMAIL, ICON, SLUG, URL, Amount, Json, Kind, Moment, Text, Texts, slug_of

NO_ADDRESSES = ("a", "a@b", "a@b.c", "@x.example", "a@-.", "a b@x.example", "a@x.example, b@x.example")
NO_URLS = (
    "x.example",
    "ftp://x.example",
    "javascript:alert(1)",
    "https://",
    "https://u:p@x.example",
    "https://x y",
    "http://[",
)


@pytest.mark.parametrize(
    ("kind", "given", "read"),
    [
        (Text(), "  a b ", "a b"),
        (Text(empty=True), "  ", ""),
        (Text(lines=True), "a\nb", "a\nb"),
        (EMAIL, "ann.o'neil+x@müller.example", "ann.o'neil+x@müller.example"),
        (SLUG, "a-1-b", "a-1-b"),
        (URL, "https://x.example:8443/a?b=c#d", "https://x.example:8443/a?b=c#d"),
        (ICON, "/icons/a.svg", "/icons/a.svg"),
        (Texts(), [" a ", "b"], ["a", "b"]),
        (Json(), {"a": [1, None]}, '{"a":[1,null]}'),
        (Json(any_value=True), None, "null"),
        (Moment(), 0, 0),
    ],
)
def test_what_is_taken(kind: Kind, given: Any, read: Any) -> None:
    assert kind.read(given) == read


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Text(), " "),
        (Text(3), "abcd"),
        (Text(), "a\nb"),
        (Text(lines=True), "a\x07b"),
        (Text(), "a\x00"),
        (Text(), "\ud800"),
        *((EMAIL, text) for text in NO_ADDRESSES),
        *((SLUG, text) for text in ("A", "a--b", "-a", "a-", "a_b", "ä")),
        *((URL, text) for text in NO_URLS),
        *((ICON, text) for text in ("//evil.example/a.svg", "icons/a.svg")),
        (Texts(), ["a", " a"]),
        (Texts(), ["a"] * 101),
        (Amount(), "-1"),
        (Amount(), "0.0000001"),
        (Json(), [1]),
        (Json(), {"a": "\x00"}),
        (Json(), {"a": "\ud800"}),
        (Json(), {"a": 2**70}),
        (Json(), {"a": "x" * 200_001}),
        (Moment(), -1),
    ],
)  # fmt: skip
def test_what_is_not(kind: Kind, given: Any) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) "):
        kind.read(given)


def test_an_escaped_backslash_is_no_nul() -> None:
    assert Json().read({"a": "\\u0000"}) == '{"a":"\\\\u0000"}'


@pytest.mark.parametrize("name", ["Ænima", "  ", "ÀÉÎ õü", "x" * 300, "a" * 79 + " b", "Łódź", "İstanbul"])
def test_every_name_makes_a_slug(name: str) -> None:
    slug = slug_of(name)
    assert SLUG.read(slug) == slug
    assert len(slug) <= 80
