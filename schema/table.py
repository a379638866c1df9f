"""The words in which a table is declared: its columns, its references, who may read it.

A declaration is a plain Strawberry class whose fields are `column(...)`s, and one `Table` beside it. All that is
generic (filters, orders, connections, data loaders, SQL) is derived from the two, and from nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, StrEnum, auto
from functools import cached_property
from types import GenericAlias, NoneType, UnionType
from typing import Any, Final, Literal, get_args, get_type_hints

import strawberry
from strawberry.scalars import JSON
from strawberry.utils.str_converters import to_camel_case

from schema.scalars import Timestamp

_OPTIONS: Final = "column"


class Kind(Enum):
    """What a column holds."""

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
        """The PostgreSQL type as which its values are compared."""
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
class Look:
    """A computed column's look at other rows: of which table, and at which columns, by their SQL names.

    Those that say which rows they are belong to them. It takes the right to read that table.
    """

    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """What a column's declaration says beyond its type."""

    filter: bool
    order: bool
    search: bool
    sql: str | None
    reads: tuple[tuple[str, str], ...]
    looks: tuple[Look, ...]
    stored: bool


def column(
    description: str,
    *,
    filter: bool = True,  # noqa: A002 - the field's own word
    order: bool = True,
    search: bool = False,
    sql: str | None = None,
    reads: tuple[tuple[str, str], ...] = (),
    looks: tuple[Look, ...] = (),
    stored: bool = True,
) -> Any:
    """Declare a column of a table's class; its name and type are the class attribute's.

    Args:
        description: What the schema tells a reader.
        filter: Whether `where` may compare it.
        order: Whether `orderBy` may name it (JSON and lists never can).
        search: Whether `search` looks into it.
        sql: A computed column's expression; `{t}` stands for the row.
        reads: What its value depends on, as tables and their columns: the column itself unless given. Of its own
            table these are columns of the same row.
        looks: The other rows that it depends on, of any table, and that must be readable to whoever reads it.
        stored: Whether the table has a column of this name; false for one that is computed altogether.
    """
    return strawberry.field(
        description=description,
        metadata={_OPTIONS: ColumnOptions(filter, order, search, sql, reads, looks, stored)},
    )


def or_null(annotation: Any) -> Any:
    """The annotation of a nullable field or argument."""
    return annotation | None


def list_of(annotation: Any) -> Any:
    """The annotation of a list; the generated types are values to mypy, so `list[...]` cannot be written."""
    return GenericAlias(list, (annotation,))


@dataclass(frozen=True, slots=True)
class Column:
    """A column as SQL and GraphQL know it."""

    name: str
    graphql_name: str
    kind: Kind
    nullable: bool
    description: str
    options: ColumnOptions
    enum: type[StrEnum] | None = None

    def sql(self, alias: str) -> str:
        """The SQL expression of its value in the row that `alias` names."""
        return self.options.sql.format(t=alias) if self.options.sql else f'{alias}."{self.name}"'

    @property
    def orderable(self) -> bool:
        """Whether a list may be ordered by it."""
        return self.options.order and self.kind not in (Kind.JSON, Kind.TEXTS)


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that names a row of another table; gives a field on either side.

    `one` is the field on the declaring table (an agent's `site`), `many` the connection on the referenced one (a
    site's `agents`), `only` a single row there instead where at most one can point at it (an agent's
    `healthCheck`). `by` names columns that the connection takes as arguments of their own, as equalities.
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
    """A reference whose table is named by another column: a health check's `resource`.

    `members` maps the values of `discriminator` to the tables; the row's id stands in `column`.
    """

    field: str
    union: str
    discriminator: str
    column: str
    members: Mapping[str, str]
    about: str
    about_union: str


class Scope(Enum):
    """Whose rows a table holds."""

    TENANT = "each row belongs to the tenant in its tenant_id"
    TENANT_OR_GLOBAL = "as TENANT, and rows without a tenant are offered to every tenant"
    ITSELF = "the table of tenants: a row belongs to itself"
    EVERYONE = "one catalogue for all tenants"
    PLATFORM = "for the platform alone"


OrderBy = tuple[str, Literal["asc", "desc"]]


@dataclass(frozen=True, eq=False)
class Table:
    """One table, or a view of one: the type of its rows and all that lists, relations and rights need to know.

    Attributes:
        name: The table's SQL name; a view's own.
        one: The root field that takes an id; none for a view.
        also_by: Further root fields that give one row, each with the column that it is found by.
        also_many: Further names of the list, each with what the schema tells of it.
        of: The SQL name of the table whose rows a view shows.
        only: What a view's rows have in common: columns with their value.
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
    also_many: Mapping[str, str] = field(default_factory=dict)
    default_order: OrderBy = ("id", "asc")
    of: str | None = None
    only: tuple[tuple[str, object], ...] = ()

    @property
    def relation(self) -> str:
        """The SQL name of what its rows are read from."""
        return self.of or self.name

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
            name: _column(name, hint, fields[name])
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
        """The columns that `search` looks into."""
        return tuple(c for c in self.columns.values() if c.options.search)

    @property
    def right(self) -> str:
        """The right that reading it takes."""
        return f"{self.module}.Read"

    @property
    def deleted_right(self) -> str:
        """The right that seeing its deleted rows takes: that of whoever may restore them."""
        return f"{self.module}.Write"


def _column(name: str, hint: Any, declared: Any) -> Column:
    inner, nullable = _required(hint)
    enum = inner if isinstance(inner, type) and issubclass(inner, StrEnum) else None
    kind = Kind.ENUM if enum else _KINDS[inner]
    return Column(
        name, to_camel_case(name), kind, nullable, declared.description, declared.metadata[_OPTIONS], enum
    )


def _required(hint: Any) -> tuple[Any, bool]:
    arguments = get_args(hint)
    if isinstance(hint, UnionType) or NoneType in arguments:
        return next(a for a in arguments if a is not NoneType), True
    return hint, False
