"""Commands and background work with a database that does not answer: each wait ends, and says so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from commands import backup
from core.database import connecting, deadlines, orm, watchdog
from core.database.connecting import open_connection, require_answers
from core.database.database import Database
from core.database.deadlines import UnansweredError
from core.errors import StartupError
from core.settings import Settings
from services import activation
from services.backup.postgres_tools import PostgresTools, run_program
from services.catalog import update
from services.imports import command
from services.migrations import downgrade
from services.retention.daily_purge import purge_expired
from services.startup import erase_deleted_person, migrate_database
from tests.clusters import start_throwaway_cluster
from tests.exports.convex import write_snapshot
from tests.import_harness import run_import
from tests.postgres_processes import stopped, stopped_cluster

pytestmark = pytest.mark.newest
SHORT_S: Final = 1.0
UNANSWERED: Final = "PostgreSQL has not answered for"

Connection = asyncpg.Connection
Statement = Callable[[Connection], Awaitable[object]]


async def _copy(connection: Connection) -> None:
    await connection.copy_records_to_table("aerich", records=[(1, "v", "app", "{}")])


async def _read_cursor(connection: Connection) -> None:
    [row async for row in connection.cursor("SELECT 1")]


STATEMENTS: Final[tuple[Statement, ...]] = (
    lambda connection: connection.execute("SELECT 1"),
    lambda connection: connection.fetchval("SELECT $1::int", 1),
    lambda connection: connection.executemany("SELECT $1::int", [(1,)]),
    _copy,
    _read_cursor,
)


@asynccontextmanager
async def locked(dsn: str, table: str, mode: str = "ACCESS EXCLUSIVE") -> AsyncIterator[None]:
    """Another session has this table for itself during the block."""
    session = await asyncpg.connect(dsn)
    try:
        await session.execute(f"BEGIN; LOCK TABLE {table} IN {mode} MODE")
        yield
    finally:
        session.terminate()


async def run_on_stopped_backend(dsn: str, statement: Statement) -> None:
    async with open_connection(dsn, statement_s=3) as connection:
        await connection.transaction().start()
        with stopped([connection.get_server_pid()]), pytest.raises(UnansweredError, match=UNANSWERED):
            await statement(connection)


async def test_statement_of_any_kind_on_a_stopped_backend_ends_at_its_deadline(database_url: str) -> None:
    await asyncio.gather(*(run_on_stopped_backend(database_url, each) for each in STATEMENTS))


async def test_long_statement_goes_on_while_postgresql_answers(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "DATABASE_DEADLINE_S", 0.2)
    async with open_connection(database_url, statement_s=60) as connection:
        assert await connection.fetchval("SELECT 1 FROM pg_sleep(1)") == 1


async def wait_for_program(dsn: str) -> None:
    """A program that never ends, as pg_dump with a PostgreSQL that has stopped."""
    async with (
        require_answers(dsn),
        run_program(PostgresTools(Path("/bin"), 18), "sleep", "600", environment={}) as program,
    ):
        await program.read()


async def test_long_statement_ends_when_postgresql_answers_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "DATABASE_DEADLINE_S", 0.2)
    with start_throwaway_cluster(18) as cluster:
        dsn = cluster.build_dsn("postgres", "postgres")
        async with open_connection(dsn, statement_s=600) as connection:
            monkeypatch.setattr(connecting, "DATABASE_CONNECT_S", 0.2)
            with stopped_cluster(cluster.socket_dir):
                with pytest.raises(UnansweredError, match=UNANSWERED):
                    await connection.fetchval("SELECT 1")
                with pytest.raises(UnansweredError, match="PostgreSQL answers no more"):
                    await wait_for_program(dsn)
                with pytest.raises(StartupError, match="unreachable: PostgreSQL has not answered within"):
                    await migrate_database(dsn, Settings())


async def test_migrate_blocked_at_a_step_fails_with_the_reason(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await downgrade(database_url, 25)
    monkeypatch.setattr(orm, "LONG_STATEMENT_S", SHORT_S)
    async with locked(database_url, "roles"):
        with pytest.raises(StartupError, match=f"The migration of the database failed: {UNANSWERED}"):
            await migrate_database(database_url, Settings())
    monkeypatch.undo()
    assert (await migrate_database(database_url, Settings()))[0].startswith("25_")


async def test_commands_blocked_by_a_lock_fail_with_the_reason(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation, "STATEMENT_TIMEOUT_MS", 300)
    monkeypatch.setattr(update, "STATEMENT_TIMEOUT_MS", 300)
    monkeypatch.setattr("services.startup.LONG_STATEMENT_S", SHORT_S)
    async with locked(database_url, "app.installation"):
        with pytest.raises(StartupError, match=r"^Nothing was changed: .*statement timeout"):
            await backup._set_active(database_url, active=True)
    async with locked(database_url, "integrations, users", "EXCLUSIVE"):
        with pytest.raises(StartupError, match=r"^The catalog cannot be .*(took longer|timeout)"):
            await migrate_database(database_url, Settings())
        with pytest.raises(StartupError, match=f"^No person was erased: {UNANSWERED}"):
            await erase_deleted_person(database_url, "user_2abc")


async def test_import_blocked_by_a_lock_fails_with_the_reason(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "LONG_STATEMENT_S", SHORT_S)
    stamps = {"created_at": 1_700_000_000_000, "updated_at": 1_700_000_000_000}
    tenant = {"id": "tenant-1", "name": "One", "status": "active", **stamps}
    path = write_snapshot(tmp_path / "snapshot.zip", {"tenants": [tenant]})
    async with locked(database_url, "tenants"):
        with pytest.raises(StartupError, match=f"^The import .*: {UNANSWERED}"):
            await run_import(database_url, path)


def shorten_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the watchdog throw connections away after a second. Connect before: that may take longer."""
    monkeypatch.setattr(watchdog, "DATABASE_DEADLINE_S", SHORT_S)
    monkeypatch.setattr(watchdog, "DATABASE_WATCH_S", 0.1)


async def test_clean_up_longer_than_the_deadline_of_requests_ends_as_usual(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_connection(database_url) as owner:
        await owner.execute(
            "INSERT INTO api_logs (url, method, expires_at) VALUES ('u', 'GET', 1);"
            "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(2.5); RETURN OLD; END $$;"
            "CREATE TRIGGER wait BEFORE DELETE ON api_logs FOR EACH ROW EXECUTE FUNCTION public.wait()"
        )
    database = await Database.connect(database_url, Settings())
    shorten_watch(monkeypatch)
    result = await purge_expired(database)
    assert result is not None
    assert (result.logs, database.deadlines_expired) == (1, 0)
    await database.close()


async def test_deadlines_of_separate_pools_are_counted(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await Database.connect(database_url, Settings())
    separate = await database.open_separate_pool(1)
    async with separate.pool.acquire() as connection:
        shorten_watch(monkeypatch)
        with stopped([connection.get_server_pid()]), pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await connection.fetchval("SELECT 1")
    assert database.deadlines_expired == 1
    separate.terminate()
    await database.close()
