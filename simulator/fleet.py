"""Agents that beat: each in its own rhythm, over connections that all share."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from heapq import heapify, heappop, heappush
from random import Random
from typing import Final

from simulator.line import Answer, CallFailedError, Line
from simulator.origin import Origin
from simulator.plan import Plan
from simulator.tally import Tally

_LOOK_S: Final = 0.005
"""How often we look whose beat is due."""

_LAST_ANSWERS_S: Final = 2.0
"""How long we wait for the last answers, when it is over."""


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
        self._beats = beats
        self._origin = origin
        self._plan = plan
        self._dice = dice or Random()  # noqa: S311 - spreads beats, guards nothing
        self._next: list[tuple[float, int]] = []
        self._due: asyncio.Queue[tuple[int, float, float]] = asyncio.Queue()
        self.tally = Tally(agents=len(beats))
        self.away: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Beat until the plan's time is over; the last answers are waited for, for a moment."""
        loop, plan = asyncio.get_running_loop(), self._plan
        began = self.tally.began_s = loop.time()
        self._next = [(began + self._dice.uniform(0, plan.interval_s), at) for at in range(len(self._beats))]
        heapify(self._next)
        work = [self._absences(), *(self._converse() for _ in range(plan.connections))]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            await self._hand_out(None if plan.duration_s is None else began + plan.duration_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._due.join(), _LAST_ANSWERS_S)
        finally:
            self.tally.ended_s = min(loop.time(), began + (plan.duration_s or float("inf")))
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _hand_out(self, until: float | None) -> None:
        """Give beats that are due to whoever has a free connection."""
        loop, tally, pause_s = asyncio.get_running_loop(), self.tally, self._plan.interval_s
        while until is None or loop.time() < until:
            now = loop.time()
            while self._next and self._next[0][0] <= now:
                due, agent = heappop(self._next)
                if agent in self.away:
                    heappush(self._next, (due + self._dice.uniform(0, pause_s), agent))
                else:
                    tally.behind_s = max(tally.behind_s, now - due - _LOOK_S)
                    self._due.put_nowait((agent, due, now))
            await asyncio.sleep(_LOOK_S)

    async def _converse(self) -> None:
        """Send beats over one connection, one after another, and see to it that there is a next one."""
        loop, line = asyncio.get_running_loop(), Line(self._origin)
        try:
            while True:
                agent, due, began = await self._due.get()
                pause_s = 0.0
                try:
                    answer = await line.ask(self._beats[agent])
                except CallFailedError as error:
                    self.tally.failures[error.reason] += 1
                else:
                    pause_s = self._count(answer, loop.time() - began)
                heappush(self._next, (max(due + self._pause_s(), loop.time() + pause_s), agent))
                self._due.task_done()
        finally:
            line.close()

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
        """After everybody has beaten once: some fall silent, and others in their place after a while."""
        plan = self._plan
        await asyncio.sleep(plan.interval_s)
        while count := round(plan.drop * len(self._beats)):
            self.away = frozenset(self._dice.sample(range(len(self._beats)), count))
            self.tally.away = count
            await asyncio.sleep(plan.away_s)
