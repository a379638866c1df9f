"""What a running server reports about its database: readiness, the mode of row-level security, and activity."""

from typing import Self

import structlog

from core.database.database import Database
from core.database.request_role import AnyConnection, RoleMode, find_role_mode
from core.settings import Settings
from services.activation import is_active
from services.migrations import compare_versions, open_session
from services.startup import describe_pending

_log = structlog.get_logger(__name__)


class DatabaseStatus:
    """The state of one server's database, as of the last check.

    Attributes:
        mode: The mode of row-level security with which the server started.
        is_active: Whether the server may act on the outside. False in a restored copy.
    """

    def __init__(self, dsn: str, settings: Settings, mode: RoleMode) -> None:
        self.mode = mode
        self.is_active = True
        self._dsn = dsn
        self._settings = settings

    @classmethod
    async def open(cls, database: Database, dsn: str, settings: Settings) -> Self:
        """The state of a database that was just opened. A paused copy is logged."""
        status = cls(dsn, settings, database.role_mode)
        async with database.open_statement_connection() as connection:
            status.is_active = await is_active(connection)
        if not status.is_active:
            _log.warning(
                "the database is a paused copy; jobs, schedules and webhooks do not run",
                to_activate="python server.py activate",
            )
        return status

    async def find_problem(self) -> str | None:
        """Why the server cannot serve from the database, in a few words; None if it can. Updates the attributes.

        Raises:
            StartupError: The database is unreachable.
        """
        async with open_session(self._dsn) as session, session.transaction():
            if reason := describe_pending(await compare_versions(session)):
                return reason
            self.is_active = await is_active(session)
            return await self._find_mode_problem(session)

    async def _find_mode_problem(self, session: AnyConnection) -> str | None:
        mode = await find_role_mode(session, self._settings.request_role)
        if mode is self.mode:
            return None
        return f"row-level security is no longer in the mode {self.mode} with which the server started"

    def describe(self) -> dict[str, object]:
        """The facts for the body of `/readyz`, as of the last check."""
        return {"rowSecurity": self.mode.value, "active": self.is_active}
