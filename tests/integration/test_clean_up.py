"""The daily clean-up: what goes, what stays, and that it is done once, however many servers there are."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from structlog.testing import capture_logs

from core.database import Database
from core.limits import CLEAN_UP_ROWS, CLEAN_UP_SILENCE_MS
from core.settings import Settings
from services import clean_up as module
from services.clean_up import CleanedUp, clean_up, clean_up_daily
from services.purge import Source, doomed_sources, purged_lot
from tests.clusters import ThrowawayCluster
from tests.rows import ROWS, TENANT_TABLES
from tests.writing import Desk, desk

DAY_MS = 86_400_000
HANGING = ("events_log", "entity_relationships", "entities", "data_source_to_site", "scheduled_jobs")


@pytest_asyncio.fixture(loop_scope="session")
async def mine(cluster: ThrowawayCluster, template: str) -> AsyncIterator[Desk]:
    """A desk where nothing has expired yet."""
    name = await cluster.create(template)
    async with desk(cluster.dsn(name)) as made:
        await made.owner.execute("DELETE FROM api_logs")
        yield made
    await cluster.drop(name)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as logged:
        yield logged


async def _disable(at: Desk, source: str, days: float, status: str = "inactive") -> None:
    await at.owner.execute(
        "UPDATE data_sources SET status = $2, deleted_at = app.now_ms() - $3 WHERE id = $1",
        source, status, int(days * DAY_MS),
    )  # fmt: skip


async def _tomorrow(at: Desk) -> None:
    """Lets the last clean-up have been a day ago."""
    await at.owner.execute(
        "UPDATE app.chores SET taken_at = taken_at - 86400000, seen_at = seen_at - 86400000,"
        " finished_at = finished_at - 86400000"
    )


async def _counts(at: Desk, tenant: str) -> dict[str, int]:
    return {
        table: await at.value(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant)  # noqa: S608
        for table in TENANT_TABLES
    }


async def test_a_disabled_data_source_goes_with_all_that_hangs_on_it(mine: Desk) -> None:
    job = mine.mine["scheduled_jobs"]
    for kind, resource in (("data_source", mine.mine["data_sources"]), ("scheduled_job", job)):
        await mine.owner.execute(
            "INSERT INTO health_checks (tenant_id, resource_type, resource_id) VALUES ($1, $2, $3)",
            mine.tenant_id, kind, resource,
        )  # fmt: skip
    before, theirs = await _counts(mine, mine.tenant_id), await _counts(mine, mine.theirs["tenants"])
    await _disable(mine, mine.mine["data_sources"], 7.01)
    await _disable(mine, mine.theirs["data_sources"], 6.99)
    assert await clean_up(mine.database) == CleanedUp(sources=1, rows=5)
    after = await _counts(mine, mine.tenant_id)
    assert {table: before[table] - after[table] for table in TENANT_TABLES if before[table] != after[table]} == {
        **dict.fromkeys(HANGING, 1), "data_sources": 1, "health_checks": 2, "audit_log": -1,
    }  # fmt: skip
    assert await _counts(mine, mine.theirs["tenants"]) == theirs


async def test_the_audit_tells_of_it(mine: Desk) -> None:
    await _disable(mine, mine.mine["data_sources"], 8)
    await clean_up(mine.database)
    (row,) = await mine.rows("SELECT * FROM audit_log WHERE record_id = $1", mine.mine["data_sources"])
    assert (row["actor_type"], row["actor_id"], row["action"]) == ("system", None, "delete")
    assert (row["table_name"], row["tenant_id"]) == ("data_sources", mine.tenant_id)


@pytest.mark.parametrize(("days", "status"), [(6.9, "inactive"), (99, "active"), (99, "error")])
async def test_what_is_not_disabled_for_long_stays(mine: Desk, days: float, status: str) -> None:
    await _disable(mine, mine.mine["data_sources"], days, status)
    before = await _counts(mine, mine.tenant_id)
    assert await clean_up(mine.database) == CleanedUp()
    assert await _counts(mine, mine.tenant_id) == before


async def test_what_is_inactive_and_there_stays(mine: Desk) -> None:
    await mine.owner.execute("UPDATE data_sources SET status = 'inactive', deleted_at = NULL")
    assert await clean_up(mine.database) == CleanedUp()


async def test_what_fills_many_lots_goes_in_many(mine: Desk) -> None:
    source, entities = mine.mine["data_sources"], 2 * CLEAN_UP_ROWS + 1
    await mine.owner.execute(
        """
        WITH made AS (
            INSERT INTO entities (tenant_id, integration_id, data_source_id, entity_type, external_id, data_hash)
            SELECT $1, $2, $3, 'bulk', n::text, 'x' FROM generate_series(1, $4::int) n RETURNING id, external_id
        ), told AS (INSERT INTO events_log (tenant_id, entity_id, event_type) SELECT $1, id, 'created' FROM made)
        INSERT INTO entity_relationships (tenant_id, parent_entity_id, child_entity_id, relationship_type)
        SELECT $1, a.id, b.id, 'next' FROM made a JOIN made b ON b.external_id::int = a.external_id::int + 1
        """,
        mine.tenant_id, mine.mine["integrations"], source, entities,
    )  # fmt: skip
    await _disable(mine, source, 8)
    done = await clean_up(mine.database)
    assert done == CleanedUp(sources=1, rows=5 + entities + entities + entities - 1)
    assert await mine.value("SELECT count(*) FROM entities WHERE tenant_id = $1", mine.tenant_id) == 0


async def test_relationships_to_other_sources_entities_go_too(mine: Desk) -> None:
    """Either end may be another's, which stays."""
    other = await mine.value(
        "INSERT INTO data_sources (tenant_id, integration_id) VALUES ($1, $2) RETURNING id",
        mine.tenant_id, mine.mine["integrations"],
    )  # fmt: skip
    entity = await mine.value(
        "INSERT INTO entities (tenant_id, integration_id, data_source_id, entity_type, external_id, data_hash)"
        " VALUES ($1, $2, $3, 'a', 'a', '') RETURNING id",
        mine.tenant_id, mine.mine["integrations"], other,
    )  # fmt: skip
    for ends in ((entity, mine.mine["entities"]), (mine.mine["entities"], entity)):
        await mine.owner.execute(
            "INSERT INTO entity_relationships (tenant_id, parent_entity_id, child_entity_id, relationship_type)"
            " VALUES ($1, $2, $3, 'x')",
            mine.tenant_id, *ends,
        )  # fmt: skip
    await _disable(mine, mine.mine["data_sources"], 8)
    assert await clean_up(mine.database) == CleanedUp(sources=1, rows=7)
    assert await mine.value("SELECT array_agg(id) FROM entities WHERE tenant_id = $1", mine.tenant_id) == [
        entity
    ]


