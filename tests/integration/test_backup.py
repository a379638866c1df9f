"""Backup and restore in both modes of row-level security, within a cluster and across versions, and their faults."""

# ruff: noqa: ASYNC220, ASYNC221, ASYNC240 - the files are small, and nothing else runs on the event loop

import asyncio
import os
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import psutil
import pytest
import pytest_asyncio

from core.database.request_role import RoleMode, find_role_mode
from core.errors import StartupError
from services.activation import is_active
from services.backup import backup as backup_module
from services.backup.backup import back_up
from services.backup.copy_counter import CopyCounter
from services.backup.postgres_tools import ClientConnection, find_tools, split_password
from services.backup.restore import restore_backup
from services.migrations import migrate
from tests.backup_databases import (
    SETTINGS,
    create_empty_database,
    fetch_contents,
    mode,
    new_cluster,
    old_cluster,
    source,
)
from tests.clusters import DEBIAN_15, ThrowawayCluster
from tests.e2e.servers import ROOT, run_command

__all__ = ["mode", "new_cluster", "old_cluster", "source"]  # fixtures

pytestmark = pytest.mark.skipif(not DEBIAN_15.exists(), reason="PostgreSQL 15 is not installed")

WAIT_S: Final = 60

_BLOCKED: Final = """
    SELECT count(*) FROM pg_stat_activity, pg_sleep(0.02)
    WHERE datname = current_database() AND application_name = $1 AND wait_event_type = 'Lock'
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def archive(source: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backup") / "msp.dump"
    await back_up(source, SETTINGS, path)
    return path


async def is_empty(dsn: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        query = "SELECT count(*) = 0 FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        return bool(await connection.fetchval(query))
    finally:
        await connection.close()


async def test_backup_file_is_private_and_has_every_row(archive: Path, source: str) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert [path.name for path in archive.parent.iterdir()] == ["msp.dump"]
    counts = {table: int(text.split()[0]) for table, text in (await fetch_contents(source)).items()}
    found = await backup_module.count_archive_rows(find_tools(15), archive)
    assert {table: found[table] for table in counts} == counts
    assert counts["public.agents"] > 0


async def test_restore_across_versions_gives_every_row_and_is_paused(
    archive: Path, source: str, new_cluster: ThrowawayCluster, mode: RoleMode
) -> None:
    target = await create_empty_database(new_cluster, mode)
    await restore_backup(target, SETTINGS, archive)
    connection = await asyncpg.connect(target)
    assert not await is_active(connection)
    assert await migrate(target, SETTINGS) == []
    assert await fetch_contents(target) == await fetch_contents(source)
    assert await find_role_mode(connection, SETTINGS.request_role) is mode
    assert not await is_active(connection)
    assert await connection.fetchval("SELECT count(*) FROM live.era") == 0
    await connection.close()


async def test_restore_over_existing_rows_is_refused(archive: Path, source: str) -> None:
    before = await fetch_contents(source)
    with pytest.raises(StartupError, match="not empty"):
        await restore_backup(source, SETTINGS, archive)
    assert await fetch_contents(source) == before


async def test_backup_to_existing_file_is_refused(archive: Path, source: str) -> None:
    before = archive.read_bytes()
    with pytest.raises(StartupError, match="exists already"):
        await back_up(source, SETTINGS, archive)
    assert archive.read_bytes() == before


@pytest.mark.parametrize("share", [0.2, 0.9, 0.999])
async def test_restore_of_truncated_backup_leaves_database_empty(
    archive: Path, old_cluster: ThrowawayCluster, mode: RoleMode, tmp_path: Path, share: float
) -> None:
    cut = tmp_path / "cut.dump"
    cut.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * share)])
    target = await create_empty_database(old_cluster, mode)
    with pytest.raises(StartupError, match=r"pg_restore failed|not a backup"):
        await restore_backup(target, SETTINGS, cut)
    assert await is_empty(target)


async def test_restore_into_older_version_is_refused(
    archive: Path,
    old_cluster: ThrowawayCluster,
    new_cluster: ThrowawayCluster,
    mode: RoleMode,
    tmp_path: Path,
) -> None:
    newer = await create_empty_database(new_cluster, mode)
    await restore_backup(newer, SETTINGS, archive)
    await migrate(newer, SETTINGS)
    path = tmp_path / "newer.dump"
    await back_up(newer, SETTINGS, path)
    target = await create_empty_database(old_cluster, mode)
    with pytest.raises(StartupError, match=r"PostgreSQL 18|unsupported version"):
        await restore_backup(target, SETTINGS, path)
    assert await is_empty(target)


async def test_backup_of_database_without_tables_says_that_it_was_never_migrated(
    old_cluster: ThrowawayCluster, mode: RoleMode, tmp_path: Path
) -> None:
    dsn = await create_empty_database(old_cluster, mode)
    done = run_command("backup", tmp_path / "none.dump", DATABASE_URL=dsn)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("The database was never migrated")
    assert list(tmp_path.iterdir()) == []


async def test_backup_of_empty_database_is_refused(
    old_cluster: ThrowawayCluster, mode: RoleMode, tmp_path: Path
) -> None:
    dsn = await create_empty_database(old_cluster, mode)
    await migrate(dsn, SETTINGS)
    with pytest.raises(StartupError, match="no tenants"):
        await back_up(dsn, SETTINGS, tmp_path / "empty.dump")
    assert list(tmp_path.iterdir()) == []


async def test_backup_that_lacks_rows_is_discarded(
    source: str, mode: RoleMode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pg_dump writes it by default where the policies are forced; else with a table left out."""
    options = (*backup_module._DUMP_OPTIONS, "--exclude-table-data=public.sites")
    if mode is RoleMode.FORCED:
        connect = ClientConnection.from_dsn
        monkeypatch.setattr(
            ClientConnection, "from_dsn", lambda dsn, platform: connect(dsn, platform=not platform)
        )
    else:
        monkeypatch.setattr(backup_module, "_DUMP_OPTIONS", options)
    with pytest.raises(StartupError, match=r"lacks rows.*public\.sites 0 of"):
        await back_up(source, SETTINGS, tmp_path / "lacking.dump")
    assert list(tmp_path.iterdir()) == []


