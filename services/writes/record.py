"""The types in which the writable columns of a table are declared."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Final

from services.writes.field_kinds import FieldKind, TimestampKind
from services.writes.validation_errors import ValidationErrors
from services.writes.write_context import WriteContext

Row = Mapping[str, Any]
"""A row by column name, in the driver's form; JSON is text."""

Values = dict[str, Any]
"""The values to write by column name, in the form in which the fields' kinds bind them."""


class RowOwner(Enum):
    """The owner of a table's rows, which decides who may write them."""

    TENANT = "each row is of the tenant in its tenant_id"
    TENANT_OR_GLOBAL = "as TENANT; rows without a tenant are the platform's"
    ITSELF = "the table of tenants: a row is of itself"
    PLATFORM = "the platform's, one for all tenants"


class WriteVerb(Enum):
    """An operation on a row."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class WritableField:
    """A column that a client may set.

    Attributes:
        name: The column.
        kind: The kind of its values.
        null: Whether it may be null, so that null clears it.
        default: Whether a new row may omit it: the database or the record's `prepare` supplies a value.
        fixed: Whether it can be set in a new row only.
        platform: Whether only the platform may set it.
        about: Text for clients in addition to its column's description.
    """

    name: str
    kind: FieldKind
    null: bool = False
    default: bool = False
    fixed: bool = False
    platform: bool = False
    about: str = ""

    @property
    def may_be_never(self) -> bool:
        """Whether it may be `core.clock.NEVER`, which clients see as null."""
        return isinstance(self.kind, TimestampKind) and self.kind.never

    @property
    def stores_never(self) -> bool:
        """Whether null from a client stores `core.clock.NEVER`."""
        return self.may_be_never and not self.null


@dataclass(frozen=True, slots=True)
class UniqueConstraint:
    """A unique index that clients can violate: the field to report, and the message."""

    index: str
    field: str
    problem: str


@dataclass(frozen=True, slots=True)
class AuditMask:
    """How the audit log shows a column with secrets.

    Attributes:
        needs: An SQL expression of the row `t`; masking needs its value.
        shown: Makes `[before, after]` from the column's two values and the needed value.
    """

    needs: str
    shown: Callable[[Any, Any, Any], list[Any]]


async def _keep_values(
    _writing: WriteContext, _before: Row | None, _values: Values, _complaints: ValidationErrors
) -> None:
    """Add nothing to the client's values."""


async def _allow_all(_writing: WriteContext, _verb: WriteVerb, _before: Row | None, _values: Values) -> None:
    """Require nothing more than the right."""


async def _do_nothing(_writing: WriteContext, _verb: WriteVerb, _before: Row | None, _after: Row) -> None:
    """Do nothing after the write."""


Prepare = Callable[[WriteContext, Row | None, Values, ValidationErrors], Awaitable[None]]
"""Completes a row's values in place, and records conflicts between them; `before` is None for a new row."""

Guard = Callable[[WriteContext, WriteVerb, Row | None, Values], Awaitable[None]]
"""Raises an error if the viewer may not do this to the row. The row is locked."""

AfterWrite = Callable[[WriteContext, WriteVerb, Row | None, Row], Awaitable[None]]
"""Raises an error if the result is not allowed, or does further work. The row is written already."""


@dataclass(frozen=True, eq=False)
class WritableTable:
    """The writable columns and operations of one table.

    Attributes:
        table: The table.
        one: The name of a row in messages and mutations: `site`.
        module: The module; its `Write` is the right that writing takes.
        fields: The columns that a client may set.
        verbs: The operations on a row.
        bulk: The operations that also have a bulk form.
        owner: The owner of the rows.
        platform: The operations that only the platform may use.
        uniques: The unique indexes that a client can violate.
        extra: Further columns that rules or the audit need.
        masked: Columns that the audit log shows in another form than stored.
        right: The right that writing takes, if it is not the module's `Write`.
        stamped: Whether it has `updated_at`.
    """

    table: str
    one: str
    module: str
    fields: tuple[WritableField, ...]
    verbs: frozenset[WriteVerb] = frozenset(WriteVerb)
    bulk: frozenset[WriteVerb] = frozenset()
    owner: RowOwner = RowOwner.TENANT
    platform: frozenset[WriteVerb] = frozenset()
    uniques: tuple[UniqueConstraint, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)
    masked: Mapping[str, AuditMask] = field(default_factory=dict)
    right: str = ""
    stamped: bool = True
    prepare: Prepare = _keep_values
    guard: Guard = _allow_all
    after_write: AfterWrite = _do_nothing

    @cached_property
    def by_name(self) -> Mapping[str, WritableField]:
        """The fields by their column."""
        return {each.name: each for each in self.fields}

    @property
    def write_right(self) -> str:
        """The right that writing takes."""
        return self.right or f"{self.module}.Write"

    def requires_platform(self, verb: WriteVerb) -> bool:
        """Whether only the platform may use this verb."""
        return self.owner is RowOwner.PLATFORM or verb in self.platform

    @property
    def soft_deletes(self) -> bool:
        """Whether its rows are soft-deleted."""
        return WriteVerb.DELETE in self.verbs

    @property
    def has_tenant(self) -> bool:
        """Whether its rows have a tenant."""
        return self.owner in (RowOwner.TENANT, RowOwner.TENANT_OR_GLOBAL)

    @cached_property
    def column_types(self) -> Mapping[str, str]:
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

    def list_settable_fields(self, verb: WriteVerb) -> tuple[WritableField, ...]:
        """The fields that a client may give to a create or an update."""
        return tuple(each for each in self.fields if verb is WriteVerb.CREATE or not each.fixed)


ALL_VERBS: Final = frozenset({WriteVerb.DELETE, WriteVerb.RESTORE})
"""The operations on the life of a row."""

CREATE_UPDATE: Final = frozenset({WriteVerb.CREATE, WriteVerb.UPDATE})
"""The operations for rows that are never deleted."""
