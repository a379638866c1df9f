"""Single rows, and what a soft delete means: out of lists and by-id fields, null from children, hiding none."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from resolvers.ways import Way
from schema.table import Scope, Table
from schema.tables import BY_NAME, REFERENCES, TABLES
from tests.integration.asking import Asking, asking

DELETABLE: Final = [table for table in TABLES if table.soft_deletes]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(demo_database: str) -> AsyncIterator[Asking]:
    async with asking(demo_database) as made:
        yield made


@pytest.fixture(params=[Way.AUTO, Way.LOADERS], ids=str)
def asks(demo: Asking, request: pytest.FixtureRequest) -> Asking:
    return demo.by(request.param)


async def some_id(asks: Asking, table: Table, *, deleted: bool) -> str:
    """A row of the tenant's that is deleted, or is not."""
    mine = {Scope.ITSELF: "id = $1"}.get(
        table.scope, "tenant_id = $1" if "tenant_id" in table.columns else "$1 <> ''"
    )
    state = "IS NOT NULL" if deleted else "IS NULL"
    found = await asks.write(
        f"SELECT id FROM {table.name} WHERE {mine} AND deleted_at {state} ORDER BY id DESC LIMIT 1",  # noqa: S608
        asks.tenant_id,
    )
    assert found, f"the demo has no such row in {table.name}"
    return str(found)


@pytest.mark.parametrize(
    "table", [table for table in DELETABLE if table.scope is not Scope.ITSELF], ids=lambda table: table.name
)
async def test_a_deleted_row_is_there_only_for_who_may_restore_it_and_asks(
    asks: Asking, table: Table
) -> None:
    gone = await some_id(asks, table, deleted=True)
    query = f"""query($id: ID!, $with: Boolean) {{
        {table.one}(id: $id, includeDeleted: $with) {{ id deletedAt }}
        {table.many}(where: {{id: {{eq: $id}}}}, includeDeleted: $with) {{ nodes {{ id }} totalCount }}
    }}"""
    for without in (False, None):
        data = await asks.data(query, id=gone, **{"with": without})
        assert data == {table.one: None, table.many: {"nodes": [], "totalCount": 0}}
    data = await asks.data(query, id=gone, **{"with": True})
    assert data[table.one]["id"] == gone
    assert data[table.one]["deletedAt"] > 0
    assert data[table.many] == {"nodes": [{"id": gone}], "totalCount": 1}
    answer = await asks.graph.as_user(asks.technician, query, id=gone, **{"with": True})
    assert set(answer.codes) == {"FORBIDDEN"}
    assert not answer.data or answer.data[table.one] is None


@pytest.mark.parametrize("table", DELETABLE, ids=lambda table: table.name)
async def test_asking_for_deleted_rows_shows_those_that_are_not_deleted_too(
    asks: Asking, table: Table
) -> None:
    here = await some_id(asks, table, deleted=False)
    query = f"query($id: ID!) {{ {table.one}(id: $id, includeDeleted: true) {{ id deletedAt }} }}"
    assert await asks.data(query, id=here) == {table.one: {"id": here, "deletedAt": None}}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_what_is_not_there_is_null_without_an_error(asks: Asking, table: Table) -> None:
    query = f"query($id: ID!) {{ {table.one}(id: $id) {{ id }} }}"
    for row_id in ("nothing", "", "%", "'"):
        if table.scope is Scope.PLATFORM:
            answer = await asks.graph.as_platform(None, query, id=row_id)
        else:
            answer = await asks.ask(query, id=row_id)
        assert (answer.data, answer.errors) == ({table.one: None}, [])


