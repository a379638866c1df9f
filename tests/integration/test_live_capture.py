"""The output of the triggers: every kind of write by every kind of writer logs what the live queries need."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.database.request_role import RoleMode
from subscriptions.change_log.change import Change, ChangedRow, ChangeKind
from subscriptions.change_log.change_log import ChangeLog
from tests.clusters import ThrowawayCluster
from tests.filled_database import FilledDatabase, filled_database
from tests.integration.change_log import open_connection, row_ids
from tests.sample_rows import SAMPLE_ROWS, build_row, insert_row, insert_tenant_rows

__all__ = ["filled_database"]  # a fixture: the two modes of the role of requests

INSERT, UPDATE, DELETE, TRUNCATE = ChangeKind
AGENTS: Final = """
    INSERT INTO agents (id, tenant_id, site_id, guid, hostname, platform, version)
    SELECT prefix || n, tenant, site, prefix || n, 'desk', 'windows', '1.0'
    FROM (VALUES ($1::text, $2::text, $3::text, $4::integer)) given (prefix, tenant, site, rows),
         generate_series(1, rows) n
"""
ENTITIES: Final = """
    INSERT INTO entities (id, tenant_id, integration_id, data_source_id, entity_type, external_id, data_hash)
    SELECT prefix || n, tenant, integration, source, 'devices', prefix || n, 'beef'
    FROM (VALUES ($1::text, $2::text, $3::text, $4::text, $5::integer))
             given (prefix, tenant, integration, source, rows),
         generate_series(1, rows) n
