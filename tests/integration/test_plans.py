"""Usual lists read little more than they show with any plan of PostgreSQL, at a third of the medium demo's size.

Each document below is sent as the administrator of the tenant with the most agents, compiled and through the
data loaders, under the role of requests. Each of its statements is explained with a plan for its values and
with a generic plan. The counts are rows read, which are the same on every machine. Times are in
docs/decisions/indexes.md.

Loading takes most of the time here, and the planner depends on the tenants' shares only. `make soak` loads the
whole medium demo.
"""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from string import Template
from typing import Final

import asyncpg
import pytest
import pytest_asyncio

from core.settings import Settings
from demo import DemoSize
from resolvers.execution_strategy import ExecutionStrategy
from schema.table import Scope
from schema.tables import LISTED, TABLES, Side, build_relations
from schema.views import VIEWS
from tests.clusters import ThrowawayCluster
from tests.graphql_harness import GraphqlHarness, GraphqlResponse
from tests.medium_demo import THIRD_OF_MEDIUM, load_medium_demo
from tests.query_plans import ExplainingDatabase, QueryPlan

BIG: Final = {
    "entities", "entity_relationships", "events_log", "health_checks", "agents", "agent_api_logs", "scheduled_jobs",
}  # fmt: skip
"""The tables with thousands of rows in each tenant. A sequential scan of the others is as fast."""

SIZE: Final = DemoSize.MEDIUM if os.environ.get("PLANS_SIZE") == "medium" else THIRD_OF_MEDIUM
PAGE: Final = 50
PARENTS: Final = 100
CHILDREN: Final = 20
SLACK: Final = 10
"""Rows read for each requested row: deleted ones, and those that a filter outside the index excludes."""
MOST_PAGES: Final = 2_500
"""Pages that one total may read. The entities have some 7,000 pages in a tenant, and 48,000 in all."""
SEARCHED: Final = [table.many for table in TABLES if table.name in BIG and table.searched]

KNOWN: Final = {
    "site": "SELECT site_id FROM agents WHERE tenant_id = $1 GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "source": "SELECT data_source_id FROM entities WHERE tenant_id = $1 GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "busy": "SELECT data_source_id FROM scheduled_jobs WHERE tenant_id = $1 AND data_source_id IS NOT NULL "
    "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "parent": "SELECT parent_entity_id FROM entity_relationships WHERE tenant_id = $1 "
    "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "child": "SELECT child_entity_id FROM entity_relationships WHERE tenant_id = $1 "
    "GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "entity": "SELECT entity_id FROM events_log WHERE tenant_id = $1 GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "external": "SELECT max(external_id) FROM entities WHERE tenant_id = $1 AND deleted_at IS NULL",
    "agent": "SELECT max(agent_id) FROM agent_api_logs WHERE tenant_id = $1",
    "guid": "SELECT max(guid) FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL",
    "slug": "SELECT max(slug) FROM sites WHERE tenant_id = $1 AND deleted_at IS NULL",
    "author": "SELECT max(user_id) FROM audit_log WHERE tenant_id = $1",
    "record": "SELECT max(record_id) FROM audit_log WHERE tenant_id = $1 AND table_name = 'sites'",
    "bill": "SELECT max(bill_id) FROM tenant_bill_line_items WHERE tenant_id = $1",
}
"""The parameters of the lists below, with SQL that finds them in the tenant $1."""

