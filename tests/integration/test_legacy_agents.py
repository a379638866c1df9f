"""Imported agents without a token: listed by the operator, admitted by their ids for a time, traded once."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from core.clock import now_ms
from core.database.transactions import WriteTransaction, run_in_transaction
from core.rate_limit import RateLimiter
from services.agents import legacy_admission
from services.agents.legacy_agents import AdoptionResult, list_legacy_agents
from tests.agent_api_harness import AgentApiHarness, EnrolledAgent, TenantRows, open_agent_api_harness
from tests.sample_rows import insert_row

HOUR = 3_600_000
GUID = "6F9619FF-8B86-D011-B42D-00CF4FC964FF"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def agent_api(shared_database_url: str) -> AsyncIterator[AgentApiHarness]:
    async with open_agent_api_harness(shared_database_url) as opened:
        yield opened


@pytest_asyncio.fixture(autouse=True)
async def no_listed_agents(agent_api: AgentApiHarness) -> None:
    await agent_api.owner.execute("DELETE FROM legacy_agents; DELETE FROM health_checks")
    await agent_api.owner.execute("UPDATE agents SET deleted_at = 1 WHERE deleted_at IS NULL")
    await agent_api.service.legacy.refresh()


async def import_agent(
    agent_api: AgentApiHarness, name: str, tenant: TenantRows | None = None, guid: str | None = None
) -> EnrolledAgent:
    """An agent as an import leaves it: without a token."""
    whose = tenant or agent_api.mine
    row = {"id": f"{name}-{now_ms()}", "tenant_id": whose.id, "site_id": whose.site, "hostname": name}
    row |= {"guid": guid or f"guid-of-{row['id']}", "platform": "windows", "version": "1"}
    agent_id = await insert_row(agent_api.owner, "agents", row)
    stored = await agent_api.read_agent_row(agent_id)
    return EnrolledAgent(agent_id, whose.site, stored["guid"], "", name)


async def adopt(
    agent_api: AgentApiHarness, until: int | None = None, site: str | None = None
) -> AdoptionResult | None:
    """Run the operator's listing, and let the server know."""
    end = now_ms() + HOUR if until is None else until

    async def adopt_in_transaction(transaction: WriteTransaction) -> AdoptionResult | None:
        return await list_legacy_agents(transaction, site, end, is_past=end <= now_ms())

    done = await run_in_transaction(agent_api.database, adopt_in_transaction, platform=True)
    await agent_api.service.legacy.refresh()
    return done


async def beat(agent_api: AgentApiHarness, agent: EnrolledAgent, **body: Any) -> httpx.Response:
    """A heartbeat as agents in the field send it: no token."""
    return await agent_api.send_heartbeat(agent, {"Authorization": None}, **{"guid": agent.guid} | body)


async def trade(agent_api: AgentApiHarness, agent: EnrolledAgent, **body: Any) -> httpx.Response:
    headers = {"X-Site-ID": agent.site, "X-Device-ID": agent.id}
    return await agent_api.client.post("/v1.0/trade", json={"guid": agent.guid} | body, headers=headers)


async def test_legacy_heartbeat_of_listed_agent_is_accepted_and_written(agent_api: AgentApiHarness) -> None:
    agent = await import_agent(agent_api, "desk")
    assert await adopt(agent_api) == AdoptionResult(1, 0)
    answer = await beat(agent_api, agent, version="7")
    assert (answer.status_code, answer.json()) == (200, {"data": {"guid": agent.guid, "device_id": agent.id}})
    row = await agent_api.read_agent_row(agent.id)
    assert (row["version"], row["hostname"]) == ("7", "desk")
    assert row["last_checkin_at"] >= now_ms() - 10_000
    assert (await agent_api.read_health_check(agent.id))["status"] == "healthy"


async def test_legacy_heartbeat_takes_every_spelling_of_the_guid(agent_api: AgentApiHarness) -> None:
    agent = await import_agent(agent_api, "spelled", guid=GUID)
    await adopt(agent_api)
    assert (await beat(agent_api, agent, guid=f"{{{GUID}}}")).status_code == 200


