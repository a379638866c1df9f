"""Writes that meet each other, and writes that end halfway: whole or not at all, and told so."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core import transactions
from core.database import Database
from core.errors import ConflictError
from core.settings import Settings
from core.transactions import BrokenTransactionError, Transaction, carry_out, writing
from schema.mutation import MUTATIONS
from tests.desk import Call, Desk, call_of, desk

_TWICE = 4
"""Callers at once: more than the two that a race takes."""


@pytest_asyncio.fixture
async def at(shared_database_url: str) -> AsyncIterator[Desk]:
    async with desk(shared_database_url) as made:
        yield made


def call(name: str, /, **given: Any) -> Call:
    return Call(MUTATIONS[name], given)


async def at_once(at: Desk, *asked: Call) -> Counter[str]:
    """How so many calls at once end, by their code."""
    answers = await asyncio.gather(*(at.ask(each) for each in asked))
    assert all(answer.fault is None for answer in answers)
    return Counter(answer.codes[0] if answer.codes else "done" for answer in answers)


class TestAtOnce:
    async def test_one_slug_is_one_sites(self, at: Desk) -> None:
        asked = call("createSite", input={"name": "Same", "slug": "same"})
        assert await at_once(at, *[asked] * _TWICE) == {"done": 1, "CONFLICT": _TWICE - 1}

    async def test_one_name_makes_a_slug_for_each(self, at: Desk) -> None:
        asked = call("createSite", input={"name": "Same"})
        assert await at_once(at, *[asked] * _TWICE) == {"done": _TWICE}
        query = "SELECT slug FROM sites WHERE tenant_id = $1 AND name = 'Same' ORDER BY slug"
        rows = await at.connection.fetch(query, at.mine.tenant)
        assert [row["slug"] for row in rows] == ["same", *(f"same-{n}" for n in range(2, _TWICE + 1))]

    async def test_one_mapping(self, at: Desk) -> None:
        ids = at.mine.ids
        asked = call("mapDataSourceToSite", dataSourceId=ids["data_sources"], siteId=ids["sites#2"])
        assert await at_once(at, *[asked] * _TWICE) == {"done": 1, "CONFLICT": _TWICE - 1}

    async def test_one_data_source_is_enabled(self, at: Desk) -> None:
        asked = call("enableIntegration", integrationId="psa-both", siteId=at.mine.ids["sites"])
        await at.connection.execute(
            "INSERT INTO integrations (id, name, description, category) VALUES ('psa-both', 'x', 'x', 'psa')"
        )
        assert await at_once(at, *[asked] * _TWICE) == {"done": _TWICE}
        query = "SELECT count(*) FROM data_sources WHERE integration_id = 'psa-both' AND tenant_id = $1"
        assert await at.connection.fetchval(query, at.mine.tenant) == 1

    async def test_one_company_has_one_site(self, at: Desk) -> None:
        ids = at.mine.ids
        sites = (ids["sites"], ids["sites#2"]) * 2
        psa = ids["integrations"]
        calls = [call("linkSite", id=site, integrationId=psa, companyId="c-1") for site in sites]
        assert await at_once(at, *calls) == {"done": len(calls)}
        query = "SELECT count(*) FROM sites WHERE psa_company_id = 'c-1' AND tenant_id = $1"
        assert await at.connection.fetchval(query, at.mine.tenant) == 1

    async def test_an_administrator_remains(self, at: Desk) -> None:
        """An administrator sends the other one away, and gives up the own rights, at once, again and again."""
        for _ in range(5):
            other = await at.hire({"Global.Admin"})
            calls = (
                call("deactivateUser", id=other),
                call("updateRole", id=at.mine.admin, input={"rights": {"Sites.Read": True}}),
            )
            ends = await at_once(at, *calls)
            assert ends in ({"done": 1, "CONFLICT": 1}, {"done": 1, "FORBIDDEN": 1})
            await at.set("roles", at.mine.admin, rights='{"Global.Admin": true}')
            await at.set("users", other, status="inactive")

    async def test_a_role_is_given_or_deleted(self, at: Desk) -> None:
        for number in range(5):
            answer = await at.ask(call("createRole", input={"name": f"Role {number}"}))
            role = answer.data["done"]["id"]
            give = call("changeUserRole", id=at.mine.ids["users"], roleId=role)
            ends = await at_once(at, give, call("deleteRole", id=role))
            assert ends["done"] == 1
            row = await at.row("users", at.mine.ids["users"])
            assert (await at.row("roles", row["role_id"]))["deleted_at"] is None

    async def test_who_is_faster_wins_where_a_time_is_given(self, at: Desk) -> None:
        stamp = (await at.row("sites", at.mine.ids["sites"]))["updated_at"]
        calls = [
            call_of("updateSite", at.mine).with_("input", {"name": f"n{n}"}).with_("ifUpdatedAt", stamp)
            for n in range(_TWICE)
        ]
        assert await at_once(at, *calls) == {"done": 1, "CONFLICT": _TWICE - 1}


@pytest_asyncio.fixture
async def database(shared_database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(shared_database_url, Settings())
    yield opened
    await opened.close()


def crossing(rows: list[str], met: asyncio.Barrier) -> Callable[[Transaction], Awaitable[int]]:
    """Locks two rows in this order, the second once somebody has locked the other; counts its tries."""
    tries = 0

    async def work(transaction: Transaction) -> int:
        nonlocal tries
        tries += 1
        lock = "SELECT FROM sites WHERE id = $1 FOR UPDATE"
        await transaction.fetch(lock, (rows[0],))
        if tries == 1:
            await met.wait()
        await transaction.fetch(lock, (rows[1],))
        return tries

    return work


class TestAgain:
    async def test_a_deadlock_is_over_at_the_second_try(self, at: Desk, database: Database) -> None:
        rows = [at.mine.ids["sites"], at.mine.ids["sites#2"]]
        met = asyncio.Barrier(2)
        tries = await asyncio.gather(
            *(carry_out(database, crossing(order, met), platform=True) for order in (rows, rows[::-1]))
        )
        assert sorted(tries) == [1, 2]

    async def test_a_deadlock_without_end_is_told(self, at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transactions, "WRITE_PAUSE_S", 0.0)
        tries = 0

        async def always(*_: object) -> str:
            nonlocal tries
            tries += 1
            raise asyncpg.DeadlockDetectedError

        monkeypatch.setattr("services.writes.changes.insert", always)
        before = await at.contents()
        answer = await at.ask(call("createSite", input={"name": "x"}))
        assert (answer.codes, tries) == (["CONFLICT"], transactions.WRITE_ATTEMPTS_MAX)
        assert await at.contents() == before

    async def test_a_row_that_is_held_too_long(self, at: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        begin = at.graph.database.beginning
        quick = lambda *, platform: f"{begin(platform=platform)};SET LOCAL lock_timeout = 50"  # noqa: E731 - as short as it is
        monkeypatch.setattr(at.graph.database, "beginning", quick)
        async with at.connection.transaction():
            await at.connection.execute("SELECT FROM sites WHERE id = $1 FOR UPDATE", at.mine.ids["sites"])
            answer = await at.ask(call("deleteSite", id=at.mine.ids["sites"]))
        assert answer.codes == ["CONFLICT"]


class TestHalfway:
    @pytest.mark.parametrize("step", ["audit", "mark"])
    async def test_what_fails_leaves_nothing(
        self, at: Desk, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        async def failing(*_: object, **__: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(f"services.writes.changes.{step}", failing)
        before = await at.contents()
        answer = await at.ask(call("deleteSite", id=at.mine.ids["sites"]))
        assert (answer.data, answer.codes) == (None, ["INTERNAL"])
        assert "broken" not in str(answer.errors)
        assert await at.contents() == before
        assert at.graph.commits == 0

    async def test_an_answer_that_fails_takes_the_write_back(self, at: Desk) -> None:
        await at.connection.execute("ALTER TABLE agents RENAME TO agents_gone")
        try:
            query = 'mutation { createSite(input: {name: "x"}) { id agents { totalCount } } }'
            before = await at.connection.fetchval("SELECT count(*) FROM sites")
            answer = await at.graph.as_user(at.mine.admin, query)
        finally:
            await at.connection.execute("ALTER TABLE agents_gone RENAME TO agents")
        assert (answer.data, answer.codes) == (None, ["INTERNAL"])
        assert await at.connection.fetchval("SELECT count(*) FROM sites") == before
        assert (at.graph.commits, answer.extensions) == (0, {})

    async def test_a_field_that_fails_ends_the_operation_and_leaves_the_ones_before(self, at: Desk) -> None:
        query = """mutation($id: ID!) {
            a: createSite(input: {name: "A"}) { id }
            b: deleteSite(id: $id) { id }
            c: createSite(input: {name: "C"}) { id }
        }"""
        answer = await at.graph.as_user(at.mine.admin, query, id="no-such")
        assert (answer.data, answer.codes) == (None, ["NOT_FOUND"])
        assert answer.errors[0]["path"] == ["b"]
        names = await at.connection.fetch(
            "SELECT name, xmin FROM sites WHERE name IN ('A', 'C') AND tenant_id = $1", at.mine.tenant
        )
        assert [(row["name"], str(row["xmin"])) for row in names] == [("A", answer.extensions["transaction"])]

    async def test_each_field_is_a_transaction_in_their_order(self, at: Desk) -> None:
        query = """mutation {
            __typename a: createSite(input: {name: "Same"}) { slug }
            b: createSite(input: {name: "Same"}) { slug tenant { sites(search: "Same") { totalCount } } }
        }"""
        answer = await at.graph.as_user(at.mine.admin, query)
        assert answer.data["__typename"] == "Mutation"
        assert answer.data["a"] == {"slug": "same"}
        assert answer.data["b"] == {"slug": "same-2", "tenant": {"sites": {"totalCount": 2}}}
        assert at.graph.commits == 2

    async def test_who_leaves_in_the_middle_leaves_nothing(self, at: Desk) -> None:
        before = await at.contents()
        async with at.connection.transaction():
            await at.connection.execute("SELECT FROM sites WHERE id = $1 FOR UPDATE", at.mine.ids["sites"])
            work = asyncio.create_task(at.ask(call("deleteSite", id=at.mine.ids["sites"])))
            await asyncio.sleep(0.1)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        assert await at.contents() == before
        assert not (await at.ask(call("deleteSite", id=at.mine.ids["sites"]))).errors

    async def test_who_leaves_during_the_commit_leaves_all_of_it(self, at: Desk, database: Database) -> None:
        """The commit is waited for, and those who live by it are told."""
        site, told = at.mine.ids["sites"], []
        started = asyncio.Event()

        async def write() -> None:
            async with writing(database, platform=True, committed=lambda: told.append(True)) as transaction:
                await transaction.fetch("UPDATE sites SET name = 'left' WHERE id = $1", (site,))
                slow = transaction.connection.execute

                async def execute(sql: str) -> str:
                    started.set()
                    await asyncio.sleep(0.05)
                    return str(await slow(sql))

                transaction.connection = _Slow(transaction.connection, execute)

        work = asyncio.create_task(write())
        await started.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert (await at.row("sites", site))["name"] == "left"
        assert told == [True]


class _Slow:
    """A connection that takes its time to execute."""

    def __init__(self, connection: Any, execute: Callable[[str], Awaitable[str]]) -> None:
        self._connection = connection
        self.execute = execute

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def test_a_swallowed_error_is_no_commit(database: Database) -> None:
    async def swallow(transaction: Transaction) -> None:
        with suppress(asyncpg.DivisionByZeroError):
            await transaction.fetch("SELECT 1/0", ())

    with pytest.raises(BrokenTransactionError):
        await carry_out(database, swallow)


async def test_others_in_the_way_too_often(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "WRITE_PAUSE_S", 0.0)

    async def work(_transaction: Transaction) -> None:
        raise asyncpg.SerializationError

    with pytest.raises(ConflictError):
        await carry_out(database, work)
