"""Settings of what stands between clients and the server: CORS headers and trusted proxies."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.caller import read_client_address
from api.http_connections import Connections
from api.server import bind_socket, build_url
from tests.http_harness import open_http_harness
from tests.scripted_live import _SignalFreeServer

pytestmark = pytest.mark.newest
PAGE = "https://app.example"
ORDINARY = (
    "authorization", "content-type", "x-request-id", "x-tenant-id", "traceparent", "tracestate", "baggage",
    "sentry-trace", "apollographql-client-name", "apollographql-client-version", "apollo-require-preflight",
    "x-apollo-operation-name", "x-apollo-operation-id",
    "x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-origin", "x-datadog-sampling-priority",
)  # fmt: skip


def _preflight(*names: str) -> dict[str, str]:
    return {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": ", ".join(names),
    }


async def test_cors_preflight_lets_ordinary_clients_in(demo_database_url: str) -> None:
    async with open_http_harness(demo_database_url, cors_origins=(PAGE,)) as harness:
        allowed = await harness.client.options("/graphql", headers=_preflight(*ORDINARY))
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == PAGE
        assert (await harness.client.options("/graphql", headers=_preflight("x-other"))).status_code == 400
        response = await harness.client.post(
            "/graphql", json={"query": "{ __typename }"}, headers={"Origin": PAGE}
        )
        assert response.headers["access-control-expose-headers"] == "Retry-After, X-Request-Id"


async def test_cors_settings_replace_the_defaults_and_keep_our_own_headers(demo_database_url: str) -> None:
    chosen: dict[str, Any] = {"cors_headers": ("X-Other",), "cors_exposed_headers": ("X-More",)}
    async with open_http_harness(demo_database_url, cors_origins=(PAGE,), **chosen) as harness:
        wanted = _preflight("x-other", "authorization", "traceparent")
        assert (await harness.client.options("/graphql", headers=wanted)).status_code == 200
        assert (
            await harness.client.options("/graphql", headers=_preflight("sentry-trace"))
        ).status_code == 400
        response = await harness.client.get("/healthz", headers={"Origin": PAGE})
        assert response.headers["access-control-expose-headers"] == "X-More"


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [(("127.0.0.1",), "203.0.113.9"), (("10.0.0.0/8", "127.0.0.0/8"), "203.0.113.9"), (("10.0.0.1",), "127.0.0.1"),
     ((), "127.0.0.1")],
)  # fmt: skip
async def test_client_address_is_forwarded_by_trusted_proxies_only(
    trusted: tuple[str, ...], expected: str
) -> None:
    async def show(request: Request) -> Response:
        return PlainTextResponse(read_client_address(request.scope))

    ready = asyncio.Event()
    with bind_socket("127.0.0.1", 0) as listener:
        url, connections = build_url(listener), Connections()
        server = _SignalFreeServer(
            Starlette(routes=[Route("/", show)]), listener, ready.set, connections, trusted
        )
        serving = asyncio.create_task(server.serve_until_signal())
        await ready.wait()
        async with httpx.AsyncClient() as client:
            response = await client.get(url, headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.9"})
        assert response.text == expected
        connections.shutdown.request(urgent=True)
        server.should_exit = True
        await serving
