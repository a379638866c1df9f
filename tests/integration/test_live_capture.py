"""What the triggers write: every kind of write by every kind of writer leaves what the live queries need."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, Final

import asyncpg
import pytest
import pytest_asyncio

from core.request_role import RoleMode
from subscriptions.changes.change import Change, ChangedRow, ChangeKind
from subscriptions.changes.log import ChangeLog
from tests.clusters import ThrowawayCluster
from tests.integration.logged import connected, ids
from tests.integration.test_policies import Filled, filled
from tests.rows import ROWS, row_of, write, write_tenant

__all__ = ["filled"]  # a fixture: the two modes of the role of requests

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


class Captured:
    """A writer, and somebody else who reads what the writer's statements left in the log.

    Attributes:
        dsn: Where both are.
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

    async def of(self, write: Awaitable[Any]) -> list[Change]:
        """The changes that a write logs."""
        moment = await self.log.now(self.reader)
        await write
        delta = await self.log.since(self.reader, moment)
        assert delta.complete
        assert delta.moment.covers(moment)
        return list(delta.changes)

    async def one(self, statement: str, *values: Any) -> Change:
        """The one change that one statement logs."""
        (change,) = await self.of(self.writer.execute(statement, *values))
        return change

    async def row(self, statement: str, *values: Any) -> ChangedRow:
        """The one row of that change."""
        change = await self.one(statement, *values)
        assert change.rows is not None
        (row,) = change.rows
        return row

    async def stored(self, table: str, row_id: str) -> dict[str, Any]:
        record = await self.reader.fetchrow(f"SELECT * FROM {table} WHERE id = $1", row_id)  # noqa: S608 - our own
        assert record is not None
        return dict(record)

    async def entities(self, prefix: str, rows: int) -> list[Change]:
        """The changes of one statement that adds entities."""
        mine = self.mine
        values = (prefix, mine["tenants"], mine["integrations"], mine["data_sources"], rows)
        return await self.of(self.writer.execute(ENTITIES, *values))

    async def agents(self, prefix: str, rows: int) -> list[Change]:
        """The changes of one statement that adds agents."""
        values = (prefix, self.mine["tenants"], self.mine["sites"], rows)
        return await self.of(self.writer.execute(AGENTS, *values))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def captured(shared_database_url: str) -> AsyncIterator[Captured]:
    async with connected(shared_database_url) as writer, connected(shared_database_url) as reader:
        yield Captured(
            shared_database_url,
            writer,
            reader,
            await ChangeLog.open(reader),
            await write_tenant(writer, "captured"),
        )


async def let_audit_change(writer: asyncpg.Connection) -> None:
    """Take away, on purpose, what keeps the audit log as it was written; the triggers of the change log stay."""
    guards = await writer.fetch(
        "SELECT quote_ident(tgname) AS name FROM pg_trigger WHERE tgrelid = 'audit_log'::regclass "
        "AND tgfoid = 'app.refuse_audit_change'::regproc"
    )
    assert guards
    for guard in guards:
        await writer.execute(f"ALTER TABLE audit_log DISABLE TRIGGER {guard['name']}")


