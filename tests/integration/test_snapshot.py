"""One request is one snapshot, of one viewer, on a connection that remembers neither afterwards."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core import database as database_module
from core.clock import NEVER
from core.database import Database, Snapshot
from core.errors import QueryTooComplexError, UnavailableError
from core.limits import STATEMENT_TIMEOUT_MS
from core.settings import Settings
from core.tokens import Identity
from core.viewer import ViewerKind
from resolvers.rows import Rows
from resolvers.ways import Way
from services.sign_in import sign_in
from tests.graph import Graph
from tests.neighbours import Neighbours, find_neighbours

_STATE = """
    SELECT current_user::text AS role, current_setting('transaction_read_only') AS read_only,
           current_setting('transaction_isolation') AS isolation,
           coalesce(current_setting('app.tenant_id', true), '') AS tenant,
           (SELECT count(*) FROM sites) AS sites
"""
_SLOW = "SELECT pg_sleep(30)"
_RENAME = """
    UPDATE sites SET name = name || '!';
    UPDATE tenants SET name = name || '!';
    UPDATE agents SET hostname = hostname || '!';
    UPDATE agents SET deleted_at = 1 WHERE id IN (
        SELECT DISTINCT ON (site_id) id FROM agents WHERE deleted_at IS NULL ORDER BY site_id, id)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def writer(demo_database: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody who writes while requests read."""
    connection = await asyncpg.connect(demo_database)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def neighbours(writer: asyncpg.Connection) -> Neighbours:
    return await find_neighbours(writer)


@pytest_asyncio.fixture
async def database(demo_database: str) -> AsyncIterator[Database]:
    """A pool of one connection, so that every request gets the one that the last has left."""
    opened = await Database.connect(demo_database, Settings(pool_size=1))
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def others(writer: asyncpg.Connection) -> AsyncIterator[Any]:
    """What no snapshot may have left in the pool's connection: looked at from outside."""
    before = await writer.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    )
    yield writer
    after = await writer.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    )
    assert after == before


@asynccontextmanager
async def entered(database: Database, user: str) -> AsyncIterator[Snapshot]:
    """A request of that user, up to where its operation begins."""
    async with database.snapshot() as snapshot:
        await sign_in(snapshot.connection, Identity(ViewerKind.USER, user, NEVER), None)
        yield snapshot


async def state(snapshot: Snapshot) -> dict[str, Any]:
    (record,) = await snapshot.fetch(_STATE, ())
    return dict(record)


@contextmanager
def between_levels(
    monkeypatch: pytest.MonkeyPatch, writer: asyncpg.Connection, statement: str
) -> Iterator[list[str]]:
    """Has the writer commit a statement after the first read of a request and ahead of its second."""
    fetch, seen = Snapshot.fetch, []

    async def interrupted(self: Snapshot, sql: str, arguments: Any) -> Any:
        records = await fetch(self, sql, arguments)
        seen.append(sql)
        if len(seen) == 1:
            await writer.execute(statement)
        return records

    with monkeypatch.context() as patched:
        patched.setattr(Snapshot, "fetch", interrupted)
        yield seen


@pytest.mark.parametrize("way", [Way.LOADERS, Way.AUTO])
async def test_a_write_between_two_levels_is_not_seen(
    database: Database,
    writer: asyncpg.Connection,
    neighbours: Neighbours,
    monkeypatch: pytest.MonkeyPatch,
    way: Way,
) -> None:
    graph = Graph(database, way)
    list_ = "sites(first: 3) { nodes { name tenant { name } agents { totalCount nodes { hostname } } } }"
    query = f"{{ {list_} again: {list_} }}"
    before = await graph.as_user(neighbours.me, query)
    with between_levels(monkeypatch, writer, _RENAME) as seen:
        during = await graph.as_user(neighbours.me, query)
    after = await graph.as_user(neighbours.me, query)
    assert len(seen) > 1
    assert during.data == before.data
    assert after.data != before.data
    assert all(site["name"].endswith("!") for site in after.data["sites"]["nodes"])
    assert during.data["again"] == during.data["sites"]


