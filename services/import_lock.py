"""The lock between an import and the background writers of the servers.

    background writer:  BEGIN, try shared ── writes ── COMMIT        skips its turn where the try fails
    import:             waits for those ──── exclusive, for the session ──── releases

A background writer is any code that writes rows without a request: the offline sweeper, the clean-up, the
health checks of check-ins (`app.check_in` has the number, too). It takes the lock for one transaction, so
that it works through a transaction pooler. An import has a session of its own.
"""

from asyncio import get_running_loop
from typing import Final

import asyncpg

from core.errors import StartupError
from core.limits import IMPORT_LOCK_ATTEMPT_MS, IMPORT_LOCK_WAIT_S

BACKGROUND_LOCK: Final = 0x6D73705F77726974
"""The advisory lock of a database's background writers: "msp_writ" in ASCII."""

TRY_BACKGROUND: Final = f"pg_try_advisory_xact_lock_shared({BACKGROUND_LOCK})"
"""SQL that takes the lock until the transaction ends. It is false while an import runs or waits."""

_TAKE: Final = f"SELECT pg_advisory_lock({BACKGROUND_LOCK})"


async def exclude_background_writers(session: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Wait for the background writers of all servers, and exclude them until the session ends.

    PostgreSQL refuses new shared locks while a session waits for an exclusive one, so the import does not
    starve. Each attempt is short: it holds a snapshot, and CREATE INDEX CONCURRENTLY of a migration waits for
    that.

    Args:
        session: A connection of its own, in no transaction. Its `lock_timeout` is the default afterwards.

    Raises:
        StartupError: A background writer has been writing for too long.
    """
    deadline = get_running_loop().time() + IMPORT_LOCK_WAIT_S
    await session.execute(f"SET lock_timeout = {IMPORT_LOCK_ATTEMPT_MS}")
    while True:
        try:
            await session.execute(_TAKE)
        except asyncpg.LockNotAvailableError:
            if get_running_loop().time() > deadline:
                raise StartupError(
                    "A server's daily purge or its loading of demo data takes too long. Try the import again "
                    "later."
                ) from None
        else:
            break
    await session.execute("RESET lock_timeout")
