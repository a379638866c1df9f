"""All 21 tables, and what follows from them taken together."""

from collections.abc import Mapping
from typing import Final

from schema.agents import AGENT_API_LOGS, AGENTS
from schema.billing import (
    INTEGRATION_PRICING_TIERS,
    TENANT_BILL_LINE_ITEMS,
    TENANT_BILLING_ADJUSTMENTS,
    TENANT_BILLS,
)
from schema.core import ROLES, SITES, TENANTS, USERS
from schema.entities import ENTITIES, ENTITY_RELATIONSHIPS, GLOBAL_ENTITIES
from schema.integrations import DATA_SOURCE_TO_SITE, DATA_SOURCES, INTEGRATIONS
from schema.jobs import EVENTS_LOG, SCHEDULED_JOBS
from schema.monitoring import API_LOGS, AUDIT_LOG, HEALTH_CHECKS
from schema.table import Reference, Table

TABLES: Final[tuple[Table, ...]] = (
    TENANTS,
    USERS,
    ROLES,
    SITES,
    INTEGRATIONS,
    DATA_SOURCES,
    DATA_SOURCE_TO_SITE,
    AGENTS,
    AGENT_API_LOGS,
    ENTITIES,
    GLOBAL_ENTITIES,
    ENTITY_RELATIONSHIPS,
    SCHEDULED_JOBS,
    EVENTS_LOG,
    HEALTH_CHECKS,
    API_LOGS,
    AUDIT_LOG,
    INTEGRATION_PRICING_TIERS,
    TENANT_BILLS,
    TENANT_BILL_LINE_ITEMS,
    TENANT_BILLING_ADJUSTMENTS,
)

BY_NAME: Final[Mapping[str, Table]] = {table.name: table for table in TABLES}
"""The tables by their SQL name."""

REFERENCES: Final[tuple[tuple[Table, Reference], ...]] = tuple((t, r) for t in TABLES for r in t.references)
"""Every reference with the table that declares it."""


def pointing_at(table: Table) -> tuple[tuple[Table, Reference], ...]:
    """The references of all tables that name rows of `table`."""
    return tuple((child, r) for child, r in REFERENCES if r.table == table.name)
