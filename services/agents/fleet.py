"""What one server does for the agents: their tokens, their rates, their check-ins, their log, and who is missed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Self

from core.agent_tokens import AgentTokens, Enrollment
from core.database import Database
from core.errors import InTheWayError, StatementTimeoutError, UnavailableError
from core.limits import AGENT_CALLS_AT_ONCE, ENROLLMENTS_AT_ONCE
from core.rates import Rates
from core.settings import Settings
from core.transactions import Transaction, carry_out, unheard
from services.agents.api_log import ApiLog
from services.agents.check_ins import CheckIns
from services.agents.enrollment import Device, enrol
from services.agents.silence import watch_for_silence

_CONNECTIONS: Final = 2
"""For check-ins, and for those who fell silent: requests neither wait for these nor keep them waiting."""

_CLOSE_S: Final = 0.2
"""How long its work has to end when the server does: a tenth of the server's two seconds."""


class Fleet:
    """The agents, as one server sees them.

    Attributes:
        tokens: what agents prove themselves by.
        agent_rates: how often each may call.
        enrollment_rates: how often each enrolment token may be used.
        check_ins: check-ins on their way to the database.
        log: the log of their calls.
        calls: how often each call was answered with each status.
    """

    def __init__(
        self,
        database: Database,
        apart: Database,
        tokens: AgentTokens,
        settings: Settings,
        bell: Callable[[], None] = unheard,
    ) -> None:
        """Enrols over `database`, and does the rest over `apart`; rings `bell` after each enrolment."""
        self._database = database
        self._bell = bell
        self.tokens = tokens
        self.agent_rates = Rates(settings.agent_calls_per_minute, AGENT_CALLS_AT_ONCE)
        self.enrollment_rates = Rates(settings.enrollments_per_minute, ENROLLMENTS_AT_ONCE)
        self.check_ins = CheckIns(apart)
        self.log = ApiLog(database)
        self.calls: Counter[tuple[str, int]] = Counter()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        tokens: AgentTokens,
        settings: Settings,
        bell: Callable[[], None] = unheard,
    ) -> AsyncIterator[Self]:
        """The fleet over a migrated database, at work for as long as the block lasts.

        Raises:
            StartupError: The database cannot be reached.
        """
        apart = await database.apart(_CONNECTIONS)
        fleet = cls(database, apart, tokens, settings, bell)
        work = (fleet.check_ins.run(), fleet.log.run(), watch_for_silence(apart, settings))
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield fleet
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CLOSE_S)
            apart.pool.terminate()  # whatever is left ends by that
            await asyncio.wait(tasks, timeout=_CLOSE_S)

    async def enrol(self, enrollment: Enrollment, device: Device) -> str:
        """Enrol a device at the site of its token: the id of its agent.

        Raises:
            ProductError: As `services.agents.enrollment.enrol`.
            UnavailableError: The database is away or slow, or others are in the way.
        """

        async def work(transaction: Transaction) -> str:
            return await enrol(transaction, enrollment.tenant_id, enrollment.site_id, device)

        try:
            return await carry_out(self._database, work, platform=True, committed=self._bell)
        except (InTheWayError, StatementTimeoutError) as error:
            raise UnavailableError("The database is busy. Try again later.") from error
