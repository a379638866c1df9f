"""How invited people come in: by a verified e-mail address, by a code, once, and nobody else."""

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
from tests.face import Face, codes, face
from tests.issuers import ec_key, user_token
from tests.scripted_live import scripted_server
from tests.sockets import socket_client

INVITE: Final = """mutation($email: String!, $role: ID!) {
    inviteUser(email: $email, name: "Ivy", roleId: $role) { id status } }"""
CODE: Final = "mutation($id: ID!) { createInvitationCode(id: $id) { code expiresAt } }"
WHO: Final = "{ viewer { user { id email status } } }"
KEYS: Final = [base64.b64encode(bytes(range(32))).decode()]
_numbers: Final = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(demo_database: str) -> AsyncIterator[Face]:
    async with face(demo_database, secret_keys=KEYS) as made:
        yield made


@pytest_asyncio.fixture
async def owner(demo_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(demo_database)
    yield connection
    await connection.close()


@pytest.fixture
def email() -> str:
    """An address that nobody has."""
    return f"Ivy{next(_numbers)}@invited.example"


def subject() -> str:
    """Of a person whom we do not know."""
    return f"user_2Invited{next(_numbers)}"


async def invite(served: Face, owner: asyncpg.Connection, email: str, user: int = 0) -> str:
    """The id of a pending user, as the administrator of that number has invited them."""
    role = await owner.fetchval("SELECT role_id FROM users WHERE id = $1", served.users[user])
    response = await served.ask(INVITE, user, variables={"email": email, "role": role})
    assert not codes(response), response.text
    invited = response.json()["data"]["inviteUser"]
    assert invited["status"] == "PENDING"
    return str(invited["id"])


async def come(
    served: Face, sub: str, query: str = WHO, invitation: str | None = None, **claims: Any
) -> httpx.Response:
    """A request of a person with a token of the identity provider."""
    headers = {"Authorization": f"Bearer {user_token(ec_key('face'), sub=sub, **claims)}"}
    if invitation is not None:
        headers["X-Invitation-Code"] = invitation
    return await served.client.post("/graphql", json={"query": query}, headers=headers)


async def code_for(served: Face, user_id: str) -> str:
    response = await served.ask(CODE, variables={"id": user_id})
    assert not codes(response), response.text
    return str(response.json()["data"]["createInvitationCode"]["code"])


async def test_a_verified_address_takes_over_the_row_that_waits_for_it(
    served: Face, owner: asyncpg.Connection, email: str
) -> None:
    waiting, sub = await invite(served, owner, email), subject()
    response = await come(served, sub, email=email.upper(), email_verified=True)
    assert response.json()["data"]["viewer"] == {
        "user": {"id": sub, "email": email, "status": "ACTIVE"},
    }
    assert await owner.fetchval("SELECT count(*) FROM users WHERE id = $1", waiting) == 0
    (row,) = await owner.fetch("SELECT * FROM audit_log WHERE table_name = 'users' AND record_id = $1", sub)
    assert json.loads(row["changes"]) == {"id": [waiting, sub], "status": ["pending", "active"]}
    assert (row["user_id"], row["actor_id"], row["actor_type"], row["action"]) == (sub, sub, "user", "update")
    assert not codes(await come(served, sub))  # whatever later tokens say


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email": None, "email_verified": True},
        {"email": ["a"], "email_verified": True},
        {"email": "other@invited.example", "email_verified": True},
        {"email": "%@invited.example", "email_verified": True},
        {"email": "nul\0@invited.example", "email_verified": True},
    ],
)
async def test_an_address_that_is_not_theirs_does_not(
    served: Face, owner: asyncpg.Connection, email: str, claims: dict[str, Any]
) -> None:
    waiting = await invite(served, owner, email)
    assert codes(await come(served, subject(), **{"email": email, **claims})) == ["UNAUTHENTICATED"]
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", waiting) == "pending"


async def test_an_address_that_two_tenants_have_invited_takes_a_code(
    served: Face, owner: asyncpg.Connection, email: str
) -> None:
    mine, _ = await invite(served, owner, email), await invite(served, owner, email, user=2)
    sub, verified = subject(), {"email": email, "email_verified": True}
    assert codes(await come(served, sub, **verified)) == ["UNAUTHENTICATED"]
    response = await come(served, sub, invitation=await code_for(served, mine), **verified)
    assert response.json()["data"]["viewer"]["user"]["id"] == sub


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET status = 'inactive' WHERE id = $1",
        "UPDATE users SET deleted_at = 1 WHERE id = $1",
        "UPDATE tenants SET status = 'suspended' WHERE id = (SELECT tenant_id FROM users WHERE id = $1)",
        "UPDATE tenants SET deleted_at = 1 WHERE id = (SELECT tenant_id FROM users WHERE id = $1)",
    ],
)
async def test_who_was_shut_out_meanwhile_stays_out(
    served: Face, owner: asyncpg.Connection, email: str, change: str
) -> None:
    waiting = await invite(served, owner, email)
    code = await code_for(served, waiting)
    await owner.execute(change, waiting)
    try:
        for more in ({"invitation": code}, {"email": email, "email_verified": True}):
            assert codes(await come(served, subject(), **more)) == ["UNAUTHENTICATED"]
        assert await owner.fetchval("SELECT count(*) FROM users WHERE id = $1", waiting) == 1
    finally:
        await owner.execute("UPDATE tenants SET status = 'active', deleted_at = NULL")


