"""Changes: one for each logged statement, and the delta between two snapshots. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from subscriptions.change_log.snapshot import Snapshot


class ChangeKind(StrEnum):
    """The kind of statement."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One row that a statement changed.

    Attributes:
        id: The row's id. A statement that changed an id changed two rows.
        before: The watched columns by their SQL names, with the unchanged ones. None if there was no row. Numbers
            with a
            fraction are text.
        after: The same after the statement. None if there is no row any longer.
        columns: The SQL names of all changed columns, watched or not. For a row that was inserted or deleted: all
            columns.
    """

    id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class ChangeOrigin:
    """The statement of a logged change.

    Attributes:
        xid: The transaction.
        sequence: Grows with each logged change. Changes of the same row have the order of their commits.
        written_at: When the statement ran, by the database's clock, in milliseconds since the epoch.
    """

    xid: int
    sequence: int
    written_at: int


@dataclass(frozen=True, slots=True)
class Change:
    """The effect of one statement on one table. Very many rows give a coarse change, or several changes.

    Attributes:
        table: The table's SQL name.
        kind: The kind of statement. An upsert is an INSERT and an UPDATE.
        origin: The statement.
        rows: The rows. None for a coarse change.
        tenants: The tenants of a coarse change's rows. None means any tenant, or a table without tenants.
        columns: The columns that a coarse change changed. None means any column.
    """

    table: str
    kind: ChangeKind
    origin: ChangeOrigin
    rows: tuple[ChangedRow, ...] | None
    tenants: frozenset[str | None] | None = None
    columns: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """The changes between two snapshots.

    Attributes:
        snapshot: The later snapshot, which is that of the statement that read the log.
        changes: The changes in the order of their numbers.
        is_complete: False if the log does not reach back to the earlier snapshot. Then anything may have changed.
    """

    snapshot: Snapshot
    changes: tuple[Change, ...]
    is_complete: bool
