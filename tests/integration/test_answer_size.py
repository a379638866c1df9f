"""Answers are bounded in bytes while they are made, in every way in which one is made."""

from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.database import single_reads
from core.database.byte_meter import ByteMeter
from core.database.connecting import connect
from core.database.database import ReadTransaction
from core.database.transactions import WriteTransaction
from core.errors import AnswerTooLargeError
from core.limits import ANSWER_BYTES_MAX
from resolvers import context
from subscriptions.engine import query_runner
from tests.http_harness import HttpHarness, open_http_harness
from tests.live.live_engine import LiveEngine, open_live_engine
from tests.waiting import wait_until

pytestmark = pytest.mark.newest

LONG: Final = 200_000
"""Characters of each site's metadata."""

SITES_COUNT: Final = 100
_FILL: Final = """
    INSERT INTO sites (tenant_id, name, slug, status, metadata)
    SELECT tenant_id, 'Long ' || n, 'long-' || n, 'active', jsonb_build_object('text', repeat('x', $2))
    FROM users, generate_series(1, $3) n WHERE users.id = $1 RETURNING id
"""
LONG_SITES: Final = (
    'sites(first: 500, where: { name: { startsWith: "Long " } }) { totalCount nodes { id metadata } }'
)
ONE_ROOT: Final = f"{{ {LONG_SITES} }}"
FIVE_ROOTS: Final = f"{{ {' '.join(f'r{number}: {LONG_SITES}' for number in range(5))} }}"
MANY_KEYS: Final = (
    f"query ($id: ID!) {{ site(id: $id) {{ {' '.join(f'm{number}: metadata' for number in range(100))} }} }}"
)
NEIGHBOR: Final = "{ sites(first: 3) { nodes { name } } }"
WRITE: Final = (
    "mutation ($ids: [ID!]!) { updateSites(ids: $ids, input: { status: INACTIVE }) { id metadata } }"
)
LIVE_SITE: Final = "subscription ($id: ID!) { site(id: $id) { name metadata } }"
LIVE_NAME: Final = "subscription ($id: ID!) { site(id: $id) { name } }"


class ReceivedBytes:
    """Counts what PostgreSQL sends on all metered connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        receive = ByteMeter.data_received

        def count_and_receive(meter: ByteMeter, data: bytes) -> None:
            self.count += len(data)
            receive(meter, data)

        monkeypatch.setattr(ByteMeter, "data_received", count_and_receive)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(writable_demo_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(writable_demo_database_url, server_settings={"app.platform": "on"})
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def long_site_ids(owner: asyncpg.Connection, writable_demo_database_url: str) -> list[str]:
    """The ids of a hundred sites of the first viewer's tenant with 200 KB of metadata each."""
    async with open_http_harness(writable_demo_database_url) as http:
        user_id = http.user_ids[0]
    return [row["id"] for row in await owner.fetch(_FILL, user_id, LONG, SITES_COUNT)]


@pytest_asyncio.fixture(params=["auto", "loaders"])
async def http_harness(
    request: pytest.FixtureRequest, writable_demo_database_url: str
) -> AsyncIterator[HttpHarness]:
    async with open_http_harness(writable_demo_database_url, reads=request.param) as made:
        yield made


def find_limits(body: dict[str, Any]) -> set[tuple[str, str, int]]:
    """Code, limit and allowed number of all errors."""
    return {
        (error["extensions"]["code"], error["extensions"].get("limit"), error["extensions"].get("allowed"))
        for error in body["errors"]
    }


TOO_LARGE: Final = {("QUERY_TOO_COMPLEX", "answerBytes", ANSWER_BYTES_MAX)}


