"""A viewer's rights during open subscriptions: roles, users, tenants and tokens take effect at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import pytest_asyncio

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import DATE_MAX_MS, NEVER, now_ms
from core.errors import BadUserInputError, ForbiddenError, UnauthenticatedError
from core.limits import TOKEN_LEEWAY_S
from subscriptions.subscriber import DisconnectReason
from tests.live.live_engine import LiveConnection, LiveEngine, open_live_engine
from tests.waiting import wait_until

pytestmark = pytest.mark.newest

SITES: Final = "subscription { sites(first: 1) { totalCount } }"
AGENTS: Final = "subscription { agents(first: 1) { totalCount } }"
RIGHTS: Final = "subscription { viewer { rights } }"
SET_RIGHTS: Final = "UPDATE roles SET rights = $2 WHERE id = $1"
READS_SITES: Final = '{"Sites.Read": true}'
READS_BOTH: Final = '{"Sites.Read": true, "Agents.Read": true}'


@pytest_asyncio.fixture(loop_scope="session")
async def live_engine(writable_demo_database_url: str) -> AsyncIterator[LiveEngine]:
    async with open_engine_with_clerk(writable_demo_database_url) as made:
        yield made


@asynccontextmanager
async def open_engine_with_clerk(dsn: str) -> AsyncIterator[LiveEngine]:
    """An engine on a demo database with a clerk, and a role that the clerk may get."""
    async with open_live_engine(dsn) as made:
        await made.execute_sql("DELETE FROM users WHERE id LIKE 'clerk%'")
        await made.execute_sql("DELETE FROM roles WHERE id IN ('clerks', 'others')")
        for role in ("clerks", "others"):
            await made.execute_sql(
                "INSERT INTO roles (id, tenant_id, name, description, rights) VALUES ($1, $2, $1, $1, $3)",
                role, made.tenant_id, READS_BOTH,
            )  # fmt: skip
        await insert_clerks(made, "clerk")
        yield made
        await made.execute_sql("UPDATE tenants SET status = 'active', deleted_at = NULL")
        made.live.registry.validate()


async def insert_clerks(live_engine: LiveEngine, *users: str) -> None:
    await live_engine.execute_sql(
        "INSERT INTO users (id, tenant_id, role_id, email, name, status) "
        "SELECT id, $1, 'clerks', id || '@example.com', id, 'active' FROM unnest($2::text[]) id",
        live_engine.tenant_id,
        list(users),
    )


async def wait_for_disconnect(connection: LiveConnection) -> DisconnectReason:
    await wait_until(lambda: bool(connection.disconnects))
    (gone,) = connection.disconnects
    assert connection.session.viewer is None
    assert len(connection.session) == 0
    return gone.reason


@pytest.mark.role_modes
async def test_subscription_right_revoked_and_granted_hides_and_shows_answer(live_engine: LiveEngine) -> None:
    clerk = await live_engine.connect("clerk")
    subscriber, unconcerned = (
        await clerk.subscribe(AGENTS).wait_for_states(1),
        await clerk.subscribe(SITES).wait_for_states(1),
    )
    count = subscriber.data["agents"]["totalCount"]
    await live_engine.execute_sql(SET_RIGHTS, "clerks", READS_SITES)
    await live_engine.wait_until_settled()
    assert subscriber.states[1]["data"] == {"agents": None}
    assert subscriber.states[1]["errors"][0]["extensions"] == {"code": "FORBIDDEN", "right": "Agents.Read"}
    await live_engine.execute_sql(SET_RIGHTS, "clerks", READS_BOTH)
    await live_engine.wait_until_settled()
    assert [state["data"] for state in subscriber.states[2:]] == [{"agents": {"totalCount": count}}]
    assert len(unconcerned.texts) == 1


@pytest.mark.role_modes
async def test_subscription_write_that_revokes_the_right_is_not_shown(live_engine: LiveEngine) -> None:
    subscriber = await (await live_engine.connect("clerk")).subscribe(AGENTS).wait_for_states(1)
    async with live_engine.owner.transaction():
        await live_engine.owner.execute(SET_RIGHTS, "clerks", READS_SITES)
        await live_engine.owner.execute(
            "UPDATE agents SET deleted_at = 1 WHERE id = (SELECT min(id) FROM agents WHERE tenant_id = $1 "
            "AND deleted_at IS NULL)",
            live_engine.tenant_id,
        )
    await live_engine.wait_until_settled()
    assert [state["data"] for state in subscriber.states[1:]] == [{"agents": None}]


@pytest.mark.role_modes
async def test_subscription_after_role_change_follows_the_new_role(live_engine: LiveEngine) -> None:
    await live_engine.execute_sql(SET_RIGHTS, "others", READS_SITES)
    clerk = await live_engine.connect("clerk")
    subscriber = await clerk.subscribe(AGENTS).wait_for_states(1)
    mine = await clerk.subscribe(RIGHTS).wait_for_states(1)
    await live_engine.execute_sql("UPDATE users SET role_id = 'others' WHERE id = 'clerk'")
    await live_engine.wait_until_settled()
    assert subscriber.states[-1]["data"] == {"agents": None}
    assert mine.data == {"viewer": {"rights": ["Sites.Read"]}}
    await live_engine.execute_sql(SET_RIGHTS, "others", READS_BOTH)  # the new role is the watched one now
    await live_engine.wait_until_settled()
    assert subscriber.data["agents"]["totalCount"] > 0
    await live_engine.execute_sql(SET_RIGHTS, "clerks", "{}")
    runs, sign_ins = live_engine.run_count, live_engine.live.stats.sign_ins
    await live_engine.wait_until_settled()
    assert (live_engine.run_count, live_engine.live.stats.sign_ins) == (runs, sign_ins)


@pytest.mark.role_modes
async def test_viewer_irrelevant_user_change_triggers_no_sign_in(live_engine: LiveEngine) -> None:
    await (await live_engine.connect("clerk")).subscribe(SITES).wait_for_states(1)
    await live_engine.wait_until_settled()
    runs, sign_ins = live_engine.run_count, live_engine.live.stats.sign_ins
    await live_engine.execute_sql("UPDATE users SET last_activity_at = 5, name = 'Clara' WHERE id = 'clerk'")
    await live_engine.execute_sql("UPDATE roles SET description = 'As before' WHERE id = 'clerks'")
    await live_engine.execute_sql(
        "UPDATE users SET status = 'inactive' WHERE id = $1", live_engine.user_ids[2]
    )
    await live_engine.wait_until_settled()
    await live_engine.execute_sql("UPDATE users SET status = 'active' WHERE id = $1", live_engine.user_ids[2])
    assert (live_engine.run_count, live_engine.live.stats.sign_ins) == (runs, sign_ins)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE users SET status = 'inactive' WHERE id = 'clerk'",
        "UPDATE users SET deleted_at = 1 WHERE id = 'clerk'",
        "DELETE FROM users WHERE id = 'clerk'",
        "UPDATE roles SET deleted_at = 1 WHERE id = 'clerks'",
        "UPDATE tenants SET status = 'suspended' WHERE id = (SELECT tenant_id FROM users WHERE id = 'clerk')",
        "UPDATE tenants SET deleted_at = 1 WHERE id = (SELECT tenant_id FROM users WHERE id = 'clerk')",
    ],
    ids=["deactivated", "deleted", "erased", "role deleted", "tenant suspended", "tenant deleted"],
)
async def test_session_of_viewer_no_longer_allowed_is_disconnected(
    live_engine: LiveEngine, statement: str
) -> None:
    clerk, neighbour = await live_engine.connect("clerk"), await live_engine.connect(2)
    subscriber, theirs = (
        await clerk.subscribe(SITES).wait_for_states(1),
        await neighbour.subscribe(SITES).wait_for_states(1),
    )
    await live_engine.execute_sql(statement)
    assert await wait_for_disconnect(clerk) is DisconnectReason.REFUSED
    assert len(subscriber.texts) == 1
    assert subscriber.errors is None
    assert not neighbour.disconnects
    assert len(theirs.texts) == 1
    with pytest.raises(UnauthenticatedError):
        clerk.subscribe(SITES)
    with pytest.raises(UnauthenticatedError):
        await live_engine.connect("clerk")


@pytest.mark.role_modes
async def test_sessions_of_a_deactivated_user_are_disconnected_by_one_sign_in(
    live_engine: LiveEngine,
) -> None:
    sittings = [await live_engine.connect("clerk") for _ in range(20)]
    assert len(live_engine.live.viewers) == 20
    sign_ins = live_engine.live.stats.sign_ins
    await live_engine.execute_sql("UPDATE users SET status = 'inactive' WHERE id = 'clerk'")
    for connection in sittings:
        assert await wait_for_disconnect(connection) is DisconnectReason.REFUSED
    await live_engine.wait_until_settled()  # the watcher's run is counted after all messages are sent
    assert live_engine.live.stats.sign_ins == sign_ins + 1
    live = live_engine.live
    assert (len(live.viewers), len(live.viewers._matcher), len(live.registry.matcher)) == (0, 0, 0)


@pytest.mark.role_modes
async def test_role_change_of_thousand_users_acts_in_one_refresh_cycle(live_engine: LiveEngine) -> None:
    users = [f"clerk {number}" for number in range(1_000)]
    await insert_clerks(live_engine, *users)
    sittings = [await live_engine.connect(user) for user in users]
    subscribers = [connection.subscribe(AGENTS) for connection in sittings]
    await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
    await live_engine.wait_until_settled()
    assert len(live_engine.live.registry) == 1
    snapshots, runs = live_engine.live.stats.snapshots, live_engine.run_count
    await live_engine.execute_sql(SET_RIGHTS, "clerks", READS_SITES)
    await live_engine.wait_until_settled()
    assert not [each.errors for each in subscribers if each.errors]
    assert [each.states[-1]["data"] for each in subscribers] == [{"agents": None}] * len(subscribers)
    assert (
        live_engine.live.stats.snapshots - snapshots,
        live_engine.run_count - runs,
        len(live_engine.live.registry),
    ) == (1, 1, 1)


@pytest.mark.role_modes
async def test_platform_session_is_disconnected_only_when_tenant_is_deleted(live_engine: LiveEngine) -> None:
    in_tenant, without = (
        await live_engine.connect_as_platform(live_engine.tenant_id),
        await live_engine.connect_as_platform(),
    )
    subscriber = await in_tenant.subscribe(SITES).wait_for_states(1)
    tenants = await without.subscribe(
        "subscription { tenants(first: 50) { nodes { id status } } }"
    ).wait_for_states(1)
    await live_engine.execute_sql(
        "UPDATE tenants SET status = 'suspended' WHERE id = $1", live_engine.tenant_id
    )
    await live_engine.wait_until_settled()
    assert not in_tenant.disconnects
    assert len(subscriber.texts) == 1
    assert len(tenants.texts) == 2
    await live_engine.execute_sql("UPDATE tenants SET deleted_at = 1 WHERE id = $1", live_engine.tenant_id)
    assert await wait_for_disconnect(in_tenant) is DisconnectReason.REFUSED
    assert not without.disconnects
    with pytest.raises(BadUserInputError):
        await live_engine.connect_as_platform(live_engine.tenant_id)


@pytest.mark.role_modes
async def test_session_with_expired_token_is_disconnected(live_engine: LiveEngine) -> None:
    clerk = await live_engine.connect("clerk", now_ms() - TOKEN_LEEWAY_S * 1000 + 4_000)
    subscriber = await clerk.subscribe(SITES).wait_for_states(1)
    assert not clerk.disconnects
    assert await wait_for_disconnect(clerk) is DisconnectReason.EXPIRED
    assert len(subscriber.texts) == 1
    assert len(live_engine.live.registry) == 0


@pytest.mark.role_modes
async def test_renew_with_fresh_token_prolongs_the_session(live_engine: LiveEngine) -> None:
    clerk = await live_engine.connect("clerk", now_ms() - TOKEN_LEEWAY_S * 1000 + 2_000)
    subscriber = await clerk.subscribe("subscription { viewer { expiresAt } }").wait_for_states(1)
    await clerk.session.renew(Identity(ViewerKind.USER, "clerk", DATE_MAX_MS))
    await asyncio.sleep(4.2)
    assert not clerk.disconnects
    await live_engine.wait_until_settled()
    assert subscriber.data == {"viewer": {"expiresAt": DATE_MAX_MS}}
    await clerk.session.renew(Identity(ViewerKind.USER, "clerk", now_ms() - TOKEN_LEEWAY_S * 1000 + 100))
    assert await wait_for_disconnect(clerk) is DisconnectReason.EXPIRED
    with pytest.raises(ForbiddenError):
        await clerk.session.renew(Identity(ViewerKind.USER, "clerk", NEVER))


@pytest.mark.parametrize(
    "identity", [Identity(ViewerKind.USER, "another", NEVER), Identity(ViewerKind.PLATFORM, "clerk", NEVER)]
)
async def test_renew_with_another_subject_is_refused(live_engine: LiveEngine, identity: Identity) -> None:
    clerk = await live_engine.connect("clerk")
    with pytest.raises(ForbiddenError):
        await clerk.session.renew(identity)
    with pytest.raises(ForbiddenError):
        await (await live_engine.connect_as(None, None)).session.renew(identity)


@pytest.mark.role_modes
async def test_sign_in_concurrent_with_deactivation_is_disconnected(live_engine: LiveEngine) -> None:
    """The rows are read in the sign-in's own snapshot. Changes between it and the watch are replayed."""
    await (
        (await live_engine.connect(0)).subscribe(SITES).wait_for_states(1)
    )  # without subscribers the engine polls once a second
    for number in range(30):
        signing_in = asyncio.create_task(live_engine.connect("clerk"))
        await asyncio.sleep(0.0003 * number)
        await live_engine.execute_sql("UPDATE users SET status = 'inactive' WHERE id = 'clerk'")
        try:
            connection = await signing_in
        except UnauthenticatedError:
            pass
        else:
            assert await wait_for_disconnect(connection) is DisconnectReason.REFUSED
        await live_engine.execute_sql("UPDATE users SET status = 'active' WHERE id = 'clerk'")


