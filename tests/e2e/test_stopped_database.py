"""A database that does not answer: each HTTP call gets its response within the promised time, and service goes on."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
import httpx
import pytest

from api.health import CHECK_CACHE_S
from tests.clusters import ThrowawayCluster, start_throwaway_cluster
from tests.e2e.servers import Server, start_server, temporary_data_dir
from tests.postgres_processes import stopped, stopped_cluster

LIMIT_S: Final = 20.0
"""The time that docs/database.md promises."""

READS: Final = (
    "{ sites(first: 5) { nodes { name } } }",
    "{ sites(first: 3) { nodes { agents(first: 2) { nodes { hostname } } } } agents { totalCount } }",
)
WRITE: Final = 'mutation Write($id: ID!) { updateSite(id: $id, input: {name: "Renamed"}) { name } }'


@pytest.fixture
def own_cluster() -> Iterator[ThrowawayCluster]:
    with start_throwaway_cluster(18) as started:
        yield started


@asynccontextmanager
async def open_client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    headers = {
        "Authorization": f"Bearer {server.tokens[0][1]}",
        "Accept": "application/graphql-response+json",
    }
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=LIMIT_S + 10) as client:
        yield client


@dataclass(frozen=True)
class Targets:
    """What the calls concern: a site, and an enrolled agent."""

    site_id: str
    enrollment_token: str
    agent_token: str
    device_id: str

    @classmethod
    async def create(cls, client: httpx.AsyncClient) -> "Targets":
        """Enroll an agent at the first site."""
        found = await client.post("/graphql", json={"query": "{ sites(first: 1) { nodes { id } } }"})
        site_id = found.json()["data"]["sites"]["nodes"][0]["id"]
        create = "mutation ($id: ID!) { createEnrollmentToken(siteId: $id, expiresInSeconds: 900) { token } }"
        made = await client.post("/graphql", json={"query": create, "variables": {"id": site_id}})
        token = made.json()["data"]["createEnrollmentToken"]["token"]
        enrolled = await client.send(build_register(client, token, site_id))
        data = enrolled.json()["data"]
        return cls(site_id, token, data["token"], data["device_id"])


def build_register(client: httpx.AsyncClient, token: str, site_id: str) -> httpx.Request:
    body = {
        "site_id": site_id,
        "hostname": "desk",
        "platform": "windows",
        "version": "1",
        "guid": str(uuid.uuid4()),
    }
    return client.build_request(
        "POST", "/v1.0/register", json=body, headers={"Authorization": f"Bearer {token}"}
    )


def build_requests(client: httpx.AsyncClient, targets: Targets) -> list[tuple[str, httpx.Request]]:
    """One request of each kind."""
    agent = {
        "Authorization": f"Bearer {targets.agent_token}",
        "X-Site-ID": targets.site_id,
        "X-Device-ID": targets.device_id,
    }
    write = {"query": WRITE, "variables": {"id": targets.site_id}}
    return [
        *(("read", client.build_request("POST", "/graphql", json={"query": query})) for query in READS),
        ("write", client.build_request("POST", "/graphql", json=write)),
        (
            "heartbeat",
            client.build_request(
                "POST", "/v1.0/heartbeat", json={"hostname": "desk", "version": "1"}, headers=agent
            ),
        ),
        ("register", build_register(client, targets.enrollment_token, targets.site_id)),
        ("ready", client.build_request("GET", "/readyz")),
        ("alive", client.build_request("GET", "/healthz")),
        ("metrics", client.build_request("GET", "/metrics")),
    ]


async def call_everything(client: httpx.AsyncClient, targets: Targets) -> list[tuple[str, int, float]]:
    """One call of each kind, all at once, several times: what was called, its status, and its duration."""

    async def call(name: str, request: httpx.Request) -> tuple[str, int, float]:
        began = time.monotonic()
        response = await client.send(request)
        return name, response.status_code, time.monotonic() - began

    requests = build_requests(client, targets)
    return list(await asyncio.gather(*(call(*request) for _ in range(4) for request in requests)))


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
