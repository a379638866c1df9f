"""Single rows, and soft deletes: not in lists and by-id fields, null from children, and hiding no child."""

from typing import Any, Final

import pytest

from schema.table import Scope, Table
from schema.tables import BY_NAME, REFERENCES, TABLES
from tests.integration.client import Client

DELETABLE: Final = [table for table in TABLES if table.soft_deletes]


async def find_id(graphql_client: Client, table: Table, *, deleted: bool) -> str:
    """A row of the tenant's that is deleted, or is not."""
    mine = {Scope.ITSELF: "id = $1"}.get(
        table.scope, "tenant_id = $1" if "tenant_id" in table.columns else "$1 <> ''"
    )
    state = "IS NOT NULL" if deleted else "IS NULL"
    found = await graphql_client.execute_sql(
        f"SELECT id FROM {table.name} WHERE {mine} AND deleted_at {state} ORDER BY id DESC LIMIT 1",
        graphql_client.tenant_id,
    )
    assert found, f"the demo has no such row in {table.name}"
    return str(found)


@pytest.mark.parametrize(
    "table", [table for table in DELETABLE if table.scope is not Scope.ITSELF], ids=lambda table: table.name
)
async def test_deleted_row_needs_include_deleted_and_restore_right(
    graphql_client: Client, table: Table
) -> None:
    gone = await find_id(graphql_client, table, deleted=True)
    query = f"""query($id: ID!, $with: Boolean) {{
        {table.one}(id: $id, includeDeleted: $with) {{ id deletedAt }}
        {table.many}(where: {{id: {{eq: $id}}}}, includeDeleted: $with) {{ nodes {{ id }} totalCount }}
    }}"""
    for without in (False, None):
        data = await graphql_client.fetch_data(query, id=gone, **{"with": without})
        assert data == {table.one: None, table.many: {"nodes": [], "totalCount": 0}}
    data = await graphql_client.fetch_data(query, id=gone, **{"with": True})
    assert data[table.one]["id"] == gone
    assert data[table.one]["deletedAt"] > 0
    assert data[table.many] == {"nodes": [{"id": gone}], "totalCount": 1}
    answer = await graphql_client.graphql.execute_as_user(
        graphql_client.technician, query, id=gone, **{"with": True}
    )
    assert set(answer.codes) == {"FORBIDDEN"}
    assert not answer.data or answer.data[table.one] is None


@pytest.mark.parametrize("table", DELETABLE, ids=lambda table: table.name)
async def test_live_row_with_include_deleted_is_returned(graphql_client: Client, table: Table) -> None:
    here = await find_id(graphql_client, table, deleted=False)
    query = f"query($id: ID!) {{ {table.one}(id: $id, includeDeleted: true) {{ id deletedAt }} }}"
    assert await graphql_client.fetch_data(query, id=here) == {table.one: {"id": here, "deletedAt": None}}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_unknown_id_is_null_without_error(graphql_client: Client, table: Table) -> None:
    query = f"query($id: ID!) {{ {table.one}(id: $id) {{ id }} }}"
    for row_id in ("nothing", "", "%", "'"):
        if table.scope is Scope.PLATFORM:
            answer = await graphql_client.graphql.execute_as_platform(None, query, id=row_id)
        else:
            answer = await graphql_client.execute(query, id=row_id)
        assert (answer.data, answer.errors) == ({table.one: None}, [])


async def test_deleted_parent_is_null_and_its_children_stay_listed(graphql_client: Client) -> None:
    site = await graphql_client.execute_sql(
        """SELECT s.id FROM sites s JOIN agents a ON a.site_id = s.id AND a.deleted_at IS NULL
           WHERE s.tenant_id = $1 AND s.deleted_at IS NULL GROUP BY s.id ORDER BY count(*) DESC LIMIT 1""",
        graphql_client.tenant_id,
    )
    query = """query($site: ID!) {
        agents(where: {siteId: {eq: $site}}) { totalCount nodes { id siteId site { id } } }
        bySite: agents(where: {site: {id: {eq: $site}}}) { totalCount }
        notBySite: agents(where: {siteId: {eq: $site}, not: {site: {}}}) { totalCount }
        site(id: $site) { id }
        deleted: site(id: $site, includeDeleted: true) { id agents { totalCount } }
    }"""
    before = await graphql_client.fetch_data(query, site=site)
    count = before["agents"]["totalCount"]
    assert count > 0
    assert before["bySite"]["totalCount"] == count
    assert before["agents"]["nodes"][0]["site"] == {"id": site}
    await graphql_client.execute_sql("UPDATE sites SET deleted_at = 1 WHERE id = $1", site)
    after = await graphql_client.fetch_data(query, site=site)
    await graphql_client.execute_sql("UPDATE sites SET deleted_at = NULL WHERE id = $1", site)
    assert [node["id"] for node in after["agents"]["nodes"]] == [
        node["id"] for node in before["agents"]["nodes"]
    ]
    assert {(node["siteId"], node["site"] and "there") for node in after["agents"]["nodes"]} == {(site, None)}
    assert after["bySite"]["totalCount"] == 0
    assert after["notBySite"]["totalCount"] == count
    assert after["site"] is None
    assert after["deleted"] == {"id": site, "agents": {"totalCount": count}}


