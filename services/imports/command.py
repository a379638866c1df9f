"""The command `import`: from the operator's options to the printed report."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, TextIO

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from core.database.connecting import connect
from core.encryption import SecretKeys
from core.error_text import format_error_line
from core.errors import FileRefusedError, StartupError
from core.limits import LONG_STATEMENT_S
from core.settings import Settings
from services.import_lock import exclude_background_writers
from services.imports import import_run, staging
from services.imports.configs import SecretImport
from services.imports.convex_snapshot import ConvexSnapshot
from services.imports.csv_folder import CsvFolder
from services.imports.import_run import ImportOptions, ImportRun
from services.imports.import_tables import IMPORT_TABLES
from services.imports.legacy_secrets import LegacyKey
from services.imports.pg_dump import PgDump
from services.imports.report import ImportReport, iter_rejection_lines
from services.imports.source import ExportSource

IMPORT_LOCK: Final = 0x6D73705F696D706F
"""The advisory lock of a database's import: "msp_impo" in ASCII."""

_SESSION_SETTINGS: Final = """
SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET jit = off; SET work_mem = '64MB'; SET temp_buffers = '32MB'
"""


def build_options(
    tables: frozenset[str] | None, *, dry_run: bool, strict: bool, user_id_field: str | None = None
) -> ImportOptions:
    """The selection and options of an import.

    Raises:
        StartupError: A named table does not exist.
    """
    unknown = sorted((tables or frozenset()) - IMPORT_TABLES.keys())
    if unknown or tables == frozenset():
        raise StartupError(
            f"--tables: unknown table {', '.join(unknown)}; the tables are {', '.join(IMPORT_TABLES)}."
        )
    return ImportOptions(tables or frozenset(IMPORT_TABLES), dry_run, strict, user_id_field)


class ExportOrigin(StrEnum):
    """The system that an export comes from."""

    CONVEX = "convex"
    SUPABASE = "supabase"


def open_source(origin: ExportOrigin, path: Path, user_id_field: str | None = None) -> ExportSource:
    """Open an export and check its form, without reading its rows.

    Args:
        origin: Where it comes from.
        path: The file or folder.
        user_id_field: The field with the ids of users; None for the usual one.

    Raises:
        FileRefusedError: It is not an export, or it is not safe to read.
    """
    if not path.exists():
        raise FileRefusedError(f"{path} does not exist")
    try:
        if origin is ExportOrigin.CONVEX:
            if path.is_dir():
                raise FileRefusedError(
                    f"{path} is a folder: name the ZIP file that `npx convex export` writes"
                )
            return ConvexSnapshot(path, user_id_field)
        return CsvFolder(path, user_id_field) if path.is_dir() else PgDump(path, user_id_field)
    except OSError as error:
        raise FileRefusedError(f"{path} cannot be read: {error.strerror or error}") from error


async def import_data(
    dsn: str,
    settings: Settings,
    source: ExportSource,
    options: ImportOptions,
    output: TextIO,
    keys: SecretKeys,
) -> ImportReport:
    """Import an export, and write the report.

    Args:
        dsn: The migrated database, not through a transaction pooler: the staging tables belong to the session.
        settings: For the key of the secrets in the export.
        source: The export.
        options: The selection and options.
        output: The destination of the report.
        keys: Our keys, for secrets.

    Raises:
        StartupError: The database cannot be used, the file is broken, or another import is running. The report lists
            the tables that had been imported by then.
    """
    with _open_progress_bar(source, options) as bar:
        async with _open_session(dsn, dry_run=options.dry_run) as connection:
            secrets = SecretImport(keys, LegacyKey.from_setting(settings.import_secret_key))
            load = ImportRun(connection, source, options, secrets, bar.show)

            async def write_line() -> None:
                bar.end()
                await _write_report(connection, load.report, options, output)

            await _run_import(load, write_line, bar, output)
            await _analyze_tables(connection, load.report)
            return load.report