async def test_it_runs_as_the_request_role_and_only_reads(database: Database, neighbours: Neighbours) -> None:
    async with entered(database, neighbours.me) as snapshot:
        found = await state(snapshot)
        assert found.pop("sites") > 0
        assert found == {
            "role": Settings().request_role,
            "read_only": "on",
            "isolation": "repeatable read",
            "tenant": neighbours.mine,
        }
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await snapshot.fetch("UPDATE sites SET name = 'mine'", ())


async def test_the_platform_runs_as_the_owner_and_only_reads(database: Database) -> None:
    async with database.snapshot(platform=True) as snapshot:
        found = await state(snapshot)
        assert (found["read_only"], found["tenant"]) == ("on", "")
        assert found["role"] != Settings().request_role
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await snapshot.fetch("DELETE FROM api_logs", ())


async def clean(database: Database) -> None:
    """Asserts that the next request on the connection finds nothing of the one before."""
    async with database.snapshot() as snapshot:
        found = await state(snapshot)
        assert (found["tenant"], found["sites"]) == ("", 0)
        assert found["role"] == Settings().request_role
    async with database.snapshot(platform=True) as snapshot:
        found = await state(snapshot)
        assert (found["tenant"], found["role"]) == ("", "msp")
        assert found["sites"] > 0
    async with database.pool.acquire() as connection:
        assert not connection.is_in_transaction()


