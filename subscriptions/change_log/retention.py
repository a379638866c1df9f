"""Retention of the log: parts of it are emptied after some minutes, when no reader needs them any longer.

Every server calls `truncate_expired` every few seconds, and one of them does the work. A change stays for
`CHANGE_LOG_RETENTION_S` after the end of its transaction, however long the transaction took. If no server runs for
ten minutes, the writers' triggers delete old rows themselves, a few at a time (migrations/sql/7_live.up.sql,
live.tidy).
"""

from core.database.database import Connection
from core.limits import CHANGE_LOG_RETENTION_S


async def truncate_expired(connection: Connection) -> int:
    """Empty the parts of the log that are due. This needs the tables' owner, and no surrounding transaction.

    It waits for no lock longer than 20 ms. A part of the log that is in use is left for the next call.

    Returns:
        The number of emptied parts. It is 0 as well if another server does the work.
    """
    async with connection.transaction(isolation="read_committed"):
        return await connection.fetchval("SELECT live.keep($1)", CHANGE_LOG_RETENTION_S) or 0
