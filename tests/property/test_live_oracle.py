"""The oracle of the live layer: a subscriber's last message always equals the response to a new query.

Two servers share one database. Several viewers' sockets have generated live queries. Writers change anything
by plain SQL, roll back, and take long. Meanwhile connections are cut, a server is killed, PostgreSQL crashes.
Then the writers stop, and every subscriber's last message must equal its query run anew. No message may be
older than the one before, and two queries on one socket that must agree do so after each tick.

`LIVE_ORACLE_SECONDS=600` writes for so long, `LIVE_ORACLE_SEED=...` draws other queries.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from core.settings import Settings
from demo import DemoSize, load_demo
from services.migrations import migrate
from tests.clusters import ThrowawayCluster, start_throwaway_cluster
from tests.conftest import ReportLine
from tests.live.oracle_clients import ROLE_PAIR, OracleClient, make_oracle_clients
from tests.live.random_writers import RandomWriters
from tests.live.two_servers import TwoServers
from tests.property.row_samples import sample_rows
from tests.property.viewer_cases import create_viewer_cases

SECONDS: Final = float(os.environ.get("LIVE_ORACLE_SECONDS", "15"))
SEED: Final = os.environ.get("LIVE_ORACLE_SEED") or os.environ.get("DIFFERENTIAL_SEED", "")
WRITERS: Final = 4
PAUSE_S: Final = 0.05
SETTLE_TIMEOUT_S: Final = 30.0
"""After the last write. A server that lost its database retries for some seconds."""


@asynccontextmanager
async def _start_demo_cluster(version: int) -> AsyncIterator[tuple[ThrowawayCluster, str]]:
    """A cluster that may crash, and the DSN of a database with the small demo data in it."""
    with start_throwaway_cluster(version) as cluster:
        dsn = cluster.build_dsn(await cluster.create_database())
        await migrate(dsn, Settings())
        connection = await asyncpg.connect(dsn)
        await load_demo(connection, DemoSize.SMALL)
        await connection.close()
        yield cluster, dsn


async def test_live_query_after_writes_and_failures_equals_fresh_query(
    cluster: ThrowawayCluster, report_line: ReportLine
) -> None:
    seed = SEED or str(random.SystemRandom().randrange(10**6))
    async with _start_demo_cluster(cluster.version) as (own, dsn):
        seats, writers = await _prepare(dsn, seed)
        with TwoServers(dsn) as servers:
            try:
                await asyncio.gather(*(seat.start(servers) for seat in seats))
                await asyncio.gather(_run_writers(writers), _cause_failures(own, servers, writers))
                stale = await _wait_until_settled(seats)
            finally:
                for seat in seats:
                    await seat.close()
    message_count = sum(seat.state_count for seat in seats)
    report_line(
        f"seed {seed}: {message_count} messages to {len(seats)} sockets; {dict(writers.change_counts)}"
    )
    assert not stale, "\n\n".join([f"LIVE_ORACLE_SEED={seed}", *stale[:5]])
    assert not [back for seat in seats for back in seat.backward_steps]
    assert not [torn for seat in seats for torn in seat.pair_mismatches]
    # How much happens depends on the machine. These fail if next to nothing happened.
    assert sum(seat.pair_matches for seat in seats) > 0  # pairs that came together
    assert message_count > SECONDS
    assert writers.change_counts["update"] > 0
    assert writers.change_counts["rolled back"] > 0
    assert writers.change_counts["connections cut"] > 0


async def _prepare(dsn: str, seed: str) -> tuple[list[OracleClient], RandomWriters]:
    connection = await asyncpg.connect(dsn)
    try:
        everybody = [person for person in await create_viewer_cases(connection) if person.principal.kind]
        tenants = sorted({person.tenant_id for person in everybody})
        for name in ROLE_PAIR:
            await connection.execute(
                "INSERT INTO roles (id, tenant_id, name, description) VALUES ($1, $2, $1, '0')",
                name,
                tenants[0],
            )
            await connection.execute(
                "UPDATE roles SET tenant_id = $1 WHERE id = $2", everybody[0].tenant_id, name
            )
        clerk = next(person for person in everybody if person.principal.label == "clerk")
        role = await connection.fetchval("SELECT role_id FROM users WHERE id = $1", clerk.principal.subject)
        samples = await sample_rows(connection)
    finally:
        await connection.close()
    writers = RandomWriters(dsn, random.Random(seed), tenants, [role])  # noqa: S311 - tests are to be repeatable
    return list(make_oracle_clients(everybody, samples, seed)), writers


async def _run_writers(writers: RandomWriters) -> None:
    async def stop() -> None:
        await asyncio.sleep(SECONDS)
        writers.is_stopping = True

    await asyncio.gather(stop(), writers.write(WRITERS, PAUSE_S), writers.write_pairs(ROLE_PAIR, PAUSE_S))


async def _cause_failures(cluster: ThrowawayCluster, servers: TwoServers, writers: RandomWriters) -> None:
    """Cut connections, kill a server, crash PostgreSQL, each during writes."""
    await asyncio.sleep(SECONDS * 0.2)
    writers.change_counts["connections cut"] = await servers.cut_connections(cluster)
    await asyncio.sleep(SECONDS * 0.2)
    await servers.kill_and_restart_one()
    await asyncio.sleep(SECONDS * 0.2)
    await asyncio.to_thread(cluster.crash)


async def _wait_until_settled(seats: list[OracleClient]) -> list[str]:
    """The queries that are stale after everything had time to settle."""
    deadline = asyncio.get_running_loop().time() + SETTLE_TIMEOUT_S
    while True:
        stale = [message_count for seat in seats for message_count in await seat.find_stale()]
        if not stale or asyncio.get_running_loop().time() > deadline:
            return stale
        await asyncio.sleep(0.5)
