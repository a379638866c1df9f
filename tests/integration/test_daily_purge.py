"""The daily clean-up: deleted rows, kept rows, and one run a day for any number of servers."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from core.database.database import Database
from core.limits import DAILY_PURGE_BATCH_ROWS, DAILY_PURGE_LEASE_MS
from core.settings import Settings
from services.retention import daily_purge as module
from services.retention.daily_purge import PurgeResult, purge_daily, purge_expired
from services.retention.purge_batch import PurgedSource, load_purgeable_sources, purge_batch
from tests.clusters import ThrowawayCluster
from tests.sample_rows import SAMPLE_ROWS, TENANT_TABLES
from tests.transaction_harness import TransactionHarness
from tests.waiting import HANG_S

DAY_MS = 86_400_000
HANGING = ("events_log", "entity_relationships", "entities", "data_source_to_site", "scheduled_jobs")


@pytest_asyncio.fixture(loop_scope="session")
async def transaction_harness(transaction_harness: TransactionHarness) -> TransactionHarness:
    """Where nothing has expired yet."""
    await transaction_harness.owner.execute("DELETE FROM api_logs")
    return transaction_harness


async def _disable_data_source(
    transaction_harness: TransactionHarness, source: str, days: float, status: str = "inactive"
) -> None:
    await transaction_harness.owner.execute(
        "UPDATE data_sources SET status = $2, deleted_at = app.now_ms() - $3 WHERE id = $1",
        source, status, int(days * DAY_MS),
    )  # fmt: skip


async def _move_last_purge_back_a_day(transaction_harness: TransactionHarness) -> None:
    """Move the last clean-up a day back."""
    await transaction_harness.owner.execute(
        "UPDATE app.chores SET taken_at = taken_at - 86400000, seen_at = seen_at - 86400000,"
        " finished_at = finished_at - 86400000"
    )


async def _count_rows(transaction_harness: TransactionHarness, tenant: str) -> dict[str, int]:
    return {
        table: await transaction_harness.fetch_value(
            f"SELECT count(*) FROM {table} WHERE tenant_id = $1", tenant
        )
        for table in TENANT_TABLES
    }


@pytest.mark.role_modes
async def test_purge_deletes_disabled_data_source_with_dependent_rows(
    transaction_harness: TransactionHarness,
) -> None:
    job = transaction_harness.mine["scheduled_jobs"]
    for kind, resource in (("data_source", transaction_harness.mine["data_sources"]), ("scheduled_job", job)):
        await transaction_harness.owner.execute(
            "INSERT INTO health_checks (tenant_id, resource_type, resource_id) VALUES ($1, $2, $3)",
            transaction_harness.tenant_id, kind, resource,
        )  # fmt: skip
    before, theirs = (
        await _count_rows(transaction_harness, transaction_harness.tenant_id),
        await _count_rows(transaction_harness, transaction_harness.theirs["tenants"]),
    )
    await _disable_data_source(transaction_harness, transaction_harness.mine["data_sources"], 7.01)
    await _disable_data_source(transaction_harness, transaction_harness.theirs["data_sources"], 6.99)
    assert await purge_expired(transaction_harness.database) == PurgeResult(sources=1, rows=5)
    after = await _count_rows(transaction_harness, transaction_harness.tenant_id)
    assert {table: before[table] - after[table] for table in TENANT_TABLES if before[table] != after[table]} == {
        **dict.fromkeys(HANGING, 1), "data_sources": 1, "health_checks": 2, "audit_log": -1,
        "job_attempts": 1, "job_progress": 1,  # with their job
    }  # fmt: skip
    assert await _count_rows(transaction_harness, transaction_harness.theirs["tenants"]) == theirs


@pytest.mark.role_modes
async def test_purge_of_data_source_writes_audit_row(transaction_harness: TransactionHarness) -> None:
    await _disable_data_source(transaction_harness, transaction_harness.mine["data_sources"], 8)
    await purge_expired(transaction_harness.database)
    (row,) = await transaction_harness.fetch_rows(
        "SELECT * FROM audit_log WHERE record_id = $1", transaction_harness.mine["data_sources"]
    )
    assert (row["actor_type"], row["actor_id"], row["action"]) == ("system", None, "delete")
    assert (row["table_name"], row["tenant_id"]) == ("data_sources", transaction_harness.tenant_id)


@pytest.mark.parametrize(("days", "status"), [(6.9, "inactive"), (99, "active"), (99, "error")])
async def test_purge_keeps_data_source_not_disabled_for_long(
    transaction_harness: TransactionHarness, days: float, status: str
) -> None:
    await _disable_data_source(transaction_harness, transaction_harness.mine["data_sources"], days, status)
    before = await _count_rows(transaction_harness, transaction_harness.tenant_id)
    assert await purge_expired(transaction_harness.database) == PurgeResult()
    assert await _count_rows(transaction_harness, transaction_harness.tenant_id) == before


@pytest.mark.role_modes
async def test_purge_keeps_inactive_data_source_that_is_not_deleted(
    transaction_harness: TransactionHarness,
) -> None:
    await transaction_harness.owner.execute("UPDATE data_sources SET status = 'inactive', deleted_at = NULL")
    assert await purge_expired(transaction_harness.database) == PurgeResult()


@pytest.mark.role_modes
async def test_purge_of_many_rows_takes_several_batches(transaction_harness: TransactionHarness) -> None:
    source, entities = transaction_harness.mine["data_sources"], 2 * DAILY_PURGE_BATCH_ROWS + 1
    await transaction_harness.owner.execute(
        """
        WITH made AS (
            INSERT INTO entities (tenant_id, integration_id, data_source_id, entity_type, external_id, data_hash)
            SELECT $1, $2, $3, 'bulk', n::text, 'x' FROM generate_series(1, $4::int) n RETURNING id, external_id
        ), told AS (INSERT INTO events_log (tenant_id, entity_id, event_type) SELECT $1, id, 'created' FROM made)
        INSERT INTO entity_relationships (tenant_id, parent_entity_id, child_entity_id, relationship_type)
        SELECT $1, a.id, b.id, 'next' FROM made a JOIN made b ON b.external_id::int = a.external_id::int + 1
        """,
        transaction_harness.tenant_id, transaction_harness.mine["integrations"], source, entities,
    )  # fmt: skip
    await _disable_data_source(transaction_harness, source, 8)
    done = await purge_expired(transaction_harness.database)
    assert done == PurgeResult(sources=1, rows=5 + entities + entities + entities - 1)
    assert (
        await transaction_harness.fetch_value(
            "SELECT count(*) FROM entities WHERE tenant_id = $1", transaction_harness.tenant_id
        )
        == 0
    )


@pytest.mark.role_modes
async def test_purge_deletes_relationships_with_entities_of_other_sources(
    transaction_harness: TransactionHarness,
) -> None:
    """Either end may belong to another source, and that end stays."""
    other = await transaction_harness.fetch_value(
        "INSERT INTO data_sources (tenant_id, integration_id) VALUES ($1, $2) RETURNING id",
        transaction_harness.tenant_id, transaction_harness.mine["integrations"],
    )  # fmt: skip
    entity = await transaction_harness.fetch_value(
        "INSERT INTO entities (tenant_id, integration_id, data_source_id, entity_type, external_id, data_hash)"
        " VALUES ($1, $2, $3, 'a', 'a', '') RETURNING id",
        transaction_harness.tenant_id, transaction_harness.mine["integrations"], other,
    )  # fmt: skip
    for ends in (
        (entity, transaction_harness.mine["entities"]),
        (transaction_harness.mine["entities"], entity),
    ):
        await transaction_harness.owner.execute(
            "INSERT INTO entity_relationships (tenant_id, parent_entity_id, child_entity_id, relationship_type)"
            " VALUES ($1, $2, $3, 'x')",
            transaction_harness.tenant_id, *ends,
        )  # fmt: skip
    await _disable_data_source(transaction_harness, transaction_harness.mine["data_sources"], 8)
    assert await purge_expired(transaction_harness.database) == PurgeResult(sources=1, rows=7)
    assert await transaction_harness.fetch_value(
        "SELECT array_agg(id) FROM entities WHERE tenant_id = $1", transaction_harness.tenant_id
    ) == [entity]


@pytest.mark.role_modes
async def test_purge_deletes_expired_logs_only(transaction_harness: TransactionHarness) -> None:
    logs = (
        "INSERT INTO api_logs (url, method, expires_at) SELECT '', 'GET', {} FROM generate_series(1, $1::int)"
    )
    await transaction_harness.owner.execute(logs.format("app.now_ms() - 1"), 2 * DAILY_PURGE_BATCH_ROWS + 5)
    await transaction_harness.owner.execute(logs.format("app.now_ms() + 60000"), 3)
    assert await purge_expired(transaction_harness.database) == PurgeResult(
        logs=2 * DAILY_PURGE_BATCH_ROWS + 5
    )
    assert await transaction_harness.fetch_value("SELECT count(*) FROM api_logs") == 3


@pytest.mark.role_modes
async def test_purge_runs_once_a_day(transaction_harness: TransactionHarness) -> None:
    assert await purge_expired(transaction_harness.database) is not None
    assert await purge_expired(transaction_harness.database) is None
    await _move_last_purge_back_a_day(transaction_harness)
    assert await purge_expired(transaction_harness.database) is not None
    assert await purge_expired(transaction_harness.database) is None


async def test_purge_by_many_servers_runs_once(
    transaction_harness: TransactionHarness, cluster: ThrowawayCluster
) -> None:
    await _disable_data_source(transaction_harness, transaction_harness.mine["data_sources"], 8)
    name = await transaction_harness.fetch_value("SELECT current_database()")
    async with AsyncExitStack() as stack:
        servers = [await Database.connect(cluster.build_dsn(name), Settings()) for _ in range(6)]
        for server in servers:
            stack.push_async_callback(server.close)
        done = await asyncio.gather(*(purge_expired(server) for server in servers for _ in range(3)))
    assert [each for each in done if each is not None] == [PurgeResult(sources=1, rows=5)]


@pytest.mark.role_modes
async def test_purge_of_silent_server_is_taken_over(transaction_harness: TransactionHarness) -> None:
    await purge_expired(transaction_harness.database)
    await transaction_harness.owner.execute("UPDATE app.chores SET finished_at = NULL")
    assert await purge_expired(transaction_harness.database) is None, "it may live"
    await transaction_harness.owner.execute(
        f"UPDATE app.chores SET seen_at = seen_at - {DAILY_PURGE_LEASE_MS + 1}"
    )
    assert await purge_expired(transaction_harness.database) is not None
    assert await purge_expired(transaction_harness.database) is None


@pytest.mark.role_modes
async def test_purge_taken_over_by_another_server_stops(transaction_harness: TransactionHarness) -> None:
    async with module._begin_batch(transaction_harness.database) as connection:
        taken = await connection.fetchval(module._CLAIM_DAY)
    await transaction_harness.owner.execute(
        f"UPDATE app.chores SET seen_at = seen_at - {DAILY_PURGE_LEASE_MS + 1}"
    )
    assert await purge_expired(transaction_harness.database) is not None
    await _disable_data_source(transaction_harness, transaction_harness.mine["data_sources"], 8)
    with pytest.raises(module._LeaseLostError):
        await module._DailyPurge(transaction_harness.database, taken).purge()
    assert await transaction_harness.fetch_value("SELECT count(*) FROM data_sources") == 2


async def test_purge_skips_locked_data_source_until_next_day(
    transaction_harness: TransactionHarness, log_lines: list[Any]
) -> None:
    await _disable_data_source(transaction_harness, transaction_harness.mine["data_sources"], 8)
    await _disable_data_source(transaction_harness, transaction_harness.theirs["data_sources"], 8)
    async with transaction_harness.transaction() as transaction:
        await transaction.fetch(
            "SELECT FROM entities WHERE id = $1 FOR UPDATE", (transaction_harness.mine["entities"],)
        )
        assert await purge_expired(transaction_harness.database) == PurgeResult(sources=1, rows=7, skipped=1)
    assert [line["data_source"] for line in log_lines if "data_source" in line] == [
        transaction_harness.mine["data_sources"]
    ]
    await _move_last_purge_back_a_day(transaction_harness)
    assert await purge_expired(transaction_harness.database) == PurgeResult(sources=1, rows=3)


@pytest.mark.role_modes
async def test_purge_keeps_data_source_enabled_meanwhile(transaction_harness: TransactionHarness) -> None:
    source = PurgedSource(transaction_harness.tenant_id, transaction_harness.mine["data_sources"])
    await _disable_data_source(transaction_harness, source.id, 8)
    assert source in await load_purgeable_sources(transaction_harness.owner, "")
    await transaction_harness.owner.execute("UPDATE data_sources SET status = 'active', deleted_at = NULL")
    assert await purge_batch(transaction_harness.owner, source, 0) == (None, 0, 0)
    assert await transaction_harness.fetch_value("SELECT count(*) FROM data_sources") == 2


async def test_daily_purge_runs_until_cancelled(
    transaction_harness: TransactionHarness, log_lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DAILY_PURGE_FIRST_POLL_S", 0.01)
    await _disable_data_source(transaction_harness, transaction_harness.mine["data_sources"], 8)
    task = asyncio.create_task(purge_daily(transaction_harness.database))
    async with asyncio.timeout(HANG_S):
        finished = "SELECT EXISTS (SELECT FROM app.chores WHERE finished_at IS NOT NULL)"
        while not await transaction_harness.fetch_value(finished):  # noqa: ASYNC110 - the database has no event
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [(line["event"], line["sources"]) for line in log_lines] == [("daily purge finished", 1)]


async def test_daily_purge_after_failure_logs_it_and_tries_again(
    transaction_harness: TransactionHarness, log_lines: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DAILY_PURGE_FIRST_POLL_S", 0.01)
    monkeypatch.setattr(module, "DAILY_PURGE_POLL_S", 0.01)
    await transaction_harness.owner.execute("ALTER TABLE app.chores RENAME TO elsewhere")
    task = asyncio.create_task(purge_daily(transaction_harness.database))
    async with asyncio.timeout(HANG_S):
        while not log_lines:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await transaction_harness.owner.execute("ALTER TABLE app.elsewhere RENAME TO chores")
        while log_lines[-1]["event"] != "daily purge finished":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert log_lines[0]["event"] == "daily purge failed"


async def test_chores_table_for_request_role_is_forbidden(transaction_harness: TransactionHarness) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with transaction_harness.transaction() as transaction:
            await transaction.fetch("SELECT * FROM app.chores", ())


def test_dependent_tables_are_all_that_refer_to_data_sources_or_entities() -> None:
    """A new table that refers to one of these must be purged as well."""
    pointing = {
        table
        for table, row in SAMPLE_ROWS.items()
        for value in row.values()
        if value in ("{data_sources}", "{entities}")
    }
    assert pointing == set(HANGING)


# Credentials that ended


async def _insert_credential(
    transaction_harness: TransactionHarness, id_: str, expires_days: float, **values: Any
) -> str:
    """A credential of my agent's that expires in so many days; revoked so many days ago, where it is."""
    given = {"revoked": None, "binding": "{}", "kind": "agent"} | values
    await transaction_harness.owner.execute(
        "INSERT INTO issued_credentials (id, tenant_id, kind, agent_id, expires_at, revoked_at, binding)"
        " VALUES ($1, $2, $3, $4, app.now_ms() + $5, app.now_ms() - $6::bigint, $7::text::jsonb)",
        id_, None if given["kind"] == "platform" else transaction_harness.tenant_id, given["kind"],
        None if given["kind"] == "platform" else transaction_harness.mine["agents"], int(expires_days * DAY_MS),
        None if given["revoked"] is None else int(given["revoked"] * DAY_MS), given["binding"],
    )  # fmt: skip
    return id_


