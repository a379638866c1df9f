"""The agents' HTTP API, under /v1.0: enrollment and check-ins."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from api.agents.http_messages import (
    AgentCall,
    CallRateError,
    ClientDisconnectedError,
    UnknownPathError,
    build_error_body,
    send_error,
    send_json,
)
from api.http_errors import MethodNotAllowedError
from api.http_protocol import UNFINISHED
from api.shutdown import Shutdown
from core.auth.agent_tokens import AgentIdentity, EnrollmentIdentity
from core.errors import (
    BadUserInputError,
    ConflictError,
    ForbiddenError,
    InternalError,
    ProductError,
    UnauthenticatedError,
    UnavailableError,
)
from core.rate_limit import RateLimiter
from services.agents.agent_service import AgentService
from services.agents.call_log import CallLogEntry
from services.agents.legacy_agents import LegacyIdentity
from services.agents.request_fields import (
    parse_check_in,
    parse_device,
    parse_legacy_ids,
    select_known_texts,
)
from services.device_identity import canonicalize_guid

PREFIX: Final = "/v1.0/"
_log = structlog.get_logger(__name__)


class AgentApiMiddleware:
    """Routes agents' calls to their API, before the middleware of all other routes."""

    def __init__(self, app: ASGIApp, api: "AgentApi") -> None:
        self._app = app
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an agent's call; pass any other request on."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._api(scope, receive, send)
        else:
            await self._app(scope, receive, send)


_AgentCaller = AgentIdentity | EnrollmentIdentity | LegacyIdentity


class _Route(NamedTuple):
    """How the calls of one path are answered.

    Attributes:
        verify_token: Verifies a token and returns its caller.
        rate_limiter: The rate limit of each caller.
        handle: Computes the response.
        is_logged: Whether successful calls are logged, too.
        takes_ids: Whether listed agents may call it by their ids alone.
    """

    verify_token: Callable[[str], _AgentCaller]
    rate_limiter: RateLimiter
    handle: Callable[[AgentCall, Any], Awaitable[dict[str, Any]]]
    is_logged: bool
    takes_ids: bool = False


