"""Both encodings of Convex exports, by Convex's own rules."""

import io
import json
import math
import re
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import FileRefusedError
from core.limits import IMPORT_HINT_BYTES_MAX, IMPORT_LINE_BYTES_MAX
from services.imports.convex_encoding import Encoding, decode_legacy, decode_uniform
from services.imports.convex_shapes import INFER, UNKNOWN, is_ambiguous, parse_shape
from services.imports.convex_snapshot import read_encoding
from tests.exports.convex import encode_newer, encode_older
from tests.exports.exported_world import Int64
from tests.exports.inferred_shape import InferredShape
from tests.import_harness import expect_value

NAN: Final = {"$float64NaN": "AAAAAAAA+H8="}

CASES: Final[list[tuple[str, str, Any, Any, Any]]] = [
    ("integers", "array<int64>", INFER, ["1", "2"], [1, 2]),
    ("texts", "array<string>", INFER, ["1", "2"], ["1", "2"]),
    ("literals", 'array<"1" | "b">', INFER, ["1", "b"], ["1", "b"]),
    ("ids", "array<id<10001>>", INFER, ["1"], ["1"]),
    ("texts or null", "array<null | string>", INFER, ["1", None], ["1", None]),
    ("integers or null", "array<null | int64>", INFER, ["1", None], [1, None]),
    ("unknown", "array<unknown>", INFER, ["1", None, 1.0, True], ["1", None, 1, True]),
    ("unknown, hinted", "array<unknown>", ["int64", INFER, INFER, INFER], ["1", None, 1.0, True], [1, None, 1, True]),
    ("integer or text", 'array<int64 | "1">', ["int64", INFER], ["1", "1"], [1, "1"]),
    ("bytes", "array<bytes>", INFER, ["AAE=", "AAI="], [{"$bytes": "AAE="}, {"$bytes": "AAI="}]),
    ("bytes or text", "array<string | bytes>", ["bytes", INFER], ["AAE=", "1"], [{"$bytes": "AAE="}, "1"]),
    ("infinity", "inf | normalfloat64", INFER, "Infinity", {"$float": "AAAAAAAA8H8="}),
    ("its opposite", "-inf", INFER, "-Infinity", {"$float": "AAAAAAAA8P8="}),
    ("no number", "NaN", NAN, "NaN", {"$float": "AAAAAAAA+H8="}),
    ("floats", "array<float64>", ["float64inf", INFER, NAN], ["-Infinity", 1.0, "NaN"],
     [{"$float": "AAAAAAAA8P8="}, 1, {"$float": "AAAAAAAA+H8="}]),
    ("different keys", 'array<{"a": int64} | {"b": string}>', INFER, [{"a": "1"}, {"b": "1"}],
     [{"a": 1}, {"b": "1"}]),
    ("a record", "array<record<field_name, int64>>", INFER, [{"a": "1"}, {"b": "2"}], [{"a": 1}, {"b": 2}]),
    ("a record of two", "record<field_name, int64 | string>", {"b": "int64"}, {"a": "a", "b": "2"},
     {"a": "a", "b": 2}),
    ("an optional field", '{"a"?: int64, "b": {"c": bytes}}', INFER, {"b": {"c": "AA=="}},
     {"b": {"c": {"$bytes": "AA=="}}}),
    ("a field that the shape does not know", '{"a": int64}', INFER, {"z": "1"}, {"z": "1"}),
    ("large", "int64", INFER, "-9223372036854775808", -(2**63)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "hint", "exported", "meant"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_restored_string_has_the_type_of_its_shape(shape: str, hint: Any, exported: Any, meant: Any) -> None:
    assert decode_legacy(exported, hint, parse_shape(shape)) == meant


@pytest.mark.parametrize(
    ("shape", "value"), [("int64", "one"), ("bytes", "not base64!"), ("inf", "finite"), ("int64", "1.5")]
)
def test_restored_string_that_does_not_fit_its_shape_is_refused(shape: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_legacy(value, INFER, parse_shape(shape))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "int65",
        "array<int64",
        "{a: int64}",
        '{"a": int64',
        "int64 |",
        "record<string>",
        "array<" * 300,
        "int64 ",
    ],
)
def test_parse_shape_malformed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_shape(text)


def test_parse_shape_of_convex_example_gives_two_objects() -> None:
    text = (
        '{"location": {"city": string, "country": string} | {"country": string}} | '
        '{"name": string, "location": {"city": string, "country": string} | {"country": string}}'
    )
    assert [shape.kind for shape in parse_shape(text)] == ["object", "object"]
    assert not is_ambiguous(parse_shape(text))


VALUES: Final = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(allow_nan=False),
        st.just(math.nan),
        st.integers(-(2**63), 2**63 - 1).map(Int64),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
        st.sampled_from(["1", "NaN", "Infinity", "AAE="]),
        st.just(b"\0\1\2\xff"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abcd e"), inner, max_size=4)
    ),
    max_leaves=12,
)
"""Values that a Convex document may hold."""


