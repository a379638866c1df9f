"""A fleet enrols: every device at its site, over all connections at once."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final

import orjson

from core.errors import StartupError
from simulator.devices import Device
from simulator.line import Answer, CallFailedError, Line
from simulator.origin import Origin
from simulator.plan import Plan
from simulator.site_tokens import SiteToken

_TRIES: Final = 20
"""How often one device tries while the server is busy or away."""

_PAUSE_S: Final = 1.0
"""Between two tries where the server does not say how long."""

_AT_ONCE: Final = 32
"""Devices that enrol at a time: each is a transaction of its own."""

_BUSY: Final = (429, 500, 502, 503, 504)


async def enrolled(
    plan: Plan, origin: Origin, tokens: Sequence[SiteToken], told: Callable[[int], object]
) -> list[bytes]:
    """Enrol a device for each agent of the plan; gives their heartbeats, in the order of the devices.

    Devices of earlier runs at the same sites are the same agents again. `told` hears how many have enrolled.

    Raises:
        StartupError: The server refuses a device, cannot be reached at first, or is away for a while later.
    """
    desk = _Desk(plan.agents, origin, tokens, told)
    await _all_or_none(desk.work() for _ in range(min(_AT_ONCE, plan.connections, plan.agents)))
    return [desk.beats[number] for number in range(plan.agents)]


async def _all_or_none(work: Iterator[Coroutine[Any, Any, None]]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except* StartupError as errors:
        raise errors.exceptions[0] from None


class _Desk:
    """Devices on their way to being agents.

    Attributes:
        beats: The heartbeats of those that are, by number.
    """

    def __init__(
        self, agents: int, origin: Origin, tokens: Sequence[SiteToken], told: Callable[[int], object]
    ) -> None:
        self._waiting = iter(range(agents))
        self._origin = origin
        self._tokens = tokens
        self._told = told
        self.beats: dict[int, bytes] = {}

    async def work(self) -> None:
        """Enrol over one connection what waits."""
        line = Line(self._origin)
        try:
            for number in self._waiting:
                token = self._tokens[number % len(self._tokens)]
                self.beats[number] = await self._enrol(line, Device(number, token.site_id), token.token)
                self._told(len(self.beats))
        finally:
            line.close()

    async def _enrol(self, line: Line, device: Device, token: str) -> bytes:
        request = device.registration(self._origin, token)
        for _ in range(_TRIES):
            answer = await self._asked(line, request)
            if answer.status == 200:
                agent = orjson.loads(answer.body)["data"]
                return device.beat(self._origin, agent["device_id"], agent["token"])
            if answer.status not in _BUSY:
                break
            await asyncio.sleep(answer.retry_after_s or _PAUSE_S)
        raise StartupError(f"The server does not enrol {device.hostname}: {_reason(answer)}")

    async def _asked(self, line: Line, request: bytes) -> Answer:
        """An answer; a server that has been there and is away counts as busy."""
        try:
            return await line.ask(request)
        except CallFailedError as error:
            if not self.beats:
                raise StartupError(f"The server does not answer: {error.reason}.") from error
            return Answer(503, b"")


def _reason(answer: Answer) -> str:
    try:
        return f"{answer.status}, {orjson.loads(answer.body)['error']['message']}"
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return str(answer.status)
