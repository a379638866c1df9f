"""Who receives the demo's tokens: its own page on this machine, and no other page."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from api.demo_issuer import DemoIssuer
from api.demo_page import VIEWERS_PATH, build_demo_routes
from demo import DemoViewer

HERE = "http://127.0.0.1:8000"


@pytest.fixture
def demo_app(tmp_path: Path) -> Starlette:
    viewers = [DemoViewer("Ann, administrator of One", "user_ann")]
    return Starlette(routes=build_demo_routes(DemoIssuer.load(tmp_path), viewers))


async def _request_viewers(
    demo_app: Starlette,
    base: str,
    address: str = "127.0.0.1",
    method: str = "POST",
    path: str = VIEWERS_PATH,
    **headers: str,
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.ASGITransport(demo_app, client=(address, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        return await client.request(method, path, headers=named)


async def _request_status(demo_app: Starlette, base: str, address: str = "127.0.0.1", **headers: str) -> int:
    return (await _request_viewers(demo_app, base, address, **headers)).status_code


@pytest.mark.parametrize("base", [HERE, "http://localhost:8000", "http://[::1]:8000", "http://127.0.0.2"])
async def test_demo_viewers_for_own_local_page_are_returned(demo_app: Starlette, base: str) -> None:
    response = await _request_viewers(demo_app, base, Origin=base)
    assert response.status_code == 200
    assert [viewer["label"] for viewer in response.json()] == ["Ann, administrator of One"]
    assert response.json()[0]["token"].startswith("eyJ")
    assert response.headers["Cache-Control"] == "no-store"
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9000", "https://127.0.0.1:8000"]
)
async def test_demo_viewers_for_other_origin_are_forbidden(demo_app: Starlette, origin: str) -> None:
    assert await _request_status(demo_app, HERE, Origin=origin) == 403


async def test_demo_viewers_without_origin_or_cross_site_are_forbidden(demo_app: Starlette) -> None:
    assert await _request_status(demo_app, HERE) == 403
    assert await _request_status(demo_app, HERE, Origin=HERE, Sec_Fetch_Site="cross-site") == 403
    assert await _request_status(demo_app, HERE, Origin=HERE, Sec_Fetch_Site="same-origin") == 200


async def test_demo_viewers_for_rebound_host_name_are_forbidden(demo_app: Starlette) -> None:
    evil = "http://evil.example:8000"
    assert await _request_status(demo_app, evil, Origin=evil) == 403


@pytest.mark.parametrize("address", ["192.0.2.7", "172.17.0.1", "2001:db8::1", "unknown"])
async def test_demo_viewers_for_remote_client_are_forbidden(demo_app: Starlette, address: str) -> None:
    assert await _request_status(demo_app, HERE, address, Origin=HERE) == 403


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "Via", "X_Real_IP", "X_Forwarded_Host"])
async def test_demo_viewers_behind_a_proxy_are_forbidden(demo_app: Starlette, header: str) -> None:
    assert await _request_status(demo_app, HERE, Origin=HERE, **{header: "192.0.2.7"}) == 403


async def test_demo_viewers_by_get_are_not_allowed(demo_app: Starlette) -> None:
    assert (await _request_viewers(demo_app, HERE, method="GET", Origin=HERE)).status_code == 405


async def test_demo_root_redirects_to_graphiql(demo_app: Starlette) -> None:
    response = await _request_viewers(demo_app, HERE, method="GET", path="/")
    assert (response.status_code, response.headers["Location"]) == (307, "graphql")
