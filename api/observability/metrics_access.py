"""Who may read /metrics: callers of its own port, or with its token."""

import hmac
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from core.settings import Settings

_PATHS: Final = frozenset({"/metrics", "/healthz", "/readyz"})


class MetricsAccess:
    """The settings of the access to /metrics.

    Attributes:
        port: The port that serves the metrics alone; None if they are on the port of the API.
    """

    def __init__(self, settings: Settings, port: int | None = None) -> None:
        """`port` is the real port, where the setting leaves it to the system."""
        self.port = port if port is not None else settings.metrics_port
        token = settings.metrics_token
        self._expected = f"Bearer {token.get_secret_value()}".encode() if token else None

    def find_refusal(self, request: Request) -> Response | None:
        """The response to a caller that may not read the metrics; None if the caller may."""
        if self.port is not None and _read_server_port(request.scope) != self.port:
            return PlainTextResponse("Not Found", 404)
        given = request.headers.get("Authorization", "").encode()
        if self._expected is not None and not hmac.compare_digest(given, self._expected):
            return PlainTextResponse("Unauthorized", 401, {"WWW-Authenticate": "Bearer"})
        return None


class MetricsPortMiddleware:
    """Serves nothing but metrics and health checks on the port of the metrics."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 404."""
        if _read_server_port(scope) == self._port and scope["path"] not in _PATHS:
            await PlainTextResponse("Not Found", 404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _read_server_port(scope: Scope) -> int | None:
    server = scope.get("server")
    return server[1] if server else None
