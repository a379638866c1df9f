"""Which part of a list is asked for: the page arguments, checked and in one shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import BadUserInputError
from core.limits import PAGE_DEFAULT, PAGE_MAX


@dataclass(frozen=True, slots=True)
class Page:
    """A page: `limit` rows from one end of what the cursors leave.

    `backward` counts from the back. At most one of the cursors and `offset` is used together with what fits it.
    """

    limit: int
    backward: bool = False
    after: str | None = None
    before: str | None = None
    offset: int = 0


def page_of(arguments: Mapping[str, Any]) -> Page:
    """The page that a list's arguments ask for.

    Raises:
        BadUserInputError: Arguments that contradict each other or are out of range; names each.
    """
    first, last, offset = arguments.get("first"), arguments.get("last"), arguments.get("offset")
    after, before = arguments.get("after"), arguments.get("before")
    bad = {
        name: problem
        for name, value, most in (
            ("first", first, PAGE_MAX),
            ("last", last, PAGE_MAX),
            ("offset", offset, None),
        )
        if (problem := _out_of_range(value, most))
    }
    if first is not None and last is not None:
        bad["last"] = "Ask for `first` or for `last`, not for both"
    if offset and (last is not None or after is not None or before is not None):
        bad["offset"] = "An offset counts from the beginning: it goes with neither a cursor nor `last`"
    if bad:
        raise BadUserInputError("; ".join(f"{name}: {problem}" for name, problem in bad.items()), bad)
    limit = PAGE_DEFAULT if first is None and last is None else first if last is None else last
    return Page(limit or 0, last is not None, after, before, offset or 0)


def _out_of_range(value: int | None, most: int | None) -> str | None:
    if value is None:
        return None
    if value < 0:
        return f"must not be negative, is {value}"
    if most is not None and value > most:
        return f"is {value}, at most {most} are given at once"
    return None
