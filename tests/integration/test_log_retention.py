"""How long each log is kept: rows on both sides of each limit, and the audit log's own protection."""

from typing import Any, Final

import asyncpg
import pytest

from core.limits import DAILY_PURGE_BATCH_ROWS
from core.settings import Settings
from services.retention.daily_purge import purge_expired
from services.retention.log_retention import LogRetention
from tests.transaction_harness import TransactionHarness

pytestmark = pytest.mark.newest
DAY_MS: Final = 86_400_000
YEAR_MS: Final = 31_557_600_000
RETENTION: Final = LogRetention(agent_api_logs=10, api_logs=20, events_log=30, scheduled_jobs=40)
TABLES: Final = {"agent_api_logs": 10, "api_logs": 20, "events_log": 30}


async def _age(harness: TransactionHarness, table: str, days: float, row: str) -> None:
    await harness.owner.execute(
        f"UPDATE {table} SET created_at = app.now_ms() - $2 WHERE id = $1", row, int(days * DAY_MS)
    )


async def _exists(harness: TransactionHarness, table: str, row: str) -> bool:
    return bool(await harness.fetch_value(f"SELECT count(*) FROM {table} WHERE id = $1", row))


async def _rows(harness: TransactionHarness) -> dict[str, str]:
    """The id of a row of each log, the api_logs row not expired."""
    await harness.owner.execute("DELETE FROM api_logs")
    await harness.owner.execute(
        "INSERT INTO api_logs (id, url, method, expires_at) VALUES ('kept', 'u', 'GET', app.now_ms() + 9e12::bigint)"
    )
    return {
        "agent_api_logs": harness.mine["agent_api_logs"],
        "api_logs": "kept",
        "events_log": harness.mine["events_log"],
    }


@pytest.mark.role_modes
async def test_purge_deletes_rows_older_than_their_log_keeps_them(
    transaction_harness: TransactionHarness,
) -> None:
    rows = await _rows(transaction_harness)
    for table, days in TABLES.items():
        await _age(transaction_harness, table, days + 0.01, rows[table])
    result = await purge_expired(transaction_harness.database, RETENTION)
    assert result is not None
    assert result.retained == dict.fromkeys(TABLES, 1)
    assert not any([await _exists(transaction_harness, table, row) for table, row in rows.items()])


async def test_purge_keeps_rows_that_are_young_enough(transaction_harness: TransactionHarness) -> None:
    rows = await _rows(transaction_harness)
    for table, days in TABLES.items():
        await _age(transaction_harness, table, days - 0.01, rows[table])
    result = await purge_expired(transaction_harness.database, RETENTION)
    assert result is not None
    assert result.retained == {}
    assert all([await _exists(transaction_harness, table, row) for table, row in rows.items()])


async def test_purge_without_a_retention_keeps_all_logs(transaction_harness: TransactionHarness) -> None:
    rows = await _rows(transaction_harness)
    for table in TABLES:
        await _age(transaction_harness, table, 9_000, rows[table])
    zero = Settings(agent_api_logs_days=0, events_log_days=0, scheduled_jobs_days=0)
    result = await purge_expired(transaction_harness.database, LogRetention.from_settings(zero))
    assert result is not None
    assert result.retained == {}


@pytest.mark.parametrize(
    ("status", "days", "kept"),
    [("completed", 40.01, False), ("failed", 40.01, False), ("completed", 39.99, True), ("pending", 400, True),
     ("running", 400, True)],
)  # fmt: skip
async def test_purge_deletes_only_jobs_that_ended_long_ago(
    transaction_harness: TransactionHarness, status: str, days: float, kept: bool
) -> None:
    job = transaction_harness.mine["scheduled_jobs"]
    await transaction_harness.owner.execute(
        "UPDATE scheduled_jobs SET status = $2, scheduled_at = app.now_ms() - $3, "
        "updated_at = app.now_ms() - $3 WHERE id = $1",
        job, status, int(days * DAY_MS),
    )  # fmt: skip
    await purge_expired(transaction_harness.database, RETENTION)
    assert await _exists(transaction_harness, "scheduled_jobs", job) is kept


async def test_purge_of_many_old_rows_takes_several_batches(transaction_harness: TransactionHarness) -> None:
    many = 2 * DAILY_PURGE_BATCH_ROWS + 1
    await transaction_harness.owner.execute(
        "INSERT INTO events_log (tenant_id, entity_id, event_type, created_at) "
        "SELECT $1, $2, 'x', app.now_ms() - $4::bigint FROM generate_series(1, $3::int)",
        transaction_harness.tenant_id, transaction_harness.mine["entities"], many, 31 * DAY_MS,
    )  # fmt: skip
    result = await purge_expired(transaction_harness.database, RETENTION)
    assert result is not None
    assert result.retained["events_log"] == many


async def _add_audit_row(harness: TransactionHarness, years: float, record: str) -> None:
    await harness.owner.execute(
        "INSERT INTO audit_log (tenant_id, table_name, record_id, action, created_at) "
        "VALUES ($1, 'sites', $2, 'update', app.now_ms() - $3::bigint)",
        harness.tenant_id, record, int(years * YEAR_MS),
    )  # fmt: skip


async def _audit_records(harness: TransactionHarness) -> list[Any]:
    return [
        row["record_id"] for row in await harness.fetch_rows("SELECT record_id FROM audit_log ORDER BY 1")
    ]


@pytest.mark.role_modes
async def test_purge_deletes_audit_rows_beyond_the_years_and_notes_it(
    transaction_harness: TransactionHarness,
) -> None:
    await _add_audit_row(transaction_harness, 3.01, "old")
    await _add_audit_row(transaction_harness, 2.99, "young")
    result = await purge_expired(transaction_harness.database, LogRetention(audit_log_years=3))
    assert result is not None
    assert result.retained == {"audit_log": 1}
    records = await _audit_records(transaction_harness)
    assert "old" not in records
    assert {"young", "retention"} <= set(records)
    (note,) = await transaction_harness.fetch_rows(
        "SELECT actor_type, action, table_name, changes::text FROM audit_log WHERE record_id = 'retention'"
    )
    assert (note["actor_type"], note["action"], note["table_name"]) == ("system", "delete", "audit_log")
    assert note["changes"].startswith('{"rows": [1, 0]')


async def test_audit_rows_are_protected_without_and_within_the_years(
    transaction_harness: TransactionHarness,
) -> None:
    await _add_audit_row(transaction_harness, 50, "old")
    permit = "SELECT set_config('app.audit_retention', 'on', false)"
    await transaction_harness.owner.execute(permit)
    for years in (None, 51):
        await purge_expired(transaction_harness.database, LogRetention(audit_log_years=years))
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
            await transaction_harness.owner.execute("DELETE FROM audit_log WHERE record_id = 'old'")
        await transaction_harness.owner.execute("DELETE FROM app.chores")
    await transaction_harness.owner.execute("SELECT set_config('app.audit_retention', '', false)")
    await purge_expired(transaction_harness.database, LogRetention(audit_log_years=60))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
        await transaction_harness.owner.execute("DELETE FROM audit_log WHERE record_id = 'old'")
