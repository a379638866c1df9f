"""GraphiQL in a real Chromium that can reach nothing but the server: a newcomer's first clicks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.node import CHROMIUM, needs_chromium, needs_node, run
from tests.e2e.servers import Server, data_directory, running

pytestmark = [needs_node, needs_chromium]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with data_directory() as path, running("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.end()


@pytest.fixture(scope="module")
def seen(server: Server) -> dict[str, Any]:
    """What the script saw: it starts at `/`, asks as two viewers, and looks around."""
    (report,) = run("graphiql.mjs", CHROMIUM, f"{server.url}/")
    seen: dict[str, Any] = report
    return seen


def test_the_root_leads_to_the_page(server: Server, seen: dict[str, Any]) -> None:
    assert seen["address"] == f"{server.url}/graphql"


def test_the_page_is_quiet_and_asks_nobody_else(seen: dict[str, Any]) -> None:
    for kind in ("console", "errors", "violations", "elsewhere", "failed"):
        assert seen[kind] == [], kind


def test_the_menu_has_the_demos_users(server: Server, seen: dict[str, Any]) -> None:
    assert seen["viewers"] == [label for label, _ in server.tokens if label != "Platform"]


def test_the_first_query_answers_as_soon_as_the_page_is_there(seen: dict[str, Any]) -> None:
    first = seen["first"]
    assert (first["status"], "errors" in first["answer"]) == (200, False)
    sites = first["answer"]["data"]["sites"]["nodes"]
    assert len(sites) == 5
    assert all(site["tenant"]["name"] and site["agents"]["nodes"] for site in sites)
    assert sites[0]["name"] in seen["window"]


def test_another_viewer_sees_another_tenant(seen: dict[str, Any]) -> None:
    def tenant(answer: dict[str, Any]) -> str:
        return str(answer["answer"]["data"]["viewer"]["tenant"]["name"])

    assert tenant(seen["neighbour"]) in seen["neighbour"]["label"]
    assert tenant(seen["neighbour"]) != tenant(seen["first"])


def test_the_documentation_opens(seen: dict[str, Any]) -> None:
    assert "Everything that can be read" in seen["documentation"]
    assert "siteBySlug" in seen["documentation"]


def test_the_history_has_what_was_asked(seen: dict[str, Any]) -> None:
    assert "FirstLook" in seen["history"]


def test_a_token_reaches_http_however_its_header_is_spelt(seen: dict[str, Any]) -> None:
    assert seen["spelledOtherwise"]["authorization"] == seen["neighbour"]["authorization"]
    assert seen["spelledOtherwise"]["answer"] == seen["neighbour"]["answer"]


def test_and_the_socket_alike(server: Server, seen: dict[str, Any]) -> None:
    expected = {"Authorization": "bearer x", "X-Tenant-Id": "t"}
    assert seen["socket"] == {
        "url": f"{server.url}/graphql".replace("http", "ws"),
        "connectionParams": expected,
    }


def test_the_log_has_no_token(server: Server, seen: dict[str, Any]) -> None:
    log = server.log.read_text("utf-8")
    assert "FirstLook" in {
        json.loads(line).get("operation") for line in log.splitlines() if line.startswith("{")
    }
    assert seen["first"]["authorization"].split(" ")[1] not in log
    assert "eyJ" not in log
