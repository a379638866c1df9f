"""Live queries through PgBouncer in transaction mode: statements share connections, and no client owns a session."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio
from pydantic import SecretStr

from core.settings import Settings
from services.startup import find_unready_reason, open_database
from tests.clusters import ThrowawayCluster
from tests.live.live_engine import LiveEngine, open_live_engine
from tests.pgbouncer import PGBOUNCER, SERVER_CONNECTIONS, start_pgbouncer

AGENT: Final = "subscription ($id: ID!) { agent(id: $id) { hostname site { name } } }"
AGENTS: Final = (
    "subscription { agents(first: 20, orderBy: [{field: HOSTNAME}]) { totalCount nodes { hostname } } }"
)
RENAME: Final = "UPDATE agents SET hostname = $2 WHERE id = $1"

pytestmark = pytest.mark.skipif(not PGBOUNCER.exists(), reason="PgBouncer is not installed")


@pytest_asyncio.fixture(loop_scope="session")
async def live_engine(
    cluster: ThrowawayCluster, writable_demo_database_url: str
) -> AsyncIterator[LiveEngine]:
    name = writable_demo_database_url.split("@/")[1].split("?")[0]
    with start_pgbouncer(cluster, name) as address:
        async with open_live_engine(
            writable_demo_database_url, via_dsn=address, statement_cache_size=0
        ) as made:
            yield made


async def fetch_agent_ids(live_engine: LiveEngine, count: int) -> list[str]:
    rows = await live_engine.owner.fetch(
        "SELECT id FROM agents WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT $2",
        live_engine.tenant_id,
        count,
    )
    return [row["id"] for row in rows]


async def test_subscriptions_through_pooler_send_changes_by_tenant(live_engine: LiveEngine) -> None:
    ids = await fetch_agent_ids(live_engine, 40)
    we, they = await live_engine.connect(), await live_engine.connect(2)
    subscribers = [we.subscribe(AGENT, id=id_) for id_ in ids]
    theirs = [they.subscribe(AGENT, id=id_) for id_ in ids]
    await asyncio.gather(*(each.wait_for_states(1) for each in (*subscribers, *theirs)))
    await live_engine.execute_sql(
        "UPDATE agents SET hostname = 'pooled ' || id WHERE id = ANY($1::text[])", ids
    )
    await live_engine.wait_until_settled()
    assert [each.data["agent"]["hostname"] for each in subscribers] == [f"pooled {id_}" for id_ in ids]
    assert [each.states for each in theirs] == [[{"data": {"agent": None}}]] * len(ids)


async def test_workers_through_pooler_share_one_snapshot(live_engine: LiveEngine) -> None:
    """Queries of so many shapes that no statement combines them, so that the snapshot is exported and imported."""
    (id_,) = await fetch_agent_ids(live_engine, 1)
    connection = await live_engine.connect()
    subscribers = [
        connection.subscribe(f"{AGENT} # {number}", {"snapshot": True}, id=id_) for number in range(60)
    ]
    await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
    for number in range(20):
        await live_engine.execute_sql(RENAME, id_, f"shared {number}")
    await live_engine.wait_until_settled()
    by_snapshot: dict[str, set[str]] = {}
    for each in subscribers:
        for state in each.states[1:]:
            by_snapshot.setdefault(state["extensions"]["snapshot"], set()).add(
                state["data"]["agent"]["hostname"]
            )
    assert all(len(names) == 1 for names in by_snapshot.values())
    assert {each.data["agent"]["hostname"] for each in subscribers} == {"shared 19"}


async def test_writes_and_requests_through_pooler_succeed(live_engine: LiveEngine) -> None:
    ids = await fetch_agent_ids(live_engine, 6)
    live_connection = await live_engine.connect()
    subscribers = {id_: await live_connection.subscribe(AGENT, id=id_).wait_for_states(1) for id_ in ids}
    page = await live_connection.subscribe(AGENTS).wait_for_states(1)

    async def write(id_: str) -> None:
        for number in range(30):
            async with live_engine.database.pool.acquire() as connection, connection.transaction():
                await connection.execute(RENAME, id_, f"0000 {number}")

    async def count_agents() -> None:
        for _ in range(30):
            async with live_engine.database.read_transaction(platform=True) as snapshot:
                await snapshot.fetch("SELECT count(*) FROM agents WHERE hostname = $1", ("x",))

    await asyncio.gather(*(write(id_) for id_ in ids), count_agents(), count_agents())
    await live_engine.wait_until_settled()
    assert {each.data["agent"]["hostname"] for each in subscribers.values()} == {"0000 29"}
    assert [node["hostname"] for node in page.data["agents"]["nodes"]][:6] == ["0000 29"] * 6
    assert live_engine.live.stats.outages == 0


async def test_deactivated_user_through_pooler_is_disconnected(live_engine: LiveEngine) -> None:
    connection = await live_engine.connect(2)
    await connection.subscribe(AGENTS).wait_for_states(1)
    await live_engine.execute_sql(
        "UPDATE users SET status = 'inactive' WHERE id = $1", live_engine.user_ids[2]
    )
    await live_engine.wait_until_settled()
    await live_engine.execute_sql("UPDATE users SET status = 'active' WHERE id = $1", live_engine.user_ids[2])
    assert len(connection.disconnects) == 1


async def test_sessions_through_pooler_keep_no_transaction_or_lock(
    live_engine: LiveEngine, writable_demo_database_url: str
) -> None:
    connection = await live_engine.connect()
    await asyncio.gather(
        *(
            connection.subscribe(AGENT, id=id_).wait_for_states(1)
            for id_ in await fetch_agent_ids(live_engine, 20)
        )
    )
    owner = await asyncpg.connect(writable_demo_database_url)
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
    assert servers <= SERVER_CONNECTIONS + 2  # two connections of this test bypass it


async def test_idle_engine_through_pooler_runs_few_statements(live_engine: LiveEngine) -> None:
    connection = await live_engine.connect()
    await connection.subscribe(AGENTS).wait_for_states(1)
    await asyncio.sleep(1)
    began, ticks = monotonic(), live_engine.live.stats.cycles
    await asyncio.sleep(2)
    assert 3 * (live_engine.live.stats.cycles - ticks) <= 25 * (monotonic() - began)


async def test_server_start_behind_pooler_migrates_directly(cluster: ThrowawayCluster) -> None:
    """Migrations bypass it, and everything else goes through."""
    name = await cluster.create_database()
    try:
        with start_pgbouncer(cluster, name) as address:
            settings = Settings(
                statement_cache_size=0, database_direct_url=SecretStr(cluster.build_dsn(name))
            )
            for _ in range(2):
                database = await open_database(address, settings)
                assert await find_unready_reason(address) is None
                await database.close()
    finally:
        await cluster.drop_database(name)
