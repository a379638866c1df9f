"""Converts values of a Convex document from either encoding to the JSON that is stored.

An integral float64 is written as in JavaScript (5, not 5.0). Values without a form in JSON stay as in
Convex's newer encoding: `{"$bytes": base64}`, and `{"$float": base64}` for NaN and the infinities.
"""

import base64
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from services.imports.convex_shapes import (
    INFER,
    UNKNOWN,
    ShapeOptions,
    choose_meaning,
    is_ambiguous,
    list_child_options,
)

_EXACT: Final = 2**53
_CHANGED: Final = frozenset({float, dict, list})
_INFINITIES: Final = {"Infinity": math.inf, "-Infinity": -math.inf}


def decode_uniform(value: Any) -> Any:
    """A value of the newer encoding as it is stored. Objects and lists, which may be large, are changed in place."""
    kind = type(value)
    if kind is float:
        return int(value) if -_EXACT <= value <= _EXACT and value.is_integer() else value
    if kind is dict:
        for key, element in value.items():
            if type(element) in _CHANGED:
                value[key] = decode_uniform(element)
    elif kind is list:
        for index, element in enumerate(value):
            if type(element) in _CHANGED:
                value[index] = decode_uniform(element)
    return value


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a table's values.

    Attributes:
        uniform: Whether it is the newer encoding.
        shape: Of the older encoding: the shape of the documents.
        overrides: The shapes of single documents, by id. They are JSON, which takes less memory than parsed shapes.
    """

    uniform: bool = True
    shape: ShapeOptions = UNKNOWN
    overrides: Mapping[str, bytes] = field(default_factory=dict)

    def is_plain(self, name: str) -> bool:
        """Whether both encodings write values of that field in the same way."""
        return self.uniform or not (self.overrides or is_ambiguous(list_child_options(self.shape, name)))

    def decode(self, name: str, row_id: str, value: Any) -> Any:
        """The value of a document's field, as it is stored.

        Raises:
            ValueError: It does not match the schema file.
        """
        said = self.overrides.get(row_id)
        hint = orjson.loads(said) if said else INFER
        return decode_legacy(value, _child_hint(hint, name), list_child_options(self.shape, name))


def decode_legacy(value: Any, hint: Any, options: ShapeOptions) -> Any:
    """A value of the older encoding as it is stored. Objects and lists are changed in place, as by `decode_uniform`.

    Args:
        value: The parsed JSON.
        hint: The value's part in the document's own line of the schema file.
        options: The shapes that the table's schema allows.

    Raises:
        ValueError: It does not match its hint.
    """
    if isinstance(value, str):
        return _decode_string(value, choose_meaning(hint, options))
    if isinstance(value, dict):
        for key, value_ in value.items():
            value[key] = decode_legacy(value_, _child_hint(hint, key), list_child_options(options, key))
        return value
    if isinstance(value, list):
        element = list_child_options(options, None)
        for index, value_ in enumerate(value):
            value[index] = decode_legacy(value_, _child_hint(hint, index), element)
        return value
    return decode_uniform(value)


def _child_hint(hint: Any, key: str | int) -> Any:
    if isinstance(hint, dict):
        return hint.get(key, INFER)
    if isinstance(hint, list) and isinstance(key, int) and key < len(hint):
        return hint[key]
    return INFER


def _decode_string(text: str, means: str) -> Any:
    if means == "int64":
        return int(text)
    if means == "bytes":
        base64.b64decode(text, validate=True)
        return {"$bytes": text}
    if means == "float64inf" and text in _INFINITIES:
        return _special_value(_INFINITIES[text])
    if means == "float64nan" and text == "NaN":
        return _special_value(math.nan)
    if means == INFER:
        return text
    raise ValueError(f"contains a string that is no {means}")


def _special_value(value: float) -> dict[str, str]:
    return {"$float": base64.b64encode(struct.pack("<d", value)).decode()}