async def test_legacy_heartbeat_without_a_list_is_refused_without_a_statement(
    agent_api: AgentApiHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await import_agent(agent_api, "unlisted")
    monkeypatch.setattr(legacy_admission, "find_legacy_agents", None)
    assert (await beat(agent_api, agent)).status_code == 401
    assert not agent_api.service.legacy.is_open


@pytest.mark.parametrize("wrong", ["guid", "site", "device", "no guid", "no site", "no device", "empty guid"])
async def test_legacy_heartbeat_with_a_wrong_or_missing_id_is_refused(
    agent_api: AgentApiHarness, wrong: str
) -> None:
    agent = await import_agent(agent_api, "desk")
    other = await import_agent(agent_api, "other", agent_api.theirs)
    await adopt(agent_api)
    headers: dict[str, str | None] = {"Authorization": None}
    body: dict[str, Any] = {"guid": agent.guid}
    match wrong:
        case "guid":
            body = {"guid": other.guid}
        case "site":
            headers["X-Site-ID"] = other.site
        case "device":
            headers["X-Device-ID"] = other.id
        case "no guid":
            body = {}
        case "no site":
            headers["X-Site-ID"] = None
        case "no device":
            headers["X-Device-ID"] = None
        case _:
            body = {"guid": ""}
    answer = await agent_api.send_heartbeat(agent, headers, **body)
    assert answer.status_code == 401
    assert (await agent_api.read_agent_row(agent.id))["last_checkin_at"] is None


async def test_legacy_heartbeat_after_the_date_is_refused(agent_api: AgentApiHarness) -> None:
    agent = await import_agent(agent_api, "desk")
    later = await import_agent(agent_api, "later", agent_api.theirs)
    await adopt(agent_api)
    await agent_api.owner.execute("UPDATE legacy_agents SET until = 5 WHERE agent_id = $1", agent.id)
    assert (await beat(agent_api, agent)).status_code == 401
    assert (await beat(agent_api, later)).status_code == 200
    assert await adopt(agent_api, 5) == AdoptionResult(0, 1)
    assert (await beat(agent_api, later)).status_code == 401


async def test_legacy_heartbeat_of_agent_imported_after_the_listing_is_refused(
    agent_api: AgentApiHarness,
) -> None:
    await import_agent(agent_api, "first")
    await adopt(agent_api)
    agent = await import_agent(agent_api, "second")
    assert (await beat(agent_api, agent)).status_code == 401


@pytest.mark.parametrize("path", ["register", "ticket/create"])
async def test_legacy_agent_may_do_nothing_but_check_in(agent_api: AgentApiHarness, path: str) -> None:
    agent = await import_agent(agent_api, "desk")
    await adopt(agent_api)
    headers = {"X-Site-ID": agent.site, "X-Device-ID": agent.id}
    body = {"guid": agent.guid, "site_id": agent.site, "hostname": "desk", "platform": "x", "version": "1"}
    answer = await agent_api.client.post(f"/v1.0/{path}", json=body, headers=headers)
    assert answer.status_code in (401, 404)
    assert "device_id" not in answer.text


async def test_listing_leaves_out_agents_with_a_token_or_enrolled_here(agent_api: AgentApiHarness) -> None:
    enrolled = await agent_api.enroll_agent()
    await agent_api.owner.execute("ALTER TABLE issued_credentials DISABLE TRIGGER USER")
    kept = await agent_api.enroll_agent()
    await agent_api.owner.execute("DELETE FROM issued_credentials WHERE agent_id = $1", kept.id)
    await agent_api.owner.execute("ALTER TABLE issued_credentials ENABLE TRIGGER USER")
    imported = await import_agent(agent_api, "desk")
    await adopt(agent_api)
    listed = {row["agent_id"] for row in await agent_api.owner.fetch("SELECT agent_id FROM legacy_agents")}
    assert imported.id in listed
    assert not {enrolled.id, kept.id} & listed
    for agent in (enrolled, kept):
        assert (await beat(agent_api, agent)).status_code == 401


async def test_listing_of_one_site_leaves_others_out(agent_api: AgentApiHarness) -> None:
    mine = await import_agent(agent_api, "mine")
    theirs = await import_agent(agent_api, "theirs", agent_api.theirs)
    assert await adopt(agent_api, site=agent_api.mine.site) == AdoptionResult(1, 0)
    assert (await beat(agent_api, mine)).status_code == 200
    assert (await beat(agent_api, theirs)).status_code == 401
    assert await adopt(agent_api, site="nowhere") is None


async def test_listing_again_changes_the_date_and_has_audit_rows(agent_api: AgentApiHarness) -> None:
    agent = await import_agent(agent_api, "desk")
    await adopt(agent_api, now_ms() + HOUR)
    end = now_ms() + 2 * HOUR
    assert await adopt(agent_api, end) == AdoptionResult(0, 1)
    assert await adopt(agent_api, end) == AdoptionResult(0, 0)
    row = await agent_api.owner.fetchrow("SELECT * FROM legacy_agents WHERE agent_id = $1", agent.id)
    assert row is not None
    audit = await agent_api.owner.fetch(
        "SELECT * FROM audit_log WHERE table_name = 'legacy_agents' AND record_id = $1 ORDER BY created_at, action",
        row["id"],
    )
    assert [(each["action"], each["actor_type"], each["actor_id"]) for each in audit] == [
        ("create", "system", "adopt-agents"),
        ("update", "system", "adopt-agents"),
    ]
    assert json.loads(audit[1]["changes"])["until"][1] == end == row["until"]
    assert audit[0]["tenant_id"] == agent_api.mine.id


async def test_trade_gives_a_token_and_ends_the_ids(agent_api: AgentApiHarness) -> None:
    agent = await import_agent(agent_api, "desk")
    await adopt(agent_api)
    answer = await trade(agent_api, agent)
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert (data["device_id"], data["guid"]) == (agent.id, agent.guid)
    with_token = EnrolledAgent(agent.id, agent.site, agent.guid, data["token"], agent.hostname)
    assert (await agent_api.send_heartbeat(with_token)).status_code == 200
    assert (await beat(agent_api, agent)).status_code == 401
    audit = await agent_api.owner.fetch(
        "SELECT table_name, action, actor_type FROM audit_log WHERE actor_id = $1 ORDER BY id", agent.id
    )
    assert {tuple(row) for row in audit} == {
        ("legacy_agents", "update", "agent"),
        ("issued_credentials", "create", "agent"),
    }
    log = await agent_api.read_call_log("endpoint", "status_code", "agent_id", "res_metadata")
    assert log[-2][:3] == ("/v1.0/trade", 200, agent.id)
    assert data["token"] not in str(log)


async def test_second_trade_is_refused_with_a_health_event(agent_api: AgentApiHarness) -> None:
    agent = await import_agent(agent_api, "desk")
    await adopt(agent_api)
    assert (await trade(agent_api, agent)).status_code == 200
    answer = await trade(agent_api, agent)
    assert (answer.status_code, "token" in answer.json().get("data", {})) == (409, False)
    check = await agent_api.read_health_check(agent.id)
    assert (check["status"], json.loads(check["metadata"])) == ("degraded", {"event": "second_trade"})
    count = "SELECT count(*) FROM issued_credentials WHERE agent_id = $1"
    assert await agent_api.owner.fetchval(count, agent.id) == 1


async def test_trade_after_the_date_or_with_wrong_ids_is_refused(agent_api: AgentApiHarness) -> None:
    agent = await import_agent(agent_api, "desk")
    await import_agent(agent_api, "open", agent_api.theirs)
    await adopt(agent_api)
    assert (await trade(agent_api, agent, guid="other")).status_code == 401
    await agent_api.owner.execute("UPDATE legacy_agents SET until = 5 WHERE agent_id = $1", agent.id)
    assert (await trade(agent_api, agent)).status_code == 401
    count = "SELECT count(*) FROM issued_credentials WHERE agent_id = $1"
    assert await agent_api.owner.fetchval(count, agent.id) == 0


async def test_trade_with_a_token_is_refused(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    answer = await agent_api.client.post("/v1.0/trade", json={"guid": agent.guid}, headers=agent.headers)
    assert answer.status_code == 409


async def test_legacy_agent_that_enrolls_is_not_admitted_by_its_ids_any_more(
    agent_api: AgentApiHarness,
) -> None:
    agent = await import_agent(agent_api, "desk")
    await adopt(agent_api)
    enrolled = await agent_api.enroll_agent(guid=agent.guid, hostname="desk")
    assert enrolled.id == agent.id
    assert (await beat(agent_api, agent)).status_code == 401
    traded = "SELECT traded_at IS NOT NULL FROM legacy_agents WHERE agent_id = $1"
    assert await agent_api.owner.fetchval(traded, agent.id)


async def test_legacy_calls_are_rate_limited_for_each_agent(database_url: str) -> None:
    async with open_agent_api_harness(database_url, agent_calls_per_minute=1) as agent_api:
        await agent_api.owner.execute("DELETE FROM legacy_agents")
        agents = [await import_agent(agent_api, name) for name in ("one", "two")]
        await adopt(agent_api)
        statuses = [(await beat(agent_api, agents[0])).status_code for _ in range(20)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert (await beat(agent_api, agents[1])).status_code == 200


async def test_calls_with_unknown_ids_do_not_delay_known_agents(
    agent_api: AgentApiHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await import_agent(agent_api, "desk")
    await adopt(agent_api)
    assert (await beat(agent_api, agent)).status_code == 200
    monkeypatch.setattr(agent_api.service.legacy, "_unknown", RateLimiter(1, 2))
    nobody = EnrolledAgent("nobody", agent.site, "guid", "", "x")
    answers = [await beat(agent_api, nobody) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert (await beat(agent_api, agent)).status_code == 200
    agent_api.service.legacy._blocked_until = 0.0


async def test_graphql_counts_the_agents_that_are_to_be_updated(agent_api: AgentApiHarness) -> None:
    first, second = [await import_agent(agent_api, name) for name in ("one", "two")]
    await import_agent(agent_api, "theirs", agent_api.theirs)
    await adopt(agent_api)
    assert (await trade(agent_api, first)).status_code == 200
    query = """{
        legacyAgents(where: {tradedAt: {isNull: true}}) { totalCount nodes { until agent { id hostname } } }
        agent(id: "%s") { legacy { tradedAt } }
    }"""
    token = await agent_api.create_user_token("Agents.Read")
    data = (await agent_api.execute(query % first.id, token))["data"]
    assert data["legacyAgents"]["totalCount"] == 1
    assert [node["agent"] for node in data["legacyAgents"]["nodes"]] == [{"id": second.id, "hostname": "two"}]
    assert data["agent"]["legacy"]["tradedAt"] is not None
    other = await agent_api.create_user_token("Sites.Read")
    answer = await agent_api.execute("{ legacyAgents { totalCount } }", other)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
