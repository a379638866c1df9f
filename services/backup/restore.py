"""The command `restore`: a backup into an empty database, in one transaction that also pauses and verifies the copy.

    pg_restore  | script of the archive |
    this process   passes it on, counts rows     | pause, compare counts, COMMIT
    psql             | BEGIN, runs the script ............................. | ends

The script passes through this process. If this process dies, psql gets no COMMIT, and the database stays empty.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg

from core.database.connecting import open_connection, require_answers
from core.error_text import format_error_line
from core.errors import FileRefusedError, StartupError
from core.limits import LONG_STATEMENT_S
from core.settings import Settings
from services.backup.copy_counter import CopyCounter
from services.backup.postgres_tools import ClientConnection, PostgresTools, Program, find_tools, run_program
from services.migrations import acquire_migration_lock, open_session

_MAGIC: Final = b"PGDMP"
_PLAIN: Final = b"--"

_IS_EMPTY: Final = """
    SELECT to_regnamespace('app') IS NULL AND to_regnamespace('live') IS NULL AND NOT EXISTS (
        SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
    )
"""

_UNICODE_COLLATION: Final = """
    SELECT quote_ident(collname) FROM pg_collation
    WHERE collnamespace = 'pg_catalog'::regnamespace
      AND collencoding IN (-1, (SELECT encoding FROM pg_database WHERE datname = current_database()))
      AND collname IN ('pg_c_utf8', 'und-x-icu', 'C.utf8', 'C.UTF-8')
    ORDER BY array_position(ARRAY['pg_c_utf8', 'und-x-icu', 'C.utf8', 'C.UTF-8'], collname::text)
    LIMIT 1
"""
"""The collation that migration 1 takes for `app.fold`. Not every PostgreSQL is built with ICU."""

_COLLATION: Final = re.compile(rb'COLLATE (?:pg_catalog\.)?(?:"und-x-icu"|pg_c_utf8|"C\.utf8"|"C\.UTF-8")')
_FIRST_ROWS: Final = b"\nCOPY "

_PAUSE: Final = """
SET row_security = on;
SET app.platform = 'on';
UPDATE app.installation SET active_in = NULL;
"""

_CHECK_COUNT: Final = """
DO $check$ BEGIN
    IF (SELECT count(*) FROM ONLY {table}) <> {count} THEN
        RAISE EXCEPTION 'the restored database lacks rows of %', {literal};
    END IF;
END $check$;
"""


class RestoreResult(NamedTuple):
    """What was restored: tables with rows, and all rows."""

    tables: int
    rows: int


async def restore_backup(dsn: str, settings: Settings, path: Path) -> RestoreResult:
    """Restore a backup into an empty database. The copy is paused, and has to be migrated.

    Args:
        dsn: The database, not through a transaction pooler. Its role owns the restored tables.
        settings: The settings, with the directory of PostgreSQL's programs.
        path: An archive of `server.py backup`, or of `pg_dump --format=custom`.

    Raises:
        StartupError: The database is not empty, or the file is no whole backup. The database stays empty.
    """
    _check_magic(path)
    try:
        async with open_session(dsn) as session, acquire_migration_lock(session):
            if not await session.fetchval(_IS_EMPTY):
                raise StartupError("The database is not empty. Restore into a new one.")
            version = session.get_server_version().major
            tools = find_tools(version, settings.postgres_bin)
            await _require_archive(tools, path, version)
            collation = await session.fetchval(_UNICODE_COLLATION)
            async with require_answers(dsn):
                result = await _run_script(ClientConnection.from_dsn(dsn), tools, path, collation)
        async with open_connection(dsn, statement_s=LONG_STATEMENT_S) as connection:
            await connection.execute("ANALYZE")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"The restore failed: {format_error_line(error)}") from error
    return result


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begin = file.read(len(_MAGIC))
    except OSError as error:
        raise FileRefusedError(f"{path} cannot be read: {error.strerror or error}") from error
    if begin.startswith(_PLAIN):
        raise FileRefusedError(f"{path} is a dump as text, which psql restores: see docs/backup.md.")
    if begin != _MAGIC:
        raise FileRefusedError(f"{path} is not a backup: it is no archive of pg_dump --format=custom.")


async def _require_archive(tools: PostgresTools, path: Path, server_version: int) -> None:
    """Check that the archive has our tables, and is not of a newer PostgreSQL than the server."""
    arguments = ("--list", str(path))
    async with run_program(tools, "pg_restore", *arguments, environment={"LC_ALL": "C"}) as program:
        listing = b""
        while chunk := await program.read():
            listing += chunk
        await program.finish()
    text = listing.decode(errors="replace")
    dumped = re.search(r"Dumped from database version: (\d+)", text)
    if dumped and int(dumped[1]) > server_version:
        raise FileRefusedError(f"{path} is of PostgreSQL {dumped[1]}, and this database is {server_version}.")
    if " TABLE DATA app installation " not in text:
        raise FileRefusedError(f"{path} is not a backup of this product, or of a version before 0.2.0.")


async def _run_script(
    client: ClientConnection, tools: PostgresTools, path: Path, collation: str
) -> RestoreResult:
    counter = CopyCounter()
    script = ("--no-owner", "--no-privileges", "--file=-", str(path))
    run = ("--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", f"--dbname={client.uri}")
    async with (
        run_program(tools, "pg_restore", *script, environment={"LC_ALL": "C"}) as source,
        run_program(tools, "psql", *run, environment=client.environment, reads_input=True) as target,
    ):
        await target.write(b"BEGIN;\n")
        async for chunk in _translate_collation(source, collation):
            counter.feed(chunk)
            await target.write(chunk)
        await source.finish()
        await target.write(_build_end(counter.rows).encode())
        await target.finish()
    filled = [count for count in counter.rows.values() if count]
    return RestoreResult(len(filled), sum(filled))


async def _translate_collation(source: Program, collation: str) -> AsyncIterator[bytes]:
    """The script with the collation of this cluster in `app.fold`. It is before the rows, which stay as they are."""
    begin = b""
    while _FIRST_ROWS not in begin and (chunk := await source.read()):
        begin += chunk
    definitions, found, rows = begin.partition(_FIRST_ROWS)
    yield _COLLATION.sub(b"COLLATE pg_catalog." + collation.encode(), definitions) + found + rows
    while chunk := await source.read():
        yield chunk


def _build_end(rows: dict[str, int]) -> str:
    """The end of the transaction: the copy is paused, and has the rows of the archive."""
    checks = [
        _CHECK_COUNT.format(table=table, count=count, literal="'" + table.replace("'", "''") + "'")
        for table, count in rows.items()
    ]
    return f"\n{_PAUSE}{''.join(checks)}COMMIT;\n"
