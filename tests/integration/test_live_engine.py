"""Live queries on real PostgreSQL: what is told when, and what is not run at all."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Final

import asyncpg
import orjson
import pytest
import pytest_asyncio

from core.errors import BadUserInputError, ForbiddenError, LimitExceededError, UnauthenticatedError
from services.demo.load import AS_PLATFORM
from subscriptions.changes.moment import Moment
from tests.live.engine import Engine, Told, engine, eventually

SITE: Final = (
    "subscription ($id: ID!) { site(id: $id) { name agents(first: 3) { totalCount nodes { hostname } } } }"
)
NAME: Final = "subscription ($id: ID!) { site(id: $id) { name } }"
SITES: Final = "subscription { sites(first: 500, orderBy: [{field: NAME}]) { nodes { name } } }"
LOADERS: Final = {"way": "loaders"}
RENAME: Final = "UPDATE sites SET name = $2 WHERE id = $1"


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database: str) -> AsyncIterator[Engine]:
    async with engine(demo_database) as made:
        yield made
        made.live.groups.validate()


async def sites(demo: Engine, user: int = 0) -> list[str]:
    """The ids of the sites of a user's tenant."""
    found = await demo.write(
        "SELECT array_agg(s.id ORDER BY s.id) FROM sites s JOIN users u ON u.tenant_id = s.tenant_id "
        "WHERE u.id = $1 AND s.deleted_at IS NULL",
        demo.users[user],
    )
    return list(found)


def names(told: Told) -> list[str]:
    return [state["data"]["site"]["name"] for state in told.states]


async def test_the_first_message_is_the_answer_now(demo: Engine) -> None:
    site = (await sites(demo))[0]
    name = await demo.write("SELECT name FROM sites WHERE id = $1", site)
    told = await (await demo.sit()).subscribe(SITE, id=site).until(1)
    assert names(told) == [name]
    await demo.settled()
    assert len(told.texts) == 1


async def test_a_change_is_one_message_and_no_change_none(demo: Engine) -> None:
    site = (await sites(demo))[0]
    told = await (await demo.sit()).subscribe(SITE, id=site).until(1)
    await demo.write(RENAME, site, "Changed")
    await demo.settled()
    assert names(told)[1:] == ["Changed"]
    await demo.write("UPDATE sites SET name = name WHERE id = $1", site)
    await demo.settled()
    assert len(told.texts) == 2


async def test_rows_below_are_live_too(demo: Engine) -> None:
    site = (await sites(demo))[0]
    told = await (await demo.sit()).subscribe(SITE, id=site).until(1)
    before = told.data["site"]["agents"]
    agent = await demo.write("SELECT min(id) FROM agents WHERE site_id = $1 AND deleted_at IS NULL", site)
    await demo.write("UPDATE agents SET hostname = 'AAAA' WHERE id = $1", agent)
    await demo.settled()
    assert told.data["site"]["agents"]["nodes"][0]["hostname"] == "AAAA"
    await demo.write("UPDATE agents SET deleted_at = 1 WHERE id = $1", agent)
    await demo.settled()
    assert told.data["site"]["agents"]["totalCount"] == before["totalCount"] - 1
    await demo.write("UPDATE agents SET deleted_at = NULL WHERE id = $1", agent)


async def test_an_empty_answer_is_told_what_comes(demo: Engine) -> None:
    told = await (await demo.sit()).subscribe(NAME, id="to come").until(1)
    assert told.data == {"site": None}
    await demo.write(
        "INSERT INTO sites (id, tenant_id, name, slug) VALUES ('to come', $1, 'There', 'there')",
        demo.tenant_id,
    )
    await demo.settled()
    assert told.data == {"site": {"name": "There"}}
    await demo.write("DELETE FROM sites WHERE id = 'to come'")
    await demo.settled()
    assert told.data == {"site": None}


