"""The migrations up and down, on an empty and on a filled database, by one server or several."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from tortoise.context import get_current_context

from core.errors import StartupError
from core.settings import Settings
from services import migrations
from services.migrations import LOCK, Pending, downgrade, find_pending, migrate
from tests.clusters import ThrowawayCluster
from tests.sample_rows import SAMPLE_ROWS, insert_tenant_rows

ROOT: Final = Path(__file__).parents[2]
NUMBERS: Final = sorted(
    int(file.name.split("_")[0]) for file in (ROOT / "migrations" / "models").glob("[0-9]*.py")
)
COUNT: Final = len(NUMBERS)
POLICIES: Final = 6
"""The step with the policies that the role of requests needs. Reverting it removes the grants."""

SCHEMA: Final = """
    SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
           a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    UNION ALL
    SELECT 'table', relname, relrowsecurity::text, relforcerowsecurity::text,
           (SELECT string_agg(grantee::regrole || ' ' || privilege_type, ',' ORDER BY 1)
            FROM aclexplode(relacl) WHERE grantee <> relowner), '', '', ''
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL
    SELECT 'index', indexname, indexdef, '', '', '', '', '' FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'constraint', conname, conrelid::regclass::text, pg_get_constraintdef(oid), '', '', '', ''
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT 'policy', policyname, tablename, permissive, cmd, qual, with_check, roles::text FROM pg_policies
    UNION ALL
    SELECT 'trigger', tgname, pg_get_triggerdef(oid), '', '', '', '', '' FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function', oid::regprocedure::text, pg_get_functiondef(oid), '', '', '', '', ''
    FROM pg_proc WHERE pronamespace IN (to_regnamespace('app'), to_regnamespace('live'))
