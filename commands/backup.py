"""The commands that back up and restore a database, and that activate or pause a copy."""

from argparse import Namespace
from typing import Final

import asyncpg

from commands.async_runner import print_lines, run_to_end
from core.errors import StartupError
from core.settings import Settings
from services.activation import set_active
from services.backup.backup import back_up
from services.backup.restore import restore_backup
from services.migrations import open_session
from services.startup import (
    choose_direct_dsn,
    find_unready_reason,
    format_error,
    locate_database,
    migrate_database,
)

_KEYS: Final = (
    "The keys are not in a backup: keep SIGNING_KEY, FORMER_SIGNING_KEYS and SECRET_KEYS elsewhere, or the data "
    "directory of a demo."
)


def back_up_database(settings: Settings, arguments: Namespace) -> None:
    """Write a verified backup, and print what it has."""
    with locate_database(settings) as dsn:
        done = run_to_end(back_up(choose_direct_dsn(dsn, settings), settings, arguments.path))
    print_lines(
        f"Backed up {done.rows:,} rows of {done.tables} tables to {arguments.path} ({done.size:,} bytes).",
        _KEYS,
    )


def restore_database(settings: Settings, arguments: Namespace) -> None:
    """Restore a backup into an empty database, migrate it, and print what to do next."""
    with locate_database(settings) as dsn:
        done = run_to_end(restore_backup(choose_direct_dsn(dsn, settings), settings, arguments.path))
        print_lines(
            f"Restored {done.rows:,} rows of {done.tables} tables. Jobs, schedules and webhooks are paused until "
            "`python server.py activate`.",
            _KEYS,
        )
        run_to_end(migrate_database(dsn, settings, change_rls_mode=arguments.change_rls_mode))


def activate(settings: Settings, _arguments: Namespace) -> None:
    """Let servers act on the outside for this database."""
    with locate_database(settings) as dsn:
        run_to_end(_set_active(choose_direct_dsn(dsn, settings), active=True))
    print_lines("Active: jobs, schedules and webhooks run.")


def pause(settings: Settings, _arguments: Namespace) -> None:
    """Let no server act on the outside for this database."""
    with locate_database(settings) as dsn:
        run_to_end(_set_active(choose_direct_dsn(dsn, settings), active=False))
    print_lines("Paused: jobs, schedules and webhooks do not run until `python server.py activate`.")


async def _set_active(dsn: str, *, active: bool) -> None:
    if reason := await find_unready_reason(dsn):
        raise StartupError(f"Nothing was changed: {reason}.")
    try:
        async with open_session(dsn) as session:
            await set_active(session, active=active)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"Nothing was changed: {format_error(error)}") from error
