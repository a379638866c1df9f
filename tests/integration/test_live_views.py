"""The views are live: a change of any row that their columns read is sent, and no other change runs them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.clusters import ThrowawayCluster
from tests.live.live_engine import LiveEngine, open_live_engine

_TENANT: Final = "tenant_id = (SELECT tenant_id FROM users WHERE id = $1)"
_ONE_SITE: Final = (
    f"(SELECT min(id) FROM sites WHERE {_TENANT} AND deleted_at IS NULL AND psa_company_id IS NOT NULL)"
)
_PARENT: Final = (
    "(SELECT p.id FROM sites p JOIN sites s "
    "ON s.tenant_id = p.tenant_id AND s.psa_parent_company_id = p.psa_company_id "
    f"WHERE p.{_TENANT} AND p.deleted_at IS NULL AND s.deleted_at IS NULL ORDER BY p.id LIMIT 1)"
)
_AT_SOPHOS: Final = (
    f"(SELECT min(id) FROM data_sources WHERE {_TENANT} AND integration_id = 'sophos-partner' AND deleted_at IS NULL "
    "AND site_id IS NOT NULL)"
)
_MAPPED: Final = f"(SELECT min(id) FROM data_source_to_site WHERE {_TENANT} AND deleted_at IS NULL)"


@dataclass(frozen=True, slots=True)
class ViewCase:
    """A view with some of its columns, changes that affect its answer, and changes that do not.

    `changes` and `others` are SQL; $1 is the viewer.
    """

    view: str
    columns: str
    changes: tuple[str, ...]
    others: tuple[str, ...]


CASES: Final = (
    ViewCase(
        "sitesView", "id psaIntegrationName parentName parentSlug",
        (
            f"UPDATE sites SET name = name || '!' WHERE id = {_PARENT}",
            f"UPDATE sites SET deleted_at = 1 WHERE id = {_PARENT}",
            f"UPDATE integrations SET name = name || '!' "
            f"WHERE id = (SELECT psa_integration_id FROM sites WHERE id = {_ONE_SITE})",
        ),
        (
            f"UPDATE sites SET metadata = '{{}}' WHERE {_TENANT}",
            f"UPDATE agents SET last_checkin_at = 1 WHERE {_TENANT}",
            f"UPDATE data_sources SET status = 'error' WHERE {_TENANT}",
        ),
    ),
    ViewCase(
        "usersView", "id roleName roleDescription roleRights",
        (
            "UPDATE roles SET name = name || '!' WHERE id = (SELECT role_id FROM users WHERE id = $1)",
            "UPDATE roles SET description = description || '!' WHERE id = (SELECT role_id FROM users WHERE id = $1)",
        ),
        ("UPDATE users SET last_activity_at = 17 WHERE id = $1",),
    ),
    ViewCase(
        "integrationsView", "id dataSourcesCount isEnabled dataSourceStatus",
        (
            f"UPDATE data_sources SET deleted_at = 1 WHERE id = {_AT_SOPHOS}",
            f"UPDATE data_sources SET status = 'error' WHERE {_TENANT} AND integration_id = 'halopsa'",
        ),
        (
            f"UPDATE data_sources SET last_sync_at = 17, metadata = '{{}}' WHERE {_TENANT}",
            f"UPDATE data_sources SET status = 'error' WHERE NOT ({_TENANT})",
        ),
    ),
    ViewCase(
        "enabledIntegrationsView", "id tenantName enabledIntegrationIds enabledIntegrations enabledIntegrationCount",
        (
            f"UPDATE data_sources SET deleted_at = 1 WHERE {_TENANT} AND integration_id = 'halopsa'",
            "UPDATE integrations SET name = name || '!' WHERE id = 'sophos-partner'",
            "UPDATE tenants SET name = name || '!' WHERE id = (SELECT tenant_id FROM users WHERE id = $1)",
        ),
        (f"UPDATE data_sources SET last_sync_at = 17, status = 'error' WHERE {_TENANT}",),
    ),
    ViewCase(
        "siteIntegrationsView",
        "id siteName tenantName mappedIntegrationIds mappedIntegrations mappedIntegrationCount",
        (
            f"UPDATE data_source_to_site SET deleted_at = 1 WHERE id = {_MAPPED}",
            f"UPDATE data_sources SET deleted_at = 1 WHERE id = {_AT_SOPHOS}",
            "UPDATE integrations SET name = name || '!' WHERE id = 'datto-rmm'",
            f"UPDATE sites SET name = name || '!' WHERE id = {_ONE_SITE}",
            "UPDATE tenants SET name = name || '!' WHERE id = (SELECT tenant_id FROM users WHERE id = $1)",
        ),
        (f"UPDATE data_sources SET last_sync_at = 17, status = 'error' WHERE {_TENANT}",),
    ),
    ViewCase(
        "psaCompaniesView", "id name isLinked linkedSiteId linkedSiteName linkedSiteStatus",
        (
            f"UPDATE sites SET name = name || '!' WHERE id = {_ONE_SITE}",
            f"UPDATE sites SET psa_company_id = NULL WHERE id = {_ONE_SITE}",
            "UPDATE entities SET normalized_data = normalized_data || '{\"name\": \"Changed\"}' "
            f"WHERE {_TENANT} AND entity_type = 'companies'",
        ),
        (
            f"UPDATE entities SET normalized_data = '{{}}' "
            f"WHERE id IN (SELECT id FROM entities WHERE {_TENANT} AND entity_type = 'tickets' LIMIT 9)",
            f"UPDATE sites SET metadata = '{{}}' WHERE {_TENANT}",
        ),
    ),
    ViewCase(
        "sophosPartnerSitesView",
        "id isLinked linkedTenantId linkedTenantName linkedTenantApiHost dataSourceStatus mappedAt",
        (
            f"UPDATE data_sources SET external_id = 'other' WHERE id = {_AT_SOPHOS}",
            f"UPDATE data_sources SET metadata = '{{\"name\": \"Other\"}}' WHERE id = {_AT_SOPHOS}",
            f"UPDATE data_sources SET status = CASE status WHEN 'error' THEN 'active' ELSE 'error' END "
            f"WHERE id = {_AT_SOPHOS}",
            f"UPDATE data_sources SET deleted_at = 1 WHERE id = {_AT_SOPHOS}",
        ),
        (f"UPDATE data_sources SET last_sync_at = 17 WHERE {_TENANT}",),
    ),
)  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def live_engine(cluster: ThrowawayCluster, demo_template: str) -> AsyncIterator[LiveEngine]:
    """A database for each test, so that deletions do not affect the next."""
    name = await cluster.create_database(demo_template)
    async with open_live_engine(cluster.build_dsn(name)) as made:
        yield made
        made.live.registry.validate()
    await cluster.drop_database(name)


async def _write_as_user(live_engine: LiveEngine, statement: str) -> None:
    await live_engine.execute_sql(
        statement if "$1" in statement else f"{statement} AND $1 <> ''", live_engine.user_ids[0]
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.view)
@pytest.mark.parametrize("way", [{}, {"way": "loaders"}], ids=["compiled", "loaders"])
async def test_view_subscription_sends_changes_of_its_source_rows_only(
    live_engine: LiveEngine, case: ViewCase, way: dict[str, Any]
) -> None:
    query = f"subscription {{ {case.view}(first: 1000) {{ nodes {{ {case.columns} }} }} }}"
    connection = await (
        live_engine.connect_as_platform(live_engine.tenant_id) if way else live_engine.connect()
    )
    subscriber = await connection.subscribe(query, way).wait_for_states(1)
    for statement in case.changes:
        before, count = subscriber.data, len(subscriber.texts)
        await _write_as_user(live_engine, statement)
        await live_engine.wait_until_settled()
        assert len(subscriber.texts) > count, statement
        assert subscriber.data != before
    runs = live_engine.run_count
    for statement in case.others:
        await _write_as_user(live_engine, statement)
    await live_engine.wait_until_settled()
    assert live_engine.run_count == runs


async def test_view_subscription_of_platform_sends_changes_of_every_tenant(live_engine: LiveEngine) -> None:
    """Its list has the tenants of all data sources, whichever tenant it names."""
    query = "subscription { enabledIntegrationsView { nodes { id enabledIntegrationCount } } }"
    for tenant in (None, live_engine.tenant_id):
        subscriber = await (await live_engine.connect_as_platform(tenant)).subscribe(query).wait_for_states(1)
        other = (
            "SELECT max(tenant_id) FROM data_sources d WHERE tenant_id <> $1 AND deleted_at IS NULL "
            "AND EXISTS (SELECT FROM tenants t WHERE t.id = d.tenant_id AND t.deleted_at IS NULL)"
        )
        await live_engine.execute_sql(
            f"UPDATE data_sources SET deleted_at = 1 WHERE tenant_id = ({other})", live_engine.tenant_id
        )
        await live_engine.wait_until_settled()
        assert len(subscriber.texts) == 2
