"""The 21 tables for imports: kinds, defaults and references, derived from the models.

They are in the order of loading: each after the tables that it refers to.
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
from core.case_conversion import to_camel_case
from models import columns


class ColumnKind(StrEnum):
    """The kind of a column's values, as far as the readers need it."""

    TEXT = "text"
    MS = "ms"
    INT = "int"
    BOOL = "bool"
    NUMBER = "number"
    JSON = "json"
    TEXTS = "texts"


class ReferenceScope(StrEnum):
    """The rows among which a reference is resolved."""

    TENANT = "tenant"
    EVERYWHERE = "everywhere"
    OWN_OR_GLOBAL = "own or global"


@dataclass(frozen=True, slots=True)
class ImportColumn:
    """One column.

    Attributes:
        name: Its name in PostgreSQL and Supabase.
        field: Its name in Convex.
        kind: The kind of its values.
        required: Whether it must not be null.
        default: The value in place of an absent one in a required column; None if there is none.
        fallback: The column that supplies an absent value; "" if there is none.
        values: The values of a closed set; empty if the set is open.
        is_object: Whether it is JSON that must be an object.
        is_wrapped: Whether JSON that is no object becomes the `value` of one.
        is_derived: Whether SQL fills an absent value after staging (derived_values.py).
    """

    name: str
    field: str
    kind: ColumnKind
    required: bool
    default: Any = None
    fallback: str = ""
    values: frozenset[str] = frozenset()
    is_object: bool = False
    is_wrapped: bool = False
    is_derived: bool = False

    @property
    def is_needed(self) -> bool:
        """Whether the file must have the column, since there is no default for it."""
        has_default = self.default is not None or self.is_derived or self.name in _DATABASE_DEFAULTS
        return self.required and not has_default


@dataclass(frozen=True, slots=True)
class ImportReference:
    """A column that refers to a row of another table.

    Attributes:
        column: The column.
        table: The table of the row.
        scope: Which rows of that table count.
        condition: SQL about the referring row. The column refers to that table only if it holds.
    """

    column: str
    table: str
    scope: ReferenceScope = ReferenceScope.TENANT
    condition: str = "true"


@dataclass(frozen=True, slots=True)
class ImportTable:
    """One table: its columns in their order, and its references."""

    table: str
    columns: tuple[ImportColumn, ...]
    references: tuple[ImportReference, ...]

    @property
    def has_tenant(self) -> bool:
        """Whether its rows belong to a tenant."""
        return any(column.name == "tenant_id" for column in self.columns)


_MODELS_IN_ORDER: Final = (
    models.Tenant, models.Integration, models.Role, models.User, models.Site, models.DataSource,
    models.DataSourceToSite, models.Agent, models.AgentApiLog, models.Entity, models.GlobalEntity,
    models.EntityRelationship, models.ScheduledJob, models.EventLogEntry, models.HealthCheck, models.ApiLog,
    models.AuditLogEntry, models.IntegrationPricingTier, models.TenantBill, models.TenantBillLineItem,
    models.TenantBillingAdjustment,
)  # fmt: skip

_KINDS: Final[Mapping[type, ColumnKind]] = {
    columns.Milliseconds: ColumnKind.MS,
    columns.Integer: ColumnKind.INT,
    columns.Flag: ColumnKind.BOOL,
    columns.Money: ColumnKind.NUMBER,
    columns.Quantity: ColumnKind.NUMBER,
    columns.Json: ColumnKind.JSON,
    columns.TextArray: ColumnKind.TEXTS,
}

_DATABASE_DEFAULTS: Final = frozenset({"created_at", "updated_at", "scheduled_at", "last_check_at"})
"""Columns for which the database has a default of its own: the current time."""

_FALLBACKS: Final = dict.fromkeys(("updated_at", "scheduled_at", "last_check_at"), "created_at")
_OBJECTS: Final = frozenset({("roles", "rights"), ("data_sources", "config")})
"""JSON columns whose keys have a meaning here."""

