"""GraphQL Code Generator on our SDL with a dashboard's documents: compiled by `tsc --strict`, then run for real."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.node import DIRECTORY, needs_node, run, tool
from tests.e2e.servers import Server, data_directory, running

pytestmark = needs_node


@pytest.fixture(scope="module")
def compiled() -> None:
    """The generated client and the whole schema's types, and what a dashboard does with them, as JavaScript."""
    for command in (
        ["graphql-codegen", "--config", "codegen.json"],
        ["tsc", "--strict", "-p", "tsconfig.json"],
    ):
        ended = tool(*command)
        assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with data_directory() as path, running("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.end()


@pytest.fixture(scope="module")
def seen(compiled: None, server: Server) -> dict[str, Any]:  # noqa: ARG001 - it runs what that has made
    """What the dashboard saw as the administrator."""
    (report,) = run("generated/built/dashboards.mjs", f"{server.url}/graphql", server.tokens[0][1])
    seen: dict[str, Any] = report
    return seen


@pytest.mark.usefixtures("compiled")
def test_a_wrong_type_would_not_compile() -> None:
    """The dashboard states the types of scalars, relations and unions; here it is wrong about one."""
    right = (DIRECTORY / "dashboards.mts").read_text("utf-8")
    wrong = right.replace("Same<Bill['total'], string>", "Same<Bill['total'], number>")
    assert wrong != right
    project = DIRECTORY / "generated"
    (project / "wrong.mts").write_text(wrong.replace("./generated/", "./"), "utf-8")
    options = {"extends": "../tsconfig.json", "files": ["wrong.mts"], "compilerOptions": {"noEmit": True}}
    (project / "tsconfig.json").write_text(json.dumps(options), "utf-8")
    ended = tool("tsc", "-p", project)
    assert ended.stdout.count("error TS") == 1, ended.stdout
    assert "Type 'true' is not assignable to type 'false'" in ended.stdout


def test_a_table_page_has_its_rows_and_the_total(seen: dict[str, Any]) -> None:
    first, second, found = seen["firstPage"], seen["secondPage"], seen["found"]
    names = first["names"] + second["names"]
    assert len(names) == 8
    assert names == sorted(names, reverse=True)
    assert first["total"] == second["total"] > found["total"] > 0
    assert all("veterinary" in name.lower() for name in found["names"])


def test_scrolling_reaches_every_row_once(seen: dict[str, Any]) -> None:
    assert len(seen["scroll"]) > 2 * 25
    assert seen["scroll"] == sorted(seen["scroll"])
    assert len(seen["scroll"]) <= seen["firstPage"]["total"]


def test_agents_by_their_site_and_of_their_site(seen: dict[str, Any]) -> None:
    agents = seen["agents"]
    assert all("er" in site.lower() for site in agents["sites"])
    assert len(agents["sites"]) == 20
    assert agents["hosts"] == sorted(agents["hosts"])
    assert len(agents["hosts"]) == agents["total"] >= agents["online"] >= 0


def test_jobs_and_the_catalogue(seen: dict[str, Any]) -> None:
    jobs = seen["jobs"]
    assert 0 < jobs["pending"] + jobs["running"] + jobs["failed"] < jobs["all"]
    assert jobs["dataSources"] == 20
    assert any(integration["enabled"] for integration in seen["catalogue"])


def test_the_signed_in_user_is_found_by_the_current_site(seen: dict[str, Any]) -> None:
    assert seen["me"]["id"] in seen["me"]["there"]


def test_bills_are_exact_and_whatever_is_not_well_has_a_name(seen: dict[str, Any]) -> None:
    assert seen["bills"]
    assert all(Decimal(total) > 0 for total in seen["bills"])
    assert all(seen["notWell"])
    assert len(seen["notWell"]) == 50
