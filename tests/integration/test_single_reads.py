"""Reads of one statement: the same rights as with a sign-in, and no state of one request in the next."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg
import orjson
import pytest
import pytest_asyncio

from core.auth.tokens import Identity
from core.auth.viewer import ViewerKind
from core.clock import NEVER
from core.database import single_reads as single_reads_module
from core.database.database import Database
from core.database.request_role import AnyConnection
from core.database.single_reads import _BEHIND, Row, SignInFacts, SingleReads, _build_session_guard
from core.errors import ProductError, StatementTimeoutError
from core.limits import STATEMENT_TIMEOUT_MS
from core.settings import Settings
from resolvers.executor import execute_in_one_statement
from resolvers.graphql_errors import ErrorCollector
from services.users.sign_in import sign_in
from services.users.viewer_cache import ViewerCache
from tests.graphql_harness import GraphqlHarness, Principal
from tests.http_harness import HttpHarness, error_codes, open_http_harness
from tests.operations import validate_text
from tests.pooling_proxy import start_pooling_proxy
from tests.query_plans import PLAN_CACHE_MODES, QueryPlan, sql_literal
from tests.waiting import HANG_S, poll_until

SITES: Final = "{ sites(first: 3) { totalCount nodes { tenantId } } }"
STATE: Final = """
    SELECT current_setting('app.tenant_id', true) AS tenant, current_user::text AS role,
           current_setting('transaction_read_only') AS read_only, current_setting('jit') AS jit,
           (SELECT count(DISTINCT tenant_id) FROM sites) AS tenants
"""
SLOW: Final = "SELECT pg_sleep(30)::text AS data"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(writable_demo_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(writable_demo_database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def http_harness(writable_demo_database_url: str) -> AsyncIterator[HttpHarness]:
    async with open_http_harness(writable_demo_database_url, pool_size=2) as made:
        yield made


@pytest_asyncio.fixture
async def single_reads(http_harness: HttpHarness) -> SingleReads:
    assert http_harness.database.single_reads
    return http_harness.database.single_reads


@pytest.fixture
def single_read_answers(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each statement sent as a single read: whether it answered."""
    fetch, seen = SingleReads.fetch, []

    async def record_answer(self: SingleReads, *arguments: Any) -> Row | None:
        row = await fetch(self, *arguments)
        seen.append(row is not None)
        return row

    monkeypatch.setattr(SingleReads, "fetch", record_answer)
    return seen


async def load_sign_in_facts(database: Database, user: str) -> SignInFacts:
    """The facts that a sign-in of that user reads."""
    remembered, identity = ViewerCache(), Identity(ViewerKind.USER, user, NEVER)
    async with database.read_transaction() as snapshot:
        await sign_in(snapshot.connection, identity, None, remembered)
    known = remembered.get(identity)
    assert known
    return known.facts


async def load_facts_of_each_tenant(database: Database, owner: asyncpg.Connection) -> list[SignInFacts]:
    """A user who may sign in, of each tenant that has sites."""
    rows = await owner.fetch(
        "SELECT min(id) AS id FROM users WHERE tenant_id IN (SELECT tenant_id FROM sites) "
        "AND status = 'active' AND deleted_at IS NULL GROUP BY tenant_id"
    )
    found = []
    for row in rows:
        with suppress(ProductError):
            found.append(await load_sign_in_facts(database, row["id"]))
    assert len(found) > 2
    return found


async def read_session_state(single_reads: SingleReads, facts: SignInFacts) -> Row | None:
    return await single_reads.fetch(facts, STATE, ())


class TestSingleStatement:
    async def test_second_query_takes_a_single_statement(
        self, http_harness: HttpHarness, single_read_answers: list[bool]
    ) -> None:
        first, second = [(await http_harness.post_query(SITES)).json() for _ in range(2)]
        assert single_read_answers == [True]
        assert first == second
        assert first["data"]["sites"]["nodes"]

    @pytest.mark.parametrize(
        "query",
        [
            '{ site(id: "none") { id } }',
            "{ viewer { id kind rights tenant { id } } }",
            "{ known: sites(first: 2) { known: nodes { data: name } data: totalCount pageInfo { endCursor } } }",
            "{ sites(first: 2) { __typename edges { __typename cursor } totalCount } }",
            "query($n: Int = 1) { agents(first: $n) { edges { cursor node { site { name } } } } }",
        ],
    )
    async def test_single_read_answer_equals_the_first(
        self, http_harness: HttpHarness, single_read_answers: list[bool], query: str
    ) -> None:
        first, second = [(await http_harness.post_query(query)).json() for _ in range(2)]
        assert single_read_answers == [True]
        assert first == second
        assert "errors" not in first

    @pytest.mark.parametrize(
        "query", ["{ a: viewer { kind } b: viewer { kind } }", "{ __typename }", "{ apiLogs { totalCount } }"]
    )
    async def test_query_of_several_statements_uses_no_single_read(
        self, http_harness: HttpHarness, single_read_answers: list[bool], query: str
    ) -> None:
        assert (await http_harness.post_query(query)).json() == (await http_harness.post_query(query)).json()
        assert single_read_answers == []

    async def test_single_read_metrics_equal_those_of_others(self, http_harness: HttpHarness) -> None:
        for _ in range(3):
            await http_harness.post_query(f"query Told {SITES}")
        lines = (await http_harness.client.get("/metrics")).text.split("\n")
        counted = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
        assert counted['msp_execution_strategies_total{operation="Told",way="compiled"}'] == "3.0"
        assert counted['msp_statements_total{operation="Told"}'] == "3.0"
        assert counted['msp_rows_total{operation="Told"}'] == "3.0"


