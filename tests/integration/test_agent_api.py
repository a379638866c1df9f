"""The agents' HTTP API: enrolment, check-ins, and each refusal in the one shape that agents know."""

import asyncio
import hashlib
import json
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from core.agent_tokens import AgentTokens
from core.base64url import encoded
from core.clock import now_ms
from core.database import Record
from core.errors import ForbiddenError, InTheWayError, UnauthenticatedError
from core.signing import SigningKey, issue_platform_token
from core.transactions import Transaction, writing
from services.agents.enrollment import Device, enrol
from tests.clusters import ThrowawayCluster
from tests.face import codes
from tests.fleet import Yard, yard


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def at(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Yard]:
    name = await cluster.create(template)
    async with yard(cluster.dsn(name)) as made:
        yield made
    await cluster.drop(name)


NO_OBJECTS: Final = (b"", b"[]", b"null", b'"x"', b"{", b'{"hostname": "\xff"}', b'{"hostname": "\\ud800"}')


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


async def test_what_is_missing_or_malformed_is_told_at_once(at: Yard) -> None:
    answer = await at.register(
        at.enrollment(), hostname=None, platform=" ", version=7, mac="a\u0001", guid="x" * 256
    )
    message = refused(answer, 400, "register")
    for said in ("hostname is missing", "platform is missing", "version must be a text", "guid has 256"):
        assert said in message
    agent = await at.agent()
    message = refused(await at.beat(agent, hostname=None, version=["1"], ip_address={}), 400)
    for said in ("hostname is missing", "version must be a text", "ip_address must be a text"):
        assert said in message
    assert (await at.row(agent.id))["last_checkin_at"] is None


@pytest.mark.parametrize("body", NO_OBJECTS)
async def test_a_body_that_is_no_object_of_json(at: Yard, body: bytes) -> None:
    agent = await at.agent()
    refused(await at.client.post("/v1.0/heartbeat", content=body, headers=agent.headers), 400)
    headers = {"Authorization": f"Bearer {at.enrollment()}"}
    refused(await at.client.post("/v1.0/register", content=body, headers=headers), 400, "register")


async def test_a_body_is_some_kib_at_most(at: Yard) -> None:
    agent = await at.agent()
    assert (await at.beat(agent, more="x" * 15_000)).status_code == 200
    refused(await at.beat(agent, more="x" * 17_000), 413)


async def test_fields_are_kept_as_long_as_they_may_be(at: Yard) -> None:
    agent = await at.agent(hostname="h" * 255, guid="g" * 255, ip_address="i" * 64)
    assert (await at.beat(agent, hostname="ü" * 255, version="v" * 64)).status_code == 200
    row = await at.row(agent.id)
    assert (row["hostname"], row["version"], row["ip_address"]) == ("ü" * 255, "v" * 64, "i" * 64)


async def test_headers_must_agree_with_the_token(at: Yard) -> None:
    agent, other = await at.agent(), await at.agent()
    theirs = await at.agent(at.theirs)
    for changed in (
        {"X-Device-ID": other.id},
        {"X-Device-ID": theirs.id, "X-Site-ID": theirs.site},
        {"X-Site-ID": theirs.site},
    ):
        refused(await at.beat(agent, changed), 403)
    refused(await at.beat(agent, {"X-Device-ID": None}), 400)
    refused(await at.beat(agent, {"X-Site-ID": None}), 400)
    for one in (agent, other, theirs):
        assert (await at.row(one.id))["last_checkin_at"] is None


async def test_a_token_of_another_site_enrols_nobody(at: Yard) -> None:
    before = await at.owner.fetchval("SELECT count(*) FROM agents")
    refused(await at.register(at.enrollment(at.theirs)), 403, "register")
    refused(await at.register(at.enrollment(), site_id=at.theirs.site), 403, "register")
    forged = at.tokens.issue_enrollment(
        at.theirs.site, at.mine.id, 60
    )  # as no user of mine could have one made
    refused(await at.register(forged, site_id=at.theirs.site), 409, "register")
    assert await at.owner.fetchval("SELECT count(*) FROM agents") == before


