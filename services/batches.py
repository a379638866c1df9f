"""Batches of rows that are written at once: what comes of each, and which of equals counts."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from core.errors import BadUserInputError
from core.limits import EXTERNAL_ID_MAX_CHARS, TYPE_NAME_MAX_CHARS, UPSERT_ITEMS_MAX
from services.writes.values import storable

Item = TypeVar("Item")

AGAIN: Final = "comes again in this call, at {}; the last one counts"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One item that is not written: its place in the call from 0, its external id as it came, and why."""

    index: int
    external_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """What came of a call; the four together are its items.

    Attributes:
        created: rows that were not there.
        updated: rows that were there otherwise, or were deleted and are there again.
        unchanged: rows that were there just so, which were not touched.
        rejected: items that cannot be written.
    """

    created: int
    updated: int
    unchanged: int
    rejected: tuple[Rejection, ...]


class Batch(Generic[Item]):
    """The items of a call, of which some are found wanting one after the other.

    Attributes:
        left: those that are not, by their place in the call.
    """

    def __init__(self, items: Sequence[Item], external_id: Callable[[Item], str]) -> None:
        """Take in a call's items.

        Raises:
            BadUserInputError: there are more than `UPSERT_ITEMS_MAX`.
        """
        if len(items) > UPSERT_ITEMS_MAX:
            problem = f"has {len(items)} members; {UPSERT_ITEMS_MAX} are allowed"
            raise BadUserInputError(f"The input is not good: `items` {problem}", {"items": problem})
        self.left = dict(enumerate(items))
        self._external_id = external_id
        self._rejected: dict[int, Rejection] = {}

    def reject(self, index: int, reason: str) -> None:
        """Take an item out."""
        self._rejected[index] = Rejection(index, self._external_id(self.left.pop(index)), reason)

    def reject_where(self, wrong: Callable[[Item], str | None]) -> None:
        """Take out the items for which there is a reason."""
        for index, item in list(self.left.items()):
            if reason := wrong(item):
                self.reject(index, reason)

    def keep_last(self, key: Callable[[Item], Hashable]) -> None:
        """Of items with equal keys take out all but the last: it is the newest that a vendor's pages had."""
        last = {key(item): index for index, item in self.left.items()}
        for index, item in list(self.left.items()):
            if last[key(item)] != index:
                self.reject(index, AGAIN.format(last[key(item)]))

    def result(self, created: int, written: int) -> UpsertResult:
        """What has come of the call, where of the items that are left so many were written."""
        rejected = tuple(self._rejected[index] for index in sorted(self._rejected))
        return UpsertResult(created, written - created, len(self.left) - written, rejected)


def wrong_type(name: str, value: str) -> str | None:
    """Why a text is no type of entity or relationship; None if it is one."""
    return _wrong_text(name, value, TYPE_NAME_MAX_CHARS)


def wrong_external_id(name: str, value: str) -> str | None:
    """Why a text cannot be kept as an external id; None if it can."""
    return _wrong_text(name, value, EXTERNAL_ID_MAX_CHARS)


def _wrong_text(name: str, value: str, most: int) -> str | None:
    if not 0 < len(value) <= most:
        return f"`{name}` is empty" if not value else f"`{name}` has more than {most} characters"
    try:
        storable(value)
    except ValueError as error:
        return f"`{name}` {error}"
    return None