LISTS: Final = (
    "sites(orderBy: {field: NAME})",
    "sites(orderBy: {field: NAME, direction: DESC})",
    "sites(orderBy: [{field: STATUS}, {field: NAME}])",
    "sites(where: {status: {eq: ACTIVE}}, orderBy: {field: NAME})",
    "agents(orderBy: {field: HOSTNAME})",
    "agents(orderBy: {field: HOSTNAME, direction: DESC})",
    'agents(where: {siteId: {eq: "$site"}}, orderBy: {field: HOSTNAME})',
    'agents(where: {guid: {in: ["$guid", "none"]}})',
    'agents(where: {site: {slug: {eq: "$slug"}}}, orderBy: {field: HOSTNAME})',
    "entities(orderBy: {field: ID, direction: DESC})",
    "entities(orderBy: {field: EXTERNAL_ID})",
    'entities(where: {externalId: {eq: "$external"}})',
    'entities(where: {entityType: {eq: "endpoints"}})',
    'entities(where: {entityType: {eq: "companies"}})',
    'entities(where: {entityType: {in: ["endpoints", "tickets"]}})',
    'entities(where: {entityType: {eq: "endpoints"}}, orderBy: {field: EXTERNAL_ID})',
    'entities(where: {dataSourceId: {eq: "$source"}})',
    'entities(where: {siteId: {eq: "$site"}})',
    'entityRelationships(where: {parentEntityId: {eq: "$parent"}})',
    'entityRelationships(where: {childEntityId: {eq: "$child"}})',
    'entityRelationships(where: {relationshipType: {eq: "member"}})',
    "scheduledJobs(orderBy: {field: SCHEDULED_AT})",
    "scheduledJobs(where: {status: {eq: PENDING}}, orderBy: {field: SCHEDULED_AT})",
    "scheduledJobs(where: {status: {eq: FAILED}})",
    'scheduledJobs(where: {dataSourceId: {eq: "$busy"}})',
    "eventsLog(where: {status: {eq: FAILED}})",
    'eventsLog(where: {entityId: {eq: "$entity"}})',
    'eventsLog(where: {eventType: {eq: "deleted"}})',
    "healthChecks(where: {status: {eq: DOWN}})",
    "healthChecks(where: {status: {in: [DOWN, DEGRADED]}})",
    'healthChecks(where: {resourceType: {eq: AGENT}, resourceId: {eq: "$agent"}})',
    'agentApiLogs(where: {agentId: {eq: "$agent"}})',
    'agentApiLogs(where: {siteId: {eq: "$site"}})',
    'auditLog(where: {userId: {eq: "$author"}})',
    'auditLog(where: {tableName: {eq: "sites"}, recordId: {eq: "$record"}})',
    "tenantBills(orderBy: {field: PERIOD_START, direction: DESC})",
    'tenantBillLineItems(where: {billId: {eq: "$bill"}})',
    "users(orderBy: {field: EMAIL})",
    "users(orderBy: {field: NAME})",
    *(f"{table.many}(first: {PAGE})" for table in TABLES if table.scope is not Scope.PLATFORM),
)
"""Pages of dashboards, and each table in its own order."""

NESTED: Final = (
    "sites(first: 100, orderBy: {field: NAME}) { nodes { agents(first: 20, orderBy: {field: HOSTNAME}) "
    "{ nodes { hostname lastCheckinAt healthCheck { status } } } } }",
    "dataSources(first: 100) { nodes { scheduledJobs(first: 1) { nodes { status error } } } }",
    'entities(first: 100, where: {entityType: {eq: "groups"}}) { nodes { children(first: 20, '
    'relationshipType: "member") { nodes { child { externalId } } } } }',
    *(
        f"{table.many}(first: {PARENTS}) {{ nodes {{ {relation.field}"
        + (
            f"(first: {CHILDREN}) {{ nodes {{ createdAt }} }}"
            if relation.side is Side.MANY
            else " { createdAt }"
        )
        + " } }"
        for table in TABLES
        for relation in build_relations(table)
        if table.scope is not Scope.PLATFORM
    ),
)
"""A hundred rows and the target of a relation for each: every relation of every table, and three usual shapes."""

VIEW_PAGES: Final = (
    *(f"{name}(first: {PAGE})" for table in LISTED for name in table.also_many),
    *(f"{view.many}(first: {PAGE})" for view in VIEWS if view.scope is not Scope.ITSELF),
    "sitesView(first: 50, orderBy: {field: NAME})",
    "siteIntegrationsView(first: 50, where: {status: {eq: ACTIVE}})",
    'psaCompaniesView(first: 50, where: {integrationId: {in: ["halopsa", "autotask"]}})',
)
"""A page of each view in its own order, and in those of indexes."""

LOOKED_AT: Final = {"sites", "data_sources", "data_source_to_site"}
"""Tables that the views' columns read: a tenant has hundreds of rows in each, and one row needs a few of them."""

