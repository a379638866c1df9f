"""What the log's rows mean: of each table its columns, which of them are watched, and how values are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson

from core.database import Record
from subscriptions.changes.change import Change, ChangedRow, ChangeKind

_KINDS: Final = {1: ChangeKind.INSERT, 2: ChangeKind.UPDATE, 3: ChangeKind.DELETE, 4: ChangeKind.TRUNCATE}

Cells = Sequence[str | None]
"""The values of one logged row, as text."""


def _text(value: str | None) -> Any:
    return value


def _number(value: str | None) -> Any:
    return None if value is None else int(value)


def _flag(value: str | None) -> Any:
    return None if value is None else value == "true"


def _list(value: str | None) -> Any:
    return None if value is None else orjson.loads(value)


_OF_TYPE: Final[Mapping[str, Callable[[str | None], Any]]] = {
    "bigint": _number,
    "integer": _number,
    "boolean": _flag,
    "text[]": _list,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What the logged rows of one table mean, as long as the table has these columns.

    Attributes:
        table: The table's SQL name.
        columns: All columns; the n-th is the bit 2 to the n of a set of columns.
        watched: Those whose values are logged, with what makes a value of its text.
        unwatched: The others, each by its bit.
        is_tenants: Whether its rows belong to tenants.
    """

    table: str
    columns: tuple[str, ...]
    watched: tuple[tuple[str, Callable[[str | None], Any]], ...]
    unwatched: tuple[tuple[int, str], ...]
    is_tenants: bool

    @classmethod
    def read(cls, record: Record) -> Self:
        """The shape as `live.shape` has it."""
        columns, names = tuple(record["columns"]), record["watched"]
        watched = tuple(
            (name, _OF_TYPE.get(kind, _text)) for name, kind in zip(names, record["types"], strict=True)
        )
        unwatched = tuple((1 << bit, name) for bit, name in enumerate(columns) if name not in names)
        return cls(record["table_name"], columns, watched, unwatched, "tenant_id" in columns)

    def named(self, bits: int) -> frozenset[str]:
        """The columns of a set."""
        return frozenset(name for bit, name in enumerate(self.columns) if bits >> bit & 1)

    def values(self, cells: Cells) -> dict[str, Any]:
        """The watched values by their names."""
        return {name: convert(cell) for (name, convert), cell in zip(self.watched, cells, strict=True)}

    def rows(self, kind: ChangeKind, lines: Sequence[Cells]) -> tuple[ChangedRow, ...]:
        """The rows that were changed; those that a statement left as they were are none."""
        if kind is ChangeKind.UPDATE:
            return tuple(row for line in lines if (row := self._updated(line)).columns)
        everything = frozenset(self.columns)
        all_values = map(self.values, lines)
        if kind is ChangeKind.INSERT:
            return tuple(ChangedRow(values["id"], None, values, everything) for values in all_values)
        return tuple(ChangedRow(values["id"], values, None, everything) for values in all_values)

    def _updated(self, line: Cells) -> ChangedRow:
        """One row of an UPDATE: bits of the unwatched columns, values before, values after.

        A row whose id was changed to another, or from another, has one side only.
        """
        middle = 1 + len(self.watched)
        before, after = self.values(line[1:middle]), self.values(line[middle:])
        if before["id"] is None:
            return ChangedRow(after["id"], None, after, frozenset(self.columns))
        if after["id"] is None:
            return ChangedRow(before["id"], before, None, frozenset(self.columns))
        bits = int(line[0] or 0)
        changed = {name for name, value in before.items() if value != after[name]}
        changed.update(name for bit, name in self.unwatched if bits & bit)
        return ChangedRow(before["id"], before, after, frozenset(changed))

    def change(self, record: Record) -> Change:
        """One logged change."""
        kind, lines, tenants, bits = (record[name] for name in ("kind", "rows", "tenants", "columns"))
        return Change(
            table=self.table,
            kind=_KINDS[kind],
            xid=record["xid"],
            number=record["number"],
            at=record["at"],
            rows=None if lines is None else self.rows(_KINDS[kind], lines),
            tenants=None if tenants is None or not self.is_tenants else frozenset(tenants),
            columns=None if bits is None else self.named(bits),
        )
