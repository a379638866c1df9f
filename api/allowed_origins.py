"""The browser pages that may open a WebSocket. CORS does not cover WebSockets, so the header Origin is checked."""

import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from core.settings import Settings

LOCAL_ORIGIN: Final = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
"""Pages of the same machine. A demo allows them, because a dashboard in development has a port of its own."""

_PORTS: Final = {"http": 80, "https": 443}


def build_origin_check(settings: Settings) -> Callable[[Headers], bool]:
    """A check of a handshake's headers: whether pages of that origin are allowed. Clients other than browsers are."""
    chosen = settings.websocket_origins
    listed = frozenset(origin.lower() for origin in (settings.cors_origins if chosen is None else chosen))

    local = settings.demo and chosen is None

    def allows(headers: Headers) -> bool:
        origins = headers.getlist("Origin")
        return "*" in listed or all(
            _is_listed(origin, listed)
            or is_same_origin(origin, headers)
            or (local and LOCAL_ORIGIN.fullmatch(origin) is not None)
            for origin in origins
        )

    return allows


def _is_listed(origin: str, listed: frozenset[str]) -> bool:
    return origin.lower() in listed


def is_same_origin(origin: str, headers: Headers) -> bool:
    """Whether the page came from the host of the handshake. A proxy may have changed the scheme."""
    try:
        url = urlsplit(origin)
        usual = _PORTS.get(url.scheme)
        return usual is not None and any(
            _is_same_host(url.hostname, url.port, usual, host) for host in _read_request_hosts(headers)
        )
    except ValueError:
        return False


def _read_request_hosts(headers: Headers) -> Sequence[str]:
    return headers.getlist("Host")


def _is_same_host(name: str | None, port: int | None, usual: int, host: str) -> bool:
    reached = urlsplit(f"//{host}")
    return name is not None and name == reached.hostname and (port or usual) == (reached.port or usual)
