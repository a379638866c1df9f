"""Common client libraries with an open live query during writes in SQL."""

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

from tests.e2e.node import CHROMIUM, DIRECTORY, NODE, needs_chromium, needs_node, run_tool
from tests.e2e.servers import Server
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest

CLIENTS = ["apollo", "graphql-ws", "relay", "urql"]
CACHING = ["apollo", "relay"]
SITE_LIVE = "subscription SiteLive($id: ID!) { site(id: $id) { id name agents(first: 1) { totalCount } } }"
_SITE = (
    "SELECT s.id FROM sites s JOIN users u USING (tenant_id) WHERE u.id = $1 AND s.deleted_at IS NULL LIMIT 1"
)


@dataclass(frozen=True)
class ServedSite:
    """A server, its database, and a site that the viewer sees."""

    server: Server
    dsn: str
    site_id: str

    @property
    def administrator_token(self) -> str:
        """The token of the first tenant's administrator."""
        return self.server.tokens[0][1]

    async def rename(self, name: str) -> None:
        """Rename the site by SQL, and not through the server."""
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute("UPDATE sites SET name = $2 WHERE id = $1", self.site_id, name)
        finally:
            await connection.close()


@pytest.fixture
async def served_site(server: Server, writable_demo_database_url: str) -> ServedSite:
    user = jwt.get_unverified_claims(server.tokens[0][1])["sub"]
    connection = await asyncpg.connect(writable_demo_database_url)
    try:
        return ServedSite(server, writable_demo_database_url, await connection.fetchval(_SITE, user))
    finally:
        await connection.close()


async def _start_script(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        NODE or "node", *arguments, cwd=DIRECTORY, stdout=PIPE, stderr=PIPE
    )


async def _rename_after_first_line(script: Process, served_site: ServedSite, name: str) -> list[str]:
    """The lines that the script prints. The site is renamed after the first."""
    assert script.stdout is not None
    first = await asyncio.wait_for(script.stdout.readline(), HANG_S)
    if first:
        await served_site.rename(name)
    rest, complaint = await asyncio.wait_for(script.communicate(), HANG_S)
    assert script.returncode == 0, complaint.decode()
    return (first + rest).decode().splitlines()


@needs_node
@pytest.mark.parametrize("client", CLIENTS)
async def test_live_client_receives_the_result_and_its_change(served_site: ServedSite, client: str) -> None:
    if client == "relay":
        (DIRECTORY / "generated" / "relay").mkdir(parents=True, exist_ok=True)
        compiled = run_tool("relay-compiler", "relay.config.json")
        assert compiled.returncode == 0, compiled.stdout + compiled.stderr
    await served_site.rename(f"before {client}")
    script = await _start_script(
        f"clients/live-{client}.mjs",
        f"{served_site.server.url}/graphql",
        served_site.administrator_token,
        served_site.site_id,
    )
    lines = await _rename_after_first_line(script, served_site, f"after {client}")
    first, second, *cached = [json.loads(line) for line in lines]
    assert first["site"]["name"] == f"before {client}"
    assert second["site"]["name"] == f"after {client}"
    assert second["site"]["agents"]["totalCount"] >= 0
    assert cached == ([{"cached": f"after {client}"}] if client in CACHING else [])


async def test_live_gql_receives_the_result_and_its_change(served_site: ServedSite) -> None:
    await served_site.rename("before gql")
    transport = WebsocketsTransport(
        f"{served_site.server.url}/graphql".replace("http", "ws"),
        init_payload={"Authorization": f"Bearer {served_site.administrator_token}"},
        subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL],
    )
    names = []
    async with Client(transport=transport) as session:
        async for answer in session.subscribe(
            GraphQLRequest(SITE_LIVE, variable_values={"id": served_site.site_id})
        ):
            names.append(answer["site"]["name"])
            if len(names) == 2:
                break
            await served_site.rename("after gql")
    assert names == ["before gql", "after gql"]


@needs_node
@needs_chromium
async def test_live_graphiql_shows_the_result_and_its_change(served_site: ServedSite) -> None:
    await served_site.rename("before GraphiQL")
    query = f'subscription {{ site(id: "{served_site.site_id}") {{ name }} }}'
    address = f"{served_site.server.url}/graphql?{urlencode({'query': query})}"
    script = await _start_script(
        "graphiql-live.mjs", CHROMIUM or "chromium", address, "before GraphiQL", "after GraphiQL"
    )
    first, second, report = await _rename_after_first_line(script, served_site, "after GraphiQL")
    assert "before GraphiQL" in first
    assert "after GraphiQL" in second
    assert json.loads(report) == {"console": [], "errors": []}
