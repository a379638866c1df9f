"""Which pages of browsers may open a WebSocket: for that there is no CORS, only the header Origin."""

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from core.settings import Settings

_PORTS: Final = {"http": 80, "https": 443}


def allowed_origins(settings: Settings) -> Callable[[Headers], bool]:
    """Says of a handshake's headers whether a page of that origin may go on; clients that are no browsers may."""
    chosen = settings.websocket_origins
    listed = frozenset(origin.lower() for origin in (settings.cors_origins if chosen is None else chosen))

    def allows(headers: Headers) -> bool:
        origins = headers.getlist("Origin")
        return "*" in listed or all(
            _is_listed(origin, listed) or _is_own(origin, headers) for origin in origins
        )

    return allows


def _is_listed(origin: str, listed: frozenset[str]) -> bool:
    return origin.lower() in listed


def _is_own(origin: str, headers: Headers) -> bool:
    """Whether the page came from the host that the handshake goes to; a proxy may have changed the scheme."""
    try:
        parts = urlsplit(origin)
        usual = _PORTS.get(parts.scheme)
        return usual is not None and any(
            _same(parts.hostname, parts.port, usual, host) for host in _hosts(headers)
        )
    except ValueError:
        return False


def _hosts(headers: Headers) -> Sequence[str]:
    return headers.getlist("Host")


def _same(name: str | None, port: int | None, usual: int, host: str) -> bool:
    reached = urlsplit(f"//{host}")
    return name is not None and name == reached.hostname and (port or usual) == (reached.port or usual)