@pytest.mark.usefixtures("others")
class TestNothingIsLeftBehind:
    async def test_after_an_answer(self, database: Database, neighbours: Neighbours) -> None:
        async with entered(database, neighbours.me) as snapshot:
            assert (await state(snapshot))["tenant"] == neighbours.mine
        await clean(database)

    async def test_the_next_user_is_in_their_own_tenant(
        self, database: Database, neighbours: Neighbours
    ) -> None:
        graph = Graph(database)
        query = "{ viewer { tenant { id } } sites(first: 1000) { nodes { tenantId } } }"
        for _ in range(2):
            for user, tenant in ((neighbours.me, neighbours.mine), (neighbours.them, neighbours.theirs)):
                answer = await graph.as_user(user, query)
                assert answer.data["viewer"]["tenant"]["id"] == tenant
                assert {site["tenantId"] for site in answer.data["sites"]["nodes"]} == {tenant}

    async def test_after_a_statement_that_failed(self, database: Database, neighbours: Neighbours) -> None:
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with entered(database, neighbours.me) as snapshot:
                await snapshot.fetch("SELECT 1 / 0", ())
        await clean(database)

    async def test_after_a_resolver_that_failed(
        self, database: Database, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: Any) -> Any:
            raise RuntimeError("a fault of ours")

        with monkeypatch.context() as patched:
            patched.setattr(Rows, "_fetch", fail)
            answer = await Graph(database).as_user(neighbours.me, "{ sites { totalCount } }")
        assert answer.codes == ["INTERNAL"]
        await clean(database)

    async def test_after_a_sign_in_that_was_refused(self, database: Database) -> None:
        with pytest.raises(Exception, match="no active user"):
            await Graph(database).as_user("user_unknown", "{ sites { totalCount } }")
        await clean(database)

    async def test_after_a_statement_timeout(
        self, demo_database: str, neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        short = database_module._BEGIN.replace(str(STATEMENT_TIMEOUT_MS), "50")
        monkeypatch.setattr(database_module, "_BEGIN", short)
        database = await Database.connect(demo_database, Settings(pool_size=1))
        try:
            with pytest.raises(QueryTooComplexError):
                async with entered(database, neighbours.me) as snapshot:
                    await snapshot.fetch(_SLOW, ())
            await clean(database)
        finally:
            await database.close()

    @pytest.mark.parametrize("again", [0, 1, 2, 3, 5, 8])
    async def test_after_a_request_that_was_cancelled(
        self, database: Database, neighbours: Neighbours, again: int
    ) -> None:
        """In its statement, and again so many turns of the loop later, while it rolls back."""

        async def request() -> None:
            async with entered(database, neighbours.me) as snapshot:
                await snapshot.fetch(_SLOW, ())

        task = asyncio.create_task(request())
        await asyncio.sleep(0.1)
        task.cancel()
        if again:
            for _ in range(again):
                await asyncio.sleep(0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await clean(database)

    @pytest.mark.parametrize("pause", [0, 0.1])
    async def test_after_a_connection_that_was_lost_between_statements(
        self, database: Database, neighbours: Neighbours, writer: asyncpg.Connection, pause: float
    ) -> None:
        async def request() -> None:
            async with entered(database, neighbours.me) as snapshot:
                pid = await snapshot.connection.fetchval("SELECT pg_backend_pid()")
                await writer.execute("SELECT pg_terminate_backend($1)", pid)
                await asyncio.sleep(pause)
                await snapshot.fetch(_SLOW, ())

        with pytest.raises(UnavailableError):
            await request()
        await clean(database)

    async def test_after_a_connection_that_was_lost_in_a_statement(
        self, database: Database, neighbours: Neighbours, writer: asyncpg.Connection
    ) -> None:
        pids: list[int] = []

        async def request() -> None:
            async with entered(database, neighbours.me) as snapshot:
                pids.append(await snapshot.connection.fetchval("SELECT pg_backend_pid()"))
                await snapshot.fetch(_SLOW, ())

        task = asyncio.create_task(request())
        await asyncio.sleep(0.1)
        await writer.execute("SELECT pg_terminate_backend($1)", pids[0])
        with pytest.raises(UnavailableError):
            await task
        await clean(database)


async def test_failures_do_not_use_up_the_pool(demo_database: str, neighbours: Neighbours) -> None:
    """Far more requests fail, and are cancelled, than there are connections."""
    database = await Database.connect(demo_database, Settings(pool_size=2))

    async def fail(statement: str) -> None:
        async with entered(database, neighbours.me) as snapshot:
            await snapshot.fetch(statement, ())

    tasks = [asyncio.create_task(fail("SELECT 1 / 0")) for _ in range(20)]
    tasks += [asyncio.create_task(fail(_SLOW)) for _ in range(6)]
    await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        async with asyncio.timeout(5):
            answers = await asyncio.gather(
                *(Graph(database).as_user(neighbours.me, "{ viewer { kind } }") for _ in range(4))
            )
        assert [answer.data for answer in answers] == [{"viewer": {"kind": "USER"}}] * 4
        assert database.pool.get_idle_size() == database.pool.get_size()
    finally:
        await database.close()


async def test_levels_of_one_answer_take_turns(database: Database, neighbours: Neighbours) -> None:
    """Many loaders want the one connection at once; a connection takes one statement at a time."""
    names = ("sites", "agents", "entities", "users", "roles", "dataSources", "healthChecks", "scheduledJobs")
    query = (
        "{ "
        + " ".join(f"{name}(first: 5) {{ totalCount nodes {{ id tenant {{ id }} }} }}" for name in names)
        + " }"
    )
    answer = await Graph(database).as_user(neighbours.me, query)
    assert not answer.errors
    assert all(answer.data[name]["totalCount"] for name in names)


async def test_what_waits_for_its_turn_is_not_run_when_the_snapshot_ends(database: Database) -> None:
    """Of a client that has left, say: only the statement that runs is waited for."""
    async with database.snapshot() as snapshot:
        loaders = [asyncio.create_task(snapshot.fetch("SELECT pg_sleep(0.1)", ())) for _ in range(5)]
        await asyncio.sleep(0.05)
    answers = await asyncio.gather(*loaders, return_exceptions=True)
    assert snapshot.statements == 1
    assert [type(answer) for answer in answers] == [list] + [asyncpg.InterfaceError] * 4
