"""Times in the future, from a clock that jumped or a manual write: real check-ins and changes correct them."""

from typing import Any, Final

import pytest

from core.clock import NEVER, now_ms
from core.database.transactions import begin_write
from core.limits import CLOCK_SKEW_MAX_MS
from core.settings import Settings
from models.enums import HealthResourceType
from services.agents.offline_sweeper import sweep_offline_agents
from services.health_checks import report_health
from tests.agent_api_harness import AgentApiHarness, EnrolledAgent

HOUR: Final = 3_600_000
SETTINGS: Final = Settings(agent_offline_after=180, agent_down_after=900)
ONLINE: Final = """query ($id: ID!) {
    agent(id: $id) { isOnline site { online: agents(where: {isOnline: {eq: true}}) { totalCount } } } }"""


async def _move_check_in_time(fresh_agent_api: AgentApiHarness, agent: EnrolledAgent, ahead_ms: int) -> int:
    """Set the agent's last check-in so far ahead of now; returns it."""
    sql = "UPDATE agents SET last_checkin_at = app.now_ms() + $1 WHERE id = $2 RETURNING last_checkin_at"
    return int(await fresh_agent_api.owner.fetchval(sql, ahead_ms, agent.id))


@pytest.mark.parametrize("ahead", [CLOCK_SKEW_MAX_MS + 5_000, HOUR, NEVER - 2_000_000_000_000])
async def test_check_in_with_future_last_check_in_sets_the_true_time(
    fresh_agent_api: AgentApiHarness, ahead: int
) -> None:
    agent = await fresh_agent_api.enroll_agent()
    await _move_check_in_time(fresh_agent_api, agent, ahead)
    assert (await fresh_agent_api.send_heartbeat(agent)).status_code == 200
    assert abs((await fresh_agent_api.read_agent_row(agent.id))["last_checkin_at"] - now_ms()) < 5_000


async def test_check_in_with_small_skew_keeps_the_later_time(fresh_agent_api: AgentApiHarness) -> None:
    agent = await fresh_agent_api.enroll_agent()
    ahead = await _move_check_in_time(fresh_agent_api, agent, CLOCK_SKEW_MAX_MS - 2_000)
    assert (await fresh_agent_api.send_heartbeat(agent)).status_code == 200
    assert (await fresh_agent_api.read_agent_row(agent.id))["last_checkin_at"] == ahead


@pytest.mark.parametrize(
    ("ahead", "online"),
    [(-181_000, False), (-60_000, True), (CLOCK_SKEW_MAX_MS - 2_000, True),
     (CLOCK_SKEW_MAX_MS + 5_000, False), (HOUR, False)],
)  # fmt: skip
async def test_is_online_with_check_in_beyond_skew_is_false(
    fresh_agent_api: AgentApiHarness, ahead: int, online: bool
) -> None:
    agent, user = (
        await fresh_agent_api.enroll_agent(),
        await fresh_agent_api.create_user_token("Agents.Read", "Sites.Read"),
    )
    await fresh_agent_api.owner.execute("UPDATE agents SET last_checkin_at = NULL")
    await _move_check_in_time(fresh_agent_api, agent, ahead)
    answer = await fresh_agent_api.execute(ONLINE, user, id=agent.id)
    assert answer["data"]["agent"] == {"isOnline": online, "site": {"online": {"totalCount": int(online)}}}


async def test_sweep_with_future_check_in_marks_degraded_then_down(fresh_agent_api: AgentApiHarness) -> None:
    agent = await fresh_agent_api.enroll_agent()
    await _move_check_in_time(fresh_agent_api, agent, HOUR)
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 1
    assert (await fresh_agent_api.read_health_check(agent.id))["status"] == "degraded"
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 0
    await fresh_agent_api.owner.execute("UPDATE health_checks SET last_failure_at = last_failure_at - 720001")
    assert await sweep_offline_agents(fresh_agent_api.database, SETTINGS) == 1
    assert (await fresh_agent_api.read_health_check(agent.id))["status"] == "down"
    assert (await fresh_agent_api.send_heartbeat(agent)).status_code == 200
    assert (await fresh_agent_api.read_health_check(agent.id))["status"] == "healthy"