"""


class CaptureHarness:
    """A writer, and a reader of the changes that the writer's statements logged.

    Attributes:
        dsn: The database of both.
        mine: The ids of one tenant's rows, by table; all tests of the module share them.
    """

    def __init__(
        self,
        dsn: str,
        writer: asyncpg.Connection,
        reader: asyncpg.Connection,
        log: ChangeLog,
        mine: dict[str, str],
    ) -> None:
        self.dsn = dsn
        self.writer = writer
        self.reader = reader
        self.log = log
        self.mine = mine

    async def record_changes(self, write: Awaitable[Any]) -> list[Change]:
        """The changes that a write logs."""
        snapshot = await self.log.take_snapshot(self.reader)
        await write
        delta = await self.log.read_since(self.reader, snapshot)
        assert delta.is_complete
        assert delta.snapshot.includes(snapshot)
        return list(delta.changes)

    async def record_change(self, statement: str, *values: Any) -> Change:
        """The one change that one statement logs."""
        (change,) = await self.record_changes(self.writer.execute(statement, *values))
        return change

    async def record_row(self, statement: str, *values: Any) -> ChangedRow:
        """The one row of that change."""
        change = await self.record_change(statement, *values)
        assert change.rows is not None
        (row,) = change.rows
        return row

    async def fetch_stored(self, table: str, row_id: str) -> dict[str, Any]:
        record = await self.reader.fetchrow(f"SELECT * FROM {table} WHERE id = $1", row_id)
        assert record is not None
        return dict(record)

    async def insert_entities(self, prefix: str, rows: int) -> list[Change]:
        """The changes of one statement that adds entities."""
        mine = self.mine
        values = (prefix, mine["tenants"], mine["integrations"], mine["data_sources"], rows)
        return await self.record_changes(self.writer.execute(ENTITIES, *values))

    async def insert_agents(self, prefix: str, rows: int) -> list[Change]:
        """The changes of one statement that adds agents."""
        values = (prefix, self.mine["tenants"], self.mine["sites"], rows)
        return await self.record_changes(self.writer.execute(AGENTS, *values))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def capture_harness(shared_database_url: str) -> AsyncIterator[CaptureHarness]:
    async with open_connection(shared_database_url) as writer, open_connection(shared_database_url) as reader:
        yield CaptureHarness(
            shared_database_url,
            writer,
            reader,
            await ChangeLog.open(reader),
            await insert_tenant_rows(writer, "captured"),
        )


async def allow_audit_changes(writer: asyncpg.Connection) -> None:
    """Drop the trigger that keeps the audit log append-only. The triggers of the change log stay."""
    guards = await writer.fetch(
        "SELECT quote_ident(tgname) AS name FROM pg_trigger WHERE tgrelid = 'audit_log'::regclass "
        "AND tgfoid = 'app.refuse_audit_change'::regproc"
    )
    assert guards
    for guard in guards:
        await writer.execute(f"ALTER TABLE audit_log DISABLE TRIGGER {guard['name']}")


class TestEveryTable:
    async def test_capture_every_table_and_column_is_watched(self, capture_harness: CaptureHarness) -> None:
        """A new table without triggers, or a column that they do not log, fails here."""
        columns = await capture_harness.reader.fetch(
            "SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns FROM pg_class c "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') GROUP BY 1"
        )
        shapes = await capture_harness.reader.fetch(
            "SELECT DISTINCT ON (table_name) * FROM live.shape ORDER BY 2, shape DESC"
        )
        triggers = await capture_harness.reader.fetch(
            "SELECT tgrelid::regclass::text || ' ' || tgname, tgenabled FROM pg_trigger WHERE tgname ~ '^live_'"
        )
        tables = {row["name"]: row["columns"] for row in columns if row["name"] != "aerich"}
        assert tables.keys() == SAMPLE_ROWS.keys()
        assert {row["table_name"]: row["columns"] for row in shapes} == tables
        operations = ("insert", "update", "delete", "truncate")
        always = {f"{table} live_{operation}": b"A" for table in tables for operation in operations}
        assert dict(map(tuple, triggers)) == always

    @pytest.mark.parametrize("table", SAMPLE_ROWS)
    async def test_capture_insert_update_and_delete_log_the_values(
        self, capture_harness: CaptureHarness, table: str
    ) -> None:
        """The change has the stored values, except for JSON and long texts, and every column by its name."""
        writer = capture_harness.writer
        parents = {name: capture_harness.mine[name] for name in SAMPLE_ROWS}
        if table == "health_checks":  # one for each resource
            parents["agents"] = await insert_row(
                writer, "agents", build_row("agents", "other", parents) | {"guid": "other"}
            )
        others: dict[str, dict[str, Any]]
        others = {"users": {"email": "other"}, "sites": {"slug": "other"}, "agents": {"guid": "another"}}
        others |= {
            "entities": {"external_id": "o"},
            "global_entities": {"external_id": "o"},
            "roles": {"name": "o"},
        }
        others |= {
            "tenant_bills": {"period_start": 5, "period_end": 6},
            "data_source_to_site": {"created_at": 3},
        }
        given = build_row(table, "other", parents) | others.get(table, {}) | {"id": f"other-{table}"}
        unique_pairs = ("data_source_to_site", "entity_relationships")
        if table in (*unique_pairs, "site_enrollment_rules", "legacy_agents", "job_progress"):
            await writer.execute(f"DELETE FROM {table}")
        (came,) = await capture_harness.record_changes(insert_row(writer, table, given))
        stored = await capture_harness.fetch_stored(table, f"other-{table}")
        assert (came.table, came.kind, came.tenants, came.columns) == (table, INSERT, None, None)
        assert came.rows is not None
        (row,) = came.rows
        assert (row.id, row.before, row.columns) == (f"other-{table}", None, frozenset(stored))
        assert row.after is not None
        assert row.after == {name: to_logged_value(stored[name]) for name in row.after}
        assert ("tenant_id" in row.after) == ("tenant_id" in stored)
        if table == "audit_log":
            await allow_audit_changes(writer)

        changed = await capture_harness.record_row(
            f"UPDATE {table} SET created_at = 17 WHERE id = $1", row.id
        )
        assert changed == ChangedRow(
            row.id, row.after, {**row.after, "created_at": 17}, frozenset({"created_at"})
        )

        gone = await capture_harness.record_row(f"DELETE FROM {table} WHERE id = $1", row.id)
        assert gone == ChangedRow(row.id, changed.after, None, frozenset(stored))

    @pytest.mark.parametrize(
        ("table", "unwatched"),
        [
            ("roles", {"description", "rights"}),
            ("integrations", {"description", "config_schema"}),
            ("entities", {"raw_data", "normalized_data"}),
            ("api_logs", {"body", "response_body", "headers", "response_headers"}),
            ("tenant_bills", {"notes"}),
        ],
    )
    async def test_capture_long_columns_are_unwatched(
        self, capture_harness: CaptureHarness, table: str, unwatched: set[str]
    ) -> None:
        shape = await capture_harness.reader.fetchrow(
            "SELECT columns, watched FROM live.shape WHERE table_name = $1", table
        )
        assert shape is not None
        assert set(shape["columns"]) - set(shape["watched"]) == unwatched


def to_logged_value(value: Any) -> Any:
    """A value in the form of a change: numbers with a fraction are text."""
    return value if value is None or isinstance(value, str | int | list) else str(value)


class TestColumns:
    async def test_capture_unwatched_value_is_logged_by_column_only(
        self, capture_harness: CaptureHarness
    ) -> None:
        role = capture_harness.mine["roles"]
        row = await capture_harness.record_row(
            "UPDATE roles SET description = 'x', rights = '{\"a\": 1.0}' WHERE id = $1", role
        )
        assert row.columns == {"description", "rights"}
        assert row.before == row.after
        assert row.before is not None
        assert "rights" not in row.before

    async def test_capture_equal_value_in_another_spelling_is_a_change(
        self, capture_harness: CaptureHarness
    ) -> None:
        """A client sees 1.250 instead of 1.25, in JSON too."""
        tier, role = capture_harness.mine["integration_pricing_tiers"], capture_harness.mine["roles"]
        row = await capture_harness.record_row(
            "UPDATE integration_pricing_tiers SET unit_cost = 1.250 WHERE id = $1", tier
        )
        assert row.columns == {"unit_cost"}
        assert row.before is not None
        assert row.after is not None
        assert (row.before["unit_cost"], row.after["unit_cost"]) == ("1.25", "1.250")
        await capture_harness.writer.execute("UPDATE roles SET rights = '{\"a\": 1.0}' WHERE id = $1", role)
        row = await capture_harness.record_row(
            "UPDATE roles SET rights = '{\"a\": 1.00}' WHERE id = $1", role
        )
        assert row.columns == {"rights"}

    async def test_capture_large_json_value_is_logged_only_when_changed(
        self, capture_harness: CaptureHarness
    ) -> None:
        """A value stored out of line: the change still shows whether it changed."""
        entity = capture_harness.mine["entities"]
        large = "UPDATE entities SET raw_data = (SELECT jsonb_agg(md5(n::text)) FROM generate_series($2::int, 999) n)"
        row = await capture_harness.record_row(f"{large} WHERE id = $1", entity, 1)
        assert row.columns == {"raw_data"}
        assert (
            await capture_harness.record_changes(
                capture_harness.writer.execute(f"{large} WHERE id = $1", entity, 1)
            )
            == []
        )
        row = await capture_harness.record_row("UPDATE entities SET data_hash = 'new' WHERE id = $1", entity)
        assert row.columns == {"data_hash"}

    async def test_capture_change_to_and_from_null_is_logged(self, capture_harness: CaptureHarness) -> None:
        site = capture_harness.mine["sites"]
        row = await capture_harness.record_row(
            "UPDATE sites SET deleted_at = 5, psa_company_id = '' WHERE id = $1", site
        )
        assert row.columns == {"deleted_at", "psa_company_id"}
        row = await capture_harness.record_row(
            "UPDATE sites SET deleted_at = NULL, psa_company_id = NULL WHERE id = $1", site
        )
        assert row.columns == {"deleted_at", "psa_company_id"}
        assert row.after is not None
        assert (row.after["deleted_at"], row.after["psa_company_id"]) == (None, None)

    async def test_capture_odd_text_is_logged_unchanged(self, capture_harness: CaptureHarness) -> None:
        odd = '{NULL,"a\\\\b"}\n\t\'é😀\x01'
        row = await capture_harness.record_row(
            "UPDATE sites SET name = $2 WHERE id = $1", capture_harness.mine["sites"], odd
        )
        assert row.after is not None
        assert row.after["name"] == odd

    async def test_capture_generated_columns_are_logged(self, capture_harness: CaptureHarness) -> None:
        check, site = capture_harness.mine["health_checks"], capture_harness.mine["sites"]
        row = await capture_harness.record_row(
            "UPDATE health_checks SET resource_type = 'site', resource_id = $2 WHERE id = $1", check, site
        )
        assert row.columns == {"resource_type", "resource_id", "agent_id", "site_id"}
        assert row.after is not None
        assert row.after["site_id"] == site


class TestStatements:
    async def test_capture_two_statements_log_transaction_order_and_time(
        self, capture_harness: CaptureHarness
    ) -> None:
        async with capture_harness.writer.transaction():
            xid = int(await capture_harness.writer.fetchval("SELECT pg_current_xact_id()::text"))
            before = await capture_harness.writer.fetchval(
                "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
            )
            changes = await capture_harness.record_changes(
                capture_harness.writer.execute("UPDATE sites SET status = 'inactive'")
            )
            assert changes == []
            snapshot = await capture_harness.log.take_snapshot(capture_harness.reader)
            await capture_harness.writer.execute("UPDATE sites SET status = 'active'")
        first, second = (await capture_harness.log.read_since(capture_harness.reader, snapshot)).changes
        assert first.origin.xid == second.origin.xid == xid
        assert first.origin.sequence < second.origin.sequence
        assert before <= first.origin.written_at <= second.origin.written_at
        assert not snapshot.is_visible(xid)

    async def test_capture_statement_without_rows_logs_nothing(self, capture_harness: CaptureHarness) -> None:
        for statement in (
            "UPDATE sites SET name = 'x' WHERE false",
            "DELETE FROM sites WHERE false",
            "INSERT INTO sites SELECT * FROM sites WHERE false",
        ):
            assert await capture_harness.record_changes(capture_harness.writer.execute(statement)) == []

    async def test_capture_update_without_effect_logs_nothing(self, capture_harness: CaptureHarness) -> None:
        await capture_harness.insert_agents("same", 400)
        for table in ("sites", "agents", "roles"):
            statement = f"UPDATE {table} SET id = id, created_at = created_at"
            assert await capture_harness.record_changes(capture_harness.writer.execute(statement)) == []

    async def test_capture_changed_id_is_a_delete_and_an_insert(
        self, capture_harness: CaptureHarness
    ) -> None:
        await capture_harness.insert_agents("id", 2)
        change = await capture_harness.record_change(
            "UPDATE agents SET id = 'new-' || id, hostname = 'x' WHERE id = 'id1'"
        )
        assert change.kind is UPDATE
        assert change.rows is not None
        went, came = sorted(change.rows, key=lambda row: row.id)
        assert (went.id, went.after, came.id, came.before) == ("id1", None, "new-id1", None)
        assert went.columns == came.columns >= {"id", "hostname", "version"}
        assert went.before is not None
        assert came.after == {**went.before, "id": "new-id1", "hostname": "x"}

    async def test_capture_swapped_ids_are_plain_updates(self, capture_harness: CaptureHarness) -> None:
        """Each id then names another row, as if that row had changed in place."""
        await capture_harness.writer.execute("""
            ALTER TABLE api_logs DROP CONSTRAINT api_logs_pkey, ADD PRIMARY KEY (id) DEFERRABLE;
            INSERT INTO api_logs (id, url, method, expires_at)
                SELECT 'swap' || n, n, '', 1 FROM generate_series(1, 3) n;
        """)
        change = await capture_harness.record_change(
            "UPDATE api_logs SET id = CASE id WHEN 'swap1' THEN 'swap2' WHEN 'swap2' THEN 'swap1' ELSE 'swap4' END "
            "WHERE id LIKE 'swap%'"
        )
        await capture_harness.writer.execute(
            "ALTER TABLE api_logs DROP CONSTRAINT api_logs_pkey, ADD PRIMARY KEY (id)"
        )
        assert change.rows is not None
        rows_by_id = {row.id: row for row in change.rows}
        assert rows_by_id.keys() == {"swap1", "swap2", "swap3", "swap4"}
        assert (rows_by_id["swap3"].after, rows_by_id["swap4"].before) == (None, None)
        assert rows_by_id["swap1"].columns == rows_by_id["swap2"].columns == {"url"}

    @pytest.mark.parametrize("rows", [2, 3, 99, 300])
    async def test_capture_statement_of_several_rows_is_one_change(
        self, capture_harness: CaptureHarness, rows: int
    ) -> None:
        (change,) = await capture_harness.insert_entities(f"several{rows}-", rows)
        assert row_ids(change) == sorted(f"several{rows}-{n}" for n in range(1, rows + 1))
        change = await capture_harness.record_change(
            "UPDATE entities SET data_hash = id WHERE id LIKE $1", f"several{rows}-%"
        )
        assert len(row_ids(change)) == rows
        assert change.rows is not None
        assert all(row.after and row.after["data_hash"] == row.id for row in change.rows)
        assert all(row.columns == {"data_hash"} for row in change.rows)
        change = await capture_harness.record_change(
            "DELETE FROM entities WHERE id LIKE $1", f"several{rows}-%"
        )
        assert len(row_ids(change)) == rows

    async def test_capture_update_logs_only_rows_that_changed(self, capture_harness: CaptureHarness) -> None:
        await capture_harness.insert_entities("part", 10)
        change = await capture_harness.record_change(
            "UPDATE entities SET data_hash = CASE id WHEN 'part3' THEN 'x' ELSE data_hash END"
        )
        assert row_ids(change) == ["part3"]

    async def test_capture_truncate_is_a_table_level_change(self, capture_harness: CaptureHarness) -> None:
        change = await capture_harness.record_change("TRUNCATE api_logs")
        assert (change.table, change.kind) == ("api_logs", TRUNCATE)
        assert (change.rows, change.tenants, change.columns) == (None, None, None)
        (several) = await capture_harness.record_changes(
            capture_harness.writer.execute("TRUNCATE entity_relationships, events_log CASCADE")
        )
        assert {change.table for change in several} == {"entity_relationships", "events_log"}

    async def test_capture_copy_is_an_insert(self, capture_harness: CaptureHarness) -> None:
        records = [(f"copied{n}", "https://a.example", "GET", 1) for n in range(3)]
        columns = ["id", "url", "method", "expires_at"]
        (change,) = await capture_harness.record_changes(
            capture_harness.writer.copy_records_to_table("api_logs", records=records, columns=columns)
        )
        assert (change.kind, row_ids(change)) == (INSERT, ["copied0", "copied1", "copied2"])

    async def test_capture_upsert_is_an_insert_and_an_update(self, capture_harness: CaptureHarness) -> None:
        upsert = (
            "INSERT INTO api_logs (id, url, method, expires_at) SELECT 'upsert' || n, 'u', 'GET', 1 "
            "FROM unnest($1::integer[]) n ON CONFLICT (id) DO UPDATE SET duration_ms = 5"
        )
        inserted = await capture_harness.record_change(upsert, [1])
        assert (inserted.kind, row_ids(inserted)) == (INSERT, ["upsert1"])
        updated = await capture_harness.record_change(upsert, [1])
        assert (updated.kind, row_ids(updated)) == (UPDATE, ["upsert1"])
        both = await capture_harness.record_changes(
            capture_harness.writer.execute(upsert.replace("5", "6"), [1, 2, 3])
        )
        assert {change.kind: row_ids(change) for change in both} == {
            INSERT: ["upsert2", "upsert3"],
            UPDATE: ["upsert1"],
        }

    async def test_capture_merge_is_insert_update_and_delete(self, capture_harness: CaptureHarness) -> None:
        await capture_harness.record_changes(
            capture_harness.writer.execute("INSERT INTO integrations VALUES ('m1', '', '', '', '{a}')")
        )
        await capture_harness.record_changes(
            capture_harness.writer.execute("INSERT INTO integrations VALUES ('m2', '', '', '', '{}')")
        )
        changes = await capture_harness.record_changes(
            capture_harness.writer.execute("""
                MERGE INTO integrations i USING (VALUES ('m1'), ('m2'), ('m3')) given (id) ON i.id = given.id
                WHEN MATCHED AND i.id = 'm1' THEN UPDATE SET supported_types = '{a,"b,c"}'
                WHEN MATCHED THEN DELETE
                WHEN NOT MATCHED THEN INSERT (id, name, description, category) VALUES (given.id, '', '', '')
            """)
        )
        rows_by_id = {change.kind: change for change in changes}
        assert {kind: row_ids(change) for kind, change in rows_by_id.items()} == {
            INSERT: ["m3"],
            UPDATE: ["m1"],
            DELETE: ["m2"],
        }
        updated = rows_by_id[UPDATE].rows
        assert updated is not None
        (row,) = updated
        assert row.before is not None
        assert row.after is not None
        assert (row.before["supported_types"], row.after["supported_types"]) == (["a"], ["a", "b,c"])

    async def test_capture_cascading_delete_logs_the_children(self, capture_harness: CaptureHarness) -> None:
        await capture_harness.insert_agents("cascade", 2)
        await capture_harness.writer.execute(
            "INSERT INTO health_checks (id, tenant_id, resource_type, resource_id) "
            "SELECT 'of-' || id, tenant_id, 'agent', id FROM agents WHERE id LIKE 'cascade%'"
        )
        changes = await capture_harness.record_changes(
            capture_harness.writer.execute("DELETE FROM agents WHERE id LIKE 'cascade%'")
        )
        checks = sorted(
            row for change in changes if change.table == "health_checks" for row in row_ids(change)
        )
        assert checks == ["of-cascade1", "of-cascade2"]
        (agents,) = (change for change in changes if change.table == "agents")
        assert row_ids(agents) == ["cascade1", "cascade2"]

    async def test_capture_cascading_id_logs_the_referring_rows(
        self, capture_harness: CaptureHarness
    ) -> None:
        """An invitation is accepted: the person's earlier rows now refer to the new id."""
        role, tenant = capture_harness.mine["roles"], capture_harness.mine["tenants"]
        writer = capture_harness.writer
        await writer.execute(
            "INSERT INTO users (id, tenant_id, role_id, email, name) VALUES ('i', $1, $2, 'i', 'i')",
            tenant,
            role,
        )
        await writer.execute(
            "INSERT INTO audit_log (id, tenant_id, user_id, table_name, record_id, action) "
            "VALUES ('by-i', $1, 'i', 'sites', 'x', 'update')",
            tenant,
        )
        changes = await capture_harness.record_changes(
            writer.execute("UPDATE users SET id = 'subject' WHERE id = 'i'")
        )
        rows_by_id = {change.table: change for change in changes}
        assert row_ids(rows_by_id["users"]) == ["i", "subject"]
        assert rows_by_id["audit_log"].rows is not None
        (row,) = rows_by_id["audit_log"].rows
        assert (row.id, row.columns) == ("by-i", frozenset({"user_id"}))

    async def test_capture_rolled_back_transaction_logs_nothing(
        self, capture_harness: CaptureHarness
    ) -> None:
        async def roll_back() -> None:
            transaction = capture_harness.writer.transaction()
            await transaction.start()
            await capture_harness.writer.execute("UPDATE sites SET name = 'never'")
            await transaction.rollback()

        assert await capture_harness.record_changes(roll_back()) == []

    async def test_capture_rolled_back_savepoint_logs_the_rest(self, capture_harness: CaptureHarness) -> None:
        async def roll_back_savepoint() -> None:
            async with capture_harness.writer.transaction():
                await capture_harness.writer.execute("UPDATE sites SET name = 'kept'")
                savepoint = capture_harness.writer.transaction()
                await savepoint.start()
                await capture_harness.writer.execute("UPDATE sites SET slug = 'never'")
                await savepoint.rollback()
                async with capture_harness.writer.transaction():
                    await capture_harness.writer.execute("UPDATE sites SET name = 'kept, too'")

        changes = await capture_harness.record_changes(roll_back_savepoint())
        assert [row.columns for change in changes for row in change.rows or ()] == [{"name"}, {"name"}]
        assert len({change.origin.xid for change in changes}) == 1


