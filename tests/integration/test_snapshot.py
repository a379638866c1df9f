"""One request is one snapshot, of one viewer, on a connection that keeps neither afterwards."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from core.database import database as database_module
from core.database.database import Database, ReadTransaction
from core.errors import QueryTooComplexError, UnavailableError
from core.limits import STATEMENT_TIMEOUT_MS
from core.settings import Settings
from resolvers.execution_strategy import ExecutionStrategy
from resolvers.sql.data_access import DataAccess
from services.users.sign_in import sign_in
from tests.graphql_harness import GraphqlHarness
from tests.neighbor_tenants import NeighborTenants, find_neighbor_tenants
from tests.waiting import HANG_S, wait_until

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
async def writer(writable_demo_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that writes while requests read."""
    connection = await asyncpg.connect(writable_demo_database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def neighbor_tenants(writer: asyncpg.Connection) -> NeighborTenants:
    return await find_neighbor_tenants(writer)


@pytest_asyncio.fixture
async def database(writable_demo_database_url: str) -> AsyncIterator[Database]:
    """A pool of one connection, so that every request gets the connection of the last."""
    opened = await Database.connect(writable_demo_database_url, Settings(pool_size=1))
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def no_open_transactions(writer: asyncpg.Connection) -> AsyncIterator[Any]:
    """State that no snapshot may have left in the pool's connection, read from outside."""
    before = await writer.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    )
    yield writer
    after = await writer.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    )
    assert after == before


@asynccontextmanager
async def open_user_snapshot(database: Database, user: str) -> AsyncIterator[ReadTransaction]:
    """A request of that user, up to the start of its operation."""
    async with database.read_transaction() as snapshot:
        await sign_in(snapshot.connection, Identity(ViewerKind.USER, user, NEVER), None)
        yield snapshot


async def read_session_state(snapshot: ReadTransaction) -> dict[str, Any]:
    (record,) = await snapshot.fetch(_STATE, ())
    return dict(record)


@contextmanager
def write_between_reads(
    monkeypatch: pytest.MonkeyPatch, writer: asyncpg.Connection, statement: str
) -> Iterator[list[str]]:
    """Make the writer commit a statement between the first and the second read of a request."""
    fetch, seen = ReadTransaction.fetch, []

    async def interrupted(self: ReadTransaction, sql: str, arguments: Any) -> Any:
        records = await fetch(self, sql, arguments)
        seen.append(sql)
        if len(seen) == 1:
            await writer.execute(statement)
        return records

    with monkeypatch.context() as patched:
        patched.setattr(ReadTransaction, "fetch", interrupted)
        yield seen


@pytest.mark.parametrize("way", [ExecutionStrategy.LOADERS, ExecutionStrategy.AUTO])
async def test_request_write_between_two_levels_is_not_seen(
    database: Database,
    writer: asyncpg.Connection,
    neighbor_tenants: NeighborTenants,
    monkeypatch: pytest.MonkeyPatch,
    way: ExecutionStrategy,
) -> None:
    graph = GraphqlHarness(database, way)
    list_ = "sites(first: 3) { nodes { name tenant { name } agents { totalCount nodes { hostname } } } }"
    query = f"{{ {list_} again: {list_} }}"
    before = await graph.execute_as_user(neighbor_tenants.my_user, query)
    with write_between_reads(monkeypatch, writer, _RENAME) as seen:
        during = await graph.execute_as_user(neighbor_tenants.my_user, query)
    after = await graph.execute_as_user(neighbor_tenants.my_user, query)
    assert len(seen) > 1
    assert during.data == before.data
    assert after.data != before.data
    assert all(site["name"].endswith("!") for site in after.data["sites"]["nodes"])
    assert during.data["again"] == during.data["sites"]


async def test_snapshot_of_a_user_is_read_only_as_the_request_role(
    database: Database, neighbor_tenants: NeighborTenants
) -> None:
    async with open_user_snapshot(database, neighbor_tenants.my_user) as snapshot:
        found = await read_session_state(snapshot)
        assert found.pop("sites") > 0
        assert found == {
            "role": Settings().request_role,
            "read_only": "on",
            "isolation": "repeatable read",
            "tenant": neighbor_tenants.mine,
        }
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await snapshot.fetch("UPDATE sites SET name = 'mine'", ())