async def test_of_many_first_requests_each_is_answered_and_one_takes_over(
    served: Face, owner: asyncpg.Connection, email: str
) -> None:
    await invite(served, owner, email)
    sub = subject()
    write = "mutation { setCurrentSite(siteId: null) { id } }"
    answers = await asyncio.gather(
        *(come(served, sub, query, email=email, email_verified=True) for query in (WHO, write) * 10)
    )
    assert [codes(answer) for answer in answers] == [[]] * 20
    taken = "SELECT count(*) FROM audit_log WHERE record_id = $1 AND changes ? 'id'"
    assert await owner.fetchval(taken, sub) == 1


async def test_who_is_somebody_already_stays_that(
    served: Face, owner: asyncpg.Connection, email: str
) -> None:
    waiting = await invite(served, owner, email, user=2)
    verified = {"email": email, "email_verified": True}
    response = await come(served, served.users[1], **verified)
    assert response.json()["data"]["viewer"]["user"]["id"] == served.users[1]
    switch = "UPDATE users SET status = $2 WHERE id = $1"
    await owner.execute(switch, served.users[1], "inactive")
    try:
        assert codes(await come(served, served.users[1], **verified)) == ["UNAUTHENTICATED"]
    finally:
        await owner.execute(switch, served.users[1], "active")
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", waiting) == "pending"


async def test_a_code_lets_one_person_in_once(served: Face, owner: asyncpg.Connection, email: str) -> None:
    waiting, sub = await invite(served, owner, email), subject()
    with capture_logs() as lines:
        code = await code_for(served, waiting)
        await come(served, served.users[1], invitation=code)
    assert len(lines) == 2
    assert code not in str(lines)
    bad = (code[:-2], code[:-2] + ("AA" if code[-2:] != "AA" else "BB"), "x", "enc:v1:a:b", "{}")
    for wrong in bad:
        assert codes(await come(served, subject(), invitation=wrong)) == ["UNAUTHENTICATED"]
    assert (await come(served, sub, invitation=code)).json()["data"]["viewer"]["user"]["id"] == sub
    assert codes(await come(served, subject(), invitation=code)) == ["UNAUTHENTICATED"]
    assert not codes(await come(served, sub, invitation=code))


async def test_a_code_ends(
    served: Face, owner: asyncpg.Connection, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = await invite(served, owner, email)
    response = await served.ask(CODE, variables={"id": waiting})
    now = await owner.fetchval("SELECT app.now_ms()")
    assert 0 <= now + INVITATION_MS - response.json()["data"]["createInvitationCode"]["expiresAt"] < 60_000
    monkeypatch.setattr("services.invitations.INVITATION_MS", -1)
    code = await code_for(served, waiting)
    assert codes(await come(served, subject(), invitation=code)) == ["UNAUTHENTICATED"]


async def test_who_gets_a_code(served: Face, owner: asyncpg.Connection, email: str) -> None:
    waiting = await invite(served, owner, email)
    theirs = await invite(served, owner, email, user=2)
    assert codes(await served.ask(CODE, 1, variables={"id": waiting})) == ["FORBIDDEN"]
    for nobody in (theirs, "nobody"):
        assert codes(await served.ask(CODE, variables={"id": nobody})) == ["NOT_FOUND"]
    assert codes(await served.ask(CODE, variables={"id": served.users[1]})) == ["CONFLICT"]
    rights = "UPDATE roles SET rights = $2 WHERE id = (SELECT role_id FROM users WHERE id = $1)"
    was = await owner.fetchval(
        "SELECT rights FROM roles WHERE id = (SELECT role_id FROM users WHERE id = $1)", served.users[1]
    )
    await owner.execute(rights, served.users[1], '{"Users.Write": true}')
    try:  # a code is worth the role of whom it lets in
        assert codes(await served.ask(CODE, 1, variables={"id": waiting})) == ["FORBIDDEN"]
    finally:
        await owner.execute(rights, served.users[1], was)


async def test_a_server_without_keys_makes_none(
    served: Face, owner: asyncpg.Connection, demo_database: str, email: str
) -> None:
    waiting = await invite(served, owner, email)
    async with face(demo_database) as bare:
        assert codes(await bare.ask(CODE, variables={"id": waiting})) == ["CONFLICT"]
        verified = await come(bare, subject(), invitation="x", email=email, email_verified=True)
        assert not codes(verified)


async def test_over_a_socket(served: Face, owner: asyncpg.Connection, demo_database: str, email: str) -> None:
    waiting = await invite(served, owner, email)
    code, sub = await code_for(served, waiting), subject()
    async with scripted_server(demo_database, secret_keys=KEYS) as server:
        async with socket_client(server.url) as client:
            await client.init(server.token(sub), **{"x-invitation-code": code})
            answer = await client.ask(WHO)
            assert answer["payload"]["data"]["viewer"]["user"]["id"] == sub
        async with socket_client(server.url) as stranger:
            shown = {"Authorization": f"Bearer {server.token(subject())}", "X-Invitation-Code": code}
            await stranger.send({"type": "connection_init", "payload": shown})
            assert (await stranger.end())[0] == 4403
