"""Invitation codes: valid once, for the unchanged user, from an issuer who may still invite, and for no one else."""

import asyncio
import base64
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from core.limits import INVITATION_MS
from tests.http_harness import HttpHarness, error_codes, open_http_harness
from tests.issuers import issue_user_token, make_ec_key
from tests.scripted_live import start_scripted_server
from tests.websocket_client import connect_websocket

INVITE: Final = """mutation($email: String!, $role: ID!) {
    inviteUser(email: $email, name: "Ivy", roleId: $role) { id status } }"""
CODE: Final = "mutation($id: ID!) { createInvitationCode(id: $id) { id code expiresAt } }"
WHO: Final = "{ viewer { user { id email status } } }"
KEYS: Final = [base64.b64encode(bytes(range(32))).decode()]
_numbers: Final = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http_harness(writable_demo_database_url: str) -> AsyncIterator[HttpHarness]:
    async with open_http_harness(writable_demo_database_url, secret_keys=KEYS) as made:
        yield made


@pytest.fixture
def email() -> str:
    """An address that no user has."""
    return f"Ivy{next(_numbers)}@invited.example"


def make_subject() -> str:
    """The subject of an unknown person."""
    return f"user_2Invited{next(_numbers)}"


async def invite_user(http_harness: HttpHarness, owner: asyncpg.Connection, email: str, user: int = 0) -> str:
    """Invite a user as the administrator of that number; returns the id of the pending user."""
    role = await owner.fetchval("SELECT role_id FROM users WHERE id = $1", http_harness.user_ids[user])
    response = await http_harness.post_query(INVITE, user, variables={"email": email, "role": role})
    assert not error_codes(response), response.text
    invited = response.json()["data"]["inviteUser"]
    assert invited["status"] == "PENDING"
    return str(invited["id"])


async def send_as_subject(
    http_harness: HttpHarness, sub: str, query: str = WHO, invitation: str | None = None, **claims: Any
) -> httpx.Response:
    """A request of a person with a token of the identity provider."""
    headers = {"Authorization": f"Bearer {issue_user_token(make_ec_key('face'), sub=sub, **claims)}"}
    if invitation is not None:
        headers["X-Invitation-Code"] = invitation
    return await http_harness.client.post("/graphql", json={"query": query}, headers=headers)


async def send_as_user(
    http_harness: HttpHarness, query: str, user: int | str = 0, **given: Any
) -> httpx.Response:
    """A request of the demo's user of that number, or of a user by id."""
    if isinstance(user, int):
        return await http_harness.post_query(query, user, variables=given)
    headers = {"Authorization": f"Bearer {issue_user_token(make_ec_key('face'), sub=user)}"}
    return await http_harness.client.post(
        "/graphql", json={"query": query, "variables": given}, headers=headers
    )


async def create_code(http_harness: HttpHarness, user_id: str, user: int | str = 0) -> str:
    response = await send_as_user(http_harness, CODE, user, id=user_id)
    assert not error_codes(response), response.text
    return str(response.json()["data"]["createInvitationCode"]["code"])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET status = 'inactive' WHERE id = $1",
        "UPDATE users SET deleted_at = 1 WHERE id = $1",
        "UPDATE tenants SET status = 'suspended' WHERE id = (SELECT tenant_id FROM users WHERE id = $1)",
        "UPDATE tenants SET deleted_at = 1 WHERE id = (SELECT tenant_id FROM users WHERE id = $1)",
    ],
)
async def test_redeem_code_after_user_or_tenant_was_disabled_is_refused(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, change: str
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    code = await create_code(http_harness, waiting)
    await owner.execute(change, waiting)
    try:
        assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
            "UNAUTHENTICATED"
        ]
        assert await owner.fetchval("SELECT count(*) FROM users WHERE id = $1", waiting) == 1
    finally:
        await owner.execute("UPDATE tenants SET status = 'active', deleted_at = NULL")


