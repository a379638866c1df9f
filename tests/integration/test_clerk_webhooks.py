"""Clerk's webhooks over HTTP, signed as Svix signs them: what they change, once, and what is refused."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from core.errors import StartupError
from core.settings import Settings
from services.users.clerk_webhooks import ClerkSecret
from subscriptions.subscriber import DisconnectReason
from tests.http_harness import HttpHarness, error_codes, open_http_harness
from tests.live.live_engine import open_live_engine
from tests.waiting import wait_until

pytestmark = pytest.mark.newest

KEY = b"0123456789abcdef01234567"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http(writable_demo_database_url: str) -> AsyncIterator[HttpHarness]:
    async with open_http_harness(writable_demo_database_url, clerk_webhook_secret=SECRET) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(writable_demo_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(writable_demo_database_url)
    yield connection
    await connection.close()


def sign(delivery_id: str, timestamp: str, body: bytes, key: bytes = KEY) -> str:
    """The signature of Svix's description: HMAC-SHA256 of id, timestamp and body, in base64."""
    message = b".".join((delivery_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def new_delivery_id() -> str:
    return f"msg_{next(_numbers)}"


async def deliver(
    http: HttpHarness, event: object, delivery_id: str | None = None, **headers: str | None
) -> httpx.Response:
    """Deliver an event as Clerk does; some headers may be replaced, and None removes one."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    given, timestamp = delivery_id or new_delivery_id(), str(int(time.time()))
    usual: dict[str, str | None] = {
        "svix-id": given, "svix-timestamp": timestamp, "svix-signature": sign(given, timestamp, body),
    }  # fmt: skip
    changed = usual | {name.replace("_", "-"): value for name, value in headers.items()}
    return await http.client.post(
        "/webhooks/clerk",
        content=body,
        headers={name: value for name, value in changed.items() if value is not None},
    )


def updated_event(subject: str, updated_at: int, **data: Any) -> dict[str, Any]:
    email = data.pop("email", None)
    verified = data.pop("verified", "verified")
    addresses = [{"id": "idn_0", "email_address": "other@x.example", "verification": {"status": "verified"}}]
    if email:
        addresses.append({"id": "idn_1", "email_address": email, "verification": {"status": verified}})
    usual = {"id": subject, "updated_at": updated_at, "first_name": "Ada", "last_name": "Lovelace"}
    named = {"primary_email_address_id": "idn_1", "email_addresses": addresses}
    return {"type": "user.updated", "object": "event", "data": usual | named | data}


async def read_user(owner: asyncpg.Connection, subject: str) -> asyncpg.Record:
    row = await owner.fetchrow("SELECT * FROM users WHERE id = $1", subject)
    assert row is not None
    return row


@pytest_asyncio.fixture
async def subject(owner: asyncpg.Connection, http: HttpHarness) -> str:
    """A new active user of the first tenant."""
    name = f"user_clerk{next(_numbers)}"
    await owner.execute(
        "INSERT INTO users (id, tenant_id, role_id, email, name, status) "
        "SELECT $1, tenant_id, role_id, $1 || '@x.example', 'Old', 'active' FROM users WHERE id = $2",
        name,
        http.user_ids[0],
    )
    return name


async def test_webhook_of_update_changes_name_and_verified_email(
    http: HttpHarness, owner: asyncpg.Connection, subject: str
) -> None:
    before = await read_user(owner, subject)
    answer = await deliver(http, updated_event(subject, 1_000, email=f"new-{subject}@x.example"))
    assert answer.status_code == 204
    after = await read_user(owner, subject)
    assert (after["name"], after["email"]) == ("Ada Lovelace", f"new-{subject}@x.example")
    assert after["updated_at"] > before["updated_at"]
    assert (after["status"], after["role_id"]) == (before["status"], before["role_id"])
    audit = await owner.fetch("SELECT * FROM audit_log WHERE record_id = $1", subject)
    assert [(row["actor_type"], row["actor_id"], row["action"]) for row in audit] == [
        ("platform", "clerk", "update")
    ]
    assert json.loads(audit[0]["changes"])["name"] == ["Old", "Ada Lovelace"]


@pytest.mark.parametrize("verified", ["unverified", "expired", None])
async def test_webhook_with_unverified_email_changes_only_the_name(
    http: HttpHarness, owner: asyncpg.Connection, subject: str, verified: str | None
) -> None:
    event = updated_event(subject, 1_000, email=f"new-{subject}@x.example", verified=verified)
    assert (await deliver(http, event)).status_code == 204
    row = await read_user(owner, subject)
    assert (row["name"], row["email"]) == ("Ada Lovelace", f"{subject}@x.example")


async def test_webhook_with_email_of_another_user_changes_only_the_name(
    http: HttpHarness, owner: asyncpg.Connection, subject: str
) -> None:
    taken = (await read_user(owner, http.user_ids[0]))["email"]
    assert (await deliver(http, updated_event(subject, 1_000, email=taken.upper()))).status_code == 204
    row = await read_user(owner, subject)
    assert (row["name"], row["email"]) == ("Ada Lovelace", f"{subject}@x.example")


@pytest.mark.parametrize("updated_at", [999, 1_000])
async def test_webhook_that_is_stale_changes_nothing(
    http: HttpHarness, owner: asyncpg.Connection, subject: str, updated_at: int
) -> None:
    await deliver(http, updated_event(subject, 1_000))
    before = await read_user(owner, subject)
    assert (await deliver(http, updated_event(subject, updated_at, first_name="Stale"))).status_code == 204
    assert await read_user(owner, subject) == before
    await deliver(http, updated_event(subject, 1_001, first_name="Newer"))
    assert (await read_user(owner, subject))["name"] == "Newer Lovelace"


async def test_webhook_delivered_again_changes_nothing(
    http: HttpHarness, owner: asyncpg.Connection, subject: str
) -> None:
    delivery_id = new_delivery_id()
    await deliver(http, updated_event(subject, 1_000), delivery_id)
    await owner.execute("UPDATE users SET name = 'Ours' WHERE id = $1", subject)
    await owner.execute("DELETE FROM app.clerk_users WHERE user_id = $1", subject)
    answers = await asyncio.gather(
        *(deliver(http, updated_event(subject, 1_000), delivery_id) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {204}
    assert (await read_user(owner, subject))["name"] == "Ours"


async def test_webhook_of_deletion_shuts_the_person_out_at_once(
    http: HttpHarness, owner: asyncpg.Connection, subject: str
) -> None:
    http.user_ids.append(subject)
    assert error_codes(await http.post_query("{ viewer { user { id } } }", user=-1)) == []
    event = {"type": "user.deleted", "data": {"id": subject, "deleted": True}}
    assert (await deliver(http, event)).status_code == 204
    assert error_codes(await http.post_query("{ viewer { user { id } } }", user=-1)) == ["UNAUTHENTICATED"]
    assert (await read_user(owner, subject))["status"] == "inactive"
    late = updated_event(subject, int(time.time() * 1000), first_name="Late")
    assert (await deliver(http, late)).status_code == 204
    row = await read_user(owner, subject)
    assert (row["status"], row["name"]) == ("inactive", "Old")


async def test_webhook_of_deletion_ends_live_queries_on_every_server(
    http: HttpHarness, writable_demo_database_url: str, subject: str
) -> None:
    async with (
        open_live_engine(writable_demo_database_url) as first,
        open_live_engine(writable_demo_database_url) as second,
    ):
        connections = [await server.connect(subject) for server in (first, second)]
        for connection in connections:
            await connection.subscribe("subscription { sites { totalCount } }").wait_for_states(1)
        await deliver(http, {"type": "user.deleted", "data": {"id": subject, "deleted": True}})
        await wait_until(lambda: all(connection.disconnects for connection in connections))
        reasons = {connection.disconnects[0].reason for connection in connections}
        assert reasons == {DisconnectReason.REFUSED}


async def test_webhook_of_deletion_shuts_out_the_last_administrator(
    http: HttpHarness, owner: asyncpg.Connection
) -> None:
    await owner.execute("INSERT INTO tenants (id, name, status) VALUES ('lone', 'Lone', 'active')")
    await owner.execute(
        "INSERT INTO users (id, tenant_id, role_id, email, name, status) "
        "SELECT 'user_lone', 'lone', role_id, 'l@x.example', 'L', 'active' FROM users WHERE id = $1",
        http.user_ids[0],
    )
    await deliver(http, {"type": "user.deleted", "data": {"id": "user_lone", "deleted": True}})
    assert (await read_user(owner, "user_lone"))["status"] == "inactive"


@pytest.mark.parametrize("kind", ["user.created", "user.updated", "user.deleted", "session.created"])
async def test_webhook_about_nobody_here_or_of_another_kind_is_accepted(http: HttpHarness, kind: str) -> None:
    event = updated_event("user_nobody", 1_000) | {"type": kind}
    assert (await deliver(http, event)).status_code == 204


@pytest.mark.parametrize(
    "headers",
    [
        {"svix_signature": None},
        {"svix_id": None},
        {"svix_timestamp": None},
        {"svix_signature": ""},
        {"svix_signature": "v1,"},
        {"svix_signature": "v1,AAAA"},
        {"svix_signature": "v2," + "A" * 44},
        {"svix_id": "msg_other"},
        {"svix_timestamp": "1"},
        {"svix_timestamp": "99999999999"},
        {"svix_timestamp": "9" * 500},
        {"svix_timestamp": "-5"},
        {"svix_timestamp": "now"},
    ],
)
async def test_webhook_with_invalid_signature_is_refused(
    http: HttpHarness, owner: asyncpg.Connection, subject: str, headers: dict[str, str | None]
) -> None:
    before = await read_user(owner, subject)
    answer = await deliver(http, updated_event(subject, 1_000), **headers)
    assert answer.status_code == 401
    assert await read_user(owner, subject) == before


@pytest.mark.parametrize("age_s", [-320, 320])
async def test_webhook_with_valid_signature_of_another_time_is_refused(
    http: HttpHarness, subject: str, age_s: int
) -> None:
    body, timestamp = json.dumps(updated_event(subject, 1_000)).encode(), str(int(time.time()) + age_s)
    answer = await deliver(
        http, body, "msg_old", svix_timestamp=timestamp, svix_signature=sign("msg_old", timestamp, body)
    )
    assert answer.status_code == 401


async def test_webhook_with_several_signatures_needs_one_that_is_valid(
    http: HttpHarness, owner: asyncpg.Connection, subject: str
) -> None:
    body, timestamp = json.dumps(updated_event(subject, 1_000)).encode(), str(int(time.time()))
    of_other_key = sign("msg_two", timestamp, body, b"x" * 24)
    both = f"{of_other_key} {sign('msg_two', timestamp, body)}"
    refused = await deliver(http, body, "msg_two", svix_timestamp=timestamp, svix_signature=of_other_key)
    accepted = await deliver(http, body, "msg_two", svix_timestamp=timestamp, svix_signature=both)
    assert (refused.status_code, accepted.status_code) == (401, 204)
    assert (await read_user(owner, subject))["name"] == "Ada Lovelace"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"type": "user.updated"}',
        b'{"type": "user.updated", "data": {"id": "x"}}',
        b'{"type": "user.updated", "data": {"id": "x", "updated_at": 1, "email_addresses": 7}}',
        b'{"type": "user.updated", "data": {"id": "x", "updated_at": 1, "email_addresses": [7]}}',
    ],
)
async def test_webhook_with_malformed_body_is_refused(http: HttpHarness, body: bytes) -> None:
    assert (await deliver(http, body)).status_code == 400


async def test_webhook_with_values_that_are_invalid_here_is_accepted_and_changes_nothing(
    http: HttpHarness, owner: asyncpg.Connection, subject: str
) -> None:
    before = await read_user(owner, subject)
    assert (await deliver(http, updated_event(subject, 1_000, first_name="x" * 5_000))).status_code == 204
    assert await read_user(owner, subject) == before


async def test_webhook_with_too_long_body_is_refused(http: HttpHarness) -> None:
    assert (await deliver(http, b" " * (256 * 1024 + 1))).status_code == 413


@pytest.mark.newest
async def test_webhook_without_a_secret_is_not_there(demo_database_url: str) -> None:
    async with open_http_harness(demo_database_url) as http:
        assert (await deliver(http, updated_event("x", 1))).status_code == 404


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_!!!", base64.b64encode(KEY).decode()])
def test_webhook_secret_of_another_form_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(StartupError, match="CLERK_WEBHOOK_SECRET") as caught:
        ClerkSecret(secret)
    assert not secret or secret not in str(caught.value).replace("whsec_...", "")


def test_webhook_secret_is_not_shown_by_the_settings() -> None:
    assert SECRET not in repr(Settings.model_validate({"clerk_webhook_secret": SECRET}))