class TestEachTable:
    async def test_none_is_forgotten(self, captured: Captured) -> None:
        """A table that is added without triggers, or a column that they do not know, fails here."""
        columns = await captured.reader.fetch(
            "SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns FROM pg_class c "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') GROUP BY 1"
        )
        shapes = await captured.reader.fetch(
            "SELECT DISTINCT ON (table_name) * FROM live.shape ORDER BY 2, shape DESC"
        )
        triggers = await captured.reader.fetch(
            "SELECT tgrelid::regclass::text || ' ' || tgname, tgenabled FROM pg_trigger WHERE tgname ~ '^live_'"
        )
        tables = {row["name"]: row["columns"] for row in columns if row["name"] != "aerich"}
        assert tables.keys() == ROWS.keys()
        assert {row["table_name"]: row["columns"] for row in shapes} == tables
        operations = ("insert", "update", "delete", "truncate")
        always = {f"{table} live_{operation}": b"A" for table in tables for operation in operations}
        assert dict(map(tuple, triggers)) == always

    @pytest.mark.parametrize("table", ROWS)
    async def test_a_row_comes_changes_and_goes(self, captured: Captured, table: str) -> None:
        """What is told are the stored values, but for JSON and long texts, and every column by its name."""
        writer = captured.writer
        parents = {name: captured.mine[name] for name in ROWS}
        if table == "health_checks":  # one for each resource
            parents["agents"] = await write(
                writer, "agents", row_of("agents", "other", parents) | {"guid": "other"}
            )
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
        given = row_of(table, "other", parents) | others.get(table, {}) | {"id": f"other-{table}"}
        if table in ("data_source_to_site", "entity_relationships"):
            await writer.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
        (came,) = await captured.of(write(writer, table, given))
        stored = await captured.stored(table, f"other-{table}")
        assert (came.table, came.kind, came.tenants, came.columns) == (table, INSERT, None, None)
        assert came.rows is not None
        (row,) = came.rows
        assert (row.id, row.before, row.columns) == (f"other-{table}", None, set(stored))
        assert row.after == {name: as_logged(stored[name]) for name in row.after}
        assert ("tenant_id" in row.after) == ("tenant_id" in stored)
        if table == "audit_log":
            await let_audit_change(writer)

        changed = await captured.row(f"UPDATE {table} SET created_at = 17 WHERE id = $1", row.id)  # noqa: S608
        assert changed == ChangedRow(
            row.id, row.after, row.after | {"created_at": 17}, frozenset({"created_at"})
        )

        gone = await captured.row(f"DELETE FROM {table} WHERE id = $1", row.id)  # noqa: S608 - our own names
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
    async def test_long_values_are_not_logged(
        self, captured: Captured, table: str, unwatched: set[str]
    ) -> None:
        shape = await captured.reader.fetchrow(
            "SELECT columns, watched FROM live.shape WHERE table_name = $1", table
        )
        assert shape is not None
        assert set(shape["columns"]) - set(shape["watched"]) == unwatched


def as_logged(value: Any) -> Any:
    """A value as a change tells it: numbers with a fraction as text."""
    return value if value is None or isinstance(value, str | int | list) else str(value)


class TestColumns:
    async def test_a_value_that_is_not_watched_leaves_a_bit(self, captured: Captured) -> None:
        role = captured.mine["roles"]
        row = await captured.row(
            "UPDATE roles SET description = 'x', rights = '{\"a\": 1.0}' WHERE id = $1", role
        )
        assert row.columns == {"description", "rights"}
        assert row.before == row.after
        assert row.before is not None
        assert "rights" not in row.before

    async def test_values_that_are_equal_and_written_otherwise(self, captured: Captured) -> None:
        """A client sees 1.250 where 1.25 was, and in JSON too."""
        tier, role = captured.mine["integration_pricing_tiers"], captured.mine["roles"]
        row = await captured.row("UPDATE integration_pricing_tiers SET unit_cost = 1.250 WHERE id = $1", tier)
        assert row.columns == {"unit_cost"}
        assert row.before is not None
        assert row.after is not None
        assert (row.before["unit_cost"], row.after["unit_cost"]) == ("1.25", "1.250")
        await captured.writer.execute("UPDATE roles SET rights = '{\"a\": 1.0}' WHERE id = $1", role)
        row = await captured.row("UPDATE roles SET rights = '{\"a\": 1.00}' WHERE id = $1", role)
        assert row.columns == {"rights"}

    async def test_a_large_json_value(self, captured: Captured) -> None:
        """Stored out of line: whether it changed is told all the same, and that it did not."""
        entity = captured.mine["entities"]
        large = "UPDATE entities SET raw_data = (SELECT jsonb_agg(md5(n::text)) FROM generate_series($2::int, 999) n)"
        row = await captured.row(f"{large} WHERE id = $1", entity, 1)
        assert row.columns == {"raw_data"}
        assert await captured.of(captured.writer.execute(f"{large} WHERE id = $1", entity, 1)) == []
        row = await captured.row("UPDATE entities SET data_hash = 'new' WHERE id = $1", entity)
        assert row.columns == {"data_hash"}

    async def test_to_and_from_null(self, captured: Captured) -> None:
        site = captured.mine["sites"]
        row = await captured.row("UPDATE sites SET deleted_at = 5, psa_company_id = '' WHERE id = $1", site)
        assert row.columns == {"deleted_at", "psa_company_id"}
        row = await captured.row(
            "UPDATE sites SET deleted_at = NULL, psa_company_id = NULL WHERE id = $1", site
        )
        assert row.columns == {"deleted_at", "psa_company_id"}
        assert row.after is not None
        assert (row.after["deleted_at"], row.after["psa_company_id"]) == (None, None)

    async def test_odd_text(self, captured: Captured) -> None:
        odd = '{NULL,"a\\\\b"}\n\t\'é😀\x01'
        row = await captured.row("UPDATE sites SET name = $2 WHERE id = $1", captured.mine["sites"], odd)
        assert row.after is not None
        assert row.after["name"] == odd

    async def test_generated_columns(self, captured: Captured) -> None:
        check, site = captured.mine["health_checks"], captured.mine["sites"]
        row = await captured.row(
            "UPDATE health_checks SET resource_type = 'site', resource_id = $2 WHERE id = $1", check, site
        )
        assert row.columns == {"resource_type", "resource_id", "agent_id", "site_id"}
        assert row.after is not None
        assert row.after["site_id"] == site