async def test_redeem_code_by_an_existing_user_changes_nothing(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting = await invite_user(http_harness, owner, email, user=2)
    code = await create_code(http_harness, waiting, user=2)
    response = await send_as_subject(http_harness, http_harness.user_ids[1], invitation=code)
    assert response.json()["data"]["viewer"]["user"]["id"] == http_harness.user_ids[1]
    switch = "UPDATE users SET status = $2 WHERE id = $1"
    await owner.execute(switch, http_harness.user_ids[1], "inactive")
    try:
        assert error_codes(
            await send_as_subject(http_harness, http_harness.user_ids[1], invitation=code)
        ) == ["UNAUTHENTICATED"]
    finally:
        await owner.execute(switch, http_harness.user_ids[1], "active")
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", waiting) == "pending"


async def test_redeem_code_twice_or_altered_is_refused(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting, sub = await invite_user(http_harness, owner, email), make_subject()
    with capture_logs() as lines:
        code = await create_code(http_harness, waiting)
        await send_as_subject(http_harness, http_harness.user_ids[1], invitation=code)
    assert len(lines) == 2
    assert code not in str(lines)
    bad = (code[:-2], code[:-2] + ("AA" if code[-2:] != "AA" else "BB"), "x", "enc:v1:a:b", "{}")
    for wrong in bad:
        assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=wrong)) == [
            "UNAUTHENTICATED"
        ]
    assert (await send_as_subject(http_harness, sub, invitation=code)).json()["data"]["viewer"]["user"][
        "id"
    ] == sub
    assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
        "UNAUTHENTICATED"
    ]
    assert not error_codes(await send_as_subject(http_harness, sub, invitation=code))


async def test_redeem_code_after_it_expired_is_refused(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    response = await http_harness.post_query(CODE, variables={"id": waiting})
    now = await owner.fetchval("SELECT app.now_ms()")
    assert 0 <= now + INVITATION_MS - response.json()["data"]["createInvitationCode"]["expiresAt"] < 60_000
    monkeypatch.setattr("services.users.invitations.INVITATION_MS", -1)
    code = await create_code(http_harness, waiting)
    assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
        "UNAUTHENTICATED"
    ]


