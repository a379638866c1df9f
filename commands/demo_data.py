"""The demo's data: loaded at the first start with --demo, with its secrets sealed."""

import asyncpg
import structlog

from core.database.connecting import open_connection
from core.encryption import SecretKeys
from core.errors import StartupError
from core.limits import LONG_STATEMENT_S
from core.settings import Settings
from demo import DemoSize, DemoViewer, load_demo, load_demo_viewers
from demo.load import AS_PLATFORM
from demo.marker import require_demo_or_empty
from demo.running_jobs import enqueue_demo_jobs
from demo.secrets import seal_demo_secrets
from services.startup import format_error

_log = structlog.get_logger(__name__)


def require_no_issuer(settings: Settings) -> None:
    """Refuse a demo where an identity provider is configured: its settings are those of a real server.

    Raises:
        StartupError: There is one.
    """
    if settings.oidc_issuer:
        raise StartupError("--demo is refused: OIDC_ISSUER is set, as on a real server. Unset it for a demo.")


async def require_demo_database(dsn: str) -> None:
    """Refuse a database with rows that are not a demo's. Nothing is changed, nor migrated.

    Raises:
        StartupError: It has such rows, or it is unreachable.
    """
    try:
        async with open_connection(dsn) as connection, connection.transaction(readonly=True):
            await connection.execute(AS_PLATFORM)
            await require_demo_or_empty(connection)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"The database cannot be reached: {format_error(error)}") from error


async def ensure_demo_data(dsn: str, keys: SecretKeys) -> list[DemoViewer]:
    """Load the small demo unless it is there, with sealed secrets; returns the users for whom to print tokens."""
    try:
        async with open_connection(dsn, statement_s=LONG_STATEMENT_S) as connection:
            if await load_demo(connection, DemoSize.SMALL):
                await seal_demo_secrets(connection, keys)
                await enqueue_demo_jobs(connection)
                _log.info("demo data loaded")
                await _checkpoint(connection)
            return await load_demo_viewers(connection)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"Loading the demo data failed: {format_error(error)}") from error


async def _checkpoint(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Write a checkpoint now, if permitted. Otherwise the shutdown at a first Ctrl-C would wait for it."""
    if await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await connection.execute("CHECKPOINT")