class TestPlans:
    @pytest.mark.parametrize("mode", PLAN_CACHE_MODES)
    @pytest.mark.parametrize(
        "query",
        [
            "{ sites(first: 100) { totalCount nodes { name agents(first: 9) { nodes { hostname site { id } } } } } }",
            '{ agents(first: 50, where: {platform: {eq: "windows"}}) { totalCount nodes { site { name } } } }',
            '{ site(id: "x") { name tenant { name } agents(first: 20) { nodes { healthCheck { status } } } } }',
        ],
    )
    async def test_single_read_plan_equals_the_plan_without_its_guard(
        self, http_harness: HttpHarness, single_reads: SingleReads, query: str, mode: str
    ) -> None:
        facts, sent = await load_sign_in_facts(http_harness.database, http_harness.user_ids[0]), []

        async def note(sql: str, arguments: Sequence[object]) -> None:
            sent.append((sql, arguments))

        graph = GraphqlHarness(http_harness.database)
        known = await graph.find_cached_viewer(Principal("administrator", ViewerKind.USER, facts.subject))
        assert known
        operation = validate_text(graph._document_cache, query)
        await execute_in_one_statement(operation, known.viewer, note, ErrorCollector())
        ((sql, arguments),) = sent
        gated = f"{_build_session_guard(Settings().request_role, len(arguments))}{sql}{_BEHIND}"
        async with single_reads.pool.acquire() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL app.tenant_id = '{facts.tenant_id}'")
            plain = await explain_scans(connection, mode, sql, arguments)
            assert await explain_scans(connection, mode, gated, [*arguments, *facts]) == plain
        assert len(plain) > 1


async def explain_scans(
    connection: AnyConnection, mode: str, sql: str, arguments: Sequence[object]
) -> list[tuple[str | None, ...]]:
    """The scans of tables in a statement's plan, each with its index."""
    values = ", ".join(sql_literal(argument) for argument in arguments)
    await connection.execute(f"SET LOCAL plan_cache_mode = {mode}; PREPARE explained AS {sql}")
    text = await connection.fetchval(
        f"EXPLAIN (FORMAT JSON) EXECUTE explained{f'({values})' if values else ''}"
    )
    await connection.execute("DEALLOCATE explained")
    nodes = QueryPlan(mode, sql, orjson.loads(text)[0]["Plan"]).nodes
    return [
        (node["Relation Name"], node["Node Type"], node.get("Index Name"))
        for node in nodes
        if "Relation Name" in node
    ]


# The write, and the write that reverts it.
CHANGES: Final = {
    "the user is no longer active": ("users", "status = 'inactive'", "status = 'active'"),
    "the user is deleted": ("users", "deleted_at = 1", "deleted_at = NULL"),
    "the role is deleted": ("roles", "deleted_at = 1", "deleted_at = NULL"),
    "the tenant is suspended": ("tenants", "status = 'suspended'", "status = 'active'"),
    "the tenant is deleted": ("tenants", "deleted_at = 1", "deleted_at = NULL"),
    "the role has other rights": ("roles", """rights = '{"Agents.Read": true}'""", "rights = '{rights}'"),
}


