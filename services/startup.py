"""From settings to a database that may be served: where it is, what it is, migrated, guarded, filled."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
import structlog
from tortoise.exceptions import BaseORMException

from core.database import Database
from core.embedded import EmbeddedPostgres
from core.encryption import SecretKeys
from core.errors import StartupError
from core.settings import Settings
from core.signals import handled_by
from services.demo import DemoSize, DemoViewer, demo_viewers, load_demo
from services.demo.secrets import seal_demo_secrets
from services.migrations import Pending, migrate, pending
from services.rotation import Rotated, rotate

VERSION_MIN: Final = 15
"""The oldest version with what the schema uses: UNIQUE NULLS NOT DISTINCT, security_invoker views."""
CONNECT_PATIENCE_S: Final = 10
"""A database that takes longer to answer is not one to serve from."""
CLOSE_PATIENCE_S: Final = 0.3
"""A part of the two seconds in which the whole server ends."""

_UNREACHABLE: Final = (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError)
_STANDS: Final = {Pending.BEHIND: "needs migration", Pending.NEWER: "is newer than the code"}
_log = structlog.get_logger(__name__)


@contextmanager
def located_database(settings: Settings) -> Iterator[str]:
    """The DSN of the database of the settings; without one, of an embedded one that lives as long as this.

    Raises:
        StartupError: the embedded PostgreSQL cannot start.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    postgres = EmbeddedPostgres.start(settings.data_dir)
    try:
        yield postgres.dsn
    finally:
        with handled_by(signal.SIG_IGN):  # a second Ctrl-C must not leave PostgreSQL behind
            postgres.stop()


def direct(dsn: str, settings: Settings) -> str:
    """The database past a transaction pooler, for what needs a session of its own."""
    return settings.database_direct_url.get_secret_value() if settings.database_direct_url else dsn


async def migrated(dsn: str, settings: Settings) -> list[str]:
    """Brings the database up to the code; returns the versions that were applied.

    Raises:
        StartupError: it cannot be reached, is too old, newer than the code, or a migration failed.
    """
    past_pooler = direct(dsn, settings)
    await _require_postgres(past_pooler)
    try:
        versions = await migrate(past_pooler, settings)
    except (*_UNREACHABLE, BaseORMException) as error:
        raise StartupError(f"The migration of the database failed: {one_line(error)}") from error
    if versions:
        _log.info("migrated", versions=versions)
    return versions


async def opened(dsn: str, settings: Settings) -> Database:
    """The database, migrated, and shown to hide the rows of other tenants from requests.

    Raises:
        StartupError: as `migrated`, and where row-level security does not hold.
    """
    await migrated(dsn, settings)
    database = await Database.connect(dsn, settings)
    try:
        await database.check_request_role()
    except BaseException:
        await database.close()
        raise
    return database


async def unready(dsn: str) -> str | None:
    """Why this code cannot serve from the database, in a few words; None when it can.

    Raises:
        StartupError: it cannot be reached.
    """
    state = await pending(dsn)
    return None if state is Pending.UP_TO_DATE else f"the database {_STANDS[state]}"


async def rotated(dsn: str, keys: SecretKeys) -> Rotated:
    """Puts every secret under the first key.

    Raises:
        StartupError: the database cannot be reached, or is not one that this code works on.
    """
    if reason := await unready(dsn):
        raise StartupError(f"No secret is renewed: {reason}.")
    try:
        connection = await asyncpg.connect(dsn)
        try:
            return await rotate(connection, keys)
        finally:
            await connection.close()
    except _UNREACHABLE as error:
        raise StartupError(f"The rotation broke off, and may be run again: {one_line(error)}") from error


async def closed(database: Database) -> None:
    """Closes its connections: politely for a moment, then at once, as requests were told to end before."""
    try:
        async with asyncio.timeout(CLOSE_PATIENCE_S):
            await database.close()
    except TimeoutError:
        database.terminate()


async def with_demo_data(dsn: str, keys: SecretKeys) -> list[DemoViewer]:
    """Loads the small demo data unless they are there, its secrets sealed; returns whom to show them as."""
    connection = await asyncpg.connect(dsn)
    try:
        if await load_demo(connection, DemoSize.SMALL):
            await seal_demo_secrets(connection, keys)
            _log.info("demo data loaded")
            await _write_out(connection)
        return await demo_viewers(connection)
    except asyncpg.PostgresError as error:
        raise StartupError(f"The demo data cannot be loaded: {one_line(error)}") from error
    finally:
        await connection.close()


async def _write_out(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Has PostgreSQL write what was loaded now, if we may, rather than while a first Ctrl-C waits for it."""
    if await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await connection.execute("CHECKPOINT")


async def _require_postgres(dsn: str) -> None:
    """Refuses a database that is out of reach, too old, or does not hold text as UTF-8."""
    try:
        async with asyncio.timeout(CONNECT_PATIENCE_S):
            connection = await asyncpg.connect(dsn)
            try:
                version = connection.get_server_version().major
                encoding = await connection.fetchval("SHOW server_encoding")
            finally:
                await connection.close()
    except _UNREACHABLE as error:
        raise StartupError(f"The database cannot be reached: {one_line(error)}") from error
    if version < VERSION_MIN:
        raise StartupError(f"The database is PostgreSQL {version}; this needs {VERSION_MIN} or later.")
    if encoding != "UTF8":
        raise StartupError(f"The database's encoding is {encoding}; this needs UTF8.")


def one_line(error: BaseException) -> str:
    """What an error says, without line breaks; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
