"""Migrations of rows from before: agents that were one device become one, and absurd times stop nothing."""

import json
from typing import Final

import asyncpg
import pytest

from core.settings import Settings
from services.migrations import downgrade, migrate
from tests.sample_rows import insert_tenant_rows

GUID: Final = "a1b2c3d4-0000-4000-8000-00000000ffee"
INSERT: Final = """
INSERT INTO agents
    (id, tenant_id, site_id, guid, hostname, platform, version, last_checkin_at, deleted_at, updated_at)
SELECT $1, a.tenant_id, a.site_id, $3, 'h', 'p', 'v', $4, $5, coalesce($6, app.now_ms()) FROM agents a WHERE a.id = $2
"""
FUTURE: Final = 9_007_199_254_740_991


async def test_migration_18_agents_of_one_guid_keeps_the_last_to_check_in(
    database_url: str, settings: Settings
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        mine = (await insert_tenant_rows(connection, "mine"))["agents"]
        theirs = (await insert_tenant_rows(connection, "theirs"))["agents"]
        await downgrade(database_url, 18)
        for row in (
            ("old", mine, GUID, 1_000, None, None),
            ("last", mine, GUID.upper(), 3_000, None, None),
            ("ahead", mine, f"{{{GUID}}}", FUTURE, None, FUTURE),
            ("never", mine, GUID.replace("-", ""), None, None, None),
            ("gone", mine, GUID.replace("-", "").upper(), 9_000, 9_500, None),
            ("other", theirs, GUID.upper(), 500, None, None),
            ("hash", theirs, "AB" * 32, 500, None, None),
            ("word", theirs, "Desk-ONE", 500, None, None),
        ):
            await connection.execute(INSERT, *row)
        await migrate(database_url, settings)
        ours = ["ahead", "gone", "hash", "last", "never", "old", "other", "word", mine, theirs]
        rows = await connection.fetch(
            "SELECT id, guid, deleted_at IS NOT NULL AS gone, updated_at <= app.now_ms() AS sane FROM agents "
            "WHERE id = ANY ($1)",
            ours,
        )
        assert all(row["sane"] for row in rows)
        assert {row["id"]: row["guid"] for row in rows} == {
            **dict.fromkeys(("ahead", "gone", "last", "never", "old", "other"), GUID),
            "hash": "ab" * 32, "word": "Desk-ONE", mine: "f00d", theirs: "f00d",
        }  # fmt: skip
        assert {row["id"] for row in rows if row["gone"]} == {"ahead", "gone", "never", "old"}
        entries = await connection.fetch(
            "SELECT record_id, tenant_id, action, actor_type, changes::text FROM audit_log "
            "WHERE table_name = 'agents' AND record_id = ANY ($1)",
            ours,
        )
        assert {row["record_id"] for row in entries} == {"ahead", "never", "old"}
        for entry in entries:
            assert (entry["action"], entry["actor_type"]) == ("delete", "system")
            assert json.loads(entry["changes"])["deletedAt"][0] is None
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute(INSERT, "new", mine, GUID.upper(), None, None, None)
    finally:
        await connection.close()


@pytest.mark.parametrize("updated_at", [FUTURE, FUTURE - 1])
async def test_migration_15_unclaimed_user_with_absurd_updated_at_becomes_pending(
    database_url: str, settings: Settings, updated_at: int
) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        user = (await insert_tenant_rows(connection, "mine"))["users"]
        await downgrade(database_url, 15)
        sql = "UPDATE users SET status = 'active', updated_at = $2 WHERE id = $1"
        await connection.execute(sql, user, updated_at)
        await connection.execute(
            "INSERT INTO audit_log (tenant_id, actor_type, table_name, record_id, action, changes) "
            "SELECT tenant_id, 'system', 'users', id, 'create', $2::text::jsonb FROM users WHERE id = $1",
            user, '{"status": [null, "pending"]}',
        )  # fmt: skip
        await migrate(database_url, settings)
        sql = "SELECT status, updated_at <= app.now_ms() FROM users WHERE id = $1"
        assert tuple(await connection.fetchrow(sql, user) or ()) == ("pending", True)
    finally:
        await connection.close()