class AgentApi:
    """The routes. Every error has the one form that agents expect."""

    def __init__(self, fleet: AgentService, shutdown: Shutdown | None = None) -> None:
        self._fleet = fleet
        self._shutdown = shutdown or Shutdown()
        self._throttled = RateLimiter(per_minute=1, burst=1)
        self._routes: Final[Mapping[str, _Route]] = {
            f"{PREFIX}heartbeat": _Route(
                fleet.tokens.verify_agent_token,
                fleet.agent_rate_limiter,
                self._handle_heartbeat,
                is_logged=False,
                takes_ids=True,
            ),
            f"{PREFIX}trade": _Route(
                fleet.tokens.verify_agent_token,
                fleet.agent_rate_limiter,
                self._handle_trade,
                is_logged=True,
                takes_ids=True,
            ),
            f"{PREFIX}register": _Route(
                fleet.tokens.verify_enrollment_token,
                fleet.enrollment_rate_limiter,
                self._handle_registration,
                is_logged=True,
            ),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        call = AgentCall(scope, receive)
        try:
            answer = await self._handle_call(call)
        except ClientDisconnectedError:
            return
        except asyncio.CancelledError as error:
            await self._send_error(call, send, self._shutdown.take_cancellation(error))
        except ProductError as error:
            await self._send_error(call, send, error)
        else:
            self._count_call(call, 200)
            await send_json(send, 200, {"data": answer})

    async def _send_error(self, call: AgentCall, send: Send, error: ProductError) -> None:
        self._count_call(call, error.status)
        await send_error(send, error, call.name)

    def _count_call(self, call: AgentCall, status: int) -> None:
        self._fleet.calls[call.name if call.path in self._routes else "(other)", status] += 1

    async def _handle_call(self, call: AgentCall) -> dict[str, Any]:
        try:
            route = self._find_route(call)
            if route.takes_ids and self._fleet.legacy.is_open and call.sends_ids_only():
                caller: _AgentCaller = await self._identify_by_ids(call, route)
            else:
                caller = route.verify_token(call.read_token())
            if UNFINISHED in call.scope:
                call.scope[UNFINISHED].mark_verified()
        except ProductError as error:  # without a caller there is no tenant's log to write to
            _log.info(
                "agent call refused", endpoint=call.path[:200], status=error.status, reason=error.message
            )
            raise
        try:
            if not isinstance(caller, LegacyIdentity):  # its call is counted already
                _require_rate(route.rate_limiter, caller.name)
            answer = await route.handle(call, caller)
        except ClientDisconnectedError:
            raise
        except Exception as error:  # noqa: BLE001 - any error: the caller gets an id, the log the traceback
            product_error = _to_product_error(error, call)
            self._log_failure(call, caller, product_error)
            raise product_error from None
        if route.is_logged:
            await self._fleet.call_log.write(_log_entry(call, caller, 200, answer))
        return answer

    def _find_route(self, call: AgentCall) -> _Route:
        route = self._routes.get(call.path)
        if route is None:
            raise UnknownPathError("Unknown path.")
        if call.method != "POST":
            raise MethodNotAllowedError(call.method, "POST")
        return route

    async def _identify_by_ids(self, call: AgentCall, route: _Route) -> LegacyIdentity:
        """The listed agent that sends no token."""
        ids = parse_legacy_ids(
            call.read_header(b"x-device-id"), call.read_header(b"x-site-id"), await call.read_json()
        )
        _require_rate(route.rate_limiter, ids.name)
        return await self._fleet.legacy.identify(ids)

    async def _handle_heartbeat(
        self, call: AgentCall, agent: AgentIdentity | LegacyIdentity
    ) -> dict[str, Any]:
        if isinstance(agent, LegacyIdentity):
            return await self._handle_legacy_heartbeat(call, agent)
        _check_header(call, b"x-site-id", agent.site_id)
        _check_header(call, b"x-device-id", agent.agent_id)
        check_in = parse_check_in(
            await call.read_json(), agent.agent_id, agent.tenant_id, token_id=agent.token_id
        )
        return {"guid": await self._fleet.check_in_writer.check_in(check_in)}

    async def _handle_legacy_heartbeat(self, call: AgentCall, agent: LegacyIdentity) -> dict[str, Any]:
        if not agent.is_accepted:
            raise UnauthenticatedError("The agent's ids alone are not accepted any more. Send a token.")
        check_in = parse_check_in(await call.read_json(), agent.agent_id, agent.tenant_id)
        guid = await self._fleet.check_in_writer.check_in(check_in)
        return {"guid": guid, "device_id": agent.agent_id}

    async def _handle_trade(self, call: AgentCall, agent: AgentIdentity | LegacyIdentity) -> dict[str, Any]:
        if isinstance(agent, AgentIdentity):
            raise ConflictError("The agent has a token already.")
        ids = parse_legacy_ids(agent.agent_id, agent.site_id, await call.read_json())
        token_id = await self._fleet.legacy.trade(ids)
        token = self._fleet.tokens.issue_agent_token(agent.agent_id, agent.site_id, agent.tenant_id, token_id)
        return {"device_id": agent.agent_id, "guid": canonicalize_guid(ids.guid), "token": token}

    async def _handle_registration(self, call: AgentCall, enrollment: EnrollmentIdentity) -> dict[str, Any]:
        site_id, device = parse_device(await call.read_json())
        if site_id != enrollment.site_id:
            raise ForbiddenError("The token belongs to another site.")
        agent = await self._fleet.enroll(enrollment, device)
        token = self._fleet.tokens.issue_agent_token(
            agent.agent_id, site_id, enrollment.tenant_id, agent.token_id
        )
        return {"device_id": agent.agent_id, "guid": agent.guid, "token": token}

    def _log_failure(self, call: AgentCall, caller: _AgentCaller, error: ProductError) -> None:
        """Log a failed call, unless it was refused because of overload: logging would add to the load.

        Of the calls beyond a caller's rate limit, one a minute is logged. A broken agent must not fill the disk.
        """
        if isinstance(error, UnavailableError):
            return
        if isinstance(error, CallRateError) and self._throttled.acquire(caller.name):
            return
        self._fleet.call_log.enqueue(
            _log_entry(call, caller, error.status, build_error_body(error, call.name), error)
        )


def _require_rate(rate_limiter: RateLimiter, caller: str) -> None:
    wait_s = rate_limiter.acquire(caller)
    if wait_s:
        raise CallRateError(wait_s)


def _check_header(call: AgentCall, name: bytes, expected: str) -> None:
    value = call.read_header(name)
    if value is None:
        raise BadUserInputError(f"Missing header {name.decode()}.")
    if value != expected:
        raise ForbiddenError(f"The header {name.decode()} does not match the token.")


def _to_product_error(error: Exception, call: AgentCall) -> ProductError:
    """The error for the caller. A fault of the server is logged with its traceback."""
    if isinstance(error, ProductError):
        return error
    reported = InternalError()
    _log.error("agent call failed", endpoint=call.path, error_id=reported.error_id, exc_info=error)
    return reported


def _log_entry(
    call: AgentCall,
    caller: _AgentCaller,
    status: int,
    answer: Mapping[str, Any],
    error: ProductError | None = None,
) -> CallLogEntry:
    """The log entry of a call, without its token and the token in its response."""
    return CallLogEntry(
        tenant_id=caller.tenant_id,
        site_id=caller.site_id,
        agent_id=answer.get("device_id") if isinstance(caller, EnrollmentIdentity) else caller.agent_id,
        endpoint=call.path,
        method=call.method,
        status=status,
        request=select_known_texts(call.read),
        response={name: value for name, value in answer.items() if name != "token"},
        elapsed_ms=call.measure_elapsed_ms(),
        error=error.message if error else None,
    )
