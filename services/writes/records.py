"""All records, by table: the columns that users and the platform may write."""

from collections.abc import Mapping
from typing import Final

from services.writes.agents import AGENTS
from services.writes.billing import INTEGRATION_PRICING_TIERS, TENANT_BILLING_ADJUSTMENTS
from services.writes.data_sources import DATA_SOURCE_TO_SITE, DATA_SOURCES
from services.writes.entities import ENTITIES, ENTITY_RELATIONSHIPS, GLOBAL_ENTITIES
from services.writes.integrations import INTEGRATIONS
from services.writes.record import WritableTable
from services.writes.roles import ROLES
from services.writes.sites import SITES
from services.writes.tenants import TENANTS
from services.writes.users import USERS

_ALL: Final = (
    TENANTS,
    USERS,
    ROLES,
    SITES,
    INTEGRATIONS,
    DATA_SOURCES,
    DATA_SOURCE_TO_SITE,
    AGENTS,
    ENTITIES,
    GLOBAL_ENTITIES,
    ENTITY_RELATIONSHIPS,
    INTEGRATION_PRICING_TIERS,
    TENANT_BILLING_ADJUSTMENTS,
)

RECORDS: Final[Mapping[str, WritableTable]] = {record.table: record for record in _ALL}
"""The records by their table."""
