"""Mutations over a WebSocket, on the running server: as over HTTP, and whole or not at all where the socket ends."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import asyncpg
import httpx
import pytest
from jose import jwt
from websockets.exceptions import ConnectionClosed

from core.limits import SOCKET_MESSAGE_MAX_BYTES
from tests.e2e.servers import Server
from tests.sockets import SocketClient, socket_client

pytestmark = pytest.mark.newest

RENAME: Final = "mutation($id: ID!, $name: String!) { updateSite(id: $id, input: {name: $name}) { id name } }"
RENAME_ALL: Final = (
    "mutation($ids: [ID!]!, $m: JSON!) { updateSites(ids: $ids, input: {metadata: $m}) { id } }"
)
UPSERT: Final = """mutation($input: UpsertEntitiesInput!) {
    upsertEntities(input: $input) { created rejected { index } } }"""
BOTH: Final = """mutation($id: ID!, $no: ID!) { a: updateSite(id: $id, input: {name: "A"}) { name }
    b: updateSite(id: $no, input: {name: "B"}) { name } }"""


@pytest.fixture
async def database(demo_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(demo_database)
    yield connection
    await connection.close()


@pytest.fixture
async def sites(server: Server, database: asyncpg.Connection) -> list[str]:
    """The sites of the administrator's tenant."""
    rows = await database.fetch(
        "SELECT id FROM sites WHERE deleted_at IS NULL AND tenant_id = (SELECT tenant_id FROM users WHERE id = $1)",
        subject(server, 0),
    )
    return [row["id"] for row in rows]


@pytest.fixture
async def client(server: Server) -> AsyncIterator[SocketClient]:
    """The administrator's."""
    async with socket_client(server.url) as client:
        await client.init(server.tokens[0][1])
        yield client


def subject(server: Server, number: int) -> str:
    found: str = jwt.get_unverified_claims(server.tokens[number][1])["sub"]
    return found


