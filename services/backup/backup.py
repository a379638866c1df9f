"""The command `backup`: pg_dump on an exported snapshot, verified against the row counts of that snapshot.

    our session   | BEGIN, export snapshot | count rows of each table              | verify | COMMIT
    pg_dump                                  | reads the same snapshot | ends
    FILE.partial                             | written ............... |     | read | renamed to FILE

The archive passes through this process, so pg_dump ends with it. A backup that was interrupted leaves FILE.partial.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, NamedTuple

import asyncpg

from core.database.connecting import open_connection, require_answers
from core.database.request_role import RoleMode, find_role_mode
from core.error_text import format_error_line
from core.errors import FileRefusedError, StartupError
from core.limits import LONG_STATEMENT_S
from core.settings import Settings
from services.backup.copy_counter import CopyCounter
from services.backup.postgres_tools import ClientConnection, PostgresTools, find_tools, run_program

_SESSION_SETTINGS: Final = (
    "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET app.platform = 'on'"
)

_TABLES: Final = """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'app', 'live') AND c.relkind = 'r' AND c.relpersistence = 'p'
      AND NOT (n.nspname = 'live' AND (c.relname ~ '^change' OR c.relname = 'mark'))
    ORDER BY 1
"""

_DUMP_OPTIONS: Final = (
    "--format=custom",
    "--no-password",
    "--no-unlogged-table-data",  # the timeline of the change log, which ends with a copy
    "--exclude-table-data=live.change*",
    "--exclude-table-data=live.mark",
)


class BackupResult(NamedTuple):
    """What a backup has: tables with rows, all rows, and the bytes of the file."""

    tables: int
    rows: int
    size: int


async def back_up(dsn: str, settings: Settings, path: Path) -> BackupResult:
    """Write a backup to a new file that only its owner may read, and verify it.

    Args:
        dsn: The database, not through a transaction pooler.
        settings: The settings, with the request role and the directory of PostgreSQL's programs.
        path: The file. It must not exist.

    Raises:
        StartupError: The file exists, the database is not migrated, has no tenants or cannot be read, or the backup
            lacks rows. No file with the name `path` is left.
    """
    try:
        async with open_connection(dsn, statement_s=LONG_STATEMENT_S) as connection:
            await connection.execute(_SESSION_SETTINGS)
            mode = await find_role_mode(connection, settings.request_role)
            if mode is None:
                raise StartupError(await _explain_unknown_mode(connection))
            tools = find_tools(connection.get_server_version().major, settings.postgres_bin)
            with open_new_file(path) as file:
                return await _write_backup(connection, dsn, tools, mode, file)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"The backup failed: {format_error_line(error)}") from error


async def _explain_unknown_mode(connection: "asyncpg.Connection[asyncpg.Record]") -> str:
    if await connection.fetchval("SELECT to_regclass('public.tenants') IS NULL"):
        return (
            "The database was never migrated, so there is nothing to back up: check DATABASE_URL, or run "
            "`python server.py migrate`."
        )
    return "Row-level security is in no known mode: run `python server.py migrate`."


async def _write_backup(
    connection: "asyncpg.Connection[asyncpg.Record]",
    dsn: str,
    tools: PostgresTools,
    mode: RoleMode,
    file: IO[bytes],
) -> BackupResult:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        counts = await _count_rows(connection)
        if not counts.get("public.tenants"):
            raise StartupError("The database has no tenants, so there is nothing to back up.")
        snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
        client = ClientConnection.from_dsn(dsn, platform=mode is RoleMode.FORCED)
        async with require_answers(dsn):
            await _dump(client, tools, mode, snapshot, file)
    file.flush()
    _compare(counts, await count_archive_rows(tools, Path(file.name)))
    filled = [count for count in counts.values() if count]
    return BackupResult(len(filled), sum(filled), file.tell())


async def _count_rows(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, int]:
    return {
        table: await connection.fetchval(f"SELECT count(*) FROM ONLY {table}")  # noqa: S608 - quoted by PostgreSQL
        for (table,) in await connection.fetch(_TABLES)
    }


async def _dump(
    client: ClientConnection, tools: PostgresTools, mode: RoleMode, snapshot: str, file: IO[bytes]
) -> None:
    # Without --enable-row-security pg_dump refuses tables whose policies apply to it.
    forced = ("--enable-row-security",) if mode is RoleMode.FORCED else ()
    arguments = (*_DUMP_OPTIONS, *forced, f"--snapshot={snapshot}", f"--dbname={client.uri}")
    async with run_program(tools, "pg_dump", *arguments, environment=client.environment) as program:
        while chunk := await program.read():
            file.write(chunk)
        await program.finish()


async def count_archive_rows(tools: PostgresTools, archive: Path) -> dict[str, int]:
    """The rows in a file by table. It reads the whole file.

    Raises:
        StartupError: The file is not whole, or no archive of pg_dump.
    """
    counter = CopyCounter()
    environment = {"LC_ALL": "C"}
    arguments = ("--data-only", "--file=-", str(archive))
    async with run_program(tools, "pg_restore", *arguments, environment=environment) as program:
        while chunk := await program.read():
            counter.feed(chunk)
        await program.finish()
    if counter.is_within_table:
        raise StartupError(f"{archive} ends within the rows of a table.")
    return counter.rows


def _compare(wanted: dict[str, int], found: dict[str, int]) -> None:
    """Compare the rows in the database with those in the file.

    Raises:
        StartupError: They differ.
    """
    wrong = [
        f"{table} {found.get(table, 0)} of {count}"
        for table, count in wanted.items()
        if found.get(table, 0) != count
    ]
    if wrong:
        raise StartupError(f"The backup lacks rows and was discarded: {', '.join(wrong)}.")


@contextmanager
def open_new_file(path: Path) -> Iterator[IO[bytes]]:
    """The file `path`.partial, for its owner alone. It gets its name when the block succeeds, else it is deleted.

    Raises:
        FileRefusedError: `path` exists, or another process writes the same backup.
    """
    partial = path.with_name(f"{path.name}.partial")
    if path.exists():
        raise FileRefusedError(f"{path} exists already.")
    # An opener, because "w" would empty the file of another backup before the lock is known.
    with open(partial, "r+b", opener=_open_private) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FileRefusedError(f"Another backup is being written to {path}.") from None
        os.fchmod(file.fileno(), 0o600)
        file.truncate()
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.link(partial, path)  # unlike a rename, it replaces no file
        finally:
            partial.unlink(missing_ok=True)
    _sync_directory(path.parent)


def _open_private(path: str, _flags: int) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
