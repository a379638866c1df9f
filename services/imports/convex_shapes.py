"""The older encoding of Convex exports, in which a string may be a number or bytes: what its schema file says.

Its first line is the shape of all documents as text; each further one says of one document, by its id, what the shape
leaves open. Read as Convex itself reads it (get-convex/convex-backend, crates/shape_inference): a string means what
the shape allows alone; where it allows several things, what the document's own line says; else it is a string.
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
"""What a string may stand for where a shape allows a kind."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value may be.

    Attributes:
        kind: A unit of `_MEANINGS`, or array, object, record, or null and the like.
        element: Of an array its elements', of a record its values'.
        fields: Of an object.
    """

    kind: str
    element: "tuple[Shape, ...]" = ()
    fields: "Mapping[str, tuple[Shape, ...]]" = field(default_factory=dict)


Options = tuple[Shape, ...]
"""The shapes of a union; one alone where there is none."""

UNKNOWN: Final[Options] = (Shape("unknown"),)


def parsed(text: str) -> Options:
    """The shape that a text describes.

    Raises:
        ValueError: It describes none.
    """
    options, at = _union(text, 0, 0)
    if at != len(text):
        raise ValueError(f"unexpected text at {at}")
    return options


def _union(text: str, at: int, depth: int) -> tuple[Options, int]:
    if depth > _NESTING_MAX:
        raise ValueError("nests too deeply")
    options = []
    while True:
        shape, at = _one(text, at, depth)
        options.append(shape)
        if not text.startswith(" | ", at):
            return tuple(options), at
        at += 3


def _one(text: str, at: int, depth: int) -> tuple[Shape, int]:
    if unit := _UNITS.match(text, at):
        return Shape(unit[0]), unit.end()
    if string := _LITERAL.match(text, at) or _ID.match(text, at):
        return Shape("text"), string.end()
    if text.startswith("{", at):
        return _object(text, at + 1, depth)
    if text.startswith("array<", at):
        element, at = _union(text, at + 6, depth + 1)
        return Shape("array", element), _past(text, at, ">")
    if text.startswith("record<", at):
        _, at = _union(text, at + 7, depth + 1)
        element, at = _union(text, _past(text, at, ", "), depth + 1)
        return Shape("record", element), _past(text, at, ">")
    raise ValueError(f"unexpected text at {at}")


def _object(text: str, at: int, depth: int) -> tuple[Shape, int]:
    fields = {}
    while not text.startswith("}", at):
        key = _KEY.match(text, at)
        if key is None:
            raise ValueError(f"unexpected text at {at}")
        fields[key[1]], at = _union(text, key.end(), depth + 1)
        at = at if text.startswith("}", at) else _past(text, at, ", ")
    return Shape("object", fields=fields), at + 1


def _past(text: str, at: int, expected: str) -> int:
    if not text.startswith(expected, at):
        raise ValueError(f"expected {expected!r} at {at}")
    return at + len(expected)


def below(options: Options, key: str | None) -> Options:
    """What may stand under a key of an object; of an array (None), as an element."""
    return tuple(_below(options, key))


def _below(options: Options, key: str | None) -> Iterator[Shape]:
    for shape in options:
        if shape.kind == "unknown":
            yield shape
        elif key is None:
            yield from shape.element if shape.kind == "array" else ()
        elif shape.kind == "object":
            yield from shape.fields.get(key, ())
        elif shape.kind == "record":
            yield from shape.element


def meaning(hint: Any, options: Options) -> str:
    """What a string stands for: "infer" (itself), "int64", "float64inf", "float64nan" or "bytes"."""
    if hint == INFER:
        possible = list(_meanings(options))
        return possible[0] if len(possible) == 1 else INFER
    return "float64nan" if isinstance(hint, dict) else str(hint)


def _meanings(options: Iterable[Shape]) -> Iterator[str]:
    """Each thing that a string may stand for, once in a row, as Convex counts them."""
    every = (each for shape in options for each in _MEANINGS.get(shape.kind, ()))
    return (each for each, _ in groupby(every))


def is_open(options: Options) -> bool:
    """Whether a string somewhere in such a value may be something else."""
    return any(
        any(each != INFER for each in _MEANINGS.get(shape.kind, ()))
        or is_open(shape.element)
        or any(is_open(below) for below in shape.fields.values())
        for shape in options
    )