@pytest.mark.role_modes
async def test_subscription_viewer_user_change_sends_a_message(live_engine: LiveEngine) -> None:
    subscriber = (
        await (await live_engine.connect("clerk"))
        .subscribe("subscription { viewer { user { name } } }")
        .wait_for_states(1)
    )
    await live_engine.execute_sql("UPDATE users SET name = 'Clarissa' WHERE id = 'clerk'")
    await live_engine.wait_until_settled()
    assert subscriber.data == {"viewer": {"user": {"name": "Clarissa"}}}


@pytest.mark.role_modes
async def test_subscriptions_of_two_tenants_share_no_rows(live_engine: LiveEngine) -> None:
    query = "subscription { sites(first: 500) { nodes { id } } }"
    ours: Any = await (await live_engine.connect(0)).subscribe(query).wait_for_states(1)
    theirs = await (await live_engine.connect(2)).subscribe(query).wait_for_states(1)
    await live_engine.execute_sql("UPDATE sites SET name = name || '.'")
    await live_engine.wait_until_settled()
    ids = [{site["id"] for site in subscriber.data["sites"]["nodes"]} for subscriber in (ours, theirs)]
    assert ids[0]
    assert ids[1]
    assert ids[0].isdisjoint(ids[1])


REVOKE: Final = "UPDATE issued_credentials SET revoked_at = app.now_ms() WHERE id = $1"


