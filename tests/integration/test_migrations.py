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
from services.migrations import LOCK, Pending, downgrade, migrate, pending
from tests.clusters import ThrowawayCluster
from tests.rows import ROWS, write_tenant

ROOT: Final = Path(__file__).parents[2]
NUMBERS: Final = sorted(
    int(file.name.split("_")[0]) for file in (ROOT / "migrations" / "models").glob("[0-9]*.py")
)
COUNT: Final = len(NUMBERS)
POLICIES: Final = 6
"""The step whose policies the role of requests needs, and with which its grants go."""

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


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _schema(dsn: str) -> set[tuple[str | None, ...]]:
    async with _connected(dsn) as connection:
        return {tuple(row) for row in await connection.fetch(SCHEMA)}


async def _contents(dsn: str) -> dict[str, list[str]]:
    async with _connected(dsn) as connection:
        query = "SELECT to_jsonb(t)::text FROM {} t ORDER BY 1"
        return {table: [row[0] for row in await connection.fetch(query.format(table))] for table in ROWS}


async def _migrating_process(dsn: str, role: str = "msp_request") -> tuple[int, str]:
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


class TestUp:
    async def test_an_empty_database(self, empty_database_url: str, settings: Settings) -> None:
        assert await pending(empty_database_url) is Pending.BEHIND
        applied = await migrate(empty_database_url, settings)
        assert [int(version.split("_")[0]) for version in applied] == NUMBERS
        assert await pending(empty_database_url) is Pending.UP_TO_DATE
        async with _connected(empty_database_url) as connection:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        assert {row[0] for row in tables} == {*ROWS, "aerich"}

    async def test_again_changes_nothing(self, database_url: str, settings: Settings) -> None:
        before = await _schema(database_url)
        assert await migrate(database_url, settings) == []
        assert await _schema(database_url) == before

    async def test_a_part_is_completed(self, database_url: str, settings: Settings) -> None:
        before = await _schema(database_url)
        await downgrade(database_url, 4)
        assert await pending(database_url) is Pending.BEHIND
        assert len(await migrate(database_url, settings)) == COUNT - 4
        assert await _schema(database_url) == before

    async def test_nothing_of_aerich_or_tortoise_stays_behind(
        self, empty_database_url: str, database_url: str, settings: Settings
    ) -> None:
        """Two databases in one process, under a running loop; no context, no environment is left."""
        environment = dict(os.environ)
        await migrate(database_url, settings)
        assert len(await migrate(empty_database_url, settings)) == COUNT
        assert get_current_context() is None
        assert dict(os.environ) == environment


class TestDown:
    async def test_to_nothing_and_up_again(self, database_url: str, settings: Settings) -> None:
        before = await _schema(database_url)
        taken_back = await downgrade(database_url, 0)
        assert [int(version.split("_")[0]) for version in taken_back] == NUMBERS[::-1]
        async with _connected(database_url) as connection:
            assert await connection.fetchval("SELECT to_regnamespace('app') IS NULL")
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            assert [row[0] for row in tables] == ["aerich"]
            assert await connection.fetchval("SELECT count(*) FROM aerich") == 0
            assert (
                await connection.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = 'msp_request'") == 1
            )
        assert len(await migrate(database_url, settings)) == COUNT
        assert await _schema(database_url) == before

    @pytest.mark.parametrize("version", NUMBERS[1:])
    async def test_a_filled_database_down_to_each_step_and_up(
        self, database_url: str, settings: Settings, version: int
    ) -> None:
        """But for the first, which makes the tables, every step leaves the rows as they are."""
        async with _connected(database_url) as connection:
            await write_tenant(connection, "mine")
            await write_tenant(connection, "theirs")
        rows, schema = await _contents(database_url), await _schema(database_url)
        await downgrade(database_url, version)
        await migrate(database_url, settings)
        assert await _contents(database_url) == rows
        assert await _schema(database_url) == schema

    @pytest.mark.parametrize("version", NUMBERS[1:])
    async def test_a_step_taken_back_leaves_nothing(
        self,
        database_url: str,
        empty_database_url: str,
        settings: Settings,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        version: int,
    ) -> None:
        """Down from the top to below a step is the same as up from nothing to there."""
        await downgrade(database_url, version)
        (tmp_path / "models").mkdir()
        for file in (ROOT / "migrations" / "models").glob("[0-9]*.py"):
            if int(file.name.split("_")[0]) < version:
                shutil.copy(file, tmp_path / "models")
        monkeypatch.setattr(migrations, "LOCATION", tmp_path)
        if version > POLICIES:
            await migrate(empty_database_url, settings)
        else:
            await migrations._upgrade(empty_database_url)
        assert await _schema(database_url) == await _schema(empty_database_url)

    async def test_a_filled_database_down_to_nothing(self, database_url: str, settings: Settings) -> None:
        async with _connected(database_url) as connection:
            await write_tenant(connection, "mine")
        await downgrade(database_url, 0)
        await migrate(database_url, settings)
        assert set(map(len, (await _contents(database_url)).values())) == {0}


