"""Opens the database of the settings: locates it, checks its version, migrates it, and verifies its policies."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg
import structlog
from tortoise.exceptions import BaseORMException

from core.database.connecting import open_connection
from core.database.database import Database
from core.database.deadlines import UnansweredError
from core.database.embedded.embedded_postgres import EmbeddedPostgres
from core.database.poolers import require_session
from core.database.request_role import CHANGE_MODE, RoleMode, suggest_role_sql
from core.encryption import SecretKeys
from core.error_text import format_error_line
from core.errors import StartupError, StatementTimeoutError
from core.limits import LONG_STATEMENT_S
from core.settings import Settings
from core.signals import handle_signals
from services.catalog.update import refresh_catalog
from services.migrations import Pending, find_latest_step, find_pending, migrate, migrate_to
from services.secrets.rotation import RotationResult, rotate_secrets
from services.users.erasure import Erasure, erase_person

VERSION_MIN: Final = 15
"""The oldest supported version. The schema uses UNIQUE NULLS NOT DISTINCT and security_invoker views."""
CONNECT_TIMEOUT_S: Final = 10
"""The connection timeout. A slower database is not fit to serve from."""
CLOSE_TIMEOUT_S: Final = 0.3
"""A part of the two seconds in which the whole server ends."""

_UNREACHABLE: Final = (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError)
_PENDING_REASONS: Final = {Pending.BEHIND: "needs migration", Pending.NEWER: "is newer than the code"}
_log = structlog.get_logger(__name__)


@contextmanager
def locate_database(settings: Settings) -> Iterator[str]:
    """The DSN of the database of the settings.

    Without one it is that of an embedded database, which stops afterwards.

    Raises:
        StartupError: The embedded PostgreSQL cannot start.
    """
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    postgres = EmbeddedPostgres.start(settings.data_dir)
    try:
        yield postgres.dsn
    finally:
        with handle_signals(signal.SIG_IGN):  # a second Ctrl-C must not leave PostgreSQL running
            postgres.stop()


def choose_direct_dsn(dsn: str, settings: Settings) -> str:
    """The DSN that bypasses a transaction pooler, for work that needs a session."""
    return settings.database_direct_url.get_secret_value() if settings.database_direct_url else dsn


async def migrate_database(dsn: str, settings: Settings, *, change_rls_mode: bool = False) -> list[str]:
    """Migrate the database and update its catalog; returns the versions that were applied.

    Raises:
        StartupError: It is unreachable, too old, or newer than the code, or a migration failed. Or the mode of
            row-level security would have to change, and `change_rls_mode` is not set.
    """
    past_pooler = choose_direct_dsn(dsn, settings)
    await _require_postgres(past_pooler)
    try:
        versions = await migrate(past_pooler, settings, change_rls_mode=change_rls_mode)
    except (*_UNREACHABLE, BaseORMException) as error:
        raise StartupError(f"The migration of the database failed: {format_error(error)}") from error
    if versions:
        _log.info("migrated", versions=versions)
    await _update_catalog(past_pooler)
    return versions


async def migrate_database_to(dsn: str, settings: Settings, target: int) -> tuple[list[str], list[str]]:
    """Migrate the database up or down to step `target`; returns the versions applied and reverted.

    Raises:
        StartupError: As `migrate_database`, or there is no such step.
    """
    past_pooler = choose_direct_dsn(dsn, settings)
    await _require_postgres(past_pooler)
    try:
        versions = await migrate_to(past_pooler, settings, target)
    except (*_UNREACHABLE, BaseORMException) as error:
        raise StartupError(f"The migration of the database failed: {format_error(error)}") from error
    if target == find_latest_step():
        await _update_catalog(past_pooler)
    return versions


async def _update_catalog(dsn: str) -> None:
    try:
        async with open_connection(dsn) as connection:
            await refresh_catalog(connection)
    except (*_UNREACHABLE, StatementTimeoutError) as error:
        raise StartupError(f"The catalog cannot be brought up to date: {format_error(error)}") from error


async def open_database(dsn: str, settings: Settings) -> Database:
    """Migrate and open the database, and verify that requests cannot read other tenants' rows.

    Raises:
        StartupError: As `migrate_database`, or row-level security does not apply.
    """
    await migrate_database(dsn, settings)
    return await connect_database(dsn, settings)


async def connect_database(dsn: str, settings: Settings) -> Database:
    """Open a migrated database, and verify that requests cannot read other tenants' rows.

    Raises:
        StartupError: The database is unreachable, or row-level security does not apply.
    """
    database = await Database.connect(dsn, settings)
    try:
        await database.check_request_role()
        await _report_role_mode(database, settings)
    except BaseException:
        await database.close()
        raise
    return database


async def _report_role_mode(database: Database, settings: Settings) -> None:
    """Log the mode of row-level security. FORCED is a warning, with the SQL that ends it."""
    if database.role_mode is RoleMode.ROLE:
        _log.info("row-level security", mode=database.role_mode.value)
        return
    async with database.open_statement_connection() as connection:
        sql = await suggest_role_sql(connection, settings.request_role)
    _log.warning(
        "row-level security is forced on the owner of the tables; plain pg_dump makes no backup in this mode",
        mode=database.role_mode.value,
        to_end_it=[*sql, CHANGE_MODE],
    )


async def find_unready_reason(dsn: str) -> str | None:
    """Why this code cannot serve from the database, in a few words; None if it can.

    Raises:
        StartupError: It is unreachable.
    """
    return describe_pending(await find_pending(dsn))


def describe_pending(state: Pending) -> str | None:
    """Why this code cannot serve from a database in that state, in a few words; None if it can."""
    reason = _PENDING_REASONS.get(state)
    return reason and f"the database {reason}"


async def erase_deleted_person(dsn: str, user_id: str) -> Erasure:
    """Erase the personal values of a deleted user, in the user's row and in the audit log.

    Raises:
        StartupError: The database is unreachable, its schema is not that of this code, or the user is unknown or not
            deleted.
    """
    if reason := await find_unready_reason(dsn):
        raise StartupError(f"No person was erased: {reason}.")
    try:
        async with open_connection(dsn, statement_s=LONG_STATEMENT_S) as connection:
            return await erase_person(connection, user_id)
    except _UNREACHABLE as error:
        raise StartupError(f"No person was erased: {format_error(error)}") from error


async def rotate_all_secrets(dsn: str, keys: SecretKeys) -> RotationResult:
    """Seal every secret with the first key.

    Raises:
        StartupError: The database is unreachable, or its schema is not that of this code.
    """
    if reason := await find_unready_reason(dsn):
        raise StartupError(f"No secret was encrypted again: {reason}.")
    try:
        async with open_connection(dsn) as connection:
            return await rotate_secrets(connection, keys)
    except _UNREACHABLE as error:
        raise StartupError(f"The rotation failed and can be repeated: {format_error(error)}") from error


async def close_database(database: Database) -> None:
    """Close the connections: gracefully for a moment, then at once. Requests have been cancelled before."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await database.close()
    except TimeoutError:
        database.terminate()


async def _require_postgres(dsn: str) -> None:
    """Refuse a database that is unreachable, too old, or does not store text as UTF-8."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await require_session(dsn)
            async with open_connection(dsn) as connection:
                version = connection.get_server_version().major
                encoding = await connection.fetchval("SHOW server_encoding")
    except _UNREACHABLE as error:
        raise StartupError(f"The database is unreachable: {format_error(error)}") from error
    if version < VERSION_MIN:
        raise StartupError(f"The database must be PostgreSQL {VERSION_MIN} or later, not {version}.")
    if encoding != "UTF8":
        raise StartupError(f"The encoding of the database must be UTF8, not {encoding}.")


def format_error(error: BaseException) -> str:
    """An error's message, without line breaks and values of rows; the error's class if it has no message.

    After a deadline, the transaction that is left fails as well. The deadline is the message then.
    """
    each: BaseException | None = error
    while each is not None and not isinstance(each, UnansweredError):
        each = each.__context__
    return format_error_line(each or error)