@pytest.mark.usefixtures("long_site_ids")
@pytest.mark.parametrize("query", [ONE_ROOT, FIVE_ROOTS], ids=["one root", "five roots"])
async def test_answer_over_the_limit_is_refused_while_it_is_made(
    http_harness: HttpHarness, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice: the second time the viewer is known, and one root needs no transaction."""
    received = ReceivedBytes(monkeypatch)
    for _ in range(2):
        received.count = 0
        response = await http_harness.post_query(query)
        assert find_limits(response.json()) == TOO_LARGE
        assert len(response.content) < 100_000
        assert received.count < ANSWER_BYTES_MAX + 2_000_000  # of 20 and 100 MB
    for user in (0, 2):
        assert "errors" not in (await http_harness.post_query(NEIGHBOR, user)).json()


@pytest.mark.usefixtures("long_site_ids")
async def test_answer_below_the_limit_is_whole(http_harness: HttpHarness) -> None:
    body = (await http_harness.post_query(ONE_ROOT.replace("first: 500", "first: 75"))).json()
    nodes = body["data"]["sites"]["nodes"]
    assert [len(node["metadata"]["text"]) for node in nodes] == [LONG] * 75
    assert body["data"]["sites"]["totalCount"] == SITES_COUNT


async def test_answer_that_repeats_a_long_value_is_refused(
    http_harness: HttpHarness, long_site_ids: list[str]
) -> None:
    """The loaders fetch the value once, and the answer would have it a hundred times."""
    response = await http_harness.post_query(MANY_KEYS, variables={"id": long_site_ids[0]})
    assert find_limits(response.json()) == TOO_LARGE


async def test_mutation_with_answer_over_the_limit_writes_nothing(
    http_harness: HttpHarness, long_site_ids: list[str], owner: asyncpg.Connection
) -> None:
    response = await http_harness.post_query(WRITE, variables={"ids": long_site_ids})
    assert find_limits(response.json()) == TOO_LARGE
    statuses = await owner.fetch("SELECT DISTINCT status::text FROM sites WHERE id = ANY($1)", long_site_ids)
    assert [row["status"] for row in statuses] == ["active"]


@pytest.mark.parametrize("transaction", [ReadTransaction, WriteTransaction])
async def test_transaction_counts_all_of_its_statements(
    transaction: type[ReadTransaction], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "bytes_max", 1_000_000)
    connection = await connect(database_url)
    reading = transaction(connection)
    for _ in range(2):
        assert len(await reading.fetch("SELECT repeat('x', 400000)", ())) == 1
    for _ in range(2):
        with pytest.raises(AnswerTooLargeError):
            await reading.fetch("SELECT repeat('x', 400000)", ())
    await reading.end()
    assert connection.is_closed()


async def test_connection_between_transactions_has_no_limit(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReadTransaction, "bytes_max", 1_000)
    connection = await connect(database_url)
    await ReadTransaction(connection).end()
    assert len(await connection.fetchval("SELECT repeat('x', 400000)")) == 400_000
    await connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def live_engine(writable_demo_database_url: str) -> AsyncIterator[LiveEngine]:
    async with open_live_engine(writable_demo_database_url) as made:
        yield made
        made.live.registry.validate()


@pytest.fixture(params=["auto", "loaders"])
def small_limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A limit of 300 KB: for one long site, not for two. The way in which live queries run."""
    for module in (query_runner, context, single_reads):
        monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 300_000)
    way: str = request.param
    return way


async def test_live_query_over_the_limit_ends_and_others_go_on(
    writable_demo_database_url: str, long_site_ids: list[str], small_limit: str
) -> None:
    grow = "UPDATE sites SET metadata = jsonb_build_object('text', repeat('y', $2)) WHERE id = $1"
    rename = "UPDATE sites SET name = $2 WHERE id = $1"
    grown, other = long_site_ids[:2]
    async with open_live_engine(writable_demo_database_url, reads=small_limit) as live_engine:
        connection = await live_engine.connect()
        large, small = (connection.subscribe(LIVE_SITE, id=site) for site in (grown, other))
        name = await connection.subscribe(LIVE_NAME, id=grown).wait_for_states(1)
        await large.wait_for_states(1)
        await small.wait_for_states(1)
        await live_engine.execute_sql(grow, grown, 400_000)
        assert (await large.wait_for_error()).code == "QUERY_TOO_COMPLEX"
        assert (await connection.subscribe(LIVE_SITE, id=grown).wait_for_error()).code == "QUERY_TOO_COMPLEX"
        await live_engine.execute_sql(rename, other, "Long and renamed")
        await live_engine.execute_sql(rename, grown, "Long and grown")
        await wait_until(lambda: small.data["site"]["name"] == "Long and renamed")
        await wait_until(lambda: name.data["site"]["name"] == "Long and grown")
        assert not connection.disconnects
        live_engine.live.registry.validate()
        await live_engine.execute_sql(grow, grown, LONG)


async def test_live_batch_over_its_limit_runs_one_by_one_and_then_in_smaller_batches(
    live_engine: LiveEngine, long_site_ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_runner, "LIVE_BATCH_S", 60)
    monkeypatch.setattr(query_runner, "LIVE_BATCH_BYTES", 900_000)
    monkeypatch.setattr(query_runner, "LIVE_BATCH_BYTES_MAX", 1_500_000)
    connection = await live_engine.connect()
    subscribers = [connection.subscribe(LIVE_SITE, id=site) for site in long_site_ids[10:30]]
    for each in subscribers:
        await each.wait_for_states(1)
    assert not any(each.errors for each in subscribers)
    runs = live_engine.live.stats.runs.copy()
    await live_engine.execute_sql(
        "UPDATE sites SET name = name || '!' WHERE id = ANY($1)", long_site_ids[10:30]
    )
    for each in subscribers:
        await each.wait_for_states(2)
    assert live_engine.live.stats.runs["alone"] == runs["alone"]
    assert live_engine.live.stats.runs["batch"] - runs["batch"] == len(subscribers)


async def test_stream_with_rows_over_the_limit_sends_its_events_with_an_error(
    live_engine: LiveEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReadTransaction, "bytes_max", 1_500)
    connection = await live_engine.connect()
    subscriber = await connection.subscribe(
        "subscription { agentCheckins { cursor events { agentId agent { hostname } } } }"
    ).wait_for_states(1)
    await live_engine.execute_sql(
        "UPDATE agents SET last_checkin_at = coalesce(last_checkin_at, 0) + 1, hostname = repeat('h', 3000) "
        "WHERE tenant_id = $1",
        live_engine.tenant_id,
    )
    await subscriber.wait_for_states(2)
    state = subscriber.states[1]
    assert {error["extensions"]["limit"] for error in state["errors"]} == {"answerBytes"}
    assert all(
        event["agentId"] and event["agent"] is None for event in state["data"]["agentCheckins"]["events"]
    )