class TestManyRows:
    async def test_capture_hundreds_of_rows_log_tenants_and_columns(
        self, capture_harness: CaptureHarness
    ) -> None:
        (came,) = await capture_harness.insert_entities("many", 301)
        assert (came.kind, came.rows, came.tenants, came.columns) == (
            INSERT,
            None,
            frozenset({capture_harness.mine["tenants"]}),
            None,
        )
        changed = await capture_harness.record_change(
            "UPDATE entities SET data_hash = 'x', updated_at = 5 WHERE id LIKE 'many%'"
        )
        assert (changed.rows, changed.tenants) == (None, frozenset({capture_harness.mine["tenants"]}))
        assert changed.columns == frozenset({"data_hash", "updated_at"})
        statement = "UPDATE entities SET data_hash = 'x' WHERE id LIKE 'many%'"
        assert await capture_harness.record_changes(capture_harness.writer.execute(statement)) == []
        gone = await capture_harness.record_change("DELETE FROM entities WHERE id LIKE 'many%'")
        tenants = frozenset({capture_harness.mine["tenants"]})
        assert (gone.kind, gone.rows, gone.tenants) == (DELETE, None, tenants)

    async def test_capture_over_ten_thousand_rows_log_tenants_only(
        self, capture_harness: CaptureHarness
    ) -> None:
        await capture_harness.insert_entities("more", 10_001)
        change = await capture_harness.record_change(
            "UPDATE entities SET data_hash = 'y' WHERE id LIKE 'more%'"
        )
        assert (change.rows, change.tenants, change.columns) == (
            None,
            frozenset({capture_harness.mine["tenants"]}),
            None,
        )
        await capture_harness.writer.execute("DELETE FROM entities WHERE id LIKE 'more%'")

    async def test_capture_changed_ids_of_many_rows_log_every_column(
        self, capture_harness: CaptureHarness
    ) -> None:
        await capture_harness.insert_entities("renamed", 301)
        change = await capture_harness.record_change(
            "UPDATE entities SET id = 'new-' || id WHERE id LIKE 'renamed%'"
        )
        assert change.columns is not None
        assert change.columns >= {"id", "data_hash", "raw_data"}
        await capture_harness.writer.execute("DELETE FROM entities WHERE id LIKE 'new-renamed%'")

    @pytest.mark.parametrize(("tenants", "logged"), [(100, 100), (101, None)])
    async def test_capture_rows_of_over_100_tenants_log_no_tenants(
        self, capture_harness: CaptureHarness, tenants: int, logged: int | None
    ) -> None:
        prefix = f"tenants{tenants}-"
        insert = "INSERT INTO tenants (id, name) SELECT $1 || n, '' FROM generate_series(1, $2::integer) n"
        await capture_harness.writer.execute(insert, prefix, tenants)
        add = (
            "INSERT INTO sites (tenant_id, name, slug) SELECT $1 || (n % $2::integer + 1), '', n::text "
            "FROM generate_series(1, 400) n"
        )
        for statement in (add, "UPDATE sites SET name = 'x' WHERE tenant_id LIKE $1 || '%' AND $2 > 0"):
            change = await capture_harness.record_change(statement, prefix, tenants)
            assert change.rows is None
            assert (change.tenants and len(change.tenants)) == logged

    async def test_capture_global_roles_log_a_null_tenant(self, capture_harness: CaptureHarness) -> None:
        await capture_harness.writer.execute(
            "INSERT INTO roles (name, description) SELECT 'role' || n, '' FROM generate_series(1, 301) n"
        )
        change = await capture_harness.record_change("UPDATE roles SET description = 'x'")
        assert change.tenants == frozenset({None, capture_harness.mine["tenants"]})
        assert change.columns == frozenset({"description"})
        row = await capture_harness.record_row("UPDATE roles SET name = 'x' WHERE name = 'role5'")
        assert row.after is not None
        assert row.after["tenant_id"] is None

    async def test_capture_table_without_tenants_logs_no_tenants(
        self, capture_harness: CaptureHarness
    ) -> None:
        change = await capture_harness.record_change(
            "INSERT INTO api_logs (url, method, expires_at) SELECT '', '', 1 FROM generate_series(1, 301)"
        )
        assert (change.rows, change.tenants) == (None, None)

    @pytest.mark.parametrize("rows", [301, 1000])
    async def test_capture_many_agents_and_health_checks_log_each_row(
        self, capture_harness: CaptureHarness, rows: int
    ) -> None:
        """The event streams need each row."""
        prefix = f"each{rows}-"
        wanted = sorted(f"{prefix}{n}" for n in range(1, rows + 1))
        came = await capture_harness.insert_agents(prefix, rows)
        assert sorted(row for change in came for row in row_ids(change)) == wanted
        assert max(len(row_ids(change)) for change in came) <= 300
        checkin = "UPDATE agents SET last_checkin_at = 5 WHERE id LIKE $1"
        changes = await capture_harness.record_changes(capture_harness.writer.execute(checkin, f"{prefix}%"))
        assert sorted(row for change in changes for row in row_ids(change)) == wanted
        changes = await capture_harness.record_changes(
            capture_harness.writer.execute(
                "INSERT INTO health_checks (id, tenant_id, resource_type, resource_id) "
                "SELECT id, tenant_id, 'agent', id FROM agents WHERE id LIKE $1",
                f"{prefix}%",
            )
        )
        assert sorted(row for change in changes for row in row_ids(change)) == wanted
        changes = await capture_harness.record_changes(
            capture_harness.writer.execute("UPDATE health_checks SET status = 'down'")
        )
        assert {row for change in changes for row in row_ids(change)} >= set(wanted)


