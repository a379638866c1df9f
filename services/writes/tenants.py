"""Tenants: made and ended by the platform; their name and metadata are their administrators' own."""

from typing import Final

from core.rights import GLOBAL_ADMIN
from models.enums import TenantStatus
from services.writes.record import Field, Owner, Record, Verb
from services.writes.values import Json, OneOf, Text

TENANTS: Final = Record(
    "tenants", "tenant", "Tenant",
    (
        Field("name", Text()),
        Field("status", OneOf(TenantStatus), default=True, platform=True),
        Field("metadata", Json(), null=True),
    ),
    owner=Owner.ITSELF,
    platform=frozenset({Verb.CREATE, Verb.DELETE, Verb.RESTORE}),
    right=GLOBAL_ADMIN,
)  # fmt: skip
