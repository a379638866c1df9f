"""Common npm clients of dashboards against the running server, each in its usual way."""

from typing import Any

import httpx
import pytest

from tests.e2e.node import DIRECTORY, needs_node, run_script, run_tool
from tests.e2e.servers import Server
from tests.waiting import HANG_S

pytestmark = needs_node

PAGE = 3
CLIENTS = ["apollo", "graphql-request", "relay", "urql"]
NORMALISING = ["apollo", "relay", "urql"]
ACTIVE_SITES = """{
  sites(first: 6, where: { status: { eq: ACTIVE } }, orderBy: [{ field: NAME }]) { totalCount nodes { id name } }
  viewer { id kind user { id name } tenant { id name } }
}"""


@pytest.fixture(scope="module")
def technician_token(embedded_server: Server) -> str:
    """The token of the technician, who may read sites but not bills."""
    return embedded_server.tokens[1][1]


@pytest.fixture(scope="module")
def expected_data(embedded_server: Server, technician_token: str) -> dict[str, Any]:
    """The expected data over plain HTTP: two pages of sites, and the viewer."""
    headers = {"Authorization": f"Bearer {technician_token}"}
    answer = httpx.post(
        f"{embedded_server.url}/graphql", json={"query": ACTIVE_SITES}, headers=headers, timeout=HANG_S
    ).json()
    data: dict[str, Any] = answer["data"]
    return data


@pytest.fixture(scope="module")
def client_reports(embedded_server: Server, technician_token: str) -> dict[str, dict[str, Any]]:
    """The output of each client's script."""
    _run_relay_compiler()
    return {
        name: run_script(f"clients/{name}.mjs", f"{embedded_server.url}/graphql", technician_token)[0]
        for name in CLIENTS
    }


@pytest.fixture(params=CLIENTS)
def client_report(
    request: pytest.FixtureRequest, client_reports: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    return client_reports[request.param]


def test_client_reads_a_page_and_the_next_one(
    client_report: dict[str, Any], expected_data: dict[str, Any]
) -> None:
    names = [site["name"] for site in expected_data["sites"]["nodes"]]
    assert client_report["first"] == names[:PAGE]
    assert client_report.get("second", names[PAGE:]) == names[PAGE:]
    assert client_report.get("joined", names) == names
    assert client_report.keys() & {"second", "joined"}
    assert client_report["total"] == expected_data["sites"]["totalCount"]


def test_client_forbidden_relation_is_null_with_an_error(
    client_report: dict[str, Any], expected_data: dict[str, Any]
) -> None:
    partial = client_report["partial"]
    assert partial["errors"] == [{"code": "FORBIDDEN", "path": ["viewer", "tenant", "bills"]}]
    viewer = _remove_typenames(partial["viewer"])
    assert viewer.pop("id", expected_data["viewer"]["id"]) == expected_data["viewer"]["id"]
    assert viewer["tenant"].pop("bills") is None
    assert viewer == {name: value for name, value in expected_data["viewer"].items() if name != "id"}


@pytest.mark.parametrize("client", ["apollo", "graphql-request"])
def test_client_that_is_strict_raises_forbidden(client: str, client_reports: dict[str, Any]) -> None:
    assert client_reports[client]["strict"] == [{"code": "FORBIDDEN", "path": ["viewer", "tenant", "bills"]}]


def test_client_bad_cursor_and_bad_variable_are_bad_user_input(client_report: dict[str, Any]) -> None:
    assert client_report["cursor"] == [{"code": "BAD_USER_INPUT", "path": ["sites"]}]
    assert client_report["variable"] == [{"code": "BAD_USER_INPUT", "path": None}]


def test_client_bad_token_is_unauthenticated(client_report: dict[str, Any]) -> None:
    assert client_report["token"] == [{"code": "UNAUTHENTICATED", "path": None}]


@pytest.mark.parametrize("client", NORMALISING)
def test_client_cache_normalizes_a_row_by_type_and_id(
    client: str, client_reports: dict[str, Any], expected_data: dict[str, Any]
) -> None:
    site, seen = expected_data["sites"]["nodes"][0], client_reports[client]["normalised"]
    assert seen["key"] == f"Site:{site['id']}"
    assert seen["refetched"] == site["name"]
    if client == "urql":
        assert seen["found"] == site["name"]
    else:
        assert set(seen["renamed"]) == {"Renamed in the cache"}


def test_client_reports_no_warnings(client_report: dict[str, Any]) -> None:
    assert client_report["warnings"] == []


def _run_relay_compiler() -> None:
    """Run relay-compiler on Relay's documents, with our SDL."""
    (DIRECTORY / "generated" / "relay").mkdir(parents=True, exist_ok=True)
    compiled = run_tool("relay-compiler", "relay.config.json")
    assert compiled.returncode == 0, compiled.stdout + compiled.stderr


def _remove_typenames(value: Any) -> Any:
    """The selected fields only: Apollo's cache adds type names."""
    if isinstance(value, dict):
        return {name: _remove_typenames(inner) for name, inner in value.items() if name != "__typename"}
    return value