WHOLE_VIEWS: Final = (
    "enabledIntegrationsView(orderBy: {field: ENABLED_INTEGRATION_COUNT})",
    "sitesView(orderBy: {field: PARENT_NAME})",
    'sitesView(where: {parentName: {contains: "a"}})',
    "usersView(orderBy: {field: ROLE_NAME})",
    "integrationsView(where: {isEnabled: {eq: true}}, orderBy: {field: DATA_SOURCES_COUNT})",
    "siteIntegrationsView(orderBy: {field: MAPPED_INTEGRATION_COUNT})",
    'siteIntegrationsView(where: {mappedIntegrationIds: {has: "halopsa"}})',
    "psaCompaniesView(orderBy: {field: NAME})",
    'psaCompaniesView(where: {isLinked: {eq: false}}, search: "a")',
    "sophosPartnerSitesView(orderBy: {field: MAPPED_AT, direction: DESC})",
    "sophosPartnerSitesView(where: {isLinked: {eq: true}})",
)
"""Filters and orders by computed columns: they are computed for all of a tenant's rows."""

TOTALS: Final = (
    "sites(first: 100) { nodes { agents { totalCount } entities { totalCount } } }",
    "dataSources(first: 100) { nodes { entities { totalCount } scheduledJobs { totalCount } } }",
    "integrations { nodes { entities { totalCount } } }",
    'entities(where: {entityType: {eq: "tickets"}}) { totalCount }',
    *(f"{table.many} {{ totalCount }}" for table in TABLES if table.scope is not Scope.PLATFORM),
)


Found = dict[tuple[ExecutionStrategy, str], list[QueryPlan]]
"""The plans of a document's statements, for each strategy and each mode of planning."""


