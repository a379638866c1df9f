"""Invitations without a code: a person with a verified e-mail address sees all of them, and accepts one."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import httpx
import pytest
import pytest_asyncio

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from core.errors import UnauthenticatedError
from core.limits import PENDING_INVITATIONS_MAX
from tests.graphql_harness import GraphqlHarness
from tests.http_harness import HttpHarness, error_codes, open_http_harness
from tests.issuers import issue_user_token, make_ec_key
from tests.live.live_engine import open_live_engine
from tests.scripted_live import start_scripted_server
from tests.websocket_client import connect_websocket

pytestmark = pytest.mark.newest

INVITE: Final = """mutation($email: String!, $role: ID!) {
    inviteUser(email: $email, name: "Ivy", roleId: $role) { id status } }"""
PENDING: Final = "{ pendingInvitations { id tenantName roleName inviterName invitedAt } }"
ACCEPT: Final = "mutation($id: ID!) { acceptInvitation(id: $id) { userId tenantName roleName } }"
WHO: Final = "{ viewer { user { id email status } tenant { id } } }"
DELETE: Final = "mutation($id: ID!) { deleteUser(id: $id) { id } }"
RESTORE: Final = "mutation($id: ID!) { restoreUser(id: $id) { id status } }"
WRITE: Final = "mutation { setCurrentSite(siteId: null) { id } }"
_numbers: Final = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http_harness(writable_demo_database_url: str) -> AsyncIterator[HttpHarness]:
    async with open_http_harness(writable_demo_database_url) as made:
        yield made


@pytest.fixture
def email() -> str:
    """An address that no user has."""
    return f"Person{next(_numbers)}@pending.example"


def make_subject() -> str:
    """The subject of an unknown person."""
    return f"user_2Person{next(_numbers)}"


async def fetch_tenant(owner: asyncpg.Connection, user: str) -> asyncpg.Record:
    row = await owner.fetchrow(
        "SELECT t.id, t.name, u.name AS user_name, u.role_id, r.name AS role_name FROM users u "
        "JOIN tenants t ON t.id = u.tenant_id JOIN roles r ON r.id = u.role_id WHERE u.id = $1",
        user,
    )
    assert row is not None
    return row


async def invite_user(http_harness: HttpHarness, owner: asyncpg.Connection, email: str, user: int = 0) -> str:
    """Invite a user as the administrator of that number; returns the id of the pending user."""
    role = (await fetch_tenant(owner, http_harness.user_ids[user]))["role_id"]
    response = await http_harness.post_query(INVITE, user, variables={"email": email, "role": role})
    assert not error_codes(response), response.text
    return str(response.json()["data"]["inviteUser"]["id"])


async def send_as_subject(
    http_harness: HttpHarness, sub: str, query: str, /, email: str | None = None, **given: Any
) -> httpx.Response:
    """A request of a person, with a verified address if there is one."""
    claims: dict[str, Any] = {"email": email, "email_verified": True} if email else {}
    headers = {"Authorization": f"Bearer {issue_user_token(make_ec_key('face'), sub=sub, **claims)}"}
    return await http_harness.client.post(
        "/graphql", json={"query": query, "variables": given}, headers=headers
    )


async def fetch_pending(http_harness: HttpHarness, sub: str, email: str) -> list[dict[str, Any]]:
    response = await send_as_subject(http_harness, sub, PENDING, email)
    assert not error_codes(response), response.text
    found: list[dict[str, Any]] = response.json()["data"]["pendingInvitations"]
    return found


async def accept_invitation(http_harness: HttpHarness, sub: str, email: str, id_: str) -> httpx.Response:
    return await send_as_subject(http_harness, sub, ACCEPT, email, id=id_)


async def create_accepted_user(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, user: int = 0
) -> str:
    """The subject of a person who has accepted the invitation of that administrator."""
    waiting, sub = await invite_user(http_harness, owner, email, user), make_subject()
    response = await accept_invitation(http_harness, sub, email, waiting)
    assert not error_codes(response), response.text
    return sub


async def test_accept_invitation_by_verified_email_activates_the_user(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting, sub = await invite_user(http_harness, owner, email), make_subject()
    tenant = await fetch_tenant(owner, http_harness.user_ids[0])
    (found,) = await fetch_pending(http_harness, sub, email.upper())
    created = await owner.fetchval("SELECT created_at FROM users WHERE id = $1", waiting)
    assert found == {
        "id": waiting,
        "tenantName": tenant["name"],
        "roleName": tenant["role_name"],
        "inviterName": tenant["user_name"],
        "invitedAt": created,
    }
    response = await accept_invitation(http_harness, sub, email.upper(), waiting)
    assert response.json()["data"]["acceptInvitation"] == {
        "userId": sub,
        "tenantName": tenant["name"],
        "roleName": tenant["role_name"],
    }
    (row,) = await owner.fetch("SELECT * FROM audit_log WHERE table_name = 'users' AND record_id = $1", sub)
    assert json.loads(row["changes"]) == {"id": [waiting, sub], "status": ["pending", "active"]}
    assert (row["user_id"], row["actor_id"], row["actor_type"], row["action"]) == (sub, sub, "user", "update")
    user = (await send_as_subject(http_harness, sub, WHO)).json()["data"]["viewer"]["user"]
    assert user == {"id": sub, "email": email, "status": "ACTIVE"}
    assert (
        await owner.fetchval("SELECT count(*) FROM app.unclaimed_users WHERE id = ANY($1)", [sub, waiting])
        == 0
    )


async def test_first_request_with_an_invited_email_accepts_nothing(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    """Before, the person went to the tenant that invited first."""
    waiting, sub = await invite_user(http_harness, owner, email), make_subject()
    for query in (WHO, WRITE):
        response = await send_as_subject(http_harness, sub, query, email)
        assert (response.status_code, error_codes(response)) == (401, ["UNAUTHENTICATED"])
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", waiting) == "pending"


@pytest.mark.parametrize(
    "query",
    [
        "{ pendingInvitations { id } viewer { id } }",
        "{ pendingInvitations { id } ...Rest } fragment Rest on Query { sites { totalCount } }",
        "{ pendingInvitations { id } __schema { queryType { name } } }",
        "{ __typename }",
        "{ pendingInvitations @skip(if: true) { id } __typename }",
        "{ __schema { queryType { name } } }",
        'mutation { acceptInvitation(id: "x") { userId } setCurrentSite(siteId: null) { id } }',
    ],
)
async def test_request_of_an_invited_person_for_anything_else_is_unauthenticated(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, query: str
) -> None:
    await invite_user(http_harness, owner, email)
    response = await send_as_subject(http_harness, make_subject(), query, email)
    assert (response.status_code, error_codes(response)) == (401, ["UNAUTHENTICATED"])


@pytest.mark.parametrize(
    "query",
    [
        "{ __typename mine: pendingInvitations { id } }",
        "query($no: Boolean = false) { pendingInvitations { id } sites @include(if: $no) { totalCount } }",
        "{ ...Mine } fragment Mine on Query { pendingInvitations { __typename id } }",
    ],
)
async def test_request_of_an_invited_person_for_invitations_is_answered(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, query: str
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    response = await send_as_subject(http_harness, make_subject(), query, email)
    assert waiting in response.text
    assert not error_codes(response)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email": None, "email_verified": True},
        {"email": ["a"], "email_verified": True},
        {"email": "other@pending.example", "email_verified": True},
        {"email": "%@pending.example", "email_verified": True},
        {"email": "nul\0@pending.example", "email_verified": True},
    ],
)
async def test_pending_invitations_without_own_verified_email_are_none(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, claims: dict[str, Any]
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    token = issue_user_token(make_ec_key("face"), sub=make_subject(), **{"email": email, **claims})
    headers = {"Authorization": f"Bearer {token}"}
    listed = await http_harness.client.post("/graphql", json={"query": PENDING}, headers=headers)
    assert listed.json() == {"data": {"pendingInvitations": []}}
    body = {"query": ACCEPT, "variables": {"id": waiting}}
    assert error_codes(await http_harness.client.post("/graphql", json=body, headers=headers)) == [
        "NOT_FOUND"
    ]
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", waiting) == "pending"


@pytest.mark.parametrize(
    ("invited", "shown", "same"),
    [
        ("ivan{}@github.test", "ivan{}@gi\u0307thub.test", False),
        ("kevin{}@github.test", "\u212aevin{}@github.test", False),
        ("ivan{}@github.test", "ivan{}@github\u3002test", False),
        ("ivan{}@github.test", "IVAN{}@GITHUB.TEST", True),
        ("ivan{}@münchen.test", "ivan{}@xn--mnchen-3ya.test", True),
        ("ivan{}@xn--mnchen-3ya.test", "Ivan{}@münchen.test", True),
    ],
)
async def test_pending_invitations_match_normalized_email_addresses(
    http_harness: HttpHarness, owner: asyncpg.Connection, invited: str, shown: str, *, same: bool
) -> None:
    number = next(_numbers)
    waiting, sub = await invite_user(http_harness, owner, invited.format(number)), make_subject()
    assert [found["id"] for found in await fetch_pending(http_harness, sub, shown.format(number))] == [
        waiting
    ] * same
    taken = await accept_invitation(http_harness, sub, shown.format(number), waiting)
    assert error_codes(taken) == ([] if same else ["NOT_FOUND"])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET status = 'inactive' WHERE id = $1",
        "UPDATE users SET deleted_at = 1 WHERE id = $1",
        "UPDATE tenants SET status = 'suspended' WHERE id = (SELECT tenant_id FROM users WHERE id = $1)",
        "UPDATE tenants SET deleted_at = 1 WHERE id = (SELECT tenant_id FROM users WHERE id = $1)",
        "UPDATE users SET email = 'somebody.else@pending.example' WHERE id = $1",
    ],
)
async def test_accept_invitation_after_it_ended_is_not_found(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, change: str
) -> None:
    waiting, sub = await invite_user(http_harness, owner, email), make_subject()
    await owner.execute(change, waiting)
    try:
        assert await fetch_pending(http_harness, sub, email) == []
        assert error_codes(await accept_invitation(http_harness, sub, email, waiting)) == ["NOT_FOUND"]
        assert await owner.fetchval("SELECT count(*) FROM users WHERE id = $1", waiting) == 1
    finally:
        await owner.execute("UPDATE tenants SET status = 'active', deleted_at = NULL")
        await owner.execute("DELETE FROM users WHERE id = $1", waiting)


async def test_users_platform_and_anonymous_callers_have_no_invitations(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting = await invite_user(http_harness, owner, email, user=2)
    mine = await send_as_subject(http_harness, http_harness.user_ids[1], PENDING, email)
    assert mine.json() == {"data": {"pendingInvitations": []}}
    assert error_codes(await accept_invitation(http_harness, http_harness.user_ids[1], email, waiting)) == [
        "CONFLICT"
    ]
    for query in ("{ pendingInvitations { id } }", 'mutation { acceptInvitation(id: "x") { userId } }'):
        response = await http_harness.client.post("/graphql", json={"query": query})
        assert error_codes(response) == ["UNAUTHENTICATED"]
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", waiting) == "pending"


async def test_pending_invitations_of_a_deactivated_user_are_refused(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting = await invite_user(http_harness, owner, email, user=2)
    sub = await create_accepted_user(http_harness, owner, f"also.{email}")
    await owner.execute("UPDATE users SET status = 'inactive' WHERE id = $1", sub)
    for response in (
        await send_as_subject(http_harness, sub, PENDING, email),
        await accept_invitation(http_harness, sub, email, waiting),
    ):
        assert (response.status_code, error_codes(response)) == (401, ["UNAUTHENTICATED"])


async def test_pending_invitations_of_two_tenants_only_one_can_be_accepted(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    """The second invitation blocked the first: neither admitted the person."""
    first, second = (
        await invite_user(http_harness, owner, email),
        await invite_user(http_harness, owner, email, user=2),
    )
    sub = make_subject()
    assert [found["id"] for found in await fetch_pending(http_harness, sub, email)] == [first, second]
    assert not error_codes(await accept_invitation(http_harness, sub, email, second))
    theirs = await fetch_tenant(owner, http_harness.user_ids[2])
    assert (await send_as_subject(http_harness, sub, WHO)).json()["data"]["viewer"]["tenant"]["id"] == theirs[
        "id"
    ]
    assert await owner.fetchval("SELECT status FROM users WHERE id = $1", first) == "pending"
    assert error_codes(await accept_invitation(http_harness, sub, email, first)) == ["CONFLICT"]


@pytest.mark.parametrize("again", [0, 2])
async def test_accept_invitation_by_a_deleted_user_moves_the_subject(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str, again: int
) -> None:
    """In the same tenant (0) and in another: the old row keeps the person's history in it."""
    sub = await create_accepted_user(http_harness, owner, email)
    assert not error_codes(await send_as_subject(http_harness, sub, WRITE))
    assert not error_codes(await http_harness.post_query(DELETE, variables={"id": sub}))
    assert error_codes(await send_as_subject(http_harness, sub, WHO)) == ["UNAUTHENTICATED"]
    old = await owner.fetchrow("SELECT * FROM users WHERE id = $1", sub)
    assert old is not None
    done = await owner.fetch("SELECT * FROM audit_log WHERE user_id = $1 ORDER BY id", sub)
    assert len(done) == 1

    waiting = await invite_user(http_harness, owner, email, again)
    assert [found["id"] for found in await fetch_pending(http_harness, sub, email)] == [waiting]
    assert not error_codes(await accept_invitation(http_harness, sub, email, waiting))

    renamed = await owner.fetchrow(
        "SELECT * FROM users WHERE tenant_id = $1 AND email = $2 AND deleted_at IS NOT NULL",
        old["tenant_id"],
        email,
    )
    assert renamed is not None
    assert renamed["id"] not in (sub, waiting)
    kept = ("name", "email", "role_id", "deleted_at", "created_at", "metadata", "tenant_id")
    assert [renamed[name] for name in kept] == [old[name] for name in kept]
    assert (old["status"], renamed["status"]) == ("active", "pending")
    history = await owner.fetch("SELECT * FROM audit_log WHERE user_id = $1 ORDER BY id", renamed["id"])
    assert [{**row, "user_id": sub} for row in history] == [dict(row) for row in done]
    (given_up,) = await owner.fetch("SELECT * FROM audit_log WHERE record_id = $1", renamed["id"])
    assert json.loads(given_up["changes"]) == {"id": [sub, renamed["id"]], "status": ["active", "pending"]}
    assert (given_up["actor_type"], given_up["user_id"]) == ("system", None)
    assert given_up["tenant_id"] == old["tenant_id"]
    viewer = (await send_as_subject(http_harness, sub, WHO)).json()["data"]["viewer"]
    assert viewer["user"]["id"] == sub
    assert viewer["tenant"]["id"] == (await fetch_tenant(owner, http_harness.user_ids[again]))["id"]


