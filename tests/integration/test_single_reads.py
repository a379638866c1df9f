"""Reads of one statement: as exact in rights as a sign-in, and nothing of one request is there for the next."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg
import orjson
import pytest
import pytest_asyncio

from core import single_reads as single_reads_module
from core.clock import NEVER
from core.database import Database
from core.errors import ProductError, StatementTimeoutError
from core.limits import STATEMENT_TIMEOUT_MS
from core.request_role import AnyConnection
from core.settings import Settings
from core.single_reads import _BEHIND, Facts, Row, SingleReads, _gate
from core.tokens import Identity
from core.viewer import ViewerKind
from resolvers.execution import Request, run_single
from resolvers.faults import Faults
from services.remembered import RememberedViewers
from services.sign_in import sign_in
from tests.face import Face, codes, face
from tests.graph import Graph, Who
from tests.plans import MODES, Plan, literal
from tests.session_sharing import shared_out

SITES: Final = "{ sites(first: 3) { totalCount nodes { tenantId } } }"
STATE: Final = """
    SELECT current_setting('app.tenant_id', true) AS tenant, current_user::text AS role,
           current_setting('transaction_read_only') AS read_only, current_setting('jit') AS jit,
           (SELECT count(DISTINCT tenant_id) FROM sites) AS tenants
"""
SLOW: Final = "SELECT pg_sleep(30)::text AS data"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(demo_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(demo_database)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def served(demo_database: str) -> AsyncIterator[Face]:
    async with face(demo_database, pool_size=2) as made:
        yield made


@pytest_asyncio.fixture
async def reads(served: Face) -> SingleReads:
    assert served.database.single_reads
    return served.database.single_reads


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each statement that was sent alone: whether it was answered."""
    fetch, seen = SingleReads.fetch, []

    async def noted(self: SingleReads, *arguments: Any) -> Row | None:
        row = await fetch(self, *arguments)
        seen.append(row is not None)
        return row

    monkeypatch.setattr(SingleReads, "fetch", noted)
    return seen


async def facts_of(database: Database, user: str) -> Facts:
    """What a sign-in of that user finds."""
    remembered, identity = RememberedViewers(), Identity(ViewerKind.USER, user, NEVER)
    async with database.snapshot() as snapshot:
        await sign_in(snapshot.connection, identity, None, remembered)
    known = remembered.recall(identity)
    assert known
    return known.facts


async def everybody(database: Database, owner: asyncpg.Connection) -> list[Facts]:
    """One who may sign in of each tenant that has sites."""
    rows = await owner.fetch(
        "SELECT min(id) AS id FROM users WHERE tenant_id IN (SELECT tenant_id FROM sites) "
        "AND status = 'active' AND deleted_at IS NULL GROUP BY tenant_id"
    )
    found = []
    for row in rows:
        with suppress(ProductError):
            found.append(await facts_of(database, row["id"]))
    assert len(found) > 2
    return found


async def state(reads: SingleReads, facts: Facts) -> Row | None:
    return await reads.fetch(facts, STATE, ())


class TestTheWay:
    async def test_the_second_time_one_statement_is_enough(self, served: Face, answered: list[bool]) -> None:
        first, second = [(await served.ask(SITES)).json() for _ in range(2)]
        assert answered == [True]
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
    async def test_the_answer_is_the_same(self, served: Face, answered: list[bool], query: str) -> None:
        first, second = [(await served.ask(query)).json() for _ in range(2)]
        assert answered == [True]
        assert first == second
        assert "errors" not in first

    @pytest.mark.parametrize(
        "query", ["{ a: viewer { kind } b: viewer { kind } }", "{ __typename }", "{ apiLogs { totalCount } }"]
    )
    async def test_what_takes_more_has_its_snapshot(
        self, served: Face, answered: list[bool], query: str
    ) -> None:
        assert (await served.ask(query)).json() == (await served.ask(query)).json()
        assert answered == []

    async def test_the_log_and_the_metrics_do_not_tell(self, served: Face) -> None:
        for _ in range(3):
            await served.ask(f"query Told {SITES}")
        lines = (await served.client.get("/metrics")).text.split("\n")
        counted = {line.partition(" ")[0]: line.partition(" ")[2] for line in lines}
        assert counted['msp_ways_total{operation="Told",way="compiled"}'] == "3.0"
        assert counted['msp_statements_total{operation="Told"}'] == "3.0"
        assert counted['msp_rows_total{operation="Told"}'] == "3.0"


