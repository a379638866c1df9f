"""The declaration of a table: its columns, its references, and the rights to read it.

A declaration is a plain Strawberry class with a `column(...)` for each field, and one `Table` for it. Everything
generic (filters, orders, connections, data loaders, SQL) is derived from the two, and from nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, StrEnum, auto
from functools import cached_property
from types import GenericAlias, NoneType, UnionType
from typing import Any, Final, Literal, get_args, get_type_hints

import strawberry
from strawberry.scalars import JSON

from core.case_conversion import to_camel_case
from schema.scalars import Timestamp

_OPTIONS: Final = "column"


class Kind(Enum):
    """The kind of a column's values."""

    ID = auto()
    TEXT = auto()
    ENUM = auto()
    TIMESTAMP = auto()
    INT = auto()
    BOOLEAN = auto()
    DECIMAL = auto()
    JSON = auto()
    TEXTS = auto()

    @property
    def sql_type(self) -> str:
        """The PostgreSQL type in which its values are compared."""
        return _SQL_TYPES.get(self, "text")


_SQL_TYPES: Final = {
    Kind.TIMESTAMP: "bigint",
    Kind.INT: "integer",
    Kind.BOOLEAN: "boolean",
    Kind.DECIMAL: "numeric",
    Kind.JSON: "jsonb",
    Kind.TEXTS: "text[]",
}

_KINDS: Final[Mapping[object, Kind]] = {
    strawberry.ID: Kind.ID,
    str: Kind.TEXT,
    Timestamp: Kind.TIMESTAMP,
    int: Kind.INT,
    bool: Kind.BOOLEAN,
    Decimal: Kind.DECIMAL,
    JSON: Kind.JSON,
    list[str]: Kind.TEXTS,
}


@dataclass(frozen=True, slots=True)
class ColumnDependency:
    """The rows of another table that a computed column depends on, and their columns, by SQL names.

    The columns include those that select the rows. Reading the column requires the right to read that table.
    """

    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """The options of a column's declaration, in addition to its type."""

    filter: bool
    order: bool
    search: bool
    sql: str | None
    reads: tuple[tuple[str, str], ...]
    dependencies: tuple[ColumnDependency, ...]
    stored: bool
    never: bool
    not_null: bool


def column(
    description: str,
    *,
    filter: bool = True,  # noqa: A002 - the term of the field
    order: bool = True,
    search: bool = False,
    sql: str | None = None,
    reads: tuple[tuple[str, str], ...] = (),
    dependencies: tuple[ColumnDependency, ...] = (),
    stored: bool = True,
    never: bool = False,
    not_null: bool = False,
) -> Any:
    """Declare a column of a table's class; its name and type are the class attribute's.

    Args:
        description: Its description in the schema.
        filter: Whether `where` may compare it.
        order: Whether `orderBy` may name it (JSON and lists never can).
        search: Whether `search` includes it.
        sql: A computed column's expression; `{t}` stands for the row.
        reads: The dependencies of its value, as tables and their columns; by default the column itself. For its
            own table these are columns of the same row.
        dependencies: The other rows that it depends on, of any table. The viewer must have the right to read them.
        stored: Whether the table has a column of this name; false for a column that is entirely computed.
        never: Whether the time may be `core.clock.NEVER`. Clients see null instead, because JavaScript's Date cannot
            hold it.
        not_null: Whether the table's column has no nulls, although the field is null for never.
    """
    options = ColumnOptions(filter, order, search, sql, reads, dependencies, stored, never, not_null)
    return strawberry.field(description=description, metadata={_OPTIONS: options})


def nullable(annotation: Any) -> Any:
    """The annotation of a nullable field or argument."""
    return annotation | None


def list_of(annotation: Any) -> Any:
    """The annotation of a list. mypy treats the generated types as values, so `list[...]` cannot be written."""
    return GenericAlias(list, (annotation,))


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its SQL and GraphQL properties. `nullable` is the stored value's property."""

    name: str
    graphql_name: str
    kind: Kind
    nullable: bool
    description: str
    options: ColumnOptions
    enum: type[StrEnum] | None = None

    def sql(self, alias: str) -> str:
        """The SQL expression of its value; `alias` is the row."""
        return self.options.sql.format(t=alias) if self.options.sql else f'{alias}."{self.name}"'

    @property
    def never(self) -> bool:
        """Whether the value may be `core.clock.NEVER`, which clients see as null."""
        return self.options.never

    @property
    def orderable(self) -> bool:
        """Whether a list may be ordered by it."""
        return self.options.order and self.kind not in (Kind.JSON, Kind.TEXTS)