async def _read_credential_ids(transaction_harness: TransactionHarness) -> set[str]:
    return {
        row["id"]
        for row in await transaction_harness.fetch_rows(
            "SELECT id FROM issued_credentials WHERE id LIKE 'c-%'"
        )
    }


@pytest.mark.parametrize(("days", "stays"), [(-90.1, False), (-89.9, True), (1, True)])
@pytest.mark.parametrize("kind", ["agent", "platform"])
async def test_purge_deletes_credential_expired_90_days_ago(
    transaction_harness: TransactionHarness, kind: str, days: float, *, stays: bool
) -> None:
    await _insert_credential(transaction_harness, "c-1", days, kind=kind, revoked=99)
    done = await purge_expired(transaction_harness.database)
    assert done is not None
    assert (done.credentials, await _read_credential_ids(transaction_harness)) == (
        (0, {"c-1"}) if stays else (1, set())
    )


@pytest.mark.parametrize(("days", "kept"), [(90.1, {"c-2"}), (89.9, {"c-1", "c-2"})])
async def test_purge_deletes_replaced_agent_token_older_than_90_days(
    transaction_harness: TransactionHarness, days: float, kept: set[str]
) -> None:
    await _insert_credential(transaction_harness, "c-1", 3_000, revoked=days)
    await _insert_credential(transaction_harness, "c-2", 3_000)
    await purge_expired(transaction_harness.database)
    assert await _read_credential_ids(transaction_harness) == kept


