"""The number of connections to PostgreSQL that a server opens at most, and their division among workers and pools."""

import os
from typing import Final, NamedTuple

from core.errors import StartupError
from core.limits import (
    AGENT_CONNECTIONS,
    DATABASE_CONNECTIONS_MIN,
    LIVE_CONNECTIONS,
    LONG_STATEMENTS_MIN,
    READINESS_CONNECTIONS,
)
from core.settings import Settings

_OTHERS: Final = LIVE_CONNECTIONS + AGENT_CONNECTIONS + READINESS_CONNECTIONS
"""The connections of a worker that are not for requests."""


class RequestPools(NamedTuple):
    """The sizes of the two pools that requests share."""

    transactions: int
    single_reads: int


def size_request_pools(settings: Settings) -> RequestPools:
    """The sizes of one worker's pools: `POOL_SIZE` each, or less so that all stay within `DATABASE_CONNECTIONS`.

    Raises:
        StartupError: The workers are too many for that number.
    """
    if settings.database_connections is None:
        return RequestPools(settings.pool_size, settings.pool_size)
    share = settings.database_connections // settings.workers
    if share < DATABASE_CONNECTIONS_MIN:
        raise StartupError(
            f"DATABASE_CONNECTIONS: {settings.workers} workers need {DATABASE_CONNECTIONS_MIN} connections each, "
            f"{settings.workers * DATABASE_CONNECTIONS_MIN} in all."
        )
    left = share - _OTHERS
    return RequestPools(min(settings.pool_size, (left + 1) // 2), min(settings.pool_size, left // 2))


def count_connections_max(settings: Settings) -> int:
    """How many connections the workers open together at most.

    Raises:
        StartupError: As `size_request_pools`.
    """
    return settings.workers * (sum(size_request_pools(settings)) + _OTHERS)


def count_long_connections(settings: Settings) -> int:
    """How many long statements of one tenant each worker runs at once while other tenants are active.

    One would let a statement of some seconds stop all others of its tenant.
    """
    total = settings.long_statements or (os.cpu_count() or 1) // 2
    return max(LONG_STATEMENTS_MIN, total // settings.workers)