@pytest.mark.parametrize("extensions", [{}, LOADERS], ids=["compiled", "loaders"])
async def test_both_ways_are_live(demo: Engine, extensions: dict[str, str]) -> None:
    site = (await sites(demo))[0]
    sitting = await demo.sit_as_platform(demo.tenant_id)
    told = await sitting.subscribe(SITE, extensions, id=site).until(1)
    await demo.write(RENAME, site, f"By {extensions}")
    await demo.settled()
    assert names(told)[1:] == [f"By {extensions}"]
    assert demo.live.figures.runs["loaders" if extensions else "alone"] == 2


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
async def test_what_cannot_be_seen_is_not_run(demo: Engine, statement: str) -> None:
    told = await (await demo.sit()).subscribe(SITE, id=(await sites(demo))[0]).until(1)
    await demo.settled()
    runs = demo.runs
    await demo.write(statement, demo.tenant_id)
    await demo.settled()
    assert demo.runs == runs
    assert len(told.texts) == 1


async def test_what_is_rolled_back_is_not_run(demo: Engine) -> None:
    site = (await sites(demo))[0]
    told = await (await demo.sit()).subscribe(NAME, id=site).until(1)
    await demo.settled()
    runs = demo.runs
    transaction = demo.owner.transaction()
    await transaction.start()
    await demo.owner.execute(RENAME, site, "Never")
    await demo.settled()
    await transaction.rollback()
    await demo.settled()
    assert demo.runs == runs
    assert len(told.texts) == 1


async def test_what_was_begun_before_others_and_committed_after_them_is_seen(demo: Engine) -> None:
    first, second = (await sites(demo))[:2]
    sitting = await demo.sit()
    one, other = (
        await sitting.subscribe(NAME, id=first).until(1),
        await sitting.subscribe(NAME, id=second).until(1),
    )
    async with demo.owner.transaction():
        await demo.owner.execute(RENAME, first, "Long before")
        async with demo.database.pool.acquire() as connection, connection.transaction():
            await connection.execute(AS_PLATFORM)
            await connection.execute(RENAME, second, "Short after")
        await demo.settled()
        assert names(other)[-1] == "Short after"
    await demo.settled()
    assert names(one)[-1] == "Long before"


async def test_a_hundred_subscribers_are_one_run(demo: Engine) -> None:
    site = (await sites(demo))[0]
    sittings = [await demo.sit() for _ in range(100)]
    told = [sitting.subscribe(NAME, id=site) for sitting in sittings]
    await asyncio.gather(*(each.until(1) for each in told))
    assert len(demo.live.groups) == 1
    runs = demo.runs
    await demo.write(RENAME, site, "For all")
    await demo.settled()
    assert demo.runs - runs == 1
    assert {each.texts[-1] for each in told} == {'{"data":{"site":{"name":"For all"}}}'}


async def test_who_comes_later_is_told_without_a_run(demo: Engine) -> None:
    site = (await sites(demo))[0]
    sitting = await demo.sit()
    await sitting.subscribe(NAME, id=site).until(1)
    runs = demo.runs
    told = await sitting.subscribe(NAME, id=site).until(1)
    assert demo.runs == runs
    assert names(told) == [await demo.write("SELECT name FROM sites WHERE id = $1", site)]


async def test_who_has_written_reads_it_in_the_first_message(demo: Engine) -> None:
    site = (await sites(demo))[0]
    sitting = await demo.sit()
    await sitting.subscribe(NAME, id=site).until(1)
    for number in range(50):
        await demo.write(RENAME, site, f"Written {number}")
        told = await sitting.subscribe(NAME, id=site).until(1)
        assert names(told)[0] == f"Written {number}"


async def test_many_of_one_shape_and_tenant_are_one_statement(demo: Engine) -> None:
    ids = (await sites(demo)) + [f"nothing {number}" for number in range(80)]
    sitting = await demo.sit()
    told = [sitting.subscribe(NAME, id=site) for site in ids]
    await asyncio.gather(*(each.until(1) for each in told))
    await demo.settled()
    figures = demo.live.figures
    statements, runs, moments = figures.statements, figures.executions, figures.moments
    await demo.write("UPDATE sites SET name = name || '!' WHERE tenant_id = $1", demo.tenant_id)
    await demo.settled()
    touched = len(await sites(demo))
    assert figures.executions - runs == touched
    assert figures.moments - moments == 1
    assert figures.statements - statements <= 2  # one that acts for the tenant, one that answers
    for each, site in zip(told, ids, strict=True):
        name = await demo.write("SELECT name FROM sites WHERE id = $1", site)
        assert each.data == {"site": name and {"name": name}}


