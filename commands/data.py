"""Commands on the data: bring the database up to date, renew its secrets, take data in and give it out."""

import sys
from argparse import Namespace
from contextlib import closing
from pathlib import Path

from commands.running import run_to_end, say
from commands.tokens import of_demo
from core.encryption import SecretKeys
from core.errors import StartupError
from core.settings import Settings
from services.convex_export import export_convex
from services.imports.importing import Origin, import_data, opened_source, wishes
from services.startup import direct, located_database, migrated, rotated, unready


def migrate(settings: Settings) -> None:
    """Brings the database up to the code, and says what that took."""
    with located_database(settings) as dsn:
        versions = run_to_end(migrated(dsn, settings))
    say(*[f"Applied {version}" for version in versions] or ["The database is up to date."])


def rotate_secrets(settings: Settings) -> None:
    """Puts every secret under the first key, and says how many that took."""
    keys = SecretKeys.load(of_demo(settings))
    if not keys:
        raise StartupError("Nothing to seal secrets with: set SECRET_KEYS, the new key first.")
    with located_database(settings) as dsn:
        done = run_to_end(rotated(dsn, keys))
    say(f"Renewed {done.renewed + done.covered} secrets; {done.current} were under the first key already.")
    if done.unreadable:
        raise StartupError(
            f"None of SECRET_KEYS opens a secret of {', '.join(done.unreadable)}: left as it is."
        )


def import_export(settings: Settings, arguments: Namespace) -> int:
    """Loads another system's export; returns the exit status: 1 where --strict has refused it."""
    wanted = wishes(arguments.tables, dry_run=arguments.dry_run, strict=arguments.strict)
    keys = SecretKeys.load(of_demo(settings))
    with (
        closing(opened_source(Origin(arguments.origin), arguments.path)) as source,
        located_database(settings) as dsn,
    ):
        run_to_end(_ready(dsn, settings, dry_run=arguments.dry_run))
        report = run_to_end(import_data(direct(dsn, settings), settings, source, wanted, sys.stdout, keys))
    return int(wanted.strict and report.rejected > 0)


async def _ready(dsn: str, settings: Settings, *, dry_run: bool) -> None:
    """A migrated database; a dry run does not even migrate."""
    if not dry_run:
        await migrated(dsn, settings)
    elif problem := await unready(dsn):
        raise StartupError(f"A dry run changes nothing, and {problem}: run `python server.py migrate` first.")


def export(settings: Settings, path: Path) -> None:
    """Writes everything as a Convex snapshot, and says how much that was."""
    with located_database(settings) as dsn:
        counts = run_to_end(export_convex(direct(dsn, settings), path))
    say(*(f"{table:<27}{count:>11,}" for table, count in counts.items()))
