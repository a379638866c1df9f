"""The agents' HTTP API: enrolment, check-ins, and each refusal in the one shape that agents know."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from core.clock import now_ms
from tests.clusters import ThrowawayCluster
from tests.fleet import Yard, yard


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def at(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Yard]:
    name = await cluster.create(template)
    async with yard(cluster.dsn(name)) as made:
        yield made
    await cluster.drop(name)


def refused(answer: httpx.Response, status: int, context: str = "heartbeat") -> str:
    """The message of a refusal, whose shape is held to the specification."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"module", "context", "message", "code"}
    assert (body["error"]["code"], body["error"]["context"]) == (str(status), context)
    return str(body["error"]["message"])


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_device_enrols_and_checks_in(at: Yard) -> None:
    answer = await at.register(at.enrollment(), hostname="tower", mac="aa:bb", ip_address="10.0.0.1")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert list(data) == ["device_id", "guid", "token"]
    row = await at.row(data["device_id"])
    assert (row["tenant_id"], row["site_id"], row["guid"]) == (at.mine.id, at.mine.site, data["guid"])
    assert (row["hostname"], row["mac_address"], row["ip_address"]) == ("tower", "aa:bb", "10.0.0.1")
    assert row["last_checkin_at"] is None
    assert abs(row["registered_at"] - now_ms()) < 5_000

    headers = {
        "Authorization": f"Bearer {data['token']}",
        "X-Site-ID": at.mine.site,
        "X-Device-ID": row["id"],
    }
    body = {"hostname": "tower-2", "version": "1.1", "ext_address": "203.0.113.9"}
    beat = await at.client.post("/v1.0/heartbeat", json=body, headers=headers)
    assert (beat.status_code, beat.json()) == (200, {"data": {"guid": data["guid"]}})
    after = await at.row(row["id"])
    assert (after["hostname"], after["version"], after["ip_address"]) == ("tower-2", "1.1", "10.0.0.1")
    assert after["ext_address"] == "203.0.113.9"
    assert abs(after["last_checkin_at"] - now_ms()) < 5_000
    assert after["updated_at"] == row["updated_at"], "a check-in is no change that a person made"
    assert (await at.health(row["id"]))["status"] == "healthy"


@pytest.mark.parametrize(
    ("given", "hashed"),
    [
        ({"guid": "Given-1", "mac": "m1", "hostname": "h"}, None),
        ({"mac": "AA:bb", "hostname": "h"}, '{"mac":"AA:bb","siteId":"%s"}'),
        ({"mac": "", "hostname": 'büro "7" \\ é'}, '{"hostname":"büro \\"7\\" \\\\ é","siteId":"%s"}'),
        ({"guid": None, "mac": None, "hostname": " two "}, '{"hostname":" two ","siteId":"%s"}'),
    ],
)
async def test_the_guid(at: Yard, given: dict[str, Any], hashed: str | None) -> None:
    answer = await at.register(at.enrollment(), **given)
    assert answer.json()["data"]["guid"] == (sha(hashed % at.mine.site) if hashed else "Given-1")


async def test_a_reinstall_is_the_same_agent(at: Yard) -> None:
    agent = await at.agent(guid="again", ip_address="10.1.1.1")
    before = await at.row(agent.id)
    answer = await at.register(at.enrollment(), guid="again", hostname="renamed", version="7")
    assert answer.json()["data"]["device_id"] == agent.id
    after = await at.row(agent.id)
    assert (after["hostname"], after["version"], after["ip_address"]) == ("renamed", "7", "10.1.1.1")
    assert after["updated_at"] > before["updated_at"]
    assert (await at.beat(agent)).status_code == 200, "the token of before goes on"


async def test_a_guid_never_leaves_its_tenant_and_its_site_by_itself(at: Yard) -> None:
    agent = await at.agent(guid="contested")
    other = await at.agent(at.theirs, guid="contested")
    assert other.id != agent.id
    second = await at.owner.fetchval(
        "INSERT INTO sites (tenant_id, name, slug) VALUES ($1, 'B', 'b') RETURNING id", at.mine.id
    )
    again = await at.register(at.enrollment(site=second), guid="contested", site_id=second)
    refused(again, 409, "register")
    assert (await at.row(agent.id))["site_id"] == at.mine.site
    await at.owner.execute("UPDATE agents SET site_id = $1 WHERE id = $2", second, agent.id)
    moved = await at.register(at.enrollment(site=second), guid="contested", site_id=second)
    assert moved.json()["data"]["device_id"] == agent.id
    assert (await at.beat(agent)).status_code == 200, "moving an agent does not switch it off"


@pytest.mark.parametrize(
    ("change", "back", "status"),
    [
        ("UPDATE sites SET status = 'inactive' WHERE id = $2", "UPDATE sites SET status = 'active'", 409),
        ("UPDATE sites SET status = 'archived' WHERE id = $2", "UPDATE sites SET status = 'active'", 409),
        ("UPDATE sites SET deleted_at = 1 WHERE id = $2", "UPDATE sites SET deleted_at = NULL", 409),
        (
            "UPDATE tenants SET status = 'suspended' WHERE id = $1",
            "UPDATE tenants SET status = 'active'",
            401,
        ),
        ("UPDATE tenants SET deleted_at = 1 WHERE id = $1", "UPDATE tenants SET deleted_at = NULL", 401),
    ],
)
async def test_nobody_enrols_at_a_site_that_is_not_served(
    at: Yard, change: str, back: str, status: int
) -> None:
    await at.owner.execute(f"WITH ids AS (SELECT $1::text, $2::text) {change}", at.mine.id, at.mine.site)
    before = await at.owner.fetchval("SELECT count(*) FROM agents")
    try:
        refused(await at.register(at.enrollment()), status, "register")
    finally:
        await at.owner.execute(back)
    assert await at.owner.fetchval("SELECT count(*) FROM agents") == before
