"""Observed plans: beside its data such a statement answers *facts*, from which its reads are told with their keys.

The facts are JSON and follow the selection. Those of a row: an array of the values that levels below it go by, and of
those levels' own facts. Those of a page: its bound (null where it is open), then each of these of all its rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, NamedTuple

import orjson

from resolvers.orders import KeyValue
from resolvers.rows import Read


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the selection at which rows are read.

    Attributes:
        terms: The numbers of the plan's terms that are read there by the parents' keys.
        page: The number of the term whose rows come in pages; None where they do not, or are only counted.
        below: What is read for each of the rows.
    """

    terms: tuple[int, ...] = ()
    page: int | None = None
    below: tuple["Below", ...] = ()

    @property
    def tells(self) -> bool:
        """Whether it has facts of its own."""
        return self.page is not None or bool(self.below)


@dataclass(frozen=True, slots=True)
class Below:
    """A place below a row, and where in the row's facts its key and its own facts stand."""

    place: Place
    key: int | None
    facts: int | None


class Compiled(NamedTuple):
    """A SELECT of `data`, with `facts` where its place tells any."""

    sql: str
    place: Place


@dataclass(slots=True)
class Joined:
    """What is joined to the row at hand, and what of it is told as facts.

    Attributes:
        joins: The joins.
        below: The places that they read at.
    """

    joins: list[str] = field(default_factory=list)
    below: list[Below] = field(default_factory=list)
    _facts: dict[str, int] = field(default_factory=dict)

    def tell(self, place: Place, key: str | None, join: str) -> None:
        """Tell of a place that was read by the SQL expression `key`; None where the plan knows the key."""
        told = f"{join}.facts" if place.tells else None
        if key is not None or told is not None:
            self.below.append(Below(place, self._number(key), self._number(told)))

    @property
    def facts(self) -> tuple[str, ...]:
        """The SQL expressions of the row's facts."""
        return tuple(self._facts)

    def _number(self, sql: str | None) -> int | None:
        return None if sql is None else self._facts.setdefault(sql, len(self._facts))


@dataclass(slots=True)
class Seen:
    """What an observed statement has seen.

    Attributes:
        keys: For each term that was read by keys, by its number, those keys.
        bounds: How far the pages of each term reach, by its number and then by key.
    """

    keys: dict[int, set[str]] = field(default_factory=dict)
    bounds: dict[int, dict[str | None, Sequence[KeyValue]]] = field(default_factory=dict)

    @classmethod
    def of(cls, place: Place, facts: str) -> "Seen":
        """Read the facts of a statement whose root is `place`."""
        seen = cls()
        told = orjson.loads(facts)
        if told:
            seen._look(place, None, told)
        return seen

    def told(self, number: int, read: Read) -> Read:
        """The read of a term with what was seen of it."""
        keys = read.keys
        if keys is None and read.level.key is not None:
            keys = tuple(self.keys.get(number, ()))
        return replace(read, keys=keys, bounds=self.bounds.get(number, {}))

    def _look(self, place: Place, key: str | None, facts: Sequence[Any]) -> None:
        if place.page is None:
            columns: Sequence[Any] = [(fact,) for fact in facts]
        else:
            bound, *columns = facts
            if bound is not None:
                self.bounds.setdefault(place.page, {})[key] = bound
        for below in place.below:
            self._below(below, columns)

    def _below(self, below: Below, columns: Sequence[Any]) -> None:
        keys: Iterable[str | None] = repeat(None)
        if below.key is not None:
            keys = columns[below.key] or ()  # null: the page has no rows
            self._ask(below.place.terms, keys)
        if below.facts is not None:
            for key, told in zip(keys, columns[below.facts] or (), strict=False):
                if told is not None:
                    self._look(below.place, key, told)

    def _ask(self, terms: Iterable[int], keys: Iterable[str | None]) -> None:
        for term in terms:
            asked = self.keys.setdefault(term, set())
            asked.update(key for key in keys if key is not None)
