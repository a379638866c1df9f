"""The output of all format readers: rows for the database, and refused lines with the reason."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from services.imports.import_tables import ImportColumn


class RowRead(NamedTuple):
    """The result of reading one row of a file.

    Attributes:
        line: The number of its first line, from 1.
        position: The number of bytes of the table's data read so far.
        row_id: Its id, "" if the id is not known.
        record: Its values in the order of `TableData.columns`; None if it is refused.
        reason: The reason for the refusal.
    """

    line: int
    position: int
    row_id: str
    record: list[Any] | None
    reason: str = ""


class BoundedCounter(Counter[str]):
    """Counts names that occur in a file. Their number is bounded: all further names are counted as one."""

    def add(self, thing: str, times: int = 1) -> None:
        """Add to the count of a name."""
        short = thing[:_NAME_CHARS_MAX]
        self[short if short in self or len(self) < _NAMES_MAX else _OTHERS] += times


_NAMES_MAX: Final = 200
_NAME_CHARS_MAX: Final = 120
_OTHERS: Final = "others"


@dataclass(slots=True)
class TableTally:
    """Counts of changes to a table's rows on their way to the database.

    Attributes:
        unknown: Fields that the table here does not have.
        changed: Values that were converted, since they have another meaning here: "status: invited became pending".
        secrets: Results for secrets.
    """

    unknown: BoundedCounter = field(default_factory=BoundedCounter)
    changed: BoundedCounter = field(default_factory=BoundedCounter)
    secrets: BoundedCounter = field(default_factory=BoundedCounter)


@dataclass(frozen=True, slots=True)
class TableData:
    """One table of a file.

    Attributes:
        columns: The file's columns, in the order of the records' values.
        rows: The rows. Each is read when the iterator reaches it.
    """

    columns: tuple[ImportColumn, ...]
    rows: Iterator[RowRead]


class ExportSource(Protocol):
    """An open export.

    Attributes:
        sizes: The bytes of each of our tables in it.
        skipped: The names of everything else in it.
        missing: Our tables that it lists but does not contain.
    """

    sizes: dict[str, int]
    skipped: list[str]
    missing: list[str]

    def open_table(self, name: str, tally: TableTally) -> AbstractContextManager[TableData]:
        """One of its tables, from the beginning.

        Raises:
            FileRefusedError: The file is broken, so that its rows cannot be separated. Reading rows raises it, too.
        """
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def format_value(value: object, length_max: int = 60) -> str:
    """A value from a file for a message: short, and without terminal control characters."""
    text = str(value)
    return repr(text if len(text) <= length_max else text[: length_max - 1] + "…")
