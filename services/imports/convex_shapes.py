"""Reads the schema files of the older Convex encoding, in which a string may stand for a number or bytes.

The first line of a schema file is the shape of all documents, as text. Each further line concerns one
document, by its id, and decides cases that the shape leaves open. Strings are read as Convex reads them
(get-convex/convex-backend, crates/shape_inference). If the shape allows one meaning, it is that one. If the
shape allows several, the document's own line decides. Otherwise the string is a string.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

_UNITS: Final = re.compile(
    r"never|null|int64|float64|-inf|inf|-0|NaN|normalfloat64|boolean|field_name|string|bytes|unknown"
)
_KEY: Final = re.compile(r'"([^"]*)"(\?)?: ')
_LITERAL: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_ID: Final = re.compile(r"id<[^>]*>")
_NESTING_MAX: Final = 200

INFER: Final = "infer"
_ALL: Final = (INFER, "float64inf", "float64nan", "int64", "bytes")
_MEANINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "int64": ("int64",),
    "-inf": ("float64inf",),
    "inf": ("float64inf",),
    "NaN": ("float64nan", "float64inf"),
    "float64": ("float64nan", "float64inf"),
    "text": (INFER,),
    "field_name": (INFER,),
    "string": (INFER,),
    "bytes": ("bytes",),
    "unknown": _ALL,
}
"""The meanings that a string may have where a shape allows a kind."""


@dataclass(frozen=True, slots=True)
class ValueShape:
    """The shape of a value.

    Attributes:
        kind: A unit of `_MEANINGS`, or array, object, record, or null and the like.
        element: The shape of an array's elements, or of a record's values.
        fields: The fields of an object.
    """

    kind: str
    element: "tuple[ValueShape, ...]" = ()
    fields: "Mapping[str, tuple[ValueShape, ...]]" = field(default_factory=dict)


ShapeOptions = tuple[ValueShape, ...]
"""The shapes of a union. A shape outside a union is a single element."""

UNKNOWN: Final[ShapeOptions] = (ValueShape("unknown"),)


def parse_shape(text: str) -> ShapeOptions:
    """The shape that a text describes.

    Raises:
        ValueError: The text is not a shape.
    """
    options, at = _parse_union(text, 0, 0)
    if at != len(text):
        raise ValueError(f"unexpected text at {at}")
    return options


def _parse_union(text: str, at: int, depth: int) -> tuple[ShapeOptions, int]:
    if depth > _NESTING_MAX:
        raise ValueError("is nested too deeply")
    options = []
    while True:
        shape, at = _parse_one(text, at, depth)
        options.append(shape)
        if not text.startswith(" | ", at):
            return tuple(options), at
        at += 3


def _parse_one(text: str, at: int, depth: int) -> tuple[ValueShape, int]:
    if unit := _UNITS.match(text, at):
        return ValueShape(unit[0]), unit.end()
    if string := _LITERAL.match(text, at) or _ID.match(text, at):
        return ValueShape("text"), string.end()
    if text.startswith("{", at):
        return _parse_object(text, at + 1, depth)
    if text.startswith("array<", at):
        element, at = _parse_union(text, at + 6, depth + 1)
        return ValueShape("array", element), _expect(text, at, ">")
    if text.startswith("record<", at):
        _, at = _parse_union(text, at + 7, depth + 1)
        element, at = _parse_union(text, _expect(text, at, ", "), depth + 1)
        return ValueShape("record", element), _expect(text, at, ">")
    raise ValueError(f"unexpected text at {at}")


def _parse_object(text: str, at: int, depth: int) -> tuple[ValueShape, int]:
    fields = {}
    while not text.startswith("}", at):
        key = _KEY.match(text, at)
        if key is None:
            raise ValueError(f"unexpected text at {at}")
        fields[key[1]], at = _parse_union(text, key.end(), depth + 1)
        at = at if text.startswith("}", at) else _expect(text, at, ", ")
    return ValueShape("object", fields=fields), at + 1


def _expect(text: str, at: int, expected: str) -> int:
    if not text.startswith(expected, at):
        raise ValueError(f"expected {expected!r} at {at}")
    return at + len(expected)


def list_child_options(options: ShapeOptions, key: str | None) -> ShapeOptions:
    """The shapes of the value under a key of an object, or of an array's elements (None)."""
    return tuple(_iter_children(options, key))


def _iter_children(options: ShapeOptions, key: str | None) -> Iterator[ValueShape]:
    for shape in options:
        if shape.kind == "unknown":
            yield shape
        elif key is None:
            yield from shape.element if shape.kind == "array" else ()
        elif shape.kind == "object":
            yield from shape.fields.get(key, ())
        elif shape.kind == "record":
            yield from shape.element


def choose_meaning(hint: Any, options: ShapeOptions) -> str:
    """The meaning of a string: "infer" (itself), "int64", "float64inf", "float64nan" or "bytes"."""
    if hint == INFER:
        possible = list(_iter_meanings(options))
        return possible[0] if len(possible) == 1 else INFER
    return "float64nan" if isinstance(hint, dict) else str(hint)


def _iter_meanings(options: Iterable[ValueShape]) -> Iterator[str]:
    """The possible meanings of a string, without adjacent duplicates, counted as in Convex."""
    every = (each for shape in options for each in _MEANINGS.get(shape.kind, ()))
    return (each for each, _ in groupby(every))


def is_ambiguous(options: ShapeOptions) -> bool:
    """Whether such a value may contain a string with another meaning."""
    return any(
        any(each != INFER for each in _MEANINGS.get(shape.kind, ()))
        or is_ambiguous(shape.element)
        or any(is_ambiguous(below) for below in shape.fields.values())
        for shape in options
    )