async def test_create_invitation_code_beyond_own_rights_or_tenant_is_refused(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    theirs = await invite_user(http_harness, owner, email, user=2)
    assert error_codes(await http_harness.post_query(CODE, 1, variables={"id": waiting})) == ["FORBIDDEN"]
    for nobody in (theirs, "nobody"):
        assert error_codes(await http_harness.post_query(CODE, variables={"id": nobody})) == ["NOT_FOUND"]
    assert error_codes(await http_harness.post_query(CODE, variables={"id": http_harness.user_ids[1]})) == [
        "CONFLICT"
    ]
    rights = "UPDATE roles SET rights = $2 WHERE id = (SELECT role_id FROM users WHERE id = $1)"
    was = await owner.fetchval(
        "SELECT rights FROM roles WHERE id = (SELECT role_id FROM users WHERE id = $1)",
        http_harness.user_ids[1],
    )
    await owner.execute(rights, http_harness.user_ids[1], '{"Users.Write": true}')
    try:  # a code grants the role of the user that it admits
        assert error_codes(await http_harness.post_query(CODE, 1, variables={"id": waiting})) == ["FORBIDDEN"]
    finally:
        await owner.execute(rights, http_harness.user_ids[1], was)


async def test_create_invitation_code_without_keys_is_a_conflict(
    http_harness: HttpHarness, owner: asyncpg.Connection, writable_demo_database_url: str, email: str
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    async with open_http_harness(writable_demo_database_url) as bare:
        assert error_codes(await bare.post_query(CODE, variables={"id": waiting})) == ["CONFLICT"]
        assert error_codes(await send_as_subject(bare, make_subject(), invitation="x")) == ["UNAUTHENTICATED"]


UPDATE: Final = "mutation($id: ID!, $input: UpdateUserInput!) { updateUser(id: $id, input: $input) { id } }"
DELETE: Final = "mutation($id: ID!) { deleteUser(id: $id) { id } }"
RESTORE: Final = "mutation($id: ID!) { restoreUser(id: $id) { id } }"
ROLE: Final = 'mutation($rights: JSON!) { createRole(input: {name: "R", rights: $rights}) { id } }'
SET_RIGHTS: Final = (
    "mutation($id: ID!, $rights: JSON!) { updateRole(id: $id, input: {rights: $rights}) { id } }"
)


async def execute_and_get_id(http_harness: HttpHarness, query: str, user: int | str = 0, **given: Any) -> str:
    """The id that a successful mutation returns."""
    response = await send_as_user(http_harness, query, user, **given)
    assert not error_codes(response), response.text
    (answered,) = response.json()["data"].values()
    return str(answered["id"])


async def create_low_role(http_harness: HttpHarness) -> str:
    return await execute_and_get_id(http_harness, ROLE, rights={"Sites.Read": True})


async def invite_user_with_role(http_harness: HttpHarness, email: str, role: str, user: int | str = 0) -> str:
    return await execute_and_get_id(http_harness, INVITE, user, email=email, role=role)


async def insert_user_with_rights(owner: asyncpg.Connection, http_harness: HttpHarness, *rights: str) -> str:
    """Create a user of the first tenant with exactly these rights, by a role with the same id."""
    user = make_subject()
    tenant = await owner.fetchval("SELECT tenant_id FROM users WHERE id = $1", http_harness.user_ids[0])
    await owner.execute(
        "INSERT INTO roles (id, tenant_id, name, description, rights) VALUES ($1, $2, 'R', '', $3)",
        user,
        tenant,
        json.dumps(dict.fromkeys(rights, True)),
    )
    await owner.execute(
        "INSERT INTO users (id, tenant_id, role_id, email, name, status) "
        "VALUES ($1, $2, $1, $1 || '@hired.example', 'H', 'active')",
        user,
        tenant,
    )
    return user


async def test_redeem_code_after_the_role_was_raised_is_refused(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    """It gave any subject Global.Admin, for any user who may write users."""
    clerk = await insert_user_with_rights(owner, http_harness, "Users.Write", "Sites.Read")
    low = await create_low_role(http_harness)
    waiting = await invite_user_with_role(http_harness, email, low, clerk)
    code = await create_code(http_harness, waiting, clerk)
    high = await owner.fetchval("SELECT role_id FROM users WHERE id = $1", http_harness.user_ids[0])
    await execute_and_get_id(http_harness, UPDATE, id=waiting, input={"roleId": high})
    assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
        "UNAUTHENTICATED"
    ]
    await execute_and_get_id(http_harness, UPDATE, id=waiting, input={"roleId": low})
    assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
        "UNAUTHENTICATED"
    ]
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", waiting) == "pending"


@pytest.mark.parametrize("rights", [{"Sites.Read": True, "Agents.Read": True}, {"Sites.Write": True}, {}])
async def test_redeem_code_after_the_rights_of_the_role_changed_is_refused(
    http_harness: HttpHarness, email: str, rights: dict[str, bool]
) -> None:
    role = await create_low_role(http_harness)
    waiting = await invite_user_with_role(http_harness, email, role)
    code = await create_code(http_harness, waiting)
    await execute_and_get_id(http_harness, SET_RIGHTS, id=role, rights=rights)
    assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
        "UNAUTHENTICATED"
    ]
    sub = make_subject()
    assert not error_codes(
        await send_as_subject(http_harness, sub, invitation=await create_code(http_harness, waiting))
    )


@pytest.mark.parametrize("change", ["email", "name", "delete and restore", "switch off and on"])
async def test_redeem_code_after_the_user_changed_is_refused(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, change: str
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    code = await create_code(http_harness, waiting)
    match change:
        case "email" | "name":
            await execute_and_get_id(http_harness, UPDATE, id=waiting, input={change: f"other.{email}"})
        case "delete and restore":
            await execute_and_get_id(http_harness, DELETE, id=waiting)
            assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
                "UNAUTHENTICATED"
            ]
            await execute_and_get_id(http_harness, RESTORE, id=waiting)
        case _:
            for status in ("INACTIVE", "ACTIVE"):
                await execute_and_get_id(http_harness, UPDATE, id=waiting, input={"status": status})
    assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
        "UNAUTHENTICATED"
    ]
    assert not error_codes(
        await send_as_subject(
            http_harness, make_subject(), invitation=await create_code(http_harness, waiting)
        )
    )


