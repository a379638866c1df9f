"""How a server stops at a signal: what is in flight is finished, and what must be cut gets an answer."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import pytest

from core.auth.agent_tokens import AgentTokens
from core.auth.signing import SigningKey
from demo import load_demo_viewers
from tests.scripted_live import ScriptedServer, start_scripted_server
from tests.waiting import HANG_S
from tests.websocket_client import WebSocketClient, connect_websocket

pytestmark = pytest.mark.newest
QUERY: Final = {"query": "{ sites(first: 1) { nodes { id } } }"}
GRACE_S: Final = 600
"""More than a test waits for anything, so that what ends has not waited for it."""


@asynccontextmanager
async def _blocked_sites(database_url: str, table: str = "sites") -> AsyncIterator[asyncpg.Connection]:
    """Queries of sites, or of another table, wait during the block, or until `ROLLBACK`."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield connection
    finally:
        await connection.close()


async def _wait_until_blocked(blocker: asyncpg.Connection, words: str = "") -> None:
    """Wait until a statement with these words waits for the blocker."""
    async with asyncio.timeout(HANG_S):
        while not await blocker.fetchval(  # noqa: ASYNC110 - PostgreSQL has no event
            "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)) AND strpos(query, $1) > 0",
            words,
        ):
            await asyncio.sleep(0.02)


async def _user_token(database_url: str) -> str:
    connection = await asyncpg.connect(database_url)
    try:
        return ScriptedServer.issue_token((await load_demo_viewers(connection))[0].user_id)
    finally:
        await connection.close()


async def _request(server: ScriptedServer, token: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=HANG_S, headers={"Authorization": f"Bearer {token}"}) as client:
        return await client.post(f"{server.url}/graphql", json=QUERY)


async def _readiness(server: ScriptedServer) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"{server.url}/readyz")


async def _open(server: ScriptedServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = server.url.removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def _accepts(server: ScriptedServer) -> bool:
    try:
        (await _open(server))[1].close()
    except OSError:
        return False
    return True


def _send(server: ScriptedServer, number: signal.Signals) -> None:
    server.server.handle_exit(number, None)


async def test_request_in_flight_at_sigterm_is_answered(demo_database_url: str) -> None:
    token = await _user_token(demo_database_url)
    async with start_scripted_server(demo_database_url, shutdown_grace=GRACE_S) as server:
        async with _blocked_sites(demo_database_url) as blocker:
            request = asyncio.create_task(_request(server, token))
            await _wait_until_blocked(blocker)
            _send(server, signal.SIGTERM)
            await asyncio.sleep(1)
            assert not await _accepts(server)
            assert not server.serving.done()
            await blocker.execute("ROLLBACK")
        response = await request
        assert response.status_code == 200
        assert response.json()["data"]["sites"]["nodes"]
        assert response.headers["connection"] == "close"
        await asyncio.wait_for(server.serving, HANG_S)


async def test_request_beyond_the_grace_gets_503_as_graphql(demo_database_url: str) -> None:
    token = await _user_token(demo_database_url)
    async with (
        start_scripted_server(demo_database_url, shutdown_grace=0.5) as server,
        _blocked_sites(demo_database_url) as blocker,
    ):
        request = asyncio.create_task(_request(server, token))
        await _wait_until_blocked(blocker)
        _send(server, signal.SIGTERM)
        response = await request
        await asyncio.wait_for(server.serving, HANG_S)
        assert response.status_code == 503
        (error,) = response.json()["errors"]
        assert (error["message"], error["extensions"]["code"]) == ("The server is shutting down", "INTERNAL")
        assert response.headers["retry-after"] == "5"
        assert "x-request-id" in response.headers


async def _enroll(server: ScriptedServer, database_url: str, tokens: AgentTokens) -> dict[str, str]:
    """Enroll an agent at the first site; returns the headers of its calls."""
    connection = await asyncpg.connect(database_url)
    try:
        (found,) = await connection.fetch(
            "INSERT INTO issued_credentials (tenant_id, kind, site_id, issuer_type, expires_at)"
            " SELECT tenant_id, 'enrollment', id, 'platform', app.now_ms() + 600000 FROM sites"
            " WHERE deleted_at IS NULL ORDER BY id LIMIT 1 RETURNING id, site_id, tenant_id"
        )
    finally:
        await connection.close()
    token_id, site, tenant = found
    body = {"site_id": site, "hostname": "desk", "platform": "windows", "version": "1"}
    headers = {"Authorization": f"Bearer {tokens.issue_enrollment_token(site, tenant, 600, token_id)}"}
    async with httpx.AsyncClient(timeout=HANG_S) as client:
        enrolled = await client.post(f"{server.url}/v1.0/register", json=body, headers=headers)
    data = enrolled.json()["data"]
    return {"Authorization": f"Bearer {data['token']}", "X-Site-ID": site, "X-Device-ID": data["device_id"]}


async def test_agents_call_beyond_the_grace_gets_503_and_a_time_to_retry(
    writable_demo_database_url: str, tmp_path: Path
) -> None:
    tokens = AgentTokens(SigningKey.create(tmp_path / "key.pem"))
    async with start_scripted_server(
        writable_demo_database_url, agent_tokens=tokens, shutdown_grace=0.5
    ) as server:
        headers = await _enroll(server, writable_demo_database_url, tokens)
        async with (
            _blocked_sites(writable_demo_database_url, "agents") as blocker,
            httpx.AsyncClient(timeout=HANG_S, headers=headers) as client,
        ):
            beat = {"hostname": "desk", "version": "2"}
            call = asyncio.create_task(client.post(f"{server.url}/v1.0/heartbeat", json=beat))
            await _wait_until_blocked(blocker, "check_in")
            _send(server, signal.SIGTERM)
            answer = await call
        await asyncio.wait_for(server.serving, HANG_S)
    assert answer.status_code == 503
    assert "shutting down" in answer.text
    assert 1 <= int(answer.headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)],
    ids=lambda signals: "+".join(number.name for number in signals),
)
async def test_sigint_or_a_second_signal_skips_delay_and_grace(
    demo_database_url: str, signals: tuple[signal.Signals, ...]
) -> None:
    token = await _user_token(demo_database_url)
    async with (
        start_scripted_server(demo_database_url, shutdown_delay=GRACE_S, shutdown_grace=GRACE_S) as server,
        _blocked_sites(demo_database_url) as blocker,
    ):
        request = asyncio.create_task(_request(server, token))
        await _wait_until_blocked(blocker)
        for number in signals:
            assert not server.serving.done()
            _send(server, number)
            await asyncio.sleep(0.3)
        await asyncio.wait_for(server.serving, HANG_S)
        assert (await request).status_code == 503


