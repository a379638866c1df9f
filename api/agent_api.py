"""The agents' HTTP API, under /v1.0: enrolment and check-ins."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from api.agent_messages import (
    Call,
    CallMethodError,
    ClientLeftError,
    NoSuchCallError,
    TooManyCallsError,
    error_body,
    refuse,
    respond,
)
from core.agent_tokens import AgentIdentity, Enrollment
from core.errors import BadUserInputError, ForbiddenError, InternalError, ProductError, UnavailableError
from core.rates import Rates
from services.agents.api_log import Entry
from services.agents.fleet import Fleet
from services.agents.told import beat_of, device_of, known_texts

PREFIX: Final = "/v1.0/"
_log = structlog.get_logger(__name__)


class AgentDoor:
    """Lets agents' calls through to their API past everything that the other routes have around them."""

    def __init__(self, app: ASGIApp, api: "AgentApi") -> None:
        self._app = app
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is an agent's, and pass on the rest."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._api(scope, receive, send)
        else:
            await self._app(scope, receive, send)


_Caller = AgentIdentity | Enrollment


class _Route(NamedTuple):
    """How one path is answered.

    Attributes:
        believe: From a token to whose it is.
        rates: How often each caller may call.
        answer: What it answers.
        is_logged: Whether successful calls are logged, too.
    """

    believe: Callable[[str], _Caller]
    rates: Rates
    answer: Callable[[Call, Any], Awaitable[dict[str, Any]]]
    is_logged: bool


class AgentApi:
    """The routes; every refusal has the one shape that agents know."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._excess = Rates(per_minute=1, at_once=1)
        self._routes: Final[Mapping[str, _Route]] = {
            f"{PREFIX}heartbeat": _Route(fleet.tokens.agent, fleet.agent_rates, self._heartbeat, False),
            f"{PREFIX}register": _Route(
                fleet.tokens.enrollment, fleet.enrollment_rates, self._register, True
            ),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        call = Call(scope, receive)
        try:
            answer = await self._answer(call)
        except ClientLeftError:
            return
        except ProductError as error:
            self._count(call, error.status)
            await refuse(send, error, call.name)
        else:
            self._count(call, 200)
            await respond(send, 200, {"data": answer})

    def _count(self, call: Call, status: int) -> None:
        self._fleet.calls[call.name if call.path in self._routes else "(other)", status] += 1

    async def _answer(self, call: Call) -> dict[str, Any]:
        try:
            route = self._route(call)
            caller = route.believe(call.token())
        except ProductError as error:  # nobody to whose log it could go
            _log.info(
                "agent call refused", endpoint=call.path[:200], status=error.status, reason=error.message
            )
            raise
        try:
            _allow(route.rates, caller)
            answer = await route.answer(call, caller)
        except ClientLeftError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is: the caller gets an id, the log the story
            told = _told(error, call)
            self._log_failure(call, caller, told)
            raise told from None
        if route.is_logged:
            await self._fleet.log.write(_entry(call, caller, 200, answer))
        return answer

    def _route(self, call: Call) -> _Route:
        route = self._routes.get(call.path)
        if route is None:
            raise NoSuchCallError("There is nothing under this path.")
        if call.method != "POST":
            raise CallMethodError("This path takes POST alone.")
        return route

    async def _heartbeat(self, call: Call, agent: AgentIdentity) -> dict[str, Any]:
        _check_header(call, b"x-site-id", agent.site_id)
        _check_header(call, b"x-device-id", agent.agent_id)
        beat = beat_of(await call.given(), agent.agent_id, agent.tenant_id)
        return {"guid": await self._fleet.check_ins.check_in(beat)}

    async def _register(self, call: Call, enrollment: Enrollment) -> dict[str, Any]:
        site_id, device = device_of(await call.given())
        if site_id != enrollment.site_id:
            raise ForbiddenError("The token is for another site.")
        agent_id = await self._fleet.enrol(enrollment, device)
        token = self._fleet.tokens.issue(agent_id, site_id, enrollment.tenant_id)
        return {"device_id": agent_id, "guid": device.guid, "token": token}

    def _log_failure(self, call: Call, caller: _Caller, error: ProductError) -> None:
        """Log a call that failed; not where load is shed, which that would add to.

        Of calls beyond their rate each caller's first of a minute is logged: a broken agent must not fill the disk.
        """
        if isinstance(error, UnavailableError):
            return
        if isinstance(error, TooManyCallsError) and self._excess.wait_s(caller.name):
            return
        self._fleet.log.note(_entry(call, caller, error.status, error_body(error, call.name), error))


def _allow(rates: Rates, caller: _Caller) -> None:
    wait_s = rates.wait_s(caller.name)
    if wait_s:
        raise TooManyCallsError(wait_s)


def _check_header(call: Call, name: bytes, expected: str) -> None:
    value = call.header(name)
    if value is None:
        raise BadUserInputError(f"The header {name.decode()} is missing.")
    if value != expected:
        raise ForbiddenError(f"The header {name.decode()} does not agree with the token.")


def _told(error: Exception, call: Call) -> ProductError:
    """The error as the caller hears it; what is our own fault goes to the log with its story."""
    if isinstance(error, ProductError):
        return error
    told = InternalError()
    _log.error("agent call failed", endpoint=call.path, error_id=told.error_id, exc_info=error)
    return told


def _entry(
    call: Call, caller: _Caller, status: int, answer: Mapping[str, Any], error: ProductError | None = None
) -> Entry:
    """The call for the log; its token and the one that it was answered are left out."""
    return Entry(
        tenant_id=caller.tenant_id,
        site_id=caller.site_id,
        agent_id=caller.agent_id if isinstance(caller, AgentIdentity) else answer.get("device_id"),
        endpoint=call.path,
        method=call.method,
        status=status,
        asked=known_texts(call.read),
        answered={name: value for name, value in answer.items() if name != "token"},
        elapsed_ms=call.elapsed_ms(),
        error=error.message if error else None,
    )
