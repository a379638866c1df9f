"""/healthz and /readyz against real databases."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette

from api.health import Health
from services.startup import unready
from tests.clusters import ThrowawayCluster


async def _get(path: str, look: Callable[[], Awaitable[str | None]]) -> httpx.Response:
    app = Starlette(routes=Health(look).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path)


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_the_process_is_up_whatever_the_database_is() -> None:
    async def fail() -> str:
        raise ConnectionRefusedError

    response = await _get("/healthz", fail)
    assert (response.status_code, response.text) == (200, "ok")


async def test_ready_when_migrated(database_url: str) -> None:
    response = await _get("/readyz", lambda: unready(database_url))
    assert (response.status_code, response.json()) == (200, {"status": "ready"})


async def test_not_ready_before_the_migration(empty_database_url: str) -> None:
    response = await _get("/readyz", lambda: unready(empty_database_url))
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "reason": "the database needs migration"}


async def test_not_ready_behind_a_newer_server(database_url: str) -> None:
    await _execute(
        database_url,
        "INSERT INTO aerich (version, app, content) VALUES ('999_future.py', 'models', '{}')",
    )
    response = await _get("/readyz", lambda: unready(database_url))
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "reason": "the database is newer than the code"}


async def test_not_ready_without_the_database(cluster: ThrowawayCluster) -> None:
    response = await _get("/readyz", lambda: unready(cluster.dsn("nowhere")))
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "reason": "the database cannot be reached"}


async def test_a_silent_database_is_given_one_second() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    began = time.monotonic()
    response = await _get("/readyz", lambda: unready(f"postgresql://msp@127.0.0.1:{port}/msp"))
    silent.close()
    await silent.wait_closed()
    assert response.status_code == 503
    assert time.monotonic() - began < 3


async def test_many_questions_at_once_are_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.01)

    app = Starlette(routes=Health(look).routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answers = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert looks == 1
        monkeypatch.setattr("api.health.MEMORY_S", 0)
        await client.get("/readyz")
    assert looks == 2
