"""The errors that mean PostgreSQL is unreachable, as opposed to the errors of a statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from core.errors import UnavailableError

_OUTAGE_CODES: Final = (
    OSError,  # includes TimeoutError: no connection in time
    asyncpg.InternalClientError,  # the driver lost track of a connection that is failing
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

_OUTAGE_MESSAGES: Final = ("clos", "released back")
"""Texts in the errors of a closed connection or pool, and of a lost connection that went back to the pool."""

_UNREACHABLE_ERRORS: Final = "The database is unreachable. Try again in a few seconds."


@contextmanager
def translate_connection_errors() -> Iterator[None]:
    """Convert the various errors of a database that is down, restarting or full to one error.

    Raises:
        UnavailableError: From the driver's error, which the log shows.
    """
    try:
        yield
    except TimeoutError as error:
        raise UnavailableError(
            "The database is busy or does not respond. Try again in a few seconds."
        ) from error
    except _OUTAGE_CODES as error:
        raise UnavailableError(_UNREACHABLE_ERRORS) from error
    except asyncpg.InterfaceError as error:
        if not any(code in str(error) for code in _OUTAGE_MESSAGES):  # a misuse of the driver by our own code
            raise
        raise UnavailableError(_UNREACHABLE_ERRORS) from error
