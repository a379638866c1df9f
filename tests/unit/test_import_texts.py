"""Lines of any length in chunks, and what PostgreSQL writes as text."""

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.imports import line_reader as lines_module
from services.imports.import_tables import ColumnKind
from services.imports.line_reader import iter_lines
from services.imports.pg_dump import split_fields
from services.imports.supabase_values import READERS, read_texts, read_timestamp
from tests.exports.supabase import _format_copy, format_timestamp

NEVER = 9_007_199_254_740_991
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=20),
    st.integers(1, 30),
)
def test_line_reader_gives_the_lines_of_the_file(content: list[bytes], chunk: int) -> None:
    stream = io.BytesIO(b"\n".join(content))
    read = stream.read

    def read_less(size: int | None = -1, /) -> bytes:
        return read(chunk if size is None else min(size, chunk))

    stream.read = read_less  # type: ignore[method-assign]  # a stream with short reads
    found = list(iter_lines(stream, 20))
    expected = content if content and content[-1] else content[:-1]
    assert [line.content for line in found] == [line if len(line) <= 20 else None for line in expected]
    assert [line.number for line in found] == list(range(1, len(expected) + 1))
    if found:
        assert found[-1].position == len(b"\n".join(content))


def test_line_reader_too_long_line_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "_CHUNK", 10)
    found = list(iter_lines(io.BytesIO(b"a" * 95 + b"\nb\n"), 30))
    assert [(line.number, line.position, line.content) for line in found] == [(1, 96, None), (2, 98, b"b")]


@given(st.lists(st.one_of(st.none(), TEXT), min_size=1, max_size=5))
def test_copy_fields_of_escaped_line_give_its_values(values: list[str | None]) -> None:
    line = "\t".join(map(_format_copy, values)).encode()
    assert b"\n" not in line
    assert split_fields(line) == values


def test_copy_fields_read_escapes_that_pg_dump_never_writes() -> None:
    assert split_fields(rb"\101\x41\q\\N") == ["AAq\\N"]


@given(st.lists(TEXT, max_size=4))
def test_text_list_of_postgresql_or_json_gives_its_texts(values: list[str]) -> None:
    literal = "{" + ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "}"
    assert read_texts(literal) == values
    assert read_texts(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("literal", "meant"),
    [("{}", []), ("{a,b}", ["a", "b"]), ('{a,"b c"}', ["a", "b c"]), ("{ a b , c }", ["a b", "c"])],
)
def test_text_list_without_quotes_gives_its_texts(literal: str, meant: list[str]) -> None:
    assert read_texts(literal) == meant


@pytest.mark.parametrize(
    "literal", ["", "a", "{a", "{a,}", "{,}", "{NULL}", "{{a}}", '{"a}', "[1]", '["a"', "{a}b"]
)
def test_text_list_malformed_is_refused(literal: str) -> None:
    with pytest.raises(ValueError, match="must be a list of strings"):
        read_texts(literal)


@given(st.one_of(st.integers(-62_135_596_800_000, 253_402_300_798_000), st.just(NEVER)))
def test_parse_timestamp_of_any_time_gives_its_milliseconds(ms: int) -> None:
    text = format_timestamp(ms)
    assert read_timestamp("0" * (19 - len(text.partition("+")[0].partition(".")[0])) + text) == ms


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
        ("9999-12-31 23:59:58.999+00", 253_402_300_798_999),
        ("9999-12-31 23:59:59+00", NEVER),
        ("9999-12-31 23:59:59.999999+00", NEVER),
        ("10000-01-01 00:59:58+01", 253_402_300_798_000),
        ("10000-01-01 00:59:59+01", NEVER),
        ("10000-01-01 05:29:59+05:30", NEVER),
        ("9999-12-31 18:59:59-05", NEVER),
        ("9999-12-31 18:59:58-05", 253_402_300_798_000),
        ("9999-12-31 23:59:59-12", NEVER),
        ("10000-02-29 12:00:00+00", NEVER),
        ("294276-12-31 23:59:59.999999+00", NEVER),
        ("infinity", NEVER),
    ],
)
def test_parse_timestamp_of_each_spelling_gives_its_milliseconds(text: str, ms: int) -> None:
    assert read_timestamp(text) == ms


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
        "10001-02-29 00:00:00+00",
        "10000-13-01 00:00:00+00",
        "-infinity",
    ],
)
def test_parse_timestamp_malformed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a timestamp"):
        read_timestamp(text)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (ColumnKind.INT, "-2147483648", -(2**31)),
        (ColumnKind.INT, "12.75", 13),
        (ColumnKind.INT, "12.5", 13),
        (ColumnKind.INT, "12.49999999999999999", 12),
        (ColumnKind.INT, "-12.5", -12),
        (ColumnKind.BOOL, "t", True),
        (ColumnKind.BOOL, "false", False),
        (ColumnKind.NUMBER, "0.10", Decimal("0.10")),
        (
            ColumnKind.NUMBER,
            "123456789012345678901234567890.123456789",
            Decimal("123456789012345678901234567890.123456789"),
        ),
        (ColumnKind.JSON, '{"a": 1.10, "b": 9007199254740993}', '{"a": 1.10, "b": 9007199254740993}'),
        (ColumnKind.JSON, " null ", None),
        (ColumnKind.TEXT, "null", "null"),
    ],
)
def test_value_reader_of_each_kind_gives_its_value(kind: ColumnKind, text: str, value: Any) -> None:
    assert READERS[kind](text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ColumnKind.INT, "2147483648"), (ColumnKind.INT, "2147483647.2"), (ColumnKind.INT, "1.5.1"), (ColumnKind.INT, ""), (ColumnKind.INT, "٣"), (ColumnKind.BOOL, "yes"),  # noqa: E501
        (ColumnKind.NUMBER, "NaN"), (ColumnKind.NUMBER, "Infinity"), (ColumnKind.NUMBER, "1e99999"), (ColumnKind.NUMBER, "1,5"),  # noqa: E501
        (ColumnKind.JSON, "{"), (ColumnKind.JSON, "NaN"), (ColumnKind.JSON, '"\\u0000"'), (ColumnKind.JSON, "[" * 2_000), (ColumnKind.TEXT, "a\0b"),  # noqa: E501
        (ColumnKind.TEXT, "\udc80"),
    ],
)  # fmt: skip
def test_value_reader_of_unfit_text_is_refused(kind: ColumnKind, text: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        READERS[kind](text)
