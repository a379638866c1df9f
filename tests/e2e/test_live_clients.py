"""The clients that applications use, each with a live query open while somebody writes in SQL."""

import asyncio
import json
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from urllib.parse import urlencode

import asyncpg
import pytest
from gql import Client, GraphQLRequest
from gql.transport.websockets import WebsocketsTransport
from jose import jwt

from tests.e2e.node import CHROMIUM, DIRECTORY, NODE, needs_chromium, needs_node, tool
from tests.e2e.servers import Server

pytestmark = pytest.mark.newest

CLIENTS = ["apollo", "graphql-ws", "relay", "urql"]
CACHING = ["apollo", "relay"]
PATIENCE_S = 40.0
SITE_LIVE = "subscription SiteLive($id: ID!) { site(id: $id) { id name agents(first: 1) { totalCount } } }"
_SITE = (
    "SELECT s.id FROM sites s JOIN users u USING (tenant_id) WHERE u.id = $1 AND s.deleted_at IS NULL LIMIT 1"
)


@dataclass(frozen=True)
class World:
    """A server on a database that is written to, and a site that the viewer sees."""

    server: Server
    dsn: str
    site: str

    @property
    def token(self) -> str:
        """The administrator's of the first tenant."""
        return self.server.tokens[0][1]

    async def rename(self, name: str) -> None:
        """Write by SQL, past the server."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute("UPDATE sites SET name = $2 WHERE id = $1", self.site, name)
        finally:
            await connection.close()


@pytest.fixture
async def world(server: Server, demo_database: str) -> World:
    user = jwt.get_unverified_claims(server.tokens[0][1])["sub"]
    connection = await asyncpg.connect(demo_database)
    try:
        return World(server, demo_database, await connection.fetchval(_SITE, user))
    finally:
        await connection.close()


async def _script(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        NODE or "node", *arguments, cwd=DIRECTORY, stdout=PIPE, stderr=PIPE
    )


async def _first_line_then(script: Process, world: World, name: str) -> list[str]:
    """What the script prints, in lines; the site is renamed after the first."""
    assert script.stdout is not None
    first = await asyncio.wait_for(script.stdout.readline(), PATIENCE_S)
    if first:
        await world.rename(name)
    rest, complaint = await asyncio.wait_for(script.communicate(), PATIENCE_S)
    assert script.returncode == 0, complaint.decode()
    return (first + rest).decode().splitlines()


@needs_node
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_sees_the_answer_and_its_change(world: World, client: str) -> None:
    if client == "relay":
        (DIRECTORY / "generated" / "relay").mkdir(parents=True, exist_ok=True)
        compiled = tool("relay-compiler", "relay.config.json")
        assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    await world.rename(f"before {client}")
    script = await _script(
        f"clients/live-{client}.mjs", f"{world.server.url}/graphql", world.token, world.site
    )
    lines = await _first_line_then(script, world, f"after {client}")
    first, second, *cached = [json.loads(line) for line in lines]
    assert first["site"]["name"] == f"before {client}"
    assert second["site"]["name"] == f"after {client}"
    assert second["site"]["agents"]["totalCount"] >= 0
    assert cached == ([{"cached": f"after {client}"}] if client in CACHING else [])


async def test_and_so_does_gql(world: World) -> None:
    await world.rename("before gql")
    transport = WebsocketsTransport(
        f"{world.server.url}/graphql".replace("http", "ws"),
        init_payload={"Authorization": f"Bearer {world.token}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    names = []
    async with Client(transport=transport) as session:
        async for answer in session.subscribe(GraphQLRequest(SITE_LIVE, variable_values={"id": world.site})):
            names.append(answer["site"]["name"])
            if len(names) == 2:
                break
            await world.rename("after gql")
    assert names == ["before gql", "after gql"]


@needs_node
@needs_chromium
async def test_graphiql_streams_in_a_browser(world: World) -> None:
    await world.rename("before GraphiQL")
    query = f'subscription {{ site(id: "{world.site}") {{ name }} }}'
    address = f"{world.server.url}/graphql?{urlencode({'query': query})}"
    script = await _script(
        "graphiql-live.mjs", CHROMIUM or "chromium", address, "before GraphiQL", "after GraphiQL"
    )
    first, second, report = await _first_line_then(script, world, "after GraphiQL")
    assert "before GraphiQL" in first
    assert "after GraphiQL" in second
    assert json.loads(report) == {"console": [], "errors": []}
