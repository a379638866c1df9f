"""What the readers of all formats give: rows ready for the database, and lines that hold none, with the reason."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from services.imports.shapes import Column


class Read(NamedTuple):
    """What one row of a file came to.

    Attributes:
        line: Where it begins, from 1.
        position: Bytes of the table's data read so far.
        row_id: Its id, "" where that is not known.
        record: Its values in the order of `TableData.columns`; None where it is refused.
        reason: Why it is refused.
    """

    line: int
    position: int
    row_id: str
    record: list[Any] | None
    reason: str = ""


class Counts(Counter[str]):
    """How often things were seen that a file names; of a file that names no end of them, all others as one."""

    def add(self, thing: str, times: int = 1) -> None:
        """Count one."""
        short = thing[:_THING_CHARS_MAX]
        self[short if short in self or len(self) < _THINGS_MAX else _OTHERS] += times


_THINGS_MAX: Final = 200
_THING_CHARS_MAX: Final = 120
_OTHERS: Final = "others"


@dataclass(slots=True)
class Tally:
    """What was done to a table's rows on their way, counted.

    Attributes:
        unknown: Fields that the table here does not have.
        changed: Values that mean something else here: "status: invited became pending".
        secrets: What became of secrets.
    """

    unknown: Counts = field(default_factory=Counts)
    changed: Counts = field(default_factory=Counts)
    secrets: Counts = field(default_factory=Counts)


@dataclass(frozen=True, slots=True)
class TableData:
    """One table of a file.

    Attributes:
        columns: Those that the file has, in the order in which records have them.
        rows: Each row, read as it is asked for.
    """

    columns: tuple[Column, ...]
    rows: Iterator[Read]


class Source(Protocol):
    """An export that is open.

    Attributes:
        sizes: The bytes of each table of ours that it has.
        skipped: What else it has.
        missing: Tables of ours that it says it has, and has not.
    """

    sizes: dict[str, int]
    skipped: list[str]
    missing: list[str]

    def table(self, name: str, tally: Tally) -> AbstractContextManager[TableData]:
        """One of its tables, from the beginning.

        Raises:
            FileRefusedError: It is broken in such a way that its rows cannot be told apart; also while rows are read.
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def shown(value: object, most: int = 60) -> str:
    """A value from a file for a message: short, and without what a terminal would obey."""
    text = str(value)
    return repr(text if len(text) <= most else text[: most - 1] + "…")