async def test_expired_logs_go_and_others_stay(mine: Desk) -> None:
    logs = (
        "INSERT INTO api_logs (url, method, expires_at) SELECT '', 'GET', {} FROM generate_series(1, $1::int)"
    )
    await mine.owner.execute(logs.format("app.now_ms() - 1"), 2 * CLEAN_UP_ROWS + 5)
    await mine.owner.execute(logs.format("app.now_ms() + 60000"), 3)
    assert await clean_up(mine.database) == CleanedUp(logs=2 * CLEAN_UP_ROWS + 5)
    assert await mine.value("SELECT count(*) FROM api_logs") == 3


async def test_it_is_done_once_a_day(mine: Desk) -> None:
    assert await clean_up(mine.database) is not None
    assert await clean_up(mine.database) is None
    await _tomorrow(mine)
    assert await clean_up(mine.database) is not None
    assert await clean_up(mine.database) is None


async def test_of_many_servers_one_does_it(mine: Desk, cluster: ThrowawayCluster) -> None:
    await _disable(mine, mine.mine["data_sources"], 8)
    name = await mine.value("SELECT current_database()")
    async with AsyncExitStack() as stack:
        servers = [await Database.connect(cluster.dsn(name), Settings()) for _ in range(6)]
        for server in servers:
            stack.push_async_callback(server.close)
        done = await asyncio.gather(*(clean_up(server) for server in servers for _ in range(3)))
    assert [each for each in done if each is not None] == [CleanedUp(sources=1, rows=5)]


