"""The log is kept some minutes: parts of it that nobody needs any longer are emptied.

Every server calls `keep` every few seconds; one of them does the work. A change stays for `LOG_KEPT_S` after its
transaction was over, however long that took. Should no server run for ten minutes, the writers' triggers take old
rows away themselves, a few at a time (migrations/sql/7_live.up.sql, live.tidy).
"""

from core.database import Connection
from core.limits import LOG_KEPT_S


async def keep(connection: Connection) -> int:
    """Empties what is due; needs the tables' owner, and no transaction around it.

    It waits for nobody for longer than 20 ms: a part of the log that is in use is left for the next time.

    Returns:
        How many parts of the log were emptied; 0 also where another server is at it.
    """
    async with connection.transaction(isolation="read_committed"):
        return await connection.fetchval("SELECT live.keep($1)", LOG_KEPT_S) or 0
