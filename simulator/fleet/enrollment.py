"""Enrollment of a fleet: every device at its site, over all connections at once."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, Final

import orjson

from core.errors import StartupError
from simulator.fleet.agent_store import KeptAgent, KeptAgents
from simulator.fleet.devices import SimulatedDevice
from simulator.fleet.enrollment_tokens import SiteToken
from simulator.fleet.fleet_plan import FleetPlan
from simulator.fleet.http_connection import CallFailedError, HttpConnection, HttpResponse
from simulator.fleet.server_address import ServerAddress

_TRIES: Final = 20
"""Attempts of one device while the server is busy or away."""

_PAUSE_S: Final = 1.0
"""The pause between two attempts if the server sends no time."""

_CONNECTIONS_MAX: Final = 32
"""Devices that enroll at the same time; each takes a transaction."""

_BUSY: Final = (429, 500, 502, 503, 504)
_REFUSED: Final = (401, 403, 404)
"""The server does not recognize the agent, or its token is revoked: the device enrolls anew."""


async def enroll_fleet(
    plan: FleetPlan,
    origin: ServerAddress,
    tokens: Sequence[SiteToken],
    on_enrolled: Callable[[int], object],
    kept: KeptAgents | None = None,
) -> list[bytes]:
    """Enroll a device for each agent of the plan; returns their check-in requests, in the order of the devices.

    Devices of earlier runs at the same sites are the same agents again. A device does not enroll if the server
    still accepts its kept token. New tokens are kept. The callback gets the number of enrolled devices.

    Raises:
        StartupError: The server refuses a device, cannot be reached at first, or is away for a while later.
    """
    queue = _EnrollmentQueue(plan.agents, origin, tokens, on_enrolled, kept)
    try:
        await _run_all_or_none(
            queue.run_worker() for _ in range(min(_CONNECTIONS_MAX, plan.connections, plan.agents))
        )
    finally:
        if kept is not None and queue.enrolled:
            kept.save()
    return [queue.heartbeats[number] for number in range(plan.agents)]


async def _run_all_or_none(work: Iterator[Coroutine[Any, Any, None]]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except* StartupError as errors:
        raise errors.exceptions[0] from None


class _EnrollmentQueue:
    """The enrollment of a fleet's devices.

    Attributes:
        heartbeats: The check-in requests of the enrolled devices, by number.
        enrolled: How many of them have enrolled in this run.
    """

    def __init__(
        self,
        agents: int,
        origin: ServerAddress,
        tokens: Sequence[SiteToken],
        on_enrolled: Callable[[int], object],
        kept: KeptAgents | None,
    ) -> None:
        self._waiting = iter(range(agents))
        self._origin = origin
        self._tokens = tokens
        self._on_enrolled = on_enrolled
        self._kept = kept
        self.enrolled = 0
        self.heartbeats: dict[int, bytes] = {}

    async def run_worker(self) -> None:
        """Enroll waiting devices over one connection."""
        line = HttpConnection(self._origin)
        try:
            for number in self._waiting:
                token = self._tokens[number % len(self._tokens)]
                device = SimulatedDevice(number, token.site_id)
                self.heartbeats[number] = await self._find_kept_check_in(line, device) or (
                    await self._enroll(line, device, token.token)
                )
                self._on_enrolled(len(self.heartbeats))
        finally:
            line.close()

    async def _find_kept_check_in(self, line: HttpConnection, device: SimulatedDevice) -> bytes | None:
        """The check-in request of an agent of an earlier run; None if the server accepts no kept token of it."""
        agent = self._kept.get(device) if self._kept else None
        if agent is None:
            return None
        beat = device.build_check_in(self._origin, agent.agent_id, agent.token)
        answer = await self._answer(line, beat)
        return None if answer.status in _REFUSED else beat

    async def _enroll(self, line: HttpConnection, device: SimulatedDevice, token: str) -> bytes:
        answer = await self._answer(line, device.build_registration(self._origin, token))
        if answer.status != 200:
            raise StartupError(
                f"The server rejected the enrollment of {device.hostname}: {_read_failure_reason(answer)}"
            )
        reason = orjson.loads(answer.body)["data"]
        agent = KeptAgent(reason["device_id"], reason["token"])
        if self._kept is not None:
            self._kept.keep(device, agent)
        self.enrolled += 1
        return device.build_check_in(self._origin, agent.agent_id, agent.token)

    async def _answer(self, line: HttpConnection, request: bytes) -> HttpResponse:
        """The response to a request, retried while the server is busy or away."""
        for _ in range(_TRIES):
            answer = await self._send_request(line, request)
            if answer.status not in _BUSY:
                break
            await asyncio.sleep(answer.retry_after_s or _PAUSE_S)
        return answer

    async def _send_request(self, line: HttpConnection, request: bytes) -> HttpResponse:
        """The response. If a server that was reachable before is away, the result is the same as for a busy one."""
        try:
            return await line.send_request(request)
        except CallFailedError as error:
            if not self.heartbeats:
                raise StartupError(
                    f"The server at {self._origin.url} does not respond: {error.reason}."
                ) from error
            return HttpResponse(503, b"")


def _read_failure_reason(answer: HttpResponse) -> str:
    try:
        return f"{answer.status}, {orjson.loads(answer.body)['error']['message']}"
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return str(answer.status)