class TestTogether:
    async def test_servers_that_start_at_once(self, empty_database_url: str) -> None:
        ended = await asyncio.gather(*(_migrating_process(empty_database_url) for _ in range(3)))
        assert ended == [(0, "")] * 3
        async with _connected(empty_database_url) as connection:
            versions = await connection.fetch("SELECT version FROM aerich")
        assert len(versions) == len({row[0] for row in versions}) == COUNT

    async def test_databases_of_one_cluster_share_the_role(self, cluster: ThrowawayCluster) -> None:
        """The role is new to the cluster, and each of the servers finds it missing."""
        names = [await cluster.create() for _ in range(3)]
        role = f"msp_{names[0]}_shared"
        ended = await asyncio.gather(*(_migrating_process(cluster.dsn(name), role) for name in names))
        for name in names:
            async with _connected(cluster.dsn(name)) as connection:
                assert await connection.fetchval("SELECT has_table_privilege($1, 'sites', 'SELECT')", role)
            await cluster.drop(name)
        assert ended == [(0, "")] * 3

    async def test_who_comes_second_waits(self, empty_database_url: str, settings: Settings) -> None:
        async with _connected(empty_database_url) as first:
            await first.execute("SELECT pg_advisory_lock($1)", LOCK)
            second = asyncio.create_task(migrate(empty_database_url, settings))
            await asyncio.sleep(0.3)
            assert not second.done()
            query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            assert await first.fetchval(query) == 0
            await first.execute("SELECT pg_advisory_unlock($1)", LOCK)
            assert len(await second) == COUNT

    async def test_who_waits_too_long_says_so(
        self, empty_database_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(migrations, "MIGRATION_LOCK_WAIT_S", 0.15)
        async with _connected(empty_database_url) as first:
            await first.execute("SELECT pg_advisory_lock($1)", LOCK)
            with pytest.raises(StartupError, match="too long"):
                await migrate(empty_database_url, settings)


class TestRefusals:
    async def test_a_database_newer_than_the_code(self, database_url: str, settings: Settings) -> None:
        async with _connected(database_url) as connection:
            await connection.execute(
                "INSERT INTO aerich (version, app, content) VALUES ('99_20990101000000_more.py', 'models', '{}')"
            )
        assert await pending(database_url) is Pending.NEWER
        with pytest.raises(StartupError, match="newer"):
            await migrate(database_url, settings)

    async def test_a_database_that_is_not_there(self, cluster: ThrowawayCluster, settings: Settings) -> None:
        for ask in (pending(cluster.dsn("nowhere")), migrate(cluster.dsn("nowhere"), settings)):
            with pytest.raises(StartupError, match="cannot be reached"):
                await ask

    async def test_a_server_that_is_not_there(self, settings: Settings) -> None:
        for dsn in ("postgresql:///msp?host=/nowhere", "postgresql://msp:hunter2@127.0.0.1:1/msp"):
            with pytest.raises(StartupError, match="cannot be reached") as refused:
                await migrate(dsn, settings)
            assert "\n" not in str(refused.value)
            assert "hunter2" not in str(refused.value)

    async def test_an_encoding_without_unicode(self, cluster: ThrowawayCluster, settings: Settings) -> None:
        async with _connected(cluster.dsn("postgres")) as connection:
            await connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        with pytest.raises(StartupError, match="LATIN1"):
            await migrate(cluster.dsn("latin"), settings)
        await cluster.drop("latin")


class TestDrift:
    async def _check(self, root: Path) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "services.migrations", "--check"),
            cwd=root,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def test_the_models_are_as_the_newest_migration_left_them(self) -> None:
        assert await self._check(ROOT) == (0, "")

    async def test_a_new_column_without_migration(self, tmp_path: Path) -> None:
        for part in ("core", "models", "migrations", "services"):
            shutil.copytree(ROOT / part, tmp_path / part)
        model = tmp_path / "models" / "core.py"
        text = model.read_text()
        model.write_text(
            text.replace("    slug = ", '    nickname = columns.Text(description="x")\n    slug = ')
        )
        status, output = await self._check(tmp_path)
        assert status == 1
        assert output == "No migration for the changes to models.Site: run `aerich migrate`\n"
