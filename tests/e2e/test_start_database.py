"""Servers on a PostgreSQL of the operator's, 18 and 15, as a role that is no superuser."""

import asyncio
import json

import asyncpg
import httpx

from tests.e2e.servers import STOP_LIMIT_S, data_directory, ended, running, starting, wait_for

LINES = 5
ISSUER = {"OIDC_ISSUER": "https://issuer.example"}


def test_migrate_migrates_and_says_so(empty_database_url: str) -> None:
    first = ended("migrate", DATABASE_URL=empty_database_url)
    assert first.returncode == 0, first.stderr
    applied = first.stdout.splitlines()
    assert applied
    assert all(line.startswith("Applied ") for line in applied)
    second = ended("migrate", DATABASE_URL=empty_database_url)
    assert (second.returncode, second.stdout) == (0, "The database is up to date.\n")


def test_it_starts_no_postgresql_of_its_own(database_url: str) -> None:
    with (
        data_directory() as fresh,
        running("--demo", "--data-dir", fresh, DATABASE_URL=database_url, lines=LINES) as server,
    ):
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        assert not (fresh / "postgres").exists()
        assert server.end() < STOP_LIMIT_S


def test_without_demo_there_is_no_demo_issuer(database_url: str) -> None:
    with running(DATABASE_URL=database_url, **ISSUER) as server:
        assert len(server.lines) == 1
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        assert httpx.get(f"{server.url}/demo-issuer/.well-known/jwks.json").status_code == 404
        assert server.end() < STOP_LIMIT_S


def test_demo_tokens_are_not_taken_without_demo(database_url: str) -> None:
    with data_directory() as fresh:
        with running("--demo", "--data-dir", fresh, DATABASE_URL=database_url, lines=LINES) as demo:
            tokens = demo.tokens
            demo.end()
        with running("--data-dir", fresh, DATABASE_URL=database_url, **ISSUER) as server:
            for _, token in tokens:
                response = httpx.post(
                    f"{server.url}/graphql",
                    json={"query": "{ viewer { kind } }"},
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert response.status_code == 401
            server.end()


def test_two_servers_at_once_on_a_fresh_database(empty_database_url: str) -> None:
    given = {"DATABASE_URL": empty_database_url}
    with (
        data_directory() as fresh,
        starting("--demo", "--data-dir", fresh, **given) as first,
        starting("--demo", "--data-dir", fresh, **given) as second,
    ):
        counts = []
        for server in (first, second):
            wait_for(server, LINES)
            response = httpx.post(
                f"{server.url}/graphql",
                json={"query": "{ sites { totalCount } agents { totalCount } }"},
                headers={"Authorization": f"Bearer {first.tokens[0][1]}"},
            )
            counts.append(response.json()["data"])
        assert counts[0] == counts[1]
        assert counts[0]["sites"]["totalCount"] > 0
        migrations = _log(first.log.read_text() + second.log.read_text(), "migrated")
        assert len(migrations) == 1
        first.end()
        second.end()


async def test_a_request_that_waits_for_the_database_does_not_hold_the_end(database_url: str) -> None:
    with (
        data_directory() as fresh,
        running("--demo", "--data-dir", fresh, DATABASE_URL=database_url, lines=LINES) as server,
    ):
        rival = await asyncpg.connect(database_url)
        try:
            await rival.execute("BEGIN; LOCK TABLE sites IN ACCESS EXCLUSIVE MODE")
            async with httpx.AsyncClient(
                headers={"Authorization": f"Bearer {server.tokens[0][1]}"}
            ) as client:
                body = {"query": "{ sites { totalCount } }"}
                request = asyncio.create_task(client.post(f"{server.url}/graphql", json=body))
                await _until_somebody_waits(rival)
                assert server.end() < STOP_LIMIT_S
                await asyncio.gather(request, return_exceptions=True)
        finally:
            await rival.close()


async def _until_somebody_waits(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Returns when a session waits for a lock; PostgreSQL has no way to tell us, so we look again and again."""
    async with asyncio.timeout(10):
        while not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted) FROM pg_sleep(0.02)"
        ):
            pass


def _log(text: str, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line["event"] == event]