async def test_a_batch_keeps_tenants_apart(demo: Engine) -> None:
    ours, theirs = await sites(demo), await sites(demo, 2)
    we, they = await demo.sit(), await demo.sit(2)
    told = [(who.subscribe(NAME, id=site), site in own) for who, own in ((we, ours), (they, theirs))
            for site in (*ours, *theirs)]  # fmt: skip
    await asyncio.gather(*(each.until(1) for each, _ in told))
    await demo.write("UPDATE sites SET name = name || '?'")
    await demo.settled()
    for each, own in told:
        assert (each.data["site"] is not None) is own
        assert len(each.texts) == 1 + own


async def test_a_socket_is_told_what_is_true_together(demo: Engine) -> None:
    """Two rows that are always written together agree in every tick, whichever way each is read."""
    one, other = (await sites(demo))[:2]
    sitting = await demo.sit_as_platform(demo.tenant_id)
    for site in (one, other):
        await demo.write(RENAME, site, "0")
    snapshot = {"snapshot": True}
    pair = [
        sitting.subscribe(NAME, snapshot, id=one),
        sitting.subscribe(NAME, {**snapshot, **LOADERS}, id=other),
    ]
    await asyncio.gather(*(told.until(1) for told in pair))
    for number in range(1, 60):
        await demo.write("UPDATE sites SET name = $3 WHERE id IN ($1, $2)", one, other, str(number))
    await demo.settled()
    told = [{s["extensions"]["snapshot"]: s["data"]["site"]["name"] for s in each.states} for each in pair]
    assert told[0] == told[1]
    assert names(pair[0])[-1] == "59"


async def test_moments_are_told_where_they_are_wanted_and_only_go_on(demo: Engine) -> None:
    site = (await sites(demo))[0]
    sitting = await demo.sit()
    told = await sitting.subscribe(NAME, {"snapshot": True, "cost": True}, id=site).until(1)
    for number in range(20):
        await demo.write(RENAME, site, f"Moment {number}")
        await asyncio.sleep(0.003)
    await demo.settled()
    moments = [Moment.parse(state["extensions"]["snapshot"]) for state in told.states]
    assert all(later.covers(earlier) and later != earlier for earlier, later in pairwise(moments))
    assert told.states[0]["extensions"]["cost"]["estimated"] == 1
    assert demo.live.moment.covers(moments[-1])


async def test_what_is_over_is_told_nothing(demo: Engine) -> None:
    site = (await sites(demo))[0]
    sitting = await demo.sit()
    told = await sitting.subscribe(NAME, id=site).until(1)
    assert told.subscription is not None
    told.subscription.cancel()
    told.subscription.cancel()
    assert len(demo.live.groups) == 0
    runs = demo.runs
    await demo.write(RENAME, site, "Unheard")
    await demo.settled()
    assert (demo.runs, len(told.texts)) == (runs, 1)


async def test_nothing_is_left_of_many_that_came_and_went(demo: Engine) -> None:
    ids = await sites(demo)
    sitting = await demo.sit()
    for number in range(10_000):
        told = sitting.subscribe(NAME, id=ids[number % len(ids)])
        if number % 100 == 0:
            await told.until(1)
        assert told.subscription is not None
        told.subscription.cancel()
    sitting.session.close()
    await demo.settled()
    groups = demo.live.groups
    groups.validate()
    assert (len(groups), groups.subscriptions, len(groups.matcher), len(demo.live.viewers)) == (0, 0, 0, 0)
    assert len(sitting.session) == 0
    assert not groups._guests
    assert not groups._dirty
    assert len(demo.live._history) == 0


async def test_a_session_takes_its_subscriptions_with_it(demo: Engine) -> None:
    site = (await sites(demo))[0]
    sitting = await demo.sit()
    told = [await sitting.subscribe(query, id=site).until(1) for query in (NAME, SITE)]
    sitting.session.close()
    sitting.session.close()
    await demo.write(RENAME, site, "Nobody hears")
    await demo.settled()
    assert [len(each.texts) for each in told] == [1, 1]
    assert len(demo.live.groups) == 0