async def test_redeem_code_after_a_newer_one_was_created_is_refused(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    former, latest = await create_code(http_harness, waiting), await create_code(http_harness, waiting)
    assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=former)) == [
        "UNAUTHENTICATED"
    ]
    assert not error_codes(await send_as_subject(http_harness, make_subject(), invitation=latest))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET deleted_at = 1 WHERE id = $1",
        "UPDATE users SET status = 'inactive' WHERE id = $1",
        "UPDATE roles SET rights = '{\"Sites.Read\": true}' WHERE id = $1",
        "UPDATE roles SET rights = '{\"Users.Write\": true}' WHERE id = $1",
        'UPDATE roles SET rights = \'{"Users.Write": false, "Sites.Read": true}\' WHERE id = $1',
        "UPDATE issued_credentials SET revoked_at = 1 WHERE issued_by = $1",
        "UPDATE issued_credentials SET expires_at = 1 WHERE issued_by = $1",
        "UPDATE issued_credentials SET first_used_at = 1 WHERE issued_by = $1",
        "DELETE FROM issued_credentials WHERE issued_by = $1",
    ],
)
async def test_redeem_code_whose_creator_may_no_longer_invite_is_refused(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, change: str
) -> None:
    role = await create_low_role(http_harness)
    clerk = await insert_user_with_rights(owner, http_harness, "Users.Write", "Sites.Read")
    waiting = await invite_user_with_role(http_harness, email, role, clerk)
    code = await create_code(http_harness, waiting, clerk)
    await owner.execute(change, clerk)
    assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
        "UNAUTHENTICATED"
    ]
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", waiting) == "pending"


