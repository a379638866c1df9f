"""docs/live.md against the running server: examples, series, numbers; and the subscriptions of other pages."""

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
from subscriptions.changes.moment import Moment
from subscriptions.live import _BESIDE_RUNS
from tests.e2e.servers import ROOT, Server
from tests.live.client import LiveClient, Question, live_client

pytestmark = pytest.mark.newest

PAGES: Final = ("README.md", "docs/live.md", "docs/streams.md")
PAGE: Final = (ROOT / "docs" / "live.md").read_text()
PATIENCE_S: Final = 30.0
BAD_CURSOR: Final = 'sites(first: 1, after: "WyJhIl0") { totalCount }'
BILLS: Final = "tenantBills(first: 1) { totalCount }"


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


SUBSCRIPTIONS: Final = [
    pytest.param(block, id=f"{page} {number}")
    for page in PAGES
    for number, block in enumerate(_blocks(page, "graphql"))
    if block.startswith("subscription")
]


@asynccontextmanager
async def _client(server: Server, number: int | None = 0) -> AsyncIterator[LiveClient]:
    """A socket of the demo's viewer of that number, or of nobody."""
    token = None if number is None else server.tokens[number][1]
    async with live_client(server.url, token) as client:
        yield client


async def _told(server: Server, number: int | None, field: str) -> tuple[dict[str, Any] | None, str | None]:
    """The first message of a live query, and the code of the error that ended it."""
    async with _client(server, number) as client:
        following = await client.follow(Question.of(field))
        await following.until(lambda told: told.states > 0 or told.errors is not None)
    return following.latest, following.errors[0]["extensions"]["code"] if following.errors else None


def test_each_page_has_one() -> None:
    assert {str(parameter.id).split()[0] for parameter in SUBSCRIPTIONS} == set(PAGES)


@pytest.mark.parametrize("text", SUBSCRIPTIONS)
async def test_subscriptions_are_answered(server: Server, text: str) -> None:
    async with _client(server) as client:
        following = await client.follow(Question(text, "", {}))
        await following.until(lambda told: told.states > 0 or told.errors is not None)
    assert following.errors is None
    assert following.latest is not None
    assert "errors" not in following.latest


async def test_the_program_prints_what_changes(server: Server, demo_database: str) -> None:
    """Somebody writes in SQL, as the page says that anybody may."""
    (program,) = _blocks("docs/live.md", "python")
    process = await _run(server, program)
    try:
        first = await _line(process)
        name = re.findall(r"'name': '([^']*)'", first)[0]
        connection = await asyncpg.connect(demo_database)
        await connection.execute("UPDATE sites SET name = name || ' *' WHERE name = $1", name)
        await connection.close()
        assert (await _line(process)).count(f"'{name} *'") == 1
    finally:
        process.kill()
        await process.communicate()


async def _run(server: Server, program: str) -> Process:
    url = f"{server.url.replace('http', 'ws', 1)}/graphql"
    environment = {"URL": url, "TOKEN": server.tokens[0][1]}
    return await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=environment, stdout=PIPE)


async def _line(process: Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)).decode()


async def test_a_message_tells_its_moment(server: Server) -> None:
    (example,) = (json.loads(block) for block in _blocks("docs/live.md", "json"))
    async with _client(server) as client:
        following = await client.follow(Question.of("sites { totalCount }"))
        await following.first()
    assert following.moment is not None
    assert example["payload"]["data"].keys() == following.data.keys()
    assert Moment.parse(example["payload"]["extensions"]["snapshot"]).sees(799)


async def test_errors_are_told_as_the_page_says(server: Server) -> None:
    assert await _told(server, None, "viewer { id }") == (None, "UNAUTHENTICATED")
    assert await _told(server, 0, BAD_CURSOR) == (None, "BAD_USER_INPUT")
    message, code = await _told(server, 1, BILLS)
    assert code is None
    assert message is not None
    assert [error["extensions"]["code"] for error in message["errors"]] == ["FORBIDDEN"]
    assert message["data"] is None


async def test_the_series_are_those_of_the_metrics(server: Server) -> None:
    async with httpx.AsyncClient() as http:
        metrics = (await http.get(f"{server.url}/metrics")).text
    assert set(re.findall(r"`(msp_live_\w+)`", PAGE)) == set(
        re.findall(r"^(msp_live_\w+?)(?:_bucket|_sum|_count)?(?:\{.*\})? ", metrics, re.MULTILINE)
    ) - set(re.findall(r"msp_live_\w+_created", metrics))


@pytest.mark.parametrize(
    ("words", "value", "said"),
    [
        ("takes longer than 0.2 s leaves", limits.LIVE_RUN_S, 0.2),
        ("up to a quarter of a second later", limits.CLOCK_STEP_MS, 250),
        ("a statement takes longer than 10 s", limits.STATEMENT_TIMEOUT_MS, 10_000),
        ("eight at most", limits.LIVE_LANES + limits.LIVE_SLOW_RUNS + _BESIDE_RUNS, 8),
        ("three that run", limits.LIVE_LANES, 3),
        ("5 ms after the last change", limits.LIVE_POLL_MIN_S, 0.005),
        ("every 50 ms while nothing happens", limits.LIVE_POLL_MAX_S, 0.05),
        ("second while no socket is open", limits.LIVE_POLL_EMPTY_S, 1.0),
        ("up to 250 queries of one shape", limits.LIVE_BATCH_MAX, 250),
        ("keeps five minutes of changes", limits.LOG_KEPT_S, 300),
    ],
)
def test_the_numbers_are_right(words: str, value: float, said: float) -> None:
    assert words in PAGE
    assert value == said
