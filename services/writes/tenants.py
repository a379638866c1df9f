"""Tenants. The platform creates and deletes them; their administrators may change name and metadata."""

from typing import Final

from core.auth.rights import GLOBAL_ADMIN
from models.enums import TenantStatus
from services.writes.field_kinds import EnumKind, JsonKind, TextKind
from services.writes.record import RowOwner, WritableField, WritableTable, WriteVerb

TENANTS: Final = WritableTable(
    "tenants", "tenant", "Tenant",
    (
        WritableField("name", TextKind()),
        WritableField("status", EnumKind(TenantStatus), default=True, platform=True),
        WritableField("metadata", JsonKind(), null=True),
    ),
    owner=RowOwner.ITSELF,
    platform=frozenset({WriteVerb.CREATE, WriteVerb.DELETE, WriteVerb.RESTORE}),
    right=GLOBAL_ADMIN,
)  # fmt: skip
