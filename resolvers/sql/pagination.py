"""The page of a list: the page arguments, checked and in one form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import BadUserInputError
from core.limits import PAGE_DEFAULT, PAGE_MAX


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page: `limit` rows from one end of the rows between the cursors.

    `backward` counts from the end. At most one of the cursors and `offset` is used, with the arguments that fit it.
    """

    limit: int
    backward: bool = False
    after: str | None = None
    before: str | None = None
    offset: int = 0


def parse_page_arguments(arguments: Mapping[str, Any]) -> PageRequest:
    """The page for a list's arguments.

    Raises:
        BadUserInputError: Arguments contradict each other or are out of range. The error names each.
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
        if (problem := _find_range_problem(value, most))
    }
    if first is not None and last is not None:
        bad["last"] = "Use either `first` or `last`, not both"
    if offset and (last is not None or after is not None or before is not None):
        bad["offset"] = "`offset` must not be combined with a cursor or `last`"
    if bad:
        raise BadUserInputError("; ".join(f"{name}: {problem}" for name, problem in bad.items()), bad)
    limit = PAGE_DEFAULT if first is None and last is None else first if last is None else last
    return PageRequest(limit or 0, last is not None, after, before, offset or 0)


def _find_range_problem(value: int | None, maximum: int | None) -> str | None:
    if value is None:
        return None
    if value < 0:
        return f"must not be negative, but is {value}"
    if maximum is not None and value > maximum:
        return f"must be at most {maximum}, but is {value}"
    return None