async def test_restore_of_other_file_is_refused(
    old_cluster: ThrowawayCluster, mode: RoleMode, tmp_path: Path
) -> None:
    target = await create_empty_database(old_cluster, mode)
    text, other = tmp_path / "text.sql", tmp_path / "other"
    text.write_text("--\n-- PostgreSQL database dump\n--\n")
    other.write_text("PK")
    foreign = tmp_path / "foreign.dump"
    subprocess.run(
        [find_tools(15).path("pg_dump"), "--format=custom", "--file", foreign, "--dbname", target], check=True
    )
    missing = tmp_path / "missing"
    for path, words in ((text, "psql"), (other, "no archive"), (foreign, "before 0.2.0"), (missing, "read")):
        with pytest.raises(StartupError, match=words):
            await restore_backup(target, SETTINGS, path)
    assert await is_empty(target)


def test_missing_programs_are_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="postgresql-client-99"):
        find_tools(99)
    with pytest.raises(StartupError, match="POSTGRES_BIN"):
        find_tools(15, tmp_path)
    assert find_tools(15).version == 15
    assert find_tools(16).version == 18


@pytest.mark.parametrize(
    ("dsn", "uri", "password"),
    [
        ("postgresql://u:p%40s@h:1/d?sslmode=require", "postgresql://u@h:1/d?sslmode=require", "p@s"),
        ("postgresql://u@/d?host=/a b&password=x%26y", "postgresql://u@/d?host=%2Fa%20b", "x&y"),
        ("postgresql:///d", "postgresql:///d", None),
        ("postgresql://u:@h,i/d", "postgresql://u@h,i/d", ""),
    ],
)
def test_password_is_split_from_the_address(dsn: str, uri: str, password: str | None) -> None:
    assert split_password(dsn) == (uri, password)


