"""Live queries on real PostgreSQL: the messages and their times, and queries that do not run at all."""

import asyncio
from itertools import pairwise
from time import monotonic
from typing import Final

import asyncpg
import orjson
import pytest

from core.errors import BadUserInputError, ForbiddenError, UnauthenticatedError
from demo.load import AS_PLATFORM
from resolvers.documents.validation import RefusedOperationError
from tests.live.live_engine import LiveEngine, open_live_engine
from tests.sealed_tokens import open_snapshot
from tests.waiting import wait_until

SITE: Final = (
    "subscription ($id: ID!) { site(id: $id) { name agents(first: 3) { totalCount nodes { hostname } } } }"
)
NAME: Final = "subscription ($id: ID!) { site(id: $id) { name } }"
SITES: Final = "subscription { sites(first: 500, orderBy: [{field: NAME}]) { nodes { name } } }"
LOADERS: Final = {"way": "loaders"}
RENAME: Final = "UPDATE sites SET name = $2 WHERE id = $1"


async def fetch_site_ids(live_engine: LiveEngine, user: int = 0) -> list[str]:
    """The ids of the sites of a user's tenant."""
    found = await live_engine.execute_sql(
        "SELECT array_agg(s.id ORDER BY s.id) FROM sites s JOIN users u ON u.tenant_id = s.tenant_id "
        "WHERE u.id = $1 AND s.deleted_at IS NULL",
        live_engine.user_ids[user],
    )
    return list(found)


