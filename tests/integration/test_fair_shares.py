"""One tenant with heavy work does not delay another: requests, live queries, new documents.

Heavy work waits for a locked table here. So each test ends only if the other tenant's work does not wait for it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest

from core.fair_queue import SERVER
from core.limits import LIVE_RESERVED_CONNECTIONS, LIVE_RUN_S, LIVE_SMALL_SLICE_S
from tests.http_harness import HttpHarness, open_http_harness
from tests.live.live_engine import LiveEngine, open_live_engine
from tests.waiting import HANG_S, wait_until

pytestmark = pytest.mark.newest

POOL: Final = 4
TECHNICIAN: Final = 1
OTHER: Final = 2
TWO_ROOTS: Final = "{ scheduledJobs(first: 1) { nodes { id } } agents(first: 1) { nodes { id } } }"
ONE_ROOT: Final = "{ scheduledJobs(first: 1) { nodes { id } } }"
SMALL: Final = "{ agents(first: 1) { nodes { id } } }"
SMALL_TWO: Final = "{ agents(first: 1) { nodes { id } } roles(first: 1) { nodes { id } } }"
RENAME: Final = 'mutation ($id: ID!) { updateAgent(id: $id, input: {hostname: "fair"}) { id } }'


@asynccontextmanager
async def lock_jobs(dsn: str) -> AsyncIterator[None]:
    """Lock the table of jobs: meanwhile any read of it waits."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE scheduled_jobs IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def _post(http: HttpHarness, query: str, user: int, **variables: Any) -> Any:
    response = await http.post_query(query, user, variables=variables)
    assert "errors" not in response.json(), response.json()
    return response.json()["data"]


@pytest.mark.parametrize("heavy", [TWO_ROOTS, ONE_ROOT])
async def test_heavy_requests_of_one_tenant_leave_connections_for_another(
    writable_demo_database_url: str, heavy: str
) -> None:
    async with open_http_harness(writable_demo_database_url, pool_size=POOL) as http:
        for user in (TECHNICIAN, OTHER):
            agents = (await _post(http, SMALL_TWO, user))["agents"]["nodes"]
            await _post(http, SMALL, user)
        async with lock_jobs(writable_demo_database_url):
            waiting = [asyncio.create_task(_post(http, heavy, TECHNICIAN)) for _ in range(11)]
            pools: Any = http.database.pools
            await wait_until(lambda: any(pool.slots.waiting == 11 - (POOL - 1) for pool in pools))
            async with asyncio.timeout(HANG_S / 2):
                for _ in range(3):
                    await _post(http, SMALL, OTHER)
                    await _post(http, SMALL_TWO, OTHER)
                    await _post(http, RENAME, OTHER, id=agents[0]["id"])
            assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)
        assert all(pool.slots.waiting == 0 for pool in pools)


LONG: Final = "{ scheduledJobs(first: 500) { nodes { id } } }"
LONG_TWO: Final = (
    "{ scheduledJobs(first: 500) { nodes { id } } jobs: scheduledJobs(first: 500) { nodes { id } } }"
)


