"""docs/live.md against the running server: examples, series and numbers. Also the subscriptions of other pages."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import httpx
import pytest

from core import limits
from tests.e2e.servers import ROOT, Server
from tests.live.client import LiveClient, LiveQueryCase, open_live_client
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest

PAGES: Final = ("README.md", "docs/live.md", "docs/streams.md")
PAGE: Final = (ROOT / "docs" / "live.md").read_text()
BAD_CURSOR: Final = 'sites(first: 1, after: "WyJhIl0") { totalCount }'
BILLS: Final = "tenantBills(first: 1) { totalCount }"


def _read_blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


SUBSCRIPTIONS: Final = [
    pytest.param(block, id=f"{page} {number}")
    for page in PAGES
    for number, block in enumerate(_read_blocks(page, "graphql"))
    if block.startswith("subscription")
]


@asynccontextmanager
async def _open_client(server: Server, number: int | None = 0) -> AsyncIterator[LiveClient]:
    """A socket of the demo's viewer of that number, or an anonymous one."""
    token = None if number is None else server.tokens[number][1]
    async with open_live_client(server.url, token) as client:
        yield client


async def _receive_first(
    server: Server, number: int | None, field: str
) -> tuple[dict[str, Any] | None, str | None]:
    """The first message of a live query, and the code of the error that ended it."""
    async with _open_client(server, number) as client:
        following = await client.subscribe(LiveQueryCase.from_field(field))
        await following.wait_until(lambda followed: followed.state_count > 0 or followed.errors is not None)
    return following.latest, following.errors[0]["extensions"]["code"] if following.errors else None


def test_docs_pages_each_have_a_subscription() -> None:
    assert {str(parameter.id).split()[0] for parameter in SUBSCRIPTIONS} == set(PAGES)


@pytest.mark.parametrize("text", SUBSCRIPTIONS)
async def test_docs_subscription_is_answered(server: Server, text: str) -> None:
    async with _open_client(server) as client:
        following = await client.subscribe(LiveQueryCase(text, "", {}))
        await following.wait_until(lambda followed: followed.state_count > 0 or followed.errors is not None)
    assert following.errors is None
    assert following.latest is not None
    assert "errors" not in following.latest


async def test_docs_program_prints_a_change(server: Server, writable_demo_database_url: str) -> None:
    """Another program writes in SQL, which the page allows."""
    (program,) = _read_blocks("docs/live.md", "python")
    process = await _start_program(server, program)
    try:
        first = await _read_line(process)
        name = re.findall(r"'name': '([^']*)'", first)[0]
        connection = await asyncpg.connect(writable_demo_database_url)
        await connection.execute("UPDATE sites SET name = name || ' *' WHERE name = $1", name)
        await connection.close()
        assert (await _read_line(process)).count(f"'{name} *'") == 1
    finally:
        process.kill()
        await process.communicate()


async def _start_program(server: Server, program: str) -> Process:
    url = f"{server.url.replace('http', 'ws', 1)}/graphql"
    environment = {"URL": url, "TOKEN": server.tokens[0][1]}
    return await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=environment, stdout=PIPE)


async def _read_line(process: Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), HANG_S)).decode()


async def test_docs_message_has_its_snapshot(server: Server) -> None:
    (example,) = (json.loads(block) for block in _read_blocks("docs/live.md", "json"))
    async with _open_client(server) as client:
        following = await client.subscribe(LiveQueryCase.from_field("sites { totalCount }"))
        await following.wait_for_first()
    assert following.token is not None
    assert example["payload"]["data"].keys() == following.data.keys()
    assert len(example["payload"]["extensions"]["snapshot"]) == len(following.token)


async def test_docs_errors_have_the_documented_codes(server: Server) -> None:
    assert await _receive_first(server, None, "viewer { id }") == (None, "UNAUTHENTICATED")
    assert await _receive_first(server, 0, BAD_CURSOR) == (None, "BAD_USER_INPUT")
    message, code = await _receive_first(server, 1, BILLS)
    assert code is None
    assert message is not None
    assert [error["extensions"]["code"] for error in message["errors"]] == ["FORBIDDEN"]
    assert message["data"] == {"tenantBills": None}


async def test_docs_series_equal_the_metrics(server: Server) -> None:
    async with httpx.AsyncClient(timeout=HANG_S) as http:
        metrics = (await http.get(f"{server.url}/metrics")).text
    assert set(re.findall(r"`(msp_live_\w+)`", PAGE)) == set(
        re.findall(r"^(msp_live_\w+?)(?:_bucket|_sum|_count)?(?:\{.*\})? ", metrics, re.MULTILINE)
    ) - set(re.findall(r"msp_live_\w+_created", metrics))


@pytest.mark.parametrize(
    ("words", "value", "documented"),
    [
        ("takes longer than 0.2 s", limits.LIVE_RUN_S, 0.2),
        ("up to a quarter of a second later", limits.CLOCK_STEP_MS, 250),
        ("a statement takes longer than 10 s", limits.STATEMENT_TIMEOUT_MS, 10_000),
        ("at most eight", limits.LIVE_CONNECTIONS, 8),
        ("Three run", limits.LIVE_WORKERS, 3),
        ("5 ms after the last change", limits.LIVE_POLL_MIN_S, 0.005),
        ("every 50 ms while nothing happens", limits.LIVE_POLL_MAX_S, 0.05),
        ("Without an open socket it is one a second", limits.LIVE_POLL_EMPTY_S, 1.0),
        ("up to 250 queries of one shape", limits.LIVE_BATCH_MAX, 250),
        ("keeps five minutes of changes", limits.CHANGE_LOG_RETENTION_S, 300),
    ],
)
def test_docs_numbers_equal_the_limits(words: str, value: float, documented: float) -> None:
    assert words in " ".join(PAGE.split())
    assert value == documented
