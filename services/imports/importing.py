"""The command `import`: from what the operator gives to what the operator reads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, TextIO

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from core.encryption import SecretKeys
from core.errors import FileRefusedError, StartupError
from core.settings import Settings
from services.imports import loading, staging
from services.imports.configs import SecretsKept
from services.imports.convex_snapshot import ConvexSnapshot
from services.imports.csv_folder import CsvFolder
from services.imports.dump import Dump
from services.imports.loading import Loading, Wishes
from services.imports.old_secrets import OldKey
from services.imports.reading import Source
from services.imports.report import Report, rejection
from services.imports.shapes import SHAPES

LOCK: Final = 0x6D73705F696D706F
"""The advisory lock of a database's import: "msp_impo" in ASCII."""

_SESSION: Final = """
SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
SET jit = off; SET work_mem = '64MB'; SET temp_buffers = '32MB'
"""


def wishes(tables: frozenset[str] | None, *, dry_run: bool, strict: bool) -> Wishes:
    """What the operator wants of an export.

    Raises:
        StartupError: A table that is named is none.
    """
    unknown = sorted((tables or frozenset()) - SHAPES.keys())
    if unknown or tables == frozenset():
        raise StartupError(
            f"--tables: there is no table {', '.join(unknown)}; there are {', '.join(SHAPES)}."
        )
    return Wishes(tables or frozenset(SHAPES), dry_run, strict)


class Origin(StrEnum):
    """Where an export comes from."""

    CONVEX = "convex"
    SUPABASE = "supabase"


def opened_source(origin: Origin, path: Path) -> Source:
    """The export, open; looked at, but not read.

    Raises:
        FileRefusedError: It is none, or one that must not be read.
    """
    if not path.exists():
        raise FileRefusedError(f"{path} is not there")
    try:
        if origin is Origin.CONVEX:
            return ConvexSnapshot(path)
        return CsvFolder(path) if path.is_dir() else Dump(path)
    except OSError as error:
        raise FileRefusedError(f"{path} cannot be read: {error.strerror or error}") from error


async def import_data(
    dsn: str, settings: Settings, source: Source, wishes: Wishes, output: TextIO, keys: SecretKeys
) -> Report:
    """Import an export, and write the report.

    Args:
        dsn: The migrated database, not through a transaction pooler: the staging tables are its session's.
        settings: For the key of the secrets in the export.
        source: The export.
        wishes: What of it, and how.
        output: Where the report goes.
        keys: Ours, for secrets.

    Raises:
        StartupError: The database cannot be used, the file is broken, or another import is running. What had been
            imported by then is reported.
    """
    with _bar(source, wishes) as bar:
        async with _session(dsn) as connection:
            secrets = SecretsKept(keys, OldKey.of(settings.import_secret_key))
            load = Loading(connection, source, wishes, secrets, bar.show)

            async def tell() -> None:
                bar.end()
                await _tell(connection, load.report, wishes, output)

            await _run(load, tell, bar, output)
            await _analyze(connection, load.report)
            return load.report


async def _run(load: Loading, tell: loading.Tell, bar: "_Bar", output: TextIO) -> None:
    """Import; where that breaks off, say what is in the database."""
    try:
        await load.run(tell)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        await _tell_rest(load, bar, output)
        first = error.__context__ or error  # what came of leaving transactions behind it says nothing
        raise StartupError(
            f"The import broke off, and may be run again: {' '.join(str(first).split())}"
        ) from error
    except (asyncio.CancelledError, Exception):
        await _tell_rest(load, bar, output)
        raise


async def _tell_rest(load: Loading, bar: "_Bar", output: TextIO) -> None:
    """What is in the database where the import did not come to its end, and what was refused until then."""
    bar.end()
    kept = [table.table for table in load.report.tables] if load.report.is_kept else []
    if kept:
        try:
            await _tell_refusals(load.connection, output)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError):
            output.write("The rejected rows cannot be named, as the connection is gone.\n")
    output.write(f"Imported before it broke off: {', '.join(kept) or 'nothing'}\n")
    if kept:
        output.writelines(f"{line}\n" for line in load.report.summary())


async def _tell_refusals(connection: asyncpg.Connection, output: TextIO) -> None:
    async with staging.refusals(connection) as refused:
        async for refusal in refused:
            output.write(f"{rejection(refusal)}\n")


async def _tell(connection: asyncpg.Connection, report: Report, wishes: Wishes, output: TextIO) -> None:
    await _tell_refusals(connection, output)
    output.writelines(f"{line}\n" for line in report.summary())
    if wishes.dry_run:
        output.write("Nothing was changed: this was a dry run.\n")
    elif not report.is_kept:
        output.write("Nothing was changed: --strict takes all or nothing.\n")


async def _analyze(connection: asyncpg.Connection, report: Report) -> None:
    """Tell the planner of what is new."""
    changed = [
        f"public.{table.table}" for table in report.tables if table.merged.inserted or table.merged.updated
    ]
    if changed and report.is_kept:
        await connection.execute(f"ANALYZE {', '.join(changed)}")


@asynccontextmanager
async def _session(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that holds the lock of imports."""
    try:
        connection = await asyncpg.connect(dsn)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"The database cannot be reached: {' '.join(str(error).split())}") from error
    try:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
            raise StartupError("Another import into this database is running.")
        await connection.execute(_SESSION)
        yield connection
    finally:
        await connection.close(timeout=5)


class _Bar(NamedTuple):
    """A progress bar: what moves it, and what takes it away, as the report would stand on its line."""

    show: loading.Progress
    end: Callable[[], None]


@contextmanager
def _bar(source: Source, wishes: Wishes) -> Iterator[_Bar]:
    """A progress bar on stderr, where that is a terminal, over the bytes of all tables."""
    wanted = [table for table in SHAPES if table in source.sizes and table in wishes.tables]
    columns = (TextColumn("{task.description:>36}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=sum(source.sizes[table] for table in wanted) or 1)
        before = dict(zip(wanted, _sums(source.sizes[table] for table in wanted), strict=True))

        def show(table: str, doing: str, position: int) -> None:
            bar.update(task, description=f"{table}: {doing}", completed=before[table] + position)

        yield _Bar(show, bar.stop)


def _sums(sizes: Iterator[int]) -> Iterator[int]:
    """For each the sum of those before."""
    total = 0
    for size in sizes:
        yield total
        total += size