class TestStatements:
    async def test_who_did_what_when(self, captured: Captured) -> None:
        async with captured.writer.transaction():
            xid = int(await captured.writer.fetchval("SELECT pg_current_xact_id()::text"))
            before = await captured.writer.fetchval(
                "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
            )
            changes = await captured.of(captured.writer.execute("UPDATE sites SET status = 'inactive'"))
            assert changes == []
            moment = await captured.log.now(captured.reader)
            await captured.writer.execute("UPDATE sites SET status = 'active'")
        first, second = (await captured.log.since(captured.reader, moment)).changes
        assert first.xid == second.xid == xid
        assert first.number < second.number
        assert before <= first.at <= second.at
        assert not moment.sees(xid)

    async def test_what_touches_no_row_leaves_nothing(self, captured: Captured) -> None:
        for statement in (
            "UPDATE sites SET name = 'x' WHERE false",
            "DELETE FROM sites WHERE false",
            "INSERT INTO sites SELECT * FROM sites WHERE false",
        ):
            assert await captured.of(captured.writer.execute(statement)) == []

    async def test_what_changes_nothing_leaves_nothing(self, captured: Captured) -> None:
        await captured.agents("same", 400)
        for table in ("sites", "agents", "roles"):
            statement = f"UPDATE {table} SET id = id, created_at = created_at"  # noqa: S608 - our own names
            assert await captured.of(captured.writer.execute(statement)) == []

    async def test_an_id_that_changes(self, captured: Captured) -> None:
        await captured.agents("id", 2)
        change = await captured.one("UPDATE agents SET id = 'new-' || id, hostname = 'x' WHERE id = 'id1'")
        assert change.kind is UPDATE
        assert change.rows is not None
        went, came = sorted(change.rows, key=lambda row: row.id)
        assert (went.id, went.after, came.id, came.before) == ("id1", None, "new-id1", None)
        assert went.columns == came.columns >= {"id", "hostname", "version"}
        assert went.before is not None
        assert came.after == went.before | {"id": "new-id1", "hostname": "x"}

    async def test_ids_that_change_places(self, captured: Captured) -> None:
        """Each id then names another row: as if that row had changed in place."""
        await captured.writer.execute("""
            ALTER TABLE api_logs DROP CONSTRAINT api_logs_pkey, ADD PRIMARY KEY (id) DEFERRABLE;
            INSERT INTO api_logs (id, url, method, expires_at)
                SELECT 'swap' || n, n, '', 1 FROM generate_series(1, 3) n;
        """)
        change = await captured.one(
            "UPDATE api_logs SET id = CASE id WHEN 'swap1' THEN 'swap2' WHEN 'swap2' THEN 'swap1' ELSE 'swap4' END "
            "WHERE id LIKE 'swap%'"
        )
        await captured.writer.execute(
            "ALTER TABLE api_logs DROP CONSTRAINT api_logs_pkey, ADD PRIMARY KEY (id)"
        )
        assert change.rows is not None
        told = {row.id: row for row in change.rows}
        assert told.keys() == {"swap1", "swap2", "swap3", "swap4"}
        assert (told["swap3"].after, told["swap4"].before) == (None, None)
        assert told["swap1"].columns == told["swap2"].columns == {"url"}

    @pytest.mark.parametrize("rows", [2, 3, 99, 300])
    async def test_several_rows_are_one_change(self, captured: Captured, rows: int) -> None:
        (change,) = await captured.entities(f"several{rows}-", rows)
        assert ids(change) == sorted(f"several{rows}-{n}" for n in range(1, rows + 1))
        change = await captured.one("UPDATE entities SET data_hash = id WHERE id LIKE $1", f"several{rows}-%")
        assert len(ids(change)) == rows
        assert change.rows is not None
        assert all(row.after and row.after["data_hash"] == row.id for row in change.rows)
        assert all(row.columns == {"data_hash"} for row in change.rows)
        change = await captured.one("DELETE FROM entities WHERE id LIKE $1", f"several{rows}-%")
        assert len(ids(change)) == rows

    async def test_the_rows_that_changed_of_those_that_were_touched(self, captured: Captured) -> None:
        await captured.entities("part", 10)
        change = await captured.one(
            "UPDATE entities SET data_hash = CASE id WHEN 'part3' THEN 'x' ELSE data_hash END"
        )
        assert ids(change) == ["part3"]

    async def test_truncate(self, captured: Captured) -> None:
        change = await captured.one("TRUNCATE api_logs")
        assert (change.table, change.kind) == ("api_logs", TRUNCATE)
        assert (change.rows, change.tenants, change.columns) == (None, None, None)
        (several) = await captured.of(
            captured.writer.execute("TRUNCATE entity_relationships, events_log CASCADE")
        )
        assert {change.table for change in several} == {"entity_relationships", "events_log"}

    async def test_copy(self, captured: Captured) -> None:
        records = [(f"copied{n}", "https://a.example", "GET", 1) for n in range(3)]
        columns = ["id", "url", "method", "expires_at"]
        (change,) = await captured.of(
            captured.writer.copy_records_to_table("api_logs", records=records, columns=columns)
        )
        assert (change.kind, ids(change)) == (INSERT, ["copied0", "copied1", "copied2"])

    async def test_an_upsert_is_both(self, captured: Captured) -> None:
        upsert = (
            "INSERT INTO api_logs (id, url, method, expires_at) SELECT 'upsert' || n, 'u', 'GET', 1 "
            "FROM unnest($1::integer[]) n ON CONFLICT (id) DO UPDATE SET duration_ms = 5"
        )
        inserted = await captured.one(upsert, [1])
        assert (inserted.kind, ids(inserted)) == (INSERT, ["upsert1"])
        updated = await captured.one(upsert, [1])
        assert (updated.kind, ids(updated)) == (UPDATE, ["upsert1"])
        both = await captured.of(captured.writer.execute(upsert.replace("5", "6"), [1, 2, 3]))
        assert {change.kind: ids(change) for change in both} == {
            INSERT: ["upsert2", "upsert3"],
            UPDATE: ["upsert1"],
        }

    async def test_merge(self, captured: Captured) -> None:
        await captured.of(
            captured.writer.execute("INSERT INTO integrations VALUES ('m1', '', '', '', '{a}')")
        )
        await captured.of(captured.writer.execute("INSERT INTO integrations VALUES ('m2', '', '', '', '{}')"))
        changes = await captured.of(
            captured.writer.execute("""
                MERGE INTO integrations i USING (VALUES ('m1'), ('m2'), ('m3')) given (id) ON i.id = given.id
                WHEN MATCHED AND i.id = 'm1' THEN UPDATE SET supported_types = '{a,"b,c"}'
                WHEN MATCHED THEN DELETE
                WHEN NOT MATCHED THEN INSERT (id, name, description, category) VALUES (given.id, '', '', '')
            """)
        )
        told = {change.kind: change for change in changes}
        assert {kind: ids(change) for kind, change in told.items()} == {
            INSERT: ["m3"],
            UPDATE: ["m1"],
            DELETE: ["m2"],
        }
        assert told[UPDATE].rows is not None
        (row,) = told[UPDATE].rows
        assert row.before is not None
        assert row.after is not None
        assert (row.before["supported_types"], row.after["supported_types"]) == (["a"], ["a", "b,c"])

    async def test_cascades(self, captured: Captured) -> None:
        await captured.agents("cascade", 2)
        await captured.writer.execute(
            "INSERT INTO health_checks (id, tenant_id, resource_type, resource_id) "
            "SELECT 'of-' || id, tenant_id, 'agent', id FROM agents WHERE id LIKE 'cascade%'"
        )
        changes = await captured.of(captured.writer.execute("DELETE FROM agents WHERE id LIKE 'cascade%'"))
        checks = sorted(row for change in changes if change.table == "health_checks" for row in ids(change))
        assert checks == ["of-cascade1", "of-cascade2"]
        (agents,) = (change for change in changes if change.table == "agents")
        assert ids(agents) == ["cascade1", "cascade2"]

    async def test_a_cascade_of_an_id(self, captured: Captured) -> None:
        """An invitation is taken up: what the person did goes by the new id."""
        role, tenant = captured.mine["roles"], captured.mine["tenants"]
        writer = captured.writer
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
        changes = await captured.of(writer.execute("UPDATE users SET id = 'subject' WHERE id = 'i'"))
        told = {change.table: change for change in changes}
        assert ids(told["users"]) == ["i", "subject"]
        assert told["audit_log"].rows is not None
        (row,) = told["audit_log"].rows
        assert (row.id, row.columns) == ("by-i", {"user_id"})

    async def test_what_is_rolled_back_leaves_nothing(self, captured: Captured) -> None:
        async def roll_back() -> None:
            transaction = captured.writer.transaction()
            await transaction.start()
            await captured.writer.execute("UPDATE sites SET name = 'never'")
            await transaction.rollback()

        assert await captured.of(roll_back()) == []

    async def test_what_is_rolled_back_in_part(self, captured: Captured) -> None:
        async def roll_back_in_part() -> None:
            async with captured.writer.transaction():
                await captured.writer.execute("UPDATE sites SET name = 'kept'")
                savepoint = captured.writer.transaction()
                await savepoint.start()
                await captured.writer.execute("UPDATE sites SET slug = 'never'")
                await savepoint.rollback()
                async with captured.writer.transaction():
                    await captured.writer.execute("UPDATE sites SET name = 'kept, too'")

        changes = await captured.of(roll_back_in_part())
        assert [row.columns for change in changes for row in change.rows or ()] == [{"name"}, {"name"}]
        assert len({change.xid for change in changes}) == 1