def make_platform_identity(token_id: str) -> Identity:
    return Identity(ViewerKind.PLATFORM, "platform", NEVER, token_id=token_id)


async def insert_platform_token(live_engine: LiveEngine, token_id: str) -> str:
    await live_engine.execute_sql(
        "INSERT INTO issued_credentials (id, kind, expires_at) VALUES ($1, 'platform', $2)", token_id, NEVER
    )
    return token_id


@pytest.mark.parametrize("in_tenant", [False, True])
async def test_revoke_platform_token_closes_its_sockets_and_no_others(
    live_engine: LiveEngine, *, in_tenant: bool
) -> None:
    tenant = live_engine.tenant_id if in_tenant else None
    lost, good = [
        await insert_platform_token(live_engine, f"{name}-{in_tenant}") for name in ("lost", "good")
    ]
    sockets = [
        await live_engine.connect_as(make_platform_identity(lost), each) for each in (tenant, tenant, None)
    ]
    others = [await live_engine.connect_as(make_platform_identity(good), tenant), await live_engine.connect()]
    query = SITES if in_tenant else "subscription { tenants { totalCount } }"
    subscriber = await sockets[0].subscribe(query).wait_for_states(1)
    kept = await others[0].subscribe(query).wait_for_states(1)
    await live_engine.execute_sql(REVOKE, lost)
    assert {await wait_for_disconnect(each) for each in sockets} == {DisconnectReason.REFUSED}
    await live_engine.wait_until_settled()
    assert not any(each.disconnects for each in others)
    assert (len(subscriber.texts), len(kept.texts), kept.errors) == (1, 1, None)
    assert all(each.session.viewer is None for each in sockets)
    with pytest.raises(UnauthenticatedError):
        await live_engine.connect_as(make_platform_identity(lost), tenant)
    with pytest.raises(UnauthenticatedError):
        sockets[1].subscribe(query)


