"""Commands on the data: migrate the database, rotate the keys of secrets, import and export."""

import sys
from argparse import Namespace
from contextlib import closing
from typing import Final

from commands.async_runner import print_lines, run_to_end
from commands.tokens import add_demo_settings
from core.encryption import SecretKeys
from core.errors import StartupError
from core.settings import Settings
from services.convex_export import export_convex
from services.imports.command import ExportOrigin, build_options, import_data, open_source
from services.startup import (
    choose_direct_dsn,
    erase_deleted_person,
    find_unready_reason,
    locate_database,
    migrate_database,
    migrate_database_to,
    rotate_all_secrets,
)

_ROWS_REJECTED: Final = 3
"""The exit status of an import that rejected rows. Argparse ends with 2, and any other error with 1."""


def migrate(settings: Settings, arguments: Namespace) -> None:
    """Migrate the database to the version of the code or to the given step, and print the steps."""
    target: int | None = arguments.target
    with locate_database(settings) as dsn:
        if target is None:
            versions = run_to_end(migrate_database(dsn, settings, change_rls_mode=arguments.change_rls_mode))
            reverted: list[str] = []
        else:
            versions, reverted = run_to_end(migrate_database_to(dsn, settings, target))
    if reverted:
        print_lines(*(f"Reverted {version}" for version in reverted))
    elif not versions:
        print_lines("The database is up to date.")
    print_lines(*(f"Applied {version}" for version in versions))


def rotate_secrets(settings: Settings, _arguments: Namespace) -> None:
    """Encrypt every secret with the first key, and print how many were changed."""
    keys = SecretKeys.load(add_demo_settings(settings))
    if not keys:
        raise StartupError("SECRET_KEYS is not set: set it, with the new key first.")
    with locate_database(settings) as dsn:
        done = run_to_end(rotate_all_secrets(dsn, keys))
    print_lines(
        f"Encrypted {done.renewed + done.covered} secrets again; {done.current} already used the first key."
    )
    if done.unreadable:
        raise StartupError(
            f"None of SECRET_KEYS decrypts a secret of {', '.join(done.unreadable)}: it is unchanged."
        )


def erase_person(settings: Settings, arguments: Namespace) -> None:
    """Erase the personal values of a deleted user, and print in how many audit rows there were some."""
    with locate_database(settings) as dsn:
        done = run_to_end(erase_deleted_person(choose_direct_dsn(dsn, settings), arguments.user_id))
    print_lines(f"Erased the user's row and values in {done.audit_rows} audit rows.")


def import_export(settings: Settings, arguments: Namespace) -> int:
    """Import another system's export; returns the exit status, which is 3 if rows were rejected."""
    user_id_field: str | None = arguments.user_id_field
    wanted = build_options(
        arguments.tables,
        dry_run=arguments.dry_run,
        strict=arguments.strict,
        user_id_field=user_id_field,
    )
    keys = SecretKeys.load(add_demo_settings(settings))
    with (
        closing(open_source(ExportOrigin(arguments.origin), arguments.path, user_id_field)) as source,
        locate_database(settings) as dsn,
    ):
        run_to_end(_prepare_database(dsn, settings, dry_run=arguments.dry_run))
        report = run_to_end(
            import_data(choose_direct_dsn(dsn, settings), settings, source, wanted, sys.stdout, keys)
        )
    return _ROWS_REJECTED if report.rejected else 0


async def _prepare_database(dsn: str, settings: Settings, *, dry_run: bool) -> None:
    """Migrate the database. A dry run only checks that it is migrated.

    Raises:
        StartupError: It is a dry run, and the database is not migrated.
    """
    if not dry_run:
        await migrate_database(dsn, settings)
    elif problem := await find_unready_reason(dsn):
        raise StartupError(
            f"A dry run does not migrate, and {problem}: run `python server.py migrate` first."
        )


def export_snapshot(settings: Settings, arguments: Namespace) -> None:
    """Write all data as a Convex snapshot, and print the counts."""
    with locate_database(settings) as dsn:
        counts = run_to_end(export_convex(choose_direct_dsn(dsn, settings), arguments.path))
    print_lines(*(f"{table:<27}{count:>11,}" for table, count in counts.items()))