async def test_snapshot_of_the_platform_is_read_only_as_the_owner(database: Database) -> None:
    async with database.read_transaction(platform=True) as snapshot:
        found = await read_session_state(snapshot)
        assert (found["read_only"], found["tenant"]) == ("on", "")
        assert found["role"] != Settings().request_role
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await snapshot.fetch("DELETE FROM api_logs", ())


async def assert_connection_clean(database: Database) -> None:
    """Require that the next request on the connection finds no state of the one before."""
    async with database.read_transaction() as snapshot:
        found = await read_session_state(snapshot)
        assert (found["tenant"], found["sites"]) == ("", 0)
        assert found["role"] == Settings().request_role
    async with database.read_transaction(platform=True) as snapshot:
        found = await read_session_state(snapshot)
        assert (found["tenant"], found["role"]) == ("", "msp")
        assert found["sites"] > 0
    async with database.pool.acquire() as connection:
        assert not connection.is_in_transaction()


@pytest.mark.usefixtures("no_open_transactions")
class TestCleanConnection:
    async def test_connection_after_an_answer_is_clean(
        self, database: Database, neighbor_tenants: NeighborTenants
    ) -> None:
        async with open_user_snapshot(database, neighbor_tenants.my_user) as snapshot:
            assert (await read_session_state(snapshot))["tenant"] == neighbor_tenants.mine
        await assert_connection_clean(database)

    async def test_connection_of_the_next_user_is_in_their_own_tenant(
        self, database: Database, neighbor_tenants: NeighborTenants
    ) -> None:
        graph = GraphqlHarness(database)
        query = "{ viewer { tenant { id } } sites(first: 1000) { nodes { tenantId } } }"
        for _ in range(2):
            for user, tenant in (
                (neighbor_tenants.my_user, neighbor_tenants.mine),
                (neighbor_tenants.their_user, neighbor_tenants.theirs),
            ):
                answer = await graph.execute_as_user(user, query)
                assert answer.data["viewer"]["tenant"]["id"] == tenant
                assert {site["tenantId"] for site in answer.data["sites"]["nodes"]} == {tenant}

    async def test_connection_after_failed_statement_is_clean(
        self, database: Database, neighbor_tenants: NeighborTenants
    ) -> None:
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with open_user_snapshot(database, neighbor_tenants.my_user) as snapshot:
                await snapshot.fetch("SELECT 1 / 0", ())
        await assert_connection_clean(database)

    async def test_connection_after_failed_resolver_is_clean(
        self, database: Database, neighbor_tenants: NeighborTenants, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: Any) -> Any:
            raise RuntimeError("a fault of ours")

        with monkeypatch.context() as patched:
            patched.setattr(DataAccess, "_run_query", fail)
            answer = await GraphqlHarness(database).execute_as_user(
                neighbor_tenants.my_user, "{ sites { totalCount } }"
            )
        assert answer.codes == ["INTERNAL"]
        await assert_connection_clean(database)

    async def test_connection_after_refused_sign_in_is_clean(self, database: Database) -> None:
        with pytest.raises(Exception, match="no active user"):
            await GraphqlHarness(database).execute_as_user("user_unknown", "{ sites { totalCount } }")
        await assert_connection_clean(database)

    async def test_connection_after_statement_timeout_is_clean(
        self,
        writable_demo_database_url: str,
        neighbor_tenants: NeighborTenants,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        short = database_module._BEGIN.replace(str(STATEMENT_TIMEOUT_MS), "50")
        monkeypatch.setattr(database_module, "_BEGIN", short)
        database = await Database.connect(writable_demo_database_url, Settings(pool_size=1))
        try:
            with pytest.raises(QueryTooComplexError):
                async with open_user_snapshot(database, neighbor_tenants.my_user) as snapshot:
                    await snapshot.fetch(_SLOW, ())
            await assert_connection_clean(database)
        finally:
            await database.close()

    @pytest.mark.parametrize("again", [0, 1, 2, 3, 5, 8])
    async def test_connection_after_cancelled_request_is_clean(
        self, database: Database, neighbor_tenants: NeighborTenants, again: int
    ) -> None:
        """In its statement, and again so many iterations of the loop later, while it rolls back."""

        async def request() -> None:
            async with open_user_snapshot(database, neighbor_tenants.my_user) as snapshot:
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
        await assert_connection_clean(database)

    @pytest.mark.parametrize("pause", [0, 0.1])
    async def test_connection_lost_between_statements_is_replaced(
        self, database: Database, neighbor_tenants: NeighborTenants, writer: asyncpg.Connection, pause: float
    ) -> None:
        async def request() -> None:
            async with open_user_snapshot(database, neighbor_tenants.my_user) as snapshot:
                pid = await snapshot.connection.fetchval("SELECT pg_backend_pid()")
                await writer.execute("SELECT pg_terminate_backend($1)", pid)
                await asyncio.sleep(pause)
                await snapshot.fetch(_SLOW, ())

        with pytest.raises(UnavailableError):
            await request()
        await assert_connection_clean(database)

    async def test_connection_lost_in_a_statement_is_replaced(
        self, database: Database, neighbor_tenants: NeighborTenants, writer: asyncpg.Connection
    ) -> None:
        pids: list[int] = []

        async def request() -> None:
            async with open_user_snapshot(database, neighbor_tenants.my_user) as snapshot:
                pids.append(await snapshot.connection.fetchval("SELECT pg_backend_pid()"))
                await snapshot.fetch(_SLOW, ())

        task = asyncio.create_task(request())
        await wait_until(lambda: bool(pids))
        await writer.execute("SELECT pg_terminate_backend($1)", pids[0])
        with pytest.raises(UnavailableError):
            await task
        await assert_connection_clean(database)


async def test_pool_after_many_failed_requests_is_available(
    writable_demo_database_url: str, neighbor_tenants: NeighborTenants
) -> None:
    """Far more requests fail, and are cancelled, than there are connections."""
    database = await Database.connect(writable_demo_database_url, Settings(pool_size=2))

    async def fail(statement: str) -> None:
        async with open_user_snapshot(database, neighbor_tenants.my_user) as snapshot:
            await snapshot.fetch(statement, ())

    tasks = [asyncio.create_task(fail("SELECT 1 / 0")) for _ in range(20)]
    tasks += [asyncio.create_task(fail(_SLOW)) for _ in range(6)]
    await asyncio.sleep(0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        async with asyncio.timeout(HANG_S):
            answers = await asyncio.gather(
                *(
                    GraphqlHarness(database).execute_as_user(neighbor_tenants.my_user, "{ viewer { kind } }")
                    for _ in range(4)
                )
            )
        assert [answer.data for answer in answers] == [{"viewer": {"kind": "USER"}}] * 4
        assert database.pool.get_idle_size() == database.pool.get_size()
    finally:
        await database.close()


async def test_loaders_sharing_one_connection_run_in_turn(
    database: Database, neighbor_tenants: NeighborTenants
) -> None:
    """Many loaders need the one connection at once. A connection takes one statement at a time."""
    names = ("sites", "agents", "entities", "users", "roles", "dataSources", "healthChecks", "scheduledJobs")
    query = (
        "{ "
        + " ".join(f"{name}(first: 5) {{ totalCount nodes {{ id tenant {{ id }} }} }}" for name in names)
        + " }"
    )
    answer = await GraphqlHarness(database).execute_as_user(neighbor_tenants.my_user, query)
    assert not answer.errors
    assert all(answer.data[name]["totalCount"] for name in names)


async def test_snapshot_end_cancels_waiting_statements(database: Database) -> None:
    """For example of a client that has left: only the running statement is waited for."""
    async with database.read_transaction() as snapshot:
        loaders = [asyncio.create_task(snapshot.fetch("SELECT pg_sleep(0.5)", ())) for _ in range(5)]
        await wait_until(lambda: snapshot.statements == 1)
    answers = await asyncio.gather(*loaders, return_exceptions=True)
    assert snapshot.statements == 1
    assert [type(answer) for answer in answers] == [list] + [asyncpg.InterfaceError] * 4