async def _run_import(
    load: ImportRun, write_line: import_run.WriteLine, bar: "_ProgressBar", output: TextIO
) -> None:
    """Import. On an error, report what is in the database."""
    try:
        await load.run(write_line)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        await _report_interrupted(load, bar, output)
        first = error.__context__ or error  # errors from leaving the transactions are not useful
        raise StartupError(f"The import failed and can be repeated: {format_error_line(first)}") from error
    except (asyncio.CancelledError, Exception):
        await _report_interrupted(load, bar, output)
        raise


async def _report_interrupted(load: ImportRun, bar: "_ProgressBar", output: TextIO) -> None:
    """Report what is in the database after an unfinished import, and which rows were refused until then."""
    bar.end()
    kept = [table.table for table in load.report.tables] if load.report.is_committed else []
    if kept:
        try:
            await _report_refusals(load.connection, output)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError):
            output.write("The rejected rows cannot be listed, because the connection was lost.\n")
    output.write(f"Imported before the failure: {', '.join(kept) or 'nothing'}\n")
    if kept:
        output.writelines(f"{line}\n" for line in load.report.iter_lines())


async def _report_refusals(connection: asyncpg.Connection, output: TextIO) -> None:
    async with staging.open_refusals(connection) as refused:
        async for example in refused:
            output.writelines(f"{line}\n" for line in iter_rejection_lines(example))


async def _write_report(
    connection: asyncpg.Connection, report: ImportReport, options: ImportOptions, output: TextIO
) -> None:
    await _report_refusals(connection, output)
    output.writelines(f"{line}\n" for line in report.iter_lines())
    if options.dry_run:
        output.write("Nothing was changed: this was a dry run.\n")
    elif not report.is_committed:
        output.write("Nothing was changed: --strict imports all rows or none.\n")


async def _analyze_tables(connection: asyncpg.Connection, report: ImportReport) -> None:
    """Update the planner's statistics of the imported tables."""
    changed = [
        f"public.{table.table}" for table in report.tables if table.merged.inserted or table.merged.updated
    ]
    if not changed or not report.is_committed:
        return
    try:
        await connection.execute(f"ANALYZE {', '.join(changed)}")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"The rows are imported, but not analyzed: {format_error_line(error)}") from error


@asynccontextmanager
async def _open_session(dsn: str, *, dry_run: bool) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the lock of imports. If it writes, the servers' background writers wait."""
    try:
        connection = await connect(dsn, statement_s=LONG_STATEMENT_S)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"The database is unreachable: {format_error_line(error)}") from error
    try:
        await _prepare_session(connection, dry_run=dry_run)
        yield connection
    finally:
        await connection.close(timeout=5)


async def _prepare_session(connection: asyncpg.Connection, *, dry_run: bool) -> None:
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", IMPORT_LOCK):
            raise StartupError("Another import into this database is running.")
        await connection.execute(_SESSION_SETTINGS)
        if not dry_run:
            await exclude_background_writers(connection)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"The import did not begin: {format_error_line(error)}") from error


class _ProgressBar(NamedTuple):
    """A progress bar: a function to update it, and one to remove it before the report is printed."""

    show: import_run.Progress
    end: Callable[[], None]


@contextmanager
def _open_progress_bar(source: ExportSource, options: ImportOptions) -> Iterator[_ProgressBar]:
    """A progress bar on stderr over the bytes of all tables, if stderr is a terminal."""
    wanted = [table for table in IMPORT_TABLES if table in source.sizes and table in options.tables]
    columns = (TextColumn("{task.description:>36}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=sum(source.sizes[table] for table in wanted) or 1)
        before = dict(zip(wanted, _running_totals(source.sizes[table] for table in wanted), strict=True))

        def show(table: str, doing: str, position: int) -> None:
            bar.update(task, description=f"{table}: {doing}", completed=before[table] + position)

        yield _ProgressBar(show, bar.stop)


def _running_totals(sizes: Iterator[int]) -> Iterator[int]:
    """For each size the sum of the sizes before it."""
    total = 0
    for size in sizes:
        yield total
        total += size
