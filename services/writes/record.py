"""The words in which it is declared what may be written of a table."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Final

from services.writes.complaints import Complaints
from services.writes.values import Kind
from services.writes.writing import Writing

Row = Mapping[str, Any]
"""A row by its columns' names, as the driver gives it; JSON is text."""

Values = dict[str, Any]
"""What is to be written, by columns' names, bound as the fields' kinds say."""


class Owner(Enum):
    """Whose the rows of a table are, and so who may write them."""

    TENANT = "each row is of the tenant in its tenant_id"
    TENANT_OR_GLOBAL = "as TENANT; rows without a tenant are the platform's"
    ITSELF = "the table of tenants: a row is of itself"
    PLATFORM = "the platform's, one for all tenants"


class Verb(Enum):
    """What is done to a row."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Field:
    """A column that a client may set.

    Attributes:
        name: The column.
        kind: What it may hold.
        null: Whether it may be absent, so that a null clears it.
        default: Whether it may be left out of a new row: the database or the record's `prepare` knows better.
        fixed: Whether it is set in a new row only.
        platform: Whether only the platform may set it.
        about: What clients are told of it beside its column's description.
    """

    name: str
    kind: Kind
    null: bool = False
    default: bool = False
    fixed: bool = False
    platform: bool = False
    about: str = ""


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique index that clients can run into: the field to blame, and what is wrong with it."""

    index: str
    field: str
    problem: str


@dataclass(frozen=True, slots=True)
class Mask:
    """How a column with secrets is shown in the audit log.

    Attributes:
        needs: An SQL expression of the row `t` that showing it takes.
        shown: Makes `[before, after]` of the column's two values and what it needs.
    """

    needs: str
    shown: Callable[[Any, Any, Any], list[Any]]


async def _as_given(_writing: Writing, _before: Row | None, _values: Values, _complaints: Complaints) -> None:
    """Nothing to add to what the client gave."""


async def _anything(_writing: Writing, _verb: Verb, _before: Row | None, _values: Values) -> None:
    """No rule beside the right."""


async def _nothing(_writing: Writing, _verb: Verb, _before: Row | None, _after: Row) -> None:
    """Nothing is left to do."""


Prepare = Callable[[Writing, Row | None, Values, Complaints], Awaitable[None]]
"""Completes a row's values in place, and complains of what does not go together; `before` is None for a new row."""

Guard = Callable[[Writing, Verb, Row | None, Values], Awaitable[None]]
"""Refuses what the viewer may not do to this row, by raising; the row is locked."""

Settle = Callable[[Writing, Verb, Row | None, Row], Awaitable[None]]
"""Refuses what must not have come about, or does what follows from a write; the row is written."""


@dataclass(frozen=True, eq=False)
class Record:
    """What may be written of one table.

    Attributes:
        table: The table.
        one: What a row is called in messages and mutations: `site`.
        module: The module whose `Write` it takes.
        fields: What a client may set.
        verbs: What may be done to a row.
        bulk: Of these, what may be done to many rows at once.
        owner: Whose the rows are.
        platform: Of the verbs those that the platform alone may do.
        uniques: The unique indexes that a client can run into.
        extra: Columns beside the fields and the usual ones that rules or the audit need.
        masked: Columns that the audit log shows in another way than they stand.
        right: The right that it takes, where it is not the module's `Write`.
        stamped: Whether it has `updated_at`.
    """

    table: str
    one: str
    module: str
    fields: tuple[Field, ...]
    verbs: frozenset[Verb] = frozenset(Verb)
    bulk: frozenset[Verb] = frozenset()
    owner: Owner = Owner.TENANT
    platform: frozenset[Verb] = frozenset()
    uniques: tuple[Unique, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    masked: Mapping[str, Mask] = field(default_factory=dict)
    right: str = ""
    stamped: bool = True
    prepare: Prepare = _as_given
    guard: Guard = _anything
    settle: Settle = _nothing

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """The fields by their column."""
        return {each.name: each for each in self.fields}

    @property
    def write_right(self) -> str:
        """The right that writing it takes."""
        return self.right or f"{self.module}.Write"

    def takes_platform(self, verb: Verb) -> bool:
        """Whether the platform alone may do this."""
        return self.owner is Owner.PLATFORM or verb in self.platform

    @property
    def soft_deletes(self) -> bool:
        """Whether its rows are marked as deleted."""
        return Verb.DELETE in self.verbs

    @property
    def has_tenant(self) -> bool:
        """Whether its rows name a tenant."""
        return self.owner in (Owner.TENANT, Owner.TENANT_OR_GLOBAL)

    @cached_property
    def types(self) -> Mapping[str, str]:
        """The PostgreSQL type of each column that is read or written."""
        return {
            "id": "text",
            **({"tenant_id": "text"} if self.has_tenant else {}),
            **{each.name: each.kind.sql_type for each in self.fields},
            **self.extra,
            "created_at": "bigint",
            **({"updated_at": "bigint"} if self.stamped else {}),
            **({"deleted_at": "bigint"} if self.soft_deletes else {}),
        }

    def settable(self, verb: Verb) -> tuple[Field, ...]:
        """The fields that a client may give to a create or an update."""
        return tuple(each for each in self.fields if verb is Verb.CREATE or not each.fixed)


LIFE: Final = frozenset({Verb.DELETE, Verb.RESTORE})
"""What becomes of a row as a whole."""

CREATE_UPDATE: Final = frozenset({Verb.CREATE, Verb.UPDATE})
"""For rows that are never deleted."""
