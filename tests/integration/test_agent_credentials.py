"""Enrollment tokens, agent tokens and platform tokens: recorded, replaced, approved and revoked."""

import asyncio
import base64
import itertools
import json
from dataclasses import replace
from typing import Any, Final

import pytest

from core.auth.signing import issue_platform_token
from core.limits import REPLACEMENT_PAUSE_MS
from tests.agent_api_harness import AgentApiHarness, EnrolledAgent

pytestmark = pytest.mark.newest

MAKE: Final = (
    "mutation($id: ID!) { made: createEnrollmentToken(siteId: $id, expiresInSeconds: 60) { id token } }"
)
REVOKE: Final = "mutation($id: ID!) { revoked: revokeCredential(id: $id) { id kind revokedAt } }"
REVOKE_MANY: Final = "mutation($ids: [ID!]!) { revoked: revokeCredentials(ids: $ids) { id kind } }"
APPROVE: Final = "mutation($id: ID!) { approveReenrollment(agentId: $id) { id } }"
RULE: Final = """mutation($id: ID!, $required: Boolean!) {
    rule: setSiteEnrollmentRule(siteId: $id, approvalRequired: $required) { id approvalRequired } }"""
_names: Final = (f"again-{number}" for number in itertools.count(1))


async def enroll_again(agent_api: AgentApiHarness, agent: EnrolledAgent) -> EnrolledAgent | int:
    """The agent with its new token, or the status of the refusal."""
    answer = await agent_api.register(
        await agent_api.issue_enrollment_token(), guid=agent.guid, hostname=agent.hostname
    )
    if answer.status_code != 200:
        return answer.status_code
    data = answer.json()["data"]
    assert data["device_id"] == agent.id
    return replace(agent, token=data["token"])


async def check_in(agent_api: AgentApiHarness, agent: EnrolledAgent | int) -> EnrolledAgent:
    """The agent, after a check-in."""
    assert isinstance(agent, EnrolledAgent)
    assert (await agent_api.send_heartbeat(agent)).status_code == 200
    return agent


async def read_credentials(agent_api: AgentApiHarness, agent: EnrolledAgent) -> list[dict[str, Any]]:
    """The rows of an agent's tokens, oldest first."""
    rows = await agent_api.owner.fetch(
        "SELECT * FROM issued_credentials WHERE agent_id = $1 ORDER BY id", agent.id
    )
    return [dict(row) for row in rows]


async def read_audit_rows(agent_api: AgentApiHarness, record_id: str) -> list[dict[str, Any]]:
    """Rows of one millisecond have no order but that of their actions: a record is created before it is updated."""
    query = "SELECT * FROM audit_log WHERE record_id = $1 ORDER BY created_at, action"
    rows = await agent_api.owner.fetch(query, record_id)
    return [{**row, "changes": json.loads(row["changes"])} for row in rows]


def error_code(answer: Any) -> str:
    return str(answer["errors"][0]["extensions"]["code"])


# Enrollment tokens


async def create_user_and_enrollment_token(
    agent_api: AgentApiHarness, *rights: str
) -> tuple[str, dict[str, str]]:
    """A user with these rights and `Agents.Write`, by id, and an enrollment token of theirs."""
    token = await agent_api.create_user_token("Agents.Write", *rights)
    answer = await agent_api.execute(MAKE, token, id=agent_api.mine.site)
    user_id = await agent_api.owner.fetchval(
        "SELECT issued_by FROM issued_credentials WHERE id = $1", answer["data"]["made"]["id"]
    )
    return str(user_id), answer["data"]["made"]


async def test_create_enrollment_token_writes_audit_row_without_token(agent_api: AgentApiHarness) -> None:
    user_id, made = await create_user_and_enrollment_token(agent_api)
    (row,) = await read_audit_rows(agent_api, made["id"])
    assert (row["action"], row["user_id"], row["table_name"]) == ("create", user_id, "issued_credentials")
    assert made["token"] not in json.dumps(row["changes"])
    assert agent_api.tokens.verify_enrollment_token(made["token"]).token_id == made["id"]