def test_copy_counter_counts_rows_in_any_chunks() -> None:
    script = (
        b'SET x;\nCOPY public.a (id, "two words") FROM stdin;\n1\tx\n2\tCOPY b FROM stdin;\n\\.\n\nCOPY public.e (i) '
        b'FROM stdin;\n\\.\nCOPY "odd name".t (i) FROM stdin;\n\\\\.\n\\.\nSELECT 1;\n'
    )
    for size in (1, 7, len(script)):
        counter = CopyCounter()
        for at in range(0, len(script), size):
            counter.feed(script[at : at + size])
        assert counter.rows == {"public.a": 2, "public.e": 0, '"odd name".t': 1}
        assert not counter.is_within_table


class TestCommands:
    async def test_killed_backup_leaves_no_file_with_its_name(self, source: str, tmp_path: Path) -> None:
        path = tmp_path / "killed.dump"
        async with block(source, "LOCK live.mark"):
            arguments, children = await kill_command("backup", path, during="pg_dump", dsn=source)
        assert "open-sesame" not in arguments
        assert "pg_dump" in arguments
        assert not path.exists()
        assert not psutil.wait_procs(children, timeout=WAIT_S)[1]
        done = run_command("backup", path, DATABASE_URL=source)  # the leftover does not matter
        assert done.returncode == 0, done.stderr
        assert "SECRET_KEYS" in done.stdout
        assert [each.name for each in tmp_path.iterdir()] == ["killed.dump"]

    async def test_killed_restore_leaves_database_empty(
        self, archive: Path, new_cluster: ThrowawayCluster, mode: RoleMode
    ) -> None:
        target = await create_empty_database(new_cluster, mode)
        async with block(target, "CREATE TABLE public.users ()"):
            arguments, children = await kill_command("restore", archive, during="psql", dsn=target)
        assert "open-sesame" not in arguments
        assert not psutil.wait_procs(children, timeout=WAIT_S)[1]
        await wait_for_sessions(new_cluster, target)
        assert await is_empty(target)
        restored = run_command("restore", archive, DATABASE_URL=target)
        assert restored.returncode == 0, restored.stderr
        assert "paused until" in restored.stdout
        for command, active in (("activate", True), ("pause", False)):
            assert run_command(command, DATABASE_URL=target).returncode == 0
            connection = await asyncpg.connect(target)
            assert await is_active(connection) is active
            await connection.close()


def with_password(dsn: str) -> str:
    return re.sub(r"//(\w+)@", r"//\1:open-sesame@", dsn)


@asynccontextmanager
async def block(dsn: str, statement: str) -> AsyncIterator[None]:
    """A transaction that has run the statement, rolled back at the end of the block. Who conflicts with it waits."""
    connection = await asyncpg.connect(dsn)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(statement)
    try:
        yield
    finally:
        await transaction.rollback()
        await connection.close()


async def kill_command(*arguments: object, during: str, dsn: str) -> tuple[str, list[psutil.Process]]:
    """Kill a command of the server while its program of PostgreSQL waits for the lock of another session.

    Returns:
        The arguments of the command's children, and the children.
    """
    process = subprocess.Popen(
        [sys.executable, "server.py", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": with_password(dsn)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await wait_for_blocked_session(dsn, during)
        children = psutil.Process(process.pid).children(recursive=True)
        return " ".join(map(read_arguments, children)), children
    finally:
        process.kill()
        process.wait()


def read_arguments(process: psutil.Process) -> str:
    """The arguments of a process, or nothing if it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # a zombie is one, too
        return ""


async def wait_for_blocked_session(dsn: str, program: str) -> None:
    """Wait until a session of that program waits for a lock."""
    connection = await asyncpg.connect(dsn)
    async with asyncio.timeout(WAIT_S):
        while not await connection.fetchval(_BLOCKED, program):
            pass
    await connection.close()


async def wait_for_sessions(cluster: ThrowawayCluster, dsn: str) -> None:
    """Wait until no session uses the database."""
    name = dsn.partition("@/")[2].partition("?")[0]
    connection = await asyncpg.connect(cluster.build_dsn("postgres", "postgres"))
    async with asyncio.timeout(WAIT_S):
        while await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity, pg_sleep(0.05) WHERE datname = $1", name
        ):
            pass
    await connection.close()
