"""Servers on an operator's PostgreSQL, 18 and 15, as a role that is no superuser."""

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest

from tests.clusters import ThrowawayCluster
from tests.e2e.servers import (
    run_command,
    spawn_server,
    start_server,
    temporary_data_dir,
    wait_for_lines,
)
from tests.role_modes import RESTRICTED_OWNER, create_database_of_restricted_owner
from tests.waiting import HANG_S, poll_until

LINES = 5
ISSUER: dict[str, Any] = {"OIDC_ISSUER": "https://issuer.example", "OIDC_AUDIENCES": "msp"}


def test_migrate_command_applies_migrations_once(empty_database_url: str) -> None:
    first = run_command("migrate", DATABASE_URL=empty_database_url)
    assert first.returncode == 0, first.stderr
    applied = first.stdout.splitlines()
    assert applied
    assert all(line.startswith("Applied ") for line in applied)
    second = run_command("migrate", DATABASE_URL=empty_database_url)
    assert (second.returncode, second.stdout) == (0, "The database is up to date.\n")


@pytest.mark.newest
def test_server_with_database_url_starts_no_postgresql(database_url: str) -> None:
    with (
        temporary_data_dir() as fresh,
        start_server("--demo", "--data-dir", fresh, DATABASE_URL=database_url, lines=LINES) as server,
    ):
        assert httpx.get(f"{server.url}/readyz", timeout=HANG_S).status_code == 200
        assert not (fresh / "postgres").exists()
        server.stop()


@pytest.mark.newest
def test_server_reports_mode_of_row_security_and_activity(database_url: str) -> None:
    with start_server(DATABASE_URL=database_url, **ISSUER) as server:
        ready = httpx.get(f"{server.url}/readyz").json()
        assert ready == {"status": "ready", "rowSecurity": "role", "active": True}
        lines = httpx.get(f"{server.url}/metrics").text.split("\n")
        assert {'msp_row_security_mode{mode="role"} 1.0', 'msp_row_security_mode{mode="forced"} 0.0'} <= set(
            lines
        )
        assert "msp_active 1.0" in lines
        (reported,) = _read_log_events(server.log.read_text(), "row-level security")
        assert reported["mode"] == "role"
        server.stop()


async def test_server_in_forced_mode_over_paused_copy_warns(cluster: ThrowawayCluster) -> None:
    name = await create_database_of_restricted_owner(cluster)
    dsn = cluster.build_dsn(name, RESTRICTED_OWNER)
    assert run_command("pause", DATABASE_URL=dsn).returncode == 0
    with start_server(DATABASE_URL=dsn, **ISSUER) as server:
        async with httpx.AsyncClient() as client:
            ready = (await client.get(f"{server.url}/readyz")).json()
        assert ready == {"status": "ready", "rowSecurity": "forced", "active": False}
        warnings = [line for line in server.log.read_text().splitlines() if '"warning"' in line]
        assert any("CREATE ROLE" in line and "--change-rls-mode" in line for line in warnings)
        assert any("paused copy" in line for line in warnings)
        server.stop()
    again = run_command("migrate", "--change-rls-mode", DATABASE_URL=dsn)  # it still may not create roles
    assert again.returncode == 0
    await cluster.drop_database(name)


@pytest.mark.newest
def test_server_without_demo_has_no_demo_issuer(database_url: str) -> None:
    with start_server(DATABASE_URL=database_url, **ISSUER) as server:
        assert len(server.lines) == 1
        assert httpx.get(f"{server.url}/readyz", timeout=HANG_S).status_code == 200
        assert httpx.get(f"{server.url}/demo-issuer/.well-known/jwks.json", timeout=HANG_S).status_code == 404
        server.stop()


@pytest.mark.newest
def test_server_without_demo_refuses_demo_tokens(database_url: str) -> None:
    with temporary_data_dir() as fresh:
        with start_server("--demo", "--data-dir", fresh, DATABASE_URL=database_url, lines=LINES) as demo:
            tokens = demo.tokens
            demo.stop()
        with start_server("--data-dir", fresh, DATABASE_URL=database_url, **ISSUER) as server:
            for _, token in tokens:
                response = httpx.post(
                    f"{server.url}/graphql",
                    json={"query": "{ viewer { kind } }"},
                    headers={"Authorization": f"Bearer {token}"},
                    timeout=HANG_S,
                )
                assert response.status_code == 401, response.text
            server.stop()


def test_two_servers_on_empty_database_migrate_once(empty_database_url: str) -> None:
    given = {"DATABASE_URL": empty_database_url}
    with (
        temporary_data_dir() as fresh,
        spawn_server("--demo", "--data-dir", fresh, **given) as first,
        spawn_server("--demo", "--data-dir", fresh, **given) as second,
    ):
        counts = []
        for server in (first, second):
            wait_for_lines(server, LINES)
            response = httpx.post(
                f"{server.url}/graphql",
                json={"query": "{ sites { totalCount } agents { totalCount } }"},
                headers={"Authorization": f"Bearer {first.tokens[0][1]}"},
                timeout=HANG_S,
            )
            counts.append(response.json()["data"])
        assert counts[0] == counts[1]
        assert counts[0]["sites"]["totalCount"] > 0
        migrations = _read_log_events(first.log.read_text() + second.log.read_text(), "migrated")
        assert len(migrations) == 1
        first.stop()
        second.stop()


@pytest.mark.newest
async def test_server_stop_with_request_waiting_for_a_lock_cancels_it(database_url: str) -> None:
    with (
        temporary_data_dir() as fresh,
        start_server("--demo", "--data-dir", fresh, DATABASE_URL=database_url, lines=LINES) as server,
    ):
        rival = await asyncpg.connect(database_url)
        try:
            await rival.execute("BEGIN; LOCK TABLE sites IN ACCESS EXCLUSIVE MODE")
            async with httpx.AsyncClient(
                headers={"Authorization": f"Bearer {server.tokens[0][1]}"}, timeout=HANG_S
            ) as client:
                body = {"query": "{ sites { totalCount } }"}
                request = asyncio.create_task(client.post(f"{server.url}/graphql", json=body))
                await _wait_for_lock_wait(rival)
                server.stop()
                await asyncio.gather(request, return_exceptions=True)
        finally:
            await rival.close()


async def _wait_for_lock_wait(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Return when a session waits for a lock. PostgreSQL has no event for that, so this polls."""
    await poll_until(lambda: connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))


def _read_log_events(text: str, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line["event"] == event]