@dataclass(frozen=True, slots=True)
class Reference:
    """A column with the id of a row of another table; it gives a field on both sides.

    `one` is the field on the declaring table (an agent's `site`). `many` is the connection on the referenced one (a
    site's `agents`). `only` is a single row there instead, if at most one can reference it (an agent's
    `healthCheck`). `by` names columns that become arguments of the connection, compared for equality.
    """

    column: str
    table: str
    one: str | None = None
    many: str | None = None
    only: str | None = None
    about_one: str = ""
    about_many: str = ""
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """A reference with its table in another column: a health check's `resource`.

    `members` maps the values of `discriminator` to the tables. `column` has the row's id.
    """

    field: str
    union: str
    discriminator: str
    column: str
    members: Mapping[str, str]
    about: str
    about_union: str


class Scope(Enum):
    """The owners of a table's rows."""

    TENANT = "each row belongs to the tenant in its tenant_id"
    TENANT_OR_GLOBAL = "as TENANT, and rows without a tenant are offered to every tenant"
    ITSELF = "the table of tenants: a row belongs to itself"
    EVERYONE = "one catalog for all tenants"
    PLATFORM = "for the platform alone"


OrderBy = tuple[str, Literal["asc", "desc"]]


@dataclass(frozen=True, eq=False)
class Table:
    """One table, or a view of one: the type of its rows, and the data for lists, relations and rights.

    Attributes:
        name: The table's SQL name; a view's own.
        one: The root field that takes an id; none for a view.
        also_by: Further root fields that return one row, each with the column of its argument.
        canonical: Converts an argument to the one spelling in which such a column is stored.
        also_many: Further names of the list, each with its description in the schema.
        source_table: For a view, the SQL name of the table that contains its rows.
        only: The condition on a view's rows: columns with their value.
    """

    type: Any
    name: str
    one: str
    many: str
    module: str
    scope: Scope = Scope.TENANT
    references: tuple[Reference, ...] = ()
    choices: tuple[Choice, ...] = ()
    also_by: Mapping[str, str] = field(default_factory=dict)
    canonical: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    also_many: Mapping[str, str] = field(default_factory=dict)
    default_order: OrderBy = ("id", "asc")
    source_table: str | None = None
    only: tuple[tuple[str, object], ...] = ()

    @property
    def relation(self) -> str:
        """The SQL name of the table that its rows are read from."""
        return self.source_table or self.name

    @property
    def type_name(self) -> str:
        """The GraphQL name of the row's type."""
        return str(self.type.__name__)

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """Every declared column by its SQL name, in the order of the declaration."""
        hints = get_type_hints(self.type)
        fields = {f.python_name: f for f in self.type.__strawberry_definition__.fields}
        return {
            name: _build_column(name, hint, fields[name])
            for name, hint in hints.items()
            if name in fields and _OPTIONS in fields[name].metadata
        }

    @cached_property
    def by_graphql_name(self) -> Mapping[str, Column]:
        """The columns by their GraphQL name."""
        return {c.graphql_name: c for c in self.columns.values()}

    @cached_property
    def soft_deletes(self) -> bool:
        """Whether its rows are marked as deleted instead of removed."""
        return "deleted_at" in self.columns

    @cached_property
    def searched(self) -> tuple[Column, ...]:
        """The columns that `search` includes."""
        return tuple(c for c in self.columns.values() if c.options.search)

    @property
    def right(self) -> str:
        """The right to read it."""
        return f"{self.module}.Read"

    @property
    def deleted_right(self) -> str:
        """The right to read its deleted rows: the same as for restoring them."""
        return f"{self.module}.Write"


def _build_column(name: str, hint: Any, declared: Any) -> Column:
    inner, nullable = _unwrap_optional(hint)
    options: ColumnOptions = declared.metadata[_OPTIONS]
    nullable = nullable and not options.not_null
    enum = inner if isinstance(inner, type) and issubclass(inner, StrEnum) else None
    kind = Kind.ENUM if enum else _KINDS[inner]
    return Column(name, to_camel_case(name), kind, nullable, declared.description, options, enum)


def _unwrap_optional(hint: Any) -> tuple[Any, bool]:
    arguments = get_args(hint)
    if isinstance(hint, UnionType) or NoneType in arguments:
        return next(a for a in arguments if a is not NoneType), True
    return hint, False
