"""Agents that beat: each in its own rhythm, over connections that all share."""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from random import Random
from typing import Final, NamedTuple

from simulator.line import Answer, CallFailedError, Line, Lines
from simulator.origin import Origin
from simulator.plan import Plan
from simulator.tally import Tally

_LOOK_S: Final = 0.005
"""How often we look whose beat is due."""

_LAST_ANSWERS_S: Final = 2.0
"""How long we wait for the last answers, when it is over."""


class _Beat(NamedTuple):
    """A beat on its way: whose, when it was due and when it was handed out, by the event loop's clock."""

    agent: int
    due: float
    began: float


class Fleet:
    """Agents at work.

    Attributes:
        tally: What they have seen.
        away: The numbers of those that are silent at the moment.
    """

    def __init__(
        self, beats: Sequence[bytes], origin: Origin, plan: Plan, dice: Random | None = None
    ) -> None:
        """`beats` has each agent's request, which is the same every time."""
        self._requests = beats
        self._lines = Lines(origin, plan.connections)
        self._plan = plan
        self._dice = dice or Random()  # noqa: S311 - spreads beats, guards nothing
        self._next: list[tuple[float, int]] = []
        self._backlog: deque[_Beat] = deque()
        self._talks: set[asyncio.Task[None]] = set()
        self.tally = Tally(agents=len(beats))
        self.away: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Beat until the plan's time is over; the last answers are waited for, for a moment."""
        loop, plan = asyncio.get_running_loop(), self._plan
        began = self.tally.began_s = loop.time()
        until = began + (plan.duration_s or math.inf)
        # As of a fleet that has been beating all along: the rate is even from the first second on.
        self._next = [
            (began + self._dice.random() * self._pause_s(), at) for at in range(len(self._requests))
        ]
        heapify(self._next)
        absences = asyncio.create_task(self._absences())
        try:
            await self._hand_out(until)
            if self._talks:
                await asyncio.wait(self._talks, timeout=_LAST_ANSWERS_S)
        finally:
            self.tally.ended_s = min(loop.time(), until)
            tasks = [absences, *self._talks]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._lines.close()

    async def _hand_out(self, until: float) -> None:
        """Send beats as they are due."""
        loop = asyncio.get_running_loop()
        while (now := loop.time()) < until:
            while self._next and self._next[0][0] <= now:
                due, agent = heappop(self._next)
                if agent in self.away:
                    heappush(self._next, (due + self._pause_s(), agent))
                else:
                    self.tally.behind_s = max(self.tally.behind_s, now - due - _LOOK_S)
                    self._start(_Beat(agent, due, now))
            await asyncio.sleep(_LOOK_S)

    def _start(self, beat: _Beat) -> None:
        line = self._lines.take()
        if line is None:
            self._backlog.append(beat)
            return
        talk = asyncio.create_task(self._talk(line, beat))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, line: Line, beat: _Beat | None) -> None:
        """Send a beat, and those that wait for a connection, and see to it that there are next ones."""
        now = asyncio.get_running_loop().time
        while beat:
            pause_s = 0.0
            try:
                answer = await line.ask(self._requests[beat.agent])
            except CallFailedError as error:
                self.tally.failures[error.reason] += 1
            else:
                pause_s = self._count(answer, now() - beat.began)
            heappush(self._next, (max(beat.due + self._pause_s(), now() + pause_s), beat.agent))
            beat = self._backlog.popleft() if self._backlog else None
        self._lines.give_back(line)

    def _count(self, answer: Answer, seconds: float) -> float:
        """Count an answer; after how many seconds the agent is to come back, 0 where that is not said."""
        if answer.status == 200:
            self.tally.acknowledged += 1
            self.tally.latencies.add(seconds)
            return 0.0
        self.tally.failures[str(answer.status)] += 1
        return answer.retry_after_s * self._dice.uniform(1, 1 + self._plan.jitter)

    def _pause_s(self) -> float:
        return self._plan.interval_s * self._dice.uniform(1 - self._plan.jitter, 1 + self._plan.jitter)

    async def _absences(self) -> None:
        """After everybody has beaten once some fall silent, and after a while others in their place."""
        plan, everybody = self._plan, range(len(self._requests))
        count = round(plan.drop * len(everybody))
        await asyncio.sleep(plan.interval_s * (1 + plan.jitter))
        while count:
            self.away = frozenset(self._dice.sample(everybody, count))
            self.tally.away = count
            await asyncio.sleep(plan.away_s)