@pytest.mark.role_modes
async def test_revoke_platform_token_closes_its_streams(live_engine: LiveEngine) -> None:
    lost = await insert_platform_token(live_engine, "lost-stream")
    socket = await live_engine.connect_as(make_platform_identity(lost), live_engine.tenant_id)
    subscriber = await socket.subscribe("subscription { agentCheckins { cursor } }").wait_for_states(1)
    assert not socket.disconnects
    await live_engine.execute_sql(REVOKE, lost)
    assert await wait_for_disconnect(socket) is DisconnectReason.REFUSED
    message_count = len(subscriber.texts)
    await live_engine.execute_sql(
        "UPDATE agents SET last_checkin_at = app.now_ms() WHERE tenant_id = $1", live_engine.tenant_id
    )
    await live_engine.wait_until_settled()
    assert len(subscriber.texts) == message_count


@pytest.mark.role_modes
async def test_renew_platform_socket_with_another_token_follows_that_token(live_engine: LiveEngine) -> None:
    first, second = [await insert_platform_token(live_engine, name) for name in ("renewed-1", "renewed-2")]
    socket = await live_engine.connect_as(make_platform_identity(first), live_engine.tenant_id)
    subscriber = await socket.subscribe(SITES).wait_for_states(1)
    await socket.session.renew(make_platform_identity(second))
    await live_engine.execute_sql(REVOKE, first)
    await live_engine.wait_until_settled()
    assert not socket.disconnects
    assert subscriber.errors is None
    await live_engine.execute_sql(REVOKE, second)
    assert await wait_for_disconnect(socket) is DisconnectReason.REFUSED


@pytest.mark.role_modes
async def test_renew_platform_socket_with_a_revoked_token_closes_it(live_engine: LiveEngine) -> None:
    first, second = [await insert_platform_token(live_engine, name) for name in ("renewed-3", "renewed-4")]
    socket = await live_engine.connect_as(make_platform_identity(first), live_engine.tenant_id)
    await live_engine.execute_sql(REVOKE, second)
    await live_engine.wait_until_settled()
    await socket.session.renew(make_platform_identity(second))
    assert await wait_for_disconnect(socket) is DisconnectReason.REFUSED


@pytest.mark.role_modes
async def test_revoke_platform_token_while_its_socket_opens_closes_it(live_engine: LiveEngine) -> None:
    for number in range(5):
        lost = await insert_platform_token(live_engine, f"race-{number}")
        socket, _ = await asyncio.gather(
            live_engine.connect_as(make_platform_identity(lost), live_engine.tenant_id),
            live_engine.execute_sql(REVOKE, lost),
            return_exceptions=True,
        )
        if isinstance(socket, BaseException):
            assert isinstance(socket, UnauthenticatedError)
        else:
            assert await wait_for_disconnect(socket) is DisconnectReason.REFUSED
