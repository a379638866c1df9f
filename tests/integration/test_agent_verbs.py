"""`createEnrollmentToken`, `registerAgent` and `agentCheckin` over GraphQL, by whoever may, and by nobody else."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from core.clock import now_ms
from core.limits import ENROLLMENT_LIFETIME_MAX_S
from tests.clusters import ThrowawayCluster
from tests.fleet import Yard, yard

TOKEN: Final = """mutation ($site: ID!, $seconds: Int!) {
    createEnrollmentToken(siteId: $site, expiresInSeconds: $seconds) { token siteId expiresAt } }"""
REGISTER: Final = (
    "mutation ($input: RegisterAgentInput!) { registerAgent(input: $input) { deviceId guid token } }"
)
CHECK_IN: Final = """mutation ($id: ID!, $input: AgentCheckinInput) {
    agentCheckin(id: $id, input: $input) { id hostname version isOnline lastCheckinAt healthCheck { status } } }"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def at(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Yard]:
    name = await cluster.create(template)
    async with yard(cluster.dsn(name)) as made:
        yield made
    await cluster.drop(name)


def error(answer: Any) -> tuple[str, dict[str, str]]:
    """The one error's code and bad fields."""
    (told,) = answer["errors"]
    return told["extensions"]["code"], told["extensions"].get("fields", {})


async def test_a_user_lets_agents_enrol(at: Yard) -> None:
    user = await at.user("Agents.Write")
    answer = await at.ask(TOKEN, user, site=at.mine.site, seconds=600)
    made = answer["data"]["createEnrollmentToken"]
    assert made["siteId"] == at.mine.site
    assert abs(made["expiresAt"] - now_ms() - 600_000) < 5_000
    assert at.tokens.enrollment(made["token"]).expires_at == pytest.approx(made["expiresAt"], abs=1_000)
    enrolled = await at.register(made["token"])
    assert enrolled.status_code == 200
    assert (await at.row(enrolled.json()["data"]["device_id"]))["tenant_id"] == at.mine.id


async def test_whoever_may_not_write_agents_lets_nobody_enrol(at: Yard) -> None:
    for rights in ((), ("Agents.Read",), ("Sites.Write",)):
        answer = await at.ask(TOKEN, await at.user(*rights), site=at.mine.site, seconds=600)
        assert error(answer)[0] == "FORBIDDEN"
        assert answer["data"] is None


async def test_nobody_lets_agents_enrol_at_anothers_site(at: Yard) -> None:
    user = await at.user("Global.Admin")
    told = []
    for site in (at.theirs.site, "nowhere"):
        answer = await at.ask(TOKEN, user, site=site, seconds=60)
        told.append((error(answer)[0], answer["errors"][0]["message"].replace(site, "...")))
    assert told[0] == told[1]
    assert told[0][0] == "NOT_FOUND"


@pytest.mark.parametrize("seconds", [0, -1, ENROLLMENT_LIFETIME_MAX_S + 1])
async def test_an_enrolment_token_lasts_some_days_at_most(at: Yard, seconds: int) -> None:
    code, fields = error(
        await at.ask(TOKEN, await at.user("Agents.Write"), site=at.mine.site, seconds=seconds)
    )
    assert (code, list(fields)) == ("BAD_USER_INPUT", ["expiresInSeconds"])


async def test_at_a_site_that_is_not_active_there_is_nothing_to_enrol(at: Yard) -> None:
    await at.owner.execute("UPDATE sites SET status = 'inactive' WHERE id = $1", at.mine.site)
    answer = await at.ask(TOKEN, await at.user("Agents.Write"), site=at.mine.site, seconds=60)
    await at.owner.execute("UPDATE sites SET status = 'active' WHERE id = $1", at.mine.site)
    assert error(answer)[0] == "CONFLICT"


def _device(at: Yard, **more: Any) -> dict[str, Any]:
    return {"siteId": at.mine.site, "hostname": "tower", "platform": "linux", "version": "3"} | more


