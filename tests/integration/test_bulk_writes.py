"""Bulk upserts and health reports as clients send them: over HTTP, with a token, with rights checked."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.limits import BODY_MAX_BYTES, BULK_BODY_MAX_BYTES, UPSERT_ITEMS_MAX
from tests.http_harness import HttpHarness, error_codes, open_http_harness
from tests.sealed_tokens import open_transaction

ENTITIES = """
    mutation ($input: UpsertEntitiesInput!) {
        upsertEntities(input: $input) { created updated unchanged rejected { index externalId reason } }
    }
"""
RELATIONSHIPS = """
    mutation ($input: UpsertEntityRelationshipsInput!) {
        upsertEntityRelationships(input: $input) { created updated unchanged rejected { index externalId reason } }
    }
"""
HEALTH = """
    mutation ($type: HealthResourceType!, $id: ID!, $ok: Boolean!, $error: String, $metadata: JSON) {
        reportHealthCheck(resourceType: $type, resourceId: $id, ok: $ok, errorMessage: $error, metadata: $metadata) {
            status failureCount errorMessage metadata lastSuccessAt resource { ... on Agent { hostname } }
        }
    }
"""
ADMINISTRATOR, TECHNICIAN = 0, 1


class BulkHarness:
    """The application over a writable demo database, and the owner's connection."""

    def __init__(self, http: HttpHarness, owner: asyncpg.Connection, tenant: str, neighbour: str) -> None:
        self.http, self.owner, self.tenant, self.neighbour = http, owner, tenant, neighbour

    async def fetch_id(self, table: str, tenant: str | None = None) -> str:
        """The id of a row of a tenant's that is not deleted."""
        sql = f"SELECT id FROM {table} WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1"
        return str(await self.owner.fetchval(sql, tenant or self.tenant))

    async def upsert(
        self, items: list[dict[str, Any]], source: str, query: str = ENTITIES, user: int = 0
    ) -> Any:
        """The response to an upsert."""
        response = await self.http.post_query(
            query, user, variables={"input": {"dataSourceId": source, "items": items}}
        )
        return response.json()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bulk_harness(writable_demo_database_url: str) -> AsyncIterator[BulkHarness]:
    owner = await asyncpg.connect(writable_demo_database_url)
    async with open_http_harness(writable_demo_database_url) as made:
        tenant = await owner.fetchval("SELECT tenant_id FROM users WHERE id = $1", made.user_ids[0])
        other = await owner.fetchval(
            "SELECT tenant_id FROM data_sources WHERE tenant_id <> $1 LIMIT 1", tenant
        )
        yield BulkHarness(made, owner, tenant, other)
    await owner.close()


def _make_item(number: int, **more: Any) -> dict[str, Any]:
    return {"entityType": "endpoints", "externalId": f"bulk-{number}", "rawData": {"n": number}, **more}


async def test_upsert_entities_over_http_reports_counts_and_rejections(bulk_harness: BulkHarness) -> None:
    source, site = await bulk_harness.fetch_id("data_sources"), await bulk_harness.fetch_id("sites")
    items = [
        _make_item(1, siteId=site, normalizedData={"hostname": "a"}),
        _make_item(2, siteId=None, dataHash=None),
        _make_item(3),
    ]
    first = await bulk_harness.upsert(items, source)
    assert first["data"]["upsertEntities"] == {"created": 3, "updated": 0, "unchanged": 0, "rejected": []}
    items[1]["rawData"] = {"n": "other"}
    items[2]["siteId"] = "nowhere"
    second = await bulk_harness.upsert(items, source)
    assert second["data"]["upsertEntities"] == {
        "created": 0, "updated": 1, "unchanged": 1,
        "rejected": [{"index": 2, "externalId": "bulk-3", "reason": "no such site"}],
    }  # fmt: skip
    sealer = bulk_harness.http.sealer
    earlier, later = (int(open_transaction(a["extensions"]["transaction"], sealer)) for a in (first, second))
    assert later > earlier


async def test_upsert_relationships_over_http_reports_counts_and_rejections(
    bulk_harness: BulkHarness,
) -> None:
    source = await bulk_harness.fetch_id("data_sources")
    await bulk_harness.upsert([_make_item(11), _make_item(12)], source)
    ends = {"parentType": "endpoints", "childType": "endpoints", "parentExternalId": "bulk-11"}
    items: list[dict[str, Any]] = [
        {**ends, "childExternalId": "bulk-12", "relationshipType": "member", "metadata": {"a": 1}},
        {**ends, "childExternalId": "bulk-99", "relationshipType": "member"},
    ]
    for counts in ({"created": 1, "unchanged": 0}, {"created": 0, "unchanged": 1}):
        answer = (await bulk_harness.upsert(items, source, RELATIONSHIPS))["data"][
            "upsertEntityRelationships"
        ]
        assert answer == {
            **counts, "updated": 0,
            "rejected": [
                {"index": 1, "externalId": "bulk-99", "reason": "no such child in the data source"}
            ],
        }  # fmt: skip


@pytest.mark.parametrize("query", [ENTITIES, RELATIONSHIPS])
async def test_upsert_into_foreign_data_source_is_not_found(bulk_harness: BulkHarness, query: str) -> None:
    for source in ("nowhere", await bulk_harness.fetch_id("data_sources", bulk_harness.neighbour)):
        answer = await bulk_harness.upsert([], source, query)
        assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == (None, "NOT_FOUND")


