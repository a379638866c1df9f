"""Lines of any length in chunks, and what PostgreSQL writes as text."""

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.imports import lines as lines_module
from services.imports.dump import fields
from services.imports.lines import lines
from services.imports.shapes import Kind
from services.imports.supabase_values import READERS, moment, texts
from tests.exports.supabase import _copy, timestamp

NEVER = 9_007_199_254_740_991
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=20),
    st.integers(1, 30),
)
def test_lines_are_those_of_the_file(content: list[bytes], chunk: int) -> None:
    stream = io.BytesIO(b"\n".join(content))
    stream.read = lambda size=-1, /, read=stream.read: read(min(size, chunk))  # type: ignore[method-assign]
    found = list(lines(stream, 20))
    expected = content if content and content[-1] else content[:-1]
    assert [line.content for line in found] == [line if len(line) <= 20 else None for line in expected]
    assert [line.number for line in found] == list(range(1, len(expected) + 1))
    if found:
        assert found[-1].position == len(b"\n".join(content))


def test_a_line_that_is_too_long_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "_CHUNK", 10)
    found = list(lines(io.BytesIO(b"a" * 95 + b"\nb\n"), 30))
    assert [(line.number, line.position, line.content) for line in found] == [(1, 96, None), (2, 98, b"b")]


@given(st.lists(st.one_of(st.none(), TEXT), min_size=1, max_size=5))
def test_copy_s_escapes(values: list[str | None]) -> None:
    line = "\t".join(map(_copy, values)).encode()
    assert b"\n" not in line
    assert fields(line) == values


def test_escapes_that_pg_dump_does_not_write_and_copy_reads() -> None:
    assert fields(rb"\101\x41\q\\N") == ["AAq\\N"]


@given(st.lists(TEXT, max_size=4))
def test_lists_of_texts(values: list[str]) -> None:
    literal = "{" + ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "}"
    assert texts(literal) == values
    assert texts(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("literal", "meant"),
    [("{}", []), ("{a,b}", ["a", "b"]), ('{a,"b c"}', ["a", "b c"]), ("{ a b , c }", ["a b", "c"])],
)
def test_lists_without_quotes(literal: str, meant: list[str]) -> None:
    assert texts(literal) == meant


@pytest.mark.parametrize(
    "literal", ["", "a", "{a", "{a,}", "{,}", "{NULL}", "{{a}}", '{"a}', "[1]", '["a"', "{a}b"]
)
def test_what_is_no_list_of_texts(literal: str) -> None:
    with pytest.raises(ValueError, match="is not a list of texts"):
        texts(literal)


@given(st.one_of(st.integers(-62_135_596_800_000, 253_402_300_798_000), st.just(NEVER)))
def test_timestamps(ms: int) -> None:
    text = timestamp(ms)
    assert moment("0" * (19 - len(text.partition("+")[0].partition(".")[0])) + text) == ms


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01 00:00:00+00", 0),
        ("2025-10-08 20:54:10.123+00", 1_759_956_850_123),
        ("2025-10-08T20:54:10.123Z", 1_759_956_850_123),
        ("2025-10-08 20:54:10.123999+00", 1_759_956_850_123),
        ("2025-10-08 22:54:10.123+02", 1_759_956_850_123),
        ("2025-10-08 20:54:10.123", 1_759_956_850_123),
        ("2025-10-09 02:24:10.123+05:30", 1_759_956_850_123),
        ("1969-12-31 23:59:59.999+00", -1),
        ("2025-10-08", 1_759_881_600_000),
        ("9999-12-31 23:59:59+00", NEVER),
        ("infinity", NEVER),
    ],
)
def test_ways_to_write_a_timestamp(text: str, ms: int) -> None:
    assert moment(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "20251008",
        "1759956850123",
        "2025-13-01",
        "2025-02-30 00:00:00+00",
        "0044-03-15 00:00:00+00 BC",
        "-infinity",
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    with pytest.raises(ValueError, match="is not a timestamp"):
        moment(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.INT, "-2147483648", -(2**31)),
        (Kind.BOOL, "t", True),
        (Kind.BOOL, "false", False),
        (Kind.NUMBER, "0.10", Decimal("0.10")),
        (
            Kind.NUMBER,
            "123456789012345678901234567890.123456789",
            Decimal("123456789012345678901234567890.123456789"),
        ),
        (Kind.JSON, '{"a": 1.10, "b": 9007199254740993}', '{"a": 1.10, "b": 9007199254740993}'),
        (Kind.JSON, " null ", None),
        (Kind.TEXT, "null", "null"),
    ],
)
def test_values(kind: Kind, text: str, value: Any) -> None:
    assert READERS[kind](text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.INT, "2147483648"), (Kind.INT, "1.5"), (Kind.INT, ""), (Kind.INT, "٣"), (Kind.BOOL, "yes"),
        (Kind.NUMBER, "NaN"), (Kind.NUMBER, "Infinity"), (Kind.NUMBER, "1e99999"), (Kind.NUMBER, "1,5"),
        (Kind.JSON, "{"), (Kind.JSON, "NaN"), (Kind.JSON, '"\\u0000"'), (Kind.JSON, "[" * 2_000), (Kind.TEXT, "a\0b"),
        (Kind.TEXT, "\udc80"),
    ],
)  # fmt: skip
def test_what_is_none(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) "):
        READERS[kind](text)
