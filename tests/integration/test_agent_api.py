"""The agents' HTTP API: enrollment, check-ins, and the error format that agents rely on."""

import asyncio
import hashlib
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import ANY

import asyncpg
import httpx
import pytest

from core.auth.agent_tokens import AgentTokens
from core.auth.signing import SigningKey, issue_platform_token
from core.base64url import encode_base64url
from core.clock import now_ms
from core.database.database import Record
from core.database.transactions import WriteTransaction, begin_write
from core.errors import ForbiddenError, UnauthenticatedError, WriteContentionError
from models.enums import AuditActor
from services.agents.enrollment import EnrollingDevice, enroll_device
from services.writes.audit import Actor
from tests.agent_api_harness import AgentApiHarness
from tests.http_harness import error_codes
from tests.waiting import poll_until

NO_OBJECTS: Final = (b"", b"[]", b"null", b'"x"', b"{", b'{"hostname": "\xff"}', b'{"hostname": "\\ud800"}')


def assert_refused(answer: httpx.Response, status: int, context: str = "heartbeat") -> str:
    """The message of an error response. Its format must match the specification."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["error"]
    assert set(body["error"]) == {"module", "context", "message", "code"}
    assert (body["error"]["code"], body["error"]["context"]) == (str(status), context)
    return str(body["error"]["message"])


def sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_register_and_heartbeat_write_the_agent(agent_api: AgentApiHarness) -> None:
    answer = await agent_api.register(
        await agent_api.issue_enrollment_token(), hostname="tower", mac="aa:bb", ip_address="10.0.0.1"
    )
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert list(data) == ["device_id", "guid", "token"]
    row = await agent_api.read_agent_row(data["device_id"])
    assert (row["tenant_id"], row["site_id"], row["guid"]) == (
        agent_api.mine.id,
        agent_api.mine.site,
        data["guid"],
    )
    assert (row["hostname"], row["mac_address"], row["ip_address"]) == ("tower", "aa:bb", "10.0.0.1")
    assert row["last_checkin_at"] is None
    assert abs(row["registered_at"] - now_ms()) < 5_000

    headers = {
        "Authorization": f"Bearer {data['token']}",
        "X-Site-ID": agent_api.mine.site,
        "X-Device-ID": row["id"],
    }
    body = {"hostname": "tower-2", "version": "1.1", "ext_address": "203.0.113.9"}
    beat = await agent_api.client.post("/v1.0/heartbeat", json=body, headers=headers)
    assert (beat.status_code, beat.json()) == (200, {"data": {"guid": data["guid"]}})
    after = await agent_api.read_agent_row(row["id"])
    assert (after["hostname"], after["version"], after["ip_address"]) == ("tower-2", "1.1", "10.0.0.1")
    assert after["ext_address"] == "203.0.113.9"
    assert abs(after["last_checkin_at"] - now_ms()) < 5_000
    assert after["updated_at"] == row["updated_at"], "a check-in is no change that a person made"
    assert (await agent_api.read_health_check(row["id"]))["status"] == "healthy"


@pytest.mark.parametrize(
    ("given", "hashed"),
    [
        ({"guid": "Given-1", "mac": "m1", "hostname": "h"}, None),
        ({"mac": "AA:bb", "hostname": "h"}, '{"mac":"AA:bb","siteId":"%s"}'),
        ({"mac": "", "hostname": 'büro "7" \\ é'}, '{"hostname":"büro \\"7\\" \\\\ é","siteId":"%s"}'),
        ({"guid": None, "mac": None, "hostname": " two "}, '{"hostname":" two ","siteId":"%s"}'),
    ],
)
async def test_register_guid_is_given_or_hash_of_mac_or_hostname(
    agent_api: AgentApiHarness, given: dict[str, Any], hashed: str | None
) -> None:
    answer = await agent_api.register(await agent_api.issue_enrollment_token(), **given)
    assert answer.json()["data"]["guid"] == (
        sha256_hex(hashed % agent_api.mine.site) if hashed else "Given-1"
    )


async def test_register_known_guid_updates_the_agent_and_replaces_its_token(
    agent_api: AgentApiHarness,
) -> None:
    agent = await agent_api.enroll_agent(guid="again", ip_address="10.1.1.1")
    before = await agent_api.read_agent_row(agent.id)
    answer = await agent_api.register(
        await agent_api.issue_enrollment_token(), guid="again", hostname="renamed", version="7"
    )
    assert answer.json()["data"]["device_id"] == agent.id
    after = await agent_api.read_agent_row(agent.id)
    assert (after["hostname"], after["version"], after["ip_address"]) == ("renamed", "7", "10.1.1.1")
    assert after["updated_at"] > before["updated_at"]
    assert_refused(await agent_api.send_heartbeat(agent), 401, "heartbeat")
    again = replace(agent, token=answer.json()["data"]["token"])
    assert (await agent_api.send_heartbeat(again)).status_code == 200


async def test_register_guid_of_another_site_is_conflict_until_agent_is_moved(
    agent_api: AgentApiHarness,
) -> None:
    agent = await agent_api.enroll_agent(guid="contested")
    other = await agent_api.enroll_agent(agent_api.theirs, guid="contested")
    assert other.id != agent.id
    second = await agent_api.owner.fetchval(
        "INSERT INTO sites (tenant_id, name, slug) VALUES ($1, 'B', 'b') RETURNING id", agent_api.mine.id
    )
    again = await agent_api.register(
        await agent_api.issue_enrollment_token(site=second), guid="contested", site_id=second
    )
    assert_refused(again, 409, "register")
    assert (await agent_api.read_agent_row(agent.id))["site_id"] == agent_api.mine.site
    await agent_api.owner.execute("UPDATE agents SET site_id = $1 WHERE id = $2", second, agent.id)
    assert (await agent_api.send_heartbeat(agent)).status_code == 200, (
        "moving an agent does not switch it off"
    )
    moved = await agent_api.register(
        await agent_api.issue_enrollment_token(site=second), guid="contested", site_id=second
    )
    assert moved.json()["data"]["device_id"] == agent.id


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
async def test_register_at_unavailable_site_is_refused(
    agent_api: AgentApiHarness, change: str, back: str, status: int
) -> None:
    await agent_api.owner.execute(
        f"WITH ids AS (SELECT $1::text, $2::text) {change}", agent_api.mine.id, agent_api.mine.site
    )
    before = await agent_api.owner.fetchval("SELECT count(*) FROM agents")
    try:
        assert_refused(await agent_api.register(await agent_api.issue_enrollment_token()), status, "register")
    finally:
        await agent_api.owner.execute(back)
    assert await agent_api.owner.fetchval("SELECT count(*) FROM agents") == before


async def test_call_with_missing_or_malformed_fields_lists_all_of_them(agent_api: AgentApiHarness) -> None:
    answer = await agent_api.register(
        await agent_api.issue_enrollment_token(),
        hostname=None,
        platform=" ",
        version=7,
        mac="a\u0001",
        guid="x" * 256,
    )
    message = assert_refused(answer, 400, "register")
    for said in (
        "hostname is required",
        "platform is required",
        "version must be a string",
        "guid must have at most 255 characters, not 256",
    ):
        assert said in message
    agent = await agent_api.enroll_agent()
    message = assert_refused(
        await agent_api.send_heartbeat(agent, hostname=None, version=["1"], ip_address={}), 400
    )
    for said in ("hostname is required", "version must be a string", "ip_address must be a string"):
        assert said in message
    assert (await agent_api.read_agent_row(agent.id))["last_checkin_at"] is None


@pytest.mark.parametrize("body", NO_OBJECTS)
async def test_call_with_body_that_is_no_json_object_is_400(agent_api: AgentApiHarness, body: bytes) -> None:
    agent = await agent_api.enroll_agent()
    assert_refused(await agent_api.client.post("/v1.0/heartbeat", content=body, headers=agent.headers), 400)
    headers = {"Authorization": f"Bearer {await agent_api.issue_enrollment_token()}"}
    assert_refused(
        await agent_api.client.post("/v1.0/register", content=body, headers=headers), 400, "register"
    )


async def test_heartbeat_with_large_body_is_413(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    assert (await agent_api.send_heartbeat(agent, more="x" * 15_000)).status_code == 200
    assert_refused(await agent_api.send_heartbeat(agent, more="x" * 17_000), 413)


async def test_call_with_longest_allowed_fields_stores_them(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent(hostname="h" * 255, guid="g" * 255, ip_address="i" * 64)
    assert (await agent_api.send_heartbeat(agent, hostname="ü" * 255, version="v" * 64)).status_code == 200
    row = await agent_api.read_agent_row(agent.id)
    assert (row["hostname"], row["version"], row["ip_address"]) == ("ü" * 255, "v" * 64, "i" * 64)


async def test_heartbeat_with_headers_that_differ_from_token_is_refused(agent_api: AgentApiHarness) -> None:
    agent, other = await agent_api.enroll_agent(), await agent_api.enroll_agent()
    theirs = await agent_api.enroll_agent(agent_api.theirs)
    for changed in (
        {"X-Device-ID": other.id},
        {"X-Device-ID": theirs.id, "X-Site-ID": theirs.site},
        {"X-Site-ID": theirs.site},
    ):
        assert_refused(await agent_api.send_heartbeat(agent, changed), 403)
    assert_refused(await agent_api.send_heartbeat(agent, {"X-Device-ID": None}), 400)
    assert_refused(await agent_api.send_heartbeat(agent, {"X-Site-ID": None}), 400)
    for one in (agent, other, theirs):
        assert (await agent_api.read_agent_row(one.id))["last_checkin_at"] is None


async def test_register_with_token_of_another_site_is_refused(agent_api: AgentApiHarness) -> None:
    before = await agent_api.owner.fetchval("SELECT count(*) FROM agents")
    assert_refused(
        await agent_api.register(await agent_api.issue_enrollment_token(agent_api.theirs)), 403, "register"
    )
    assert_refused(
        await agent_api.register(await agent_api.issue_enrollment_token(), site_id=agent_api.theirs.site),
        403,
        "register",
    )
    forged = agent_api.tokens.issue_enrollment_token(
        agent_api.theirs.site, agent_api.mine.id, 60
    )  # as no user of mine could have one made
    assert_refused(await agent_api.register(forged, site_id=agent_api.theirs.site), 401, "register")
    assert await agent_api.owner.fetchval("SELECT count(*) FROM agents") == before


async def test_call_with_wrong_kind_of_token_is_401(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    platform, enrollment = issue_platform_token(agent_api.key), await agent_api.issue_enrollment_token()
    other_key = SigningKey.create(Path(tempfile.mkdtemp()) / "key.pem")
    forged = AgentTokens(other_key).issue_agent_token(agent.id, agent.site, agent_api.mine.id)
    expired = AgentTokens(agent_api.key).issue_enrollment_token(agent_api.mine.site, agent_api.mine.id, -60)
    head, payload, signature = agent.token.split(".")
    no_algorithm = encode_base64url(b'{"alg":"none","typ":"agent+jwt"}')
    unsigned = f"{no_algorithm}.{payload}."
    tampered = f"{head}.{payload[:-4]}{payload[-4:][::-1]}.{signature}"
    for token in (platform, enrollment, forged, unsigned, tampered, "x", "a.b.c", "x" * 9_000):
        assert_refused(await agent_api.send_heartbeat(agent, {"Authorization": f"Bearer {token}"}), 401)
    for token in (platform, agent.token, expired, forged):
        assert_refused(await agent_api.register(token), 401, "register")
    for header in (None, "", "Bearer", "Bearer ", "Basic abc", agent.token):
        answer = await agent_api.send_heartbeat(agent, {"Authorization": header})
        assert_refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await agent_api.read_agent_row(agent.id))["last_checkin_at"] is None


async def test_graphql_with_agent_or_enrollment_token_is_401(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    for token in (agent.token, await agent_api.issue_enrollment_token()):
        answer = await agent_api.client.post(
            "/graphql", json={"query": "{ viewer { id } }"}, headers={"Authorization": f"Bearer {token}"}
        )
        assert (answer.status_code, error_codes(answer)) == (401, ["UNAUTHENTICATED"])


async def test_agent_tokens_without_key_refuse_every_token(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    nobody = AgentTokens(None)
    with pytest.raises(UnauthenticatedError):
        nobody.verify_agent_token(agent.token)
    with pytest.raises(ForbiddenError):
        nobody.issue_enrollment_token(agent_api.mine.site, agent_api.mine.id, 60)


@pytest.mark.parametrize(
    ("change", "back", "status"),
    [
        (
            "UPDATE agents SET deleted_at = 1 WHERE id = $1",
            "UPDATE agents SET deleted_at = NULL WHERE id = $1",
            404,
        ),
        ("UPDATE sites SET status = 'archived'", "UPDATE sites SET status = 'active'", 401),
        ("UPDATE sites SET deleted_at = 1", "UPDATE sites SET deleted_at = NULL", 401),
        ("UPDATE tenants SET status = 'inactive'", "UPDATE tenants SET status = 'active'", 401),
        ("UPDATE tenants SET deleted_at = 1", "UPDATE tenants SET deleted_at = NULL", 401),
    ],
)
async def test_heartbeat_of_unavailable_agent_is_refused_until_it_is_restored(
    agent_api: AgentApiHarness, change: str, back: str, status: int
) -> None:
    agent = await agent_api.enroll_agent()
    await _execute(agent_api, change, agent.id)
    assert_refused(await agent_api.send_heartbeat(agent), status)
    assert (await agent_api.read_agent_row(agent.id))["last_checkin_at"] is None
    assert await agent_api.read_health_check(agent.id) == {}
    await _execute(agent_api, back, agent.id)
    assert (await agent_api.send_heartbeat(agent)).status_code == 200, "and lives again with it"


async def _execute(agent_api: AgentApiHarness, statement: str, agent_id: str) -> None:
    await agent_api.owner.execute(statement, *([agent_id] if "$1" in statement else []))


async def test_heartbeat_at_inactive_site_succeeds(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    await agent_api.owner.execute("UPDATE sites SET status = 'inactive'")
    assert (await agent_api.send_heartbeat(agent)).status_code == 200
    await agent_api.owner.execute("UPDATE sites SET status = 'active'")


async def test_register_guid_of_deleted_agent_creates_another_agent(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent(guid="twice")
    await agent_api.owner.execute("UPDATE agents SET deleted_at = 1 WHERE id = $1", agent.id)
    again = await agent_api.enroll_agent(guid="twice")
    assert again.id != agent.id
    assert_refused(await agent_api.send_heartbeat(agent), 404)
    assert (await agent_api.send_heartbeat(again)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1.0/", "/v1.0/nope", "/v1.0/heartbeat/", "/v1.0/register/x", "/v1.0//heartbeat"]
)
async def test_call_of_unknown_path_or_method_is_404_or_405(agent_api: AgentApiHarness, path: str) -> None:
    assert_refused(await agent_api.client.post(path), 404, path.rsplit("/", 1)[-1])
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        answer = await agent_api.client.request(method, "/v1.0/heartbeat")
        assert_refused(answer, 405)
        assert answer.headers["allow"] == "POST"
    head = await agent_api.client.head("/v1.0/register")
    assert head.status_code == 405


async def test_call_log_has_registrations_and_failed_calls_without_secrets(
    agent_api: AgentApiHarness,
) -> None:
    await agent_api.read_call_log("id")
    await agent_api.owner.execute("DELETE FROM agent_api_logs")
    agent = await agent_api.enroll_agent(guid="logged", mac="m", serial="s-1", secret="hunter2")
    beats = [await agent_api.send_heartbeat(agent) for _ in range(3)]
    assert {beat.status_code for beat in beats} == {200}
    assert_refused(await agent_api.send_heartbeat(agent, hostname=7), 400)
    assert_refused(await agent_api.send_heartbeat(agent, {"X-Site-ID": "elsewhere"}), 403)
    assert_refused(
        await agent_api.register(await agent_api.issue_enrollment_token(), hostname=None, guid="logged"),
        400,
        "register",
    )
    assert_refused(await agent_api.send_heartbeat(agent, {"Authorization": "Bearer nobody"}), 401)
    rows = await agent_api.read_call_log(
        "endpoint", "status_code", "agent_id", "site_id", "tenant_id", "method"
    )
    whose = (agent_api.mine.site, agent_api.mine.id, "POST")
    assert sorted(rows, key=str) == sorted(
        [
            ("/v1.0/register", 200, agent.id, *whose),
            ("/v1.0/heartbeat", 400, agent.id, *whose),
            ("/v1.0/heartbeat", 403, agent.id, *whose),
            ("/v1.0/register", 400, None, *whose),
        ],
        key=str,
    )
    log_rows = await agent_api.read_call_log(
        "req_metadata::text", "res_metadata::text", "error_message", "time_elapsed_ms"
    )
    text = json.dumps(log_rows)
    assert agent.token not in text
    assert "eyJ" not in text
    assert "hunter2" not in text
    request, answered, error, elapsed = log_rows[0]
    assert json.loads(request)["serial"] == "s-1"
    assert json.loads(answered) == {"device_id": agent.id, "guid": "logged"}
    assert (error, elapsed >= 0) == (None, True)


async def test_call_log_of_purged_agent_names_no_agent(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    await agent_api.read_call_log("id")
    await agent_api.owner.execute("DELETE FROM agent_api_logs")
    await agent_api.owner.execute("DELETE FROM issued_credentials WHERE agent_id = $1", agent.id)
    await agent_api.owner.execute("DELETE FROM agents WHERE id = $1", agent.id)
    assert_refused(await agent_api.send_heartbeat(agent), 404)
    ((status, who, site),) = await agent_api.read_call_log("status_code", "agent_id", "site_id")
    assert (status, who, site) == (404, None, agent_api.mine.site)


_IN_THE_WAY_TWICE: Final = """
CREATE SEQUENCE public.tries;
CREATE FUNCTION public.in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('public.tries') < 3 THEN
        RAISE 'deadlock detected' USING ERRCODE = 'deadlock_detected';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER in_the_way AFTER INSERT ON public.agent_api_logs EXECUTE FUNCTION public.in_the_way();