async def test_what_a_dead_server_left_is_taken_up(mine: Desk) -> None:
    await clean_up(mine.database)
    await mine.owner.execute("UPDATE app.chores SET finished_at = NULL")
    assert await clean_up(mine.database) is None, "it may live"
    await mine.owner.execute(f"UPDATE app.chores SET seen_at = seen_at - {CLEAN_UP_SILENCE_MS + 1}")  # noqa: S608
    assert await clean_up(mine.database) is not None
    assert await clean_up(mine.database) is None


async def test_who_was_silent_too_long_stops_where_another_has_gone_on(mine: Desk) -> None:
    async with module._lot(mine.database) as connection:
        taken = await connection.fetchval(module._TAKE)
    await mine.owner.execute(f"UPDATE app.chores SET seen_at = seen_at - {CLEAN_UP_SILENCE_MS + 1}")  # noqa: S608
    assert await clean_up(mine.database) is not None
    await _disable(mine, mine.mine["data_sources"], 8)
    with pytest.raises(module._TakenOverError):
        await module._Day(mine.database, taken).clean_up()
    assert await mine.value("SELECT count(*) FROM data_sources") == 2


async def test_one_that_is_held_is_passed_over_and_the_next_is_not(mine: Desk, lines: list[Any]) -> None:
    await _disable(mine, mine.mine["data_sources"], 8)
    await _disable(mine, mine.theirs["data_sources"], 8)
    async with mine.transaction() as transaction:
        await transaction.fetch("SELECT FROM entities WHERE id = $1 FOR UPDATE", (mine.mine["entities"],))
        assert await clean_up(mine.database) == CleanedUp(sources=1, rows=7, passed_over=1)
    assert [line["data_source"] for line in lines if "data_source" in line] == [mine.mine["data_sources"]]
    await _tomorrow(mine)
    assert await clean_up(mine.database) == CleanedUp(sources=1, rows=3)


async def test_one_that_is_enabled_meanwhile_stays(mine: Desk) -> None:
    source = Source(mine.tenant_id, mine.mine["data_sources"])
    await _disable(mine, source.id, 8)
    assert source in await doomed_sources(mine.owner, "")
    await mine.owner.execute("UPDATE data_sources SET status = 'active', deleted_at = NULL")
    assert await purged_lot(mine.owner, source, 0) == (None, 0, 0)
    assert await mine.value("SELECT count(*) FROM data_sources") == 2


async def test_it_goes_on_beside_the_server_until_it_ends(
    mine: Desk, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLEAN_UP_FIRST_LOOK_S", 0.01)
    await _disable(mine, mine.mine["data_sources"], 8)
    task = asyncio.create_task(clean_up_daily(mine.database))
    async with asyncio.timeout(10):
        while not await mine.value("SELECT EXISTS (SELECT FROM app.chores WHERE finished_at IS NOT NULL)"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(line["event"], line["sources"]) for line in lines] == [("cleaned up", 1)]


async def test_what_fails_is_logged_and_not_the_end(
    mine: Desk, lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLEAN_UP_FIRST_LOOK_S", 0.01)
    monkeypatch.setattr(module, "CLEAN_UP_LOOK_S", 0.01)
    await mine.owner.execute("ALTER TABLE app.chores RENAME TO elsewhere")
    task = asyncio.create_task(clean_up_daily(mine.database))
    async with asyncio.timeout(10):
        while not lines:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await mine.owner.execute("ALTER TABLE app.elsewhere RENAME TO chores")
        while lines[-1]["event"] != "cleaned up":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert lines[0]["event"] == "the clean-up broke off"


async def test_the_role_of_requests_cannot_see_it(mine: Desk) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with mine.transaction() as transaction:
            await transaction.fetch("SELECT * FROM app.chores", ())


def test_every_table_that_hangs_on_a_data_source_is_known() -> None:
    """A table that comes to refer to one of these must be purged as well."""
    pointing = {
        table
        for table, row in ROWS.items()
        for value in row.values()
        if value in ("{data_sources}", "{entities}")
    }
    assert pointing == set(HANGING)
