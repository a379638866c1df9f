"""What an import did, in words: a line for each table, each refused row, and what is not as it was in the file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from services.imports.merging import Merged
from services.imports.reading import Tally, shown
from services.imports.staging import Refusal

_NAMES_MAX: Final = 100
_HEAD: Final = ("table", "read", "inserted", "updated", "unchanged", "rejected")


@dataclass(slots=True)
class TableReport:
    """What became of one table's rows."""

    table: str
    read: int = 0
    merged: Merged = field(default_factory=lambda: Merged(0, 0, 0))
    rejected: int = 0
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class Report:
    """What became of an import.

    Attributes:
        tables: Those that were looked at, in the order in which they were loaded.
        skipped: What else the file has.
        missing: Tables that were wanted by name, or that the file says it has, and which are not in it.
        is_kept: Whether the rows are in the database.
    """

    tables: list[TableReport] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    is_kept: bool = True

    @property
    def rejected(self) -> int:
        """How many rows were rejected."""
        return sum(table.rejected for table in self.tables)

    def summary(self) -> Iterator[str]:
        """The table of numbers, and what is to be said beside them."""
        rows = [_HEAD, *(_numbers(table) for table in self.tables), _total(self.tables)]
        for name, *numbers in rows:
            yield f"{name:<27}" + "".join(f"{number:>11}" for number in numbers)
        yield from self._notes()
        if self.skipped:
            more = f", and {len(self.skipped) - _NAMES_MAX:,} more" if len(self.skipped) > _NAMES_MAX else ""
            names = ", ".join(map(printable, self.skipped[:_NAMES_MAX]))
            yield f"Skipped, as there is no such table here: {names}{more}"
        if self.missing:
            yield f"Not in the file: {', '.join(self.missing)}"

    def _notes(self) -> Iterator[str]:
        for table in self.tables:
            for what, times in sorted(table.tally.changed.items()):
                yield f"{table.table}: {times:,} x {printable(what)}"
            for what, times in sorted(table.tally.secrets.items()):
                yield f"{table.table}: {times:,} secrets {what}"
            for name, times in sorted(table.tally.unknown.items()):
                yield f"{table.table}: {times:,} x the field {shown(name)}, which there is not here, was left out"


def rejection(refusal: Refusal) -> str:
    """One rejected row in words."""
    table, line, row_id, reason = refusal
    named = f" ({printable(row_id, 80)})" if row_id else ""
    return f"{table}, line {line}{named}: {printable(reason, 400)}"


def printable(text: str, most: int = 200) -> str:
    """A text from a file as a terminal may have it: short, without what it would obey, and on one line."""
    short = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in short)


def _numbers(table: TableReport) -> tuple[str, ...]:
    numbers = (table.read, *table.merged, table.rejected)
    return (table.table, *(f"{number:,}" for number in numbers))


def _total(tables: Iterable[TableReport]) -> tuple[str, ...]:
    columns = zip(*((table.read, *table.merged, table.rejected) for table in tables), strict=True)
    return ("all", *(f"{sum(column):,}" for column in columns))
