"""README's client, as its text stands there, waits for its own writes on the running server."""

import json
import random
import re
from pathlib import Path

import asyncpg
import pytest
from jose import jwt

from subscriptions.changes.moment import Moment
from tests.e2e.node import DIRECTORY, needs_node, run
from tests.e2e.servers import ROOT, Server

pytestmark = pytest.mark.newest

_SITES = (
    "SELECT s.id FROM sites s JOIN users u USING (tenant_id) WHERE u.id = $1 AND s.deleted_at IS NULL "
    "ORDER BY s.id LIMIT 2"
)


@pytest.fixture(scope="module")
def readme() -> Path:
    """README's code, beside the packages that it imports."""
    (code,) = re.findall(r"```js\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    path = DIRECTORY / "generated" / "readme.mjs"
    path.parent.mkdir(exist_ok=True)
    path.write_text(code, "utf-8")
    return path


@needs_node
async def test_what_is_on_the_screen_has_the_write_in_it(
    server: Server, readme: Path, demo_database: str
) -> None:
    token = server.tokens[0][1]
    connection = await asyncpg.connect(demo_database)
    sites = await connection.fetch(_SITES, jwt.get_unverified_claims(token)["sub"])
    await connection.close()
    ids = [row["id"] for row in sites]
    *told, last = run("clients/after-write.mjs", readme, f"{server.url}/graphql", token, *ids)
    assert len(told) == 20
    for number, (seen, unseen) in enumerate(zip(told[::2], told[1::2], strict=True)):
        assert (seen["screen"], seen["messages"]) == (f"seen {number}", 2 + number)
        assert (unseen["screen"], unseen["messages"]) == (f"seen {number}", 2 + number)
    assert last["screen"] == "after a loss"


@needs_node
def test_the_function_says_what_a_moment_says(readme: Path) -> None:
    dice = random.Random("snapshots")  # noqa: S311 - the same each time
    pairs = []
    for _ in range(500):
        xmin = dice.choice((3, 10, 2**53 - 2, 2**62))
        xmax = xmin + dice.randint(0, 5)
        running = frozenset(xid for xid in range(xmin, xmax) if dice.random() < 0.4)
        moment = Moment(xmin, xmax, running, dice.choice(("", "0001-7")))
        pairs.append((str(moment), str(xmin + dice.randint(-2, 7))))
    (answers,) = run("clients/sees.mjs", readme, json.dumps(pairs))
    assert answers == [Moment.parse(snapshot).sees(int(xid)) for snapshot, xid in pairs]
    assert 100 < sum(answers) < 400
