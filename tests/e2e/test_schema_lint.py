"""The SDL under @graphql-eslint: schema-recommended, schema-relay, and a description for everything."""

import json
from pathlib import Path

from schema.sdl import SDL
from tests.e2e.node import DIRECTORY, needs_node, run_tool

pytestmark = needs_node


def _run_eslint(directory: Path) -> list[tuple[str, str]]:
    """The findings of the rules in that directory's SDL: rule and message."""
    linted = run_tool(
        "eslint", "-c", DIRECTORY / "eslint.config.mjs", "-f", "json", SDL.name, directory=directory
    )
    assert linted.stdout, linted.stderr
    (report,) = json.loads(linted.stdout)
    return [(found["ruleId"], found["message"]) for found in report["messages"]]


def test_schema_lint_of_our_schema_finds_nothing() -> None:
    assert _run_eslint(SDL.parent) == []


FLAWS = {
    "require-description": (
        """  \"\"\"The host name of the device.\"\"\"\n  hostname: String!\n""",
        "  hostname: String!\n",
    ),
    "relay-page-info": ("  startCursor: String\n", "  firstCursor: String\n"),
    "relay-arguments": ("    after: String\n", "    behind: String\n"),
    "relay-edge-types": ("  node: Site!\n", "  node: [Site!]!\n"),
    "no-typename-prefix": ("  entityType: String!\n", "  entityKey: String!\n"),
    "strict-id-in-types": ("  id: ID!\n", "  key: ID!\n"),
    "naming-convention": ("  macAddress: String\n", "  mac_address: String\n"),
}


def test_schema_lint_of_flawed_schema_finds_each_flaw(tmp_path: Path) -> None:
    text = SDL.read_text("utf-8")
    for ours, flawed in FLAWS.values():
        assert ours in text
        text = text.replace(ours, flawed)
    (tmp_path / SDL.name).write_text(text, "utf-8")
    assert {f"@graphql-eslint/{rule}" for rule in FLAWS} <= {rule for rule, _ in _run_eslint(tmp_path)}
