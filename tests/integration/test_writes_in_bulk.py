"""Bulk upserts and health reports as clients send them: over HTTP, with a token, under rights."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.limits import BODY_MAX_BYTES, BULK_BODY_MAX_BYTES, UPSERT_ITEMS_MAX
from tests.face import Face, codes, face

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


class Shop:
    """The application over a demo database that may be written, and the owner's connection beside it."""

    def __init__(self, face: Face, owner: asyncpg.Connection, tenant: str, neighbour: str) -> None:
        self.face, self.owner, self.tenant, self.neighbour = face, owner, tenant, neighbour

    async def one(self, table: str, tenant: str | None = None) -> str:
        """The id of a row of a tenant's that is not deleted."""
        sql = f"SELECT id FROM {table} WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1"  # noqa: S608
        return str(await self.owner.fetchval(sql, tenant or self.tenant))

    async def upsert(
        self, items: list[dict[str, Any]], source: str, query: str = ENTITIES, user: int = 0
    ) -> Any:
        """The response to an upsert."""
        response = await self.face.ask(
            query, user, variables={"input": {"dataSourceId": source, "items": items}}
        )
        return response.json()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(demo_database: str) -> AsyncIterator[Shop]:
    owner = await asyncpg.connect(demo_database)
    async with face(demo_database) as made:
        tenant = await owner.fetchval("SELECT tenant_id FROM users WHERE id = $1", made.users[0])
        other = await owner.fetchval(
            "SELECT tenant_id FROM data_sources WHERE tenant_id <> $1 LIMIT 1", tenant
        )
        yield Shop(made, owner, tenant, other)
    await owner.close()


def _item(number: int, **more: Any) -> dict[str, Any]:
    return {"entityType": "endpoints", "externalId": f"bulk-{number}", "rawData": {"n": number}, **more}


async def test_entities_in_bulk(shop: Shop) -> None:
    source, site = await shop.one("data_sources"), await shop.one("sites")
    items = [
        _item(1, siteId=site, normalizedData={"hostname": "a"}),
        _item(2, siteId=None, dataHash=None),
        _item(3),
    ]
    first = await shop.upsert(items, source)
    assert first["data"]["upsertEntities"] == {"created": 3, "updated": 0, "unchanged": 0, "rejected": []}
    items[1]["rawData"] = {"n": "other"}
    items[2]["siteId"] = "nowhere"
    second = await shop.upsert(items, source)
    assert second["data"]["upsertEntities"] == {
        "created": 0, "updated": 1, "unchanged": 1,
        "rejected": [{"index": 2, "externalId": "bulk-3", "reason": "there is no such site"}],
    }  # fmt: skip
    assert int(second["extensions"]["transaction"]) > int(first["extensions"]["transaction"])


async def test_relationships_in_bulk(shop: Shop) -> None:
    source = await shop.one("data_sources")
    await shop.upsert([_item(11), _item(12)], source)
    ends = {"parentType": "endpoints", "childType": "endpoints", "parentExternalId": "bulk-11"}
    items = [
        {**ends, "childExternalId": "bulk-12", "relationshipType": "member", "metadata": {"a": 1}},
        {**ends, "childExternalId": "bulk-99", "relationshipType": "member"},
    ]
    for counts in ({"created": 1, "unchanged": 0}, {"created": 0, "unchanged": 1}):
        answer = (await shop.upsert(items, source, RELATIONSHIPS))["data"]["upsertEntityRelationships"]
        assert answer == {
            **counts, "updated": 0,
            "rejected": [
                {"index": 1, "externalId": "bulk-99", "reason": "there is no such child in the data source"}
            ],
        }  # fmt: skip


@pytest.mark.parametrize("query", [ENTITIES, RELATIONSHIPS])
async def test_a_strange_source_is_not_found(shop: Shop, query: str) -> None:
    for source in ("nowhere", await shop.one("data_sources", shop.neighbour)):
        answer = await shop.upsert([], source, query)
        assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == (None, "NOT_FOUND")


