"""The schema files of older Convex exports: a table's shape, and hints for single documents."""

import base64
import json
import math
import re
import struct
from typing import Any, Final

from tests.exports.exported_world import Int64

_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*|_[A-Za-z0-9_]+")
_STRINGS: Final = {
    "int64": ["int64"],
    "NaN": ["nan", "inf"],
    "inf": ["inf"],
    "-inf": ["inf"],
    "string": ["string"],
    "bytes": ["bytes"],
}
"""The meanings of a string in the export, by the kinds of the values."""


class InferredShape:
    """The shape of a set of values."""

    def __init__(self) -> None:
        self.kinds: dict[str, None] = {}
        self.fields: dict[str, InferredShape] = {}
        self.element: InferredShape | None = None
        self.value_count = 0
        self.object_count = 0

    def add_value(self, value: Any) -> None:
        """Add one value."""
        self.value_count += 1
        self.kinds[_value_kind(value)] = None
        if isinstance(value, dict):
            self.object_count += 1
            for key, part in value.items():
                self.fields.setdefault(key, InferredShape()).add_value(part)
        if isinstance(value, list):
            self.element = self.element or InferredShape()
            for part in value:
                self.element.add_value(part)

    def format(self) -> str:
        """The shape in Convex's notation."""
        return " | ".join(map(self._format_kind, self.kinds)) or "never"

    def _format_kind(self, kind: str) -> str:
        if kind == "array":
            return f"array<{self.element.format() if self.element else 'never'}>"
        if kind != "object":
            return kind
        if not all(map(_IDENTIFIER.fullmatch, self.fields)):
            return f"record<string, {self._merge_fields().format()}>"
        said = [
            f"{json.dumps(key)}{self._optional_mark(key)}: {part.format()}"
            for key, part in sorted(self.fields.items())
        ]
        return "{" + ", ".join(said) + "}"

    def _optional_mark(self, key: str) -> str:
        return "?" if self.fields[key].value_count < self.object_count else ""

    def _merge_fields(self) -> "InferredShape":
        """The shape of any of the fields."""
        every = InferredShape()
        for part in self.fields.values():
            every.merge(part)
        return every

    def merge(self, other: "InferredShape") -> None:
        """Add all values of another shape."""
        self.value_count += other.value_count
        self.object_count += other.object_count
        self.kinds |= other.kinds
        for key, part in other.fields.items():
            self.fields.setdefault(key, InferredShape()).merge(part)
        if other.element:
            self.element = self.element or InferredShape()
            self.element.merge(other.element)

    def build_hint(self, value: Any) -> Any:
        """The hint for one value: "infer" if the shape is sufficient."""
        if isinstance(value, dict):
            below = (
                self.fields if self.format().startswith("{") else dict.fromkeys(value, self._merge_fields())
            )
            hints = {key: below[key].build_hint(part) for key, part in value.items()}
            kept = {key: hint for key, hint in hints.items() if hint != "infer"}
            return kept or "infer"
        if isinstance(value, list) and self.element:
            every = [self.element.build_hint(part) for part in value]
            return "infer" if all(hint == "infer" for hint in every) else every
        possible = [meaning for kind in self.kinds for meaning in _STRINGS.get(kind, [])]
        return "infer" if len(possible) <= 1 else _value_hint(value)


def _value_kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "null" if value is None else "boolean"
    if isinstance(value, float):
        return (
            "NaN"
            if math.isnan(value)
            else "normalfloat64"
            if math.isfinite(value)
            else "inf"
            if value > 0
            else "-inf"
        )
    kinds: dict[type, str] = {Int64: "int64", str: "string", bytes: "bytes", list: "array", dict: "object"}
    return kinds[type(value)]


def _value_hint(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return {"$float64NaN": base64.b64encode(struct.pack("<d", value)).decode()}
    if isinstance(value, float) and math.isinf(value):
        return "float64inf"
    return {Int64: "int64", bytes: "bytes"}.get(type(value), "infer")