"""

MADE_BY: Final = {
    "issued_credentials": 14,
    "site_enrollment_rules": 14,
    "legacy_agents": 22,
    "job_attempts": 27,
    "job_progress": 27,
}
"""Tables in addition to the 21, and the steps that create them. Reverting those steps loses the rows."""


@asynccontextmanager
async def _connect(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _read_schema(dsn: str) -> set[tuple[str | None, ...]]:
    async with _connect(dsn) as connection:
        return {tuple(row) for row in await connection.fetch(SCHEMA)}


async def _read_contents(dsn: str) -> dict[str, list[str]]:
    async with _connect(dsn) as connection:
        query = "SELECT to_jsonb(t)::text FROM {} t ORDER BY 1"
        return {
            table: [row[0] for row in await connection.fetch(query.format(table))] for table in SAMPLE_ROWS
        }


async def _migrate_in_process(dsn: str, role: str = "msp_request") -> tuple[int, str]:
    """Another server's migration: a process of its own, in which a warning is an error."""
    code = (
        "import asyncio, sys; from core.settings import Settings; from services.migrations import migrate; "
        "asyncio.run(migrate(sys.argv[1], Settings(request_role=sys.argv[2])))"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", code, dsn, role),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


class TestMigrate:
    async def test_migrate_empty_database_applies_every_step(
        self, empty_database_url: str, settings: Settings
    ) -> None:
        assert await find_pending(empty_database_url) is Pending.BEHIND
        applied = await migrate(empty_database_url, settings)
        assert [int(version.split("_")[0]) for version in applied] == NUMBERS
        assert await find_pending(empty_database_url) is Pending.UP_TO_DATE
        async with _connect(empty_database_url) as connection:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert {row[0] for row in tables} == {*SAMPLE_ROWS, "aerich"}

    async def test_migrate_again_changes_nothing(self, database_url: str, settings: Settings) -> None:
        before = await _read_schema(database_url)
        assert await migrate(database_url, settings) == []
        assert await _read_schema(database_url) == before

    async def test_migrate_partly_migrated_database_applies_the_rest(
        self, database_url: str, settings: Settings
    ) -> None:
        before = await _read_schema(database_url)
        await downgrade(database_url, 4)
        assert await find_pending(database_url) is Pending.BEHIND
        assert len(await migrate(database_url, settings)) == COUNT - 4
        assert await _read_schema(database_url) == before

    async def test_migrate_two_databases_leaves_no_context_or_environment(
        self, empty_database_url: str, database_url: str, settings: Settings
    ) -> None:
        """Two databases in one process, in a running loop. No context and no environment remains."""
        environment = dict(os.environ)
        await migrate(database_url, settings)
        assert len(await migrate(empty_database_url, settings)) == COUNT
        assert get_current_context() is None
        assert dict(os.environ) == environment


class TestDowngrade:
    async def test_downgrade_to_nothing_and_migrate_restores_the_schema(
        self, database_url: str, settings: Settings
    ) -> None:
        before = await _read_schema(database_url)
        taken_back = await downgrade(database_url, 0)
        assert [int(version.split("_")[0]) for version in taken_back] == NUMBERS[::-1]
        async with _connect(database_url) as connection:
            assert await connection.fetchval("SELECT to_regnamespace('app') IS NULL")
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            assert [row[0] for row in tables] == ["aerich"]
            assert await connection.fetchval("SELECT count(*) FROM aerich") == 0
            assert (
                await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = 'msp_request'") == 1
            )
        assert len(await migrate(database_url, settings)) == COUNT
        assert await _read_schema(database_url) == before

    @pytest.mark.newest
    @pytest.mark.parametrize("version", NUMBERS[1:])
    async def test_downgrade_to_each_step_and_migrate_keeps_the_rows(
        self, database_url: str, settings: Settings, version: int
    ) -> None:
        """Every step leaves the rows as they are, except for the steps that create tables."""
        async with _connect(database_url) as connection:
            await insert_tenant_rows(connection, "mine")
            await insert_tenant_rows(connection, "theirs")
        rows, schema = await _read_contents(database_url), await _read_schema(database_url)
        await downgrade(database_url, version)
        await migrate(database_url, settings)
        lost: dict[str, list[str]] = {table: [] for table, made_by in MADE_BY.items() if version <= made_by}
        assert await _read_contents(database_url) == rows | lost
        assert await _read_schema(database_url) == schema

    @pytest.mark.newest
    @pytest.mark.parametrize("version", NUMBERS[1:])
    async def test_downgrade_below_a_step_equals_migrating_up_to_it(
        self,
        database_url: str,
        empty_database_url: str,
        settings: Settings,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        version: int,
    ) -> None:
        """Down from the newest to below a step gives the same as up from nothing to there."""
        await downgrade(database_url, version)
        (tmp_path / "models").mkdir()
        for file in (ROOT / "migrations" / "models").glob("[0-9]*.py"):
            if int(file.name.split("_")[0]) < version:
                shutil.copy(file, tmp_path / "models")
        monkeypatch.setattr(migrations, "LOCATION", tmp_path)
        if version > POLICIES:
            await migrate(empty_database_url, settings)
        else:
            await migrations._run_upgrade(empty_database_url)
        assert await _read_schema(database_url) == await _read_schema(empty_database_url)

    async def test_downgrade_filled_database_to_nothing_drops_the_rows(
        self, database_url: str, settings: Settings
    ) -> None:
        async with _connect(database_url) as connection:
            await insert_tenant_rows(connection, "mine")
        await downgrade(database_url, 0)
        await migrate(database_url, settings)
        assert set(map(len, (await _read_contents(database_url)).values())) == {0}


class TestConcurrency:
    async def test_migrate_by_concurrent_servers_applies_each_step_once(
        self, empty_database_url: str
    ) -> None:
        ended = await asyncio.gather(*(_migrate_in_process(empty_database_url) for _ in range(3)))
        assert ended == [(0, "")] * 3
        async with _connect(empty_database_url) as connection:
            versions = await connection.fetch("SELECT version FROM aerich")
        assert len(versions) == len({row[0] for row in versions}) == COUNT

    async def test_migrate_concurrent_databases_of_one_cluster_share_the_role(
        self, cluster: ThrowawayCluster
    ) -> None:
        """The role is new to the cluster, and each of the servers finds it missing."""
        names = [await cluster.create_database() for _ in range(3)]
        role = f"msp_{names[0]}_shared"
        ended = await asyncio.gather(*(_migrate_in_process(cluster.build_dsn(name), role) for name in names))
        for name in names:
            async with _connect(cluster.build_dsn(name)) as connection:
                assert await connection.fetchval("SELECT has_table_privilege($1, 'sites', 'SELECT')", role)
            await cluster.drop_database(name)
        assert ended == [(0, "")] * 3

    async def test_migrate_while_another_runs_waits(
        self, empty_database_url: str, settings: Settings
    ) -> None:
        async with _connect(empty_database_url) as first:
            await first.execute("SELECT pg_advisory_lock($1)", LOCK)
            second = asyncio.create_task(migrate(empty_database_url, settings))
            await asyncio.sleep(0.3)
            assert not second.done()
            query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            assert await first.fetchval(query) == 0
            await first.execute("SELECT pg_advisory_unlock($1)", LOCK)
            assert len(await second) == COUNT

    async def test_migrate_after_waiting_too_long_is_refused(
        self, empty_database_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(migrations, "MIGRATION_LOCK_WAIT_S", 0.15)
        async with _connect(empty_database_url) as first:
            await first.execute("SELECT pg_advisory_lock($1)", LOCK)
            with pytest.raises(StartupError, match="too long"):
                await migrate(empty_database_url, settings)


class TestRefusals:
    async def test_migrate_database_newer_than_the_code_is_refused(
        self, database_url: str, settings: Settings
    ) -> None:
        async with _connect(database_url) as connection:
            await connection.execute(
                "INSERT INTO aerich (version, app, content) VALUES ('99_20990101000000_more.py', 'models', '{}')"
            )
        assert await find_pending(database_url) is Pending.NEWER
        with pytest.raises(StartupError, match="newer"):
            await migrate(database_url, settings)

    async def test_migrate_missing_database_is_refused(
        self, cluster: ThrowawayCluster, settings: Settings
    ) -> None:
        for ask in (
            find_pending(cluster.build_dsn("nowhere")),
            migrate(cluster.build_dsn("nowhere"), settings),
        ):
            with pytest.raises(StartupError, match="is unreachable"):
                await ask

    async def test_migrate_unreachable_server_is_refused_without_password(self, settings: Settings) -> None:
        for dsn in ("postgresql:///msp?host=/nowhere", "postgresql://msp:hunter2@127.0.0.1:1/msp"):
            with pytest.raises(StartupError, match="is unreachable") as refused:
                await migrate(dsn, settings)
            assert "\n" not in str(refused.value)
            assert "hunter2" not in str(refused.value)

    async def test_migrate_latin1_database_is_refused(
        self, cluster: ThrowawayCluster, settings: Settings
    ) -> None:
        async with _connect(cluster.build_dsn("postgres")) as connection:
            await connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        with pytest.raises(StartupError, match="LATIN1"):
            await migrate(cluster.build_dsn("latin"), settings)
        await cluster.drop_database("latin")


class TestDrift:
    async def _run_check(self, root: Path) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "services.migrations", "--check"),
            cwd=root,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def test_migrations_check_of_unchanged_models_succeeds(self) -> None:
        assert await self._run_check(ROOT) == (0, "")

    async def test_migrations_check_of_new_column_fails(self, tmp_path: Path) -> None:
        for part in ("core", "models", "migrations", "services"):
            shutil.copytree(ROOT / part, tmp_path / part)
        model = tmp_path / "models" / "core.py"
        text = model.read_text()
        model.write_text(
            text.replace("    slug = ", '    nickname = columns.Text(description="x")\n    slug = ')
        )
        status, output = await self._run_check(tmp_path)
        assert status == 1
        assert output == "There is no migration for the changes to models.Site: run `aerich migrate`\n"