async def test_long_requests_of_one_tenant_are_bounded_while_another_is_active(
    writable_demo_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over both pools: one serves the requests of one root field, and the other those of two."""
    monkeypatch.setattr("core.share_load.OTHERS_RECENT_S", 10 * HANG_S)
    async with open_http_harness(writable_demo_database_url, pool_size=10, long_statements=2) as http:
        pools: Any = http.database.pools

        def count(name: str) -> int:
            return sum(getattr(pool.slots, name) for pool in pools)

        await _post(http, SMALL, TECHNICIAN)
        await _post(http, SMALL, OTHER)
        async with lock_jobs(writable_demo_database_url):
            long = [
                asyncio.create_task(_post(http, query, TECHNICIAN))
                for query in (LONG, LONG_TWO)
                for _ in range(4)
            ]
            await wait_until(lambda: count("waiting") == 6)
            await _post(http, SMALL, TECHNICIAN)
            await _post(http, SMALL_TWO, TECHNICIAN)
        await asyncio.gather(*long)
        assert count("waiting") == 0


async def test_server_takes_the_last_connections_of_the_pool(writable_demo_database_url: str) -> None:
    async with open_http_harness(writable_demo_database_url, pool_size=POOL) as http:
        pool = http.database.pool
        async with pool.acquire_for("a"), pool.acquire_for("a"), pool.acquire_for("b"), pool.acquire():
            assert pool.slots.count_in_use(SERVER) == 1
            with pytest.raises(TimeoutError):
                await pool.acquire_for("c", timeout=0.01)
        assert [pool.slots.count_in_use(share) for share in ("a", "b", "c", SERVER)] == [0, 0, 0, 0]


_JOBS: Final = "subscription { scheduledJobs(first: 1) { totalCount } }"


async def _subscribe_to_jobs(engine: LiveEngine, count: int) -> list[Any]:
    connection = await engine.connect(TECHNICIAN)
    return [
        await connection.subscribe(_JOBS.replace("1", str(number + 1))).wait_for_states(1)
        for number in range(count)
    ]


SITE: Final = "subscription ($id: ID!) { site(id: $id) { name } }"


async def test_live_queries_of_one_tenant_do_not_delay_those_of_another(
    writable_demo_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_live_engine(writable_demo_database_url) as engine:
        heavy = await _subscribe_to_jobs(engine, 12)
        other = await engine.connect(OTHER)
        site, tenant = await _find_site(engine)
        small = await other.subscribe(SITE, id=site).wait_for_states(1)
        await engine.wait_until_settled()
        for shared in engine.live.registry:
            if shared.share != tenant:
                shared.seconds = (
                    0.9 * LIVE_RUN_S
                )  # each is known to take long, and none leaves its slice by itself
        monkeypatch.setattr("subscriptions.engine.worker_pool.LIVE_RUN_S", HANG_S)
        async with lock_jobs(writable_demo_database_url):
            # The streams of changes see the write of the other transaction only. So the lock is no problem.
            engine.live.registry.mark_all_dirty()
            engine.live.wake()
            await wait_until(lambda: engine.live._poller._slices._slices.busy == {engine.tenant_id})
            for number in range(5):
                await engine.execute_sql("UPDATE sites SET name = $2 WHERE id = $1", site, f"n{number}")
                engine.live.wake()
                await small.wait_for_states(number + 2)
            assert {len(each.texts) for each in heavy} == {1}
            pool = engine.live._separate_pool.pool
            assert pool.slots.count_available(SERVER) >= LIVE_RESERVED_CONNECTIONS
        await engine.wait_until_settled()
        assert engine.live._separate_pool.pool.slots.count_in_use(engine.tenant_id) == 0


async def _find_site(engine: LiveEngine) -> tuple[str, str]:
    tenant = await engine.execute_sql("SELECT tenant_id FROM users WHERE id = $1", engine.user_ids[OTHER])
    site = await engine.execute_sql(
        "SELECT id FROM sites WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1", tenant
    )
    assert tenant != engine.tenant_id
    return str(site), str(tenant)


async def test_live_queries_of_a_large_tenant_show_one_snapshot(writable_demo_database_url: str) -> None:
    async with open_live_engine(writable_demo_database_url) as engine:
        site = await engine.execute_sql(
            "SELECT id FROM sites WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id LIMIT 1",
            engine.tenant_id,
        )
        connection = await engine.connect(TECHNICIAN)
        subscribers = [
            connection.subscribe(f"{SITE} # {number}", {"snapshot": True}, id=site) for number in range(12)
        ]
        await asyncio.gather(*(each.wait_for_states(1) for each in subscribers))
        for number in range(5):
            for shared in engine.live.registry:
                shared.seconds = 2 * LIVE_SMALL_SLICE_S
            await engine.execute_sql("UPDATE sites SET name = $2 WHERE id = $1", site, f"n{number}")
            await asyncio.gather(*(each.wait_for_states(number + 2) for each in subscribers))
            assert {each.data["site"]["name"] for each in subscribers} == {f"n{number}"}
            assert len({each.states[-1]["extensions"]["snapshot"] for each in subscribers}) == 1
            await engine.wait_until_settled()