class TestRights:
    @pytest.mark.parametrize("what", CHANGES)
    async def test_single_read_after_rights_change_is_refused(
        self, http_harness: HttpHarness, owner: asyncpg.Connection, single_read_answers: list[bool], what: str
    ) -> None:
        table, change, back = CHANGES[what]
        facts = await load_sign_in_facts(http_harness.database, http_harness.user_ids[0])
        row_id = {"users": facts.subject, "roles": facts.role_id, "tenants": facts.tenant_id}[table]
        update = f"UPDATE {table} SET {{}} WHERE id = $1"
        allowed = [(await http_harness.post_query(SITES)).json() for _ in range(2)]
        await owner.execute(update.format(change), row_id)
        try:
            refused = await http_harness.post_query(SITES)
        finally:
            await owner.execute(update.format(back.replace("{rights}", facts.rights)), row_id)
        assert error_codes(refused) == ["FORBIDDEN" if "rights" in change else "UNAUTHENTICATED"]
        assert [(await http_harness.post_query(SITES)).json() for _ in range(2)] == allowed
        assert single_read_answers[:2] == [True, False]
        assert single_read_answers[-1] is True

    async def test_single_read_with_wrong_facts_reads_nothing(
        self, http_harness: HttpHarness, single_reads: SingleReads, owner: asyncpg.Connection
    ) -> None:
        mine, theirs, *_ = await load_facts_of_each_tenant(http_harness.database, owner)
        for wrong in (
            mine._replace(tenant_id=theirs.tenant_id),
            mine._replace(role_id="none"),
            mine._replace(rights=mine.rights + " "),
            mine._replace(subject=theirs.subject),
            SignInFacts("", "", "", ""),
        ):
            assert await read_session_state(single_reads, wrong) is None
        assert await read_session_state(single_reads, mine)

    async def test_single_read_with_wrong_rights_executes_no_query(
        self, http_harness: HttpHarness, single_reads: SingleReads
    ) -> None:
        facts = await load_sign_in_facts(http_harness.database, http_harness.user_ids[0])
        async with asyncio.timeout(HANG_S):
            assert await single_reads.fetch(facts._replace(rights="{}"), SLOW, ()) is None

    async def test_sign_in_check_function_is_stable(self, owner: asyncpg.Connection) -> None:
        """A volatile function would read a new snapshot in each of its own statements."""
        kind = "SELECT provolatile::text FROM pg_proc WHERE oid = 'app.is_still'::regproc"
        assert await owner.fetchval(kind) == "s"

    async def test_single_read_during_a_write_keeps_one_snapshot(
        self, http_harness: HttpHarness, single_reads: SingleReads, owner: asyncpg.Connection
    ) -> None:
        facts = await load_sign_in_facts(http_harness.database, http_harness.user_ids[0])
        name = "(SELECT max(name) FROM tenants)"
        twice = f"SELECT {name} AS data, (SELECT {name} FROM pg_sleep(1)) AS later"
        read = asyncio.create_task(single_reads.fetch(facts, twice, ()))
        asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        await poll_until(lambda: owner.fetchval(asleep))
        await owner.execute("UPDATE tenants SET name = name || '!' WHERE id = $1", facts.tenant_id)
        row = await read
        assert row
        assert row["data"] == row["later"]
        assert not row["data"].endswith("!")


