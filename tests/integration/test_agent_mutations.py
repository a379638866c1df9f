"""`createEnrollmentToken`, `registerAgent` and `agentCheckin` over GraphQL: permitted and refused callers."""

import asyncio
from typing import Any, Final

import pytest

from core.clock import now_ms
from core.limits import ENROLLMENT_LIFETIME_MAX_S
from tests.agent_api_harness import AgentApiHarness

TOKEN: Final = """mutation ($site: ID!, $seconds: Int!) {
    createEnrollmentToken(siteId: $site, expiresInSeconds: $seconds) { token siteId expiresAt } }"""
REGISTER: Final = (
    "mutation ($input: RegisterAgentInput!) { registerAgent(input: $input) { deviceId guid token } }"
)
CHECK_IN: Final = """mutation ($id: ID!, $input: AgentCheckinInput) {
    agentCheckin(id: $id, input: $input) { id hostname version isOnline lastCheckinAt healthCheck { status } } }"""


def read_error(answer: Any) -> tuple[str, dict[str, str]]:
    """The one error's code and bad fields."""
    (reported,) = answer["errors"]
    return reported["extensions"]["code"], reported["extensions"].get("fields", {})


async def test_create_enrollment_token_by_user_allows_registration(agent_api: AgentApiHarness) -> None:
    user = await agent_api.create_user_token("Agents.Write")
    answer = await agent_api.execute(TOKEN, user, site=agent_api.mine.site, seconds=600)
    made = answer["data"]["createEnrollmentToken"]
    assert made["siteId"] == agent_api.mine.site
    assert abs(made["expiresAt"] - now_ms() - 600_000) < 5_000
    assert agent_api.tokens.verify_enrollment_token(made["token"]).expires_at == pytest.approx(
        made["expiresAt"], abs=1_000
    )
    enrolled = await agent_api.register(made["token"])
    assert enrolled.status_code == 200
    assert (await agent_api.read_agent_row(enrolled.json()["data"]["device_id"]))[
        "tenant_id"
    ] == agent_api.mine.id


async def test_create_enrollment_token_without_right_is_forbidden(agent_api: AgentApiHarness) -> None:
    for rights in ((), ("Agents.Read",), ("Sites.Write",)):
        answer = await agent_api.execute(
            TOKEN, await agent_api.create_user_token(*rights), site=agent_api.mine.site, seconds=600
        )
        assert read_error(answer)[0] == "FORBIDDEN"
        assert answer["data"] is None


async def test_create_enrollment_token_for_foreign_site_is_not_found(agent_api: AgentApiHarness) -> None:
    user = await agent_api.create_user_token("Global.Admin")
    reported = []
    for site in (agent_api.theirs.site, "nowhere"):
        answer = await agent_api.execute(TOKEN, user, site=site, seconds=60)
        reported.append((read_error(answer)[0], answer["errors"][0]["message"].replace(site, "...")))
    assert reported[0] == reported[1]
    assert reported[0][0] == "NOT_FOUND"


@pytest.mark.parametrize("seconds", [0, -1, ENROLLMENT_LIFETIME_MAX_S + 1])
async def test_create_enrollment_token_with_invalid_lifetime_is_bad_user_input(
    agent_api: AgentApiHarness, seconds: int
) -> None:
    code, fields = read_error(
        await agent_api.execute(
            TOKEN,
            await agent_api.create_user_token("Agents.Write"),
            site=agent_api.mine.site,
            seconds=seconds,
        )
    )
    assert (code, list(fields)) == ("BAD_USER_INPUT", ["expiresInSeconds"])


async def test_create_enrollment_token_for_inactive_site_is_conflict(agent_api: AgentApiHarness) -> None:
    await agent_api.owner.execute("UPDATE sites SET status = 'inactive' WHERE id = $1", agent_api.mine.site)
    answer = await agent_api.execute(
        TOKEN, await agent_api.create_user_token("Agents.Write"), site=agent_api.mine.site, seconds=60
    )
    await agent_api.owner.execute("UPDATE sites SET status = 'active' WHERE id = $1", agent_api.mine.site)
    assert read_error(answer)[0] == "CONFLICT"


def _build_device_input(agent_api: AgentApiHarness, **more: Any) -> dict[str, Any]:
    return {"siteId": agent_api.mine.site, "hostname": "tower", "platform": "linux", "version": "3"} | more