@pytest.mark.parametrize(
    "why",
    [
        "UPDATE users SET deleted_at = app.now_ms() WHERE id = $1",
        "UPDATE users SET status = 'inactive' WHERE id = $1",
        "UPDATE roles SET rights = '{\"Agents.Read\": true}' WHERE id = $1",
        "UPDATE roles SET deleted_at = app.now_ms() WHERE id = $1",
        "UPDATE issued_credentials SET revoked_at = 1 WHERE issued_by = $1",
        "DELETE FROM issued_credentials WHERE issued_by = $1",
    ],
)
async def test_register_with_token_of_issuer_without_rights_is_401(
    agent_api: AgentApiHarness, why: str
) -> None:
    user_id, made = await create_user_and_enrollment_token(agent_api)
    assert (await agent_api.register(made["token"])).status_code == 200
    await agent_api.owner.execute(why, user_id)
    agents = await agent_api.owner.fetchval("SELECT count(*) FROM agents")
    assert (await agent_api.register(made["token"])).status_code == 401
    assert await agent_api.owner.fetchval("SELECT count(*) FROM agents") == agents


async def test_register_writes_its_enrollment_token_to_audit_log(agent_api: AgentApiHarness) -> None:
    _, made = await create_user_and_enrollment_token(agent_api)
    answer = await agent_api.register(made["token"])
    device_id = answer.json()["data"]["device_id"]
    (agent,) = await read_audit_rows(agent_api, device_id)
    assert agent["changes"]["credential"] == [None, made["id"]]
    token_id = agent_api.tokens.verify_agent_token(answer.json()["data"]["token"]).token_id
    (token,) = await read_audit_rows(agent_api, token_id)
    assert token["changes"]["credential"] == [None, made["id"]]
    assert token["changes"]["agentId"] == [None, device_id]
    used = await agent_api.owner.fetchval(
        "SELECT first_used_at FROM issued_credentials WHERE id = $1", made["id"]
    )
    assert used is not None


@pytest.mark.parametrize("many", [False, True])
async def test_enrollment_token_of_deleted_user_stays_revoked_after_restore(
    agent_api: AgentApiHarness, *, many: bool
) -> None:
    user_id, made = await create_user_and_enrollment_token(agent_api)
    _, other = await create_user_and_enrollment_token(agent_api)
    admin = await agent_api.create_user_token("Global.Admin")
    for verb in ("delete", "restore"):
        field = f"{verb}Users(ids: [$id])" if many else f"{verb}User(id: $id)"
        answer = await agent_api.execute(f"mutation($id: ID!) {{ {field} {{ id }} }}", admin, id=user_id)
        assert "errors" not in answer
    assert (await agent_api.register(made["token"])).status_code == 401
    assert (await agent_api.register(other["token"])).status_code == 200
    _, revoked = await read_audit_rows(agent_api, made["id"])
    assert revoked["changes"]["revokeReason"] == [None, "its maker was deleted"]


async def test_register_with_token_of_revoked_platform_token_is_401(agent_api: AgentApiHarness) -> None:
    lost, kept = issue_platform_token(agent_api.key), issue_platform_token(agent_api.key)
    dead, good = [
        (await agent_api.execute(MAKE, token, agent_api.mine.id, id=agent_api.mine.site))["data"]["made"]
        for token in (lost, kept)
    ]
    assert (await agent_api.register(dead["token"])).status_code == 200
    assert "errors" not in await agent_api.execute(REVOKE, kept, id=read_token_id(lost))
    assert (await agent_api.register(dead["token"])).status_code == 401
    assert (await agent_api.register(good["token"])).status_code == 200


# Agent tokens


