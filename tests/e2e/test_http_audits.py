"""The 61 audits of the GraphQL-over-HTTP specification, by its own authors' package, against the running server."""

from collections.abc import Iterator

import pytest

from tests.e2e.node import needs_node, run
from tests.e2e.servers import Server, data_directory, running

pytestmark = needs_node
AUDITS = 61


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with data_directory() as path, running("--demo", "--data-dir", path, lines=5) as server:
        yield server
        server.end()


@pytest.mark.parametrize("who", ["signed in", "anonymous"])
def test_every_audit_passes(server: Server, who: str) -> None:
    token = [server.tokens[0][1]] if who == "signed in" else []
    audits = run("audit.mjs", f"{server.url}/graphql", *token)
    assert len(audits) == AUDITS
    assert [audit for audit in audits if audit["status"] != "ok"] == []
