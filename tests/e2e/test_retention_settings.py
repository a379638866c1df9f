"""The retention settings of a server as a program: what its clean-up deletes and keeps."""

import asyncio
from typing import Final

import asyncpg
import pytest

from tests.e2e.servers import start_server, temporary_data_dir
from tests.waiting import HANG_S

pytestmark = pytest.mark.newest
SOON: Final = """
import runpy, sys
from core import limits
limits.DAILY_PURGE_FIRST_POLL_S = 0.05
sys.argv[0] = "server.py"
runpy.run_path("server.py", run_name="__main__")
"""
SETTINGS: Final = {
    "AGENT_API_LOGS_DAYS": "10",
    "API_LOGS_DAYS": "20",
    "EVENTS_LOG_DAYS": "30",
    "SCHEDULED_JOBS_DAYS": "40",
    "AUDIT_LOG_YEARS": "1",
}
AGES: Final = {"agent_api_logs": 10, "api_logs": 20, "events_log": 30, "scheduled_jobs": 40, "audit_log": 366}
AGED: Final = """
WITH chosen AS (
    SELECT id, row_number() OVER (ORDER BY id) AS number FROM {table} WHERE {condition} ORDER BY id LIMIT 2
)
UPDATE {table} t SET {values}
FROM chosen c WHERE t.id = c.id RETURNING number, t.id
"""
TIME: Final = "app.now_ms() - {days} * 86400000::bigint - CASE number WHEN 1 THEN 60000 ELSE -6e7 END"


async def _age_rows(connection: asyncpg.Connection, table: str, days: int) -> dict[int, str]:
    """The ids of two rows: 1 is a minute older than its log is kept, 2 is most of a day younger."""
    if table == "audit_log":  # its trigger permits no update
        await connection.execute(
            "INSERT INTO audit_log (id, tenant_id, table_name, record_id, action, changes, created_at)"
            " SELECT n.id, t.id, 'sites', 's', 'update', '{}', app.now_ms() - n.days * 86400000::bigint"
            " FROM (SELECT id FROM tenants LIMIT 1) t, (VALUES ('old', 367), ('young', 300)) n (id, days)"
        )
        return {1: "old", 2: "young"}
    condition, columns = "true", ["created_at"]
    if table == "scheduled_jobs":
        condition, columns = "status = 'completed'", ["scheduled_at", "updated_at"]
    if table == "api_logs":
        await connection.execute("UPDATE api_logs SET expires_at = app.now_ms() + 9e12::bigint")
    values = ", ".join(f"{column} = {TIME.format(days=days)}" for column in columns)
    sql = AGED.format(table=table, values=values, condition=condition)
    return {row["number"]: row["id"] for row in await connection.fetch(sql)}


async def _wait_for_clean_up(connection: asyncpg.Connection) -> None:
    done = "SELECT true FROM app.chores WHERE name = 'clean_up' AND finished_at IS NOT NULL"
    async with asyncio.timeout(HANG_S):
        while not await connection.fetchval(done):  # noqa: ASYNC110 - PostgreSQL has no event for it
            await asyncio.sleep(0.1)


async def test_server_deletes_rows_that_are_older_than_its_settings(writable_demo_database_url: str) -> None:
    connection = await asyncpg.connect(writable_demo_database_url, server_settings={"app.platform": "on"})
    await connection.execute("DELETE FROM app.chores WHERE name = 'clean_up'")
    rows = {table: await _age_rows(connection, table, days) for table, days in AGES.items()}
    with (
        temporary_data_dir() as path,
        start_server(
            "--demo", "--data-dir", path, program=("-c", SOON), lines=5,
            DATABASE_URL=writable_demo_database_url, **SETTINGS,
        ) as server,
    ):  # fmt: skip
        await _wait_for_clean_up(connection)
        server.stop()
    left = {
        table: await connection.fetchval(
            f"SELECT array_agg(id) FROM {table} WHERE id = ANY ($1)", list(ids.values())
        )
        for table, ids in rows.items()
    }
    await connection.close()
    assert left == {table: [ids[2]] for table, ids in rows.items()}
