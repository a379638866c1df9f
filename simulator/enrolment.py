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

_BUSY: Final = (429, 500, 502, 503, 504)


async def enrolled(
    plan: Plan, origin: Origin, tokens: Sequence[SiteToken], told: Callable[[int], object]
) -> list[bytes]:
    """Enrol a device for each agent of the plan; gives their heartbeats, in the order of the devices.

    Devices of earlier runs at the same sites are the same agents again. `told` hears how many have enrolled.

    Raises:
        StartupError: The server refuses a device, or does not answer for a while.
    """
    devices = (Device(number, tokens[number % len(tokens)].site_id) for number in range(plan.agents))
    waiting = enumerate(devices)
    beats: dict[int, bytes] = {}

    async def work() -> None:
        line = Line(origin)
        try:
            for number, device in waiting:
                beats[number] = await _enrol(line, origin, device, tokens[number % len(tokens)].token)
                told(len(beats))
        finally:
            line.close()

    await _all_or_none(work() for _ in range(min(plan.connections, plan.agents)))
    return [beats[number] for number in range(plan.agents)]


async def _all_or_none(work: Iterator[Coroutine[Any, Any, None]]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except* StartupError as errors:
        raise errors.exceptions[0] from None


async def _enrol(line: Line, origin: Origin, device: Device, token: str) -> bytes:
    request, reason = device.registration(origin, token), ""
    for _ in range(_TRIES):
        pause_s = _PAUSE_S
        try:
            answer = await line.ask(request)
        except CallFailedError as error:
            reason = error.reason
        else:
            if answer.status == 200:
                agent = orjson.loads(answer.body)["data"]
                return device.beat(origin, agent["device_id"], agent["token"])
            reason = _reason(answer)
            pause_s = answer.retry_after_s or pause_s
            if answer.status not in _BUSY:
                break
        await asyncio.sleep(pause_s)
    raise StartupError(f"The server does not enrol {device.hostname}: {reason}")


def _reason(answer: Answer) -> str:
    try:
        message = orjson.loads(answer.body)["error"]["message"]
    except (orjson.JSONDecodeError, LookupError, TypeError):
        message = "it is not the agents' API"
    return f"{answer.status}, {message}"
