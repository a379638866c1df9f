"""The report of an import as text: examples of refused rows, a line for each table, and what was changed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from core.limits import IMPORT_EXAMPLES_MAX
from services.imports.merging import MergeCounts
from services.imports.source import TableTally, format_value
from services.imports.staging import RefusedExample

_NAMES_MAX: Final = 100
_HEAD: Final = ("table", "read", "inserted", "updated", "unchanged", "rejected")


@dataclass(slots=True)
class TableReport:
    """The result of one table."""

    table: str
    read: int = 0
    merged: MergeCounts = field(default_factory=lambda: MergeCounts(0, 0, 0))
    rejected: int = 0
    tally: TableTally = field(default_factory=TableTally)


@dataclass(slots=True)
class ImportReport:
    """The result of an import.

    Attributes:
        tables: The processed tables, in the order of loading.
        skipped: The names of everything else in the file.
        missing: Tables that are not in the file although they were selected by name or the file lists them.
        is_committed: Whether the rows are in the database.
    """

    tables: list[TableReport] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    is_committed: bool = True

    @property
    def rejected(self) -> int:
        """The number of rejected rows."""
        return sum(table.rejected for table in self.tables)

    def iter_lines(self) -> Iterator[str]:
        """The table of counts, and remarks."""
        rows = [_HEAD, *(_format_numbers(table) for table in self.tables), _add_tables(self.tables)]
        for name, *numbers in rows:
            yield f"{name:<27}" + "".join(f"{number:>11}" for number in numbers)
        yield from self._iter_notes()
        if self.skipped:
            more = f", and {len(self.skipped) - _NAMES_MAX:,} more" if len(self.skipped) > _NAMES_MAX else ""
            names = ", ".join(map(format_printable, self.skipped[:_NAMES_MAX]))
            yield f"Skipped unknown tables: {names}{more}"
        if self.missing:
            yield f"Not in the file: {', '.join(self.missing)}"

    def _iter_notes(self) -> Iterator[str]:
        for table in self.tables:
            for what, times in sorted(table.tally.changed.items()):
                yield f"{table.table}: {times:,} x {format_printable(what)}"
            for what, times in sorted(table.tally.secrets.items()):
                yield f"{table.table}: {times:,} secrets {what}"
            for name, times in sorted(table.tally.unknown.items()):
                yield f"{table.table}: {times:,} x the unknown field {format_value(name)} was left out"


def iter_rejection_lines(example: RefusedExample) -> Iterator[str]:
    """A rejected row as text. Before the first and after the last of a kind of reason are lines about the kind."""
    table, _, _, _, kind, rank, total = example
    if rank == 1 and total > 1:
        yield f"{table}: {total:,} rows are rejected: {format_printable(kind, 400)}"
    yield _format_rejection(example)
    if rank == IMPORT_EXAMPLES_MAX and total > rank:
        yield f"{table}: {total - rank:,} more rows are rejected for this reason"


def _format_rejection(example: RefusedExample) -> str:
    named = f" ({format_printable(example.row_id, 80)})" if example.row_id else ""
    return f"{example.table}, line {example.line}{named}: {format_printable(example.reason, 400)}"


def format_printable(text: str, length_max: int = 200) -> str:
    """A text from a file for a terminal: short, on one line, and without control characters."""
    short = text if len(text) <= length_max else text[: length_max - 1] + "…"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in short)


def _format_numbers(table: TableReport) -> tuple[str, ...]:
    numbers = (table.read, *table.merged, table.rejected)
    return (table.table, *(f"{number:,}" for number in numbers))


def _add_tables(tables: Iterable[TableReport]) -> tuple[str, ...]:
    columns = zip(*((table.read, *table.merged, table.rejected) for table in tables), strict=True)
    return ("all", *(f"{sum(column):,}" for column in columns))
