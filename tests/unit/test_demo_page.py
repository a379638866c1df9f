"""Who is told the demo's tokens: its own page on this machine, and nobody else."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from api.demo_issuer import DemoIssuer
from api.demo_page import VIEWERS_PATH, demo_routes
from services.demo import DemoViewer

HERE = "http://127.0.0.1:8000"


@pytest.fixture
def app(tmp_path: Path) -> Starlette:
    viewers = [DemoViewer("Ann, administrator of One", "user_ann")]
    return Starlette(routes=demo_routes(DemoIssuer.load(tmp_path), viewers))


async def _response(
    app: Starlette,
    base: str,
    address: str = "127.0.0.1",
    method: str = "POST",
    path: str = VIEWERS_PATH,
    **headers: str,
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        return await client.request(method, path, headers=named)


async def _ask(app: Starlette, base: str, address: str = "127.0.0.1", **headers: str) -> int:
    return (await _response(app, base, address, **headers)).status_code


@pytest.mark.parametrize("base", [HERE, "http://localhost:8000", "http://[::1]:8000", "http://127.0.0.2"])
async def test_its_own_page_on_this_machine_is_told(app: Starlette, base: str) -> None:
    response = await _response(app, base, Origin=base)
    assert response.status_code == 200
    assert [viewer["label"] for viewer in response.json()] == ["Ann, administrator of One"]
    assert response.json()[0]["token"].startswith("eyJ")
    assert response.headers["Cache-Control"] == "no-store"
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9000", "https://127.0.0.1:8000"]
)
async def test_a_page_of_another_origin_is_not(app: Starlette, origin: str) -> None:
    assert await _ask(app, HERE, Origin=origin) == 403


async def test_nobody_is_told_who_shows_no_origin_or_comes_from_another_site(app: Starlette) -> None:
    assert await _ask(app, HERE) == 403
    assert await _ask(app, HERE, Origin=HERE, Sec_Fetch_Site="cross-site") == 403
    assert await _ask(app, HERE, Origin=HERE, Sec_Fetch_Site="same-origin") == 200


async def test_a_name_that_was_made_to_lead_here_is_not_this_page(app: Starlette) -> None:
    evil = "http://evil.example:8000"
    assert await _ask(app, evil, Origin=evil) == 403


@pytest.mark.parametrize("address", ["192.0.2.7", "172.17.0.1", "2001:db8::1", "unknown"])
async def test_another_machine_is_not_told(app: Starlette, address: str) -> None:
    assert await _ask(app, HERE, address, Origin=HERE) == 403


@pytest.mark.parametrize("header", ["X_Forwarded_For", "Forwarded", "Via", "X_Real_IP", "X_Forwarded_Host"])
async def test_nobody_behind_a_proxy_is_told(app: Starlette, header: str) -> None:
    assert await _ask(app, HERE, Origin=HERE, **{header: "192.0.2.7"}) == 403


async def test_a_get_tells_nothing(app: Starlette) -> None:
    assert (await _response(app, HERE, method="GET", Origin=HERE)).status_code == 405


async def test_the_root_leads_to_the_page(app: Starlette) -> None:
    response = await _response(app, HERE, method="GET", path="/")
    assert (response.status_code, response.headers["Location"]) == (307, "/graphql")