async def test_only_the_right_kind_of_token_is_taken(at: Yard) -> None:
    agent = await at.agent()
    platform, enrollment = issue_platform_token(at.key), at.enrollment()
    other_key = SigningKey.create(Path(tempfile.mkdtemp()) / "key.pem")
    forged = AgentTokens(other_key).issue(agent.id, agent.site, at.mine.id)
    expired = AgentTokens(at.key).issue_enrollment(at.mine.site, at.mine.id, -60)
    head, payload, signature = agent.token.split(".")
    no_algorithm = encoded(b'{"alg":"none","typ":"agent+jwt"}')
    unsigned = f"{no_algorithm}.{payload}."
    tampered = f"{head}.{payload[:-4]}{payload[-4:][::-1]}.{signature}"
    for token in (platform, enrollment, forged, unsigned, tampered, "x", "a.b.c", "x" * 9_000):
        refused(await at.beat(agent, {"Authorization": f"Bearer {token}"}), 401)
    for token in (platform, agent.token, expired, forged):
        refused(await at.register(token), 401, "register")
    for header in (None, "", "Bearer", "Bearer ", "Basic abc", agent.token):
        answer = await at.beat(agent, {"Authorization": header})
        refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await at.row(agent.id))["last_checkin_at"] is None


async def test_an_agents_token_opens_nothing_else(at: Yard) -> None:
    agent = await at.agent()
    for token in (agent.token, at.enrollment()):
        answer = await at.client.post(
            "/graphql", json={"query": "{ viewer { id } }"}, headers={"Authorization": f"Bearer {token}"}
        )
        assert (answer.status_code, codes(answer)) == (401, ["UNAUTHENTICATED"])


async def test_without_a_key_nobody_is_believed(at: Yard) -> None:
    agent = await at.agent()
    nobody = AgentTokens(None)
    with pytest.raises(UnauthenticatedError):
        nobody.agent(agent.token)
    with pytest.raises(ForbiddenError):
        nobody.issue_enrollment(at.mine.site, at.mine.id, 60)


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
async def test_an_agents_token_dies_with_what_it_names(at: Yard, change: str, back: str, status: int) -> None:
    agent = await at.agent()
    await _execute(at, change, agent.id)
    refused(await at.beat(agent), status)
    assert (await at.row(agent.id))["last_checkin_at"] is None
    assert await at.health(agent.id) == {}
    await _execute(at, back, agent.id)
    assert (await at.beat(agent)).status_code == 200, "and lives again with it"


async def _execute(at: Yard, statement: str, agent_id: str) -> None:
    await at.owner.execute(statement, *([agent_id] if "$1" in statement else []))


async def test_an_inactive_site_is_not_archived(at: Yard) -> None:
    agent = await at.agent()
    await at.owner.execute("UPDATE sites SET status = 'inactive'")
    assert (await at.beat(agent)).status_code == 200
    await at.owner.execute("UPDATE sites SET status = 'active'")


async def test_a_deleted_agent_that_enrols_again_is_another(at: Yard) -> None:
    agent = await at.agent(guid="twice")
    await at.owner.execute("UPDATE agents SET deleted_at = 1 WHERE id = $1", agent.id)
    again = await at.agent(guid="twice")
    assert again.id != agent.id
    refused(await at.beat(agent), 404)
    assert (await at.beat(again)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v1.0/", "/v1.0/nope", "/v1.0/heartbeat/", "/v1.0/register/x", "/v1.0//heartbeat"]
)
async def test_other_paths_and_methods(at: Yard, path: str) -> None:
    refused(await at.client.post(path), 404, path.rsplit("/", 1)[-1])
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        answer = await at.client.request(method, "/v1.0/heartbeat")
        refused(answer, 405)
        assert answer.headers["allow"] == "POST"
    head = await at.client.head("/v1.0/register")
    assert head.status_code == 405


async def test_calls_are_logged_as_specified(at: Yard) -> None:
    await at.calls("id")
    await at.owner.execute("DELETE FROM agent_api_logs")
    agent = await at.agent(guid="logged", mac="m", serial="s-1", secret="hunter2")
    beats = [await at.beat(agent) for _ in range(3)]
    assert {beat.status_code for beat in beats} == {200}
    refused(await at.beat(agent, hostname=7), 400)
    refused(await at.beat(agent, {"X-Site-ID": "elsewhere"}), 403)
    refused(await at.register(at.enrollment(), hostname=None, guid="logged"), 400, "register")
    refused(await at.beat(agent, {"Authorization": "Bearer nobody"}), 401)
    rows = await at.calls("endpoint", "status_code", "agent_id", "site_id", "tenant_id", "method")
    whose = (at.mine.site, at.mine.id, "POST")
    assert sorted(rows, key=str) == sorted(
        [
            ("/v1.0/register", 200, agent.id, *whose),
            ("/v1.0/heartbeat", 400, agent.id, *whose),
            ("/v1.0/heartbeat", 403, agent.id, *whose),
            ("/v1.0/register", 400, None, *whose),
        ],
        key=str,
    )
    told = await at.calls("req_metadata::text", "res_metadata::text", "error_message", "time_elapsed_ms")
    text = json.dumps(told)
    assert agent.token not in text
    assert "eyJ" not in text
    assert "hunter2" not in text
    asked, answered, error, elapsed = told[0]
    assert json.loads(asked)["serial"] == "s-1"
    assert json.loads(answered) == {"device_id": agent.id, "guid": "logged"}
    assert (error, elapsed >= 0) == (None, True)


