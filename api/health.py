"""Health for whoever watches over the process: `/healthz` is the process, `/readyz` what it needs."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

import asyncpg
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.errors import StartupError

PATIENCE_S: Final = 1.0
"""A database that takes longer to answer is not ready."""
MEMORY_S: Final = 1.0
"""An answer serves for this long: anyone may ask, and each look takes a connection to the database."""

_log = structlog.get_logger(__name__)


class Health:
    """The two routes; `look` says why the database cannot be served from, or None when it can."""

    def __init__(self, look: Callable[[], Awaitable[str | None]]) -> None:
        self._look = look
        self._turn = asyncio.Lock()
        self._seen_at = -MEMORY_S
        self._reason: str | None = None

    def routes(self) -> list[Route]:
        """`/healthz` and `/readyz`, both without a token."""
        return [Route("/healthz", self._alive), Route("/readyz", self._ready)]

    async def _alive(self, _request: Request) -> Response:
        return PlainTextResponse("ok")

    async def _ready(self, _request: Request) -> Response:
        """200, or 503 with `{"status": "unavailable", "reason": ...}`."""
        async with self._turn:
            if monotonic() - self._seen_at >= MEMORY_S:
                self._reason = await self._reason_now()
                self._seen_at = monotonic()
        if self._reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "unavailable", "reason": self._reason}, status_code=503)

    async def _reason_now(self) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._look()
        except (OSError, TimeoutError, StartupError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("database out of reach", error=str(error) or type(error).__name__)
            return "the database cannot be reached"
