"""GraphQL Code Generator on our SDL with a dashboard's documents: compiled by `tsc --strict`, then run."""

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.node import DIRECTORY, needs_node, run_script, run_tool
from tests.e2e.servers import Server

pytestmark = needs_node


@pytest.fixture(scope="module")
def compiled_client() -> None:
    """The compiled JavaScript of the generated client, the schema's types, and a dashboard that uses them."""
    for command in (
        ["graphql-codegen", "--config", "codegen.json"],
        ["tsc", "--strict", "-p", "tsconfig.json"],
    ):
        ended = run_tool(*command)
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def dashboard_report(compiled_client: None, embedded_server: Server) -> dict[str, Any]:  # noqa: ARG001 - it runs the compiled code
    """The output of the dashboard as the administrator."""
    (report,) = run_script(
        "generated/built/dashboards.mjs", f"{embedded_server.url}/graphql", embedded_server.tokens[0][1]
    )
    seen: dict[str, Any] = report
    return seen


@pytest.mark.usefixtures("compiled_client")
def test_codegen_wrong_type_does_not_compile() -> None:
    """The dashboard states the types of scalars, relations and unions. Here it has one wrong type."""
    right = (DIRECTORY / "dashboards.mts").read_text("utf-8")
    wrong = right.replace("Same<Bill['total'], string>", "Same<Bill['total'], number>")
    assert wrong != right
    project = DIRECTORY / "generated"
    (project / "wrong.mts").write_text(wrong.replace("./generated/", "./"), "utf-8")
    options = {"extends": "../tsconfig.json", "files": ["wrong.mts"], "compilerOptions": {"noEmit": True}}
    (project / "tsconfig.json").write_text(json.dumps(options), "utf-8")
    ended = run_tool("tsc", "-p", project)
    assert ended.stdout.count("error TS") == 1, ended.stdout
    assert "Type 'true' is not assignable to type 'false'" in ended.stdout


def test_dashboard_table_page_has_rows_and_total(dashboard_report: dict[str, Any]) -> None:
    first, second, found = (
        dashboard_report["firstPage"],
        dashboard_report["secondPage"],
        dashboard_report["found"],
    )
    names = first["names"] + second["names"]
    assert len(names) == 8
    assert names == sorted(names, reverse=True)
    assert first["total"] == second["total"] > found["total"] > 0
    assert all("veterinary" in name.lower() for name in found["names"])


def test_dashboard_scrolling_reaches_rows_in_order(dashboard_report: dict[str, Any]) -> None:
    assert len(dashboard_report["scroll"]) > 2 * 25
    assert dashboard_report["scroll"] == sorted(dashboard_report["scroll"])
    assert len(dashboard_report["scroll"]) <= dashboard_report["firstPage"]["total"]


def test_dashboard_agents_are_filtered_by_site_and_listed_under_it(dashboard_report: dict[str, Any]) -> None:
    agents = dashboard_report["agents"]
    assert all("er" in site.lower() for site in agents["sites"])
    assert len(agents["sites"]) == 20
    assert agents["hosts"] == sorted(agents["hosts"])
    assert len(agents["hosts"]) == agents["total"] >= agents["online"] >= 0


def test_dashboard_jobs_and_catalog_have_their_counts(dashboard_report: dict[str, Any]) -> None:
    jobs = dashboard_report["jobs"]
    assert 0 < jobs["pending"] + jobs["running"] + jobs["failed"] < jobs["all"]
    assert jobs["dataSources"] == 20
    assert any(integration["enabled"] for integration in dashboard_report["catalogue"])


def test_dashboard_signed_in_user_is_found_by_current_site(dashboard_report: dict[str, Any]) -> None:
    assert dashboard_report["me"]["id"] in dashboard_report["me"]["there"]


def test_dashboard_bills_are_exact_and_unhealthy_resources_have_names(
    dashboard_report: dict[str, Any],
) -> None:
    assert dashboard_report["bills"]
    assert all(Decimal(total) > 0 for total in dashboard_report["bills"])
    assert all(dashboard_report["notWell"])
    assert len(dashboard_report["notWell"]) == 50