async def test_bulk_writes_without_right_are_forbidden(bulk_harness: BulkHarness) -> None:
    await bulk_harness.owner.execute("""
        INSERT INTO roles (id, name, description, rights)
        VALUES ('looker', 'Looker', '', '{"Entities.Read": true, "HealthChecks.Read": true}')
    """)
    await bulk_harness.owner.execute(
        "UPDATE users SET role_id = 'looker' WHERE id = $1", bulk_harness.http.user_ids[TECHNICIAN]
    )
    source, agent = await bulk_harness.fetch_id("data_sources"), await bulk_harness.fetch_id("agents")
    answers = [
        await bulk_harness.upsert([_make_item(21)], source, user=TECHNICIAN),
        await bulk_harness.upsert([], source, RELATIONSHIPS, user=TECHNICIAN),
        (
            await bulk_harness.http.post_query(
                HEALTH, TECHNICIAN, variables={"type": "AGENT", "id": agent, "ok": True}
            )
        ).json(),
    ]
    assert [answer["errors"][0]["extensions"]["code"] for answer in answers] == ["FORBIDDEN"] * 3
    assert (
        await bulk_harness.owner.fetchval("SELECT count(*) FROM entities WHERE external_id = 'bulk-21'") == 0
    )


async def test_upsert_entities_over_the_limit_is_bad_input(bulk_harness: BulkHarness) -> None:
    answer = await bulk_harness.upsert(
        [_make_item(0)] * (UPSERT_ITEMS_MAX + 1), await bulk_harness.fetch_id("data_sources")
    )
    assert list(answer["errors"][0]["extensions"]["fields"]) == ["input.items"]


async def test_upsert_entities_at_the_limit_fits_the_http_body(bulk_harness: BulkHarness) -> None:
    source = await bulk_harness.fetch_id("data_sources")
    items = [_make_item(1000 + number, rawData={"text": "x" * 1_000}) for number in range(UPSERT_ITEMS_MAX)]
    assert (await bulk_harness.upsert(items, source))["data"]["upsertEntities"]["created"] == UPSERT_ITEMS_MAX
    assert (await bulk_harness.upsert(items, source))["data"]["upsertEntities"][
        "unchanged"
    ] == UPSERT_ITEMS_MAX


async def test_long_body_without_valid_token_is_refused(bulk_harness: BulkHarness) -> None:
    client, blank = bulk_harness.http.client, b" " * (BODY_MAX_BYTES + 1)
    json = {"Content-Type": "application/json"}
    assert (await client.post("/graphql", content=blank, headers=json)).status_code == 413
    strange = {**json, "Authorization": "Bearer a.b.c"}
    assert (await client.post("/graphql", content=blank, headers=strange)).status_code == 401
    assert (
        await client.post("/graphql", content=blank, headers={**json, **bulk_harness.http.build_headers()})
    ).status_code == 400
    longer = b" " * (BULK_BODY_MAX_BYTES + 1)
    assert (
        await client.post("/graphql", content=longer, headers={**json, **bulk_harness.http.build_headers()})
    ).status_code == 413


async def test_report_health_check_degrades_then_down_after_failures(bulk_harness: BulkHarness) -> None:
    agent = await bulk_harness.owner.fetchval(
        "SELECT id FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id DESC LIMIT 1",
        bulk_harness.tenant,
    )
    hostname = await bulk_harness.owner.fetchval("SELECT hostname FROM agents WHERE id = $1", agent)
    variables = {"type": "AGENT", "id": agent, "ok": True}
    healthy = (await bulk_harness.http.post_query(HEALTH, variables=variables)).json()["data"][
        "reportHealthCheck"
    ]
    assert (healthy["status"], healthy["failureCount"], healthy["resource"]) == (
        "HEALTHY",
        0,
        {"hostname": hostname},
    )
    variables |= {"ok": False, "error": "no check-in", "metadata": {"latencyMs": 3}}
    failing = [
        (await bulk_harness.http.post_query(HEALTH, variables=variables)).json()["data"]["reportHealthCheck"]
        for _ in range(3)
    ]
    assert [row["status"] for row in failing] == ["DEGRADED", "DEGRADED", "DOWN"]
    assert (failing[2]["errorMessage"], failing[2]["metadata"]) == ("no check-in", {"latencyMs": 3})
    assert failing[2]["lastSuccessAt"] == healthy["lastSuccessAt"]


async def test_report_health_check_of_other_tenant_is_not_found(bulk_harness: BulkHarness) -> None:
    for agent in ("nowhere", await bulk_harness.fetch_id("agents", bulk_harness.neighbour)):
        variables = {"type": "AGENT", "id": agent, "ok": True}
        assert error_codes(await bulk_harness.http.post_query(HEALTH, variables=variables)) == ["NOT_FOUND"]


async def test_bulk_writes_leave_no_audit_log_entries(bulk_harness: BulkHarness) -> None:
    count = "SELECT count(*) FROM audit_log"
    before = await bulk_harness.owner.fetchval(count)
    await bulk_harness.upsert([_make_item(31)], await bulk_harness.fetch_id("data_sources"))
    await bulk_harness.http.post_query(
        HEALTH, variables={"type": "AGENT", "id": await bulk_harness.fetch_id("agents"), "ok": True}
    )
    assert await bulk_harness.owner.fetchval(count) == before
