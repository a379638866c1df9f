"""The oracle of the live layer: whatever happens, what a subscriber was told last is what a fresh query answers.

Two servers on one database; generated live queries over the sockets of several viewers; writers that change anything
by plain SQL, roll back, take long; and meanwhile connections are cut, a server is killed, PostgreSQL crashes. Then
the writers stop, and every subscriber's last message must equal its query run afresh. No message may go back in time,
and two queries on one socket that must agree do so after each tick.

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
from services.demo import DemoSize, load_demo
from services.migrations import migrate
from tests.clusters import ThrowawayCluster, throwaway_cluster
from tests.conftest import Seen
from tests.live.seats import PAIR, Seat, seats_of
from tests.live.servers import TwoServers
from tests.live.writers import Writers
from tests.property.people import people
from tests.property.samples import take_samples

SECONDS: Final = float(os.environ.get("LIVE_ORACLE_SECONDS", "25"))
SEED: Final = os.environ.get("LIVE_ORACLE_SEED") or os.environ.get("DIFFERENTIAL_SEED", "")
WRITERS: Final = 4
PAUSE_S: Final = 0.05
SETTLED_WITHIN_S: Final = 30.0
"""After the last write; a server that lost its database tries again for some seconds."""


@asynccontextmanager
async def _demo_of_its_own(version: int) -> AsyncIterator[tuple[ThrowawayCluster, str]]:
    """A cluster that may crash, and the address of a database with the small demo data in it."""
    with throwaway_cluster(version) as cluster:
        dsn = cluster.dsn(await cluster.create())
        await migrate(dsn, Settings())
        connection = await asyncpg.connect(dsn)
        await load_demo(connection, DemoSize.SMALL)
        await connection.close()
        yield cluster, dsn


async def test_the_last_message_is_the_answer(cluster: ThrowawayCluster, seen: Seen) -> None:
    seed = SEED or str(random.SystemRandom().randrange(10**6))
    async with _demo_of_its_own(cluster.version) as (own, dsn):
        seats, writers = await _prepared(dsn, seed)
        with TwoServers(dsn) as servers:
            try:
                await asyncio.gather(*(seat.sit_down(servers) for seat in seats))
                await asyncio.gather(_written(writers), _troubled(own, servers, writers))
                stale = await _settled(seats)
            finally:
                for seat in seats:
                    await seat.leave()
    told = sum(seat.states for seat in seats)
    seen(f"seed {seed}: {told} messages to {len(seats)} sockets; {dict(writers.done)}")
    assert not stale, "\n\n".join([f"LIVE_ORACLE_SEED={seed}", *stale[:5]])
    assert not [back for seat in seats for back in seat.went_back]
    assert not [torn for seat in seats for torn in seat.torn]
    assert sum(seat.agreed for seat in seats) > SECONDS  # pairs that came together
    assert told > 10 * SECONDS
    assert writers.done["update"] > SECONDS
    assert writers.done["rolled back"] > 0
    assert writers.done["connections cut"] > 0


async def _prepared(dsn: str, seed: str) -> tuple[list[Seat], Writers]:
    connection = await asyncpg.connect(dsn)
    try:
        everybody = [person for person in await people(connection) if person.who.kind]
        tenants = sorted({person.tenant_id for person in everybody})
        for name in PAIR:
            await connection.execute(
                "INSERT INTO roles (id, tenant_id, name, description) VALUES ($1, $2, $1, '0')",
                name,
                tenants[0],
            )
            await connection.execute(
                "UPDATE roles SET tenant_id = $1 WHERE id = $2", everybody[0].tenant_id, name
            )
        clerk = next(person for person in everybody if person.who.label == "clerk")
        role = await connection.fetchval("SELECT role_id FROM users WHERE id = $1", clerk.who.subject)
        samples = await take_samples(connection)
    finally:
        await connection.close()
    writers = Writers(dsn, random.Random(seed), tenants, [role])  # noqa: S311 - tests are to be repeatable
    return list(seats_of(everybody, samples, seed)), writers


async def _written(writers: Writers) -> None:
    async def stop() -> None:
        await asyncio.sleep(SECONDS)
        writers.stopping = True

    await asyncio.gather(stop(), writers.write(WRITERS, PAUSE_S), writers.write_pairs(PAIR, PAUSE_S))


async def _troubled(cluster: ThrowawayCluster, servers: TwoServers, writers: Writers) -> None:
    """Cuts connections, kills a server, crashes PostgreSQL; each while everything is written to."""
    await asyncio.sleep(SECONDS * 0.2)
    writers.done["connections cut"] = await servers.cut_connections(cluster)
    await asyncio.sleep(SECONDS * 0.2)
    await servers.kill_one()
    await asyncio.sleep(SECONDS * 0.2)
    await asyncio.to_thread(cluster.crash)


async def _settled(seats: list[Seat]) -> list[str]:
    """What is stale when everything had the time to settle."""
    deadline = asyncio.get_running_loop().time() + SETTLED_WITHIN_S
    while True:
        stale = [told for seat in seats for told in await seat.stale()]
        if not stale or asyncio.get_running_loop().time() > deadline:
            return stale
        await asyncio.sleep(0.5)
