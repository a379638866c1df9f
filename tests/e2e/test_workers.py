"""Several worker processes on one port, as an operator starts them."""

import signal
from collections.abc import Iterator

import asyncpg
import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from demo import load_demo_viewers
from tests.e2e.servers import Server, spawn_server, start_server, temporary_data_dir
from tests.issuers import ISSUER, build_public_jwk, issue_user_token, make_ec_key, start_key_server
from tests.waiting import HANG_S, block_until
from tests.websocket_client import connect_websocket

pytestmark = pytest.mark.newest
WORKERS = 2
_CREATE_SITE = "mutation ($name: String!) { createSite(input: { name: $name }) { id } }"


@pytest.fixture
def server(writable_demo_database_url: str) -> Iterator[Server]:
    """A supervisor with two workers."""
    with (
        temporary_data_dir() as path,
        start_server(
            "--demo", "--data-dir", path, "--workers", WORKERS, lines=5, DATABASE_URL=writable_demo_database_url
        ) as server,
    ):  # fmt: skip
        yield server


def _find_workers(server: Server) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children()


def _read_metrics(server: Server) -> dict[tuple[str, ...], float]:
    text = httpx.get(f"{server.url}/metrics", timeout=HANG_S).text
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def _request(server: Server) -> int:
    headers = {"Authorization": f"Bearer {server.tokens[0][1]}"}
    query = {"query": "query Workers { viewer { kind } }"}
    return httpx.post(f"{server.url}/graphql", json=query, headers=headers, timeout=30).status_code


async def test_workers_without_signing_key_read_each_others_transactions(
    writable_demo_database_url: str,
) -> None:
    """The supervisor makes one key for all. With a key each, about half of these writes would be unknown."""
    connection = await asyncpg.connect(writable_demo_database_url)
    user_id = (await load_demo_viewers(connection))[0].user_id
    await connection.close()
    key = make_ec_key("workers")
    token = issue_user_token(key, sub=user_id)
    async with start_key_server(build_public_jwk(key, kid="k1")) as keys, httpx.AsyncClient() as http:
        with start_server(
            "--workers",
            WORKERS,
            DATABASE_URL=writable_demo_database_url,
            OIDC_ISSUER=ISSUER,
            OIDC_JWKS_URL=keys.url,
            OIDC_ANY_CLIENT="true",
        ) as server:
            async with connect_websocket(server.url) as client:
                await client.init(token)
                for number in range(12):
                    response = await http.post(
                        f"{server.url}/graphql",
                        json={"query": _CREATE_SITE, "variables": {"name": f"Of some worker {number}"}},
                        headers={"Authorization": f"Bearer {token}", "Connection": "close"},
                        timeout=HANG_S,
                    )
                    payload = {"transaction": response.json()["extensions"]["transaction"]}
                    await client.send({"type": "ping", "payload": payload})
                    pong = await client.receive()
                    assert pong == {"type": "pong", "payload": {**payload, "seen": True}}


async def test_workers_survive_the_kill_of_one_and_stop_together(server: Server) -> None:
    workers = _find_workers(server)
    assert len(workers) == WORKERS
    assert [_request(server) for _ in range(20)] == [200] * 20
    metrics = _read_metrics(server)
    assert [metrics["msp_worker_up", str(number)] for number in range(WORKERS)] == [1] * WORKERS
    counts = [
        metrics.get(("msp_requests_total", str(number), "Workers", "ok"), 0) for number in range(WORKERS)
    ]
    assert sum(counts) == 20
    assert metrics[("msp_worker_restarts_total",)] == 0

    async with connect_websocket(server.url) as first, connect_websocket(server.url) as second:
        clients = [first, second]
        for client in clients:
            await client.init(server.tokens[0][1])
            await client.subscribe("subscription { sites(first: 1) { totalCount } }")
            assert (await client.receive())["type"] == "next"
        workers[0].kill()
        assert [_request(server) for _ in range(20)] == [200] * 20  # the other one answers
    block_until(lambda: len(_find_workers(server)) == WORKERS and not workers[0].is_running())
    block_until(lambda: _read_metrics(server)["msp_worker_up", "0"] == 1)
    assert _read_metrics(server)[("msp_worker_restarts_total",)] == 1
    workers = _find_workers(server)
    server.stop(signal.SIGTERM)
    assert server.process.returncode == 0
    assert not [process for process in workers if process.is_running()]
    assert "Traceback" not in server.log.read_text()


def test_workers_end_after_their_supervisor_was_killed(server: Server) -> None:
    workers = _find_workers(server)
    server.stop(signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=HANG_S)
    assert not alive


def test_workers_that_cannot_start_end_the_supervisor(writable_demo_database_url: str) -> None:
    with (
        temporary_data_dir() as path,
        spawn_server(
            "--demo", "--data-dir", path, "--workers", WORKERS,
            DATABASE_URL=writable_demo_database_url,
            OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", program=("-c", _WITHOUT_OTEL),
        ) as server,
    ):  # fmt: skip
        server.process.wait(HANG_S)
        assert server.process.returncode == 1
        assert "requirements-otel.txt" in server.log.read_text()
        assert not server.lines


_WITHOUT_OTEL = (
    "import sys, runpy; sys.modules['opentelemetry.sdk.trace'] = None; sys.argv[0] = 'server.py'; "
    "runpy.run_path('server.py', run_name='__main__')"
)
