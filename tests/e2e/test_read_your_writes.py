"""The client of docs/own-writes.md waits for its own writes on the running server."""

import re
from pathlib import Path

import asyncpg
import pytest
from jose import jwt

from tests.e2e.node import DIRECTORY, needs_node, run_script
from tests.e2e.servers import ROOT, Server

pytestmark = pytest.mark.newest

_SITES = (
    "SELECT s.id FROM sites s JOIN users u USING (tenant_id) WHERE u.id = $1 AND s.deleted_at IS NULL "
    "ORDER BY s.id LIMIT 2"
)


@pytest.fixture(scope="module")
def own_writes() -> Path:
    """The page's module, next to the packages that it imports."""
    (code,) = re.findall(r"```js\n(.*?)```", (ROOT / "docs" / "own-writes.md").read_text("utf-8"), re.DOTALL)
    path = DIRECTORY / "generated" / "own-writes.mjs"
    path.parent.mkdir(exist_ok=True)
    path.write_text(code, "utf-8")
    return path


@needs_node
async def test_after_write_client_shows_its_own_write(
    server: Server, own_writes: Path, writable_demo_database_url: str
) -> None:
    token = server.tokens[0][1]
    connection = await asyncpg.connect(writable_demo_database_url)
    sites = await connection.fetch(_SITES, jwt.get_unverified_claims(token)["sub"])
    await connection.close()
    ids = [row["id"] for row in sites]
    *reports, last, unknown = run_script(
        "clients/after-write.mjs", own_writes, f"{server.url}/graphql", token, *ids
    )
    assert len(reports) == 20
    for number, (seen, unseen) in enumerate(zip(reports[::2], reports[1::2], strict=True)):
        assert (seen["screen"], seen["messages"]) == (f"seen {number}", 2 + number)
        assert (unseen["screen"], unseen["messages"]) == (f"seen {number}", 2 + number)
    assert last["screen"] == "after a loss"
    assert all(report["seen"] is True for report in (*reports, last))
    assert unknown == {"seen": False}