@pytest.mark.parametrize(
    ("child", "field"),
    [
        (child, reference.one)
        for child, reference in REFERENCES
        if reference.one and BY_NAME[reference.table].soft_deletes and reference.table != "tenants"
    ],
    ids=lambda part: part if isinstance(part, str) else part.name,
)
async def test_relation_to_deleted_row_is_null(graphql_client: Client, child: Table, field: str) -> None:
    reference = next(r for r in child.references if r.one == field)
    mine = "c.tenant_id = $1 AND" if "tenant_id" in child.columns else "$1 <> '' AND"
    alive = "c.deleted_at IS NULL AND" if child.soft_deletes else ""
    found = await graphql_client.execute_sql(
        f"""SELECT (c.id, p.id) FROM {child.name} c JOIN {reference.table} p ON p.id = c.{reference.column}
            WHERE {mine} {alive} p.deleted_at IS NULL AND p.id <> $2
            AND p.id <> (SELECT role_id FROM users WHERE id = $2) LIMIT 1""",
        graphql_client.tenant_id,
        graphql_client.administrator,
    )
    if found is None:
        pytest.fail(f"the demo has no {child.name} with a {field}")
    row_id, parent_id = found
    query = f"query($id: ID!) {{ row: {child.one}(id: $id) {{ related: {field} {{ id }} }} }}"
    assert await graphql_client.fetch_data(query, id=row_id) == {"row": {"related": {"id": parent_id}}}
    await graphql_client.execute_sql(f"UPDATE {reference.table} SET deleted_at = 1 WHERE id = $1", parent_id)
    after = await graphql_client.fetch_data(query, id=row_id)
    await graphql_client.execute_sql(
        f"UPDATE {reference.table} SET deleted_at = NULL WHERE id = $1", parent_id
    )
    assert after == {"row": {"related": None}}


async def test_deleted_tenant_is_visible_to_platform_only(graphql_client: Client) -> None:
    query = "query($id: ID!) { tenant(id: $id) { id } deleted: tenant(id: $id, includeDeleted: true) { id } }"
    gone = await graphql_client.execute_sql("SELECT id FROM tenants WHERE deleted_at IS NOT NULL LIMIT 1")
    answer = await graphql_client.graphql.execute_as_platform(None, query, id=gone)
    assert answer.data == {"tenant": None, "deleted": {"id": gone}}
    assert await graphql_client.fetch_data(query, id=gone) == {"tenant": None, "deleted": None}


BY_UNIQUE: Final = {
    "siteBySlug": (
        "slug",
        "INSERT INTO sites (tenant_id, slug, name, deleted_at, id) VALUES ($1, $2, 'x', $3, $4)",
    ),
    "agentByGuid": (
        "guid",
        """INSERT INTO agents (tenant_id, guid, hostname, platform, version, deleted_at, id, site_id)
           SELECT $1, $2, 'h', 'p', 'v', $3, $4, min(id) FROM sites WHERE tenant_id = $1""",
    ),
}


@pytest.mark.parametrize("field", BY_UNIQUE)
async def test_row_by_unique_key_prefers_live_then_last_deleted(graphql_client: Client, field: str) -> None:
    key, insert = BY_UNIQUE[field]
    name = f"{field}-{graphql_client.graphql.strategy}"
    query = f"""query($of: String!) {{
        live: {field}({key}: $of) {{ id }} any: {field}({key}: $of, includeDeleted: true) {{ id }}
    }}"""

    async def find_ids() -> tuple[Any, ...]:
        data = await graphql_client.fetch_data(query, of=name)
        return tuple(data[part] and data[part]["id"] for part in ("live", "any"))

    assert await find_ids() == (None, None)
    await graphql_client.execute_sql(insert, graphql_client.tenant_id, name, 2_000, f"{name}-0-deleted-last")
    await graphql_client.execute_sql(insert, graphql_client.tenant_id, name, 1_000, f"{name}-9-deleted-first")
    assert await find_ids() == (None, f"{name}-0-deleted-last")
    await graphql_client.execute_sql(insert, graphql_client.tenant_id, name, None, f"{name}-5-live")
    assert await find_ids() == (f"{name}-5-live", f"{name}-5-live")
    stranger = await graphql_client.graphql.execute_as_user(graphql_client.stranger, query, of=name)
    assert stranger.data == {"live": None, "any": None}
    assert (
        await graphql_client.graphql.execute_as_user(graphql_client.technician, query, of=name)
    ).codes == ["FORBIDDEN"]


async def test_row_by_unique_key_of_similar_text_is_null(graphql_client: Client) -> None:
    slug = await graphql_client.execute_sql(
        "SELECT slug FROM sites WHERE tenant_id = $1 AND deleted_at IS NULL LIMIT 1", graphql_client.tenant_id
    )
    query = "query($slug: String!) { siteBySlug(slug: $slug) { slug } }"
    assert await graphql_client.fetch_data(query, slug=slug) == {"siteBySlug": {"slug": slug}}
    for other in (slug.upper(), slug + " ", slug[:-1] + "_", ""):
        assert await graphql_client.fetch_data(query, slug=other) == {"siteBySlug": None}


async def test_row_by_unique_key_deleted_at_same_time_is_that_of_last_id(graphql_client: Client) -> None:
    slug = f"twins-{graphql_client.graphql.strategy}"
    for suffix in ("b", "c", "a"):
        await graphql_client.execute_sql(
            "INSERT INTO sites (id, tenant_id, name, slug, deleted_at) VALUES ($1, $2, 'Twin', $3, 5) RETURNING id",
            f"{slug}-{suffix}",
            graphql_client.tenant_id,
            slug,
        )
    query = "query($slug: String!) { siteBySlug(slug: $slug, includeDeleted: true) { id } }"
    assert await graphql_client.fetch_data(query, slug=slug) == {"siteBySlug": {"id": f"{slug}-c"}}
