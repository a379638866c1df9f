"""Values inside a Convex document, from either encoding into one: the JSON that is stored.

A float64 that is whole is written as JavaScript shows it (5, not 5.0). What JSON has no word for stays as Convex's
newer encoding has it: `{"$bytes": base64}`, and `{"$float": base64}` for NaN and the infinities.
"""

import base64
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from services.imports.convex_shapes import INFER, UNKNOWN, Options, below, is_open, meaning

_EXACT: Final = 2**53
_CHANGED: Final = frozenset({float, dict, list})
_INFINITIES: Final = {"Infinity": math.inf, "-Infinity": -math.inf}


def plain(value: Any) -> Any:
    """A value of the newer encoding as it is stored; objects and lists are changed in place, as they may be large."""
    kind = type(value)
    if kind is float:
        return int(value) if -_EXACT <= value <= _EXACT and value.is_integer() else value
    if kind is dict:
        for key, part in value.items():
            if type(part) in _CHANGED:
                value[key] = plain(part)
    elif kind is list:
        for place, part in enumerate(value):
            if type(part) in _CHANGED:
                value[place] = plain(part)
    return value


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the values of a table are written.

    Attributes:
        uniform: Whether it is the newer way.
        shape: Of the older one: what its documents are.
        overrides: What is said of single documents, by id: JSON, which takes less memory than what it says.
    """

    uniform: bool = True
    shape: Options = UNKNOWN
    overrides: Mapping[str, bytes] = field(default_factory=dict)

    def is_plain(self, name: str) -> bool:
        """Whether what stands under that field is written the same in both ways."""
        return self.uniform or not (self.overrides or is_open(below(self.shape, name)))

    def stored(self, name: str, row_id: str, value: Any) -> Any:
        """What stands in a document's field, as it is stored.

        Raises:
            ValueError: It is not what the schema file says of it.
        """
        said = self.overrides.get(row_id)
        hint = orjson.loads(said) if said else INFER
        return restored(value, _hint(hint, name), below(self.shape, name))


def restored(value: Any, hint: Any, options: Options) -> Any:
    """A value of the older encoding as it is stored; objects and lists are changed in place, as by `plain`.

    Args:
        value: As it was parsed from JSON.
        hint: What the document's own line says of it.
        options: What the shape allows.

    Raises:
        ValueError: It is not what was said of it.
    """
    if isinstance(value, str):
        return _of_string(value, meaning(hint, options))
    if isinstance(value, dict):
        for key, part in value.items():
            value[key] = restored(part, _hint(hint, key), below(options, key))
        return value
    if isinstance(value, list):
        element = below(options, None)
        for place, part in enumerate(value):
            value[place] = restored(part, _hint(hint, place), element)
        return value
    return plain(value)


def _hint(hint: Any, key: str | int) -> Any:
    if isinstance(hint, dict):
        return hint.get(key, INFER)
    if isinstance(hint, list) and isinstance(key, int) and key < len(hint):
        return hint[key]
    return INFER


def _of_string(text: str, means: str) -> Any:
    if means == "int64":
        return int(text)
    if means == "bytes":
        base64.b64decode(text, validate=True)
        return {"$bytes": text}
    if means == "float64inf" and text in _INFINITIES:
        return _special(_INFINITIES[text])
    if means == "float64nan" and text == "NaN":
        return _special(math.nan)
    if means == INFER:
        return text
    raise ValueError(f"holds a string that is no {means}")


def _special(value: float) -> dict[str, str]:
    return {"$float": base64.b64encode(struct.pack("<d", value)).decode()}