class TestManyRows:
    async def test_over_some_hundred_whose_and_which_columns(self, captured: Captured) -> None:
        (came,) = await captured.entities("many", 301)
        assert (came.kind, came.rows, came.tenants, came.columns) == (
            INSERT,
            None,
            {captured.mine["tenants"]},
            None,
        )
        changed = await captured.one(
            "UPDATE entities SET data_hash = 'x', updated_at = 5 WHERE id LIKE 'many%'"
        )
        assert (changed.rows, changed.tenants) == (None, {captured.mine["tenants"]})
        assert changed.columns == {"data_hash", "updated_at"}
        statement = "UPDATE entities SET data_hash = 'x' WHERE id LIKE 'many%'"
        assert await captured.of(captured.writer.execute(statement)) == []
        gone = await captured.one("DELETE FROM entities WHERE id LIKE 'many%'")
        assert (gone.kind, gone.rows, gone.tenants) == (DELETE, None, {captured.mine["tenants"]})

    async def test_over_ten_thousand_whose_only(self, captured: Captured) -> None:
        await captured.entities("more", 10_001)
        change = await captured.one("UPDATE entities SET data_hash = 'y' WHERE id LIKE 'more%'")
        assert (change.rows, change.tenants, change.columns) == (None, {captured.mine["tenants"]}, None)
        await captured.writer.execute("DELETE FROM entities WHERE id LIKE 'more%'")

    async def test_ids_that_change_in_many_rows(self, captured: Captured) -> None:
        await captured.entities("renamed", 301)
        change = await captured.one("UPDATE entities SET id = 'new-' || id WHERE id LIKE 'renamed%'")
        assert change.columns is not None
        assert change.columns >= {"id", "data_hash", "raw_data"}
        await captured.writer.execute("DELETE FROM entities WHERE id LIKE 'new-renamed%'")

    @pytest.mark.parametrize(("tenants", "told"), [(100, 100), (101, None)])
    async def test_of_many_tenants_it_is_anybodys(
        self, captured: Captured, tenants: int, told: int | None
    ) -> None:
        prefix = f"tenants{tenants}-"
        insert = "INSERT INTO tenants (id, name) SELECT $1 || n, '' FROM generate_series(1, $2::integer) n"
        await captured.writer.execute(insert, prefix, tenants)
        add = (
            "INSERT INTO sites (tenant_id, name, slug) SELECT $1 || (n % $2::integer + 1), '', n::text "
            "FROM generate_series(1, 400) n"
        )
        for statement in (add, "UPDATE sites SET name = 'x' WHERE tenant_id LIKE $1 || '%' AND $2 > 0"):
            change = await captured.one(statement, prefix, tenants)
            assert change.rows is None
            assert (change.tenants and len(change.tenants)) == told

    async def test_rows_without_a_tenant(self, captured: Captured) -> None:
        await captured.writer.execute(
            "INSERT INTO roles (name, description) SELECT 'role' || n, '' FROM generate_series(1, 301) n"
        )
        change = await captured.one("UPDATE roles SET description = 'x'")
        assert (change.tenants, change.columns) == ({None, captured.mine["tenants"]}, {"description"})
        row = await captured.row("UPDATE roles SET name = 'x' WHERE name = 'role5'")
        assert row.after is not None
        assert row.after["tenant_id"] is None

    async def test_tables_without_tenants(self, captured: Captured) -> None:
        change = await captured.one(
            "INSERT INTO api_logs (url, method, expires_at) SELECT '', '', 1 FROM generate_series(1, 301)"
        )
        assert (change.rows, change.tenants) == (None, None)

    @pytest.mark.parametrize("rows", [301, 1000])
    async def test_agents_and_health_checks_are_told_one_by_one(self, captured: Captured, rows: int) -> None:
        """The event streams need each."""
        prefix = f"each{rows}-"
        wanted = sorted(f"{prefix}{n}" for n in range(1, rows + 1))
        came = await captured.agents(prefix, rows)
        assert sorted(row for change in came for row in ids(change)) == wanted
        assert max(len(ids(change)) for change in came) <= 300
        checkin = "UPDATE agents SET last_checkin_at = 5 WHERE id LIKE $1"
        changes = await captured.of(captured.writer.execute(checkin, f"{prefix}%"))
        assert sorted(row for change in changes for row in ids(change)) == wanted
        changes = await captured.of(
            captured.writer.execute(
                "INSERT INTO health_checks (id, tenant_id, resource_type, resource_id) "
                "SELECT id, tenant_id, 'agent', id FROM agents WHERE id LIKE $1",
                f"{prefix}%",
            )
        )
        assert sorted(row for change in changes for row in ids(change)) == wanted
        changes = await captured.of(captured.writer.execute("UPDATE health_checks SET status = 'down'"))
        assert {row for change in changes for row in ids(change)} >= set(wanted)


