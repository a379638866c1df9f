"""GraphiQL's page and files: complete, ours alone, cached by content, and as the packages have them."""

import hashlib
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

import api.graphiql_page
from api.graphiql_page import GraphiqlPage

DIRECTORY = Path(api.graphiql_page.__file__).with_name("graphiql")
LOADED = re.compile(r'(?:src|href)="([^"]*)"')


async def _get(address: str, *, demo: bool = True) -> httpx.Response:
    page = GraphiqlPage(demo=demo)
    app = Starlette(routes=[Route("/graphql", page.serve_page), page.build_files_route()])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://msp.test") as client:
        return await client.get(address)


async def test_graphiql_page_assets_are_served_and_cached_by_content() -> None:
    addresses = LOADED.findall((await _get("/graphql")).text)
    assert len(addresses) == 9
    for address in addresses:
        response = await _get(address)
        assert response.status_code == 200, address
        assert hashlib.sha256(response.content).hexdigest()[:12] in address
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert re.match(r"text/javascript|text/css|image/svg\+xml", response.headers["Content-Type"])


async def test_graphiql_page_policy_allows_own_origin_and_nothing_inline() -> None:
    response = await _get("/graphql")
    policy = dict(
        directive.split(" ", 1) for directive in response.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "<style" not in response.text
    assert all("src=" in script for script in re.findall(r"<script[^>]*>", response.text))
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "address", ["index.html", "README.md", "app.js", "..%2f..%2fapp.py", "vendor%2freact.LICENSE"]
)
async def test_graphiql_files_beyond_the_assets_are_not_found(address: str) -> None:
    assert (await _get(f"/graphiql/{address}")).status_code == 404


async def test_graphiql_page_states_whether_it_is_a_demo() -> None:
    assert "data-demo=yes" in (await _get("/graphql", demo=True)).text
    assert "data-demo=no" in (await _get("/graphql", demo=False)).text


def test_graphiql_vendor_files_match_their_hashes_and_have_licenses() -> None:
    listed = dict(
        re.findall(r"^\| (\S+) \|.*`([0-9a-f]{64})` \|$", (DIRECTORY / "README.md").read_text(), re.M)
    )
    vendor = DIRECTORY / "vendor"
    files = {path.name: path.read_bytes() for path in vendor.iterdir() if path.suffix != ".LICENSE"}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} == listed
    for package in ("graphiql", "react", "graphql-ws"):
        assert "MIT" in (vendor / f"{package}.LICENSE").read_text()