async def test_delay_serves_and_is_not_ready(demo_database_url: str) -> None:
    token = await _user_token(demo_database_url)
    async with start_scripted_server(demo_database_url, shutdown_delay=3, shutdown_grace=GRACE_S) as server:
        assert (await _readiness(server)).status_code == 200
        _send(server, signal.SIGTERM)
        began = time.monotonic()
        while time.monotonic() - began < 2.3:
            await asyncio.sleep(0.3)
            ready = await _readiness(server)
            assert (ready.status_code, ready.json()["reason"]) == (503, "the server is shutting down")
            assert (await _request(server, token)).status_code == 200
        await asyncio.wait_for(server.serving, HANG_S)
        assert time.monotonic() - began >= 3
        assert not await _accepts(server)


async def test_unused_server_waits_for_no_delay(demo_database_url: str) -> None:
    async with start_scripted_server(
        demo_database_url, shutdown_delay=GRACE_S, shutdown_grace=GRACE_S
    ) as server:
        _send(server, signal.SIGTERM)
        await asyncio.wait_for(server.serving, HANG_S)


@pytest.mark.parametrize("complete", [True, False])
async def test_half_a_body_has_the_grace(demo_database_url: str, complete: bool) -> None:
    body = b'{"query": "{ __typename }"}'
    async with start_scripted_server(
        demo_database_url, shutdown_grace=GRACE_S if complete else 0.5
    ) as server:
        reader, writer = await _open(server)
        head = "POST /graphql HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length:"
        writer.write(f"{head} {len(body)}\r\n\r\n".encode() + body[:5])
        await asyncio.sleep(0.2)
        _send(server, signal.SIGTERM)
        await asyncio.sleep(0.4)
        if complete:
            writer.write(body[5:])
        answer = await asyncio.wait_for(reader.read(), HANG_S)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200" if complete else b"HTTP/1.1 503")
        assert complete or b'"The server is shutting down"' in answer
        await asyncio.wait_for(server.serving, HANG_S)


async def test_sockets_are_closed_over_the_grace(demo_database_url: str) -> None:
    sockets, grace_s = 40, 3.0
    token = await _user_token(demo_database_url)
    ends: list[tuple[float, int]] = []

    async def wait(client: WebSocketClient) -> None:
        code, _ = await client.wait_for_close(HANG_S)
        ends.append((time.monotonic() - began, code))

    async with (
        start_scripted_server(demo_database_url, shutdown_grace=grace_s) as server,
        AsyncExitStack() as stack,
    ):
        clients = [await stack.enter_async_context(connect_websocket(server.url)) for _ in range(sockets)]
        for client in clients:
            await client.init(token)
        began = time.monotonic()
        _send(server, signal.SIGTERM)
        await asyncio.gather(*map(wait, clients))
        await asyncio.wait_for(server.serving, HANG_S)
    assert {code for _, code in ends} == {1001}
    times = sorted(at for at, _ in ends)
    assert times[sockets // 2] - times[0] > 0.25 * grace_s
    assert times[-1] - times[0] > 0.6 * grace_s


async def test_operation_on_a_socket_is_answered_before_the_close(demo_database_url: str) -> None:
    token = await _user_token(demo_database_url)
    async with (
        start_scripted_server(demo_database_url, shutdown_grace=GRACE_S) as server,
        _blocked_sites(demo_database_url) as blocker,
        connect_websocket(server.url) as client,
    ):
        await client.init(token)
        await client.subscribe(QUERY["query"])
        await _wait_until_blocked(blocker)
        _send(server, signal.SIGTERM)
        await asyncio.sleep(1)
        await blocker.execute("ROLLBACK")
        assert (await client.receive())["payload"]["data"]["sites"]
        assert (await client.wait_for_close())[0] == 1001