@pytest.mark.role_modes
async def test_subscribe_first_message_is_the_current_answer(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    name = await live_engine.execute_sql("SELECT name FROM sites WHERE id = $1", site)
    subscriber = await (await live_engine.connect()).subscribe(SITE, id=site).wait_for_states(1)
    assert subscriber.site_names == [name]
    await live_engine.wait_until_settled()
    assert len(subscriber.texts) == 1


@pytest.mark.role_modes
async def test_subscription_changed_row_sends_one_message_unchanged_none(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    subscriber = await (await live_engine.connect()).subscribe(SITE, id=site).wait_for_states(1)
    await live_engine.execute_sql(RENAME, site, "Changed")
    await live_engine.wait_until_settled()
    assert subscriber.site_names[1:] == ["Changed"]
    await live_engine.execute_sql("UPDATE sites SET name = name WHERE id = $1", site)
    await live_engine.wait_until_settled()
    assert len(subscriber.texts) == 2


@pytest.mark.role_modes
async def test_subscription_changed_nested_row_sends_a_message(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    subscriber = await (await live_engine.connect()).subscribe(SITE, id=site).wait_for_states(1)
    before = subscriber.data["site"]["agents"]
    agent = await live_engine.execute_sql(
        "SELECT min(id) FROM agents WHERE site_id = $1 AND deleted_at IS NULL", site
    )
    await live_engine.execute_sql("UPDATE agents SET hostname = 'AAAA' WHERE id = $1", agent)
    await live_engine.wait_until_settled()
    assert subscriber.data["site"]["agents"]["nodes"][0]["hostname"] == "AAAA"
    await live_engine.execute_sql("UPDATE agents SET deleted_at = 1 WHERE id = $1", agent)
    await live_engine.wait_until_settled()
    assert subscriber.data["site"]["agents"]["totalCount"] == before["totalCount"] - 1
    await live_engine.execute_sql("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


@pytest.mark.role_modes
async def test_subscription_missing_row_sends_its_insert_and_delete(live_engine: LiveEngine) -> None:
    subscriber = await (await live_engine.connect()).subscribe(NAME, id="to come").wait_for_states(1)
    assert subscriber.data == {"site": None}
    await live_engine.execute_sql(
        "INSERT INTO sites (id, tenant_id, name, slug) VALUES ('to come', $1, 'There', 'there')",
        live_engine.tenant_id,
    )
    await live_engine.wait_until_settled()
    assert subscriber.data == {"site": {"name": "There"}}
    await live_engine.execute_sql("DELETE FROM sites WHERE id = 'to come'")
    await live_engine.wait_until_settled()
    assert subscriber.data == {"site": None}


@pytest.mark.parametrize("extensions", [{}, LOADERS], ids=["compiled", "loaders"])
async def test_subscription_compiled_and_by_loaders_sends_changes(
    live_engine: LiveEngine, extensions: dict[str, str]
) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    connection = await live_engine.connect_as_platform(live_engine.tenant_id)
    subscriber = await connection.subscribe(SITE, extensions, id=site).wait_for_states(1)
    await live_engine.execute_sql(RENAME, site, f"By {extensions}")
    await live_engine.wait_until_settled()
    assert subscriber.site_names[1:] == [f"By {extensions}"]
    assert live_engine.live.stats.runs["loaders" if extensions else "alone"] == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sites SET name = name || '.' WHERE tenant_id <> $1",
        "UPDATE sites SET metadata = '[]' WHERE tenant_id = $1",
        "UPDATE agents SET last_checkin_at = last_checkin_at + 1 WHERE tenant_id = $1",
        "UPDATE sites SET name = name || '.' WHERE tenant_id = $1 AND id <> "
        "(SELECT min(id) FROM sites WHERE tenant_id = $1 AND deleted_at IS NULL)",
        "INSERT INTO agent_api_logs SELECT l.* FROM agent_api_logs l WHERE l.tenant_id = $1 AND false",
    ],
    ids=["another tenant", "a column that is not read", "check-ins", "other rows", "nothing"],
)
async def test_subscription_irrelevant_write_runs_no_query(live_engine: LiveEngine, statement: str) -> None:
    subscriber = (
        await (await live_engine.connect())
        .subscribe(SITE, id=(await fetch_site_ids(live_engine))[0])
        .wait_for_states(1)
    )
    await live_engine.wait_until_settled()
    runs = live_engine.run_count
    await live_engine.execute_sql(statement, live_engine.tenant_id)
    await live_engine.wait_until_settled()
    assert live_engine.run_count == runs
    assert len(subscriber.texts) == 1


@pytest.mark.role_modes
async def test_subscription_rolled_back_write_runs_no_query(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    subscriber = await (await live_engine.connect()).subscribe(NAME, id=site).wait_for_states(1)
    await live_engine.wait_until_settled()
    runs = live_engine.run_count
    transaction = live_engine.owner.transaction()
    await transaction.start()
    await live_engine.owner.execute(RENAME, site, "Never")
    await live_engine.wait_until_settled()
    await transaction.rollback()
    await live_engine.wait_until_settled()
    assert live_engine.run_count == runs
    assert len(subscriber.texts) == 1


@pytest.mark.role_modes
async def test_subscription_write_committed_after_later_ones_is_seen(live_engine: LiveEngine) -> None:
    first, second = (await fetch_site_ids(live_engine))[:2]
    live_connection = await live_engine.connect()
    one, other = (
        await live_connection.subscribe(NAME, id=first).wait_for_states(1),
        await live_connection.subscribe(NAME, id=second).wait_for_states(1),
    )
    async with live_engine.owner.transaction():
        await live_engine.owner.execute(RENAME, first, "Long before")
        async with live_engine.database.pool.acquire() as connection, connection.transaction():
            await connection.execute(AS_PLATFORM)
            await connection.execute(RENAME, second, "Short after")
        await live_engine.wait_until_settled()
        assert other.site_names[-1] == "Short after"
    await live_engine.wait_until_settled()
    assert one.site_names[-1] == "Long before"


@pytest.mark.role_modes
async def test_subscription_with_hundred_subscribers_runs_once(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    sittings = [await live_engine.connect() for _ in range(100)]
    subscribers = [connection.subscribe(NAME, id=site) for connection in sittings]
    await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
    assert len(live_engine.live.registry) == 1
    runs = live_engine.run_count
    await live_engine.execute_sql(RENAME, site, "For all")
    await live_engine.wait_until_settled()
    assert live_engine.run_count - runs == 1
    assert {each.texts[-1] for each in subscribers} == {'{"data":{"site":{"name":"For all"}}}'}


@pytest.mark.role_modes
async def test_subscribe_to_a_running_query_is_answered_without_a_run(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    connection = await live_engine.connect()
    await connection.subscribe(NAME, id=site).wait_for_states(1)
    runs = live_engine.run_count
    subscriber = await connection.subscribe(NAME, id=site).wait_for_states(1)
    assert live_engine.run_count == runs
    assert subscriber.site_names == [
        await live_engine.execute_sql("SELECT name FROM sites WHERE id = $1", site)
    ]


@pytest.mark.role_modes
async def test_subscribe_after_own_write_reads_it_in_the_first_message(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    connection = await live_engine.connect()
    await connection.subscribe(NAME, id=site).wait_for_states(1)
    for number in range(50):
        await live_engine.execute_sql(RENAME, site, f"Written {number}")
        subscriber = await connection.subscribe(NAME, id=site).wait_for_states(1)
        assert subscriber.site_names[0] == f"Written {number}"


@pytest.mark.role_modes
async def test_subscriptions_of_one_shape_and_tenant_share_one_statement(live_engine: LiveEngine) -> None:
    ids = (await fetch_site_ids(live_engine)) + [f"nothing {number}" for number in range(80)]
    connection = await live_engine.connect()
    subscribers = [connection.subscribe(NAME, id=site) for site in ids]
    await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
    await live_engine.wait_until_settled()
    figures = live_engine.live.stats
    statements, runs, snapshots = figures.statements, figures.total_runs, figures.snapshots
    await live_engine.execute_sql(
        "UPDATE sites SET name = name || '!' WHERE tenant_id = $1", live_engine.tenant_id
    )
    await live_engine.wait_until_settled()
    touched = len(await fetch_site_ids(live_engine))
    assert figures.total_runs - runs == touched
    assert figures.snapshots - snapshots == 1
    assert figures.statements - statements <= 2  # one that acts for the tenant, one that answers
    for each, site in zip(subscribers, ids, strict=True):
        name = await live_engine.execute_sql("SELECT name FROM sites WHERE id = $1", site)
        assert each.data == {"site": name and {"name": name}}


@pytest.mark.role_modes
async def test_subscriptions_of_two_tenants_in_one_batch_stay_separate(live_engine: LiveEngine) -> None:
    ours, theirs = await fetch_site_ids(live_engine), await fetch_site_ids(live_engine, 2)
    we, they = await live_engine.connect(), await live_engine.connect(2)
    subscribers = [(who.subscribe(NAME, id=site), site in own) for who, own in ((we, ours), (they, theirs))
            for site in (*ours, *theirs)]  # fmt: skip
    await asyncio.gather(*(each.wait_for_states(1) for each, _ in subscribers))
    await live_engine.execute_sql("UPDATE sites SET name = name || '?'")
    await live_engine.wait_until_settled()
    for each, own in subscribers:
        assert (each.data["site"] is not None) is own
        assert len(each.texts) == 1 + own


@pytest.mark.role_modes
async def test_subscriptions_of_one_socket_agree_at_every_snapshot(live_engine: LiveEngine) -> None:
    """Two rows that are always written together agree in every tick, with either strategy."""
    one, other = (await fetch_site_ids(live_engine))[:2]
    connection = await live_engine.connect_as_platform(live_engine.tenant_id)
    for site in (one, other):
        await live_engine.execute_sql(RENAME, site, "0")
    snapshot = {"snapshot": True}
    pair = [
        connection.subscribe(NAME, snapshot, id=one),
        connection.subscribe(NAME, {**snapshot, **LOADERS}, id=other),
    ]
    await asyncio.gather(*(subscribers.wait_for_states(1) for subscribers in pair))
    for number in range(1, 60):
        await live_engine.execute_sql(
            "UPDATE sites SET name = $3 WHERE id IN ($1, $2)", one, other, str(number)
        )
    await live_engine.wait_until_settled()
    subscribers = [
        {s["extensions"]["snapshot"]: s["data"]["site"]["name"] for s in each.states} for each in pair
    ]
    assert subscribers[0] == subscribers[1]
    assert pair[0].site_names[-1] == "59"


@pytest.mark.role_modes
async def test_subscription_snapshots_when_requested_only_advance(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(NAME, {"snapshot": True, "cost": True}, id=site).wait_for_states(
        1
    )
    for number in range(20):
        await live_engine.execute_sql(RENAME, site, f"Moment {number}")
        await asyncio.sleep(0.003)
    await live_engine.wait_until_settled()
    snapshots = [open_snapshot(state["extensions"]["snapshot"]) for state in subscriber.states]
    assert all(later.includes(earlier) and later != earlier for earlier, later in pairwise(snapshots))
    assert subscriber.states[0]["extensions"]["cost"]["estimated"] == 1
    assert live_engine.live.snapshot.includes(snapshots[-1])


@pytest.mark.role_modes
async def test_subscription_after_cancel_sends_nothing(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(NAME, id=site).wait_for_states(1)
    assert subscriber.subscription is not None
    subscriber.subscription.cancel()
    subscriber.subscription.cancel()
    assert len(live_engine.live.registry) == 0
    runs = live_engine.run_count
    await live_engine.execute_sql(RENAME, site, "Unheard")
    await live_engine.wait_until_settled()
    assert (live_engine.run_count, len(subscriber.texts)) == (runs, 1)


@pytest.mark.role_modes
async def test_subscriptions_many_cancelled_leave_nothing_behind(live_engine: LiveEngine) -> None:
    ids = await fetch_site_ids(live_engine)
    connection = await live_engine.connect()
    for number in range(10_000):
        subscriber = connection.subscribe(NAME, id=ids[number % len(ids)])
        if number % 100 == 0:
            await subscriber.wait_for_states(1)
        assert subscriber.subscription is not None
        subscriber.subscription.cancel()
    connection.session.close()
    await live_engine.wait_until_settled()
    groups = live_engine.live.registry
    groups.validate()
    assert (len(groups), groups.subscriptions, len(groups.matcher), len(live_engine.live.viewers)) == (
        0,
        0,
        0,
        0,
    )
    assert len(connection.session) == 0
    assert not groups._joined
    assert not len(groups._states)
    assert len(live_engine.live._replay_buffer) == 0


@pytest.mark.role_modes
async def test_session_close_ends_its_subscriptions(live_engine: LiveEngine) -> None:
    site = (await fetch_site_ids(live_engine))[0]
    connection = await live_engine.connect()
    subscribers = [await connection.subscribe(query, id=site).wait_for_states(1) for query in (NAME, SITE)]
    connection.session.close()
    connection.session.close()
    await live_engine.execute_sql(RENAME, site, "Nobody hears")
    await live_engine.wait_until_settled()
    assert [len(each.texts) for each in subscribers] == [1, 1]
    assert len(live_engine.live.registry) == 0


@pytest.mark.role_modes
async def test_subscribe_not_allowed_raises_immediately(live_engine: LiveEngine) -> None:
    stranger, user = await live_engine.connect_as(None, None), await live_engine.connect()
    with pytest.raises(UnauthenticatedError):
        stranger.subscribe(SITES)
    with pytest.raises(ForbiddenError, match="Only the platform"):
        user.subscribe(SITES, LOADERS)
    with pytest.raises(BadUserInputError, match="explain"):
        user.subscribe(SITES, {"explain": True})
    with pytest.raises(RefusedOperationError, match="cost"):
        user.subscribe(
            "subscription { sites(first: 1000) { nodes { agents(first: 1000) { totalCount nodes { id } } } } }"
        )
    assert len(live_engine.live.registry) == 0


@pytest.mark.role_modes
async def test_subscribe_with_bad_variables_ends_that_subscription_with_error(
    live_engine: LiveEngine,
) -> None:
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(NAME, id=[]).wait_for_error()
    assert subscriber.code == "BAD_USER_INPUT"
    assert not subscriber.texts
    assert len(connection.session) == 0


async def test_subscriptions_under_concurrent_writers_end_with_the_right_answer(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    ids = (await fetch_site_ids(live_engine))[:4]
    live_connection = await live_engine.connect()
    subscribers = {site: await live_connection.subscribe(NAME, id=site).wait_for_states(1) for site in ids}
    everything = await live_connection.subscribe(SITES).wait_for_states(1)

    async def write(number: int) -> None:
        connection = await asyncpg.connect(writable_demo_database_url)
        for count in range(40):
            async with connection.transaction():
                await connection.execute(RENAME, ids[(number + count) % 4], f"{number}/{count}")
                await asyncio.sleep(0.002 * (count % 3))
        await connection.close()

    await asyncio.gather(*(write(number) for number in range(4)))
    await live_engine.wait_until_settled()
    for site, each in subscribers.items():
        assert each.site_names[-1] == await live_engine.execute_sql(
            "SELECT name FROM sites WHERE id = $1", site
        )
    rows = await live_engine.execute_sql(
        "SELECT json_agg(name ORDER BY name, id)::text FROM sites WHERE tenant_id = $1 AND deleted_at IS NULL",
        live_engine.tenant_id,
    )
    assert [node["name"] for node in everything.data["sites"]["nodes"]] == orjson.loads(rows)


async def test_subscription_is_online_changes_when_time_passes(writable_demo_database_url: str) -> None:
    async with open_live_engine(writable_demo_database_url, agent_offline_after=1) as live_engine:
        agent = await live_engine.execute_sql(
            "SELECT min(id) FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL", live_engine.tenant_id
        )
        now = "floor(extract(epoch FROM clock_timestamp()) * 1000)"
        checkin = f"UPDATE agents SET last_checkin_at = {now} WHERE id = $1"
        query = "subscription ($id: ID!) { agent(id: $id) { isOnline } }"
        await live_engine.execute_sql(
            "UPDATE agents SET last_checkin_at = 1 WHERE tenant_id = $1", live_engine.tenant_id
        )
        subscriber = await (await live_engine.connect()).subscribe(query, id=agent).wait_for_states(1)
        await live_engine.execute_sql(checkin, agent)
        await subscriber.wait_for_states(3)
        assert [state["data"]["agent"]["isOnline"] for state in subscriber.states] == [False, True, False]
        runs = live_engine.run_count
        await live_engine.execute_sql(checkin, agent)
        await subscriber.wait_for_states(4)
        await live_engine.execute_sql(checkin, agent)
        await live_engine.wait_until_settled()
        assert live_engine.run_count - runs == 1  # a second check-in of an online agent changes nothing


async def test_engine_with_idle_subscriptions_runs_few_statements_a_second(live_engine: LiveEngine) -> None:
    connection = await live_engine.connect()
    subscribers = [connection.subscribe(NAME, id=f"nothing {number}") for number in range(2_000)]
    await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
    await asyncio.sleep(0.5)
    figures = live_engine.live.stats
    began, ticks, snapshots, runs = monotonic(), figures.cycles, figures.snapshots, figures.total_runs
    await asyncio.sleep(2)
    assert (figures.snapshots, figures.total_runs) == (snapshots, runs)
    assert 0 < figures.cycles - ticks <= 22 * (monotonic() - began)  # one statement each


async def test_engine_without_viewers_polls_about_once_a_second(live_engine: LiveEngine) -> None:
    await wait_until(lambda: len(live_engine.live.viewers) == 0)
    await asyncio.sleep(1.2)
    began, ticks = monotonic(), live_engine.live.stats.cycles
    await asyncio.sleep(2)
    assert live_engine.live.stats.cycles - ticks <= 1.5 * (monotonic() - began)
    site = (await fetch_site_ids(live_engine))[0]
    await live_engine.execute_sql(RENAME, site, "While nobody was there")
    subscriber = await (await live_engine.connect()).subscribe(NAME, id=site).wait_for_states(1)
    assert subscriber.site_names == ["While nobody was there"]