async def over_http(server: Server, query: str, **variables: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as http:
        headers = {"Authorization": f"Bearer {server.tokens[0][1]}"}
        body = {"query": query, "variables": variables}
        return await http.post(f"{server.url}/graphql", json=body, headers=headers)


async def audited(database: asyncpg.Connection, site: str) -> int:
    found: int = await database.fetchval(
        "SELECT count(*) FROM audit_log WHERE table_name = 'sites' AND record_id = $1", site
    )
    return found


async def test_it_is_answered_as_over_http_with_its_transaction(
    server: Server, client: SocketClient, database: asyncpg.Connection, sites: list[str]
) -> None:
    before = await audited(database, sites[0])
    payload = (await client.ask(RENAME, variables={"id": sites[0], "name": "By socket"}))["payload"]
    row = await database.fetchrow("SELECT name, xmin::text AS xmin FROM sites WHERE id = $1", sites[0])
    assert row is not None
    assert payload == {
        "data": {"updateSite": {"id": sites[0], "name": "By socket"}},
        "extensions": {"transaction": row["xmin"]},
    }
    assert row["name"] == "By socket"
    assert await audited(database, sites[0]) == before + 1
    answer = (await over_http(server, RENAME, id=sites[0], name="By HTTP")).json()
    assert answer.keys() == payload.keys()
    assert int(answer["extensions"]["transaction"]) > int(row["xmin"])


async def test_a_live_query_on_the_same_socket_hears_of_it(client: SocketClient, sites: list[str]) -> None:
    query = "subscription($id: ID!) { site(id: $id) { name } }"
    await client.subscribe(query, "live", variables={"id": sites[0]})
    await client.receive()
    await client.subscribe(RENAME, "write", variables={"id": sites[0], "name": "Heard"})
    messages = [await client.receive() for _ in range(3)]
    assert [m["type"] for m in messages if m["id"] == "write"] == ["next", "complete"]
    (live,) = (m for m in messages if m["id"] == "live")
    assert live["payload"] == {"data": {"site": {"name": "Heard"}}}


async def test_a_refused_one_is_told_why_and_the_socket_stays(
    server: Server, client: SocketClient, database: asyncpg.Connection, sites: list[str]
) -> None:
    was = await database.fetch("SELECT * FROM sites ORDER BY id")
    refused = {
        "NOT_FOUND": {"id": "nobody's", "name": "x"},
        "BAD_USER_INPUT": {"id": sites[0], "name": ""},
    }
    for code, variables in refused.items():
        payload = (await client.ask(RENAME, variables=variables))["payload"]
        assert payload["data"] is None
        assert [error["extensions"]["code"] for error in payload["errors"]] == [code]
        assert "extensions" not in payload
    other = await client.ask(RENAME, variables={"id": sites[0], "name": 7})
    assert other["type"] == "error"
    assert await client.is_alive()
    async with socket_client(server.url) as technician:
        await technician.init(server.tokens[1][1])
        payload = (await technician.ask(RENAME, variables={"id": sites[0], "name": "x"}))["payload"]
        assert [error["extensions"]["code"] for error in payload["errors"]] == ["FORBIDDEN"]
    async with socket_client(server.url) as stranger:
        await stranger.init()
        payload = (await stranger.ask(RENAME, variables={"id": sites[0], "name": "x"}))["payload"]
        assert [error["extensions"]["code"] for error in payload["errors"]] == ["UNAUTHENTICATED"]
    assert await database.fetch("SELECT * FROM sites ORDER BY id") == was


async def test_what_an_earlier_field_committed_stays_and_is_told(
    client: SocketClient, database: asyncpg.Connection, sites: list[str]
) -> None:
    payload = (await client.ask(BOTH, variables={"id": sites[0], "no": "nobody's"}))["payload"]
    assert payload["data"] is None
    assert [(e["path"], e["extensions"]["code"]) for e in payload["errors"]] == [(["b"], "NOT_FOUND")]
    row = await database.fetchrow("SELECT name, xmin::text AS xmin FROM sites WHERE id = $1", sites[0])
    assert row is not None
    assert (row["name"], row["xmin"]) == ("A", payload["extensions"]["transaction"])


@pytest.mark.parametrize("how", ["complete", "close", "cut"])
async def test_one_that_is_left_while_it_waits_is_not_done(
    server: Server, database: asyncpg.Connection, demo_database: str, sites: list[str], how: str
) -> None:
    watch = await asyncpg.connect(demo_database)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    before = await audited(database, sites[0])
    async with socket_client(server.url) as client, database.transaction():
        await client.init(server.tokens[0][1])
        await database.execute("SELECT FROM sites WHERE id = $1 FOR UPDATE", sites[0])
        await client.subscribe(RENAME, variables={"id": sites[0], "name": f"left by {how}"})
        await until(watch, waits, 1)
        if how == "complete":
            await client.complete()
        elif how == "close":
            await client.connection.close()
        else:
            client.connection.transport.abort()
        await until(watch, waits, 0)
    await watch.close()
    assert await database.fetchval("SELECT name FROM sites WHERE id = $1", sites[0]) != f"left by {how}"
    assert await audited(database, sites[0]) == before


async def until(connection: asyncpg.Connection, query: str, value: int) -> None:
    """Wait until a query answers a number."""
    async with asyncio.timeout(10):
        while await connection.fetchval(query) != value:  # noqa: ASYNC110 - the database tells no event
            await asyncio.sleep(0.01)


async def test_one_whose_socket_ends_at_any_time_is_whole_or_not_at_all(
    server: Server, database: asyncpg.Connection, sites: list[str]
) -> None:
    ids, dice, done = sites[:5], random.Random("sockets"), 0  # noqa: S311 - the same each time
    assert len(ids) > 1
    for number in range(60):
        before = [await audited(database, site) for site in ids]
        async with socket_client(server.url) as client:
            await client.init(server.tokens[0][1])
            await client.subscribe(RENAME_ALL, variables={"ids": ids, "m": {"number": number}})
            await asyncio.sleep(dice.uniform(0, 0.03))
            client.connection.transport.abort()
        await asyncio.sleep(0.15)  # until the server has noticed
        rows = await database.fetch("SELECT metadata, xmin FROM sites WHERE id = ANY($1::text[])", ids)
        written = {json.loads(row["metadata"] or "{}").get("number") == number for row in rows}
        assert len(written) == 1
        grown = {await audited(database, site) - count for site, count in zip(ids, before, strict=True)}
        assert grown == {1 if written == {True} else 0}
        done += written == {True}
    assert 0 < done < 60


async def test_what_is_too_large_for_a_socket_goes_by_http(
    server: Server, client: SocketClient, database: asyncpg.Connection
) -> None:
    source = await database.fetchval(
        "SELECT d.id FROM data_sources d JOIN users u USING (tenant_id) WHERE u.id = $1 AND d.deleted_at IS NULL",
        subject(server, 0),
    )
    items = [
        {"entityType": "large", "externalId": str(number), "rawData": {"text": "x" * 1_300}}
        for number in range(5_000)
    ]
    variables = {"input": {"dataSourceId": source, "items": items}}
    assert SOCKET_MESSAGE_MAX_BYTES * 6 < len(json.dumps(variables)) < SOCKET_MESSAGE_MAX_BYTES * 8
    with suppress(ConnectionClosed):  # while it is still sent
        await client.subscribe(UPSERT, variables=variables)
    code, reason = await client.end()
    assert (code, f"exceeds limit of {SOCKET_MESSAGE_MAX_BYTES} bytes" in reason) == (1009, True), reason
    count = "SELECT count(*) FROM entities WHERE entity_type = 'large'"
    assert await database.fetchval(count) == 0
    answer = (await over_http(server, UPSERT, **variables)).json()
    assert answer["data"]["upsertEntities"] == {"created": 5_000, "rejected": []}
    assert await database.fetchval(count) == 5_000