async def test_redeem_code_whose_creator_gained_rights_succeeds(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    role = await create_low_role(http_harness)
    clerk = await insert_user_with_rights(owner, http_harness, "Users.Write", "Sites.Read")
    code = await create_code(
        http_harness, await invite_user_with_role(http_harness, email, role, clerk), clerk
    )
    await owner.execute("UPDATE roles SET rights = rights || '{\"Agents.Read\": true}' WHERE id = $1", clerk)
    assert not error_codes(await send_as_subject(http_harness, make_subject(), invitation=code))


async def test_create_and_redeem_code_write_audit_rows(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting, sub = await invite_user(http_harness, owner, email), make_subject()
    former = (await send_as_user(http_harness, CODE, id=waiting)).json()["data"]["createInvitationCode"]
    made = (await send_as_user(http_harness, CODE, id=waiting)).json()["data"]["createInvitationCode"]
    assert not error_codes(await send_as_subject(http_harness, sub, invitation=made["code"]))
    query = "SELECT * FROM audit_log WHERE record_id = $1 ORDER BY created_at, id"
    created, revoked = await owner.fetch(query, former["id"])
    assert (created["action"], created["user_id"]) == ("create", http_harness.user_ids[0])
    assert json.loads(revoked["changes"])["revokeReason"] == [None, "another code was made"]
    assert len(await owner.fetch(query, made["id"])) == 1
    (redeemed,) = await owner.fetch(query, sub)
    assert json.loads(redeemed["changes"]) == {
        "id": [waiting, sub],
        "status": ["pending", "active"],
        "credential": [None, made["id"]],
    }
    assert (redeemed["user_id"], redeemed["actor_id"]) == (sub, sub)
    stored = await owner.fetchrow("SELECT * FROM issued_credentials WHERE id = $1", made["id"])
    assert stored is not None
    assert (stored["user_id"], stored["first_used_at"] is not None) == (sub, True)
    assert made["code"] not in str(dict(stored))
    log = await owner.fetch(
        "SELECT changes FROM audit_log WHERE changes::text LIKE '%' || $1 || '%'", made["code"]
    )
    assert not log


async def test_accept_invitation_revokes_its_codes(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting, sub = await invite_user(http_harness, owner, email), make_subject()
    code = await create_code(http_harness, waiting)
    accepted = await send_as_subject(
        http_harness,
        sub,
        f'mutation {{ acceptInvitation(id: "{waiting}") {{ userId }} }}',
        email=email,
        email_verified=True,
    )
    assert not error_codes(accepted)
    reason = "SELECT revoke_reason FROM issued_credentials WHERE user_id = $1"
    assert await owner.fetchval(reason, sub) == "the invitation was accepted"
    assert error_codes(await send_as_subject(http_harness, make_subject(), invitation=code)) == [
        "UNAUTHENTICATED"
    ]


@pytest.mark.parametrize("again", [0, 2])
async def test_redeem_code_by_a_deleted_user_succeeds(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, again: int
) -> None:
    """In the same tenant and in another; the identity provider gave 401, and `restoreUser` CONFLICT."""
    sub = make_subject()
    assert not error_codes(
        await send_as_subject(
            http_harness,
            sub,
            invitation=await create_code(http_harness, await invite_user(http_harness, owner, email)),
        )
    )
    await execute_and_get_id(http_harness, DELETE, id=sub)
    code = await create_code(http_harness, await invite_user(http_harness, owner, email, again), again)
    response = await send_as_subject(http_harness, sub, invitation=code)
    assert response.json()["data"]["viewer"]["user"]["id"] == sub


async def test_pending_invitations_with_bad_code_are_listed_by_verified_email(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    query = "{ pendingInvitations { id } }"
    response = await send_as_subject(
        http_harness, make_subject(), query, "bad", email=email, email_verified=True
    )
    assert response.json() == {"data": {"pendingInvitations": [{"id": waiting}]}}


async def test_redeem_code_by_many_subjects_concurrently_admits_one(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    code = await create_code(http_harness, await invite_user(http_harness, owner, email))
    answers = await asyncio.gather(
        *(send_as_subject(http_harness, make_subject(), invitation=code) for _ in range(10))
    )
    assert sorted(map(error_codes, answers)) == [[], *[["UNAUTHENTICATED"]] * 9]


async def test_redeem_code_by_concurrent_requests_of_one_person_all_succeed(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    code, sub = await create_code(http_harness, await invite_user(http_harness, owner, email)), make_subject()
    write = "mutation { setCurrentSite(siteId: null) { id } }"
    answers = await asyncio.gather(
        *(send_as_subject(http_harness, sub, query, code) for query in (WHO, write) * 8)
    )
    assert [error_codes(answer) for answer in answers] == [[]] * 16
    taken = "SELECT count(*) FROM audit_log WHERE record_id = $1 AND changes ? 'id'"
    assert await owner.fetchval(taken, sub) == 1


@pytest.mark.parametrize("other", ["delete", "raise", "another code"])
async def test_redeem_code_while_the_user_changes_has_one_winner(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, other: str
) -> None:
    low = await create_low_role(http_harness)
    high = await owner.fetchval("SELECT role_id FROM users WHERE id = $1", http_harness.user_ids[0])
    for number in range(5):
        waiting, sub = await invite_user_with_role(http_harness, f"{number}.{email}", low), make_subject()
        code = await create_code(http_harness, waiting)
        calls = {
            "delete": send_as_user(http_harness, DELETE, id=waiting),
            "raise": send_as_user(http_harness, UPDATE, id=waiting, input={"roleId": high}),
            "another code": send_as_user(http_harness, CODE, id=waiting),
        }
        changing = calls.pop(other)
        for unused in calls.values():
            unused.close()
        redeemed, changed = await asyncio.gather(
            send_as_subject(http_harness, sub, invitation=code), changing
        )
        assert sorted([error_codes(redeemed), error_codes(changed)]) in (
            [[], ["NOT_FOUND"]],
            [[], ["UNAUTHENTICATED"]],
        )
        role = await owner.fetchval("SELECT role_id FROM users WHERE id = $1", sub)
        assert role == (None if error_codes(redeemed) else low)


async def test_redeem_code_over_a_socket_signs_in(
    http_harness: HttpHarness, owner: asyncpg.Connection, writable_demo_database_url: str, email: str
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    code, sub = await create_code(http_harness, waiting), make_subject()
    async with start_scripted_server(writable_demo_database_url, secret_keys=KEYS) as server:
        async with connect_websocket(server.url) as client:
            await client.init(server.issue_token(sub), **{"x-invitation-code": code})
            answer = await client.execute(WHO)
            assert answer["payload"]["data"]["viewer"]["user"]["id"] == sub
        async with connect_websocket(server.url) as stranger:
            shown = {
                "Authorization": f"Bearer {server.issue_token(make_subject())}",
                "X-Invitation-Code": code,
            }
            await stranger.send({"type": "connection_init", "payload": shown})
            assert (await stranger.wait_for_close())[0] == 4403
