"""How it shows that PostgreSQL is out of reach, told apart from what is wrong with a statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from core.errors import UnavailableError

_SIGNS: Final = (
    OSError,  # and TimeoutError with it: no connection in time
    asyncpg.InterfaceError,  # the connection or the pool is closed
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


@contextmanager
def outages_told() -> Iterator[None]:
    """Turns the many errors of a database that is down, restarting or full into one that says so.

    Raises:
        UnavailableError: from the driver's error, which the log shows.
    """
    try:
        yield
    except TimeoutError as error:
        raise UnavailableError(
            "The database is busy or does not answer. Try again in a few seconds."
        ) from error
    except _SIGNS as error:
        raise UnavailableError("The database cannot be reached. Try again in a few seconds.") from error