class TestPlans:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(
        "query",
        [
            "{ sites(first: 100) { totalCount nodes { name agents(first: 9) { nodes { hostname site { id } } } } } }",
            '{ agents(first: 50, where: {platform: {eq: "windows"}}) { totalCount nodes { site { name } } } }',
            '{ site(id: "x") { name tenant { name } agents(first: 20) { nodes { healthCheck { status } } } } }',
        ],
    )
    async def test_what_stands_behind_the_gate_is_planned_as_it_would_be_alone(
        self, served: Face, reads: SingleReads, query: str, mode: str
    ) -> None:
        facts, sent = await facts_of(served.database, served.users[0]), []

        async def note(sql: str, arguments: Sequence[object]) -> None:
            sent.append((sql, arguments))

        graph = Graph(served.database)
        known = await graph.known(Who("administrator", ViewerKind.USER, facts.subject))
        assert known
        document, request = graph._documents.get(query), Request(query, {}, None)
        await run_single(graph.schema, document, request, known.viewer, note, Faults())
        ((sql, arguments),) = sent
        gated = f"{_gate(Settings().request_role, len(arguments))}{sql}{_BEHIND}"
        async with reads.pool.acquire() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL app.tenant_id = '{facts.tenant_id}'")
            plain = await explained(connection, mode, sql, arguments)
            assert await explained(connection, mode, gated, [*arguments, *facts]) == plain
        assert len(plain) > 1


async def explained(
    connection: AnyConnection, mode: str, sql: str, arguments: Sequence[object]
) -> list[tuple[str | None, ...]]:
    """The scans of tables in a statement's plan, each with its index."""
    values = ", ".join(literal(argument) for argument in arguments)
    await connection.execute(f"SET LOCAL plan_cache_mode = {mode}; PREPARE explained AS {sql}")
    text = await connection.fetchval(
        f"EXPLAIN (FORMAT JSON) EXECUTE explained{f'({values})' if values else ''}"
    )
    await connection.execute("DEALLOCATE explained")
    nodes = Plan(mode, sql, orjson.loads(text)[0]["Plan"]).nodes
    return [
        (node["Relation Name"], node["Node Type"], node.get("Index Name"))
        for node in nodes
        if "Relation Name" in node
    ]


# What is written, and what puts it right again.
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
    async def test_a_change_acts_at_once(
        self, served: Face, owner: asyncpg.Connection, answered: list[bool], what: str
    ) -> None:
        table, change, back = CHANGES[what]
        facts = await facts_of(served.database, served.users[0])
        row_id = {"users": facts.subject, "roles": facts.role_id, "tenants": facts.tenant_id}[table]
        update = f"UPDATE {table} SET {{}} WHERE id = $1"  # noqa: S608 - constants of this test
        allowed = [(await served.ask(SITES)).json() for _ in range(2)]
        await owner.execute(update.format(change), row_id)
        try:
            refused = await served.ask(SITES)
        finally:
            await owner.execute(update.format(back.replace("{rights}", facts.rights)), row_id)
        assert codes(refused) == ["FORBIDDEN" if "rights" in change else "UNAUTHENTICATED"]
        assert [(await served.ask(SITES)).json() for _ in range(2)] == allowed
        assert answered[:2] == [True, False]
        assert answered[-1] is True

    async def test_facts_that_do_not_hold_read_nothing(
        self, served: Face, reads: SingleReads, owner: asyncpg.Connection
    ) -> None:
        mine, theirs, *_ = await everybody(served.database, owner)
        for wrong in (
            mine._replace(tenant_id=theirs.tenant_id),
            mine._replace(role_id="none"),
            mine._replace(rights=mine.rights + " "),
            mine._replace(subject=theirs.subject),
            Facts("", "", "", ""),
        ):
            assert await state(reads, wrong) is None
        assert await state(reads, mine)

    async def test_who_is_not_known_makes_postgresql_read_nothing(
        self, served: Face, reads: SingleReads
    ) -> None:
        facts = await facts_of(served.database, served.users[0])
        async with asyncio.timeout(5):
            assert await reads.fetch(facts._replace(rights="{}"), SLOW, ()) is None

    async def test_the_sign_in_and_the_data_are_of_one_snapshot(self, owner: asyncpg.Connection) -> None:
        """A volatile function would look anew for each of its own statements."""
        kind = "SELECT provolatile::text FROM pg_proc WHERE oid = 'app.is_still'::regproc"
        assert await owner.fetchval(kind) == "s"

    async def test_the_data_is_of_one_moment(
        self, served: Face, reads: SingleReads, owner: asyncpg.Connection
    ) -> None:
        facts = await facts_of(served.database, served.users[0])
        name = "(SELECT max(name) FROM tenants)"
        twice = f"SELECT {name} AS data, (SELECT {name} FROM pg_sleep(0.3)) AS later"  # noqa: S608 - as above
        read = asyncio.create_task(reads.fetch(facts, twice, ()))
        await asyncio.sleep(0.15)
        await owner.execute("UPDATE tenants SET name = name || '!' WHERE id = $1", facts.tenant_id)
        row = await read
        assert row
        assert row["data"] == row["later"]
        assert not row["data"].endswith("!")