def _stored_json(value: Any) -> str:
    """A value as it should be stored, for comparing."""
    return json.dumps(expect_value(decode_uniform(value)), sort_keys=True)


@given(VALUES)
def test_uniform_encoding_keeps_any_value(value: Any) -> None:
    there = decode_uniform(orjson.loads(encode_newer(value)))
    assert json.dumps(there, sort_keys=True) == _stored_json(value)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), min_size=1, max_size=4))
def test_older_encoding_with_schema_keeps_any_value(documents: list[Any]) -> None:
    shape = InferredShape()
    for each in documents:
        shape.add_value(each)
    for number, each in enumerate(documents):
        said = {str(number): orjson.dumps(shape.build_hint(each))}
        encoding = Encoding(uniform=False, shape=parse_shape(shape.format()), overrides=said)
        for name, value in encode_older(each).items():
            there = encoding.decode(name, str(number), orjson.loads(orjson.dumps(value)))
            assert json.dumps(there, sort_keys=True) == _stored_json(each[name])


@given(VALUES)
def test_uniform_generator_distinguishes_floats_from_integers(value: Any) -> None:
    """A float64 always has a point or an exponent, and an int64 never does.

    There is nothing that JSON does not have.
    """
    text = encode_newer(value)
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', text)
    floats = _count_numbers(value, float)
    assert len(re.findall(r"-?\d+(?:\.\d+(?:e[+-]?\d+)?|e[+-]?\d+)", bare)) == floats
    assert len(re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", bare)) == floats + _count_numbers(value, Int64)
    assert "NaN" not in bare
    assert "Infinity" not in bare


def _count_numbers(value: Any, kind: type[float | Int64]) -> int:
    if isinstance(value, dict | list):
        return sum(
            _count_numbers(child, kind) for child in (value.values() if isinstance(value, dict) else value)
        )
    return int(type(value) is kind and (kind is Int64 or value - value == 0))


def test_older_encoding_without_schema_leaves_strings() -> None:
    assert Encoding(uniform=False, shape=UNKNOWN).decode("a", "1", ["1", 5.0]) == ["1", 5]


@pytest.mark.parametrize(
    "line",
    [
        b'"{\\"metadata\\": int',
        b"\x00\xff\x00",
        b'{"t1": {"metadata"',
        b'"' + b"x" * IMPORT_LINE_BYTES_MAX + b'"',
    ],
    ids=["cut off", "corrupt", "a document's cut off", "too long"],
)
@pytest.mark.parametrize("before", [b"", b'"{}"\n\n'], ids=["first", "further"])
def test_schema_file_unreadable_line_is_refused(before: bytes, line: bytes) -> None:
    """Values would otherwise be read as other values."""
    with pytest.raises(FileRefusedError, match=r"^tenants/generated_schema\.jsonl, line [13], "):
        read_encoding(io.BytesIO(before + line + b"\n"), "tenants")


def test_schema_file_blank_lines_are_ignored() -> None:
    assert read_encoding(io.BytesIO(b'\n \n"uniform"\n'), "tenants").uniform


def test_schema_file_with_too_many_overrides_is_refused() -> None:
    hint = orjson.dumps({"t1": {"metadata": ["int64"] * (IMPORT_HINT_BYTES_MAX // 8)}})
    with pytest.raises(FileRefusedError, match="too much data about single documents"):
        read_encoding(io.BytesIO(b'"unknown"\n' + hint + b"\n"), "tenants")
