"""The 21 tables as an import sees them: kinds, defaults and references, taken from the models.

They stand in the order in which they are loaded: each after those that it refers to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Final

from tortoise.fields import Field
from tortoise.fields.relational import ForeignKeyFieldInstance
from tortoise.models import Model

import models
from models import columns


class Kind(StrEnum):
    """What a column holds, as far as reading it goes."""

    TEXT = "text"
    MS = "ms"
    INT = "int"
    BOOL = "bool"
    NUMBER = "number"
    JSON = "json"
    TEXTS = "texts"


class Scope(StrEnum):
    """Among which rows of a table a reference finds its own."""

    TENANT = "tenant"
    EVERYWHERE = "everywhere"
    OWN_OR_GLOBAL = "own or global"


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: As PostgreSQL and Supabase have it.
        field: As Convex has it.
        kind: What it holds.
        required: Whether it must not be null.
        default: What stands for an absent value where one is required; None where nothing does.
        fallback: The column whose value stands for an absent one; "" where none does.
        values: The values of a closed set; empty where the set is open.
        is_object: Whether it is JSON that must be an object.
    """

    name: str
    field: str
    kind: Kind
    required: bool
    default: Any = None
    fallback: str = ""
    values: frozenset[str] = frozenset()
    is_object: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether nothing stands for it where a file does not have it at all."""
        return self.required and self.default is None and self.name not in _BY_DATABASE


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that names a row of another table.

    Attributes:
        column: The column.
        table: Where the row is.
        scope: Which rows there count.
        condition: SQL about the referring row: only then it is a reference to that table.
    """

    column: str
    table: str
    scope: Scope = Scope.TENANT
    condition: str = "true"


@dataclass(frozen=True, slots=True)
class Shape:
    """One table: its columns in their order, and what they refer to."""

    table: str
    columns: tuple[Column, ...]
    references: tuple[Reference, ...]

    @property
    def has_tenant(self) -> bool:
        """Whether its rows are a tenant's."""
        return any(column.name == "tenant_id" for column in self.columns)


_ORDER: Final = (
    models.Tenant, models.Integration, models.Role, models.User, models.Site, models.DataSource,
    models.DataSourceToSite, models.Agent, models.AgentApiLog, models.Entity, models.GlobalEntity,
    models.EntityRelationship, models.ScheduledJob, models.EventLogEntry, models.HealthCheck, models.ApiLog,
    models.AuditLogEntry, models.IntegrationPricingTier, models.TenantBill, models.TenantBillLineItem,
    models.TenantBillingAdjustment,
)  # fmt: skip

_KINDS: Final[Mapping[type, Kind]] = {
    columns.Milliseconds: Kind.MS,
    columns.Integer: Kind.INT,
    columns.Flag: Kind.BOOL,
    columns.Money: Kind.NUMBER,
    columns.Quantity: Kind.NUMBER,
    columns.Json: Kind.JSON,
    columns.TextArray: Kind.TEXTS,
}

_BY_DATABASE: Final = frozenset({"created_at", "updated_at", "scheduled_at", "last_check_at"})
"""Columns for which the database has a default of its own: now."""

_FALLBACKS: Final = dict.fromkeys(("updated_at", "scheduled_at", "last_check_at"), "created_at")
_OBJECTS: Final = frozenset(
    {("users", "metadata"), ("roles", "rights"), ("data_sources", "config"), ("scheduled_jobs", "payload")}
)
"""JSON that is read by its keys (migrations/sql/3_checks.up.sql)."""

_BESIDE: Final[Mapping[str, tuple[Reference, ...]]] = {
    "tenant_billing_adjustments": (Reference("created_by", "users"),),
    "health_checks": tuple(
        Reference("resource_id", table, scope, f"s.resource_type = '{kind}'")
        for kind, table, scope in (
            ("agent", "agents", Scope.TENANT),
            ("data_source", "data_sources", Scope.TENANT),
            ("site", "sites", Scope.TENANT),
            ("scheduled_job", "scheduled_jobs", Scope.TENANT),
            ("integration", "integrations", Scope.EVERYWHERE),
        )
    ),
}
"""References that the models do not declare as such."""

_SCOPES: Final = {
    "tenants": Scope.EVERYWHERE,
    "integrations": Scope.EVERYWHERE,
    "roles": Scope.OWN_OR_GLOBAL,
}


def _shape(model: type[Model]) -> Shape:
    table = _table(model)
    fields = model._meta.fields_map.items()  # noqa: SLF001 - Tortoise's own way to its fields
    references = [
        Reference(f"{name}_id", target, _SCOPES.get(target, Scope.TENANT))
        for name, field in fields
        if isinstance(field, ForeignKeyFieldInstance)
        for target in [_table(getattr(models, str(field.model_name).removeprefix("models.")))]
    ]
    own = tuple(_column(table, name, field) for name, field in fields)
    return Shape(table, own, (*references, *_BESIDE.get(table, ())))


def _table(model: type[Model]) -> str:
    return str(model._meta.db_table)  # noqa: SLF001


def _column(table: str, name: str, field: Field[Any]) -> Column:
    if isinstance(field, ForeignKeyFieldInstance):
        name = f"{name}_id"
    enum = getattr(field, "field_type", None)
    is_enum = isinstance(field, columns.Enumerated) and isinstance(enum, type) and issubclass(enum, StrEnum)
    return Column(
        name,
        camel(name),
        _KINDS.get(type(field), Kind.TEXT),
        not field.null,
        None if field.null else _default(field.default),
        "" if field.null else _FALLBACKS.get(name, ""),
        frozenset(member.value for member in enum) if is_enum and enum else frozenset(),
        (table, name) in _OBJECTS,
    )


def _default(default: Any) -> Any:
    """The default as it is stored; None where there is none, or another each time."""
    if isinstance(default, Enum):
        return default.value
    if isinstance(default, int | Decimal):
        return default
    return {dict: "{}", list: []}.get(default) if default in (dict, list) else None


def camel(name: str) -> str:
    """A column's name as Convex has it: `psa_company_id` is psaCompanyId."""
    first, *more = name.split("_")
    return first + "".join(part.capitalize() for part in more)


SHAPES: Final[Mapping[str, Shape]] = {shape.table: shape for shape in map(_shape, _ORDER)}
