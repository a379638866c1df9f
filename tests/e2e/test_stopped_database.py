"""A database that does not answer: each HTTP call gets its response within the promised time, and service goes on."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from api.health import CHECK_CACHE_S
from tests.clusters import ThrowawayCluster, start_throwaway_cluster
from tests.e2e.every_call import LIMIT_S, Targets, call_everything, open_client
from tests.e2e.servers import start_server, temporary_data_dir
from tests.postgres_processes import stopped, stopped_cluster


@pytest.fixture
def own_cluster() -> Iterator[ThrowawayCluster]:
    with start_throwaway_cluster(18) as started:
        yield started


async def fetch_server_pids(cluster: ThrowawayCluster, name: str) -> list[int]:
    connection = await asyncpg.connect(cluster.build_dsn("postgres", "postgres"))
    try:
        rows = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE datname = $1", name)
    finally:
        await connection.close()
    return [row[0] for row in rows]


async def test_http_calls_with_stopped_backends_are_answered_in_time(own_cluster: ThrowawayCluster) -> None:
    name = await own_cluster.create_database()
    with (
        temporary_data_dir() as path,
        start_server(
            "--demo", "--data-dir", path, lines=5, DATABASE_URL=own_cluster.build_dsn(name)
        ) as server,
    ):
        async with open_client(server) as client:
            targets = await Targets.create(client)
            usual = await call_everything(client, targets)
            assert {status for _, status, _ in usual} == {200}, usual
            with stopped(await fetch_server_pids(own_cluster, name)):
                answered = await call_everything(client, targets)
                assert max(duration for *_, duration in answered) < LIMIT_S, answered
                assert {status for _, status, _ in answered} <= {200, 503}
                assert 503 in {status for kind, status, _ in answered if kind == "read"}
                assert {status for kind, status, _ in answered if kind == "alive"} == {200}
                again = await call_everything(
                    client, targets
                )  # over new connections, while the others still stand
                assert {status for _, status, _ in again} == {200}, again
                assert max(duration for *_, duration in again) < LIMIT_S
                text = (await client.get("/metrics")).text
        dropped = [line for line in text.split("\n") if line.startswith("msp_database_deadlines_total")]
        assert float(dropped[0].split()[1]) > 0
        server.stop()


async def test_http_calls_with_stopped_postgresql_are_answered_in_time(own_cluster: ThrowawayCluster) -> None:
    """All its processes, so that new connections get no answer either."""
    name = await own_cluster.create_database()
    with (
        temporary_data_dir() as path,
        start_server(
            "--demo", "--data-dir", path, lines=5, DATABASE_URL=own_cluster.build_dsn(name)
        ) as server,
    ):
        async with open_client(server) as client:
            targets = await Targets.create(client)
            await call_everything(client, targets)
            with stopped_cluster(own_cluster.socket_dir):
                await asyncio.sleep(CHECK_CACHE_S)  # for as long, `/readyz` repeats the last result
                for _ in range(2):
                    answered = await call_everything(client, targets)
                    assert max(duration for *_, duration in answered) < LIMIT_S, answered
                    unanswered = [call for call in answered if call[0] not in ("alive", "metrics")]
                    assert {status for _, status, _ in unanswered} == {503}, unanswered
            async with asyncio.timeout(LIMIT_S):
                while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.2)
            assert {
                status for kind, status, _ in await call_everything(client, targets) if kind == "read"
            } == {200}
        server.stop()
