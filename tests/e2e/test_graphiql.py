"""GraphiQL in a real Chromium that can reach only the server: the first clicks of a new user."""

import json
from typing import Any

import pytest

from tests.e2e.node import CHROMIUM, needs_chromium, needs_node, run_script
from tests.e2e.servers import Server

pytestmark = [needs_node, needs_chromium]


@pytest.fixture(scope="module")
def graphiql_report(embedded_server: Server) -> dict[str, Any]:
    """The output of the script. It starts at `/`, sends requests as two viewers, and opens the panels."""
    (report,) = run_script("graphiql.mjs", CHROMIUM, f"{embedded_server.url}/")
    seen: dict[str, Any] = report
    return seen


def test_graphiql_root_redirects_to_the_page(
    embedded_server: Server, graphiql_report: dict[str, Any]
) -> None:
    assert graphiql_report["address"] == f"{embedded_server.url}/graphql"


def test_graphiql_page_logs_nothing_and_requests_no_other_host(graphiql_report: dict[str, Any]) -> None:
    for kind in ("console", "errors", "violations", "elsewhere", "failed"):
        assert graphiql_report[kind] == [], kind


def test_graphiql_menu_has_the_demo_users(embedded_server: Server, graphiql_report: dict[str, Any]) -> None:
    assert graphiql_report["viewers"] == [label for label, _ in embedded_server.tokens if label != "Platform"]


def test_graphiql_first_query_is_answered_on_load(graphiql_report: dict[str, Any]) -> None:
    first = graphiql_report["first"]
    assert (first["status"], "errors" in first["answer"]) == (200, False)
    sites = first["answer"]["data"]["sites"]["nodes"]
    assert len(sites) == 5
    assert all(site["tenant"]["name"] and site["agents"]["nodes"] for site in sites)
    assert sites[0]["name"] in graphiql_report["window"]


def test_graphiql_other_viewer_sees_another_tenant(graphiql_report: dict[str, Any]) -> None:
    def tenant(answer: dict[str, Any]) -> str:
        return str(answer["answer"]["data"]["viewer"]["tenant"]["name"])

    assert tenant(graphiql_report["neighbour"]) in graphiql_report["neighbour"]["label"]
    assert tenant(graphiql_report["neighbour"]) != tenant(graphiql_report["first"])


def test_graphiql_documentation_opens(graphiql_report: dict[str, Any]) -> None:
    assert "All reads" in graphiql_report["documentation"]
    assert "siteBySlug" in graphiql_report["documentation"]


def test_graphiql_history_has_the_sent_query(graphiql_report: dict[str, Any]) -> None:
    assert "FirstLook" in graphiql_report["history"]


def test_graphiql_token_header_in_any_case_is_sent_over_http(graphiql_report: dict[str, Any]) -> None:
    assert (
        graphiql_report["spelledOtherwise"]["authorization"] == graphiql_report["neighbour"]["authorization"]
    )
    assert graphiql_report["spelledOtherwise"]["answer"] == graphiql_report["neighbour"]["answer"]


def test_graphiql_token_header_is_sent_over_the_websocket(
    embedded_server: Server, graphiql_report: dict[str, Any]
) -> None:
    expected = {"Authorization": "bearer x", "X-Tenant-Id": "t"}
    assert graphiql_report["socket"] == {
        "url": f"{embedded_server.url}/graphql".replace("http", "ws"),
        "connectionParams": expected,
    }


def test_graphiql_server_log_has_no_token(embedded_server: Server, graphiql_report: dict[str, Any]) -> None:
    log = embedded_server.log.read_text("utf-8")
    assert "FirstLook" in {
        json.loads(line).get("operation") for line in log.splitlines() if line.startswith("{")
    }
    assert graphiql_report["first"]["authorization"].split(" ")[1] not in log
    assert "eyJ" not in log