async def test_register_agent_and_agent_checkin_by_platform_write_the_agent(
    agent_api: AgentApiHarness,
) -> None:
    given = _build_device_input(agent_api, mac="aa:01", ipAddress="10.0.0.9")
    made = (await agent_api.execute(REGISTER, agent_api.platform_token, agent_api.mine.id, input=given))[
        "data"
    ]["registerAgent"]
    same = await agent_api.register(await agent_api.issue_enrollment_token(), hostname="tower", mac="aa:01")
    assert same.json()["data"]["device_id"] == made["deviceId"], "the same rule makes the guid"
    assert agent_api.tokens.verify_agent_token(made["token"]).agent_id == made["deviceId"]

    reported = {"version": "4", "macAddress": "aa:02"}
    answer = await agent_api.execute(
        CHECK_IN, agent_api.platform_token, agent_api.mine.id, id=made["deviceId"], input=reported
    )
    agent = answer["data"]["agentCheckin"]
    assert (agent["hostname"], agent["version"], agent["isOnline"]) == ("tower", "4", True)
    assert agent["healthCheck"]["status"] == "HEALTHY"
    assert abs(agent["lastCheckinAt"] - now_ms()) < 5_000
    row = await agent_api.read_agent_row(made["deviceId"])
    assert (row["mac_address"], row["ip_address"]) == ("aa:02", "10.0.0.9")
    bare = await agent_api.execute(CHECK_IN, agent_api.platform_token, agent_api.mine.id, id=made["deviceId"])
    assert bare["data"]["agentCheckin"]["version"] == "4"
    trail = await agent_api.owner.fetch(
        "SELECT action, actor_type FROM audit_log WHERE record_id = $1 ORDER BY created_at, action",
        made["deviceId"],
    )
    assert [tuple(row) for row in trail] == [("create", "platform"), ("update", "agent")]


async def test_agent_checkin_by_platform_waits_for_locked_row(agent_api: AgentApiHarness) -> None:
    """It waits as long as each mutation does. The agents' own check-ins come by the hundred and wait less."""
    agent = await agent_api.enroll_agent()
    async with agent_api.owner.transaction():
        await agent_api.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agent.id)
        task = asyncio.create_task(
            agent_api.execute(CHECK_IN, agent_api.platform_token, agent_api.mine.id, id=agent.id)
        )
        await asyncio.sleep(0.7)
        assert not task.done()
    assert (await task)["data"]["agentCheckin"]["isOnline"]


async def test_register_agent_and_agent_checkin_by_user_are_forbidden(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    user = await agent_api.create_user_token("Global.Admin")
    before = await agent_api.owner.fetchval("SELECT count(*) FROM agents")
    assert (
        read_error(await agent_api.execute(REGISTER, user, input=_build_device_input(agent_api)))[0]
        == "FORBIDDEN"
    )
    assert read_error(await agent_api.execute(CHECK_IN, user, id=agent.id))[0] == "FORBIDDEN"
    assert await agent_api.owner.fetchval("SELECT count(*) FROM agents") == before
    assert (await agent_api.read_agent_row(agent.id))["last_checkin_at"] is None


async def test_agent_mutations_by_platform_with_wrong_tenant_are_refused(agent_api: AgentApiHarness) -> None:
    agent, theirs = await agent_api.enroll_agent(), await agent_api.enroll_agent(agent_api.theirs)
    assert (
        read_error(await agent_api.execute(CHECK_IN, agent_api.platform_token, id=agent.id))[0]
        == "BAD_USER_INPUT"
    )
    for wrong in (theirs.id, "nobody"):
        assert (
            read_error(
                await agent_api.execute(CHECK_IN, agent_api.platform_token, agent_api.mine.id, id=wrong)
            )[0]
            == "NOT_FOUND"
        )
    foreign = _build_device_input(agent_api, siteId=agent_api.theirs.site)
    assert (
        read_error(
            await agent_api.execute(REGISTER, agent_api.platform_token, agent_api.mine.id, input=foreign)
        )[0]
        == "NOT_FOUND"
    )
    assert (await agent_api.read_agent_row(theirs.id))["last_checkin_at"] is None


async def test_agent_mutations_with_malformed_input_name_the_fields(agent_api: AgentApiHarness) -> None:
    given = _build_device_input(agent_api, hostname=" ", ipAddress="x" * 65)
    code, fields = read_error(
        await agent_api.execute(REGISTER, agent_api.platform_token, agent_api.mine.id, input=given)
    )
    assert (code, set(fields)) == ("BAD_USER_INPUT", {"input.hostname", "input.ipAddress"})
    agent = await agent_api.enroll_agent()
    reported = {"hostname": "a\u0007"}
    code, fields = read_error(
        await agent_api.execute(
            CHECK_IN, agent_api.platform_token, agent_api.mine.id, id=agent.id, input=reported
        )
    )
    assert (code, set(fields)) == ("BAD_USER_INPUT", {"input.hostname"})


async def test_agent_mutations_at_archived_site_are_conflict(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    await agent_api.owner.execute("UPDATE sites SET status = 'archived' WHERE id = $1", agent_api.mine.site)
    checked = await agent_api.execute(CHECK_IN, agent_api.platform_token, agent_api.mine.id, id=agent.id)
    registered = await agent_api.execute(
        REGISTER, agent_api.platform_token, agent_api.mine.id, input=_build_device_input(agent_api)
    )
    await agent_api.owner.execute("UPDATE sites SET status = 'active' WHERE id = $1", agent_api.mine.site)
    assert (read_error(checked)[0], read_error(registered)[0]) == ("CONFLICT", "CONFLICT")
