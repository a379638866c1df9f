"""Agents that check in, each with its own timing, over shared connections."""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from random import Random
from typing import Final, NamedTuple

from simulator.fleet.fleet_plan import FleetPlan
from simulator.fleet.http_connection import CallFailedError, ConnectionPool, HttpConnection, HttpResponse
from simulator.fleet.server_address import ServerAddress
from simulator.fleet.statistics import FleetStatistics

_POLL_S: Final = 0.005
"""How often the due check-ins are searched for."""

_LAST_ANSWERS_S: Final = 2.0
"""How long to wait for the last responses at the end."""


class _Heartbeat(NamedTuple):
    """A check-in in progress: its agent, when it was due and when it started, by the event loop's clock."""

    agent: int
    due: float
    began: float


class SimulatedFleet:
    """The running agents.

    Attributes:
        tally: The counts of their calls.
        away: The numbers of the agents that are silent at present.
    """

    def __init__(
        self,
        heartbeats: Sequence[bytes],
        origin: ServerAddress,
        plan: FleetPlan,
        random_source: Random | None = None,
    ) -> None:
        """`heartbeats` has each agent's request, which is the same every time."""
        self._requests = heartbeats
        self._lines = ConnectionPool(origin, plan.connections)
        self._plan = plan
        self._random = random_source or Random()  # noqa: S311 - spreads check-ins, protects nothing
        self._next: list[tuple[float, int]] = []
        self._backlog: deque[_Heartbeat] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self.tally = FleetStatistics(agents=len(heartbeats))
        self.away: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Check in until the plan's time is over; the last responses are awaited for a short time."""
        loop, plan = asyncio.get_running_loop(), self._plan
        began = self.tally.began_s = loop.time()
        until = began + (plan.duration_s or math.inf)
        # Random phases, as in a fleet that has been running before: the rate is even from the first second on.
        self._next = [
            (began + self._random.random() * self._choose_pause_s(), at) for at in range(len(self._requests))
        ]
        heapify(self._next)
        absences = asyncio.create_task(self._simulate_absences())
        try:
            await self._send_due(until)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=_LAST_ANSWERS_S)
        finally:
            self.tally.ended_s = min(loop.time(), until)
            tasks = [absences, *self._tasks]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._lines.close()

    async def _send_due(self, until: float) -> None:
        """Start check-ins when they are due."""
        loop = asyncio.get_running_loop()
        while (now := loop.time()) < until:
            while self._next and self._next[0][0] <= now:
                due, agent = heappop(self._next)
                if agent in self.away:
                    heappush(self._next, (due + self._choose_pause_s(), agent))
                else:
                    self.tally.behind_s = max(self.tally.behind_s, now - due - _POLL_S)
                    self._start_call(_Heartbeat(agent, due, now))
            await asyncio.sleep(_POLL_S)

    def _start_call(self, beat: _Heartbeat) -> None:
        line = self._lines.acquire()
        if line is None:
            self._backlog.append(beat)
            return
        talk = asyncio.create_task(self._send_heartbeats(line, beat))
        self._tasks.add(talk)
        talk.add_done_callback(self._tasks.discard)

    async def _send_heartbeats(self, line: HttpConnection, beat: _Heartbeat | None) -> None:
        """Send a check-in, then those that wait for a connection, and schedule the next one of each agent."""
        now = asyncio.get_running_loop().time
        while beat:
            pause_s = 0.0
            try:
                answer = await line.send_request(self._requests[beat.agent])
            except CallFailedError as error:
                self.tally.failures[error.reason] += 1
            else:
                pause_s = self._count_answer(answer, now() - beat.began)
            heappush(self._next, (max(beat.due + self._choose_pause_s(), now() + pause_s), beat.agent))
            beat = self._backlog.popleft() if self._backlog else None
        self._lines.release(line)

    def _count_answer(self, answer: HttpResponse, seconds: float) -> float:
        """Count a response; returns the seconds until the agent may retry, 0 if the response has no time."""
        if answer.status == 200:
            self.tally.acknowledged += 1
            self.tally.latencies.add(seconds)
            return 0.0
        self.tally.failures[str(answer.status)] += 1
        return answer.retry_after_s * self._random.uniform(1, 1 + self._plan.jitter)

    def _choose_pause_s(self) -> float:
        return self._plan.interval_s * self._random.uniform(1 - self._plan.jitter, 1 + self._plan.jitter)

    async def _simulate_absences(self) -> None:
        """After each agent has checked in once, make some of them silent. Replace them by others after a while."""
        plan, everybody = self._plan, range(len(self._requests))
        count = round(plan.drop * len(everybody))
        await asyncio.sleep(plan.interval_s * (1 + plan.jitter))
        while count:
            self.away = frozenset(self._random.sample(everybody, count))
            self.tally.away = count
            await asyncio.sleep(plan.away_s)