class TestConnections:
    async def test_it_is_the_request_role_in_one_tenant_and_only_reads(
        self, served: Face, reads: SingleReads
    ) -> None:
        facts = await facts_of(served.database, served.users[0])
        assert await state(reads, facts) == {
            "tenant": facts.tenant_id,
            "role": Settings().request_role,
            "read_only": "on",
            "jit": "off",
            "tenants": 1,
        }

    async def test_nothing_of_a_request_stays(self, served: Face, reads: SingleReads) -> None:
        facts = await facts_of(served.database, served.users[0])
        await state(reads, facts)
        await self._clean(reads)

    @pytest.mark.parametrize("pause", [0, 0.1])
    async def test_nor_of_one_that_was_cancelled(
        self, served: Face, reads: SingleReads, owner: asyncpg.Connection, pause: float
    ) -> None:
        facts = await facts_of(served.database, served.users[0])
        for _ in range(5):
            task = asyncio.create_task(reads.fetch(facts, SLOW, ()))
            await asyncio.sleep(pause)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await self._clean(reads)
        running = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(30)%'"
        )
        assert await owner.fetchval(f"{running} AND pid <> pg_backend_pid()") == 0

    async def test_nor_of_one_that_failed(self, served: Face, reads: SingleReads) -> None:
        facts = await facts_of(served.database, served.users[0])
        assert await reads.fetch(facts, "SELECT 1 / (SELECT 0) AS data", ()) is None
        await self._clean(reads)

    async def test_a_connection_that_is_lost_is_replaced(
        self, served: Face, owner: asyncpg.Connection, answered: list[bool]
    ) -> None:
        before = [(await served.ask(SITES)).json() for _ in range(2)][1]
        lost = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%app.is_still%'"
        await owner.fetch(f"{lost} AND pid <> pg_backend_pid()")
        assert [(await served.ask(SITES)).json() for _ in range(3)] == [before] * 3
        assert answered[-1] is True

    async def test_a_statement_has_its_time(
        self, demo_database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        short = single_reads_module._SESSION.replace(str(STATEMENT_TIMEOUT_MS), "50")
        monkeypatch.setattr(single_reads_module, "_SESSION", short)
        async with face(demo_database, pool_size=1) as served:
            reads = served.database.single_reads
            assert reads
            with pytest.raises(StatementTimeoutError):
                await reads.fetch(await facts_of(served.database, served.users[0]), SLOW, ())
            await self._clean(reads)

    async def test_many_tenants_share_few_connections(
        self, served: Face, reads: SingleReads, owner: asyncpg.Connection
    ) -> None:
        """Some leave amid their statement, some connections die: nobody ever sees another's tenant."""
        people, chance = await everybody(served.database, owner), random.Random(7)  # noqa: S311 - repeatable
        pids: set[int] = set()

        async def read(facts: Facts) -> bool:
            row = await reads.fetch(facts, f"{STATE.rstrip()}, pg_sleep(0.002), pg_backend_pid() AS pid", ())
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
        await asyncio.sleep(
            0.1
        )  # a connection that was ended last dies idle, and not in the hands of who holds it
        await self._clean(reads)

    @staticmethod
    async def _clean(reads: SingleReads) -> None:
        """Every connection as it was prepared."""
        held = [await reads.pool.acquire() for _ in range(reads.pool.get_max_size())]
        for connection in held:
            row = await connection.fetchrow(STATE)
            await reads.pool.release(connection)
            assert row
            assert (row["tenant"] or "", row["tenants"]) == ("", 0)
            assert (row["role"], row["read_only"]) == (Settings().request_role, "on")


class TestWhereItCannotBe:
    async def test_behind_a_pooler(self, demo_database: str, answered: list[bool]) -> None:
        """It would leave its role to whoever gets the server's connection next."""
        async with shared_out(demo_database) as dsn, face(dsn) as served:
            answers = [(await served.ask(SITES)).json() for _ in range(4)]
            assert answers == answers[:1] * 4
            assert answers[0]["data"]["sites"]["nodes"]
            assert answered == [False] * 3
            assert served.database.single_reads
            assert served.database.single_reads.pool.get_size() == 0

    async def test_without_a_statement_cache(self, demo_database: str) -> None:
        async with face(demo_database, statement_cache_size=0) as served:
            assert served.database.single_reads is None
            assert (await served.ask(SITES)).json() == (await served.ask(SITES)).json()

    async def test_for_the_platform_and_where_a_way_is_forced(
        self, demo_database: str, answered: list[bool]
    ) -> None:
        async with face(demo_database, reads="loaders") as served:
            assert (await served.ask(SITES)).json() == (await served.ask(SITES)).json()
        async with face(demo_database) as served:
            await served.ask(SITES)
            refused = await served.ask(SITES, extensions={"way": "compiled"})
            assert codes(refused) == ["FORBIDDEN"]
        assert answered == []