class TestWriters:
    async def test_capture_replica_session_is_logged(
        self, cluster: ThrowawayCluster, capture_harness: CaptureHarness
    ) -> None:
        """Other triggers do not fire then, and a row may even change its tenant."""
        name = await capture_harness.reader.fetchval("SELECT current_database()")
        async with open_connection(cluster.build_dsn(name, "postgres")) as writer:
            await writer.execute("SET session_replication_role = replica")
            await capture_harness.record_changes(
                writer.execute("INSERT INTO tenants (id, name) VALUES ('elsewhere', '')")
            )
            update = "UPDATE entities SET tenant_id = 'elsewhere' WHERE id = $1"
            (change,) = await capture_harness.record_changes(
                writer.execute(update, capture_harness.mine["entities"])
            )
            assert change.rows is not None
            (row,) = change.rows
            assert row.before is not None
            assert row.after is not None
            assert (row.before["tenant_id"], row.after["tenant_id"]) == (
                capture_harness.mine["tenants"],
                "elsewhere",
            )
            await writer.execute(
                update.replace("'elsewhere'", "$2"),
                capture_harness.mine["entities"],
                capture_harness.mine["tenants"],
            )

    async def test_capture_session_with_odd_settings_is_logged(self, capture_harness: CaptureHarness) -> None:
        """A search path with a false operator and a false table in it, another time zone, another isolation level."""
        async with open_connection(capture_harness.dsn) as writer:
            await writer.execute("""
                CREATE SCHEMA odd;
                CREATE FUNCTION odd.wrong(text, text) RETURNS boolean LANGUAGE sql RETURN false;
                CREATE OPERATOR odd.= (LEFTARG = text, RIGHTARG = text, FUNCTION = odd.wrong);
                CREATE TEMP TABLE old_rows (id text); CREATE TEMP TABLE change (id text);
                SET search_path = odd, pg_temp, public, pg_catalog;
                SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'German';
                SET default_transaction_isolation = serializable;
                SET enable_nestloop = off; SET plan_cache_mode = force_custom_plan;
            """)
            (change,) = await capture_harness.record_changes(
                writer.execute("UPDATE sites SET updated_at = 77 WHERE slug LIKE 'main'")
            )
            assert change.rows is not None
            assert [row.columns for row in change.rows] == [{"updated_at"}]
            await writer.execute("DROP SCHEMA odd CASCADE")

    async def test_capture_bulk_after_single_row_stays_quick(self, capture_harness: CaptureHarness) -> None:
        """Plans are cached: that of a single row must not serve ten thousand, nor the other way round."""
        await capture_harness.insert_agents("bulk", 5_000)
        async with open_connection(capture_harness.dsn) as writer:
            await writer.execute("SET statement_timeout = '20s'")
            for statement in (
                "UPDATE agents SET version = '2' WHERE id = 'bulk1'",
                "UPDATE agents SET version = '3'",
            ):
                assert await capture_harness.record_changes(writer.execute(statement))
        await capture_harness.writer.execute("DELETE FROM agents WHERE id LIKE 'bulk%'")


