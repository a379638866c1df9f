"""The agent services of one server: tokens, rate limits, check-ins, the call log, and detection of silent agents."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import ceil
from typing import Final, Self

from core.auth.agent_tokens import AgentTokens, EnrollmentIdentity
from core.database.database import Database
from core.database.transactions import WriteTransaction, ignore_commit, run_in_transaction
from core.errors import ConflictError, StatementTimeoutError, UnavailableError, WriteContentionError
from core.limits import AGENT_CALLS_BURST, AGENT_CONNECTIONS, ENROLLMENTS_BURST, WORKER_AGENT_CALLS_MIN
from core.rate_limit import RateLimiter
from core.settings import Settings
from services.agents.call_log import CallLog
from services.agents.check_in_writer import CheckInWriter
from services.agents.enrollment import Enrolled, EnrollingDevice, enroll_with_token
from services.agents.legacy_admission import LegacyAdmission
from services.agents.offline_sweeper import sweep_periodically
from services.agents.replacement import ApprovalRequiredError

_CLOSE_TIMEOUT_S: Final = 0.2
"""The time that the work has to end at shutdown: a tenth of the server's two seconds."""


class AgentService:
    """The agent services of one server.

    Attributes:
        tokens: The agents' tokens.
        agent_rate_limiter: The rate limit of each agent.
        enrollment_rate_limiter: The rate limit of each enrollment token.
        check_in_writer: The check-ins that wait for the database.
        call_log: The log of agents' calls.
        legacy: The agents without a token.
        calls: The number of answers by call and status.
    """

    def __init__(
        self,
        database: Database,
        separate_pool: Database,
        tokens: AgentTokens,
        settings: Settings,
        on_commit: Callable[[], None] = ignore_commit,
    ) -> None:
        """Services that enroll over `database`, do the rest over `separate_pool`.

        And call `on_commit` after each enrollment.
        """
        self._database = database
        self._on_commit = on_commit
        self.tokens = tokens
        self.agent_rate_limiter = _build_agent_rate_limiter(settings)
        self.enrollment_rate_limiter = RateLimiter(
            settings.enrollments_per_minute / settings.workers, ceil(ENROLLMENTS_BURST / settings.workers)
        )
        self.check_in_writer = CheckInWriter(separate_pool)
        self.call_log = CallLog(database)
        self.legacy = LegacyAdmission(database, on_commit)
        self.calls: Counter[tuple[str, int]] = Counter()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        database: Database,
        tokens: AgentTokens,
        settings: Settings,
        on_commit: Callable[[], None] = ignore_commit,
    ) -> AsyncIterator[Self]:
        """The running services over a migrated database. They stop at the end of the block.

        Raises:
            StartupError: The database is unreachable.
        """
        separate_pool = await database.open_separate_pool(AGENT_CONNECTIONS)
        service = cls(database, separate_pool, tokens, settings, on_commit)
        enroll_in_transaction = (
            service.check_in_writer.run(),
            service.call_log.run(),
            service.legacy.run(),
            sweep_periodically(separate_pool, settings),
        )
        tasks = [asyncio.create_task(one) for one in enroll_in_transaction]
        try:
            yield service
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CLOSE_TIMEOUT_S)
            separate_pool.terminate()  # ends whatever still runs
            await asyncio.wait(tasks, timeout=_CLOSE_TIMEOUT_S)

    async def enroll(self, enrollment: EnrollmentIdentity, device: EnrollingDevice) -> Enrolled:
        """Enroll a device at the site of its enrollment token; returns the agent and the id of the token for it.

        Raises:
            ProductError: As `services.agents.enrollment.enroll_with_token`.
            UnavailableError: The database is unavailable or slow, or concurrent transactions conflict.
        """

        async def enroll_in_transaction(transaction: WriteTransaction) -> Enrolled | ConflictError:
            try:
                return await enroll_with_token(
                    transaction, enrollment.tenant_id, enrollment.site_id, device, enrollment.token_id
                )
            except ApprovalRequiredError as error:  # the request for approval is committed
                return error

        try:
            done = await run_in_transaction(
                self._database,
                enroll_in_transaction,
                platform=True,
                share=enrollment.tenant_id,
                on_commit=self._on_commit,
            )
        except (WriteContentionError, StatementTimeoutError) as error:
            raise UnavailableError("The database is busy. Try again later.") from error
        if isinstance(done, ConflictError):
            raise done
        return done


def _build_agent_rate_limiter(settings: Settings) -> RateLimiter:
    """The rate limit of each agent at one of the workers. An agent's calls may all reach the same worker."""
    least = min(settings.agent_calls_per_minute, WORKER_AGENT_CALLS_MIN)
    per_minute = max(least, settings.agent_calls_per_minute / settings.workers)
    return RateLimiter(per_minute, max(WORKER_AGENT_CALLS_MIN, ceil(AGENT_CALLS_BURST / settings.workers)))
