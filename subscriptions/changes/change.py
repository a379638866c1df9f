"""What was written: one change for each logged statement, and the delta between two moments; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from subscriptions.changes.moment import Moment


class ChangeKind(StrEnum):
    """What a statement did."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One row that a statement changed.

    Attributes:
        id: The row's id; a statement that changed an id changed two rows.
        before: The watched columns by their SQL names, the unchanged ones too; None where there was no row.
            Numbers with a fraction are text.
        after: The same after the statement; None where there is no row any longer.
        columns: The SQL names of all columns that changed, watched or not; every column of a row that came or
            went.
    """

    id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """What one statement did to one table; a statement on very many rows is told coarsely, or in several.

    Attributes:
        table: The table's SQL name.
        kind: What was done; an upsert is an INSERT and an UPDATE.
        xid: The transaction that did it.
        number: Grows with each change that is logged; among changes of the same row in the order of their commits.
        at: When the statement ran by the database's clock, in milliseconds since the epoch.
        rows: The rows; None where the change is coarse.
        tenants: Of a coarse change, whose rows; None: anybody's, or the table has no tenants.
        columns: Of a coarse change, the columns that changed; None: any.
    """

    table: str
    kind: ChangeKind
    xid: int
    number: int
    at: int
    rows: tuple[ChangedRow, ...] | None
    tenants: frozenset[str | None] | None = None
    columns: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """The changes between two moments.

    Attributes:
        moment: The later one: what the statement that read the log saw.
        changes: In the order of their numbers.
        complete: False: the log does not reach back to the earlier moment, so anything may have changed.
    """

    moment: Moment
    changes: tuple[Change, ...]
    complete: bool