@pytest.mark.role_modes
async def test_purge_keeps_newest_revoked_agent_token(transaction_harness: TransactionHarness) -> None:
    await _insert_credential(transaction_harness, "c-1", 3_000, revoked=500)
    await _insert_credential(transaction_harness, "c-2", 3_000, revoked=400)
    await purge_expired(transaction_harness.database)
    assert await _read_credential_ids(transaction_harness) == {"c-2"}


@pytest.mark.role_modes
async def test_purge_keeps_revoked_agent_token_that_has_a_stand_in(
    transaction_harness: TransactionHarness,
) -> None:
    """Without a row it would be a token from before the rows, for which the stand-in is in force."""
    await _insert_credential(transaction_harness, "c-1", 3_000, revoked=500)
    await _insert_credential(transaction_harness, "c-2", 3_000, binding='{"unrecorded": true}')
    await purge_expired(transaction_harness.database)
    assert await _read_credential_ids(transaction_harness) == {"c-1", "c-2"}


@pytest.mark.parametrize("ahead", [2 * DAY_MS, 9_007_199_254_740_991 - 2_000_000_000_000])
async def test_purge_claimed_in_the_future_is_claimed_again(
    transaction_harness: TransactionHarness, ahead: int
) -> None:
    """By a server whose clock had jumped."""
    assert await purge_expired(transaction_harness.database) == PurgeResult()
    await transaction_harness.owner.execute("UPDATE app.chores SET taken_at = taken_at + $1", ahead)
    await _disable_data_source(transaction_harness, transaction_harness.mine["data_sources"], 7.01)
    done = await purge_expired(transaction_harness.database)
    assert done is not None
    assert done.sources == 1
    assert await transaction_harness.fetch_value("SELECT taken_at <= app.now_ms() FROM app.chores")
    assert await purge_expired(transaction_harness.database) is None
