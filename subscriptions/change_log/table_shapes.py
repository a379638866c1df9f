"""The format of the log's rows: each table's columns, the watched columns, and the conversion of their values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson

from core.database.database import Record
from subscriptions.change_log.change import Change, ChangedRow, ChangeKind, ChangeOrigin

_KINDS: Final = {1: ChangeKind.INSERT, 2: ChangeKind.UPDATE, 3: ChangeKind.DELETE, 4: ChangeKind.TRUNCATE}

Cells = Sequence[str | None]
"""The values of one logged row, as text."""


def _read_text(value: str | None) -> Any:
    return value


def _read_number(value: str | None) -> Any:
    return None if value is None else int(value)


def _read_flag(value: str | None) -> Any:
    return None if value is None else value == "true"


def _read_list(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)


_READER_OF_TYPE: Final[Mapping[str, Callable[[str | None], Any]]] = {
    "bigint": _read_number,
    "integer": _read_number,
    "boolean": _read_flag,
    "text[]": _read_list,
}


@dataclass(frozen=True, slots=True)
class TableShape:
    """The format of one table's logged rows, while the table has these columns.

    Attributes:
        table: The table's SQL name.
        columns: All columns. In a set of columns, the n-th is the bit 2 to the n.
        watched: The columns with logged values, each with the function that converts its text.
        unwatched: The other columns, each with its bit.
        is_tenants: Whether the rows belong to tenants.
    """

    table: str
    columns: tuple[str, ...]
    watched: tuple[tuple[str, Callable[[str | None], Any]], ...]
    unwatched: tuple[tuple[int, str], ...]
    is_tenants: bool

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Make a shape from a row of `live.shape`."""
        columns, names = tuple(record["columns"]), record["watched"]
        watched = tuple(
            (name, _READER_OF_TYPE.get(kind, _read_text))
            for name, kind in zip(names, record["types"], strict=True)
        )
        unwatched = tuple((1 << bit, name) for bit, name in enumerate(columns) if name not in names)
        return cls(record["table_name"], columns, watched, unwatched, "tenant_id" in columns)

    def list_columns_of_bits(self, bits: int) -> frozenset[str]:
        """The columns of a set."""
        return frozenset(name for bit, name in enumerate(self.columns) if bits >> bit & 1)

    def read_values(self, cells: Cells) -> dict[str, Any]:
        """The watched values by their names."""
        return {name: convert(cell) for (name, convert), cell in zip(self.watched, cells, strict=True)}

    def read_rows(self, kind: ChangeKind, lines: Sequence[Cells]) -> tuple[ChangedRow, ...]:
        """The changed rows, without those that a statement left unchanged."""
        if kind is ChangeKind.UPDATE:
            return tuple(row for line in lines if (row := self._read_updated_row(line)).columns)
        everything = frozenset(self.columns)
        all_values = map(self.read_values, lines)
        if kind is ChangeKind.INSERT:
            return tuple(ChangedRow(values["id"], None, values, everything) for values in all_values)
        return tuple(ChangedRow(values["id"], values, None, everything) for values in all_values)

    def _read_updated_row(self, line: Cells) -> ChangedRow:
        """One row of an UPDATE: bits of the unwatched columns, values before, values after.

        If the id was changed, each of the two rows has one side only.
        """
        middle = 1 + len(self.watched)
        before, after = self.read_values(line[1:middle]), self.read_values(line[middle:])
        if before["id"] is None:
            return ChangedRow(after["id"], None, after, frozenset(self.columns))
        if after["id"] is None:
            return ChangedRow(before["id"], before, None, frozenset(self.columns))
        bits = int(line[0] or 0)
        changed = {name for name, value in before.items() if value != after[name]}
        changed.update(name for bit, name in self.unwatched if bits & bit)
        return ChangedRow(before["id"], before, after, frozenset(changed))

    def read_change(self, record: Record) -> Change:
        """Make a change from one row of the log."""
        kind, lines, tenants, bits = (record[name] for name in ("kind", "rows", "tenants", "columns"))
        return Change(
            table=self.table,
            kind=_KINDS[kind],
            origin=ChangeOrigin(record["xid"], record["number"], record["at"]),
            rows=None if lines is None else self.read_rows(_KINDS[kind], lines),
            tenants=None if tenants is None or not self.is_tenants else frozenset(tenants),
            columns=None if bits is None else self.list_columns_of_bits(bits),
        )