async def test_accept_invitation_by_a_user_of_a_deleted_tenant_succeeds(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    sub = await create_accepted_user(http_harness, owner, email)
    waiting = await invite_user(http_harness, owner, email, user=2)
    first = (await fetch_tenant(owner, sub))["id"]
    await owner.execute("UPDATE tenants SET deleted_at = 1 WHERE id = $1", first)
    try:
        assert not error_codes(await accept_invitation(http_harness, sub, email, waiting))
    finally:
        await owner.execute("UPDATE tenants SET deleted_at = NULL WHERE id = $1", first)
    left = await owner.fetchrow("SELECT * FROM users WHERE tenant_id = $1 AND email = $2", first, email)
    assert left is not None
    assert (left["status"], left["deleted_at"]) == ("pending", None)


async def test_restore_user_with_subject_in_other_tenant_is_pending(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    sub = await create_accepted_user(http_harness, owner, email)
    await http_harness.post_query(DELETE, variables={"id": sub})
    waiting = await invite_user(http_harness, owner, email, user=2)
    assert not error_codes(await accept_invitation(http_harness, sub, email, waiting))
    assert error_codes(await http_harness.post_query(RESTORE, variables={"id": sub})) == ["NOT_FOUND"]
    old = await owner.fetchval("SELECT id FROM users WHERE email = $1 AND deleted_at IS NOT NULL", email)
    restored = await http_harness.post_query(RESTORE, variables={"id": old})
    assert restored.json()["data"]["restoreUser"] == {"id": old, "status": "PENDING"}
    other = make_subject()
    assert [found["id"] for found in await fetch_pending(http_harness, other, email)] == [old]
    assert not error_codes(await accept_invitation(http_harness, other, email, old))


async def test_restore_user_with_subject_in_newer_row_is_a_conflict(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    sub = await create_accepted_user(http_harness, owner, email)
    await http_harness.post_query(DELETE, variables={"id": sub})
    waiting = await invite_user(http_harness, owner, email)
    refused = await http_harness.post_query(RESTORE, variables={"id": sub})  # while the newer one waits
    assert error_codes(refused) == ["CONFLICT"]
    assert list(refused.json()["errors"][0]["extensions"]["fields"]) == ["email"]
    assert not error_codes(await accept_invitation(http_harness, sub, email, waiting))
    old = await owner.fetchval("SELECT id FROM users WHERE email = $1 AND deleted_at IS NOT NULL", email)
    refused = await http_harness.post_query(RESTORE, variables={"id": old})
    assert error_codes(refused) == ["CONFLICT"]
    await http_harness.post_query(DELETE, variables={"id": sub})
    assert not error_codes(await http_harness.post_query(RESTORE, variables={"id": old}))
    assert not error_codes(await accept_invitation(http_harness, sub, email, old))
    assert (await send_as_subject(http_harness, sub, WHO)).json()["data"]["viewer"]["user"]["id"] == sub


async def test_create_user_by_platform_with_a_deleted_subject_succeeds(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    sub = await create_accepted_user(http_harness, owner, email)
    theirs = await fetch_tenant(owner, http_harness.user_ids[2])
    new = {"id": sub, "email": email, "name": "Ivy", "roleId": theirs["role_id"]}
    graph = GraphqlHarness(http_harness.database)
    query = "mutation($input: CreateUserInput!) { createUser(input: $input) { id tenantId } }"
    assert (await graph.execute_as_platform(theirs["id"], query, input=new)).codes == ["CONFLICT"]
    await http_harness.post_query(DELETE, variables={"id": sub})
    made = await graph.execute_as_platform(theirs["id"], query, input=new)
    assert made.data == {"createUser": {"id": sub, "tenantId": theirs["id"]}}


async def test_accept_invitation_imported_under_the_own_subject_succeeds(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    sub = make_subject()
    mine = await fetch_tenant(owner, http_harness.user_ids[0])
    await owner.execute(
        "INSERT INTO users (id, tenant_id, role_id, email, name, status) VALUES ($1, $2, $3, $4, 'I', 'pending')",
        sub,
        mine["id"],
        mine["role_id"],
        email,
    )
    (found,) = await fetch_pending(http_harness, sub, email)
    assert (found["id"], found["inviterName"]) == (sub, None)
    assert not error_codes(await accept_invitation(http_harness, sub, email, sub))
    assert (await send_as_subject(http_harness, sub, WHO)).json()["data"]["viewer"]["user"][
        "status"
    ] == "ACTIVE"


async def test_pending_invitations_over_the_limit_are_cut(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    await owner.execute("INSERT INTO roles (id, name, description) VALUES ('many-role', 'Role', '')")
    count = PENDING_INVITATIONS_MAX + 1
    await owner.execute(
        "INSERT INTO tenants (id, name, status) SELECT 'many-' || n, 'Many', 'active' FROM generate_series(1, $1) n",
        count,
    )
    await owner.execute(
        "INSERT INTO users (id, tenant_id, role_id, email, name, status) "
        "SELECT 'many-' || n, 'many-' || n, 'many-role', $2, 'I', 'pending' FROM generate_series(1, $1) n",
        count,
        email,
    )
    assert len(await fetch_pending(http_harness, make_subject(), email)) == PENDING_INVITATIONS_MAX
    headers = {
        "Authorization": f"Bearer {issue_user_token(make_ec_key('face'), sub=make_subject(), email=email, email_verified=True)}"  # noqa: E501
    }
    body = {"query": "{ pendingInvitations { id } }", "extensions": {"cost": True}}
    response = await http_harness.client.post("/graphql", json=body, headers=headers)
    assert response.json()["extensions"]["cost"]["estimated"] == PENDING_INVITATIONS_MAX


async def test_accept_invitation_by_many_concurrently_admits_one(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    waiting = await invite_user(http_harness, owner, email)
    answers = await asyncio.gather(
        *(accept_invitation(http_harness, make_subject(), email, waiting) for _ in range(8))
    )
    assert sorted(map(error_codes, answers)) == [[]] + [["NOT_FOUND"]] * 7
    assert await owner.fetchval("SELECT count(*) FROM users WHERE email = $1", email) == 1


async def test_accept_invitation_of_two_tenants_concurrently_accepts_one(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    for _ in range(4):
        both = [await invite_user(http_harness, owner, email, user) for user in (0, 2)]
        sub = make_subject()
        answers = await asyncio.gather(
            *(accept_invitation(http_harness, sub, email, id_) for id_ in both * 2)
        )
        assert sorted(map(error_codes, answers)) == [[], *[["CONFLICT"]] * 3]
        assert await owner.fetchval("SELECT count(*) FROM users WHERE id = $1", sub) == 1
        await owner.execute("UPDATE users SET deleted_at = 1 WHERE email = $1", email)


async def test_accept_invitation_while_it_is_deleted_has_one_winner(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    for _ in range(6):
        waiting, sub = await invite_user(http_harness, owner, email), make_subject()
        accepted, deleted = await asyncio.gather(
            accept_invitation(http_harness, sub, email, waiting),
            http_harness.post_query(DELETE, variables={"id": waiting}),
        )
        assert sorted([error_codes(accepted), error_codes(deleted)]) == [[], ["NOT_FOUND"]]
        row = await owner.fetchrow(
            "SELECT * FROM users WHERE email = $1 AND created_at > 1 ORDER BY id DESC", email
        )
        assert row is not None
        if error_codes(accepted):
            assert await owner.fetchval("SELECT deleted_at IS NOT NULL FROM users WHERE id = $1", waiting)
        else:
            assert await owner.fetchval("SELECT deleted_at IS NULL FROM users WHERE id = $1", sub)
        await owner.execute("UPDATE users SET deleted_at = 1 WHERE email = $1", email)


async def test_accept_invitation_while_old_row_is_restored_has_one_winner(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    for number in range(6):
        mine = f"{number}.{email}"
        sub = await create_accepted_user(http_harness, owner, mine)
        await http_harness.post_query(DELETE, variables={"id": sub})
        waiting = await invite_user(http_harness, owner, mine, user=2)
        accepted, restored = await asyncio.gather(
            accept_invitation(http_harness, sub, mine, waiting),
            http_harness.post_query(RESTORE, variables={"id": sub}),
        )
        ends = (error_codes(accepted), error_codes(restored))
        assert ends in (([], ["NOT_FOUND"]), (["UNAUTHENTICATED"], []), (["CONFLICT"], []))
        assert (
            await owner.fetchval("SELECT count(*) FROM users WHERE id = $1 AND deleted_at IS NULL", sub) == 1
        )


async def test_invite_user_concurrently_creates_one_invitation(
    http_harness: HttpHarness, owner: asyncpg.Connection, email: str
) -> None:
    role = (await fetch_tenant(owner, http_harness.user_ids[0]))["role_id"]
    given = ({"email": text, "role": role} for text in (email, email.upper(), email.lower(), email))
    answers = await asyncio.gather(*(http_harness.post_query(INVITE, variables=each) for each in given))
    assert sorted(map(error_codes, answers)) == [[], *[["CONFLICT"]] * 3]


async def test_socket_of_an_invited_person_is_refused_until_they_accept(
    http_harness: HttpHarness, owner: asyncpg.Connection, writable_demo_database_url: str, email: str
) -> None:
    waiting, sub = await invite_user(http_harness, owner, email), make_subject()
    async with start_scripted_server(writable_demo_database_url) as server:
        token = server.issue_token(sub, email=email, email_verified=True)
        async with connect_websocket(server.url) as client:
            await client.send({"type": "connection_init", "payload": {"Authorization": f"Bearer {token}"}})
            code, reason = await client.wait_for_close()
            assert (code, reason) == (4403, "VIEWER_INACTIVE: There is no active user for this token.")
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:
            response = await http.post(
                f"{server.url}/graphql", json={"query": ACCEPT, "variables": {"id": waiting}}
            )
            assert not error_codes(response), response.text
        async with connect_websocket(server.url) as client:
            await client.init(token)
            answer = await client.execute(WHO)
            assert answer["payload"]["data"]["viewer"]["user"]["id"] == sub


async def test_subscription_to_pending_invitations_of_a_user_is_empty(
    writable_demo_database_url: str,
) -> None:
    async with open_live_engine(writable_demo_database_url) as demo:
        answer = (
            await (await demo.connect())
            .subscribe("subscription { pendingInvitations { id } }")
            .wait_for_states(1)
        )
        assert answer.data == {"pendingInvitations": []}
        stranger = Identity(ViewerKind.USER, make_subject(), NEVER, "x@pending.example")
        with pytest.raises(UnauthenticatedError):
            await demo.connect_as(stranger, None)