_WRAPPED: Final = frozenset(
    {
        ("users", "metadata"), ("scheduled_jobs", "payload"),
        ("tenants", "metadata"), ("sites", "metadata"), ("data_sources", "metadata"),
    }
)  # fmt: skip
"""JSON columns that must be objects here, by a check of the database or for mutations. Older systems take any."""

_BILLING_TIMES: Final[Mapping[str, tuple[str, ...]]] = {
    "integration_pricing_tiers": ("effective_from", "created_at", "updated_at"),
    "tenant_bills": ("period_start", "period_end", "created_at", "updated_at"),
    "tenant_bill_line_items": ("created_at",),
    "tenant_billing_adjustments": ("effective_from", "effective_to", "created_at", "updated_at"),
}
_DERIVED: Final = frozenset(
    {("data_source_to_site", "tenant_id"), ("audit_log", "actor_type")}
    | {(table, name) for table, names in _BILLING_TIMES.items() for name in names}
)
"""Required columns that the older systems may leave out. Their values follow from other values."""

_EXTRA_REFERENCES: Final[Mapping[str, tuple[ImportReference, ...]]] = {
    "tenant_billing_adjustments": (ImportReference("created_by", "users"),),
    "health_checks": tuple(
        ImportReference("resource_id", table, scope, f"s.resource_type = '{kind}'")
        for kind, table, scope in (
            ("agent", "agents", ReferenceScope.TENANT),
            ("data_source", "data_sources", ReferenceScope.TENANT),
            ("site", "sites", ReferenceScope.TENANT),
            ("scheduled_job", "scheduled_jobs", ReferenceScope.TENANT),
            ("integration", "integrations", ReferenceScope.EVERYWHERE),
        )
    ),
}
"""References that the models do not declare."""

_SCOPES: Final = {
    "tenants": ReferenceScope.EVERYWHERE,
    "integrations": ReferenceScope.EVERYWHERE,
    "roles": ReferenceScope.OWN_OR_GLOBAL,
}


def _build_shape(model: type[Model]) -> ImportTable:
    table = _table_name(model)
    fields = model._meta.fields_map.items()  # noqa: SLF001 - Tortoise's own access to its fields
    references = [
        ImportReference(f"{name}_id", target, _SCOPES.get(target, ReferenceScope.TENANT))
        for name, field in fields
        if isinstance(field, ForeignKeyFieldInstance)
        for target in [_table_name(getattr(models, str(field.model_name).removeprefix("models.")))]
    ]
    own = tuple(_build_column(table, name, field) for name, field in fields)
    return ImportTable(table, own, (*references, *_EXTRA_REFERENCES.get(table, ())))


def _table_name(model: type[Model]) -> str:
    return str(model._meta.db_table)  # noqa: SLF001


def _build_column(table: str, name: str, field: Field[Any]) -> ImportColumn:
    if isinstance(field, ForeignKeyFieldInstance):
        name = f"{name}_id"
    enum = getattr(field, "field_type", None)
    is_enum = isinstance(field, columns.Enumerated) and isinstance(enum, type) and issubclass(enum, StrEnum)
    return ImportColumn(
        name,
        to_camel_case(name),
        _KINDS.get(type(field), ColumnKind.TEXT),
        not field.null,
        None if field.null or (table, name) in _DERIVED else _stored_default(field.default),
        "" if field.null else _FALLBACKS.get(name, ""),
        frozenset(member.value for member in enum) if is_enum and enum else frozenset(),
        (table, name) in _OBJECTS,
        (table, name) in _WRAPPED,
        (table, name) in _DERIVED,
    )


def _stored_default(default: Any) -> Any:
    """The default as it is stored. It is None if there is none, or if it differs each time."""
    if isinstance(default, Enum):
        return default.value
    if isinstance(default, int | Decimal):
        return default
    return {dict: "{}", list: []}.get(default) if default in (dict, list) else None


IMPORT_TABLES: Final[Mapping[str, ImportTable]] = {
    shape.table: shape for shape in map(_build_shape, _MODELS_IN_ORDER)
}
