"""The reference's indexes exist under their own names and begin with the reference's columns."""

from typing import Final

import asyncpg
import pytest

from tests.sample_rows import TENANT_TABLES

REFERENCE: Final = {
    "tenants": "by_status(status)",
    "users": "by_tenant(tenant_id) by_email(email) by_status(status)",
    "roles": "by_tenant(tenant_id) by_name(name)",
    "sites": "by_tenant(tenant_id) by_slug(slug) by_status(status) by_tenant_and_status(tenant_id,status)",
    "integrations": "by_category(category) by_is_active(is_active)",
    "data_sources": "by_tenant(tenant_id) by_integration(integration_id) by_site(site_id) by_status(status) "
    "by_external_id(external_id)",
    "data_source_to_site": "by_data_source(data_source_id) by_site(site_id) by_tenant(tenant_id)",
    "agents": "by_tenant(tenant_id) by_site(site_id) by_guid(guid) by_last_checkin(last_checkin_at)",
    "agent_api_logs": "by_tenant(tenant_id) by_site(site_id) by_agent(agent_id) by_created_at(created_at)",
    "entities": "by_tenant(tenant_id) by_integration(integration_id) by_data_source(data_source_id) "
    "by_site(site_id) by_type(entity_type) by_external_id(integration_id,external_id) "
    "by_type_and_external_id(entity_type,external_id)",
    "global_entities": "by_integration(integration_id) by_type(entity_type) "
    "by_external_id(integration_id,external_id)",
    "entity_relationships": "by_tenant(tenant_id) by_parent(parent_entity_id) by_child(child_entity_id) "
    "by_type(relationship_type)",
    "scheduled_jobs": "by_status(status) by_scheduled_at(scheduled_at) by_tenant(tenant_id) "
    "by_integration(integration_id) by_next_retry(next_retry_at)",
    "events_log": "by_tenant(tenant_id) by_entity(entity_id) by_status(status) by_type(event_type)",
    "health_checks": "by_tenant(tenant_id) by_resource(resource_type,resource_id) by_status(status)",
    "api_logs": "by_created_at(created_at) by_expires_at(expires_at)",
    "audit_log": "by_tenant(tenant_id) by_user(user_id) by_table(table_name) by_created_at(created_at)",
    "integration_pricing_tiers": "by_tenant(tenant_id) by_integration(integration_id) "
    "by_effective(effective_from,effective_until)",
    "tenant_bills": "by_tenant(tenant_id) by_period(period_start,period_end) by_status(status)",
    "tenant_bill_line_items": "by_tenant(tenant_id) by_bill(bill_id) by_integration(integration_id)",
    "tenant_billing_adjustments": "by_tenant(tenant_id) by_integration(integration_id) "
    "by_effective(effective_from,effective_to)",
}

INDEXES: Final = """
    SELECT c.relname AS name, i.indpred IS NULL AND i.indisvalid AS whole, i.indpred IS NOT NULL AS partial,
           ARRAY(SELECT coalesce(attname::text, '') FROM unnest(i.indkey[:i.indnkeyatts - 1])
                 WITH ORDINALITY u (number, place)
                 LEFT JOIN pg_attribute ON attrelid = i.indrelid AND attnum = number ORDER BY place) AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relnamespace = 'public'::regnamespace AND t.relname = $1
"""


async def _fetch_indexes(dsn: str, table: str) -> dict[str, asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return {row["name"]: row for row in await connection.fetch(INDEXES, table)}
    finally:
        await connection.close()


@pytest.mark.parametrize("table", REFERENCE)
async def test_indexes_of_the_reference_exist_with_their_columns(
    shared_database_url: str, table: str
) -> None:
    found = await _fetch_indexes(shared_database_url, table)
    for index in REFERENCE[table].split():
        name, _, columns = index.rstrip(")").partition("(")
        wanted = columns.split(",")
        assert found[f"{table}_{name}"]["columns"][: len(wanted)] == wanted
        assert found[f"{table}_{name}"]["whole"]


async def test_indexes_of_agents_cover_one_column_that_check_ins_write(shared_database_url: str) -> None:
    """It also reports the platform, but that value does not change."""
    written = {
        "last_checkin_at",
        "version",
        "ip_address",
        "mac_address",
        "ext_address",
        "updated_at",
    }
    found = await _fetch_indexes(shared_database_url, "agents")
    assert {name for name, row in found.items() if written & set(row["columns"])} == {
        "agents_by_last_checkin"
    }


async def test_indexes_none_is_a_prefix_of_another(shared_database_url: str) -> None:
    """Such an index would only cost time at every write. The reference may require some."""
    wanted = {f"{t}_{i.partition('(')[0]}" for t, line in REFERENCE.items() for i in line.split()}
    spare = []
    for table in REFERENCE:
        found = await _fetch_indexes(shared_database_url, table)
        for name, row in found.items():
            longer = [
                other
                for other, its in found.items()
                if other != name and its["columns"][: len(row["columns"])] == row["columns"] and its["whole"]
            ]
            if longer and row["whole"] and name not in wanted:
                spare.append((name, longer))
    assert spare == []


async def test_indexes_every_tenant_table_has_one_for_its_list(shared_database_url: str) -> None:
    for table in TENANT_TABLES:
        columns = (await _fetch_indexes(shared_database_url, table))[f"{table}_by_tenant"]["columns"]
        assert columns in (["tenant_id", "id"], ["tenant_id", "created_at", "id"])
