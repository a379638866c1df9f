"""Concurrent writes, and writes that end halfway: atomic, and reported as such."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import asyncpg
import pytest
import pytest_asyncio

from core import limits
from core.database import transactions
from core.database.database import Database
from core.database.request_role import AnyConnection
from core.database.transactions import (
    FailedTransactionError,
    WriteTransaction,
    begin_write,
    run_in_transaction,
)
from core.errors import ConflictError
from core.settings import Settings
from schema.mutation import MUTATIONS
from tests.mutation_harness import MutationCall, MutationHarness, build_call, open_mutation_harness
from tests.sealed_tokens import open_transaction

_TWICE = 4
"""The number of concurrent callers: more than the two that a race needs."""


@pytest_asyncio.fixture
async def mutation_harness(shared_database_url: str) -> AsyncIterator[MutationHarness]:
    async with open_mutation_harness(shared_database_url) as made:
        yield made


def make_call(name: str, /, **given: Any) -> MutationCall:
    return MutationCall(MUTATIONS[name], given)


async def run_concurrently(mutation_harness: MutationHarness, *call: MutationCall) -> Counter[str]:
    """The results of so many concurrent calls, by code."""
    answers = await asyncio.gather(*(mutation_harness.execute(each) for each in call))
    assert all(answer.traceback is None for answer in answers)
    return Counter(answer.codes[0] if answer.codes else "done" for answer in answers)


class TestConcurrency:
    async def test_create_site_concurrently_with_one_slug_succeeds_once(
        self, mutation_harness: MutationHarness
    ) -> None:
        call = make_call("createSite", input={"name": "Same", "slug": "same"})
        assert await run_concurrently(mutation_harness, *[call] * _TWICE) == {
            "done": 1,
            "CONFLICT": _TWICE - 1,
        }

    async def test_create_site_concurrently_with_one_name_numbers_the_slugs(
        self, mutation_harness: MutationHarness
    ) -> None:
        call = make_call("createSite", input={"name": "Same"})
        assert await run_concurrently(mutation_harness, *[call] * _TWICE) == {"done": _TWICE}
        query = "SELECT slug FROM sites WHERE tenant_id = $1 AND name = 'Same' ORDER BY slug"
        rows = await mutation_harness.connection.fetch(query, mutation_harness.mine.tenant_id)
        assert [row["slug"] for row in rows] == ["same", *(f"same-{n}" for n in range(2, _TWICE + 1))]

    async def test_map_data_source_concurrently_succeeds_once(
        self, mutation_harness: MutationHarness
    ) -> None:
        ids = mutation_harness.mine.ids
        call = make_call("mapDataSourceToSite", dataSourceId=ids["data_sources"], siteId=ids["sites#2"])
        assert await run_concurrently(mutation_harness, *[call] * _TWICE) == {
            "done": 1,
            "CONFLICT": _TWICE - 1,
        }

    async def test_enable_integration_concurrently_creates_one_data_source(
        self, mutation_harness: MutationHarness
    ) -> None:
        call = make_call(
            "enableIntegration", integrationId="psa-both", siteId=mutation_harness.mine.ids["sites"]
        )
        await mutation_harness.connection.execute(
            "INSERT INTO integrations (id, name, description, category) VALUES ('psa-both', 'x', 'x', 'psa')"
        )
        assert await run_concurrently(mutation_harness, *[call] * _TWICE) == {"done": _TWICE}
        query = "SELECT count(*) FROM data_sources WHERE integration_id = 'psa-both' AND tenant_id = $1"
        assert await mutation_harness.connection.fetchval(query, mutation_harness.mine.tenant_id) == 1

    async def test_link_site_concurrently_links_one_site(self, mutation_harness: MutationHarness) -> None:
        ids = mutation_harness.mine.ids
        sites = (ids["sites"], ids["sites#2"]) * 2
        psa = ids["integrations"]
        calls = [make_call("linkSite", id=site, integrationId=psa, companyId="c-1") for site in sites]
        assert await run_concurrently(mutation_harness, *calls) == {"done": len(calls)}
        query = "SELECT count(*) FROM sites WHERE psa_company_id = 'c-1' AND tenant_id = $1"
        assert await mutation_harness.connection.fetchval(query, mutation_harness.mine.tenant_id) == 1

    async def test_remove_administrators_concurrently_keeps_one(
        self, mutation_harness: MutationHarness
    ) -> None:
        """One administrator removes the other and gives up their own rights, concurrently and repeatedly."""
        for _ in range(5):
            other = await mutation_harness.add_user({"Global.Admin"})
            calls = (
                make_call("deactivateUser", id=other),
                make_call(
                    "updateRole",
                    id=mutation_harness.mine.administrator_id,
                    input={"rights": {"Sites.Read": True}},
                ),
            )
            ends = await run_concurrently(mutation_harness, *calls)
            assert ends in ({"done": 1, "CONFLICT": 1}, {"done": 1, "FORBIDDEN": 1})
            await mutation_harness.update_row(
                "roles", mutation_harness.mine.administrator_id, rights='{"Global.Admin": true}'
            )
            await mutation_harness.update_row("users", other, status="inactive")

    async def test_assign_and_delete_role_concurrently_has_one_winner(
        self, mutation_harness: MutationHarness
    ) -> None:
        for number in range(5):
            answer = await mutation_harness.execute(make_call("createRole", input={"name": f"Role {number}"}))
            role = answer.data["done"]["id"]
            give = make_call("changeUserRole", id=mutation_harness.mine.ids["users"], roleId=role)
            ends = await run_concurrently(mutation_harness, give, make_call("deleteRole", id=role))
            assert ends["done"] == 1
            row = await mutation_harness.read_row("users", mutation_harness.mine.ids["users"])
            assert (await mutation_harness.read_row("roles", row["role_id"]))["deleted_at"] is None

    async def test_update_site_concurrently_with_updated_at_succeeds_once(
        self, mutation_harness: MutationHarness
    ) -> None:
        stamp = (await mutation_harness.read_row("sites", mutation_harness.mine.ids["sites"]))["updated_at"]
        calls = [
            build_call("updateSite", mutation_harness.mine)
            .with_value("input", {"name": f"n{n}"})
            .with_value("ifUpdatedAt", stamp)
            for n in range(_TWICE)
        ]
        assert await run_concurrently(mutation_harness, *calls) == {"done": 1, "CONFLICT": _TWICE - 1}


@pytest_asyncio.fixture
async def database(shared_database_url: str) -> AsyncIterator[Database]:
    opened = await Database.connect(shared_database_url, Settings())
    yield opened
    await opened.close()


def make_crossing_work(rows: list[str], met: asyncio.Barrier) -> Callable[[WriteTransaction], Awaitable[int]]:
    """Lock two rows in this order, the second once another transaction has locked the other; count the tries."""
    tries = 0

    async def write_in_transaction(transaction: WriteTransaction) -> int:
        nonlocal tries
        tries += 1
        lock = "SELECT FROM sites WHERE id = $1 FOR UPDATE"
        await transaction.fetch(lock, (rows[0],))
        if tries == 1:
            await met.wait()
        await transaction.fetch(lock, (rows[1],))
        return tries

    return write_in_transaction


class TestRetry:
    async def test_transaction_after_deadlock_succeeds_at_the_second_attempt(
        self, mutation_harness: MutationHarness, database: Database
    ) -> None:
        rows = [mutation_harness.mine.ids["sites"], mutation_harness.mine.ids["sites#2"]]
        met = asyncio.Barrier(2)
        tries = await asyncio.gather(
            *(
                run_in_transaction(database, make_crossing_work(order, met), platform=True)
                for order in (rows, rows[::-1])
            )
        )
        assert sorted(tries) == [1, 2]

    async def test_mutation_with_repeated_deadlocks_is_a_conflict(
        self, mutation_harness: MutationHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transactions, "WRITE_PAUSE_S", 0.0)
        tries = 0

        async def always(*_: object) -> str:
            nonlocal tries
            tries += 1
            raise asyncpg.DeadlockDetectedError

        monkeypatch.setattr("services.writes.row_changes.insert_row", always)
        before = await mutation_harness.hash_tables()
        answer = await mutation_harness.execute(make_call("createSite", input={"name": "x"}))
        assert (answer.codes, tries) == (["CONFLICT"], limits.WRITE_ATTEMPTS_MAX)
        assert await mutation_harness.hash_tables() == before

    async def test_mutation_of_row_locked_too_long_is_a_conflict(
        self, mutation_harness: MutationHarness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin = mutation_harness.graphql.database.begin_write_sql
        quick = lambda *, platform: f"{begin(platform=platform)};SET LOCAL lock_timeout = 50"  # noqa: E731 - as short as it is
        monkeypatch.setattr(mutation_harness.graphql.database, "begin_write_sql", quick)
        async with mutation_harness.connection.transaction():
            await mutation_harness.connection.execute(
                "SELECT FROM sites WHERE id = $1 FOR UPDATE", mutation_harness.mine.ids["sites"]
            )
            answer = await mutation_harness.execute(
                make_call("deleteSite", id=mutation_harness.mine.ids["sites"])
            )
        assert answer.codes == ["CONFLICT"]


class TestRollback:
    @pytest.mark.parametrize("step", ["audit_viewer_write", "mark_deleted"])
    async def test_mutation_failing_in_audit_or_mark_changes_nothing(
        self, mutation_harness: MutationHarness, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        async def failing(*_: object, **__: object) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr(f"services.writes.row_changes.{step}", failing)
        before = await mutation_harness.hash_tables()
        answer = await mutation_harness.execute(
            make_call("deleteSite", id=mutation_harness.mine.ids["sites"])
        )
        assert (answer.data, answer.codes) == (None, ["INTERNAL"])
        assert "broken" not in str(answer.errors)
        assert await mutation_harness.hash_tables() == before
        assert mutation_harness.graphql.commit_count == 0

    async def test_mutation_whose_answer_fails_is_rolled_back(
        self, mutation_harness: MutationHarness
    ) -> None:
        await mutation_harness.connection.execute("ALTER TABLE agents RENAME TO agents_gone")
        try:
            query = 'mutation { createSite(input: {name: "x"}) { id agents { totalCount } } }'
            before = await mutation_harness.connection.fetchval("SELECT count(*) FROM sites")
            answer = await mutation_harness.graphql.execute_as_user(
                mutation_harness.mine.administrator_id, query
            )
        finally:
            await mutation_harness.connection.execute("ALTER TABLE agents_gone RENAME TO agents")
        assert (answer.data, answer.codes) == (None, ["INTERNAL"])
        assert await mutation_harness.connection.fetchval("SELECT count(*) FROM sites") == before
        assert (mutation_harness.graphql.commit_count, answer.extensions) == (0, {})

    async def test_mutation_field_failing_keeps_earlier_and_skips_later_fields(
        self, mutation_harness: MutationHarness
    ) -> None:
        query = """mutation($id: ID!) {
            a: createSite(input: {name: "A"}) { id }
            b: deleteSite(id: $id) { id }
            c: createSite(input: {name: "C"}) { id }
        }"""
        answer = await mutation_harness.graphql.execute_as_user(
            mutation_harness.mine.administrator_id, query, id="no-such"
        )
        assert (answer.data, answer.codes) == (None, ["NOT_FOUND"])
        assert answer.errors[0]["path"] == ["b"]
        names = await mutation_harness.connection.fetch(
            "SELECT name, xmin FROM sites WHERE name IN ('A', 'C') AND tenant_id = $1",
            mutation_harness.mine.tenant_id,
        )
        transaction = open_transaction(answer.extensions["transaction"])
        assert [(row["name"], str(row["xmin"])) for row in names] == [("A", transaction)]

    async def test_mutation_fields_are_transactions_in_order(self, mutation_harness: MutationHarness) -> None:
        query = """mutation {
            __typename a: createSite(input: {name: "Same"}) { slug }
            b: createSite(input: {name: "Same"}) { slug tenant { sites(search: "Same") { totalCount } } }
        }"""
        answer = await mutation_harness.graphql.execute_as_user(mutation_harness.mine.administrator_id, query)
        assert answer.data["__typename"] == "Mutation"
        assert answer.data["a"] == {"slug": "same"}
        assert answer.data["b"] == {"slug": "same-2", "tenant": {"sites": {"totalCount": 2}}}
        assert mutation_harness.graphql.commit_count == 2

    async def test_mutation_cancelled_before_commit_changes_nothing(
        self, mutation_harness: MutationHarness
    ) -> None:
        before = await mutation_harness.hash_tables()
        async with mutation_harness.connection.transaction():
            await mutation_harness.connection.execute(
                "SELECT FROM sites WHERE id = $1 FOR UPDATE", mutation_harness.mine.ids["sites"]
            )
            write_in_transaction = asyncio.create_task(
                mutation_harness.execute(make_call("deleteSite", id=mutation_harness.mine.ids["sites"]))
            )
            await asyncio.sleep(0.1)
            write_in_transaction.cancel()
            with pytest.raises(asyncio.CancelledError):
                await write_in_transaction
        assert await mutation_harness.hash_tables() == before
        assert not (
            await mutation_harness.execute(make_call("deleteSite", id=mutation_harness.mine.ids["sites"]))
        ).errors

    async def test_transaction_cancelled_during_commit_is_committed(
        self, mutation_harness: MutationHarness, database: Database
    ) -> None:
        """The server waits for the commit, and subscribers receive the change."""
        site, commits = mutation_harness.mine.ids["sites"], []
        started = asyncio.Event()

        async def write() -> None:
            async with begin_write(
                database, platform=True, on_commit=lambda: commits.append(True)
            ) as transaction:
                await transaction.fetch("UPDATE sites SET name = 'left' WHERE id = $1", (site,))
                slow = transaction.connection.execute

                async def execute(sql: str) -> str:
                    started.set()
                    await asyncio.sleep(0.05)
                    return str(await slow(sql))

                transaction.connection = cast(
                    "AnyConnection", _SlowConnection(transaction.connection, execute)
                )

        write_in_transaction = asyncio.create_task(write())
        await started.wait()
        write_in_transaction.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write_in_transaction
        assert (await mutation_harness.read_row("sites", site))["name"] == "left"
        assert commits == [True]


class _SlowConnection:
    """A slow connection."""

    def __init__(self, connection: Any, execute: Callable[[str], Awaitable[str]]) -> None:
        self._connection = connection
        self.execute = execute

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def test_transaction_with_swallowed_error_is_not_committed(database: Database) -> None:
    async def swallow(transaction: WriteTransaction) -> None:
        with suppress(asyncpg.DivisionByZeroError):
            await transaction.fetch("SELECT 1/0", ())

    with pytest.raises(FailedTransactionError):
        await run_in_transaction(database, swallow)


async def test_transaction_with_repeated_serialization_errors_is_a_conflict(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "WRITE_PAUSE_S", 0.0)

    async def write_in_transaction(_transaction: WriteTransaction) -> None:
        raise asyncpg.SerializationError

    with pytest.raises(ConflictError):
        await run_in_transaction(database, write_in_transaction)
