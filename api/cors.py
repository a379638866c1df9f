"""CORS for browser pages, and the log of pages that are refused."""

from typing import Any, Final

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.allowed_origins import is_same_origin
from core.limits import REFUSED_ORIGINS_LOGGED_MAX

_log: Final = structlog.get_logger("origins")


class RefusedOrigins:
    """Logs each refused origin once. Clients choose what they send, so the number is limited."""

    def __init__(self, setting: str) -> None:
        """`setting` is the setting that would allow the origins."""
        self._setting = setting
        self._logged: set[str] = set()

    def report(self, origin: str) -> None:
        """Log an origin unless it was logged before."""
        if origin not in self._logged and len(self._logged) < REFUSED_ORIGINS_LOGGED_MAX:
            self._logged.add(origin)
            _log.warning("origin refused", origin=origin[:200], setting=self._setting)


class LoggedCorsMiddleware(CORSMiddleware):
    """Starlette's middleware, with a log of the origins that it refuses."""

    def __init__(self, app: ASGIApp, /, **options: Any) -> None:
        """Takes the options of Starlette's middleware."""
        super().__init__(app, **options)
        self._refused = RefusedOrigins("CORS_ORIGINS")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            origin = headers.get("Origin")
            if origin and not self.is_allowed_origin(origin) and not is_same_origin(origin, headers):
                self._refused.report(origin)
        await super().__call__(scope, receive, send)