class TestConnections:
    async def test_single_read_runs_read_only_as_request_role_in_one_tenant(
        self, http_harness: HttpHarness, single_reads: SingleReads
    ) -> None:
        facts = await load_sign_in_facts(http_harness.database, http_harness.user_ids[0])
        assert await read_session_state(single_reads, facts) == {
            "tenant": facts.tenant_id,
            "role": Settings().request_role,
            "read_only": "on",
            "jit": "off",
            "tenants": 1,
        }

    async def test_single_read_leaves_connections_clean(
        self, http_harness: HttpHarness, single_reads: SingleReads
    ) -> None:
        facts = await load_sign_in_facts(http_harness.database, http_harness.user_ids[0])
        await read_session_state(single_reads, facts)
        await self._assert_connections_clean(single_reads)

    @pytest.mark.parametrize("pause", [0, 0.1])
    async def test_single_read_cancelled_leaves_connections_clean(
        self, http_harness: HttpHarness, single_reads: SingleReads, owner: asyncpg.Connection, pause: float
    ) -> None:
        facts = await load_sign_in_facts(http_harness.database, http_harness.user_ids[0])
        for _ in range(5):
            task = asyncio.create_task(single_reads.fetch(facts, SLOW, ()))
            await asyncio.sleep(pause)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await self._assert_connections_clean(single_reads)
        running = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(30)%'"
        )
        assert await owner.fetchval(f"{running} AND pid <> pg_backend_pid()") == 0

    async def test_single_read_failed_leaves_connections_clean(
        self, http_harness: HttpHarness, single_reads: SingleReads
    ) -> None:
        facts = await load_sign_in_facts(http_harness.database, http_harness.user_ids[0])
        assert await single_reads.fetch(facts, "SELECT 1 / (SELECT 0) AS data", ()) is None
        await self._assert_connections_clean(single_reads)

    async def test_single_read_lost_connection_is_replaced(
        self, http_harness: HttpHarness, owner: asyncpg.Connection, single_read_answers: list[bool]
    ) -> None:
        before = [(await http_harness.post_query(SITES)).json() for _ in range(2)][1]
        lost = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%app.is_still%'"
        await owner.fetch(f"{lost} AND pid <> pg_backend_pid()")
        assert [(await http_harness.post_query(SITES)).json() for _ in range(3)] == [before] * 3
        assert single_read_answers[-1] is True

    async def test_single_read_over_statement_timeout_is_refused(
        self, writable_demo_database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        short = single_reads_module._SESSION_SETTINGS.replace(str(STATEMENT_TIMEOUT_MS), "50")
        monkeypatch.setattr(single_reads_module, "_SESSION_SETTINGS", short)
        async with open_http_harness(writable_demo_database_url, pool_size=1) as http_harness:
            single_reads = http_harness.database.single_reads
            assert single_reads
            with pytest.raises(StatementTimeoutError):
                await single_reads.fetch(
                    await load_sign_in_facts(http_harness.database, http_harness.user_ids[0]), SLOW, ()
                )
            await self._assert_connections_clean(single_reads)

    async def test_single_reads_of_many_tenants_never_mix_them(
        self, http_harness: HttpHarness, single_reads: SingleReads, owner: asyncpg.Connection
    ) -> None:
        """Some clients leave during their statement, some connections die: no request ever sees another's tenant."""
        people, chance = await load_facts_of_each_tenant(http_harness.database, owner), random.Random(7)  # noqa: S311 - repeatable
        pids: set[int] = set()

        async def read(facts: SignInFacts) -> bool:
            row = await single_reads.fetch(
                facts, f"{STATE.rstrip()}, pg_sleep(0.002), pg_backend_pid() AS pid", ()
            )
            if row is None:
                return False
            pids.add(row["pid"])
            assert (row["tenant"], row["tenants"]) == (facts.tenant_id, 1)
            return True

        tasks = [asyncio.create_task(read(chance.choice(people))) for _ in range(400)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0.01)
            chance.choice(tasks).cancel()
            if pids and chance.random() < 0.1:
                await owner.execute("SELECT pg_terminate_backend($1)", chance.choice(sorted(pids)))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert not [r for r in results if isinstance(r, Exception) and not isinstance(r, ProductError)]
        assert results.count(True) > 100
        await asyncio.sleep(0.1)  # a connection that was ended last dies idle, and not during a request
        await self._assert_connections_clean(single_reads)

    @staticmethod
    async def _assert_connections_clean(single_reads: SingleReads) -> None:
        """Require every connection to be in its prepared state."""
        held = [await single_reads.pool.acquire() for _ in range(single_reads.pool.get_max_size())]
        for connection in held:
            row = await connection.fetchrow(STATE)
            await single_reads.pool.release(connection)
            assert row
            assert (row["tenant"] or "", row["tenants"]) == ("", 0)
            assert (row["role"], row["read_only"]) == (Settings().request_role, "on")


class TestUnavailable:
    async def test_single_reads_behind_a_pooler_fall_back(
        self, writable_demo_database_url: str, single_read_answers: list[bool]
    ) -> None:
        """It would leave its role to the next client of the server's connection."""
        async with (
            start_pooling_proxy(writable_demo_database_url) as dsn,
            open_http_harness(dsn) as http_harness,
        ):
            answers = [(await http_harness.post_query(SITES)).json() for _ in range(4)]
            assert answers == answers[:1] * 4
            assert answers[0]["data"]["sites"]["nodes"]
            assert single_read_answers == [False] * 3
            assert http_harness.database.single_reads
            assert http_harness.database.single_reads.pool.get_size() == 0

    async def test_single_reads_without_statement_cache_are_disabled(
        self, writable_demo_database_url: str
    ) -> None:
        async with open_http_harness(writable_demo_database_url, statement_cache_size=0) as http_harness:
            assert http_harness.database.single_reads is None
            assert (await http_harness.post_query(SITES)).json() == (
                await http_harness.post_query(SITES)
            ).json()

    async def test_single_reads_with_forced_strategy_are_not_used(
        self, writable_demo_database_url: str, single_read_answers: list[bool]
    ) -> None:
        async with open_http_harness(writable_demo_database_url, reads="loaders") as http_harness:
            assert (await http_harness.post_query(SITES)).json() == (
                await http_harness.post_query(SITES)
            ).json()
        async with open_http_harness(writable_demo_database_url) as http_harness:
            await http_harness.post_query(SITES)
            refused = await http_harness.post_query(SITES, extensions={"way": "compiled"})
            assert error_codes(refused) == ["FORBIDDEN"]
        assert single_read_answers == []
