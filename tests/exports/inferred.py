"""What the older Convex exports said of a table: its shape, and of single documents what that leaves open."""

import base64
import json
import math
import re
import struct
from typing import Any, Final

from tests.exports.world import Int64

_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*|_[A-Za-z0-9_]+")
_STRINGS: Final = {
    "int64": ["int64"],
    "NaN": ["nan", "inf"],
    "inf": ["inf"],
    "-inf": ["inf"],
    "string": ["string"],
    "bytes": ["bytes"],
}
"""What a string in the export may stand for, by the kinds of values that were seen."""


class Inferred:
    """The shape of the values that it has seen."""

    def __init__(self) -> None:
        self.kinds: dict[str, None] = {}
        self.fields: dict[str, Inferred] = {}
        self.element: Inferred | None = None
        self.seen = 0
        self.objects = 0

    def see(self, value: Any) -> None:
        """Take one value into account."""
        self.seen += 1
        self.kinds[_kind(value)] = None
        if isinstance(value, dict):
            self.objects += 1
            for key, part in value.items():
                self.fields.setdefault(key, Inferred()).see(part)
        if isinstance(value, list):
            self.element = self.element or Inferred()
            for part in value:
                self.element.see(part)

    def text(self) -> str:
        """The shape as Convex writes it."""
        return " | ".join(map(self._one, self.kinds)) or "never"

    def _one(self, kind: str) -> str:
        if kind == "array":
            return f"array<{self.element.text() if self.element else 'never'}>"
        if kind != "object":
            return kind
        if not all(map(_IDENTIFIER.fullmatch, self.fields)):
            return f"record<string, {self._all().text()}>"
        said = [
            f"{json.dumps(key)}{self._optional(key)}: {part.text()}"
            for key, part in sorted(self.fields.items())
        ]
        return "{" + ", ".join(said) + "}"

    def _optional(self, key: str) -> str:
        return "?" if self.fields[key].seen < self.objects else ""

    def _all(self) -> "Inferred":
        """The shape of any of the fields."""
        every = Inferred()
        for part in self.fields.values():
            every.absorb(part)
        return every

    def absorb(self, other: "Inferred") -> None:
        """Take into account all that another has seen."""
        self.seen += other.seen
        self.objects += other.objects
        self.kinds |= other.kinds
        for key, part in other.fields.items():
            self.fields.setdefault(key, Inferred()).absorb(part)
        if other.element:
            self.element = self.element or Inferred()
            self.element.absorb(other.element)

    def hint(self, value: Any) -> Any:
        """What is to be said of one value: "infer" where the shape says all."""
        if isinstance(value, dict):
            below = self.fields if self.text().startswith("{") else dict.fromkeys(value, self._all())
            hints = {key: below[key].hint(part) for key, part in value.items()}
            kept = {key: hint for key, hint in hints.items() if hint != "infer"}
            return kept or "infer"
        if isinstance(value, list) and self.element:
            every = [self.element.hint(part) for part in value]
            return "infer" if all(hint == "infer" for hint in every) else every
        possible = [meaning for kind in self.kinds for meaning in _STRINGS.get(kind, [])]
        return "infer" if len(possible) <= 1 else _said(value)


def _kind(value: Any) -> str:
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


def _said(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return {"$float64NaN": base64.b64encode(struct.pack("<d", value)).decode()}
    if isinstance(value, float) and math.isinf(value):
        return "float64inf"
    return {Int64: "int64", bytes: "bytes"}.get(type(value), "infer")
