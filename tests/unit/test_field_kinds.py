"""What fields take: texts, addresses, slugs, URLs, money, JSON."""

import math
from decimal import Decimal
from typing import Any

import pytest

from services.writes.field_kinds import (
    EMAIL,
    ICON,
    SLUG,
    URL,
    AmountKind,
    FieldKind,
    JsonKind,
    TextKind,
    TextListKind,
    TimestampKind,
    build_slug,
)

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
        (TextKind(), "  a b ", "a b"),
        (TextKind(empty=True), "  ", ""),
        (TextKind(lines=True), "a\nb", "a\nb"),
        (EMAIL, "ann.o'neil+x@müller.example", "ann.o'neil+x@müller.example"),
        (SLUG, "a-1-b", "a-1-b"),
        (URL, "https://x.example:8443/a?b=c#d", "https://x.example:8443/a?b=c#d"),
        (ICON, "/icons/a.svg", "/icons/a.svg"),
        (TextListKind(), [" a ", "b"], ["a", "b"]),
        (JsonKind(), {"a": [1, None]}, '{"a":[1,null]}'),
        (JsonKind(any_value=True), None, "null"),
        (JsonKind(), {"a": 2**70}, f'{{"a":{2**70}}}'),
        (JsonKind(), {"a": Decimal("1e131071")}, '{"a":1E+131071}'),
        (JsonKind(), {"a": Decimal("1e-16383")}, '{"a":1E-16383}'),
        (TimestampKind(), 0, 0),
        (TimestampKind(), 253_402_300_799_999, 253_402_300_799_999),
        (TimestampKind(never=True), 253_402_300_799_999, 253_402_300_799_999),
        (TimestampKind(never=True), 9_007_199_254_740_991, 9_007_199_254_740_991),
    ],
)
def test_field_kind_valid_value_is_normalized(kind: FieldKind, given: Any, read: Any) -> None:
    assert kind.parse(given) == read


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (TextKind(), " "),
        (TimestampKind(), 253_402_300_800_000),
        (TimestampKind(), 9_007_199_254_740_991),
        (TimestampKind(never=True), 253_402_300_800_000),
        (TimestampKind(never=True), 9_007_199_254_740_990),
        (TextKind(3), "abcd"),
        (TextKind(), "a\nb"),
        (TextKind(lines=True), "a\x07b"),
        (TextKind(), "a\x00"),
        (TextKind(), "\ud800"),
        *((EMAIL, text) for text in NO_ADDRESSES),
        *((SLUG, text) for text in ("A", "a--b", "-a", "a-", "a_b", "ä")),
        *((URL, text) for text in NO_URLS),
        *((ICON, text) for text in ("//evil.example/a.svg", "icons/a.svg")),
        (TextListKind(), ["a", " a"]),
        (TextListKind(), ["a"] * 101),
        (AmountKind(), "-1"),
        (AmountKind(), "0.0000001"),
        (JsonKind(), [1]),
        (JsonKind(), {"a": "\x00"}),
        (JsonKind(), {"a": "\ud800"}),
        (JsonKind(), {"a": Decimal("1e131072")}),
        (JsonKind(), {"a": Decimal("1e-16384")}),
        (JsonKind(), {"a": Decimal("1" * 131_073)}),
        (JsonKind(), {"a": [Decimal("1e131071")] * 2}),
        (JsonKind(), {"a": [1e300] * 700}),
        (JsonKind(), {"a": Decimal("Infinity")}),
        (JsonKind(), {"a": math.inf}),
        (JsonKind(), {"a": [None, math.nan]}),
        (JsonKind(), {"a": "x" * 200_001}),
        (TimestampKind(), -1),
    ],
)  # fmt: skip
def test_field_kind_invalid_value_is_refused(kind: FieldKind, given: Any) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        kind.parse(given)


def test_json_field_escaped_backslash_is_not_taken_for_nul() -> None:
    assert JsonKind().parse({"a": "\\u0000"}) == '{"a":"\\\\u0000"}'


@pytest.mark.parametrize("name", ["Ænima", "  ", "ÀÉÎ õü", "x" * 300, "a" * 79 + " b", "Łódź", "İstanbul"])
def test_slug_of_any_name_is_valid(name: str) -> None:
    slug = build_slug(name)
    assert SLUG.parse(slug) == slug
    assert len(slug) <= 80