"""


async def test_call_log_write_that_conflicts_is_retried(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    await agent_api.read_call_log("id")
    await agent_api.owner.execute("DELETE FROM agent_api_logs")
    await agent_api.owner.execute(_IN_THE_WAY_TWICE)
    try:
        assert_refused(await agent_api.send_heartbeat(agent, hostname=7), 400)
        assert await agent_api.read_call_log("agent_id") == [(agent.id,)]
        assert await agent_api.owner.fetchval("SELECT last_value FROM tries") == 3
    finally:
        await agent_api.owner.execute("DROP FUNCTION in_the_way CASCADE; DROP SEQUENCE tries")


async def test_register_writes_audit_rows_for_changes(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent(guid="trailed")
    await agent_api.enroll_agent(guid="trailed", hostname=agent.hostname, version="1")
    await agent_api.enroll_agent(guid="trailed", hostname="other", version="1")
    await agent_api.send_heartbeat(agent, hostname="a check-in is not audited")
    rows = await agent_api.owner.fetch(
        "SELECT action, actor_type, actor_id, user_id, changes::text FROM audit_log "
        "WHERE table_name = 'agents' AND record_id = $1 ORDER BY id",
        agent.id,
    )
    assert [tuple(row)[:4] for row in rows] == [
        ("create", "agent", agent.id, None),
        ("update", "agent", agent.id, None),
    ]
    assert json.loads(rows[0]["changes"])["guid"] == [None, "trailed"]
    changes = json.loads(rows[1]["changes"])
    assert changes == {"hostname": [agent.hostname, "other"], "credential": [None, ANY]}


async def test_register_same_device_concurrently_creates_one_agent(agent_api: AgentApiHarness) -> None:
    token = await agent_api.issue_enrollment_token()
    answers = await asyncio.gather(
        *[agent_api.register(token, guid="race", hostname="racer") for _ in range(12)]
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"]["device_id"] for answer in answers}) == 1
    assert await agent_api.owner.fetchval("SELECT count(*) FROM agents WHERE guid = 'race'") == 1


class _OvertakenTransaction(WriteTransaction):
    """A concurrent request enrolls the same device before the row is written, and deletes the agent just after."""

    owner: asyncpg.Connection

    async def fetch(self, sql: str, arguments: Sequence[object]) -> list[Record]:
        """The rows of one statement."""
        if "INSERT INTO public.agents" not in sql:
            return await super().fetch(sql, arguments)
        await self.owner.execute(
            """INSERT INTO agents (tenant_id, site_id, guid, hostname, platform, version)
               VALUES ($1, $2, $3, 'h', 'p', 'v')""",
            *arguments[1:4],
        )
        rows = await super().fetch(sql, arguments)
        await self.owner.execute("UPDATE agents SET deleted_at = 1 WHERE guid = $1", arguments[3])
        return rows


async def test_enroll_of_agent_deleted_meanwhile_raises_in_the_way(agent_api: AgentApiHarness) -> None:
    async with begin_write(agent_api.database, platform=True) as transaction:
        overtaken = _OvertakenTransaction(transaction.connection)
        overtaken.owner = agent_api.owner
        with pytest.raises(WriteContentionError):
            await enroll_device(
                overtaken,
                agent_api.mine.id,
                agent_api.mine.site,
                EnrollingDevice("fleeting", "h", "p", "v"),
                Actor(AuditActor.AGENT),
            )


_WAITS = "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"


@pytest.mark.parametrize("cancelled", [False, True], ids=["waits for too long", "takes too long"])
async def test_register_of_locked_agent_is_503_with_retry_after(
    agent_api: AgentApiHarness, *, cancelled: bool
) -> None:
    agent, token = await agent_api.enroll_agent(), await agent_api.issue_enrollment_token()
    async with agent_api.owner.transaction():
        await agent_api.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agent.id)
        task = asyncio.create_task(agent_api.register(token, guid=agent.guid))
        if cancelled:  # as statement_timeout does, which is longer than the wait for a lock
            await _cancel_waiting_statement(agent_api)
        answer = await task
    assert_refused(answer, 503, "register")
    assert int(answer.headers["retry-after"]) >= 1
    assert (
        await agent_api.register(await agent_api.issue_enrollment_token(), guid=agent.guid)
    ).status_code == 200


async def _cancel_waiting_statement(agent_api: AgentApiHarness) -> None:
    await poll_until(lambda: agent_api.owner.fetchval(_WAITS))
    pid = await agent_api.owner.fetchval(_WAITS)
    assert await agent_api.owner.fetchval("SELECT pg_cancel_backend($1)", pid)


async def test_metrics_after_calls_count_calls_and_check_ins(agent_api: AgentApiHarness) -> None:
    agent = await agent_api.enroll_agent()
    await agent_api.send_heartbeat(agent)
    await agent_api.send_heartbeat(agent, {"X-Site-ID": "other"})
    await agent_api.client.get("/v1.0/anything")
    text = (await agent_api.client.get("/metrics")).text
    for line in (
        'msp_agent_calls_total{call="heartbeat",status="200"}',
        'msp_agent_calls_total{call="heartbeat",status="403"}',
        'msp_agent_calls_total{call="register",status="200"}',
        'msp_agent_calls_total{call="(other)",status="404"}',
        "msp_check_ins_written_total",
        "msp_check_ins_statements_total",
    ):
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        assert found, line
        assert float(found[1]) >= 1
    assert "msp_check_ins_waiting 0.0" in text
