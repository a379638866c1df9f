"""One call of each kind that a server answers, and its response."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from tests.e2e.servers import Server

LIMIT_S: Final = 20.0
"""The time that docs/database.md promises."""


READS: Final = (
    "{ sites(first: 5) { nodes { name } } }",
    "{ sites(first: 3) { nodes { agents(first: 2) { nodes { hostname } } } } agents { totalCount } }",
)


WRITE: Final = 'mutation Write($id: ID!) { updateSite(id: $id, input: {name: "Renamed"}) { name } }'


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
