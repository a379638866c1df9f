"""The clients that dashboards are written with, from npm, against the running server: each as its users use it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.node import DIRECTORY, needs_node, run, tool
from tests.e2e.servers import Server, data_directory, running

pytestmark = needs_node

PAGE = 3
CLIENTS = ["apollo", "graphql-request", "relay", "urql"]
NORMALISING = ["apollo", "relay", "urql"]
ACTIVE_SITES = """{
  sites(first: 6, where: { status: { eq: ACTIVE } }, orderBy: [{ field: NAME }]) { totalCount nodes { id name } }
  viewer { id kind user { id name } tenant { id name } }
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with data_directory() as path, running("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.end()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    """The technician's, who may read sites and no bills."""
    return server.tokens[1][1]


@pytest.fixture(scope="module")
def truth(server: Server, token: str) -> dict[str, Any]:
    """Two pages of sites and the viewer, by nothing but HTTP."""
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"{server.url}/graphql", json={"query": ACTIVE_SITES}, headers=headers).json()
    data: dict[str, Any] = answer["data"]
    return data


@pytest.fixture(scope="module")
def reports(server: Server, token: str) -> dict[str, dict[str, Any]]:
    """What each client's script saw."""
    _compile_for_relay()
    return {name: run(f"clients/{name}.mjs", f"{server.url}/graphql", token)[0] for name in CLIENTS}


@pytest.fixture(params=CLIENTS)
def report(request: pytest.FixtureRequest, reports: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return reports[request.param]


def test_a_page_and_the_one_behind_its_cursor(report: dict[str, Any], truth: dict[str, Any]) -> None:
    names = [site["name"] for site in truth["sites"]["nodes"]]
    assert report["first"] == names[:PAGE]
    assert report.get("second", names[PAGE:]) == names[PAGE:]
    assert report.get("joined", names) == names
    assert report.keys() & {"second", "joined"}
    assert report["total"] == truth["sites"]["totalCount"]


def test_a_refused_relation_is_null_beside_the_rest(report: dict[str, Any], truth: dict[str, Any]) -> None:
    partial = report["partial"]
    assert partial["errors"] == [{"code": "FORBIDDEN", "path": ["viewer", "tenant", "bills"]}]
    viewer = _without_typenames(partial["viewer"])
    assert viewer.pop("id", truth["viewer"]["id"]) == truth["viewer"]["id"]
    assert viewer["tenant"].pop("bills") is None
    assert viewer == {name: value for name, value in truth["viewer"].items() if name != "id"}


@pytest.mark.parametrize("client", ["apollo", "graphql-request"])
def test_and_an_exception_where_the_client_is_strict(client: str, reports: dict[str, Any]) -> None:
    assert reports[client]["strict"] == [{"code": "FORBIDDEN", "path": ["viewer", "tenant", "bills"]}]


def test_a_bad_cursor_and_a_bad_variable_have_their_code(report: dict[str, Any]) -> None:
    assert report["cursor"] == [{"code": "BAD_USER_INPUT", "path": ["sites"]}]
    assert report["variable"] == [{"code": "BAD_USER_INPUT", "path": None}]


def test_a_bad_token_has_its_code(report: dict[str, Any]) -> None:
    assert report["token"] == [{"code": "UNAUTHENTICATED", "path": None}]


@pytest.mark.parametrize("client", NORMALISING)
def test_a_row_is_one_row_of_the_cache(client: str, reports: dict[str, Any], truth: dict[str, Any]) -> None:
    site, seen = truth["sites"]["nodes"][0], reports[client]["normalised"]
    assert seen["key"] == f"Site:{site['id']}"
    assert seen["refetched"] == site["name"]
    if client == "urql":
        assert seen["found"] == site["name"]
    else:
        assert set(seen["renamed"]) == {"Renamed in the cache"}


def test_no_cache_complains(report: dict[str, Any]) -> None:
    assert report["warnings"] == []


def _compile_for_relay() -> None:
    """relay-compiler's artifacts of Relay's documents, checked with our SDL."""
    (DIRECTORY / "generated" / "relay").mkdir(parents=True, exist_ok=True)
    compiled = tool("relay-compiler", "relay.config.json")
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr


def _without_typenames(value: Any) -> Any:
    """What was asked for: Apollo's cache adds the rest."""
    if isinstance(value, dict):
        return {name: _without_typenames(inner) for name, inner in value.items() if name != "__typename"}
    return value