@dataclass(frozen=True)
class Dashboard:
    """The administrator of a tenant of the medium demo."""

    database: ExplainingDatabase
    user: str
    known: dict[str, str]
    rows: dict[str, int]

    async def execute(self, document: str) -> tuple[GraphqlResponse, Found]:
        """The response to a document, and its plans."""
        found: Found = {}
        for way in (ExecutionStrategy.LOADERS, ExecutionStrategy.AUTO):
            self.database.plans.clear()
            answer = await GraphqlHarness(self.database, way).execute_as_user(
                self.user, Template(document).substitute(self.known)
            )
            assert not answer.errors
            for plan in self.database.plans:
                found.setdefault((way, plan.mode), []).append(plan)
        return answer, found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dashboard(cluster: ThrowawayCluster, migrated_template: str) -> AsyncIterator[Dashboard]:
    name = await cluster.create_database(migrated_template)
    owner = await asyncpg.connect(cluster.build_dsn(name))
    await load_medium_demo(owner, SIZE)
    tenant = await owner.fetchval("SELECT tenant_id FROM agents GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
    user = await owner.fetchval(
        "SELECT u.id FROM users u JOIN roles r ON r.id = u.role_id WHERE u.tenant_id = $1 AND u.status = 'active' "
        "AND u.deleted_at IS NULL AND r.deleted_at IS NULL AND r.rights ? 'Global.Admin' LIMIT 1",
        tenant,
    )
    known = {name: await owner.fetchval(sql, tenant) for name, sql in KNOWN.items()}
    assert all(known.values())
    count = "SELECT count(*) FROM {} WHERE tenant_id = $1"
    rows = {table: await owner.fetchval(count.format(table), tenant) for table in BIG}
    await owner.close()
    database = await ExplainingDatabase.connect(cluster.build_dsn(name), Settings())
    yield Dashboard(database, user, known, rows)
    await database.close()
    await cluster.drop_database(name)


def _assert_rows_read(found: Found, rows: int, counted: set[str]) -> None:
    """Require no sequential scan of a large table, and at most so many rows of the `counted` tables, by index."""
    assert found
    for plans in found.values():
        plan_texts = "\n\n".join(map(str, plans))
        assert not BIG & {table for plan in plans for table in plan.sequentially_scanned_tables}, plan_texts
        assert sum(plan.count_rows_read(counted) for plan in plans) <= rows, plan_texts


@pytest.mark.parametrize("listed", LISTS)
async def test_list_page_and_the_next_read_few_rows(dashboard: Dashboard, listed: str) -> None:
    field, _, arguments = listed.rstrip(")").partition("(")
    table = next(table for table in TABLES if table.many == field)
    columns = " ".join(
        column.graphql_name for column in table.columns.values() if not column.options.dependencies
    )
    after: str | None = ""
    while after is not None:
        shown = f"nodes {{ {columns} }} pageInfo {{ endCursor hasNextPage }}"
        answer, found = await dashboard.execute(f"{{ {field}({arguments}{after}) {{ {shown} }} }}")
        _assert_rows_read(found, SLACK * (PAGE + 1), BIG | {table.name})
        assert all(plan.page_count <= SLACK * (PAGE + 1) for plans in found.values() for plan in plans)
        page = answer.data[field]["pageInfo"]
        after = f', after: "{page["endCursor"]}"' if page["hasNextPage"] and not after else None


@pytest.mark.parametrize("view", VIEW_PAGES)
async def test_view_page_reads_few_rows(dashboard: Dashboard, view: str) -> None:
    """All of its columns: each is read by an index, for the rows of the page only."""
    field = view.partition("(")[0]
    table = next(table for table in LISTED if field in (table.many, *table.also_many))
    columns = " ".join(column.graphql_name for column in table.columns.values())
    answer, found = await dashboard.execute(f"{{ {view} {{ nodes {{ {columns} }} }} }}")
    shown = len(answer.data[field]["nodes"])
    looks = sum(len(column.options.dependencies) or 1 for column in table.columns.values())
    _assert_rows_read(found, SLACK * (shown + 1) * looks, BIG | LOOKED_AT)
    assert all(plan.page_count <= 6 * (shown + 1) * looks for plans in found.values() for plan in plans)


@pytest.mark.parametrize("nested", NESTED)
async def test_nested_relations_read_few_rows(dashboard: Dashboard, nested: str) -> None:
    answer, found = await dashboard.execute(f"{{ {nested} }}")
    parents = len(next(iter(answer.data.values()))["nodes"])
    _assert_rows_read(found, SLACK * parents * (CHILDREN + 1), BIG)


@pytest.mark.parametrize("view", WHOLE_VIEWS)
async def test_view_by_computed_column_reads_only_rows_of_the_tenant(dashboard: Dashboard, view: str) -> None:
    _, found = await dashboard.execute(f"{{ {view} {{ totalCount nodes {{ id }} }} }}")
    _assert_rows_read(found, dashboard.rows["agents"], BIG)
    assert all(plan.page_count < 4 * MOST_PAGES for plans in found.values() for plan in plans)


@pytest.mark.parametrize(
    "one", ['agentByGuid(guid: "$guid") { hostname }', 'siteBySlug(slug: "$slug") { name }']
)
async def test_single_row_by_unique_key_reads_one_row(dashboard: Dashboard, one: str) -> None:
    _, found = await dashboard.execute(f"{{ {one} }}")
    _assert_rows_read(found, 1, BIG)


@pytest.mark.parametrize("total", TOTALS)
async def test_totals_read_only_rows_of_the_tenant(dashboard: Dashboard, total: str) -> None:
    _, found = await dashboard.execute(f"{{ {total} }}")
    _assert_rows_read(found, 2 * sum(dashboard.rows.values()), BIG)
    assert all(plan.page_count < MOST_PAGES for plans in found.values() for plan in plans)


@pytest.mark.parametrize("field", SEARCHED)
async def test_search_reads_only_rows_of_the_tenant(dashboard: Dashboard, field: str) -> None:
    """A search without results, which cannot stop early."""
    table = next(table for table in TABLES if table.many == field)
    _, found = await dashboard.execute(f'{{ {field}(search: "no such text") {{ nodes {{ id }} }} }}')
    _assert_rows_read(found, dashboard.rows[table.name], BIG)


async def test_api_logs_page_of_platform_reads_one_page(dashboard: Dashboard) -> None:
    dashboard.database.plans.clear()
    answer = await GraphqlHarness(dashboard.database).execute_as_platform(
        None, "{ apiLogs { nodes { url } } }"
    )
    assert len(answer.data["apiLogs"]["nodes"]) == PAGE
    assert all(
        not plan.sequentially_scanned_tables and plan.count_rows_read({"api_logs"}) <= PAGE + 1
        for plan in dashboard.database.plans
    )