async def test_without_the_right_nothing_is_written(shop: Shop) -> None:
    await shop.owner.execute("""
        INSERT INTO roles (id, name, description, rights)
        VALUES ('looker', 'Looker', '', '{"Entities.Read": true, "HealthChecks.Read": true}')
    """)
    await shop.owner.execute("UPDATE users SET role_id = 'looker' WHERE id = $1", shop.face.users[TECHNICIAN])
    source, agent = await shop.one("data_sources"), await shop.one("agents")
    answers = [
        await shop.upsert([_item(21)], source, user=TECHNICIAN),
        await shop.upsert([], source, RELATIONSHIPS, user=TECHNICIAN),
        (
            await shop.face.ask(HEALTH, TECHNICIAN, variables={"type": "AGENT", "id": agent, "ok": True})
        ).json(),
    ]
    assert [answer["errors"][0]["extensions"]["code"] for answer in answers] == ["FORBIDDEN"] * 3
    assert await shop.owner.fetchval("SELECT count(*) FROM entities WHERE external_id = 'bulk-21'") == 0


async def test_too_many_items_are_bad_input(shop: Shop) -> None:
    answer = await shop.upsert([_item(0)] * (UPSERT_ITEMS_MAX + 1), await shop.one("data_sources"))
    assert list(answer["errors"][0]["extensions"]["fields"]) == ["input.items"]


async def test_as_many_as_a_call_may_have_pass_through_http(shop: Shop) -> None:
    source = await shop.one("data_sources")
    items = [_item(1000 + number, rawData={"text": "x" * 1_000}) for number in range(UPSERT_ITEMS_MAX)]
    assert (await shop.upsert(items, source))["data"]["upsertEntities"]["created"] == UPSERT_ITEMS_MAX
    assert (await shop.upsert(items, source))["data"]["upsertEntities"]["unchanged"] == UPSERT_ITEMS_MAX


async def test_a_long_body_takes_a_good_token(shop: Shop) -> None:
    client, blank = shop.face.client, b" " * (BODY_MAX_BYTES + 1)
    json = {"Content-Type": "application/json"}
    assert (await client.post("/graphql", content=blank, headers=json)).status_code == 413
    strange = {**json, "Authorization": "Bearer a.b.c"}
    assert (await client.post("/graphql", content=blank, headers=strange)).status_code == 401
    assert (
        await client.post("/graphql", content=blank, headers={**json, **shop.face.headers()})
    ).status_code == 400
    longer = b" " * (BULK_BODY_MAX_BYTES + 1)
    assert (
        await client.post("/graphql", content=longer, headers={**json, **shop.face.headers()})
    ).status_code == 413


async def test_health_is_reported_and_answered(shop: Shop) -> None:
    agent = await shop.owner.fetchval(
        "SELECT id FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id DESC LIMIT 1",
        shop.tenant,
    )
    hostname = await shop.owner.fetchval("SELECT hostname FROM agents WHERE id = $1", agent)
    variables = {"type": "AGENT", "id": agent, "ok": True}
    healthy = (await shop.face.ask(HEALTH, variables=variables)).json()["data"]["reportHealthCheck"]
    assert (healthy["status"], healthy["failureCount"], healthy["resource"]) == (
        "HEALTHY",
        0,
        {"hostname": hostname},
    )
    variables |= {"ok": False, "error": "no check-in", "metadata": {"latencyMs": 3}}
    failing = [
        (await shop.face.ask(HEALTH, variables=variables)).json()["data"]["reportHealthCheck"]
        for _ in range(3)
    ]
    assert [row["status"] for row in failing] == ["DEGRADED", "DEGRADED", "DOWN"]
    assert (failing[2]["errorMessage"], failing[2]["metadata"]) == ("no check-in", {"latencyMs": 3})
    assert failing[2]["lastSuccessAt"] == healthy["lastSuccessAt"]


async def test_health_of_a_neighbours_is_not_found(shop: Shop) -> None:
    for agent in ("nowhere", await shop.one("agents", shop.neighbour)):
        variables = {"type": "AGENT", "id": agent, "ok": True}
        assert codes(await shop.face.ask(HEALTH, variables=variables)) == ["NOT_FOUND"]


async def test_the_audit_tells_of_none_of_it(shop: Shop) -> None:
    count = "SELECT count(*) FROM audit_log"
    before = await shop.owner.fetchval(count)
    await shop.upsert([_item(31)], await shop.one("data_sources"))
    await shop.face.ask(HEALTH, variables={"type": "AGENT", "id": await shop.one("agents"), "ok": True})
    assert await shop.owner.fetchval(count) == before
