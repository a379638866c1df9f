"""Mutations over a WebSocket on the running server: the same as over HTTP, and atomic if the socket ends."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest
from jose import jwt
from websockets.exceptions import ConnectionClosed

from core.limits import SOCKET_MESSAGE_MAX_BYTES
from tests.e2e.servers import Server
from tests.sealed_tokens import load_demo_sealer, open_transaction
from tests.waiting import HANG_S
from tests.websocket_client import WebSocketClient, connect_websocket

pytestmark = pytest.mark.newest

RENAME: Final = "mutation($id: ID!, $name: String!) { updateSite(id: $id, input: {name: $name}) { id name } }"
RENAME_ALL: Final = (
    "mutation($ids: [ID!]!, $m: JSON!) { updateSites(ids: $ids, input: {metadata: $m}) { id } }"
)
UPSERT: Final = """mutation($input: UpsertEntitiesInput!) {
    upsertEntities(input: $input) { created rejected { index } } }"""
IN_TRANSACTION: Final = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"""
BOTH: Final = """mutation($id: ID!, $no: ID!) { a: updateSite(id: $id, input: {name: "A"}) { name }
    b: updateSite(id: $no, input: {name: "B"}) { name } }"""


@pytest.fixture
async def database_connection(writable_demo_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(writable_demo_database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def site_ids(server: Server, database_connection: asyncpg.Connection) -> list[str]:
    """The sites of the administrator's tenant."""
    rows = await database_connection.fetch(
        "SELECT id FROM sites WHERE deleted_at IS NULL AND tenant_id = (SELECT tenant_id FROM users WHERE id = $1)",
        read_user_id(server, 0),
    )
    return [row["id"] for row in rows]


@pytest.fixture
async def administrator_client(server: Server) -> AsyncIterator[WebSocketClient]:
    """A client of the administrator."""
    async with connect_websocket(server.url) as client:
        await client.init(server.tokens[0][1])
        yield client


def read_user_id(server: Server, number: int) -> str:
    found: str = jwt.get_unverified_claims(server.tokens[number][1])["sub"]
    return found


async def post_over_http(server: Server, query: str, **variables: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as http:
        headers = {"Authorization": f"Bearer {server.tokens[0][1]}"}
        body = {"query": query, "variables": variables}
        return await http.post(f"{server.url}/graphql", json=body, headers=headers)


async def count_audit_rows(database: asyncpg.Connection, site: str) -> int:
    found: int = await database.fetchval(
        "SELECT count(*) FROM audit_log WHERE table_name = 'sites' AND record_id = $1", site
    )
    return found


async def test_mutation_over_websocket_equals_http_and_has_its_transaction(
    server: Server,
    data_dir: Path,
    administrator_client: WebSocketClient,
    database_connection: asyncpg.Connection,
    site_ids: list[str],
) -> None:
    before = await count_audit_rows(database_connection, site_ids[0])
    payload = (
        await administrator_client.execute(RENAME, variables={"id": site_ids[0], "name": "By socket"})
    )["payload"]
    row = await database_connection.fetchrow(
        "SELECT name, xmin::text AS xmin FROM sites WHERE id = $1", site_ids[0]
    )
    assert row is not None
    assert payload["data"] == {"updateSite": {"id": site_ids[0], "name": "By socket"}}
    assert payload["extensions"].keys() == {"transaction"}
    sealer = load_demo_sealer(data_dir)
    assert open_transaction(payload["extensions"]["transaction"], sealer) == row["xmin"]
    assert row["name"] == "By socket"
    assert await count_audit_rows(database_connection, site_ids[0]) == before + 1
    answer = (await post_over_http(server, RENAME, id=site_ids[0], name="By HTTP")).json()
    assert answer.keys() == payload.keys()
    assert int(open_transaction(answer["extensions"]["transaction"], sealer)) > int(row["xmin"])


async def test_mutation_over_websocket_updates_live_query_on_same_socket(
    administrator_client: WebSocketClient, site_ids: list[str]
) -> None:
    query = "subscription($id: ID!) { site(id: $id) { name } }"
    await administrator_client.subscribe(query, "live", variables={"id": site_ids[0]})
    await administrator_client.receive()
    await administrator_client.subscribe(RENAME, "write", variables={"id": site_ids[0], "name": "Heard"})
    messages = [await administrator_client.receive() for _ in range(3)]
    assert [m["type"] for m in messages if m["id"] == "write"] == ["next", "complete"]
    (live,) = (m for m in messages if m["id"] == "live")
    assert live["payload"] == {"data": {"site": {"name": "Heard"}}}


async def test_mutation_over_websocket_refused_has_its_code_and_keeps_socket(
    server: Server,
    administrator_client: WebSocketClient,
    database_connection: asyncpg.Connection,
    site_ids: list[str],
) -> None:
    was = await database_connection.fetch("SELECT * FROM sites ORDER BY id")
    refused = {
        "NOT_FOUND": {"id": "nobody's", "name": "x"},
        "BAD_USER_INPUT": {"id": site_ids[0], "name": ""},
    }
    for code, variables in refused.items():
        payload = (await administrator_client.execute(RENAME, variables=variables))["payload"]
        assert payload["data"] is None
        assert [error["extensions"]["code"] for error in payload["errors"]] == [code]
        assert "extensions" not in payload
    other = await administrator_client.execute(RENAME, variables={"id": site_ids[0], "name": 7})
    assert other["type"] == "error"
    assert await administrator_client.is_alive()
    async with connect_websocket(server.url) as technician:
        await technician.init(server.tokens[1][1])
        payload = (await technician.execute(RENAME, variables={"id": site_ids[0], "name": "x"}))["payload"]
        assert [error["extensions"]["code"] for error in payload["errors"]] == ["FORBIDDEN"]
    async with connect_websocket(server.url) as stranger:
        await stranger.init()
        payload = (await stranger.execute(RENAME, variables={"id": site_ids[0], "name": "x"}))["payload"]
        assert [error["extensions"]["code"] for error in payload["errors"]] == ["UNAUTHENTICATED"]
    assert await database_connection.fetch("SELECT * FROM sites ORDER BY id") == was


async def test_mutation_over_websocket_keeps_and_reports_earlier_commit(
    administrator_client: WebSocketClient,
    database_connection: asyncpg.Connection,
    data_dir: Path,
    site_ids: list[str],
) -> None:
    payload = (await administrator_client.execute(BOTH, variables={"id": site_ids[0], "no": "nobody's"}))[
        "payload"
    ]
    assert payload["data"] is None
    assert [(e["path"], e["extensions"]["code"]) for e in payload["errors"]] == [(["b"], "NOT_FOUND")]
    row = await database_connection.fetchrow(
        "SELECT name, xmin::text AS xmin FROM sites WHERE id = $1", site_ids[0]
    )
    assert row is not None
    transaction = open_transaction(payload["extensions"]["transaction"], load_demo_sealer(data_dir))
    assert (row["name"], row["xmin"]) == ("A", transaction)
    assert payload["extensions"]["committed"] == ["a"]


@pytest.mark.parametrize("how", ["complete", "close", "cut"])
async def test_mutation_over_websocket_abandoned_while_waiting_is_not_done(
    server: Server,
    database_connection: asyncpg.Connection,
    writable_demo_database_url: str,
    site_ids: list[str],
    how: str,
) -> None:
    watch = await asyncpg.connect(writable_demo_database_url)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    before = await count_audit_rows(database_connection, site_ids[0])
    async with connect_websocket(server.url) as client, database_connection.transaction():
        await client.init(server.tokens[0][1])
        await database_connection.execute("SELECT FROM sites WHERE id = $1 FOR UPDATE", site_ids[0])
        await client.subscribe(RENAME, variables={"id": site_ids[0], "name": f"left by {how}"})
        await wait_for_value(watch, waits, 1)
        if how == "complete":
            await client.complete()
        elif how == "close":
            await client.connection.close()
        else:
            client.connection.transport.abort()
        await wait_for_value(watch, waits, 0)
    await watch.close()
    assert (
        await database_connection.fetchval("SELECT name FROM sites WHERE id = $1", site_ids[0])
        != f"left by {how}"
    )
    assert await count_audit_rows(database_connection, site_ids[0]) == before


async def wait_for_value(connection: asyncpg.Connection, query: str, value: int) -> None:
    """Wait until a query returns a number."""
    async with asyncio.timeout(HANG_S):
        while await connection.fetchval(query) != value:  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.01)


async def measure_mutation(server: Server, ids: list[str]) -> float:
    """The seconds of a mutation from its message to its result."""
    async with connect_websocket(server.url) as client:
        await client.init(server.tokens[0][1])
        began = time.monotonic()
        await client.execute(RENAME_ALL, variables={"ids": ids, "m": {"number": -1}})
        return time.monotonic() - began


async def test_mutation_over_websocket_aborted_at_any_time_is_atomic(
    server: Server, database_connection: asyncpg.Connection, site_ids: list[str]
) -> None:
    ids, dice, done = site_ids[:5], random.Random("sockets"), 0  # noqa: S311 - repeatable
    assert len(ids) > 1
    duration = await measure_mutation(server, ids)
    for number in range(60):
        before = [await count_audit_rows(database_connection, site) for site in ids]
        async with connect_websocket(server.url) as client:
            await client.init(server.tokens[0][1])
            await client.subscribe(RENAME_ALL, variables={"ids": ids, "m": {"number": number}})
            await asyncio.sleep(dice.uniform(0, 2 * duration))
            client.connection.transport.abort()
        await asyncio.sleep(0.15)  # until the server has noticed
        await wait_for_value(database_connection, IN_TRANSACTION, 0)
        rows = await database_connection.fetch(
            "SELECT metadata, xmin FROM sites WHERE id = ANY($1::text[])", ids
        )
        written = {json.loads(row["metadata"] or "{}").get("number") == number for row in rows}
        assert len(written) == 1
        grown = {
            await count_audit_rows(database_connection, site) - count
            for site, count in zip(ids, before, strict=True)
        }
        assert grown == {1 if written == {True} else 0}
        done += written == {True}
    assert 0 < done < 60


async def test_mutation_too_large_for_websocket_is_1009_and_works_over_http(
    server: Server, administrator_client: WebSocketClient, database_connection: asyncpg.Connection
) -> None:
    source = await database_connection.fetchval(
        "SELECT d.id FROM data_sources d JOIN users u USING (tenant_id) WHERE u.id = $1 AND d.deleted_at IS NULL",
        read_user_id(server, 0),
    )
    items = [
        {"entityType": "large", "externalId": str(number), "rawData": {"text": "x" * 1_300}}
        for number in range(5_000)
    ]
    variables = {"input": {"dataSourceId": source, "items": items}}
    assert SOCKET_MESSAGE_MAX_BYTES * 6 < len(json.dumps(variables)) < SOCKET_MESSAGE_MAX_BYTES * 8
    with suppress(ConnectionClosed):  # while it is still sent
        await administrator_client.subscribe(UPSERT, variables=variables)
    code, reason = await administrator_client.wait_for_close()
    assert (code, f"exceeds limit of {SOCKET_MESSAGE_MAX_BYTES} bytes" in reason) == (1009, True), reason
    count = "SELECT count(*) FROM entities WHERE entity_type = 'large'"
    assert await database_connection.fetchval(count) == 0
    answer = (await post_over_http(server, UPSERT, **variables)).json()
    assert answer["data"]["upsertEntities"] == {"created": 5_000, "rejected": []}
    assert await database_connection.fetchval(count) == 5_000