class TestAccess:
    """In both modes: requests under a role of their own have no right, and the forced owner sees nothing."""

    @pytest_asyncio.fixture
    async def request_connection(self, filled_database: FilledDatabase) -> AsyncIterator[asyncpg.Connection]:
        async with open_connection(filled_database.dsn) as connection:
            if filled_database.mode is RoleMode.ROLE:
                await connection.execute("SET ROLE msp_request")
            await connection.execute(
                "SELECT set_config('app.tenant_id', $1, false)", filled_database.mine["tenants"]
            )
            yield connection

    async def test_change_log_write_by_a_request_is_logged(
        self, filled_database: FilledDatabase, request_connection: asyncpg.Connection
    ) -> None:
        async with open_connection(filled_database.dsn) as reader:
            log = await ChangeLog.open(reader)
            snapshot = await log.take_snapshot(reader)
            await request_connection.execute("UPDATE sites SET name = 'by a request'")
            delta = await log.read_since(reader, snapshot)
        assert delta.is_complete
        (change,) = delta.changes
        assert row_ids(change) == [filled_database.mine["sites"]]

    @pytest.mark.parametrize("table", ["change", "change_0", "change_1", "change_2", "change_3"])
    async def test_change_log_read_by_a_request_is_refused_or_empty(
        self, filled_database: FilledDatabase, request_connection: asyncpg.Connection, table: str
    ) -> None:
        await request_connection.execute("UPDATE sites SET name = 'a secret'")
        if filled_database.mode is RoleMode.FORCED:
            assert await request_connection.fetch(f"SELECT * FROM live.{table}") == []
            return
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await request_connection.fetch(f"SELECT * FROM live.{table}")

    async def test_change_log_change_by_a_request_has_no_effect(
        self, filled_database: FilledDatabase, request_connection: asyncpg.Connection
    ) -> None:
        for statement in ("DELETE FROM live.change", "UPDATE live.change SET shape = 1"):
            try:
                assert (await request_connection.execute(statement)).endswith(" 0")
            except asyncpg.InsufficientPrivilegeError:
                assert filled_database.mode is RoleMode.ROLE

    async def test_change_log_rights_belong_to_the_owner_only(self, filled_database: FilledDatabase) -> None:
        async with open_connection(filled_database.dsn) as connection:
            tables = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'live'::regnamespace AND relacl IS NOT NULL"
            )
            functions = await connection.fetch(
                "SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) acl "
                "WHERE pronamespace = 'live'::regnamespace AND acl.grantee <> proowner"
            )
            schema = await connection.fetchval("SELECT nspacl FROM pg_namespace WHERE nspname = 'live'")
        assert (tables, functions, schema) == ([], [], None)
