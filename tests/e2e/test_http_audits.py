"""The 61 audits of the GraphQL-over-HTTP specification, from its authors' package, against the running server."""

import pytest

from tests.e2e.node import needs_node, run_script
from tests.e2e.servers import Server

pytestmark = needs_node
AUDITS = 61


@pytest.mark.parametrize("who", ["signed in", "anonymous"])
def test_http_audits_of_graphql_over_http_all_pass(embedded_server: Server, who: str) -> None:
    token = [embedded_server.tokens[0][1]] if who == "signed in" else []
    audits = run_script("audit.mjs", f"{embedded_server.url}/graphql", *token)
    assert len(audits) == AUDITS
    assert [audit for audit in audits if audit["status"] != "ok"] == []
