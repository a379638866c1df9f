"""What an application serves: the services that its endpoints call."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.websocket.services import LiveService
from core.auth.tokens import TokenVerifier
from core.database.database import Database
from services.agents.agent_service import AgentService
from services.database_status import DatabaseStatus
from services.table_statistics import TableStatistics
from services.users.last_activity import LastActivity


@dataclass(frozen=True, slots=True, kw_only=True)
class AppServices:
    """The services of one application. Whoever opened them closes them.

    Attributes:
        database: The database of requests.
        verifier: Verifies the tokens of requests.
        find_problem: Returns why the server cannot serve, None if it can; may raise any database error.
        live: The live layer; without it there are no WebSockets.
        fleet: The services of agents; without it there is no agents' API.
        status: The state of the database, for `/readyz` and the metrics.
        activity: Notes which users are active; without it their `lastActivityAt` is not kept.
        statistics: The sizes of the tables, for the cost of operations; without it every table counts as empty.
    """

    database: Database
    verifier: TokenVerifier
    find_problem: Callable[[], Awaitable[str | None]]
    live: LiveService | None = None
    fleet: AgentService | None = None
    status: DatabaseStatus | None = None
    activity: LastActivity | None = None
    statistics: TableStatistics | None = None