async def test_a_call_of_what_is_gone_for_good_is_logged_without_it(at: Yard) -> None:
    agent = await at.agent()
    await at.calls("id")
    await at.owner.execute("DELETE FROM agent_api_logs")
    await at.owner.execute("DELETE FROM agents WHERE id = $1", agent.id)
    refused(await at.beat(agent), 404)
    ((status, who, site),) = await at.calls("status_code", "agent_id", "site_id")
    assert (status, who, site) == (404, None, at.mine.site)


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


async def test_a_call_is_logged_although_others_are_in_the_way(at: Yard) -> None:
    agent = await at.agent()
    await at.calls("id")
    await at.owner.execute("DELETE FROM agent_api_logs")
    await at.owner.execute(_IN_THE_WAY_TWICE)
    try:
        refused(await at.beat(agent, hostname=7), 400)
        assert await at.calls("agent_id") == [(agent.id,)]
        assert await at.owner.fetchval("SELECT last_value FROM tries") == 3
    finally:
        await at.owner.execute("DROP FUNCTION in_the_way CASCADE; DROP SEQUENCE tries")


async def test_enrolling_leaves_a_trail(at: Yard) -> None:
    agent = await at.agent(guid="trailed")
    await at.agent(guid="trailed", hostname=agent.hostname, version="1")
    await at.agent(guid="trailed", hostname="other", version="1")
    await at.beat(agent, hostname="a check-in is not audited")
    rows = await at.owner.fetch(
        "SELECT action, actor_type, actor_id, user_id, changes::text FROM audit_log "
        "WHERE table_name = 'agents' AND record_id = $1 ORDER BY id",
        agent.id,
    )
    assert [tuple(row)[:4] for row in rows] == [
        ("create", "agent", agent.id, None),
        ("update", "agent", agent.id, None),
    ]
    assert json.loads(rows[0]["changes"])["guid"] == [None, "trailed"]
    assert json.loads(rows[1]["changes"]) == {"hostname": [agent.hostname, "other"]}


async def test_devices_that_enrol_at_the_same_moment_are_one_agent(at: Yard) -> None:
    token = at.enrollment()
    answers = await asyncio.gather(*[at.register(token, guid="race", hostname="racer") for _ in range(12)])
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["data"]["device_id"] for answer in answers}) == 1
    assert await at.owner.fetchval("SELECT count(*) FROM agents WHERE guid = 'race'") == 1


class _Overtaken(Transaction):
    """Somebody else enrols the same device just before the row is written, and deletes the agent just after."""

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


async def test_an_agent_that_comes_and_goes_meanwhile_is_at_no_other_site(at: Yard) -> None:
    async with writing(at.database, platform=True) as transaction:
        overtaken = _Overtaken(transaction.connection)
        overtaken.owner = at.owner
        with pytest.raises(InTheWayError):
            await enrol(overtaken, at.mine.id, at.mine.site, Device("fleeting", "h", "p", "v"))


_WAITS = "SELECT pid FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"


@pytest.mark.parametrize("cancelled", [False, True], ids=["waits for too long", "takes too long"])
async def test_who_enrols_while_others_are_in_the_way_is_to_come_again(at: Yard, *, cancelled: bool) -> None:
    agent = await at.agent()
    async with at.owner.transaction():
        await at.owner.execute("UPDATE agents SET platform = 'held' WHERE id = $1", agent.id)
        task = asyncio.create_task(at.register(at.enrollment(), guid=agent.guid))
        if cancelled:  # as statement_timeout does, which is longer than the wait for a lock
            await _cancel_what_waits(at)
        answer = await task
    refused(answer, 503, "register")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await at.register(at.enrollment(), guid=agent.guid)).status_code == 200


async def _cancel_what_waits(at: Yard) -> None:
    async with asyncio.timeout(4):
        while not (pid := await at.owner.fetchval(_WAITS)):  # noqa: ASYNC110 - it is PostgreSQL that we wait for
            await asyncio.sleep(0.02)
    assert await at.owner.fetchval("SELECT pg_cancel_backend($1)", pid)


async def test_what_is_measured(at: Yard) -> None:
    agent = await at.agent()
    await at.beat(agent)
    await at.beat(agent, {"X-Site-ID": "other"})
    await at.client.get("/v1.0/anything")
    text = (await at.client.get("/metrics")).text
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
