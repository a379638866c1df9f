"""One row in each table for a tenant: only the columns without a default in SQL, and the references."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import asyncpg

SAMPLE_ROWS: Final[Mapping[str, Mapping[str, Any]]] = {
    "tenants": {"name": "{tenant}"},
    "roles": {"tenant_id": "{tenants}", "name": "Technician", "description": "Looks, does not touch"},
    "users": {
        "tenant_id": "{tenants}",
        "role_id": "{roles}",
        "email": "Ann@{tenant}.example",
        "name": "Ann",
    },
    "integrations": {"id": "psa-{tenant}", "name": "A PSA", "description": "Tickets", "category": "psa"},
    "sites": {
        "tenant_id": "{tenants}",
        "name": "Main",
        "slug": "main",
        "psa_integration_id": "{integrations}",
    },
    "data_sources": {"tenant_id": "{tenants}", "integration_id": "{integrations}", "site_id": "{sites}"},
    "data_source_to_site": {
        "tenant_id": "{tenants}",
        "data_source_id": "{data_sources}",
        "site_id": "{sites}",
    },
    "agents": {
        "tenant_id": "{tenants}",
        "site_id": "{sites}",
        "guid": "f00d",
        "hostname": "desk-1",
        "platform": "windows",
        "version": "1.0",
    },
    "agent_api_logs": {
        "tenant_id": "{tenants}",
        "site_id": "{sites}",
        "agent_id": "{agents}",
        "endpoint": "/v1/checkin",
        "method": "POST",
        "status_code": 200,
    },
    "entities": {
        "tenant_id": "{tenants}",
        "integration_id": "{integrations}",
        "data_source_id": "{data_sources}",
        "site_id": "{sites}",
        "entity_type": "devices",
        "external_id": "17",
        "data_hash": "beef",
    },
    "global_entities": {
        "integration_id": "{integrations}",
        "entity_type": "licenses",
        "external_id": "17",
        "data_hash": "beef",
    },
    "entity_relationships": {
        "tenant_id": "{tenants}",
        "parent_entity_id": "{entities}",
        "child_entity_id": "{entities}",
        "relationship_type": "member",
    },
    "scheduled_jobs": {
        "tenant_id": "{tenants}",
        "integration_id": "{integrations}",
        "data_source_id": "{data_sources}",
        "action": "sync.sites",
        "created_by": "system",
    },
    "events_log": {"tenant_id": "{tenants}", "entity_id": "{entities}", "event_type": "created"},
    "health_checks": {"tenant_id": "{tenants}", "resource_type": "agent", "resource_id": "{agents}"},
    "api_logs": {"url": "https://psa.example", "method": "GET", "expires_at": 1},
    "audit_log": {
        "tenant_id": "{tenants}",
        "user_id": "{users}",
        "table_name": "sites",
        "record_id": "{sites}",
        "action": "create",
    },
    "integration_pricing_tiers": {
        "tenant_id": "{tenants}",
        "integration_id": "{integrations}",
        "name": "Seats",
        "description": "A seat",
        "unit_cost": Decimal("1.25"),
        "effective_from": 0,
    },
    "tenant_bills": {"tenant_id": "{tenants}", "period_start": 0, "period_end": 1},
    "tenant_bill_line_items": {
        "tenant_id": "{tenants}",
        "bill_id": "{tenant_bills}",
        "integration_id": "{integrations}",
        "pricing_tier_id": "{integration_pricing_tiers}",
        "description": "Seats",
        "units": Decimal(3),
        "unit_cost": Decimal("1.25"),
        "total": Decimal("3.75"),
    },
    "tenant_billing_adjustments": {
        "tenant_id": "{tenants}",
        "integration_id": "{integrations}",
        "created_by": "{users}",
        "type": "credit",
        "amount": Decimal(1),
        "reason": "Goodwill",
        "effective_from": 0,
        "effective_to": 1,
    },
    "issued_credentials": {
        "tenant_id": "{tenants}",
        "kind": "agent",
        "agent_id": "{agents}",
        "issued_by": "{users}",
        "revoked_by": "{users}",
        "replacement_approved_by": "{users}",
        "expires_at": 4_102_444_800_000,
    },
    "site_enrollment_rules": {"tenant_id": "{tenants}", "site_id": "{sites}"},
    "legacy_agents": {"tenant_id": "{tenants}", "agent_id": "{agents}", "until": 4_102_444_800_000},
    "job_attempts": {
        "tenant_id": "{tenants}",
        "job_id": "{scheduled_jobs}",
        "number": 1,
        "started_at": 0,
        "ended_at": 1,
        "outcome": "completed",
        "worker": "worker-1",
    },
    "job_progress": {"tenant_id": "{tenants}", "job_id": "{scheduled_jobs}", "done": 1},
}
"""Table to column to value, parents before children; `{table}` stands for the id of that table's row."""

TENANT_TABLES: Final = tuple(table for table, row in SAMPLE_ROWS.items() if "tenant_id" in row)


async def insert_row(connection: asyncpg.Connection, table: str, row: Mapping[str, Any]) -> str:
    """Insert a row; returns its id."""
    columns = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    statement = f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id"
    return str(await connection.fetchval(statement, *row.values()))


def build_row(table: str, tenant: str, ids: Mapping[str, str]) -> dict[str, Any]:
    """The row of `table` for a tenant with parent rows of these ids."""
    return {
        column: value.format(tenant=tenant, **ids) if isinstance(value, str) else value
        for column, value in SAMPLE_ROWS[table].items()
    }


async def insert_tenant_rows(connection: asyncpg.Connection, tenant: str) -> dict[str, str]:
    """Insert one row in each table for a new tenant of that name; returns table to id."""
    ids: dict[str, str] = {}
    for table in SAMPLE_ROWS:
        ids[table] = await insert_row(connection, table, build_row(table, tenant, ids))
    return ids
