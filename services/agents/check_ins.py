"""Check-ins on their way to the database: gathered, written together, acknowledged once committed."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, zip_longest
from time import monotonic
from typing import Final

import asyncpg
import structlog

from core.database import Database
from core.errors import InternalError, NotFoundError, UnauthenticatedError, UnavailableError
from core.limits import (
    CHECK_IN_BUSY_S,
    CHECK_IN_GATHER_S,
    CHECK_IN_WRITE_S,
    CHECK_INS_AT_ONCE,
    CHECK_INS_WAITING_MAX,
)
from core.outages import outages_told
from services.agents.beats import Beat, Refusal, Written, write_beats
from services.agents.gathering import Gathering, Room

_log = structlog.get_logger(__name__)

_ROOM: Final = Room(CHECK_INS_WAITING_MAX, CHECK_INS_AT_ONCE, CHECK_IN_GATHER_S)
_BUSY_PAUSE_S: Final = 0.1
_IN_THE_WAY: Final = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
_AT_FAULT: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError)
"""What one row's values can cause; everything else that PostgreSQL says is true of all rows."""


@dataclass(slots=True, eq=False)
class _Call:
    """A beat on its way.

    Attributes:
        beat: What it tells; what a later call has told meanwhile is taken out.
        number: Its place among all of this server's, as they came.
        again: Whether its row was held by somebody the last time.
    """

    beat: Beat
    number: int
    again: bool = False


_Answer = Written | Refusal


class CheckIns:
    """The check-ins of one server.

    Attributes:
        gathering: those that wait.
    """

    def __init__(self, database: Database, room: Room = _ROOM) -> None:
        """Takes a connection of `database`, which should be kept for this; `run` is what writes."""
        self._database = database
        self._numbers = count()
        self._open: dict[str, list[_Call]] = {}
        self.gathering: Gathering[_Call, _Answer] = Gathering(self._write, room)

    async def run(self) -> None:
        """Write what comes, until cancelled."""
        await self.gathering.run()

    async def check_in(self, beat: Beat) -> str:
        """Write a check-in; returns the agent's guid once it is committed.

        Raises:
            NotFoundError: The agent is gone.
            UnauthenticatedError: Its site or tenant is shut, and its token with it.
            UnavailableError: The server is busy, its database away, or somebody holds the agent's row.
        """
        until = monotonic() + CHECK_IN_BUSY_S
        with self._called(beat) as call:
            answer = await self.gathering.add(call)
            while answer is Refusal.BUSY and monotonic() < until:
                await asyncio.sleep(_BUSY_PAUSE_S)
                call.again = True
                answer = await self.gathering.add(call)
        return guid_of(answer)

    @contextmanager
    def _called(self, beat: Beat) -> Iterator[_Call]:
        """A call that is open for as long as the block lasts."""
        call = _Call(beat, next(self._numbers))
        of_agent = self._open.setdefault(beat.agent_id, [])
        of_agent.append(call)
        try:
            yield call
        finally:
            of_agent.remove(call)
            if not of_agent:
                self._open.pop(beat.agent_id)

    async def _write(self, calls: Sequence[_Call]) -> Sequence[_Answer | Exception]:
        """What has become of each call.

        Raises:
            UnavailableError: The database is away, ill, or takes too long over them all.
        """
        with outages_told():
            async with asyncio.timeout(CHECK_IN_WRITE_S):
                return await self._written(calls)

    async def _written(self, calls: Sequence[_Call]) -> Sequence[_Answer | Exception]:
        """An agent's check-ins are written as one; where that is bad, each by itself, so that it stands alone."""
        impatient = any(call.again for call in calls)
        answers = await self._answers(_folded(calls), impatient=impatient)
        told = [answers[call.beat.agent_id] for call in calls]
        for places in _turns(calls, answers):
            alone = await self._answers([calls[place].beat for place in places], impatient=impatient)
            for place in places:
                told[place] = alone[calls[place].beat.agent_id]
        for call, answer in zip(calls, told, strict=True):
            if isinstance(answer, Written):
                self._outdate(call)
        return told

    def _outdate(self, written: _Call) -> None:
        """Take what was written out of earlier calls of the agent that are still to be tried again."""
        for call in self._open.get(written.beat.agent_id, ()):
            if call.number < written.number:
                call.beat = call.beat.without(written.beat)

    async def _answers(self, beats: Sequence[Beat], *, impatient: bool) -> dict[str, _Answer | Exception]:
        """What has become of beats of different agents; halves the batch until what is bad stands alone."""
        try:
            return {**await self._statement(beats, impatient=impatient)}
        except _IN_THE_WAY:
            if not impatient:
                return await self._answers(beats, impatient=True)
            return dict.fromkeys((beat.agent_id for beat in beats), Refusal.BUSY)
        except _AT_FAULT as error:
            if len(beats) == 1:
                return {beats[0].agent_id: _failed(beats[0], error)}
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise UnavailableError("The database takes no check-ins. Try again later.") from error
        middle = len(beats) // 2
        first = await self._answers(beats[:middle], impatient=impatient)
        return first | await self._answers(beats[middle:], impatient=impatient)

    async def _statement(self, beats: Sequence[Beat], *, impatient: bool) -> dict[str, _Answer]:
        async with self._database.statement() as connection:
            try:
                return await write_beats(connection, beats, impatient=impatient)
            except asyncio.CancelledError:
                connection.terminate()  # to wait for its answer would be to wait for a database that is away
                raise


def _failed(beat: Beat, error: Exception) -> InternalError:
    told = InternalError()
    _log.warning("check-in failed", agent_id=beat.agent_id, error_id=told.error_id, error=str(error))
    return told


def guid_of(answer: _Answer) -> str:
    """The guid of an agent whose check-in was written.

    Raises:
        NotFoundError: The agent is gone.
        UnauthenticatedError: Its site or tenant is shut.
        UnavailableError: Somebody holds its row.
    """
    match answer:
        case Written(guid):
            return guid
        case Refusal.GONE:
            raise NotFoundError("There is no such agent any more.")
        case Refusal.SHUT:
            raise UnauthenticatedError("The agent's site is archived, or its tenant is not active.")
        case _:
            raise UnavailableError("Somebody is changing the agent at the moment. Try again later.")


def _folded(calls: Sequence[_Call]) -> list[Beat]:
    """One beat for each agent."""
    beats: dict[str, Beat] = {}
    for call in sorted(calls, key=lambda each: each.number):
        earlier = beats.get(call.beat.agent_id)
        beats[call.beat.agent_id] = call.beat.over(earlier) if earlier else call.beat
    return list(beats.values())


def _turns(calls: Sequence[_Call], answers: Mapping[str, object]) -> list[list[int]]:
    """The places of calls that failed together: all agents' first ones, all their second ones, and so on."""
    of_agent: dict[str, list[int]] = {}
    for place, call in sorted(enumerate(calls), key=lambda placed: placed[1].number):
        of_agent.setdefault(call.beat.agent_id, []).append(place)
    failed = [
        places
        for agent, places in of_agent.items()
        if len(places) > 1 and isinstance(answers[agent], Exception)
    ]
    return [[place for place in turn if place is not None] for turn in zip_longest(*failed)]
