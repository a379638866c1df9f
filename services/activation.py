"""Whether the servers of a database may act on the outside: synchronize, bill, call webhooks.

A restored copy of a database must not do what its original does. The database records its own identity, and a copy
has another one (`app.database_identity`). So a copy is paused until `server.py activate`:

    database A, records A: active ── backup ── restore ── database B, records A: paused ── activate ── records B

Background work that acts on the outside begins with `is_active`. A promoted standby stays active. A copy of the
cluster's files has the same identity: `server.py pause` pauses it before its first start.
"""

from typing import Final

from core.database.request_role import AnyConnection
from core.limits import STATEMENT_TIMEOUT_MS

IS_ACTIVE: Final = "SELECT app.is_active()"
"""SQL that any role of the server may run."""

_ACTIVATE: Final = "UPDATE app.installation SET active_in = app.database_identity()"
_PAUSE: Final = "UPDATE app.installation SET active_in = NULL"


async def is_active(connection: AnyConnection) -> bool:
    """Whether servers may act on the outside for this database."""
    return bool(await connection.fetchval(IS_ACTIVE))


async def set_active(connection: AnyConnection, *, active: bool) -> None:
    """Activate or pause the servers of this database. This needs the tables' owner.

    PostgreSQL ends a statement that waits for a lock, so that it changes nothing after the command has failed.
    """
    async with connection.transaction():
        await connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")
        await connection.execute(_ACTIVATE if active else _PAUSE)
