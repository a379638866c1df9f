"""Batches of rows that are written together: the result of each item, and the choice among items of equal key."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from core.errors import BadUserInputError
from core.limits import EXTERNAL_ID_MAX_CHARS, TYPE_NAME_MAX_CHARS, UPSERT_ITEMS_MAX
from core.storable import require_storable_text

Item = TypeVar("Item")

DUPLICATE_REASON: Final = "occurs again in this call, at {}; the last one counts"


@dataclass(frozen=True, slots=True)
class Rejection:
    """An item that is not written: its index in the call from 0, its external id as given, and the reason."""

    index: int
    external_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class UpsertResult:
    """The result of a call. The four counts add up to the number of its items.

    Attributes:
        created: The number of rows that did not exist.
        updated: The number of rows that differed, or were deleted and are restored.
        unchanged: The number of rows that were equal already and were not touched.
        rejected: The items that cannot be written.
    """

    created: int
    updated: int
    unchanged: int
    rejected: tuple[Rejection, ...]


class UpsertBatch(Generic[Item]):
    """The items of a call. Successive checks reject some of them.

    Attributes:
        items: The items not rejected so far, by their index in the call.
    """

    def __init__(self, items: Sequence[Item], external_id: Callable[[Item], str]) -> None:
        """A batch of a call's items.

        Raises:
            BadUserInputError: There are more than `UPSERT_ITEMS_MAX`.
        """
        if len(items) > UPSERT_ITEMS_MAX:
            problem = f"must have at most {UPSERT_ITEMS_MAX} elements, not {len(items)}"
            raise BadUserInputError(f"Invalid input: `items` {problem}", {"items": problem})
        self.items = dict(enumerate(items))
        self._external_id = external_id
        self._rejected: dict[int, Rejection] = {}

    def reject(self, index: int, reason: str) -> None:
        """Reject an item."""
        self._rejected[index] = Rejection(index, self._external_id(self.items.pop(index)), reason)

    def reject_invalid(self, wrong: Callable[[Item], str | None]) -> None:
        """Reject the items for which the function returns a reason."""
        for index, item in list(self.items.items()):
            if reason := wrong(item):
                self.reject(index, reason)

    def keep_last(self, key: Callable[[Item], Hashable]) -> None:
        """Keep only the last of the items with equal keys: it is the newest in a vendor's pages."""
        last = {key(item): index for index, item in self.items.items()}
        for index, item in list(self.items.items()):
            if last[key(item)] != index:
                self.reject(index, DUPLICATE_REASON.format(last[key(item)]))

    def result(self, created: int, written: int) -> UpsertResult:
        """The result of the call, given how many of the remaining items were created and how many written."""
        rejected = tuple(self._rejected[index] for index in sorted(self._rejected))
        return UpsertResult(created, written - created, len(self.items) - written, rejected)


def find_type_problem(name: str, value: str) -> str | None:
    """Why a text is not valid as a type of entity or relationship; None if it is valid."""
    return _find_text_problem(name, value, TYPE_NAME_MAX_CHARS)


def find_external_id_problem(name: str, value: str) -> str | None:
    """Why a text is not valid as an external id; None if it is valid."""
    return _find_text_problem(name, value, EXTERNAL_ID_MAX_CHARS)


def _find_text_problem(name: str, value: str, length_max: int) -> str | None:
    if not 0 < len(value) <= length_max:
        return (
            f"`{name}` must not be empty"
            if not value
            else f"`{name}` must have at most {length_max} characters"
        )
    try:
        require_storable_text(value)
    except ValueError as error:
        return f"`{name}` {error}"
    return None