@pytest.mark.parametrize("column", ["last_check_at", "last_success_at"])
async def test_check_in_with_future_health_time_sets_the_true_time(
    fresh_agent_api: AgentApiHarness, column: str
) -> None:
    agent = await fresh_agent_api.enroll_agent()
    await fresh_agent_api.send_heartbeat(agent)
    await fresh_agent_api.owner.execute(
        f"UPDATE health_checks SET status = 'down', {column} = app.now_ms() + {HOUR}"
    )
    assert (await fresh_agent_api.send_heartbeat(agent)).status_code == 200
    assert abs((await fresh_agent_api.read_health_check(agent.id))[column] - now_ms()) < 5_000


@pytest.mark.parametrize("ok", [True, False])
async def test_report_health_with_future_times_sets_the_true_times(
    fresh_agent_api: AgentApiHarness, ok: bool
) -> None:
    agent = await fresh_agent_api.enroll_agent()
    await fresh_agent_api.send_heartbeat(agent)
    await fresh_agent_api.owner.execute(
        "UPDATE health_checks SET last_check_at = $1, last_success_at = $1, last_failure_at = $1, updated_at = $1",
        NEVER,
    )
    async with begin_write(fresh_agent_api.database, platform=True) as transaction:
        await report_health(transaction, fresh_agent_api.mine.id, HealthResourceType.AGENT, agent.id, ok=ok)
    health = await fresh_agent_api.read_health_check(agent.id)
    moved = {"last_check_at", "updated_at", "last_success_at" if ok else "last_failure_at"}
    assert all(abs(health[name] - now_ms()) < 5_000 for name in moved)


@pytest.mark.parametrize("absurd", [NEVER, NEVER - 1])
async def test_register_with_absurd_updated_at_succeeds(
    fresh_agent_api: AgentApiHarness, absurd: int
) -> None:
    agent = await fresh_agent_api.enroll_agent()
    await fresh_agent_api.owner.execute("UPDATE agents SET updated_at = $1 WHERE id = $2", absurd, agent.id)
    again = await fresh_agent_api.register(
        await fresh_agent_api.issue_enrollment_token(), hostname=agent.hostname
    )
    assert again.status_code == 200
    assert again.json()["data"]["device_id"] == agent.id
    assert abs((await fresh_agent_api.read_agent_row(agent.id))["updated_at"] - now_ms()) < 5_000


UPDATE: Final = """mutation ($id: ID!, $input: UpdateAgentInput!, $if: Timestamp) {
    updateAgent(id: $id, input: $input, ifUpdatedAt: $if) { version updatedAt } }"""


async def _update_version(
    agent_api: AgentApiHarness, user: str, agent: str, version: str, if_updated_at: int
) -> Any:
    variables: dict[str, Any] = {"id": agent, "input": {"version": version}, "if": if_updated_at}
    return await agent_api.execute(UPDATE, user, **variables)


async def test_update_with_absurd_updated_at_checks_if_unmodified(fresh_agent_api: AgentApiHarness) -> None:
    agent, user = (
        await fresh_agent_api.enroll_agent(),
        await fresh_agent_api.create_user_token("Agents.Read", "Agents.Write"),
    )
    await fresh_agent_api.owner.execute("UPDATE agents SET updated_at = $1 WHERE id = $2", NEVER, agent.id)
    first = await _update_version(fresh_agent_api, user, agent.id, "9", NEVER)
    stamp = first["data"]["updateAgent"]["updatedAt"]
    assert abs(stamp - now_ms()) < 5_000
    stale = await _update_version(fresh_agent_api, user, agent.id, "10", NEVER)
    assert stale["errors"][0]["extensions"]["code"] == "CONFLICT"
    second = await _update_version(fresh_agent_api, user, agent.id, "10", stamp)
    assert second["data"]["updateAgent"]["updatedAt"] > stamp


@pytest.mark.parametrize("ahead", [HOUR, 24 * HOUR - 60_000])
async def test_update_with_updated_at_hours_ahead_grows_by_one(
    fresh_agent_api: AgentApiHarness, ahead: int
) -> None:
    agent, user = (
        await fresh_agent_api.enroll_agent(),
        await fresh_agent_api.create_user_token("Agents.Read", "Agents.Write"),
    )
    stamp = await fresh_agent_api.owner.fetchval(
        "UPDATE agents SET updated_at = app.now_ms() + $1 WHERE id = $2 RETURNING updated_at", ahead, agent.id
    )
    answer = await fresh_agent_api.execute(UPDATE, user, id=agent.id, input={"version": "9"}, **{"if": stamp})
    assert answer["data"]["updateAgent"]["updatedAt"] == stamp + 1