async def test_a_deleted_parent_answers_null_and_hides_no_child(asks: Asking) -> None:
    site = await asks.write(
        """SELECT s.id FROM sites s JOIN agents a ON a.site_id = s.id AND a.deleted_at IS NULL
           WHERE s.tenant_id = $1 AND s.deleted_at IS NULL GROUP BY s.id ORDER BY count(*) DESC LIMIT 1""",
        asks.tenant_id,
    )
    query = """query($site: ID!) {
        agents(where: {siteId: {eq: $site}}) { totalCount nodes { id siteId site { id } } }
        bySite: agents(where: {site: {id: {eq: $site}}}) { totalCount }
        notBySite: agents(where: {siteId: {eq: $site}, not: {site: {}}}) { totalCount }
        site(id: $site) { id }
        deleted: site(id: $site, includeDeleted: true) { id agents { totalCount } }
    }"""
    before = await asks.data(query, site=site)
    count = before["agents"]["totalCount"]
    assert count > 0
    assert before["bySite"]["totalCount"] == count
    assert before["agents"]["nodes"][0]["site"] == {"id": site}
    await asks.write("UPDATE sites SET deleted_at = 1 WHERE id = $1", site)
    after = await asks.data(query, site=site)
    await asks.write("UPDATE sites SET deleted_at = NULL WHERE id = $1", site)
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
async def test_every_relation_to_a_deleted_row_is_null(asks: Asking, child: Table, field: str) -> None:
    reference = next(r for r in child.references if r.one == field)
    mine = "c.tenant_id = $1 AND" if "tenant_id" in child.columns else "$1 <> '' AND"
    alive = "c.deleted_at IS NULL AND" if child.soft_deletes else ""
    found = await asks.write(
        f"""SELECT (c.id, p.id) FROM {child.name} c JOIN {reference.table} p ON p.id = c.{reference.column}
            WHERE {mine} {alive} p.deleted_at IS NULL AND p.id <> $2
            AND p.id <> (SELECT role_id FROM users WHERE id = $2) LIMIT 1""",  # noqa: S608
        asks.tenant_id,
        asks.administrator,
    )
    if found is None:
        pytest.fail(f"the demo has no {child.name} with a {field}")
    row_id, parent_id = found
    query = f"query($id: ID!) {{ row: {child.one}(id: $id) {{ related: {field} {{ id }} }} }}"
    assert await asks.data(query, id=row_id) == {"row": {"related": {"id": parent_id}}}
    await asks.write(f"UPDATE {reference.table} SET deleted_at = 1 WHERE id = $1", parent_id)  # noqa: S608
    after = await asks.data(query, id=row_id)
    await asks.write(f"UPDATE {reference.table} SET deleted_at = NULL WHERE id = $1", parent_id)  # noqa: S608
    assert after == {"row": {"related": None}}


async def test_a_deleted_tenant_is_there_for_the_platform_alone(asks: Asking) -> None:
    query = "query($id: ID!) { tenant(id: $id) { id } deleted: tenant(id: $id, includeDeleted: true) { id } }"
    gone = await asks.write("SELECT id FROM tenants WHERE deleted_at IS NOT NULL LIMIT 1")
    answer = await asks.graph.as_platform(None, query, id=gone)
    assert answer.data == {"tenant": None, "deleted": {"id": gone}}
    assert await asks.data(query, id=gone) == {"tenant": None, "deleted": None}


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
async def test_a_row_by_its_other_name(asks: Asking, field: str) -> None:
    key, insert = BY_UNIQUE[field]
    name = f"{field}-{asks.graph.way}"
    query = f"""query($of: String!) {{
        live: {field}({key}: $of) {{ id }} any: {field}({key}: $of, includeDeleted: true) {{ id }}
    }}"""

    async def found() -> tuple[Any, ...]:
        data = await asks.data(query, of=name)
        return tuple(data[part] and data[part]["id"] for part in ("live", "any"))

    assert await found() == (None, None)
    await asks.write(insert, asks.tenant_id, name, 2_000, f"{name}-0-deleted-last")
    await asks.write(insert, asks.tenant_id, name, 1_000, f"{name}-9-deleted-first")
    assert await found() == (None, f"{name}-0-deleted-last")
    await asks.write(insert, asks.tenant_id, name, None, f"{name}-5-live")
    assert await found() == (f"{name}-5-live", f"{name}-5-live")
    stranger = await asks.graph.as_user(asks.stranger, query, of=name)
    assert stranger.data == {"live": None, "any": None}
    assert (await asks.graph.as_user(asks.technician, query, of=name)).codes == ["FORBIDDEN"]


async def test_other_names_are_exact(asks: Asking) -> None:
    slug = await asks.write(
        "SELECT slug FROM sites WHERE tenant_id = $1 AND deleted_at IS NULL LIMIT 1", asks.tenant_id
    )
    query = "query($slug: String!) { siteBySlug(slug: $slug) { slug } }"
    assert await asks.data(query, slug=slug) == {"siteBySlug": {"slug": slug}}
    for other in (slug.upper(), slug + " ", slug[:-1] + "_", ""):
        assert await asks.data(query, slug=other) == {"siteBySlug": None}


async def test_of_rows_deleted_at_the_same_time_the_one_of_the_last_id_is_shown(asks: Asking) -> None:
    slug = f"twins-{asks.graph.way}"
    for suffix in ("b", "c", "a"):
        await asks.write(
            "INSERT INTO sites (id, tenant_id, name, slug, deleted_at) VALUES ($1, $2, 'Twin', $3, 5) RETURNING id",
            f"{slug}-{suffix}",
            asks.tenant_id,
            slug,
        )
    query = "query($slug: String!) { siteBySlug(slug: $slug, includeDeleted: true) { id } }"
    assert await asks.data(query, slug=slug) == {"siteBySlug": {"id": f"{slug}-c"}}
