"""Health checks for process supervisors: `/healthz` for the process, `/readyz` for its dependencies."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Final

import asyncpg
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.shutdown import DRAINING_REASON, Shutdown
from core.error_text import format_error_line
from core.errors import StartupError

CHECK_TIMEOUT_S: Final = 1.0
"""A database that takes longer to answer is not ready."""
CHECK_CACHE_S: Final = 1.0
"""How long a result is reused. Callers need no token, and each check takes a database connection."""

_log = structlog.get_logger(__name__)


class HealthEndpoints:
    """The two routes. `find_problem` returns why the database cannot be used, or None if it can."""

    def __init__(
        self,
        find_problem: Callable[[], Awaitable[str | None]],
        shutdown: Shutdown | None = None,
        describe: Callable[[], Mapping[str, object]] = dict,
    ) -> None:
        """The routes of one server.

        Args:
            find_problem: Returns why the database cannot be used.
            shutdown: The state of the server's shutdown: after a signal the server is not ready.
            describe: Returns further facts for the body of `/readyz`.
        """
        self._find_problem = find_problem
        self._shutdown = shutdown or Shutdown()
        self._describe = describe
        self._lock = asyncio.Lock()
        self._checked_at = -CHECK_CACHE_S
        self._reason: str | None = None

    def build_routes(self) -> list[Route]:
        """`/healthz` and `/readyz`, both without a token."""
        return [Route("/healthz", self._serve_healthz), Route("/readyz", self._serve_readyz)]

    async def _serve_healthz(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def _serve_readyz(self, _request: Request) -> Response:
        """200 with `{"status": "ready"}` and facts, or 503 with `{"status": "unavailable", "reason": ...}`."""
        if self._shutdown.is_requested:
            return self._render_unavailable(DRAINING_REASON)
        async with self._lock:
            if monotonic() - self._checked_at >= CHECK_CACHE_S:
                self._reason = await self._find_current_reason()
                self._checked_at = monotonic()
        if self._reason is not None:
            return self._render_unavailable(self._reason)
        return JSONResponse({"status": "ready", **self._describe()})

    def _render_unavailable(self, reason: str) -> Response:
        body = {"status": "unavailable", "reason": reason, **self._describe()}
        return JSONResponse(body, status_code=503)

    async def _find_current_reason(self) -> str | None:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await self._find_problem()
        except (OSError, TimeoutError, StartupError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("database unreachable", error=format_error_line(error))
            return "the database is unreachable"
