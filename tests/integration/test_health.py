"""/healthz and /readyz against real databases."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette

from api.health import HealthEndpoints
from services.startup import find_unready_reason
from tests.clusters import ThrowawayCluster
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest


async def _get_response(path: str, check: Callable[[], Awaitable[str | None]]) -> httpx.Response:
    app = Starlette(routes=HealthEndpoints(check).build_routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_healthz_without_database_is_200() -> None:
    async def fail() -> str:
        raise ConnectionRefusedError

    response = await _get_response("/healthz", fail)
    assert (response.status_code, response.text) == (200, "ok")


async def test_readyz_of_migrated_database_is_200(database_url: str) -> None:
    response = await _get_response("/readyz", lambda: find_unready_reason(database_url))
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


async def test_readyz_of_unmigrated_database_is_503(empty_database_url: str) -> None:
    response = await _get_response("/readyz", lambda: find_unready_reason(empty_database_url))
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "reason": "the database needs migration"}


async def test_readyz_of_newer_database_is_503(database_url: str) -> None:
    await _execute(
        database_url,
        "INSERT INTO aerich (version, app, content) VALUES ('999_future.py', 'models', '{}')",
    )
    response = await _get_response("/readyz", lambda: find_unready_reason(database_url))
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "reason": "the database is newer than the code"}


async def test_readyz_without_database_is_503(cluster: ThrowawayCluster) -> None:
    response = await _get_response("/readyz", lambda: find_unready_reason(cluster.build_dsn("nowhere")))
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "reason": "the database is unreachable"}


async def test_readyz_of_unresponsive_database_is_503() -> None:
    async def accept_silently(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(accept_silently, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with asyncio.timeout(HANG_S):
        response = await _get_response(
            "/readyz", lambda: find_unready_reason(f"postgresql://msp@127.0.0.1:{port}/msp")
        )
    silent.close()
    await silent.wait_closed()
    assert response.status_code == 503


async def test_readyz_concurrently_checks_database_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = 0

    async def check() -> None:
        nonlocal checks
        checks += 1
        await asyncio.sleep(0.01)

    app = Starlette(routes=HealthEndpoints(check).build_routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert checks == 1
        monkeypatch.setattr("api.health.CHECK_CACHE_S", 0)
        await client.get("/readyz")
    assert checks == 2
