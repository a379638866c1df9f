"""Responses, read to the letter and compared: order of keys and every digit of a number included."""

import json
from collections.abc import Container, Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import Any, Final

Path = tuple[object, ...]

_NOTHING: Final = object()


class Members(tuple[tuple[str, Any], ...]):
    """A JSON object as its members, in their order; a key that stands twice stands twice."""

    __slots__ = ()

    def get(self, name: str) -> Any:
        """The last member of that name, as JSON parsers have it; None where there is none."""
        return dict(self).get(name)


def read_exactly(body: bytes) -> Members:
    """The response with every number as written, and objects in their order."""
    read = json.loads(body, parse_float=Decimal, parse_int=int, object_pairs_hook=Members)
    assert isinstance(read, Members)
    return read


def difference(one: bytes, other: bytes) -> str | None:
    """Where two responses differ, the order of their errors aside; None where they are the same."""
    if one == other:
        return None
    first, second = read_exactly(one), read_exactly(other)
    found = next(_differences(first.get("data"), second.get("data"), ("data",)), None)
    if found is None:
        if ("data" in dict(first)) != ("data" in dict(second)):
            return "one has data, the other has none at all"
        found = next(_differences(_errors(first), _errors(second), ("errors",)), None)
    return found


def _errors(response: Members) -> list[Any]:
    """What is the same whichever way: message, path and code, the path first."""
    return sorted(
        (
            [error.get("path"), error.get("message"), error.get("extensions")]
            for error in response.get("errors") or ()
        ),
        key=repr,
    )


def _differences(one: Any, other: Any, path: Path) -> Iterator[str]:
    if isinstance(one, Members) and isinstance(other, Members):
        keys, others = [key for key, _ in one], [key for key, _ in other]
        if keys != others:
            yield f"{_written(path)}: keys {keys} and {others}"
        for (key, left), (_, right) in zip(one, other, strict=False):
            yield from _differences(left, right, (*path, key))
    elif isinstance(one, list) and isinstance(other, list):
        for place, (left, right) in enumerate(zip_longest(one, other, fillvalue=_NOTHING)):
            yield from _differences(left, right, (*path, place))
    elif not _same_leaf(one, other):
        yield f"{_written(path)}: {_short(one)} and {_short(other)}"


def _same_leaf(one: Any, other: Any) -> bool:
    numbers = isinstance(one, int | Decimal) and isinstance(other, int | Decimal)
    if numbers and not (isinstance(one, bool) or isinstance(other, bool)):
        return Decimal(one) == Decimal(other)
    return type(one) is type(other) and bool(one == other)


def _written(path: Path) -> str:
    return ".".join(map(str, path))


def _short(value: Any) -> str:
    return "nothing" if value is _NOTHING else f"{value!r:.200}"


def tells(value: Any, names: Container[str]) -> bool:
    """Whether a parsed response tells anything of a row: a text that is no type's name, or a number but 0."""
    if isinstance(value, dict):
        return any(tells(inner, names) for inner in value.values())
    if isinstance(value, list):
        return any(tells(inner, names) for inner in value)
    return bool(value) and not isinstance(value, bool) and value not in names
