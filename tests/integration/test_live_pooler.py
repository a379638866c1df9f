"""Live queries through PgBouncer in transaction mode: statements share servers, and no session is anybody's own."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.settings import Settings
from services.startup import opened, unready
from tests.clusters import ThrowawayCluster
from tests.live.engine import Engine, engine
from tests.poolers import PGBOUNCER, SERVERS, pooler

AGENT: Final = "subscription ($id: ID!) { agent(id: $id) { hostname site { name } } }"
AGENTS: Final = (
    "subscription { agents(first: 20, orderBy: [{field: HOSTNAME}]) { totalCount nodes { hostname } } }"
)
RENAME: Final = "UPDATE agents SET hostname = $2 WHERE id = $1"

pytestmark = pytest.mark.skipif(not PGBOUNCER.exists(), reason="PgBouncer is not installed")


@pytest_asyncio.fixture(loop_scope="session")
async def demo(cluster: ThrowawayCluster, demo_database: str) -> AsyncIterator[Engine]:
    name = demo_database.split("@/")[1].split("?")[0]
    with pooler(cluster, name) as address:
        async with engine(demo_database, through=address, statement_cache_size=0) as made:
            yield made


async def agents(demo: Engine, count: int) -> list[str]:
    rows = await demo.owner.fetch(
        "SELECT id FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2",
        demo.tenant_id,
        count,
    )
    return [row["id"] for row in rows]


async def test_changes_are_told_and_tenants_kept_apart(demo: Engine) -> None:
    ids = await agents(demo, 40)
    we, they = await demo.sit(), await demo.sit(2)
    told = [we.subscribe(AGENT, id=id_) for id_ in ids]
    theirs = [they.subscribe(AGENT, id=id_) for id_ in ids]
    await asyncio.gather(*(each.until(1) for each in (*told, *theirs)))
    await demo.write("UPDATE agents SET hostname = 'pooled ' || id WHERE id = ANY($1::text[])", ids)
    await demo.settled()
    assert [each.data["agent"]["hostname"] for each in told] == [f"pooled {id_}" for id_ in ids]
    assert [each.states for each in theirs] == [[{"data": {"agent": None}}]] * len(ids)


async def test_many_lanes_share_one_moment(demo: Engine) -> None:
    """Of as many shapes as no statement answers together, so that the moment is exported and joined."""
    (id_,) = await agents(demo, 1)
    sitting = await demo.sit()
    told = [sitting.subscribe(f"{AGENT} # {number}", {"snapshot": True}, id=id_) for number in range(60)]
    await asyncio.gather(*(each.until(1) for each in told))
    for number in range(20):
        await demo.write(RENAME, id_, f"shared {number}")
    await demo.settled()
    by_moment: dict[str, set[str]] = {}
    for each in told:
        for state in each.states[1:]:
            by_moment.setdefault(state["extensions"]["snapshot"], set()).add(
                state["data"]["agent"]["hostname"]
            )
    assert all(len(names) == 1 for names in by_moment.values())
    assert {each.data["agent"]["hostname"] for each in told} == {"shared 19"}


async def test_writers_and_requests_go_through_it_too(demo: Engine) -> None:
    ids = await agents(demo, 6)
    sitting = await demo.sit()
    told = {id_: await sitting.subscribe(AGENT, id=id_).until(1) for id_ in ids}
    page = await sitting.subscribe(AGENTS).until(1)

    async def write(id_: str) -> None:
        for number in range(30):
            async with demo.database.pool.acquire() as connection, connection.transaction():
                await connection.execute(RENAME, id_, f"0000 {number}")

    async def ask() -> None:
        for _ in range(30):
            async with demo.database.snapshot(platform=True) as snapshot:
                await snapshot.fetch("SELECT count(*) FROM agents WHERE hostname = $1", ("x",))

    await asyncio.gather(*(write(id_) for id_ in ids), ask(), ask())
    await demo.settled()
    assert {each.data["agent"]["hostname"] for each in told.values()} == {"0000 29"}
    assert [node["hostname"] for node in page.data["agents"]["nodes"]][:6] == ["0000 29"] * 6
    assert demo.live.figures.outages == 0


async def test_rights_act_through_it(demo: Engine) -> None:
    sitting = await demo.sit(2)
    await sitting.subscribe(AGENTS).until(1)
    await demo.write("UPDATE users SET status = 'inactive' WHERE id = $1", demo.users[2])
    await demo.settled()
    await demo.write("UPDATE users SET status = 'active' WHERE id = $1", demo.users[2])
    assert len(sitting.gone) == 1


async def test_no_session_is_left_with_anything(demo: Engine, demo_database: str) -> None:
    sitting = await demo.sit()
    await asyncio.gather(*(sitting.subscribe(AGENT, id=id_).until(1) for id_ in await agents(demo, 20)))
    owner = await asyncpg.connect(demo_database)
    held: list[Any] = await owner.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction' "
        "AND state_change < clock_timestamp() - interval '1 s'"
    )
    locks = await owner.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    servers = await owner.fetchval("SELECT count(*) FROM pg_stat_activity WHERE application_name = '' "
        "AND datname = current_database() AND backend_type = 'client backend'")  # fmt: skip
    await owner.close()
    assert not held
    assert locks == 0
    assert servers <= SERVERS + 2  # the two of this test go past it


async def test_an_idle_pooled_probe_stays_within_the_statements(demo: Engine) -> None:
    sitting = await demo.sit()
    await sitting.subscribe(AGENTS).until(1)
    await asyncio.sleep(1)
    ticks = demo.live.figures.ticks
    await asyncio.sleep(2)
    assert 3 * (demo.live.figures.ticks - ticks) / 2 <= 25


async def test_a_server_starts_behind_it(cluster: ThrowawayCluster) -> None:
    """Migrations go past it; all else goes through."""
    name = await cluster.create()
    try:
        with pooler(cluster, name) as address:
            settings = Settings(statement_cache_size=0, database_direct_url=cluster.dsn(name))
            for _ in range(2):
                database = await opened(address, settings)
                assert await unready(address) is None
                await database.close()
    finally:
        await cluster.drop(name)