class TestWriters:
    async def test_in_the_role_of_a_replica(self, cluster: ThrowawayCluster, captured: Captured) -> None:
        """Other triggers do not fire then; a row may even change its tenant."""
        name = await captured.reader.fetchval("SELECT current_database()")
        async with connected(cluster.dsn(name, "postgres")) as writer:
            await writer.execute("SET session_replication_role = replica")
            await captured.of(writer.execute("INSERT INTO tenants (id, name) VALUES ('elsewhere', '')"))
            update = "UPDATE entities SET tenant_id = 'elsewhere' WHERE id = $1"
            (change,) = await captured.of(writer.execute(update, captured.mine["entities"]))
            assert change.rows is not None
            (row,) = change.rows
            assert row.before is not None
            assert row.after is not None
            assert (row.before["tenant_id"], row.after["tenant_id"]) == (
                captured.mine["tenants"],
                "elsewhere",
            )
            await writer.execute(
                update.replace("'elsewhere'", "$2"), captured.mine["entities"], captured.mine["tenants"]
            )

    async def test_whatever_the_writer_has_set(self, captured: Captured) -> None:
        """A search path with a false operator and a false table in it, another time zone, other isolation."""
        async with connected(captured.dsn) as writer:
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
            (change,) = await captured.of(
                writer.execute("UPDATE sites SET updated_at = 77 WHERE slug LIKE 'main'")
            )
            assert change.rows is not None
            assert [row.columns for row in change.rows] == [{"updated_at"}]
            await writer.execute("DROP SCHEMA odd CASCADE")

    async def test_bulk_after_a_single_row_in_one_session(self, captured: Captured) -> None:
        """Plans are kept: the one of a single row must not serve ten thousand, nor the other way round."""
        await captured.agents("bulk", 5_000)
        async with connected(captured.dsn) as writer:
            await writer.execute("SET statement_timeout = '20s'")
            for statement in (
                "UPDATE agents SET version = '2' WHERE id = 'bulk1'",
                "UPDATE agents SET version = '3'",
            ):
                assert await captured.of(writer.execute(statement))
        await captured.writer.execute("DELETE FROM agents WHERE id LIKE 'bulk%'")