async def test_heartbeat_sets_first_used_at_of_token_once(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    ((first),) = await read_credentials(agent_api, agent)
    assert (first["kind"], first["first_used_at"]) == ("agent", None)
    await check_in(agent_api, agent)
    xmin = "SELECT xmin::text FROM issued_credentials WHERE agent_id = $1"
    (used,), written = (
        await read_credentials(agent_api, agent),
        await agent_api.owner.fetchval(xmin, agent.id),
    )
    assert used["first_used_at"] is not None
    await check_in(agent_api, agent)
    assert await agent_api.owner.fetchval(xmin, agent.id) == written, "a later check-in writes nothing to it"


async def test_register_known_agent_revokes_its_former_token(agent_api: AgentApiHarness) -> None:
    former = await check_in(agent_api, await agent_api.enroll_agent(guid=next(_names)))
    current = await enroll_again(agent_api, former)
    assert (await agent_api.send_heartbeat(former)).status_code == 401
    health = await agent_api.read_health_check(former.id)
    assert (health["status"], "re-enrolled" in health["error_message"]) == ("degraded", True)
    one, two = await read_credentials(agent_api, former)
    assert (one["revoke_reason"], one["revoked_at"] is not None, two["revoked_at"]) == (
        "replaced",
        True,
        None,
    )
    assert json.loads(health["metadata"]) == {"event": "reenrolled", "credential": two["id"]}
    assert [row["action"] for row in await read_audit_rows(agent_api, one["id"])] == ["create", "update"]
    await check_in(agent_api, current)
    assert (await agent_api.read_health_check(former.id))["status"] == "healthy"


async def test_heartbeats_in_one_batch_with_revoked_and_current_token_differ(
    agent_api: AgentApiHarness,
) -> None:
    former = await check_in(agent_api, await agent_api.enroll_agent(guid=next(_names)))
    current = await enroll_again(agent_api, former)
    assert isinstance(current, EnrolledAgent)
    answers = await asyncio.gather(
        *[agent_api.send_heartbeat(each) for each in (former, current, former, current, former)]
    )
    assert [answer.status_code for answer in answers] == [401, 200, 401, 200, 401]


async def test_register_again_before_first_use_needs_no_approval(agent_api: AgentApiHarness) -> None:
    agent: Any = await check_in(agent_api, await agent_api.enroll_agent(guid=next(_names)))
    for _ in range(4):
        unused, agent = agent, await enroll_again(agent_api, agent)
        assert isinstance(agent, EnrolledAgent)
        assert (await agent_api.send_heartbeat(unused)).status_code == 401
    await check_in(agent_api, agent)


async def enroll_replace_and_check_in(agent_api: AgentApiHarness) -> EnrolledAgent:
    """An agent with a used token that was replaced just now by another used token."""
    return await check_in(
        agent_api,
        await enroll_again(
            agent_api, await check_in(agent_api, await agent_api.enroll_agent(guid=next(_names)))
        ),
    )


async def test_register_second_replacement_within_an_hour_needs_approval(agent_api: AgentApiHarness) -> None:
    agent = await enroll_replace_and_check_in(agent_api)
    assert await enroll_again(agent_api, agent) == 409
    await check_in(agent_api, agent)
    (_, current) = await read_credentials(agent_api, agent)
    assert current["replacement_requested_at"] is not None
    clerk = await agent_api.create_user_token("Agents.Write")
    query = (
        "{ issuedCredentials(where: {replacementRequestedAt: {isNull: false}}) { nodes { agent { id } } } }"
    )
    waiting = (await agent_api.execute(query, clerk))["data"]["issuedCredentials"]["nodes"]
    assert {"agent": {"id": agent.id}} in waiting
    assert (await agent_api.execute(APPROVE, clerk, id=agent.id))["data"]["approveReenrollment"] == {
        "id": agent.id
    }
    again = await check_in(agent_api, await enroll_again(agent_api, agent))
    assert await enroll_again(agent_api, again) == 409, "an approval is good once"
    assert [row["action"] for row in await read_audit_rows(agent_api, current["id"])] == [
        "create",
        "update",
        "update",
    ]


@pytest.mark.parametrize(("ago_ms", "wanted"), [(0, 409), (-60_000, 409), (1_000, 200)])
async def test_register_replacement_after_an_hour_needs_no_approval(
    agent_api: AgentApiHarness, ago_ms: int, wanted: int
) -> None:
    agent = await enroll_replace_and_check_in(agent_api)
    await agent_api.owner.execute(
        "UPDATE issued_credentials SET revoked_at = app.now_ms() - $2 WHERE agent_id = $1 AND revoked_at IS NOT NULL",
        agent.id, 0 if ago_ms == 0 else REPLACEMENT_PAUSE_MS + ago_ms,
    )  # fmt: skip
    again = await enroll_again(agent_api, agent)
    assert (200 if isinstance(again, EnrolledAgent) else again) == wanted


async def test_approve_reenrollment_without_right_or_tenant_is_refused(agent_api: AgentApiHarness) -> None:
    agent = await enroll_replace_and_check_in(agent_api)
    assert (
        error_code(
            await agent_api.execute(APPROVE, await agent_api.create_user_token("Agents.Read"), id=agent.id)
        )
        == "FORBIDDEN"
    )
    theirs = await agent_api.create_user_token("Agents.Write", tenant=agent_api.theirs)
    assert error_code(await agent_api.execute(APPROVE, theirs, id=agent.id)) == "NOT_FOUND"
    assert await enroll_again(agent_api, agent) == 409


async def test_register_at_site_that_requires_approval_is_conflict_until_approved(
    agent_api: AgentApiHarness,
) -> None:
    clerk, agent = (
        await agent_api.create_user_token("Agents.Write"),
        await check_in(agent_api, await agent_api.enroll_agent(guid=next(_names))),
    )
    rule = (await agent_api.execute(RULE, clerk, id=agent_api.mine.site, required=True))["data"]["rule"]
    try:
        assert rule["approvalRequired"] is True
        assert await enroll_again(agent_api, agent) == 409
        await agent_api.execute(APPROVE, clerk, id=agent.id)
        await check_in(agent_api, await enroll_again(agent_api, agent))
        assert isinstance(await agent_api.enroll_agent(), EnrolledAgent), "a first enrollment needs none"
    finally:
        await agent_api.execute(RULE, clerk, id=agent_api.mine.site, required=False)
    assert [row["changes"]["approvalRequired"] for row in await read_audit_rows(agent_api, rule["id"])] == [
        [False, True], [True, False],
    ]  # fmt: skip


async def test_set_site_enrollment_rule_of_one_site_changes_no_other_site(agent_api: AgentApiHarness) -> None:
    clerk, agent = (
        await agent_api.create_user_token("Agents.Write"),
        await check_in(agent_api, await agent_api.enroll_agent(guid=next(_names))),
    )
    other = await agent_api.owner.fetchval(
        "INSERT INTO sites (tenant_id, name, slug, status) VALUES ($1, 'Other', 'other-rule', 'active') RETURNING id",
        agent_api.mine.id,
    )
    given: dict[str, Any] = {"id": other, "required": True}
    rules = await asyncio.gather(*[agent_api.execute(RULE, clerk, **given) for _ in range(4)])
    (rule_id,) = {answer["data"]["rule"]["id"] for answer in rules}
    (created,) = await read_audit_rows(agent_api, rule_id)
    assert (created["action"], created["changes"]["siteId"]) == ("create", [None, other])
    await check_in(agent_api, await enroll_again(agent_api, agent))
    await agent_api.owner.execute("UPDATE sites SET deleted_at = app.now_ms() WHERE id = $1", other)
    assert error_code(await agent_api.execute(RULE, clerk, **given)) == "NOT_FOUND"


async def test_set_site_enrollment_rule_without_right_or_tenant_is_refused(
    agent_api: AgentApiHarness,
) -> None:
    given: dict[str, Any] = {"id": agent_api.mine.site, "required": True}
    assert (
        error_code(await agent_api.execute(RULE, await agent_api.create_user_token("Sites.Write"), **given))
        == "FORBIDDEN"
    )
    theirs = await agent_api.create_user_token("Agents.Write", tenant=agent_api.theirs)
    assert error_code(await agent_api.execute(RULE, theirs, **given)) == "NOT_FOUND"


async def test_unrecorded_agent_token_is_valid_until_replaced(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent(guid=next(_names))
    await agent_api.owner.execute("DELETE FROM issued_credentials WHERE agent_id = $1", agent.id)
    await check_in(agent_api, agent)
    assert await read_credentials(agent_api, agent) == []
    clerk = await agent_api.create_user_token("Agents.Write")
    await agent_api.execute(RULE, clerk, id=agent_api.mine.site, required=True)
    try:
        assert await enroll_again(agent_api, agent) == 409
        await check_in(agent_api, agent)  # the row that stands for it does not block it
        (stand_in,) = await read_credentials(agent_api, agent)
        assert json.loads(stand_in["binding"]) == {"unrecorded": True}
    finally:
        await agent_api.execute(RULE, clerk, id=agent_api.mine.site, required=False)
    await check_in(agent_api, await enroll_again(agent_api, agent))
    assert (await agent_api.send_heartbeat(agent)).status_code == 401


async def test_unrecorded_agent_token_after_revoking_its_stand_in_is_401(agent_api: AgentApiHarness) -> None:
    agent, clerk = await agent_api.enroll_agent(), await agent_api.create_user_token("Agents.Write")
    await agent_api.owner.execute("DELETE FROM issued_credentials WHERE agent_id = $1", agent.id)
    await agent_api.execute(APPROVE, clerk, id=agent.id)
    await check_in(agent_api, agent)
    (stand_in,) = await read_credentials(agent_api, agent)
    await agent_api.execute(REVOKE, clerk, id=stand_in["id"])
    assert (await agent_api.send_heartbeat(agent)).status_code == 401


async def test_register_agent_by_platform_replaces_token_and_needs_approval(
    agent_api: AgentApiHarness,
) -> None:
    register = (
        "mutation($input: RegisterAgentInput!) { made: registerAgent(input: $input) { deviceId token } }"
    )
    agent = await check_in(agent_api, await agent_api.enroll_agent(guid=next(_names)))
    given = {"siteId": agent.site, "hostname": "h", "platform": "p", "version": "v", "guid": agent.guid}
    made = (await agent_api.execute(register, agent_api.platform_token, agent_api.mine.id, input=given))[
        "data"
    ]["made"]
    assert (await agent_api.send_heartbeat(agent)).status_code == 401
    await check_in(agent_api, replace(agent, token=made["token"]))
    assert (
        error_code(
            await agent_api.execute(register, agent_api.platform_token, agent_api.mine.id, input=given)
        )
        == "CONFLICT"
    )


# Revoking


async def test_heartbeat_with_revoked_token_is_401(agent_api: AgentApiHarness) -> None:
    agent, clerk = (
        await check_in(agent_api, await agent_api.enroll_agent()),
        await agent_api.create_user_token("Agents.Write"),
    )
    (row,) = await read_credentials(agent_api, agent)
    answer = (await agent_api.execute(REVOKE, clerk, id=row["id"]))["data"]["revoked"]
    assert (answer["id"], answer["kind"], answer["revokedAt"] > 0) == (row["id"], "AGENT", True)
    assert (await agent_api.send_heartbeat(agent)).status_code == 401
    assert (await agent_api.execute(REVOKE, clerk, id=row["id"]))["data"]["revoked"] == answer
    _, revoked = await read_audit_rows(agent_api, row["id"])
    assert revoked["changes"]["revokeReason"] == [None, "revoked"]


async def test_revoke_credential_without_right_of_kind_or_tenant_is_refused(
    agent_api: AgentApiHarness,
) -> None:
    agent = await agent_api.enroll_agent()
    (row,) = await read_credentials(agent_api, agent)
    invitation = await agent_api.owner.fetchval(
        "INSERT INTO issued_credentials (tenant_id, kind, user_id, expires_at)"
        " VALUES ($1, 'invitation', $2, app.now_ms() + 60000) RETURNING id",
        agent_api.mine.id, agent_api.mine.ids["users"],
    )  # fmt: skip
    clerk, registrar = (
        await agent_api.create_user_token("Agents.Write"),
        await agent_api.create_user_token("Users.Write"),
    )
    assert (
        error_code(
            await agent_api.execute(REVOKE, await agent_api.create_user_token("Agents.Read"), id=row["id"])
        )
        == "FORBIDDEN"
    )
    assert error_code(await agent_api.execute(REVOKE, registrar, id=row["id"])) == "FORBIDDEN"
    assert error_code(await agent_api.execute(REVOKE, clerk, id=invitation)) == "FORBIDDEN"
    theirs = await agent_api.create_user_token("Agents.Write", "Users.Write", tenant=agent_api.theirs)
    assert error_code(await agent_api.execute(REVOKE, theirs, id=row["id"])) == "NOT_FOUND"
    assert error_code(await agent_api.execute(REVOKE_MANY, clerk, ids=[row["id"], "absent"])) == "NOT_FOUND"
    assert error_code(await agent_api.execute(REVOKE_MANY, clerk, ids=[row["id"], invitation])) == "FORBIDDEN"
    await check_in(agent_api, agent)
    assert "errors" not in await agent_api.execute(REVOKE, registrar, id=invitation)
    assert "errors" not in await agent_api.execute(REVOKE_MANY, clerk, ids=[row["id"], row["id"]])
    assert (await agent_api.send_heartbeat(agent)).status_code == 401


# Platform tokens


async def test_platform_token_used_repeatedly_is_recorded_once(agent_api: AgentApiHarness) -> None:
    token = issue_platform_token(agent_api.key)
    for tenant in (None, agent_api.mine.id, None):
        assert "errors" not in await agent_api.execute("{ viewer { kind } }", token, tenant)
    query = """{ issuedCredentials(where: {kind: {eq: PLATFORM}}, orderBy: [{field: ID, direction: DESC}]) {
        nodes { id } } }"""
    newest = (await agent_api.execute(query, token))["data"]["issuedCredentials"]["nodes"][0]["id"]
    (row,) = await read_audit_rows(agent_api, newest)
    assert (row["actor_type"], row["actor_id"], row["tenant_id"]) == ("platform", newest, None)


async def test_audit_row_of_platform_write_names_its_token(agent_api: AgentApiHarness) -> None:
    made = (
        await agent_api.execute(MAKE, agent_api.platform_token, agent_api.mine.id, id=agent_api.mine.site)
    )["data"]["made"]
    (row,) = await read_audit_rows(agent_api, made["id"])
    kind = await agent_api.owner.fetchval(
        "SELECT kind FROM issued_credentials WHERE id = $1", row["actor_id"]
    )
    assert (row["actor_type"], kind) == ("platform", "platform")


@pytest.mark.parametrize("names_tenant", [False, True])
async def test_query_with_revoked_platform_token_is_unauthenticated(
    agent_api: AgentApiHarness, *, names_tenant: bool
) -> None:
    token, other = issue_platform_token(agent_api.key), issue_platform_token(agent_api.key)
    tenant = agent_api.mine.id if names_tenant else None
    made = (await agent_api.execute(MAKE, token, agent_api.mine.id, id=agent_api.mine.site))["data"]["made"]
    (row,) = await read_audit_rows(agent_api, made["id"])
    user = await agent_api.create_user_token("Agents.Write", "Users.Write")
    assert error_code(await agent_api.execute(REVOKE, user, id=row["actor_id"])) == "NOT_FOUND"
    assert "errors" not in await agent_api.execute(REVOKE, other, id=row["actor_id"])
    for query in ("{ tenants { nodes { id } } }", MAKE):
        given = {"id": agent_api.mine.site} if query == MAKE else {}
        assert error_code(await agent_api.execute(query, token, tenant, **given)) == "UNAUTHENTICATED"
    assert "errors" not in await agent_api.execute("{ tenants { nodes { id } } }", other, tenant)


def read_token_id(token: str) -> str:
    """The `jti` of a token."""
    claims = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"])


async def test_revoke_platform_token_before_its_first_use_refuses_it(agent_api: AgentApiHarness) -> None:
    lost, mine = issue_platform_token(agent_api.key), issue_platform_token(agent_api.key)
    id_ = read_token_id(lost)
    answer = await agent_api.execute(REVOKE, mine, id=id_)
    assert answer["data"]["revoked"]["kind"] == "PLATFORM"
    for tenant in (None, agent_api.mine.id):
        assert error_code(await agent_api.execute("{ viewer { kind } }", lost, tenant)) == "UNAUTHENTICATED"
    assert [(row["action"], row["actor_id"]) for row in await read_audit_rows(agent_api, id_)] == [
        ("create", read_token_id(mine)), ("update", read_token_id(mine)),
    ]  # fmt: skip
    used = await agent_api.owner.fetchval("SELECT first_used_at FROM issued_credentials WHERE id = $1", id_)
    assert used is None
    assert (await agent_api.execute(REVOKE, mine, id=id_))["data"] == answer["data"]


async def test_revoke_unrecorded_id_by_others_or_malformed_is_not_found(agent_api: AgentApiHarness) -> None:
    unused, agent = read_token_id(issue_platform_token(agent_api.key)), await agent_api.enroll_agent()
    (theirs,) = await read_credentials(agent_api, agent)
    user = await agent_api.create_user_token("Agents.Write", "Users.Write", "Global.Admin")
    assert error_code(await agent_api.execute(REVOKE, user, id=unused)) == "NOT_FOUND"
    assert (
        error_code(await agent_api.execute(REVOKE, agent_api.platform_token, agent_api.mine.id, id=unused))
        == "NOT_FOUND"
    )
    for id_ in ("absent", unused.upper(), theirs["id"]):
        assert error_code(await agent_api.execute(REVOKE, agent_api.platform_token, id=id_)) == "NOT_FOUND"
        assert (
            error_code(await agent_api.execute(REVOKE_MANY, agent_api.platform_token, ids=[unused, id_]))
            == "NOT_FOUND"
        )
    assert (
        await agent_api.owner.fetchval("SELECT count(*) FROM issued_credentials WHERE id = $1", unused) == 0
    )
    await check_in(agent_api, agent)


async def test_revoke_platform_token_while_it_is_first_used_refuses_it_after(
    agent_api: AgentApiHarness,
) -> None:
    for _ in range(5):
        lost = issue_platform_token(agent_api.key)
        _, revoked = await asyncio.gather(
            agent_api.execute("{ viewer { kind } }", lost),
            agent_api.execute(REVOKE, agent_api.platform_token, id=read_token_id(lost)),
        )
        assert "errors" not in revoked
        assert error_code(await agent_api.execute("{ viewer { kind } }", lost)) == "UNAUTHENTICATED"
