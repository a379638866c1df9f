"""How it shows that PostgreSQL is out of reach, told apart from what is wrong with a statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from core.errors import UnavailableError

_SIGNS: Final = (
    OSError,  # and TimeoutError with it: no connection in time
    asyncpg.InternalClientError,  # the driver has lost track of a connection that is just being lost
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

_SIGNS_IN_WORDS: Final = ("clos", "released back")
"""Of a connection or pool that is closed, and of a connection that was lost and so went back to the pool."""

_UNREACHABLE: Final = "The database cannot be reached. Try again in a few seconds."


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
        raise UnavailableError(_UNREACHABLE) from error
    except asyncpg.InterfaceError as error:
        if not any(sign in str(error) for sign in _SIGNS_IN_WORDS):  # it is our own misuse of the driver
            raise
        raise UnavailableError(_UNREACHABLE) from error