class TestAccess:
    """In both modes: under a role of their own requests have no right; the forced owner sees nothing."""

    @pytest_asyncio.fixture
    async def request_connection(self, filled: Filled) -> AsyncIterator[asyncpg.Connection]:
        async with connected(filled.dsn) as connection:
            if filled.mode is RoleMode.ROLE:
                await connection.execute("SET ROLE msp_request")
            await connection.execute("SELECT set_config('app.tenant_id', $1, false)", filled.mine["tenants"])
            yield connection

    async def test_requests_write_the_log(
        self, filled: Filled, request_connection: asyncpg.Connection
    ) -> None:
        async with connected(filled.dsn) as reader:
            log = await ChangeLog.open(reader)
            moment = await log.now(reader)
            await request_connection.execute("UPDATE sites SET name = 'by a request'")
            delta = await log.since(reader, moment)
        assert delta.complete
        (change,) = delta.changes
        assert ids(change) == [filled.mine["sites"]]

    @pytest.mark.parametrize("table", ["change", "change_0", "change_1", "change_2", "change_3"])
    async def test_requests_do_not_read_it(
        self, filled: Filled, request_connection: asyncpg.Connection, table: str
    ) -> None:
        await request_connection.execute("UPDATE sites SET name = 'a secret'")
        if filled.mode is RoleMode.FORCED:
            assert await request_connection.fetch(f"SELECT * FROM live.{table}") == []  # noqa: S608 - our own
            return
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await request_connection.fetch(f"SELECT * FROM live.{table}")  # noqa: S608 - our own

    async def test_requests_do_not_change_it(
        self, filled: Filled, request_connection: asyncpg.Connection
    ) -> None:
        for statement in ("DELETE FROM live.change", "UPDATE live.change SET shape = 1"):
            try:
                assert (await request_connection.execute(statement)).endswith(" 0")
            except asyncpg.InsufficientPrivilegeError:
                assert filled.mode is RoleMode.ROLE

    async def test_nobody_else_holds_a_right(self, filled: Filled) -> None:
        async with connected(filled.dsn) as connection:
            tables = await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'live'::regnamespace AND relacl IS NOT NULL"
            )
            functions = await connection.fetch(
                "SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) acl "
                "WHERE pronamespace = 'live'::regnamespace AND acl.grantee <> proowner"
            )
            schema = await connection.fetchval("SELECT nspacl FROM pg_namespace WHERE nspname = 'live'")
        assert (tables, functions, schema) == ([], [], None)
