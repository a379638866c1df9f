"""What a viewer may see, while they look: roles, users, tenants and tokens act on open subscriptions at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import pytest_asyncio

from core.clock import NEVER, now_ms
from core.errors import BadUserInputError, ForbiddenError, UnauthenticatedError
from core.limits import TOKEN_LEEWAY_S
from core.tokens import Identity
from core.viewer import ViewerKind
from subscriptions.sinks import Departure
from tests.live.engine import Engine, Sitting, engine, eventually

SITES: Final = "subscription { sites(first: 1) { totalCount } }"
AGENTS: Final = "subscription { agents(first: 1) { totalCount } }"
RIGHTS: Final = "subscription { viewer { rights } }"
SET_RIGHTS: Final = "UPDATE roles SET rights = $2 WHERE id = $1"
READS_SITES: Final = '{"Sites.Read": true}'
READS_BOTH: Final = '{"Sites.Read": true, "Agents.Read": true}'


@pytest_asyncio.fixture(loop_scope="session")
async def demo(demo_database: str) -> AsyncIterator[Engine]:
    async with with_clerks(demo_database) as made:
        yield made


@asynccontextmanager
async def with_clerks(dsn: str) -> AsyncIterator[Engine]:
    """An engine on a demo database with a clerk, and a role that the clerk may be given."""
    async with engine(dsn) as made:
        await made.write("DELETE FROM users WHERE id LIKE 'clerk%'")
        await made.write("DELETE FROM roles WHERE id IN ('clerks', 'others')")
        for role in ("clerks", "others"):
            await made.write(
                "INSERT INTO roles (id, tenant_id, name, description, rights) VALUES ($1, $2, $1, $1, $3)",
                role, made.tenant_id, READS_BOTH,
            )  # fmt: skip
        await hire(made, "clerk")
        yield made
        await made.write("UPDATE tenants SET status = 'active', deleted_at = NULL")
        made.live.groups.validate()


async def hire(demo: Engine, *users: str) -> None:
    await demo.write(
        "INSERT INTO users (id, tenant_id, role_id, email, name, status) "
        "SELECT id, $1, 'clerks', id || '@example.com', id, 'active' FROM unnest($2::text[]) id",
        demo.tenant_id,
        list(users),
    )


async def departed(sitting: Sitting) -> Departure:
    await eventually(lambda: bool(sitting.gone))
    (gone,) = sitting.gone
    assert sitting.session.viewer is None
    assert len(sitting.session) == 0
    return gone.departure


async def test_a_right_taken_away_takes_the_answer_away_and_back(demo: Engine) -> None:
    clerk = await demo.sit("clerk")
    told, unconcerned = await clerk.subscribe(AGENTS).until(1), await clerk.subscribe(SITES).until(1)
    count = told.data["agents"]["totalCount"]
    await demo.write(SET_RIGHTS, "clerks", READS_SITES)
    await demo.settled()
    assert told.states[1]["data"] is None
    assert told.states[1]["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    await demo.write(SET_RIGHTS, "clerks", READS_BOTH)
    await demo.settled()
    assert [state["data"] for state in told.states[2:]] == [{"agents": {"totalCount": count}}]
    assert len(unconcerned.texts) == 1


async def test_a_write_that_takes_the_right_away_shows_nothing_of_what_it_wrote(demo: Engine) -> None:
    told = await (await demo.sit("clerk")).subscribe(AGENTS).until(1)
    async with demo.owner.transaction():
        await demo.owner.execute(SET_RIGHTS, "clerks", READS_SITES)
        await demo.owner.execute(
            "UPDATE agents SET deleted_at = 1 WHERE id = (SELECT min(id) FROM agents WHERE tenant_id = $1 "
            "AND deleted_at IS NULL)",
            demo.tenant_id,
        )
    await demo.settled()
    assert [state["data"] for state in told.states[1:]] == [None]


async def test_another_role_is_another_viewer(demo: Engine) -> None:
    await demo.write(SET_RIGHTS, "others", READS_SITES)
    clerk = await demo.sit("clerk")
    told = await clerk.subscribe(AGENTS).until(1)
    mine = await clerk.subscribe(RIGHTS).until(1)
    await demo.write("UPDATE users SET role_id = 'others' WHERE id = 'clerk'")
    await demo.settled()
    assert told.states[-1]["data"] is None
    assert mine.data == {"viewer": {"rights": ["Sites.Read"]}}
    await demo.write(SET_RIGHTS, "others", READS_BOTH)  # the new role is the one that is watched now
    await demo.settled()
    assert told.data["agents"]["totalCount"] > 0
    await demo.write(SET_RIGHTS, "clerks", "{}")
    runs, sign_ins = demo.runs, demo.live.figures.sign_ins
    await demo.settled()
    assert (demo.runs, demo.live.figures.sign_ins) == (runs, sign_ins)


async def test_what_sign_in_does_not_read_looks_nobody_up(demo: Engine) -> None:
    await (await demo.sit("clerk")).subscribe(SITES).until(1)
    await demo.settled()
    runs, sign_ins = demo.runs, demo.live.figures.sign_ins
    await demo.write("UPDATE users SET last_activity_at = 5, name = 'Clara' WHERE id = 'clerk'")
    await demo.write("UPDATE roles SET description = 'As before' WHERE id = 'clerks'")
    await demo.write("UPDATE users SET status = 'inactive' WHERE id = $1", demo.users[2])
    await demo.settled()
    await demo.write("UPDATE users SET status = 'active' WHERE id = $1", demo.users[2])
    assert (demo.runs, demo.live.figures.sign_ins) == (runs, sign_ins)


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
async def test_who_may_not_sign_in_any_more_is_sent_away(demo: Engine, statement: str) -> None:
    clerk, neighbour = await demo.sit("clerk"), await demo.sit(2)
    told, theirs = await clerk.subscribe(SITES).until(1), await neighbour.subscribe(SITES).until(1)
    await demo.write(statement)
    assert await departed(clerk) is Departure.REFUSED
    assert len(told.texts) == 1
    assert told.errors is None
    assert not neighbour.gone
    assert len(theirs.texts) == 1
    with pytest.raises(UnauthenticatedError):
        clerk.subscribe(SITES)
    with pytest.raises(UnauthenticatedError):
        await demo.sit("clerk")


async def test_all_sockets_of_a_user_are_sent_away_by_one_look(demo: Engine) -> None:
    sittings = [await demo.sit("clerk") for _ in range(20)]
    assert len(demo.live.viewers) == 20
    sign_ins = demo.live.figures.sign_ins
    await demo.write("UPDATE users SET status = 'inactive' WHERE id = 'clerk'")
    for sitting in sittings:
        assert await departed(sitting) is Departure.REFUSED
    await demo.settled()  # the look counts itself when all are told
    assert demo.live.figures.sign_ins == sign_ins + 1
    assert (len(demo.live.viewers), len(demo.live.groups.matcher)) == (0, 0)


async def test_a_role_of_a_thousand_acts_on_all_of_them_in_one_tick(demo: Engine) -> None:
    users = [f"clerk {number}" for number in range(1_000)]
    await hire(demo, *users)
    sittings = [await demo.sit(user) for user in users]
    told = [sitting.subscribe(AGENTS) for sitting in sittings]
    await asyncio.gather(*(each.until(1) for each in told))
    await demo.settled()
    assert len(demo.live.groups) == 1
    moments, runs = demo.live.figures.moments, demo.runs
    await demo.write(SET_RIGHTS, "clerks", READS_SITES)
    await demo.settled()
    assert not [each.errors for each in told if each.errors]
    assert [each.states[-1]["data"] for each in told] == [None] * len(told)
    assert (demo.live.figures.moments - moments, demo.runs - runs, len(demo.live.groups)) == (1, 1, 1)


async def test_the_platform_is_sent_away_from_a_tenant_that_is_deleted_only(demo: Engine) -> None:
    in_tenant, without = await demo.sit_as_platform(demo.tenant_id), await demo.sit_as_platform()
    told = await in_tenant.subscribe(SITES).until(1)
    tenants = await without.subscribe("subscription { tenants(first: 50) { nodes { id status } } }").until(1)
    await demo.write("UPDATE tenants SET status = 'suspended' WHERE id = $1", demo.tenant_id)
    await demo.settled()
    assert not in_tenant.gone
    assert len(told.texts) == 1
    assert len(tenants.texts) == 2
    await demo.write("UPDATE tenants SET deleted_at = 1 WHERE id = $1", demo.tenant_id)
    assert await departed(in_tenant) is Departure.REFUSED
    assert not without.gone
    with pytest.raises(BadUserInputError):
        await demo.sit_as_platform(demo.tenant_id)


async def test_a_token_that_ends_takes_its_socket_with_it(demo: Engine) -> None:
    clerk = await demo.sit("clerk", now_ms() - TOKEN_LEEWAY_S * 1000 + 300)
    told = await clerk.subscribe(SITES).until(1)
    assert not clerk.gone
    assert await departed(clerk) is Departure.EXPIRED
    assert len(told.texts) == 1
    assert len(demo.live.groups) == 0


async def test_a_fresh_token_prolongs(demo: Engine) -> None:
    clerk = await demo.sit("clerk", now_ms() - TOKEN_LEEWAY_S * 1000 + 300)
    told = await clerk.subscribe("subscription { viewer { expiresAt } }").until(1)
    await clerk.session.renew(Identity(ViewerKind.USER, "clerk", NEVER))
    await asyncio.sleep(0.5)
    assert not clerk.gone
    await demo.settled()
    assert told.data == {"viewer": {"expiresAt": NEVER}}
    await clerk.session.renew(Identity(ViewerKind.USER, "clerk", now_ms() - TOKEN_LEEWAY_S * 1000 + 100))
    assert await departed(clerk) is Departure.EXPIRED
    with pytest.raises(ForbiddenError):
        await clerk.session.renew(Identity(ViewerKind.USER, "clerk", NEVER))


@pytest.mark.parametrize(
    "identity", [Identity(ViewerKind.USER, "another", NEVER), Identity(ViewerKind.PLATFORM, "clerk", NEVER)]
)
async def test_a_fresh_token_is_of_the_same_subject(demo: Engine, identity: Identity) -> None:
    clerk = await demo.sit("clerk")
    with pytest.raises(ForbiddenError):
        await clerk.session.renew(identity)
    with pytest.raises(ForbiddenError):
        await (await demo.sit_as(None, None)).session.renew(identity)


async def test_who_signs_in_while_it_is_refused_is_not_overlooked(demo: Engine) -> None:
    """The rows are read in a snapshot of the sign-in's own: what happens between it and the watch is replayed."""
    await (await demo.sit(0)).subscribe(SITES).until(1)  # while nobody is there, we look once a second
    for number in range(30):
        signing_in = asyncio.create_task(demo.sit("clerk"))
        await asyncio.sleep(0.0003 * number)
        await demo.write("UPDATE users SET status = 'inactive' WHERE id = 'clerk'")
        try:
            sitting = await signing_in
        except UnauthenticatedError:
            pass
        else:
            assert await departed(sitting) is Departure.REFUSED
        await demo.write("UPDATE users SET status = 'active' WHERE id = 'clerk'")


async def test_a_row_of_the_viewer_itself_is_live_like_any_other(demo: Engine) -> None:
    told = await (await demo.sit("clerk")).subscribe("subscription { viewer { user { name } } }").until(1)
    await demo.write("UPDATE users SET name = 'Clarissa' WHERE id = 'clerk'")
    await demo.settled()
    assert told.data == {"viewer": {"user": {"name": "Clarissa"}}}


async def test_no_tenants_rows_are_in_the_answers_of_another(demo: Engine) -> None:
    query = "subscription { sites(first: 500) { nodes { id } } }"
    ours: Any = await (await demo.sit(0)).subscribe(query).until(1)
    theirs = await (await demo.sit(2)).subscribe(query).until(1)
    await demo.write("UPDATE sites SET name = name || '.'")
    await demo.settled()
    ids = [{site["id"] for site in told.data["sites"]["nodes"]} for told in (ours, theirs)]
    assert ids[0]
    assert ids[1]
    assert ids[0].isdisjoint(ids[1])
