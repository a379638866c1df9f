"""The command that lists background jobs."""

from argparse import Namespace
from collections.abc import Sequence

import asyncpg

from commands.async_runner import print_lines, run_to_end
from core.database.connecting import open_connection
from core.errors import StartupError
from core.settings import Settings
from models.enums import JobStatus
from services.jobs.listing import list_jobs
from services.startup import find_unready_reason, format_error, locate_database

_AS_PLATFORM = "SELECT set_config('app.platform', 'on', true)"


def print_jobs(settings: Settings, arguments: Namespace) -> None:
    """Print the newest jobs, of one tenant or with one status if they are given.

    Raises:
        StartupError: The database is unreachable, or its schema is not that of this code.
    """
    status = arguments.status and JobStatus(arguments.status)
    with locate_database(settings) as dsn:
        print_lines(*run_to_end(_list_jobs(dsn, arguments.tenant, status)))


async def _list_jobs(dsn: str, tenant: str | None, status: JobStatus | None) -> Sequence[str]:
    if reason := await find_unready_reason(dsn):
        raise StartupError(f"No job was listed: {reason}.")
    try:
        async with open_connection(dsn) as connection, connection.transaction(readonly=True):
            await connection.execute(_AS_PLATFORM)
            return await list_jobs(connection, tenant, status)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"No job was listed: {format_error(error)}") from error
