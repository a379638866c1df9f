"""Batches check-ins, writes each batch in one statement, and acknowledges each check-in after the commit."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, zip_longest
from time import monotonic
from typing import Final

import asyncpg
import structlog

from core.database.connection_errors import translate_connection_errors
from core.database.database import Database
from core.error_text import format_error_line
from core.errors import InternalError, NotFoundError, UnauthenticatedError, UnavailableError
from core.limits import (
    CHECK_IN_BATCH_DELAY_S,
    CHECK_IN_LOCKED_RETRY_S,
    CHECK_IN_WRITE_S,
    CHECK_INS_BATCH_MAX,
    CHECK_INS_QUEUED_MAX,
)
from services.agents.check_in import CheckIn, CheckInRefusal, WrittenCheckIn, write_check_ins
from services.agents.micro_batcher import BatchSettings, MicroBatcher

_log = structlog.get_logger(__name__)

_BATCH_SETTINGS: Final = BatchSettings(CHECK_INS_QUEUED_MAX, CHECK_INS_BATCH_MAX, CHECK_IN_BATCH_DELAY_S)
_LOCKED_PAUSE_S: Final = 0.1
_RETRYABLE_ERRORS: Final = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
_DATA_ERRORS: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError)
"""Errors that the values of one row can cause. Any other error of PostgreSQL concerns the whole batch."""


@dataclass(slots=True, eq=False)
class _PendingCheckIn:
    """A check-in that waits for its result.

    Attributes:
        check_in: The check-in. Values that a later call has written meanwhile are removed.
        number: The ordinal of the call on this server, in order of arrival.
        is_retry: Whether the agent's row was locked at the last attempt.
    """

    check_in: CheckIn
    number: int
    is_retry: bool = False


_CheckInResult = WrittenCheckIn | CheckInRefusal


class CheckInWriter:
    """The check-ins of one server.

    Attributes:
        batcher: The batcher with the check-ins that wait.
    """

    def __init__(self, database: Database, batch_settings: BatchSettings = _BATCH_SETTINGS) -> None:
        """The check-ins over a database pool of their own. `run` writes them."""
        self._database = database
        self._numbers = count()
        self._pending: dict[str, list[_PendingCheckIn]] = {}
        self.batcher: MicroBatcher[_PendingCheckIn, _CheckInResult] = MicroBatcher(
            self._write_batch, batch_settings
        )

    async def run(self) -> None:
        """Write check-ins as they arrive, until cancelled."""
        await self.batcher.run()

    async def check_in(self, check_in: CheckIn) -> str:
        """Write a check-in and return the agent's guid once it is committed.

        Raises:
            NotFoundError: The agent is gone.
            UnauthenticatedError: Its token is revoked, its site is archived or deleted, or its tenant is not active.
            UnavailableError: The server is busy, the database is unavailable, or the agent's row is locked.
        """
        until = monotonic() + CHECK_IN_LOCKED_RETRY_S
        with self._register_call(check_in) as call:
            answer = await self.batcher.add(call)
            while answer is CheckInRefusal.BUSY and monotonic() < until:
                await asyncio.sleep(_LOCKED_PAUSE_S)
                call.is_retry = True
                answer = await self.batcher.add(call)
        return require_guid(answer)

    @contextmanager
    def _register_call(self, check_in: CheckIn) -> Iterator[_PendingCheckIn]:
        """A call that stays registered until the block ends."""
        call = _PendingCheckIn(check_in, next(self._numbers))
        of_agent = self._pending.setdefault(check_in.agent_id, [])
        of_agent.append(call)
        try:
            yield call
        finally:
            of_agent.remove(call)
            if not of_agent:
                self._pending.pop(check_in.agent_id)

    async def _write_batch(self, calls: Sequence[_PendingCheckIn]) -> Sequence[_CheckInResult | Exception]:
        """Write a batch and return the result of each call.

        Raises:
            UnavailableError: The database is unavailable, fails, or takes too long for the whole batch.
        """
        with translate_connection_errors():
            async with asyncio.timeout(CHECK_IN_WRITE_S):
                answers: dict[_PendingCheckIn, _CheckInResult | Exception] = {}
                for batch in _split_by_token(calls):
                    answers |= zip(batch, await self._write_calls(batch), strict=True)
                return [answers[call] for call in calls]

    async def _write_calls(self, calls: Sequence[_PendingCheckIn]) -> Sequence[_CheckInResult | Exception]:
        """Write the check-ins of an agent as one.

        If that one is invalid, write each by itself to find the invalid one.
        """
        nowait = any(call.is_retry for call in calls)
        answers = await self._write_halving(_merge_by_agent(calls), nowait=nowait)
        results = [answers[call.check_in.agent_id] for call in calls]
        for indexes in _group_in_rounds(calls, answers):
            separate = await self._write_halving([calls[index].check_in for index in indexes], nowait=nowait)
            for index in indexes:
                results[index] = separate[calls[index].check_in.agent_id]
        for call, answer in zip(calls, results, strict=True):
            if isinstance(answer, WrittenCheckIn):
                self._remove_outdated_fields(call)
        return results

    def _remove_outdated_fields(self, written: _PendingCheckIn) -> None:
        """Remove the written values from earlier calls of the agent that still wait for a retry."""
        for call in self._pending.get(written.check_in.agent_id, ()):
            if call.number < written.number:
                call.check_in = call.check_in.without_fields_of(written.check_in)

    async def _write_halving(
        self, check_ins: Sequence[CheckIn], *, nowait: bool
    ) -> dict[str, _CheckInResult | Exception]:
        """The results of check-ins of different agents.

        A batch that fails is halved until the invalid one is isolated.
        """
        try:
            return {**await self._execute_statement(check_ins, nowait=nowait)}
        except _RETRYABLE_ERRORS:
            if not nowait:
                return await self._write_halving(check_ins, nowait=True)
            return dict.fromkeys((check_in.agent_id for check_in in check_ins), CheckInRefusal.BUSY)
        except _DATA_ERRORS as error:
            if len(check_ins) == 1:
                return {check_ins[0].agent_id: _build_error(check_ins[0], error)}
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise UnavailableError("The database does not accept check-ins. Try again later.") from error
        middle = len(check_ins) // 2
        first = await self._write_halving(check_ins[:middle], nowait=nowait)
        return first | await self._write_halving(check_ins[middle:], nowait=nowait)

    async def _execute_statement(
        self, check_ins: Sequence[CheckIn], *, nowait: bool
    ) -> dict[str, _CheckInResult]:
        async with self._database.open_statement_connection() as connection:
            try:
                return await write_check_ins(connection, check_ins, nowait=nowait)
            except asyncio.CancelledError:
                connection.terminate()  # a graceful close would wait for a database that is unavailable
                raise


def _build_error(check_in: CheckIn, error: Exception) -> InternalError:
    reported = InternalError()
    _log.warning(
        "check-in failed",
        agent_id=check_in.agent_id,
        error_id=reported.error_id,
        error=format_error_line(error),
    )
    return reported


def require_guid(answer: _CheckInResult) -> str:
    """The guid of an agent after its check-in was written.

    Raises:
        NotFoundError: The agent is gone.
        UnauthenticatedError: Its token is revoked, its site is archived or deleted, or its tenant is not active.
        UnavailableError: Its row is locked.
    """
    match answer:
        case WrittenCheckIn(guid):
            return guid
        case CheckInRefusal.GONE:
            raise NotFoundError("The agent no longer exists.")
        case CheckInRefusal.REVOKED:
            raise UnauthenticatedError("The token is revoked: the agent must enroll again.")
        case CheckInRefusal.INACTIVE:
            raise UnauthenticatedError("The agent's site is archived, or its tenant is not active.")
        case _:
            raise UnavailableError("Another transaction is changing the agent. Try again later.")


def _split_by_token(calls: Sequence[_PendingCheckIn]) -> list[list[_PendingCheckIn]]:
    """Split the calls into batches with one token for each agent, so that each is checked against its own."""
    batches: list[tuple[dict[str, str | None], list[_PendingCheckIn]]] = []
    for call in calls:
        agent_id, token_id = call.check_in.agent_id, call.check_in.token_id
        for tokens, batch in batches:
            if tokens.setdefault(agent_id, token_id) == token_id:
                batch.append(call)
                break
        else:
            batches.append(({agent_id: token_id}, [call]))
    return [batch for _, batch in batches]


def _merge_by_agent(calls: Sequence[_PendingCheckIn]) -> list[CheckIn]:
    """Merge the calls into one check-in for each agent."""
    check_ins: dict[str, CheckIn] = {}
    for call in sorted(calls, key=lambda each: each.number):
        earlier = check_ins.get(call.check_in.agent_id)
        check_ins[call.check_in.agent_id] = call.check_in.merge_over(earlier) if earlier else call.check_in
    return list(check_ins.values())


def _group_in_rounds(calls: Sequence[_PendingCheckIn], answers: Mapping[str, object]) -> list[list[int]]:
    """The indexes of calls that failed together, in rounds.

    The first round has the first call of each agent, the second round the second call, and so on.
    """
    of_agent: dict[str, list[int]] = {}
    for index, call in sorted(enumerate(calls), key=lambda assigned: assigned[1].number):
        of_agent.setdefault(call.check_in.agent_id, []).append(index)
    failed = [
        indexes
        for agent, indexes in of_agent.items()
        if len(indexes) > 1 and isinstance(answers[agent], Exception)
    ]
    return [[index for index in round_ if index is not None] for round_ in zip_longest(*failed)]