async def test_what_is_refused_is_refused_at_once(demo: Engine) -> None:
    stranger, user = await demo.sit_as(None, None), await demo.sit()
    with pytest.raises(UnauthenticatedError):
        stranger.subscribe(SITES)
    with pytest.raises(ForbiddenError, match="platform alone"):
        user.subscribe(SITES, LOADERS)
    with pytest.raises(BadUserInputError, match="explain"):
        user.subscribe(SITES, {"explain": True})
    with pytest.raises(LimitExceededError):
        user.subscribe(
            "subscription { sites(first: 1000) { nodes { agents(first: 1000) { totalCount nodes { id } } } } }"
        )
    assert len(demo.live.groups) == 0


async def test_bad_variables_are_an_error_of_that_subscription(demo: Engine) -> None:
    sitting = await demo.sit()
    told = await sitting.subscribe(NAME, id=[]).ended()
    assert told.code == "BAD_USER_INPUT"
    assert not told.texts
    assert len(sitting.session) == 0


async def test_many_writers_at_once_end_in_the_right_answer(demo: Engine, demo_database: str) -> None:
    ids = (await sites(demo))[:4]
    sitting = await demo.sit()
    told = {site: await sitting.subscribe(NAME, id=site).until(1) for site in ids}
    everything = await sitting.subscribe(SITES).until(1)

    async def write(number: int) -> None:
        connection = await asyncpg.connect(demo_database)
        for count in range(40):
            async with connection.transaction():
                await connection.execute(RENAME, ids[(number + count) % 4], f"{number}/{count}")
                await asyncio.sleep(0.002 * (count % 3))
        await connection.close()

    await asyncio.gather(*(write(number) for number in range(4)))
    await demo.settled()
    for site, each in told.items():
        assert names(each)[-1] == await demo.write("SELECT name FROM sites WHERE id = $1", site)
    rows = await demo.write(
        "SELECT json_agg(name ORDER BY name, id)::text FROM sites WHERE tenant_id = $1 AND deleted_at IS NULL",
        demo.tenant_id,
    )
    assert [node["name"] for node in everything.data["sites"]["nodes"]] == orjson.loads(rows)


async def test_time_alone_changes_an_answer(demo_database: str) -> None:
    async with engine(demo_database, agent_offline_after=1) as demo:
        agent = await demo.write(
            "SELECT min(id) FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL", demo.tenant_id
        )
        now = "floor(extract(epoch FROM clock_timestamp()) * 1000)"
        checkin = f"UPDATE agents SET last_checkin_at = {now} WHERE id = $1"  # noqa: S608 - a constant
        query = "subscription ($id: ID!) { agent(id: $id) { isOnline } }"
        await demo.write("UPDATE agents SET last_checkin_at = 1 WHERE tenant_id = $1", demo.tenant_id)
        told = await (await demo.sit()).subscribe(query, id=agent).until(1)
        await demo.write(checkin, agent)
        await told.until(3)
        assert [state["data"]["agent"]["isOnline"] for state in told.states] == [False, True, False]
        runs = demo.runs
        await demo.write(checkin, agent)
        await told.until(4)
        await demo.write(checkin, agent)
        await demo.settled()
        assert demo.runs - runs == 1  # a second beat while it is online changes nothing


async def test_idle_subscriptions_cost_a_few_statements_a_second(demo: Engine) -> None:
    sitting = await demo.sit()
    told = [sitting.subscribe(NAME, id=f"nothing {number}") for number in range(2_000)]
    await asyncio.gather(*(each.until(1) for each in told))
    await asyncio.sleep(0.5)
    figures = demo.live.figures
    ticks, moments, runs = figures.ticks, figures.moments, figures.executions
    await asyncio.sleep(2)
    assert (figures.moments, figures.executions) == (moments, runs)
    assert 10 <= (figures.ticks - ticks) / 2 <= 22  # one statement each


async def test_nobody_there_costs_next_to_nothing(demo: Engine) -> None:
    await eventually(lambda: len(demo.live.viewers) == 0)
    await asyncio.sleep(1.2)
    ticks = demo.live.figures.ticks
    await asyncio.sleep(2)
    assert demo.live.figures.ticks - ticks <= 3
    site = (await sites(demo))[0]
    await demo.write(RENAME, site, "While nobody was there")
    told = await (await demo.sit()).subscribe(NAME, id=site).until(1)
    assert names(told) == ["While nobody was there"]
