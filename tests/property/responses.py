"""Parses and compares responses exactly, including the order of keys and every digit of a number."""

import json
from collections.abc import Container, Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final

Path = tuple[object, ...]

_MISSING: Final = object()


class JsonMembers(tuple[tuple[str, Any], ...]):
    """A JSON object as its members, in their order; a key that stands twice stands twice."""

    __slots__ = ()

    def get(self, name: str) -> Any:
        """The last member of that name, as JSON parsers have it; None where there is none."""
        return dict(self).get(name)


def parse_exactly(body: bytes) -> JsonMembers:
    """The response with every number as written, and objects in their order."""
    read = json.loads(body, parse_float=Decimal, parse_int=int, object_pairs_hook=JsonMembers)
    assert isinstance(read, JsonMembers)
    return read


def find_difference(one: bytes, other: bytes) -> str | None:
    """Where two responses differ, the order of their errors aside; None where they are the same."""
    if one == other:
        return None
    first, second = parse_exactly(one), parse_exactly(other)
    found = next(_iter_differences(first.get("data"), second.get("data"), ("data",)), None)
    if found is None:
        if ("data" in dict(first)) != ("data" in dict(second)):
            return "one has data, the other has none at all"
        found = next(
            _iter_differences(_comparable_errors(first), _comparable_errors(second), ("errors",)), None
        )
    return found


def _comparable_errors(response: JsonMembers) -> list[Any]:
    """The parts that are equal for both strategies: message, path and code, the path first."""
    return sorted(
        (
            [error.get("path"), error.get("message"), error.get("extensions")]
            for error in response.get("errors") or ()
        ),
        key=repr,
    )


def _iter_differences(one: Any, other: Any, path: Path) -> Iterator[str]:
    if isinstance(one, JsonMembers) and isinstance(other, JsonMembers):
        keys, others = [key for key, _ in one], [key for key, _ in other]
        if keys != others:
            yield f"{_format_path(path)}: keys {keys} and {others}"
        for (key, left), (_, right) in zip(one, other, strict=False):
            yield from _iter_differences(left, right, (*path, key))
    elif isinstance(one, list) and isinstance(other, list):
        for place, (left, right) in enumerate(zip_longest(one, other, fillvalue=_MISSING)):
            yield from _iter_differences(left, right, (*path, place))
    elif not _is_same_leaf(one, other):
        yield f"{_format_path(path)}: {_shorten(one)} and {_shorten(other)}"


def _is_same_leaf(one: Any, other: Any) -> bool:
    numbers = isinstance(one, int | Decimal) and isinstance(other, int | Decimal)
    if numbers and not (isinstance(one, bool) or isinstance(other, bool)):
        return Decimal(one) == Decimal(other)
    return type(one) is type(other) and bool(one == other)


def _format_path(path: Path) -> str:
    return ".".join(map(str, path))


def _shorten(value: Any) -> str:
    return "nothing" if value is _MISSING else f"{value!r:.200}"


def contains_row_value(value: Any, names: Container[str]) -> bool:
    """Whether a parsed response reveals anything of a row: a text that is no type's name, or a number but 0."""
    if isinstance(value, dict):
        return any(contains_row_value(inner, names) for inner in value.values())
    if isinstance(value, list):
        return any(contains_row_value(inner, names) for inner in value)
    return bool(value) and not isinstance(value, bool) and value not in names