async def test_the_platform_enrols_and_checks_agents_in(at: Yard) -> None:
    given = _device(at, mac="aa:01", ipAddress="10.0.0.9")
    made = (await at.ask(REGISTER, at.platform, at.mine.id, input=given))["data"]["registerAgent"]
    same = await at.register(at.enrollment(), hostname="tower", mac="aa:01")
    assert same.json()["data"]["device_id"] == made["deviceId"], "the same rule makes the guid"
    assert at.tokens.agent(made["token"]).agent_id == made["deviceId"]

    told = {"version": "4", "macAddress": "aa:02"}
    answer = await at.ask(CHECK_IN, at.platform, at.mine.id, id=made["deviceId"], input=told)
    agent = answer["data"]["agentCheckin"]
    assert (agent["hostname"], agent["version"], agent["isOnline"]) == ("tower", "4", True)
    assert agent["healthCheck"]["status"] == "HEALTHY"
    assert abs(agent["lastCheckinAt"] - now_ms()) < 5_000
    row = await at.row(made["deviceId"])
    assert (row["mac_address"], row["ip_address"]) == ("aa:02", "10.0.0.9")
    bare = await at.ask(CHECK_IN, at.platform, at.mine.id, id=made["deviceId"])
    assert bare["data"]["agentCheckin"]["version"] == "4"
    trail = await at.owner.fetch(
        "SELECT action, actor_type FROM audit_log WHERE record_id = $1 ORDER BY id", made["deviceId"]
    )
    assert [tuple(row) for row in trail] == [("create", "platform"), ("update", "agent")]


async def test_the_platform_waits_for_a_row_that_somebody_holds(at: Yard) -> None:
    """As long as each mutation does, and longer than the agents' own check-ins, which come by the hundred."""
    agent = await at.agent()
    async with at.owner.transaction():
        await at.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agent.id)
        task = asyncio.create_task(at.ask(CHECK_IN, at.platform, at.mine.id, id=agent.id))
        await asyncio.sleep(0.7)
        assert not task.done()
    assert (await task)["data"]["agentCheckin"]["isOnline"]


async def test_users_neither_enrol_nor_check_in(at: Yard) -> None:
    agent = await at.agent()
    user = await at.user("Global.Admin")
    before = await at.owner.fetchval("SELECT count(*) FROM agents")
    assert error(await at.ask(REGISTER, user, input=_device(at)))[0] == "FORBIDDEN"
    assert error(await at.ask(CHECK_IN, user, id=agent.id))[0] == "FORBIDDEN"
    assert await at.owner.fetchval("SELECT count(*) FROM agents") == before
    assert (await at.row(agent.id))["last_checkin_at"] is None


async def test_the_platform_names_the_tenant_that_they_are_of(at: Yard) -> None:
    agent, theirs = await at.agent(), await at.agent(at.theirs)
    assert error(await at.ask(CHECK_IN, at.platform, id=agent.id))[0] == "BAD_USER_INPUT"
    for wrong in (theirs.id, "nobody"):
        assert error(await at.ask(CHECK_IN, at.platform, at.mine.id, id=wrong))[0] == "NOT_FOUND"
    foreign = _device(at, siteId=at.theirs.site)
    assert error(await at.ask(REGISTER, at.platform, at.mine.id, input=foreign))[0] == "NOT_FOUND"
    assert (await at.row(theirs.id))["last_checkin_at"] is None


async def test_what_is_malformed_is_told_by_its_name(at: Yard) -> None:
    given = _device(at, hostname=" ", ipAddress="x" * 65)
    code, fields = error(await at.ask(REGISTER, at.platform, at.mine.id, input=given))
    assert (code, set(fields)) == ("BAD_USER_INPUT", {"input.hostname", "input.ipAddress"})
    agent = await at.agent()
    told = {"hostname": "a\u0007"}
    code, fields = error(await at.ask(CHECK_IN, at.platform, at.mine.id, id=agent.id, input=told))
    assert (code, set(fields)) == ("BAD_USER_INPUT", {"input.hostname"})


async def test_what_is_shut_conflicts(at: Yard) -> None:
    agent = await at.agent()
    await at.owner.execute("UPDATE sites SET status = 'archived' WHERE id = $1", at.mine.site)
    checked = await at.ask(CHECK_IN, at.platform, at.mine.id, id=agent.id)
    registered = await at.ask(REGISTER, at.platform, at.mine.id, input=_device(at))
    await at.owner.execute("UPDATE sites SET status = 'active' WHERE id = $1", at.mine.site)
    assert (error(checked)[0], error(registered)[0]) == ("CONFLICT", "CONFLICT")
